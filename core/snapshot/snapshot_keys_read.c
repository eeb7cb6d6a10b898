#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/base64.h"
#include "core/base/json.h"
#include "core/snapshot/snapshot_read_private.h"

#define CHUNK ((size_t)64 << 10)

struct snapshot_keys {
    int fd; /* -1: pull is the caller's */
    gzip_pull pull;
    void *arg;
    char *name;
    char ahead[2]; /* bytes that told gzip from text */
    size_t ahead_len, ahead_at;
    struct gunzip *gunzip; /* NULL: plain */
    struct buf text;
    size_t at;      /* of the next line */
    size_t looked;  /* no newline before */
    bool exhausted; /* no more bytes behind text */
    uint64_t lines;
    uint64_t keys;
    bool ended;
    struct arena arenas[2]; /* of the key at hand and the one before */
    struct key_facts before;
};

/* ---- members ----------------------------------------------------------------------------------
 */

bool snapshot_bad(struct error *err, const char *member)
{
    return error_set(err, ERROR_CORRUPT, 0, "\"%s\" is missing or not what it should be", member);
}

bool snapshot_want_u64(const json_t *doc, const char *name, uint64_t *out, struct error *err)
{
    const json_t *value = json_object_get(doc, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return snapshot_bad(err, name);
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static struct str text_of(const json_t *value)
{
    return (struct str){json_string_value(value), json_string_length(value)};
}

bool snapshot_want_text(const json_t *doc, const char *name, struct arena *arena, const char **out,
                        struct error *err)
{
    const json_t *value = json_object_get(doc, name);

    if (!json_is_string(value) || !str_is_text(text_of(value)))
        return snapshot_bad(err, name);
    *out = arena_text(arena, text_of(value));
    return true;
}

bool snapshot_want_digest(const json_t *doc, const char *name, struct digest128 *out,
                          struct error *err)
{
    const json_t *value = json_object_get(doc, name);

    return (json_is_string(value) && digest128_parse(text_of(value), out)) ||
           snapshot_bad(err, name);
}

static bool want_name(const json_t *doc, struct arena *arena, struct str *out, struct error *err)
{
    const json_t *plain = json_object_get(doc, "key");
    const json_t *coded = json_object_get(doc, "key_b64");
    struct buf raw;
    bool ok;

    if ((plain == NULL) == (coded == NULL))
        return snapshot_bad(err, "key");
    if (plain != NULL) {
        *out = json_is_string(plain) ? arena_str(arena, text_of(plain)) : STR("");
        return json_is_string(plain) || snapshot_bad(err, "key");
    }
    buf_init(&raw, SNAPSHOT_LINE_MAX);
    ok = json_is_string(coded) && base64_decode(&raw, text_of(coded), err);
    if (ok)
        *out = arena_str(arena, buf_str(&raw));
    buf_release(&raw);
    return ok || snapshot_bad(err, "key_b64");
}

static bool take_deadline(const json_t *doc, int64_t *out, struct error *err)
{
    uint64_t at = 0;

    *out = RECORD_NO_TIME;
    if (json_object_get(doc, "expire_at_millis") == NULL)
        return true;
    if (!snapshot_want_u64(doc, "expire_at_millis", &at, err))
        return false;
    *out = (int64_t)at;
    return true;
}

bool snapshot_want_key(const json_t *doc, struct arena *arena, struct key_facts *out,
                       struct error *err)
{
    const char *type = "";
    uint64_t slot = 0;
    uint64_t db = 0;

    *out = (struct key_facts){.hyperloglog = json_is_true(json_object_get(doc, "hyperloglog")),
                              .fuzzy = json_is_true(json_object_get(doc, "fuzzy"))};
    if (!want_name(doc, arena, &out->key, err) || !snapshot_want_u64(doc, "slot", &slot, err) ||
        !snapshot_want_text(doc, "type", arena, &type, err) ||
        !snapshot_want_digest(doc, "digest", &out->content, err) ||
        !snapshot_want_u64(doc, "bytes", &out->bytes, err) ||
        !take_deadline(doc, &out->deadline, err))
        return false;
    if (json_object_get(doc, "db") != NULL && !snapshot_want_u64(doc, "db", &db, err))
        return false;
    if (slot != slot_of_key(out->key))
        return snapshot_bad(err, "slot");
    if (db > UINT32_MAX)
        return snapshot_bad(err, "db");
    out->slot = (uint16_t)slot;
    out->db = (uint32_t)db;
    out->type_name = str_from(type);
    out->type = record_type_of(out->type_name);
    return true;
}

bool snapshot_check_kind(const json_t *doc, const char *kind, struct error *err)
{
    uint64_t version = 0;

    if (strcmp(json_text(doc, "kind", ""), kind) != 0)
        return error_set(err, ERROR_CORRUPT, 0, "it is no %s", kind);
    if (!snapshot_want_u64(doc, "v", &version, err))
        return false;
    if (version != SNAPSHOT_VERSION)
        return error_set(err, ERROR_UNSUPPORTED, 0, "version %llu is not known here",
                         (unsigned long long)version);
    if (strcmp(json_text(doc, "digest", ""), KEY_DIGEST_NAME) != 0)
        return error_set(err, ERROR_UNSUPPORTED, 0, "its digests are not %s", KEY_DIGEST_NAME);
    return true;
}

/* ---- bytes ------------------------------------------------------------------------------------
 */

static bool pull_file(void *arg, void *out, size_t size, size_t *got, struct error *err)
{
    const struct snapshot_keys *k = arg;
    ssize_t n;

    do
        n = read(k->fd, out, size);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_set_errno(err, ERROR_STORAGE, errno, "%s", k->name);
    *got = (size_t)n;
    return true;
}

/* First what was read ahead, then the rest. */
static bool pull_all(void *arg, void *out, size_t size, size_t *got, struct error *err)
{
    struct snapshot_keys *k = arg;
    size_t left = k->ahead_len - k->ahead_at;

    if (left == 0)
        return k->pull(k->arg, out, size, got, err);
    *got = left < size ? left : size;
    memcpy(out, k->ahead + k->ahead_at, *got);
    k->ahead_at += *got;
    return true;
}

static bool look_ahead(struct snapshot_keys *k, struct error *err)
{
    size_t got = 1;

    while (k->ahead_len < sizeof(k->ahead) && got > 0) {
        if (!k->pull(k->arg, k->ahead + k->ahead_len, sizeof(k->ahead) - k->ahead_len, &got, err))
            return false;
        k->ahead_len += got;
    }
    if (k->ahead_len == 2 && memcmp(k->ahead, "\x1f\x8b", 2) == 0)
        k->gunzip = gunzip_new(pull_all, k, UINT64_MAX);
    return true;
}

static bool read_more(struct snapshot_keys *k, struct error *err)
{
    size_t got;

    buf_drop_front(&k->text, k->at);
    k->looked -= k->at;
    k->at = 0;
    if (k->text.len > SNAPSHOT_LINE_MAX)
        return error_set(err, ERROR_LIMIT, 0, "a line is too long");
    if (!buf_reserve(&k->text, CHUNK, err))
        return false;
    if (k->gunzip != NULL ? !gunzip_read(k->gunzip, k->text.data + k->text.len, CHUNK, &got, err)
                          : !pull_all(k, k->text.data + k->text.len, CHUNK, &got, err))
        return false;
    k->text.len += got;
    k->text.data[k->text.len] = '\0';
    k->exhausted = got == 0;
    return true;
}

static bool next_line(struct snapshot_keys *k, struct str *line, struct error *err)
{
    for (;;) {
        const char *from = k->text.data + k->looked;
        const char *newline = memchr(from, '\n', k->text.len - k->looked);

        if (newline != NULL) {
            *line = (struct str){k->text.data + k->at, (size_t)(newline - (k->text.data + k->at))};
            k->at = k->looked = (size_t)(newline - k->text.data) + 1;
            k->lines++;
            return true;
        }
        k->looked = k->text.len;
        if (k->exhausted)
            return error_set(err, ERROR_CORRUPT, 0, "it is cut off");
        if (!read_more(k, err))
            return false;
    }
}

static json_t *parse_line(struct snapshot_keys *k, struct error *err)
{
    struct str line = {0};

    return next_line(k, &line, err) ? json_parse(line, "a line", err) : NULL;
}

/* ---- the file ---------------------------------------------------------------------------------
 */

static bool read_head(struct snapshot_keys *k, const struct snapshot *of, struct error *err)
{
    json_t *doc = parse_line(k, err);
    bool ok = doc != NULL && snapshot_check_kind(doc, SNAPSHOT_KEYS_KIND, err);

    if (ok && of != NULL && strcmp(json_text(doc, "run_id", ""), of->run_id) != 0)
        ok = error_set(err, ERROR_CORRUPT, 0, "it belongs to another snapshot");
    json_decref(doc);
    return ok;
}

static bool begin(struct snapshot_keys *k, const struct snapshot *of, struct snapshot_keys **out,
                  struct error *err)
{
    if (!look_ahead(k, err) || !read_head(k, of, err)) {
        (void)error_wrap(err, "%s", k->name);
        snapshot_keys_free(k);
        return false;
    }
    *out = k;
    return true;
}

static struct snapshot_keys *make(const char *name)
{
    struct snapshot_keys *k = mem_zero(1, sizeof(*k));

    k->fd = -1;
    k->name = mem_copy_text(name);
    buf_init(&k->text, SNAPSHOT_LINE_MAX + 2 * CHUNK);
    return k;
}

bool snapshot_keys_new(gzip_pull pull, void *arg, const char *name, const struct snapshot *of,
                       struct snapshot_keys **out, struct error *err)
{
    struct snapshot_keys *k = make(name);

    k->pull = pull;
    k->arg = arg;
    return begin(k, of, out, err);
}

bool snapshot_keys_open(const char *path, const struct snapshot *of, struct snapshot_keys **out,
                        struct error *err)
{
    struct snapshot_keys *k = make(path);

    k->pull = pull_file;
    k->arg = k;
    k->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (k->fd < 0) {
        (void)error_set_errno(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_STORAGE, errno, "%s",
                              path);
        snapshot_keys_free(k);
        return false;
    }
    return begin(k, of, out, err);
}

void snapshot_keys_free(struct snapshot_keys *k)
{
    if (k == NULL)
        return;
    if (k->fd >= 0)
        (void)close(k->fd);
    gunzip_free(k->gunzip);
    buf_release(&k->text);
    arena_release(&k->arenas[0]);
    arena_release(&k->arenas[1]);
    free(k->name);
    free(k);
}

static bool take_end(struct snapshot_keys *k, const json_t *doc, struct error *err)
{
    uint64_t keys = 0;

    if (!snapshot_want_u64(doc, "keys", &keys, err))
        return false;
    if (keys != k->keys)
        return error_set(err, ERROR_CORRUPT, 0, "it says %llu keys and has %llu",
                         (unsigned long long)keys, (unsigned long long)k->keys);
    while (!k->exhausted && k->at == k->text.len) /* the checksum stands behind the last line */
        if (!read_more(k, err))
            return false;
    if (k->at < k->text.len)
        return error_set(err, ERROR_CORRUPT, 0, "something follows its end");
    k->ended = true;
    return true;
}

static bool take_line(struct snapshot_keys *k, const json_t *doc, struct key_facts *out, bool *end,
                      struct error *err)
{
    struct arena *arena = &k->arenas[k->keys % 2];

    *end = json_is_true(json_object_get(doc, "end"));
    if (*end)
        return take_end(k, doc, err);
    arena_clear(arena);
    if (!snapshot_want_key(doc, arena, out, err))
        return false;
    if (k->keys > 0 && key_facts_compare(&k->before, out) >= 0)
        return error_set(err, ERROR_CORRUPT, 0, "its keys are not in order");
    k->before = *out;
    k->keys++;
    return true;
}

bool snapshot_keys_next(struct snapshot_keys *k, struct key_facts *out, bool *end,
                        struct error *err)
{
    json_t *doc;
    bool ok;

    *end = k->ended;
    if (k->ended)
        return true;
    doc = parse_line(k, err);
    ok = doc != NULL && take_line(k, doc, out, end, err);
    json_decref(doc);
    return ok || error_wrap(err, "%s, line %llu", k->name, (unsigned long long)k->lines);
}
