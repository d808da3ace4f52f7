#!/bin/sh
# dict.sh: prints the words of the language and its builtins as a dictionary for libFuzzer, from the
# table of tokens and the reference, so that neither must be kept in step by hand.
{
  sed -n 's/?\\?/??/; s/^  X(TOKEN_[A-Z_]*, "\(.*\)").*/\1/p' lang/token.h
  sed -n 's/^[-#* ]*`\([A-Za-z_.]*\).*/\1/p' docs/reference.md
  printf '%s\n' '#!' '#[' ']#' '${' '\\u{' '\\x' 0x 0b 0o 1e 1_0 'fn(' '=> ' 'catch e' 'as' 'from'
} | grep -v '^$' | LC_ALL=C sort -u | sed 's/"/\\"/g; s/.*/"&"/'
