/*
 * archive_private.h - what archive.c (threads) and archive_finish.c (the end) share. Nobody else
 * includes it.
 */
#ifndef CORE_ARCHIVE_ARCHIVE_PRIVATE_H
#define CORE_ARCHIVE_ARCHIVE_PRIVATE_H

#include <pthread.h>

#include "core/archive/archive.h"
#include "core/base/queue.h"
#include "core/codec/gzip.h"

#define ARCHIVE_COMPRESSORS_MAX 16

/* One gzip member on its way to the writer. */
struct member {
    struct buf packed;
    struct part *part; /* its text is already freed */
};

struct archiver {
    struct archive_options o;
    char *tree;     /* paths while it is written; NULL where that place is not asked for */
    char *tree_end; /* what it is called when it is whole */
    bool tree_made; /* by us, so ours to remove */
    char *file;
    char *file_tmp; /* set once it is ours */
    bool leave;     /* both stay for a later run */
    bool local;     /* both are whole */
    int fd;         /* of file_tmp; writer thread until it is joined */
    struct store_writer *upload;
    struct queue *parts;
    struct queue *members;
    pthread_t compressors[ARCHIVE_COMPRESSORS_MAX];
    size_t compressor_count;
    pthread_t writer;
    bool running;
    bool finished;
    pthread_mutex_t mutex;     /* guards the fields below */
    struct error error;        /* the first fatal one */
    struct error upload_error; /* the upload is given up */
    uint64_t next_number;
    uint64_t offset;
    struct part **done; /* with their range, in order of writing */
    size_t done_count;
    size_t done_cap;
};

/* true and *err when a thread met an error that ends it all. */
bool archiver_failed(struct archiver *a, struct error *err);
/* All threads end: drained, or at once after an abort. */
void archiver_join(struct archiver *a);
bool archiver_write_tree(struct archiver *a, const char *name, struct str text,
                         struct error *err) MUST_CHECK;
/* `text` has PART_HEAD bytes of room in front. Appends the gzip member of header, data, padding. */
bool archiver_pack(struct archiver *a, struct gzip *z, const char *name, struct buf *text,
                   struct buf *out, struct error *err) MUST_CHECK;
/* To the streams. Writer thread, or after archiver_join. */
bool archiver_append(struct archiver *a, struct str bytes, struct error *err) MUST_CHECK;
/* To the upload alone; true also when it was given up and the local places go on. */
bool archiver_send_up(struct archiver *a, struct str bytes, struct error *err) MUST_CHECK;

/* An error of the upload: nobody should look for it at the servers. */
void archiver_blame_store(struct error *err);

/* archive_places.c: make or open what the options ask for. */
bool archiver_open_places(struct archiver *a, struct error *err) MUST_CHECK;
void archiver_remove_places(struct archiver *a);
/* The upload gets what an earlier run wrote into the file. Writer thread. */
bool archiver_send_kept(struct archiver *a, struct error *err) MUST_CHECK;
/* Parts of an earlier run that do not stand in the file: packed again. */
bool archiver_pack_kept(struct archiver *a, struct error *err) MUST_CHECK;

#endif
