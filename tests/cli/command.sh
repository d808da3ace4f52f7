#!/bin/sh
# command.sh OXBOW: tests the command itself: options, exit statuses, pipes, what goes to which stream.
# Ends with "N passed, N failed".

. "$(dirname "$0")/lib.sh"

piped() { input=$1; shift; printf "$input" | "$@"; }
quietly() { "$@" > /dev/null; }

# ---- running ----
echo 'print("hello")' > hello.oxb
check 'a file' 0 hello '' "$oxbow" hello.oxb
check 'run FILE' 0 hello '' "$oxbow" run hello.oxb
check 'run without a file' 2 '' 'run needs a file' "$oxbow" run
echo 'import os
print(os.args)' > args.oxb
check 'arguments' 0 '["a", "-e", "--", "b c"]' '' "$oxbow" args.oxb a -e -- 'b c'
check 'no arguments' 0 '[]' '' "$oxbow" args.oxb
check 'end of options' 0 '["x"]' '' "$oxbow" -- args.oxb x
check 'standard input' 0 hi '' piped 'print("hi")' "$oxbow"
check 'standard input as -' 0 '["1"]' '' piped 'import os\nprint(os.args)\n' "$oxbow" - 1
check 'empty input' 0 '' '' piped '' "$oxbow"
: > empty.oxb
check 'empty file' 0 '' '' "$oxbow" empty.oxb
printf 'print(1)' > noeol.oxb
check 'no newline at the end' 0 1 '' "$oxbow" noeol.oxb
printf '#!/usr/bin/env oxbow\nprint(2)\n' > shebang.oxb
check 'shebang' 0 2 '' "$oxbow" shebang.oxb
printf '\357\273\277print(3)\n' > bom.oxb
check 'byte order mark' 0 3 '' "$oxbow" bom.oxb
printf 'let a = 1\r\nif a == 1 {\r\n  print("one")\r\n}\r\n' > crlf.oxb
check 'CRLF' 0 one '' "$oxbow" crlf.oxb
mkdir folder
check 'missing file' 2 '' "cannot read 'nope.oxb': No such file" "$oxbow" nope.oxb
check 'a folder' 2 '' "cannot read 'folder'" "$oxbow" folder
mkdir sub
echo 'export fn two() => 2' > sub/lib.oxb
printf 'import "lib" as lib\nprint(lib.two())\n' > sub/main.oxb
check 'imports relative to the file' 0 2 '' "$oxbow" sub/main.oxb

# ---- -e ----
check '-e' 0 3 '' "$oxbow" -e 'print(1 + 2)'
check '-e twice, one session' 0 7 '' "$oxbow" -e 'let a = 7' -e 'print(a)'
check '-e with arguments' 0 '["x", "y"]' '' "$oxbow" -e 'import os; print(os.args)' x y
check '-e stops at the first error' 1 1 'uncaught: 5' "$oxbow" -e 'print(1)' -e 'throw 5' -e 'print(2)'
check '-e without code' 2 '' '-e needs code' "$oxbow" -e
check '-e shows no value' 0 '' '' "$oxbow" -e '1 + 1'

# ---- checking, disassembly, help ----
check '-c of a good file' 0 '' '' "$oxbow" -c hello.oxb
echo 'let = 3' > bad.oxb
check '-c of a bad file' 65 '' 'bad.oxb:1:5' "$oxbow" -c bad.oxb
check '--check of several' 65 '' 'bad.oxb:1:5' "$oxbow" --check hello.oxb bad.oxb
check '-c runs nothing' 0 '' '' "$oxbow" -c -e 'print(1)'
check 'compile error' 65 '' 'bad.oxb:1:5' "$oxbow" bad.oxb
printf 'print("before")\nprint(nope)\n' > undefined.oxb
check 'undefined name: nothing runs' 65 '' "nope" "$oxbow" undefined.oxb
echo 'throw error("ran")' > throws.oxb
check '--disasm runs nothing' 0 '' '' quietly "$oxbow" --disasm throws.oxb
name='--disasm prints'
"$oxbow" --disasm hello.oxb > out && [ -s out ] && passed=$((passed + 1)) || fail 'no listing'
name='--version'
"$oxbow" --version | grep -q '^oxbow [0-9.]* (.*readline)$' && passed=$((passed + 1)) || fail 'other form'
name='--help'
"$oxbow" --help | grep -q '^usage: oxbow' && passed=$((passed + 1)) || fail 'no usage'
check '--help is silent on stderr' 0 '' '' quietly "$oxbow" -h
name='--reference'
"$oxbow" --reference | grep -q '^## Module math' && passed=$((passed + 1)) || fail 'no module math'
check 'unknown option' 2 '' 'unknown option --frobnicate' "$oxbow" --frobnicate
check 'bad size' 2 '' 'is not a number as in --max-memory=64M' "$oxbow" --max-memory=lots hello.oxb
check 'size without number' 2 '' '--max-memory needs a number' "$oxbow" --max-memory
check 'bad fuel' 2 '' 'is not a number as in --fuel=1000000' "$oxbow" --fuel=-1 hello.oxb

# ---- errors and exit statuses ----
check 'uncaught error' 1 '' 'error: boom' "$oxbow" -e 'throw error("boom")'
check 'uncaught value' 1 '' 'uncaught: 42' "$oxbow" -e 'throw 42'
check 'output before an error' 1 a 'error: b' "$oxbow" -e 'print("a"); throw error("b")'
check 'os.exit' 7 x '' "$oxbow" -e 'import os; print("x"); os.exit(7)'
check 'os.exit in a function' 3 '' '' "$oxbow" -e 'import os
fn f() { try { os.exit(3) } catch e { print("caught") } }
f()'
check 'os.exit(0)' 0 '' '' "$oxbow" -e 'import os; os.exit(0)'
check 'a large limit gets address space' 0 true '' "$oxbow" --max-memory=6G -e 'import fs
print(int(fs.read("/proc/self/status").split("VmSize:")[1].split("kB")[0].trim()) > 6000000)'
check 'memory limit' 1 '' 'out of memory' "$oxbow" --max-memory=32M -e 'let xs = []
while true { xs.push("x".repeat(1000)) }'
check 'memory limit, caught' 0 caught '' "$oxbow" --max-memory=32M -e 'fn fill() { let xs = []
while true { xs.push([1, 2, 3]) } }
try { fill() } catch e { print("caught") }'
check 'fuel' 1 '' '*' "$oxbow" --fuel=10000 -e 'while true { try { while true {} } catch e { } }'
# Builtins use up the budget by their work: none of these can go on for long with 100,000 steps.
for code in 's.repeat(2)' 's + "x" == s + "y"' 's.upper()' 's.replace("b", "cc")' 's.find("c")' \
  's.count("c")' 's < s + "a"' '"c" in s' 's.bytes()' '"${s}"' 'xs.copy()' 'xs + xs' '[...xs]' \
  'xs[1..]' 'xs.reverse()' 'xs.insert(0, 1); xs.remove(0)' 'xs.sorted()' '-1 in xs' 'm.copy()' \
  'xs == xs.copy()' 'str(xs)' 'sum(xs)' 'max(xs)'; do
  check "fuel in $code" 1 '' 'the budget of 900000 steps is used up' "$oxbow" --fuel=900000 -e "
let s = \"ab\".repeat(1000000)
let xs = [...0..200000]
let m = {}
for i in 0..1000 { m[i] = i }
for i in 0..100000 { $code }"
done
check 'enough fuel' 0 10 '' "$oxbow" --fuel 10000 -e 'let n = 0; while n < 10 { n += 1 }; print(n)'
check 'deep recursion' 1 '' 'stack overflow' "$oxbow" -e 'fn f(n) { return 1 + f(n + 1) }
f(0)'
check 'deep nesting' 65 '' '*' sh -c 'yes "[" | head -n 100000 | tr -d "\n" | "$1" -' - "$oxbow"
check 'bytes that are no UTF-8' 65 '' 'UTF-8' piped 'print("\377")' "$oxbow"
check 'NUL byte' 65 '' '*' piped 'print(1)\000' "$oxbow"
check 'random bytes' 65 '' '*' sh -c 'head -c 2000 "$1" | tail -c 1000 | "$1" -' - "$oxbow"

# ---- streams ----
check 'no colours in a pipe' 1 0 '' sh -c '"$1" -e "throw 1" 2>&1 | grep -c "$(printf "\033")" ; exit 1' - "$oxbow"
check 'SIGPIPE is quiet' 0 '0
1' '' sh -c '"$1" -e "let i = 0
while true { print(i); i += 1 }" | head -n 2' - "$oxbow"
check 'full device' 1 '' '*' sh -c '"$1" -e "print(1)" > /dev/full' - "$oxbow"
name='Ctrl-C'
"$oxbow" -e 'while true { try { while true {} } catch e {} }' 2> err &
pid=$!
sleep 0.5
kill -INT $pid
wait $pid
status=$?
# A background job of a script ignores SIGINT unless the program sets a handler, which it does.
[ $status -eq 130 ] && passed=$((passed + 1)) || fail "status $status" "$(cat err)"

# ---- the session, from a pipe ----
check '-i evaluates lines' 0 '3
[1, "a"]' '' piped '1 + 2\n[1, "a"]\nnil\n' "$oxbow" -i
check '-i after -e' 0 '42' '' piped 'a * 2\n' "$oxbow" -i -e 'let a = 21'
check '-i after a file' 0 'hello
5' '' piped 'b\n' sh -c 'printf "print(\"hello\")\nlet b = 5\n" > b.oxb; "$1" -i b.oxb' - "$oxbow"
check '-i joins lines' 0 '6' '' piped 'fn f(x) {\n  return x * 2\n}\nf(3)\n' "$oxbow" -i
check '-i goes on after errors' 0 '2' 'uncaught: 1' piped 'throw 1\n1 + 1\n' "$oxbow" -i
check '-i goes on after syntax errors' 0 '2' 'error' piped 'let = 1\n1 + 1\n' "$oxbow" -i
check '-i keeps _' 0 '5
10' '' piped '5\n_ * 2\n' "$oxbow" -i
check '-i with an unfinished end' 0 '' 'error' piped 'fn f() {\n' "$oxbow" -i
check '-i: os.exit' 4 '' '' piped 'import os\nos.exit(4)\n1\n' "$oxbow" -i
check ':load' 0 'hello' '' piped ':load hello.oxb\n' "$oxbow" -i
check ':quit' 0 '' '' piped ':quit\n1\n' "$oxbow" -i
check 'unknown command' 0 '' 'no command :what' piped ':what\n' "$oxbow" -i
name='?name'
printf '?len\n' | "$oxbow" -i | grep -q 'len(' && passed=$((passed + 1)) || fail 'no signature of len'
name=':time and :mem'
[ "$(printf ':time 1\n:mem\n' | "$oxbow" -i | wc -l)" -eq 4 ] && passed=$((passed + 1)) || fail 'not 4 lines'


# ---- the README: its session is what the command prints, its program compiles ----
name='session of the README'
sed -n '/^```console$/,/^```$/p' "$project/README.md" | sed '1,2d;$d' > session
sed -n 's/^\(> \|\.\.\. \)//p' session | "$oxbow" -i > out 2>&1
sed '/^\(> \|\.\.\. \)/d' session > wanted
if cmp -s out wanted; then passed=$((passed + 1)); else fail "$(diff wanted out)"; fi
sed -n '/^```oxbow$/,/^```$/{p;/^```$/q}' "$project/README.md" | sed '1d;$d' > readme.oxb
check 'program of the README' 0 '11 12
(4, 6)
0
2
4
6' '' "$oxbow" readme.oxb
name='C program of the README'
sed -n '/^```c$/,/^```$/p' "$project/README.md" | sed '1d;$d' > readme.c
if cc -Wall -Wextra -I"$project/include" -c -o readme.o readme.c 2> err; then
  passed=$((passed + 1))
else
  fail "$(cat err)"
fi
name='oxbow.h compiles as C++'
if ! command -v g++ > /dev/null || echo '#include <oxbow.h>' |
    g++ -Wall -Wextra -I"$project/include" -x c++ -fsyntax-only - 2> err; then
  passed=$((passed + 1))
else
  fail "$(cat err)"
fi
# ---- the user ----
check 'the home folder without HOME' 0 "$(getent passwd "$(id -u)" | cut -d: -f6)" '' \
  env -u HOME "$oxbow" -e 'import os; print(os.home())'

finish
