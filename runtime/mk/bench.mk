# bench.mk - `make bench` and its relatives; docs/performance.md says what they show. ROUNDS=N runs
# each program N times. The collector has its own, bench_gc.mk, whose programs of scope frames are
# used here as well.

.PHONY: bench bench-more bench-peers bench-frames bench-memory
ROUNDS ?= 5
bench_run = python3 bench/run.py --oxbow $(BUILD)/oxbow --rounds $(ROUNDS)

bench bench-more:
	@sh tests/deps.sh bench
	@$(build_all) $(BUILD)/oxbow check-dispatch
	$(if $(filter bench,$@),@sh bench/startup.sh $(BUILD)/oxbow)
	$(bench_run) --set $(if $(filter bench-more,$@),more,programs)

# All programs against other languages, as the tables of docs/performance.md.
bench-peers:
	@sh tests/deps.sh bench-peers
	@$(build_all) $(BUILD)/oxbow check-dispatch
	python3 bench/peers.py --oxbow $(BUILD)/oxbow --rounds $(ROUNDS)

# Start-up, peak memory, and bytes of heap per closure, against Lua.
bench-memory:
	@sh tests/deps.sh bench
	@$(build_all) $(BUILD)/oxbow
	@sh bench/startup.sh $(BUILD)/oxbow
	python3 bench/memory.py --oxbow $(BUILD)/oxbow

# A scope frame beside a bump pointer, malloc and free of glibc and mimalloc, and Boehm's collector.
FRAMES := $(foreach m,bump oxbow glibc mimalloc boehm,$(BENCH_GC)/frames-$(m))
bench-frames:
	@sh tests/deps.sh bench-gc
	@$(build_all) $(FRAMES)
	python3 bench/frames.py --programs $(BUILD)/bench-gc --rounds $(ROUNDS)
$(BENCH_GC)/frames-bump: bench/gc/frames.c
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(BENCH_GC_FLAGS) -DUSE_BUMP -DUSE_MALLOC -o $@ $<
