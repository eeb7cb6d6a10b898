#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/archive/archive_again.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/map.h"
#include "core/config/config.h"
#include "core/jobs/info.h"
#include "views/verbs/doctor.h"

#define NAME "unfinished backups"
#define PARTIAL ".partial"
#define DAY_MS ((int64_t)24 * 3600 * 1000)

/* When the newest of the two was last written; 0: neither is there. */
static int64_t touched_ms(const char *dir, const char *id)
{
    char *paths[] = {archive_tree_path(dir, id, false), archive_file_path(dir, id, false)};
    int64_t newest = 0;

    for (size_t i = 0; i < 2; i++) {
        struct stat st;
        int64_t at;

        if (stat(paths[i], &st) == 0) {
            at = (int64_t)st.st_mtim.tv_sec * 1000 + 1;
            newest = at > newest ? at : newest;
        }
        free(paths[i]);
    }
    return newest;
}

static void remove_old(struct doctor *d, const struct job_info *job, const char *dir,
                       const char *id)
{
    struct error err = {0};

    if (archive_remove_partial(dir, id, &err))
        doctor_check(d, DOCTOR_OK, NAME, "%s: what it had left of %s was removed", job->id, id);
    else
        doctor_check(d, DOCTOR_FAIL, NAME, "%s: %s", job->id, err.text);
}

static void look_at_job(struct doctor *d, const struct job_info *job, struct map *known)
{
    const char *dir = json_text(job->options, "backup_dir", NULL);
    const char *id = json_text(job->options, "backup_id", NULL);
    int64_t touched;

    if (job->kind != JOB_BACKUP || dir == NULL || id == NULL)
        return;
    (void)map_put(known, str_from(id), d);
    touched = touched_ms(dir, id);
    if (touched == 0 || job_state_is_live(job->state))
        return;
    if (d->fix && clock_real_ms() - touched > DAY_MS)
        remove_old(d, job, dir, id);
    else
        doctor_check(d, DOCTOR_WARN, NAME,
                     "%s (%s) left %s/%s" PARTIAL ": go on with rbconsole -e %s backup --resume "
                     "%s; --fix removes it once it is a day old",
                     job->id, job_state_name(job->state), dir, id, job->env, job->id);
}

/* Those of which no job here tells are named, never removed: they may be another console's. */
static void look_at_strangers(struct doctor *d, const char *dir, const struct map *known)
{
    struct error ignored = {0};
    char **names = NULL;
    size_t count = 0;

    if (dir == NULL || !file_exists(dir) || !file_list(dir, &names, &count, &ignored))
        return;
    for (size_t i = 0; i < count; i++) {
        struct str id = str_from(names[i]);

        if (!str_starts(id, "redis-backup-") || !str_ends(id, PARTIAL))
            continue;
        id.len -= strlen(PARTIAL);
        if (str_ends(id, ".tar.gz"))
            id.len -= strlen(".tar.gz");
        if (map_get(known, id) == NULL)
            doctor_check(d, DOCTOR_WARN, NAME, "%s/%s belongs to no job of this state directory",
                         dir, names[i]);
    }
    file_list_free(names, count);
}

void doctor_look_at_backups(struct doctor *d)
{
    struct map *known = map_new();
    struct job_list jobs = {0};
    struct error err = {0};
    size_t before = d->check_count;
    char dir[4096] = "";

    if (d->state_dir == NULL || !job_list_read(d->state_dir, &jobs, &err)) {
        map_free(known, NULL);
        return;
    }
    for (size_t i = 0; i < jobs.count; i++)
        look_at_job(d, jobs.items[i], known);
    config_show(d->inv->config, d->inv->env, "storage.backup_dir", dir, sizeof(dir));
    look_at_strangers(d, dir, known);
    if (d->check_count == before)
        doctor_check(d, DOCTOR_OK, NAME, "none");
    job_list_release(&jobs);
    map_free(known, NULL);
}
