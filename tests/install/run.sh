#!/bin/sh
# run.sh BUILD: installs what lies in BUILD into scratch folders and uses it as a stranger would:
# builds programs of another project with pkg-config alone, looks at what the libraries export,
# uninstalls, and opens the Debian package. Ends with "N passed, N failed".

build=${1:-build}
project=$(cd "$(dirname "$0")/../.." && pwd)
here=$project/tests/install
dir=$(mktemp -d "${TMPDIR:-/tmp}/oxbow-install.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$project" || exit 1
unset LD_LIBRARY_PATH PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR DESTDIR PREFIX
passed=0 failed=0

# check NAME COMMAND...: passes if the command succeeds; else shows what it printed.
check() {
  name=$1
  shift
  if "$@" > "$dir/log" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED $name"
    sed 's/^/  /' "$dir/log" | head -n 20
  fi
}

# prints TEXT COMMAND...: whether it succeeds and prints just that.
prints() {
  want=$1
  shift
  got=$("$@") || return 1
  [ "$got" = "$want" ] || { printf 'printed: %s\nwanted:  %s\n' "$got" "$want"; return 1; }
}

build_make() { make --no-print-directory BUILD="$build" "$@"; }

# The installed files below a folder, without a leading ./
tree() { (cd "$1" && find . ! -type d | sed 's|^\./||' | LC_ALL=C sort); }

version=$(sed -n 's/^#define OX_VERSION_[A-Z]* *//p' \
  include/oxbow.h | paste -s -d .)
major=${version%%.*}

# ---- installed for use at the prefix ----

prefix=$dir/prefix
lib=$prefix/lib
check 'make install' build_make install PREFIX="$prefix"
cat > "$dir/expected" <<EOF
bin/oxbow
include/oxbow.h
lib/liboxbow.a
lib/liboxbow.so
lib/liboxbow.so.$major
lib/liboxbow.so.$version
lib/oxbow/oxbow-library.img
lib/pkgconfig/oxbow.pc
share/doc/oxbow/LICENSE
share/doc/oxbow/README.md
share/doc/oxbow/SECURITY.md
share/doc/oxbow/SPEC.md
share/doc/oxbow/embedding.md
share/doc/oxbow/reference.md
share/doc/oxbow/snapshots.md
share/doc/oxbow/tour.md
share/man/man1/oxbow.1
EOF
tree "$prefix" > "$dir/installed"
check 'just the expected files' diff "$dir/expected" "$dir/installed"
check 'the links lead to the library' test "$(readlink -f "$lib/liboxbow.so")" = \
  "$(readlink -f "$lib/liboxbow.so.$major")" -a "$(readlink "$lib/liboxbow.so.$major")" = \
  "liboxbow.so.$version"
has_soname() { readelf -d "$lib/liboxbow.so" | grep "SONAME.*\[liboxbow.so.$major\]"; }
check 'the soname' has_soname
check 'the command runs' prints 42 "$prefix/bin/oxbow" -e 'print(6 * 7)'
check 'the standard library is in it' prints 3.0 "$prefix/bin/oxbow" -e 'import math
print(math.sqrt(9))'
check 'its image is found' prints "library: $prefix/bin/../lib/oxbow/oxbow-library.img" \
  sh -c "'$prefix/bin/oxbow' --version | tail -n 1"
check 'the image is whole' "$prefix/bin/oxbow" --verify="$lib/oxbow/oxbow-library.img"
# of another build: what it takes for granted is not so here
stale() {
  cp "$lib/oxbow/oxbow-library.img" "$dir/kept.img"
  printf 'another build' | dd of="$lib/oxbow/oxbow-library.img" bs=1 seek=48 conv=notrunc
  prints '[2] x' "$prefix/bin/oxbow" -e 'import csv
print([1].map(fn(x) => x + 1), csv.parse("x")[0][0])'
  status=$?
  mv "$dir/kept.img" "$lib/oxbow/oxbow-library.img"
  return $status
}
check 'a stale image is passed over' stale

# ---- a project of somebody else ----

PKG_CONFIG_PATH=$lib/pkgconfig
export PKG_CONFIG_PATH
flags() { pkg-config "$@" oxbow; }
strict="-Wall -Wextra -pedantic -Werror"
outside=$dir/outside
mkdir "$outside"
cp "$here"/outside.c "$here"/outside.cpp "$outside"
cd "$outside" || exit 1

build_c() { cc -std=c11 $strict -o c outside.c $(flags --cflags --libs); }
build_cpp() { c++ -std=c++11 $strict -o cpp outside.cpp $(flags --cflags --libs); }
build_static() { cc -static -o static outside.c $(flags --static --cflags --libs); }
with_library() { LD_LIBRARY_PATH=$lib "$@"; }
is_static() { ! readelf -d static | grep NEEDED; }

check 'pkg-config knows the version' prints "$version" flags --modversion
check 'a C program builds' build_c
check 'a C program runs' prints 42 with_library ./c
uses_soname() { readelf -d c | grep "NEEDED.*liboxbow.so.$major"; }
check 'a C program needs the library by its soname' uses_soname
check 'a C++ program builds' build_cpp
check 'a C++ program runs' prints 42 with_library ./cpp
readme_program() {
  sed -n '/^```c$/,/^```$/p' "$project/README.md" | sed '1d;$d' > readme.c
  cc -o readme readme.c $(flags --cflags --libs) && prints 42 with_library ./readme
}
check 'the program of the README builds and runs' readme_program
check 'a static program builds' build_static
check 'a static program runs' prints 42 ./static
check 'a static program needs no library' is_static

# ---- the header alone ----

header_alone() { # compiler, language, standard
  printf '#include <oxbow.h>\n' > "alone.$2"
  "$1" -std="$3" -x "$2" $strict $(flags --cflags) -fsyntax-only "alone.$2"
}
for standard in c11 c17; do check "the header as $standard" header_alone cc c $standard; done
for standard in c++11 c++17 c++20; do
  check "the header as $standard" header_alone c++ c++ $standard
done

# ---- exported names ----

# What the header declares is exported, and nothing else.
sed -n 's/^OX_API .*[ *]\(ox_[a-z_0-9]*\)(.*/\1/p' "$prefix/include/oxbow.h" |
  LC_ALL=C sort > declared
nm -D --defined-only "$lib/liboxbow.so" | awk '{ print $3 }' | LC_ALL=C sort > exported
nm -g --defined-only "$lib/liboxbow.a" | awk 'NF == 3 { print $3 }' | LC_ALL=C sort > archived
check 'the header declares functions' test "$(wc -l < declared)" -gt 40
check 'the shared library exports what the header declares' diff declared exported
check 'the static library exports what the header declares' diff declared archived

# ---- uninstalling ----

cd "$project" || exit 1
echo mine > "$lib/mine"
echo mine > "$prefix/share/doc/mine"
check 'make uninstall' build_make uninstall PREFIX="$prefix"
check 'uninstalling leaves what it did not install' prints 'lib/mine share/doc/mine' \
  sh -c "cd '$prefix' && find . ! -type d | sed 's|^./||' | LC_ALL=C sort | paste -s -d ' '"
check 'the folder of the documentation is gone' test ! -e "$prefix/share/doc/oxbow"
check 'the folder of the image is gone' test ! -e "$lib/oxbow"
check 'uninstalling again does no harm' build_make uninstall PREFIX="$prefix"

# ---- staged for a package, with folders of its own ----

stage="$dir/a stage"
folders="PREFIX=/opt/oxbow bindir=/opt/games libdir=/opt/oxbow/lib64"
check 'a staged install' build_make install DESTDIR="$stage" $folders
check 'a staged command' prints 42 "$stage/opt/games/oxbow" -e 'print(6 * 7)'
staged=$stage/opt/oxbow/lib64
check 'a staged library' test -f "$staged/liboxbow.so.$version"
says() { grep -x "$2" "$1"; }
check 'the stage is not in oxbow.pc' says "$staged/pkgconfig/oxbow.pc" 'prefix=/opt/oxbow'
check 'oxbow.pc names libdir' says "$staged/pkgconfig/oxbow.pc" 'libdir=${prefix}/lib64'
build_staged() { # a stage without a blank in its name, as pkg-config would want it
  ln -s "$stage" "$dir/stage"
  PKG_CONFIG_SYSROOT_DIR=$dir/stage PKG_CONFIG_PATH=$dir/stage/opt/oxbow/lib64/pkgconfig
  export PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_PATH
  cc -o "$outside/staged" "$outside/outside.c" $(flags --cflags --libs)
  unset PKG_CONFIG_SYSROOT_DIR
}
check 'a C program builds against the stage' build_staged
check 'a C program runs with the stage' prints 42 env LD_LIBRARY_PATH="$staged" "$outside/staged"
check 'a staged uninstall' build_make uninstall DESTDIR="$stage" $folders
check 'a staged uninstall leaves nothing' prints '' tree "$stage"

# ---- the manual ----

# groff complains on standard error about what it does not understand.
manual_is_sound() { groff -man -Tutf8 -ww docs/oxbow.1 2>&1 >/dev/null | { ! grep .; }; }
if command -v groff >/dev/null; then check 'the manual page is sound' manual_is_sound; fi
every_option_is_documented() {
  "$build/oxbow" --help | grep -o '^ *-[-a-z, ]*' | grep -o -- '-[-a-z]*[a-z]' | sort -u |
    while read -r option; do
      sed 's/\\-/-/g' docs/oxbow.1 | grep -q -e "^\.B.*$option" ||
        echo "not in the manual: $option"
    done | { ! grep .; }
}
check 'the manual has every option of --help' every_option_is_documented

# ---- the Debian package ----

deb=$build/oxbow_${version}_$(dpkg --print-architecture).deb
rm -f "$deb"
check 'make deb' build_make deb
dpkg-deb -c "$deb" 2>/dev/null | awk '$1 !~ /^d/ { print $6 }' > "$dir/contents"
for file in bin/oxbow include/oxbow.h share/man/man1/oxbow.1.gz share/doc/oxbow/copyright \
  lib/oxbow/oxbow-library.img; do
  check "the package has $file" grep -x "./usr/$file" "$dir/contents"
done
for file in "liboxbow\.so\.$version" "liboxbow\.so\.$major" 'liboxbow\.so' 'liboxbow\.a' \
  'pkgconfig/oxbow\.pc'; do
  check "the package has $file" grep -x "\./usr/lib/[^/]*/$file" "$dir/contents"
done
all_of_root() { ! dpkg-deb -c "$deb" | grep -v '^[^ ]* root/root '; }
check 'all of the package belongs to root' all_of_root
check 'the package has its version' prints "$version" dpkg-deb -f "$deb" Version
depends_on_c() { dpkg-deb -f "$deb" Depends | grep libc6; }
check 'the package depends on the C library' depends_on_c
check 'the package unpacks' dpkg-deb -x "$deb" "$dir/unpacked"
check 'its command runs' prints 42 "$dir/unpacked/usr/bin/oxbow" -e 'print(6 * 7)'
# dpkg itself, into a system of its own: as root only, since dpkg wants to give files away.
dpkg_installs() {
  mkdir -p "$dir/system/var/lib/dpkg/info" "$dir/system/var/lib/dpkg/updates"
  : > "$dir/system/var/lib/dpkg/status"
  dpkg --root="$dir/system" --force-depends -i "$deb" &&
    prints 42 "$dir/system/usr/bin/oxbow" -e 'print(6 * 7)' &&
    dpkg --root="$dir/system" -r oxbow && [ ! -e "$dir/system/usr/bin/oxbow" ]
}
if [ "$(id -u)" -eq 0 ]; then check 'dpkg installs and removes it' dpkg_installs; fi
sums_hold() {
  dpkg-deb -e "$deb" "$dir/control" && (cd "$dir/unpacked" && md5sum -c "$dir/control/md5sums")
}
check 'its checksums hold' sums_hold

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
