#!/bin/sh
# relr.sh CC...: prints the option that packs the relocations of a program, if the linker has it and the
# system's loader understands it (glibc from 2.36 on). It makes each start of the command 70 KiB smaller.

option=-Wl,-z,pack-relative-relocs
probe=$(mktemp "${TMPDIR:-/tmp}/oxbow-relr.XXXXXX") || exit 0
trap 'rm -f "$probe"' EXIT
printf 'static int a, b, *const p[] = {&a, &b};\nint main(int n, char **v) { return p[n & 1] != (n & 1 ? &b : &a); }\n' |
  $* -O0 -x c -fPIE -pie $option -o "$probe" - 2>/dev/null && "$probe" && echo "$option"
true
