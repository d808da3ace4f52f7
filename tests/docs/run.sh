#!/bin/sh
# run.sh BUILD: compiles and runs the C programs in the documentation, against BUILD/liboxbow.a; checks
# that the header compiles in every language it is for, and that each of its functions is tested.
#
# A program is a block fenced as ```c that has an `int main`. It must compile without a warning and
# exit with 0; lines `// prints: TEXT` in it say what it prints, standard error included.

build=$1
cc=${CC:-cc}
features=${FEATURES-$(sh runtime/mk/features.sh "$cc")}
libs="-lm -lpthread"
case $features in *pcre2*) libs="-lpcre2-8 $libs" ;; esac
case $features in *utf8proc*) libs="-lutf8proc $libs" ;; esac
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0

# Writes each program of a page to a file named by the line at which its block begins.
extract() {
  awk -v folder="$scratch" -v page="$(basename "$1" .md)" '
    /^```c$/ { text = ""; first = NR; inside = 1; next }
    /^```/ {
      name = folder "/" page "_" first ".c"
      if (inside && text ~ /int main/) { printf "%s", text > name; close(name) }
      inside = 0
    }
    inside { text = text $0 "\n" }' "$1"
}

run_program() {
  expected=$(sed -n 's|^// prints: ||p' "$1")
  # shellcheck disable=SC2086
  if $cc -std=gnu11 -Wall -Wextra -Werror -Iinclude -o "${1%.c}" "$1" "$build/liboxbow.a" $libs &&
    got=$("${1%.c}" 2>&1) && { [ -z "$expected" ] || [ "$got" = "$expected" ]; }; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf '%s failed; it printed:\n%s\n' "$(basename "$1")" "$got"
  fi
}

# check NAME COMMAND...: passes if the command succeeds.
check() {
  name=$1
  shift
  if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $name"; fi
}

# The header by itself, in every language it is for.
header_as() {
  echo '#include <oxbow.h>' |
    $1 -x "$2" -std="$3" -Wall -Wextra -Wpedantic -Werror -Iinclude -c -o /dev/null -
}
for standard in c99 c11 c17; do check "header as $standard" header_as "$cc" c $standard; done
if c++ --version > /dev/null 2>&1; then
  for standard in c++11 c++14 c++20; do check "header as $standard" header_as c++ c++ $standard; done
fi

# Every function of the header is tested, and shown in a page or an example or explained by itself.
functions=$(sed -n 's/^OX_API [^(]*[ *]\(ox_[a-z_]*\)(.*/\1/p; s/^static inline [a-zA-Z_]* \(ox_[a-z_]*\)(.*/\1/p' \
  include/oxbow.h)
is_tested() { grep -qw "$1" tests/api/*.c tests/api/*.h; }
for function in $functions; do check "$function is used in tests/api" is_tested "$function"; done
check "functions of the header are found" [ "$(echo "$functions" | wc -l)" -gt 70 ]

for page in README.md docs/embedding.md; do extract "$page"; done
for program in "$scratch"/*.c; do
  got=
  run_program "$program"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
