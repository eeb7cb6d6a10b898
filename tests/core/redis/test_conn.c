/*
 * test_conn.c - the connection against scripted servers: greeting, pipelines, deadlines, and every
 * way in which a server can break off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/redis/conn.h"
#include "tests/harness/resp_server.h"

/* STR() for constant initialisers. */
#define LITERAL(text)             \
    {                             \
        "" text, sizeof(text) - 1 \
    }
#define OK LITERAL("+OK\r\n")

static struct resp_server *serve(const struct resp_step *steps, size_t count)
{
    struct resp_script script = {steps, count};
    struct resp_server *s = resp_server_start(&script, 1);
    assert_non_null(s);
    return s;
}

static struct conn *connect_to(const struct resp_server *s, struct conn_options o)
{
    struct address a;
    assert_true(address_set(&a, STR("127.0.0.1"), resp_server_port(s)));
    return conn_new(&a, &o);
}

static void expect_text(const struct reply *r, const char *text)
{
    assert_non_null(r);
    assert_true(reply_is(r, text));
}

static void conn_greets_with_password_name_db_and_readonly(void **state)
{
    static const struct resp_step steps[] = {
        {.act = RESP_REPLY, .bytes = LITERAL("+OK\r\n"), .expect = "AUTH ops sesame"},
        {.act = RESP_REPLY,
         .bytes = LITERAL("+OK\r\n"),
         .expect = "CLIENT SETNAME rbconsole:t:T-1"},
        {.act = RESP_REPLY, .bytes = LITERAL("+OK\r\n"), .expect = "SELECT 3"},
        {.act = RESP_REPLY, .bytes = LITERAL("+OK\r\n"), .expect = "READONLY"},
        {.act = RESP_REPLY, .bytes = LITERAL("+PONG\r\n"), .expect = "PING"},
    };
    (void)state;
    struct resp_server *s = serve(steps, COUNT_OF(steps));
    struct secret password = {0};
    secret_set(&password, STR("sesame"));
    struct conn *c = connect_to(s, (struct conn_options){.username = "ops",
                                                         .password = &password,
                                                         .client_name = "rbconsole:t:T-1",
                                                         .db = 3,
                                                         .readonly = true});
    struct error err = {0};
    const struct reply *r;
    assert_true(conn_open(c, &err));
    assert_int_equal(conn_state(c), CONN_READY);
    assert_true(conn_call_words(c, "PING", 0, &r, &err));
    expect_text(r, "PONG");
    assert_null(resp_server_complaint(s));
    conn_free(c);
    secret_release(&password);
    resp_server_stop(s);
}

struct refusal {
    const char *reply;
    const char *text;
    enum error_code code;
    bool with_password;
};

static void conn_says_why_a_greeting_was_refused(void **state)
{
    static const struct refusal rows[] = {
        {"-WRONGPASS invalid username-password pair\r\n", "refused the password", ERROR_AUTH, true},
        {"-ERR invalid password\r\n", "refused the password", ERROR_AUTH, true},
        {"-NOAUTH Authentication required.\r\n", "none is configured", ERROR_AUTH, false},
        {"-ERR max number of clients reached\r\n", "max number", ERROR_UNREACHABLE, false},
        {"-DENIED Redis is running in protected mode\r\n", "protected mode", ERROR_AUTH, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct resp_step steps[] = {{.act = RESP_CLOSE, .bytes = str_from(rows[i].reply)}};
        struct resp_server *s = serve(steps, COUNT_OF(steps));
        struct secret password = {0};
        secret_set(&password, STR("sesame"));
        struct conn *c = connect_to(
            s, (struct conn_options){.password = rows[i].with_password ? &password : NULL});
        struct error err = {0};
        assert_false(conn_open(c, &err));
        assert_int_equal(err.code, rows[i].code);
        assert_non_null(strstr(err.text, rows[i].text));
        assert_null(strstr(err.text, "sesame"));
        assert_int_equal(conn_state(c), CONN_CLOSED);
        conn_free(c);
        secret_release(&password);
        resp_server_stop(s);
    }
}

static void conn_goes_on_when_the_server_has_no_password(void **state)
{
    static const struct resp_step steps[] = {
        {.act = RESP_REPLY,
         .bytes = LITERAL("-ERR AUTH <password> called without any password configured for the "
                          "default user. Are you sure your configuration is correct?\r\n")},
        {.act = RESP_REPLY, .bytes = LITERAL("-NOPERM no client\r\n")},
        {.act = RESP_HOLD},
    };
    (void)state;
    struct resp_server *s = serve(steps, COUNT_OF(steps));
    struct secret password = {0};
    secret_set(&password, STR("sesame"));
    struct conn *c = connect_to(s, (struct conn_options){.password = &password});
    struct error err = {0};
    assert_true(conn_open(c, &err));
    assert_true(conn_password_unused(c));
    conn_free(c);
    secret_release(&password);
    resp_server_stop(s);
}

static void conn_names_the_address_that_refuses(void **state)
{
    struct resp_step steps[] = {{.act = RESP_CLOSE_NOW}};
    (void)state;
    struct resp_server *s = serve(steps, 1);
    struct conn *c = connect_to(s, (struct conn_options){0});
    char port[8];
    (void)snprintf(port, sizeof(port), ":%u", (unsigned)resp_server_port(s));
    resp_server_stop(s);
    struct error err = {0};
    assert_false(conn_open(c, &err));
    assert_int_equal(err.code, ERROR_UNREACHABLE);
    assert_int_equal(err.detail, ECONNREFUSED);
    assert_non_null(strstr(err.text, port));
    conn_free(c);
}

static void conn_reads_replies_cut_into_single_bytes(void **state)
{
    static const struct resp_step steps[] = {
        {.act = RESP_TRICKLE, .bytes = LITERAL("+OK\r\n")},
        {.act = RESP_TRICKLE, .bytes = LITERAL("*3\r\n$3\r\na\0b\r\n:-7\r\n*-1\r\n")},
    };
    (void)state;
    struct resp_server *s = serve(steps, COUNT_OF(steps));
    struct conn *c = connect_to(s, (struct conn_options){0});
    struct error err = {0};
    const struct reply *r;
    assert_true(conn_call_words(c, "X", 0, &r, &err));
    assert_int_equal(r->type, REPLY_ARRAY);
    assert_int_equal(r->count, 3);
    assert_true(str_equal(r->elements[0].str, (struct str){"a\0b", 3}));
    assert_int_equal(r->elements[1].integer, -7);
    assert_int_equal(r->elements[2].type, REPLY_NIL);
    conn_free(c);
    resp_server_stop(s);
}

static void conn_closes_after_a_timeout_and_never_gives_the_late_reply(void **state)
{
    static const struct resp_step steps[] = {
        {.act = RESP_REPLY, .bytes = LITERAL("+OK\r\n")},
        {.act = RESP_DELAY, .bytes = LITERAL("+LATE\r\n"), .delay_ms = 400},
        {.act = RESP_HOLD},
    };
    static const struct resp_step fresh[] = {
        {.act = RESP_REPLY, .bytes = LITERAL("+OK\r\n")},
        {.act = RESP_REPLY, .bytes = LITERAL("+FRESH\r\n")},
    };
    static const struct resp_script scripts[] = {{steps, 3}, {fresh, 2}};
    (void)state;
    struct resp_server *s = resp_server_start(scripts, 2);
    struct conn *c = connect_to(s, (struct conn_options){0});
    struct error err = {0};
    const struct reply *r;
    assert_false(conn_call_words(c, "GET a", 100, &r, &err));
    assert_int_equal(err.code, ERROR_TIMEOUT);
    assert_null(r);
    assert_int_equal(conn_state(c), CONN_CLOSED);
    assert_true(conn_call_words(c, "GET b", 2000, &r, &err));
    expect_text(r, "FRESH");
    assert_int_equal(conn_generation(c), 2);
    conn_free(c);
    resp_server_stop(s);
}

static void conn_gives_replies_sent_before_the_server_closed(void **state)
{
    static const struct resp_step steps[] = {
        {.act = RESP_REPLY, .bytes = LITERAL("+OK\r\n")},
        {.act = RESP_REPLY, .bytes = LITERAL("+one\r\n")},
        {.act = RESP_SWALLOW},
        {.act = RESP_CLOSE, .bytes = LITERAL("+two\r\n$5\r\nhal")},
    };
    (void)state;
    struct resp_server *s = serve(steps, COUNT_OF(steps));
    struct conn *c = connect_to(s, (struct conn_options){0});
    struct error err = {0};
    const struct reply *r;
    assert_true(conn_open(c, &err));
    for (int i = 0; i < 3; i++)
        assert_true(conn_append(c, COMMAND(STR("GET"), STR("k")), 0, &err));
    assert_true(conn_flush(c, &err));
    assert_true(conn_next_reply(c, &r, &err));
    expect_text(r, "one");
    assert_true(conn_next_reply(c, &r, &err));
    expect_text(r, "two");
    assert_false(conn_next_reply(c, &r, &err));
    assert_int_equal(err.code, ERROR_UNREACHABLE);
    assert_null(r);
    assert_int_equal(conn_pending(c), 0);
    conn_free(c);
    resp_server_stop(s);
}

struct nonsense {
    struct str bytes;
    enum error_code code;
};

static void conn_refuses_what_is_no_reply(void **state)
{
    static const struct nonsense rows[] = {
        {LITERAL("HTTP/1.1 400 Bad Request\r\n\r\n"), ERROR_CORRUPT},
        {LITERAL("%1\r\n+a\r\n+b\r\n"), ERROR_CORRUPT},
        {LITERAL("*2000000000\r\n"), ERROR_LIMIT},
        {LITERAL("*99999999999999999999\r\n"), ERROR_CORRUPT},
        {LITERAL("$-5\r\n"), ERROR_CORRUPT},
        {LITERAL("+fine\r\n+one too many\r\n"), ERROR_CORRUPT},
        {LITERAL("\0\0\0\0"), ERROR_CORRUPT},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct resp_step steps[] = {
            {.act = RESP_REPLY, .bytes = OK},
            {.act = RESP_REPLY, .bytes = rows[i].bytes},
            {.act = RESP_HOLD},
        };
        struct resp_server *s = serve(steps, COUNT_OF(steps));
        struct conn *c = connect_to(s, (struct conn_options){.max_elements = 1000});
        struct error err = {0};
        const struct reply *r;
        bool first = conn_call_words(c, "GET a", 2000, &r, &err);
        if (first) {
            expect_text(r, "fine");
            first = conn_call_words(c, "GET b", 2000, &r, &err) && !reply_is(r, "one too many");
        }
        assert_false(first);
        if (i != 5) {
            assert_int_equal(err.code, rows[i].code);
            assert_int_equal(conn_state(c), CONN_CLOSED);
        }
        conn_free(c);
        resp_server_stop(s);
    }
}

static bool after_200_ms(void *arg)
{
    const int64_t *start = arg;
    return clock_mono_ms() - *start > 200;
}

/* A reply too many: whoever asks next would get the one that was meant for the question before. */
static void conn_never_gives_a_reply_to_another_question(void **state)
{
    static const struct resp_step both[] = {
        {.act = RESP_REPLY, .bytes = LITERAL("+one\r\n+two\r\n")}, {.act = RESP_HOLD}};
    static const struct resp_step late[] = {{.act = RESP_REPLY, .bytes = LITERAL("+one\r\n")},
                                            {.act = RESP_PUSH, .bytes = LITERAL("+two\r\n")},
                                            {.act = RESP_HOLD}};
    const struct resp_script scripts[] = {{both, COUNT_OF(both)}, {late, COUNT_OF(late)}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        struct resp_server *s = resp_server_start(&scripts[i], 1);
        struct address a = {.host = "127.0.0.1", .port = resp_server_port(s)};
        struct conn *c = conn_new(&a, &(struct conn_options){.command_timeout_ms = 20000});
        struct error err = {0};
        const struct reply *r;

        assert_true(conn_open(c, &err));
        if (conn_call_words(c, "ECHO one", 0, &r, &err)) {
            struct pollfd p = {.fd = conn_fd(c), .events = POLLIN};

            assert_true(reply_is(r, "one"));
            assert_int_equal(poll(&p, 1, 20000), 1);
            assert_false(conn_call_words(c, "ECHO three", 0, &r, &err));
        }
        assert_int_equal(err.code, ERROR_CORRUPT);
        assert_non_null(strstr(err.text, "nobody asked for"));
        conn_free(c);
        resp_server_stop(s);
    }
}

static void conn_hears_cancel_within_a_second(void **state)
{
    static const struct resp_step steps[] = {
        {.act = RESP_REPLY, .bytes = LITERAL("+OK\r\n")},
        {.act = RESP_HOLD},
    };
    (void)state;
    struct resp_server *s = serve(steps, COUNT_OF(steps));
    int64_t start = clock_mono_ms();
    struct conn *c =
        connect_to(s, (struct conn_options){.cancel = {.asked = after_200_ms, .arg = &start}});
    struct error err = {0};
    const struct reply *r;
    assert_false(conn_call_words(c, "GET a", 60000, &r, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    assert_true(clock_mono_ms() - start < 1200);
    assert_int_equal(conn_state(c), CONN_CLOSED);
    conn_free(c);
    resp_server_stop(s);
}

static bool echo_second(void *arg, const struct str *argv, size_t argc, char *out, size_t size,
                        size_t *len)
{
    (void)arg;
    *len = 0;
    if (argc == 2 && argv[1].len + 64 < size) {
        *len = (size_t)snprintf(out, size, "$%zu\r\n", argv[1].len);
        memcpy(out + *len, argv[1].ptr, argv[1].len);
        *len += argv[1].len;
        *len += (size_t)snprintf(out + *len, size - *len, "\r\n");
        return true;
    }
    *len = (size_t)snprintf(out, size, "+OK\r\n");
    return true;
}

/* Both directions hold more than the sockets can: only a client that reads while it writes ends. */
static void conn_pipelines_more_than_the_sockets_hold(void **state)
{
    enum { COMMANDS = 400, BYTES = 50000 };
    (void)state;
    struct resp_server *s = resp_server_answering(echo_second, NULL);
    struct conn *c = connect_to(s, (struct conn_options){0});
    struct error err = {0};
    char *value = malloc(BYTES);
    assert_non_null(value);
    assert_true(conn_open(c, &err));
    for (int i = 0; i < COMMANDS; i++) {
        memset(value, 'a' + i % 26, BYTES);
        assert_true(conn_append(c, COMMAND(STR("ECHO"), {value, BYTES}), 0, &err));
    }
    assert_true(conn_flush(c, &err));
    for (int i = 0; i < COMMANDS; i++) {
        const struct reply *r;
        assert_true(conn_next_reply(c, &r, &err));
        assert_int_equal(r->str.len, BYTES);
        assert_int_equal(r->str.ptr[BYTES - 1], 'a' + i % 26);
    }
    assert_int_equal(conn_pending(c), 0);
    free(value);
    conn_free(c);
    resp_server_stop(s);
}

static void conn_works_in_a_poll_loop_without_blocking(void **state)
{
    static const struct resp_step steps[] = {
        {.act = RESP_REPLY, .bytes = LITERAL("+OK\r\n")},
        {.act = RESP_REPLY, .bytes = LITERAL("+PONG\r\n")},
        {.act = RESP_REPLY, .bytes = LITERAL(":5\r\n")},
    };
    (void)state;
    struct resp_server *s = serve(steps, COUNT_OF(steps));
    struct conn *c = connect_to(s, (struct conn_options){0});
    struct error err = {0};
    int64_t give_up = clock_after(5000);
    size_t got = 0;
    conn_start(c);
    assert_true(conn_send(c, COMMAND(STR("PING")), 0, &err));
    assert_true(conn_send(c, COMMAND(STR("DBSIZE")), 0, &err));
    while (got < 2 && clock_mono_ms() < give_up) {
        struct pollfd p = {.fd = conn_fd(c), .events = conn_events(c)};
        (void)poll(&p, 1, 100);
        int64_t before = clock_mono_ms();
        conn_process(c);
        assert_true(clock_mono_ms() - before < 100);
        for (const struct reply *r; (r = conn_receive(c)) != NULL; got++)
            assert_true(got == 0 ? reply_is(r, "PONG") : r->integer == 5);
    }
    assert_int_equal(got, 2);
    conn_free(c);
    resp_server_stop(s);
}

static void conn_takes_messages_after_listening(void **state)
{
    static const struct resp_step steps[] = {
        {.act = RESP_REPLY, .bytes = LITERAL("+OK\r\n")},
        {.act = RESP_REPLY,
         .bytes = LITERAL("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"),
         .expect = "SUBSCRIBE c"},
        {.act = RESP_PUSH, .bytes = LITERAL("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n")},
        {.act = RESP_HOLD},
    };
    (void)state;
    struct resp_server *s = serve(steps, COUNT_OF(steps));
    struct conn *c = connect_to(s, (struct conn_options){.command_timeout_ms = 50});
    struct error err = {0};
    const struct reply *r;
    assert_true(conn_open(c, &err));
    assert_true(conn_listen(c, COMMAND(STR("SUBSCRIBE"), STR("c")), &err));
    assert_true(conn_next_message(c, 2000, &r, &err));
    expect_text(&r->elements[0], "subscribe");
    assert_true(conn_next_message(c, 2000, &r, &err));
    expect_text(&r->elements[2], "hi");
    assert_true(conn_next_message(c, 120, &r, &err));
    assert_null(r);
    assert_int_equal(conn_state(c), CONN_READY);
    conn_free(c);
    resp_server_stop(s);
}

static void conn_gives_up_a_server_that_never_greets(void **state)
{
    static const struct resp_step steps[] = {{.act = RESP_HOLD}};
    (void)state;
    struct resp_server *s = serve(steps, 1);
    struct conn *c = connect_to(s, (struct conn_options){.connect_timeout_ms = 150});
    struct error err = {0};
    int64_t start = clock_mono_ms();
    assert_false(conn_open(c, &err));
    assert_int_equal(err.code, ERROR_UNREACHABLE);
    assert_in_range(clock_mono_ms() - start, 140, 1000);
    conn_free(c);
    resp_server_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conn_greets_with_password_name_db_and_readonly),
        cmocka_unit_test(conn_says_why_a_greeting_was_refused),
        cmocka_unit_test(conn_goes_on_when_the_server_has_no_password),
        cmocka_unit_test(conn_names_the_address_that_refuses),
        cmocka_unit_test(conn_reads_replies_cut_into_single_bytes),
        cmocka_unit_test(conn_closes_after_a_timeout_and_never_gives_the_late_reply),
        cmocka_unit_test(conn_gives_replies_sent_before_the_server_closed),
        cmocka_unit_test(conn_refuses_what_is_no_reply),
        cmocka_unit_test(conn_never_gives_a_reply_to_another_question),
        cmocka_unit_test(conn_hears_cancel_within_a_second),
        cmocka_unit_test(conn_pipelines_more_than_the_sockets_hold),
        cmocka_unit_test(conn_works_in_a_poll_loop_without_blocking),
        cmocka_unit_test(conn_takes_messages_after_listening),
        cmocka_unit_test(conn_gives_up_a_server_that_never_greets),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
