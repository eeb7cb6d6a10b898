/*
 * it_snapshot.c - the state of a cluster by the program itself: the same before a backup and after
 * its restore, whichever way it is read; one change shows in one slot; a failover in the middle
 * leaves no trace in the sums.
 */
#include "tests/engine/program_kit.h"

#include <signal.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/snapshot/snapshot_read.h"
#include "tests/core/snapshot/fixture_record_digest.h"
#include "tests/harness/schema.h"

static const char *work;

static void say(const char *first, ...)
{
    const char *argv[12] = {first};
    size_t count = 1;
    struct proc_result r;
    char client[LAB_PATH];
    const char *all[24];
    char port[16];
    va_list ap;

    va_start(ap, first);
    while (count < 11 && (argv[count] = va_arg(ap, const char *)) != NULL)
        count++;
    va_end(ap);
    lab_client_path(lab, client);
    (void)snprintf(port, sizeof(port), "%d", lab_port(lab, 1));
    all[0] = client;
    all[1] = "-c";
    all[2] = "-e";
    all[3] = "-p";
    all[4] = port;
    for (size_t i = 0; i <= count; i++)
        all[5 + i] = argv[i];
    assert_true(proc_run(all, &(struct proc_options){0}, &r));
    if (r.status != 0)
        fail_msg("%s: %s%s", first, r.out, r.err);
    proc_result_release(&r);
}
#define SAY(...) say(__VA_ARGS__, NULL)

/* Values that do not go through one command: a string, list, hash, set, zset and stream in windows,
 * a HyperLogLog. */
static void fill(void)
{
    assert_true(lab_seed(lab, 200));
    for (size_t i = 0; i < lab_shards(lab); i++) /* what would expire in minutes lives on */
        free(lab_cli(lab, i, "EVAL",
                     "#!lua flags=allow-cross-slot-keys\n"
                     "for _,k in ipairs(redis.call('KEYS','user:*')) do "
                     "redis.call('PEXPIRE',k,86400000) end",
                     "0", NULL));
    SAY("EVAL", "return redis.call('SET',KEYS[1],string.rep('0123456789',300000))", "1", "big:s");
    SAY("EVAL", "for i=1,9000 do redis.call('RPUSH',KEYS[1],'item-'..i..string.rep('x',150)) end",
        "1", "big:l");
    SAY("EVAL", "for i=1,9000 do redis.call('HSET',KEYS[1],'f'..i,string.rep('v',150)..i) end", "1",
        "big:h");
    SAY("EVAL", "for i=1,9000 do redis.call('SADD',KEYS[1],'m'..i..string.rep('x',150)) end", "1",
        "big:t");
    SAY("EVAL", "for i=1,9000 do redis.call('ZADD',KEYS[1],i/7,'m'..i..string.rep('x',150)) end",
        "1", "big:z");
    SAY("EVAL",
        "for i=1,9000 do redis.call('XADD',KEYS[1],i..'-1','f',string.rep('v',150)) end "
        "redis.call('XGROUP','CREATE',KEYS[1],'g','0') "
        "redis.call('XREADGROUP','GROUP','g','c','COUNT','2500','STREAMS',KEYS[1],'>')",
        "1", "big:x");
    SAY("EVAL", "for i=1,500 do redis.call('PFADD',KEYS[1],i) end", "1", "hll:here");
    SAY("ZADD", "zeros", "-0", "minus", "inf", "most", "0.1", "tenth");
    SAY("SETRANGE", "sparse", "2000000", "end");
}

static int start_cluster(const char *flavor)
{
    state_dir = tmpdir_new();
    work = tmpdir_new();
    lab = lab_start(&(struct lab_options){.flavor = flavor});
    if (lab == NULL)
        return 1;
    fill();
    return lab_wait_ok(lab, 30000) ? 0 : 1;
}

static int start_redis(void **ctx UNUSED)
{
    return start_cluster("redis");
}

static int start_valkey(void **ctx UNUSED)
{
    return start_cluster("valkey");
}

static void flush_all(void)
{
    for (size_t i = 0; i < lab_shards(lab); i++)
        free(lab_cli(lab, (size_t)lab_primary_of(lab, i), "FLUSHALL", NULL));
    assert_int_equal(lab_keys(lab), 0);
}

static struct snapshot *load(const char *path)
{
    struct snapshot *s = NULL;
    struct error err = {0};

    if (!snapshot_load(path, &s, &err))
        fail_msg("%s", err.text);
    schema_expect("docs/schema/snapshot.schema.json", s->doc);
    return s;
}

static struct snapshot *take(const char *name, const char *option, const char *value)
{
    const char *path = tmpdir_path(work, name);

    if (option == NULL)
        assert_int_equal(RUN(NULL, "snapshot", "-o", path), 0);
    else if (value == NULL)
        assert_int_equal(RUN(NULL, "snapshot", "-o", path, option), 0);
    else
        assert_int_equal(RUN(NULL, "snapshot", "-o", path, option, value), 0);
    return load(path);
}

static void expect_same(const struct snapshot *a, const struct snapshot *b)
{
    struct slot_set differ;

    assert_int_equal(slot_sums_differ(a->sums, b->sums, &differ), 0);
    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        assert_true(slot_sum_same_deadlines(slot_sums_at(a->sums, (uint16_t)slot),
                                            slot_sums_at(b->sums, (uint16_t)slot)));
    assert_true(slot_sum_same_content(&a->total, &b->total));
    assert_int_equal(a->total.bytes, b->total.bytes);
}

/* ---- the same state, however it is read --------------------------------------------------------
 */

/* Every key of the keys file, added up again. */
static void expect_keys_file(const struct snapshot *s, const char *report)
{
    char *path = snapshot_keys_path(s, report);
    struct slot_sums *sums = slot_sums_new();
    struct snapshot_keys *keys;
    struct key_facts k;
    struct error err = {0};
    bool end = false;

    assert_non_null(path);
    if (!snapshot_keys_open(path, s, &keys, &err))
        fail_msg("%s", err.text);
    while (!end) {
        if (!snapshot_keys_next(keys, &k, &end, &err))
            fail_msg("%s", err.text);
        if (!end)
            slot_sums_add(sums, &k);
    }
    assert_int_equal(slot_sums_differ(sums, s->sums, NULL), 0);
    snapshot_keys_free(keys);
    slot_sums_free(sums);
    free(path);
}

static void add_group(struct source *source, const struct part_group *group,
                      struct key_spool *spool)
{
    struct record_stream *stream = record_stream_new(source, group, NULL);
    struct record_digest *digest = record_digest_new(stream, work, (size_t)1 << 20);
    struct error err = {0};
    struct key_facts k;
    bool end = false;

    while (!end) {
        if (!record_digest_next(digest, &k, &end, &err) ||
            (!end && !key_spool_add(spool, &k, &err)))
            fail_msg("%s", err.text);
    }
    record_digest_free(digest);
    record_stream_free(stream);
}

/* A backup, read as an archive, has the sums of the snapshot. */
static void expect_archive(const struct snapshot *s, const char *dir)
{
    struct key_spool *spool = key_spool_new(work, (size_t)1 << 20);
    struct slot_sums *sums = slot_sums_new();
    struct source *source;
    struct error err = {0};
    struct key_facts k;
    bool end = false;
    size_t count;

    if (!source_open(&(struct source_options){.path = dir}, &source, &err))
        fail_msg("%s", err.text);
    struct part_group *groups = part_groups(source_manifest(source), &count);

    for (size_t i = 0; i < count; i++)
        add_group(source, &groups[i], spool);
    part_groups_free(groups, count);
    assert_true(key_spool_sort(spool, 0, &err));
    while (!end) {
        assert_true(key_spool_next(spool, &k, &end, &err));
        if (!end)
            slot_sums_add(sums, &k);
    }
    assert_int_equal(slot_sums_differ(sums, s->sums, NULL), 0);
    source_close(source);
    slot_sums_free(sums);
    key_spool_free(spool);
}

static char *back_up(void)
{
    static const char label[] = "Backup written: ";
    char *said;
    char *dir;

    assert_int_equal(RUN(&said, "backup", "--backup-dir", tmpdir_path(work, "b"), "--no-upload"),
                     0);
    dir = strstr(said, label);
    assert_non_null(dir);
    dir += strlen(label);
    dir[strcspn(dir, "\n")] = '\0';
    dir = strdup(dir);
    free(said);
    return dir;
}

static void expect_same_sample(const struct snapshot *a, const struct snapshot *b)
{
    assert_int_equal(a->sample.count, 50);
    assert_int_equal(b->sample.count, 50);
    assert_int_equal(a->sample.below, b->sample.below);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(key_facts_compare(&a->sample.keys[i], &b->sample.keys[i]), 0);
}

static void the_state_is_the_same_after_backup_and_restore(void **ctx UNUSED)
{
    struct snapshot *before = take("before.json", "--keys", NULL);
    struct snapshot *sampled = take("sampled.json", "--sample", "50");
    struct snapshot *after;
    struct snapshot *again;
    char *dir = back_up();

    assert_true(before->complete);
    assert_int_equal(slot_set_count(&before->covered), SLOT_COUNT);
    assert_int_equal(before->total.keys, (uint64_t)lab_keys(lab));
    expect_same(before, sampled);
    expect_keys_file(before, tmpdir_path(work, "before.json"));
    expect_archive(before, dir);
    flush_all();
    assert_int_equal(RUN(NULL, "restore", "-i", dir, "--ttl", "absolute"), 0);
    SAY("PFCOUNT", "hll:here"); /* rewrites the count that the value caches */
    after = take("after.json", NULL, NULL);
    expect_same(before, after);
    again = take("again.json", "--sample", "50");
    expect_same_sample(sampled, again);
    snapshot_free(before);
    snapshot_free(sampled);
    snapshot_free(after);
    snapshot_free(again);
    free(dir);
}

/* ---- one change, one slot ----------------------------------------------------------------------
 */

static void expect_one_slot(struct snapshot **last, const char *key)
{
    struct snapshot *now = take("now.json", NULL, NULL);
    struct slot_set differ;

    if (slot_sums_differ((*last)->sums, now->sums, &differ) != 1)
        fail_msg("%s: %u slots differ", key, (unsigned)slot_set_count(&differ));
    assert_true(slot_set_has(&differ, slot_of_key(str_from(key))));
    snapshot_free(*last);
    *last = now;
}

static void one_change_shows_in_one_slot(void **ctx UNUSED)
{
    struct snapshot *last = take("first.json", NULL, NULL);
    struct snapshot *now;

    SAY("SETRANGE", "big:s", "2999999", "x");
    expect_one_slot(&last, "big:s");
    SAY("LSET", "big:l", "-1", "x");
    expect_one_slot(&last, "big:l");
    SAY("HSET", "big:h", "f9000", "x");
    expect_one_slot(&last, "big:h");
    SAY("ZADD", "zeros", "0.10000000000000002", "tenth");
    expect_one_slot(&last, "zeros");
    SAY("XGROUP", "CREATECONSUMER", "big:x", "g", "idle");
    expect_one_slot(&last, "big:x");
    SAY("PFADD", "hll:here", "one more that is new", "and another", "and more", "x", "y", "z");
    expect_one_slot(&last, "hll:here");
    SAY("EXPIRE", "zeros", "100000"); /* a deadline is no content */
    now = take("expiry.json", NULL, NULL);
    assert_int_equal(slot_sums_differ(last->sums, now->sums, NULL), 0);
    assert_false(slot_sum_same_deadlines(&last->total, &now->total));
    assert_int_equal(now->total.with_ttl, last->total.with_ttl + 1);
    snapshot_free(last);
    snapshot_free(now);
}

/* ---- a failover in the middle -------------------------------------------------------------------
 */

/* The newest snapshot's job has read something. */
static bool is_under_way(unsigned number)
{
    char name[64];
    struct error err = {0};
    json_t *doc;
    bool is;

    (void)snprintf(name, sizeof(name), "jobs/S-%04u/progress.json", number);
    doc = json_read_file(tmpdir_path(state_dir, name), (size_t)1 << 20, &err);
    is = json_int(json_object_get(doc, "total"), "done", 0) > 300;
    json_decref(doc);
    return is;
}

static unsigned jobs_so_far(void)
{
    unsigned number = 0;
    char name[64];

    do
        (void)snprintf(name, sizeof(name), "jobs/S-%04u", ++number);
    while (file_exists(tmpdir_path(state_dir, name)));
    return number - 1;
}

static void a_failover_leaves_no_trace_in_the_sums(void **ctx UNUSED)
{
    const char *path = tmpdir_path(work, "failover.json");
    const char *argv[] = {proc_rbconsole(),
                          "-c",
                          lab_config_file(lab),
                          "--state-dir",
                          state_dir,
                          "-q",
                          "snapshot",
                          "-o",
                          path,
                          "--keys",
                          "--rate",
                          "150",
                          NULL};
    struct snapshot *before = take("calm.json", NULL, NULL);
    unsigned number = jobs_so_far() + 1;
    int64_t deadline = clock_after(60000);
    struct snapshot *after;
    pid_t pid;

    pid = proc_start(argv, &(struct proc_options){0}, NULL);
    assert_true(pid > 0);
    while (!is_under_way(number) && clock_mono_ms() < deadline)
        clock_sleep_ms(20);
    assert_true(is_under_way(number));
    assert_true(lab_kill(lab, 0));
    assert_int_equal(proc_wait(pid, 240000), 0);
    after = load(path);
    assert_true(after->complete);
    assert_true(json_array_size(json_object_get(after->doc, "topology_events")) > 0);
    expect_same(before, after);
    expect_keys_file(after, path);
    snapshot_free(before);
    snapshot_free(after);
}

/* ---- who may not ask ----------------------------------------------------------------------------
 */

static void options_leave_out_and_say_so(void **ctx UNUSED)
{
    struct snapshot *all = take("all.json", NULL, NULL);
    struct snapshot *some = take("some.json", "--match", "big:*");
    struct snapshot *slots = take("slots.json", "--slots", "0-99");

    assert_false(all->filtered);
    assert_true(some->filtered);
    assert_int_equal(some->total.keys, 6);
    assert_int_equal(slot_set_count(&slots->covered), 100);
    for (uint16_t slot = 0; slot < 100; slot++)
        assert_true(
            slot_sum_same_content(slot_sums_at(all->sums, slot), slot_sums_at(slots->sums, slot)));
    assert_int_equal(slot_sums_at(slots->sums, 100)->keys, 0);
    snapshot_free(all);
    snapshot_free(some);
    snapshot_free(slots);
}

/* Flavours agree: what redis backed up has the same sums on valkey. */
static void another_flavour_has_the_same_sums(void **ctx UNUSED)
{
    struct lab *redis = lab;
    struct snapshot *there = take("redis.json", NULL, NULL);
    struct snapshot *here;
    char *dir = back_up();

    lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .flavor = "valkey", .replicas = -1});
    assert_non_null(lab);
    assert_int_equal(RUN(NULL, "restore", "-i", dir, "--ttl", "absolute"), 0);
    here = take("valkey.json", NULL, NULL);
    expect_same(there, here); /* a single server, too */
    assert_string_equal(here->mode, "single");
    lab_stop(lab);
    lab = redis;
    snapshot_free(there);
    snapshot_free(here);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest redis[] = {
        cmocka_unit_test(the_state_is_the_same_after_backup_and_restore),
        cmocka_unit_test(one_change_shows_in_one_slot),
        cmocka_unit_test(options_leave_out_and_say_so),
        cmocka_unit_test(another_flavour_has_the_same_sums),
        cmocka_unit_test(a_failover_leaves_no_trace_in_the_sums), /* the last: a node is gone */
    };
    const struct CMUnitTest valkey[] = {
        cmocka_unit_test(the_state_is_the_same_after_backup_and_restore),
    };
    int failed = cmocka_run_group_tests(redis, start_redis, stop);

    return failed + cmocka_run_group_tests(valkey, start_valkey, stop);
}
