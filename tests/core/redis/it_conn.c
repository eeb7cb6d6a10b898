/*
 * it_conn.c - the connection through a proxy that breaks it in a thousand seeded ways: each call
 * ends in time, with the right reply or with an error, and no reply ever answers another command.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/redis/conn.h"
#include "tests/harness/fault_proxy.h"
#include "tests/harness/lab.h"
#include "tests/harness/wait.h"

#define RUNS 1000
#define PIPELINE 20
#define LIMIT_MS 60

static struct conn *connect_port(uint16_t port)
{
    struct address a;
    assert_true(address_set(&a, STR("127.0.0.1"), port));
    struct conn_options o = {.connect_timeout_ms = wait_scale(200),
                             .command_timeout_ms = wait_scale(LIMIT_MS)};
    return conn_new(&a, &o);
}

static void expected(char *out, size_t size, unsigned seed, int n)
{
    (void)snprintf(out, size, "answer-%u-%d", seed, n);
}

/* How many replies came in order; wrong replies are counted apart. */
static int pipeline(struct conn *c, unsigned seed, int *wrong)
{
    struct error err = {0};
    const struct reply *r;
    char text[64];
    int got = 0;
    if (!conn_open(c, &err))
        return 0;
    for (int i = 0; i < PIPELINE; i++) {
        expected(text, sizeof(text), seed, i);
        if (!conn_append(c, COMMAND(STR("ECHO"), str_from(text)), 0, &err))
            return 0;
    }
    while (got < PIPELINE && conn_next_reply(c, &r, &err)) {
        expected(text, sizeof(text), seed, got++);
        *wrong += !reply_is(r, text);
    }
    if (got < PIPELINE) {
        assert_int_not_equal(err.code, ERROR_NONE);
        assert_int_equal(conn_state(c), CONN_CLOSED);
        assert_int_equal(conn_pending(c), 0);
    }
    return got;
}

/* The last reply of a shifted pipeline is still under way: it may not answer the next question. */
static bool is_refused(struct conn *c)
{
    struct pollfd p = {.fd = conn_fd(c), .events = POLLIN};
    const struct reply *r;
    struct error err = {0};

    return poll(&p, 1, wait_scale(2000)) == 1 && !conn_call_words(c, "PING", 0, &r, &err);
}

static void conn_survives_a_thousand_broken_connections(void **state)
{
    struct lab *lab = *state;
    struct fault_options o = {.kind = FAULT_ANY, .seed = 1, .within = 700};
    struct fault_proxy *p = fault_proxy_start("127.0.0.1", (uint16_t)lab_port(lab, 0), &o);
    assert_non_null(p);
    int complete = 0;
    int broken = 0;
    int suspicious = 0;
    for (unsigned seed = 1; seed <= RUNS; seed++) {
        int wrong = 0;
        int64_t start = wait_now_ms();
        o.seed = (uint64_t)seed * 1000003U;
        fault_proxy_set(p, &o);
        struct conn *c = connect_port(fault_proxy_port(p));
        int got = pipeline(c, seed, &wrong);
        complete += got == PIPELINE;
        broken += got < PIPELINE;
        suspicious += wrong > 0;
        /* Garbage may spoil the text of one reply or two. What was said twice shifts those behind
         * it: then the pipeline does not end well, or nothing is asked on this connection again. */
        assert_true(wrong <= 2 || got < PIPELINE || is_refused(c));
        assert_true(wait_now_ms() - start < wait_scale(2000));
        conn_free(c);
    }
    assert_true(complete > RUNS / 5);
    assert_true(broken > RUNS / 5);
    assert_true(suspicious < RUNS / 4);
    fault_proxy_stop(p);
}

static void conn_works_again_after_the_fault(void **state)
{
    struct lab *lab = *state;
    struct fault_options stall = {.kind = FAULT_STALL, .seed = 3, .within = 1};
    struct fault_options none = {.kind = FAULT_NONE};
    struct fault_proxy *p = fault_proxy_start("127.0.0.1", (uint16_t)lab_port(lab, 0), &stall);
    assert_non_null(p);
    struct conn *c = connect_port(fault_proxy_port(p));
    struct error err = {0};
    const struct reply *r;
    assert_false(conn_call_words(c, "PING", 0, &r, &err));
    assert_int_equal(err.code, ERROR_UNREACHABLE);
    fault_proxy_set(p, &none);
    assert_true(conn_call_words(c, "PING", 0, &r, &err));
    assert_true(reply_is(r, "PONG"));
    conn_free(c);
    fault_proxy_stop(p);
}

static void conn_moves_binary_values_of_many_megabytes(void **state)
{
    enum { BYTES = 24 << 20 };
    struct lab *lab = *state;
    struct conn *c = connect_port((uint16_t)lab_port(lab, 0));
    struct error err = {0};
    const struct reply *r;
    char *value = malloc(BYTES);
    assert_non_null(value);
    for (size_t i = 0; i < BYTES; i++)
        value[i] = (char)(i * 2654435761U >> 13);
    assert_true(
        conn_call(c, COMMAND(STR("SET"), STR("big\0key"), {value, BYTES}), 20000, &r, &err));
    assert_true(reply_is(r, "OK"));
    assert_true(conn_call(c, COMMAND(STR("GET"), STR("big\0key")), 20000, &r, &err));
    assert_int_equal(r->str.len, BYTES);
    assert_memory_equal(r->str.ptr, value, BYTES);
    free(value);
    conn_free(c);
}

static int start_lab(void **state)
{
    *state = lab_start(&(struct lab_options){.kind = LAB_SINGLE});
    return *state == NULL ? -1 : 0;
}

static int stop_lab(void **state)
{
    lab_stop(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conn_survives_a_thousand_broken_connections),
        cmocka_unit_test(conn_works_again_after_the_fault),
        cmocka_unit_test(conn_moves_binary_values_of_many_megabytes),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start_lab, stop_lab);
}
