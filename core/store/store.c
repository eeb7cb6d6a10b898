#include "core/store/store.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/array.h"
#include "core/base/escape.h"
#include "core/s3/endpoint.h"
#include "core/store/store_impl.h"

#define NAME_MAX_BYTES 512
#define PAGE_DEFAULT 1000
#define PAGE_MAX 10000
#define PUT_DEFAULT ((int64_t)64 << 20)

static bool component_is_safe(struct str s)
{
    if (s.len == 0 || s.len > 255 || str_is(s, ".") || str_is(s, ".."))
        return false;
    return true;
}

bool store_name_is_safe(struct str name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES || !str_is_text(name))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < 0x20 || name.ptr[i] == 0x7f || name.ptr[i] == '\\')
            return false;
    if (name.ptr[0] == '/' || name.ptr[name.len - 1] == '/')
        return false;
    struct str piece;
    while (str_split(&name, '/', &piece))
        if (!component_is_safe(piece))
            return false;
    return true;
}

static bool check_name(const char *name, struct error *err)
{
    char shown[80];
    if (store_name_is_safe(str_from(name)))
        return true;
    return error_set(err, ERROR_USAGE, 0, "\"%s\" is no name of a backup's file",
                     escape_text(shown, sizeof(shown), str_from(name)));
}

static bool parse_s3_uri(struct str rest, struct store_uri *out, struct error *err)
{
    char shown[80];
    size_t slash = str_find(rest, '/');
    struct str bucket = str_slice(rest, 0, slash);
    struct str prefix = str_slice(rest, slash + 1, rest.len);
    while (str_ends(prefix, "/"))
        prefix.len--;
    if (!endpoint_bucket_is_valid(bucket) || !str_copy(bucket, out->bucket, sizeof(out->bucket)))
        return error_set(err, ERROR_CONFIG, 0,
                         "s3://%s: the bucket's name must be 3 to 63 letters, digits, . or -",
                         escape_text(shown, sizeof(shown), bucket));
    bool ok = prefix.len <= 512 && str_copy(prefix, out->prefix, sizeof(out->prefix)) &&
              (prefix.len == 0 || (str_is_text(prefix) && prefix.ptr[0] != '/'));
    for (size_t i = 0; ok && i < prefix.len; i++)
        ok = (unsigned char)prefix.ptr[i] >= 0x20 && prefix.ptr[i] != 0x7f;
    if (!ok)
        return error_set(err, ERROR_CONFIG, 0,
                         "s3://%s: the prefix must be text of at most 512 bytes without a leading "
                         "slash",
                         out->bucket);
    out->is_s3 = true;
    return true;
}

bool store_parse_uri(const char *uri, struct store_uri *out, struct error *err)
{
    struct str s = str_from(uri);
    char shown[80];
    *out = (struct store_uri){.is_s3 = false};
    if (str_starts(s, "s3://"))
        return parse_s3_uri(str_slice(s, 5, s.len), out, err);
    if (str_starts(s, "file://"))
        s = str_slice(s, 7, s.len);
    bool scheme =
        uri != NULL && strstr(uri, "://") != NULL && !str_starts(str_from(uri), "file://");
    if (scheme || s.len == 0)
        return error_set(err, ERROR_CONFIG, 0,
                         "\"%s\" is no place for backups: give a directory or s3://bucket/prefix",
                         escape_text(shown, sizeof(shown), str_from(uri)));
    while (s.len > 1 && str_ends(s, "/"))
        s.len--;
    if (!str_copy(s, out->prefix, sizeof(out->prefix)))
        return error_set(err, ERROR_CONFIG, 0, "the backup directory's path is too long");
    return true;
}

bool store_open(const char *uri, const struct store_options *options, struct store **out,
                struct error *err)
{
    struct store_uri where;
    if (!store_parse_uri(uri, &where, err))
        return false;
    if (!where.is_s3)
        *out = store_posix_new(where.prefix);
    else if (!store_s3_new(&where, options, out, err))
        return false;
    (*out)->max_put_bytes = options->max_put_bytes > 0 ? options->max_put_bytes : PUT_DEFAULT;
    return true;
}

void store_free(struct store *s)
{
    if (s != NULL)
        s->ops->free(s);
}

bool store_is_s3(const struct store *s)
{
    return s->ops->s3_client != NULL;
}

char *store_uri(const struct store *s, const char *name)
{
    return s->ops->uri(s, name);
}

struct s3 *store_s3_client(const struct store *s)
{
    return s->ops->s3_client != NULL ? s->ops->s3_client(s) : NULL;
}

void store_page_add(struct store_page *page, struct str name, const struct store_entry *entry)
{
    struct store_entry copy = *entry;
    copy.name = arena_text(&page->arena, name);
    ARRAY_PUSH(page->items, page->count, page->cap) = copy;
}

bool store_list(struct store *s, const char *after, size_t max, struct store_page *out,
                struct error *err)
{
    *out = (struct store_page){.count = 0};
    if (max == 0)
        max = PAGE_DEFAULT;
    if (max > PAGE_MAX)
        max = PAGE_MAX;
    if (s->ops->list(s, after, max, out, err))
        return true;
    store_page_release(out);
    return false;
}

void store_page_release(struct store_page *page)
{
    free(page->items);
    arena_release(&page->arena);
    *page = (struct store_page){.count = 0};
}

bool store_stat(struct store *s, const char *name, struct store_info *out, struct error *err)
{
    return check_name(name, err) && s->ops->stat(s, name, out, err);
}

bool store_open_object(struct store *s, const char *name, struct store_object **out,
                       struct error *err)
{
    return check_name(name, err) && s->ops->open_object(s, name, out, err);
}

int64_t store_object_size(const struct store_object *o)
{
    return o->size_bytes;
}

const char *store_object_version(const struct store_object *o)
{
    return o->version;
}

bool store_object_read(const struct store_object *o, int64_t from, char *out, size_t size,
                       struct error *err)
{
    if (from < 0 || from > o->size_bytes || size > (uint64_t)(o->size_bytes - from))
        return error_set(err, ERROR_CORRUPT, 0, "a range past the end of the object");
    return size == 0 || o->read(o, from, out, size, err);
}

void store_object_free(struct store_object *o)
{
    if (o != NULL)
        o->free(o);
}

bool store_read_all(struct store *s, const char *name, struct buf *out, struct error *err)
{
    buf_clear(out);
    return check_name(name, err) && s->ops->read_small(s, name, true, out, err);
}

bool store_read_head(struct store *s, const char *name, size_t max, struct buf *out,
                     struct error *err)
{
    struct buf head;
    buf_clear(out);
    buf_init(&head, max < out->max ? max : out->max);
    bool ok = check_name(name, err) && s->ops->read_small(s, name, false, &head, err) &&
              buf_append(out, buf_str(&head), err);
    buf_release(&head);
    return ok;
}

bool store_put(struct store *s, const char *name, struct str bytes, struct error *err)
{
    if (!check_name(name, err))
        return false;
    if (bytes.len > (uint64_t)s->max_put_bytes)
        return error_set(err, ERROR_LIMIT, 0, "%s is too large to be written at once", name);
    return s->ops->put(s, name, bytes, err);
}

bool store_open_write(struct store *s, const char *name, int64_t estimate_bytes,
                      struct store_writer **out, struct error *err)
{
    const struct store_write how = {.estimate_bytes = estimate_bytes};
    return store_open_write_as(s, name, &how, out, err);
}

bool store_open_write_as(struct store *s, const char *name, const struct store_write *how,
                         struct store_writer **out, struct error *err)
{
    return check_name(name, err) && (!how->again || store_is_s3(s) || store_remove(s, name, err)) &&
           s->ops->open_write(s, name, how, out, err);
}

void store_writer_leave(struct store_writer *w)
{
    if (w != NULL)
        w->leave = true;
}

bool store_write(struct store_writer *w, struct str bytes, struct error *err)
{
    return w->write(w, bytes, err);
}

bool store_commit(struct store_writer *w, struct error *err)
{
    return w->commit(w, err);
}

void store_writer_free(struct store_writer *w)
{
    if (w != NULL)
        w->free(w);
}

int64_t store_writer_sent(const struct store_writer *w)
{
    return w->sent(w);
}

bool store_remove(struct store *s, const char *name, struct error *err)
{
    return check_name(name, err) && s->ops->remove(s, name, err);
}
