# Installing, for the Makefile: `make install`, `make uninstall`, `make deb`.
#
#   PREFIX=...       where the files will be used (default /usr/local)
#   DESTDIR=...      put in front of every path while copying: a staging area for packagers
#   bindir=... libdir=... includedir=... mandir=... docdir=...    single folders, as in GNU projects
#
# The standard library is inside the library and the command; an image of it, which makes the command
# start quicker, is looked for in ../lib/oxbow beside the command's folder.

PREFIX ?= /usr/local
prefix ?= $(PREFIX)
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
libdir ?= $(exec_prefix)/lib
includedir ?= $(prefix)/include
datarootdir ?= $(prefix)/share
mandir ?= $(datarootdir)/man
docdir ?= $(datarootdir)/doc/oxbow
pkgconfigdir ?= $(libdir)/pkgconfig
imagedir = $(abspath $(bindir)/../lib/oxbow)
INSTALL ?= install

# The header states the version; the soname, which the Makefile gives the library, its first part.
version_part = $(shell sed -n 's/^\#define OX_VERSION_$(1) *//p' include/oxbow.h)
VERSION := $(call version_part,MAJOR).$(call version_part,MINOR).$(call version_part,PATCH)
SONAME := liboxbow.so.$(call version_part,MAJOR)
DOCS := README.md SPEC.md LICENSE docs/tour.md docs/embedding.md docs/reference.md \
  docs/snapshots.md docs/SECURITY.md

.PHONY: install uninstall deb

# Paths below the prefix are written in its terms, so that pkg-config can move the whole tree
# (--define-variable=prefix=...).
in_terms_of_prefix = $(subst $(prefix)/,$${prefix}/,$(1))

install: products
	$(INSTALL) -d '$(DESTDIR)$(bindir)' '$(DESTDIR)$(libdir)' '$(DESTDIR)$(includedir)' \
	  '$(DESTDIR)$(pkgconfigdir)' '$(DESTDIR)$(mandir)/man1' '$(DESTDIR)$(docdir)' \
	  '$(DESTDIR)$(imagedir)'
	$(INSTALL) -m 644 $(OUT)/oxbow-library.img '$(DESTDIR)$(imagedir)/oxbow-library.img'
	$(INSTALL) -m 755 $(OUT)/oxbow '$(DESTDIR)$(bindir)/oxbow'
	$(INSTALL) -m 755 $(OUT)/liboxbow.so '$(DESTDIR)$(libdir)/liboxbow.so.$(VERSION)'
	ln -sf liboxbow.so.$(VERSION) '$(DESTDIR)$(libdir)/$(SONAME)'
	ln -sf $(SONAME) '$(DESTDIR)$(libdir)/liboxbow.so'
	$(INSTALL) -m 644 $(OUT)/liboxbow.a '$(DESTDIR)$(libdir)/liboxbow.a'
	$(INSTALL) -m 644 include/oxbow.h '$(DESTDIR)$(includedir)/oxbow.h'
	sed -e 's|@prefix@|$(prefix)|' -e 's|@libdir@|$(call in_terms_of_prefix,$(libdir))|' \
	  -e 's|@includedir@|$(call in_terms_of_prefix,$(includedir))|' \
	  -e 's|@version@|$(VERSION)|' -e 's|@libs@|$(strip $(LIBS))|' runtime/mk/oxbow.pc.in \
	  > '$(DESTDIR)$(pkgconfigdir)/oxbow.pc'
	chmod 644 '$(DESTDIR)$(pkgconfigdir)/oxbow.pc'
	$(INSTALL) -m 644 docs/oxbow.1 '$(DESTDIR)$(mandir)/man1/oxbow.1'
	$(INSTALL) -m 644 $(DOCS) '$(DESTDIR)$(docdir)'

# Takes away what `install` with the same settings put there, and the folders that are Oxbow's alone.
uninstall:
	rm -f '$(DESTDIR)$(bindir)/oxbow' '$(DESTDIR)$(imagedir)/oxbow-library.img' \
	  '$(DESTDIR)$(libdir)/liboxbow.so.$(VERSION)' \
	  '$(DESTDIR)$(libdir)/$(SONAME)' '$(DESTDIR)$(libdir)/liboxbow.so' \
	  '$(DESTDIR)$(libdir)/liboxbow.a' '$(DESTDIR)$(includedir)/oxbow.h' \
	  '$(DESTDIR)$(pkgconfigdir)/oxbow.pc' '$(DESTDIR)$(mandir)/man1/oxbow.1' \
	  $(foreach doc,$(notdir $(DOCS)),'$(DESTDIR)$(docdir)/$(doc)')
	for folder in '$(DESTDIR)$(docdir)' '$(DESTDIR)$(imagedir)'; do if [ -d "$$folder" ]; then \
	  rmdir --ignore-fail-on-non-empty "$$folder"; fi; done

# One package with command, library and header, in $(OUT)/oxbow_VERSION_ARCHITECTURE.deb.
DEB_ROOT := $(OUT)/deb/root
DEB_LIBDIR = /usr/lib/$(shell dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || \
  $(CC) -print-multiarch)

deb: products
	rm -rf $(OUT)/deb
	@$(MAKE) --no-print-directory install DESTDIR='$(abspath $(DEB_ROOT))' PREFIX=/usr prefix=/usr \
	  exec_prefix=/usr bindir=/usr/bin libdir=$(DEB_LIBDIR) includedir=/usr/include \
	  datarootdir=/usr/share mandir=/usr/share/man docdir=/usr/share/doc/oxbow \
	  pkgconfigdir=$(DEB_LIBDIR)/pkgconfig >/dev/null
	sh runtime/mk/deb.sh $(VERSION) $(DEB_ROOT) $(OUT)
