/*
 * it_verify_extra.c - what a cluster holds besides the backup's keys: found by counts of slots
 * where those can tell, by names where they cannot, and copies on nodes that do not own their slot.
 */
#include "tests/engine/restore_kit.h"

#include <pthread.h>

#include "core/base/clock.h"
#include "core/redis/slot.h"
#include "core/verify/verify.h"
#include "tests/harness/lab.h"

#define SMALL 600
#define KEYS (SMALL + 1)
#define LARGE 6000    /* members: read in windows */
#define LISTED_FEW 20 /* of 16,384 slots; a filter of names may doubt some more */

static struct lab *lab;
static const char *backup;

/* ---- a backup, restored ------------------------------------------------------------------------
 */

static const char *make_backup(int keys, int twice)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    const char *dir;

    assert_non_null(f);
    for (int i = 0; i < keys + twice; i++)
        fprintf(f, "{\"key\":\"key:%d\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n",
                i < keys ? i : i - keys);
    fprintf(f, "{\"key\":\"large{key:7}\",\"type\":\"set\",\"ttl_millis\":null,\"value\":[\"0\"");
    for (int i = 1; i < LARGE; i++)
        fprintf(f, ",\"%d\"", i);
    fprintf(f, "]}\n");
    assert_int_equal(fclose(f), 0);
    dir = kit_backup(text, len);
    free(text);
    return dir;
}

static void restore_all(void)
{
    struct kit k;

    for (size_t i = 0; i < lab_shards(lab); i++)
        free(lab_cli(lab, i, "FLUSHALL", NULL));
    kit_open(&k, backup, (uint16_t)lab_port(lab, 0));
    k.options.policy = RESTORE_OVERWRITE;
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    kit_close(&k);
}

static void verify(const struct verify_options *options, struct verify_report *out)
{
    struct kit k;

    kit_open(&k, backup, (uint16_t)lab_port(lab, 0));
    if (!verify_run(k.source, &k.target, options, k.task, out, &k.err))
        fail_msg("%s", k.err.text);
    kit_close(&k);
}

static struct verify_options full(void)
{
    return (struct verify_options){
        .extent = VERIFY_FULL, .rounds = 1, .extra = true, .tolerance_ms = 1000};
}

static const struct verify_finding *named(const struct verify_report *r, const char *key)
{
    for (size_t i = 0; i < r->finding_count; i++)
        if (strcmp(r->findings[i].key, key) == 0)
            return &r->findings[i];
    return NULL;
}

static void expect_named(const struct verify_report *r, const char *key, enum verify_verdict v)
{
    const struct verify_finding *f = named(r, key);

    if (f == NULL)
        fail_msg("%s is not named", key);
    else
        assert_int_equal(f->verdict, v);
}

static void ask(const char *want, const char *const *argv)
{
    char *said = lab_cli_routed(lab, argv[0], argv[1], argv[2], argv[3], NULL);

    assert_non_null(said);
    assert_string_equal(said, want);
    free(said);
}
#define ASK(want, ...) ask(want, (const char *const[5]){__VA_ARGS__})

/* ---- counts -------------------------------------------------------------------------------------
 */

static void a_cluster_without_other_keys_is_counted_and_hardly_listed(void **ctx UNUSED)
{
    struct verify_options o = full();
    struct verify_report r;

    restore_all();
    verify(&o, &r);
    assert_int_equal(verify_report_findings(&r), 0);
    assert_int_equal(r.search, VERIFY_SEARCH_COUNTS);
    assert_int_equal(r.slots_counted, SLOT_COUNT);
    assert_in_range(r.slots_listed, 0, LISTED_FEW);
    assert_true(r.placement);
    verify_report_release(&r);
}

/* One gone and another there, in the same slot: as many keys as before. */
static void an_extra_key_is_found_where_a_missing_one_makes_up_for_it(void **ctx UNUSED)
{
    struct verify_options o = full();
    struct verify_report r;

    restore_all();
    ASK("1", "DEL", "key:7");
    ASK("OK", "SET", "other{key:7}", "v");
    verify(&o, &r);
    expect_named(&r, "key:7", VERIFY_MISSING);
    expect_named(&r, "other{key:7}", VERIFY_EXTRA);
    assert_int_equal(verify_report_findings(&r), 2);
    assert_int_equal(r.search, VERIFY_SEARCH_COUNTS);
    assert_in_range(r.slots_listed, 1, LISTED_FEW);
    verify_report_release(&r);
}

/* A record that the archive holds twice must not count as two keys. */
static void an_extra_key_is_found_where_the_archive_repeats_a_record(void **ctx UNUSED)
{
    const char *once = backup;
    struct verify_options o = full();
    struct verify_report r;

    restore_all();
    backup = make_backup(SMALL, 1); /* key:0 is there twice */
    ASK("OK", "SET", "other{key:0}", "v");
    verify(&o, &r);
    backup = once;
    expect_named(&r, "other{key:0}", VERIFY_EXTRA);
    assert_int_equal(verify_report_findings(&r), 1);
    verify_report_release(&r);
}

/* While round 2 is waited for a key dies that round 1 had found: the slot holds as many keys as the
 * backup has there, and yet one of them is another. */
static void an_extra_key_is_found_where_an_expired_one_makes_up_for_it(void **ctx UNUSED)
{
    static const char text[] =
        "{\"key\":\"key:8\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n"
        "{\"key\":\"short{key:7}\",\"type\":\"string\",\"ttl_millis\":600000,\"value\":\"v\","
        "\"expire_at_millis\":1700000000000}\n";
    const char *once = backup;
    struct verify_options o = full();
    struct verify_report r;

    o.rounds = 2;
    backup = kit_backup(text, sizeof(text) - 1);
    restore_all();
    ASK("OK", "SET", "other{key:7}", "v");
    ASK("1", "DEL", "key:8"); /* looked for again, a second later */
    ASK("1", "PEXPIRE", "short{key:7}", "900");
    verify(&o, &r);
    backup = once;
    expect_named(&r, "other{key:7}", VERIFY_EXTRA);
    assert_int_equal(r.verdicts[VERIFY_SAME] + r.verdicts[VERIFY_EXPIRED], 1);
    assert_int_equal(verify_report_findings(&r), 2);
    verify_report_release(&r);
}

/* Strings that were read since CONFIG RESETSTAT. */
static unsigned long strings_read(void)
{
    unsigned long sum = 0;

    for (size_t i = 0; i < lab_shards(lab); i++) {
        static const char name[] = "cmdstat_get:calls=";
        char *said = lab_cli(lab, i, "INFO", "commandstats", NULL);
        const char *at = said != NULL ? strstr(said, name) : NULL;

        if (at != NULL)
            sum += strtoul(at + sizeof(name) - 1, NULL, 10);
        free(said);
    }
    return sum;
}

static void *delete_when_read(void *arg)
{
    int64_t deadline = clock_after(20000);
    bool *done = arg;

    while (strings_read() < 2 && clock_mono_ms() < deadline)
        clock_sleep_ms(5);
    free(lab_cli_routed(lab, "DEL", "victim{key:7}", NULL));
    *done = clock_mono_ms() < deadline;
    return NULL;
}

/* A client deletes a key that round 1 had found, before the keys are counted: again the slot holds
 * as many as were found, and again one of them is another. */
static void an_extra_key_is_found_where_a_deleted_one_makes_up_for_it(void **ctx UNUSED)
{
    static const char text[] =
        "{\"key\":\"key:8\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n"
        "{\"key\":\"victim{key:7}\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n";
    const char *once = backup;
    struct verify_options o = full();
    struct verify_report r;
    bool deleted = false;
    pthread_t client;

    o.rounds = 3;
    backup = kit_backup(text, sizeof(text) - 1);
    restore_all();
    ASK("OK", "SET", "other{key:7}", "v");
    ASK("OK", "SET", "key:8", "changed"); /* looked at in each round, a second apart */
    for (size_t i = 0; i < lab_shards(lab); i++)
        free(lab_cli(lab, i, "CONFIG", "RESETSTAT", NULL));
    assert_int_equal(pthread_create(&client, NULL, delete_when_read, &deleted), 0);
    verify(&o, &r);
    assert_int_equal(pthread_join(client, NULL), 0);
    backup = once;
    assert_true(deleted);
    assert_int_equal(r.verdicts[VERIFY_SAME], 1);
    assert_int_equal(r.search, VERIFY_SEARCH_COUNTS);
    expect_named(&r, "other{key:7}", VERIFY_EXTRA);
    assert_int_equal(verify_report_findings(&r), 2);
    verify_report_release(&r);
}

/* A cluster has one database: a key of another one must not be taken for its namesake. */
static void a_key_of_a_database_that_is_not_there_is_missing(void **ctx UNUSED)
{
    static const char text[] =
        "{\"key\":\"key:7\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\"}\n"
        "{\"key\":\"key:8\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v\",\"db\":3}\n";
    const char *once = backup;
    struct verify_options o = full();
    struct verify_report r;

    restore_all();
    o.extra = false;
    backup = kit_backup(text, sizeof(text) - 1);
    verify(&o, &r);
    backup = once;
    assert_int_equal(r.verdicts[VERIFY_SAME], 1);
    expect_named(&r, "key:8", VERIFY_MISSING);
    assert_int_equal(verify_report_findings(&r), 1);
    verify_report_release(&r);
}

static void a_slot_with_more_keys_than_one_command_lists_is_scanned(void **ctx UNUSED)
{
    struct verify_options o = full();
    struct verify_report r;
    char *said;

    restore_all();
    said = lab_cli_routed(
        lab, "EVAL", "for i=1,10500 do redis.call('SET','many'..i..'{key:7}','v') end return 1",
        "1", "{key:7}", NULL);
    assert_string_equal(said, "1");
    free(said);
    verify(&o, &r);
    assert_int_equal(r.verdicts[VERIFY_EXTRA], 10500);
    assert_int_equal(r.found, 10500);
    assert_int_equal(r.finding_count, VERIFY_EXAMPLES_MAX);
    assert_int_equal(r.search, VERIFY_SEARCH_COUNTS);
    verify_report_release(&r);
}

static void a_filter_and_a_subset_limit_what_is_looked_for(void **ctx UNUSED)
{
    static const char *const match[] = {"b:*"};
    struct verify_options o = full();
    struct verify_report r;

    restore_all();
    ASK("OK", "SET", "a:{key:7}", "v");
    ASK("OK", "SET", "b:{key:7}", "v");
    o.filter = (struct filter){.match = match, .match_count = 1};
    verify(&o, &r);
    expect_named(&r, "b:{key:7}", VERIFY_EXTRA);
    assert_int_equal(verify_report_findings(&r), 1);
    verify_report_release(&r);
    o = full();
    o.extent = VERIFY_SUBSET;
    o.subsets = 2;
    o.subset = slot_of_key(STR("key:7")) % 2 + 1U;
    verify(&o, &r);
    assert_int_equal(r.verdicts[VERIFY_EXTRA], 2);
    assert_in_range(r.slots_listed, 1, LISTED_FEW);
    verify_report_release(&r);
    o.subset = 3 - o.subset;
    verify(&o, &r);
    assert_int_equal(r.verdicts[VERIFY_EXTRA], 0);
    verify_report_release(&r);
}

/* A sample does not know what is there: every name is compared. */
static void a_sample_looks_for_extra_keys_by_name(void **ctx UNUSED)
{
    struct verify_options o = full();
    struct verify_report r;

    restore_all();
    ASK("OK", "SET", "other{key:7}", "v");
    o.extent = VERIFY_SAMPLE;
    o.sample = 10;
    verify(&o, &r);
    expect_named(&r, "other{key:7}", VERIFY_EXTRA);
    assert_int_equal(verify_report_findings(&r), 1);
    assert_int_equal(r.checked, 10);
    assert_int_equal(r.population, KEYS);
    verify_report_release(&r);
}

static void verdicts_add_up_by_node(void **ctx UNUSED)
{
    struct verify_options o = full();
    struct verify_report r;
    uint64_t same = 0;
    uint64_t missing = 0;

    restore_all();
    ASK("1", "DEL", "key:7");
    verify(&o, &r);
    assert_int_equal(r.node_count, 3);
    for (size_t i = 0; i < r.node_count; i++) {
        same += r.nodes[i].verdicts[VERIFY_SAME];
        missing += r.nodes[i].verdicts[VERIFY_MISSING];
        assert_in_range(r.nodes[i].verdicts[VERIFY_SAME], 100, 300);
    }
    assert_int_equal(same, KEYS - 1);
    assert_int_equal(missing, 1);
    verify_report_release(&r);
}

/* ---- keys on the wrong node --------------------------------------------------------------------
 */

struct open_slot {
    char text[16];
    size_t owner, other;
    char *owner_id, *other_id;
};

static void ask_node(size_t node, const char *want, const char *const *argv)
{
    char *said = lab_cli_argv(lab, node, argv);

    assert_non_null(said);
    assert_string_equal(said, want);
    free(said);
}
#define ASK_NODE(node, want, ...) ask_node(node, want, (const char *const[10]){__VA_ARGS__})

/* The slot of the key is on its way from its owner to another node. */
static void open_slot(struct open_slot *o, const char *key)
{
    uint16_t slot = slot_of_key(str_from(key));

    *o = (struct open_slot){.owner = slot / 5462U};
    o->other = (o->owner + 1) % 3;
    (void)snprintf(o->text, sizeof(o->text), "%u", (unsigned)slot);
    o->owner_id = lab_cli(lab, o->owner, "CLUSTER", "MYID", NULL);
    o->other_id = lab_cli(lab, o->other, "CLUSTER", "MYID", NULL);
    ASK_NODE(o->other, "OK", "CLUSTER", "SETSLOT", o->text, "IMPORTING", o->owner_id);
    ASK_NODE(o->owner, "OK", "CLUSTER", "SETSLOT", o->text, "MIGRATING", o->other_id);
}

static void migrate(const struct open_slot *o, const char *key, const char *copy)
{
    char port[16];

    (void)snprintf(port, sizeof(port), "%d", lab_port(lab, o->other));
    ASK_NODE(o->owner, "OK", "MIGRATE", "127.0.0.1", port, key, "0", "5000", copy);
}

static void close_slot(struct open_slot *o)
{
    ASK_NODE(o->owner, "OK", "CLUSTER", "SETSLOT", o->text, "STABLE");
    ASK_NODE(o->other, "OK", "CLUSTER", "SETSLOT", o->text, "STABLE");
    free(o->owner_id);
    free(o->other_id);
}

static void copies_on_a_node_that_does_not_own_their_slot_are_named(void **ctx UNUSED)
{
    struct verify_options o = full();
    struct verify_report r;
    struct open_slot slot;

    restore_all();
    ASK("OK", "SET", "gone{key:7}", "v");
    open_slot(&slot, "key:7");
    migrate(&slot, "key:7", "COPY");
    migrate(&slot, "gone{key:7}", NULL); /* only the copy is left */
    close_slot(&slot);
    verify(&o, &r);
    assert_int_equal(r.stray, 2);
    expect_named(&r, "key:7", VERIFY_MISPLACED);
    assert_non_null(strstr(named(&r, "key:7")->detail, lab_address(lab, slot.other)));
    assert_non_null(strstr(named(&r, "key:7")->detail, "the owner has the key too"));
    expect_named(&r, "gone{key:7}", VERIFY_MISPLACED);
    assert_non_null(strstr(named(&r, "gone{key:7}")->detail, "the owner has no such key"));
    assert_int_equal(r.verdicts[VERIFY_EXTRA], 0);
    assert_int_equal(r.verdicts[VERIFY_SAME], KEYS);
    assert_int_equal(verify_report_findings(&r), 2);
    verify_report_release(&r);
    free(lab_cli(lab, slot.other, "FLUSHALL", NULL));
}

static void keys_on_their_way_to_another_node_are_in_place(void **ctx UNUSED)
{
    struct verify_options o = full();
    struct verify_report r;
    struct open_slot slot;

    restore_all();
    ASK("OK", "SET", "other{key:7}", "v");
    open_slot(&slot, "key:7");
    migrate(&slot, "key:7", NULL);
    migrate(&slot, "large{key:7}", NULL);
    migrate(&slot, "other{key:7}", NULL);
    verify(&o, &r);
    assert_int_equal(r.stray, 0);
    expect_named(&r, "other{key:7}", VERIFY_EXTRA);
    assert_int_equal(r.verdicts[VERIFY_SAME], KEYS);
    assert_int_equal(verify_report_findings(&r), 1);
    verify_report_release(&r);
    close_slot(&slot);
    free(lab_cli(lab, slot.other, "FLUSHALL", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_without_other_keys_is_counted_and_hardly_listed),
        cmocka_unit_test(an_extra_key_is_found_where_a_missing_one_makes_up_for_it),
        cmocka_unit_test(an_extra_key_is_found_where_the_archive_repeats_a_record),
        cmocka_unit_test(an_extra_key_is_found_where_an_expired_one_makes_up_for_it),
        cmocka_unit_test(an_extra_key_is_found_where_a_deleted_one_makes_up_for_it),
        cmocka_unit_test(a_key_of_a_database_that_is_not_there_is_missing),
        cmocka_unit_test(a_slot_with_more_keys_than_one_command_lists_is_scanned),
        cmocka_unit_test(a_filter_and_a_subset_limit_what_is_looked_for),
        cmocka_unit_test(a_sample_looks_for_extra_keys_by_name),
        cmocka_unit_test(verdicts_add_up_by_node),
        cmocka_unit_test(copies_on_a_node_that_does_not_own_their_slot_are_named),
        cmocka_unit_test(keys_on_their_way_to_another_node_are_in_place),
    };
    int failed;

    lab = lab_start(&(struct lab_options){.replicas = -1});
    if (lab == NULL)
        return 1;
    backup = make_backup(SMALL, 0);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    lab_stop(lab);
    return failed;
}
