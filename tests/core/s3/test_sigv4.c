/* AWS' published examples for S3 and our own cases: what the signer makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/format.h"
#include "core/s3/sigv4.h"

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct vector {
    const char *method;
    const char *path;
    struct sigv4_pair query[3];
    size_t query_count;
    struct sigv4_pair headers[5]; /* besides host, date and payload hash */
    size_t header_count;
    const char *body;
    const char *signature_start;
    const char *signature_end;
};

static const struct vector vectors[] = {
    {"GET",
     "/test.txt",
     {{{NULL, 0}, {NULL, 0}}},
     0,
     {{{"range", 5}, {"bytes=0-9", 9}}},
     1,
     "",
     "f0e8bdb8",
     "bdb41"},
    {"PUT",
     "/test%24file.text",
     {{{NULL, 0}, {NULL, 0}}},
     0,
     {{{"date", 4}, {"Fri, 24 May 2013 00:00:00 GMT", 29}},
      {{"x-amz-storage-class", 19}, {"REDUCED_REDUNDANCY", 18}}},
     2,
     "Welcome to Amazon S3.",
     "98ad7217",
     "108bd"},
    {"GET",
     "/",
     {{{"lifecycle", 9}, {"", 0}}},
     1,
     {{{NULL, 0}, {NULL, 0}}},
     0,
     "",
     "fea454ca",
     "83543"},
    {"GET",
     "/",
     {{{"prefix", 6}, {"J", 1}}, {{"max-keys", 8}, {"2", 1}}},
     2,
     {{{NULL, 0}, {NULL, 0}}},
     0,
     "",
     "34b48302",
     "dc6f7"},
    {"POST",
     "/backups/rb%20%C3%A9%2B1.tar.gz",
     {{{"uploads", 7}, {"", 0}}},
     1,
     {{{NULL, 0}, {NULL, 0}}},
     0,
     "",
     "5c43c4a07cd20c83a1bc517f5f95d468cd4eb8cd9e08bdc2cd63961fc630cd1b",
     ""},
};

static void sign_vector(const struct vector *v, struct buf *out)
{
    char hash[SIGV4_HASH_SIZE];
    struct sigv4_pair headers[8];
    struct error err;
    int64_t time_ms;
    size_t count = 0;
    assert_true(format_parse_utc(STR("20130524T000000Z"), &time_ms));
    sigv4_hash(hash, str_from(v->body));
    headers[count++] = (struct sigv4_pair){STR("host"), STR("examplebucket.s3.amazonaws.com")};
    headers[count++] = (struct sigv4_pair){STR("x-amz-date"), STR("20130524T000000Z")};
    headers[count++] = (struct sigv4_pair){STR("x-amz-content-sha256"), str_from(hash)};
    for (size_t i = 0; i < v->header_count; i++)
        headers[count++] = v->headers[i];
    const struct sigv4_request request = {
        v->method, str_from(v->path), v->query, v->query_count, headers, count, hash};
    const struct sigv4_scope scope = {STR("AKIAIOSFODNN7EXAMPLE"),
                                      STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), "us-east-1",
                                      "s3", time_ms};
    assert_true(sigv4_sign(&request, &scope, out, &err));
}

static void signatures_equal_the_published_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        struct buf out;
        buf_init(&out, 4096);
        sign_vector(&vectors[i], &out);
        const char *signature = strstr(out.data, "Signature=");
        assert_non_null(signature);
        signature += strlen("Signature=");
        assert_int_equal(strlen(signature), 64);
        assert_memory_equal(signature, vectors[i].signature_start,
                            strlen(vectors[i].signature_start));
        assert_true(str_ends(str_from(signature), vectors[i].signature_end));
        buf_release(&out);
    }
}

static void authorization_names_scope_and_sorted_headers(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 4096);
    sign_vector(&vectors[1], &out);
    assert_true(str_starts(buf_str(&out),
                           "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/"
                           "s3/aws4_request, SignedHeaders=date;host;x-amz-content-sha256;"
                           "x-amz-date;x-amz-storage-class, Signature="));
    buf_release(&out);
}

static void query_is_sorted_by_encoded_name_and_fully_encoded(void **state)
{
    (void)state;
    const struct sigv4_pair pairs[] = {{STR("uploadId"), STR("a/b+c=d e")},
                                       {STR("partNumber"), STR("10")},
                                       {STR("a-b"), STR("")},
                                       {STR("a"), STR("\xC3\xA9~")}};
    struct buf out;
    struct error err;
    buf_init(&out, 4096);
    assert_true(sigv4_query(&out, pairs, COUNT_OF(pairs), &err));
    assert_string_equal(out.data, "a=%C3%A9~&a-b=&partNumber=10&uploadId=a%2Fb%2Bc%3Dd%20e");
    buf_release(&out);
}

static void path_keeps_slashes_and_dots_and_encodes_the_rest(void **state)
{
    (void)state;
    struct buf out;
    struct error err;
    buf_init(&out, 4096);
    assert_true(sigv4_encode(&out, STR("a//b/../c d+%\xFF\x01~"), true, &err));
    assert_string_equal(out.data, "a//b/../c%20d%2B%25%FF%01~");
    buf_release(&out);
}

static void empty_secret_is_refused(void **state)
{
    (void)state;
    const struct sigv4_pair host = {STR("host"), STR("example")};
    const struct sigv4_request request = {"GET", STR("/"), NULL, 0, &host, 1, EMPTY_HASH};
    const struct sigv4_scope scope = {STR("A"), {NULL, 0}, "us-east-1", "s3", 0};
    struct buf out;
    struct error err;
    buf_init(&out, 4096);
    assert_false(sigv4_sign(&request, &scope, &out, &err));
    assert_int_equal(err.code, ERROR_AUTH);
    buf_release(&out);
}

static void too_many_pairs_are_refused(void **state)
{
    (void)state;
    struct sigv4_pair pairs[SIGV4_PAIRS_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        pairs[i] = (struct sigv4_pair){STR("a"), STR("b")};
    struct buf out;
    struct error err;
    buf_init(&out, 4096);
    assert_false(sigv4_query(&out, pairs, COUNT_OF(pairs), &err));
    assert_int_equal(err.code, ERROR_LIMIT);
    buf_release(&out);
}

static void empty_payload_has_the_well_known_hash(void **state)
{
    (void)state;
    char hash[SIGV4_HASH_SIZE];
    sigv4_hash(hash, (struct str){NULL, 0});
    assert_string_equal(hash, EMPTY_HASH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_equal_the_published_ones),
        cmocka_unit_test(authorization_names_scope_and_sorted_headers),
        cmocka_unit_test(query_is_sorted_by_encoded_name_and_fully_encoded),
        cmocka_unit_test(path_keeps_slashes_and_dots_and_encodes_the_rest),
        cmocka_unit_test(empty_secret_is_refused),
        cmocka_unit_test(too_many_pairs_are_refused),
        cmocka_unit_test(empty_payload_has_the_well_known_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
