/*
 * test_detectors.c - each check that keeps a backup honest, alone: two made-up nodes change in the
 * middle of a SCAN in one way only, on a connection that goes on working. With that one detector
 * switched off (core/base/detector.h) the matching test fails; tests/faults/detectors shows it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/backup.h"
#include "core/base/alloc.h"
#include "core/base/attr.h"
#include "core/redis/slot.h"
#include "tests/harness/resp_server.h"
#include "tests/harness/tmpdir.h"

#define ID "redis-backup-local-20250818T060635Z-28e5"
#define BATCHES 10
#define KEYS_OF_A 20 /* in each batch */
#define EVENT_AT 5   /* it happens as this batch is answered */

enum event { NOTHING, DEMOTED_FOR_A_MOMENT, RESTARTED, EPOCH_RAISED, SLOT_MOVED, SLOT_OPEN };

static const char moved_key[] = "moved";

/* What both nodes answer from; guarded by the lock. */
static struct model {
    pthread_mutex_t lock;
    enum event event;
    bool cluster;
    bool happened;
    unsigned batches_after; /* of the first pass, asked for behind the event */
    unsigned passes;
    bool said; /* the moment of demotion has been seen */
    bool open;
    uint16_t ports[2];
} model = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const int nodes[2] = {0, 1};
static struct error why;

static const char *id_of(int node)
{
    return node == 0 ? "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                     : "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
}

static void put(char *out, size_t size, size_t *len, const char *fmt, ...) PRINTF_LIKE(4, 5);
static void put(char *out, size_t size, size_t *len, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    *len += (size_t)vsnprintf(out + *len, size - *len, fmt, ap);
    va_end(ap);
}

static void put_bulk(char *out, size_t size, size_t *len, const char *text)
{
    put(out, size, len, "$%zu\r\n%s\r\n", strlen(text), text);
}

/* ---- the answers --------------------------------------------------------------------------------
 */

static void event_happens(void)
{
    model.happened = true;
    model.open = model.event == SLOT_OPEN;
}

/* Node A: BATCHES batches, the cursor is their number. Node B: whatever came over. */
static void answer_scan(int node, struct str cursor, char *out, size_t size, size_t *len)
{
    bool gone = model.event == SLOT_MOVED && model.happened;
    unsigned batch = (unsigned)strtoul(cursor.ptr, NULL, 10);
    bool last = batch + 1 == BATCHES;
    char number[16];

    if (node == 1) {
        put(out, size, len, "*2\r\n$1\r\n0\r\n");
        put(out, size, len, gone ? "*1\r\n" : "*0\r\n");
        if (gone)
            put_bulk(out, size, len, moved_key);
        return;
    }
    model.passes += batch == 0;
    model.batches_after += model.passes == 1 && model.happened;
    if (batch == EVENT_AT && !model.happened && model.event != NOTHING)
        event_happens();
    (void)snprintf(number, sizeof(number), "%u", last ? 0 : batch + 1);
    put(out, size, len, "*2\r\n");
    put_bulk(out, size, len, number);
    put(out, size, len, "*%d\r\n", KEYS_OF_A + (last && !gone));
    for (int i = 0; i < KEYS_OF_A; i++) {
        char key[32];

        (void)snprintf(key, sizeof(key), "key:%u:%d", batch, i);
        put_bulk(out, size, len, key);
    }
    if (last && !gone)
        put_bulk(out, size, len, moved_key);
}

static void answer_role(char *out, size_t size, size_t *len)
{
    bool demoted = model.event == DEMOTED_FOR_A_MOMENT && model.happened && !model.said;

    model.said = model.said || demoted;
    if (demoted)
        put(out, size, len,
            "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:1\r\n$9\r\nconnected\r\n:0\r\n");
    else
        put(out, size, len, "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
}

static void answer_info(int node, char *out, size_t size, size_t *len)
{
    bool restarted = model.event == RESTARTED && model.happened && node == 0;
    char text[600];

    (void)snprintf(text, sizeof(text),
                   "# Server\r\nredis_version:7.0.15\r\nredis_mode:%s\r\nrun_id:%s\r\n"
                   "# Replication\r\nrole:master\r\nconnected_slaves:0\r\nmaster_replid:def\r\n"
                   "# Keyspace\r\ndb0:keys=%d,expires=0,avg_ttl=0\r\n",
                   model.cluster ? "cluster" : "standalone", restarted ? "second" : "first",
                   BATCHES * KEYS_OF_A);
    put_bulk(out, size, len, text);
}

/* A has all slots, but for the one that moved; that one may be open for one look. */
static void answer_nodes(int node, char *out, size_t size, size_t *len)
{
    unsigned slot = slot_of_key(str_from(moved_key));
    bool moved = model.event == SLOT_MOVED && model.happened;
    int epoch = model.event == EPOCH_RAISED && model.happened ? 9 : 1;
    char slots[120] = " 0-16383";
    char text[900];
    size_t n = 0;

    if (moved)
        (void)snprintf(slots, sizeof(slots), " 0-%u %u-16383", slot - 1, slot + 1);
    else if (model.open && node == 0)
        (void)snprintf(slots, sizeof(slots), " 0-16383 [%u->-%s]", slot, id_of(1));
    model.open = model.open && node != 0;
    put(text, sizeof(text), &n, "%s 127.0.0.1:%u@1 %smaster - 0 0 %d connected%s\n", id_of(0),
        (unsigned)model.ports[0], node == 0 ? "myself," : "", epoch, slots);
    put(text, sizeof(text), &n, "%s 127.0.0.1:%u@2 %smaster - 0 0 2 connected", id_of(1),
        (unsigned)model.ports[1], node == 1 ? "myself," : "");
    if (moved)
        put(text, sizeof(text), &n, " %u", slot);
    put(text, sizeof(text), &n, "\n");
    put_bulk(out, size, len, text);
}

static void answer_cluster(int node, const struct str *argv, char *out, size_t size, size_t *len)
{
    if (!model.cluster)
        put(out, size, len, "-ERR This instance has cluster support disabled\r\n");
    else if (str_is(argv[1], "NODES"))
        answer_nodes(node, out, size, len);
    else if (str_is(argv[1], "INFO"))
        put_bulk(out, size, len,
                 "cluster_enabled:1\r\ncluster_state:ok\r\ncluster_slots_assigned:16384\r\n");
    else if (str_is(argv[1], "MYID"))
        put_bulk(out, size, len, id_of(node));
    else
        put(out, size, len, "-ERR unknown subcommand\r\n");
}

static bool answer(void *arg, const struct str *argv, size_t argc, char *out, size_t size,
                   size_t *len)
{
    static const struct {
        const char *command, *reply;
    } rows[] = {{"TIME", "*2\r\n$10\r\n1755497196\r\n$1\r\n0\r\n"},
                {"TYPE", "+string\r\n"},
                {"GET", "$1\r\nv\r\n"},
                {"PEXPIRETIME", ":-1\r\n"},
                {"MEMORY", ":60\r\n"},
                {"STRLEN", ":1\r\n"},
                {"DBSIZE", ":200\r\n"},
                {"FUNCTION", "*0\r\n"},
                {"COMMAND", "-ERR unknown command 'COMMAND'\r\n"}};
    int node = *(const int *)arg;
    const char *reply = "+OK\r\n";

    (void)argc;
    pthread_mutex_lock(&model.lock);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (str_is(argv[0], rows[i].command))
            reply = rows[i].reply;
    if (str_is(argv[0], "SCAN"))
        answer_scan(node, argv[1], out, size, len);
    else if (str_is(argv[0], "ROLE"))
        answer_role(out, size, len);
    else if (str_is(argv[0], "INFO"))
        answer_info(node, out, size, len);
    else if (str_is(argv[0], "CLUSTER"))
        answer_cluster(node, argv, out, size, len);
    else
        put(out, size, len, "%s", reply);
    pthread_mutex_unlock(&model.lock);
    return true;
}

/* ---- the backup ---------------------------------------------------------------------------------
 */

struct outcome {
    bool complete;
    uint64_t rounds;
    uint64_t keys;
    unsigned passes; /* over node A */
    unsigned batches_after;
};

static struct outcome backup_with(enum event event, bool cluster)
{
    struct resp_server *servers[2];
    struct address seed = {.host = "127.0.0.1"};
    struct redis_options redis = {.seeds = &seed, .seed_count = 1, .command_timeout_ms = 20000};
    struct backup_options o = {
        .env = "local",
        .outage_timeout_ms = 20000,
        .archive = {.id = ID, .dir = tmpdir_new(), .tree = true, .file = true}};
    struct task *task = task_new_plain();
    struct backup_result done = {0};
    struct cluster *c;
    struct outcome out;

    model.event = event;
    model.cluster = cluster;
    model.happened = model.said = model.open = false;
    model.passes = model.batches_after = 0;
    for (int i = 0; i < 2; i++) {
        servers[i] = resp_server_answering(answer, mem_unconst(&nodes[i]));
        assert_non_null(servers[i]);
        model.ports[i] = resp_server_port(servers[i]);
    }
    seed.port = model.ports[0];
    c = cluster_new(&redis);
    if (!cluster_connect(c, true, &why) || !backup_run(c, &o, task, &done, &why))
        fail_msg("%s", why.text);
    out = (struct outcome){done.manifest->complete, done.rounds, done.manifest->totals.keys,
                           model.passes, model.batches_after};
    cluster_free(c);
    backup_result_release(&done);
    task_free(task);
    for (int i = 0; i < 2; i++)
        resp_server_stop(servers[i]);
    return out;
}

/* Settled by a second reading, and nothing missing. */
static void expect_read_again(enum event event, bool cluster)
{
    struct outcome out = backup_with(event, cluster);

    assert_true(out.complete);
    assert_int_equal(out.rounds, 2);
    assert_int_equal(out.keys, BATCHES * KEYS_OF_A + 1);
}

static void nothing_happens_and_one_reading_is_enough(void **state UNUSED)
{
    for (int cluster = 0; cluster < 2; cluster++) {
        struct outcome out = backup_with(NOTHING, cluster);

        assert_true(out.complete);
        assert_int_equal(out.rounds, 1);
        assert_int_equal(out.passes, 1);
        assert_int_equal(out.keys, BATCHES * KEYS_OF_A + 1);
    }
}

static void a_demotion_is_noticed_within_one_batch(void **state UNUSED)
{
    struct outcome out = backup_with(DEMOTED_FOR_A_MOMENT, false);

    assert_true(out.complete);
    assert_int_equal(out.rounds, 2);
    assert_int_equal(out.passes, 2); /* from cursor 0, not on with the old one */
    assert_true(out.batches_after <= 1);
}

static void another_process_behind_the_connection_is_read_from_the_start(void **state UNUSED)
{
    expect_read_again(RESTARTED, false);
    assert_int_equal(model.passes, 2);
}

static void a_raised_epoch_means_that_slots_may_have_been_away(void **state UNUSED)
{
    expect_read_again(EPOCH_RAISED, true);
}

static void a_slot_that_left_before_it_was_read_is_read_at_its_new_owner(void **state UNUSED)
{
    expect_read_again(SLOT_MOVED, true);
}

static void a_slot_that_was_open_is_read_again(void **state UNUSED)
{
    expect_read_again(SLOT_OPEN, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_happens_and_one_reading_is_enough),
        cmocka_unit_test(a_demotion_is_noticed_within_one_batch),
        cmocka_unit_test(another_process_behind_the_connection_is_read_from_the_start),
        cmocka_unit_test(a_raised_epoch_means_that_slots_may_have_been_away),
        cmocka_unit_test(a_slot_that_left_before_it_was_read_is_read_at_its_new_owner),
        cmocka_unit_test(a_slot_that_was_open_is_read_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
