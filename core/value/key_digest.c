#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/hex.h"
#include "core/value/key_digest_private.h"
#include "core/value/value_read.h"

#define HYPERLOGLOG_HEAD ((size_t)16)
#define HYPERLOGLOG_DENSE ((size_t)12304) /* bytes of a dense one: the largest fixed size */
#define NO_DEADLINE UINT64_MAX

/* ---- 128 bits ---------------------------------------------------------------------------------
 */

bool digest128_equal(struct digest128 a, struct digest128 b)
{
    return a.high == b.high && a.low == b.low;
}

struct digest128 digest128_add(struct digest128 a, struct digest128 b)
{
    struct digest128 sum = {a.high + b.high, a.low + b.low};

    sum.high += sum.low < a.low ? 1 : 0;
    return sum;
}

struct digest128 digest128_subtract(struct digest128 a, struct digest128 b)
{
    return (struct digest128){a.high - b.high - (a.low < b.low ? 1 : 0), a.low - b.low};
}

char *digest128_format(char out[KEY_DIGEST_TEXT], struct digest128 d)
{
    uint64_t both[2] = {htobe64(d.high), htobe64(d.low)};

    return hex_encode(out, both, sizeof(both));
}

bool digest128_parse(struct str text, struct digest128 *out)
{
    uint64_t both[2];

    if (!hex_decode(both, sizeof(both), text))
        return false;
    *out = (struct digest128){be64toh(both[0]), be64toh(both[1])};
    return true;
}

/* ---- feeding ----------------------------------------------------------------------------------
 */

void digest_feed_init(struct digest_feed *f)
{
    f->state = XXH3_createState();
    if (f->state == NULL)
        abort();
    digest_feed_clear(f);
}

void digest_feed_release(struct digest_feed *f)
{
    XXH3_freeState(f->state);
    f->state = NULL;
}

void digest_feed_clear(struct digest_feed *f)
{
    XXH3_128bits_reset(f->state);
    f->length = 0;
}

void digest_feed_bytes(struct digest_feed *f, const void *data, size_t len)
{
    if (len > 0)
        XXH3_128bits_update(f->state, data, len);
    f->length += len;
}

void digest_feed_u64(struct digest_feed *f, uint64_t value)
{
    value = htole64(value);
    digest_feed_bytes(f, &value, sizeof(value));
}

void digest_feed_piece(struct digest_feed *f, struct str piece)
{
    digest_feed_u64(f, piece.len);
    digest_feed_bytes(f, piece.ptr, piece.len);
}

void digest_feed_id(struct digest_feed *f, struct stream_id id)
{
    digest_feed_u64(f, id.ms);
    digest_feed_u64(f, id.seq);
}

void digest_feed_hash(struct digest_feed *f, const struct digest_feed *of)
{
    XXH128_canonical_t text;

    XXH128_canonicalFromHash(&text, XXH3_128bits_digest(of->state));
    digest_feed_bytes(f, &text, sizeof(text));
}

struct digest128 digest_feed_result(const struct digest_feed *f)
{
    XXH128_hash_t hash = XXH3_128bits_digest(f->state);

    return (struct digest128){hash.high64, hash.low64};
}

/* ---- a key ------------------------------------------------------------------------------------
 */

struct key_digest *key_digest_new(const char *dir, size_t memory)
{
    struct key_digest *d = mem_zero(1, sizeof(*d));

    digest_feed_init(&d->content);
    d->members = sorter_new(dir, memory);
    buf_init(&d->held, SIZE_MAX / 2);
    digest_stream_init(&d->stream);
    return d;
}

void key_digest_free(struct key_digest *d)
{
    if (d == NULL)
        return;
    digest_feed_release(&d->content);
    sorter_free(d->members);
    buf_release(&d->held);
    digest_stream_release(&d->stream);
    arena_release(&d->scratch);
    free(d);
}

void key_digest_start(struct key_digest *d, const struct record_head *head)
{
    d->head = *head;
    digest_feed_clear(&d->content);
    sorter_clear(d->members);
    buf_clear(&d->held);
    d->plain = false;
    d->hyperloglog = false;
    d->bytes = 0;
    digest_stream_clear(&d->stream);
}

/* ---- strings ----------------------------------------------------------------------------------
 */

/* The held bytes go into the hash, those of a cached count as zeros. */
static void let_go(struct key_digest *d)
{
    static const char zeros[8];

    d->plain = true;
    if (d->hyperloglog) {
        digest_feed_bytes(&d->content, d->held.data, 8);
        digest_feed_bytes(&d->content, zeros, sizeof(zeros));
        digest_feed_bytes(&d->content, d->held.data + HYPERLOGLOG_HEAD,
                          d->held.len - HYPERLOGLOG_HEAD);
    } else {
        digest_feed_bytes(&d->content, d->held.data, d->held.len);
    }
    buf_clear(&d->held);
}

bool key_digest_bytes(struct key_digest *d, struct str piece, struct error *err)
{
    d->bytes += piece.len;
    if (!d->plain && d->held.len == 0 && piece.len >= 4 && !str_starts(piece, "HYLL"))
        d->plain = true;
    if (d->plain) {
        digest_feed_bytes(&d->content, piece.ptr, piece.len);
        return true;
    }
    if (!buf_append(&d->held, piece, err))
        return false;
    if (d->held.len > HYPERLOGLOG_DENSE) { /* a sparse one, or none: its head says which */
        d->hyperloglog = value_is_hyperloglog(buf_str(&d->held)) && d->held.data[4] == 1;
        let_go(d);
    }
    return true;
}

/* ---- elements ---------------------------------------------------------------------------------
 */

bool key_digest_element(struct key_digest *d, struct str element, struct error *err)
{
    if (d->head.type == RECORD_SET)
        return sorter_add(d->members, element, STR(""), err);
    digest_feed_piece(&d->content, element);
    d->bytes += element.len;
    return true;
}

bool key_digest_field(struct key_digest *d, struct str field, struct str value, int64_t deadline,
                      struct error *err)
{
    struct buf *data = &d->held;
    uint64_t at = htole64(deadline == RECORD_NO_TIME ? NO_DEADLINE : (uint64_t)deadline);

    buf_clear(data);
    return buf_append(data, (struct str){(const char *)&at, sizeof(at)}, err) &&
           buf_append(data, value, err) && sorter_add(d->members, field, buf_str(data), err);
}

bool key_digest_member(struct key_digest *d, struct str member, double score, struct error *err)
{
    uint64_t bits;

    score = score + 0.0; /* -0 becomes 0 */
    memcpy(&bits, &score, sizeof(bits));
    bits = htole64(bits);
    return sorter_add(d->members, member, (struct str){(const char *)&bits, sizeof(bits)}, err);
}

static void feed_member(struct key_digest *d, struct str name, struct str data)
{
    digest_feed_piece(&d->content, name);
    d->bytes += name.len;
    if (d->head.type == RECORD_ZSET) {
        digest_feed_bytes(&d->content, data.ptr, data.len);
        d->bytes += data.len;
    } else if (d->head.type == RECORD_HASH) {
        struct str value = str_slice(data, sizeof(uint64_t), data.len);

        digest_feed_piece(&d->content, value);
        digest_feed_bytes(&d->content, data.ptr, sizeof(uint64_t));
        d->bytes += value.len;
    }
}

static bool feed_members(struct key_digest *d, struct error *err)
{
    bool end = false;

    if (!sorter_sort(d->members, SIZE_MAX, err))
        return false;
    while (!end) {
        struct str name;
        struct str data;

        if (!sorter_next(d->members, &name, &data, &end, err))
            return false;
        if (!end)
            feed_member(d, name, data);
    }
    return true;
}

void key_digest_dump(struct key_digest *d, struct str payload)
{
    digest_feed_bytes(&d->content, payload.ptr, payload.len);
    d->bytes += payload.len;
}

/* ---- the end ----------------------------------------------------------------------------------
 */

static struct str type_word(const struct record_head *head)
{
    return head->type == RECORD_OPAQUE ? head->type_name : str_from(record_type_name(head->type));
}

bool key_digest_end(struct key_digest *d, struct digest128 *out, uint64_t *bytes, struct error *err)
{
    struct digest_feed *all = &d->stream.entries; /* done with by then */
    enum record_type type = d->head.type;

    if (type == RECORD_STRING && !d->plain) {
        d->hyperloglog = value_is_hyperloglog(buf_str(&d->held));
        let_go(d);
    }
    if ((type == RECORD_HASH || type == RECORD_SET || type == RECORD_ZSET) && !feed_members(d, err))
        return false;
    if (type == RECORD_STREAM)
        digest_stream_end(&d->stream, &d->content);
    digest_feed_clear(all);
    digest_feed_piece(all, type_word(&d->head));
    digest_feed_piece(all, d->head.key);
    digest_feed_u64(all, d->content.length);
    digest_feed_hash(all, &d->content);
    if (d->head.db != 0)
        digest_feed_u64(all, d->head.db);
    *out = digest_feed_result(all);
    *bytes = d->bytes;
    return true;
}

bool key_digest_is_hyperloglog(const struct key_digest *d)
{
    return d->hyperloglog;
}

/* ---- names ------------------------------------------------------------------------------------
 */

static uint64_t with_database(struct str key, uint32_t db, const void *more, size_t len,
                              struct digest128 *out)
{
    struct digest_feed f;

    digest_feed_init(&f);
    digest_feed_piece(&f, key);
    if (len > 0)
        digest_feed_bytes(&f, more, len);
    if (db != 0)
        digest_feed_u64(&f, db);
    *out = digest_feed_result(&f);
    digest_feed_release(&f);
    return out->high;
}

struct digest128 key_digest_deadline(struct str key, uint32_t db, int64_t deadline_ms)
{
    struct digest128 out;
    uint64_t at = htole64((uint64_t)deadline_ms);

    (void)with_database(key, db, &at, sizeof(at), &out);
    return out;
}

uint64_t key_digest_rank(struct str key, uint32_t db)
{
    struct digest128 out;

    return with_database(key, db, NULL, 0, &out);
}

struct digest128 key_digest_of(struct str bytes)
{
    XXH128_hash_t hash = XXH3_128bits(bytes.len > 0 ? bytes.ptr : "", bytes.len);

    return (struct digest128){hash.high64, hash.low64};
}
