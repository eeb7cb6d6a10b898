/*
 * test_cluster.c - routing against scripted nodes that do what real ones do only on a bad day:
 * redirections without end, into nothing and to an empty host, half-moved slots, loading, silence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/redis/cluster.h"
#include "tests/harness/resp_server.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define KEY_SLOT 12182 /* of "foo" */

/* Two nodes; A owns every slot. What each says to GET is chosen per test, in order; the last answer
 * is repeated. "%a" and "%b" stand for the ports. */
struct world {
    struct resp_server *a;
    struct resp_server *b;
    pthread_mutex_t lock; /* guards what follows */
    const char *get_a[8];
    const char *get_b[8];
    size_t asked_a;
    size_t asked_b;
    size_t asking; /* ASKING that came right before a GET on b */
    bool armed;
    size_t maps; /* CLUSTER NODES answered */
    bool no_cluster;
};

struct side {
    struct world *world;
    bool is_b;
};

static size_t nodes_text(const struct world *w, bool b, char *out, size_t size)
{
    char text[600];
    int n = snprintf(text, sizeof(text),
                     ID_A " 127.0.0.1:%u@1 %smaster - 0 0 1 connected 0-16383\n" ID_B
                          " 127.0.0.1:%u@1 %smaster - 0 0 2 connected\n",
                     (unsigned)resp_server_port(w->a), b ? "" : "myself,",
                     (unsigned)resp_server_port(w->b), b ? "myself," : "");
    return (size_t)snprintf(out, size, "$%d\r\n%s\r\n", n, text);
}

/* The answer with ports put in; false to close the connection. */
static bool say(const struct world *w, const char *text, char *out, size_t size, size_t *len)
{
    if (text == NULL)
        return false;
    *len = 0;
    for (const char *c = text; *c != '\0' && *len + 8 < size; c++) {
        if (c[0] == '%' && (c[1] == 'a' || c[1] == 'b')) {
            const struct resp_server *s = c[1] == 'a' ? w->a : w->b;
            *len += (size_t)snprintf(out + *len, size - *len, "%u", (unsigned)resp_server_port(s));
            c++;
        } else {
            out[(*len)++] = *c;
        }
    }
    return true;
}

static const char *next_answer(const char *const *list, size_t *at)
{
    const char *text = list[*at];
    if (*at < 7 && list[*at + 1] != NULL)
        (*at)++;
    return text;
}

static bool answer(void *arg, const struct str *argv, size_t argc, char *out, size_t size,
                   size_t *len)
{
    const struct side *side = arg;
    struct world *w = side->world;
    bool more = true;
    (void)argc;
    pthread_mutex_lock(&w->lock);
    if (str_is(argv[0], "CLUSTER") && w->no_cluster) {
        more = say(w, "-ERR This instance has cluster support disabled\r\n", out, size, len);
    } else if (str_is(argv[0], "CLUSTER")) {
        w->maps++;
        *len = nodes_text(w, side->is_b, out, size);
    } else if (str_is(argv[0], "ASKING")) {
        w->armed = true;
        more = say(w, "+OK\r\n", out, size, len);
    } else if (str_is(argv[0], "GET")) {
        w->asking += side->is_b && w->armed;
        w->armed = false;
        more = say(
            w, side->is_b ? next_answer(w->get_b, &w->asked_b) : next_answer(w->get_a, &w->asked_a),
            out, size, len);
    } else {
        more = say(w, "+OK\r\n", out, size, len);
    }
    pthread_mutex_unlock(&w->lock);
    return more;
}

static struct side sides[2];

static void begin(struct world *w)
{
    pthread_mutex_init(&w->lock, NULL);
    sides[0] = (struct side){w, false};
    sides[1] = (struct side){w, true};
    w->a = resp_server_answering(answer, &sides[0]);
    w->b = resp_server_answering(answer, &sides[1]);
    assert_non_null(w->a);
    assert_non_null(w->b);
}

static void end(struct world *w)
{
    resp_server_stop(w->a);
    resp_server_stop(w->b);
    pthread_mutex_destroy(&w->lock);
}

static struct cluster *join(const struct world *w, struct redis_options *o, struct address *seed)
{
    assert_true(address_set(seed, STR("127.0.0.1"), resp_server_port(w->a)));
    o->seeds = seed;
    o->seed_count = 1;
    o->mode = REDIS_MODE_CLUSTER;
    struct cluster *c = cluster_new(o);
    struct error err = {0};
    if (!cluster_connect(c, false, &err))
        fail_msg("%s", err.text);
    return c;
}

/* GET foo; the reply as text or, when the call failed, the error. */
static bool get(struct cluster *c, bool once, char *out, size_t size, struct error *err)
{
    struct command command = COMMAND(STR("GET"), STR("foo"));
    struct cluster_request q = {.key = STR("foo"), .command = command, .once = once};
    const struct reply *r;
    if (!cluster_request(c, &q, &r, err))
        return false;
    (void)str_copy(r->str, out, size);
    return true;
}

struct story {
    const char *name;
    const char *get_a[8];
    const char *get_b[8];
    const char *reply; /* NULL: ERROR_UNREACHABLE */
    bool dirty;
    bool moved; /* b is the owner afterwards */
};

static void play(const struct story *s)
{
    struct world w = {0};
    struct redis_options o = {.outage_timeout_ms = s->reply == NULL ? 400 : 20000};
    struct address seed;
    struct error err = {0};
    char text[64] = "";
    struct slot_set dirty;
    memcpy(w.get_a, s->get_a, sizeof(w.get_a));
    memcpy(w.get_b, s->get_b, sizeof(w.get_b));
    begin(&w);
    struct cluster *c = join(&w, &o, &seed);
    bool ok = get(c, false, text, sizeof(text), &err);
    print_message("story: %s: %s\n", s->name, ok ? text : err.text);
    assert_int_equal(ok, s->reply != NULL);
    assert_int_equal(err.code, ok ? ERROR_NONE : ERROR_UNREACHABLE);
    if (ok) {
        assert_string_equal(text, s->reply);
        assert_string_equal(cluster_owner(c, KEY_SLOT)->id, s->moved ? ID_B : ID_A);
    }
    cluster_take_dirty(c, &dirty);
    assert_int_equal(slot_set_has(&dirty, KEY_SLOT), s->dirty);
    assert_int_equal(w.asking, strcmp(s->name, "ask") == 0);
    cluster_free(c);
    end(&w);
}

static void routing_follows_every_kind_of_redirection(void **state)
{
    static const struct story stories[] = {
        {"direct", {"$1\r\nx\r\n"}, {NULL}, "x", false, false},
        {"moved", {"-MOVED 12182 127.0.0.1:%b\r\n"}, {"$1\r\ny\r\n"}, "y", true, true},
        {"moved to an empty host", {"-MOVED 12182 :%b\r\n"}, {"$1\r\ny\r\n"}, "y", true, true},
        {"ask", {"-ASK 12182 127.0.0.1:%b\r\n"}, {"$1\r\nz\r\n"}, "z", true, false},
        {"try again",
         {"-TRYAGAIN m\r\n", "-TRYAGAIN m\r\n", "$1\r\nx\r\n"},
         {NULL},
         "x",
         false,
         false},
        {"down, then up", {"-CLUSTERDOWN x\r\n", "$1\r\nx\r\n"}, {NULL}, "x", false, false},
        {"loading", {"-LOADING x\r\n", "$1\r\nx\r\n"}, {NULL}, "x", false, false},
        {"demoted", {"-READONLY x\r\n", "$1\r\nx\r\n"}, {NULL}, "x", false, false},
        {"to and fro",
         {"-MOVED 12182 127.0.0.1:%b\r\n"},
         {"-MOVED 12182 127.0.0.1:%a\r\n"},
         NULL,
         true,
         false},
        {"into nothing", {"-MOVED 12182 127.0.0.1:1\r\n"}, {NULL}, NULL, true, false},
        {"nonsense", {"-MOVED here 127.0.0.1\r\n"}, {NULL}, NULL, true, false},
        {"never served", {"-CLUSTERDOWN Hash slot not served\r\n"}, {NULL}, NULL, false, false},
        {"its own business", {"-WRONGTYPE x\r\n"}, {NULL}, "WRONGTYPE x", false, false},
        {"forbidden", {"-NOPERM x\r\n"}, {NULL}, "NOPERM x", false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(stories); i++)
        play(&stories[i]);
}

static void a_command_is_sent_once_when_its_outcome_would_be_unknown(void **state)
{
    struct world w = {.get_a = {NULL, NULL}};
    struct redis_options o = {.outage_timeout_ms = 5000};
    struct address seed;
    struct error err = {0};
    char text[64];
    (void)state;
    begin(&w);
    struct cluster *c = join(&w, &o, &seed);
    assert_false(get(c, true, text, sizeof(text), &err)); /* the server closes without a word */
    assert_int_equal(err.code, ERROR_UNREACHABLE);
    char *log = resp_server_log(w.a);
    size_t sent = 0;
    for (const char *at = log; (at = strstr(at, "GET foo")) != NULL; at++)
        sent++;
    assert_int_equal(sent, 1);
    free(log);

    pthread_mutex_lock(&w.lock);
    w.get_a[0] = "$2\r\nok\r\n";
    pthread_mutex_unlock(&w.lock);
    assert_true(get(c, true, text, sizeof(text), &err));
    assert_string_equal(text, "ok");
    cluster_free(c);
    end(&w);
}

static bool after_300_ms(void *arg)
{
    const int64_t *start = arg;
    return clock_mono_ms() - *start > 300;
}

static void an_outage_can_be_cancelled(void **state)
{
    struct world w = {.get_a = {"-LOADING x\r\n"}};
    int64_t start = clock_mono_ms() + 100000;
    struct redis_options o = {.cancel = {.asked = after_300_ms, .arg = &start}};
    struct address seed;
    struct error err = {0};
    char text[64];
    (void)state;
    begin(&w);
    struct cluster *c = join(&w, &o, &seed);
    start = clock_mono_ms();
    assert_false(get(c, false, text, sizeof(text), &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
    assert_true(clock_mono_ms() - start < 2000);
    cluster_free(c);
    end(&w);
}

static void pipelines_learn_from_redirections(void **state)
{
    struct world w = {.get_a = {"+x\r\n"}};
    struct redis_options o = {0};
    struct address seed;
    struct address to;
    (void)state;
    begin(&w);
    struct cluster *c = join(&w, &o, &seed);
    char text[64];
    (void)snprintf(text, sizeof(text), "MOVED 5 127.0.0.1:%u", (unsigned)resp_server_port(w.b));
    struct reply moved = {.type = REPLY_ERROR, .str = str_from(text)};
    assert_int_equal(cluster_learn(c, &moved, 5, &to), REPLY_FOLLOW);
    assert_int_equal(to.port, resp_server_port(w.b));
    assert_string_equal(cluster_owner(c, 5)->id, ID_B);
    assert_string_equal(cluster_owner(c, 6)->id, ID_A);
    struct reply loading = {.type = REPLY_ERROR, .str = STR("LOADING x")};
    assert_int_equal(cluster_learn(c, &loading, 6, &to), REPLY_WAIT);
    struct reply fine = {.type = REPLY_STRING, .str = STR("v")};
    assert_int_equal(cluster_learn(c, &fine, 6, &to), REPLY_VALUE);
    cluster_free(c);
    end(&w);
}

static void cluster_mode_on_a_single_server_says_so(void **state)
{
    struct world w = {.no_cluster = true};
    struct address seed;
    struct error err = {0};
    (void)state;
    begin(&w);
    assert_true(address_set(&seed, STR("127.0.0.1"), resp_server_port(w.a)));
    struct redis_options o = {.mode = REDIS_MODE_CLUSTER, .seeds = &seed, .seed_count = 1};
    struct cluster *c = cluster_new(&o);
    assert_false(cluster_connect(c, true, &err));
    assert_int_equal(err.code, ERROR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "cluster support disabled"));
    cluster_free(c);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routing_follows_every_kind_of_redirection),
        cmocka_unit_test(a_command_is_sent_once_when_its_outcome_would_be_unknown),
        cmocka_unit_test(an_outage_can_be_cancelled),
        cmocka_unit_test(pipelines_learn_from_redirections),
        cmocka_unit_test(cluster_mode_on_a_single_server_says_so),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
