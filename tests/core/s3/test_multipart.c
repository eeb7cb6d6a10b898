/* Multipart uploads against a scripted server: every way in which Complete can go wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/s3/multipart.h"
#include "core/s3/s3.h"
#include "tests/core/s3/group_kit.h"
#include "tests/harness/http_server.h"

#define SECRET "topsecret-value-0123456789"
#define ERROR_BODY(code) "<?xml version=\"1.0\"?><Error><Code>" code "</Code></Error>"
#define COMPLETED \
    "<CompleteMultipartUploadResult><ETag>&quot;e-2&quot;</ETag></CompleteMultipartUploadResult>"

/* One scripted answer; the last row of a script repeats. The order is that of the tables.
 * NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct step {
    int status;
    const char *headers;
    const char *body;
    bool drop;
    size_t cut_after;
    int delay_ms;
};

static struct s3 *client(const char *url)
{
    const struct s3_options options = {.bucket = "bucket",
                                       .endpoint_url = url,
                                       .access_key = "AKIDEXAMPLE",
                                       .secret_key = SECRET,
                                       .tries = 4,
                                       .backoff_base_ms = 5,
                                       .connect_timeout_ms = 5000};
    struct s3 *s3 = NULL;
    struct error err = {.text = ""};
    if (!s3_new(&options, &s3, &err))
        fail_msg("%s", err.text);
    return s3;
}

/* A multipart upload as a server would hold it; `complete` says how Complete goes. */
struct upload {
    const struct step *complete;
    size_t complete_count;
    char head_token[64]; /* "": the one that was sent */
    char token[64];
    size_t stored_bytes;
    size_t completes;
    size_t aborts;
    bool gone;
    char etag_list[1024];
};

static void complete_step(struct upload *u, const struct http_seen *request,
                          struct http_reply *reply)
{
    size_t n = u->completes < u->complete_count ? u->completes : u->complete_count - 1;
    const struct step *step = &u->complete[n];
    u->completes++;
    (void)snprintf(u->etag_list, sizeof(u->etag_list), "%.1000s", request->body);
    reply->status = step->status;
    reply->body = step->body;
    reply->drop = step->drop;
}

static void hold_upload(void *ctx, const struct http_seen *request, struct http_reply *reply)
{
    struct upload *u = ctx;
    bool has_id = strstr(request->target, "uploadId=") != NULL;
    if (strcmp(request->method, "POST") == 0 && !has_id) {
        http_seen_header(request, "x-amz-meta-rbc-token", u->token, sizeof(u->token));
        reply->body = "<InitiateMultipartUploadResult><UploadId>a/b+c=</UploadId>"
                      "</InitiateMultipartUploadResult>";
    } else if (strcmp(request->method, "POST") == 0) {
        complete_step(u, request, reply);
    } else if (strcmp(request->method, "PUT") == 0) {
        u->stored_bytes += request->body_len;
        const char *number = strstr(request->target, "partNumber=") + strlen("partNumber=");
        (void)snprintf(reply->headers, sizeof(reply->headers), "ETag: \"p%.*s\"\r\n",
                       (int)strcspn(number, "&"), number);
    } else if (strcmp(request->method, "DELETE") == 0) {
        u->aborts++;
        u->gone = true;
        reply->status = 204;
    } else if (strcmp(request->method, "HEAD") == 0) {
        (void)snprintf(reply->headers, sizeof(reply->headers),
                       "Content-Length: %zu\r\nETag: \"e-2\"\r\nX-Amz-Meta-Rbc-Token: %s\r\n",
                       u->stored_bytes, u->head_token[0] != '\0' ? u->head_token : u->token);
        reply->status = u->gone ? 404 : 200;
    } else {
        reply->status = 404;
        reply->body = ERROR_BODY("NoSuchUpload");
    }
}

struct upload_result {
    bool ok;
    struct error err;
};

static struct upload_result run_upload(struct upload *u)
{
    struct upload_result r = {.err = {.text = ""}};
    struct http_server *server = http_server_start(hold_upload, u);
    struct s3 *s3 = client(http_server_url(server));
    const struct multipart_options options = {.part_bytes = MULTIPART_PART_MIN, .workers = 2};
    struct multipart *m = NULL;
    assert_true(multipart_new(s3, STR("key"), &options, &m, &r.err));
    char *data = mem_zero(1, MULTIPART_PART_MIN + 1);
    assert_true(multipart_write(m, (struct str){data, MULTIPART_PART_MIN + 1}, &r.err));
    r.ok = multipart_commit(m, NULL, &r.err);
    multipart_free(m);
    free(data);
    s3_free(s3);
    http_server_stop(server);
    return r;
}

#define UPLOAD(rows)                                         \
    {                                                        \
        .complete = (rows), .complete_count = COUNT_OF(rows) \
    }

static void parts_are_completed_in_order_with_their_own_etags(void **state)
{
    (void)state;
    static const struct step steps[] = {{200, NULL, COMPLETED}};
    struct upload u = UPLOAD(steps);
    struct upload_result r = run_upload(&u);
    assert_true(r.ok);
    assert_int_equal(u.aborts, 0);
    assert_non_null(strstr(u.etag_list, "<PartNumber>1</PartNumber><ETag>&quot;p1&quot;</ETag>"
                                        "</Part><Part><PartNumber>2</PartNumber><ETag>&quot;p2"));
}

static void complete_that_says_error_under_200_is_no_success(void **state)
{
    (void)state;
    static const struct step steps[] = {{200, NULL, ERROR_BODY("InternalError")}};
    struct upload u = UPLOAD(steps);
    u.gone = false;
    memcpy(u.head_token, "foreign", 8);
    struct upload_result r = run_upload(&u);
    assert_false(r.ok);
    assert_int_equal(r.err.code, ERROR_STORAGE);
    assert_int_equal(u.completes, 4);
    assert_int_equal(u.aborts, 1);
}

static void complete_that_is_cut_off_is_tried_again(void **state)
{
    (void)state;
    static const struct step steps[] = {{200, NULL, "<CompleteMultipartUploadResult><ETag>x"},
                                        {200, NULL, ERROR_BODY("InternalError")},
                                        {200, NULL, COMPLETED}};
    struct upload u = UPLOAD(steps);
    struct upload_result r = run_upload(&u);
    assert_true(r.ok);
    assert_int_equal(u.completes, 3);
    assert_int_equal(u.aborts, 0);
}

static void a_lost_reply_is_settled_by_token_and_size(void **state)
{
    (void)state;
    static const struct step steps[] = {{0, NULL, NULL, .drop = true},
                                        {404, NULL, ERROR_BODY("NoSuchUpload")}};
    struct upload u = UPLOAD(steps);
    struct upload_result r = run_upload(&u);
    assert_true(r.ok);
    assert_int_equal(u.completes, 2);
    assert_int_equal(u.aborts, 0);
}

static void a_lost_reply_over_a_foreign_object_is_a_failure(void **state)
{
    (void)state;
    static const struct step steps[] = {{0, NULL, NULL, .drop = true},
                                        {404, NULL, ERROR_BODY("NoSuchUpload")}};
    struct upload u = UPLOAD(steps);
    memcpy(u.head_token, "somebody-elses", 15);
    struct upload_result r = run_upload(&u);
    assert_false(r.ok);
    assert_int_equal(r.err.code, ERROR_NOT_FOUND);
    assert_int_equal(u.aborts, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_completed_in_order_with_their_own_etags),
        cmocka_unit_test(complete_that_says_error_under_200_is_no_success),
        cmocka_unit_test(complete_that_is_cut_off_is_tried_again),
        cmocka_unit_test(a_lost_reply_is_settled_by_token_and_size),
        cmocka_unit_test(a_lost_reply_over_a_foreign_object_is_a_failure),
    };
    return cmocka_run_group_tests(tests, s3_group_start, s3_group_stop);
}
