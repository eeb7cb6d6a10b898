#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/s3/credential_impl.h"

#define CHAIN_MAX 5

/* The profiles on the way from the one that was asked for, to find circles. */
struct chain {
    char names[CHAIN_MAX][CREDENTIAL_PROFILE_MAX];
    size_t count;
};

static bool follow(struct chain *chain, struct str name, struct error *err)
{
    char shown[80];
    for (size_t i = 0; i < chain->count; i++)
        if (str_is(name, chain->names[i]))
            return error_set(err, ERROR_CONFIG, 0,
                             "the AWS profiles' source_profile goes in a circle: %.60s comes again "
                             "after %.60s",
                             escape_text(shown, sizeof(shown), name),
                             chain->names[chain->count - 1]);
    if (chain->count == CHAIN_MAX || name.len >= CREDENTIAL_PROFILE_MAX)
        return error_set(err, ERROR_CONFIG, 0, "more than %d AWS roles in a chain", CHAIN_MAX);
    return str_copy(name, chain->names[chain->count++], CREDENTIAL_PROFILE_MAX);
}

static bool assume(const struct credential_request *r, struct chain *chain, const char *profile,
                   struct credential *out, bool *found, struct error *err);

/* The keys that sign for the role of `profile`: of another profile, whose own keys come before its
 * own role, as with the AWS tools. */
static bool from_source_profile(const struct credential_request *r, struct chain *chain,
                                const char *profile, struct str source, struct credential *out,
                                bool *found, struct error *err)
{
    if (str_is(source, profile)) /* a profile that names itself means its own keys */
        return credential_profile_keys(r->files, profile, out, found, err);
    if (!follow(chain, source, err))
        return false;
    const char *name = chain->names[chain->count - 1];
    return credential_profile_keys(r->files, name, out, found, err) &&
           (*found || assume(r, chain, name, out, found, err)) &&
           (*found || credential_profile_own(r, name, out, found, err));
}

static bool from_named_source(const struct credential_request *r, struct str name,
                              struct credential *out, bool *found, struct error *err)
{
    char shown[80];
    if (str_is(name, "Environment"))
        return credential_from_environment(r->files, out, found, err);
    if (str_is(name, "EcsContainer"))
        return credential_from_container(r, out, found, err);
    if (str_is(name, "Ec2InstanceMetadata"))
        return credential_from_instance(r, out, found, err);
    return error_set(err, ERROR_CONFIG, 0,
                     "credential_source \"%s\" is none of Environment, EcsContainer, "
                     "Ec2InstanceMetadata",
                     escape_text(shown, sizeof(shown), name));
}

static bool find_source(const struct credential_request *r, struct chain *chain,
                        const char *profile, struct credential *out, struct error *err)
{
    struct str source = credential_setting(r->files, profile, "source_profile");
    struct str named = credential_setting(r->files, profile, "credential_source");
    bool found = false;
    if (source.len > 0 && named.len > 0)
        return error_set(err, ERROR_CONFIG, 0,
                         "profile %.60s has both source_profile and credential_source: keep one",
                         profile);
    bool ok = source.len > 0 ? from_source_profile(r, chain, profile, source, out, &found, err)
                             : from_named_source(r, named, out, &found, err);
    if (ok && !found)
        return error_set(err, ERROR_CONFIG, 0,
                         "profile %.60s has a role, but its source gives no credentials", profile);
    return ok;
}

static bool assume(const struct credential_request *r, struct chain *chain, const char *profile,
                   struct credential *out, bool *found, struct error *err)
{
    const struct aws_files *f = r->files;
    struct credential source = {.expires_ms = CLOCK_NEVER};
    struct credential_role role = {
        .role_arn = credential_setting(f, profile, "role_arn"),
        .session_name = credential_setting(f, profile, "role_session_name"),
        .external_id = credential_setting(f, profile, "external_id"),
        .duration_s = credential_setting(f, profile, "duration_seconds"),
        .token_file = credential_setting(f, profile, "web_identity_token_file"),
        .source = &source,
    };
    bool sourced = credential_setting(f, profile, "source_profile").len > 0 ||
                   credential_setting(f, profile, "credential_source").len > 0;
    if (role.role_arn.len == 0)
        return true;
    if (!sourced && role.token_file.len == 0) {
        if (aws_env(f, "AWS_WEB_IDENTITY_TOKEN_FILE") != NULL)
            return true; /* the web identity comes next and takes this role */
        return error_set(err, ERROR_CONFIG, 0,
                         "profile %.60s has a role_arn, but neither source_profile nor "
                         "credential_source",
                         profile);
    }
    if (credential_setting(f, profile, "mfa_serial").len > 0)
        return error_set(err, ERROR_UNSUPPORTED, 0,
                         "profile %.60s asks for an MFA code: fetch session credentials with the "
                         "AWS tools first",
                         profile);
    *found = true;
    bool ok = (role.token_file.len > 0 || find_source(r, chain, profile, &source, err)) &&
              credential_assume_role(r, &role, out, err);
    credential_release(&source);
    return ok;
}

bool credential_from_role(const struct credential_request *r, const char *profile,
                          struct credential *out, bool *found, struct error *err)
{
    struct chain chain = {.count = 0};
    return follow(&chain, str_from(profile), err) && assume(r, &chain, profile, out, found, err);
}
