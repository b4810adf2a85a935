#!/usr/bin/env bash
# start.sh HOME PORT [setting=value ...]
# Starts a node on 127.0.0.1:PORT, waits until its health is green or yellow and prints
#   URL PID WORK_DIR
# Stop it with: kill PID
# Environment: OS_WORK      data, configuration and log (default: a new temporary directory)
#              OS_HEAP      size of the heap (default 512m)
set -euo pipefail
. "$(dirname "$0")/../node.sh"
[ $# -ge 2 ] || { sed -n '2,7p' "$0" >&2; exit 2; }
home=$(cd "$1" && pwd)
port=$2
shift 2
claim_port "$port"
work=${OS_WORK:-$(mktemp -d)}
mkdir -p "$work"
work=$(cd "$work" && pwd)
heap=${OS_HEAP:-512m}

cd "$work"
nohup java "-Xms$heap" "-Xmx$heap" -cp "$home/launcher:$home/lib/*" OsNode "$work" \
    http.port="$port" transport.port=0 "$@" </dev/null >"$work/node.log" 2>&1 &
pid=$!
await_node "http://127.0.0.1:$port" "$pid" "$work" curl -s -m 5
