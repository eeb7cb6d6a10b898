#include <stdatomic.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/log.h"
#include "core/store/store_s3_impl.h"

struct s3_writer {
    struct store_writer base;
    const struct s3_store *store;
    char *name;
    struct multipart_options options;
    struct multipart **volumes; /* all but the last are sealed */
    size_t count;
    size_t cap;
    bool again;
    _Atomic int64_t sealed_bytes;
    _Atomic(const struct multipart *) current;
};

static bool add_volume(struct s3_writer *w, struct error *err)
{
    if (w->count > S3_VOLUMES_MAX)
        return error_set(err, ERROR_LIMIT, 0,
                         "more than %d objects for one backup: raise storage.part_size_mb",
                         S3_VOLUMES_MAX);
    struct multipart *m;
    char *volume = s3_store_volume_name(w->name, w->count);
    char *key = s3_store_key(&w->store->base, volume);
    struct multipart_options options = w->options;
    if (w->again)
        options.known = s3_store_known(w->store, w->options.memory, key);
    bool ok = multipart_new(w->store->client, str_from(key), &options, &m, err);
    free(key);
    free(volume);
    if (!ok)
        return false;
    ARRAY_PUSH(w->volumes, w->count, w->cap) = m; /* NOLINT(bugprone-sizeof-expression) */
    atomic_store(&w->current, m);
    return true;
}

static bool roll(struct s3_writer *w, struct error *err)
{
    struct multipart *full = w->volumes[w->count - 1];
    if (!multipart_seal(full, err) || !add_volume(w, err))
        return false;
    atomic_fetch_add(&w->sealed_bytes, multipart_total(full));
    return true;
}

static bool s3_write(struct store_writer *base, struct str bytes, struct error *err)
{
    struct s3_writer *w = (struct s3_writer *)base;
    while (bytes.len > 0) {
        struct multipart *m = w->volumes[w->count - 1];
        int64_t room = multipart_capacity(m) - multipart_total(m);
        size_t take = (uint64_t)room < bytes.len ? (size_t)room : bytes.len;
        if (take == 0) {
            if (!roll(w, err))
                return false;
            continue;
        }
        if (!multipart_write(m, str_slice(bytes, 0, take), err))
            return false;
        bytes = str_slice(bytes, take, bytes.len);
    }
    return true;
}

/* The first volume last: nothing stands under the name itself before all of it is there. */
static bool s3_commit(struct store_writer *base, struct error *err)
{
    struct s3_writer *w = (struct s3_writer *)base;
    for (size_t i = w->count; i > 0; i--)
        if (!multipart_commit(w->volumes[i - 1], NULL, err))
            return false;
    w->base.committed = true;
    return true;
}

static void s3_writer_free(struct store_writer *base)
{
    struct s3_writer *w = (struct s3_writer *)base;
    struct error err;
    for (size_t i = 0; i < w->count; i++) {
        bool stays = base->committed || base->leave || !multipart_is_committed(w->volumes[i]);
        char *volume = s3_store_volume_name(w->name, i);
        char *key = s3_store_key(&w->store->base, volume);
        if (base->leave)
            multipart_leave(w->volumes[i]);
        multipart_free(w->volumes[i]);
        /* A later volume of a stream whose first one failed: nobody would ever find it. */
        if (!stays && !s3_delete(w->store->client, str_from(key), &err))
            log_write(LOG_LEVEL_WARN, "s3", "%s stays behind: %s", key, err.text);
        free(key);
        free(volume);
    }
    free(w->volumes);
    free(w->name);
    free(w);
}

static int64_t s3_sent(const struct store_writer *base)
{
    const struct s3_writer *w = (const struct s3_writer *)base;
    return atomic_load(&w->sealed_bytes) + multipart_sent(atomic_load(&w->current));
}

/* An early word where the name is taken; without the right to look, the end will tell. */
static bool check_absent(const struct s3_store *s, const char *name, struct error *err)
{
    struct s3_object object;
    struct error why;
    char *key = s3_store_key(&s->base, name);
    bool taken = s3_head(s->client, str_from(key), &object, &why);
    if (taken)
        error_set(err, ERROR_CONFLICT, 0, "s3://%s/%s is already there", s3_bucket(s->client), key);
    free(key);
    return !taken;
}

bool s3_store_open_write(struct store *s, const char *name, const struct store_write *how,
                         struct store_writer **out, struct error *err)
{
    const struct s3_store *store = s3_store_of(s);
    if (how->again && !s3_store_settle(store, name, how->memory, err))
        return false;
    if (!how->again && store->multipart.never_replace && !check_absent(store, name, err))
        return false;
    struct s3_writer *w = mem_zero(1, sizeof(*w));
    w->base = (struct store_writer){s3_write, s3_commit, s3_writer_free, s3_sent, false, false};
    w->store = store;
    w->name = mem_copy_text(name);
    w->options = store->multipart;
    w->options.estimate_bytes = how->estimate_bytes;
    w->options.memory = how->memory;
    w->again = how->again;
    if (!add_volume(w, err)) {
        s3_writer_free(&w->base);
        return false;
    }
    *out = &w->base;
    return true;
}
