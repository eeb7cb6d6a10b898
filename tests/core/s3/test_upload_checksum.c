/* Checksums that the server keeps: sent with all content, named at the end, compared after it. The
 * bucket in memory checks them by code of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/s3/checksum.h"
#include "core/s3/client.h"
#include "tests/core/s3/fixture_upload.h"
#include "tests/core/s3/group_kit.h"

/* What the bucket does besides, and what it was sent. */
struct bucket {
    bool spoils;    /* HEAD shows another checksum */
    bool of_whole;  /* HEAD shows another one, without a number of parts */
    bool no_number; /* HEAD leaves out the number of parts */
    bool hides;     /* HEAD is refused where it asks for the checksum */
    bool lacks;     /* answers 501 to requests that ask for one */
    unsigned content;
    unsigned with_checksum;
};

/* What an upload told for people. */
struct told {
    struct upload_memory memory;
    char text[400];
    unsigned notes;
};

/* In the header's line, in place; it keeps its length. */
static void change_shown(const struct bucket *b, char *line)
{
    static const char other[] = "AAAA";
    static const char hostile[] = "\x1b]0;";
    if (line == NULL)
        return;
    char *value = line + strlen(CHECKSUM_HEADER ": ");
    for (size_t i = 0; i < 4; i++)
        if (b->spoils || b->of_whole)
            value[i] = b->spoils ? hostile[i] : other[i];
    char *number = strchr(value, '-');
    if ((b->of_whole || b->no_number) && number != NULL)
        for (; *number != '\r'; number++)
            *number = ' ';
}

static bool meet(void *ctx, const struct http_seen *request, bool done, struct http_reply *reply)
{
    struct bucket *b = ctx;
    bool asks = strstr(request->head, "x-amz-checksum-") != NULL;
    if (done) {
        change_shown(b, strstr(reply->headers, CHECKSUM_HEADER ": "));
        return false;
    }
    if (strcmp(request->method, "PUT") == 0) {
        b->content++;
        b->with_checksum += strstr(request->head, CHECKSUM_HEADER) != NULL;
    }
    if (b->hides && asks && strcmp(request->method, "HEAD") == 0) {
        reply->status = 403;
        return true;
    }
    if (b->lacks && asks && strcmp(request->method, "HEAD") != 0) {
        reply->status = 501;
        reply->body = "<Error><Code>NotImplemented</Code></Error>";
        return true;
    }
    return false;
}

static void pass_over_begun(void *arg, const struct upload_known *u)
{
    (void)arg;
    assert_true(u->checksums);
}

static void pass_over_sent(void *arg, const char *upload_id, const struct upload_part *part)
{
    (void)arg;
    (void)upload_id;
    (void)part;
}

static void take_note(void *arg, bool warn, const char *text)
{
    struct told *t = arg;
    assert_true(warn);
    t->notes++;
    (void)snprintf(t->text, sizeof(t->text), "%s", text);
}

static struct s3_fake *start_keeping(struct bucket *b)
{
    struct s3_fake *fake = s3_fake_start(meet, b);
    s3_fake_keep_checksums(fake);
    return fake;
}

static struct upload_result upload(const struct s3_fake *fake, struct told *t, size_t bytes)
{
    t->memory = (struct upload_memory){
        .begun = pass_over_begun, .sent = pass_over_sent, .note = take_note, .arg = t};
    const struct upload_options options = {
        .tries = 2, .checksums = true, .bytes = bytes, .memory = &t->memory};
    return upload_run(fake, &options);
}

static void expect_checked(size_t bytes, unsigned content)
{
    struct bucket b = {.spoils = false};
    struct told t = {.notes = 0};
    struct s3_fake *fake = start_keeping(&b);
    struct upload_result r = upload(fake, &t, bytes);
    if (!r.ok)
        fail_msg("%s", r.err.text);
    assert_true(upload_is_whole(fake, bytes));
    assert_int_equal(b.content, content);
    assert_int_equal(b.with_checksum, content);
    assert_int_equal(t.notes, 0);
    s3_fake_stop(fake);
}

static void each_part_and_the_end_name_theirs(void **state)
{
    (void)state;
    expect_checked(UPLOAD_BYTES, 3);
}

static void an_object_sent_at_once_has_one(void **state)
{
    (void)state;
    expect_checked(1000, 1);
}

static void a_manifest_has_one(void **state)
{
    (void)state;
    struct bucket b = {.spoils = false};
    struct s3_fake *fake = start_keeping(&b);
    const struct upload_options options = {.tries = 2, .checksums = true};
    struct s3 *s3 = upload_client(fake, &options);
    struct s3_object object;
    struct error err = {.text = ""};
    assert_true(s3_put(s3, STR("m.json"), STR("{}"), &err));
    assert_true(s3_head_as(s3, STR("m.json"), true, &object, &err));
    assert_string_equal(object.checksum, "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=");
    s3_free(s3);
    s3_fake_stop(fake);
}

static void nobody_asked_and_none_is_sent(void **state)
{
    (void)state;
    struct bucket b = {.lacks = true};
    struct s3_fake *fake = s3_fake_start(meet, &b);
    const struct upload_options options = {.tries = 2};
    assert_true(upload_run(fake, &options).ok);
    assert_int_equal(b.content, 3);
    assert_int_equal(b.with_checksum, 0);
    s3_fake_stop(fake);
}

static void a_server_that_keeps_none_is_told_of(void **state)
{
    (void)state;
    struct bucket b = {.spoils = false};
    struct told t = {.notes = 0};
    struct s3_fake *fake = s3_fake_start(meet, &b);
    assert_true(upload(fake, &t, UPLOAD_BYTES).ok);
    assert_int_equal(b.with_checksum, 3);
    assert_int_equal(t.notes, 1);
    assert_non_null(strstr(t.text, "keeps no checksums: storage.checksum has no effect"));
    s3_fake_stop(fake);
}

/* An upload that is well, of which the notes say that, and no more. */
static void expect_told(struct bucket *b, const char *what)
{
    struct told t = {.notes = 0};
    struct s3_fake *fake = start_keeping(b);
    struct upload_result r = upload(fake, &t, UPLOAD_BYTES);
    if (!r.ok)
        fail_msg("%s", r.err.text);
    assert_int_equal(t.notes, what != NULL);
    if (what != NULL && strstr(t.text, what) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", t.text, what);
    s3_fake_stop(fake);
}

static void one_without_the_number_of_parts_is_the_same(void **state)
{
    (void)state;
    struct bucket b = {.no_number = true};
    expect_told(&b, NULL);
}

static void one_of_the_whole_is_not_comparable(void **state)
{
    (void)state;
    struct bucket b = {.of_whole = true};
    expect_told(&b, "is not comparable with");
}

static void one_that_may_not_be_seen_is_told_of(void **state)
{
    (void)state;
    struct bucket b = {.hides = true};
    expect_told(&b, "was not compared: look at s3://bucket/backups/x.tar.gz: ");
}

static void another_checksum_at_the_server_is_corruption(void **state)
{
    (void)state;
    struct bucket b = {.spoils = true};
    struct told t = {.notes = 0};
    struct s3_fake *fake = start_keeping(&b);
    struct upload_result r = upload(fake, &t, UPLOAD_BYTES);
    assert_false(r.ok);
    assert_int_equal(r.err.code, ERROR_CORRUPT);
    assert_non_null(strstr(r.err.text, "\\x1b]0;"));
    assert_null(strchr(r.err.text, '\x1b'));
    s3_fake_stop(fake);
}

static void a_server_that_refuses_them_is_named_the_setting(void **state)
{
    (void)state;
    struct bucket b = {.lacks = true};
    struct told t = {.notes = 0};
    struct s3_fake *fake = s3_fake_start(meet, &b);
    struct upload_result r = upload(fake, &t, UPLOAD_BYTES);
    assert_false(r.ok);
    assert_int_equal(r.err.code, ERROR_UNSUPPORTED);
    assert_non_null(strstr(r.err.text, "storage.checksum"));
    s3_fake_stop(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_and_the_end_name_theirs),
        cmocka_unit_test(an_object_sent_at_once_has_one),
        cmocka_unit_test(a_manifest_has_one),
        cmocka_unit_test(nobody_asked_and_none_is_sent),
        cmocka_unit_test(a_server_that_keeps_none_is_told_of),
        cmocka_unit_test(one_without_the_number_of_parts_is_the_same),
        cmocka_unit_test(one_of_the_whole_is_not_comparable),
        cmocka_unit_test(one_that_may_not_be_seen_is_told_of),
        cmocka_unit_test(another_checksum_at_the_server_is_corruption),
        cmocka_unit_test(a_server_that_refuses_them_is_named_the_setting),
    };
    return cmocka_run_group_tests(tests, s3_group_start, s3_group_stop);
}
