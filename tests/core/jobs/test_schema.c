/* What a job writes is what docs/schema says: each file of a real run against its schema, by the
 * few keywords that these schemas use. */
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
#include "tests/harness/tmpdir.h"

static bool has_type(const json_t *value, const char *type)
{
    return (strcmp(type, "object") == 0 && json_is_object(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(type, "null") == 0 && json_is_null(value));
}

static bool one_of(const json_t *list, const json_t *value, bool types)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *one = json_array_get(list, i);
        if (types ? has_type(value, json_string_value(one)) : json_equal(one, value) != 0)
            return true;
    }
    return false;
}

static void check(const json_t *schema, json_t *value, const char *where);

static void check_members(const json_t *schema, json_t *value, const char *where)
{
    json_t *properties = json_object_get(schema, "properties");
    json_t *required = json_object_get(schema, "required");
    const char *name = NULL;
    json_t *member = NULL;
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *needed = json_string_value(json_array_get(required, i));
        if (json_object_get(value, needed) == NULL)
            fail_msg("%s: %s is missing", where, needed);
    }
    json_object_foreach(value, name, member)
    {
        const json_t *its = json_object_get(properties, name);
        if (its == NULL && properties != NULL)
            fail_msg("%s: %s is not in the schema", where, name);
        check(its, member, name);
    }
}

static void check(const json_t *schema, json_t *value,
                  const char *where) /* NOLINT(misc-no-recursion) */
{
    json_t *type = json_object_get(schema, "type");
    json_t *constant = json_object_get(schema, "const");
    json_t *values = json_object_get(schema, "enum");
    if ((json_is_string(type) && !has_type(value, json_string_value(type))) ||
        (json_is_array(type) && !one_of(type, value, true)) ||
        (constant != NULL && json_equal(constant, value) == 0) ||
        (values != NULL && !one_of(values, value, false)) ||
        (json_is_integer(value) &&
         json_integer_value(value) < json_int(schema, "minimum", INT64_MIN)))
        fail_msg("%s does not fit its schema", where);
    for (size_t i = 0; i < json_array_size(value); i++)
        check(json_object_get(schema, "items"), json_array_get(value, i), where);
    if (json_is_object(value) && json_object_get(schema, "properties") != NULL)
        check_members(schema, value, where);
}

static void check_text(const char *schema_name, struct str text)
{
    struct error err = {0};
    json_t *schema = json_read_file(schema_name, (size_t)1 << 20, &err);
    json_t *doc = json_parse(text, schema_name, &err);
    if (schema == NULL || doc == NULL)
        fail_msg("%s", err.text);
    check(schema, doc, schema_name);
    json_decref(schema);
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
