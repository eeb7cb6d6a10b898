#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/store/store_s3_impl.h"

#define MIB ((int64_t)1 << 20)

struct s3_object_reader {
    struct store_object base;
    struct s3 *client;
    struct s3_volumes volumes;
};

char *s3_store_volume_name(const char *name, size_t volume)
{
    return volume == 0 ? mem_copy_text(name) : mem_format("%s.%03zu", name, volume);
}

bool s3_store_is_volume_suffix(struct str suffix)
{
    int number;
    return suffix.len == 4 && suffix.ptr[0] == '.' &&
           str_to_int(str_slice(suffix, 1, 4), 1, S3_VOLUMES_MAX, &number);
}

static bool may_go_on(const struct s3_store *s, int64_t size_bytes)
{
    return size_bytes >= (int64_t)MULTIPART_PART_MIN * s->multipart.max_parts &&
           size_bytes % MIB == 0;
}

static bool find_one(const struct s3_store *s, const char *name, struct s3_volumes *out,
                     struct error *err)
{
    struct s3_object object;
    char *volume = s3_store_volume_name(name, out->count);
    char *key = s3_store_key(&s->base, volume);
    bool ok = s3_head(s->client, str_from(key), &object, err);
    free(volume);
    if (!ok) {
        free(key);
        return false;
    }
    struct s3_volume *v = &ARRAY_PUSH(out->items, out->count, out->cap);
    *v = (struct s3_volume){.key = key, .size_bytes = object.size_bytes};
    memcpy(v->etag, object.etag, sizeof(v->etag));
    out->size_bytes += object.size_bytes;
    if (object.modified_ms > out->modified_ms)
        out->modified_ms = object.modified_ms;
    return true;
}

bool s3_volumes_find(const struct s3_store *s, const char *name, struct s3_volumes *out,
                     struct error *err)
{
    struct error why;
    *out = (struct s3_volumes){.count = 0};
    if (!find_one(s, name, out, err))
        return false;
    while (out->count <= S3_VOLUMES_MAX && may_go_on(s, out->items[out->count - 1].size_bytes)) {
        if (find_one(s, name, out, &why))
            continue;
        if (why.code == ERROR_NOT_FOUND)
            break;
        *err = why;
        s3_volumes_release(out);
        return false;
    }
    return true;
}

void s3_volumes_release(struct s3_volumes *v)
{
    for (size_t i = 0; i < v->count; i++)
        free(v->items[i].key);
    free(v->items);
    *v = (struct s3_volumes){.count = 0};
}

struct target {
    char *out;
    size_t size;
    size_t got;
};

static bool into_target(void *ctx, struct str bytes, struct error *err)
{
    struct target *t = ctx;
    if (bytes.len > t->size - t->got)
        return error_set(err, ERROR_CORRUPT, 0, "the server sent more than was asked for");
    memcpy(t->out + t->got, bytes.ptr, bytes.len);
    t->got += bytes.len;
    return true;
}

static bool read_volume(const struct s3_object_reader *r, const struct s3_volume *v, int64_t from,
                        char *out, size_t size, struct error *err)
{
    struct target target = {.size = size};
    const struct s3_get get = {
        .key = str_from(v->key), .from = from, .length = (int64_t)size, .etag = v->etag};
    target.out = out;
    if (!s3_get(r->client, &get, into_target, &target, err))
        return false;
    return target.got == size ||
           error_set(err, ERROR_CORRUPT, 0, "download %s: %zu bytes came instead of %zu", v->key,
                     target.got, size);
}

static bool object_read(const struct store_object *o, int64_t from, char *out, size_t size,
                        struct error *err)
{
    const struct s3_object_reader *r = (const struct s3_object_reader *)o;
    for (size_t i = 0; i < r->volumes.count && size > 0; i++) {
        const struct s3_volume *v = &r->volumes.items[i];
        if (from >= v->size_bytes) {
            from -= v->size_bytes;
            continue;
        }
        size_t take =
            (uint64_t)(v->size_bytes - from) < size ? (size_t)(v->size_bytes - from) : size;
        if (!read_volume(r, v, from, out, take, err))
            return false;
        out += take;
        size -= take;
        from = 0;
    }
    return true;
}

static void object_free(struct store_object *o)
{
    struct s3_object_reader *r = (struct s3_object_reader *)o;
    s3_volumes_release(&r->volumes);
    free(o->version);
    free(r);
}

/* The ETags of all volumes: another upload under the same name has others. */
static char *version_of(const struct s3_volumes *v)
{
    char *text = mem_copy_text("");
    for (size_t i = 0; i < v->count; i++) {
        char *longer = mem_format("%s%s%s", text, i > 0 ? " " : "", v->items[i].etag);
        free(text);
        text = longer;
    }
    return text;
}

bool s3_store_open_object(struct store *s, const char *name, struct store_object **out,
                          struct error *err)
{
    struct s3_object_reader *r = mem_zero(1, sizeof(*r));
    r->client = s3_store_of(s)->client;
    if (!s3_volumes_find(s3_store_of(s), name, &r->volumes, err)) {
        free(r);
        return false;
    }
    r->base = (struct store_object){object_read, object_free, r->volumes.size_bytes,
                                    version_of(&r->volumes)};
    *out = &r->base;
    return true;
}
