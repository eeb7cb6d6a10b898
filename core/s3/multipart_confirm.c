#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/escape.h"
#include "core/base/hex.h"
#include "core/s3/checksum.h"
#include "core/s3/multipart_impl.h"

/* Does our own object of the right size stand under the key? The random token is the proof. */
bool multipart_is_ours(struct multipart *m, struct s3_object *object)
{
    struct error ignored;
    return s3_head(m->s3, m->key, object, &ignored) && strcmp(object->token, m->token) == 0 &&
           object->size_bytes == m->total_bytes;
}

/* The checksum that the server must show; false: none of ours can be told. */
static bool expected_checksum(struct multipart *m, char out[CHECKSUM_SIZE])
{
    const struct slot *slot = m->filling;
    char hash[SIGV4_HASH_SIZE];
    if (m->upload_id == NULL) {
        sigv4_hash(hash,
                   (struct str){slot != NULL ? slot->data : NULL, slot != NULL ? slot->len : 0});
        checksum_of_hash(hash, out);
        return true;
    }
    unsigned char *raw = mem_zero(m->part_count + 1, CHECKSUM_RAW);
    bool ok = true;
    multipart_sort_parts(m);
    for (size_t i = 0; ok && i < m->part_count; i++)
        ok = hex_decode(raw + i * CHECKSUM_RAW, CHECKSUM_RAW, str_from(m->parts[i].sha256));
    checksum_of_parts(raw, m->part_count, out);
    free(raw);
    return ok;
}

/* Some servers leave out the number of parts. */
static bool is_same(struct str shown, struct str expected)
{
    return str_equal(shown, expected) ||
           str_equal(shown, str_slice(expected, 0, str_find(expected, '-')));
}

/* It must be that of our bytes. What a server shows in another form (of the whole, where ours is of
 * the parts), or does not show, is told of. */
static bool confirm_checksum(struct multipart *m, const struct s3_object *object, struct error *err)
{
    char expected[CHECKSUM_SIZE];
    char shown[4 * S3_CHECKSUM_MAX];
    struct str is = str_from(object->checksum);
    bool known = expected_checksum(m, expected);
    struct str wanted = str_from(expected);
    if (is.len == 0) {
        if (s3_tells_no_checksums(m->s3))
            upload_memory_note(m->memory, true,
                               "%s keeps no checksums: storage.checksum has no effect there",
                               m->s3->describe);
        return true;
    }
    if (known && is_same(is, wanted))
        return true;
    escape_text(shown, sizeof(shown), is);
    if (known && (str_find(is, '-') < is.len) == (str_find(wanted, '-') < wanted.len))
        return error_set(err, ERROR_CORRUPT, 0,
                         "the server holds an object of SHA-256 checksum %s, but what was uploaded "
                         "has %s",
                         shown, expected);
    upload_memory_note(m->memory, true, "the server's checksum %s is not comparable with %s", shown,
                       expected);
    return true;
}

/* Looking at a checksum may need more rights than looking at an object. */
bool multipart_confirm(struct multipart *m, struct s3_object *object, struct error *err)
{
    struct error why;
    /* An upload that was begun without them has none. */
    bool wanted = m->s3->options.checksums && (m->known == NULL || m->known->checksums);
    bool shown = wanted && s3_head_as(m->s3, m->key, true, object, &why);
    if (wanted && !shown)
        upload_memory_note(m->memory, true, "the checksum at the server was not compared: %s",
                           why.text);
    if (!shown && !s3_head_as(m->s3, m->key, false, object, &why)) {
        *object = (struct s3_object){.size_bytes = m->total_bytes};
        return true;
    }
    if (object->size_bytes == m->total_bytes)
        return !shown || confirm_checksum(m, object, err);
    return error_set(err, ERROR_CORRUPT, 0,
                     "uploaded %lld bytes, but the server holds an object of %lld bytes",
                     (long long)m->total_bytes, (long long)object->size_bytes);
}
