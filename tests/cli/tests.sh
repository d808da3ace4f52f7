#!/bin/sh
# tests.sh OXBOW: tests `oxbow test`. Ends with "N passed, N failed".

. "$(dirname "$0")/lib.sh"

mkdir -p suite/deep suite/.hidden
cat > suite/a.oxb << 'EOF'
from test import test, equal, throws
fn check_two(x) { equal(x, 2) }
test("adds", fn() { equal(1 + 1, 2) })
print("noise")
test("adds wrongly", fn() {
  print("before the failure")
  check_two(3)
})
test("throws", fn() { throws(fn() { throw error("x") }, "x") })
EOF
cat > suite/deep/b.oxb << 'EOF'
import "../lib/two" as lib
import test
let seen = []
fn test_first() { seen.push(1); test.equal(lib.two(), 2) }
fn test_second() { test.equal(seen, [1], "order") }
fn helper() { throw error("never called") }
let test_data = 5
EOF
mkdir -p suite/lib
cat > suite/lib/two.oxb << 'EOF'
print("a library is not run by itself")
throw_if_run()
fn throw_if_run() {}
export fn two() => 2
EOF
echo 'never compiled (' > suite/.hidden/c.oxb
echo 'not Oxbow' > suite/readme.txt

check 'a folder' 1 'suite/a.oxb:2: FAILED adds wrongly: got 3, expected 2
4 passed, 1 failed' '-v shows more' "$oxbow" test suite
check 'a folder with a slash' 1 'suite/a.oxb:2: FAILED adds wrongly: got 3, expected 2
4 passed, 1 failed' '*' "$oxbow" test suite/
check 'a file' 0 '2 passed, 0 failed' '' "$oxbow" test suite/deep/b.oxb
check 'files and folders' 1 'suite/a.oxb:2: FAILED adds wrongly: got 3, expected 2
4 passed, 1 failed' '*' "$oxbow" test suite/deep suite/a.oxb
check 'the current folder' 0 '2 passed, 0 failed' '' sh -c 'cd suite/deep && "$1" test' - "$oxbow"
check '--filter' 0 '1 passed, 0 failed' '' "$oxbow" test suite --filter throws
check '--filter=' 0 '1 passed, 0 failed' '' "$oxbow" test --filter=first suite
check '--filter without a match' 1 '' 'no test has that in its name' "$oxbow" test suite --filter zzz
check '-v' 1 'suite/a.oxb: ok adds
suite/a.oxb:2: FAILED adds wrongly: got 3, expected 2
    suite/a.oxb:2:19: error: got 3, expected 2
      2 | fn check_two(x) { equal(x, 2) }
        |                   ^^^^^^^^^^^
      at check_two (suite/a.oxb:2)
      at (function) (suite/a.oxb:7)
      at (main) (suite/a.oxb:5)
  it printed:
    before the failure
suite/a.oxb: ok throws
2 passed, 1 failed' '' "$oxbow" test -v suite/a.oxb
check '--verbose behind the folder' 0 'suite/deep/b.oxb: ok test_first
suite/deep/b.oxb: ok test_second
2 passed, 0 failed' '' "$oxbow" test suite/deep --verbose

# ---- files that fail as a whole ----
mkdir broken
echo 'let = 1' > broken/syntax.oxb
printf 'import test\nthrow error("early")\n' > broken/throws.oxb
printf 'from test import test\ntest("bye", fn() { import_os.exit(3) })\ntest("after", fn() {})\n' |
  sed '1s/^/import os as import_os\n/' > broken/exits.oxb
printf 'fn test_ok() {}\nlet text = """\n' > broken/unfinished.oxb
check 'files that fail' 1 'broken/exits.oxb: FAILED bye: it called os.exit
broken/syntax.oxb:1:5: FAILED' '*' sh -c '"$1" test broken | sed "s/^\(broken.syntax.oxb:1\):.*/\1:5: FAILED/" | head -n 2; exit 1' - "$oxbow"
check 'each file that fails counts' 1 '0 passed, 4 failed' '*' \
  sh -c '"$1" test broken | tail -n 1; exit 1' - "$oxbow"
check 'its error is on one line' 1 'broken/throws.oxb:2: FAILED (top level): early
0 passed, 1 failed' '*' "$oxbow" test broken/throws.oxb
check 'one file does not touch another' 0 '2 passed, 0 failed' '' sh -c '
  mkdir iso; printf "let n = 1\nfn test_a() { n += 1; assert(n == 2) }\n" > iso/a.oxb
  cp iso/a.oxb iso/b.oxb; "$1" test iso' - "$oxbow"
printf 'fn test_value() { throw "a\\nb" }\nfn test_assert() { assert(1 == 2, "one is not two") }\n' > values.oxb
check 'other ways to fail' 1 'values.oxb:1: FAILED test_value: threw a\nb
values.oxb:2: FAILED test_assert: one is not two
0 passed, 2 failed' '*' "$oxbow" test values.oxb
printf 'import os\nfn test_a() { assert(len(os.args) == 0) }\nos.exit(0)\n' > zero.oxb
check 'os.exit(0) at the top level' 1 '' 'no tests found' "$oxbow" test zero.oxb
echo 'from test import test
for i in 0..3 { test("number ${i}", fn() { if i == 1 { throw 5 } }) }' > loop.oxb
check 'tests made in a loop' 1 'loop.oxb:2: FAILED number 1: threw 5
2 passed, 1 failed' '*' "$oxbow" test loop.oxb
printf 'fn test_none(x) {}\n' > needs.oxb
check 'a test that wants an argument' 1 'needs.oxb' '*' sh -c '"$1" test needs.oxb | grep -o "^needs.oxb"; exit 1' - "$oxbow"

# ---- limits ----
printf 'fn test_loop() { while true {} }\nfn test_fine() {}\n' > loops.oxb
check '--fuel ends a test, not the file' 1 '1 passed, 1 failed' '*' \
  sh -c '"$1" test --fuel=100000 loops.oxb | tail -n 1; exit 1' - "$oxbow"
printf 'fn test_big() { let xs = []; while true { xs.push("x".repeat(1000)) } }\nfn test_fine() {}\n' > big.oxb
check '--max-memory' 1 'big.oxb:1: FAILED test_big: out of memory
1 passed, 1 failed' '*' sh -c '"$1" test big.oxb --max-memory=8M | sed "s/\(out of memory\).*/\1/"; exit 1' - "$oxbow"
name='Ctrl-C stops the tests'
"$oxbow" test loops.oxb > out 2> err &
pid=$!
sleep 0.5
kill -INT $pid
wait $pid
status=$?
if [ $status -eq 130 ]; then passed=$((passed + 1)); else fail "status $status" "$(cat out err)"; fi

# ---- wrong usage ----
mkdir nothing
check 'no tests' 1 '' 'no tests found' "$oxbow" test nothing
check 'a missing file' 2 '' "cannot read 'missing.oxb'" "$oxbow" test missing.oxb
check 'a missing file beside a good one' 2 '2 passed, 0 failed' "cannot read 'missing'" "$oxbow" test suite/deep missing
check 'an unknown option' 2 '' 'unknown option --frob' "$oxbow" test --frob suite
check 'a misspelt option' 2 '' 'did you mean --filter?' "$oxbow" test --filtr=x suite
check '--filter without text' 2 '' '--filter needs' "$oxbow" test suite --filter
check '-c with test' 2 '' 'goes with -v' "$oxbow" test -c suite
check '-v without test' 2 '' '--version prints' "$oxbow" -v
check '--filter without test' 2 '' 'goes with `oxbow test`' "$oxbow" --filter x suite/a.oxb
echo 'print("a file called test")' > test
check 'a file called test' 0 'a file called test' '' "$oxbow" run test
check 'links to folders are not followed' 0 '2 passed, 0 failed' '' sh -c 'mkdir ring; cp suite/deep/b.oxb ring
sed -i "s|../lib|../suite/lib|" ring/b.oxb; ln -s . ring/again; "$1" test ring' - "$oxbow"

finish
