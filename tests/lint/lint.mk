# Lint: each step is one line; Debian 12's tool versions, skipped by name elsewhere.
SOURCES_ALL := $(shell find core tui views tests -name '*.c' 2>/dev/null | sort)
HEADERS_ALL := $(shell find core tui views tests -name '*.h' 2>/dev/null | sort)
TIDY := $(patsubst %.c,build/lint/%.tidy,$(SOURCES_ALL))
STEP := tests/lint/step
export RESULTS

lint: lint-format lint-layers lint-words lint-sizes lint-headers lint-faults lint-cppcheck lint-tidy ## format, layers, banned words, sizes, headers, faults table, cppcheck, clang-tidy

lint-format:
	@$(STEP) --tool clang-format 14 format clang-format --dry-run -Werror $(SOURCES_ALL) $(HEADERS_ALL)

lint-layers lint-words lint-sizes lint-headers lint-faults:
	@$(STEP) $(@:lint-%=%) tests/lint/$(@:lint-%=%).sh

lint-cppcheck:
	@mkdir -p build/lint/cppcheck
	@$(STEP) --tool cppcheck 2.10 cppcheck cppcheck --quiet --std=c11 -I. -D_GNU_SOURCE -j $(JOBS) \
	    --enable=warning,performance,portability --error-exitcode=1 --inline-suppr \
	    --suppressions-list=tests/lint/cppcheck.txt \
	    --cppcheck-build-dir=build/lint/cppcheck core tui views tests

# make itself runs the files side by side and again only when they or their headers changed.
lint-tidy tidy: ## clang-tidy, one call per file
	@$(STEP) --tool clang-tidy 14 clang-tidy tests/lint/tidy-all.sh

tidy-files: $(TIDY)
build/lint/%.tidy: %.c .clang-tidy tests/.clang-tidy
	@tests/lint/tidy.sh $< $@

# For layers.sh: "folder: what it may use", from the one table of the Makefile.
list-layers:
	@printf '%s\n' $(foreach f,$(FOLDERS),'$(f): $(DEPS_$(f))')

-include $(wildcard $(TIDY:=.d))
.PHONY: lint lint-format lint-layers lint-words lint-sizes lint-headers lint-faults lint-cppcheck lint-tidy tidy \
        tidy-files list-layers
