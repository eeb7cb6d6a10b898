/*
 * aws_file.h - the INI files of the AWS tools (~/.aws/config and ~/.aws/credentials), and where an
 * option comes from when neither the command line nor config.json gives it.
 *
 * Parsing is pure and copies nothing: views into the text. A broken line is skipped, as the AWS
 * tools do. Files are read once, at most 1 MiB each; one that is missing is empty. One thread while
 * loading, then any.
 */
#ifndef CORE_S3_AWS_FILE_H
#define CORE_S3_AWS_FILE_H

#include <stdbool.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/str.h"

#define AWS_FILE_MAX ((size_t)1 << 20)

typedef const char *(*aws_lookup)(const void *ctx, const char *name);

struct aws_files {
    aws_lookup lookup; /* may be NULL */
    const void *lookup_ctx;
    char *config_path; /* NULL without a home directory */
    char *credentials_path;
    struct buf config;
    struct buf credentials;
    char *profile;      /* never NULL */
    bool profile_named; /* asked for, not just "default" */
};

/* The environment's value; NULL when unset or empty. */
const char *aws_env(const struct aws_files *f, const char *name);
/* profile NULL: AWS_PROFILE, AWS_DEFAULT_PROFILE, "default". ERROR_CONFIG when a file exists and
 * cannot be read. */
bool aws_files_load(struct aws_files *f, const char *profile, aws_lookup lookup,
                    const void *lookup_ctx, struct error *err) MUST_CHECK;
void aws_files_release(struct aws_files *f); /* wipes */

/* The value of `key` in section `section`; false when absent. The last one of several wins. */
bool aws_ini_get(struct str text, const char *section, const char *key, struct str *value);
/* The same for the indented block under `key =`: "s3 =\n  endpoint_url = …". */
bool aws_ini_get_nested(struct str text, const char *section, const char *key, const char *inner,
                        struct str *value);
bool aws_ini_has_section(struct str text, const char *section);
/* A setting of a profile from the config file ("profile NAME", or "default"). */
bool aws_profile_get(const struct aws_files *f, const char *profile, const char *key,
                     struct str *value);

#endif
