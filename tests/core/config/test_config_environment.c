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
#include "core/config/state_dir.h"
#include "tests/core/config/fixture_config.h"
#include "tests/harness/tmpdir.h"

#define ENV CONFIG_ENV_PREFIX

static void a_whole_environment_arrives_in_its_struct(void **state)
{
    struct fixture f;
    const struct environment *env;
    (void)state;
    fixture_start(
        &f,
        "{\"redis_nodes\":{\"ha\":{\"sentinels\":[\"127.0.0.1:26379\"],\"master_name\":\"m\","
        "\"sentinel_username\":\"su\",\"sentinel_password_file\":\"/s\",\"label\":\"HA\","
        "\"username\":\"ops\",\"password_file\":\"~/pw\",\"tls\":{\"enabled\":true,"
        "\"ca_file\":\"ca.pem\",\"cert_file\":\"/c\",\"key_file\":\"./k\",\"server_name\":\"n\"},"
        "\"address_map\":{\"10.0.0.0/8\":\"bastion.example\"},\"theme\":\"mono\","
        "\"connect_timeout_ms\":900}}}");
    f.request.lookup_ctx = (const char *[]){"HOME", "/home/op", "REDISCLI_AUTH", "pw", NULL};
    fixture_must_load(&f);
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
    fixture_start(&f, SEED_FORM);
    f.request.lookup_ctx = (const char *[]){"REDIS_SOCKET_CONNECT_TIMEOUT", "2.5", NULL};
    fixture_must_load(&f);
    assert_int_equal(config_selected(f.config)->connect_timeout_ms, 2500);
    config_free(f.config);

    fixture_start(&f, SEED_FORM);
    f.request.lookup_ctx = (const char *[]){"REDIS_SOCKET_CONNECT_TIMEOUT", "soon", NULL};
    assert_false(fixture_load(&f));
    assert_non_null(strstr(f.err.text, "REDIS_SOCKET_CONNECT_TIMEOUT"));
}

static void aws_names_of_the_dotenv_file_reach_the_lookup_behind_the_process(void **state)
{
    struct fixture f;
    struct config_scope scope;
    const char *text = "AWS_PROFILE=dotenv\nAWS_REGION='eu-1'\n";
    (void)state;
    fixture_start(&f, SEED_FORM);
    tmpdir_write(tmpdir_path(f.dir, ".env.local"), text, strlen(text));
    f.request.lookup_ctx = (const char *[]){"AWS_PROFILE", "process", "AWS_EMPTY", "", NULL};
    fixture_must_load(&f);
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
    fixture_start(&f, SEED_FORM);
    chmod(f.file, 0666);
    assert_false(fixture_load(&f));
    assert_non_null(strstr(f.err.text, "chmod o-w"));

    fixture_start(&f, SEED_FORM);
    tmpdir_write(tmpdir_path(f.dir, ".env.local"), text, strlen(text));
    chmod(tmpdir_path(f.dir, ".env.local"), 0644);
    fixture_must_load(&f);
    assert_int_equal(config_warning_count(f.config), 1);
    assert_non_null(strstr(config_warning_at(f.config, 0), "chmod 600"));
    assert_null(strstr(config_warning_at(f.config, 0), "pw"));
    config_free(f.config);
}

static void a_missing_file_that_was_named_is_an_error(void **state)
{
    struct fixture f;
    (void)state;
    fixture_start(&f, NULL);
    f.request.file = f.file;
    assert_false(fixture_load(&f));
    assert_int_equal(f.err.code, ERROR_CONFIG);
    assert_non_null(strstr(f.err.text, "option --config"));
    f.request.file = NULL;
    f.request.lookup_ctx = (const char *[]){"RBCONSOLE_CONFIG", f.file, NULL};
    assert_false(fixture_load(&f));
    assert_non_null(strstr(f.err.text, "RBCONSOLE_CONFIG"));
}

static void the_password_comes_from_the_strongest_layer(void **state)
{
    struct fixture f;
    struct secret secret = {0};
    struct config_setting option;
    bool loose = false;
    (void)state;
    fixture_start(&f, "{\"redis_nodes\":{\"local\":{\"nodes\":[\"127.0.0.1:1\"],"
                      "\"password_file\":\"pw\"}}}");
    tmpdir_write(tmpdir_path(f.dir, "pw"), "from file\n", 10);
    chmod(tmpdir_path(f.dir, "pw"), 0600);
    fixture_must_load(&f);
    assert_true(environment_password(config_selected(f.config), false, &secret, &loose, &f.err));
    assert_true(str_is(secret_reveal(&secret), "from file"));
    assert_false(loose);
    config_free(f.config);

    f.request.lookup_ctx = (const char *[]){"REDISCLI_AUTH", "from process", NULL};
    fixture_must_load(&f);
    assert_true(environment_password(config_selected(f.config), false, &secret, &loose, &f.err));
    assert_true(str_is(secret_reveal(&secret), "from process"));
    config_free(f.config);

    option =
        (struct config_setting){ENV "password_file", tmpdir_path(f.dir, "pw"), "password-file"};
    f.request.settings = &option;
    f.request.setting_count = 1;
    fixture_must_load(&f);
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
    fixture_start(&f, SEED_FORM);
    home = f.dir;
    f.request.lookup_ctx = (const char *[]){"HOME", home, NULL};
    fixture_must_load(&f);
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

    f.request.lookup_ctx = fixture_nothing;
    fixture_must_load(&f);
    assert_false(state_dir_open(f.config, &path, &f.err));
    assert_int_equal(f.err.code, ERROR_CONFIG);
    config_free(f.config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_environment_arrives_in_its_struct),
        cmocka_unit_test(the_connect_timeout_variable_is_in_seconds),
        cmocka_unit_test(aws_names_of_the_dotenv_file_reach_the_lookup_behind_the_process),
        cmocka_unit_test(files_that_everybody_may_change_are_refused_and_loose_secrets_warned_of),
        cmocka_unit_test(a_missing_file_that_was_named_is_an_error),
        cmocka_unit_test(the_password_comes_from_the_strongest_layer),
        cmocka_unit_test(the_state_directory_is_private_and_made_on_demand),
    };
    return cmocka_run_group_tests_name("config_environment", tests, NULL, NULL);
}
