/* Where requests go: endpoint, region, addressing, from options, environment and profiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/s3/endpoint.h"
#include "tests/harness/tmpdir.h"

struct variable {
    const char *name;
    const char *value;
};

/* A list that ends with a NULL name. */
static const char *look_up(const void *ctx, const char *name)
{
    for (const struct variable *v = ctx; v->name != NULL; v++)
        if (strcmp(v->name, name) == 0)
            return v->value;
    return NULL;
}

struct expectation {
    struct s3_options options;
    struct variable env[4];
    const char *config; /* ~/.aws/config, or NULL */
    const char *host;   /* NULL: refused */
    const char *path;   /* of key "a b" */
    const char *region;
    bool tls;
};

static bool resolve(const struct expectation *x, struct endpoint *out, struct error *err)
{
    struct variable env[6] = {{"HOME", "/nonexistent"}};
    size_t count = 1;
    const char *path = tmpdir_path(tmpdir_new(), "config");
    if (x->config != NULL) {
        tmpdir_write(path, x->config, strlen(x->config));
        env[count++] = (struct variable){"AWS_CONFIG_FILE", path};
    }
    for (size_t i = 0; x->env[i].name != NULL; i++)
        env[count++] = x->env[i];
    struct aws_files files;
    struct s3_options options = x->options;
    if (options.bucket == NULL)
        options.bucket = "bucket";
    if (!aws_files_load(&files, options.profile, look_up, env, err))
        return false;
    bool ok = endpoint_resolve(&options, &files, out, err);
    aws_files_release(&files);
    return ok;
}

#define SERVICES                                                                             \
    "[profile ops]\nregion = eu-west-1\nservices = lab\nendpoint_url = http://127.0.0.1:1\n" \
    "[services lab]\ns3 =\n  endpoint_url = https://s3.lab.example:9000/base/\n"             \
    "[profile plain]\nendpoint_url=https://plain.example\n"

static const struct expectation expectations[] = {
    {{NULL},
     {{NULL, NULL}},
     NULL,
     "bucket.s3.us-east-1.amazonaws.com",
     "/a%20b",
     "us-east-1",
     true},
    {{.region = "cn-north-1"},
     {{NULL, NULL}},
     NULL,
     "bucket.s3.cn-north-1.amazonaws.com.cn",
     "/a%20b",
     "cn-north-1",
     true},
    {{.bucket = "dotted.bucket"},
     {{NULL, NULL}},
     NULL,
     "s3.us-east-1.amazonaws.com",
     "/dotted.bucket/a%20b",
     "us-east-1",
     true},
    {{.addressing = S3_ADDRESSING_PATH},
     {{"AWS_DEFAULT_REGION", "eu-north-1"}},
     NULL,
     "s3.eu-north-1.amazonaws.com",
     "/bucket/a%20b",
     "eu-north-1",
     true},
    {{.region = "r1"},
     {{"AWS_REGION", "r2"}, {"AWS_ENDPOINT_URL", "http://localhost:80"}},
     NULL,
     "localhost",
     "/bucket/a%20b",
     "r1",
     false},
    {{.endpoint_url = "https://h.example:443/"},
     {{"AWS_ENDPOINT_URL_S3", "https://no.example"}},
     NULL,
     "h.example",
     "/bucket/a%20b",
     "us-east-1",
     true},
    {{NULL},
     {{"AWS_ENDPOINT_URL", "https://b.example"}, {"AWS_ENDPOINT_URL_S3", "https://a.example"}},
     NULL,
     "a.example",
     "/bucket/a%20b",
     "us-east-1",
     true},
    {{.profile = "ops"},
     {{NULL, NULL}},
     SERVICES,
     "s3.lab.example:9000",
     "/base/bucket/a%20b",
     "eu-west-1",
     true},
    {{NULL},
     {{"AWS_PROFILE", "plain"}},
     SERVICES,
     "plain.example",
     "/bucket/a%20b",
     "us-east-1",
     true},
    {{.profile = "ops"},
     {{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"}},
     SERVICES,
     "bucket.s3.eu-west-1.amazonaws.com",
     "/a%20b",
     "eu-west-1",
     true},
    {{.endpoint_url = "http://[::1]:9000"},
     {{NULL, NULL}},
     NULL,
     "[::1]:9000",
     "/bucket/a%20b",
     "us-east-1",
     false},
    {{.endpoint_url = "https://h.example:8443", .addressing = S3_ADDRESSING_VIRTUAL},
     {{NULL, NULL}},
     NULL,
     "bucket.h.example:8443",
     "/a%20b",
     "us-east-1",
     true},
    {{.endpoint_url = "http://far.example", .allow_http = true},
     {{NULL, NULL}},
     NULL,
     "far.example",
     "/bucket/a%20b",
     "us-east-1",
     false},
    {{.endpoint_url = "http://far.example"}, {{NULL, NULL}}, NULL, NULL, NULL, NULL, false},
    {{.endpoint_url = "http://127.0.0.1.example"}, {{NULL, NULL}}, NULL, NULL, NULL, NULL, false},
    {{.endpoint_url = "ftp://h.example"}, {{NULL, NULL}}, NULL, NULL, NULL, NULL, false},
    {{.endpoint_url = "https://"
                      "user:pw@h.example"},
     {{NULL, NULL}},
     NULL,
     NULL,
     NULL,
     NULL,
     false},
    {{.endpoint_url = "https://h.example?x=1"}, {{NULL, NULL}}, NULL, NULL, NULL, NULL, false},
    {{.endpoint_url = "https://h.example\r\nX: y"}, {{NULL, NULL}}, NULL, NULL, NULL, NULL, false},
    {{.endpoint_url = "https://127.0.0.1", .addressing = S3_ADDRESSING_VIRTUAL},
     {{NULL, NULL}},
     NULL,
     NULL,
     NULL,
     NULL,
     false},
    {{.region = "eu west"}, {{NULL, NULL}}, NULL, NULL, NULL, NULL, false},
    {{.bucket = "a/b"}, {{NULL, NULL}}, NULL, NULL, NULL, NULL, false},
    {{.bucket = "a..b"}, {{NULL, NULL}}, NULL, NULL, NULL, NULL, false},
};

static void endpoints_follow_the_order_of_the_sdks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(expectations); i++) {
        const struct expectation *x = &expectations[i];
        struct endpoint e;
        struct error err = {.text = ""};
        bool ok = resolve(x, &e, &err);
        if (ok != (x->host != NULL))
            fail_msg("case %zu: %s", i, err.text);
        if (!ok) {
            assert_int_equal(err.code, ERROR_CONFIG);
            assert_null(strstr(err.text, "pw"));
            continue;
        }
        struct buf text;
        buf_init(&text, 1024);
        assert_true(endpoint_host(&e, &text, &err));
        assert_string_equal(text.data, x->host);
        buf_clear(&text);
        assert_true(endpoint_path(&e, STR("a b"), &text, &err));
        assert_string_equal(text.data, x->path);
        buf_release(&text);
        assert_string_equal(e.region, x->region);
        assert_int_equal(e.tls, x->tls);
    }
}

static void another_region_moves_only_the_hosts_of_aws(void **state)
{
    (void)state;
    struct endpoint e;
    struct error err;
    assert_true(resolve(&expectations[0], &e, &err));
    assert_true(endpoint_set_region(&e, STR("eu-west-3")));
    assert_string_equal(e.host, "s3.eu-west-3.amazonaws.com");
    assert_false(endpoint_set_region(&e, STR("evil.example/x")));
    assert_string_equal(e.region, "eu-west-3");
    assert_true(resolve(&expectations[5], &e, &err));
    assert_true(endpoint_set_region(&e, STR("eu-west-3")));
    assert_string_equal(e.host, "h.example");
}

static void loopback_is_told_by_address_not_by_look(void **state)
{
    (void)state;
    static const char *const yes[] = {"127.0.0.1",   "127.1.2.3:80", "localhost", "localhost:1",
                                      "b.localhost", "[::1]",        "[::1]:9"};
    static const char *const no[] = {
        "127.0.0.1.example", "128.0.0.1", "localhost.example", "[::2]", "127.0.0",
        "1270.0.0.1",        ""};
    for (size_t i = 0; i < COUNT_OF(yes); i++)
        assert_true(endpoint_is_loopback(str_from(yes[i])));
    for (size_t i = 0; i < COUNT_OF(no); i++)
        assert_false(endpoint_is_loopback(str_from(no[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_follow_the_order_of_the_sdks),
        cmocka_unit_test(another_region_moves_only_the_hosts_of_aws),
        cmocka_unit_test(loopback_is_told_by_address_not_by_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
