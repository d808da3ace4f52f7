#!/bin/sh
# embed.sh NAME SIZE_NAME FILE: prints C source that defines the bytes of FILE as
# `const char NAME[]`, ended by a NUL byte, and their number as `const unsigned long SIZE_NAME`.
set -e
printf 'extern const char %s[];\nextern const unsigned long %s;\n' "$1" "$2"
printf 'const char %s[] = {\n' "$1"
od -An -v -td1 "$3" | sed 's/\([0-9][0-9]*\)/\1,/g'
printf '0};\nconst unsigned long %s = sizeof %s - 1;\n' "$2" "$1"
