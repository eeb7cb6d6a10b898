/* A backup whose process is killed while it uploads, resumed: what the bucket holds already is not
 * sent again, and what comes to stand there is the local archive, byte for byte. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/attr.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/s3/s3.h"
#include "tests/engine/fixture_checkpoint.h"
#include "tests/harness/cli_run.h"
#include "tests/harness/fault_proxy.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/s3_curl.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define ARGS_MAX 24
#define KEYS 4500 /* of 8 KiB each, nothing that gzip could shrink: seven parts of 5 MiB */
#define PARTS 7
#define PART_BYTES ((size_t)5 << 20)
#define WAIT_MS 90000

/* One backup of the lab, begun by one process and ended by another. Each has a bucket prefix of its
 * own. */
struct story {
    char prefix[40];
    char uri[200];
    const char *state;
    const char *dir;
    const char *config;
    const char *log; /* of all runs */
    pid_t pid;
};

static struct lab *lab;
static struct s3 *s3;

/* ---- the program ------------------------------------------------------------------------------
 */

static void build_argv(const struct story *s, const char *argv[ARGS_MAX],
                       const char *const *options)
{
    const char *const first[] = {proc_rbconsole(), "-c", s->config,    "--state-dir",
                                 s->state,         "-v", "--log-file", s->log};
    size_t n = 0;

    for (; n < COUNT_OF(first); n++)
        argv[n] = first[n];
    for (; *options != NULL; options++) {
        assert_true(n + 1 < ARGS_MAX);
        argv[n++] = *options;
    }
    argv[n] = NULL;
}

/* The lab's configuration with the smallest parts, a prefix of its own, and perhaps another way to
 * the bucket. */
static const char *write_config(const struct story *s, const char *endpoint)
{
    const char *path = tmpdir_path(lab_dir(lab), s->prefix);
    json_t *doc = json_load_file(lab_config_file(lab), 0, NULL);
    json_t *storage = json_object_get(doc, "storage");

    json_put_int(storage, "part_size_mb", 5);
    json_put_text(storage, "s3_uri", s->uri);
    if (endpoint != NULL)
        json_put_text(storage, "endpoint_url", endpoint);
    assert_int_equal(json_dump_file(doc, path, 0), 0);
    json_decref(doc);
    return path;
}

/* endpoint NULL: the bucket's own. */
static void begin(struct story *s, const char *endpoint, const char *rate)
{
    static int number;
    const char *argv[ARGS_MAX];

    *s = (struct story){.state = tmpdir_new(), .dir = tmpdir_new()};
    s->log = tmpdir_path(s->state, "log");
    (void)snprintf(s->prefix, sizeof(s->prefix), "story-%d", ++number);
    (void)snprintf(s->uri, sizeof(s->uri), "s3://%s/%s", lab_s3(lab)->bucket, s->prefix);
    s->config = write_config(s, endpoint);
    build_argv(s, argv,
               (const char *const[]){"backup", "--backup-dir", s->dir, "--rate", rate,
                                     "--chunk-keys", "100", "--no-dir", NULL});
    s->pid = proc_start(argv, &(struct proc_options){0}, tmpdir_path(s->state, "said"));
    assert_true(s->pid > 0);
}

/* Both outputs, malloc-ed; the status must be that. */
static char *run(const struct story *s, int status, const char *const *options)
{
    const char *argv[ARGS_MAX];

    build_argv(s, argv, options);
    return cli_said(argv, 240000, status);
}
#define RUN(s, status, ...) run(s, status, (const char *const[]){__VA_ARGS__, NULL})

static void resume(const struct story *s)
{
    char *said = RUN(s, 0, "backup", "--resume", "B-0001");

    assert_non_null(strstr(said, "Uploaded: "));
    free(said);
}

static void expect_in(const char *text, const char *piece)
{
    if (strstr(text, piece) == NULL)
        fail_msg("\"%s\" is not in: %s", piece, text);
}

static void expect_journal(const struct story *s, const char *piece)
{
    char *text = tmpdir_read(tmpdir_path(s->state, "jobs/B-0001/journal.jsonl"), NULL);

    assert_non_null(text);
    expect_in(text, piece);
    free(text);
}

/* ---- how far it is ----------------------------------------------------------------------------
 */

struct until {
    const struct story *story;
    size_t sent;
    bool local; /* and the local archive is whole */
};

static bool is_reached(void *context)
{
    const struct until *u = context;
    const char *state = u->story->state;

    return checkpoint_lines(state, "sent", false, NULL) >= u->sent &&
           (!u->local || checkpoint_lines(state, "local", false, NULL) > 0);
}

static void stop_at(const struct story *s, size_t sent, bool local, int signal_number)
{
    assert_true(wait_until(is_reached, &(struct until){s, sent, local}, WAIT_MS));
    assert_true(proc_alive(s->pid));
    assert_int_equal(proc_stop(s->pid, signal_number),
                     signal_number == SIGKILL ? 128 + SIGKILL : 5);
}

static size_t unfinished(const struct story *s)
{
    struct s3_uploads uploads;
    struct error err = {0};
    size_t count;

    if (!s3_list_uploads(s3, str_from(s->prefix), &uploads, &err))
        fail_msg("%s", err.text);
    count = uploads.count;
    s3_uploads_release(&uploads);
    return count;
}

/* What stands in the bucket is what stands on disk; of its parts the newest run did not send that
 * many. Returns how many it did send. */
static size_t expect_uploaded(const struct story *s, size_t spared)
{
    json_t *job = json_load_file(tmpdir_path(s->state, "jobs/B-0001/job.json"), 0, NULL);
    const char *id = json_text(json_object_get(job, "options"), "backup_id", "?");
    char *path = mem_format("%s/%s.tar.gz", s->dir, id);
    char *key = mem_format("%s/%s.tar.gz", s->prefix, id);
    size_t len = 0;
    size_t object_len = 0;
    char *archive = tmpdir_read(path, &len);
    char *object = s3_curl_get(lab_s3(lab), key, &object_len);
    size_t sent = checkpoint_lines(s->state, "sent", true, NULL);

    assert_non_null(archive);
    assert_non_null(object);
    size_t parts = (len + PART_BYTES - 1) / PART_BYTES;
    assert_int_equal(object_len, len);
    assert_memory_equal(object, archive, len);
    assert_true(parts >= PARTS); /* what was read twice stands there twice */
    if (sent + spared > parts)
        fail_msg("%zu parts of %zu were sent, not %zu fewer", sent, parts, spared);
    assert_int_equal(unfinished(s), 0);
    free(object);
    free(archive);
    free(key);
    free(path);
    json_decref(job);
    return sent;
}

/* Requests of that kind in the log of all runs. */
static size_t requests(const struct story *s, const char *piece)
{
    char *text = tmpdir_read(s->log, NULL);
    size_t count = 0;

    assert_non_null(text);
    for (const char *at = text; (at = strstr(at, piece)) != NULL; at++)
        count++;
    free(text);
    return count;
}

/* ---- the tests --------------------------------------------------------------------------------
 */

static void killed_while_it_reads_it_sends_only_the_rest(void **state UNUSED)
{
    struct story s;
    size_t before;
    size_t sent;
    char *said;

    begin(&s, NULL, "1000");
    stop_at(&s, 3, false, SIGKILL);
    before = requests(&s, "partNumber=");
    said = RUN(&s, 0, "doctor");
    expect_in(said, "belongs to B-0001 (crashed): rbconsole -e local backup --resume B-0001");
    free(said);
    free(RUN(&s, 0, "doctor", "--fix"));
    assert_int_equal(unfinished(&s), 1);
    resume(&s);
    sent = expect_uploaded(&s, 3);
    assert_int_equal(requests(&s, "partNumber=") - before, sent);
    assert_int_equal(requests(&s, "?uploads status"), 1); /* begun once */
    expect_journal(&s, "goes on: ");
}

static const struct fault_options fast = {.kind = FAULT_NONE};
static const struct fault_options slow = {.kind = FAULT_SLOW, .slow_ms = 5};
static const struct fault_options dead = {.kind = FAULT_DROP};

/* A slow way to the bucket: the archive is whole long before it is uploaded. */
static struct fault_proxy *begin_slowly(struct story *s)
{
    const char *port = strrchr(lab_s3(lab)->endpoint, ':') + 1;
    struct fault_proxy *proxy =
        fault_proxy_start("127.0.0.1", (uint16_t)strtoul(port, NULL, 10), &slow);
    char endpoint[64];

    (void)snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u",
                   (unsigned)fault_proxy_port(proxy));
    begin(s, endpoint, "none");
    return proxy;
}

/* The bucket goes away in the middle: the backup on disk is whole, and the next run sends the rest.
 */
static void given_up_it_leaves_what_it_has_sent(void **state UNUSED)
{
    struct story s;
    struct fault_proxy *proxy = begin_slowly(&s);

    assert_true(wait_until(is_reached, &(struct until){&s, 2, false}, WAIT_MS));
    fault_proxy_set(proxy, &dead);
    fault_proxy_break_all(proxy);
    assert_int_equal(proc_wait(s.pid, 2 * WAIT_MS), 6);
    assert_int_equal(checkpoint_lines(s.state, "local", false, NULL), 1);
    assert_int_equal(unfinished(&s), 1);
    fault_proxy_set(proxy, &fast);
    resume(&s);
    (void)expect_uploaded(&s, 2);
    fault_proxy_stop(proxy);
}

static void killed_when_only_the_upload_is_missing(void **state UNUSED)
{
    struct story s;
    struct fault_proxy *proxy = begin_slowly(&s);

    stop_at(&s, 2, true, SIGKILL);
    fault_proxy_set(proxy, &fast);
    resume(&s);
    (void)expect_uploaded(&s, 2);
    fault_proxy_stop(proxy);
}

static void killed_after_the_bucket_had_all_it_sends_nothing(void **state UNUSED)
{
    struct story s;

    begin(&s, NULL, "none");
    assert_int_equal(proc_wait(s.pid, WAIT_MS), 0);
    assert_int_equal(unlink(tmpdir_path(s.state, "jobs/B-0001/result.json")), 0);
    resume(&s);
    assert_int_equal(expect_uploaded(&s, PARTS), 0);
    expect_journal(&s, "was uploaded whole by an earlier run");
}

static void cancelled_and_then_fixed_by_doctor_it_begins_anew(void **state UNUSED)
{
    struct story s;
    char *said;

    begin(&s, NULL, "1000");
    stop_at(&s, 2, false, SIGTERM);
    assert_int_equal(unfinished(&s), 1);
    said = RUN(&s, 0, "doctor", "--fix");
    expect_in(said, "of B-0001 (cancelled)");
    free(said);
    assert_int_equal(unfinished(&s), 0);
    resume(&s);
    (void)expect_uploaded(&s, 0);
    expect_journal(&s, "the server knows it no more; it begins anew");
}

static void with_other_parts_configured_it_begins_anew(void **state UNUSED)
{
    struct story s;

    begin(&s, NULL, "1000");
    stop_at(&s, 2, false, SIGKILL);
    s.config = lab_config_file(lab); /* parts of 16 MiB */
    resume(&s);
    (void)expect_uploaded(&s, 0);
    expect_journal(&s, "storage.part_size_mb is another one now; it begins anew");
}

/* ---- the lab ----------------------------------------------------------------------------------
 */

/* A tenth at a time: no script may run for long. */
static bool fill(void)
{
    bool ok = true;

    for (int tenth = 0; ok && tenth < 10; tenth++) {
        char script[400];
        char *said;

        (void)snprintf(script, sizeof(script),
                       "math.randomseed(%d) for i=1,%d do local t={} for j=1,8192 do "
                       "t[j]=string.char(math.random(0,255)) end "
                       "redis.call('SET','k%d.'..i,table.concat(t)) end return 'done'",
                       tenth, KEYS / 10, tenth);
        said = lab_cli(lab, 0, "EVAL", script, "0", NULL);
        ok = said != NULL && strcmp(said, "done") == 0;
        free(said);
    }
    return ok;
}

static int start(void **state UNUSED)
{
    const struct lab_options options = {.kind = LAB_SINGLE, .s3 = true};
    const struct lab_s3 *server;
    struct error err;

    if (!s3_global_init(&err) || (lab = lab_start(&options)) == NULL)
        return -1;
    server = lab_s3(lab);
    const struct s3_options o = {.bucket = server->bucket,
                                 .endpoint_url = server->endpoint,
                                 .region = server->region,
                                 .access_key = server->access_key,
                                 .secret_key = server->secret_key};
    return fill() && s3_new(&o, &s3, &err) ? 0 : -1;
}

static int stop(void **state UNUSED)
{
    s3_free(s3);
    lab_stop(lab);
    s3_global_release();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_while_it_reads_it_sends_only_the_rest),
        cmocka_unit_test(given_up_it_leaves_what_it_has_sent),
        cmocka_unit_test(killed_when_only_the_upload_is_missing),
        cmocka_unit_test(killed_after_the_bucket_had_all_it_sends_nothing),
        cmocka_unit_test(cancelled_and_then_fixed_by_doctor_it_begins_anew),
        cmocka_unit_test(with_other_parts_configured_it_begins_anew),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
