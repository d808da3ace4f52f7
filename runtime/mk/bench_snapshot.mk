# bench_snapshot.mk - `make bench-snapshot`: what snapshots, forks and images cost, beside fork(),
# copies of memory, deepcopy in Python and JSON, in one run (bench/snapshot/run.py). QUICK=1: smaller
# heaps, fewer rounds. ONLY=core,script: some sections only.

BENCH_SNAPSHOT := $(OUT)/bench-snapshot
BENCH_SNAPSHOT_FLAGS = -std=gnu11 -O2 -g -D_GNU_SOURCE -I. -Iinclude -fno-strict-aliasing -Wall -Wextra \
  -MMD -MP
bench_snapshot_programs := $(patsubst bench/snapshot/%.c,%,$(wildcard bench/snapshot/*.c))

.PHONY: bench-snapshot bench-snapshot-programs
bench-snapshot-programs: $(bench_snapshot_programs:%=$(BENCH_SNAPSHOT)/%)
bench-snapshot:
	@$(build_all) $(BUILD)/oxbow $(BUILD)/oxbow-library.img bench-snapshot-programs
	@$(build_all) BUILD=$(BUILD)/no-barrier CPPFLAGS=-DGC_NO_BARRIER $(BUILD)/no-barrier/oxbow
	python3 bench/snapshot/run.py --programs $(BUILD)/bench-snapshot --oxbow $(BUILD)/oxbow \
	  --no-barrier $(BUILD)/no-barrier/oxbow $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

# The server's Lua is optional (Debian package liblua5.4-dev).
ifneq ($(shell pkg-config --exists lua5.4 2>/dev/null && echo yes),)
$(BENCH_SNAPSHOT)/server: BENCH_SNAPSHOT_FLAGS += -DHAVE_LUA $(shell pkg-config --cflags lua5.4)
$(BENCH_SNAPSHOT)/server: LIBS += $(shell pkg-config --libs lua5.4)
endif

$(BENCH_SNAPSHOT)/%: bench/snapshot/%.c $(LIB_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(BENCH_SNAPSHOT_FLAGS) -o $@ $(filter %.c %.o,$^) $(LIBS)

-include $(wildcard $(BENCH_SNAPSHOT)/*.d)
