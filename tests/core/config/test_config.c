#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/config/config.h"
#include "core/config/config_check.h"
#include "core/config/state_dir.h"
#include "tests/harness/tmpdir.h"

#define ENV CONFIG_ENV_PREFIX

/* A fake process environment: NAME, value, NAME, value, NULL. */
static const char *fake(const void *ctx, const char *name)
{
    const char *const *pairs = ctx;
    for (; pairs[0] != NULL; pairs += 2) {
        if (strcmp(pairs[0], name) == 0) {
            return pairs[1];
        }
    }
    return NULL;
}

static const char *const nothing[] = {NULL};

struct fixture {
    const char *dir;
    const char *file;
    struct config_request request;
    struct config *config;
    struct error err;
};

static void start(struct fixture *f, const char *json)
{
    memset(f, 0, sizeof(*f));
    f->dir = tmpdir_new();
    f->file = tmpdir_path(f->dir, "config.json");
    if (json != NULL) {
        tmpdir_write(f->file, json, strlen(json));
        f->request.file = f->file;
    }
    f->request.lookup = fake;
    f->request.lookup_ctx = nothing;
}

static bool load(struct fixture *f)
{
    return config_load(&f->request, &f->config, &f->err);
}

static void must_load(struct fixture *f)
{
    if (!load(f)) {
        fail_msg("%s", f->err.text);
    }
}

static void refuses(const char *json, const char *part)
{
    struct fixture f;
    start(&f, json);
    assert_false(load(&f));
    assert_int_equal(f.err.code, ERROR_CONFIG);
    if (strstr(f.err.text, part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", f.err.text, part);
    }
}

#define SEED_FORM "{\"redis_nodes\":{\"local\":{\"nodes\":[\"127.0.0.1:7001\"]}}}"

static void the_seed_form_is_valid_as_it_stands(void **state)
{
    struct fixture f;
    const struct environment *env;
    (void)state;
    start(&f, SEED_FORM);
    must_load(&f);
    env = config_selected(f.config);
    assert_non_null(env);
    assert_string_equal(env->name, "local");
    assert_string_equal(env->label, "local");
    assert_int_equal(env->node_count, 1);
    assert_string_equal(env->nodes[0], "127.0.0.1:7001");
    assert_int_equal(env->mode, MODE_AUTO);
    assert_false(env->protected);
    assert_int_equal(config_int(f.config, env, "backup.chunk_keys"), 5000);
    assert_string_equal(config_where(f.config, env, "backup.chunk_keys"), "default");
    config_free(f.config);
}

static void every_default_passes_its_own_check(void **state)
{
    struct fixture f;
    (void)state;
    start(&f, SEED_FORM);
    must_load(&f);
    for (size_t i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);
        char text[400];
        assert_true(key->help[strlen(key->help) - 1] == '.');
        config_show(f.config, config_selected(f.config), key->path, text, sizeof(text));
        if (key->fallback != NULL) {
            json_t *value = json_loads(key->fallback, JSON_DECODE_ANY, NULL);
            assert_string_not_equal(text, "not set");
            assert_true(config_check_json(key, value, key->path, &f.err));
            json_decref(value);
        }
    }
    config_free(f.config);
}

static void mistakes_are_named_with_file_and_path(void **state)
{
    (void)state;
    refuses("{\"redis_nodes\":{\"prd\":{\"node\":[\"a:1\"]}}}",
            "config.json: redis_nodes.prd.node: unknown key; did you mean \"nodes\"?");
    refuses("{\"redis_node\":{}}", "did you mean \"redis_nodes\"?");
    refuses("{\"storage\":{\"s3uri\":\"s3://b\"}}", "did you mean \"s3_uri\"?");
    refuses("{\"redis_nodes\":{\"p\":{\"nodes\":[\"a:1\"],\"tls\":{\"enable\":true}}}}",
            "redis_nodes.p.tls.enable: unknown key; did you mean \"enabled\"?");
    refuses("{\"qqqqqqqqq\":1}", "unknown key");
    refuses("{\"storage\":{\"storage.region\":\"x\"}}", "unknown key");
    refuses("{\"storage.region\":\"x\"}", "unknown key");
    refuses("{\"redis_nodes\":{\"p\":{\"nodes\":\"a:1\"}}}", "must be a list");
    refuses("{\"redis_nodes\":{\"p\":{\"nodes\":[]}}}", "at least one");
    refuses("{\"redis_nodes\":{\"p\":{\"nodes\":[7]}}}", "must be text");
    refuses("{\"redis_nodes\":{\"p\":{\"nodes\":[\"a\"]}}}", "needs a port");
    refuses("{\"redis_nodes\":{\"p\":{\"nodes\":[\"a:0\"]}}}", "1 to 65535");
    refuses("{\"redis_nodes\":{\"p\":{\"nodes\":[\"::1:70\"]}}}", "brackets");
    refuses("{\"redis_nodes\":{\"p\":{}}}", "needs \"nodes\"");
    refuses("{\"redis_nodes\":{\"../x\":{\"nodes\":[\"a:1\"]}}}", "no name for an environment");
    refuses("{\"backup\":{\"chunk_keys\":0}}", "0 is not within 1 to");
    refuses("{\"backup\":{\"chunk_keys\":\"5\"}}", "whole number");
    refuses("{\"backup\":{\"source\":\"replica\"}}", "none of primaries|replicas|auto");
    refuses("{\"storage\":{\"s3_uri\":\"http://x\"}}", "s3://bucket/prefix");
    refuses("{\"storage\":{\"region\":\"\"}}", "must not be empty");
    refuses("{\"storage\":{\"region\":\"a\\nb\"}}", "one line");
    refuses("{\"storage\":7}", "must be an object");
    refuses("[]", "one JSON object");
    refuses("{\"storage\":{},\n\"storage\":{}}", "line 2");
    refuses("{\n\n \"storage\": oops }", "line 3");
    refuses("", "line 1");
    refuses("{\"drill\":{\"hooks\":{\"kill\":[]}}}", "list of text");
    refuses("{\"redis_nodes\":{\"p\":{\"mode\":\"sentinel\",\"nodes\":[\"a:1\"]}}}",
            "needs \"sentinels\"");
}

static void a_password_in_a_node_is_refused_and_not_repeated(void **state)
{
    struct fixture f;
    (void)state;
    start(&f, "{\"redis_nodes\":{\"p\":{\"nodes\":[\"ops:hunter2@a:1\"]}}}");
    assert_false(load(&f));
    assert_null(strstr(f.err.text, "hunter2"));
    assert_non_null(strstr(f.err.text, "password_file"));
}

static void null_means_not_set(void **state)
{
    struct fixture f;
    (void)state;
    start(&f, "{\"redis_nodes\":{\"p\":{\"nodes\":[\"127.0.0.1:1\"],\"label\":null,\"tls\":null}},"
              "\"storage\":{\"region\":null},\"state_dir\":null,\"backup\":null}");
    must_load(&f);
    assert_null(config_text(f.config, NULL, "storage.region"));
    assert_int_equal(config_int(f.config, NULL, "backup.chunk_keys"), 5000);
    config_free(f.config);
}

/* The five layers, from the strongest down. */
static void each_layer_beats_the_ones_below(void **state)
{
    const char *process[] = {"S3_URI", "s3://process", NULL};
    struct config_setting option = {"storage.s3_uri", "s3://option", "s3-uri"};
    const char *expected[] = {"s3://option", "s3://process", "s3://dotenv", "s3://env",
                              "s3://global"};
    const char *where[] = {"option --s3-uri", "environment S3_URI", ".env.dev S3_URI",
                           "config.json", "config.json"};
    (void)state;
    for (size_t skip = 0; skip < COUNT_OF(expected); skip++) {
        struct fixture f;
        const struct environment *env;
        start(&f, skip < 4 ? "{\"redis_nodes\":{\"dev\":{\"nodes\":[\"127.0.0.1:1\"],"
                             "\"s3_uri\":\"s3://env\"}},\"storage\":{\"s3_uri\":\"s3://global\"}}"
                           : "{\"redis_nodes\":{\"dev\":{\"nodes\":[\"127.0.0.1:1\"]}},"
                             "\"storage\":{\"s3_uri\":\"s3://global\"}}");
        if (skip < 3) {
            const char *line = "OTHER=1\nexport S3_URI=\"s3://dotenv\" # here\n";
            tmpdir_write(tmpdir_path(f.dir, ".env.dev"), line, strlen(line));
        }
        f.request.lookup_ctx = skip < 2 ? process : nothing;
        f.request.settings = &option;
        f.request.setting_count = skip < 1;
        must_load(&f);
        env = config_selected(f.config);
        assert_string_equal(env->s3_uri, expected[skip]);
        assert_string_equal(config_where(f.config, env, "storage.s3_uri"), where[skip]);
        config_free(f.config);
    }
}

#define TWO_ENVS                                               \
    "{\"redis_nodes\":{\"dev\":{\"nodes\":[\"127.0.0.1:1\"]}," \
    "\"prd\":{\"nodes\":[\"redis-1.example:6379\"],\"password_file\":\"prd.pass\"}}}"

static void
what_the_process_says_of_nodes_and_passwords_is_for_the_selected_environment(void **state)
{
    const char *process[] = {"REDIS_NODES", "127.0.0.1:9,[::1]:10 ", "REDIS_PASSWORD", "pw", NULL};
    struct fixture f;
    const struct environment *dev;
    const struct environment *prd;
    (void)state;
    start(&f, TWO_ENVS);
    f.request.environment = "dev";
    f.request.lookup_ctx = process;
    must_load(&f);
    dev = config_environment(f.config, "dev");
    prd = config_environment(f.config, "prd");
    assert_int_equal(dev->node_count, 2);
    assert_string_equal(dev->nodes[1], "[::1]:10");
    assert_true(dev->nodes_given);
    assert_string_equal(dev->password.value, "pw");
    assert_string_equal(prd->nodes[0], "redis-1.example:6379");
    assert_false(prd->nodes_given);
    assert_null(prd->password.value);
    assert_string_equal(prd->password.file, tmpdir_path(f.dir, "prd.pass"));
    config_free(f.config);
}

static void the_environment_is_chosen_by_option_profile_local_or_the_only_one(void **state)
{
    const char *profile[] = {"ENV_PROFILE", "prd", NULL};
    struct fixture f;
    (void)state;
    start(&f, TWO_ENVS);
    must_load(&f);
    assert_null(config_selected(f.config));
    assert_false(config_no_environment(f.config, &f.err));
    assert_int_equal(f.err.code, ERROR_CONFIG);
    assert_non_null(strstr(f.err.text, "dev, prd"));
    config_free(f.config);

    start(&f, TWO_ENVS);
    f.request.lookup_ctx = profile;
    must_load(&f);
    assert_string_equal(config_selected(f.config)->name, "prd");
    config_free(f.config);

    start(&f, TWO_ENVS);
    f.request.lookup_ctx = profile;
    f.request.environment = "dev";
    must_load(&f);
    assert_string_equal(config_selected(f.config)->name, "dev");
    config_free(f.config);

    start(&f, TWO_ENVS);
    f.request.environment = "staging";
    must_load(&f);
    assert_null(config_selected(f.config));
    assert_false(config_no_environment(f.config, &f.err));
    assert_non_null(strstr(f.err.text, "no environment \"staging\""));
    config_free(f.config);

    start(&f, "{\"redis_nodes\":{\"only\":{\"nodes\":[\"127.0.0.1:1\"]}}}");
    must_load(&f);
    assert_string_equal(config_selected(f.config)->name, "only");
    config_free(f.config);
}

static void nodes_alone_make_an_environment_without_any_config(void **state)
{
    const char *process[] = {"REDIS_NODES", "10.1.2.3:7001", "ENV_PROFILE", "stage", NULL};
    struct fixture f;
    const struct environment *env;
    (void)state;
    start(&f, "{}");
    f.request.lookup_ctx = process;
    must_load(&f);
    env = config_selected(f.config);
    assert_string_equal(env->name, "stage");
    assert_false(env->in_config);
    assert_true(env->nodes_given);
    assert_true(env->protected);
    config_free(f.config);

    start(&f, "{}");
    must_load(&f);
    assert_int_equal(config_environment_count(f.config), 0);
    assert_false(config_no_environment(f.config, &f.err));
    assert_non_null(strstr(f.err.text, "--nodes"));
    config_free(f.config);
}

static void protection_follows_the_nodes_unless_the_config_speaks_of_them(void **state)
{
    static const struct {
        const char *nodes, *said, *given;
        bool expected;
    } cases[] = {
        {"\"127.0.0.1:1\",\"localhost:2\",\"[::1]:3\"", "", NULL, false},
        {"\"127.0.0.1:1\",\"10.0.0.1:2\"", "", NULL, true},
        {"\"127.evil.example:1\"", "", NULL, true},
        {"\"10.0.0.1:2\"", ",\"protected\":false", NULL, false},
        {"\"127.0.0.1:2\"", ",\"protected\":true", NULL, true},
        {"\"10.0.0.1:2\",\"10.0.0.2:2\"", ",\"protected\":false", "10.0.0.2:2", false},
        {"\"10.0.0.1:2\"", ",\"protected\":false", "10.9.9.9:2", true},
        {"\"127.0.0.1:2\"", ",\"protected\":true", "127.0.0.1:9", true},
        {"\"10.0.0.1:2\"", "", "127.0.0.1:9", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config_setting option = {ENV "nodes", cases[i].given, "nodes"};
        struct fixture f;
        char json[300];
        snprintf(json, sizeof(json), "{\"redis_nodes\":{\"local\":{\"nodes\":[%s]%s}}}",
                 cases[i].nodes, cases[i].said);
        start(&f, json);
        f.request.settings = &option;
        f.request.setting_count = cases[i].given != NULL;
        must_load(&f);
        if (config_selected(f.config)->protected != cases[i].expected) {
            fail_msg("case %zu", i);
        }
        config_free(f.config);
    }
}

static void a_whole_environment_arrives_in_its_struct(void **state)
{
    struct fixture f;
    const struct environment *env;
    (void)state;
    start(&f,
          "{\"redis_nodes\":{\"ha\":{\"sentinels\":[\"127.0.0.1:26379\"],\"master_name\":\"m\","
          "\"sentinel_username\":\"su\",\"sentinel_password_file\":\"/s\",\"label\":\"HA\","
          "\"username\":\"ops\",\"password_file\":\"~/pw\",\"tls\":{\"enabled\":true,"
          "\"ca_file\":\"ca.pem\",\"cert_file\":\"/c\",\"key_file\":\"./k\",\"server_name\":\"n\"},"
          "\"address_map\":{\"10.0.0.0/8\":\"bastion.example\"},\"theme\":\"mono\","
          "\"connect_timeout_ms\":900}}}");
    f.request.lookup_ctx = (const char *[]){"HOME", "/home/op", "REDISCLI_AUTH", "pw", NULL};
    must_load(&f);
    env = config_selected(f.config);
    assert_int_equal(env->mode, MODE_SENTINEL);
    assert_string_equal(env->sentinels[0], "127.0.0.1:26379");
    assert_string_equal(env->master_name, "m");
    assert_string_equal(env->sentinel_username, "su");
    assert_string_equal(env->sentinel_password.file, "/s");
    assert_string_equal(env->label, "HA");
    assert_string_equal(env->password.value, "pw");
    assert_string_equal(config_text(f.config, env, ENV "password_file"), "/home/op/pw");
    assert_true(env->tls.enabled);
    assert_string_equal(env->tls.ca_file, tmpdir_path(f.dir, "ca.pem"));
    assert_string_equal(env->tls.key_file, tmpdir_path(f.dir, "k"));
    assert_int_equal(env->address_map_count, 1);
    assert_string_equal(env->address_map[0].to, "bastion.example");
    assert_string_equal(env->theme, "mono");
    assert_int_equal(env->connect_timeout_ms, 900);
    config_free(f.config);
}

static void the_connect_timeout_variable_is_in_seconds(void **state)
{
    struct fixture f;
    (void)state;
    start(&f, SEED_FORM);
    f.request.lookup_ctx = (const char *[]){"REDIS_SOCKET_CONNECT_TIMEOUT", "2.5", NULL};
    must_load(&f);
    assert_int_equal(config_selected(f.config)->connect_timeout_ms, 2500);
    config_free(f.config);

    start(&f, SEED_FORM);
    f.request.lookup_ctx = (const char *[]){"REDIS_SOCKET_CONNECT_TIMEOUT", "soon", NULL};
    assert_false(load(&f));
    assert_non_null(strstr(f.err.text, "REDIS_SOCKET_CONNECT_TIMEOUT"));
}

static void aws_names_of_the_dotenv_file_reach_the_lookup_behind_the_process(void **state)
{
    struct fixture f;
    struct config_scope scope;
    const char *text = "AWS_PROFILE=dotenv\nAWS_REGION='eu-1'\n";
    (void)state;
    start(&f, SEED_FORM);
    tmpdir_write(tmpdir_path(f.dir, ".env.local"), text, strlen(text));
    f.request.lookup_ctx = (const char *[]){"AWS_PROFILE", "process", "AWS_EMPTY", "", NULL};
    must_load(&f);
    scope = (struct config_scope){f.config, config_selected(f.config)};
    assert_string_equal(config_lookup(&scope, "AWS_PROFILE"), "process");
    assert_string_equal(config_lookup(&scope, "AWS_REGION"), "eu-1");
    assert_null(config_lookup(&scope, "AWS_EMPTY"));
    scope.env = NULL;
    assert_null(config_lookup(&scope, "AWS_REGION"));
    config_free(f.config);
}

static void files_that_everybody_may_change_are_refused_and_loose_secrets_warned_of(void **state)
{
    struct fixture f;
    const char *text = "REDIS_PASSWORD=pw\n";
    (void)state;
    start(&f, SEED_FORM);
    chmod(f.file, 0666);
    assert_false(load(&f));
    assert_non_null(strstr(f.err.text, "chmod o-w"));

    start(&f, SEED_FORM);
    tmpdir_write(tmpdir_path(f.dir, ".env.local"), text, strlen(text));
    chmod(tmpdir_path(f.dir, ".env.local"), 0644);
    must_load(&f);
    assert_int_equal(config_warning_count(f.config), 1);
    assert_non_null(strstr(config_warning_at(f.config, 0), "chmod 600"));
    assert_null(strstr(config_warning_at(f.config, 0), "pw"));
    config_free(f.config);
}

static void a_missing_file_that_was_named_is_an_error(void **state)
{
    struct fixture f;
    (void)state;
    start(&f, NULL);
    f.request.file = f.file;
    assert_false(load(&f));
    assert_int_equal(f.err.code, ERROR_CONFIG);
    assert_non_null(strstr(f.err.text, "option --config"));
    f.request.file = NULL;
    f.request.lookup_ctx = (const char *[]){"RBCONSOLE_CONFIG", f.file, NULL};
    assert_false(load(&f));
    assert_non_null(strstr(f.err.text, "RBCONSOLE_CONFIG"));
}

static void the_password_comes_from_the_strongest_layer(void **state)
{
    struct fixture f;
    struct secret secret = {0};
    struct config_setting option;
    bool loose = false;
    (void)state;
    start(&f, "{\"redis_nodes\":{\"local\":{\"nodes\":[\"127.0.0.1:1\"],"
              "\"password_file\":\"pw\"}}}");
    tmpdir_write(tmpdir_path(f.dir, "pw"), "from file\n", 10);
    chmod(tmpdir_path(f.dir, "pw"), 0600);
    must_load(&f);
    assert_true(environment_password(config_selected(f.config), false, &secret, &loose, &f.err));
    assert_true(str_is(secret_reveal(&secret), "from file"));
    assert_false(loose);
    config_free(f.config);

    f.request.lookup_ctx = (const char *[]){"REDISCLI_AUTH", "from process", NULL};
    must_load(&f);
    assert_true(environment_password(config_selected(f.config), false, &secret, &loose, &f.err));
    assert_true(str_is(secret_reveal(&secret), "from process"));
    config_free(f.config);

    option =
        (struct config_setting){ENV "password_file", tmpdir_path(f.dir, "pw"), "password-file"};
    f.request.settings = &option;
    f.request.setting_count = 1;
    must_load(&f);
    assert_true(environment_password(config_selected(f.config), false, &secret, &loose, &f.err));
    assert_true(str_is(secret_reveal(&secret), "from file"));
    config_free(f.config);
    secret_release(&secret);
}

static void the_state_directory_is_private_and_made_on_demand(void **state)
{
    struct fixture f;
    struct stat st;
    const char *home;
    const char *path = NULL;
    (void)state;
    start(&f, SEED_FORM);
    home = f.dir;
    f.request.lookup_ctx = (const char *[]){"HOME", home, NULL};
    must_load(&f);
    assert_true(state_dir_open(f.config, &path, &f.err));
    assert_string_equal(path, tmpdir_path(home, ".local/state/rbconsole"));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    chmod(path, 0777);
    assert_false(state_dir_open(f.config, &path, &f.err));
    assert_non_null(strstr(f.err.text, "everybody may write"));
    chmod(path, 02770);
    assert_true(state_dir_open(f.config, &path, &f.err));
    config_free(f.config);

    f.request.lookup_ctx = nothing;
    must_load(&f);
    assert_false(state_dir_open(f.config, &path, &f.err));
    assert_int_equal(f.err.code, ERROR_CONFIG);
    config_free(f.config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seed_form_is_valid_as_it_stands),
        cmocka_unit_test(every_default_passes_its_own_check),
        cmocka_unit_test(mistakes_are_named_with_file_and_path),
        cmocka_unit_test(a_password_in_a_node_is_refused_and_not_repeated),
        cmocka_unit_test(null_means_not_set),
        cmocka_unit_test(each_layer_beats_the_ones_below),
        cmocka_unit_test(
            what_the_process_says_of_nodes_and_passwords_is_for_the_selected_environment),
        cmocka_unit_test(the_environment_is_chosen_by_option_profile_local_or_the_only_one),
        cmocka_unit_test(nodes_alone_make_an_environment_without_any_config),
        cmocka_unit_test(protection_follows_the_nodes_unless_the_config_speaks_of_them),
        cmocka_unit_test(a_whole_environment_arrives_in_its_struct),
        cmocka_unit_test(the_connect_timeout_variable_is_in_seconds),
        cmocka_unit_test(aws_names_of_the_dotenv_file_reach_the_lookup_behind_the_process),
        cmocka_unit_test(files_that_everybody_may_change_are_refused_and_loose_secrets_warned_of),
        cmocka_unit_test(a_missing_file_that_was_named_is_an_error),
        cmocka_unit_test(the_password_comes_from_the_strongest_layer),
        cmocka_unit_test(the_state_directory_is_private_and_made_on_demand),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
