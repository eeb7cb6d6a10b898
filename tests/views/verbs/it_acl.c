/* The three ACL users of docs/acl.md: each can do its work on real servers, and no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "tests/harness/cli_run.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"

#define PATH_SIZE 600

struct world {
    struct lab *lab;
    char archive[PATH_SIZE]; /* written by the user `backup` */
};

static int open_world(void **state)
{
    static struct world w;

    w.lab = lab_start(&(struct lab_options){.acl = true});
    if (w.lab == NULL || !lab_seed(w.lab, 1000))
        return -1;
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    const struct world *w = *state;

    lab_stop(w->lab);
    return 0;
}

/* What a refused backup has begun is gone again. */
static void expect_no_backups(const struct lab *lab)
{
    char *dir = file_join(lab_dir(lab), "backups");
    struct error err = {0};
    char **names = NULL;
    size_t count = 0;

    assert_true(!file_exists(dir) || file_list(dir, &names, &count, &err));
    assert_int_equal(count, 0);
    file_list_free(names, count);
    free(dir);
}

static void the_user_monitor_watches_everything_and_reads_no_key(void **state)
{
    static const char *const looks[] = {"status", "check", "nodes", "slots"};
    const struct world *w = *state;
    struct proc_result r;

    for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
        cli_run(w->lab, NULL, &r, looks[i], "-e", "monitor", NULL);
        cli_expect(&r, 0, NULL, NULL);
        assert_string_equal(r.err, "");
        assert_null(strstr(r.out, "NOPERM"));
        proc_result_release(&r);
    }
    cli_run(w->lab, NULL, &r, "backup", "-e", "monitor", "--no-upload", NULL);
    cli_expect(&r, 4, NULL, "NOPERM");
    proc_result_release(&r);
    expect_no_backups(w->lab);
}

static void the_user_backup_reads_every_key_and_writes_none(void **state)
{
    struct world *w = *state;
    struct proc_result r;
    const char *at;

    cli_run(w->lab, NULL, &r, "backup", "-e", "backup", NULL);
    cli_expect(&r, 0, "Archive: ", NULL);
    at = strstr(r.out, "Archive: ") + strlen("Archive: ");
    (void)snprintf(w->archive, sizeof(w->archive), "%.*s", (int)strcspn(at, "\n"), at);
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "verify", "-e", "backup", "-i", w->archive, "--full", "--extra",
            NULL);
    cli_expect(&r, 0, " unreadable=0", NULL);
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "restore", "-e", "backup", "-i", w->archive, "--overwrite", NULL);
    cli_expect(&r, 4, NULL, "NOPERM");
    proc_result_release(&r);
}

static void the_user_restore_puts_every_key_back(void **state)
{
    const struct world *w = *state;
    struct proc_result r;

    assert_int_not_equal(w->archive[0], '\0');
    for (size_t i = 0; i < lab_shards(w->lab); i++) {
        char *answer = lab_cli(w->lab, (size_t)lab_primary_of(w->lab, i), "FLUSHALL", NULL);

        assert_non_null(answer);
        assert_string_equal(answer, "OK");
        free(answer);
    }
    cli_run(w->lab, NULL, &r, "restore", "-e", "restore", "-i", w->archive, "--overwrite", NULL);
    cli_expect(&r, 0, " failed=0 ", NULL);
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "verify", "-e", "restore", "-i", w->archive, "--full", NULL);
    cli_expect(&r, 0, " differs=0 missing=0 ", NULL);
    proc_result_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_user_monitor_watches_everything_and_reads_no_key),
        cmocka_unit_test(the_user_backup_reads_every_key_and_writes_none),
        cmocka_unit_test(the_user_restore_puts_every_key_back),
    };
    return cmocka_run_group_tests_name("acl", tests, open_world, close_world);
}
