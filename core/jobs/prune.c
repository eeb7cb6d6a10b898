#include "core/jobs/prune.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/jobs/info.h"
#include "core/jobs/jobdir.h"

/* Locked, renamed out of sight, removed: nobody sees half a job, and nobody can resume it halfway.
 */
static bool remove_job(const char *state_dir, const char *id, struct error *err)
{
    struct jobdir d = {.lock_fd = -1};
    if (!jobdir_open(&d, state_dir, id, err))
        return false;
    char *root = jobdir_root(state_dir);
    char *hidden = mem_format("%s/.gone-%s-%ld", root, id, (long)getpid());
    bool ok = rename(d.path, hidden) == 0 ||
              error_set_errno(err, ERROR_STORAGE, errno, "remove %s", d.path);
    ok = ok && file_remove_tree(hidden, err);
    jobdir_close(&d);
    free(hidden);
    free(root);
    return ok;
}

/* Hidden directories of creations and removals that died halfway. */
static bool sweep_hidden(const char *root, struct error *err)
{
    char **names = NULL;
    size_t count = 0;
    if (!file_list(root, &names, &count, err))
        return false;
    bool ok = true;
    for (size_t i = 0; i < count && ok; i++) {
        char *path = file_join(root, names[i]);
        bool new_one = str_starts(str_from(names[i]), ".new-");
        bool old_one = str_starts(str_from(names[i]), ".gone-");
        char *lock = file_join(path, "lock");
        /* Without a lock file it may be a creation that is under way at this very moment. */
        if ((new_one && file_exists(lock) && !jobdir_is_locked(path)) || old_one)
            ok = file_remove_tree(path, err);
        free(lock);
        free(path);
    }
    file_list_free(names, count);
    return ok;
}

static bool too_young(const struct prune_spec *spec, const struct job_info *info)
{
    int64_t last = info->ended_ms > 0 ? info->ended_ms : info->updated_ms;
    last = last > 0 ? last : info->started_ms;
    return spec->keep_ms > 0 && last > 0 && spec->now_ms - last < spec->keep_ms;
}

/* Settings of servers that a restore could not put back: `doctor --fix` needs the directory. */
static bool has_debts(const struct prune_spec *spec, const struct job_info *info)
{
    char *dir = jobdir_path(spec->state_dir, info->id);
    char *path = dir == NULL ? NULL : file_join(dir, "tune.json");
    bool has = path != NULL && file_exists(path);
    free(path);
    free(dir);
    return has;
}

static bool may_go(const struct prune_spec *spec, const struct job_info *info, uint32_t newer)
{
    if (job_state_is_live(info->state) || newer == 0 || has_debts(spec, info))
        return false;
    if (spec->only != NULL)
        return strcmp(spec->only, info->id) == 0;
    return newer >= (spec->keep > 0 ? spec->keep : 1) && !too_young(spec, info);
}

static uint32_t number_of(const struct job_info *info)
{
    enum job_kind kind = JOB_BACKUP;
    uint32_t number = 0;
    (void)job_id_parse(str_from(info->id), &kind, &number);
    return number;
}

/* How many jobs of the same kind have a higher number. */
static uint32_t count_newer(const struct job_list *list, const struct job_info *info)
{
    uint32_t newer = 0;
    for (size_t i = 0; i < list->count; i++)
        newer += list->items[i]->kind == info->kind && number_of(list->items[i]) > number_of(info);
    return newer;
}

static bool check_only(const struct prune_spec *spec, const struct job_list *list,
                       struct error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct job_info *info = list->items[i];
        if (strcmp(info->id, spec->only) != 0)
            continue;
        if (job_state_is_live(info->state)) {
            return error_set(err, ERROR_REFUSED, 0, "%s is %s", info->id,
                             job_state_name(info->state));
        }
        if (count_newer(list, info) == 0) {
            return error_set(err, ERROR_REFUSED, 0,
                             "%s is the newest %s job: it stays, so that its id is not used again",
                             info->id, job_kind_name(info->kind));
        }
        return true;
    }
    return error_set(err, ERROR_NOT_FOUND, 0, "no job %s", spec->only);
}

bool prune_jobs(const struct prune_spec *spec, json_t **removed, struct error *err)
{
    struct job_list list;
    *removed = json_array();
    if (!job_list_read(spec->state_dir, &list, err))
        return false;
    bool ok = spec->only == NULL || check_only(spec, &list, err);
    for (size_t i = 0; i < list.count && ok; i++) {
        const struct job_info *info = list.items[i];
        if (!may_go(spec, info, count_newer(&list, info)))
            continue;
        ok = spec->dry_run || remove_job(spec->state_dir, info->id, err);
        if (ok)
            json_push(*removed, json_string(info->id));
    }
    if (ok && !spec->dry_run) {
        char *root = jobdir_root(spec->state_dir);
        ok = !file_exists(root) || sweep_hidden(root, err);
        free(root);
    }
    job_list_release(&list);
    return ok;
}
