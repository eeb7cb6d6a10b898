/* status, check, nodes, slots on every kind of deployment, and with every kind of credentials. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/harness/lab.h"
#include "tests/harness/tmpdir.h"
#include "tests/views/verbs/fixture_verb.h"

static struct lab *start(const struct lab_options *options)
{
    struct lab *lab = lab_start(options);

    assert_non_null(lab);
    return lab;
}

/* The least of rights is enough for all but the counting of keys by slot, and that is said. */
static void check_least_rights(const char *config)
{
    struct proc_result r;
    json_t *doc = verb_json(0, config, "-e", "monitor", "status", NULL);

    assert_string_equal(verb_text(doc, "state"), "ok");
    assert_int_equal(verb_number(doc, "keys"), 1);
    assert_int_equal(verb_number(doc, "views_agree"), 6);
    json_decref(doc);
    verb_run(&r, 0, config, "-e", "monitor", "slots", NULL);
    proc_result_release(&r);
    verb_run(&r, 1, config, "-e", "monitor", "check", "--keys", NULL);
    assert_non_null(strstr(r.out, "keys could not be counted: "));
    assert_non_null(strstr(r.out, "NOPERM"));
    assert_null(strstr(r.out, "no finding"));
    proc_result_release(&r);
    doc = verb_json(1, config, "-e", "monitor", "check", "--keys", NULL);
    assert_null(json_object_get(verb_at(doc, "misplaced.0"), "keys"));
    assert_non_null(strstr(verb_text(doc, "misplaced.0.error"), "NOPERM"));
    json_decref(doc);
}

static void set_rights(struct lab *lab, const char *rule)
{
    for (size_t i = 0; i < lab_nodes(lab); i++)
        free(lab_cli(lab, i, "ACL", "SETUSER", "monitor", rule, NULL));
}

static void check_missing_rights(struct lab *lab, const char *config)
{
    struct proc_result r;
    json_t *doc;

    set_rights(lab, "-info");
    doc = verb_json(1, config, "-e", "monitor", "status", NULL);
    assert_int_equal(verb_number(doc, "keys"), 1);
    assert_string_equal(verb_text(doc, "nodes.0.keys_source"), "DBSIZE");
    assert_true(json_is_null(verb_at(doc, "memory")));
    assert_true(json_is_null(verb_at(doc, "nodes.0.clients")));
    assert_non_null(verb_finding(doc, "not-allowed"));
    json_decref(doc);
    verb_run(&r, 1, config, "-e", "monitor", "status", NULL);
    assert_non_null(strstr(r.out, "keys   1 (DBSIZE)   memory ?   ops/s ?"));
    proc_result_release(&r);

    set_rights(lab, "-cluster|nodes");
    verb_run(&r, 4, config, "-e", "monitor", "slots", NULL);
    assert_string_equal(r.out, "");
    assert_non_null(strstr(r.err, "CLUSTER NODES"));
    proc_result_release(&r);

    set_rights(lab, "-cluster|info");
    verb_run(&r, 4, config, "-e", "monitor", "status", NULL);
    assert_non_null(strstr(r.err, "this user may see too little"));
    proc_result_release(&r);
}

static void tls_password_and_users_work_and_what_is_not_allowed_is_said(void **state)
{
    struct lab *lab = start(&(struct lab_options){.tls = true, .password = true, .acl = true});
    const char *config = lab_config_file(lab);
    const char *wrong = tmpdir_path(tmpdir_new(), "wrong");
    struct proc_result r;
    json_t *doc;

    (void)state;
    free(lab_cli_routed(lab, "SET", "user:1", "x", NULL));
    doc = verb_json(0, config, "check", "--keys", NULL);
    assert_string_equal(verb_text(doc, "state"), "ok");
    assert_int_equal(verb_number(doc, "misplaced.2.keys"), 0);
    json_decref(doc);
    check_least_rights(config);

    tmpdir_write(wrong, "wrong-password\n", 15);
    assert_int_equal(chmod(wrong, 0600), 0);
    verb_run(&r, 4, config, "--password-file", wrong, "status", NULL);
    assert_string_equal(r.out, "");
    assert_non_null(strstr(r.err, "refused the password"));
    assert_null(strstr(r.err, "wrong-password"));
    proc_result_release(&r);
    doc = verb_json(4, config, "--password-file", wrong, "nodes", NULL);
    assert_string_equal(verb_text(doc, "error.code"), "auth");
    json_decref(doc);
    check_missing_rights(lab, config);
    lab_stop(lab);
}

static void a_sentinel_group_is_told_with_its_sentinels(void **state)
{
    struct lab *lab = start(&(struct lab_options){.kind = LAB_SENTINEL});
    const char *config = lab_config_file(lab);
    struct proc_result r;
    json_t *doc;

    (void)state;
    free(lab_cli(lab, 0, "SET", "user:1", "x", NULL));
    doc = verb_json(0, config, "status", NULL);
    assert_string_equal(verb_text(doc, "mode"), "sentinel");
    assert_int_equal(json_array_size(verb_at(doc, "sentinels")), 3);
    assert_int_equal(verb_number(doc, "sentinels.0.quorum"), 2);
    assert_string_equal(verb_text(doc, "sentinels.0.primary"), lab_address(lab, 0));
    assert_int_equal(verb_number(doc, "keys"), 1);
    assert_int_equal(json_array_size(verb_at(doc, "nodes")), 6);
    assert_null(json_object_get(doc, "slots"));
    json_decref(doc);
    verb_run(&r, 0, config, "nodes", NULL);
    assert_non_null(strstr(r.out, "sentinel"));
    proc_result_release(&r);
    verb_run(&r, 2, config, "slots", NULL);
    assert_string_equal(r.out, "");
    assert_non_null(strstr(r.err, "has no slots: it is no cluster"));
    proc_result_release(&r);
    assert_true(lab_kill(lab, 2)); /* a replica */
    verb_run(&r, 1, config, "status", NULL);
    assert_non_null(strstr(r.out, "local: degraded"));
    assert_non_null(strstr(r.out, "5 of 6 answer"));
    proc_result_release(&r);
    doc = verb_json(1, config, "status", NULL);
    /* It never answered us: the Sentinels know what it was. */
    assert_string_equal(verb_text(verb_node(doc, lab_address(lab, 2)), "role"), "replica");
    assert_string_equal(verb_text(verb_node(doc, lab_address(lab, 2)), "shard"), "A");
    assert_true(json_is_null(verb_at(verb_node(doc, lab_address(lab, 2)), "keys")));
    json_decref(doc);
    lab_stop(lab);
}

static void a_single_server_is_told_without_slots(void **state)
{
    struct lab *lab = start(&(struct lab_options){.kind = LAB_SINGLE, .replicas = -1});
    const char *config = lab_config_file(lab);
    struct proc_result r;
    json_t *doc = verb_json(0, config, "status", NULL);

    (void)state;
    assert_string_equal(verb_text(doc, "mode"), "single");
    assert_int_equal(verb_number(doc, "keys"), 0);
    assert_int_equal(json_array_size(verb_at(doc, "nodes")), 1);
    json_decref(doc);
    verb_run(&r, 0, config, "check", "--keys", NULL);
    assert_non_null(strstr(r.out, "no finding"));
    proc_result_release(&r);
    assert_true(lab_kill(lab, 0));
    verb_run(&r, 3, config, "check", NULL);
    assert_non_null(strstr(r.err, lab_address(lab, 0)));
    proc_result_release(&r);
    lab_stop(lab);
}

static void valkey_is_named_and_told_as_well(void **state)
{
    struct lab *lab = start(&(struct lab_options){.flavor = "valkey"});
    const char *config = lab_config_file(lab);
    struct proc_result r;
    json_t *doc;

    (void)state;
    doc = verb_json(0, config, "check", "--keys", NULL);
    assert_string_equal(verb_text(doc, "flavour"), "valkey");
    assert_true(strncmp(verb_text(doc, "version"), "8.", 2) == 0);
    assert_int_equal(verb_number(doc, "slots.ok"), 16384);
    assert_int_equal(json_array_size(verb_at(doc, "findings")), 0);
    json_decref(doc);
    verb_run(&r, 0, config, "slots", NULL);
    assert_non_null(strstr(r.out, "0-5460"));
    proc_result_release(&r);
    lab_stop(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_password_and_users_work_and_what_is_not_allowed_is_said),
        cmocka_unit_test(a_sentinel_group_is_told_with_its_sentinels),
        cmocka_unit_test(a_single_server_is_told_without_slots),
        cmocka_unit_test(valkey_is_named_and_told_as_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
