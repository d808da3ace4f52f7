# robust.mk - tests of what must never happen: requests for memory that fail one by one (part
# `faults` of the tests), programs that try to escape their limits (part `limits`, which also runs as
# released), and programs, texts and API calls made at random (part `fuzz`). They run under the
# sanitizers, so they are built with VARIANT=asan.

FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,$(OUT)/tests/fuzz/fuzz_%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_COMMON := tests/fuzz/driver.c tests/fuzz/fuzz.c
ROBUST_TESTS := $(OUT)/tests/faults $(OUT)/tests/limits $(FUZZ_TARGETS)

tests: $(ROBUST_TESTS)

$(OUT)/tests/faults: tests/faults/faults.c tests/faults/inject.c $(O)/libinternal.a tests/faults/wrap.sh
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(filter-out -MMD -MP -MF $(O)/$(@F).d,$(TEST_FLAGS)) -I. \
	  `sh tests/faults/wrap.sh` -o $@ $(filter %.c,$^) $(O)/libinternal.a $(LIBS)

$(OUT)/tests/limits: tests/limits/limits.c $(OUT)/liboxbow.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(filter-out -MMD -MP -MF $(O)/$(@F).d,$(TEST_FLAGS)) -o $@ $< $(OUT)/liboxbow.a $(LIBS)

# With VARIANT=fuzz libFuzzer drives the targets and learns which inputs reach new code; elsewhere
# driver.c does, and learns nothing.
ifeq ($(VARIANT),fuzz)
FUZZ_COMMON := $(filter-out %/driver.c,$(FUZZ_COMMON))
$(OUT)/tests/fuzz/%: LDFLAGS += -fsanitize=fuzzer
endif

# Programs are mutated token by token, sequences of API calls byte by byte.
$(OUT)/tests/fuzz/fuzz_compile $(OUT)/tests/fuzz/fuzz_run: tests/fuzz/mutate.c

$(OUT)/tests/fuzz/%: tests/fuzz/%.c $(FUZZ_COMMON) tests/fuzz/fuzz.h $(O)/libinternal.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(filter-out -MMD -MP -MF $(O)/$(@F).d,$(TEST_FLAGS)) $(LDFLAGS) -I. -Itests/fuzz \
	  -o $@ $(filter %.c,$^) $(O)/libinternal.a $(LIBS)

.PHONY: fuzz fuzz-targets
fuzz-targets: $(FUZZ_TARGETS)

# Targets guided by coverage, for long runs by hand; tests/fuzz/run.sh starts them.
fuzz:
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzz-targets
	@echo 'now: sh tests/fuzz/run.sh compile|run|api|image [MINUTES [CORPUS]]'

# Which lines and branches the tests reach. COVERAGE_LIST=1 also names the lines that they do not.
COVERAGE_PARTS := unit api lang spec examples embed docs cli faults
.PHONY: coverage
coverage:
	@sh tests/deps.sh test
	@$(MAKE) --no-print-directory VARIANT=cov products tests
	@find $(BUILD)/obj/cov-gcc $(BUILD)/cov -name '*.gcda' -delete
	-@CC="gcc --coverage" sh tests/run.sh --alone $(BUILD)/cov $(or $(PART),$(COVERAGE_PARTS))
	@rm -f ./-.gcno # of a program that a test hands to the compiler through a pipe
	$(if $(COVERAGE_LIST),@sh tests/coverage.sh $(BUILD)/obj/cov-gcc --list)
	@sh tests/coverage.sh $(BUILD)/obj/cov-gcc

# Everything that tests/same/same.c can run, in builds by two compilers and under the sanitizers.
SAME_BUILDS := $(BUILD)/gcc/tests/same $(BUILD)/clang/tests/same $(BUILD)/asan/tests/same
.PHONY: same
same:
	@$(MAKE) --no-print-directory VARIANT=asan $(BUILD)/asan/tests/same
	@$(MAKE) --no-print-directory CC=gcc BUILD=$(BUILD)/gcc $(BUILD)/gcc/tests/same
	@$(MAKE) --no-print-directory CC=clang BUILD=$(BUILD)/clang $(BUILD)/clang/tests/same
	@sh tests/same/run.sh tests/lang examples bench tests/fuzz/corpus -- $(SAME_BUILDS)
