#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/store/store_s3_impl.h"

const struct s3_store *s3_store_of(const struct store *s)
{
    return (const struct s3_store *)s;
}

char *s3_store_key(const struct store *s, const char *name)
{
    return mem_format("%s%s", s3_store_of(s)->prefix, name);
}

static char *s3_uri(const struct store *s, const char *name)
{
    char *uri =
        mem_format("s3://%s/%s%s", s3_bucket(s3_store_of(s)->client), s3_store_of(s)->prefix, name);
    size_t len = strlen(uri);
    if (name[0] == '\0' && uri[len - 1] == '/')
        uri[len - 1] = '\0';
    return uri;
}

static struct s3 *s3_client(const struct store *s)
{
    return s3_store_of(s)->client;
}

static void s3_store_free(struct store *s)
{
    s3_free(s3_store_of(s)->client);
    free(s3_store_of(s)->prefix);
    free(s);
}

static void add_item(struct store_page *out, const struct s3_list_item *item, size_t prefix_len)
{
    struct str name = str_slice(item->key, prefix_len, item->key.len);
    if (item->is_prefix && str_ends(name, "/"))
        name.len--;
    if (name.len == 0)
        return; /* the prefix's own "directory" object */
    if (!store_name_is_safe(name)) {
        out->skipped++;
        return;
    }
    const struct store_entry entry = {.size_bytes = item->is_prefix ? 0 : item->size_bytes,
                                      .modified_ms = item->modified_ms,
                                      .is_dir = item->is_prefix};
    store_page_add(out, name, &entry);
}

static bool s3_store_list(struct store *s, const char *after, size_t max, struct store_page *out,
                          struct error *err)
{
    const struct s3_store *p = s3_store_of(s);
    const struct s3_list list = {
        .prefix = str_from(p->prefix),
        .token = str_from(after),
        .delimiter = '/',
        .max_keys = max < 1000 ? (unsigned)max : 1000,
    };
    struct s3_page page;
    if (!s3_list(p->client, &list, &page, err))
        return false;
    for (size_t i = 0; i < page.count; i++)
        add_item(out, &page.items[i], strlen(p->prefix));
    if (page.next.len > 0)
        out->next = arena_text(&out->arena, page.next);
    s3_page_release(&page);
    return true;
}

static bool s3_stat(struct store *s, const char *name, struct store_info *out, struct error *err)
{
    struct s3_volumes volumes;
    if (!s3_volumes_find(s3_store_of(s), name, &volumes, err))
        return false;
    *out = (struct store_info){volumes.size_bytes, volumes.modified_ms};
    s3_volumes_release(&volumes);
    return true;
}

static bool into_buf(void *ctx, struct str bytes, struct error *err)
{
    return buf_append(ctx, bytes, err);
}

static bool s3_read_small(struct store *s, const char *name, bool whole, struct buf *out,
                          struct error *err)
{
    char *key = s3_store_key(s, name);
    const struct s3_get get = {
        .key = str_from(key), .length = whole ? -1 : (int64_t)out->max, .etag = NULL};
    struct error why;
    bool ok = s3_get(s3_store_of(s)->client, &get, into_buf, out, &why);
    free(key);
    if (!ok && why.detail == 416) /* an empty object has no first byte */
        return true;
    if (!ok)
        *err = why;
    return ok;
}

static bool s3_store_put(struct store *s, const char *name, struct str bytes, struct error *err)
{
    char *key = s3_store_key(s, name);
    bool ok = s3_put(s3_store_of(s)->client, str_from(key), bytes, err);
    free(key);
    return ok;
}

/* The object itself, its further volumes, and what lies under it as a directory. */
static bool belongs_to(struct str key, const char *root)
{
    size_t len = strlen(root);
    struct str rest = str_slice(key, len, key.len);
    return str_starts(key, root) &&
           (rest.len == 0 || rest.ptr[0] == '/' || s3_store_is_volume_suffix(rest));
}

bool s3_store_remove(const struct s3_store *s, const char *name, const struct upload_memory *m,
                     struct error *err)
{
    struct s3 *client = s->client;
    char *root = s3_store_key(&s->base, name);
    char *token = NULL;
    bool more = true;
    bool ok = true;
    while (ok && more) {
        const struct s3_list list = {.prefix = str_from(root), .token = str_from(token)};
        struct s3_page page;
        ok = s3_list(client, &list, &page, err);
        if (!ok)
            break;
        for (size_t i = 0; ok && i < page.count; i++)
            if (belongs_to(page.items[i].key, root) && !s3_store_stands(s, m, page.items[i].key))
                ok = s3_delete(client, page.items[i].key, err);
        more = page.next.len > 0;
        free(token);
        token = mem_copy_str(page.next);
        s3_page_release(&page);
    }
    free(token);
    free(root);
    return ok;
}

static bool s3_remove(struct store *s, const char *name, struct error *err)
{
    return s3_store_remove(s3_store_of(s), name, NULL, err);
}

bool store_s3_new(const struct store_uri *uri, const struct store_options *options,
                  struct store **out, struct error *err)
{
    static const struct store_ops ops = {
        .free = s3_store_free,
        .uri = s3_uri,
        .s3_client = s3_client,
        .list = s3_store_list,
        .stat = s3_stat,
        .open_object = s3_store_open_object,
        .read_small = s3_read_small,
        .put = s3_store_put,
        .open_write = s3_store_open_write,
        .remove = s3_remove,
    };
    struct s3_options s3_options = options->s3;
    s3_options.bucket = uri->bucket;
    struct s3 *client;
    if (!s3_new(&s3_options, &client, err))
        return false;
    struct s3_store *p = mem_zero(1, sizeof(*p));
    p->base.ops = &ops;
    p->client = client;
    p->prefix = mem_format("%s%s", uri->prefix, uri->prefix[0] != '\0' ? "/" : "");
    p->multipart.part_bytes = options->part_bytes;
    p->multipart.workers = options->concurrency;
    p->multipart.max_parts = options->max_parts > 0 ? options->max_parts : MULTIPART_PARTS_MAX;
    p->multipart.never_replace = options->never_replace;
    *out = &p->base;
    return true;
}
