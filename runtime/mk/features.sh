#!/bin/sh
# features.sh CC...: prints which optional libraries are installed, as words: pcre2 utf8proc.
# Asks pkg-config first since that is quick, else compiles a probe.

has_library() { # name in pkg-config, header, library
  pkg-config --exists "$1" 2>/dev/null && return
  printf '#include <stdio.h>\n#define PCRE2_CODE_UNIT_WIDTH 8\n#include <%s>\nint main(void) { return 0; }\n' "$2" |
    $CC -x c -o /dev/null - "-l$3" >/dev/null 2>&1
}

CC=${*:-cc}
has_library libpcre2-8 pcre2.h pcre2-8 && echo pcre2
has_library libutf8proc utf8proc.h utf8proc && echo utf8proc
true
