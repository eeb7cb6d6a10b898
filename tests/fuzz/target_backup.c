#include <stdlib.h>
#include <string.h>

#include "core/archive/archive_hint.h"
#include "core/archive/manifest.h"
#include "core/codec/gzip.h"
#include "core/codec/tar.h"
#include "core/record/record.h"
#include "tests/fuzz/target.h"

#define UNPACKED_MAX ((size_t)128 << 10)
#define MANIFEST_MAX ((size_t)16 << 20)

static void touch_groups(const struct record *r)
{
    size_t count = 0;
    const struct stream_group *groups = record_groups(r, &count);
    for (size_t i = 0; i < count; i++)
        fuzz_touch(groups[i].name);
}

static void touch_entries(const struct record *r)
{
    for (size_t i = 0; i < record_count(r); i++) {
        struct record_entry e;
        record_entry(r, i, &e);
        fuzz_expect(e.count % 2 == 0, "an entry has pairs");
        for (size_t k = 0; k < e.count; k++)
            fuzz_touch(record_entry_item(r, &e, k));
    }
}

static void touch_value(const struct record *r)
{
    struct str a;
    struct str b;
    enum record_type type = record_head(r)->type;
    for (size_t i = 0; i < record_count(r) && type != RECORD_STREAM; i++) {
        if (type == RECORD_HASH || type == RECORD_ZSET) {
            record_pair(r, i, &a, &b);
            fuzz_touch(a);
            fuzz_touch(b);
        } else if (type == RECORD_LIST || type == RECORD_SET) {
            fuzz_touch(record_item(r, i));
        }
    }
    if (type == RECORD_STRING) {
        fuzz_touch(record_string(r));
    } else if (type == RECORD_OPAQUE) {
        fuzz_touch(record_dump(r));
    } else if (type == RECORD_STREAM) {
        touch_entries(r);
        touch_groups(r);
    }
}

/* Twice with one record: the second line must not see the first one's leavings. */
void fuzz_record(struct str bytes)
{
    struct error err = {0};
    struct record *r = record_new();
    for (int i = 0; i < 2; i++) {
        if (record_parse(r, bytes, &err)) {
            int64_t millis = 0;
            struct str field;
            fuzz_touch(record_head(r)->key);
            fuzz_touch(record_head(r)->type_name);
            touch_value(r);
            for (size_t k = 0; k < record_deadlines(r); k++) {
                record_deadline(r, k, &field, &millis);
                fuzz_touch(field);
            }
        }
    }
    record_free(r);
}

/* What was accepted can be written, and what was written is accepted. */
void fuzz_manifest(struct str bytes)
{
    struct error err = {0};
    struct manifest *m = NULL;
    struct manifest *again = NULL;
    struct buf out;
    char line[200];
    buf_init(&out, MANIFEST_MAX);
    if (manifest_parse(bytes, &m, &err)) {
        (void)manifest_describe(m, line, sizeof(line));
        for (uint32_t slot = 0; slot < 16384; slot += 1023)
            (void)manifest_generation(m, (uint16_t)slot);
        if (m->format_version == 1 && manifest_encode(m, &out, &err)) {
            fuzz_expect(manifest_parse(buf_str(&out), &again, &err), "a written manifest reads");
            manifest_free(again);
        }
        manifest_free(m);
    }
    buf_release(&out);
}

struct memory {
    struct str rest;
};

static bool pull(void *arg, void *out, size_t size, size_t *got, struct error *err)
{
    struct memory *m = arg;
    (void)err;
    *got = size < m->rest.len ? size : m->rest.len;
    if (*got > 0) {
        memcpy(out, m->rest.ptr, *got);
        m->rest.ptr += *got;
        m->rest.len -= *got;
    }
    return true;
}

void fuzz_gzip(struct str bytes)
{
    struct error err = {0};
    struct archive_hint hint;
    struct memory memory = {bytes};
    char piece[777];
    size_t got = 1;
    uint64_t total = 0;
    struct gunzip *g = gunzip_new(pull, &memory, UNPACKED_MAX);
    while (got > 0 && gunzip_read(g, piece, sizeof(piece), &got, &err)) {
        total += got;
        fuzz_touch((struct str){piece, got});
    }
    fuzz_expect(total <= UNPACKED_MAX, "the limit of unpacked bytes");
    gunzip_free(g);
    fuzz_touch(gzip_stored_extra(bytes, "RB"));
    size_t trailer = archive_trailer_size();
    if (bytes.len >= trailer &&
        archive_trailer_get(str_slice(bytes, bytes.len - trailer, bytes.len), bytes.len, &hint)) {
        fuzz_expect(hint.manifest_offset + hint.manifest_length <= bytes.len,
                    "the hint points into the archive");
    }
}

void fuzz_tar(struct str bytes)
{
    struct error err = {0};
    struct memory memory = {bytes};
    char piece[777];
    char name[TAR_NAME_MAX + 2];
    const char *member = NULL;
    uint64_t size = 0;
    size_t got = 0;
    if (bytes.len >= TAR_BLOCK && tar_header_parse(bytes.ptr, name, &size, &err))
        fuzz_touch(str_from(name));
    struct tar_reader *r = tar_reader_new(pull, &memory);
    while (tar_next(r, &member, &size, &err) && member != NULL) {
        fuzz_expect(tar_name_is_safe(member), "a member's name is safe");
        while (tar_read(r, piece, sizeof(piece), &got, &err) && got > 0)
            fuzz_touch((struct str){piece, got});
    }
    tar_reader_free(r);
}
