/* Each event from recorded CLUSTER NODES texts of several observers; and that it is told once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "core/monitor/events.h"
#include "core/redis/topology_parse.h"

/* A plain failover as measured: a is the primary of the first slots, d its replica. */
#define A "a1 127.0.0.1:7001@17001 "
#define B "b1 127.0.0.1:7002@17002 "
#define D "d1 127.0.0.1:7004@17004 "
#define REST B "master - 0 0 2 connected 5461-16383\n"
#define BEFORE A "master - 0 0 1 connected 0-5460\n" D "slave a1 0 0 1 connected\n" REST
#define PFAIL A "master,fail? - 0 0 1 connected 0-5460\n" D "slave a1 0 0 1 connected\n" REST
#define FAIL A "master,fail - 0 0 1 connected 0-5460\n" D "slave a1 0 0 1 connected\n" REST
#define AFTER A "master,fail - 0 0 1 connected\n" D "master - 0 0 7 connected 0-5460\n" REST
#define RETURNED A "slave d1 0 0 7 connected\n" D "master - 0 0 7 connected 0-5460\n" REST

struct fixture {
    struct events *t;
    struct event_list list;
    int64_t now;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return -1;
    f->t = events_new(&(struct events_options){.split_ms = 5000, .lag_warn_ms = 1000});
    f->now = 1000000;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    events_free(f->t);
    event_list_release(&f->list);
    free(f);
    return 0;
}

/* One observer's answer, a second after the last one. */
static void see(struct fixture *f, const char *observer, const char *text)
{
    struct error err;
    struct topology *view =
        topology_parse_nodes(str_from(text), (struct topology_self){STR("h"), 1}, &err);

    assert_non_null(view);
    f->now += 1000;
    events_take_view(f->t, str_from(observer), view, f->now, &f->list);
}

static size_t count_of(const struct fixture *f, enum event_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < f->list.count; i++)
        count += f->list.items[i].kind == kind;
    return count;
}

static const struct event *only(const struct fixture *f, enum event_kind kind)
{
    const struct event *found = NULL;

    if (count_of(f, kind) != 1) {
        for (size_t i = 0; i < f->list.count; i++)
            print_message("%s: %s\n", event_kind_info(f->list.items[i].kind)->name,
                          f->list.items[i].text);
        fail_msg("%zu events \"%s\"", count_of(f, kind), event_kind_info(kind)->name);
    }
    for (size_t i = 0; i < f->list.count; i++)
        if (f->list.items[i].kind == kind)
            found = &f->list.items[i];
    return found;
}

static void first_views_are_no_news(void **state)
{
    struct fixture *f = *state;

    see(f, "127.0.0.1:7002", BEFORE);
    see(f, "127.0.0.1:7004", BEFORE);
    events_tick(f->t, f->now, &f->list);
    assert_int_equal(f->list.count, 0);
    assert_int_equal(events_shard(f->t, STR("d1")), 0);
    assert_int_equal(events_shard(f->t, STR("b1")), 1);
}

static void crash_is_told_step_by_step_and_once(void **state)
{
    static const char *const steps[] = {BEFORE, PFAIL, FAIL, AFTER, RETURNED};
    struct fixture *f = *state;
    const struct event *suspected;
    const struct event *e;

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        see(f, "127.0.0.1:7002", steps[i]);
        see(f, "127.0.0.1:7004", steps[i]);
        events_tick(f->t, f->now, &f->list);
    }
    suspected = only(f, EVENT_SUSPECTED);
    assert_string_equal(suspected->address, "127.0.0.1:7001");
    assert_string_equal(suspected->observer, "127.0.0.1:7002");
    assert_int_equal(suspected->at_ms, 1003000);
    assert_int_equal(only(f, EVENT_DOWN)->level, EVENT_CRIT);
    assert_int_equal(only(f, EVENT_UNCOVERED)->at_ms, 1005000);
    e = only(f, EVENT_FAILOVER);
    assert_int_equal(e->at_ms, 1007000);
    assert_int_equal(e->level, EVENT_CRIT);
    assert_int_equal(e->epoch, 7);
    assert_string_equal(e->shard, "A");
    assert_string_equal(e->other, "127.0.0.1:7004");
    assert_non_null(strstr(e->text, "0-5460"));
    assert_non_null(strstr(e->text, "the old primary is down"));
    assert_non_null(strstr(only(f, EVENT_COVERED)->text, "after the first sign"));
    assert_string_equal(only(f, EVENT_ROLE)->address, "127.0.0.1:7001");
    (void)only(f, EVENT_RECOVERED);
    assert_int_equal(events_shard(f->t, STR("a1")), 0);
    assert_int_equal(count_of(f, EVENT_RESHARD), 0);
}

/* A view may fall between the promotion and the slots: nobody owns them then. */
static void a_failover_in_two_views_is_no_reshard(void **state)
{
    static const char *const steps[] = {
        BEFORE, FAIL, A "master,fail - 0 0 1 connected\n" D "master - 0 0 1 connected\n" REST,
        AFTER, RETURNED};
    struct fixture *f = *state;
    const struct event *e;

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        see(f, "127.0.0.1:7004", steps[i]);
        events_tick(f->t, f->now, &f->list);
    }
    e = only(f, EVENT_FAILOVER);
    assert_string_equal(e->node, "a1");
    assert_string_equal(e->other, "127.0.0.1:7004");
    assert_int_equal(count_of(f, EVENT_RESHARD), 0);
}

static void planned_failover_is_told_as_such(void **state)
{
    struct fixture *f = *state;
    const struct event *e;

    see(f, "127.0.0.1:7002", BEFORE);
    see(f, "127.0.0.1:7002", RETURNED);
    e = only(f, EVENT_FAILOVER);
    assert_int_equal(e->level, EVENT_NOTICE);
    assert_non_null(strstr(e->text, "follows it"));
    assert_int_equal(count_of(f, EVENT_DOWN), 0);
}

static void stale_observer_does_not_tell_it_again_or_backwards(void **state)
{
    struct fixture *f = *state;

    see(f, "127.0.0.1:7001", BEFORE);
    see(f, "127.0.0.1:7002", BEFORE);
    see(f, "127.0.0.1:7004", BEFORE);
    see(f, "127.0.0.1:7002", RETURNED);
    events_tick(f->t, f->now, &f->list);
    see(f, "127.0.0.1:7001", BEFORE); /* the old primary has not heard of it */
    events_tick(f->t, f->now, &f->list);
    see(f, "127.0.0.1:7004", RETURNED);
    see(f, "127.0.0.1:7001", RETURNED);
    events_tick(f->t, f->now, &f->list);
    (void)only(f, EVENT_FAILOVER);
    assert_int_equal(count_of(f, EVENT_RESHARD), 0);
}

static void slots_between_primaries_are_resharding(void **state)
{
    struct fixture *f = *state;
    const struct event *e;

    see(f, "127.0.0.1:7002", BEFORE);
    see(f, "127.0.0.1:7002",
        A "master - 0 0 1 connected 0-5360\n" D "slave a1 0 0 1 connected\n" B
          "myself,master - 0 0 2 connected 5361-16383 [9-<-a1]\n");
    e = only(f, EVENT_RESHARD);
    assert_non_null(strstr(e->text, "100 slots moved 127.0.0.1:7001 -> 127.0.0.1:7002"));
    assert_non_null(strstr(e->text, "5361-5460"));
    assert_non_null(strstr(only(f, EVENT_OPEN)->text, "slot 9"));
    assert_int_equal(count_of(f, EVENT_FAILOVER), 0);
    see(f, "127.0.0.1:7002",
        A "master - 0 0 1 connected 0-5360\n" D "slave a1 0 0 1 connected\n" B
          "myself,master - 0 0 2 connected 5361-16383\n");
    (void)only(f, EVENT_CLOSED);
}

static void members_join_leave_and_are_replaced(void **state)
{
    struct fixture *f = *state;

    see(f, "127.0.0.1:7002", BEFORE);
    see(f, "127.0.0.1:7002", BEFORE "n1 127.0.0.1:7009@17009 master - 0 0 9 connected\n");
    assert_string_equal(only(f, EVENT_JOINED)->address, "127.0.0.1:7009");
    see(f, "127.0.0.1:7002", BEFORE);
    assert_string_equal(only(f, EVENT_LEFT)->node, "n1");
    see(f, "127.0.0.1:7002", BEFORE "n2 127.0.0.1:7009@17009 master - 0 0 9 connected\n");
    assert_non_null(strstr(only(f, EVENT_REPLACED)->text, "n1"));
}

static void split_view_is_told_only_when_it_lasts(void **state)
{
    struct fixture *f = *state;

    see(f, "127.0.0.1:7001", BEFORE);
    see(f, "127.0.0.1:7002", BEFORE);
    see(f, "127.0.0.1:7002", RETURNED);
    events_tick(f->t, f->now, &f->list);
    events_tick(f->t, f->now + 4999, &f->list);
    assert_int_equal(count_of(f, EVENT_SPLIT), 0);
    events_tick(f->t, f->now + 5001, &f->list);
    events_tick(f->t, f->now + 9000, &f->list);
    (void)only(f, EVENT_SPLIT);
    see(f, "127.0.0.1:7001", RETURNED);
    events_tick(f->t, f->now, &f->list);
    (void)only(f, EVENT_AGREE);
}

static void facts(struct fixture *f, const struct event_facts *what)
{
    f->now += 1000;
    events_facts(f->t, what, f->now, &f->list);
}

static void restart_rollback_and_links_come_from_info(void **state)
{
    struct fixture *f = *state;
    struct event_facts a = {.id = STR("a1"),
                            .address = STR("127.0.0.1:7001"),
                            .run_id = STR("r1"),
                            .replid = STR("h1"),
                            .role = NODE_ROLE_PRIMARY,
                            .offset = 500,
                            .link = -1,
                            .lag_ms = -1,
                            .current_epoch = 3};
    struct event_facts d = {.id = STR("d1"),
                            .address = STR("127.0.0.1:7004"),
                            .role = NODE_ROLE_REPLICA,
                            .offset = -1,
                            .link = 1,
                            .lag_ms = 0};

    see(f, "127.0.0.1:7002", BEFORE);
    facts(f, &a);
    facts(f, &d);
    assert_int_equal(f->list.count, 0);
    a.offset = 400;
    facts(f, &a);
    assert_int_equal(only(f, EVENT_ROLLBACK)->level, EVENT_CRIT);
    assert_int_equal(count_of(f, EVENT_RESTARTED), 0);
    a.replid = STR("h2");
    facts(f, &a);
    (void)only(f, EVENT_HISTORY);
    d.link = 0;
    facts(f, &d);
    assert_non_null(strstr(only(f, EVENT_LINK)->text, "down"));
    d.link = 1;
    d.lag_ms = 1500;
    d.lag_bytes = 2048;
    facts(f, &d);
    facts(f, &d);
    assert_non_null(strstr(only(f, EVENT_LAG)->text, "behind"));
    d.lag_ms = 100;
    facts(f, &d);
    assert_int_equal(count_of(f, EVENT_LAG), 2);
}

static void a_restart_is_no_rollback(void **state)
{
    struct fixture *f = *state;
    struct event_facts a = {.id = STR("a1"),
                            .address = STR("127.0.0.1:7001"),
                            .run_id = STR("r1"),
                            .role = NODE_ROLE_PRIMARY,
                            .offset = 500,
                            .link = -1,
                            .lag_ms = -1};

    see(f, "127.0.0.1:7002", BEFORE);
    facts(f, &a);
    a.run_id = STR("r2");
    a.loading = 1;
    a.offset = 0;
    facts(f, &a);
    a.offset = 90; /* while it loads, this counts something else */
    facts(f, &a);
    a.loading = 0;
    a.offset = 20;
    facts(f, &a);
    assert_string_equal(only(f, EVENT_RESTARTED)->node, "a1");
    assert_int_equal(count_of(f, EVENT_ROLLBACK), 0);
    a.run_id = STR("r3"); /* at once, without a poll while it loads */
    a.offset = 0;
    facts(f, &a);
    assert_int_equal(count_of(f, EVENT_ROLLBACK), 0);
}

static void a_primary_without_slots_gets_no_letter_of_its_own(void **state)
{
    struct fixture *f = *state;

    see(f, "127.0.0.1:7002", BEFORE);
    see(f, "127.0.0.1:7002", AFTER);
    /* the old primary is back and has not yet heard that it is a replica now */
    see(f, "127.0.0.1:7002",
        A "master - 0 0 1 connected\n" D "master - 0 0 7 connected 0-5460\n" REST);
    assert_int_equal(events_shard(f->t, STR("a1")), 0);
    assert_int_equal(events_shard(f->t, STR("d1")), 0);
    see(f, "127.0.0.1:7002", RETURNED "n1 127.0.0.1:7009@17009 master - 0 0 9 connected\n");
    assert_int_equal(events_shard(f->t, STR("n1")), UINT16_MAX);
    see(f, "127.0.0.1:7002",
        A "master - 0 0 9 connected 0-99\n" D "master - 0 0 7 connected 100-5460\n" REST);
    assert_int_equal(events_shard(f->t, STR("d1")), 0); /* it keeps the letter that it took over */
    assert_int_equal(events_shard(f->t, STR("a1")), 2);
}

static void epoch_without_a_holder_is_a_failed_election(void **state)
{
    struct fixture *f = *state;
    struct event_facts a = {.id = STR("a1"), .address = STR("127.0.0.1:7001"), .current_epoch = 2};

    see(f, "127.0.0.1:7002", BEFORE);
    facts(f, &a);
    a.current_epoch = 3;
    facts(f, &a);
    events_tick(f->t, f->now + 4000, &f->list);
    assert_int_equal(count_of(f, EVENT_ELECTION), 0);
    events_tick(f->t, f->now + 6000, &f->list);
    events_tick(f->t, f->now + 7000, &f->list);
    (void)only(f, EVENT_ELECTION);
}

static void silent_observers_do_not_count(void **state)
{
    struct fixture *f = *state;
    size_t suspected;
    size_t down;
    size_t agree;

    see(f, "127.0.0.1:7001", BEFORE);
    see(f, "127.0.0.1:7002", BEFORE);
    see(f, "127.0.0.1:7002", FAIL);
    events_held_down(f->t, STR("a1"), &suspected, &down);
    assert_int_equal(down, 1);
    events_silence(f->t, STR("127.0.0.1:7002"), true, "timed out", f->now, &f->list);
    events_held_down(f->t, STR("a1"), &suspected, &down);
    assert_int_equal(down, 0);
    assert_int_equal(events_observers(f->t, &agree), 1);
    (void)only(f, EVENT_SILENT);
    events_silence(f->t, STR("127.0.0.1:7001"), true, "timed out", f->now, &f->list);
    assert_int_equal(events_observers(f->t, &agree), 0);
    assert_non_null(events_agreed(f->t)); /* old, but better than nothing */
    assert_int_equal(count_of(f, EVENT_LEFT), 0);
}

static void sentinels_tell_a_switch_once(void **state)
{
    struct fixture *f = *state;
    struct sentinel_event e;
    const struct event *told;

    assert_true(
        sentinel_parse_event(STR("+switch-master"), STR("mymaster 127.0.0.1 1 127.0.0.1 2"), &e));
    events_sentinel(f->t, STR("127.0.0.1:26379"), &e, f->now, &f->list);
    events_sentinel(f->t, STR("127.0.0.1:26380"), &e, f->now + 30, &f->list);
    told = only(f, EVENT_FAILOVER);
    assert_string_equal(told->observer, "127.0.0.1:26379");
    assert_non_null(strstr(told->text, "127.0.0.1:1 -> 127.0.0.1:2"));
    assert_true(
        sentinel_parse_event(STR("+odown"), STR("master mymaster 127.0.0.1 1 #quorum 2/2"), &e));
    events_sentinel(f->t, STR("127.0.0.1:26379"), &e, f->now, &f->list);
    assert_true(
        sentinel_parse_event(STR("+odown"), STR("master mymaster 127.0.0.1 1 #quorum 3/2"), &e));
    events_sentinel(f->t, STR("127.0.0.1:26380"), &e, f->now, &f->list);
    (void)only(f, EVENT_DOWN);
}

static void hostile_payload_is_escaped(void **state)
{
    struct fixture *f = *state;
    struct sentinel_event e;

    (void)sentinel_parse_event(STR("+\x1b[31m"), STR("\x1b]0;x\x07"), &e);
    events_sentinel(f->t, STR("127.0.0.1:26379"), &e, f->now, &f->list);
    assert_int_equal(f->list.count, 1);
    assert_null(strchr(f->list.items[0].text, '\x1b'));
    assert_non_null(strstr(f->list.items[0].text, "\\x1b"));
}

static void json_brings_an_event_back(void **state)
{
    struct fixture *f = *state;
    struct event back;
    struct error err;

    see(f, "127.0.0.1:7002", BEFORE);
    see(f, "127.0.0.1:7002", AFTER);
    for (size_t i = 0; i < f->list.count; i++) {
        json_t *doc = event_to_json(&f->list.items[i]);

        assert_true(event_from_json(&back, doc, &err));
        back.seq = f->list.items[i].seq;
        assert_string_equal(back.text, f->list.items[i].text);
        assert_int_equal(back.at_ms, f->list.items[i].at_ms);
        assert_int_equal(back.kind, f->list.items[i].kind);
        assert_int_equal(back.level, f->list.items[i].level);
        assert_string_equal(back.observer, f->list.items[i].observer);
        json_decref(doc);
    }
}

static void shards_have_names_beyond_the_alphabet(void **state)
{
    static const struct {
        uint16_t number;
        const char *name;
    } rows[] = {{0, "A"},         {25, "Z"},         {26, "aa"},      {27, "ab"},
                {26 + 675, "zz"}, {26 + 676, "aaa"}, {UINT16_MAX, ""}};
    char name[8];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(events_shard_name(name, rows[i].number), rows[i].name);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_views_are_no_news),
        TEST(crash_is_told_step_by_step_and_once),
        TEST(a_failover_in_two_views_is_no_reshard),
        TEST(planned_failover_is_told_as_such),
        TEST(stale_observer_does_not_tell_it_again_or_backwards),
        TEST(slots_between_primaries_are_resharding),
        TEST(members_join_leave_and_are_replaced),
        TEST(split_view_is_told_only_when_it_lasts),
        TEST(restart_rollback_and_links_come_from_info),
        TEST(a_restart_is_no_rollback),
        TEST(a_primary_without_slots_gets_no_letter_of_its_own),
        TEST(epoch_without_a_holder_is_a_failed_election),
        TEST(silent_observers_do_not_count),
        TEST(sentinels_tell_a_switch_once),
        TEST(hostile_payload_is_escaped),
        TEST(json_brings_an_event_back),
        TEST(shards_have_names_beyond_the_alphabet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
