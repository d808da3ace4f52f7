#!/bin/sh
# run.sh compile|run|api|image [MINUTES [FOLDER]]: fuzzes one target, guided by coverage, at idle priority.
#
# `make fuzz` builds the targets. The corpus grows in FOLDER/corpus-TARGET (default: build/fuzz), on top
# of the seeds that the tests have; what is found lies in FOLDER/found-TARGET, and does not end the run.
# At the end: executions and findings. Try a finding with: build/fuzz/tests/fuzz/fuzz_TARGET FILE

target=$1 minutes=${2:-60} folder=${3:-build/fuzz}
binary=build/fuzz/tests/fuzz/fuzz_$target
corpus=$folder/corpus-$target found=$folder/found-$target
[ -x "$binary" ] || { echo "usage: run.sh compile|run|api|image [MINUTES [FOLDER]], after make fuzz" >&2; exit 2; }
mkdir -p "$corpus" "$found"
sh tests/fuzz/dict.sh > "$folder/oxbow.dict"
seeds=tests/fuzz/corpus/$target
if [ "$target" != api ]; then seeds="$seeds tests/lang examples"; fi
if [ "$target" = image ]; then seeds=; fi
idle="nice -n 19"
chrt -i 0 true 2>/dev/null && idle="chrt -i 0 nice -n 19"

export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1
export UBSAN_OPTIONS=print_stacktrace=1
end=$(($(date +%s) + minutes * 60)) runs=0 done= log=$folder/$target.log
: > "$log"
while left=$((end - $(date +%s))) && [ "$left" -gt 0 ]; do
  # shellcheck disable=SC2086 # several words each
  $idle "$binary" -max_total_time="$left" -timeout=120 -report_slow_units=60 -rss_limit_mb=2048 -max_len=4096 \
    -print_final_stats=1 -dict="$folder/oxbow.dict" -artifact_prefix="$found/" "$corpus" $seeds \
    2> "$folder/$target.last"
  done=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$target.last" | tail -n 1)
  runs=$((runs + ${done:-0}))
  grep -a -v '^#' "$folder/$target.last" >> "$log"
done
echo "$target: $runs executions in $minutes minutes; $(find "$corpus" -type f | wc -l) inputs in the corpus;" \
  "$(find "$found" -type f | wc -l) findings; log: $log"
