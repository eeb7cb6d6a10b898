/*
 * fetch_state.h - inside core/store: what `<path>.partial.json` says about a fetch that goes on
 * later. One thread, or under the lock of its user.
 */
#ifndef CORE_STORE_FETCH_STATE_H
#define CORE_STORE_FETCH_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/s3/sigv4.h"

struct fetch_piece {
    bool done;
    char sha256[SIGV4_HASH_SIZE];
};

struct fetch_state {
    const char *name;    /* of the object; borrowed */
    const char *version; /* of the object; borrowed */
    int64_t size_bytes;
    size_t piece_bytes;
    struct fetch_piece *pieces;
    size_t count;
};

bool fetch_state_write(const char *path, const struct fetch_state *s, struct error *err) MUST_CHECK;
/* Takes over which pieces are done if the file is about this very version. Else false, and `why`
 * (size bytes) says it in a few words; "" when there is no file. */
bool fetch_state_read(const char *path, struct fetch_state *s, char *why, size_t size);

#endif
