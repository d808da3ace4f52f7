#!/bin/sh
# check_dispatch.sh OBJECT COMPILE...: counts the indirect jumps of the compiled interpreter. Each
# NEXT in its source should be one, else the compiler has joined the dispatches of several opcodes,
# or of the arms of a conditional jump, and every program is slower: up to twice. COMPILE is the
# command that compiles; it preprocesses the interpreter, to count how often it says NEXT.
#
# gcc keeps nearly all apart, or (as at -O1 and -Os) joins them into one. clang joins those at the
# ends of one handler where nothing lies between, some 20 %, which costs nothing that was measured.
object=$1
shift
if [ ! -f "$object" ] || ! command -v objdump >/dev/null; then
  echo "dispatch: not checked (no $object, or no objdump)"
  exit 0
fi
case $(uname -m) in
  x86_64) jump='jmp *\*' ;;
  aarch64) jump='[[:space:]]br[[:space:]]*x' ;;
  *) echo "dispatch: not checked on $(uname -m)"; exit 0 ;;
esac
opcodes=$(grep -c '^ *OP(' lang/opcodes.def)
jumps=$(objdump -d --no-show-raw-insn "$object" | grep -c "$jump")
source=$("$@" -E -P runtime/interp.c) || exit 1
labels=$(printf '%s' "$source" | grep -o 'goto \*handlers' | wc -l)
calls=$(printf '%s' "$source" | grep -o 'musttail)) return ((Handler' | wc -l)
least=$((labels * 95 / 100 + calls * 70 / 100))
[ "$least" -ge "$opcodes" ] || least=$opcodes
found="$jumps indirect jumps for $((labels + calls)) dispatches of $opcodes opcodes"
if [ "$jumps" -lt "$least" ]; then
  echo "dispatch: $found in $object: the compiler has joined them (at least $least expected)" >&2
  exit 1
fi
echo "dispatch: $found"
