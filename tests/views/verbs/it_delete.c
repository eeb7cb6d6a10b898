/* delete and prune: the plan first, nothing without the environment's name, and then exactly what
 * the plan said, as curl sees the bucket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/base/json.h"
#include "tests/harness/cli_run.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/s3_curl.h"
#include "tests/harness/tmpdir.h"

#define PREFIX "backups/"
#define ID_SIZE 64
#define KEY_SIZE 200

struct world {
    struct lab *lab;
    const char *backups; /* the backup directory */
    char id[ID_SIZE];    /* a whole backup, in both places */
};

static int open_world(void **state)
{
    static struct world w;
    struct proc_result r;
    const char *at;

    w.lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .s3 = true});
    if (w.lab == NULL)
        return -1;
    w.backups = tmpdir_path(lab_dir(w.lab), "backups");
    free(lab_cli(w.lab, 0, "SET", "user:1", "x", NULL));
    cli_run(w.lab, NULL, &r, "backup", NULL);
    cli_expect(&r, 0, "Uploaded: s3://", NULL);
    at = strstr(strstr(r.out, "Uploaded:"), "redis-backup-");
    (void)snprintf(w.id, sizeof(w.id), "%.*s", (int)(strstr(at, ".tar.gz") - at), at);
    proc_result_release(&r);
    *state = &w;
    return 0;
}

static int close_world(void **state)
{
    const struct world *w = *state;

    lab_stop(w->lab);
    return 0;
}

static const char *key_of(const char *id, const char *suffix)
{
    static char key[KEY_SIZE];

    (void)snprintf(key, sizeof(key), PREFIX "%s%s", id, suffix);
    return key;
}

static bool in_bucket(const struct world *w, const char *id)
{
    return s3_curl_exists(lab_s3(w->lab), key_of(id, ".tar.gz"));
}

static bool on_disk(const struct world *w, const char *id)
{
    char name[KEY_SIZE];

    (void)snprintf(name, sizeof(name), "%s.tar.gz", id);
    return access(tmpdir_path(w->backups, id), F_OK) == 0 ||
           access(tmpdir_path(w->backups, name), F_OK) == 0;
}

/* ---- delete ---------------------------------------------------------------------------------- */

static void a_deletion_that_nobody_confirmed_shows_its_plan_and_changes_nothing(void **state)
{
    static const struct {
        const char *word, *value, *says;
    } ways[] = {
        {NULL, NULL, "this cannot be undone; confirm with --confirm local"},
        {"--confirm", "dev", "--confirm says \"dev\", but the environment is \"local\""},
        {"--confirm", "loca", "but the environment is \"local\""},
        {"--json", NULL, "confirm with --confirm local"},
        {"--read-only", NULL, "read-only"},
    };
    const struct world *w = *state;
    struct proc_result r;

    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        cli_run(w->lab, NULL, &r, "delete", w->id, ways[i].word, ways[i].value, NULL);
        cli_expect(&r, 4, w->id, ways[i].says);
        assert_null(strstr(r.out, "Deleted"));
        proc_result_release(&r);
        assert_true(in_bucket(w, w->id));
        assert_true(on_disk(w, w->id));
    }
    cli_run(w->lab, NULL, &r, "delete", w->id, "--confirm", "local", "--read-only", NULL);
    cli_expect(&r, 4, NULL, "read-only");
    proc_result_release(&r);
    assert_true(in_bucket(w, w->id));
}

static void the_plan_names_each_place_with_its_state(void **state)
{
    const struct world *w = *state;
    struct proc_result r;
    struct error err = {.text = ""};
    json_t *doc;

    cli_run(w->lab, NULL, &r, "delete", w->id, NULL);
    cli_expect(&r, 4, "Delete: s3://", NULL);
    cli_expect(&r, 4, "Delete: /", NULL);
    cli_expect(&r, 4, ", complete)\n", NULL);
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "delete", w->id, "--json", NULL);
    doc = json_parse(str_from(r.out), "plan", &err);
    assert_non_null(doc);
    assert_int_equal(json_array_size(json_object_get(doc, "plan")), 2);
    assert_int_equal(json_array_size(json_object_get(doc, "deleted")), 0);
    json_decref(doc);
    proc_result_release(&r);
}

static void one_place_only_leaves_the_other_alone(void **state)
{
    const struct world *w = *state;
    struct proc_result r;

    cli_run(w->lab, NULL, &r, "delete", w->id, "--local", "--confirm", "local", NULL);
    cli_expect(&r, 0, "Deleted: /", NULL);
    assert_null(strstr(r.out, "s3://"));
    proc_result_release(&r);
    assert_false(on_disk(w, w->id));
    assert_true(in_bucket(w, w->id));
}

static void what_is_left_goes_with_its_manifest_and_nothing_else(void **state)
{
    const struct world *w = *state;
    char longer[KEY_SIZE];
    struct proc_result r;

    (void)snprintf(longer, sizeof(longer), PREFIX "%s.tar.gz.old", w->id);
    s3_curl_put(lab_s3(w->lab), longer, "x", 1);
    cli_run(w->lab, NULL, &r, "delete", w->id, "--confirm", "local", NULL);
    cli_expect(&r, 0, "Deleted: s3://", NULL);
    proc_result_release(&r);
    assert_false(in_bucket(w, w->id));
    assert_false(s3_curl_exists(lab_s3(w->lab), key_of(w->id, ".metadata.json")));
    assert_true(s3_curl_exists(lab_s3(w->lab), longer));
    cli_run(w->lab, NULL, &r, "delete", w->id, "--confirm", "local", NULL);
    cli_expect(&r, 1, NULL, "there is no backup");
    proc_result_release(&r);
    s3_curl_remove(lab_s3(w->lab), longer);
}

static void a_bucket_that_cannot_be_asked_stops_the_deletion_of_both(void **state)
{
    static const char *const dead[] = {"AWS_ENDPOINT_URL_S3=http://127.0.0.1:1",
                                       "AWS_MAX_ATTEMPTS=1", NULL};
    static const char id[] = "redis-backup-local-20200101T000000Z-aaaa";
    const struct world *w = *state;
    const char *dir = tmpdir_path(w->backups, id);
    struct proc_result r;

    assert_int_equal(mkdir(dir, 0700), 0);
    cli_run(w->lab, dead, &r, "delete", id, "--confirm", "local", NULL);
    cli_expect(&r, 3, NULL, "--local deletes only the local copy");
    assert_int_equal(access(dir, F_OK), 0);
    proc_result_release(&r);
    cli_run(w->lab, dead, &r, "delete", id, "--local", "--confirm", "local", NULL);
    cli_expect(&r, 0, "Deleted: /", NULL);
    assert_int_not_equal(access(dir, F_OK), 0);
    proc_result_release(&r);
}

/* ---- prune ----------------------------------------------------------------------------------- */

static const struct {
    const char *id, *manifest;
    bool goes; /* with --keep 2 */
} series[] = {
    {"redis-backup-local-20200101T000000Z-0001", "\"complete\":true", true},
    {"redis-backup-local-20200102T000000Z-0002", "\"complete\":false", true},
    {"redis-backup-local-20200103T000000Z-0003", "\"complete\":true", true},
    {"redis-backup-local-20200104T000000Z-0004", "\"complete\":true,\"filtered\":true", false},
    {"redis-backup-local-20200105T000000Z-0005", NULL, false}, /* foreign */
    {"redis-backup-dev-20200106T000000Z-0006", "\"complete\":true", false},
    {"redis-backup-local-20200107T000000Z-0007", "\"complete\":true", false},
    {"redis-backup-local-20200108T000000Z-0008", "\"complete\":true", false},
    {"redis-backup-local-20200109T000000Z-0009", "\"complete\":false", false}, /* none is newer */
};

static void put_series(const struct world *w)
{
    for (size_t i = 0; i < COUNT_OF(series); i++) {
        char text[300];

        s3_curl_put(lab_s3(w->lab), key_of(series[i].id, ".tar.gz"), "x", 1);
        (void)snprintf(text, sizeof(text), "{\"backup_id\":\"%s\",%s}", series[i].id,
                       series[i].manifest);
        if (series[i].manifest != NULL)
            s3_curl_put(lab_s3(w->lab), key_of(series[i].id, ".metadata.json"), text, strlen(text));
    }
}

static void prune_without_a_rule_deletes_nothing(void **state)
{
    const struct world *w = *state;
    struct proc_result r;

    put_series(w);
    cli_run(w->lab, NULL, &r, "prune", "--confirm", "local", NULL);
    cli_expect(&r, 2, NULL, "--keep N, --keep-days D or both");
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "prune", "--keep", "0", "--confirm", "local", NULL);
    cli_expect(&r, 2, NULL, "--keep");
    proc_result_release(&r);
    for (size_t i = 0; i < COUNT_OF(series); i++)
        assert_true(in_bucket(w, series[i].id));
}

static void prune_shows_what_would_go_and_waits_for_the_name(void **state)
{
    const struct world *w = *state;
    struct proc_result r;

    cli_run(w->lab, NULL, &r, "prune", "--keep", "2", NULL);
    cli_expect(&r, 4, "3 backups of local go", "confirm with --confirm local");
    for (size_t i = 0; i < COUNT_OF(series); i++) {
        assert_int_equal(strstr(r.out, series[i].id) != NULL, series[i].goes);
        assert_true(in_bucket(w, series[i].id));
    }
    proc_result_release(&r);
    cli_run(w->lab, NULL, &r, "prune", "--keep", "2", "--keep-days", "36500", "--confirm", "local",
            NULL);
    cli_expect(&r, 0, "Nothing to delete\n", NULL);
    proc_result_release(&r);
}

static void prune_removes_what_its_plan_said_and_no_more(void **state)
{
    const struct world *w = *state;
    struct proc_result r;

    cli_run(w->lab, NULL, &r, "prune", "--keep", "2", "--confirm", "local", NULL);
    cli_expect(&r, 0, "Deleted: s3://", NULL);
    proc_result_release(&r);
    for (size_t i = 0; i < COUNT_OF(series); i++) {
        assert_int_equal(in_bucket(w, series[i].id), !series[i].goes);
        assert_int_equal(s3_curl_exists(lab_s3(w->lab), key_of(series[i].id, ".metadata.json")),
                         !series[i].goes && series[i].manifest != NULL);
    }
    cli_run(w->lab, NULL, &r, "prune", "--keep", "2", "--confirm", "local", NULL);
    cli_expect(&r, 0, "Nothing to delete\n", NULL);
    proc_result_release(&r);
}

static void the_last_complete_backup_stays_whatever_the_rule(void **state)
{
    const struct world *w = *state;
    struct proc_result r;

    cli_run(w->lab, NULL, &r, "prune", "--keep-days", "1", "--confirm", "local", "--json", NULL);
    cli_expect(&r, 0, "20200107T000000Z-0007", NULL);
    proc_result_release(&r);
    assert_false(in_bucket(w, "redis-backup-local-20200107T000000Z-0007"));
    assert_true(in_bucket(w, "redis-backup-local-20200108T000000Z-0008"));
    assert_true(in_bucket(w, "redis-backup-dev-20200106T000000Z-0006"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deletion_that_nobody_confirmed_shows_its_plan_and_changes_nothing),
        cmocka_unit_test(the_plan_names_each_place_with_its_state),
        cmocka_unit_test(one_place_only_leaves_the_other_alone),
        cmocka_unit_test(what_is_left_goes_with_its_manifest_and_nothing_else),
        cmocka_unit_test(a_bucket_that_cannot_be_asked_stops_the_deletion_of_both),
        cmocka_unit_test(prune_without_a_rule_deletes_nothing),
        cmocka_unit_test(prune_shows_what_would_go_and_waits_for_the_name),
        cmocka_unit_test(prune_removes_what_its_plan_said_and_no_more),
        cmocka_unit_test(the_last_complete_backup_stays_whatever_the_rule),
    };
    return cmocka_run_group_tests_name("delete", tests, open_world, close_world);
}
