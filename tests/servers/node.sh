# What the start scripts of the nodes share; sourced, not run.

# claim_port PORT: fails where something listens there already.
claim_port() {
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
        echo "port $1 is in use" >&2
        exit 1
    fi
}

# await_node URL PID WORK_DIR CHECK...: waits until CHECK URL/_cluster/health is green or yellow, prints URL PID WORK_DIR.
await_node() {
    local url=$1 pid=$2 work=$3
    shift 3
    for _ in $(seq 360); do
        if "$@" "$url/_cluster/health" | grep -qE '"status":"(green|yellow)"'; then
            echo "$url $pid $work"
            exit
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.5
    done
    echo "the node did not start; the end of $work/node.log:" >&2
    tail -n 20 "$work/node.log" >&2
    kill "$pid" 2>/dev/null || true
    exit 1
}
