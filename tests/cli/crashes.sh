#!/bin/sh
# crashes.sh OXBOW: saving an image is stopped, or fails, at each of its system calls in turn: the path
# holds the old image or the new one, whole. Ends with "N passed, N failed".

. "$(dirname "$0")/lib.sh"

cc -shared -fPIC -O1 -o shim.so "$project/tests/images/shim.c" -ldl || exit 1
"$oxbow" --save-image=old.img -e 'let v = 1; let xs = []; for i in 0..3000 { xs.push({i: i}) }' || exit 1

# What the image at x.img says v is; "" if it does not load or its structure is damaged.
value_now() {
  "$oxbow" --verify=x.img > out 2> err && "$oxbow" --image x.img -e 'print(v, len(xs))' 2>> err
}

# one MODE CALL: one saving, the given call of which goes wrong.
one() {
  mode=$1 name="$1 at call $2"
  rm -f x.img* mark
  cp old.img x.img
  SHIM_MODE=$mode SHIM_AT=$2 SHIM_MARK=mark LD_PRELOAD=./shim.so \
    "$oxbow" --image x.img --save-image x.img -e 'v = 2' > out 2> message
  status=$?
  [ -e mark ] || return 1
  left=$(ls | grep -c saving)
  got=$(value_now)
  case $mode-$status-$got-$left in
    kill*-137-"1 3000"-* | kill*-137-"2 3000"-*) passed=$((passed + 1)) ;;
    short-0-"2 3000"-0) passed=$((passed + 1)) ;;
    E*-1-"1 3000"-0)
      if grep -q "cannot save the image 'x.img'" message; then passed=$((passed + 1))
      else fail "$(cat message)"; fi ;;
    E*-1-"2 3000"-0)
      if grep -q "it is in its place, but its folder cannot be synced" message; then passed=$((passed + 1))
      else fail "$(cat message)"; fi ;;
    *) fail "status $status, now '$got', $left temporary files" "$(cat message err)" ;;
  esac
}

for mode in kill killed EIO ENOSPC short; do
  call=1
  while one $mode $call; do call=$((call + 1)); done
  name="$mode: all calls were met"
  if [ "$call" -gt 7 ]; then passed=$((passed + 1)); else fail "only $((call - 1))"; fi
done

finish
