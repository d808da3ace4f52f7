# plants.mk - the part `plants` of the tests: for each mistake of gc/plant.h a program of unit tests
# whose collector makes it, in $(OUT)/plants/. tests/plants/rows.txt says which has to notice.

PLANT_NAMES := $(shell sed -n 's/^  PLANT_\([A-Z_]*\).*,.*/\1/p' gc/plant.h)
PLANT_TESTS := test_gc_collect test_gc_fork test_gc_snapshot test_gc_refused test_rollback
PLANT_OBJECTS := $(PLANT_TESTS:%=$(O)/plants/%.o)

.PHONY: plants
plants: $(PLANT_NAMES:%=$(OUT)/plants/%)

$(O)/plants/%.o: tests/unit/%.c $(O)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -g0 -I. -MMD -MP -c -o $@ $<

# Only the files that can make the mistake are compiled again; the rest is the library.
$(OUT)/plants/%: $(O)/libinternal.a $(PLANT_OBJECTS) gc/plant.h
	@mkdir -p $(@D)
	$(call say,PLANT $*)
	$(Q)objects=; for source in `grep -l 'PLANTED($*)' gc/*.c`; do \
	  object=$(O)/plants/$*-`basename $$source .c`.o; \
	  $(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -O1 -g0 -DPLANT=PLANT_$* -c -o $$object $$source || exit 1; \
	  objects="$$objects $$object"; done; \
	$(CC) $(CFLAGS_ALL) $(LDFLAGS) -s -o $@ $(PLANT_OBJECTS) $$objects $(O)/libinternal.a $(REFUSED) \
	  $(LIBS) -lcriterion

.SECONDARY: $(PLANT_OBJECTS)
-include $(PLANT_OBJECTS:.o=.d)
