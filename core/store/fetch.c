#include "core/store/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/store/fetch_state.h"

#define WORKERS_DEFAULT 4
#define PIECES_MAX ((int64_t)1 << 20)
#define SAVE_EVERY_MS 2000

struct fetch {
    struct fetch_options o;
    struct store_object *object;
    struct fetch_facts facts;
    char *name;
    char *path;
    char *partial;
    char *state_path;
    char not_reused[64];
    int fd; /* of the partial file, with a flock on it */
    /* guarded by lock */
    pthread_mutex_t lock;
    struct fetch_state state;
    size_t next; /* piece to look at */
    int64_t done_bytes;
    int64_t saved_at; /* mono ms */
    bool failed;
    struct error why;
};

static size_t piece_len(const struct fetch *f, size_t i)
{
    int64_t from = (int64_t)(i * f->state.piece_bytes);
    int64_t left = f->state.size_bytes - from;
    return left < (int64_t)f->state.piece_bytes ? (size_t)left : f->state.piece_bytes;
}

static bool fail(const struct fetch *f, int number, const char *what, struct error *err)
{
    return error_set_errno(err, ERROR_STORAGE, number, "%s %s", what, f->partial);
}

static bool open_partial(struct fetch *f, struct error *err)
{
    if (!f->o.replace && file_exists(f->path))
        return error_set(err, ERROR_CONFLICT, 0, "%s is already there: give --overwrite", f->path);
    f->fd = open(f->partial, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (f->fd < 0)
        return fail(f, errno, "open", err);
    if (flock(f->fd, LOCK_EX | LOCK_NB) != 0)
        return error_set(err, ERROR_LOCKED, 0, "another process is writing %s", f->partial);
    return true;
}

static bool plan_pieces(struct fetch *f, struct error *err)
{
    struct fetch_state *s = &f->state;
    s->name = f->name;
    s->version = store_object_version(f->object);
    s->size_bytes = store_object_size(f->object);
    s->piece_bytes = f->o.piece_bytes > 0 ? f->o.piece_bytes : FETCH_PIECE;
    while (s->size_bytes / (int64_t)s->piece_bytes >= PIECES_MAX)
        s->piece_bytes *= 2;
    s->count = (size_t)((s->size_bytes + (int64_t)s->piece_bytes - 1) / (int64_t)s->piece_bytes);
    s->pieces = mem_zero(s->count + 1, sizeof(*s->pieces));
    f->facts.size_bytes = s->size_bytes;
    if (!fetch_state_read(f->state_path, s, f->not_reused, sizeof(f->not_reused)) &&
        ftruncate(f->fd, 0) != 0)
        return fail(f, errno, "empty", err);
    int code = s->size_bytes > 0 ? posix_fallocate(f->fd, 0, s->size_bytes) : 0;
    if (code != 0 && code != EOPNOTSUPP && code != EINVAL)
        return fail(f, code, "find room for", err);
    if (ftruncate(f->fd, s->size_bytes) != 0)
        return fail(f, errno, "size", err);
    return true;
}

bool fetch_begin(const struct fetch_options *options, struct fetch **out, struct error *err)
{
    struct fetch *f = mem_zero(1, sizeof(*f));
    f->o = *options;
    f->fd = -1;
    f->name = mem_copy_text(options->name);
    f->path = mem_copy_text(options->path);
    f->partial = mem_format("%s.partial", options->path);
    f->state_path = mem_format("%s.partial.json", options->path);
    f->facts.partial = f->partial;
    f->facts.not_reused = f->not_reused;
    pthread_mutex_init(&f->lock, NULL);
    if (!store_open_object(options->from, options->name, &f->object, err) ||
        !open_partial(f, err) || !plan_pieces(f, err)) {
        fetch_free(f);
        return false;
    }
    *out = f;
    return true;
}

static bool read_back(const struct fetch *f, size_t i, char *piece)
{
    size_t len = piece_len(f, i);
    size_t at = 0;
    char hex[SIGV4_HASH_SIZE];
    while (at < len) {
        ssize_t got = pread(f->fd, piece + at, len - at, (off_t)(i * f->state.piece_bytes + at));
        if (got <= 0 && errno != EINTR)
            return false;
        at += got > 0 ? (size_t)got : 0;
    }
    sigv4_hash(hex, (struct str){piece, len});
    return strcmp(hex, f->state.pieces[i].sha256) == 0;
}

static bool bring(struct fetch *f, size_t i, char *piece, char *hex, struct error *err)
{
    size_t len = piece_len(f, i);
    size_t at = 0;
    if (!store_object_read(f->object, (int64_t)(i * f->state.piece_bytes), piece, len, err))
        return false;
    while (at < len) {
        ssize_t put = pwrite(f->fd, piece + at, len - at, (off_t)(i * f->state.piece_bytes + at));
        if (put < 0 && errno != EINTR)
            return fail(f, errno, "write", err);
        at += put > 0 ? (size_t)put : 0;
    }
    sigv4_hash(hex, (struct str){piece, len});
    return true;
}

/* Under the lock. The bytes go to disk before the file that vouches for them. */
static bool save(struct fetch *f, struct error *err)
{
    f->saved_at = clock_mono_ms();
    if (fdatasync(f->fd) != 0)
        return fail(f, errno, "write", err);
    return fetch_state_write(f->state_path, &f->state, err);
}

static bool is_cancelled(const struct fetch *f)
{
    return f->o.cancelled != NULL && f->o.cancelled(f->o.ctx);
}

static void note_piece(struct fetch *f, size_t i, const char *hex, bool reused, struct error *err)
{
    pthread_mutex_lock(&f->lock);
    memcpy(f->state.pieces[i].sha256, hex, SIGV4_HASH_SIZE);
    f->state.pieces[i].done = true;
    f->done_bytes += (int64_t)piece_len(f, i);
    if (reused)
        f->facts.reused_bytes += (int64_t)piece_len(f, i);
    int64_t done = f->done_bytes;
    if (!f->failed && clock_mono_ms() - f->saved_at > SAVE_EVERY_MS && !save(f, err)) {
        f->failed = true;
        f->why = *err;
    }
    pthread_mutex_unlock(&f->lock);
    if (f->o.progress != NULL)
        f->o.progress(f->o.ctx, done, f->state.size_bytes);
}

static bool take_piece(struct fetch *f, size_t *i, bool *there)
{
    pthread_mutex_lock(&f->lock);
    bool go = !f->failed && f->next < f->state.count;
    if (go) {
        *i = f->next++;
        *there = f->state.pieces[*i].done;
        f->state.pieces[*i].done = false;
    }
    pthread_mutex_unlock(&f->lock);
    return go;
}

static void *run_worker(void *arg)
{
    struct fetch *f = arg;
    struct error err = {.code = ERROR_NONE};
    char hex[SIGV4_HASH_SIZE];
    char *piece = mem_alloc(f->state.piece_bytes);
    size_t i;
    bool there;
    while (take_piece(f, &i, &there)) {
        bool ok = true;
        bool reused = there && read_back(f, i, piece);
        if (reused)
            memcpy(hex, f->state.pieces[i].sha256, sizeof(hex));
        else if (is_cancelled(f))
            ok = error_set(&err, ERROR_CANCELLED, 0, "cancelled");
        else
            ok = bring(f, i, piece, hex, &err);
        if (ok) {
            note_piece(f, i, hex, reused, &err);
            continue;
        }
        pthread_mutex_lock(&f->lock);
        if (!f->failed)
            f->why = err;
        f->failed = true;
        pthread_mutex_unlock(&f->lock);
    }
    free(piece);
    return NULL;
}

bool fetch_run(struct fetch *f, struct error *err)
{
    pthread_t threads[FETCH_WORKERS_MAX];
    unsigned want = f->o.workers > 0 ? f->o.workers : WORKERS_DEFAULT;
    unsigned started = 0;
    struct error late;
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    f->saved_at = clock_mono_ms();
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (started < want && started < FETCH_WORKERS_MAX && started < f->state.count &&
           pthread_create(&threads[started], NULL, run_worker, f) == 0)
        started++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (started == 0)
        run_worker(f);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_lock(&f->lock);
    bool saved = save(f, &late);
    bool ok = !f->failed && saved;
    if (f->failed)
        *err = f->why;
    else if (!saved)
        *err = late;
    pthread_mutex_unlock(&f->lock);
    return ok;
}

const struct fetch_facts *fetch_facts(const struct fetch *f)
{
    return &f->facts;
}

bool fetch_keep(struct fetch *f, struct error *err)
{
    if (fsync(f->fd) != 0)
        return fail(f, errno, "write", err);
    if (f->o.replace ? rename(f->partial, f->path) != 0 : link(f->partial, f->path) != 0)
        return error_set_errno(err, errno == EEXIST ? ERROR_CONFLICT : ERROR_STORAGE, errno,
                               "rename %s to %s", f->partial, f->path);
    if (!f->o.replace)
        (void)unlink(f->partial);
    (void)unlink(f->state_path);
    char *dir = mem_copy_text(f->path);
    char *slash = strrchr(dir, '/');
    if (slash != NULL)
        slash[slash == dir ? 1 : 0] = '\0';
    bool ok = file_sync_dir(slash != NULL ? dir : ".", err);
    free(dir);
    return ok;
}

void fetch_discard(struct fetch *f)
{
    (void)unlink(f->state_path);
    (void)unlink(f->partial);
}

void fetch_free(struct fetch *f)
{
    if (f == NULL)
        return;
    store_object_free(f->object);
    if (f->fd >= 0)
        close(f->fd);
    free(f->state.pieces);
    free(f->state_path);
    free(f->partial);
    free(f->path);
    free(f->name);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
