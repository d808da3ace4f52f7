#!/bin/sh
# wrap.sh: prints the linker options that put tests/faults/inject.c before the functions that it
# wraps.
sed -n 's/^[A-Za-z].*[ *]__wrap_\([a-z0-9_]*\)(.*/-Wl,--wrap=\1/p' "$(dirname "$0")/inject.c"
