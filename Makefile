# rbconsole: one non-recursive build. `make help` lists the targets.
#
#   make MODE=debug|asan|tsan|cov|release   one build per folder under build/
#
# Each source folder becomes one static archive; DEPS below says which archives it may use, and a
# test program links exactly its folder's archive and those: a wrong arrow does not link.

MODE ?= release
ifeq ($(origin CC),default)
CC := gcc
endif
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf "  %-5s %s\n" $(1) $(2))
B := build/$(MODE)

all: $(B)/rbconsole

# ---- folders, what each may use, and the system libraries it needs -----------------------------
ENGINES := core/backup core/restore core/verify core/snapshot core/diff
FOLDERS := core/base core/config core/net core/redis core/s3 core/store core/codec core/jobs \
           core/record core/value core/archive $(ENGINES) core/monitor tui views

DEPS_core/base    :=
DEPS_core/config  := core/base
DEPS_core/net     := core/base
DEPS_core/redis   := core/net core/base
DEPS_core/s3      := core/net core/base
DEPS_core/store   := core/s3 core/net core/base
DEPS_core/codec   := core/base
DEPS_core/jobs    := core/base
DEPS_core/record  := core/redis core/net core/base
DEPS_core/value   := core/record $(DEPS_core/record)
DEPS_core/archive := core/record core/redis core/store core/s3 core/codec core/jobs core/net core/base
DEPS_core/backup  := core/value core/archive $(DEPS_core/archive)
DEPS_core/restore := $(DEPS_core/backup)
DEPS_core/verify  := core/restore $(DEPS_core/restore)
DEPS_core/snapshot := core/backup $(DEPS_core/backup)
DEPS_core/diff    := core/verify core/snapshot core/backup $(DEPS_core/verify)
DEPS_core/monitor := core/redis core/net core/base
DEPS_tui          := core/base
DEPS_views        := tui core/monitor core/config core/diff $(DEPS_core/diff)

LIBS_core/base    := -ljansson -lm -lpthread
LIBS_core/net     := -lssl -lcrypto
LIBS_core/redis   := -lhiredis
LIBS_core/s3      := -lcurl -lexpat -lcrypto
LIBS_core/codec   := -larchive -lz -ldeflate -lcrypto
LIBS_core/jobs    := -lcrypto
LIBS_core/record  := -lxxhash
LIBS_core/value   := -lxxhash
LIBS_tui          := -lncursesw -ltinfo

# ---- flags ------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wcast-qual -Wformat=2 -Wstrict-prototypes \
        -Wmissing-prototypes -Wold-style-definition -Wredundant-decls -Wwrite-strings \
        -Wpointer-arith -Wvla -Wundef -Wnull-dereference -Wdouble-promotion -Wfloat-equal \
        -Wimplicit-fallthrough -Wno-missing-field-initializers
ifneq (,$(findstring clang,$(CC)))
WARN += -Wcomma -Wunreachable-code -Wconditional-uninitialized -Wextra-semi-stmt \
        -Wmissing-variable-declarations
else
WARN += -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Walloc-zero -Wjump-misses-init \
        -Wformat-signedness -Wcast-align=strict
endif

HARDEN_release := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
OPT_release := -O2
OPT_debug   := -O0
OPT_asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
OPT_tsan    := -O1 -fsanitize=thread
OPT_cov     := -O0 --coverage
LINK_asan   := -fsanitize=address,undefined
LINK_tsan   := -fsanitize=thread
LINK_cov    := --coverage
LINK_release := -Wl,-z,relro,-z,now

ifdef WERROR
WARN += -Werror
endif
VERSION := 0.1.0
CPPFLAGS += -I. -D_GNU_SOURCE -DRBCONSOLE_VERSION='"$(VERSION)"'
CFLAGS_ALL := -std=c11 -g -fno-omit-frame-pointer -fPIE $(OPT_$(MODE)) $(HARDEN_$(MODE)) $(WARN) $(CFLAGS)
LDFLAGS_ALL := -pie $(LINK_$(MODE)) -Wl,--as-needed $(LDFLAGS)

# ---- objects and archives ---------------------------------------------------------------------
# views/ has sub-folders (screens, verbs) that belong to the same archive.
sources = $(wildcard $(1)/*.c) $(if $(filter views,$(1)),$(wildcard views/screens/*.c views/verbs/*.c))
objects = $(patsubst %.c,$(B)/%.o,$(filter-out views/main.c,$(call sources,$(1))))
archive = $(B)/lib$(subst /,-,$(1)).a
archives = $(foreach f,$(1) $(DEPS_$(1)),$(call archive,$(f)))
libs = $(foreach f,$(1) $(DEPS_$(1)),$(LIBS_$(f)))

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

define folder_rules
$(call archive,$(1)): $(call objects,$(1))
	@mkdir -p $$(@D) && rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

$(B)/rbconsole: $(B)/views/main.o $(call archives,views)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< -Wl,--start-group $(call archives,views) -Wl,--end-group $(call libs,views)

# ---- tests: tests/<folder>/test_*.c (unit), it_*.c (real servers), screen_*.c (real terminal) --
HARNESS := $(B)/libtests-harness.a
$(HARNESS): $(patsubst %.c,$(B)/%.o,$(wildcard tests/harness/*.c))
	@mkdir -p $(@D) && rm -f $@
	$(Q)ar rcs $@ $^

# The folder under test: tests/core/redis/test_slot.c -> core/redis; tests/e2e, tests/faults and
# tests/views get all, the tests of the lab and its helpers only core/base. The engines' tests on
# real servers (back up, restore, verify) get all engines, and share the fixtures in tests/engine.
engine_it = $(filter $(foreach f,$(ENGINES),tests/$(f)/it_%),$(1))
test_folder = $(if $(filter tests/views/% tests/e2e/% tests/faults/%,$(1)),views,$(if $(call engine_it,$(1)),core/diff,$(if $(filter tests/lab/%,$(1)),core/base,$(patsubst tests/%,%,$(patsubst %/,%,$(dir $(1)))))))
TESTS_C := $(wildcard $(foreach f,$(FOLDERS) views/screens views/verbs e2e lab faults,tests/$(f)/test_*.c tests/$(f)/it_*.c tests/$(f)/screen_*.c))
TESTS := $(patsubst %.c,$(B)/%,$(TESTS_C))

# fixture_*.c is what several tests of one folder share.
fixtures = $(patsubst %.c,$(B)/%.o,$(wildcard $(dir $(1))fixture_*.c \
           $(if $(filter tests/faults/%,$(1))$(call engine_it,$(1)),tests/engine/fixture_*.c)))

define test_rules
$(B)/$(1:.c=): $(B)/$(1:.c=.o) $(call fixtures,$(1)) $(HARNESS) $(call archives,$(call test_folder,$(1)))
	$$(call say,LINK,$$@)
	$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) $(HARNESS) -Wl,--start-group $(call archives,$(call test_folder,$(1))) $(call archive,core/base) -Wl,--end-group $(call libs,$(call test_folder,$(1))) $(LIBS_core/base) -lcmocka -lvterm -lutil
endef
$(foreach t,$(TESTS_C),$(eval $(call test_rules,$(t))))

tests: $(TESTS)

docs: $(B)/rbconsole ## renew what is generated in docs/ and README.md
	docs/update $(B)/rbconsole

clean-build:
	rm -rf build/release build/debug build/asan build/tsan build/cov

.PHONY: all tests docs clean-build
.SECONDARY:

-include $(wildcard tests/lint/lint.mk tests/lab/lab.mk tests/tests.mk tests/fuzz/fuzz.mk tests/bench/bench.mk tests/faults/faults.mk)
-include $(shell find $(B) -name '*.d' 2>/dev/null)
