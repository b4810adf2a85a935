#!/usr/bin/env bash
# start.sh HOME PORT [setting=value ...]
# Starts a node on 127.0.0.1:PORT, waits until its health is green or yellow and prints
#   URL PID WORK_DIR
# Stop it with: kill PID
# Environment: OS_WORK      data, configuration and log (default: a new temporary directory)
#              OS_HEAP      size of the heap (default 512m)
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,7p' "$0" >&2; exit 2; }
home=$(cd "$1" && pwd)
port=$2
shift 2
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    echo "port $port is in use" >&2
    exit 1
fi
work=${OS_WORK:-$(mktemp -d)}
mkdir -p "$work"
work=$(cd "$work" && pwd)
heap=${OS_HEAP:-512m}

cd "$work"
nohup java "-Xms$heap" "-Xmx$heap" -cp "$home/launcher:$home/lib/*" OsNode "$work" \
    http.port="$port" transport.port=0 "$@" </dev/null >"$work/node.log" 2>&1 &
pid=$!
for _ in $(seq 360); do
    if curl -s -m 5 "http://127.0.0.1:$port/_cluster/health" | grep -qE '"status":"(green|yellow)"'; then
        echo "http://127.0.0.1:$port $pid $work"
        exit
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.5
done
echo "the node did not start; the end of $work/node.log:" >&2
tail -n 20 "$work/node.log" >&2
kill "$pid" 2>/dev/null || true
exit 1
