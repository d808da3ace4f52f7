#!/bin/sh
# timeline.sh OXBOW: the prompt's transactions, :undo and its kin. Ends with "N passed, N failed".

. "$(dirname "$0")/lib.sh"

# session NAME OUT ERR: the lines of standard input are typed at the prompt. How many objects and pages
# differ is not compared.
session() {
  name=$1 out=$2 err=$3
  check "$name" 0 "$out" "$err" sh -c "'$oxbow' -i | sed '/^objects:/d'"
}

session "a piece that fails is undone" "[1, 2]
1" "error: no" << 'EOF'
let n = 1
let xs = [1, 2]
fn f() { n = 2; xs.push(3); let own = 1; throw error("no") }
f()
xs
n
EOF

session "what a failed piece declared is gone" "" "'later' is not defined" << 'EOF'
let later = 1; throw error("no")
later
EOF

session "the name of a state is a word" "" "the name of a state is one word, not 'one two'" << 'EOF'
:snap one two
EOF

session "undo and redo" "1 undone; 2 can be undone, 1 redone
[1]
1 undone; 1 can be undone, 2 redone
2 redone; 3 can be undone, 0 redone
[1, 2]" "" << 'EOF'
let xs = []
xs.push(1)
xs.push(2)
:undo
:try xs
:undo
:redo 5
xs
EOF

session "undo what is not there" "" "there is nothing to undo" << 'EOF'
:undo
EOF
session "redo what is not there" "" "there is nothing to redo" << 'EOF'
let n = 1
:redo
EOF
session "no number" "" "'many' is no number of steps" << 'EOF'
let n = 1
:undo many
EOF

session "typing on after undo forgets what was undone" "2
1 undone; 1 can be undone, 1 redone
3
3" "there is nothing to redo" << 'EOF'
let n = 1
n = 2
:undo
n = 3
:redo
n
EOF

session "a piece that fails after undo can still be redone" "2
1 undone; 1 can be undone, 1 redone
1 redone; 2 can be undone, 0 redone
2" "error: no" << 'EOF'
let n = 1
n = 2
:undo
throw error("no")
:redo
n
EOF

session "try takes everything back" "3
[1, 2, 3]" "" << 'EOF'
let xs = [1, 2, 3]
:try xs.pop()
xs
EOF

session "named states" "\`:back start\` returns to this state
\`:back far\` returns to this state
back at 'start'; :undo returns
[1]
back at 'far'; :undo returns
[1, 2, 3]
the beginning
   start
      far   <- last used" "there is no state named 'nowhere'" << 'EOF'
let xs = [1]
:snap start
let ys = xs.push(2); xs.push(3)
:snap far
:back start
xs
:back far
xs
:branches
:back nowhere
EOF

session ":diff tells what differs" "\`:back one\` returns to this state
2
  xs
  n
  _: only in now
  added: only in now
\`:back two\` returns to this state
no name differs
  xs
  n
  _: only in two
  added: only in two
back at 'one'; :undo returns
  deep
[1]
{a: [1, 2]}" "*" << 'EOF'
let xs = [1]
let n = 1
let deep = {a: [1]}
fn f() => deep
:snap one
xs.push(4); n = 2
let added = "x"
:diff one
:snap two
:diff two
:diff two one
:back one
deep.a.push(2)
:diff one
xs
deep
EOF
session ":diff needs names" "" ":diff needs one name or two" << 'EOF'
:diff
EOF
session ":diff of a state that there is not" "" "there is no state named 'zzz'" << 'EOF'
:diff zzz
EOF
name="the notebook of examples"
if "$oxbow" -i < "$project/examples/notebook.txt" 2>&1 | sed '/^objects:/d' |
  diff "$project/examples/expected/notebook.out" - > notebook.diff; then passed=$((passed + 1))
else fail "$(cat notebook.diff)"; fi

session "functions, fibers, classes, random numbers" "1 undone; 8 can be undone, 1 redone
1
true" "" << 'EOF'
import random
fn gen() { for i in 0..9 { yield i } }
let f = fiber(gen)
class P { x = 1 }
let p = P()
random.seed(3)
let first = f.next()
let drawn = []
f.next(); p.x = 7; drawn.push(random.int(0, 1000000))
:undo
:try f.next()
drawn.push(random.int(0, 1000000)); let again = drawn[0]
:try p.x == 1
EOF

session "several lines are one piece" "1 undone; 1 can be undone, 1 redone
0" "" << 'EOF'
let n = 0
for i in 0..5 {
  n += i

}
:undo
n
EOF

# ten thousand lines, undone one by one
{
  echo 'let n = 0'
  awk 'BEGIN { for (i = 0; i < 10000; i++) print "n += 1"; for (i = 1; i < 10000; i++) print ":undo" }'
  echo 'print("left", n)'
} > script
name="ten thousand lines"
last=$("$oxbow" -i < script 2>&1 | tail -n 1)
if [ "$last" = "left 1" ]; then passed=$((passed + 1)); else fail "the last line is $last"; fi

finish
