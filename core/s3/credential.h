/*
 * credential.h - access keys, from wherever the AWS tools would find them.
 *
 * Order: explicit options; environment (unless a profile was asked for); the profile's role; web
 * identity; SSO; ~/.aws/credentials; credential_process; ~/.aws/config; container; instance
 * metadata. The same order as the AWS tools'.
 * Fetching blocks (processes, HTTP) and is bounded in time. A struct credential is one thread's;
 * it is copied with credential_copy and wiped on release. Expiry is real time in milliseconds.
 */
#ifndef CORE_S3_CREDENTIAL_H
#define CORE_S3_CREDENTIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/json.h"
#include "core/base/secret.h"
#include "core/s3/aws_file.h"
#include "core/s3/s3.h"

#define CREDENTIAL_EARLY_MS ((int64_t)5 * 60 * 1000) /* renewed this long before expiry */

struct credential {
    struct secret access_key;
    struct secret secret_key;
    struct secret token; /* not set for long-term keys */
    int64_t expires_ms;  /* CLOCK_NEVER for long-term keys */
    char source[160];    /* for people */
};

struct credential_request {
    const struct s3_options *options;
    const struct aws_files *files;
    const char *region; /* for STS */
    const char *ca_file;
};

bool credential_fetch(const struct credential_request *request, struct credential *out,
                      struct error *err) MUST_CHECK;
void credential_copy(struct credential *to, const struct credential *from);
void credential_release(struct credential *c);

/* The JSON form that processes, containers and instances share. */
bool credential_parse_json(struct str text, const char *name, struct credential *out,
                           struct error *err) MUST_CHECK;
/* "a 'b c' \"d\"" to words as a shell would, without any expansion; false when quotes are open. */
bool credential_split_words(struct str command, struct arena *arena, char ***words);

#endif
