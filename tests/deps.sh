#!/bin/sh
# deps.sh build|test|bench|bench-peers|bench-gc: installs what this goal lacks, on Debian and its
# relatives, as root.
# Does nothing, quickly and offline, where all is there. Elsewhere it says what is missing and fails.

has_header() {
  printf '#define PCRE2_CODE_UNIT_WIDTH 8\n#include <stdio.h>\n#include <%s>\n' "$1" |
    cc -E -x c - >/dev/null 2>&1
}
want_header() { has_header "$1" || missing="$missing $2"; }
want_command() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }

# Readline is loaded at run time: the library is enough. Folders of any architecture's name.
want_library() {
  for folder in /lib /lib64 /usr/lib /usr/lib64 /usr/local/lib; do
    for file in "$folder/$1" "$folder"/*-linux-*/"$1"; do [ -e "$file" ] && return; done
  done
  missing="$missing $2"
}

missing=
want_command cc gcc
want_command ld binutils
has_header stdlib.h || missing="$missing libc6-dev"
want_header pcre2.h libpcre2-dev
want_header utf8proc.h libutf8proc-dev
want_library libreadline.so.8 libreadline8
case $1 in
  build) ;;
  test)
    want_header criterion/criterion.h libcriterion-dev
    want_header gc/gc.h libgc-dev
    want_command g++ g++
    want_command pkg-config pkg-config
    want_command python3 python3-minimal ;;
  bench | bench-peers)
    want_command lua5.4 lua5.4
    want_command luajit luajit
    want_command python3 python3
    [ "$1" = bench ] || want_command node nodejs ;;
  bench-gc)
    want_header gc/gc.h libgc-dev
    want_header mimalloc.h libmimalloc-dev
    want_header jemalloc/jemalloc.h libjemalloc-dev
    want_command python3 python3 ;;
  *) echo "usage: deps.sh build|test|bench|bench-peers|bench-gc" >&2; exit 2 ;;
esac

[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null 2>&1; then
  echo "This needs packages that are not installed, by their Debian names:$missing" >&2
  echo "Install their counterparts of your system, then try again." >&2
  exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "This needs packages that are not installed. As root:" >&2
  echo "  apt-get install$missing" >&2
  exit 1
fi
echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
install="apt-get install -y -q --no-install-recommends"
# The package lists of a fresh machine are often empty or stale: try again after an update.
$install $missing >/dev/null 2>&1 && exit 0
apt-get update -q >/dev/null && $install $missing >/dev/null && exit 0
echo "apt-get could not install:$missing" >&2
exit 1
