#!/usr/bin/env bash
# build.sh jaeger|loki
# Builds the server from published Go modules into the cache and prints its path; minutes the first time.
# One that is there already, from the same go.sum, is used as it is. Needs Go 1.26.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
case ${1:-} in
    jaeger) package=github.com/jaegertracing/jaeger/cmd/all-in-one ;;
    loki) package=github.com/grafana/loki/v3/cmd/loki ;;
    *) echo "usage: build.sh jaeger|loki" >&2; exit 2 ;;
esac
cache=${XDG_CACHE_HOME:-$HOME/.cache}/go-test-servers
mkdir -p "$cache"
built=$cache/$1-$(sha256sum "$here/$1/go.sum" | cut -c1-12)
exec 9>"$cache/lock"
flock 9
if [ ! -x "$built" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cp "$here/$1/go.mod" "$here/$1/go.sum" "$work"
    (cd "$work" && CGO_ENABLED=0 nice -n 19 go build -mod=readonly -trimpath -ldflags='-s -w' -o "$built.new" "$package") >&2
    mv "$built.new" "$built"
fi
echo "$built"
