/*
 * gzip.h - gzip members: whole parts compressed at once, any stream read back piece by piece.
 *
 * A gzip file is any number of members one after another (RFC 1952), so members made side by side
 * by several threads can be put together. gunzip reads such a stream to its end and stops at a
 * limit of unpacked bytes, whatever the packed ones promise. One thread per object.
 * Source: RFC 1952.
 */
#ifndef CORE_CODEC_GZIP_H
#define CORE_CODEC_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/str.h"

#define GZIP_LEVEL_MIN 1
#define GZIP_LEVEL_MAX 9

struct gzip;

struct gzip *gzip_new(int level); /* clamped to 1 … 9 */
void gzip_free(struct gzip *z);   /* NULL is fine */
/* Append `raw` as one member. */
bool gzip_member(struct gzip *z, struct str raw, struct buf *out, struct error *err) MUST_CHECK;
/* Append `raw` as one member of stored bytes that carries `extra` (at most 256 bytes) in its header
 * under the sub-field id `id` (two letters): its length depends only on the lengths. */
bool gzip_stored(struct str raw, const char *id, struct str extra, struct buf *out,
                 struct error *err) MUST_CHECK;
size_t gzip_stored_size(size_t raw_len, size_t extra_len);
/* The extra bytes of a member made by gzip_stored; empty when it is none. */
struct str gzip_stored_extra(struct str member, const char *id);

/* Gives up to size bytes; *got 0 only at the end. Shared by all readers of packed bytes. */
typedef bool (*gzip_pull)(void *arg, void *out, size_t size, size_t *got, struct error *err);

struct gunzip;

/* max: unpacked bytes after which reading fails with ERROR_LIMIT. */
struct gunzip *gunzip_new(gzip_pull pull, void *arg, uint64_t max);
void gunzip_free(struct gunzip *g); /* NULL is fine */
/* *got 0 only at the end of the last member. ERROR_CORRUPT: not gzip, cut off, or bytes that are
 * no member behind the last one (zeros are padding). */
bool gunzip_read(struct gunzip *g, void *out, size_t size, size_t *got,
                 struct error *err) MUST_CHECK;
/* All members in `packed`, appended to out (up to out->max). */
bool gunzip_all(struct str packed, struct buf *out, struct error *err) MUST_CHECK;

#endif
