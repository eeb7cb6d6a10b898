#include "core/config/identity_store.h"

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
#include "core/base/json.h"

#define STORE_NAME "identities.json"
#define STORE_SIZE_MAX ((size_t)32 << 20)
#define ENVIRONMENTS_MAX 4096
#define LOCK_WAIT_MS 5000

static const char *const kinds[] = {"none", "cluster", "sentinel", "single"};

static bool damaged(const char *path, const char *what, struct error *err)
{
    return error_set(err, ERROR_CORRUPT, 0,
                     "%s: %s; mend it or move it away (protected clusters are then no longer "
                     "recognised by their nodes)",
                     path, what);
}

static bool parse_ids(const json_t *list, struct cluster_identity *id)
{
    if (!json_is_array(list) || json_array_size(list) == 0 ||
        json_array_size(list) > IDENTITY_IDS_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text == NULL || text[0] == '\0')
            return false;
        cluster_identity_add(id, text);
    }
    return true;
}

static bool parse_one(const char *name, const json_t *doc, struct identity_memory *out)
{
    const char *kind = json_text(doc, "kind", "");
    memset(out, 0, sizeof(*out));
    for (size_t i = KIND_CLUSTER; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i], kind) == 0)
            cluster_identity_init(&out->identity, (enum cluster_kind)i);
    if (out->identity.kind == KIND_NONE || !json_is_boolean(json_object_get(doc, "protected")))
        return false;
    out->environment = mem_copy_text(name);
    out->protected = json_flag(doc, "protected", true);
    out->first_ms = json_int(doc, "first_ms", 0);
    out->last_ms = json_int(doc, "last_ms", 0);
    cluster_identity_set_master(&out->identity, json_text(doc, "master_name", NULL));
    return parse_ids(json_object_get(doc, "ids"), &out->identity);
}

static void release_one(struct identity_memory *m)
{
    cluster_identity_release(&m->identity);
    free(m->environment);
}

static bool parse_all(const json_t *doc, const char *path, struct identity_memories *out,
                      struct error *err)
{
    json_t *group = json_object_get(doc, "environments");
    void *iter = json_object_iter(group);
    if (!json_is_object(doc) || json_int(doc, "v", 0) != 1)
        return damaged(path, "not written by this version", err);
    if (!json_is_object(group) || json_object_size(group) > ENVIRONMENTS_MAX)
        return damaged(path, "damaged", err);
    for (; iter != NULL; iter = json_object_iter_next(group, iter)) {
        struct identity_memory m;
        if (!parse_one(json_object_iter_key(iter), json_object_iter_value(iter), &m)) {
            release_one(&m);
            return damaged(path, "damaged", err);
        }
        ARRAY_PUSH(out->items, out->count, out->cap) = m;
    }
    return true;
}

/* *doc is an empty store when there is no file. */
static bool read_document(const char *path, json_t **doc, struct error *err)
{
    struct error why = {0};
    *doc = json_read_file(path, STORE_SIZE_MAX, &why);
    if (*doc != NULL)
        return true;
    if (why.code != ERROR_NOT_FOUND) {
        *err = why;
        return why.code == ERROR_CORRUPT && damaged(path, "damaged", err);
    }
    *doc = json_pack("{s:i, s:{}}", "v", 1, "environments");
    return true;
}

bool identity_store_load(const char *state_dir, struct identity_memories *out, struct error *err)
{
    char *path = file_join(state_dir, STORE_NAME);
    json_t *doc = NULL;
    bool ok;
    memset(out, 0, sizeof(*out));
    ok = read_document(path, &doc, err) && parse_all(doc, path, out, err);
    if (!ok)
        identity_memories_release(out);
    json_decref(doc);
    free(path);
    return ok;
}

void identity_memories_release(struct identity_memories *all)
{
    for (size_t i = 0; i < all->count; i++)
        release_one(&all->items[i]);
    free(all->items);
    memset(all, 0, sizeof(*all));
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Held while the file is read, changed and replaced. -1 on failure. */
static int lock_store(const char *state_dir, struct error *err)
{
    char *path = file_join(state_dir, STORE_NAME ".lock");
    int64_t deadline = clock_after(LOCK_WAIT_MS);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
    if (fd < 0)
        error_set_errno(err, ERROR_STORAGE, errno, "%s", path);
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (clock_left_ms(deadline) == 0) {
            error_set(err, ERROR_LOCKED, 0, "%s: held by another process", path);
            close(fd);
            fd = -1;
            break;
        }
        clock_sleep_ms(20);
    }
    free(path);
    return fd;
}

static json_t *encode(const struct environment *env, const struct cluster_identity *id,
                      int64_t first_ms, int64_t now_ms)
{
    json_t *doc = json_object();
    json_t *ids = json_array();
    json_put_text(doc, "kind", kinds[id->kind]);
    if (id->master_name != NULL)
        json_put_text(doc, "master_name", id->master_name);
    json_put_flag(doc, "protected", env->protected);
    json_put_int(doc, "first_ms", first_ms);
    json_put_int(doc, "last_ms", now_ms);
    for (size_t i = 0; i < id->count; i++)
        json_push(ids, json_string(id->ids[i]));
    json_put(doc, "ids", ids);
    return doc;
}

/* entry NULL removes. Takes entry. */
static bool change(const char *state_dir, const char *name, json_t *entry, struct error *err)
{
    struct identity_memories check = {0};
    char *path = file_join(state_dir, STORE_NAME);
    json_t *doc = NULL;
    json_t *group;
    bool ok = read_document(path, &doc, err) && parse_all(doc, path, &check, err);
    if (ok) {
        group = json_object_get(doc, "environments");
        json_object_del(group, name);
        if (entry != NULL)
            json_object_set(group, name, entry);
        ok = json_write_file(path, doc, true, err);
    }
    identity_memories_release(&check);
    json_decref(entry);
    json_decref(doc);
    free(path);
    return ok;
}

static int64_t first_seen(const char *state_dir, const char *name,
                          const struct cluster_identity *id, int64_t now_ms)
{
    struct identity_memories all;
    struct error ignored = {0};
    int64_t first = now_ms;
    if (identity_store_load(state_dir, &all, &ignored)) {
        const struct identity_memory *m = identity_memory_find(&all, name);
        first = m != NULL && cluster_identity_same(&m->identity, id) ? m->first_ms : now_ms;
        identity_memories_release(&all);
    }
    return first;
}

bool identity_store_remember(const char *state_dir, const struct environment *env,
                             const struct cluster_identity *identity, int64_t real_ms,
                             struct error *err)
{
    int lock = lock_store(state_dir, err);
    bool ok;
    if (lock < 0)
        return false;
    ok = change(state_dir, env->name,
                encode(env, identity, first_seen(state_dir, env->name, identity, real_ms), real_ms),
                err);
    close(lock);
    return ok;
}

bool identity_store_forget(const char *state_dir, const char *environment, struct error *err)
{
    int lock = lock_store(state_dir, err);
    bool ok;
    if (lock < 0)
        return false;
    ok = change(state_dir, environment, NULL, err);
    close(lock);
    return ok;
}
