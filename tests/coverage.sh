#!/bin/sh
# coverage.sh OBJECTS [--list]: what the tests have run of each folder, by gcov's counts in OBJECTS,
# as lines and as branches (the ways out of a condition). Fails if a folder has less than 85 % of its
# lines run. With --list: the lines that did not run, by file.

objects=$1
least=85 list=
[ "$2" = --list ] && list=1
cd "$(dirname "$0")/.." || exit 2
{
  find gc lang runtime include -name '*.[ch]' | sed 's/^/source /'
  find "$objects/gc" "$objects/lang" "$objects/runtime" -name '*.gcno' | LC_ALL=C sort |
    xargs gcov -b -c -t 2>/dev/null
} | awk -v least=$least -v list="$list" -f tests/coverage.awk
