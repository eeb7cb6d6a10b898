# Set-up, lab, tests, the operators' short forms, install. `make help` prints the lines with ##.

JOBS ?= $(shell nproc 2>/dev/null || echo 2)
LAB := tests/lab/lab
LAB_PORT ?= 7001
LAB_DIR ?= build/lab
LAB_FLAGS ?=
SIZE ?= 10000
PREFIX ?= /usr/local

help: ## this list
	@awk -F ':.*## ' '/^[a-z%][a-zA-Z0-9%. -]*:.*## / { printf "  %-26s %s\n", $$1, $$2 }' \
	    Makefile tests/tests.mk tests/lint/lint.mk

deps: ## install what is missing (apt) and fetch the lab's servers
	@tests/lab/deps.sh

seed-loader: $(B)/lab-seed

# ---- tests ---------------------------------------------------------------------------------------
check: ## everything from a fresh machine: deps, lint, gcc, clang, all tests, sanitizers
	@tests/check

T ?=
SEED ?=
RUNS ?=
check-faults: ## the fault tests at full size (an hour and a half); T=wire for one, SEED= RUNS= its seeds
	@T='$(T)' SEED='$(SEED)' RUNS='$(RUNS)' tests/faults/check

S3_TESTS := core/s3/it_s3 core/store/it_store_s3 core/store/it_store_again core/backup/it_backup_upload \
            views/verbs/it_list views/verbs/it_delete views/verbs/it_orphans views/screens/screen_backups
check-s3: $(B)/rbconsole $(S3_TESTS:%=$(B)/tests/%) seed-loader ## the tests that use S3 again, on the newest radosgw (20)
	@tests/lab/deps.sh lab s3
	@RBCONSOLE_LAB_S3=ceph20 tests/run $(S3_TESTS:%=$(B)/tests/%)

list-tests:
	@printf '%s\n' $(patsubst %.c,%,$(TESTS_C))

test: $(if $(T),$(B)/$(T),$(TESTS)) seed-loader ## unit and integration tests; T=tests/core/redis/test_slot for one
	@tests/run $(if $(T),$(B)/$(T),$(TESTS))

unit: $(filter $(B)/%,$(foreach t,$(TESTS),$(if $(filter test_%,$(notdir $(t))),$(t)))) ## unit tests only
	@tests/run $^

asan: ## all tests with address and undefined-behaviour sanitizers
	@FULL=1 CHECK=asan tests/check

tsan: ## all tests with the thread sanitizer
	@FULL=1 CHECK=tsan tests/check

# ---- the lab ---------------------------------------------------------------------------------------
demo: ## from a fresh machine to the open console on a live cluster with data and S3
	@tests/lab/deps.sh build lab
	@$(MAKE) $(if $(filter 1,$(V)),,-s) --no-print-directory -j$(JOBS) all seed-loader
	@$(LAB) up --dir $(LAB_DIR) --port $(LAB_PORT) --s3 $(LAB_FLAGS)
	@test -e $(LAB_DIR)/seeded || { $(LAB) seed $(SIZE) --dir $(LAB_DIR) && touch $(LAB_DIR)/seeded; }
	@$(B)/rbconsole -c $(LAB_DIR)/config.json
	@echo "the lab still runs: 'make demo' opens the console again, 'make down' ends it"

up lab-up: ## start the lab; LAB_FLAGS='--s3 --tls …', LAB_PORT=7001
	@tests/lab/deps.sh lab
	@$(LAB) up --dir $(LAB_DIR) --port $(LAB_PORT) $(LAB_FLAGS)

down lab-down: ## stop it; its data stays
	@$(LAB) down --dir $(LAB_DIR)

lab-seed: seed-loader ## sample data of every type; SIZE=10000 keys of each big type
	@$(LAB) seed $(SIZE) --dir $(LAB_DIR)

status lab-status: ## its nodes
	@$(LAB) status --dir $(LAB_DIR)

logs: ## follow the servers' logs
	@$(LAB) logs -f --dir $(LAB_DIR)

clean: ## stop the lab and remove its data
	@$(LAB) down --wipe --dir $(LAB_DIR)

distclean: clean clean-build ## and everything built or fetched
	rm -rf build

# ---- the operators' short forms: the environment's name is part of the target's ------------------
# S3_URI and BACKUP_DIR given to make reach the program through the environment, quoting and all.
RB = $(B)/rbconsole $${CONFIG:+-c "$$CONFIG"}
PASSED = $${MATCH:+--match "$$MATCH"} $${CONFIRM:+--confirm "$$CONFIRM"}
PROFILE_ENV = $(or $(ENV),$(ENV_PROFILE),local)
RESTORE = --overwrite --recreate-stream-groups $${TTL:+--ttl "$$TTL"} $(PASSED)
VERIFY = test -n "$$INPUT_DIR" || { echo "INPUT_DIR=… is missing" >&2; exit 2; }; \
    $(RB) -e $* verify -i "$$INPUT_DIR" $${SAMPLE:+--sample "$$SAMPLE"}
BACKUP = $${CHUNK_KEYS:+--chunk-keys "$$CHUNK_KEYS"} $(PASSED)
FORCE:

backup-%: FORCE $(B)/rbconsole ## back up environment %; MATCH= CHUNK_KEYS= BACKUP_DIR= S3_URI=
	@$(RB) -e $* backup $(BACKUP)

backup-%-profile: FORCE $(B)/rbconsole
	@$(RB) -e $* backup $(BACKUP)

%-backup: FORCE $(B)/rbconsole
	@$(RB) -e $* backup $(BACKUP)

list-backups-%: FORCE $(B)/rbconsole ## backups in S3 and on disk
	@$(RB) -e $* list

list-backups-profile: FORCE $(B)/rbconsole
	@$(RB) -e $(PROFILE_ENV) list

restore-latest-%: FORCE $(B)/rbconsole ## the newest complete backup; TTL= MATCH= CONFIRM=
	@$(RB) -e $* restore --from-s3 latest $(RESTORE)

restore-latest-profile: FORCE $(B)/rbconsole
	@$(RB) -e $(PROFILE_ENV) restore --from-s3 latest $(RESTORE)

restore-id-%: FORCE $(B)/rbconsole ## one backup; BACKUP_ID=…
	@test -n "$$BACKUP_ID" || { echo "BACKUP_ID=… is missing" >&2; exit 2; }
	@$(RB) -e $* restore --from-s3 "$$BACKUP_ID" $(RESTORE)

verify-%: FORCE $(B)/rbconsole ## a backup against the live data; INPUT_DIR=… SAMPLE=…
	@$(VERIFY)

%-verify: FORCE $(B)/rbconsole
	@$(VERIFY)

test-cluster-%: FORCE $(B)/rbconsole ## functional test of the cluster
	@$(RB) -e $* test

poll-cluster-%: FORCE $(B)/rbconsole ## load and latency for a minute
	@$(RB) -e $* poll

# ---- install ---------------------------------------------------------------------------------------
MAN := $(PREFIX)/share/man/man1/rbconsole.1
BASH_COMPLETION := $(PREFIX)/share/bash-completion/completions/rbconsole
ZSH_COMPLETION := $(PREFIX)/share/zsh/site-functions/_rbconsole
FISH_COMPLETION := $(PREFIX)/share/fish/vendor_completions.d/rbconsole.fish

install: $(B)/rbconsole ## into PREFIX (/usr/local), DESTDIR respected
	install -D -m 755 $(B)/rbconsole $(DESTDIR)$(PREFIX)/bin/rbconsole
	install -d $(DESTDIR)$(PREFIX)/share/rbconsole/themes
	install -m 644 themes/*.json $(DESTDIR)$(PREFIX)/share/rbconsole/themes/
	@mkdir -p $(B)/share
	$(B)/rbconsole _docs man >$(B)/share/rbconsole.1
	$(B)/rbconsole _docs bash >$(B)/share/rbconsole.bash
	$(B)/rbconsole _docs zsh >$(B)/share/_rbconsole
	$(B)/rbconsole _docs fish >$(B)/share/rbconsole.fish
	install -D -m 644 $(B)/share/rbconsole.1 $(DESTDIR)$(MAN)
	install -D -m 644 $(B)/share/rbconsole.bash $(DESTDIR)$(BASH_COMPLETION)
	install -D -m 644 $(B)/share/_rbconsole $(DESTDIR)$(ZSH_COMPLETION)
	install -D -m 644 $(B)/share/rbconsole.fish $(DESTDIR)$(FISH_COMPLETION)

uninstall: ## take it away again
	rm -rf $(DESTDIR)$(PREFIX)/bin/rbconsole $(DESTDIR)$(PREFIX)/share/rbconsole
	rm -f $(addprefix $(DESTDIR),$(MAN) $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION))

.PHONY: help deps seed-loader check check-faults check-s3 list-tests test unit asan tsan demo up lab-up down lab-down \
        lab-seed status lab-status logs clean distclean install uninstall FORCE
