# The fault tests at full size, and the programs that tests/faults/detectors runs: tests linked with
# engines in which one detector (core/base/detector.h), or all of them, is switched off.
OFF := ROLE RUN_ID MAP EPOCH OPEN DIRTY CLAIM EVICTED ALL
OFF_TESTS_ALL := core/backup/it_backup core/backup/it_backup_moves
OFF_TESTS_CLAIM := core/restore/test_stream_claim
OFF_TESTS_EVICTED := core/restore/it_restore_limits
off_tests = $(or $(OFF_TESTS_$(1)),core/backup/test_detectors)
off_flag = $(if $(filter ALL,$(1)),-DDETECTORS=0,-DDETECTOR_$(1)=0)

# Only what looks at a detector is compiled again, and its folder's archive made again.
OFF_SOURCES := $(shell grep -l core/base/detector.h core/*/*.c | sort -u)
OFF_FOLDERS := $(sort $(patsubst %/,%,$(dir $(OFF_SOURCES))))
off_objects = $(patsubst %.c,$(B)/off/$(1)/%.o,$(OFF_SOURCES))
off_archive = $(B)/off/$(1)/lib$(subst /,-,$(2)).a
off_archives = $(foreach f,$(OFF_FOLDERS),$(call off_archive,$(1),$(f))) \
               $(filter-out $(foreach f,$(OFF_FOLDERS),$(call archive,$(f))),$(2))

define off_archive_rule
$(call off_archive,$(1),$(2)): $(call archive,$(2)) $(filter $(B)/off/$(1)/$(2)/%,$(call off_objects,$(1)))
	$(Q)cp $$< $$@ && ar r $$@ $$(filter %.o,$$^) 2>/dev/null
endef

define off_rules
$(call off_objects,$(1)): $(B)/off/$(1)/%.o: %.c
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(CPPFLAGS) $$(CFLAGS_ALL) $(call off_flag,$(1)) -MMD -MP -c -o $$@ $$<
$(foreach f,$(OFF_FOLDERS),$(eval $(call off_archive_rule,$(1),$(f))))
$(B)/off/$(1)/rbconsole: $(B)/views/main.o $(call off_archives,$(1),$(call archives,views))
	$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$< -Wl,--start-group $(call off_archives,$(1),$(call archives,views)) -Wl,--end-group $(call libs,views)
endef
OFF_PROGRAMS := $(B)/off/EVICTED/rbconsole
$(foreach d,$(OFF),$(eval $(call off_rules,$(d))))

define off_test
$(B)/off/$(1)/$(2): $(B)/tests/$(2).o $(call fixtures,tests/$(2).c) $(HARNESS) $(call off_archives,$(1),$(call archives,core/diff))
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) $(HARNESS) -Wl,--start-group $(call off_archives,$(1),$(call archives,core/diff)) $(call archive,core/base) -Wl,--end-group $(call libs,core/diff) $(LIBS_core/base) -lcmocka -lvterm -lutil
OFF_PROGRAMS += $(B)/off/$(1)/$(2)
endef
$(foreach d,$(OFF),$(foreach t,$(call off_tests,$(d)),$(eval $(call off_test,$(d),$(t)))))

off-programs: $(OFF_PROGRAMS)
fault-programs: $(B)/rbconsole $(filter $(B)/tests/faults/%,$(TESTS))

.PHONY: off-programs fault-programs
