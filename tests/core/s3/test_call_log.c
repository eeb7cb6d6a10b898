/* The log has a line for each request, and nothing secret in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "tests/core/s3/fixture_upload.h"
#include "tests/core/s3/group_kit.h"
#include "tests/harness/tmpdir.h"

#define TOKEN "session-token-0123456789"

struct script {
    bool refuse_next; /* 503, once */
    bool drop_next;   /* no answer, once */
};

static bool answer(void *ctx, const struct http_seen *request, bool done, struct http_reply *reply)
{
    struct script *s = ctx;
    (void)request;
    size_t used = strlen(reply->headers);
    (void)snprintf(reply->headers + used, sizeof(reply->headers) - used, "%s",
                   done || s->refuse_next ? "x-amz-request-id: REQ\x1b[7\r\n" : "");
    if (done)
        return false;
    reply->drop = s->drop_next;
    if (s->refuse_next)
        reply->status = 503;
    bool handled = s->refuse_next || s->drop_next;
    *s = (struct script){.refuse_next = false};
    return handled;
}

static char *read_log(const char *path)
{
    struct error err = {.text = ""};
    struct buf text;
    buf_init(&text, (size_t)1 << 20);
    assert_true(file_read(path, &text, &err));
    return buf_take(&text, NULL);
}

static void expect(const char *log, const char *piece)
{
    if (strstr(log, piece) == NULL)
        fail_msg("\"%s\" is not in:\n%s", piece, log);
}

static void expect_no(const char *log, const char *piece)
{
    if (strstr(log, piece) != NULL)
        fail_msg("\"%s\" is in:\n%s", piece, log);
}

static struct s3 *client(const struct s3_fake *fake)
{
    const struct s3_options o = {.bucket = "bucket",
                                 .endpoint_url = s3_fake_url(fake),
                                 .access_key = S3_FAKE_ACCESS_KEY,
                                 .secret_key = S3_FAKE_SECRET_KEY,
                                 .session_token = TOKEN,
                                 .tries = 4,
                                 .backoff_base_ms = 2,
                                 .connect_timeout_ms = 10000};
    struct s3 *s3 = NULL;
    struct error err = {.text = ""};
    if (!s3_new(&o, &s3, &err))
        fail_msg("%s", err.text);
    return s3;
}

static bool collect(void *ctx, struct str bytes, struct error *err)
{
    return buf_append(ctx, bytes, err);
}

/* Returns the log of what it does. */
static char *work(enum log_level least)
{
    struct script script = {.refuse_next = true};
    struct s3_fake *fake = s3_fake_start(answer, &script);
    struct s3 *s3 = client(fake);
    struct error err = {.text = ""};
    struct buf got;
    struct multipart *m = NULL;
    const struct multipart_options how = {.part_bytes = MULTIPART_PART_MIN, .workers = 1};
    const struct s3_get get = {.key = STR("a\nb"), .from = 1, .length = -1};
    const char *path = tmpdir_path(tmpdir_new(), "log");
    assert_true(log_open(path, least, &err));
    if (!s3_put(s3, STR("a\nb"), STR("hello"), &err))
        fail_msg("%s", err.text);
    script.drop_next = true;
    buf_init(&got, 100);
    assert_true(s3_get(s3, &get, collect, &got, &err));
    buf_release(&got);
    assert_true(multipart_new(s3, STR(UPLOAD_KEY), &how, &m, &err));
    assert_true(multipart_write(m, (struct str){upload_bytes(), UPLOAD_BYTES}, &err));
    assert_true(multipart_commit(m, NULL, &err));
    multipart_free(m);
    log_close();
    s3_free(s3);
    s3_fake_stop(fake);
    return read_log(path);
}

static void each_request_is_one_line(void **state)
{
    (void)state;
    char *log = work(LOG_LEVEL_DEBUG);
    expect(log, " debug s3 PUT bucket/a\\x0ab status 503, ");
    expect(log, " ms, try 1, sent 5, received ");
    expect(log, " debug s3 PUT bucket/a\\x0ab status 200, ");
    expect(log, " ms, try 2, sent 5, received 0, request REQ\\x1b[7\n");
    expect(log, " debug s3 GET bucket/a\\x0ab status none (unreachable), ");
    expect(log, " ms, try 2, sent 0, received 4, request REQ\\x1b[7\n");
    expect(log, " debug s3 POST bucket/backups/x.tar.gz?uploads status 200, ");
    expect(log, " debug s3 PUT bucket/backups/x.tar.gz?partNumber=3&uploadId status 200, ");
    expect(log, " ms, try 1, sent 1000, received 0, ");
    free(log);
}

static void nothing_secret_is_logged(void **state)
{
    (void)state;
    char *log = work(LOG_LEVEL_DEBUG);
    static const char *const secrets[] = {S3_FAKE_ACCESS_KEY, S3_FAKE_SECRET_KEY, TOKEN, "AWS4",
                                          "ignature",         "ecurity"};
    for (size_t i = 0; i < COUNT_OF(secrets); i++)
        expect_no(log, secrets[i]);
    free(log);
}

static void without_v_only_failures_are_logged(void **state)
{
    (void)state;
    char *log = work(LOG_LEVEL_INFO);
    expect(log, " info s3 try 1 failed: ");
    expect_no(log, " debug ");
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_request_is_one_line),
        cmocka_unit_test(nothing_secret_is_logged),
        cmocka_unit_test(without_v_only_failures_are_logged),
    };
    return cmocka_run_group_tests(tests, s3_group_start, s3_group_stop);
}
