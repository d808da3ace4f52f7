#!/bin/sh
# run.sh [--alone] BUILD [PART...]: runs the tests that `make check` has built, and adds up their counts.
#
# Parts: unit rollback plants api lang spec examples embed docs cli stress modes asan same limits faults
# fuzz threads install boehm. Each part leaves its output in BUILD/test-logs/PART.log and ends with
# "N passed, N failed"; a part that counts nothing has failed, since a test that did not run proves
# nothing. The last line is the sum of all.
# With --alone all programs come from BUILD, also those that otherwise run under the sanitizers.

alone=
if [ "$1" = --alone ]; then alone=1; shift; fi
build=$1
shift
root=$(pwd)
logs=$build/test-logs
asan=${alone:+$build}
asan=${asan:-$build/asan}
runner=$build/tests/run_lang
parts=${*:-unit rollback plants api lang spec examples embed docs cli stress modes asan same limits faults fuzz threads install boehm}
mkdir -p "$logs"
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1
unset NO_COLOR OXBOW_HISTORY

# Criterion's summary of one binary, as "N passed, N failed".
run_criterion() {
  for binary in "$@"; do
    [ -x "$binary" ] || continue # notes of the compiler lie beside it
    echo "== $binary"
    "$binary" --always-succeed 2>&1 | tee "$logs/one.log" | grep -v '^\[----\]' | cat
    sed 's/\x1b\[[0-9;]*m//g' "$logs/one.log" |
      sed -n 's/.*Tested: *\([0-9]*\) *| Passing: *\([0-9]*\).*/\1 \2/p' |
      awk -v name="$binary" '{ t = $1; p = $2 }
        END { if (t == 0) { print name ": ran no test"; t = 1; p = 0 }
              printf "COUNT %d %d\n", p, t - p }'
  done | tee "$logs/criterion.log"
  awk '/^COUNT/ { p += $2; f += $3 } END { printf "%d passed, %d failed\n", p, f }' \
    "$logs/criterion.log"
}

# Thousands of programs that go back to snapshots, made at random; that they ran is a test, too.
run_rollback() {
  run_criterion "$build/tests/unit/test_rollback" | tee "$logs/rollback-parts.log"
  awk '/^ran: / { n += $2 } /^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3 }
       END { if (n < 5000) print "too few programs ran: " n + 0
             printf "%d passed, %d failed\n", p + (n >= 5000), f + (n < 5000) }' \
    "$logs/rollback-parts.log"
}

# The examples of the pages, then the grammar held against them and the example programs.
run_spec() {
  { "$runner" "$build/oxbow" README.md SPEC.md docs/tour.md
    "$build/oxbow" tests/spec/grammar.oxb SPEC.md README.md docs/tour.md examples/*.oxb
  } | tee "$logs/spec-parts.log"
  awk '/^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3; n++ }
       END { printf "%d passed, %d failed\n", p, f + (n < 2) }' "$logs/spec-parts.log"
}

# Programs that pass if they exit with 0 and print what the comment at their end expects, if any.
run_embed() {
  passed=0 failed=0
  for source in examples/embed/*.c; do
    name=$(basename "$source" .c)
    expected=$(sed -n 's|^// prints: ||p' "$source")
    if got=$("$asan/embed/$name" 2>&1) && { [ -z "$expected" ] || [ "$got" = "$expected" ]; }; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      printf '%s failed; it printed:\n%s\n' "$source" "$got"
    fi
  done
  echo "$passed passed, $failed failed"
}

# ThreadSanitizer of older compilers cannot cope with much address randomisation: none, if possible.
run_threads() {
  plain="setarch $(uname -m) -R"
  $plain true 2>/dev/null || plain=
  $plain "$build/tsan/tests/threads" || [ $? -ne 66 ] || echo "ThreadSanitizer found a data race"
}

# The corpus and programs of the suite as seeds, then so many inputs made from them. A target passes if it comes
# to its end; what it finds ends it.
run_fuzz() {
  passed=0 failed=0
  for target in compile:1500 api:1500 run:30 image:1500; do
    name=${target%:*} runs=${target#*:} seeds="tests/lang/errors tests/lang/lists"
    if [ "$name" = run ]; then seeds="tests/lang/control tests/lang/match"; fi
    seeds="tests/fuzz/corpus/$name $seeds"
    if [ "$name" = image ]; then seeds=; fi # it makes its inputs itself
    if timeout 300 "$asan/tests/fuzz/fuzz_$name" "-runs=$runs" $seeds; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      echo "fuzz_$name ended with status $?"
    fi
  done
  echo "$passed passed, $failed failed"
}

# The same programs must do the same again and again, and in the other build.
run_same() {
  set -- tests/lang/classes tests/lang/fibers tests/lang/programs tests/lang/strings tests/lang/lists
  sh tests/same/run.sh "$@" -- "$build/tests/same" "$asan/tests/same"
}

# The suite in all modes of the collector, and with collections at random: the same output each time, and
# the heap is whole at the end. SEED=N: other random points.
run_modes() {
  for option in --gc=generational --gc=incremental --gc=stop-world --gc=off "--gc-stress=${SEED:-1}"; do
    echo "== $option"
    "$runner" --arg "$option" --arg --verify --timeout 240 "$build/oxbow" tests/lang
  done | tee "$logs/modes-parts.log"
  awk '/^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3; n++ }
       END { printf "%d passed, %d failed\n", p, f + (n < 5) }' "$logs/modes-parts.log"
}

# For each program three requests for memory, spread over all it makes, fail one by one. By hand, all of
# them: build/asan/tests/faults --all tests/lang
run_faults() {
  (cd tests/lang && "$root/$asan/tests/faults" --most 3 classes closures errors fibers maps match strings weak)
}

# The language on libgc, which the collector is compared with. Not there: snapshots, forks, weak
# references that are cleared, limits to the byte; regress has programs about all of these.
run_boehm() {
  for folder in tests/lang/*; do
    case $folder in */snapshots | */forks | */weak | */limits | */regress) ;; *) echo "$folder" ;; esac
  done | xargs "$runner" "$build/boehm/oxbow"
}

run_part() {
  case $1 in
    unit) run_criterion "$asan"/tests/unit/* ;;
    rollback) run_rollback ;;
    plants) sh tests/plants/run.sh "$build/plants" ;;
    api) run_criterion "$asan"/tests/api/* "$build/tests/api/api_rules" ;; # of debug and release
    lang) "$runner" "$build/oxbow" tests/lang ;;
    spec) run_spec ;;
    examples) "$runner" --examples examples "$build/oxbow" ;;
    embed) run_embed ;;
    docs) sh tests/docs/run.sh "$build" ;;
    cli) sh tests/cli/run.sh "$root/$build/oxbow" ;;
    stress) "$runner" --arg --gc-stress --arg --verify --timeout 240 "$build/oxbow" tests/lang ;;
    asan) "$runner" --arg --verify --timeout 240 "$asan/oxbow" tests/lang ;;
    modes) run_modes ;;
    same) run_same ;;
    faults) run_faults ;;
    fuzz) run_fuzz ;;
    limits) "$build/tests/limits" tests/limits/rows.txt ;;
    install) sh tests/install/run.sh "$build" ;;
    threads) run_threads ;;
    boehm) run_boehm ;;
    *) echo "there is no part $1"; echo "0 passed, 1 failed" ;;
  esac
}

total_passed=0 total_failed=0
for part in $parts; do
  start=$(date +%s)
  run_part "$part" > "$logs/$part.log" 2>&1
  status=$?
  counts=$(tail -n 1 "$logs/$part.log" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p')
  passed=${counts% *} failed=${counts#* }
  if [ -z "$counts" ] || { [ "$passed" -eq 0 ] && [ "$failed" -eq 0 ]; }; then
    echo "$part: ran no test (exit status $status)"
    passed=0 failed=1
  fi
  printf '%-9s %5d passed, %d failed  (%d s)\n' "$part" "$passed" "$failed" $(($(date +%s) - start))
  grep -a '^ran: ' "$logs/$part.log" | cut -c 6-140 | sed 's/^/          /'
  if [ "$failed" -gt 0 ]; then
    grep -a -v '^COUNT\|\[PASS\]\|^    #[0-9]\|^$\| leak of ' "$logs/$part.log" | sed 's/^/  | /' | tail -n 60
  fi
  total_passed=$((total_passed + passed)) total_failed=$((total_failed + failed))
done
echo "$total_passed passed, $total_failed failed"
[ "$total_failed" -eq 0 ]
