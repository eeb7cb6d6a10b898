#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/config/config.h"
#include "core/config/config_check.h"
#include "tests/core/config/fixture_config.h"
#include "tests/harness/tmpdir.h"

#define ENV CONFIG_ENV_PREFIX

static void the_seed_form_is_valid_as_it_stands(void **state)
{
    struct fixture f;
    const struct environment *env;
    (void)state;
    fixture_start(&f, SEED_FORM);
    fixture_must_load(&f);
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
    fixture_start(&f, SEED_FORM);
    fixture_must_load(&f);
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
    fixture_refuses("{\"redis_nodes\":{\"prd\":{\"node\":[\"a:1\"]}}}",
                    "config.json: redis_nodes.prd.node: unknown key; did you mean \"nodes\"?");
    fixture_refuses("{\"redis_node\":{}}", "did you mean \"redis_nodes\"?");
    fixture_refuses("{\"storage\":{\"s3uri\":\"s3://b\"}}", "did you mean \"s3_uri\"?");
    fixture_refuses("{\"redis_nodes\":{\"p\":{\"nodes\":[\"a:1\"],\"tls\":{\"enable\":true}}}}",
                    "redis_nodes.p.tls.enable: unknown key; did you mean \"enabled\"?");
    fixture_refuses("{\"qqqqqqqqq\":1}", "unknown key");
    fixture_refuses("{\"storage\":{\"storage.region\":\"x\"}}", "unknown key");
    fixture_refuses("{\"storage.region\":\"x\"}", "unknown key");
    fixture_refuses("{\"redis_nodes\":{\"p\":{\"nodes\":\"a:1\"}}}", "must be a list");
    fixture_refuses("{\"redis_nodes\":{\"p\":{\"nodes\":[]}}}", "at least one");
    fixture_refuses("{\"redis_nodes\":{\"p\":{\"nodes\":[7]}}}", "must be text");
    fixture_refuses("{\"redis_nodes\":{\"p\":{\"nodes\":[\"a\"]}}}", "needs a port");
    fixture_refuses("{\"redis_nodes\":{\"p\":{\"nodes\":[\"a:0\"]}}}", "1 to 65535");
    fixture_refuses("{\"redis_nodes\":{\"p\":{\"nodes\":[\"::1:70\"]}}}", "brackets");
    fixture_refuses("{\"redis_nodes\":{\"p\":{}}}", "needs \"nodes\"");
    fixture_refuses("{\"redis_nodes\":{\"../x\":{\"nodes\":[\"a:1\"]}}}",
                    "no name for an environment");
    fixture_refuses("{\"backup\":{\"chunk_keys\":0}}", "0 is not within 1 to");
    fixture_refuses("{\"backup\":{\"chunk_keys\":\"5\"}}", "whole number");
    fixture_refuses("{\"backup\":{\"source\":\"replica\"}}", "none of primaries|replicas|auto");
    fixture_refuses("{\"storage\":{\"s3_uri\":\"http://x\"}}", "s3://bucket/prefix");
    fixture_refuses("{\"storage\":{\"region\":\"\"}}", "must not be empty");
    fixture_refuses("{\"storage\":{\"region\":\"a\\nb\"}}", "one line");
    fixture_refuses("{\"storage\":7}", "must be an object");
    fixture_refuses("[]", "one JSON object");
    fixture_refuses("{\"storage\":{},\n\"storage\":{}}", "line 2");
    fixture_refuses("{\n\n \"storage\": oops }", "line 3");
    fixture_refuses("", "line 1");
    fixture_refuses("{\"drill\":{\"hooks\":{\"kill\":[]}}}", "list of text");
    fixture_refuses("{\"redis_nodes\":{\"p\":{\"mode\":\"sentinel\",\"nodes\":[\"a:1\"]}}}",
                    "needs \"sentinels\"");
}

static void a_password_in_a_node_is_refused_and_not_repeated(void **state)
{
    struct fixture f;
    (void)state;
    fixture_start(&f, "{\"redis_nodes\":{\"p\":{\"nodes\":[\"ops:hunter2@a:1\"]}}}");
    assert_false(fixture_load(&f));
    assert_null(strstr(f.err.text, "hunter2"));
    assert_non_null(strstr(f.err.text, "password_file"));
}

static void null_means_not_set(void **state)
{
    struct fixture f;
    (void)state;
    fixture_start(
        &f, "{\"redis_nodes\":{\"p\":{\"nodes\":[\"127.0.0.1:1\"],\"label\":null,\"tls\":null}},"
            "\"storage\":{\"region\":null},\"state_dir\":null,\"backup\":null}");
    fixture_must_load(&f);
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
        fixture_start(
            &f, skip < 4 ? "{\"redis_nodes\":{\"dev\":{\"nodes\":[\"127.0.0.1:1\"],"
                           "\"s3_uri\":\"s3://env\"}},\"storage\":{\"s3_uri\":\"s3://global\"}}"
                         : "{\"redis_nodes\":{\"dev\":{\"nodes\":[\"127.0.0.1:1\"]}},"
                           "\"storage\":{\"s3_uri\":\"s3://global\"}}");
        if (skip < 3) {
            const char *line = "OTHER=1\nexport S3_URI=\"s3://dotenv\" # here\n";
            tmpdir_write(tmpdir_path(f.dir, ".env.dev"), line, strlen(line));
        }
        f.request.lookup_ctx = skip < 2 ? process : fixture_nothing;
        f.request.settings = &option;
        f.request.setting_count = skip < 1;
        fixture_must_load(&f);
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
    fixture_start(&f, TWO_ENVS);
    f.request.environment = "dev";
    f.request.lookup_ctx = process;
    fixture_must_load(&f);
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
    fixture_start(&f, TWO_ENVS);
    fixture_must_load(&f);
    assert_null(config_selected(f.config));
    assert_false(config_no_environment(f.config, &f.err));
    assert_int_equal(f.err.code, ERROR_CONFIG);
    assert_non_null(strstr(f.err.text, "dev, prd"));
    config_free(f.config);

    fixture_start(&f, TWO_ENVS);
    f.request.lookup_ctx = profile;
    fixture_must_load(&f);
    assert_string_equal(config_selected(f.config)->name, "prd");
    config_free(f.config);

    fixture_start(&f, TWO_ENVS);
    f.request.lookup_ctx = profile;
    f.request.environment = "dev";
    fixture_must_load(&f);
    assert_string_equal(config_selected(f.config)->name, "dev");
    config_free(f.config);

    fixture_start(&f, TWO_ENVS);
    f.request.environment = "staging";
    fixture_must_load(&f);
    assert_null(config_selected(f.config));
    assert_false(config_no_environment(f.config, &f.err));
    assert_non_null(strstr(f.err.text, "no environment \"staging\""));
    config_free(f.config);

    fixture_start(&f, "{\"redis_nodes\":{\"only\":{\"nodes\":[\"127.0.0.1:1\"]}}}");
    fixture_must_load(&f);
    assert_string_equal(config_selected(f.config)->name, "only");
    config_free(f.config);
}

static void nodes_alone_make_an_environment_without_any_config(void **state)
{
    const char *process[] = {"REDIS_NODES", "10.1.2.3:7001", "ENV_PROFILE", "stage", NULL};
    struct fixture f;
    const struct environment *env;
    (void)state;
    fixture_start(&f, "{}");
    f.request.lookup_ctx = process;
    fixture_must_load(&f);
    env = config_selected(f.config);
    assert_string_equal(env->name, "stage");
    assert_false(env->in_config);
    assert_true(env->nodes_given);
    assert_true(env->protected);
    config_free(f.config);

    fixture_start(&f, "{}");
    fixture_must_load(&f);
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
        fixture_start(&f, json);
        f.request.settings = &option;
        f.request.setting_count = cases[i].given != NULL;
        fixture_must_load(&f);
        if (config_selected(f.config)->protected != cases[i].expected)
            fail_msg("case %zu", i);
        config_free(f.config);
    }
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
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
