#!/bin/sh
# run.sh BUILD/plants: runs, for each mistake of gc/plant.h, the tests that rows.txt names for it,
# with a collector that makes the mistake. They must fail. First they run with one that makes none,
# and must pass. Time is that of the processor: where it is used up the mistake has been noticed,
# too. Who only waits has noticed nothing.
programs=$1
rows=$(dirname "$0")/rows.txt
export ROUNDS=150 # of generated programs, see tests/unit/test_rollback.c

# NAME TEST: "ok" or what is wrong, in a file of its own
try() {
  out=$scratch/$1.$(echo "$2" | tr '/*' '__')
  (ulimit -t 40; ulimit -c 0
   timeout 900 "$programs/$1" --filter "$2" -j1) > "$out.log" 2>&1
  status=$?
  ran=$(sed 's/\x1b\[[0-9;]*m//g' "$out.log" | sed -n 's/.*Tested: *\([0-9]*\) .*/\1/p')
  if [ "$status" = 124 ]; then echo "$1: $2 waits" > "$out"
  elif [ "${ran:-0}" -eq 0 ]; then echo "$1: there is no test $2 (status $status)" > "$out"
  elif [ "$1" = NONE ] && [ "$status" != 0 ]; then echo "NONE: $2 fails (status $status)" > "$out"
  elif [ "$1" != NONE ] && [ "$status" = 0 ]; then echo "$1: $2 does not notice" > "$out"
  else echo ok > "$out"
  fi
}

if [ "$2" = try ]; then
  scratch=$3
  try "$4" "$5"
  exit
fi
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

sed 's/ *#.*//' "$rows" | awk 'NF == 2' > "$scratch/rows"
awk '{ print "NONE", $2 }' "$scratch/rows" | sort -u > "$scratch/jobs"
cat "$scratch/rows" >> "$scratch/jobs"
xargs -P "$(nproc)" -L 1 sh "$0" "$programs" try "$scratch" < "$scratch/jobs"

passed=0 failed=0
while read -r name test; do
  result=$(cat "$scratch/$name.$(echo "$test" | tr '/*' '__')" 2>/dev/null)
  if [ "$result" = ok ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "${result:-$name: $test did not run}"
  fi
done < "$scratch/jobs"
# Each mistake has a row.
for name in $(ls "$programs"); do
  if [ "$name" != NONE ] && ! grep -q "^$name " "$scratch/rows"; then
    failed=$((failed + 1))
    echo "$name: no row"
  fi
done
echo "ran: $(cut -d ' ' -f 1 "$scratch/rows" | sort -u | wc -l) planted mistakes"
echo "$passed passed, $failed failed"
