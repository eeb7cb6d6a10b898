/*
 * it_restore_scope.c - what a restore touches: the last of several records of a key, keys that the
 * backup lacks, one shard, numbered databases, another environment. The program itself runs; what
 * came of it is asked by the servers' own client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/attr.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"

#define ID "redis-backup-local-20260101T000000Z-00aa"

static struct lab *cluster;
static struct lab *single;
static const char *config; /* of both */
static char state_env[300];

static void run(int status, const char *says, const char *const *more)
{
    const char *const env[] = {state_env, NULL};
    const char *argv[24] = {proc_rbconsole(), "-c", config, "-e"};
    struct proc_result r;
    size_t n = 4;

    while (*more != NULL)
        argv[n++] = *more++;
    assert_true(proc_run(argv, &(struct proc_options){.env = env}, &r));
    if (r.status != status || (strstr(r.out, says) == NULL && strstr(r.err, says) == NULL)) {
        print_message("%s%s\n", r.out, r.err);
        fail_msg("status %d, not %d, or not \"%s\"", r.status, status, says);
    }
    proc_result_release(&r);
}
#define RUN(status, says, ...) run(status, says, (const char *const[]){__VA_ARGS__, NULL})

/* A directory with one part; manifest NULL: as an older tool leaves it. */
static const char *make_backup(const char *part, const char *manifest)
{
    const char *dir = tmpdir_path(tmpdir_new(), ID);
    const char *keys = tmpdir_path(dir, "keys");

    if (manifest == NULL)
        manifest = "{\"env\":\"local\"}";
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mkdir(keys, 0700), 0);
    tmpdir_write(tmpdir_path(keys, "keys-part-0001.jsonl"), part, strlen(part));
    tmpdir_write(tmpdir_path(dir, "metadata.json"), manifest, strlen(manifest));
    return dir;
}

static void expect(struct lab *lab, const char *text, const char *const *argv)
{
    char *got = lab_cli_argv(lab, 0, argv);

    assert_non_null(got);
    assert_string_equal(got, text);
    free(got);
}
#define EXPECT(text, ...) expect(single, text, (const char *const[]){__VA_ARGS__, NULL})

static void cluster_set(const char *key, const char *value)
{
    char *said = lab_cli_routed(cluster, "SET", key, value, NULL);

    assert_string_equal(said, "OK");
    free(said);
}

static void cluster_has(const char *want, const char *key)
{
    char *got = lab_cli_routed(cluster, "EXISTS", key, NULL);

    assert_string_equal(got, want);
    free(got);
}

/* ---- several records of one key ----------------------------------------------------------------
 */

static const char several[] =
    "{\"key\":\"a\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"first\"}\n"
    "{\"key\":\"b\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"first\"]}\n"
    "{\"key\":\"c\",\"type\":\"stream\",\"ttl_millis\":null,\"value\":{\"entries\":[[\"1-1\","
    "[\"f\",\"first\"]]],\"last_id\":\"1-1\",\"groups\":[]}}\n"
    "{\"key\":\"once\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n"
    "{\"key\":\"a\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"second\"}\n"
    "{\"key\":\"a\",\"type\":\"hash\",\"ttl_millis\":null,\"value\":{\"f\":\"last\"}}\n"
    "{\"key\":\"b\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"last\"]}\n"
    "{\"key\":\"c\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"last\"}\n"
    "{\"key\":\"d\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"whole\"}\n"
    "{\"key\":\"d\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"void\"],\"chunk\":{\"seq\":"
    "0,"
    "\"last\":false}}\n";

static void the_last_record_of_a_key_counts_under_every_policy(void **ctx UNUSED)
{
    static const char *const policies[] = {"--fail-existing", "--skip-existing", "--overwrite"};
    const char *dir = make_backup(several, NULL);

    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        EXPECT("OK", "FLUSHALL");
        RUN(0, i < 2 ? "of which the last counts: 4 keys" : "written=", "single", "restore", "-i",
            dir, policies[i]);
        EXPECT("last", "HGET", "a", "f");
        EXPECT("last", "LRANGE", "b", "0", "-1");
        EXPECT("last", "GET", "c");
        EXPECT("v", "GET", "once");
        EXPECT("whole", "GET", "d");
        EXPECT("5", "DBSIZE");
    }
    /* What was there before is still nobody's to replace. */
    EXPECT("OK", "FLUSHALL");
    EXPECT("OK", "SET", "a", "mine");
    RUN(0, "existing=3 ", "single", "restore", "-i", dir, "--skip-existing");
    EXPECT("mine", "GET", "a");
    EXPECT("last", "GET", "c");
}

static const char outlived[] =
    "{\"key\":\"a\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"first\"}\n"
    "{\"key\":\"b\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"first\"]}\n"
    "{\"key\":\"c\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"first\"}\n"
    "{\"key\":\"once\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n"
    "{\"key\":\"a\",\"type\":\"string\",\"ttl_millis\":5,\"value\":\"last\","
    "\"expire_at_millis\":1700000000000}\n"
    "{\"key\":\"b\",\"type\":\"list\",\"ttl_millis\":5,\"value\":[\"last\"],"
    "\"expire_at_millis\":1700000000000,\"chunk\":{\"seq\":0,\"last\":false}}\n"
    "{\"key\":\"b\",\"type\":\"list\",\"ttl_millis\":5,\"value\":[\"end\"],"
    "\"expire_at_millis\":1700000000000,\"chunk\":{\"seq\":1,\"last\":true,\"count\":2}}\n"
    "{\"key\":\"c\",\"type\":\"string\",\"ttl_millis\":5,\"value\":\"second\","
    "\"expire_at_millis\":1700000000000}\n"
    "{\"key\":\"c\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"last\"}\n";

/* A scan gave them twice, and they got their deadline in between. */
static void a_key_whose_last_record_is_past_its_deadline_does_not_stay(void **ctx UNUSED)
{
    static const char *const policies[] = {"--fail-existing", "--skip-existing", "--overwrite"};
    const char *dir = make_backup(outlived, NULL);

    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        EXPECT("OK", "FLUSHALL");
        RUN(0, "expired=3 failed=0 ", "single", "restore", "-i", dir, policies[i], "--ttl",
            "absolute");
        EXPECT("0", "EXISTS", "a", "b");
        EXPECT("last", "GET", "c");
        EXPECT("v", "GET", "once");
        EXPECT("2", "DBSIZE");
    }
}

/* ---- keys that the backup lacks -----------------------------------------------------------------
 */

/* The only archive in a directory. */
static const char *archive_in(const char *place)
{
    DIR *d = opendir(place);
    const char *found = NULL;
    struct dirent *e;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL)
        if (strstr(e->d_name, ".tar.gz") != NULL)
            found = tmpdir_path(place, e->d_name);
    (void)closedir(d);
    assert_non_null(found);
    return found;
}

static const char *whole_backup(void)
{
    static const char *dir;
    const char *place;

    if (dir != NULL)
        return dir;
    place = tmpdir_new();
    RUN(0, "Archive: ", "local", "backup", "--no-upload", "--no-dir", "--backup-dir", place);
    dir = archive_in(place);
    return dir;
}

static void exact_removes_what_the_backup_lacks_and_nothing_else(void **ctx UNUSED)
{
    const char *backup = whole_backup();
    long long keys = lab_keys(cluster);

    cluster_set("extra:1", "x");
    cluster_set("extra:2", "x");
    cluster_set("other:1", "x");
    free(lab_cli_routed(cluster, "RPUSH", "extra:list", "x", NULL));
    cluster_set("user:1", "changed");
    RUN(4, "cannot be undone", "local", "restore", "-i", backup, "--overwrite", "--exact");
    assert_int_equal(lab_keys(cluster), keys + 4);
    RUN(0, "4 keys that the backup lacks are removed", "local", "restore", "-i", backup,
        "--overwrite", "--exact", "--dry-run");
    assert_int_equal(lab_keys(cluster), keys + 4);
    RUN(0, "the backup lacks them: 2 keys", "local", "restore", "-i", backup, "--overwrite",
        "--exact", "--match", "extra:*", "--type", "string", "--confirm", "local");
    cluster_has("1", "extra:list");
    cluster_has("1", "other:1");
    RUN(0, "the backup lacks them: 2 keys", "local", "restore", "-i", backup, "--overwrite",
        "--exact", "--confirm", "local");
    assert_int_equal(lab_keys(cluster), keys);
    RUN(0, "differs=0 missing=0 extra=0", "local", "verify", "-i", backup, "--full", "--extra");
}

static void exact_is_refused_where_the_backup_may_lack_keys_for_another_reason(void **ctx UNUSED)
{
    const char *old = make_backup(several, NULL);

    EXPECT("OK", "FLUSHALL");
    RUN(1, "another tool", "single", "restore", "-i", old, "--overwrite", "--exact", "--confirm",
        "single");
    RUN(2, "give --overwrite with --exact", "single", "restore", "-i", old, "--skip-existing",
        "--exact");
    RUN(2, "has nothing to add", "single", "restore", "-i", old, "--flush-first", "--exact");
    EXPECT("0", "DBSIZE");
}

/* ---- keys that failed --------------------------------------------------------------------------
 */

static const char one_part[] =
    "{\"key\":\"refused\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n"
    "{\"key\":\"refused:list\",\"type\":\"list\",\"ttl_millis\":null,\"value\":[\"v\"]}\n"
    "{\"key\":\"taken\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n"
    "{\"key\":\"gone\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n";

/* The fault is mended days later: by then clients have written the others, or done without them. */
static void a_resumed_restore_writes_only_the_keys_that_failed(void **ctx UNUSED)
{
    const char *dir = make_backup(one_part, NULL);
    char usual[sizeof(state_env)];

    memcpy(usual, state_env, sizeof(usual));
    (void)snprintf(state_env, sizeof(state_env), "RBCONSOLE_STATE_DIR=%s", tmpdir_new());
    EXPECT("OK", "FLUSHALL");
    EXPECT("OK", "MSET", "refused", "before", "taken", "before", "gone", "before");
    EXPECT("OK", "ACL", "SETUSER", "default", "resetkeys", "%R~*", "%RW~[^r]*");
    RUN(1, "failed=2", "single", "restore", "-i", dir, "--overwrite");
    EXPECT("OK", "ACL", "SETUSER", "default", "allkeys");
    EXPECT("v", "GET", "taken");
    EXPECT("before", "GET", "refused");
    EXPECT("OK", "SET", "taken", "newer");
    EXPECT("1", "DEL", "gone");
    RUN(0, "failed=0", "single", "restore", "--resume", "R-0001");
    EXPECT("newer", "GET", "taken");
    EXPECT("0", "EXISTS", "gone");
    EXPECT("v", "GET", "refused");
    EXPECT("v", "LRANGE", "refused:list", "0", "-1");
    memcpy(state_env, usual, sizeof(usual));
}

/* ---- one shard, another environment, databases
 * --------------------------------------------------- */

static void one_shard_of_the_backup_is_restored_alone(void **ctx UNUSED)
{
    const char *backup = whole_backup();
    long long all = lab_keys(cluster);
    char *second = lab_cli(cluster, 1, "DBSIZE", NULL);

    for (size_t i = 0; i < lab_shards(cluster); i++)
        free(lab_cli(cluster, i, "FLUSHALL", NULL));
    RUN(0, "Only shard 2 of the backup: slots ", "local", "restore", "-i", backup, "--shard", "2",
        "--dry-run");
    RUN(0, "written=", "local", "restore", "-i", backup, "--shard", "2");
    assert_int_equal(lab_keys(cluster), strtoll(second, NULL, 10));
    free(second);
    RUN(2, "has 3 shards, there is no shard 4", "local", "restore", "-i", backup, "--shard", "4");
    RUN(0, "written=", "local", "restore", "-i", backup, "--overwrite");
    assert_int_equal(lab_keys(cluster), all);
}

static void a_backup_goes_into_another_environment_when_told_so(void **ctx UNUSED)
{
    const char *backup = whole_backup();
    char size[24];

    EXPECT("OK", "FLUSHALL");
    (void)snprintf(size, sizeof(size), "%lld", lab_keys(cluster));
    RUN(2, "is the environment that the backup is of", "local", "restore", "-i", backup, "--to-env",
        "local");
    RUN(4, "local and twin are the same cluster", "local", "restore", "-i", backup, "--to-env",
        "twin");
    RUN(2, "there is no environment", "local", "restore", "-i", backup, "--to-env", "nowhere");
    EXPECT("0", "DBSIZE");
    RUN(0, "From local into single: single server", "local", "restore", "-i", backup, "--to-env",
        "single", "--dry-run");
    RUN(0, "written=", "local", "restore", "-i", backup, "--to-env", "single");
    EXPECT(size, "DBSIZE");
    RUN(0, "differs=0 missing=0 extra=0", "single", "verify", "-i", backup, "--full", "--extra");
    /* The protection of the target counts; from here on by whatever name it is met. */
    RUN(4, "--confirm guarded", "local", "restore", "-i", backup, "--to-env", "guarded");
}

static void numbered_databases_are_kept_apart(void **ctx UNUSED)
{
    const char *place = tmpdir_new();
    const char *archive;

    EXPECT("OK", "FLUSHALL");
    EXPECT("OK", "SET", "same", "zero");
    EXPECT("OK", "-n", "3", "SET", "same", "three");
    EXPECT("2", "-n", "3", "RPUSH", "list", "a", "b");
    RUN(0, "Archive: ", "single", "backup", "--no-upload", "--no-dir", "--backup-dir", place);
    archive = archive_in(place);
    EXPECT("OK", "FLUSHALL");
    EXPECT("OK", "-n", "3", "SET", "extra", "x");
    EXPECT("1", "-n", "3", "EVAL", "redis.call('SET','\\0rbc:dead:{1}:2','x') return 1", "0");
    EXPECT("OK", "-n", "5", "SET", "same", "not in the backup");
    RUN(0, "the backup lacks them: 2 keys", "single", "restore", "-i", archive, "--overwrite",
        "--exact", "--confirm", "single");
    EXPECT("zero", "GET", "same");
    EXPECT("three", "-n", "3", "GET", "same");
    EXPECT("a\nb", "-n", "3", "LRANGE", "list", "0", "-1");
    EXPECT("2", "-n", "3", "DBSIZE");
    EXPECT("0", "-n", "5", "DBSIZE");
}

/* ---- the labs
 * ------------------------------------------------------------------------------------ */

static void write_config(void)
{
    char text[1500];
    int len =
        snprintf(text, sizeof(text),
                 "{\"redis_nodes\":{\"local\":{\"nodes\":[\"%s\"]},\"twin\":{\"nodes\":[\"%s\"]},"
                 "\"single\":{\"mode\":\"single\",\"nodes\":[\"%s\"]},"
                 "\"guarded\":{\"mode\":\"single\",\"nodes\":[\"%s\"],\"protected\":true}}}",
                 lab_address(cluster, 0), lab_address(cluster, 1), lab_address(single, 0),
                 lab_address(single, 0));

    config = tmpdir_path(tmpdir_new(), "config.json");
    tmpdir_write(config, text, (size_t)len);
}

static int set_up(void **ctx UNUSED)
{
    (void)snprintf(state_env, sizeof(state_env), "RBCONSOLE_STATE_DIR=%s", tmpdir_new());
    cluster = lab_start(&(struct lab_options){.replicas = -1});
    single = lab_start(&(struct lab_options){.kind = LAB_SINGLE});
    if (cluster == NULL || single == NULL || !lab_seed(cluster, 200))
        return -1;
    write_config();
    return 0;
}

static int tear_down(void **ctx UNUSED)
{
    lab_stop(cluster);
    lab_stop(single);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_record_of_a_key_counts_under_every_policy),
        cmocka_unit_test(a_key_whose_last_record_is_past_its_deadline_does_not_stay),
        cmocka_unit_test(exact_removes_what_the_backup_lacks_and_nothing_else),
        cmocka_unit_test(exact_is_refused_where_the_backup_may_lack_keys_for_another_reason),
        cmocka_unit_test(one_shard_of_the_backup_is_restored_alone),
        cmocka_unit_test(a_backup_goes_into_another_environment_when_told_so),
        cmocka_unit_test(numbered_databases_are_kept_apart),
        cmocka_unit_test(a_resumed_restore_writes_only_the_keys_that_failed),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
