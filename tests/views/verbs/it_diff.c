/*
 * it_diff.c - differences on a live cluster: what was changed between two backups, two snapshots or
 * one of each is named, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/redis/slot.h"
#include "tests/harness/cli_run.h"
#include "tests/harness/lab.h"
#include "tests/harness/schema.h"
#include "tests/harness/wait.h"

static struct lab *lab;
static char *before[2]; /* a backup, a snapshot with its keys: ids of their jobs */
static char *after[2];

/* ---- running things ---------------------------------------------------------------------------
 */

static void change(const char *const *argv)
{
    char *said =
        lab_cli_routed(lab, argv[0], argv[1], argv[2], argv[3], argv[4], argv[5], argv[6], NULL);

    assert_non_null(said);
    if (strstr(said, "ERR") != NULL || strstr(said, "WRONGTYPE") != NULL)
        fail_msg("%s %s: %s", argv[0], argv[1], said);
    free(said);
}
#define CHANGE(...) change((const char *const[8]){__VA_ARGS__})

/* The id of the job that a verb was; it must end with this status. */
static char *job_ended(int want, const char *verb, const char *option, const char *more)
{
    struct proc_result r;
    int status = cli_run(lab, NULL, &r, "--json", verb, option, more, NULL);
    struct error err;
    json_t *doc;
    char *id;

    if (status != want)
        fail_msg("%s: %d\n%s%s", verb, status, r.out, r.err);
    doc = json_parse((struct str){r.out, r.out_len}, verb, &err);
    assert_non_null(doc);
    assert_int_not_equal(asprintf(&id, "%s", json_text(doc, "id", "")), -1);
    json_decref(doc);
    proc_result_release(&r);
    return id;
}

static char *job_of(const char *verb, const char *option)
{
    return job_ended(0, verb, option, NULL);
}

/* The document of `diff a b`, which must end with this status. */
static json_t *diff(int status, const char *a, const char *b)
{
    struct proc_result r;
    int got = cli_run(lab, NULL, &r, "--json", "diff", a, b, NULL);
    struct error err;
    json_t *result;
    json_t *doc;

    if (got != status)
        fail_msg("diff %s %s: %d\n%s%s", a, b, got, r.out, r.err);
    result = json_parse((struct str){r.out, r.out_len}, "diff", &err);
    assert_non_null(result);
    doc = json_incref(json_object_get(json_object_get(result, "report"), "diff"));
    assert_non_null(doc);
    schema_expect("docs/schema/diff.schema.json", doc);
    json_decref(result);
    proc_result_release(&r);
    return doc;
}

/* ---- what is changed between the two ----------------------------------------------------------
 */

static const struct changed {
    const char *key;
    const char *verdict;
    const char *detail; /* between two backups */
} changes[] = {
    {"user:str", "differs", "the bytes differ"},
    {"user:hash", "differs", "2 fields in A: 1 differ, 0 removed, 1 added"},
    {"user:list", "differs", "2 elements in A, 3 in B"},
    {"user:set", "differs", "2 members in A: 0 differ, 1 removed, 0 added"},
    {"user:zset", "differs", "2 members in A: 1 differ, 0 removed, 0 added"},
    {"user:stream", "differs", NULL},
    {"user:group", "differs", NULL},
    {"user:other", "differs", "set in A, list in B"},
    {"user:hll", "differs", NULL},
    {"user:ttl", "ttl", NULL},
    {"user:forever", "ttl", NULL},
    {"user:gone", "removed", ""},
    {"user:new", "added", ""},
    {"user:short", "expired", NULL},
};

static void prepare(void)
{
    for (int i = 0; i < 60; i++) {
        char key[40];

        (void)snprintf(key, sizeof(key), "kept:%d", i);
        CHANGE("HSET", key, "a", "1", "b", "2");
    }
    CHANGE("SET", "user:str", "1");
    CHANGE("HSET", "user:hash", "a", "1", "b", "2");
    CHANGE("RPUSH", "user:list", "a", "b");
    CHANGE("SADD", "user:set", "a", "b");
    CHANGE("ZADD", "user:zset", "1", "a", "2", "b");
    CHANGE("XADD", "user:stream", "1-1", "f", "v");
    CHANGE("XADD", "user:group", "1-1", "f", "v");
    CHANGE("SADD", "user:other", "a");
    CHANGE("PFADD", "user:hll", "a", "b");
    CHANGE("SET", "user:ttl", "1", "PX", "5000000");
    CHANGE("SET", "user:forever", "1", "PX", "5000000");
    CHANGE("SET", "user:gone", "1");
}

static void change_all(void)
{
    CHANGE("SET", "user:str", "2");
    CHANGE("HSET", "user:hash", "a", "9", "c", "3");
    CHANGE("RPUSH", "user:list", "c");
    CHANGE("SREM", "user:set", "b");
    CHANGE("ZADD", "user:zset", "2.5", "b");
    CHANGE("XADD", "user:stream", "2-1", "f", "v");
    CHANGE("XGROUP", "CREATE", "user:group", "g", "0");
    CHANGE("DEL", "user:other");
    CHANGE("RPUSH", "user:other", "a");
    CHANGE("PFADD", "user:hll", "c", "d", "e");
    CHANGE("PFCOUNT", "user:hll");
    CHANGE("PEXPIRE", "user:ttl", "9000000");
    CHANGE("PERSIST", "user:forever");
    CHANGE("DEL", "user:gone");
    CHANGE("SET", "user:new", "1");
}

static bool is_gone(const char *key)
{
    char *said = lab_cli_routed(lab, "EXISTS", key, NULL);
    bool gone = said != NULL && strcmp(said, "0") == 0;

    free(said);
    return gone;
}

static bool short_is_gone(void *context UNUSED)
{
    return is_gone("user:short");
}

/* With a key that lives just long enough to be in both readings. */
static void read_before(void)
{
    static const char *const lives[] = {"6000", "30000", "100000"};

    for (size_t i = 0; i < COUNT_OF(lives); i++) {
        CHANGE("SET", "user:short", "1", "PX", lives[i]);
        free(before[0]);
        free(before[1]);
        before[0] = job_of("backup", "--no-upload");
        before[1] = job_of("snapshot", "--keys");
        if (!is_gone("user:short"))
            return;
    }
    fail_msg("the readings took longer than a key lived");
}

static int begin(void **ctx UNUSED)
{
    lab = lab_start(&(struct lab_options){.replicas = -1});
    if (lab == NULL)
        return -1;
    prepare();
    read_before();
    change_all();
    assert_true(wait_until(short_is_gone, NULL, 120000));
    after[0] = job_of("backup", "--no-upload");
    after[1] = job_of("snapshot", "--keys");
    return 0;
}

static int finish(void **ctx UNUSED)
{
    for (int i = 0; i < 2; i++) {
        free(before[i]);
        free(after[i]);
    }
    lab_stop(lab);
    return 0;
}

/* ---- expectations -----------------------------------------------------------------------------
 */

static const json_t *find(const json_t *doc, const char *key)
{
    size_t i;
    const json_t *one;

    json_array_foreach(json_object_get(doc, "keys"), i, one)
    {
        if (strcmp(json_text(one, "key", ""), key) == 0)
            return one;
    }
    return NULL;
}

static void expect_exactly_the_changes(const json_t *doc, bool details)
{
    assert_string_equal(json_text(doc, "level", ""), "keys");
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        const json_t *one = find(doc, changes[i].key);

        if (one == NULL)
            fail_msg("%s is not named", changes[i].key);
        assert_string_equal(json_text(one, "verdict", ""), changes[i].verdict);
        if (details && changes[i].detail != NULL)
            assert_string_equal(json_text(one, "detail", ""), changes[i].detail);
    }
    assert_int_equal(json_array_size(json_object_get(doc, "keys")), COUNT_OF(changes));
    assert_int_equal(json_int(json_object_get(doc, "summary"), "same", 0), 60);
}

static void between_two_backups_exactly_the_changes_are_named(void **ctx UNUSED)
{
    json_t *doc = diff(1, before[0], after[0]);

    expect_exactly_the_changes(doc, true);
    json_decref(doc);
}

static void between_two_snapshots_with_keys_likewise(void **ctx UNUSED)
{
    json_t *doc = diff(1, before[1], after[1]);

    expect_exactly_the_changes(doc, false);
    assert_int_equal(json_array_size(json_object_get(doc, "facts")), 0);
    json_decref(doc);
}

static void between_a_backup_and_a_snapshot_likewise_in_either_order(void **ctx UNUSED)
{
    json_t *doc = diff(1, before[0], after[1]);

    expect_exactly_the_changes(doc, false);
    json_decref(doc);
    doc = diff(1, before[1], after[0]);
    expect_exactly_the_changes(doc, false);
    json_decref(doc);
}

static void an_archive_and_the_live_keys_it_was_made_of_are_equal(void **ctx UNUSED)
{
    json_t *doc = diff(0, after[0], after[1]);

    assert_true(json_flag(doc, "equal", false));
    assert_int_equal(json_int(json_object_get(doc, "slots"), "differ", -1), 0);
    json_decref(doc);
}

static void expect_slots_of_changes(const json_t *doc)
{
    struct slot_set differ = {0};
    struct error err;

    assert_true(slot_set_parse(
        &differ, str_from(json_text(json_object_get(doc, "slots"), "ranges", "")), &err));
    for (size_t i = 0; i < COUNT_OF(changes); i++)
        assert_true(slot_set_has(&differ, slot_of_key(str_from(changes[i].key))));
    for (uint16_t slot = 0; slot < SLOT_COUNT; slot++) {
        bool changed = false;

        for (size_t i = 0; i < COUNT_OF(changes); i++)
            changed = changed || slot_of_key(str_from(changes[i].key)) == slot;
        assert_int_equal(slot_set_has(&differ, slot), changed);
    }
}

static void without_keys_the_slots_of_the_changes_are_named_and_no_others(void **ctx UNUSED)
{
    char *now = job_of("snapshot", NULL);
    json_t *doc = diff(1, before[1], now);

    assert_string_equal(json_text(doc, "level", ""), "slots");
    expect_slots_of_changes(doc);
    json_decref(doc);
    doc = diff(1, before[0], now);
    expect_slots_of_changes(doc);
    json_decref(doc);
    doc = diff(0, after[0], now);
    json_decref(doc);
    free(now);
}

static void of_a_sample_the_keys_in_it_are_compared(void **ctx UNUSED)
{
    char *now = job_of("snapshot", "--sample=10");
    json_t *doc = diff(1, before[1], now);

    assert_string_equal(json_text(doc, "level", ""), "sample");
    expect_slots_of_changes(doc);
    assert_true(json_int(json_object_get(doc, "summary"), "sampled", 0) >= 10);
    assert_true(json_int(json_object_get(doc, "summary"), "sampled", 0) <= 20);
    json_decref(doc);
    doc = diff(0, after[0], now);
    assert_int_equal(json_int(json_object_get(doc, "summary"), "same", 0), 10);
    json_decref(doc);
    free(now);
}

static const char *change_of(const json_t *doc, const char *key)
{
    return json_text(find(doc, key), "change", "not named");
}

static void two_verifications_are_compared_by_their_findings(void **ctx UNUSED)
{
    char path[LAB_PATH + 200];
    struct error err;
    struct proc_result r;
    char *ids[2];
    json_t *doc;

    assert_int_equal(cli_run(lab, NULL, &r, "--json", "jobs", "show", before[0], NULL), 0);
    doc = json_parse((struct str){r.out, r.out_len}, "jobs", &err);
    assert_non_null(doc);
    (void)snprintf(path, sizeof(path), "-i%s/backups/%s", lab_dir(lab),
                   json_text(json_object_get(doc, "options"), "backup_id", ""));
    json_decref(doc);
    proc_result_release(&r);
    ids[0] = job_ended(1, "verify", "--full", path);
    CHANGE("SET", "user:gone", "1");
    CHANGE("DEL", "kept:7");
    ids[1] = job_ended(1, "verify", "--full", path);
    doc = diff(1, ids[0], ids[1]);
    assert_string_equal(change_of(doc, "user:gone"), "gone");
    assert_string_equal(change_of(doc, "kept:7"), "appeared");
    assert_string_equal(change_of(doc, "user:str"), "stayed");
    assert_int_equal(json_int(json_object_get(doc, "summary"), "appeared", 0), 1);
    assert_int_equal(json_int(json_object_get(doc, "summary"), "gone", 0), 1);
    json_decref(doc);
    doc = diff(0, ids[1], ids[1]);
    json_decref(doc);
    (void)cli_run(lab, NULL, &r, "diff", ids[0], before[0], NULL);
    cli_expect(&r, 2, "", "these cannot be compared");
    cli_expect(&r, 2, "", "is a backup");
    cli_expect(&r, 2, "", "is a verification's report");
    proc_result_release(&r);
    free(ids[0]);
    free(ids[1]);
}

static void what_is_nothing_of_ours_is_refused_by_name(void **ctx UNUSED)
{
    static const struct {
        const char *word, *said;
    } rows[] = {{"what-is-this", "no such file, and no id of a backup or a job"},
                {"V-9999", "there is no job V-9999"},
                {"s3:nothing", "no backup id"},
                {"local:redis-backup-local-20200101T000000Z-0000", "there is no backup"}};
    static const int statuses[] = {2, 1, 2, 1};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct proc_result r;

        (void)cli_run(lab, NULL, &r, "diff", rows[i].word, before[0], NULL);
        cli_expect(&r, statuses[i], "", rows[i].said);
        proc_result_release(&r);
    }
}

static void a_saved_difference_is_markdown_or_json_by_its_name(void **ctx UNUSED)
{
    struct proc_result r;
    char path[LAB_PATH + 20];
    struct error err;
    struct buf text;
    json_t *doc;

    (void)snprintf(path, sizeof(path), "%s/change.md", lab_dir(lab));
    (void)cli_run(lab, NULL, &r, "diff", before[0], after[0], "-o", path, NULL);
    cli_expect(&r, 1, "A and B differ", "");
    cli_expect_clean(r.out);
    proc_result_release(&r);
    buf_init(&text, 1 << 20);
    assert_true(file_read(path, &text, &err));
    assert_non_null(strstr(text.data, "# A and B differ\n"));
    assert_non_null(strstr(text.data, "| removed | string | user:gone |"));
    buf_release(&text);
    (void)snprintf(path, sizeof(path), "%s/change.json", lab_dir(lab));
    (void)cli_run(lab, NULL, &r, "diff", before[0], after[0], "-o", path, "--markdown", NULL);
    cli_expect(&r, 1, "## Keys", "");
    proc_result_release(&r);
    doc = json_read_file(path, 1 << 20, &err);
    assert_non_null(doc);
    schema_expect("docs/schema/diff.schema.json", doc);
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(between_two_backups_exactly_the_changes_are_named),
        cmocka_unit_test(between_two_snapshots_with_keys_likewise),
        cmocka_unit_test(between_a_backup_and_a_snapshot_likewise_in_either_order),
        cmocka_unit_test(an_archive_and_the_live_keys_it_was_made_of_are_equal),
        cmocka_unit_test(without_keys_the_slots_of_the_changes_are_named_and_no_others),
        cmocka_unit_test(of_a_sample_the_keys_in_it_are_compared),
        cmocka_unit_test(what_is_nothing_of_ours_is_refused_by_name),
        cmocka_unit_test(a_saved_difference_is_markdown_or_json_by_its_name),
        cmocka_unit_test(two_verifications_are_compared_by_their_findings),
    };

    return cmocka_run_group_tests(tests, begin, finish);
}
