/*
 * archive_hint.h - where the manifest lies in an archive of ours, told by the archive's end.
 *
 * The last gzip member holds the tar trailer (zeros), stored, with these offsets in its header. It
 * only saves reading the whole archive: whatever it points to is checked as if it came from
 * anywhere. Pure; any thread.
 */
#ifndef CORE_ARCHIVE_ARCHIVE_HINT_H
#define CORE_ARCHIVE_ARCHIVE_HINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"

struct archive_hint {
    uint64_t manifest_offset; /* of gzip members in the archive; length 0: there is none */
    uint64_t manifest_length;
    uint64_t hmac_offset;
    uint64_t hmac_length;
};

#define ARCHIVE_HINT_BYTES 32
size_t archive_trailer_size(void);
/* Append the trailer member. */
bool archive_trailer_put(const struct archive_hint *hint, struct buf *out,
                         struct error *err) MUST_CHECK;
/* tail: the last archive_trailer_size() bytes of an archive of `total` bytes. false: not ours. */
bool archive_trailer_get(struct str tail, uint64_t total, struct archive_hint *out) MUST_CHECK;

#endif
