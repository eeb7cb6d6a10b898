/* test_restore_lag.c - when the writers of a restore are held back for a replica, and when not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/base/attr.h"
#include "core/restore/restore_lag.h"

#define MIB ((int64_t)1 << 20)
#define PATIENCE 4000

static struct lag_row row;
static int64_t now;
static char text[1024];
static struct info info;

static int begin(void **ctx UNUSED)
{
    memset(&row, 0, sizeof(row));
    row.limits = (struct lag_limits){8 * MIB, 4 * MIB}; /* 2 MiB are safe */
    now = 1000;
    return 0;
}

/* One look, `ms` after the last one. */
static struct lag_verdict look(int64_t primary, const char *replicas, int64_t ms)
{
    struct lag_verdict v;

    now += ms;
    (void)snprintf(text, sizeof(text),
                   "role:master\r\n%smaster_repl_offset:%" PRId64
                   "\r\nrepl_backlog_size:1048576\r\n",
                   replicas, primary);
    info_parse(&info, str_from(text));
    lag_look(&row, &info, PATIENCE, now, &v);
    return v;
}

static struct lag_verdict look_at(int64_t primary, const char *state, int64_t offset, int64_t ms)
{
    char line[160];

    (void)snprintf(line, sizeof(line),
                   "slave0:ip=127.0.0.1,port=7004,state=%s,offset=%" PRId64 ",lag=0\r\n", state,
                   offset);
    return look(primary, line, ms);
}

static void the_limit_of_the_class_replica_is_found_under_both_names(void **ctx UNUSED)
{
    struct lag_limits l = {1, 1};

    assert_true(lag_limits_parse(
        STR("normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"), &l));
    assert_int_equal(l.hard, 256 * MIB);
    assert_int_equal(l.soft, 64 * MIB);
    assert_true(lag_limits_parse(STR("replica 10 5 1"), &l));
    assert_int_equal(l.soft, 5);
    assert_false(lag_limits_parse(STR("normal 0 0 0 pubsub 1 1 1"), &l));
    assert_false(lag_limits_parse(STR("slave lots 5 1"), &l));
    assert_false(lag_limits_parse(STR("slave -1 5 1"), &l));
    assert_false(lag_limits_parse(STR(""), &l));
    assert_int_equal(l.soft, 5);
}

static void half_of_the_smaller_limit_is_safe_and_the_backlog_raises_the_hard_one(void **ctx UNUSED)
{
    assert_int_equal(lag_limits_safe(&lag_limits_default, MIB), 32 * MIB);
    assert_int_equal(lag_limits_safe(&(struct lag_limits){8 * MIB, 0}, MIB), 4 * MIB);
    assert_int_equal(lag_limits_safe(&(struct lag_limits){2 * MIB, 0}, 10 * MIB), 5 * MIB);
    assert_int_equal(lag_limits_safe(&(struct lag_limits){0, 0}, MIB), LAG_MOST);
    assert_int_equal(lag_limits_safe(&(struct lag_limits){1, 1}, 0), LAG_LEAST);
}

static void a_replica_that_is_behind_leaves_less_room(void **ctx UNUSED)
{
    struct lag_verdict v = look_at(10 * MIB, "online", 10 * MIB, 0);

    assert_int_equal(v.room, 2 * MIB);
    v = look_at(11 * MIB, "online", 10 * MIB, 100);
    assert_int_equal(v.room, MIB);
    assert_string_equal(row.replicas[v.waiting].name, "127.0.0.1:7004");
    v = look_at(13 * MIB, "online", 10 * MIB, 100);
    assert_int_equal(v.room, -MIB);
    v = look_at(13 * MIB, "online", 13 * MIB, 100);
    assert_int_equal(v.room, 2 * MIB);
    assert_int_equal(v.note[0], '\0');
}

static void without_replicas_there_is_room(void **ctx UNUSED)
{
    struct lag_verdict v = look(10 * MIB, "", 0);

    assert_int_equal(v.room, v.most);
    assert_int_equal(v.waiting, LAG_NOBODY);
    assert_int_equal(v.online, 0);
}

/* During a full sync the primary keeps everything that is written after its snapshot. */
static void what_was_written_since_a_full_sync_began_counts(void **ctx UNUSED)
{
    struct lag_verdict v = look_at(10 * MIB, "wait_bgsave", 0, 0);

    assert_int_equal(v.room, 2 * MIB);
    v = look_at(11 * MIB, "send_bulk", 0, 100);
    assert_int_equal(v.room, MIB);
    v = look_at(12 * MIB, "send_bulk", 0, 100);
    assert_int_equal(v.room, 0);
    v = look_at(12 * MIB, "online", 12 * MIB, 100);
    assert_int_equal(v.room, 2 * MIB);
}

static void a_replica_that_takes_nothing_is_given_up_after_the_patience_and_named(void **ctx UNUSED)
{
    struct lag_verdict v = look_at(10 * MIB, "online", 10 * MIB, 0);

    for (int ms = 0; ms < PATIENCE; ms += 100) {
        v = look_at(13 * MIB, "online", 10 * MIB, 100);
        assert_true(v.room < 0);
    }
    v = look_at(13 * MIB, "online", 10 * MIB, 100);
    assert_int_equal(v.room, 2 * MIB);
    assert_non_null(strstr(v.note, "127.0.0.1:7004 took nothing"));
    v = look_at(15 * MIB, "online", 10 * MIB, 100);
    assert_int_equal(v.note[0], '\0'); /* said once */
    v = look_at(15 * MIB, "online", 15 * MIB, 100);
    v = look_at(16 * MIB, "online", 15 * MIB, 100);
    assert_int_equal(v.room, MIB); /* it counts again */
}

static void a_slow_replica_that_goes_on_is_never_given_up(void **ctx UNUSED)
{
    struct lag_verdict v = {0};

    (void)look_at(10 * MIB, "online", 10 * MIB, 0);
    for (int i = 0; i < 500; i++)
        v = look_at(14 * MIB + i, "online", 11 * MIB + i, 100);
    assert_true(v.room < 0);
    assert_int_equal(v.note[0], '\0');
}

/* The job was paused, or the program stopped: that is not the replica's fault. */
static void a_long_time_between_two_looks_counts_little(void **ctx UNUSED)
{
    struct lag_verdict v;

    (void)look_at(10 * MIB, "online", 10 * MIB, 0);
    (void)look_at(13 * MIB, "online", 10 * MIB, 100);
    v = look_at(13 * MIB, "online", 10 * MIB, 3600000);
    assert_true(v.room < 0);
}

static void a_full_sync_gets_more_patience(void **ctx UNUSED)
{
    struct lag_verdict v = look_at(10 * MIB, "send_bulk", 0, 0);

    for (int ms = 0; ms < 2 * PATIENCE; ms += 100)
        v = look_at(13 * MIB, "send_bulk", 0, 100);
    assert_true(v.room < 0);
    for (int ms = 0; ms < LAG_SYNC_TIMES * PATIENCE; ms += 100)
        v = look_at(13 * MIB, "send_bulk", 0, 100);
    assert_int_equal(v.room, 2 * MIB);
}

static void a_broken_link_is_waited_for_while_the_backlog_holds_what_it_misses(void **ctx UNUSED)
{
    struct lag_verdict v = look_at(10 * MIB, "online", 10 * MIB, 0);

    v = look(10 * MIB + MIB / 2 + 1, "", 100);
    assert_true(v.room < 0);
    v = look_at(10 * MIB + MIB / 2 + 1, "online", 10 * MIB + MIB / 2 + 1, 100);
    assert_int_equal(v.room, 2 * MIB);
    v = look(12 * MIB, "", 100);
    assert_int_equal(v.room, 2 * MIB);
    assert_non_null(strstr(v.note, "copy everything anew"));
    assert_int_equal(row.count, 0);
}

static void a_replica_that_stays_away_is_not_waited_for_for_ever(void **ctx UNUSED)
{
    struct lag_verdict v = look_at(10 * MIB, "online", 10 * MIB, 0);

    for (int ms = 0; ms <= PATIENCE; ms += 100)
        v = look(10 * MIB + MIB / 2 + 1, "", 100);
    assert_int_equal(v.room, 2 * MIB);
    assert_non_null(strstr(v.note, "did not come back"));
}

static void another_history_starts_from_nothing(void **ctx UNUSED)
{
    struct lag_verdict v = look_at(10 * MIB, "online", 10 * MIB, 0);

    v = look(MIB, "", 100);
    assert_int_equal(v.room, 2 * MIB);
    assert_int_equal(v.note[0], '\0');
    assert_int_equal(row.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_limit_of_the_class_replica_is_found_under_both_names, begin),
        cmocka_unit_test_setup(
            half_of_the_smaller_limit_is_safe_and_the_backlog_raises_the_hard_one, begin),
        cmocka_unit_test_setup(a_replica_that_is_behind_leaves_less_room, begin),
        cmocka_unit_test_setup(without_replicas_there_is_room, begin),
        cmocka_unit_test_setup(what_was_written_since_a_full_sync_began_counts, begin),
        cmocka_unit_test_setup(
            a_replica_that_takes_nothing_is_given_up_after_the_patience_and_named, begin),
        cmocka_unit_test_setup(a_slow_replica_that_goes_on_is_never_given_up, begin),
        cmocka_unit_test_setup(a_long_time_between_two_looks_counts_little, begin),
        cmocka_unit_test_setup(a_full_sync_gets_more_patience, begin),
        cmocka_unit_test_setup(a_broken_link_is_waited_for_while_the_backlog_holds_what_it_misses,
                               begin),
        cmocka_unit_test_setup(a_replica_that_stays_away_is_not_waited_for_for_ever, begin),
        cmocka_unit_test_setup(another_history_starts_from_nothing, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
