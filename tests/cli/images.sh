#!/bin/sh
# images.sh OXBOW: --image, --save-image, --verify and :save. Ends with "N passed, N failed".

. "$(dirname "$0")/lib.sh"

cat > prepare.oxb << 'EOF'
import regex
import random
import set
let table = []
for i in 0..1000 { table.push({n: i, s: str(i)}) }
let word = regex.compile("[a-z]+")
class Point {
  x = 0
  fn init(x) { self.x = x }
  fn twice() => self.x * 2
}
let p = Point(21)
fn gen() { yield 1; yield 2; yield 3 }
let g = fiber(gen)
let first = g.next()
random.seed(7)
let wide = 9223372036854775807
let names = set.new(["a", "b"])
EOF
cat > more.oxb << 'EOF'
import os
print(table[5].n + p.twice(), os.args)
EOF
cat > files.oxb << 'EOF'
import fs
import io
let input = io.stdin
let f = fs.open("prepare.oxb")
EOF
dice='import random
print(random.int(0, 1000000000))'

check "a program's state is saved" 0 "" "" "$oxbow" --save-image=a.img prepare.oxb
check "and is there again" 0 "1000 999 42 2 3 9223372036854775807 true true" "" "$oxbow" --image a.img \
  -e 'print(len(table), table[999].s, p.twice(), g.next(), g.next(), wide, "b" in names, word.test("1 abc"))'
check "a program runs in it" 0 '47 ["x", "y"]' "" "$oxbow" --image=a.img more.oxb x y
check "an image of a program that knows its arguments" 0 "" "" "$oxbow" --save-image=os.img -e 'import os' 1 2
check "has those of its process" 0 '["x"]' "" "$oxbow" --image=os.img -e 'print(os.args)' x
check "the same random numbers come each time" 0 "$("$oxbow" --image a.img -e "$dice")" "" \
  "$oxbow" --image a.img -e "$dice"
check "an image of an image" 0 "" "" "$oxbow" --image=a.img --save-image=b.img -e 'p.x = 4; let q = 5'
check "has both" 0 "8 5 1000" "" "$oxbow" --image b.img -e 'print(p.twice(), q, len(table))'
check "under stress" 0 "8 5 1000" "" "$oxbow" --gc-stress --verify --image b.img \
  -e 'print(p.twice(), q, len(table))'
check "weak maps and buddy managers" 0 "" "" "$oxbow" --save-image=w.img -e 'import weak, buddy
let keys = [[1], [2]]; let m = weak.map(); m[keys[0]] = 1; m[keys[1]] = 2; m.remove(keys[0])
let r = weak.ref(keys[1]); let b = buddy.new(100, 4); let block = b.alloc(10)'
check "are proven" 0 "1" "" sh -c "'$oxbow' --verify=w.img | grep -c 'is whole'"
check "and work" 0 "[[[2], 2]] [2] [[0, 16]]" "" "$oxbow" --image=w.img \
  -e 'print(m.items(), r.get(), b.used_blocks())'
check "snapshots in it" 0 "[1, 2] [1]" "" "$oxbow" --image b.img -e 'let xs = [1]; let s = snapshot()
if s.turn == 0 { xs.push(2); let seen = str(xs); restore(s, seen) }
print(s.value, xs)'
check "a program that fails saves nothing" 1 "" "error: no" "$oxbow" --save-image=none.img -e 'throw error("no")'
check "nothing is there" 1 "" "" test -e none.img

# session NAME OUT ERR OPTIONS...: the lines of standard input are typed at the prompt.
session() {
  name=$1 out=$2 err=$3
  shift 3
  check "$name" 0 "$out" "$err" "$oxbow" "$@"
}
name=":save says where"
got=$(printf 'let kept = [1, 2]\n:save s.img\n' | "$oxbow" -i)
case $got in
  'saved, '*' KiB; `oxbow --image s.img` goes on from here') passed=$((passed + 1)) ;;
  *) fail "printed: $got" ;;
esac
session "the session goes on" "[1, 2]
[1, 2, 3]
1 undone; 1 can be undone, 1 redone
[1, 2]" "" --image s.img << 'EOF'
kept
kept.push(3); kept
:undo
kept
EOF
session ":save needs a file" "" ":save needs a file" -i << 'EOF'
:save
EOF
session "a piece that fails is undone in it, too" "[1, 2]" "error: no" --image s.img << 'EOF'
kept.clear(); throw error("no")
kept
EOF

check "a program with an open file" 0 "" "" "$oxbow" --save-image=f.img files.oxb
check "the file is gone" 0 "the file is closed: it was open when the image was saved; open it anew" "" \
  "$oxbow" --image f.img -e 'try { f.read() } catch e { print(e.message) }'
name="standard input is the present one"
got=$(echo hello | "$oxbow" --image f.img -e 'print(input.read_line())' 2>&1)
if [ "$got" = hello ]; then passed=$((passed + 1)); else fail "printed: $got"; fi

# ---- what is wrong with a file --------------------------------------------------------------------

size=$(stat -c %s a.img)
check "a whole one" 0 "'a.img' is whole: $((size / 4096 - 2)) pages, $size bytes" "" "$oxbow" --verify=a.img
check "no such file" 1 "" "cannot open the image 'no.img': it cannot be opened: No such file" \
  "$oxbow" --image no.img
check "a folder" 1 "" "it is a folder" "$oxbow" --image=. -e 1
check "another file" 1 "" "it is no image of Oxbow" "$oxbow" --image prepare.oxb
: > empty
check "an empty file" 1 "" "it is no image of Oxbow" "$oxbow" --image empty
head -c 100 a.img > short
check "cut off in the header" 1 "" "it is cut off within its header, at byte 100" "$oxbow" --image short
head -c $((size - 1)) a.img > short
check "cut off by a byte" 1 "" "it is cut off: $((size - 1)) of its $size bytes are there" \
  "$oxbow" --image short
{ cat a.img; echo; } > long
check "too long" 1 "" "it has 1 bytes behind its end" "$oxbow" --image long

# damage FILE OFFSET BYTES
damage() {
  cp a.img "$1"
  printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2> dd.log
}
damage bad 8 '\011'
# The image of the standard library: with it, without it, and with one that cannot be used.
uses_library='import csv
print([1].map(fn(x) => x + 1), csv.parse("a,b"), sorted([2, 1], fn(a, b) => a - b))'
said='[2] [["a", "b"]] [1, 2]'
library=$(dirname "$oxbow")/oxbow-library.img
# names_library COMMAND...: the line of --version about it
names_library() { "$@" --version | tail -n 1; }
check "the library's image is whole" 0 "1" "" sh -c "'$oxbow' --verify='$library' | grep -c 'is whole'"
check "with the library's image" 0 "$said" "" "$oxbow" --library="$library" -e "$uses_library"
check "without it" 0 "$said" "" "$oxbow" --library= -e "$uses_library"
check "one that is not there, asked for" 0 "$said" "No such file" "$oxbow" --library=none -e "$uses_library"
check "one that is none" 0 "$said" "it is no image" "$oxbow" --library=prepare.oxb -e "$uses_library"
mkdir -p alone
cp "$oxbow" alone/oxbow
check "a command without an image" 0 "$said" "" alone/oxbow -e "$uses_library"
check "says so" 0 "library: no image, compiled when used" "" names_library alone/oxbow
for at in 8 24 48 300 4100; do # version, layout, build, a section, a table
  cp "$library" alone/oxbow-library.img
  printf 'XXXX' | dd of=alone/oxbow-library.img bs=1 seek=$at conv=notrunc 2> dd.log
  check "a command with an image that is changed at $at" 0 "$said" "" alone/oxbow -e "$uses_library"
done
head -c 50000 "$library" > alone/oxbow-library.img
check "a command with an image that is cut off" 0 "$said" "" alone/oxbow -e "$uses_library"
: > alone/oxbow-library.img
check "a command with an empty image" 0 "$said" "" alone/oxbow -e "$uses_library"
cp a.img alone/oxbow-library.img
check "an image made by a command with an image" 0 "" "" alone/oxbow --library= --make-library=alone/oxbow-library.img
check "is used" 0 "library: $dir/alone/oxbow-library.img" "" names_library alone/oxbow
check "in little memory it is not" 0 "$said" "" "$oxbow" --max-memory=2M -e "$uses_library"
check "in little address space it is not" 0 "$said" "" \
  sh -c "ulimit -v 4000000; exec '$oxbow' -e '$uses_library'"
check "programs do not see each other's modules" 65 "" "'csv' is not defined" "$oxbow" -e 'print(csv)'
check "a saved state holds the library" 0 "" "" "$oxbow" --save-image=lib.img -e 'import csv; let t = csv.parse("1,2")'
check "and goes on with it" 0 "1,2" "" "$oxbow" --image=lib.img -e 'print(csv.stringify(t).trim())'

check "another version" 1 "" "its format is version 9, this program reads version 3" "$oxbow" --image bad
damage bad 200 'x'
check "damaged header" 1 "" "the checksum of its header" "$oxbow" --image bad
damage bad 4100 'x'
check "damaged table" 1 "" "the checksum of its table of runs" "$oxbow" --image bad
damage bad $((size - 100)) 'xyzzy'
check "damaged page" 1 "" "do not have their checksum" "$oxbow" --image bad
check "damaged page, verified" 1 "" "do not have their checksum" "$oxbow" --verify=bad
check "--image needs a file" 2 "" "--image needs a file" "$oxbow" --image=
check "-c and images" 2 "" "--image and --save-image go with running" "$oxbow" --image a.img -c more.oxb
mkfifo pipe.img
check "a pipe nobody writes to" 1 "" "it is no plain file" "$oxbow" --image=pipe.img -e 1
check "a pipe is not verified" 1 "" "it is no plain file" "$oxbow" --verify=pipe.img
rm pipe.img
"$oxbow" -e 'let t = fork(fn() => 4)' --save-image=task.img
check "a task of another time" 0 "this task belongs to another interpreter: the one that was saved" "" \
  "$oxbow" --image=task.img -e 'try { t.wait() } catch e { print(e.message) }'
check "larger than the memory limit" 1 "" "raise the limit" "$oxbow" --max-memory=64K --image a.img -e 1

# ---- where it is saved -----------------------------------------------------------------------------

check "into no folder" 1 "" "cannot save the image 'no/x.img': a file cannot be made beside it: No such file" \
  "$oxbow" --save-image no/x.img -e 1
check "over a folder" 1 "" "it is a folder; give a file's name" "$oxbow" --save-image . -e 1
ln -s a.img link.img
check "through a link" 0 "" "" "$oxbow" --save-image link.img -e 'let linked = 1'
check "which stays" 0 "" "" test -L link.img
check "and has the new one" 0 "1" "" "$oxbow" --image a.img -e 'print(linked)'
name="no temporary files are left"
if ls | grep -q saving; then fail "$(ls)"; else passed=$((passed + 1)); fi

finish
