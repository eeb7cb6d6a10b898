#include "tests/core/snapshot/fixture_record_digest.h"

#include <stdlib.h>

#include "core/base/alloc.h"

struct record_digest {
    struct record_stream *stream;
    struct key_digest *digest;
    struct buf key; /* names outlive the line they stand in */
    struct buf type_name;
    struct record_head head;    /* of the key being added up */
    const struct record *ahead; /* read, but it belongs to the next key */
};

struct record_digest *record_digest_new(struct record_stream *stream, const char *dir,
                                        size_t memory)
{
    struct record_digest *r = mem_zero(1, sizeof(*r));

    r->stream = stream;
    r->digest = key_digest_new(dir, memory);
    buf_init(&r->key, RECORD_LINE_MAX);
    buf_init(&r->type_name, RECORD_LINE_MAX);
    return r;
}

void record_digest_free(struct record_digest *r)
{
    if (r == NULL)
        return;
    key_digest_free(r->digest);
    buf_release(&r->key);
    buf_release(&r->type_name);
    free(r);
}

static bool next_record(struct record_digest *r, const struct record **out, struct error *err)
{
    if (r->ahead == NULL)
        return record_stream_next(r->stream, out, err);
    *out = r->ahead;
    r->ahead = NULL;
    return true;
}

static bool begin(struct record_digest *r, const struct record *first, struct error *err)
{
    r->head = *record_head(first);
    buf_clear(&r->key);
    buf_clear(&r->type_name);
    if (!buf_append(&r->key, r->head.key, err) ||
        !buf_append(&r->type_name, r->head.type_name, err))
        return false;
    r->head.key = buf_str(&r->key);
    r->head.type_name = buf_str(&r->type_name);
    key_digest_start(r->digest, &r->head);
    return true;
}

static bool goes_on(const struct record_digest *r, const struct record_head *h, uint64_t seq)
{
    return h->chunked && h->chunk_seq == seq && h->type == r->head.type && h->db == r->head.db &&
           str_equal(h->key, r->head.key);
}

/* All lines of the key that begins with `one`; *whole false: its run was taken back. */
static bool add_lines(struct record_digest *r, const struct record *one, bool *whole,
                      struct error *err)
{
    *whole = false;
    if (record_head(one)->chunked && record_head(one)->chunk_seq != 0)
        return true; /* its beginning was superseded, or never there */
    if (!begin(r, one, err))
        return false;
    for (uint64_t seq = 1;; seq++) {
        const struct record_head *h = record_head(one);

        *whole = !h->chunked || h->chunk_last;
        r->head.fuzzy = r->head.fuzzy || h->fuzzy;
        r->head.expire_at_millis = h->expire_at_millis;
        if (!key_digest_record(r->digest, one, err))
            return false;
        if (*whole)
            return true;
        if (!record_stream_next(r->stream, &one, err))
            return false;
        if (one == NULL || !goes_on(r, record_head(one), seq)) {
            r->ahead = one;
            return true;
        }
    }
}

bool record_digest_next(struct record_digest *r, struct key_facts *out, bool *end,
                        struct error *err)
{
    bool whole = false;

    *end = false;
    while (!whole) {
        const struct record *one;

        if (!next_record(r, &one, err))
            return false;
        if (one == NULL) {
            *end = true;
            return true;
        }
        if (!add_lines(r, one, &whole, err))
            return false;
    }
    *out = (struct key_facts){.key = r->head.key,
                              .db = r->head.db,
                              .slot = slot_of_key(r->head.key),
                              .type = r->head.type,
                              .type_name = r->head.type_name,
                              .deadline = r->head.expire_at_millis,
                              .fuzzy = r->head.fuzzy};
    if (!key_digest_end(r->digest, &out->content, &out->bytes, err))
        return false;
    out->bytes += out->key.len;
    out->hyperloglog = key_digest_is_hyperloglog(r->digest);
    return true;
}
