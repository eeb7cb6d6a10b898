#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "core/codec/gzip.h"
#include "core/snapshot/snapshot_private.h"
#include "core/snapshot/snapshot_read.h"

#define MEMBER_BYTES ((size_t)1 << 20) /* of text in one gzip member, or written at once */
#define LEVEL 3

struct keys_writer {
    char *path;
    char *partial;
    int fd;
    struct gzip *gzip; /* NULL: plain */
    struct buf text;
    struct buf packed;
    uint64_t keys;
    bool finished;
};

static bool flush(struct keys_writer *w, struct error *err)
{
    struct str out = buf_str(&w->text);
    bool ok = true;

    if (w->text.len == 0)
        return true;
    if (w->gzip != NULL) {
        buf_clear(&w->packed);
        ok = gzip_member(w->gzip, out, &w->packed, err);
        out = buf_str(&w->packed);
    }
    ok = ok && file_write_all(w->fd, out, err);
    buf_clear(&w->text);
    return ok || error_wrap(err, "%s", w->partial);
}

bool keys_writer_open(const char *path, const char *run_id, struct keys_writer **out,
                      struct error *err)
{
    struct keys_writer *w = mem_zero(1, sizeof(*w));

    w->path = mem_copy_text(path);
    w->partial = mem_format("%s.partial", path);
    if (str_ends(str_from(path), ".gz"))
        w->gzip = gzip_new(LEVEL);
    buf_init(&w->text, SIZE_MAX / 2);
    buf_init(&w->packed, SIZE_MAX / 2);
    w->fd = open(w->partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (w->fd < 0) {
        (void)error_set_errno(err, ERROR_STORAGE, errno, "%s", w->partial);
        keys_writer_free(w);
        return false;
    }
    buf_put(&w->text, "{\"kind\":\"%s\",\"v\":%d,\"digest\":\"%s\",\"run_id\":\"%s\"}\n",
            SNAPSHOT_KEYS_KIND, SNAPSHOT_VERSION, KEY_DIGEST_NAME, run_id);
    *out = w;
    return true;
}

static struct str type_word(const struct key_facts *k)
{
    for (size_t i = 0; i < k->type_name.len; i++) {
        char c = k->type_name.ptr[i];

        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
            return STR("other");
    }
    return k->type_name;
}

bool keys_writer_add(struct keys_writer *w, const struct key_facts *k, struct error *err)
{
    struct str type = type_word(k);
    char digest[KEY_DIGEST_TEXT];
    struct buf *out = &w->text;

    if (!record_put_key(out, k->key, err))
        return false;
    if (k->db != 0)
        buf_put(out, ",\"db\":%u", (unsigned)k->db);
    buf_put(out, ",\"slot\":%u,\"type\":\"%.*s\",\"digest\":\"%s\"", (unsigned)k->slot,
            (int)type.len, type.ptr, digest128_format(digest, k->content));
    if (k->deadline != RECORD_NO_TIME)
        buf_put(out, ",\"expire_at_millis\":%" PRId64, k->deadline < 0 ? 0 : k->deadline);
    buf_put(out, ",\"bytes\":%" PRIu64 "%s%s}\n", k->bytes,
            k->hyperloglog ? ",\"hyperloglog\":true" : "", k->fuzzy ? ",\"fuzzy\":true" : "");
    w->keys++;
    return out->len < MEMBER_BYTES || flush(w, err);
}

bool keys_writer_finish(struct keys_writer *w, struct error *err)
{
    buf_put(&w->text, "{\"end\":true,\"keys\":%" PRIu64 "}\n", w->keys);
    if (!flush(w, err))
        return false;
    if (fsync(w->fd) != 0 || rename(w->partial, w->path) != 0)
        return error_set_errno(err, ERROR_STORAGE, errno, "%s", w->path);
    w->finished = true;
    return true;
}

void keys_writer_free(struct keys_writer *w)
{
    if (w == NULL)
        return;
    if (w->fd >= 0) {
        (void)close(w->fd);
        if (!w->finished)
            (void)unlink(w->partial);
    }
    gzip_free(w->gzip);
    buf_release(&w->text);
    buf_release(&w->packed);
    free(w->path);
    free(w->partial);
    free(w);
}
