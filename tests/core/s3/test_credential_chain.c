/* Longer ways to access keys: SSO, chains of roles, and what must be refused on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/s3/credential_impl.h"
#include "tests/core/s3/fixture_machine.h"
#include "tests/harness/http_server.h"
#include "tests/harness/tmpdir.h"

#define REQUESTS_MAX 8

/* SSO portal and STS in one: every request is kept, answers come from `statuses`, else 200. */
struct services {
    size_t requests;
    char heads[REQUESTS_MAX][4096];
    char bodies[REQUESTS_MAX][2048];
    int statuses[REQUESTS_MAX];
};

static void serve(void *ctx, const struct http_seen *request, struct http_reply *reply)
{
    struct services *s = ctx;
    size_t n = s->requests < REQUESTS_MAX ? s->requests : REQUESTS_MAX - 1;
    (void)snprintf(s->heads[n], sizeof(s->heads[n]), "%.4095s", request->head);
    (void)snprintf(s->bodies[n], sizeof(s->bodies[n]), "%.2047s", request->body);
    reply->status = s->statuses[n] > 0 ? s->statuses[n] : 200;
    s->requests++;
    if (strncmp(request->target, "/federation/", strlen("/federation/")) == 0)
        reply->body = "{\"roleCredentials\":{\"accessKeyId\":\"AKIDSSO\","
                      "\"secretAccessKey\":\"sso/secret\",\"sessionToken\":\"stok\","
                      "\"expiration\":32503680000000}}";
    else if (s->statuses[n] >= 400)
        reply->body = "<ErrorResponse><Error><Code>Busy</Code></Error></ErrorResponse>";
    else
        reply->body = "<AssumeRoleResponse xmlns=\"urn:x\"><AssumeRoleResult><Credentials>"
                      "<AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>role/secret"
                      "</SecretAccessKey><SessionToken>rtok</SessionToken><Expiration>"
                      "2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
                      "</AssumeRoleResponse>";
}

/* SHA-1 of "work" and of the start URL. */
#define SESSION_FILE ".aws/sso/cache/e274eeff768c6396088ec6eb091f4bf4d47ab1e0.json"
#define URL_FILE ".aws/sso/cache/9f88762ecf2f95c89c0df5e9f2957d592b9345c6.json"

static const char sso_config[] = "[profile new]\nsso_session = work\nsso_account_id = 123\n"
                                 "sso_role_name = Back up\n"
                                 "[sso-session work]\nsso_region = eu-west-1\n"
                                 "sso_start_url = https://example/start\n"
                                 "[profile old]\nsso_start_url = https://example/start\n"
                                 "sso_region = eu-west-1\nsso_account_id = 123\n"
                                 "sso_role_name = Back up\n"
                                 "[profile role]\nrole_arn = arn:r\nsource_profile = new\n";

static void a_cached_sso_token_gives_the_roles_keys(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        const char *file;
    } cases[] = {{"new", SESSION_FILE}, {"old", URL_FILE}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct services services = {.requests = 0};
        struct http_server *server = http_server_start(serve, &services);
        struct machine m = machine_new();
        machine_add_file(&m, "AWS_CONFIG_FILE", "config", sso_config);
        machine_add_file(&m, NULL, cases[i].file,
                         "{\"accessToken\":\"topsecret-bearer\","
                         "\"expiresAt\":\"2999-06-14T20:32:32UTC\"}");
        machine_set(&m, "AWS_ENDPOINT_URL_SSO", http_server_url(server));
        m.profile = cases[i].profile;
        machine_expect(&m, "AKIDSSO", "sso/secret", "stok", "SSO of profile");
        http_server_stop(server);
        assert_int_equal(services.requests, 1);
        assert_non_null(strstr(services.heads[0],
                               "GET /federation/credentials?account_id=123&role_name=Back%20up "));
        assert_non_null(strstr(services.heads[0], "topsecret-bearer"));
    }
}

static void a_role_may_have_an_sso_profile_as_its_source(void **state)
{
    (void)state;
    struct services services = {.requests = 0};
    struct http_server *server = http_server_start(serve, &services);
    struct machine m = machine_new();
    machine_add_file(&m, "AWS_CONFIG_FILE", "config", sso_config);
    machine_add_file(&m, NULL, SESSION_FILE,
                     "{\"accessToken\":\"t\",\"expiresAt\":\"2999-06-14T20:32:32Z\"}");
    machine_set(&m, "AWS_ENDPOINT_URL_SSO", http_server_url(server));
    machine_set(&m, "AWS_ENDPOINT_URL_STS", http_server_url(server));
    m.profile = "role";
    machine_expect(&m, "AKIDROLE", "role/secret", "rtok", "role arn:r");
    http_server_stop(server);
    assert_int_equal(services.requests, 2);
    assert_non_null(strstr(services.heads[1], "AKIDSSO/"));
}

static void an_expired_or_missing_sso_login_names_the_command(void **state)
{
    (void)state;
    struct services services = {.requests = 0, .statuses = {401}};
    struct http_server *server = http_server_start(serve, &services);
    struct machine m = machine_new();
    machine_add_file(&m, "AWS_CONFIG_FILE", "config", sso_config);
    machine_set(&m, "AWS_ENDPOINT_URL_SSO", http_server_url(server));
    m.profile = "new";
    machine_expect_failure(&m, ERROR_AUTH, "is not there: run `aws sso login --profile new`");
    machine_add_file(&m, NULL, SESSION_FILE,
                     "{\"accessToken\":\"topsecret\",\"expiresAt\":\"2020-06-14T20:32:32Z\"}");
    machine_expect_failure(&m, ERROR_AUTH, "has expired: run `aws sso login --profile new`");
    assert_int_equal(services.requests, 0);
    machine_add_file(&m, NULL, SESSION_FILE, "{\"accessToken\":");
    machine_expect_failure(&m, ERROR_AUTH, "cannot be read: run `aws sso login");
    machine_add_file(&m, NULL, SESSION_FILE,
                     "{\"accessToken\":\"topsecret\",\"expiresAt\":\"2999-06-14T20:32:32Z\"}");
    machine_expect_failure(&m, ERROR_AUTH, "is no longer accepted: run `aws sso login");
    http_server_stop(server);
}

static const char role_config[] =
    "[profile top]\nrole_arn = arn:top\nsource_profile = middle\nduration_seconds = 3600\n"
    "[profile middle]\nrole_arn = arn:middle\nsource_profile = base\n"
    "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = base/secret\n"
    "[profile keyed]\nrole_arn = arn:keyed\nsource_profile = keyed\n"
    "aws_access_key_id = AKIDKEYED\naws_secret_access_key = keyed/secret\n"
    "[profile a]\nrole_arn = arn:a\nsource_profile = b\n"
    "[profile b]\nrole_arn = arn:b\nsource_profile = c\n"
    "[profile c]\nrole_arn = arn:c\nsource_profile = a\n"
    "[profile self]\nrole_arn = arn:self\nsource_profile = self\n"
    "[profile both]\nrole_arn = arn:x\nsource_profile = base\ncredential_source = Environment\n"
    "[profile env]\nrole_arn = arn:env\ncredential_source = Environment\n"
    "[profile odd]\nrole_arn = arn:odd\ncredential_source = Moon\n"
    "[profile bare]\nrole_arn = arn:bare\n"
    "[profile gone]\nrole_arn = arn:gone\nsource_profile = nobody\n";

static void roles_are_assumed_along_the_chain(void **state)
{
    (void)state;
    struct services services = {.requests = 0};
    struct http_server *server = http_server_start(serve, &services);
    struct machine m = machine_new();
    machine_add_file(&m, "AWS_CONFIG_FILE", "config", role_config);
    machine_set(&m, "AWS_ENDPOINT_URL_STS", http_server_url(server));
    m.profile = "top";
    machine_expect(&m, "AKIDROLE", "role/secret", "rtok", "role arn:top");
    m.profile = "keyed";
    machine_expect(&m, "AKIDROLE", "role/secret", "rtok", "role arn:keyed");
    machine_set(&m, "AWS_ACCESS_KEY_ID", "AKIDENV");
    machine_set(&m, "AWS_SECRET_ACCESS_KEY", "env/secret");
    m.profile = "env";
    machine_expect(&m, "AKIDROLE", "role/secret", "rtok", "role arn:env");
    http_server_stop(server);
    assert_int_equal(services.requests, 4);
    assert_non_null(strstr(services.bodies[0], "RoleArn=arn%3Amiddle"));
    assert_non_null(strstr(services.heads[0], "AKIDBASE/"));
    assert_non_null(strstr(services.bodies[1], "RoleArn=arn%3Atop"));
    assert_non_null(strstr(services.bodies[1], "DurationSeconds=3600"));
    assert_non_null(strstr(services.heads[1], "AKIDROLE/"));
    assert_non_null(strstr(services.heads[2], "AKIDKEYED/"));
    assert_non_null(strstr(services.heads[3], "AKIDENV/"));
}

static void chains_that_lead_nowhere_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *profile;
        const char *says;
    } cases[] = {{"a", "in a circle: a comes again after c"},
                 {"self", "its source gives no credentials"},
                 {"both", "both source_profile and credential_source"},
                 {"odd", "\"Moon\" is none of"},
                 {"bare", "neither source_profile nor credential_source"},
                 {"gone", "its source gives no credentials"}};
    struct services services = {.requests = 0};
    struct http_server *server = http_server_start(serve, &services);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct machine m = machine_new();
        machine_add_file(&m, "AWS_CONFIG_FILE", "config", role_config);
        machine_set(&m, "AWS_ENDPOINT_URL_STS", http_server_url(server));
        m.profile = cases[i].profile;
        machine_expect_failure(&m, ERROR_CONFIG, cases[i].says);
    }
    http_server_stop(server);
    assert_int_equal(services.requests, 0);
}

static void the_web_identity_token_is_read_anew_each_time(void **state)
{
    (void)state;
    struct services services = {.requests = 0};
    struct http_server *server = http_server_start(serve, &services);
    struct machine m = machine_new();
    machine_add_file(&m, "AWS_WEB_IDENTITY_TOKEN_FILE", "token", "first\n");
    machine_set(&m, "AWS_ROLE_ARN", "arn:web");
    machine_set(&m, "AWS_ENDPOINT_URL_STS", http_server_url(server));
    machine_expect(&m, "AKIDROLE", "role/secret", "rtok", "role arn:web");
    machine_add_file(&m, NULL, "token", "second\n");
    machine_expect(&m, "AKIDROLE", "role/secret", "rtok", "role arn:web");
    machine_add_file(&m, NULL, "token", "\n");
    machine_expect_failure(&m, ERROR_CONFIG, "is empty");
    http_server_stop(server);
    assert_int_equal(services.requests, 2);
    assert_non_null(strstr(services.bodies[0], "WebIdentityToken=first"));
    assert_non_null(strstr(services.bodies[1], "WebIdentityToken=second"));
}

static void a_busy_sts_is_asked_again(void **state)
{
    (void)state;
    struct services services = {.requests = 0, .statuses = {503, 503}};
    struct http_server *server = http_server_start(serve, &services);
    struct machine m = machine_new();
    machine_add_file(&m, "AWS_WEB_IDENTITY_TOKEN_FILE", "token", "jwt");
    machine_set(&m, "AWS_ROLE_ARN", "arn:web");
    machine_set(&m, "AWS_ENDPOINT_URL_STS", http_server_url(server));
    machine_expect(&m, "AKIDROLE", "role/secret", "rtok", "role arn:web");
    http_server_stop(server);
    assert_int_equal(services.requests, 3);
}

static void a_process_must_say_version_1(void **state)
{
    (void)state;
    static const char *const answers[] = {"{" JSON_KEYS "}", "{\"Version\":2," JSON_KEYS "}"};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct machine m = machine_new();
        char config[600];
        machine_add_file(&m, NULL, "keys.json", answers[i]);
        (void)snprintf(config, sizeof(config),
                       "[default]\ncredential_process = /bin/cat %s/keys.json\n", m.dir);
        machine_add_file(&m, "AWS_CONFIG_FILE", "config", config);
        machine_expect_failure(&m, ERROR_CONFIG, "Version 1");
    }
}

static void secrets_go_only_to_safe_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool safe;
    } cases[] = {{"https://example/x", true},
                 {"http://127.0.0.1:80/x", true},
                 {"http://[::1]:80/x", true},
                 {"http://localhost/x", true},
                 {"http://169.254.170.2/x", true},
                 {"http://169.254.170.23:80/v1/credentials", true},
                 {"http://[fd00:ec2::23]/v1/credentials", true},
                 {"http://example/x", false},
                 {"http://169.254.170.2.example/x", false},
                 {"http://169.254.170.231/x", false},
                 {"http://127.0.0.1@example/x", false},
                 {"http://localhost:80@example/x", false},
                 {"https://example:secret@example/x", false},
                 {"http://localhost?@example/x", false},
                 {"http://localhost#@example/x", false},
                 {"ftp://127.0.0.1/x", false},
                 {"https:///x", false},
                 {"file:///etc/passwd", false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (credential_url_is_safe(str_from(cases[i].url)) != cases[i].safe)
            fail_msg("%s", cases[i].url);
    struct machine m = machine_new();
    machine_set(&m, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@127.0.0.1:1/x");
    machine_expect_failure(&m, ERROR_CONFIG, "AWS_CONTAINER_CREDENTIALS_");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cached_sso_token_gives_the_roles_keys),
        cmocka_unit_test(a_role_may_have_an_sso_profile_as_its_source),
        cmocka_unit_test(an_expired_or_missing_sso_login_names_the_command),
        cmocka_unit_test(roles_are_assumed_along_the_chain),
        cmocka_unit_test(chains_that_lead_nowhere_are_refused),
        cmocka_unit_test(the_web_identity_token_is_read_anew_each_time),
        cmocka_unit_test(a_busy_sts_is_asked_again),
        cmocka_unit_test(a_process_must_say_version_1),
        cmocka_unit_test(secrets_go_only_to_safe_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
