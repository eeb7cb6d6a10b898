#include "core/jobs/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/jobs/jobdir.h"
#include "core/jobs/jobfile.h"

#define GUARD_WAIT_MS 5000
#define CLAIM_BYTES_MAX ((size_t)1 << 20)

struct lock {
    char *path;
    int fd;
};

/* One claim file of somebody else while the guard is held. */
struct other {
    struct lock_holder holder;
    json_t *doc; /* NULL: held but unreadable */
    bool alive;
};

/* ---- reading claims ---------------------------------------------------------------------------
 */

static json_t *read_claim(int fd)
{
    struct buf text;
    struct error ignored = {0};
    json_t *doc = NULL;
    buf_init(&text, CLAIM_BYTES_MAX);
    char piece[4096];
    ssize_t got = 0;
    bool ok = true;
    while (ok && (got = read(fd, piece, sizeof(piece))) > 0)
        ok = buf_append(&text, (struct str){piece, (size_t)got}, &ignored);
    if (ok && got == 0)
        doc = json_parse(buf_str(&text), "claim", &ignored);
    buf_release(&text);
    return doc;
}

static void take_holder(struct lock_holder *h, const json_t *doc)
{
    *h = (struct lock_holder){.danger = JOB_WRITES};
    (void)str_copy(str_from(json_text(doc, "job", "?")), h->job_id, sizeof(h->job_id));
    (void)str_copy(str_from(json_text(doc, "run_id", "")), h->run_id, sizeof(h->run_id));
    (void)str_copy(str_from(json_text(doc, "user", "?")), h->user, sizeof(h->user));
    (void)str_copy(str_from(json_text(doc, "host", "?")), h->host, sizeof(h->host));
    (void)str_copy(str_from(json_text(doc, "env", "")), h->env, sizeof(h->env));
    (void)job_danger_parse(json_text(doc, "danger", NULL), &h->danger);
    h->pid = json_int(doc, "pid", 0);
    if (!format_parse_utc(str_from(json_text(doc, "since", "")), &h->since_ms))
        h->since_ms = 0;
}

/* A claim whose flock is free has no living owner. One that we may not open counts as held. */
static void look_at(const char *path, struct other *o)
{
    *o = (struct other){.alive = true};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        o->alive = errno != ENOENT;
    } else {
        o->alive = flock(fd, LOCK_SH | LOCK_NB) != 0;
        o->doc = o->alive ? read_claim(fd) : NULL;
        (void)close(fd);
    }
    take_holder(&o->holder, o->doc);
}

static bool is_claim(const char *name)
{
    return str_ends(str_from(name), ".claim");
}

/* Also sweeps dead claims and the temporary files of claims that were never finished: both are only
 * made under the guard, which the caller holds. */
static bool sweep(const char *dir, const char *name, struct other *o)
{
    char *path = file_join(dir, name);
    bool claim = is_claim(name);
    *o = (struct other){0};
    if (claim)
        look_at(path, o);
    bool dead = claim ? !o->alive : str_ends(str_from(name), ".tmp");
    if (dead)
        (void)unlink(path);
    free(path);
    return claim && o->alive;
}

/* ---- deciding ---------------------------------------------------------------------------------
 */

static bool shares_identity(const struct lock_claim *claim, const json_t *doc)
{
    const json_t *theirs = json_object_get(doc, "identity");
    for (size_t i = 0; i < json_array_size(theirs); i++) {
        const char *one = json_string_value(json_array_get(theirs, i));
        for (size_t k = 0; one != NULL && k < claim->identity_count; k++)
            if (strcmp(one, claim->identity[k]) == 0)
                return true;
    }
    return false;
}

static bool in_the_way(const struct lock_claim *claim, const struct other *o)
{
    if (job_dangers_agree(claim->danger, o->holder.danger))
        return false;
    if (claim->parent_run_id != NULL && strcmp(claim->parent_run_id, o->holder.run_id) == 0)
        return false;
    return o->doc == NULL || shares_identity(claim, o->doc);
}

static bool refuse(const struct lock_holder *h, const char *file, struct error *err)
{
    char since[FORMAT_MAX];
    enum job_kind kind = JOB_KINDS;
    uint32_t number = 0;
    if (h->run_id[0] == '\0')
        return error_set(err, ERROR_LOCKED, 0, "the claim %s is held but cannot be read", file);
    (void)job_id_parse(str_from(h->job_id), &kind, &number);
    return error_set(err, ERROR_LOCKED, 0,
                     "%s (%s by %s on %s, pid %lld) holds the cluster since %s", h->job_id,
                     kind < JOB_KINDS ? job_kind_name(kind) : "work", h->user, h->host,
                     (long long)h->pid, format_rfc3339(since, sizeof(since), h->since_ms));
}

static bool check_others(const char *dir, const struct lock_claim *claim,
                         struct lock_holder *holder, struct error *err)
{
    char **names = NULL;
    size_t count = 0;
    if (!file_list(dir, &names, &count, err))
        return false;
    bool free_to_go = true;
    for (size_t i = 0; i < count && free_to_go; i++) {
        struct other o;
        if (sweep(dir, names[i], &o) && in_the_way(claim, &o)) {
            free_to_go = refuse(&o.holder, names[i], err);
            if (holder != NULL)
                *holder = o.holder;
        }
        json_decref(o.doc);
    }
    file_list_free(names, count);
    return free_to_go;
}

/* ---- taking -----------------------------------------------------------------------------------
 */

static json_t *claim_doc(const struct lock_claim *claim)
{
    char time[FORMAT_MAX];
    char host[72] = "?";
    (void)gethostname(host, sizeof(host) - 1);
    json_t *doc = json_object();
    json_put_int(doc, "v", 1);
    json_put_text(doc, "job", claim->job_id);
    json_put_text(doc, "run_id", claim->run_id);
    json_put_text(doc, "danger", job_danger_name(claim->danger));
    json_put_text(doc, "env", claim->env);
    json_put_text(doc, "user", claim->user != NULL ? claim->user : "?");
    json_put_text(doc, "host", host);
    json_put_int(doc, "pid", (int64_t)getpid());
    json_put_text(doc, "since", format_rfc3339_ms(time, sizeof(time), clock_real_ms()));
    json_t *identity = json_array();
    for (size_t i = 0; i < claim->identity_count; i++)
        json_push(identity, json_string(claim->identity[i]));
    json_put(doc, "identity", identity);
    return doc;
}

/* Written and locked under a temporary name: a claim is never seen without its flock. */
static struct lock *write_claim(const char *dir, const struct lock_claim *claim, struct error *err)
{
    struct lock *lock = mem_zero(1, sizeof(*lock));
    char *temp = mem_format("%s/.%s.tmp", dir, claim->run_id);
    lock->path = mem_format("%s/%s.claim", dir, claim->run_id);
    json_t *doc = claim_doc(claim);
    bool ok = jobfile_write_temp(temp, doc, jobfile_mode_like(dir), true, err);
    json_decref(doc);
    lock->fd = ok ? open(temp, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (ok && (lock->fd < 0 || flock(lock->fd, LOCK_EX | LOCK_NB) != 0))
        ok = error_set_errno(err, ERROR_STORAGE, errno, "lock %s", temp);
    ok = ok && jobfile_rename(temp, lock->path, true, err);
    free(temp);
    if (!ok) {
        lock_release(lock);
        return NULL;
    }
    return lock;
}

static int take_guard(const char *dir, struct error *err)
{
    char *path = file_join(dir, "guard");
    int fd = jobfile_open_append(path, jobfile_mode_like(dir), err);
    if (fd >= 0 && !jobfile_flock(fd, LOCK_EX, GUARD_WAIT_MS)) {
        (void)error_set(err, ERROR_LOCKED, 0, "%s is held by somebody for too long", path);
        (void)close(fd);
        fd = -1;
    }
    free(path);
    return fd;
}

struct lock *lock_take(const struct lock_claim *claim, struct lock_holder *holder,
                       struct error *err)
{
    if (claim->identity_count == 0) {
        (void)error_set(err, ERROR_INTERNAL, 0, "a cluster lock needs an identity");
        return NULL;
    }
    if (!jobdir_prepare(claim->state_dir, "locks", err))
        return NULL;
    char *dir = file_join(claim->state_dir, "locks");
    struct lock *lock = NULL;
    int guard = take_guard(dir, err);
    if (guard >= 0 && check_others(dir, claim, holder, err))
        lock = write_claim(dir, claim, err);
    if (guard >= 0)
        (void)close(guard);
    free(dir);
    return lock;
}

void lock_release(struct lock *lock)
{
    if (lock == NULL)
        return;
    if (lock->fd >= 0) {
        (void)unlink(lock->path);
        (void)close(lock->fd);
    }
    free(lock->path);
    free(lock);
}

bool lock_list(const char *state_dir, struct lock_holder **holders, size_t *count, size_t *stale,
               struct error *err)
{
    char **names = NULL;
    size_t name_count = 0;
    size_t cap = 0;
    *holders = NULL;
    *count = 0;
    size_t dead = 0;
    char *dir = file_join(state_dir, "locks");
    bool none = !file_exists(dir);
    int guard = none ? -1 : take_guard(dir, err);
    bool ok = none || (guard >= 0 && file_list(dir, &names, &name_count, err));
    for (size_t i = 0; ok && i < name_count; i++) {
        struct other o;
        if (sweep(dir, names[i], &o))
            ARRAY_PUSH(*holders, *count, cap) = o.holder;
        else
            dead += is_claim(names[i]) ? 1 : 0;
        json_decref(o.doc);
    }
    if (guard >= 0)
        (void)close(guard);
    if (stale != NULL)
        *stale = dead;
    file_list_free(names, name_count);
    free(dir);
    return ok;
}
