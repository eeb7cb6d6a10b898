/*
 * restore_build.h - one attempt to build one key under a temporary name and to rename it into
 * place. Private to core/restore/restore*.
 *
 * Each attempt has a temporary name of its own: bytes of an earlier attempt whose connection broke
 * may still reach the server, and must not land in the new key. The temporary key is watched while
 * it is checked and renamed, so nothing that was evicted or expired meanwhile replaces a key. One
 * thread, the worker's.
 */
#ifndef CORE_RESTORE_RESTORE_BUILD_H
#define CORE_RESTORE_RESTORE_BUILD_H

#include "core/restore/restore_worker.h"
#include "core/value/stream_write.h"

#define RESTORE_BUILD_NAMES 8 /* temporary names that are remembered; older ones expire */

enum restore_built {
    RESTORE_BUILT,       /* in place */
    RESTORE_BUILT_THERE, /* the key exists and has to stay */
    RESTORE_BUILT_VOID,  /* the run of lines has no end: a reading that was taken back */
    RESTORE_BUILT_DEAD,  /* its deadline, or that of all its fields, passed on the way */
};

struct restore_build {
    struct restore_worker *w;
    struct record_stream *stream;
    struct conn *conn;
    uint64_t generation; /* of the connection, when the attempt began */
    const struct capability *can;
    struct str key; /* in the worker's arena */
    enum record_type type;
    uint16_t slot;
    uint32_t db;
    struct restore_expiry expiry;

    uint64_t names[RESTORE_BUILD_NAMES]; /* numbers of the temporary names, the last one in use */
    size_t name_count;
    struct str temp; /* in temp_name */
    struct str aside;
    char temp_name[TEMP_KEY_MAX];
    char aside_name[TEMP_KEY_MAX];

    struct stream_build *streams;
    uint64_t elements; /* in all lines so far */
    uint64_t added;    /* of them to a set, sorted set or hash, as the server says */
    uint64_t expected; /* of the last line, when chunked */
    int64_t armed_ms;  /* when the temporary key last got its expiry; 0: not yet */
    bool chunked;
    bool deadlines; /* fields have them */
    bool watching;
    bool swapping;     /* the renaming was sent and its outcome is not known */
    bool came_through; /* it had, after an attempt that seemed lost */
    bool placed;       /* the last temporary name became the key */
};

/* Another attempt, with `first` as the stream gave it last. An earlier one that turns out to have
 * come through counts as this one. */
bool restore_build_once(struct restore_build *b, const struct record *first,
                        enum restore_built *built, struct error *err) MUST_CHECK;
/* restore_swap.c: the watched temporary key takes the place of the key, whose old value is freed in
 * the background. *there: it exists and had to stay. */
bool restore_build_swap(struct restore_build *b, bool *there, struct error *err) MUST_CHECK;
/* The next record goes on with this run of lines at `seq`. */
bool restore_build_goes_on(const struct restore_build *b, const struct record *r, uint64_t seq);
/* Remove every temporary key of this build as far as that is possible now, and leave the connection
 * as others expect it. */
void restore_build_clean(struct restore_build *b);
/* The same when the run ends here: after a cancel by a connection of its own, within a second. */
void restore_build_abandon(struct restore_build *b);

#endif
