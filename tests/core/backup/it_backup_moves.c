#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/redis/conn.h"
#include "core/redis/slot.h"
#include "tests/engine/fixture_backup.h"

#define SEEDED 3000

static struct lab *seeded_lab(void)
{
    struct lab *lab = lab_start(&(struct lab_options){.replicas = -1});

    assert_non_null(lab);
    assert_true(lab_seed(lab, SEEDED));
    assert_true(lab_wait_ok(lab, 10000));
    return lab;
}

static char *id_of(struct lab *lab, size_t node)
{
    char *id = lab_cli(lab, node, "CLUSTER", "MYID", NULL);

    assert_non_null(id);
    return id;
}

/* All keys of a slot, by the server's own MIGRATE. */
static void migrate_keys(struct lab *lab, size_t from, size_t to, unsigned slot)
{
    char number[8];
    char port[8];

    (void)snprintf(number, sizeof(number), "%u", slot);
    (void)snprintf(port, sizeof(port), "%d", lab_port(lab, to));
    for (;;) {
        char *keys = lab_cli(lab, from, "CLUSTER", "GETKEYSINSLOT", number, "100", NULL);
        const char *argv[120] = {"MIGRATE", "127.0.0.1", port, "", "0", "5000", "KEYS"};
        size_t argc = 7;
        char *rest = keys;
        char *key;

        assert_non_null(keys);
        while ((key = strsep(&rest, "\n")) != NULL)
            if (key[0] != '\0')
                argv[argc++] = key;
        if (argc > 7)
            cli_on(lab, from, "OK", argv);
        free(keys);
        if (argc == 7)
            return;
    }
}

static void move_slot(struct lab *lab, size_t from, size_t to, unsigned slot)
{
    char *source = id_of(lab, from);
    char *target = id_of(lab, to);
    char number[8];

    (void)snprintf(number, sizeof(number), "%u", slot);
    CLI_ON(lab, to, "OK", "CLUSTER", "SETSLOT", number, "IMPORTING", source);
    CLI_ON(lab, from, "OK", "CLUSTER", "SETSLOT", number, "MIGRATING", target);
    migrate_keys(lab, from, to, slot);
    CLI_ON(lab, to, "OK", "CLUSTER", "SETSLOT", number, "NODE", target);
    CLI_ON(lab, from, "OK", "CLUSTER", "SETSLOT", number, "NODE", target);
    free(source);
    free(target);
}

static void move_slots(struct lab *lab, size_t from, size_t to, unsigned first, unsigned count)
{
    for (unsigned slot = first; slot < first + count; slot++)
        move_slot(lab, from, to, slot);
}

static void a_node_that_restarts_is_read_again_from_the_start(void **state)
{
    struct lab *lab = seeded_lab();
    struct background b;
    struct setting s;

    (void)state;
    setting_init(&s, lab);
    assert_true(start_slowly(&b, &s));
    assert_true(lab_kill(lab, 0));
    assert_true(lab_restart(lab, 0));
    wait_for_end(&b);
    assert_true(b.done.manifest->complete);
    assert_true(b.done.rounds >= 2);
    expect_all_seeded(&s, b.done.manifest, SEEDED);
    background_release(&b);
    lab_stop(lab);
}

static void slots_that_move_to_a_node_already_read_are_read_there(void **state)
{
    struct lab *lab = seeded_lab();
    struct background b;
    struct setting s;

    (void)state;
    setting_init(&s, lab);
    assert_true(start_slowly(&b, &s));
    move_slots(lab, 0, 1, 0, 120); /* node 1 has passed over them, node 0 has them no more */
    wait_for_end(&b);
    assert_true(b.done.manifest->complete);
    assert_true(b.done.rounds >= 2);
    expect_all_seeded(&s, b.done.manifest, SEEDED);
    background_release(&b);
    lab_stop(lab);
}

/* Moves one empty slot to and fro over connections of its own, many times a second: a process for
 * each command would leave gaps, on a busy machine, in which a whole round finds nothing moving. */
struct mover {
    struct lab *lab;
    atomic_bool stop;
    pthread_t thread;
    struct conn *conn[3];
    char *id[3];
    char slot[8];
};

static void set_slot(struct mover *m, size_t node, const char *how, size_t peer)
{
    struct error err = {0};
    const struct reply *r;

    assert_true(conn_call(m->conn[node],
                          COMMAND(STR("CLUSTER"), STR("SETSLOT"), str_from(m->slot), str_from(how),
                                  str_from(m->id[peer])),
                          0, &r, &err));
}

static void move_empty(struct mover *m, size_t from, size_t to)
{
    set_slot(m, to, "IMPORTING", from);
    set_slot(m, from, "MIGRATING", to);
    set_slot(m, to, "NODE", to);
    set_slot(m, from, "NODE", to);
    set_slot(m, 2, "NODE", to);
}

static void find_empty_slot(struct mover *m)
{
    for (unsigned slot = 0; slot <= 5460; slot++) {
        char *keys;
        bool empty;

        (void)snprintf(m->slot, sizeof(m->slot), "%u", slot);
        keys = lab_cli(m->lab, 0, "CLUSTER", "COUNTKEYSINSLOT", m->slot, NULL);
        empty = strcmp(keys, "0") == 0;
        free(keys);
        if (empty)
            return;
    }
    fail_msg("every slot of node 0 holds keys");
}

static void mover_open(struct mover *m, struct lab *lab)
{
    struct error err = {0};

    m->lab = lab;
    find_empty_slot(m);
    for (size_t i = 0; i < 3; i++) {
        struct address a;

        assert_true(address_parse(str_from(lab_address(lab, i)), 0, &a, &err));
        m->conn[i] = conn_new(&a, &(struct conn_options){0});
        assert_true(conn_open(m->conn[i], &err));
        m->id[i] = id_of(lab, i);
    }
}

static void mover_close(struct mover *m)
{
    for (size_t i = 0; i < 3; i++) {
        conn_free(m->conn[i]);
        free(m->id[i]);
    }
}

static void *move_back_and_forth(void *arg)
{
    struct mover *m = arg;

    while (!atomic_load(&m->stop)) {
        move_empty(m, 0, 1);
        clock_sleep_ms(20);
        move_empty(m, 1, 0);
        clock_sleep_ms(20);
    }
    return NULL;
}

static void a_slot_that_never_rests_makes_the_backup_incomplete(void **state)
{
    struct lab *lab = seeded_lab();
    struct mover m = {0};
    struct background b;
    struct setting s;

    (void)state;
    setting_init(&s, lab);
    mover_open(&m, lab);
    assert_int_equal(pthread_create(&m.thread, NULL, move_back_and_forth, &m), 0);
    assert_true(start_slowly(&b, &s));
    wait_for_end(&b);
    atomic_store(&m.stop, true);
    assert_int_equal(pthread_join(m.thread, NULL), 0);
    mover_close(&m);
    assert_false(b.done.manifest->complete);
    assert_true(b.done.findings > 0);
    assert_non_null(strstr(b.done.manifest->reason, "topology unstable"));
    background_release(&b);
    lab_stop(lab);
}

/* Its keys leave and come back, and neither owner nor epoch ever changes. */
static void a_slot_that_was_open_only_meanwhile_is_read_again(void **state)
{
    struct lab *lab = seeded_lab();
    char *ids[2] = {id_of(lab, 0), id_of(lab, 1)};
    unsigned slot = slot_of_key(STR("user:9")); /* some slot of node 0 */
    struct background b;
    struct setting s;
    int64_t shut;
    char number[8];

    (void)state;
    for (unsigned i = 1; slot > 5460; i++) {
        char key[24];

        (void)snprintf(key, sizeof(key), "user:%u", i);
        slot = slot_of_key(str_from(key));
    }
    (void)snprintf(number, sizeof(number), "%u", slot);
    setting_init(&s, lab);
    s.backup.rate = 3000;
    assert_true(start_slowly(&b, &s));
    CLI_ON(lab, 1, "OK", "CLUSTER", "SETSLOT", number, "IMPORTING", ids[0]);
    CLI_ON(lab, 0, "OK", "CLUSTER", "SETSLOT", number, "MIGRATING", ids[1]);
    migrate_keys(lab, 0, 1, slot);
    shut = clock_after(2500); /* longer than the time between two looks */
    while (clock_mono_ms() < shut)
        clock_sleep_ms(50);
    CLI_ON(lab, 0, "OK", "CLUSTER", "SETSLOT", number, "STABLE");
    migrate_keys(lab, 1, 0, slot);
    CLI_ON(lab, 1, "OK", "CLUSTER", "SETSLOT", number, "STABLE");
    wait_for_end(&b);
    assert_true(b.done.rounds >= 2);
    assert_true(b.done.manifest->event_count > 0);
    background_release(&b);
    free(ids[0]);
    free(ids[1]);
    lab_stop(lab);
}

/* A resharding that was killed: some keys here, some there, the slot open on both sides. */
static void a_migration_left_open_is_named_and_its_end_makes_it_whole(void **state)
{
    struct lab *lab = seeded_lab();
    char *ids[2] = {id_of(lab, 0), id_of(lab, 1)};
    struct task *task = task_new_plain();
    struct backup_result done;
    struct setting s;

    (void)state;
    setting_init(&s, lab);
    CLI_ON(lab, 1, "OK", "CLUSTER", "SETSLOT", "7", "IMPORTING", ids[0]);
    CLI_ON(lab, 0, "OK", "CLUSTER", "SETSLOT", "7", "MIGRATING", ids[1]);
    migrate_keys(lab, 0, 1, 7);
    setting_run(&s, task, &done);
    assert_false(done.manifest->complete);
    assert_non_null(strstr(done.manifest->reason, "slots 7"));
    backup_result_release(&done);
    CLI_ON(lab, 1, "OK", "CLUSTER", "SETSLOT", "7", "NODE", ids[1]);
    CLI_ON(lab, 0, "OK", "CLUSTER", "SETSLOT", "7", "NODE", ids[1]);
    assert_true(lab_wait_ok(lab, 10000));
    setting_init(&s, lab);
    setting_run(&s, task, &done);
    assert_true(done.manifest->complete);
    expect_all_seeded(&s, done.manifest, SEEDED);
    backup_result_release(&done);
    task_free(task);
    free(ids[0]);
    free(ids[1]);
    lab_stop(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_that_restarts_is_read_again_from_the_start),
        cmocka_unit_test(slots_that_move_to_a_node_already_read_are_read_there),
        cmocka_unit_test(a_slot_that_never_rests_makes_the_backup_incomplete),
        cmocka_unit_test(a_slot_that_was_open_only_meanwhile_is_read_again),
        cmocka_unit_test(a_migration_left_open_is_named_and_its_end_makes_it_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
