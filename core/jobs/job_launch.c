#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/jobs/job_internal.h"
#include "core/jobs/jobfile.h"

static const char *const secret_words[] = {"password", "passwd",     "secret",
                                           "token",    "credential", "auth_key"};

static bool sounds_secret(const char *name)
{
    if (str_ends(str_from(name), "_file") || str_ends(str_from(name), "-file"))
        return false;
    for (size_t i = 0; i < COUNT_OF(secret_words); i++)
        if (strcasestr(name, secret_words[i]) != NULL)
            return true;
    return false;
}

static void mask_object(json_t *doc)
{
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(doc, name, value)
    {
        if (json_is_string(value) && sounds_secret(name))
            (void)json_string_set(value, "***");
        else
            job_mask_secrets(value);
    }
}

/* As deep as our own option documents go; json_parse refuses anything deeper than 32. */
void job_mask_secrets(json_t *doc) /* NOLINT(misc-no-recursion) */
{
    if (json_is_object(doc))
        mask_object(doc);
    for (size_t i = 0; i < json_array_size(doc); i++)
        job_mask_secrets(json_array_get(doc, i));
}

/* A console that went away cannot be told; the job goes on without it. */
static void tell_id(int fd, const char *id)
{
    struct error ignored = {0};
    char *line = mem_format("%s\n", id);
    if (!file_write_all(fd, str_from(line), &ignored))
        log_write(LOG_LEVEL_WARN, "jobs", "%s: nobody asked for the id any more", id);
    free(line);
    (void)close(fd);
}

bool job_announce(const struct job_spec *spec, struct jobdir *dir, struct error *err)
{
    if (spec->id_fd < 0)
        return true;
    char *path = file_join(dir->path, "output.log");
    int fd = jobfile_open_append(path, dir->shared ? 0660 : 0600, err);
    bool ok = fd >= 0;
    if (ok && (dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0))
        ok = error_set_errno(err, ERROR_INTERNAL, errno, "send the output to %s", path);
    if (fd >= 0)
        (void)close(fd);
    free(path);
    if (ok)
        tell_id(spec->id_fd, dir->id);
    return ok;
}
