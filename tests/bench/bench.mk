# What rbconsole costs against the raw protocol. Not part of `make check`: it needs a quiet machine.

$(B)/bench-raw: tests/bench/raw.c
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -o $@ $< -lhiredis -lpthread

bench: $(B)/rbconsole $(B)/bench-raw ## ratios of backup, verify, restore to the raw protocol; ROUNDS=7 SIZE=100000
	@ROUNDS=$(or $(ROUNDS),7) SIZE=$(if $(filter 10000,$(SIZE)),100000,$(SIZE)) tests/bench/bench.sh

.PHONY: bench
