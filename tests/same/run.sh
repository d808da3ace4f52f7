#!/bin/sh
# run.sh PATH... -- SAME...: runs same.c's checks with the first of some builds of it, then compares
# what the programs do in each of the others: status, output, and how much of the budget they use.

paths=
while [ $# -gt 0 ] && [ "$1" != -- ]; do paths="$paths $1"; shift; done
shift
first=$1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1}"

# shellcheck disable=SC2086 # several paths
"$first" $paths > "$scratch/checks" 2>&1
counts=$(tail -n 1 "$scratch/checks")
sed '$d' "$scratch/checks"
passed=$(echo "$counts" | sed -n 's/^\([0-9]*\) passed, .*/\1/p')
failed=$(echo "$counts" | sed -n 's/.* passed, \([0-9]*\) failed$/\1/p')
if [ -z "$passed" ]; then echo "$first ended early: $counts"; passed=0 failed=1; fi
# shellcheck disable=SC2086
"$first" --digest $paths > "$scratch/want" 2>/dev/null
shift
for other in "$@"; do
  # shellcheck disable=SC2086
  if ! "$other" --digest $paths > "$scratch/got" 2> "$scratch/err"; then
    failed=$((failed + 1))
    echo "$other ended early:"
    tail -n 20 "$scratch/err"
  fi
  differ=$(diff "$scratch/want" "$scratch/got" | grep -c '^[<>]')
  if [ "$differ" -gt 0 ]; then
    echo "$other and $first do not agree (path, status, budget used, digest of the output):"
    diff "$scratch/want" "$scratch/got"
    failed=$((failed + 1))
  else
    passed=$((passed + $(wc -l < "$scratch/got")))
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
