#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/escape.h"
#include "core/store/store_s3_impl.h"

#define KEY_SHOWN 120

/* The key of the stream's first object or of a further one. */
static bool is_volume(struct str key, struct str root)
{
    struct str rest = str_slice(key, root.len, key.len);
    return str_equal(str_slice(key, 0, root.len), root) &&
           (rest.len == 0 || s3_store_is_volume_suffix(rest));
}

static const struct upload_known *find_known(const struct upload_memory *m, const char *bucket,
                                             struct str key)
{
    for (size_t i = 0; m != NULL && i < m->count; i++)
        if (str_is(key, m->known[i].key) && strcmp(m->known[i].bucket, bucket) == 0)
            return &m->known[i];
    return NULL;
}

const struct upload_known *s3_store_known(const struct s3_store *s, const struct upload_memory *m,
                                          const char *key)
{
    return find_known(m, s3_bucket(s->client), str_from(key));
}

bool s3_store_stands(const struct s3_store *s, const struct upload_memory *m, struct str key)
{
    const struct upload_known *u = find_known(m, s3_bucket(s->client), key);
    return u != NULL && u->fate == UPLOAD_STANDS;
}

/* All but those that are gone on with. */
static bool abort_uploads(const struct s3_store *s, const char *name, const struct upload_memory *m,
                          struct error *err)
{
    char *root = s3_store_key(&s->base, name);
    struct s3_uploads found = {.count = 0};
    bool ok = s3_list_uploads(s->client, str_from(root), &found, err);
    for (size_t i = 0; ok && i < found.count; i++) {
        const struct s3_upload_item *item = &found.items[i];
        const struct upload_known *u = find_known(m, s3_bucket(s->client), item->key);
        bool kept = u != NULL && u->fate == UPLOAD_GOES_ON && str_is(item->upload_id, u->upload_id);
        if (is_volume(item->key, str_from(root)) && !kept)
            ok = s3_abort_upload(s->client, item->key, item->upload_id, err);
    }
    s3_uploads_release(&found);
    free(root);
    return ok;
}

bool store_remove_uploads(struct store *s, const char *name, struct error *err)
{
    return !store_is_s3(s) || abort_uploads(s3_store_of(s), name, NULL, err);
}

static void begin_anew(const struct s3_store *s, const struct upload_memory *m,
                       const struct upload_known *u, const char *why)
{
    struct error err;
    char key[KEY_SHOWN];
    upload_memory_note(
        m, true,
        "the upload of %s that an earlier run began is not gone on with: %s; it begins anew",
        escape_text(key, sizeof(key), str_from(u->key)), why);
    if (strcmp(u->bucket, s3_bucket(s->client)) == 0 &&
        !s3_abort_upload(s->client, str_from(u->key), str_from(u->upload_id), &err))
        upload_memory_note(m, true, "what was uploaded before was not removed: %s", err.text);
}

static bool judge(const struct s3_store *s, const struct upload_memory *m, struct upload_known *u,
                  const char *root, struct error *err)
{
    struct multipart_verdict v;
    char key[KEY_SHOWN];
    if (strcmp(u->bucket, s3_bucket(s->client)) == 0 &&
        !is_volume(str_from(u->key), str_from(root))) {
        u->fate = UPLOAD_ANEW;
        begin_anew(s, m, u, "another key is meant now");
        return true;
    }
    if (!multipart_judge(s->client, u, &s->multipart, &v, err))
        return false;
    escape_text(key, sizeof(key), str_from(u->key));
    if (u->fate == UPLOAD_ANEW)
        begin_anew(s, m, u, v.why);
    else if (u->fate == UPLOAD_GOES_ON)
        upload_memory_note(m, false,
                           "the upload of %s goes on: %zu parts with %lld bytes are at the server",
                           key, v.parts, (long long)v.bytes);
    else
        upload_memory_note(m, false, "%s was uploaded whole by an earlier run", key);
    return true;
}

bool s3_store_settle(const struct s3_store *s, const char *name, struct upload_memory *m,
                     struct error *err)
{
    static const struct upload_memory nothing = {.known = NULL};
    const struct upload_memory *told = m != NULL ? m : &nothing;
    char *root = s3_store_key(&s->base, name);
    struct error why;
    bool ok = true;
    for (size_t i = 0; ok && i < told->count; i++)
        ok = judge(s, told, &m->known[i], root, err);
    free(root);
    if (!ok)
        return false;
    if (!abort_uploads(s, name, told, &why)) {
        if (why.code == ERROR_CANCELLED) {
            *err = why;
            return false;
        }
        upload_memory_note(told, true, "what an earlier run had uploaded was not removed: %s",
                           why.text);
    }
    return s3_store_remove(s, name, told, err);
}
