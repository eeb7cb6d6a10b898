# Fuzzing by libFuzzer (clang), and the replay of the corpora that every build's tests run.
#   make fuzz SECONDS=20          every target for that long; T=record for one
# A finding is kept in build/fuzz/findings/<target>/; after the mend it becomes a corpus file.

SECONDS ?= 20
FUZZ_NAMES := record manifest gzip tar reply topology info sentinel xml aws_files config dotenv \
              job_files text snapshot diff
FUZZ_SAN := address,undefined
FUZZ_FOLDERS := core/diff $(DEPS_core/diff) core/config
FUZZ_A := $(sort $(foreach f,$(FUZZ_FOLDERS),$(call archive,$(f))))
FUZZ_LIBS := $(foreach f,$(FUZZ_FOLDERS),$(LIBS_$(f))) $(LIBS_core/base)
FUZZ_OBJECTS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/fuzz/target*.c))

# ---- replay: a test program like the others ------------------------------------------------------
FUZZ_TEST := $(B)/tests/fuzz/test_corpus
TESTS_C += tests/fuzz/test_corpus.c
TESTS += $(FUZZ_TEST)
$(FUZZ_TEST): $(B)/tests/fuzz/test_corpus.o $(FUZZ_OBJECTS) $(HARNESS) $(FUZZ_A)
	$(CC) $(LDFLAGS_ALL) -o $@ $< $(FUZZ_OBJECTS) $(HARNESS) -Wl,--start-group $(FUZZ_A) -Wl,--end-group $(FUZZ_LIBS) -lcmocka -lvterm -lutil
tests unit: $(FUZZ_TEST)
ifeq (,$(T))
test: $(FUZZ_TEST)
endif

# ---- the fuzzers: built by a make of their own, with clang ---------------------------------------
FUZZ_PROGRAMS := $(foreach n,$(FUZZ_NAMES),$(B)/tests/fuzz/fuzz-$(n))
$(B)/tests/fuzz/driver-%.o: tests/fuzz/driver.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -DFUZZ_TARGET=fuzz_$* -c -o $@ $<
$(FUZZ_PROGRAMS): $(B)/tests/fuzz/fuzz-%: $(B)/tests/fuzz/driver-%.o $(FUZZ_OBJECTS) $(FUZZ_A)
	$(CC) -fsanitize=fuzzer,$(FUZZ_SAN) -o $@ $< $(FUZZ_OBJECTS) -Wl,--start-group $(FUZZ_A) -Wl,--end-group $(FUZZ_LIBS)
fuzz-programs: $(FUZZ_PROGRAMS)

fuzz: ## fuzz every parser of outside bytes; SECONDS=20 for each, T=record for one
	@$(MAKE) --no-print-directory MODE=fuzz CC=clang fuzz-programs \
	    CFLAGS='-O1 -fsanitize=fuzzer-no-link,$(FUZZ_SAN) -fno-sanitize-recover=all'
	@tests/fuzz/run $(SECONDS) $(or $(T),$(FUZZ_NAMES))

.PHONY: fuzz fuzz-programs
