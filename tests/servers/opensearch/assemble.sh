#!/usr/bin/env bash
# assemble.sh [CACHE_DIR]
# Puts together an OpenSearch 2.19.1 home from published jars and prints its path.
# A home that is there already, from the same recipe, is used as it is.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/os-test-node}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
recipe=$(cd "$here" && find pom.xml assemble.sh launcher -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-12)
home=$cache/os-2.19.1-$recipe

exec 9>"$cache/lock"
flock 9
if [ -d "$home" ]; then
    echo "$home"
    exit
fi

new=$cache/new
rm -rf "$new"
mkdir -p "$new/lib" "$new/launcher"
mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$new/lib" >&2
javac -cp "$new/lib/*" -d "$new/launcher" "$here/launcher/OsNode.java"

mv "$new" "$home"
echo "$home"
