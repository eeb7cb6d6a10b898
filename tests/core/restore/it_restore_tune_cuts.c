/*
 * it_restore_tune_cuts.c - the connection on which --tune changes settings is cut, at each place in
 * turn: that costs another try, neither the restore nor the tuning of a node; and what was changed
 * comes back. A node that stays away ends it within the time an outage may last, with nothing
 * changed.
 */
#include "tests/engine/restore_kit.h"

#include "core/base/clock.h"
#include "core/restore/restore_tune.h"
#include "tests/harness/fault_proxy.h"
#include "tests/harness/lab.h"
#include "tests/harness/resp_server.h"

#define COARSE 100
#define FINE 4
#define ROUND 280 /* bytes of replies to the commands about settings, and a little more */
#define LAST 3    /* of the connections that are made */

static struct lab *lab;

static bool is_set(const char *policy, const char *stop)
{
    char *said = lab_cli(lab, 0, "CONFIG", "GET", "maxmemory-policy", NULL);
    char *also = lab_cli(lab, 0, "CONFIG", "GET", "stop-writes-on-bgsave-error", NULL);
    bool is = strstr(said, policy) != NULL && strstr(strchr(also, '\n'), stop) != NULL;

    free(said);
    free(also);
    return is;
}

static bool is_old(void)
{
    return is_set("allkeys-lru", "yes");
}

struct through {
    struct fault_proxy *proxy;
    struct address seed;
    struct redis_options target;
    struct task *task;
};

static void open_through(struct through *t, const struct fault_options *fault)
{
    *t = (struct through){.task = task_new_plain()};
    t->proxy = fault_proxy_start("127.0.0.1", (uint16_t)lab_port(lab, 0), fault);
    assert_non_null(t->proxy);
    t->seed = (struct address){.port = fault_proxy_port(t->proxy)};
    (void)snprintf(t->seed.host, sizeof(t->seed.host), "127.0.0.1");
    t->target = (struct redis_options){.seeds = &t->seed,
                                       .seed_count = 1,
                                       .command_timeout_ms = 2000,
                                       .connect_timeout_ms = 2000,
                                       .outage_timeout_ms = 3000};
}

static void close_through(struct through *t)
{
    fault_proxy_stop(t->proxy);
    task_free(t->task);
}

/* Did a fault strike? */
static bool one_cut(size_t number, size_t at)
{
    struct fault_options cut = {.kind = FAULT_CUT, .only = number, .at = at};
    struct restore_tune_end end;
    struct restore_tune *tune;
    struct error err = {0};
    struct through t;
    bool struck;

    open_through(&t, &cut);
    if (!restore_tune_begin(&t.target, t.task, &tune, &err))
        fail_msg("connection %zu cut at byte %zu: %s", number, at, err.text);
    assert_true(is_set("noeviction", "no"));
    struck = fault_proxy_struck(t.proxy) > 0;
    restore_tune_finish(tune, &end);
    assert_int_equal(end.put_back, 2);
    assert_int_equal(end.left, 0);
    assert_true(is_old());
    close_through(&t);
    return struck;
}

static void no_single_cut_ends_it_or_leaves_a_node_untuned(void **ctx UNUSED)
{
    size_t struck = 0;

    for (size_t number = 1; number <= LAST; number++) {
        size_t end = 0;

        while (one_cut(number, end))
            end += COARSE;
        for (size_t at = end > ROUND ? end - ROUND : 0; at < end; at += FINE)
            struck += one_cut(number, at) ? 1 : 0;
    }
    assert_true(struck > 20);
}

static bool asked_to_stop(void *arg)
{
    return *(const bool *)arg;
}

/* It answers the first questions and is gone then. */
static void a_node_that_stays_away_ends_it_and_nothing_is_changed(void **ctx UNUSED)
{
    struct restore_tune *tune = NULL;
    struct error err = {0};
    struct through t;
    bool stop = false;
    int64_t began;

    open_through(&t, &(struct fault_options){.kind = FAULT_DROP});
    t.target.cancel = (struct cancel){asked_to_stop, &stop};
    began = clock_mono_ms();
    assert_false(restore_tune_begin(&t.target, t.task, &tune, &err));
    assert_int_equal(err.code, ERROR_UNREACHABLE);
    assert_in_range(clock_mono_ms() - began, 2000, 20000);
    assert_null(tune);
    assert_true(is_old());
    stop = true;
    assert_false(restore_tune_begin(&t.target, t.task, &tune, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    close_through(&t);
}

/* ---- a server that does what it is told without saying so --------------------------------
 */

static _Atomic bool full_of_care; /* its policy: noeviction, else allkeys-lru */
static _Atomic bool hung_up;      /* instead of the reply to CONFIG SET noeviction */
static _Atomic bool called_again; /* after that */

static size_t answer_config(const struct str *argv, size_t argc, char *out, size_t size)
{
    bool policy = argc > 2 && str_is(argv[2], "maxmemory-policy");
    const char *value = !policy ? "no" : atomic_load(&full_of_care) ? "noeviction" : "allkeys-lru";

    if (str_is(argv[1], "SET")) {
        atomic_store(&full_of_care, str_is(argv[3], "noeviction"));
        return (size_t)snprintf(out, size, "+OK\r\n");
    }
    return (size_t)snprintf(out, size, "*2\r\n$%zu\r\n%.*s\r\n$%zu\r\n%s\r\n", argv[2].len,
                            (int)argv[2].len, argv[2].ptr, strlen(value), value);
}

static bool answer(void *arg UNUSED, const struct str *argv, size_t argc, char *out, size_t size,
                   size_t *len)
{
    const char *text = "-ERR unknown command\r\n";

    if (atomic_load(&hung_up))
        atomic_store(&called_again, true);
    if (str_is(argv[0], "CONFIG") && argc > 2) {
        *len = answer_config(argv, argc, out, size);
        if (!str_is(argv[1], "SET") || !atomic_load(&full_of_care))
            return true;
        atomic_store(&hung_up, true);
        *len = 0;
        return false;
    }
    if (str_is(argv[0], "INFO"))
        text = "$58\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\n\r\n";
    else if (str_is(argv[0], "PING"))
        text = "+PONG\r\n";
    *len = (size_t)snprintf(out, size, "%s", text);
    return true;
}

static bool is_called_again(void *arg UNUSED)
{
    return atomic_load(&called_again);
}

/* It cannot be known that nothing was changed: so it is put back when there is no other try. */
static void a_change_whose_reply_was_lost_is_put_back(void **ctx UNUSED)
{
    struct resp_server *s = resp_server_answering(answer, NULL);
    struct address seed = {.host = "127.0.0.1", .port = resp_server_port(s)};
    struct task *task = task_new_plain();
    struct restore_tune *tune = NULL;
    struct error err = {0};

    assert_false(restore_tune_begin(&(struct redis_options){.seeds = &seed,
                                                            .seed_count = 1,
                                                            .command_timeout_ms = 2000,
                                                            .connect_timeout_ms = 2000,
                                                            .outage_timeout_ms = 60000,
                                                            .cancel = {.asked = is_called_again}},
                                    task, &tune, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    assert_true(atomic_load(&hung_up));
    assert_false(atomic_load(&full_of_care));
    task_free(task);
    resp_server_stop(s);
}

static int set_up(void **ctx UNUSED)
{
    lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .replicas = -1});
    if (lab == NULL)
        return -1;
    free(lab_cli(lab, 0, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru", NULL));
    free(lab_cli(lab, 0, "CONFIG", "SET", "stop-writes-on-bgsave-error", "yes", NULL));
    return 0;
}

static int tear_down(void **ctx UNUSED)
{
    lab_stop(lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_single_cut_ends_it_or_leaves_a_node_untuned),
        cmocka_unit_test(a_node_that_stays_away_ends_it_and_nothing_is_changed),
        cmocka_unit_test(a_change_whose_reply_was_lost_is_put_back),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
