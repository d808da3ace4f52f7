#!/bin/sh
# messages.sh OXBOW: tests what the command says about files that it cannot run and options that it
# does not know, its exit statuses, and what it does with streams. Ends with "N passed, N failed".

. "$(dirname "$0")/lib.sh"

echo 'print("hi")' > hello.oxb
mkdir folder

# ---- files ----
check 'a missing file' 2 '' "oxbow: cannot read 'nope.oxb': No such file or directory" "$oxbow" nope.oxb
check 'a name without its ending' 2 '' "Did you mean 'hello.oxb'?" "$oxbow" hello
check 'a word that is an option' 2 '' 'Did you mean `oxbow --help`?' "$oxbow" help
check 'a folder' 2 '' 'run its tests with `oxbow test folder`' "$oxbow" folder
check 'a folder in the way' 2 '' 'Not a directory' "$oxbow" hello.oxb/x
check 'a folder to check' 2 '' "cannot read 'folder'" "$oxbow" -c folder
check 'a folder to disassemble' 2 '' "cannot read 'folder'" "$oxbow" --disasm folder
check 'standard input that is a folder' 2 '' "cannot read '-': Is a directory" sh -c '"$1" - < folder' - "$oxbow"
truncate -s 3G huge.oxb
check 'a huge file' 2 '' 'it is larger than 1 GiB' "$oxbow" huge.oxb
check 'a huge file to test' 2 '' 'it is larger than 1 GiB' "$oxbow" test huge.oxb
rm huge.oxb
check 'a name with odd bytes' 2 '' 'cannot read' "$oxbow" "$(printf 'a\377b')"
check 'an empty name' 2 '' "cannot read ''" "$oxbow" ''
chmod a+rx .
cp hello.oxb locked.oxb
chmod 0 locked.oxb
if [ "$(id -u)" -ne 0 ]; then
  check 'an unreadable file' 2 '' 'Permission denied' "$oxbow" locked.oxb
elif setpriv --reuid=65534 --clear-groups "$oxbow" --version > /dev/null 2>&1; then
  check 'an unreadable file' 2 '' 'Permission denied' \
    setpriv --reuid=65534 --clear-groups "$oxbow" locked.oxb
else
  echo 'an unreadable file: not tested, since root may read all and nobody cannot run the command'
fi
rm -f locked.oxb

# ---- bytes ----
check 'a compiled program' 65 '' 'it is not text' "$oxbow" "$oxbow"
check 'an archive' 65 '' 'it is not text' sh -c 'echo 1 | gzip > a.gz; "$1" a.gz' - "$oxbow"
check 'UTF-16' 65 '' 'save it as UTF-8' sh -c 'printf "\377\376p\000r\000" > u.oxb; "$1" u.oxb' - "$oxbow"
check 'a NUL byte' 65 '' 'nul.oxb:2:6: error: unexpected control character U+0000' \
  sh -c 'printf "print(1)\nlet a\000 = 3\n" > nul.oxb; "$1" nul.oxb' - "$oxbow"
check 'a byte that is no UTF-8' 65 '' 'save the file as UTF-8' \
  sh -c 'printf "print(1)\nlet a = \"\344\"\n" > latin.oxb; "$1" latin.oxb' - "$oxbow"
check 'a byte order mark and CRLF' 0 'one
two' '' sh -c 'printf "\357\273\277print(\"one\")\r\nif true {\r\n  print(\"two\")\r\n}\r\n" > b.oxb; "$1" b.oxb' - "$oxbow"
check 'lines are counted in CRLF' 65 '' 'crlf.oxb:3:5' \
  sh -c 'printf "let a = 1\r\n\r\nlet = 2\r\n" > crlf.oxb; "$1" crlf.oxb' - "$oxbow"
check 'CRLF inside of a string of several lines' 0 '3' '' \
  sh -c 'printf "let s = \"\"\"\r\n  a\r\n  b\r\n  \"\"\"\r\nprint(len(s.trim()))\r\n" > m.oxb; "$1" m.oxb' - "$oxbow"
check 'a byte order mark before #!' 0 '1' '' sh -c 'printf "\357\273\277#!/usr/bin/oxbow\nprint(1)\n" > s.oxb; "$1" s.oxb' - "$oxbow"

# ---- options ----
check 'an unknown option' 2 '' 'Try `oxbow --help`.' "$oxbow" --frobnicate
check 'a misspelt option' 2 '' 'did you mean --max-memory?' "$oxbow" --max-memry=3 hello.oxb
check 'the beginning of an option' 2 '' 'did you mean --version?' "$oxbow" --vers
check 'an option that goes on after one' 2 '' 'unknown option --gc-stress-seed' "$oxbow" --gc-stress-seed=7
check '-V' 2 '' 'did you mean --version?' "$oxbow" -V
check 'a size of nothing' 2 '' 'is not a number as in --max-memory=64M' "$oxbow" --max-memory=0 hello.oxb
check 'a size too large' 2 '' 'is not a number as in' "$oxbow" --max-memory=99999999999999G hello.oxb
check 'a size with a strange unit' 2 '' "'64X' is not" "$oxbow" --max-memory 64X hello.oxb
check 'fuel of nothing' 2 '' "'0' is not" "$oxbow" --fuel=0 hello.oxb
check 'options behind run' 0 'hi' '' "$oxbow" run --fuel=1000 hello.oxb
check 'run without a file' 2 '' 'run needs a file: oxbow run FILE' "$oxbow" run
check 'little address space' 0 'hi' '' sh -c 'ulimit -v 1500000; "$1" hello.oxb' - "$oxbow"
check 'tiny memory' 1 '' '--max-memory is too little' "$oxbow" --max-memory=1 hello.oxb

# ---- exit statuses ----
check '0' 0 'hi' '' "$oxbow" hello.oxb
check '1' 1 '' 'error: x' "$oxbow" -e 'throw error("x")'
check '2' 2 '' '' sh -c '"$1" --nope 2> /dev/null' - "$oxbow"
check '65' 65 '' "-e:1:7: error: expected a new line or \`;\` but found \`x\`" "$oxbow" -e 'print x'
interrupted() { # CODE: runs it, sends SIGINT, gives the status
  "$oxbow" -e "$1" > out 2> err &
  pid=$!
  sleep 0.3
  kill -INT $pid
  wait $pid
}
check '130' 130 '' '*' interrupted 'while true {}'
check '130 while it sorts' 130 '' '*' interrupted 'let xs = []
for i in 0..300 { xs.push(300 - i) }
while true { xs.sorted() }'
check '130 while it reads' 130 '' '*' sh -c '
  mkfifo pipe; exec 3<>pipe; "$1" -e "import io; io.read_line()" < pipe & pid=$!
  sleep 0.3; kill -INT $pid; wait $pid' - "$oxbow"
check '130 in finally' 130 '' '*' interrupted 'try { while true {} } finally { while true {} }'

# ---- remedies ----
check 'a count of what has none yet' 1 '' 'm[k] = m.get(k, 0) + 1' "$oxbow" -e 'let m = {a: 1}; m["c"] += 1'
check 'a shift of what is not there' 1 '' 'm[k] = m.get(k, 0) + 1' "$oxbow" -e 'let m = {}; m.c <<= 1'
check 'a comparison is none' 1 '0' '*' sh -c '"$1" -e "let m = {}; m[1] <= 2" 2>&1 | grep -c get; false' - "$oxbow"

# ---- colours ----
check 'colours on a terminal' 0 1 '' sh -c '
  [ "$(TERM=xterm script -qec "$1 -e \"throw 1\"" /dev/null < /dev/null | grep -c "$(printf "\033")")" -gt 0 ] && echo 1' - "$oxbow"
check 'NO_COLOR' 0 0 '' sh -c '
  NO_COLOR=1 TERM=xterm script -qec "$1 -e \"throw 1\"" /dev/null < /dev/null | grep -c "$(printf "\033")"; true' - "$oxbow"
check 'an empty NO_COLOR' 0 1 '' sh -c '
  [ "$(NO_COLOR= TERM=xterm script -qec "$1 -e \"throw 1\"" /dev/null < /dev/null | grep -c "$(printf "\033")")" -gt 0 ] && echo 1' - "$oxbow"
check 'a dumb terminal' 0 0 '' sh -c '
  TERM=dumb script -qec "$1 -e \"throw 1\"" /dev/null < /dev/null | grep -c "$(printf "\033")"; true' - "$oxbow"

# ---- streams ----
check 'SIGPIPE is quiet' 0 '0' '' sh -c '"$1" -e "let i = 0
while true { print(i); i += 1 }" | head -n 1' - "$oxbow"
check 'SIGPIPE is quiet where it is ignored' 0 '0' '' sh -c 'trap "" PIPE; "$1" -e "let i = 0
while true { print(i); i += 1 }" | head -n 1' - "$oxbow"
check 'a full device' 1 '' 'oxbow: standard output cannot be written' sh -c '"$1" -e "print(1)" > /dev/full' - "$oxbow"
check 'a closed output' 1 '' '*' sh -c '"$1" -e "print(1)" >&-' - "$oxbow"
check 'a closed input' 2 '' "cannot read '-'" sh -c '"$1" - <&-' - "$oxbow"
check 'a program in a pipe' 0 '4' '' sh -c 'echo "print(2 + 2)" | "$1"' - "$oxbow"
check 'a program in a named pipe' 0 '5' '' sh -c 'mkfifo p; echo "print(5)" > p & "$1" p' - "$oxbow"

# ---- where memory ran out, whatever it was that did not fit ----
cat > hoard.oxb << 'EOF'
let kept = []
fn hoard() {
  while true { let part = [1, 2, 3, 4, 5, 6, 7, 8]; kept.push(part) }
}
hoard()
EOF
cat > closures.oxb << 'EOF'
let kept = []
fn hoard() {
  while true { kept.push(fn() => kept) }
}
hoard()
EOF
for limit in 5M 6M 7M 8M 9M 10M 11M; do
  check "out of $limit, by lists" 1 '' 'hoard.oxb:3:' "$oxbow" --max-memory=$limit hoard.oxb
  check "out of $limit, by functions" 1 '' 'at hoard (closures.oxb:3)' "$oxbow" --max-memory=$limit \
    closures.oxb
done

finish
