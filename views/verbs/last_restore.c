#include "views/verbs/last_restore.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/jobs/job.h"

#define FILE_MAX ((size_t)64 << 20)

static json_t *read_file(const char *jobs, const char *id, const char *name)
{
    char *dir = file_join(jobs, id);
    char *path = file_join(dir, name);
    struct error ignored = {0};
    json_t *doc = json_read_file(path, FILE_MAX, &ignored);

    free(path);
    free(dir);
    return doc;
}

static bool fits(const json_t *job, const json_t *result, const char *env, const char *backup_id)
{
    const json_t *report = json_object_get(result, "report");

    return strcmp(json_text(job, "env", ""), env) == 0 &&
           strcmp(json_text(report, "backup_id", ""), backup_id) == 0 &&
           json_is_object(json_object_get(report, "restore"));
}

/* A restore that was resumed began with its first run. */
static const char *first_start(const json_t *job)
{
    const json_t *runs = json_object_get(job, "runs");

    return json_text(json_array_get(runs, 0), "started", json_text(job, "started", ""));
}

static bool read_restore(const char *jobs, const char *id, const char *env, const char *backup_id,
                         struct verify_restored *out)
{
    json_t *job = read_file(jobs, id, "job.json");
    json_t *result = read_file(jobs, id, "result.json");
    struct verify_restored found = {.known = true};
    bool ok =
        job != NULL && result != NULL && fits(job, result, env, backup_id) &&
        format_parse_utc(str_from(first_start(job)), &found.from_ms) &&
        format_parse_utc(str_from(json_text(result, "ended", "")), &found.to_ms) &&
        restore_ttl_parse(json_text(json_object_get(job, "options"), "ttl", ""), &found.ttl) &&
        found.to_ms > out->to_ms;

    if (ok) {
        *out = found;
        out->kept_some = json_int(json_object_get(json_object_get(result, "report"), "restore"),
                                  "existing", 0) > 0;
    }
    json_decref(job);
    json_decref(result);
    return ok;
}

void last_restore_find(const char *state_dir, const char *env, const char *backup_id,
                       struct verify_restored *out, char *id)
{
    char *jobs = file_join(state_dir, "jobs");
    struct error ignored = {0};
    char **names = NULL;
    size_t count = 0;

    *out = (struct verify_restored){0};
    id[0] = '\0';
    if (backup_id[0] != '\0' && file_list(jobs, &names, &count, &ignored)) {
        for (size_t i = 0; i < count; i++) {
            enum job_kind kind;
            uint32_t number;

            if (job_id_parse(str_from(names[i]), &kind, &number) && kind == JOB_RESTORE &&
                read_restore(jobs, names[i], env, backup_id, out))
                (void)str_copy(str_from(names[i]), id, JOB_ID_MAX);
        }
        file_list_free(names, count);
    }
    free(jobs);
}
