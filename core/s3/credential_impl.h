/*
 * credential_impl.h - inside core/s3: the sources of access keys that credential.c asks in turn.
 *
 * Same threads, blocking and errors as credential.h. Where there is a `found`: true with *found
 * false means "not configured here, ask the next one"; *found true with false means that what is
 * configured does not work, and nobody else is asked.
 */
#ifndef CORE_S3_CREDENTIAL_IMPL_H
#define CORE_S3_CREDENTIAL_IMPL_H

#include "core/s3/credential.h"
#include "core/s3/http.h"

#define CREDENTIAL_PROFILE_MAX 200 /* bytes of a profile's name with the terminator */

/* Refuses what cannot stand in a header; token may be empty. The keys never expire until the caller
 * says so. */
bool credential_set_keys(struct credential *out, struct str access, struct str secret,
                         struct str token, struct error *err) MUST_CHECK;
/* RFC 3339 in UTC ("Z", "+00:00", "UTC"); name: whose, for the error text. */
bool credential_parse_expiry(const char *text, const char *name, int64_t *expires_ms,
                             struct error *err) MUST_CHECK;
/* A profile's setting from ~/.aws/config, else ~/.aws/credentials; empty when absent. */
struct str credential_setting(const struct aws_files *f, const char *profile, const char *key);
bool credential_from_environment(const struct aws_files *f, struct credential *out, bool *found,
                                 struct error *err) MUST_CHECK;
/* Only access key and secret as they stand in one of the files. */
bool credential_profile_keys(const struct aws_files *f, const char *profile, struct credential *out,
                             bool *found, struct error *err) MUST_CHECK;
/* All that a profile may hold but a role. */
bool credential_profile_own(const struct credential_request *r, const char *profile,
                            struct credential *out, bool *found, struct error *err) MUST_CHECK;
/* The profile's role_arn with its source_profile (also a chain of roles) or credential_source. */
bool credential_from_role(const struct credential_request *r, const char *profile,
                          struct credential *out, bool *found, struct error *err) MUST_CHECK;
/* The token that `aws sso login` left; ERROR_AUTH names that command when it ran out. */
bool credential_from_sso(const struct credential_request *r, const char *profile,
                         struct credential *out, bool *found, struct error *err) MUST_CHECK;
bool credential_from_process(const struct credential_request *request, const char *profile,
                             struct str command, struct credential *out,
                             struct error *err) MUST_CHECK;
bool credential_from_container(const struct credential_request *request, struct credential *out,
                               bool *found, struct error *err) MUST_CHECK;
bool credential_from_instance(const struct credential_request *request, struct credential *out,
                              bool *found, struct error *err) MUST_CHECK;

struct credential_role {
    struct str role_arn;
    struct str session_name; /* empty: rbconsole */
    struct str external_id;  /* empty: none */
    struct str duration_s;   /* empty: the role's own */
    struct str token_file;   /* web identity, read anew each time; empty: signed with `source` */
    const struct credential *source;
};

bool credential_assume_role(const struct credential_request *request,
                            const struct credential_role *role, struct credential *out,
                            struct error *err) MUST_CHECK;

struct credential_fetch {
    const struct credential_request *request;
    bool straight; /* never through a proxy: metadata services */
    int timeout_ms;
};

/* One short exchange; the answer is the caller's to judge. */
bool credential_ask(const struct credential_fetch *f, struct http_request *r,
                    struct http_answer *answer, struct error *err) MUST_CHECK;
void credential_wipe_answer(struct http_answer *answer);
/* May this URL see a token or a secret: https, or http that stays on this machine or its link. */
bool credential_url_is_safe(struct str url);

#endif
