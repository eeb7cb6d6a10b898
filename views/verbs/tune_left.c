#include "views/verbs/tune_left.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/jobs/job.h"

static bool is_of_env(const struct tune_left *t, const char *id)
{
    struct error ignored = {0};
    json_t *job = job_load(t->state_dir, id, &ignored);
    bool fits = job != NULL && strcmp(json_text(job, "env", ""), t->env) == 0;

    json_decref(job);
    return fits;
}

static void look_at(const struct tune_left *t, const char *id, const char *dir, const char *path,
                    tune_left_told told, void *arg)
{
    struct restore_tune_end end = {0};
    struct error err = {0};
    bool own = t->own != NULL && strcmp(t->own, id) == 0;

    if (!file_exists(path) || (!own && jobdir_is_locked(dir)) || !is_of_env(t, id))
        return;
    if (restore_tune_mend(path, t->target, t->fix, &end, &err))
        told(arg, id, &end, NULL);
    else
        told(arg, id, &end, &err);
}

void tune_left_each(const struct tune_left *t, tune_left_told told, void *arg)
{
    char *root = jobdir_root(t->state_dir);
    struct error ignored = {0};
    char **names = NULL;
    size_t count = 0;

    if (!file_list(root, &names, &count, &ignored))
        count = 0; /* no job was ever run */
    for (size_t i = 0; i < count; i++) {
        char *dir = jobdir_path(t->state_dir, names[i]);
        char *path = dir == NULL ? NULL : file_join(dir, RESTORE_TUNE_FILE);

        if (path != NULL)
            look_at(t, names[i], dir, path, told, arg);
        free(path);
        free(dir);
    }
    file_list_free(names, count);
    free(root);
}

static void note(void *task, const char *job, const struct restore_tune_end *end,
                 const struct error *err)
{
    if (err != NULL)
        task_note(task, TASK_ERROR, "%s: %s", job, err->text);
    else if (end->left > 0)
        task_note(task, TASK_WARN, "%zu settings that %s (--tune) changed are not put back: %s",
                  end->left, job, end->why);
    else
        task_note(task, TASK_WARN, "put back %zu settings that %s (--tune) had left changed",
                  end->put_back, job);
}

void tune_left_mend(const struct tune_left *t, struct task *task)
{
    tune_left_each(t, note, task);
}
