/*
 * it_restore_survey.c - the plan of a restore, read by several threads: it counts what one thread
 * counts, misses no key that is there, and ends at once when it is cancelled or a part is damaged.
 */
#include "tests/engine/restore_kit.h"

#include "core/base/buf.h"
#include "core/restore/restore_repeat.h"
#include "tests/harness/lab.h"
#include "tests/harness/resp_server.h"
#include "tests/harness/wait.h"

#define PARTS 24
#define KEYS 300 /* of each part, beside the special ones */
#define PROMPT_MS 1000
#define LONG_MS 60000

static struct lab *lab;
static const char *backup;

/* ---- a backup of many parts -------------------------------------------------------------------
 */

static void add(struct buf *out, const char *line)
{
    struct error err = {0};

    assert_true(buf_append(out, str_from(line), &err) && buf_byte(out, '\n', &err));
}

static void add_plain(struct buf *out, int part, int key)
{
    char line[200];

    (void)snprintf(
        line, sizeof(line),
        "{\"key\":\"k:%d:%d\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"v%d\"}", part,
        key, key);
    add(out, line);
}

/* In every part one key of each kind; "again" in all of them, "large" goes on in the next part. */
static void add_special(struct buf *out, int part)
{
    char line[300];

    (void)snprintf(line, sizeof(line),
                   "{\"key\":\"again\",\"type\":\"string\",\"ttl_millis\":null,\"value\":\"%d\"}",
                   part);
    add(out, line);
    (void)snprintf(line, sizeof(line),
                   "{\"key\":\"dead:%d\",\"type\":\"list\",\"ttl_millis\":5000,\"value\":[\"a\"],"
                   "\"expire_at_millis\":1700000000000}",
                   part);
    add(out, line);
    (void)snprintf(line, sizeof(line),
                   "{\"key\":\"hash:%d\",\"type\":\"hash\",\"ttl_millis\":9000000,\"value\":"
                   "{\"f\":\"v\"}}",
                   part);
    add(out, line);
    if (part % 2 == 0)
        (void)snprintf(line, sizeof(line),
                       "{\"key\":\"large:%d\",\"type\":\"set\",\"ttl_millis\":null,\"value\":"
                       "[\"a\"],\"chunk\":{\"seq\":0,\"last\":false}}",
                       part);
    else
        (void)snprintf(line, sizeof(line),
                       "{\"key\":\"large:%d\",\"type\":\"set\",\"ttl_millis\":null,\"value\":"
                       "[\"b\"],\"chunk\":{\"seq\":1,\"last\":true,\"count\":2}}",
                       part - 1);
    add(out, line);
}

static void write_part(const char *dir, int part)
{
    struct buf text;
    char name[64];

    buf_init(&text, (size_t)1 << 20);
    if (part % 2 == 1)
        add_special(&text, part);
    for (int i = 0; i < KEYS; i++)
        add_plain(&text, part, i);
    if (part % 2 == 0)
        add_special(&text, part);
    (void)snprintf(name, sizeof(name), "keys-part-%04d.jsonl", part + 1);
    tmpdir_write(tmpdir_path(dir, name), text.data, text.len);
    buf_release(&text);
}

static const char *make_backup(void)
{
    const char *dir = tmpdir_path(tmpdir_new(), "redis-backup-local-20260101T000000Z-00aa");
    const char *keys = tmpdir_path(dir, "keys");

    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(mkdir(keys, 0700), 0);
    for (int i = 0; i < PARTS; i++)
        write_part(keys, i);
    tmpdir_write(tmpdir_path(dir, "metadata.json"), "{\"env\":\"local\"}", 15);
    return dir;
}

/* ---- on a cluster -----------------------------------------------------------------------------
 */

static int start_lab(void **ctx UNUSED)
{
    lab = lab_start(&(struct lab_options){.kind = LAB_CLUSTER, .replicas = -1});
    backup = make_backup();
    return lab == NULL ? -1 : 0;
}

static int stop_lab(void **ctx UNUSED)
{
    lab_stop(lab);
    return 0;
}

static void empty(void)
{
    for (size_t i = 0; i < lab_nodes(lab); i++)
        free(lab_cli(lab, i, "FLUSHALL", NULL));
}

static void set(const char *key)
{
    char *said = lab_cli_routed(lab, "SET", key, "mine", NULL);

    assert_non_null(said);
    assert_string_equal(said, "OK");
    free(said);
}

static void survey(struct kit *k, unsigned workers)
{
    kit_open(k, backup, (uint16_t)lab_port(lab, 0));
    k->options.workers = workers;
    if (!restore_survey(k->source, &k->target, &k->options, k->task, &k->plan, &k->err))
        fail_msg("%s", k->err.text);
}

static void expect_same(const struct restore_plan *a, const struct restore_plan *b)
{
    assert_int_equal(a->keys, b->keys);
    assert_int_equal(a->left_out, b->left_out);
    assert_memory_equal(a->by_type, b->by_type, sizeof(a->by_type));
    assert_int_equal(a->with_ttl, b->with_ttl);
    assert_int_equal(a->past_deadline, b->past_deadline);
    assert_int_equal(a->existing, b->existing);
    assert_int_equal(a->since, b->since);
    assert_memory_equal(&a->needs, &b->needs, sizeof(a->needs));
    assert_int_equal(a->node_count, b->node_count);
    for (size_t i = 0; i < a->node_count; i++) {
        assert_string_equal(a->nodes[i].id, b->nodes[i].id);
        assert_int_equal(a->nodes[i].to_write, b->nodes[i].to_write);
        assert_int_equal(a->nodes[i].need_memory, b->nodes[i].need_memory);
    }
    for (size_t i = 0; i < RESTORE_EXAMPLES; i++)
        assert_string_equal(a->examples[i], b->examples[i]);
    assert_int_equal(a->warning_count, b->warning_count);
    assert_int_equal(a->blocker_count, b->blocker_count);
    assert_string_equal(a->blockers[0], b->blockers[0]);
}

/* The examples are the first ones of the backup, whoever met them. */
static void several_threads_count_what_one_counts(void **ctx UNUSED)
{
    static const char *const there[] = {"hash:1", "k:5:299", "k:0:7", "dead:0",
                                        "k:23:1", "again",   "k:9:0", "large:22"};
    static const char *const first[RESTORE_EXAMPLES] = {"k:0:7", "again", "dead:0", "again",
                                                        "hash:1"};
    struct kit one;
    uint64_t to_write = 0;

    empty();
    for (size_t i = 0; i < COUNT_OF(there); i++)
        set(there[i]);
    survey(&one, 1);
    assert_int_equal(one.plan->keys, PARTS * (KEYS + 3) + PARTS / 2);
    assert_int_equal(one.plan->by_type[RECORD_STRING], PARTS * (KEYS + 1));
    assert_int_equal(one.plan->by_type[RECORD_SET], PARTS / 2);
    assert_int_equal(one.plan->with_ttl, 2 * PARTS);
    assert_int_equal(one.plan->past_deadline, PARTS);
    assert_int_equal(one.plan->existing, COUNT_OF(there) - 1 + PARTS);
    for (size_t i = 0; i < one.plan->node_count; i++)
        to_write += one.plan->nodes[i].to_write;
    assert_int_equal(to_write, one.plan->keys);
    for (size_t i = 0; i < RESTORE_EXAMPLES; i++)
        assert_string_equal(one.plan->examples[i], first[i]);
    for (unsigned workers = 0; workers <= 4; workers++) {
        struct kit several;

        survey(&several, workers);
        expect_same(one.plan, several.plan);
        kit_close(&several);
    }
    kit_close(&one);
}

static void a_key_that_is_there_is_found_in_any_part(void **ctx UNUSED)
{
    for (int i = 0; i < PARTS; i++) {
        char key[32];
        struct kit k;

        empty();
        (void)snprintf(key, sizeof(key), "k:%d:%d", i, i * 13 % KEYS);
        set(key);
        survey(&k, 0);
        assert_int_equal(k.plan->existing, 1);
        assert_string_equal(k.plan->examples[0], key);
        assert_int_equal(k.plan->blocker_count, 1);
        assert_non_null(strstr(k.plan->blockers[0], "exist on the target"));
        kit_close(&k);
    }
}

/* Of the keys that come once: each of them costs time. The manifest says nothing of how many keys
 * there are. */
static int suspected(struct restore_repeat *repeat)
{
    int count = 0;

    for (int i = 0; i < PARTS * KEYS; i++) {
        char key[32];

        (void)snprintf(key, sizeof(key), "k:%d:%d", i / KEYS, i % KEYS);
        count += restore_repeat_may(repeat, 0, str_from(key));
    }
    return count;
}

/* Its records are in the hands of several threads at once. */
static void a_key_that_comes_again_is_noted_whichever_threads_read_it(void **ctx UNUSED)
{
    struct kit k;
    char *got;

    empty();
    kit_open(&k, backup, (uint16_t)lab_port(lab, 0));
    k.options.policy = RESTORE_SKIP_EXISTING;
    if (!kit_restore(&k))
        fail_msg("%s", k.err.text);
    assert_true(restore_repeat_may(k.plan->repeat, 0, STR("again")));
    assert_in_range(suspected(k.plan->repeat), 0, PARTS * KEYS / 100);
    assert_int_equal(k.result.existing, 0);
    assert_int_equal(k.result.repeated, PARTS - 1);
    got = lab_cli_routed(lab, "GET", "again", NULL);
    assert_string_equal(got, "23");
    free(got);
    kit_close(&k);
}

/* ---- a server that does not come to the point -------------------------------------------------
 */

static _Atomic int asked;   /* connections that wait for an answer to EXISTS */
static _Atomic int patient; /* how many of them may come to wait; the others are answered */
static _Atomic bool ended;

static bool is_ended(void *arg UNUSED)
{
    return atomic_load(&ended);
}

static const char *answer_of(struct str command)
{
    if (str_is(command, "INFO"))
        return "$58\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\n\r\n";
    if (str_is(command, "EXISTS"))
        return ":0\r\n";
    if (str_is(command, "PING"))
        return "+PONG\r\n";
    if (str_is(command, "TIME"))
        return "*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n";
    return "-ERR unknown command\r\n";
}

static bool answer(void *arg UNUSED, const struct str *argv, size_t argc UNUSED, char *out,
                   size_t size, size_t *len)
{
    if (str_is(argv[0], "EXISTS")) {
        if (atomic_fetch_sub(&patient, 1) > 0) {
            atomic_fetch_add(&asked, 1);
            (void)wait_until(is_ended, NULL, LONG_MS);
            return false;
        }
    }
    *len = (size_t)snprintf(out, size, "%s", answer_of(argv[0]));
    return true;
}

struct beside {
    struct kit kit;
    pthread_t thread;
    int64_t ended_ms;
    bool ok; /* once it is done */
    _Atomic bool done;
};

static void *survey_beside(void *arg)
{
    struct beside *b = arg;
    struct kit *k = &b->kit;

    b->ok = restore_survey(k->source, &k->target, &k->options, k->task, &k->plan, &k->err);
    b->ended_ms = wait_now_ms();
    atomic_store(&b->done, true);
    return NULL;
}

static bool is_stopped(void *task)
{
    return task_cancelled(task);
}

static bool all_wait(void *done)
{
    return atomic_load(&asked) >= 4 || atomic_load((_Atomic bool *)done);
}

static void begin(struct beside *b, struct resp_server *s, const char *dir, int stuck)
{
    atomic_store(&patient, stuck);
    atomic_store(&asked, 0);
    atomic_store(&ended, false);
    kit_open(&b->kit, dir, resp_server_port(s));
    b->kit.target.command_timeout_ms = LONG_MS;
    b->kit.target.outage_timeout_ms = LONG_MS;
    b->kit.target.cancel = (struct cancel){is_stopped, b->kit.task};
    assert_int_equal(pthread_create(&b->thread, NULL, survey_beside, b), 0);
}

static void finish(struct beside *b, struct resp_server *s)
{
    assert_int_equal(pthread_join(b->thread, NULL), 0);
    assert_false(b->ok);
    assert_null(b->kit.plan);
    atomic_store(&ended, true);
    resp_server_stop(s);
    kit_close(&b->kit);
}

static void a_cancel_is_heard_by_every_thread_that_waits_for_a_server(void **ctx UNUSED)
{
    struct resp_server *s = resp_server_answering(answer, NULL);
    struct beside b = {.ok = false};
    int64_t from;

    begin(&b, s, backup, 4);
    assert_true(wait_until(all_wait, &b.done, LONG_MS));
    assert_false(atomic_load(&b.done));
    from = wait_now_ms();
    task_cancel(b.kit.task);
    finish(&b, s);
    assert_int_equal(b.kit.err.code, ERROR_CANCELLED);
    assert_in_range(b.ended_ms - from, 0, wait_scale(PROMPT_MS));
}

/* One part is damaged; whoever waits for a server meanwhile does not wait to the end. */
static void the_first_error_ends_the_threads_that_wait(void **ctx UNUSED)
{
    struct resp_server *s = resp_server_answering(answer, NULL);
    struct beside b = {.ok = false};
    const char *dir = make_backup();
    int64_t from = wait_now_ms();

    tmpdir_write(tmpdir_path(dir, "keys/keys-part-0024.jsonl"), "{\"key\":", 7);
    begin(&b, s, dir, 1);
    finish(&b, s);
    assert_int_equal(b.kit.err.code, ERROR_CORRUPT);
    assert_int_equal(atomic_load(&asked), 1);
    assert_in_range(b.ended_ms - from, 0, LONG_MS / 2);
    assert_non_null(strstr(b.kit.err.text, "keys-part-0024"));
}

/* ---- a server that hangs up behind the reply that counts ----------------------------------------
 */

static _Atomic int hang_ups; /* still to come: before the reply to SELECT 0 */
static _Atomic int told;

static bool answer_and_hang_up(void *arg UNUSED, const struct str *argv, size_t argc, char *out,
                               size_t size, size_t *len)
{
    const char *text = str_is(argv[0], "SELECT")   ? "+OK\r\n"
                       : str_is(argv[0], "EXISTS") ? ":1\r\n"
                                                   : answer_of(argv[0]);

    if (str_is(argv[0], "SELECT") && argc == 2 && str_is(argv[1], "0") &&
        atomic_fetch_sub(&hang_ups, 1) > 0)
        return false;
    *len = (size_t)snprintf(out, size, "%s", text);
    return true;
}

static void note_wait(void *arg UNUSED, const struct error *why, int64_t left_ms UNUSED)
{
    if (why != NULL)
        atomic_fetch_add(&told, 1);
}

/* The request is sent again, and answered again. */
static void a_key_counts_once_however_often_its_connection_is_lost(void **ctx UNUSED)
{
    static const char part[] = "{\"key\":\"k\",\"type\":\"string\",\"ttl_millis\":null,"
                               "\"value\":\"v\",\"db\":3}\n";
    struct resp_server *s = resp_server_answering(answer_and_hang_up, NULL);
    struct kit k;

    atomic_store(&hang_ups, 2);
    atomic_store(&told, 0);
    kit_open(&k, kit_backup(part, sizeof(part) - 1), resp_server_port(s));
    k.target.cancel = (struct cancel){.told = note_wait};
    if (!restore_survey(k.source, &k.target, &k.options, k.task, &k.plan, &k.err))
        fail_msg("%s", k.err.text);
    assert_true(atomic_load(&hang_ups) < 0);
    assert_int_equal(k.plan->existing, 1);
    assert_string_equal(k.plan->examples[0], "k");
    assert_null(k.plan->examples[1]);
    assert_int_equal(atomic_load(&told), 1); /* who looks on is told of the wait */
    resp_server_stop(s);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_threads_count_what_one_counts),
        cmocka_unit_test(a_key_that_is_there_is_found_in_any_part),
        cmocka_unit_test(a_key_that_comes_again_is_noted_whichever_threads_read_it),
        cmocka_unit_test(a_cancel_is_heard_by_every_thread_that_waits_for_a_server),
        cmocka_unit_test(the_first_error_ends_the_threads_that_wait),
        cmocka_unit_test(a_key_counts_once_however_often_its_connection_is_lost),
    };

    return cmocka_run_group_tests_name("restore survey", tests, start_lab, stop_lab);
}
