/*
 * test_checkpoint.c - what a backup's checkpoint tells after something went wrong with writing it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "core/backup/checkpoint.h"
#include "core/base/attr.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "tests/harness/tmpdir.h"

static struct error why;

static json_t *slots(const char *text)
{
    json_t *doc = json_object();

    json_put_text(doc, "slots", text);
    return doc;
}

/* No file may grow beyond that; 0: as large as it likes. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes > 0 ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

struct seen {
    unsigned lines;
    bool dirty;
};

static bool look(void *arg, const char *kind, const json_t *line, struct error *err UNUSED)
{
    struct seen *seen = arg;

    seen->lines++;
    if (strcmp(kind, "dirty") == 0)
        seen->dirty = strcmp(json_text(line, "slots", ""), "7") == 0;
    return true;
}

/* A full disk takes half of one line; the next one, once there is room, must be read. */
static void a_line_behind_a_torn_one_is_whole(void **state UNUSED)
{
    const char *dir = tmpdir_new();
    struct checkpoint *c = NULL;
    struct seen seen = {0};

    assert_true(checkpoint_open(dir, &c, &why));
    assert_true(checkpoint_add(c, "mark", slots("1"), &why));
    limit_files((rlim_t)file_size(tmpdir_path(dir, CHECKPOINT_NAME)) + 10);
    assert_false(checkpoint_add(c, "mark", slots("2"), &why));
    limit_files(0);
    assert_true(checkpoint_add(c, "dirty", slots("7"), &why));
    checkpoint_close(c);
    assert_true(checkpoint_read(dir, look, &seen, &why));
    assert_int_equal(seen.lines, 2);
    assert_true(seen.dirty);
}

/* A killed run leaves half of a line; the next run begins a line of its own. */
static void a_run_after_a_torn_line_is_whole(void **state UNUSED)
{
    static const char torn[] = "{\"line\":\"mark\",\"slots\":\"1\"}\n{\"line\":\"ma";
    const char *dir = tmpdir_new();
    struct checkpoint *c = NULL;
    struct seen seen = {0};

    tmpdir_write(tmpdir_path(dir, CHECKPOINT_NAME), torn, sizeof(torn) - 1);
    assert_true(checkpoint_open(dir, &c, &why));
    assert_true(checkpoint_add(c, "dirty", slots("7"), &why));
    checkpoint_close(c);
    assert_true(checkpoint_read(dir, look, &seen, &why));
    assert_int_equal(seen.lines, 2);
    assert_true(seen.dirty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_behind_a_torn_one_is_whole),
        cmocka_unit_test(a_run_after_a_torn_line_is_whole),
    };

    (void)signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
