/*
 * tar.h - tar members: headers of our own for writing, libarchive for reading what others wrote.
 *
 * Writing gives plain POSIX ustar blocks, so that header, data and padding of a member can be one
 * gzip member. Reading is streaming and hands out regular files only: links, devices, sparse files,
 * duplicate names, absolute names, `..` and names with control characters end it with
 * ERROR_CORRUPT; directories are passed over. Nothing is ever created on disk. One thread.
 * Source: POSIX pax, ustar interchange format.
 */
#ifndef CORE_CODEC_TAR_H
#define CORE_CODEC_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/codec/gzip.h"

#define TAR_BLOCK ((size_t)512)
#define TAR_TRAILER ((size_t)1024) /* bytes of zeros that end an archive */
#define TAR_NAME_MAX 255
#define TAR_MEMBERS_MAX 1100000

/* A header for a regular file `<dir>/<name>`: dir at most 155 bytes, name at most 100, size below
 * 8 GiB. */
bool tar_header(char out[TAR_BLOCK], const char *dir, const char *name, uint64_t size,
                int64_t mtime_s, struct error *err) MUST_CHECK;
size_t tar_padding(uint64_t size); /* zeros after the data, 0 … 511 */
/* The size in the header when the block is a header of a regular ustar file with a right checksum,
 * and its full name. */
bool tar_header_parse(const char block[TAR_BLOCK], char name[TAR_NAME_MAX + 2], uint64_t *size,
                      struct error *err) MUST_CHECK;
/* May a member have this name? Relative, no empty, `.` or `..` part, no control character, no
 * backslash, at most TAR_NAME_MAX bytes. */
bool tar_name_is_safe(const char *name);

struct tar_reader;

struct tar_reader *tar_reader_new(gzip_pull pull, void *arg); /* arg outlives the reader */
void tar_reader_free(struct tar_reader *r);                   /* NULL is fine */
/* The next regular file; *name NULL at the end. name lives until the next call. */
bool tar_next(struct tar_reader *r, const char **name, uint64_t *size,
              struct error *err) MUST_CHECK;
/* Data of the current file; *got 0 at its end. */
bool tar_read(struct tar_reader *r, void *out, size_t size, size_t *got,
              struct error *err) MUST_CHECK;

#endif
