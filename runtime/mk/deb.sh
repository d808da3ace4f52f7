#!/bin/sh
# deb.sh VERSION ROOT OUT: makes OUT/oxbow_VERSION_ARCHITECTURE.deb of the tree that `make install`
# has put into ROOT. Changes the tree to what Debian expects: stripped, with a compressed manual.
set -e
version=$1 root=$2 out=$3

if ! command -v dpkg-deb >/dev/null; then
  echo "make deb needs dpkg-deb: run it on Debian or a relative of it." >&2
  exit 1
fi
architecture=$(dpkg --print-architecture)
libdir=$(dirname "$(find "$root/usr/lib" -name liboxbow.a)")
doc=$root/usr/share/doc/oxbow

# Names the packages that the binaries' libraries come from, as a line for `Depends`.
find_depends() {
  if command -v dpkg-shlibdeps >/dev/null; then
    mkdir -p "$out/deb/debian"
    printf 'Source: oxbow\n\nPackage: oxbow\nArchitecture: any\n' > "$out/deb/debian/control"
    (cd "$out/deb" &&
      dpkg-shlibdeps -O root/usr/bin/oxbow "${libdir#"$out/deb/"}/liboxbow.so.$version") |
      sed -n 's/^shlibs:Depends=//p'
    return
  fi
  # Without the tool there are no versions to be had: the packages' names alone.
  ldd "$root/usr/bin/oxbow" | awk '$2 == "=>" { print $3 }' | xargs -r -n 1 readlink -f |
    xargs -r -n 1 dpkg -S 2>/dev/null | sed 's/:.*//' | sort -u | paste -s -d , | sed 's/,/, /g'
}

strip --strip-unneeded "$root/usr/bin/oxbow" "$libdir/liboxbow.so.$version"
strip --strip-debug "$libdir/liboxbow.a"
gzip -9n "$root/usr/share/man/man1/oxbow.1"
mv "$doc/LICENSE" "$doc/copyright"
cat >> "$doc/copyright" <<'EOF'

At its prompt, the command /usr/bin/oxbow loads GNU readline where that is installed, which is under
the GNU General Public License (/usr/share/common-licenses/GPL-3). It is not linked with it, and the
library does not use it.
EOF
date=$(date -R -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}")
printf 'oxbow (%s) unstable; urgency=medium\n\n  * Built by make deb.\n\n -- %s  %s\n' \
  "$version" 'The Oxbow authors <oxbow@localhost>' "$date" |
  gzip -9n > "$doc/changelog.gz"

depends=$(find_depends)
control=$root/DEBIAN
mkdir -p "$control"
(cd "$root" && find usr -type f -exec md5sum {} +) > "$control/md5sums"
echo 'activate-noawait ldconfig' > "$control/triggers"
cat > "$control/control" <<EOF
Package: oxbow
Version: $version
Architecture: $architecture
Maintainer: The Oxbow authors <oxbow@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f 1)
Depends: $depends
Recommends: libreadline8
Suggests: pkg-config, libpcre2-dev, libutf8proc-dev
Section: interpreters
Priority: optional
Description: small programming language to embed in C and C++ programs
 Oxbow reads like the languages you know, reports errors at the very expression
 that failed, and keeps everything that a program owns in one heap of its own,
 which a host can limit and stop.
 .
 This package has the command with its prompt, the library to link with, shared
 and static, its header and the manual.
EOF
chmod -R u=rwX,go=rX "$root"
dpkg-deb --root-owner-group --build "$root" "$out/oxbow_${version}_$architecture.deb"
