#!/bin/sh
# run.sh OXBOW: the tests of the command, each script of this folder. Ends with "N passed, N failed".
here=$(dirname "$0")
log=$(mktemp "${TMPDIR:-/tmp}/oxbow-cli.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT

for script in "sh $here/command.sh" "sh $here/messages.sh" "sh $here/tests.sh" "sh $here/timeline.sh" \
  "sh $here/images.sh" "sh $here/crashes.sh" \
  "python3 $here/prompt.py"; do
  echo "== $script"
  $script "$1" 2>&1 | tee "$log"
  tail -n 1 "$log" | grep -q '^[0-9]* passed, [0-9]* failed$' || echo "0 passed, 1 failed"
done | tee "$log.all"
awk '/^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3 }
  END { printf "%d passed, %d failed\n", p, f; exit f > 0 }' "$log.all"
status=$?
rm -f "$log.all"
exit $status
