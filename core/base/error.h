/*
 * error.h - why an operation failed, as a plain value.
 *
 * A function that can fail returns bool and takes `struct error *err` as its last
 * parameter, never NULL. true: *err is untouched. false: *err is set once, at the source;
 * outputs are untouched or safely empty. An error owns no memory: it is copied between
 * threads by assignment and needs no release. The code says what the caller may do next,
 * the text what happened, in one line, lower case, without a full stop and without secrets.
 * One table maps each code to the exit status of the program.
 */
#ifndef CORE_BASE_ERROR_H
#define CORE_BASE_ERROR_H

#include <stdbool.h>

#include "core/base/attr.h"

enum error_code {
    ERROR_NONE = 0,
    ERROR_USAGE,       /* the command line is wrong */
    ERROR_CONFIG,      /* the operator must change config.json or an environment variable */
    ERROR_UNREACHABLE, /* no connection, or an outage over its budget; retry with back-off */
    ERROR_TIMEOUT,     /* deadline passed; the outcome is unknown */
    ERROR_AUTH,        /* credentials or permissions refused; retrying cannot help */
    ERROR_REFUSED,     /* read-only, protected, or not confirmed */
    ERROR_LOCKED,      /* another job holds the lock; the text names it */
    ERROR_CANCELLED,   /* the operator asked us to stop */
    ERROR_STORAGE,     /* disk, bucket or memory of the server is full, missing or broken */
    ERROR_REPLY,       /* the server answered, and said no */
    ERROR_CONFLICT,    /* the target already holds what would be written */
    ERROR_CORRUPT,     /* bytes do not match their checksum or grammar */
    ERROR_LIMIT,       /* larger than we are willing to hold */
    ERROR_NOT_FOUND,   /* no such backup, job, key or file */
    ERROR_UNSUPPORTED, /* the server or this build cannot do it */
    ERROR_INTERNAL,    /* a defect of ours */
    ERROR_CODES
};

struct error {
    enum error_code code;
    int detail;     /* errno, HTTP status, or 0; read together with code */
    char text[400]; /* "shard 3: read metadata.json: connection reset" */
};

/* Both always return false, so that `return error_set(...)` is the whole failure path. */
bool error_set(struct error *err, enum error_code code, int detail, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* Put "context: " in front of the text; code and detail stay what they were. */
bool error_wrap(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Set from errno: "<fmt>: <description of errno number>". detail becomes number. */
bool error_set_errno(struct error *err, enum error_code code, int number, const char *fmt, ...)
    PRINTF_LIKE(4, 5);

/* "unreachable", "auth", …: the word used in JSON errors and the journal. */
const char *error_code_name(enum error_code code);
/* Exit status 0 to 7, see `rbconsole --help`. */
int error_exit_status(enum error_code code);

#endif
