# robust.mk - tests of what must never happen: requests for memory that fail one by one (part
# `faults` of the tests), and programs, texts and API calls made at random (part `fuzz`). Both run
# under the sanitizers, so they are built with VARIANT=asan.

FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,$(OUT)/tests/fuzz/fuzz_%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_COMMON := tests/fuzz/driver.c tests/fuzz/fuzz.c tests/fuzz/mutate.c
ROBUST_TESTS := $(OUT)/tests/faults $(FUZZ_TARGETS)

tests: $(ROBUST_TESTS)

$(OUT)/tests/faults: tests/faults/faults.c tests/faults/inject.c $(O)/libinternal.a tests/faults/wrap.sh
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(filter-out -MMD -MP -MF $(O)/$(@F).d,$(TEST_FLAGS)) -I. \
	  `sh tests/faults/wrap.sh` -o $@ $(filter %.c,$^) $(O)/libinternal.a $(LIBS)

$(OUT)/tests/fuzz/%: tests/fuzz/%.c $(FUZZ_COMMON) $(O)/libinternal.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(filter-out -MMD -MP -MF $(O)/$(@F).d,$(TEST_FLAGS)) -I. -Itests/fuzz \
	  -o $@ $(filter %.c,$^) $(O)/libinternal.a $(LIBS)
