#!/bin/sh
# digest.sh FEATURES FILE...: prints C source that defines `sources_digest`, which differs where the
# files or the features do: what the bytes of an image mean is known to builds of the same sources.
set -e
features=$1
shift
sum=$( { echo "$features"; cat "$@"; } | sha256sum | cut -c1-16)
printf '#include <stdint.h>\nextern const uint64_t sources_digest;\n'
printf 'const uint64_t sources_digest = 0x%su;\n' "$sum"
