/*
 * Servers leave pending entries out without a word. A server that claims less than it was asked for
 * must fail the key, loudly, and leave nothing behind.
 */
#include "tests/engine/restore_kit.h"

#include "core/value/stream_claim.h"
#include "tests/harness/resp_server.h"

/* What the server was asked, and in which order. */
static int clock_ticks;
static int claimed_at, unlinked_at, renamed_at;

enum lie { HONEST, ONE_SHORT, ANOTHER_ID, NOTHING, AN_ERROR };

static struct str word(const char *text)
{
    return str_from(text);
}

static bool says(char *out, size_t size, size_t *len, const char *text)
{
    *len = (size_t)snprintf(out, size, "%s", text);
    return true;
}

/* XCLAIM key group consumer 0 id… TIME …: the ids come back, but for the lie. */
static bool claim(enum lie lie, const struct str *argv, size_t argc, char *out, size_t size,
                  size_t *len)
{
    size_t count = argc - 11;
    size_t shown = lie == NOTHING ? 0 : lie == ONE_SHORT ? count - 1 : count;

    if (lie == AN_ERROR)
        return says(out, size, len, "-NOGROUP No such key or consumer group\r\n");
    *len = (size_t)snprintf(out, size, "*%zu\r\n", shown);
    for (size_t i = 0; i < shown; i++) {
        struct str id = lie == ANOTHER_ID && i == 0 ? STR("99-99") : argv[5 + i];

        *len += (size_t)snprintf(out + *len, size - *len, "$%zu\r\n%.*s\r\n", id.len, (int)id.len,
                                 id.ptr);
    }
    return true;
}

static bool bulk(char *out, size_t size, size_t *len, const char *text)
{
    *len = (size_t)snprintf(out, size, "$%zu\r\n%s\r\n", strlen(text), text);
    return true;
}

/* As much of a server as a restore of one stream needs. */
static bool answer(void *arg, const struct str *argv, size_t argc, char *out, size_t size,
                   size_t *len)
{
    static const struct {
        const char *command, *reply;
    } rows[] = {
        {"TIME", "*2\r\n$10\r\n1755497196\r\n$1\r\n0\r\n"},
        {"SCAN", "*2\r\n$1\r\n0\r\n*0\r\n"},
        {"XADD", "$3\r\n1-1\r\n"},
        {"XLEN", ":2\r\n"},
        {"UNLINK", ":1\r\n"},
        {"PEXPIRE", ":1\r\n"},
        {"COMMAND", "-ERR unknown command 'COMMAND'\r\n"},
        {"CLUSTER", "-ERR This instance has cluster support disabled\r\n"},
        {"ROLE", "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n"},
        {"PING", "+PONG\r\n"},
        {"EXEC", "*2\r\n:0\r\n:1\r\n"}, /* PERSIST, RENAMENX */
    };
    enum lie lie = *(const enum lie *)arg;

    clock_ticks++;
    if (str_is(argv[0], "XCLAIM"))
        claimed_at = clock_ticks;
    if (str_is(argv[0], "UNLINK") && record_is_temp(argv[1]))
        unlinked_at = clock_ticks;
    if (str_starts(argv[0], "RENAME"))
        renamed_at = clock_ticks;
    if (str_is(argv[0], "XCLAIM"))
        return claim(lie, argv, argc, out, size, len);
    if (str_is(argv[0], "EXISTS")) /* the key itself is not there yet */
        return says(out, size, len, record_is_temp(argv[1]) ? ":1\r\n" : ":0\r\n");
    if (str_is(argv[0], "INFO"))
        return bulk(out, size, len,
                    "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:abc\r\n"
                    "# Replication\r\nrole:master\r\nmaster_replid:def\r\n# Stats\r\n"
                    "evicted_keys:0\r\n# Keyspace\r\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (str_is(argv[0], rows[i].command))
            return says(out, size, len, rows[i].reply);
    return says(out, size, len, "+OK\r\n");
}

/* ---- the claim alone ---------------------------------------------------------------------------
 */

static bool claim_three(enum lie lie, struct error *err)
{
    struct str consumers[] = {word("c")};
    struct stream_pending pending[450];
    struct stream_group g = {.name = word("g"),
                             .consumers = consumers,
                             .consumer_count = 1,
                             .pending = pending,
                             .pending_count = COUNT_OF(pending)};
    struct resp_server *server = resp_server_answering(answer, &lie);
    struct conn_options options = {0};
    struct address a = {.port = resp_server_port(server)};
    struct conn *c;
    bool ok;

    /* Runs of 200, 200, 49, and one of its own. */
    for (size_t i = 0; i < COUNT_OF(pending); i++)
        pending[i] = (struct stream_pending){
            .id = {i + 1, 0}, .delivered_ms = i == 449 ? 8 : 7, .deliveries = 1};
    (void)snprintf(a.host, sizeof(a.host), "127.0.0.1");
    c = conn_new(&a, &options);
    assert_true(conn_open(c, err));
    ok = stream_claim(c, word("k"), &g, false, err);
    assert_int_equal(conn_pending(c), 0); /* whatever happened, the connection goes on */
    conn_free(c);
    resp_server_stop(server);
    return ok;
}

static void a_claim_that_comes_back_whole_is_taken(void **ctx UNUSED)
{
    struct error err = {0};

    assert_true(claim_three(HONEST, &err));
}

static void a_claim_that_differs_from_what_was_asked_fails(void **ctx UNUSED)
{
    static const struct {
        enum lie lie;
        enum error_code code;
        const char *text;
    } rows[] = {{ONE_SHORT, ERROR_CORRUPT, "199 of 200"},
                {ANOTHER_ID, ERROR_CORRUPT, "another entry"},
                {NOTHING, ERROR_CORRUPT, "0 of 200"},
                {AN_ERROR, ERROR_REPLY, "NOGROUP"}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct error err = {0};

        assert_false(claim_three(rows[i].lie, &err));
        assert_int_equal(err.code, rows[i].code);
        assert_non_null(strstr(err.text, rows[i].text));
    }
}

static void an_entry_without_consumer_needs_a_server_that_knows_them(void **ctx UNUSED)
{
    enum lie lie = HONEST;
    struct stream_pending pending = {.id = {1, 0}, .consumer = STREAM_UNOWNED, .deliveries = 1};
    struct stream_group g = {.name = word("g"), .pending = &pending, .pending_count = 1};
    struct resp_server *server = resp_server_answering(answer, &lie);
    struct conn_options options = {0};
    struct address a = {.port = resp_server_port(server)};
    struct error err = {0};
    struct conn *c;
    char *log;

    (void)snprintf(a.host, sizeof(a.host), "127.0.0.1");
    c = conn_new(&a, &options);
    assert_true(conn_open(c, &err));
    assert_false(stream_claim(c, word("k"), &g, false, &err));
    assert_int_equal(err.code, ERROR_UNSUPPORTED);
    assert_true(stream_claim(c, word("k"), &g, true, &err));
    log = resp_server_log(server);
    assert_non_null(strstr(log, "XNACK k g FAIL IDS 1 1-0 RETRYCOUNT 1 FORCE"));
    free(log);
    conn_free(c);
    resp_server_stop(server);
}

/* ---- a whole restore ---------------------------------------------------------------------------
 */

/* Of one stream with two pending entries; what came of it is left in *result. */
static void restore_from(enum lie lie, struct restore_result *result, size_t *in_ledger)
{
    static const char text[] =
        "{\"key\":\"stream\",\"type\":\"stream\",\"ttl_millis\":null,\"value\":{\"entries\":"
        "[[\"1-1\",[\"f\",\"v\"]],[\"5-0\",[\"f\",\"w\"]]],\"last_id\":\"7-0\","
        "\"entries_added\":\"9\",\"max_deleted_id\":\"6-0\",\"groups\":[{\"name\":\"g\","
        "\"last_delivered_id\":\"5-0\",\"entries_read\":\"3\",\"consumers\":[{\"name\":\"c\"}],"
        "\"pending\":[[\"0-5\",\"c\",1755497196412,7],[\"1-1\",\"c\",1755497196412,7]]}]}}\n";
    struct resp_server *server;
    struct kit k;

    claimed_at = unlinked_at = renamed_at = 0;
    server = resp_server_answering(answer, &lie);
    kit_open(&k, kit_backup(text, sizeof(text) - 1), resp_server_port(server));
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    *result = k.result;
    *in_ledger = task_ledger_count(k.task);
    kit_close(&k);
    resp_server_stop(server);
    assert_true(claimed_at > 0);
}

/* Nothing but the claim stands between this stream and its place. */
static void a_stream_that_was_claimed_whole_is_put_in_place(void **ctx UNUSED)
{
    struct restore_result r;
    size_t in_ledger;

    restore_from(HONEST, &r, &in_ledger);
    assert_int_equal(r.written, 1);
    assert_int_equal(restore_result_findings(&r), 0);
    assert_int_equal(in_ledger, 0);
    assert_true(renamed_at > claimed_at);
}

static void a_stream_that_was_not_claimed_whole_fails_and_leaves_nothing(void **ctx UNUSED)
{
    struct restore_result r;
    size_t in_ledger;

    restore_from(ONE_SHORT, &r, &in_ledger);
    assert_int_equal(r.failed, 1);
    assert_int_equal(r.written, 0);
    assert_int_equal(restore_result_findings(&r), 1);
    assert_int_equal(in_ledger, 1);
    assert_true(unlinked_at > claimed_at);
    assert_int_equal(renamed_at, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_claim_that_comes_back_whole_is_taken),
        cmocka_unit_test(a_claim_that_differs_from_what_was_asked_fails),
        cmocka_unit_test(an_entry_without_consumer_needs_a_server_that_knows_them),
        cmocka_unit_test(a_stream_that_was_claimed_whole_is_put_in_place),
        cmocka_unit_test(a_stream_that_was_not_claimed_whole_fails_and_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
