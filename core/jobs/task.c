#include "core/jobs/task.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/base64.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/jobs/journal.h"
#include "core/jobs/task_internal.h"

#define NOTE_MAX 2000
#define LEDGER_KEY_MAX 16384
#define LINE_MAX_BYTES JOURNAL_LINE_MAX
#define PAUSE_SLICE_MS 200

/* ---- creation ---------------------------------------------------------------------------------
 */

static struct task *new_task(void)
{
    struct task *t = mem_zero(1, sizeof(*t));
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&t->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)pthread_mutex_init(&t->lock, NULL);
    progress_init(&t->progress);
    t->journal_fd = -1;
    t->ledger_fd = -1;
    return t;
}

struct task *task_new_plain(void)
{
    struct task *t = new_task();
    (void)rng_hex(t->run_id, sizeof(t->run_id) - 1);
    t->steps = json_array();
    return t;
}

/* The step lines that earlier runs left, and how many ledger lines. */
static bool read_steps(struct task *t, struct error *err)
{
    char *path = file_join(t->dir->path, "journal.jsonl");
    struct journal *j = journal_open(path, SIZE_MAX, err);
    free(path);
    if (j == NULL)
        return false;
    struct journal_line line;
    while (journal_next(j, &line)) {
        if (json_is_string(json_object_get(line.doc, "step")))
            json_push(t->steps, json_incref(line.doc));
        journal_line_release(&line);
    }
    journal_free(j);
    path = file_join(t->dir->path, "failed.jsonl");
    j = journal_open(path, SIZE_MAX, err);
    free(path);
    if (j == NULL)
        return false;
    while (journal_next(j, &line)) {
        t->ledger_count++;
        journal_line_release(&line);
    }
    journal_free(j);
    return true;
}

struct task *task_new_job(struct jobdir *dir, const struct job_spec *spec, const char *run_id,
                          struct error *err)
{
    struct task *t = new_task();
    t->dir = dir;
    t->spec = spec;
    (void)str_copy(str_from(run_id), t->run_id, sizeof(t->run_id));
    t->steps = json_array();
    bool ok = spec->resume == NULL || read_steps(t, err);
    if (ok) {
        t->journal_fd = jobdir_open_append(dir, "journal.jsonl", err);
        ok = t->journal_fd >= 0;
    }
    if (ok) {
        t->ledger_fd = jobdir_open_append(dir, "failed.jsonl", err);
        ok = t->ledger_fd >= 0;
    }
    if (!ok) {
        task_free(t);
        return NULL;
    }
    return t;
}

void task_free(struct task *t)
{
    if (t == NULL)
        return;
    if (t->journal_fd >= 0)
        (void)close(t->journal_fd);
    if (t->ledger_fd >= 0)
        (void)close(t->ledger_fd);
    lock_release(t->claim);
    json_decref(t->steps);
    progress_release(&t->progress);
    (void)pthread_cond_destroy(&t->wake);
    (void)pthread_mutex_destroy(&t->lock);
    free(t);
}

/* ---- whether to go on -------------------------------------------------------------------------
 */

void task_want(struct task *t, bool paused, int cancel)
{
    (void)pthread_mutex_lock(&t->lock);
    if (atomic_load(&t->paused) != paused || atomic_load(&t->cancel) < cancel)
        t->dirty = true;
    atomic_store(&t->paused, paused);
    if (atomic_load(&t->cancel) < cancel)
        atomic_store(&t->cancel, cancel);
    (void)pthread_cond_broadcast(&t->wake);
    (void)pthread_mutex_unlock(&t->lock);
}

bool task_cancelled(struct task *t)
{
    return atomic_load(&t->cancel) > 0;
}

void task_cancel(struct task *t)
{
    task_want(t, atomic_load(&t->paused), 1);
}

static void wait_a_slice(struct task *t)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PAUSE_SLICE_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&t->wake, &t->lock, &until);
}

bool task_checkpoint(struct task *t, struct error *err)
{
    task_goes_on(t);
    if (atomic_load(&t->paused)) {
        (void)pthread_mutex_lock(&t->lock);
        while (atomic_load(&t->paused) && !task_cancelled(t))
            wait_a_slice(t);
        (void)pthread_mutex_unlock(&t->lock);
    }
    return !task_cancelled(t) || error_set(err, ERROR_CANCELLED, 0, "cancelled by the operator");
}

uint64_t task_rate(struct task *t)
{
    return atomic_load(&t->rate);
}

enum job_state task_state(struct task *t)
{
    if (task_cancelled(t))
        return JOB_CANCELLING;
    return atomic_load(&t->paused) ? JOB_PAUSED : JOB_RUNNING;
}

/* ---- progress ---------------------------------------------------------------------------------
 */

#define WITH_PROGRESS(t, change)                \
    do {                                        \
        (void)pthread_mutex_lock(&(t)->lock);   \
        change;                                 \
        (t)->dirty = true;                      \
        (void)pthread_mutex_unlock(&(t)->lock); \
    } while (0)

void task_stage(struct task *t, const char *stage)
{
    WITH_PROGRESS(t, (void)str_copy(str_from(stage), t->progress.stage, sizeof(t->progress.stage)));
}

void task_unit(struct task *t, const char *unit)
{
    WITH_PROGRESS(t, (void)str_copy(str_from(unit), t->progress.unit, sizeof(t->progress.unit)));
}

void task_row(struct task *t, size_t row, const char *name, uint64_t done, uint64_t total)
{
    task_goes_on(t);
    WITH_PROGRESS(t, progress_set_row(&t->progress, row, name, done, total));
}

void task_row_name(struct task *t, size_t row, const char *name)
{
    WITH_PROGRESS(t, progress_set_name(&t->progress, row, name));
}

void task_row_state(struct task *t, size_t row, const char *word)
{
    WITH_PROGRESS(t, progress_set_word(&t->progress, row, word));
}

void task_total(struct task *t, uint64_t done, uint64_t total)
{
    WITH_PROGRESS(t, progress_set_total(&t->progress, done, total));
}

void task_counter(struct task *t, const char *name, int64_t value)
{
    WITH_PROGRESS(t, progress_set_counter(&t->progress, name, value));
}

void task_count(struct task *t, const char *name, int64_t more)
{
    WITH_PROGRESS(t, progress_add_counter(&t->progress, name, more));
}

json_t *task_progress_doc(struct task *t, struct progress *view)
{
    char time[FORMAT_MAX];
    enum job_state state = task_state(t);
    (void)pthread_mutex_lock(&t->lock);
    progress_tick(&t->progress, clock_mono_ms(), state == JOB_PAUSED);
    task_waits_show(t);
    progress_copy(view, &t->progress);
    t->dirty = false;
    (void)pthread_mutex_unlock(&t->lock);
    json_t *doc = json_object();
    json_put_int(doc, "v", 1);
    json_put_text(doc, "id", task_id(t));
    json_put_text(doc, "run_id", t->run_id);
    json_put_text(doc, "state", job_state_name(state));
    json_put_text(doc, "updated", format_rfc3339_ms(time, sizeof(time), clock_real_ms()));
    json_put_int(doc, "control_seq", (int64_t)atomic_load(&t->control_seq));
    json_put_int(doc, "rate_limit", (int64_t)atomic_load(&t->rate));
    json_put_int(doc, "failed", (int64_t)atomic_load(&t->ledger_count));
    json_put_int(doc, "warnings", (int64_t)atomic_load(&t->warnings));
    json_put_int(doc, "lost_lines", (int64_t)atomic_load(&t->lost));
    json_t *rest = progress_to_json(view);
    (void)json_object_update(doc, rest);
    json_decref(rest);
    return doc;
}

/* ---- journal and ledger -----------------------------------------------------------------------
 */

json_t *task_line(const char *level)
{
    char time[FORMAT_MAX];
    json_t *doc = json_object();
    json_put_text(doc, "time", format_rfc3339_ms(time, sizeof(time), clock_real_ms()));
    json_put_text(doc, "level", level);
    return doc;
}

static bool append(struct task *t, int fd, const json_t *doc, struct error *err)
{
    struct buf text;
    buf_init(&text, LINE_MAX_BYTES);
    bool ok = json_print(doc, false, &text, err) && buf_byte(&text, '\n', err) &&
              jobdir_append(t->dir, fd, buf_str(&text), err);
    buf_release(&text);
    if (!ok && atomic_fetch_add(&t->lost, 1) == 0)
        log_write(LOG_LEVEL_ERROR, "jobs", "%s: a journal line is lost: %s", task_id(t), err->text);
    return ok;
}

bool task_journal(struct task *t, json_t *doc, struct error *err)
{
    bool ok = t->journal_fd < 0 || append(t, t->journal_fd, doc, err);
    json_decref(doc);
    return ok;
}

void task_note(struct task *t, enum task_level level, const char *fmt, ...)
{
    static const char *const levels[] = {"info", "warn", "error"};
    char raw[NOTE_MAX];
    char shown[NOTE_MAX * 2];
    struct error ignored = {0};
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(raw, sizeof(raw), fmt, args);
    va_end(args);
    if (level != TASK_INFO)
        (void)atomic_fetch_add(&t->warnings, 1);
    json_t *doc = task_line(levels[level]);
    json_put_text(doc, "text", escape_text(shown, sizeof(shown), str_from(raw)));
    (void)task_journal(t, doc, &ignored);
}

bool task_step(struct task *t, const char *name, json_t *detail, struct error *err)
{
    json_t *doc = task_line("step");
    json_put_text(doc, "step", name);
    json_put_text(doc, "run_id", t->run_id);
    (void)json_object_update_missing(doc, detail);
    json_decref(detail);
    bool ok = task_journal(t, doc, err);
    if (ok && t->journal_fd >= 0)
        ok = jobdir_sync(t->dir, t->ledger_fd, err) && jobdir_sync(t->dir, t->journal_fd, err);
    return ok || error_wrap(err, "step %s", name);
}

json_t *task_steps(struct task *t)
{
    return json_deep_copy(t->steps);
}

static void put_key(json_t *doc, struct str key)
{
    struct str kept = str_slice(key, 0, LEDGER_KEY_MAX);
    if (kept.len < key.len) {
        json_put_int(doc, "key_bytes", (int64_t)key.len);
    } else if (str_is_text(key)) {
        json_put_str(doc, "key", key);
        return;
    }
    struct buf text;
    struct error ignored = {0};
    buf_init(&text, 2 * (size_t)LEDGER_KEY_MAX);
    if (base64_encode(&text, kept, &ignored))
        json_put_str(doc, kept.len < key.len ? "key_start_b64" : "key_b64", buf_str(&text));
    buf_release(&text);
}

void task_ledger(struct task *t, struct str key, const char *reason, const char *detail)
{
    struct error ignored = {0};
    (void)atomic_fetch_add(&t->ledger_count, 1);
    WITH_PROGRESS(t, (void)0);
    if (t->ledger_fd < 0)
        return;
    json_t *doc = task_line("key");
    put_key(doc, key);
    json_put_text(doc, "reason", reason);
    if (detail != NULL) {
        char shown[NOTE_MAX];
        json_put_text(doc, "detail", escape_text(shown, sizeof(shown), str_from(detail)));
    }
    (void)append(t, t->ledger_fd, doc, &ignored);
    json_decref(doc);
}

uint64_t task_ledger_count(struct task *t)
{
    return atomic_load(&t->ledger_count);
}

bool task_ledger_read(const struct task *t, uint64_t from, void (*take)(void *arg, const json_t *),
                      void *arg, bool *whole, struct error *err)
{
    struct journal_line line;
    if (t->dir == NULL)
        return error_set(err, ERROR_NOT_FOUND, 0, "there is no job");
    char *path = file_join(t->dir->path, "failed.jsonl");
    struct journal *j = journal_open(path, SIZE_MAX, err);
    free(path);
    if (j == NULL)
        return false;
    for (uint64_t i = 0; journal_next(j, &line); i++) {
        if (i >= from)
            take(arg, line.doc);
        journal_line_release(&line);
    }
    *whole = journal_skipped(j) == 0;
    journal_free(j);
    return true;
}

const char *task_dir(const struct task *t)
{
    return t->dir != NULL ? t->dir->path : NULL;
}

const char *task_id(const struct task *t)
{
    return t->dir != NULL ? t->dir->id : "";
}

const char *task_run_id(const struct task *t)
{
    return t->run_id;
}
