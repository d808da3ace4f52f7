#!/bin/sh
# check_dispatch.sh OBJECT: counts the indirect jumps of the compiled interpreter. There must be at
# least one for each opcode, else the compiler has joined the dispatches and every program is slower.
object=$1
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
if [ "$jumps" -lt "$opcodes" ]; then
  echo "dispatch: only $jumps indirect jumps for $opcodes opcodes in $object" >&2
  exit 1
fi
echo "dispatch: $jumps indirect jumps for $opcodes opcodes"
