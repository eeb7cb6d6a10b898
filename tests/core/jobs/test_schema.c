/* What a job writes is what docs/schema says: each file of a real run against its schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "core/jobs/audit.h"
#include "core/jobs/job.h"
#include "tests/harness/schema.h"
#include "tests/harness/tmpdir.h"

static void check_text(const char *schema_name, struct str text)
{
    struct error err = {0};
    json_t *doc = json_parse(text, schema_name, &err);
    if (doc == NULL)
        fail_msg("%s", err.text);
    schema_expect(schema_name, doc);
    json_decref(doc);
}

static void check_file(const char *schema_name, const char *path, bool lines)
{
    size_t len = 0;
    char *text = tmpdir_read(path, &len);
    assert_non_null(text);
    struct str rest = {text, len};
    struct str line;
    size_t seen = 0;
    while (lines && str_split(&rest, '\n', &line)) {
        if (line.len > 0) {
            check_text(schema_name, line);
            seen++;
        }
    }
    if (!lines) {
        check_text(schema_name, (struct str){text, len});
        seen++;
    }
    assert_true(seen > 0);
    free(text);
}

static bool body(struct task *t, void *ctx, json_t *result, struct error *err)
{
    (void)ctx;
    (void)result;
    task_row(t, 0, "A", 1, 2);
    task_row_state(t, 0, "failed");
    task_counter(t, "ttl", 3);
    task_note(t, TASK_WARN, "careful");
    task_ledger(t, STR("k"), "unreadable", "NOPERM");
    task_ledger(t, STR("\xff"), "unreadable", NULL);
    return task_step(t, "scan", NULL, err) && error_set(err, ERROR_STORAGE, 28, "disk full");
}

static void every_file_fits_its_schema(void **unused)
{
    (void)unused;
    struct error err = {0};
    const char *dir = tmpdir_new();
    struct job_spec spec = {.kind = JOB_RESTORE, .state_dir = dir, .env = "local", .id_fd = -1};
    assert_int_equal(job_run(&spec, body, NULL, NULL, &err), 6);
    check_file("docs/schema/job.schema.json", tmpdir_path(dir, "jobs/R-0001/job.json"), false);
    check_file("docs/schema/job-progress.schema.json",
               tmpdir_path(dir, "jobs/R-0001/progress.json"), false);
    check_file("docs/schema/job-result.schema.json", tmpdir_path(dir, "jobs/R-0001/result.json"),
               false);
    check_file("docs/schema/job-journal-line.schema.json",
               tmpdir_path(dir, "jobs/R-0001/journal.jsonl"), true);
    check_file("docs/schema/job-failed-line.schema.json",
               tmpdir_path(dir, "jobs/R-0001/failed.jsonl"), true);
    struct audit_entry e = {.action = "restore", .phase = "begin", .duration_ms = -1};
    assert_true(audit_append(dir, &e, &err));
    check_file("docs/schema/audit-line.schema.json", tmpdir_path(dir, "audit.jsonl"), true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_fits_its_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
