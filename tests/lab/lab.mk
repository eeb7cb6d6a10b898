# The lab's loader of sample data; independent of the product's archives on purpose.
LAB_SEED := $(B)/lab-seed

$(LAB_SEED): $(B)/tests/lab/seed.o $(B)/tests/lab/seed_wire.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ -lssl -lcrypto
