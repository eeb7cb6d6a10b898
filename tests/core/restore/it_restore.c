/*
 * it_restore.c - restores into a real cluster: every type, the three policies, and a restore that
 * is killed at random moments. The archive is written by hand here and the result is read by the
 * servers' own client, so that our codec does not confirm itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/attr.h"
#include "core/base/clock.h"
#include "core/base/rng.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"

#define LISTS 40
#define LIST_ITEMS 6000
#define HASHES 4000
#define KILLS 12

static struct lab *lab;
static const char *state_dir;

static const char every_type[] =
    "{\"key\":\"str\",\"type\":\"string\",\"ttl_millis\":600000,\"value\":\"v\"}\n"
    "{\"key_b64\":\"AP9r\",\"type\":\"string\",\"ttl_millis\":null,\"value_b64\":\"/wA=\"}\n"
    "{\"key\":\"\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"empty name\"}\n"
    "{\"key\":\"hash\",\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"f\":\"1\",\"\":\"2\"}}\n"
    "{\"key\":\"list\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"b\",\"a\",\"b\"]}\n"
    "{\"key\":\"set\",\"type\":\"set\",\"ttl_millis\":null,\"value\":[\"x\",\"y\"]}\n"
    "{\"key\":\"zset\",\"type\":\"zset\",\"ttl_millis\":null,"
    "\"value\":[[\"low\",\"-inf\"],[\"m\",\"0.1\"],[\"high\",\"inf\"]]}\n"
    "{\"key\":\"long\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"1\",\"2\"],"
    "\"chunk\":{\"seq\":0,\"last\":false}}\n"
    "{\"key\":\"long\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"3\"],"
    "\"chunk\":{\"seq\":1,\"last\":true,\"count\":3}}\n"
    "{\"key\":\"void\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"1\"],"
    "\"chunk\":{\"seq\":0,\"last\":false}}\n"
    "{\"key\":\"stream\",\"type\":\"stream\",\"ttl_millis\":null,\"value\":{\"entries\":"
    "[[\"1-1\",[\"f\",\"v\"]],[\"5-0\",[\"f\",\"w\"]]],\"last_id\":\"7-0\",\"entries_added\":\"9\","
    "\"max_deleted_id\":\"6-0\",\"groups\":[{\"name\":\"g\",\"last_delivered_id\":\"5-0\","
    "\"entries_read\":\"3\",\"consumers\":[{\"name\":\"c\"},{\"name\":\"idle\"}],\"pending\":"
    "[[\"0-5\",\"c\",1755497196412,7],[\"1-1\",\"c\",1755497196412,1],[\"3-0\",\"c\",1755497196412,"
    "4]]"
    "}]}}\n"
    "{\"key\":\"empty-stream\",\"type\":\"stream\",\"ttl_millis\":null,\"value\":{\"entries\":[],"
    "\"last_id\":\"9-1\",\"entries_added\":\"4\",\"max_deleted_id\":\"9-1\",\"groups\":[]}}\n";

/* An older tool's directory: parts and a manifest that says little. */
static const char *make_backup(const char *part, size_t len)
{
    const char *dir = tmpdir_path(tmpdir_new(), "redis-backup-local-20260101T000000Z-00aa");
    const char *keys = tmpdir_path(dir, "keys");

    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mkdir(keys, 0700), 0);
    tmpdir_write(tmpdir_path(keys, "keys-part-0001.jsonl"), part, len);
    tmpdir_write(tmpdir_path(dir, "metadata.json"), "{\"env\":\"local\"}", 15);
    return dir;
}

static const char *argv_of[16];

static const char *const *restore_argv(const char *dir, const char *policy)
{
    size_t n = 0;

    argv_of[n++] = proc_rbconsole();
    argv_of[n++] = "-c";
    argv_of[n++] = lab_config_file(lab);
    argv_of[n++] = "--state-dir";
    argv_of[n++] = state_dir;
    argv_of[n++] = "restore";
    argv_of[n++] = "-i";
    argv_of[n++] = dir;
    if (policy != NULL)
        argv_of[n++] = policy;
    argv_of[n] = NULL;
    return argv_of;
}

static int restore(const char *dir, const char *policy, char **said)
{
    struct proc_result r;
    int status;

    assert_true(proc_run(restore_argv(dir, policy), NULL, &r));
    status = r.status;
    if (said != NULL)
        assert_int_not_equal(asprintf(said, "%s%s", r.out, r.err), -1);
    else if (status != 0)
        print_message("%s%s\n", r.out, r.err);
    proc_result_release(&r);
    return status;
}

static void flush_all(void)
{
    for (size_t i = 0; i < lab_shards(lab); i++)
        free(lab_cli(lab, i, "FLUSHALL", NULL));
}

#define EXPECT(text, ...)                                   \
    do {                                                    \
        char *got = lab_cli_routed(lab, __VA_ARGS__, NULL); \
        assert_string_equal(got, text);                     \
        free(got);                                          \
    } while (0)

static void every_type_comes_back_as_the_archive_has_it(void **ctx UNUSED)
{
    char *pttl;
    char *info;

    flush_all();
    assert_int_equal(restore(make_backup(every_type, sizeof(every_type) - 1), NULL, NULL), 0);
    EXPECT("v", "GET", "str");
    pttl = lab_cli_routed(lab, "PTTL", "str", NULL);
    assert_in_range(strtol(pttl, NULL, 10), 540000, 600000);
    free(pttl);
    EXPECT("empty name", "GET", "");
    EXPECT("1", "HGET", "hash", "f");
    EXPECT("2", "HGET", "hash", "");
    EXPECT("b\na\nb", "LRANGE", "list", "0", "-1");
    EXPECT("2", "SCARD", "set");
    EXPECT("low\n-inf\nm\n0.10000000000000001\nhigh\ninf", "ZRANGE", "zset", "0", "-1",
           "WITHSCORES");
    EXPECT("1\n2\n3", "LRANGE", "long", "0", "-1");
    EXPECT("0", "EXISTS", "void");
    EXPECT("1-1\nf\nv\n5-0\nf\nw", "XRANGE", "stream", "-", "+");
    info = lab_cli_routed(lab, "XINFO", "STREAM", "stream", "FULL", NULL);
    assert_non_null(strstr(info, "last-generated-id\n7-0\nmax-deleted-entry-id\n6-0\n"
                                 "entries-added\n9\n"));
    assert_non_null(strstr(info, "pel-count\n3\npending\n0-5\nc\n1755497196412\n7\n1-1\nc\n"
                                 "1755497196412\n1\n3-0\nc\n1755497196412\n4\n"));
    assert_non_null(strstr(info, "name\nidle\n"));
    free(info);
    EXPECT("0", "XLEN", "empty-stream");
    assert_int_equal(lab_keys(lab), 10);
}

static void a_key_that_exists_is_treated_as_the_policy_says(void **ctx UNUSED)
{
    const char *dir = make_backup(every_type, sizeof(every_type) - 1);
    char *said;

    flush_all();
    free(lab_cli_routed(lab, "SET", "list", "mine", NULL));
    free(lab_cli_routed(lab, "RPUSH", "stream", "mine", NULL));
    assert_int_equal(restore(dir, NULL, &said), 1);
    assert_non_null(strstr(said, "2 keys of the backup exist"));
    free(said);
    assert_int_equal(lab_keys(lab), 2); /* refused before the first write */
    assert_int_equal(restore(dir, "--skip-existing", NULL), 0);
    EXPECT("mine", "GET", "list");
    EXPECT("mine", "LRANGE", "stream", "0", "-1");
    EXPECT("v", "GET", "str");
    assert_int_equal(restore(dir, "--overwrite", NULL), 0);
    EXPECT("b\na\nb", "LRANGE", "list", "0", "-1");
    EXPECT("2", "XLEN", "stream");
    assert_int_equal(restore(dir, "--overwrite", NULL), 0); /* nothing is doubled */
    EXPECT("1\n2\n3", "LRANGE", "long", "0", "-1");
    assert_int_equal(lab_keys(lab), 10);
}

/* Large keys that are built aside, and many small ones. */
static char *many_keys(size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);

    assert_non_null(f);
    for (int i = 0; i < LISTS; i++) {
        fprintf(f, "{\"key\":\"list:%d\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"0\"",
                i);
        for (int k = 1; k < LIST_ITEMS; k++)
            fprintf(f, ",\"%d\"", k);
        fprintf(f, "]}\n");
        for (int k = 0; k < HASHES / LISTS; k++)
            fprintf(f,
                    "{\"key\":\"hash:%d:%d\",\"type\":\"hash\",\"ttl_millis\":null,"
                    "\"value\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}}\n",
                    i, k);
    }
    assert_int_equal(fclose(f), 0);
    return text;
}

/* Lengths of all keys of one kind, asked of the servers by a script of theirs. */
static void assert_whole_or_absent(const char *pattern, const char *command, int whole)
{
    char script[300];

    (void)snprintf(script, sizeof(script),
                   "local n=0 for _,k in ipairs(redis.call('KEYS','%s')) do "
                   "if redis.call('%s',k) ~= %d then n=n+1 end end return n",
                   pattern, command, whole);
    for (size_t i = 0; i < lab_shards(lab); i++) {
        char *partial = lab_cli(lab, i, "EVAL", script, "0", NULL);

        assert_string_equal(partial, "0");
        free(partial);
    }
}

static long long count_temporary(void)
{
    long long sum = 0;

    for (size_t i = 0; i < lab_shards(lab); i++) {
        char *n = lab_cli(lab, i, "EVAL", "return #redis.call('KEYS','\\0rbc:*')", "0", NULL);

        sum += strtoll(n, NULL, 10);
        free(n);
    }
    return sum;
}

static void a_restore_killed_at_any_moment_leaves_whole_keys_only(void **ctx UNUSED)
{
    size_t len;
    char *text = many_keys(&len);
    const char *dir = make_backup(text, len);
    int interrupted = 0;

    free(text);
    flush_all();
    for (int round = 0; round < KILLS; round++) {
        pid_t pid = proc_start(restore_argv(dir, "--overwrite"), NULL, NULL);

        assert_int_not_equal(pid, 0);
        clock_sleep_ms((int64_t)rng_below(400)); /* the moment of death, not a wait */
        if (proc_stop(pid, SIGKILL) == 128 + SIGKILL)
            interrupted++;
        free(lab_cli_routed(lab, "INCR", "written-by-another-client", NULL));
        assert_whole_or_absent("list:*", "LLEN", LIST_ITEMS);
        assert_whole_or_absent("hash:*", "HLEN", 3);
    }
    assert_true(interrupted > 0);
    assert_int_equal(restore(dir, "--overwrite", NULL), 0);
    assert_whole_or_absent("list:*", "LLEN", LIST_ITEMS);
    assert_int_equal(lab_keys(lab), LISTS + HASHES + 1);
    assert_int_equal(count_temporary(), 0);
}

static int set_up(void **ctx UNUSED)
{
    state_dir = tmpdir_new();
    lab = lab_start(&(struct lab_options){0});
    return lab == NULL ? -1 : 0;
}

static int tear_down(void **ctx UNUSED)
{
    lab_stop(lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back_as_the_archive_has_it),
        cmocka_unit_test(a_key_that_exists_is_treated_as_the_policy_says),
        cmocka_unit_test(a_restore_killed_at_any_moment_leaves_whole_keys_only),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
