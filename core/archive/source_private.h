/*
 * source_private.h - what the files of the archive reader share: source.c opens, source_scan.c
 * reads a whole archive of unknown make into a spool, source_part.c hands out parts. Nobody else
 * includes it.
 */
#ifndef CORE_ARCHIVE_SOURCE_PRIVATE_H
#define CORE_ARCHIVE_SOURCE_PRIVATE_H

#include "core/archive/source.h"

#define SOURCE_PART_MEMORY ((size_t)144 << 20) /* a part: 64 MiB, one more line, and some */
#define SOURCE_UNPACKED ((uint64_t)1 << 40)

enum source_kind {
    SOURCE_TREE,       /* files below path */
    SOURCE_STORE_TREE, /* objects below name */
    SOURCE_FILE,       /* gzip members by range of fd */
    SOURCE_OBJECT,     /* gzip members by range of the object */
    SOURCE_SPOOL,      /* members unpacked in fd */
};

struct source_member { /* of a spool */
    char *name;        /* without the top folder */
    uint64_t offset;   /* a multiple of SPOOL_ALIGN */
    uint64_t bytes;
    unsigned char sha256[32];
};

struct source {
    struct source_options o;
    enum source_kind kind;
    char *name;
    char *top;      /* top folder inside the archive; NULL: not known */
    int fd;         /* archive file or spool */
    uint64_t total; /* bytes of the archive */
    struct manifest *manifest;
    struct buf text; /* of the manifest */
    struct buf hmac;
    bool is_signed;
    struct source_member *members;
    size_t member_count;
    size_t member_cap;
};

#define SPOOL_ALIGN 4096

/* Read the whole archive into a spool; fills members, text and hmac. */
bool source_scan(struct source *s, struct error *err) MUST_CHECK;
/* Bytes of the archive, appended to out. */
bool source_read_range(struct source *s, uint64_t offset, uint64_t length, struct buf *out,
                       struct error *err) MUST_CHECK;
/* One gzip member at a range that holds one tar member called <top>/<name>: its data into out,
 * which had to be empty. size UINT64_MAX: any, up to out->max. */
bool source_read_member(struct source *s, uint64_t offset, uint64_t length, const char *name,
                        uint64_t size, struct buf *out, struct error *err) MUST_CHECK;
/* The parts of an older tool's backup, from its members or its directory. */
bool source_adopt_parts(struct source *s, struct error *err) MUST_CHECK;
const struct source_member *source_find_member(const struct source *s, const char *name);

#endif
