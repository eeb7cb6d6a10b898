#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/s3/multipart.h"
#include "core/store/store_impl.h"

#define READ_FIRST ((int64_t)1 << 20)
#define READ_CHUNK ((int64_t)8 << 20)

struct s3_store {
    struct store base;
    struct s3 *client;
    char *prefix; /* "" or "a/b/" */
    struct multipart_options multipart;
};

/* Reads ranges of one version of the object, each whole in memory before it is handed out. */
struct s3_reader {
    struct store_reader base;
    struct s3 *client;
    char *key;
    char etag[S3_ETAG_MAX];
    int64_t at; /* of the next range */
    int64_t end;
    int64_t chunk;
    struct buf ready;
    size_t taken;
};

struct s3_writer {
    struct store_writer base;
    struct multipart *multipart;
};

static const struct s3_store *self(const struct store *s)
{
    return (const struct s3_store *)s;
}

static char *key_of(const struct store *s, const char *name)
{
    return mem_format("%s%s", self(s)->prefix, name);
}

static char *s3_uri(const struct store *s, const char *name)
{
    char *uri = mem_format("s3://%s/%s%s", s3_bucket(self(s)->client), self(s)->prefix, name);
    size_t len = strlen(uri);
    if (name[0] == '\0' && uri[len - 1] == '/')
        uri[len - 1] = '\0';
    return uri;
}

static struct s3 *s3_client(const struct store *s)
{
    return self(s)->client;
}

static void s3_store_free(struct store *s)
{
    s3_free(self(s)->client);
    free(self(s)->prefix);
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
    const struct s3_store *p = self(s);
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
    struct s3_object object;
    char *key = key_of(s, name);
    bool ok = s3_head(self(s)->client, str_from(key), &object, err);
    free(key);
    if (ok)
        *out = (struct store_info){object.size_bytes, object.modified_ms};
    return ok;
}

static bool into_buf(void *ctx, struct str bytes, struct error *err)
{
    return buf_append(ctx, bytes, err);
}

static bool fill(struct s3_reader *r, struct error *err)
{
    int64_t want = r->end - r->at < r->chunk ? r->end - r->at : r->chunk;
    const struct s3_get get = {
        .key = str_from(r->key), .from = r->at, .length = want, .etag = r->etag};
    buf_clear(&r->ready);
    r->taken = 0;
    if (!s3_get(r->client, &get, into_buf, &r->ready, err))
        return false;
    if ((int64_t)r->ready.len != want)
        return error_set(err, ERROR_CORRUPT, 0, "download %s: %zu bytes came instead of %lld",
                         r->key, r->ready.len, (long long)want);
    r->at += want;
    r->chunk = READ_CHUNK;
    return true;
}

static bool s3_read(struct store_reader *base, void *out, size_t size, size_t *got,
                    struct error *err)
{
    struct s3_reader *r = (struct s3_reader *)base;
    *got = 0;
    if (r->taken == r->ready.len && r->at < r->end && !fill(r, err))
        return false;
    size_t left = r->ready.len - r->taken;
    *got = left < size ? left : size;
    if (*got > 0)
        memcpy(out, r->ready.data + r->taken, *got);
    r->taken += *got;
    return true;
}

static void s3_reader_free(struct store_reader *base)
{
    struct s3_reader *r = (struct s3_reader *)base;
    buf_release(&r->ready);
    free(r->key);
    free(r);
}

static bool s3_open_read(struct store *s, const char *name, int64_t from, int64_t length,
                         struct store_reader **out, struct error *err)
{
    struct s3_object object;
    char *key = key_of(s, name);
    if (!s3_head(self(s)->client, str_from(key), &object, err)) {
        free(key);
        return false;
    }
    struct s3_reader *r = mem_zero(1, sizeof(*r));
    r->base = (struct store_reader){s3_read, s3_reader_free, object.size_bytes};
    r->client = self(s)->client;
    r->key = key;
    memcpy(r->etag, object.etag, sizeof(r->etag));
    r->at = from < object.size_bytes ? from : object.size_bytes;
    r->end = length < 0 || length > object.size_bytes - r->at ? object.size_bytes : r->at + length;
    r->chunk = READ_FIRST;
    buf_init(&r->ready, (size_t)READ_CHUNK);
    *out = &r->base;
    return true;
}

static bool s3_read_small(struct store *s, const char *name, bool whole, struct buf *out,
                          struct error *err)
{
    char *key = key_of(s, name);
    const struct s3_get get = {
        .key = str_from(key), .length = whole ? -1 : (int64_t)out->max, .etag = NULL};
    struct error why;
    bool ok = s3_get(self(s)->client, &get, into_buf, out, &why);
    free(key);
    if (!ok && why.detail == 416) /* an empty object has no first byte */
        return true;
    if (!ok)
        *err = why;
    return ok;
}

static bool s3_store_put(struct store *s, const char *name, struct str bytes, struct error *err)
{
    char *key = key_of(s, name);
    bool ok = s3_put(self(s)->client, str_from(key), bytes, err);
    free(key);
    return ok;
}

static bool s3_write(struct store_writer *w, struct str bytes, struct error *err)
{
    return multipart_write(((struct s3_writer *)w)->multipart, bytes, err);
}

static bool s3_commit(struct store_writer *w, struct error *err)
{
    return multipart_commit(((struct s3_writer *)w)->multipart, NULL, err);
}

static void s3_writer_free(struct store_writer *w)
{
    multipart_free(((struct s3_writer *)w)->multipart);
    free(w);
}

static int64_t s3_sent(const struct store_writer *w)
{
    return multipart_sent(((const struct s3_writer *)w)->multipart);
}

static bool s3_open_write(struct store *s, const char *name, int64_t estimate_bytes,
                          struct store_writer **out, struct error *err)
{
    struct multipart_options options = self(s)->multipart;
    struct multipart *m;
    char *key = key_of(s, name);
    options.estimate_bytes = estimate_bytes;
    bool ok = multipart_new(self(s)->client, str_from(key), &options, &m, err);
    free(key);
    if (!ok)
        return false;
    struct s3_writer *w = mem_zero(1, sizeof(*w));
    w->base = (struct store_writer){s3_write, s3_commit, s3_writer_free, s3_sent};
    w->multipart = m;
    *out = &w->base;
    return true;
}

static bool remove_tree(struct s3 *client, const char *key, struct error *err)
{
    char *prefix = mem_format("%s/", key);
    struct s3_page page = {.count = 0};
    bool ok;
    do {
        const struct s3_list list = {.prefix = str_from(prefix)};
        ok = s3_list(client, &list, &page, err);
        bool more = ok && page.next.len > 0;
        for (size_t i = 0; ok && i < page.count; i++)
            ok = s3_delete(client, page.items[i].key, err);
        s3_page_release(&page);
        if (!more)
            break;
    } while (ok);
    free(prefix);
    return ok;
}

static bool s3_remove(struct store *s, const char *name, struct error *err)
{
    char *key = key_of(s, name);
    bool ok =
        s3_delete(self(s)->client, str_from(key), err) && remove_tree(self(s)->client, key, err);
    free(key);
    return ok;
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
        .open_read = s3_open_read,
        .read_small = s3_read_small,
        .put = s3_store_put,
        .open_write = s3_open_write,
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
    *out = &p->base;
    return true;
}
