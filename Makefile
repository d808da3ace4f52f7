# Oxbow's build, for GNU make. `make help` lists what it can do; docs/architecture.md says why.
#
#   CC=...           the compiler; by default clang 19 or newer where installed, else gcc
#   CFLAGS=...       optimisation flags (default -O2 -g; the needed ones are always added)
#   FEATURES=...     optional libraries: any of pcre2 utf8proc (default: those installed)
#   BUILD=...        where products go (default build)
#   VARIANT=...      release, debug, asan, tsan, fuzz (libFuzzer, needs clang) or cov (gcov, needs gcc)
#
# Products lie in $(OUT); objects in a folder per variant and compiler, so that switching between
# compilers rebuilds only what changed. Switching flags rebuilds everything of that folder.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SUFFIXES:

# Commands are shown in brief; V=1 shows them whole.
Q := $(if $(V),,@)
say = $(if $(V),@:,@echo '  $(1)')

BUILD ?= build
VARIANT ?= release

# What a variant wants of the compiler beyond C.
WANT_OF_asan := sanitize
WANT_OF_tsan := sanitize
WANT_OF_fuzz := fuzzer
WANT_OF_cov := gcov

ifeq ($(origin CC),default)
  CC := $(shell sh runtime/mk/compiler.sh $(WANT_OF_$(VARIANT)))
endif
ifeq ($(origin FEATURES),undefined)
  FEATURES := $(shell sh runtime/mk/features.sh $(CC))
endif
export FEATURES

IS_CLANG := $(shell $(CC) --version 2>/dev/null | grep -ci clang)
# clang's default, DWARF 5, is more than valgrind 3.19 and gdb 12 can read.
DEBUG_INFO := -g$(if $(filter-out 0,$(IS_CLANG)), -gdwarf-4)
COMPILER := $(subst /,_,$(subst $() ,_,$(strip $(CC))))

ifeq ($(VARIANT),release)
  OUT := $(BUILD)
  CFLAGS ?= -O2 $(DEBUG_INFO)
else ifeq ($(VARIANT),debug)
  OUT := $(BUILD)/debug
  CFLAGS ?= -O0 $(DEBUG_INFO)
  VARIANT_FLAGS := -DOX_DEBUG
else ifeq ($(VARIANT),asan)
  OUT := $(BUILD)/asan
  CFLAGS ?= -O1 $(DEBUG_INFO)
  SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
  VARIANT_FLAGS := -DOX_DEBUG -fno-omit-frame-pointer $(SANITIZE)
else ifeq ($(VARIANT),tsan)
  OUT := $(BUILD)/tsan
  CFLAGS ?= -O1 $(DEBUG_INFO)
  SANITIZE := -fsanitize=thread
  VARIANT_FLAGS := -DOX_DEBUG $(SANITIZE)
else ifeq ($(VARIANT),fuzz)
  OUT := $(BUILD)/fuzz
  CFLAGS ?= -O1 -g
  SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
  VARIANT_FLAGS := -DOX_DEBUG -fno-omit-frame-pointer $(SANITIZE) -fsanitize=fuzzer-no-link
else ifeq ($(VARIANT),cov)
  OUT := $(BUILD)/cov
  CFLAGS ?= -O0 -g
  VARIANT_FLAGS := --coverage -fprofile-abs-path -Dalways_inline=noinline -Wno-attributes
else
  $(error VARIANT is release, debug, asan, tsan, fuzz or cov, not "$(VARIANT)")
endif
O := $(BUILD)/obj/$(VARIANT)-$(COMPILER)
ifdef BOEHM
  OUT := $(OUT)/boehm
  O := $(O)-boehm
  VARIANT_FLAGS += -DOX_BOEHM
  comma := ,
endif

has = $(filter $(1),$(FEATURES))
CPPFLAGS_ALL := -D_GNU_SOURCE= -Iinclude $(if $(call has,pcre2),-DHAVE_PCRE2) \
  $(if $(call has,utf8proc),-DHAVE_UTF8PROC) $(CPPFLAGS)
CFLAGS_ALL := -std=gnu11 $(CFLAGS) -fno-strict-aliasing -Wall -Wextra -fvisibility=hidden -fPIC \
  $(VARIANT_FLAGS)
LIBS := $(if $(call has,pcre2),-lpcre2-8) $(if $(call has,utf8proc),-lutf8proc) -lm -lpthread

# The command takes these two in whole where their archives are installed: each library that the
# loader has to find and map makes every start slower. Readline it loads itself, when it prompts.
archive_or_not = $(or $(filter /%,$(shell $(CC) -print-file-name=lib$(1:-l%=%).a)),$(1))
CLI_LIBS := $(foreach lib,$(filter -lpcre2-8 -lutf8proc,$(LIBS)),$(call archive_or_not,$(lib))) \
  -lm -lpthread -ldl

# BOEHM=1: the same interpreter on libgc, to compare with; only the command is built, in build/boehm.
GC_SOURCES := $(if $(BOEHM),gc/boehm/heap.c gc/boehm/image.c gc/buddy.c gc/classes.c gc/xxh64.c gc/os_linux.c,$(wildcard gc/*.c))
ALL_SOURCES := $(GC_SOURCES) $(wildcard lang/*.c runtime/*.c runtime/lib/*.c)
# What an empty program runs comes first and is linked side by side: the kernel maps pages around each
# page fault, and so 0.2 MiB less of them. The order has no other meaning.
FIRST := $(patsubst %,gc/%.c,heap slab page cage buddy policy collect sweep final barrier snapshot fork \
    os_linux image_open image_file xxh64) \
  $(patsubst %,runtime/%.c,vm call interp map list str error import loader run report output foreign \
    task api api_host api_types api_image image snapshot_life) \
  $(patsubst %,lang/%.c,arena source lexer parser names diag compilation resolve_scope resolve_walk \
    compile_module compile_fn compile_emit compile_var compile_try compile_control compile_expr) \
  runtime/lib/os.c
LIB_SOURCES := $(foreach f,$(FIRST),$(filter $(f),$(ALL_SOURCES))) $(filter-out $(FIRST),$(ALL_SOURCES))
CLI_LIBS += $(if $(BOEHM),-Wl$(comma)--wrap=mmap -l:libgc.a -ldl)
CLI_LAST := $(patsubst %,runtime/cli/%.c,options library run main)
CLI_SOURCES := $(filter-out $(CLI_LAST),$(wildcard runtime/cli/*.c)) $(CLI_LAST)
PRELUDE := $(wildcard runtime/lib/prelude.oxb)
STD := $(sort $(wildcard runtime/lib/std/*.oxb))
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(O)/%.o) $(O)/gen/digest.o $(O)/gen/std.o \
  $(if $(PRELUDE),$(O)/gen/prelude.o)
DIGESTED := $(sort $(LIB_SOURCES) $(wildcard gc/*.h lang/*.h lang/*.def runtime/*.h runtime/*.def \
  runtime/lib/*.h runtime/lib/*.oxb runtime/lib/std/*.oxb include/*.h))
CLI_OBJECTS := $(CLI_SOURCES:%.c=$(O)/%.o)

.PHONY: all run test check clean debug asan help products tests check-dispatch reference FORCE
all: products

help:
	@echo 'make          build the command and the libraries under $(OUT)/'
	@echo 'make run      the main example: a tour of the language over a real text'
	@echo 'make test     all tests; installs what they need on Debian'
	@echo 'make bench    times Oxbow against Lua 5.4; bench-more: ten other programs, bench-peers: other'
	@echo '              languages, bench-memory: start-up and memory, bench-frames: scope frames'
	@echo 'make bench-gc times the collector against Boehm'\''s, glibc, mimalloc and jemalloc'
	@echo 'make bench-snapshot times snapshots, forks and images against fork(), copies, deepcopy'
	@echo 'make debug    build/debug: no optimisation, checks of the API preconditions'
	@echo 'make asan     build/asan: AddressSanitizer and UndefinedBehaviorSanitizer'
	@echo 'make install  installs under PREFIX (/usr/local); also: uninstall, deb (a Debian package)'
	@echo 'make fuzz     fuzz targets guided by coverage (libFuzzer), to be run by hand'
	@echo 'make coverage lines and branches that the tests reach, per folder'
	@echo 'make clean    removes $(BUILD)/'

products: $(OUT)/oxbow $(OUT)/liboxbow.a $(if $(BOEHM),,$(OUT)/liboxbow.so $(OUT)/oxbow-library.img)

# ---- stamps: files that change when flags or the set of objects change ----------------------------

FLAGS_NOW := $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL)
LINK_NOW := $(O) $(LIB_OBJECTS) $(CLI_OBJECTS) $(LDFLAGS) $(LIBS) $(CLI_LIBS)
write_if_changed = @mkdir -p $(@D); echo '$(1)' | cmp -s - $@ || echo '$(1)' > $@

$(O)/flags: FORCE
	$(call write_if_changed,$(FLAGS_NOW))
$(OUT)/.link: FORCE
	$(call write_if_changed,$(LINK_NOW))

# ---- objects --------------------------------------------------------------------------------------

# gcc's global common subexpression elimination joins the handlers' dispatches again: 8 % slower.
# Handlers that share a cache line with another's jumps cost quicksort up to 20 %, by chance of layout.
ifeq ($(IS_CLANG),0)
$(O)/runtime/interp.o: FILE_FLAGS := -fno-gcse
else
$(O)/runtime/interp.o: FILE_FLAGS := -falign-functions=64
endif

$(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(FILE_FLAGS) -MMD -MP -c -o $@ $<

# The part of the standard library that is written in Oxbow travels inside the library.
$(O)/gen/prelude.c: $(PRELUDE) $(O)/flags runtime/mk/embed.sh
	@mkdir -p $(@D)
	$(Q)sh runtime/mk/embed.sh prelude_text prelude_size $< > $@
$(O)/gen/std.c: $(STD) $(O)/flags runtime/mk/library.sh
	@mkdir -p $(@D)
	$(Q)sh runtime/mk/library.sh $(STD) > $@
$(O)/gen/std.o: $(O)/gen/std.c
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<
$(O)/gen/prelude.o: $(O)/gen/prelude.c
	$(call say,CC $(<F))
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

# Images are for builds of the same sources.
$(O)/gen/digest.c: $(DIGESTED) $(O)/flags runtime/mk/digest.sh
	@mkdir -p $(@D)
	$(Q)sh runtime/mk/digest.sh '$(VARIANT) $(sort $(FEATURES))' $(DIGESTED) > $@
$(O)/gen/digest.o: $(O)/gen/digest.c
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

# ---- products -------------------------------------------------------------------------------------

# One relocatable object whose hidden symbols are local: a static library that exports ox_* alone.
$(OUT)/liboxbow.a: $(LIB_OBJECTS) $(OUT)/.link
	@mkdir -p $(@D)
	$(call say,AR $@)
	$(Q)ld -r -o $(O)/liboxbow.o $(LIB_OBJECTS)
	$(Q)objcopy --localize-hidden $(O)/liboxbow.o
	@rm -f $@
	$(Q)ar rcs $@ $(O)/liboxbow.o

$(OUT)/liboxbow.so: $(LIB_OBJECTS) $(OUT)/.link runtime/mk/exports.map
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) -shared $(CFLAGS_ALL) $(LDFLAGS) -Wl,-soname,liboxbow.so.0 \
	  -Wl,--version-script=runtime/mk/exports.map -o $@ $(LIB_OBJECTS) $(LIBS)

$(OUT)/oxbow: $(CLI_OBJECTS) $(OUT)/liboxbow.a $(OUT)/.link
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS) `sh runtime/mk/relr.sh $(CC)` -o $@ $(CLI_OBJECTS) \
	  $(OUT)/liboxbow.a $(CLI_LIBS)

# What the command begins with, made by itself.
$(OUT)/oxbow-library.img: $(OUT)/oxbow
	$(call say,IMAGE $@)
	$(Q)$(OUT)/oxbow --make-library=$@

debug asan:
	@$(MAKE) --no-print-directory VARIANT=$@ products

# `run`, `test` and `bench` build with all processors, unless a -j was given.
build_all = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc)) \
  FEATURES="`sh runtime/mk/features.sh $(CC)`"

# ---- tests ----------------------------------------------------------------------------------------

# Unit tests reach into the library, so they link a plain archive; API tests and C examples see only
# what a host sees.
UNIT_TESTS := $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,$(wildcard tests/unit/*.c))
API_TESTS := $(patsubst tests/api/%.c,$(OUT)/tests/api/%,$(wildcard tests/api/*.c))
EMBED_EXAMPLES := $(patsubst examples/embed/%.c,$(OUT)/embed/%,$(wildcard examples/embed/*.c))
TEST_FLAGS = $(CPPFLAGS_ALL) -std=gnu11 $(CFLAGS) -fno-strict-aliasing -Wall -Wextra \
  $(VARIANT_FLAGS) -MMD -MP -MF $(O)/$(@F).d

tests: $(UNIT_TESTS) $(API_TESTS) $(EMBED_EXAMPLES) $(OUT)/tests/run_lang $(OUT)/tests/same

$(O)/libinternal.a: $(LIB_OBJECTS) $(OUT)/.link
	@rm -f $@
	$(Q)ar rcs $@ $(LIB_OBJECTS)

$(OUT)/tests/unit/%: tests/unit/%.c $(O)/libinternal.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(TEST_FLAGS) -I. -o $@ $< $(O)/libinternal.a $(LIBS) -lcriterion
# It refuses memory by itself.
REFUSED := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free
$(OUT)/tests/unit/test_gc_refused: LIBS += $(REFUSED)
$(OUT)/tests/api/%: tests/api/%.c $(OUT)/liboxbow.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(TEST_FLAGS) -o $@ $< $(OUT)/liboxbow.a $(LIBS) -lcriterion
$(OUT)/embed/%: examples/embed/%.c $(OUT)/liboxbow.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(TEST_FLAGS) -o $@ $< $(OUT)/liboxbow.a $(LIBS)
$(OUT)/tests/threads: tests/threads/threads.c $(OUT)/liboxbow.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(TEST_FLAGS) -o $@ $< $(OUT)/liboxbow.a $(LIBS)
$(OUT)/tests/same: tests/same/same.c $(OUT)/liboxbow.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(TEST_FLAGS) -o $@ $< $(OUT)/liboxbow.a $(LIBS)
$(OUT)/tests/run_lang: tests/runner/run_lang.c
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) -std=gnu11 -O2 -g -Wall -Wextra -o $@ $<

# Everything is built as released and under the sanitizers (for the part `threads` a third time,
# under ThreadSanitizer, for the part `boehm` on libgc), then tests/run.sh runs each part and adds up the counts. PART=... runs
# some parts only.
test:
	@sh tests/deps.sh test
	@$(build_all) check

check: products $(OUT)/tests/run_lang $(OUT)/tests/same $(OUT)/tests/limits $(OUT)/tests/api/api_rules $(EMBED_EXAMPLES) check-dispatch
	$(if $(filter rollback,$(or $(PART),rollback)),@$(MAKE) --no-print-directory $(OUT)/tests/unit/test_rollback)
	$(if $(filter plants,$(or $(PART),plants)),@$(MAKE) --no-print-directory plants)
	@$(MAKE) --no-print-directory VARIANT=asan products tests
	$(if $(filter threads,$(or $(PART),threads)),@$(MAKE) --no-print-directory VARIANT=tsan \
	  $(BUILD)/tsan/tests/threads)
	$(if $(filter boehm,$(or $(PART),boehm)),@$(MAKE) --no-print-directory BOEHM=1 $(BUILD)/boehm/oxbow)
	@sh tests/run.sh $(BUILD) $(PART)

# Each opcode must end in its own indirect jump: compilers like to join them, and that is slow.
check-dispatch: $(OUT)/oxbow
	@sh runtime/mk/check_dispatch.sh $(O)/runtime/interp.o $(CC) $(CPPFLAGS_ALL) -std=gnu11

run:
	@sh tests/deps.sh build
	@$(build_all) $(BUILD)/oxbow
	$(BUILD)/oxbow examples/tour.oxb

# The reference of the builtins, from the tables that they are registered in.
reference: $(OUT)/oxbow
	$(Q)$(OUT)/oxbow --reference > docs/reference.md

clean:
	rm -rf $(BUILD)

include runtime/mk/install.mk
include runtime/mk/robust.mk
include runtime/mk/plants.mk
include runtime/mk/bench_gc.mk
include runtime/mk/bench_images.mk
include runtime/mk/bench.mk
include runtime/mk/bench_snapshot.mk

-include $(LIB_OBJECTS:.o=.d) $(CLI_OBJECTS:.o=.d) $(wildcard $(O)/*.d)
