# lib.sh - for the scripts of this folder: $oxbow is their first argument, the current folder a
# scratch folder that goes away.

oxbow=$1
project=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/oxbow-cli.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
unset NO_COLOR OXBOW_HISTORY
passed=0 failed=0

fail() {
  failed=$((failed + 1))
  printf 'FAILED %s\n' "$name"
  printf '  %s\n' "$@"
}

# check NAME STATUS STDOUT STDERR COMMAND...: STDOUT is exact (without the last newline); STDERR is a
# part of it, "" meaning that it must be empty, "*" that it does not matter.
check() {
  name=$1 want_status=$2 want_out=$3 want_err=$4
  shift 4
  "$@" > out 2> err
  status=$?
  out=$(cat out) err=$(cat err)
  if [ "$status" -ne "$want_status" ]; then fail "status $status, not $want_status" "$err"; return; fi
  if [ "$out" != "$want_out" ]; then fail "printed: $out" "wanted:  $want_out"; return; fi
  case $want_err in
    '*') ;;
    '') if [ -n "$err" ]; then fail "standard error is not empty: $err"; return; fi ;;
    *) case $err in *"$want_err"*) ;; *) fail "standard error: $err" "lacks: $want_err"; return ;; esac ;;
  esac
  passed=$((passed + 1))
}

finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}
