/*
 * fixture_upload.h - uploads of known bytes to the bucket in memory. Test thread only.
 */
#ifndef TESTS_CORE_S3_FIXTURE_UPLOAD_H
#define TESTS_CORE_S3_FIXTURE_UPLOAD_H

#include "core/s3/multipart.h"
#include "tests/core/s3/fixture_machine.h"
#include "tests/harness/s3_fake.h"

#define UPLOAD_KEY "backups/x.tar.gz"
#define UPLOAD_BYTES (2 * MULTIPART_PART_MIN + 1000) /* three parts */

struct upload_options {
    int tries;
    bool never_replace;
    const struct machine *machine; /* where the credentials are; NULL: the right ones, explicit */
    size_t bytes;                  /* 0: UPLOAD_BYTES */
    bool checksums;
    struct upload_memory *memory; /* NULL: none */
};

struct upload_result {
    bool ok;
    struct error err;
};

struct s3 *upload_client(const struct s3_fake *fake, const struct upload_options *options);
/* Creates, writes, commits and frees an upload of upload_bytes(). No secret is in the error. */
struct upload_result upload_run(const struct s3_fake *fake, const struct upload_options *options);
/* The same bytes each time. */
const char *upload_bytes(void);
/* The object under the key is exactly what was uploaded. */
bool upload_is_whole(const struct s3_fake *fake, size_t bytes);

#endif
