# bench_gc.mk - `make bench-gc`: the collector and the allocators against Boehm's collector, glibc's
# malloc, mimalloc and jemalloc, in one run (bench/gc/run.py). QUICK=1: fewer rounds, smaller heaps.
# ONLY=trees,mark: some sections only.
#
# Each program of bench/gc is built once per memory manager, as PROGRAM-MANAGER.

BENCH_GC := $(OUT)/bench-gc
BENCH_GC_OURS := gcbench trees mark frames pauses minor policy churn
BENCH_GC_BOEHM := gcbench trees mark frames pauses
BENCH_GC_TYPED := gcbench trees mark
BENCH_GC_MALLOC := gcbench trees frames churn
BENCH_GC_FLAGS = -std=gnu11 -O2 -g -D_GNU_SOURCE -I. -fno-strict-aliasing -Wall -Wextra -MMD -MP

bench_gc_programs := churn-collect service-oxbow $(foreach p,$(BENCH_GC_OURS),$(p)-oxbow) \
  $(foreach p,$(BENCH_GC_BOEHM),$(p)-boehm) $(foreach p,$(BENCH_GC_TYPED),$(p)-typed) \
  $(foreach m,glibc mimalloc jemalloc,$(foreach p,$(BENCH_GC_MALLOC),$(p)-$(m)))

.PHONY: bench-gc bench-gc-programs
bench-gc-programs: $(bench_gc_programs:%=$(BENCH_GC)/%)
bench-gc:
	@sh tests/deps.sh bench-gc
	@$(build_all) $(BUILD)/oxbow bench-gc-programs
	@$(build_all) BOEHM=1 $(BUILD)/boehm/oxbow
	python3 bench/gc/run.py --programs $(BUILD)/bench-gc --oxbow $(BUILD)/oxbow \
	  --boehm $(BUILD)/boehm/oxbow \
	  $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

$(BENCH_GC)/%-oxbow: bench/gc/%.c $(filter $(O)/gc/%,$(LIB_OBJECTS))
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(BENCH_GC_FLAGS) -o $@ $(filter %.c %.o,$^)
# A program, on the whole library.
$(BENCH_GC)/service-oxbow: bench/gc/service.c $(OUT)/liboxbow.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(BENCH_GC_FLAGS) -o $@ $(filter %.c %.a,$^) $(LIBS)
$(BENCH_GC)/%-collect: bench/gc/%.c $(filter $(O)/gc/%,$(LIB_OBJECTS))
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(BENCH_GC_FLAGS) -DCOLLECT -o $@ $(filter %.c %.o,$^)
$(BENCH_GC)/%-boehm: bench/gc/%.c
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(BENCH_GC_FLAGS) -DUSE_BOEHM -o $@ $< -lgc
$(BENCH_GC)/%-typed: bench/gc/%.c
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(BENCH_GC_FLAGS) -DUSE_BOEHM -DTYPED -o $@ $< -lgc
$(BENCH_GC)/%-glibc: bench/gc/%.c
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(BENCH_GC_FLAGS) -DUSE_MALLOC -o $@ $<
$(BENCH_GC)/%-mimalloc: bench/gc/%.c
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(BENCH_GC_FLAGS) -DUSE_MALLOC -o $@ $< -Wl,--no-as-needed -lmimalloc
$(BENCH_GC)/%-jemalloc: bench/gc/%.c
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(BENCH_GC_FLAGS) -DUSE_MALLOC -o $@ $< -Wl,--no-as-needed -ljemalloc

-include $(wildcard $(BENCH_GC)/*.d)
