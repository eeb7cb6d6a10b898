/*
 * test_reply.c - the reply parser on good and on hostile bytes, however they are cut, and the table
 * of error kinds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/rng.h"
#include "core/redis/reply.h"

#define LITERAL(text)             \
    {                             \
        "" text, sizeof(text) - 1 \
    }

/* A value as text: "[a,:5,nil,[]]". */
static void show(const struct reply *r, struct buf *out)
{
    switch (r->type) {
    case REPLY_NIL:
        buf_put(out, "nil");
        break;
    case REPLY_STRING:
        buf_put(out, "%.*s", (int)r->str.len, r->str.ptr);
        break;
    case REPLY_STATUS:
        buf_put(out, "+%s", r->str.ptr);
        break;
    case REPLY_ERROR:
        buf_put(out, "-%s", r->str.ptr);
        break;
    case REPLY_INTEGER:
        buf_put(out, ":%lld", (long long)r->integer);
        break;
    case REPLY_ARRAY:
        buf_put(out, "[");
        for (size_t i = 0; i < r->count; i++) {
            buf_put(out, i == 0 ? "" : ",");
            show(&r->elements[i], out);
        }
        buf_put(out, "]");
        break;
    }
}

static const struct str wire =
    LITERAL("+OK\r\n:-9223372036854775808\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n"
            "*4\r\n$1\r\na\r\n*2\r\n:1\r\n*1\r\n$-1\r\n-ERR no\r\n+x\r\n"
            "-MOVED 5 [::1]:7\r\n");
static const char *const values =
    "+OK :-9223372036854775808 nil nil []  [a,[:1,[nil]],-ERR no,+x] -MOVED 5 [::1]:7 ";

static void replies_do_not_depend_on_how_the_bytes_are_cut(void **state)
{
    (void)state;
    for (size_t cut = 1; cut <= wire.len; cut++) {
        struct reply_parser *p = reply_parser_new(0, 0);
        struct buf out;
        struct error err = {0};
        const struct reply *r = NULL;
        buf_init(&out, 4096);
        for (size_t at = 0; at < wire.len; at += cut) {
            assert_true(reply_parser_feed(p, str_slice(wire, at, at + cut), &err));
            while (reply_parser_next(p, &r, &err) && r != NULL) {
                show(r, &out);
                buf_put(&out, " ");
            }
            assert_int_equal(err.code, ERROR_NONE);
        }
        assert_string_equal(out.data, values);
        assert_int_equal(reply_parser_waiting(p), 0);
        buf_release(&out);
        reply_parser_free(p);
    }
}

static bool parse_one(struct str bytes, size_t elements, size_t most, struct error *err)
{
    struct reply_parser *p = reply_parser_new(elements, most);
    const struct reply *r = NULL;
    bool ok = reply_parser_feed(p, bytes, err) && reply_parser_next(p, &r, err);
    if (!ok) {
        struct error again;
        assert_false(reply_parser_next(p, &r, &again));
        assert_false(reply_parser_feed(p, STR("+OK\r\n"), &again));
    }
    reply_parser_free(p);
    return ok;
}

static void parser_refuses_more_than_its_limits(void **state)
{
    struct error err = {0};
    (void)state;
    assert_true(parse_one(STR("*3\r\n:1\r\n:2\r\n:3\r\n"), 3, 0, &err));
    assert_false(parse_one(STR("*4\r\n"), 3, 0, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    assert_false(parse_one(STR("*2\r\n*1\r\n:1\r\n*1\r\n"), 3, 0, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    assert_false(parse_one(STR("*2000000000\r\n"), 0, 0, &err));
    assert_int_equal(err.code, ERROR_LIMIT);
#define NEST8 "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"
    assert_true(parse_one(STR(NEST8 ":1\r\n"), 0, 0, &err));
    assert_false(parse_one(STR(NEST8 "*1\r\n:1\r\n"), 0, 0, &err));
    assert_int_equal(err.code, ERROR_CORRUPT);
}

static void parser_refuses_a_reply_of_too_many_bytes(void **state)
{
    struct reply_parser *p = reply_parser_new(0, 100000);
    struct error err = {0};
    const struct reply *r = NULL;
    char bytes[10000];
    bool ok = reply_parser_feed(p, STR("$500000000\r\n"), &err);
    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    size_t fed = 0;
    while (ok && fed < 1000000) {
        ok = reply_parser_feed(p, (struct str){bytes, sizeof(bytes)}, &err) &&
             reply_parser_next(p, &r, &err);
        assert_true(!ok || r == NULL);
        fed += sizeof(bytes);
    }
    assert_false(ok);
    assert_int_equal(err.code, ERROR_LIMIT);
    assert_in_range(fed, 100000, 200000);
    reply_parser_free(p);
}

static void parser_does_not_count_replies_before_as_bytes_of_this_one(void **state)
{
    struct reply_parser *p = reply_parser_new(10, 100);
    struct error err = {0};
    const struct reply *r = NULL;
    (void)state;
    for (int i = 0; i < 50000; i++) {
        assert_true(reply_parser_feed(p, STR("*2\r\n$3\r\nabc\r\n:1\r\n"), &err));
        assert_true(reply_parser_next(p, &r, &err));
        assert_non_null(r);
        assert_int_equal(r->count, 2);
    }
    reply_parser_free(p);
}

static void parser_survives_random_bytes(void **state)
{
    static const char alphabet[] = "*$+-:0123456789\r\n\r\n\r\nabc\0%~>_#(";
    struct rng rng = {.state = 42};
    (void)state;
    for (int run = 0; run < 20000; run++) {
        struct reply_parser *p = reply_parser_new(1000, 5000);
        struct error err = {0};
        const struct reply *r = NULL;
        char bytes[64];
        size_t len = rng_next(&rng) % sizeof(bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = alphabet[rng_next(&rng) % (sizeof(alphabet) - 1)];
        bool ok = reply_parser_feed(p, (struct str){bytes, len}, &err);
        while (ok && (ok = reply_parser_next(p, &r, &err)) && r != NULL) {
            struct arena a = {0};
            struct reply *copy = reply_copy(&a, r);
            assert_int_equal(copy->type, r->type);
            (void)reply_error_of(copy);
            arena_release(&a);
        }
        assert_int_equal(ok, err.code == ERROR_NONE);
        reply_parser_free(p);
    }
}

static void error_replies_are_known_by_their_first_word(void **state)
{
    static const struct {
        struct str text;
        enum reply_error kind;
        enum reply_action action;
    } rows[] = {
        {LITERAL("MOVED 1 h:1"), REPLY_ERROR_MOVED, REPLY_FOLLOW},
        {LITERAL("ASK 1 h:1"), REPLY_ERROR_ASK, REPLY_FOLLOW},
        {LITERAL("TRYAGAIN Multiple keys"), REPLY_ERROR_TRYAGAIN, REPLY_RETRY},
        {LITERAL("CLUSTERDOWN Hash slot not served"), REPLY_ERROR_CLUSTERDOWN, REPLY_WAIT},
        {LITERAL("LOADING"), REPLY_ERROR_LOADING, REPLY_WAIT},
        {LITERAL("LOADINGX"), REPLY_ERROR_OTHER, REPLY_VALUE},
        {LITERAL("READONLY You can't write"), REPLY_ERROR_READONLY, REPLY_WAIT},
        {LITERAL("OOM command not allowed"), REPLY_ERROR_OOM, REPLY_FATAL},
        {LITERAL("BUSY Redis is busy"), REPLY_ERROR_BUSY, REPLY_RETRY},
        {LITERAL("BUSYKEY Target key"), REPLY_ERROR_BUSYKEY, REPLY_VALUE},
        {LITERAL("NOPERM this user"), REPLY_ERROR_NOPERM, REPLY_FATAL},
        {LITERAL("CROSSSLOT Keys"), REPLY_ERROR_CROSSSLOT, REPLY_FATAL},
        {LITERAL("ERR unknown command 'x'"), REPLY_ERROR_UNKNOWN_COMMAND, REPLY_FATAL},
        {LITERAL("ERR Unknown subcommand or wrong"), REPLY_ERROR_UNKNOWN_COMMAND, REPLY_FATAL},
        {LITERAL("ERR max number of clients reached"), REPLY_ERROR_MAXCLIENTS, REPLY_WAIT},
        {LITERAL("ERR something"), REPLY_ERROR_OTHER, REPLY_VALUE},
        {LITERAL(""), REPLY_ERROR_OTHER, REPLY_VALUE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reply r = {.type = REPLY_ERROR, .str = rows[i].text};
        struct error err = {0};
        assert_int_equal(reply_error_of(&r), rows[i].kind);
        assert_int_equal(reply_error_action(rows[i].kind), rows[i].action);
        assert_false(reply_check(&r, "GET", &err));
        assert_int_equal(err.detail, rows[i].kind);
    }
    for (int k = 0; k < REPLY_ERRORS; k++)
        assert_non_null(reply_error_name((enum reply_error)k));
}

static void error_texts_are_escaped(void **state)
{
    struct reply r = {.type = REPLY_ERROR, .str = STR("ERR \x1b]52;c;x\x07\r\n")};
    struct error err = {0};
    (void)state;
    assert_false(reply_check(&r, "GET", &err));
    for (const char *c = err.text; *c != '\0'; c++)
        assert_true((unsigned char)*c >= 0x20);
}

static void wanted_values_are_checked(void **state)
{
    struct reply items[] = {
        {.type = REPLY_STRING, .str = STR("name")},
        {.type = REPLY_STRING, .str = STR("12")},
        {.type = REPLY_ERROR, .str = STR("NOPERM x")},
    };
    struct reply array = {.type = REPLY_ARRAY, .elements = items, .count = 3};
    struct error err = {0};
    int64_t n = 0;
    struct str s;
    (void)state;
    assert_ptr_equal(reply_member(&array, "name"), &items[1]);
    assert_null(reply_member(&array, "12"));
    assert_true(reply_want_i64(&items[1], "x", &n, &err));
    assert_int_equal(n, 12);
    assert_false(reply_want_i64(&items[0], "x", &n, &err));
    assert_int_equal(err.code, ERROR_REPLY);
    assert_false(reply_want_string(&items[2], "x", &s, &err));
    assert_int_equal(err.code, ERROR_AUTH);
    assert_false(reply_want_array(&items[0], "x", &err));
    assert_false(reply_want_ok(&items[0], "x", &err));
    assert_ptr_equal(reply_find_error(&array), &items[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_do_not_depend_on_how_the_bytes_are_cut),
        cmocka_unit_test(parser_refuses_more_than_its_limits),
        cmocka_unit_test(parser_refuses_a_reply_of_too_many_bytes),
        cmocka_unit_test(parser_does_not_count_replies_before_as_bytes_of_this_one),
        cmocka_unit_test(parser_survives_random_bytes),
        cmocka_unit_test(error_replies_are_known_by_their_first_word),
        cmocka_unit_test(error_texts_are_escaped),
        cmocka_unit_test(wanted_values_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
