/*
 * it_shifts.c - faults 2 to 5 and 7 on a cluster full of data of every type: a primary killed,
 * demoted or restarted in the middle of its SCAN, a third of a node's slots moved away, a migration
 * killed half-way. Judged by the servers' own digests: what the backup holds, restored into an
 * empty server, is what the cluster held. 100,000 keys with FAULTS=full, else 15,000.
 */
#include "tests/engine/restore_kit.h"

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/redis/slot.h"
#include "tests/engine/fixture_backup.h"
#include "tests/harness/wait.h"

#define PRIMARIES 3
#define MOVED_FULL 2000
#define MOVED_SHORT 200

static struct lab *lab;
static struct lab *empty; /* one server, to restore into */
static bool full;
static long long keys;
static unsigned char digest[20];

/* ---- what the servers hold ----------------------------------------------------------------------
 */

static void add_digest(struct lab *from, size_t node, unsigned char sum[20])
{
    char *hex = lab_cli(from, node, "DEBUG", "DIGEST", NULL);

    assert_int_equal(strlen(hex), 40);
    for (size_t i = 0; i < 20; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        sum[i] = (unsigned char)(sum[i] ^ strtoul(two, NULL, 16));
    }
    free(hex);
}

static size_t primary_of(size_t shard)
{
    int node = lab_primary_of(lab, shard);

    assert_true(node >= 0);
    return (size_t)node;
}

/* Over all primaries: the digest of a server is the sum of its keys' without carry. */
static void cluster_digest(unsigned char sum[20])
{
    memset(sum, 0, 20);
    for (size_t i = 0; i < PRIMARIES; i++)
        add_digest(lab, primary_of(i), sum);
}

static bool is_settled(void *context UNUSED)
{
    unsigned char now[20];

    if (lab_keys(lab) != keys)
        return false;
    cluster_digest(now);
    return memcmp(now, digest, 20) == 0;
}

static void settle(void)
{
    assert_true(lab_wait_ok(lab, 60000));
    assert_true(wait_until(is_settled, NULL, 60000));
}

static int set_up(void **ctx UNUSED)
{
    const char *size = getenv("FAULTS");

    full = size != NULL && strcmp(size, "full") == 0;
    lab = lab_start(&(struct lab_options){0});
    empty = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .replicas = -1});
    if (lab == NULL || empty == NULL || !lab_seed(lab, full ? 20000 : 3000))
        return -1;
    assert_true(lab_wait_ok(lab, 60000));
    for (size_t i = 0; i < PRIMARIES; i++) /* nothing may expire while the tests run */
        free(lab_cli(lab, i, "EVAL",
                     "for _,k in ipairs(redis.call('KEYS','*')) do redis.call('PERSIST',k) end",
                     "0", NULL));
    keys = lab_keys(lab);
    assert_true(keys > (full ? 100000 : 15000));
    cluster_digest(digest);
    return 0;
}

static int tear_down(void **ctx UNUSED)
{
    lab_stop(lab);
    lab_stop(empty);
    return 0;
}

/* ---- a backup in the middle ---------------------------------------------------------------------
 */

/* Until about 30 % of it is written. */
static void start_and_wait(struct background *b, struct setting *s)
{
    char *part;
    int64_t deadline = clock_after(wait_scale(120000));

    setting_init(s, lab);
    s->backup.rate = (uint64_t)keys / 8; /* eight seconds */
    s->backup.chunk_keys = 300;
    assert_true(start_slowly(b, s));
    part = mem_format("%s/%s/keys/keys-part-%04lld.jsonl", s->dir, ID ".partial",
                      keys * 3 / 10 / 300 + 1);
    while (!file_exists(part) && clock_mono_ms() < deadline)
        clock_sleep_ms(10);
    assert_true(file_exists(part));
    free(part);
}

/* Restored into the empty server, it is all that the cluster held, and nothing else. */
static void expect_whole(const struct setting *s, const struct backup_result *done, bool again)
{
    unsigned char restored[20] = {0};
    struct kit k;

    if (!done->manifest->complete)
        fail_msg("incomplete: %s", done->manifest->reason);
    assert_int_equal(done->findings, 0);
    assert_true(!again || done->rounds >= 2);
    assert_true(!again || done->manifest->event_count >= 1);
    assert_int_equal(done->manifest->totals.keys, keys); /* no key twice, none missing */
    free(lab_cli(empty, 0, "FLUSHALL", NULL));
    kit_open(&k, tmpdir_path(s->dir, ID), (uint16_t)lab_port(empty, 0));
    k.target.command_timeout_ms = 30000;
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    assert_int_equal(restore_result_findings(&k.result), 0);
    assert_int_equal(k.result.written, keys);
    kit_close(&k);
    assert_int_equal(lab_keys(empty), keys);
    add_digest(empty, 0, restored);
    assert_memory_equal(restored, digest, 20);
    (void)tmpdir_remove(s->dir);
}

static void check(struct background *b, struct setting *s)
{
    settle();
    expect_whole(s, &b->done, true);
    background_release(b);
}

static void end(struct background *b, struct setting *s)
{
    wait_for_end(b);
    check(b, s);
}

static size_t replica_of(size_t node)
{
    for (size_t i = 0; i < lab_nodes(lab); i++)
        if (lab_pid(lab, i) > 0 &&
            lab_info_number(lab, i, "replication", "master_port") == lab_port(lab, node))
            return i;
    fail_msg("node %zu has no replica", node);
    return 0;
}

static void a_primary_killed_in_its_scan_costs_no_key(void **ctx UNUSED)
{
    size_t victim = primary_of(0);
    struct background b;
    struct setting s;

    start_and_wait(&b, &s);
    assert_true(lab_kill(lab, victim));
    wait_for_end(&b);
    assert_true(lab_restart(lab, victim));
    check(&b, &s);
}

static void a_primary_demoted_in_its_scan_costs_no_key(void **ctx UNUSED)
{
    size_t replica = replica_of(primary_of(1));
    struct background b;
    struct setting s;

    start_and_wait(&b, &s);
    CLI_ON(lab, replica, "OK", "CLUSTER", "FAILOVER");
    end(&b, &s);
    assert_int_equal(primary_of(1), replica);
}

static void a_restart_in_the_scan_costs_no_key(void **ctx UNUSED)
{
    size_t node = primary_of(2);
    size_t replica = replica_of(node);
    struct background b;
    struct setting s;

    CLI_ON(lab, replica, "OK", "CONFIG", "SET", "cluster-replica-no-failover", "yes");
    start_and_wait(&b, &s);
    assert_true(lab_kill(lab, node) && lab_restart(lab, node));
    end(&b, &s);
    assert_int_equal(primary_of(2), node);
    CLI_ON(lab, replica, "OK", "CONFIG", "SET", "cluster-replica-no-failover", "no");
}

/* ---- slots on the move --------------------------------------------------------------------------
 */

struct mover {
    struct conn *conn[2]; /* from, to */
    char *id[2];
    int port;
};

static void mover_open(struct mover *m, size_t from, size_t to)
{
    size_t nodes[2] = {from, to};

    m->port = lab_port(lab, to);
    for (size_t i = 0; i < 2; i++) {
        struct address a = {.host = "127.0.0.1", .port = (uint16_t)lab_port(lab, nodes[i])};

        m->conn[i] = conn_new(&a, &(struct conn_options){.command_timeout_ms = 60000});
        must(conn_open(m->conn[i], &why));
        m->id[i] = lab_cli(lab, nodes[i], "CLUSTER", "MYID", NULL);
    }
}

static void mover_close(struct mover *m)
{
    for (size_t i = 0; i < 2; i++) {
        conn_free(m->conn[i]);
        free(m->id[i]);
    }
}

static const struct reply *tell(struct conn *c, struct command command)
{
    const struct reply *r;

    must(conn_call(c, command, 0, &r, &why));
    if (r->type == REPLY_ERROR)
        fail_msg("%.*s: %.*s", (int)command.argv[1].len, command.argv[1].ptr, (int)r->str.len,
                 r->str.ptr);
    return r;
}

static void set_slot(struct mover *m, size_t node, const char *slot, const char *how, size_t peer)
{
    (void)tell(m->conn[node], COMMAND(STR("CLUSTER"), STR("SETSLOT"), str_from(slot), str_from(how),
                                      str_from(m->id[peer])));
}

/* At most `most` keys of a slot, by MIGRATE; false when there are no more. */
static bool move_keys(struct mover *m, const char *slot, const char *most)
{
    struct str argv[7 + 1000] = {STR("MIGRATE"), STR("127.0.0.1"), {0},        STR(""),
                                 STR("0"),       STR("60000"),     STR("KEYS")};
    struct arena arena = {0};
    const struct reply *r =
        reply_copy(&arena, tell(m->conn[0], COMMAND(STR("CLUSTER"), STR("GETKEYSINSLOT"),
                                                    str_from(slot), str_from(most))));
    char port[8];

    (void)snprintf(port, sizeof(port), "%d", m->port);
    argv[2] = str_from(port);
    for (size_t i = 0; i < r->count; i++)
        argv[7 + i] = r->elements[i].str;
    if (r->count > 0)
        (void)tell(m->conn[0], (struct command){argv, 7 + r->count});
    arena_release(&arena);
    return r->count > 0;
}

static void move_slot(struct mover *m, unsigned slot)
{
    char number[8];

    (void)snprintf(number, sizeof(number), "%u", slot);
    set_slot(m, 1, number, "IMPORTING", 0);
    set_slot(m, 0, number, "MIGRATING", 1);
    while (move_keys(m, number, "1000"))
        ;
    set_slot(m, 1, number, "NODE", 1);
    set_slot(m, 0, number, "NODE", 1);
}

static void slots_move_and_no_epoch_tells(void **ctx UNUSED)
{
    size_t from = primary_of(0);
    size_t to = primary_of(2);
    unsigned count = full ? MOVED_FULL : MOVED_SHORT;
    long long epoch;
    struct background b;
    struct setting s;
    struct mover m;

    /* The importer raises its epoch only when it is not the highest already. */
    free(lab_cli(lab, to, "CLUSTER", "BUMPEPOCH", NULL));
    settle();
    epoch = lab_info_number(lab, to, "CLUSTER INFO", "cluster_current_epoch");
    start_and_wait(&b, &s);
    mover_open(&m, from, to);
    for (unsigned slot = 0; slot < count; slot++)
        move_slot(&m, slot);
    mover_close(&m);
    assert_int_equal(lab_info_number(lab, to, "CLUSTER INFO", "cluster_current_epoch"), epoch);
    end(&b, &s);
}

static bool is_open(size_t node, const char *slot)
{
    char *mark = mem_format("[%s-", slot);
    char *said = lab_cli(lab, node, "CLUSTER", "NODES", NULL);
    bool open = strstr(said, mark) != NULL;

    free(said);
    free(mark);
    return open;
}

/* The node that migrates dies between two keys and comes back: the slot stays open on both. */
static void a_migration_killed_half_way_is_named_and_costs_no_key(void **ctx UNUSED)
{
    size_t from = primary_of(0);
    size_t to = primary_of(2);
    size_t replica = replica_of(from);
    struct task *task = task_new_plain();
    uint16_t fullest = 3000; /* still of the first node */
    struct backup_result done;
    struct setting s;
    struct mover m;
    char *slot = NULL;

    for (long long most = 1; most > 0 && fullest < 5461; fullest++) { /* one with three keys */
        char *count;

        free(slot);
        slot = mem_format("%u", (unsigned)fullest);
        count = lab_cli(lab, from, "CLUSTER", "COUNTKEYSINSLOT", slot, NULL);
        most = strtoll(count, NULL, 10) >= 3 ? 0 : 1;
        free(count);
    }
    mover_open(&m, from, to);
    set_slot(&m, 1, slot, "IMPORTING", 0);
    set_slot(&m, 0, slot, "MIGRATING", 1);
    assert_true(move_keys(&m, slot, "1"));
    CLI_ON(lab, replica, "OK", "CONFIG", "SET", "cluster-replica-no-failover", "yes");
    mover_close(&m);
    assert_true(lab_kill(lab, from) && lab_restart(lab, from));
    settle();
    CLI_ON(lab, replica, "OK", "CONFIG", "SET", "cluster-replica-no-failover", "no");
    assert_true(is_open(from, slot) && is_open(to, slot));
    setting_init(&s, lab);
    setting_run(&s, task, &done);
    assert_false(done.manifest->complete);
    assert_true(done.findings > 0);
    assert_non_null(strstr(done.manifest->reason, slot));
    backup_result_release(&done);
    (void)tmpdir_remove(s.dir);
    mover_open(&m, from, to);
    while (move_keys(&m, slot, "1000"))
        ;
    set_slot(&m, 1, slot, "NODE", 1);
    set_slot(&m, 0, slot, "NODE", 1);
    mover_close(&m);
    settle();
    setting_init(&s, lab);
    setting_run(&s, task, &done);
    expect_whole(&s, &done, false);
    backup_result_release(&done);
    task_free(task);
    free(slot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_move_and_no_epoch_tells),
        cmocka_unit_test(a_migration_killed_half_way_is_named_and_costs_no_key),
        cmocka_unit_test(a_restart_in_the_scan_costs_no_key),
        cmocka_unit_test(a_primary_demoted_in_its_scan_costs_no_key),
        cmocka_unit_test(a_primary_killed_in_its_scan_costs_no_key),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
