#!/bin/sh
# library.sh FILE...: prints C source that defines the text of each runtime/lib/std/NAME.oxb as
# `const char std_NAME_text[]`, ended by a NUL byte.
set -e
for file in "$@"; do
  name=std_$(basename "$file" .oxb)_text
  printf 'extern const char %s[];\nconst char %s[] = {\n' "$name" "$name"
  od -An -v -td1 "$file" | sed 's/\([0-9][0-9]*\)/\1,/g'
  printf '0};\n'
done
