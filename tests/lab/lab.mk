# The lab's loader of sample data; independent of the product's archives on purpose.
LAB_SEED := $(B)/lab-seed

$(LAB_SEED): $(B)/tests/lab/seed.o $(B)/tests/lab/seed_wire.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ -lssl -lcrypto

# The pictures of the documentation.
$(B)/lab-picture: $(B)/tests/lab/picture.o $(HARNESS) $(call archive,tui) $(call archive,core/base)
	$(call say,LINK,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS_core/base) -lcmocka -lvterm -lutil

picture: $(B)/rbconsole $(B)/lab-picture seed-loader
	@mkdir -p docs/screens
	@RBCONSOLE=$(B)/rbconsole $(B)/lab-picture docs/screens

.PHONY: picture
