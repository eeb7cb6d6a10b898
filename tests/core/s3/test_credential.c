/* Where access keys come from: environment, files, processes, metadata services, STS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/s3/credential.h"
#include "tests/core/s3/fixture_machine.h"
#include "tests/core/s3/group_kit.h"
#include "tests/harness/http_server.h"
#include "tests/harness/tmpdir.h"

static const char credentials_file[] = "# a comment\n"
                                       "[default]\n"
                                       "aws_access_key_id = AKIDDEFAULT\n"
                                       "aws_secret_access_key=default/secret=\n"
                                       "broken line\n"
                                       "\n[ops]\r\n"
                                       "aws_access_key_id\t=  AKIDOPS \r\n"
                                       "aws_secret_access_key = ops/secret\r\n"
                                       "aws_session_token = tok\r\n";

static void environment_comes_before_files(void **state)
{
    (void)state;
    struct machine m = machine_new();
    machine_add_file(&m, "AWS_SHARED_CREDENTIALS_FILE", "credentials", credentials_file);
    machine_expect(&m, "AKIDDEFAULT", "default/secret=", "", "[default] in ");
    machine_set(&m, "AWS_ACCESS_KEY_ID", "AKIDENV");
    machine_expect_failure(&m, ERROR_CONFIG, "only one of");
    machine_set(&m, "AWS_SECRET_ACCESS_KEY", "env/secret");
    machine_set(&m, "AWS_SESSION_TOKEN", "envtoken");
    machine_expect(&m, "AKIDENV", "env/secret", "envtoken", "environment");
    m.profile = "ops";
    machine_expect(&m, "AKIDOPS", "ops/secret", "tok", "[ops] in ");
    m.profile = "nobody";
    machine_expect_failure(&m, ERROR_CONFIG, "no AWS profile \"nobody\"");
}

static void profiles_are_found_in_the_config_file_too(void **state)
{
    (void)state;
    struct machine m = machine_new();
    machine_add_file(
        &m, "AWS_CONFIG_FILE", "config",
        "[profile cfg]\naws_access_key_id=AKIDCFG\naws_secret_access_key=cfg/secret\n");
    machine_set(&m, "AWS_PROFILE", "cfg");
    machine_expect(&m, "AKIDCFG", "cfg/secret", "", "[profile cfg]");
}

static void nothing_configured_says_what_to_do(void **state)
{
    (void)state;
    struct machine m = machine_new();
    machine_expect_failure(&m, ERROR_CONFIG, "AWS_ACCESS_KEY_ID");
}

static void a_process_gives_keys_without_a_shell(void **state)
{
    (void)state;
    struct machine m = machine_new();
    machine_add_file(&m, "KEYS", "the keys.json",
                     "{\"Version\":1," JSON_KEYS ",\"SessionToken\":\"ptok\"," LATER "}");
    char config[600];
    (void)snprintf(config, sizeof(config),
                   "[default]\ncredential_process = /bin/cat \"%s/the keys.json\"\n", m.dir);
    machine_add_file(&m, "AWS_CONFIG_FILE", "config", config);
    machine_expect(&m, "AKIDJSON", "json/secret", "ptok", "credential_process");
    static const struct {
        const char *command;
        const char *says;
    } bad[] = {{"/bin/false", "failed"},
               {"/bin/echo hello", "no credentials in JSON"},
               {"/bin/echo {}", "Version 1"},
               {"/bin/echo '{\"Version\":1}'", "no AccessKeyId"},
               {"/bin/echo 'open", "open quote"},
               {"/nonexistent/tool", "credential_process"},
               {"/bin/echo $HOME;id", "no credentials in JSON"}};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct machine other = machine_new();
        (void)snprintf(config, sizeof(config), "[default]\ncredential_process = %s\n",
                       bad[i].command);
        machine_add_file(&other, "AWS_CONFIG_FILE", "config", config);
        machine_expect_failure(&other, ERROR_CONFIG, bad[i].says);
    }
}

static void words_are_split_as_a_shell_would(void **state)
{
    (void)state;
    struct arena arena = {.head = NULL};
    char **words = NULL;
    assert_true(credential_split_words(STR("  a 'b c' \"d \\\" e\"f g\\ h ''"), &arena, &words));
    static const char *const expected[] = {"a", "b c", "d \" ef", "g h", ""};
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        assert_string_equal(words[i], expected[i]);
    assert_null(words[COUNT_OF(expected)]);
    assert_false(credential_split_words(STR("a \"b"), &arena, &words));
    assert_false(credential_split_words(STR("  "), &arena, &words));
    arena_release(&arena);
}

/* Metadata service, container service and STS in one. */
struct services {
    char log[4000];
    char last_body[4000];
    bool refuse;
};

static void serve(void *ctx, const struct http_seen *request, struct http_reply *reply)
{
    struct services *s = ctx;
    char token[100];
    size_t len = strlen(s->log);
    (void)snprintf(s->log + len, sizeof(s->log) - len, "%s %s\n", request->method, request->target);
    (void)snprintf(s->last_body, sizeof(s->last_body), "%.3999s", request->body);
    if (s->refuse) {
        reply->status = 403;
        reply->body = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>";
    } else if (strcmp(request->target, "/latest/api/token") == 0) {
        reply->body = "metadata-token";
    } else if (strstr(request->target, "/latest/meta-data/") == request->target) {
        http_seen_header(request, "x-aws-ec2-metadata-token", token, sizeof(token));
        bool role = strstr(request->target, "/lab-role") != NULL;
        reply->status = strcmp(token, "metadata-token") == 0 ? 200 : 401;
        reply->body = role ? "{" JSON_KEYS ",\"Token\":\"itok\"," LATER "}" : "lab-role\n";
    } else if (strcmp(request->target, "/container") == 0) {
        http_seen_header(request, "authorization", token, sizeof(token));
        reply->status = strcmp(token, "Bearer x") == 0 ? 200 : 401;
        reply->body = "{" JSON_KEYS ",\"Token\":\"ctok\"," LATER "}";
    } else {
        reply->body = "<AssumeRoleResponse xmlns=\"urn:x\"><AssumeRoleResult><Credentials>"
                      "<AccessKeyId>AKIDROLE</AccessKeyId><SecretAccessKey>role/secret"
                      "</SecretAccessKey><SessionToken>rtok</SessionToken><Expiration>"
                      "2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
                      "</AssumeRoleResponse>";
    }
}

static void instance_metadata_is_asked_with_a_token(void **state)
{
    (void)state;
    struct services services = {.log = ""};
    struct http_server *server = http_server_start(serve, &services);
    struct machine m = {.dir = tmpdir_new()};
    machine_set(&m, "AWS_EC2_METADATA_SERVICE_ENDPOINT", http_server_url(server));
    machine_expect(&m, "AKIDJSON", "json/secret", "itok", "instance metadata");
    http_server_stop(server);
    assert_string_equal(services.log, "PUT /latest/api/token\n"
                                      "GET /latest/meta-data/iam/security-credentials/\n"
                                      "GET /latest/meta-data/iam/security-credentials/lab-role\n");
}

static void containers_are_asked_only_at_safe_addresses(void **state)
{
    (void)state;
    struct services services = {.log = ""};
    struct http_server *server = http_server_start(serve, &services);
    char url[100];
    (void)snprintf(url, sizeof(url), "%s/container", http_server_url(server));
    struct machine m = machine_new();
    machine_set(&m, "AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
    machine_expect_failure(&m, ERROR_AUTH, "HTTP 401");
    machine_set(&m, "AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer x");
    machine_expect(&m, "AKIDJSON", "json/secret", "ctok", "container");
    http_server_stop(server);
    struct machine far = machine_new();
    machine_set(&far, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.2.example/x");
    machine_expect_failure(&far, ERROR_CONFIG, "https or loopback");
}

static void a_role_is_assumed_with_its_source_profile(void **state)
{
    (void)state;
    struct services services = {.log = ""};
    struct http_server *server = http_server_start(serve, &services);
    struct machine m = machine_new();
    machine_add_file(&m, "AWS_SHARED_CREDENTIALS_FILE", "credentials", credentials_file);
    machine_add_file(&m, "AWS_CONFIG_FILE", "config",
                     "[profile backup]\nrole_arn = arn:aws:iam::1:role/a b\nsource_profile = ops\n"
                     "external_id = x&y\n[profile loop]\nrole_arn = arn:1\nsource_profile = loop2\n"
                     "[profile loop2]\nrole_arn = arn:2\nsource_profile = loop\n"
                     "[profile mfa]\nrole_arn = arn:3\nsource_profile = ops\nmfa_serial = s\n");
    machine_set(&m, "AWS_ENDPOINT_URL_STS", http_server_url(server));
    m.profile = "backup";
    machine_expect(&m, "AKIDROLE", "role/secret", "rtok", "role arn:aws:iam::1:role/a b");
    m.profile = "loop";
    machine_expect_failure(&m, ERROR_CONFIG, "in a circle");
    m.profile = "mfa";
    machine_expect_failure(&m, ERROR_UNSUPPORTED, "MFA");
    http_server_stop(server);
    assert_non_null(strstr(services.last_body, "Action=AssumeRole&"));
    assert_non_null(strstr(services.last_body, "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa%20b"));
    assert_non_null(strstr(services.last_body, "ExternalId=x%26y"));
}

static void web_identity_reads_its_token_file(void **state)
{
    (void)state;
    struct services services = {.log = ""};
    struct http_server *server = http_server_start(serve, &services);
    struct machine m = machine_new();
    machine_add_file(&m, "AWS_WEB_IDENTITY_TOKEN_FILE", "token", "jwt.abc\n");
    machine_set(&m, "AWS_ROLE_ARN", "arn:aws:iam::1:role/web");
    machine_set(&m, "AWS_ENDPOINT_URL_STS", http_server_url(server));
    machine_expect(&m, "AKIDROLE", "role/secret", "rtok", "role arn:aws:iam::1:role/web");
    http_server_stop(server);
    assert_non_null(strstr(services.last_body, "Action=AssumeRoleWithWebIdentity&"));
    assert_non_null(strstr(services.last_body, "WebIdentityToken=jwt.abc"));
    struct services refusing = {.refuse = true};
    server = http_server_start(serve, &refusing);
    m.env[m.count - 1].value = http_server_url(server);
    machine_expect_failure(&m, ERROR_AUTH, "AccessDenied");
    http_server_stop(server);
}

static void expired_keys_are_refused(void **state)
{
    (void)state;
    struct machine m = machine_new();
    machine_add_file(&m, "KEYS", "keys.json",
                     "{\"Version\":1," JSON_KEYS ",\"Expiration\":\"2020-01-01T00:00:00+00:00\"}");
    char config[600];
    (void)snprintf(config, sizeof(config),
                   "[default]\ncredential_process = /bin/cat %s/keys.json\n", m.dir);
    machine_add_file(&m, "AWS_CONFIG_FILE", "config", config);
    machine_expect_failure(&m, ERROR_AUTH, "expired");
}

static void nested_settings_belong_to_their_key(void **state)
{
    (void)state;
    static const char text[] =
        "[services a]\nec2 =\n  endpoint_url = http://no.example\n"
        "s3 =\n  other = 1\n  endpoint_url = http://yes.example # note\n"
        "last = 2\n  endpoint_url = http://late.example\n[services b]\ns3 =\n";
    struct str value;
    assert_true(aws_ini_get_nested(str_from(text), "services a", "s3", "endpoint_url", &value));
    assert_true(str_is(value, "http://yes.example"));
    assert_false(aws_ini_get(str_from(text), "services a", "endpoint_url", &value));
    assert_false(aws_ini_get_nested(str_from(text), "services b", "s3", "endpoint_url", &value));
    assert_true(aws_ini_has_section(STR("[profile  \"x y\"]"), "profile x y"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment_comes_before_files),
        cmocka_unit_test(profiles_are_found_in_the_config_file_too),
        cmocka_unit_test(nothing_configured_says_what_to_do),
        cmocka_unit_test(a_process_gives_keys_without_a_shell),
        cmocka_unit_test(words_are_split_as_a_shell_would),
        cmocka_unit_test(instance_metadata_is_asked_with_a_token),
        cmocka_unit_test(containers_are_asked_only_at_safe_addresses),
        cmocka_unit_test(a_role_is_assumed_with_its_source_profile),
        cmocka_unit_test(web_identity_reads_its_token_file),
        cmocka_unit_test(expired_keys_are_refused),
        cmocka_unit_test(nested_settings_belong_to_their_key),
    };
    return cmocka_run_group_tests(tests, s3_group_start, s3_group_stop);
}
