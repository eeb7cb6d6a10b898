/* An upload of an earlier run: gone on with where that is right, begun anew where it is not. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "tests/core/s3/fixture_upload.h"
#include "tests/core/s3/group_kit.h"

/* What the fake does besides, and what it counts. */
struct bucket {
    struct s3_fake *fake;
    bool checksums; /* kept, and asked for */
    _Atomic unsigned parts_sent;
    _Atomic unsigned begun;
    bool hide_parts;        /* ListParts is refused */
    const char *other_etag; /* ListParts tells this one instead */
    char listed[400];
};

/* What a run remembers, as the checkpoint of a backup does. */
struct run {
    struct bucket *bucket;
    struct s3 *s3;
    pthread_mutex_t lock;
    struct upload_memory memory;
    char said[1000];
};

static bool meet(void *ctx, const struct http_seen *request, bool done, struct http_reply *reply)
{
    struct bucket *b = ctx;
    bool lists =
        strcmp(request->method, "GET") == 0 && strstr(request->target, "uploadId=") != NULL;
    if (!done) {
        b->parts_sent += strstr(request->target, "partNumber=") != NULL;
        b->begun +=
            strstr(request->target, "uploads=") != NULL && strcmp(request->method, "POST") == 0;
        if (lists && b->hide_parts) {
            reply->status = 403;
            reply->body = "<Error><Code>AccessDenied</Code></Error>";
        }
        return lists && b->hide_parts;
    }
    if (lists && b->other_etag != NULL) {
        (void)snprintf(b->listed, sizeof(b->listed),
                       "<ListPartsResult><Part><PartNumber>1</PartNumber><Size>%zu</Size><ETag>%s"
                       "</ETag></Part></ListPartsResult>",
                       MULTIPART_PART_MIN, b->other_etag);
        reply->body = b->listed;
    }
    return false;
}

static void on_begun(void *arg, const struct upload_known *u)
{
    struct run *r = arg;
    pthread_mutex_lock(&r->lock);
    upload_memory_begun(&r->memory, u);
    pthread_mutex_unlock(&r->lock);
}

static void on_sent(void *arg, const char *upload_id, const struct upload_part *part)
{
    struct run *r = arg;
    pthread_mutex_lock(&r->lock);
    upload_memory_sent(&r->memory, upload_id, part);
    pthread_mutex_unlock(&r->lock);
}

static void on_note(void *arg, bool warn, const char *text)
{
    struct run *r = arg;
    size_t used = strlen(r->said);
    (void)snprintf(r->said + used, sizeof(r->said) - used, "%s: %s\n", warn ? "warn" : "info",
                   text);
}

static struct run *start_run(struct bucket *b)
{
    const struct upload_options options = {.tries = 2, .checksums = b->checksums};
    struct run *r = mem_zero(1, sizeof(*r));
    if (b->fake == NULL)
        b->fake = s3_fake_start(meet, b);
    if (b->checksums)
        s3_fake_keep_checksums(b->fake);
    r->bucket = b;
    r->s3 = upload_client(b->fake, &options);
    pthread_mutex_init(&r->lock, NULL);
    r->memory =
        (struct upload_memory){.begun = on_begun, .sent = on_sent, .note = on_note, .arg = r};
    return r;
}

static void end_run(struct run *r)
{
    struct s3_fake *fake = r->bucket->fake;
    r->bucket->fake = NULL;
    s3_free(r->s3);
    s3_fake_stop(fake);
    upload_memory_release(&r->memory);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static struct multipart_options options_of(struct run *r)
{
    return (struct multipart_options){
        .part_bytes = MULTIPART_PART_MIN, .workers = 2, .memory = &r->memory};
}

/* Write that many bytes, send them all, and leave without a commit, as a killed run does. */
static void leave_after(struct run *r, size_t bytes)
{
    struct multipart_options options = options_of(r);
    struct multipart *m;
    struct error err = {.text = ""};
    assert_true(multipart_new(r->s3, STR(UPLOAD_KEY), &options, &m, &err));
    assert_true(multipart_write(m, (struct str){upload_bytes(), bytes}, &err));
    assert_true(multipart_seal(m, &err));
    multipart_leave(m);
    multipart_free(m);
    r->bucket->parts_sent = 0;
    r->bucket->begun = 0;
}

static enum upload_fate judge(struct run *r, struct multipart_verdict *verdict)
{
    const struct multipart_options options = options_of(r);
    struct error err = {.text = ""};
    assert_int_equal(r->memory.count, 1);
    if (!multipart_judge(r->s3, &r->memory.known[0], &options, verdict, &err))
        fail_msg("%s", err.text);
    return r->memory.known[0].fate;
}

/* Known uploads are this run's past: what it is told now goes elsewhere. */
static bool finish(struct run *r, const char *bytes, size_t len, struct error *err)
{
    struct upload_memory now = {.begun = on_begun, .sent = on_sent, .note = on_note, .arg = r};
    struct run *apart = mem_zero(1, sizeof(*apart));
    struct multipart_options options = options_of(r);
    struct multipart *m;
    pthread_mutex_init(&apart->lock, NULL);
    now.arg = apart;
    options.memory = &now;
    options.known = &r->memory.known[0];
    assert_true(multipart_new(r->s3, STR(UPLOAD_KEY), &options, &m, err));
    bool ok = multipart_write(m, (struct str){bytes, len}, err) && multipart_commit(m, NULL, err);
    multipart_free(m);
    memcpy(r->said, apart->said, sizeof(r->said));
    upload_memory_release(&apart->memory);
    pthread_mutex_destroy(&apart->lock);
    free(apart);
    return ok;
}

static void expect_whole(struct run *r)
{
    struct error err = {.text = ""};
    if (!finish(r, upload_bytes(), UPLOAD_BYTES, &err))
        fail_msg("%s", err.text);
    assert_true(upload_is_whole(r->bucket->fake, UPLOAD_BYTES));
    assert_int_equal(s3_fake_uploads(r->bucket->fake), 0);
}

static void expect_only_what_is_missing_is_sent(struct bucket *b)
{
    struct multipart_verdict verdict;
    struct run *r = start_run(b);
    leave_after(r, 2 * MULTIPART_PART_MIN);
    assert_int_equal(s3_fake_uploads(b->fake), 1);
    assert_int_equal(r->memory.known[0].checksums, b->checksums);
    assert_int_equal(judge(r, &verdict), UPLOAD_GOES_ON);
    assert_int_equal(verdict.parts, 2);
    assert_int_equal(verdict.bytes, 2 * MULTIPART_PART_MIN);
    expect_whole(r);
    assert_int_equal(b->parts_sent, 1);
    assert_int_equal(b->begun, 0);
    assert_string_equal(r->said, "");
    end_run(r);
}

static void only_what_is_missing_is_sent(void **state)
{
    (void)state;
    struct bucket b = {.fake = NULL};
    expect_only_what_is_missing_is_sent(&b);
}

/* Complete must name the checksums of the parts that the earlier run sent, too. */
static void an_upload_with_checksums_goes_on(void **state)
{
    (void)state;
    struct bucket b = {.checksums = true};
    expect_only_what_is_missing_is_sent(&b);
}

static void a_part_that_the_server_holds_otherwise_is_sent_again(void **state)
{
    (void)state;
    struct bucket b = {.other_etag = "&quot;another&quot;"};
    struct multipart_verdict verdict;
    struct run *r = start_run(&b);
    leave_after(r, 2 * MULTIPART_PART_MIN);
    assert_int_equal(judge(r, &verdict), UPLOAD_GOES_ON);
    assert_int_equal(verdict.parts, 0);
    expect_whole(r);
    assert_int_equal(b.parts_sent, 3);
    end_run(r);
}

static void a_part_of_other_bytes_is_sent_again_and_that_is_told(void **state)
{
    (void)state;
    struct bucket b = {.fake = NULL};
    struct multipart_verdict verdict;
    struct error err = {.text = ""};
    struct run *r = start_run(&b);
    char *bytes = mem_alloc(UPLOAD_BYTES);
    size_t len;
    memcpy(bytes, upload_bytes(), UPLOAD_BYTES);
    bytes[MULTIPART_PART_MIN + 7] ^= 1;
    leave_after(r, 2 * MULTIPART_PART_MIN);
    assert_int_equal(judge(r, &verdict), UPLOAD_GOES_ON);
    assert_true(finish(r, bytes, UPLOAD_BYTES, &err));
    assert_int_equal(b.parts_sent, 2);
    assert_non_null(strstr(r->said, "warn: from part 2 on the bytes of " UPLOAD_KEY " are not"));
    const char *object = s3_fake_object(b.fake, UPLOAD_KEY, &len);
    assert_int_equal(len, UPLOAD_BYTES);
    assert_memory_equal(object, bytes, len);
    free(bytes);
    end_run(r);
}

static void expect_anew(struct run *r, const char *why)
{
    struct multipart_verdict verdict;
    assert_int_equal(judge(r, &verdict), UPLOAD_ANEW);
    if (strstr(verdict.why, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", verdict.why, why);
}

static void an_upload_that_is_gone_begins_anew(void **state)
{
    (void)state;
    struct bucket b = {.fake = NULL};
    struct error err;
    struct run *r = start_run(&b);
    leave_after(r, 2 * MULTIPART_PART_MIN);
    assert_true(
        s3_abort_upload(r->s3, STR(UPLOAD_KEY), str_from(r->memory.known[0].upload_id), &err));
    expect_anew(r, "the server knows it no more");
    expect_whole(r);
    assert_int_equal(b.parts_sent, 3);
    assert_int_equal(b.begun, 1);
    end_run(r);
}

static void another_writers_object_makes_it_begin_anew(void **state)
{
    (void)state;
    struct bucket b = {.fake = NULL};
    struct run *r = start_run(&b);
    leave_after(r, 2 * MULTIPART_PART_MIN);
    s3_fake_put(b.fake, UPLOAD_KEY, "foreign", 7);
    expect_anew(r, "somebody else's object");
    end_run(r);
}

static void other_settings_make_it_begin_anew(void **state)
{
    (void)state;
    struct bucket b = {.fake = NULL};
    struct run *r = start_run(&b);
    struct upload_known *u;
    leave_after(r, 2 * MULTIPART_PART_MIN);
    u = &r->memory.known[0];
    u->part_bytes *= 2;
    expect_anew(r, "storage.part_size_mb");
    u->part_bytes /= 2;
    b.hide_parts = true;
    expect_anew(r, "may not be listed");
    b.hide_parts = false;
    u->checksums = true;
    expect_anew(r, "storage.checksum");
    u->checksums = false;
    free(u->encryption);
    u->encryption = mem_copy_text("AES256");
    expect_anew(r, "storage.sse");
    u->bucket[0] = 'B';
    expect_anew(r, "begun in bucket Bucket");
    end_run(r);
}

static void a_customer_key_that_is_missing_is_asked_for(void **state)
{
    (void)state;
    struct bucket b = {.fake = NULL};
    struct run *r = start_run(&b);
    const struct multipart_options options = options_of(r);
    struct multipart_verdict verdict;
    struct error err = {.text = ""};
    leave_after(r, 2 * MULTIPART_PART_MIN);
    free(r->memory.known[0].encryption);
    r->memory.known[0].encryption = mem_copy_text("customer 0123456789abcdef");
    assert_false(multipart_judge(r->s3, &r->memory.known[0], &options, &verdict, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "there is none now: give that key again"));
    assert_null(strstr(err.text, "0123456789"));
    assert_int_equal(s3_fake_uploads(b.fake), 1);
    end_run(r);
}

/* Killed after Complete was carried out, before anybody heard of it. */
static void leave_finished(struct run *r)
{
    struct multipart_options options = options_of(r);
    struct multipart *m;
    struct error err = {.text = ""};
    assert_true(multipart_new(r->s3, STR(UPLOAD_KEY), &options, &m, &err));
    assert_true(multipart_write(m, (struct str){upload_bytes(), UPLOAD_BYTES}, &err));
    assert_true(multipart_commit(m, NULL, &err));
    multipart_free(m);
    r->bucket->parts_sent = 0;
}

static void one_that_was_completed_unheard_is_not_sent_again(void **state)
{
    (void)state;
    struct bucket b = {.fake = NULL};
    struct multipart_verdict verdict;
    struct run *r = start_run(&b);
    leave_finished(r);
    assert_int_equal(judge(r, &verdict), UPLOAD_STANDS);
    assert_int_equal(verdict.parts, 3);
    expect_whole(r);
    assert_int_equal(b.parts_sent, 0);
    end_run(r);
}

static void completed_from_other_bytes_it_is_removed_and_then_begins_anew(void **state)
{
    (void)state;
    struct bucket b = {.fake = NULL};
    struct multipart_verdict verdict;
    struct error err = {.text = ""};
    struct run *r = start_run(&b);
    leave_finished(r);
    assert_int_equal(judge(r, &verdict), UPLOAD_STANDS);
    assert_false(finish(r, upload_bytes() + 1, UPLOAD_BYTES, &err));
    assert_int_equal(err.code, ERROR_CONFLICT);
    assert_non_null(strstr(err.text, "resume once more"));
    assert_null(s3_fake_object(b.fake, UPLOAD_KEY, NULL));
    expect_anew(r, "the server knows it no more");
    expect_whole(r);
    end_run(r);
}

static void completed_but_not_all_remembered_it_begins_anew(void **state)
{
    (void)state;
    struct bucket b = {.fake = NULL};
    struct run *r = start_run(&b);
    leave_finished(r);
    r->memory.known[0].parts[1] = (struct upload_part){.number = 0};
    expect_anew(r, "not all of its parts are remembered");
    end_run(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_missing_is_sent),
        cmocka_unit_test(an_upload_with_checksums_goes_on),
        cmocka_unit_test(a_part_that_the_server_holds_otherwise_is_sent_again),
        cmocka_unit_test(a_part_of_other_bytes_is_sent_again_and_that_is_told),
        cmocka_unit_test(an_upload_that_is_gone_begins_anew),
        cmocka_unit_test(another_writers_object_makes_it_begin_anew),
        cmocka_unit_test(other_settings_make_it_begin_anew),
        cmocka_unit_test(a_customer_key_that_is_missing_is_asked_for),
        cmocka_unit_test(one_that_was_completed_unheard_is_not_sent_again),
        cmocka_unit_test(completed_from_other_bytes_it_is_removed_and_then_begins_anew),
        cmocka_unit_test(completed_but_not_all_remembered_it_begins_anew),
    };
    return cmocka_run_group_tests(tests, s3_group_start, s3_group_stop);
}
