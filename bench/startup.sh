#!/bin/sh
# startup.sh [OXBOW [ROUNDS]]: what it costs to start on an empty script, beside Lua 5.4: the ratio
# of the processor times, and the peak of the memory. Run by `make bench`.
set -e
oxbow=${1:-build/oxbow} rounds=${2:-200}
here=$(dirname "$0")
dir=$(mktemp -d "${TMPDIR:-/tmp}/oxbow-startup.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cc -O2 -static -o "$dir/startup" "$here/startup.c"
: > "$dir/empty"
"$dir/startup" "$rounds" "$oxbow" "$dir/empty" lua5.4 "$dir/empty" > "$dir/costs"
awk 'NR == 1 { ms = $1; peak = $2 }
  NR == 2 {
    printf "startup of an empty script: oxbow %.2f ms, lua5.4 %.2f ms; peak %.2f and %.2f MiB\n",
           ms, $1, peak / 1024, $2 / 1024
    printf "startup vs lua5.4: %.2f\npeak rss MiB: %.2f\n", ms / $1, peak / 1024
  }' "$dir/costs"
