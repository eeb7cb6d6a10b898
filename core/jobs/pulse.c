#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/jobs/control.h"
#include "core/jobs/task_internal.h"

#define BEAT_MS 100
#define WRITE_EVERY_MS 200 /* at most five files a second */
#define SHOW_ALIVE_MS 1000 /* written even if nothing changed */
#define CONTROL_BYTES_MAX 65536

struct pulse {
    struct task *task;
    void (*stop_now)(struct task *t);
    pthread_t thread;
    int stop_fd;   /* written to end the thread */
    int signal_fd; /* SIGTERM, SIGINT, SIGHUP: blocked everywhere, heard here */
    char *control_path;
    char *bad_control; /* what was already complained about */
    struct progress view;
    int64_t written_mono;
    bool write_failed;
};

/* ---- what is asked of us ----------------------------------------------------------------------
 */

static void ask_cancel(struct pulse *p, bool now, const char *who)
{
    struct task *t = p->task;
    bool first = !task_cancelled(t);
    task_want(t, atomic_load(&t->paused), now ? 2 : 1);
    if (first)
        task_note(t, TASK_INFO, "cancel asked for by %s", who);
    if (now && t->spec->exit_now != NULL && !atomic_exchange(&t->ending, true)) {
        task_note(t, TASK_WARN, "stopped at once, asked for by %s", who);
        p->stop_now(t);
        t->spec->exit_now(job_state_exit_status(JOB_CANCELLED));
    }
}

static void hear_signals(struct pulse *p)
{
    struct signalfd_siginfo info;
    while (read(p->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == (uint32_t)SIGHUP) {
            task_note(p->task, TASK_INFO, "the terminal is gone; the job goes on");
            continue;
        }
        const char *name = info.ssi_signo == (uint32_t)SIGINT ? "SIGINT" : "SIGTERM";
        ask_cancel(p, task_cancelled(p->task), name);
    }
}

static void obey(struct pulse *p, const struct control *c)
{
    struct task *t = p->task;
    if (c->seq <= atomic_load(&t->control_seq) || strcmp(c->run_id, t->run_id) != 0)
        return;
    const char *by = c->by[0] != '\0' ? c->by : "a console";
    if (c->pause != atomic_load(&t->paused))
        task_note(t, TASK_INFO, "%s by %s", c->pause ? "paused" : "resumed", by);
    if (c->rate != atomic_load(&t->rate)) {
        task_note(t, TASK_INFO, "rate set to %llu by %s", (unsigned long long)c->rate, by);
        atomic_store(&t->rate, c->rate);
    }
    atomic_store(&t->control_seq, c->seq);
    task_want(t, c->pause, 0);
    if (c->cancel > 0)
        ask_cancel(p, c->cancel > 1, by);
}

static void read_control(struct pulse *p)
{
    struct buf text;
    struct control c;
    struct error err = {0};
    buf_init(&text, CONTROL_BYTES_MAX);
    if (file_read(p->control_path, &text, &err) && control_parse(buf_str(&text), &c, &err)) {
        obey(p, &c);
    } else if (err.code != ERROR_NOT_FOUND &&
               (p->bad_control == NULL || strcmp(p->bad_control, err.text) != 0)) {
        free(p->bad_control);
        p->bad_control = mem_copy_text(err.text);
        task_note(p->task, TASK_WARN, "control file ignored: %s", err.text);
    }
    buf_release(&text);
}

/* ---- what we tell -----------------------------------------------------------------------------
 */

static void write_progress(struct pulse *p)
{
    struct task *t = p->task;
    struct error err = {0};
    json_t *doc = task_progress_doc(t, &p->view);
    bool ok = jobdir_replace(t->dir, "progress.json", doc, false, &err);
    json_decref(doc);
    if (!ok && !p->write_failed)
        log_write(LOG_LEVEL_ERROR, "jobs", "%s: progress: %s", task_id(t), err.text);
    p->write_failed = !ok;
    p->written_mono = clock_mono_ms();
    if (t->spec->watcher != NULL)
        t->spec->watcher(t->spec->watcher_ctx, task_state(t), &p->view);
}

static bool due(struct pulse *p)
{
    int64_t age = clock_mono_ms() - p->written_mono;
    if (age < WRITE_EVERY_MS)
        return false;
    (void)pthread_mutex_lock(&p->task->lock);
    bool dirty = p->task->dirty;
    (void)pthread_mutex_unlock(&p->task->lock);
    return dirty || age >= SHOW_ALIVE_MS;
}

static void *run(void *arg)
{
    struct pulse *p = arg;
    struct pollfd fds[2] = {{.fd = p->stop_fd, .events = POLLIN},
                            {.fd = p->signal_fd, .events = POLLIN}};
    for (;;) {
        (void)poll(fds, 2, BEAT_MS);
        hear_signals(p);
        if ((fds[0].revents & POLLIN) != 0)
            break;
        read_control(p);
        task_waits_note(p->task, false);
        if (due(p))
            write_progress(p);
    }
    task_waits_note(p->task, true);
    write_progress(p);
    return NULL;
}

/* ---- start and stop ---------------------------------------------------------------------------
 */

static void free_pulse(struct pulse *p)
{
    if (p->stop_fd >= 0)
        (void)close(p->stop_fd);
    if (p->signal_fd >= 0)
        (void)close(p->signal_fd);
    progress_release(&p->view);
    free(p->control_path);
    free(p->bad_control);
    free(p);
}

struct pulse *pulse_start(struct task *t, void (*stop_now)(struct task *t), struct error *err)
{
    sigset_t heard;
    (void)sigemptyset(&heard);
    (void)sigaddset(&heard, SIGTERM);
    (void)sigaddset(&heard, SIGINT);
    (void)sigaddset(&heard, SIGHUP);
    struct pulse *p = mem_zero(1, sizeof(*p));
    p->task = t;
    p->stop_now = stop_now;
    p->control_path = file_join(t->dir->path, "control.json");
    p->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->signal_fd = signalfd(-1, &heard, SFD_CLOEXEC | SFD_NONBLOCK);
    if (p->stop_fd < 0 || p->signal_fd < 0) {
        (void)error_set_errno(err, ERROR_INTERNAL, errno, "watch for signals");
        free_pulse(p);
        return NULL;
    }
    write_progress(p);
    int failed = pthread_create(&p->thread, NULL, run, p);
    if (failed != 0) {
        (void)error_set_errno(err, ERROR_INTERNAL, failed, "start the job's pulse");
        free_pulse(p);
        return NULL;
    }
    return p;
}

void pulse_stop(struct pulse *p)
{
    if (p == NULL)
        return;
    (void)eventfd_write(p->stop_fd, 1);
    (void)pthread_join(p->thread, NULL);
    free_pulse(p);
}
