#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/json.h"
#include "views/screens/backups_model.h"

#define OLD "redis-backup-local-20250101T000000Z-0001"
#define NEW "redis-backup-local-20250102T030405Z-0002"
#define OTHER "redis-backup-prd-20250102T030405Z-0003"
#define DAY_MS ((int64_t)86400000)

static struct catalog_row row_of(const char *id, int64_t bytes)
{
    struct catalog_row row = {.has_archive = true, .has_sidecar = true, .archive_bytes = bytes};

    assert_true(backup_id_parse(str_from(id), &row.id));
    return row;
}

static struct catalog_row settled(const char *id, enum backup_state state, int64_t keys)
{
    struct catalog_row row = row_of(id, 100);

    row.state = state;
    row.summary.keys = keys;
    row.summary.with_ttl = row.summary.unreadable = -1;
    row.summary.complete = state == BACKUP_COMPLETE;
    row.summary.started_ms = row.id.time_ms;
    return row;
}

static void cell(const struct backups_model *m, size_t row, const char *name, char *out,
                 size_t size)
{
    struct table_cell c = {.role = ROLE_TEXT};

    for (size_t i = 0; i < backups_table_ops.columns_count; i++)
        if (strcmp(backups_table_ops.columns[i].name, name) == 0) {
            backups_table_ops.cell(m, row, i, &c);
            (void)str_copy(c.text, out, size);
            return;
        }
    fail_msg("no column %s", name);
}

static void expect_cell(const struct backups_model *m, size_t row, const char *name,
                        const char *text)
{
    char got[100];

    cell(m, row, name, got, sizeof(got));
    assert_string_equal(got, text);
}

static void rows_of_both_places_are_merged_newest_first(void **state)
{
    struct backups_model m;
    struct catalog_row s3[] = {row_of(NEW, 1), row_of(OLD, 1)};
    struct catalog_row local[] = {row_of(OTHER, 1)};

    (void)state;
    backups_model_init(&m);
    backups_model_take(&m, PLACE_S3, s3, 2);
    backups_model_take(&m, PLACE_LOCAL, local, 1);
    assert_int_equal(m.shown_count, 3);
    assert_string_equal(m.shown[2]->key, "s3:" OLD);
    assert_non_null(backups_model_find(&m, STR("local:" OTHER)));
    assert_null(backups_model_find(&m, STR("s3:" OTHER)));
    assert_null(backups_model_find(&m, STR("nonsense")));
    backups_model_show(&m, PLACE_LOCAL);
    assert_int_equal(m.shown_count, 1);
    assert_int_equal(backups_model_count(&m, PLACE_S3), 2);
    backups_model_take(&m, PLACE_S3, s3, 1);
    assert_null(backups_model_find(&m, STR("s3:" OLD)));
    backups_model_release(&m);
}

static void what_was_read_stays_with_a_row_that_did_not_change(void **state)
{
    struct backups_model m;
    struct catalog_row fresh = row_of(NEW, 100);
    struct catalog_row read = settled(NEW, BACKUP_COMPLETE, 2591);

    (void)state;
    backups_model_init(&m);
    m.now_ms = read.id.time_ms + 2 * DAY_MS;
    backups_model_take(&m, PLACE_S3, &fresh, 1);
    expect_cell(&m, 0, "STATE", "unread");
    expect_cell(&m, 0, "KEYS", "-");
    expect_cell(&m, 0, "HOLDS", "-");
    assert_true(backups_model_settle(&m, PLACE_S3, &read));
    assert_false(backups_model_settle(&m, PLACE_LOCAL, &read));
    expect_cell(&m, 0, "STATE", "complete");
    expect_cell(&m, 0, "KEYS", "2.59k");
    expect_cell(&m, 0, "HOLDS", "all");
    expect_cell(&m, 0, "TTL", "-");
    expect_cell(&m, 0, "AGE", "2d");
    expect_cell(&m, 0, "TAKEN (UTC)", "2025-01-02 03:04:05");
    backups_model_take(&m, PLACE_S3, &fresh, 1);
    expect_cell(&m, 0, "STATE", "complete");
    fresh.archive_bytes = 101;
    backups_model_take(&m, PLACE_S3, &fresh, 1);
    expect_cell(&m, 0, "STATE", "unread");
    backups_model_release(&m);
}

static void incomplete_ones_are_asked_again(void **state)
{
    struct backups_model m;
    struct catalog_row fresh = row_of(NEW, 100);
    struct catalog_row read = settled(NEW, BACKUP_INCOMPLETE, -1);

    (void)state;
    backups_model_init(&m);
    backups_model_take(&m, PLACE_S3, &fresh, 1);
    assert_true(backups_model_settle(&m, PLACE_S3, &read));
    expect_cell(&m, 0, "STATE", "incomplete");
    backups_model_take(&m, PLACE_S3, &fresh, 1);
    expect_cell(&m, 0, "STATE", "unread");
    backups_model_release(&m);
}

/* ---- jobs ---- */

static char nothing[] = "";

static struct job_info job_of(enum job_kind kind, enum job_state state, char *target)
{
    static char env[] = "local";

    return (struct job_info){.id = "X-0009",
                             .kind = kind,
                             .state = state,
                             .env = env,
                             .target = target,
                             .error_text = nothing,
                             .ended_ms = (int64_t)1763769600000};
}

static void jobs_tell_who_writes_and_what_was_verified(void **state)
{
    char path[] = "/backups/" NEW ".tar.gz";
    char old[] = OLD;
    struct job_info full = job_of(JOB_VERIFY, JOB_DONE, path);
    struct job_info earlier = job_of(JOB_VERIFY, JOB_FINDINGS, path);
    struct job_info writer = job_of(JOB_BACKUP, JOB_RUNNING, old);
    struct job_info *list[] = {&full, &earlier, &writer};
    struct watch_list jobs = {.jobs = {.items = list, .count = 3}};
    struct catalog_row rows[] = {row_of(NEW, 1), row_of(OLD, 1)};
    struct backups_model m;

    (void)state;
    earlier.findings = 3;
    full.options = json_pack("{s:s}", "extent", "full");
    backups_model_init(&m);
    backups_model_take(&m, PLACE_LOCAL, rows, 2);
    backups_model_jobs(&m, &jobs, "local");
    expect_cell(&m, 0, "VERIFIED", "OK full 11-22");
    expect_cell(&m, 1, "STATE", "writing");
    assert_string_equal(backups_unusable(m.shown[1]), "it is being written");
    assert_null(backups_unusable(m.shown[0]));

    list[0] = &earlier;
    list[1] = &full;
    backups_model_jobs(&m, &jobs, "local");
    expect_cell(&m, 0, "VERIFIED", "DIFF 3 keys");
    backups_model_jobs(&m, &jobs, "prd");
    expect_cell(&m, 0, "VERIFIED", "-");
    json_decref(full.options);
    backups_model_release(&m);
}

static void corrupt_ones_cannot_be_used(void **state)
{
    struct backups_row r = {.row = {.state = BACKUP_CORRUPT}};

    (void)state;
    assert_string_equal(backups_unusable(&r), "it is corrupt");
    r.row.state = BACKUP_FOREIGN;
    assert_null(backups_unusable(&r));
}

static void keys_are_taken_apart_and_nothing_else_passes(void **state)
{
    struct backup_id id;

    (void)state;
    assert_int_equal(backups_key_parse("s3:" NEW, &id), PLACE_S3);
    assert_string_equal(id.text, NEW);
    assert_int_equal(backups_key_parse("local:" OTHER, &id), PLACE_LOCAL);
    assert_string_equal(id.env, "prd");
    assert_int_equal(backups_key_parse("", &id), -1);
    assert_int_equal(backups_key_parse("s3:", &id), -1);
    assert_int_equal(backups_key_parse("s3:../../etc/passwd", &id), -1);
    assert_int_equal(backups_key_parse("ftp:" NEW, &id), -1);
}

static void lines_never_pass_their_size(void **state)
{
    struct backups_row r = {.row = settled(NEW, BACKUP_INCOMPLETE, 5)};
    char small[24];

    (void)state;
    memset(r.row.summary.reason, 'x', sizeof(r.row.summary.reason) - 1);
    (void)snprintf(r.verified, sizeof(r.verified), "-");
    r.row.summary.type_count = BACKUP_TYPES_MAX;
    for (size_t i = 0; i < BACKUP_TYPES_MAX; i++)
        (void)snprintf(r.row.summary.types[i].name, sizeof(r.row.summary.types[i].name), "t%zu", i);
    assert_true(strlen(backups_state_line(small, sizeof(small), &r, 0)) < sizeof(small));
    assert_true(strlen(backups_keys_line(small, sizeof(small), &r)) < sizeof(small));
    assert_true(strlen(backups_about_line(small, sizeof(small), &r)) < sizeof(small));
    assert_true(strlen(backups_time_line(small, sizeof(small), &r)) < sizeof(small));
    assert_true(strlen(backups_verify_line(small, sizeof(small), &r)) < sizeof(small));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_both_places_are_merged_newest_first),
        cmocka_unit_test(what_was_read_stays_with_a_row_that_did_not_change),
        cmocka_unit_test(incomplete_ones_are_asked_again),
        cmocka_unit_test(jobs_tell_who_writes_and_what_was_verified),
        cmocka_unit_test(corrupt_ones_cannot_be_used),
        cmocka_unit_test(keys_are_taken_apart_and_nothing_else_passes),
        cmocka_unit_test(lines_never_pass_their_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
