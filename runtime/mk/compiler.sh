#!/bin/sh
# compiler.sh [sanitize|fuzzer|gcov]: prints the C compiler to use.
#
# The interpreter is fastest with clang 19 or newer (handlers as guaranteed tail calls); gcc is next
# (labels as values). With "sanitize": the first of them that can link AddressSanitizer and
# UndefinedBehaviorSanitizer, which clang packages leave to a package of their own. With "fuzzer": a
# clang that has libFuzzer as well. With "gcov": gcc, whose gcov reads what it writes.

can_link() {
  echo 'int main(void) { return 0; }' | "$1" $2 -x c -o /dev/null - >/dev/null 2>&1
}

clang_is_new() {
  major=$("$1" -dumpversion 2>/dev/null | cut -d. -f1)
  [ "${major:-0}" -ge 19 ] 2>/dev/null
}

[ "$1" = gcov ] && echo gcc && exit
flags=
[ "$1" = sanitize ] && flags=-fsanitize=address,undefined
[ "$1" = fuzzer ] && flags=-fsanitize=address,undefined,fuzzer-no-link

for cc in clang-22 clang-21 clang-20 clang-19 clang; do
  command -v "$cc" >/dev/null && clang_is_new "$cc" && can_link "$cc" "$flags" && echo "$cc" && exit
done
for cc in gcc cc clang; do
  command -v "$cc" >/dev/null && can_link "$cc" "$flags" && echo "$cc" && exit
done
echo cc
