# What rbconsole costs against the raw protocol. Not part of `make check`: it needs a quiet machine.

BENCH := $(B)/bench-raw $(B)/bench-load
$(BENCH): $(B)/bench-%: tests/bench/%.c
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -o $@ $< -lhiredis -lpthread

bench: $(B)/rbconsole $(BENCH) ## backup, verify, snapshot, restore against the raw protocol; ROUNDS=7 PARTS="mixed cost"
	@ROUNDS=$(or $(ROUNDS),7) tests/bench/bench.sh

.PHONY: bench
