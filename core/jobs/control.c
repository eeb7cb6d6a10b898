#include "core/jobs/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/jobs/info.h"
#include "core/jobs/jobdir.h"
#include "core/jobs/jobfile.h"

#define CONTROL_BYTES_MAX 65536
#define CONTROL_WAIT_MS 2000

bool control_parse(struct str text, struct control *out, struct error *err)
{
    json_t *doc = json_parse(text, "control.json", err);
    if (doc == NULL)
        return false;
    int64_t seq = json_int(doc, "seq", 0);
    int64_t rate = json_int(doc, "rate", 0);
    int64_t cancel = json_int(doc, "cancel", 0);
    bool ok = json_is_object(doc) && seq >= 0 && rate >= 0 && cancel >= 0 && cancel <= 2 &&
              json_int(doc, "v", 0) == 1;
    if (ok) {
        *out = (struct control){
            .seq = (uint64_t)seq,
            .pause = json_flag(doc, "pause", false),
            .cancel = (int)cancel,
            .rate = (uint64_t)rate,
        };
        (void)str_copy(str_from(json_text(doc, "run_id", "")), out->run_id, sizeof(out->run_id));
        (void)str_copy(str_from(json_text(doc, "by", "")), out->by, sizeof(out->by));
    }
    json_decref(doc);
    return ok || error_set(err, ERROR_CORRUPT, 0, "control.json: a value is out of its range");
}

json_t *control_to_json(const struct control *c)
{
    json_t *doc = json_object();
    json_put_int(doc, "v", 1);
    json_put_int(doc, "seq", (int64_t)c->seq);
    json_put_text(doc, "run_id", c->run_id);
    json_put_flag(doc, "pause", c->pause);
    json_put_int(doc, "rate", (int64_t)c->rate);
    json_put_int(doc, "cancel", c->cancel);
    json_put_text(doc, "by", c->by);
    return doc;
}

static void apply(struct control *c, enum control_order order, uint64_t value)
{
    switch (order) {
    case CONTROL_PAUSE:
        c->pause = true;
        break;
    case CONTROL_RESUME:
        c->pause = false;
        break;
    case CONTROL_RATE:
        c->rate = value > INT64_MAX ? INT64_MAX : value;
        break;
    case CONTROL_CANCEL:
        c->cancel = c->cancel > 1 ? c->cancel : 1;
        break;
    case CONTROL_CANCEL_NOW:
        c->cancel = 2;
        break;
    case CONTROL_ORDERS:
        break;
    }
}

/* The wish that stands, or an empty one for this run. A damaged file counts as none, but numbers
 * must go on rising past what the job has already obeyed. */
static void read_current(const char *file, const struct job_info *info, struct control *c)
{
    struct buf text;
    struct error ignored = {0};
    buf_init(&text, CONTROL_BYTES_MAX);
    *c = (struct control){0};
    bool ok = file_read(file, &text, &ignored) && control_parse(buf_str(&text), c, &ignored);
    buf_release(&text);
    if (!ok || strcmp(c->run_id, info->run_id) != 0) {
        uint64_t seq = ok ? c->seq : 0;
        *c = (struct control){.seq = seq};
        (void)str_copy(str_from(info->run_id), c->run_id, sizeof(c->run_id));
    }
    if (c->seq < info->control_seq)
        c->seq = info->control_seq;
}

static bool change(const char *path, const struct job_info *info, enum control_order order,
                   uint64_t value, struct control *c, struct error *err)
{
    char *file = file_join(path, "control.json");
    char by[sizeof(c->by)];
    memcpy(by, c->by, sizeof(by));
    read_current(file, info, c);
    memcpy(c->by, by, sizeof(by));
    apply(c, order, value);
    c->seq++;
    json_t *doc = control_to_json(c);
    bool ok = jobfile_replace(file, doc, jobfile_mode_like(path), true, err);
    json_decref(doc);
    free(file);
    return ok;
}

static int lock_directory(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        (void)error_set_errno(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_STORAGE, errno,
                              "open %s", path);
        return -1;
    }
    if (!jobfile_flock(fd, LOCK_EX, CONTROL_WAIT_MS)) {
        (void)error_set(err, ERROR_LOCKED, 0, "%s: another console holds the job's controls", path);
        (void)close(fd);
        return -1;
    }
    return fd;
}

bool control_send(const char *state_dir, const char *id, enum control_order order, uint64_t value,
                  const char *by, uint64_t *seq, struct error *err)
{
    struct job_info *info = job_info_read(state_dir, id, err);
    if (info == NULL)
        return false;
    char *path = jobdir_path(state_dir, id);
    struct control c = {0};
    bool ok = false;
    int fd = -1;
    if (path == NULL || !job_state_is_live(info->state)) {
        (void)error_set(err, ERROR_REFUSED, 0, "%s does not run: it is %s", id,
                        job_state_name(info->state));
        goto out;
    }
    fd = lock_directory(path, err);
    if (fd < 0)
        goto out;
    (void)str_copy(str_from(by), c.by, sizeof(c.by));
    ok = change(path, info, order, value, &c, err);
    (void)close(fd);
    if (ok && seq != NULL)
        *seq = c.seq;
out:
    free(path);
    job_info_unref(info);
    return ok;
}
