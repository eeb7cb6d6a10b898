#include "core/s3/credential.h"

#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/format.h"
#include "core/s3/credential_impl.h"

#define JSON_BYTES_MAX ((size_t)64 << 10)

void credential_release(struct credential *c)
{
    secret_release(&c->access_key);
    secret_release(&c->secret_key);
    secret_release(&c->token);
}

void credential_copy(struct credential *to, const struct credential *from)
{
    secret_copy(&to->access_key, &from->access_key);
    secret_copy(&to->secret_key, &from->secret_key);
    secret_copy(&to->token, &from->token);
    to->expires_ms = from->expires_ms;
    memcpy(to->source, from->source, sizeof(to->source));
}

bool credential_set_keys(struct credential *out, struct str access, struct str secret,
                         struct str token, struct error *err)
{
    for (size_t i = 0; i < access.len; i++)
        if (access.ptr[i] <= ' ' || access.ptr[i] > '~')
            return error_set(err, ERROR_CONFIG, 0, "the S3 access key holds a strange character");
    for (size_t i = 0; i < token.len; i++)
        if (token.ptr[i] <= ' ' || token.ptr[i] > '~')
            return error_set(err, ERROR_CONFIG, 0, "the session token holds a strange character");
    secret_set(&out->access_key, access);
    secret_set(&out->secret_key, secret);
    if (token.len > 0)
        secret_set(&out->token, token);
    else
        secret_release(&out->token);
    out->expires_ms = CLOCK_NEVER;
    return true;
}

bool credential_parse_expiry(const char *text, const char *name, int64_t *expires_ms,
                             struct error *err)
{
    static const char *const zones[] = {"+00:00", "UTC"};
    struct str s = str_from(text);
    char utc[64];
    for (size_t i = 0; i < COUNT_OF(zones); i++)
        if (str_ends(s, zones[i]) && s.len < sizeof(utc)) {
            (void)snprintf(utc, sizeof(utc), "%.*sZ", (int)(s.len - strlen(zones[i])), s.ptr);
            s = str_from(utc);
        }
    if (!format_parse_utc(s, expires_ms))
        return error_set(err, ERROR_CONFIG, 0, "%s gives an expiry that is no UTC time", name);
    return true;
}

static bool put_expiry(struct credential *out, const char *text, const char *name,
                       struct error *err)
{
    return text == NULL || credential_parse_expiry(text, name, &out->expires_ms, err);
}

bool credential_parse_json(struct str text, const char *name, struct credential *out,
                           struct error *err)
{
    struct error why;
    if (text.len > JSON_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, 0, "%s answers with too much", name);
    json_t *doc = json_parse(text, name, &why);
    if (doc == NULL)
        return error_set(err, ERROR_CONFIG, 0, "%s gives no credentials in JSON", name);
    const char *access = json_text(doc, "AccessKeyId", NULL);
    const char *secret = json_text(doc, "SecretAccessKey", NULL);
    const char *token = json_text(doc, "SessionToken", json_text(doc, "Token", NULL));
    bool ok = access != NULL && secret != NULL;
    if (!ok)
        error_set(err, ERROR_CONFIG, 0, "%s gives no AccessKeyId and SecretAccessKey", name);
    ok = ok && credential_set_keys(out, str_from(access), str_from(secret), str_from(token), err) &&
         put_expiry(out, json_text(doc, "Expiration", NULL), name, err);
    json_decref(doc);
    return ok;
}

static bool from_options(const struct s3_options *o, struct credential *out, bool *found,
                         struct error *err)
{
    if (o->access_key == NULL || o->secret_key == NULL)
        return true;
    *found = true;
    str_copy(STR("explicit options"), out->source, sizeof(out->source));
    return credential_set_keys(out, str_from(o->access_key), str_from(o->secret_key),
                               str_from(o->session_token), err);
}

bool credential_from_environment(const struct aws_files *f, struct credential *out, bool *found,
                                 struct error *err)
{
    const char *access = aws_env(f, "AWS_ACCESS_KEY_ID");
    const char *secret = aws_env(f, "AWS_SECRET_ACCESS_KEY");
    if (access == NULL && secret == NULL)
        return true;
    if (access == NULL || secret == NULL)
        return error_set(err, ERROR_CONFIG, 0,
                         "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set");
    *found = true;
    str_copy(STR("environment"), out->source, sizeof(out->source));
    return credential_set_keys(out, str_from(access), str_from(secret),
                               str_from(aws_env(f, "AWS_SESSION_TOKEN")), err);
}

static bool keys_of_section(struct str text, const char *section, const char *path,
                            struct credential *out, bool *found, struct error *err)
{
    struct str access;
    struct str secret;
    struct str token = {NULL, 0};
    if (!aws_ini_get(text, section, "aws_access_key_id", &access) ||
        !aws_ini_get(text, section, "aws_secret_access_key", &secret))
        return true;
    if (!aws_ini_get(text, section, "aws_session_token", &token))
        token = (struct str){NULL, 0};
    *found = true;
    (void)snprintf(out->source, sizeof(out->source), "[%.60s] in %.90s", section, path);
    return credential_set_keys(out, access, secret, token, err);
}

static bool config_keys(const struct aws_files *f, const char *profile, struct credential *out,
                        bool *found, struct error *err)
{
    char section[CREDENTIAL_PROFILE_MAX + 16];
    struct str text = buf_str(&f->config);
    const char *path = f->config_path != NULL ? f->config_path : "";
    if (strcmp(profile, "default") == 0 &&
        (!keys_of_section(text, "default", path, out, found, err) || *found))
        return *found;
    (void)snprintf(section, sizeof(section), "profile %.200s", profile);
    return keys_of_section(text, section, path, out, found, err);
}

bool credential_profile_keys(const struct aws_files *f, const char *profile, struct credential *out,
                             bool *found, struct error *err)
{
    const char *path = f->credentials_path != NULL ? f->credentials_path : "";
    return keys_of_section(buf_str(&f->credentials), profile, path, out, found, err) &&
           (*found || config_keys(f, profile, out, found, err));
}

struct str credential_setting(const struct aws_files *f, const char *profile, const char *key)
{
    struct str value;
    if (aws_profile_get(f, profile, key, &value) ||
        aws_ini_get(buf_str(&f->credentials), profile, key, &value))
        return value;
    return (struct str){NULL, 0};
}

static bool process_keys(const struct credential_request *r, const char *profile,
                         struct credential *out, bool *found, struct error *err)
{
    struct str command = credential_setting(r->files, profile, "credential_process");
    if (command.len == 0)
        return true;
    *found = true;
    return credential_from_process(r, profile, command, out, err);
}

/* Everything a profile may hold but a role, in the order of the AWS tools. */
bool credential_profile_own(const struct credential_request *r, const char *profile,
                            struct credential *out, bool *found, struct error *err)
{
    const struct aws_files *f = r->files;
    const char *path = f->credentials_path != NULL ? f->credentials_path : "";
    if (!credential_from_sso(r, profile, out, found, err))
        return false;
    if (!*found && !keys_of_section(buf_str(&f->credentials), profile, path, out, found, err))
        return false;
    if (!*found && !process_keys(r, profile, out, found, err))
        return false;
    return *found || config_keys(f, profile, out, found, err);
}

static struct str env_or_setting(const struct aws_files *f, const char *variable, const char *key)
{
    struct str value = str_from(aws_env(f, variable));
    return value.len > 0 ? value : credential_setting(f, f->profile, key);
}

static bool from_web_identity(const struct credential_request *r, struct credential *out,
                              bool *found, struct error *err)
{
    const struct aws_files *f = r->files;
    const struct credential_role role = {
        .role_arn = env_or_setting(f, "AWS_ROLE_ARN", "role_arn"),
        .session_name = env_or_setting(f, "AWS_ROLE_SESSION_NAME", "role_session_name"),
        .token_file = env_or_setting(f, "AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file"),
    };
    if (role.token_file.len == 0)
        return true;
    if (role.role_arn.len == 0)
        return error_set(err, ERROR_CONFIG, 0,
                         "a web identity token file is set, but no role (AWS_ROLE_ARN)");
    *found = true;
    return credential_assume_role(r, &role, out, err);
}

static bool profile_exists(const struct aws_files *f)
{
    char section[CREDENTIAL_PROFILE_MAX + 16];
    (void)snprintf(section, sizeof(section), "profile %.200s", f->profile);
    return aws_ini_has_section(buf_str(&f->credentials), f->profile) ||
           aws_ini_has_section(buf_str(&f->config), section) ||
           (strcmp(f->profile, "default") == 0 &&
            aws_ini_has_section(buf_str(&f->config), "default"));
}

static bool run_chain(const struct credential_request *r, struct credential *out, bool *found,
                      struct error *err)
{
    const struct aws_files *f = r->files;
    if (!from_options(r->options, out, found, err))
        return false;
    if (!*found && r->options->profile == NULL && !credential_from_environment(f, out, found, err))
        return false;
    if (!*found && f->profile_named && !profile_exists(f))
        return error_set(err, ERROR_CONFIG, 0,
                         "there is no AWS profile \"%.60s\" in %.80s or %.80s", f->profile,
                         f->credentials_path != NULL ? f->credentials_path : "-",
                         f->config_path != NULL ? f->config_path : "-");
    if (!*found && !credential_from_role(r, f->profile, out, found, err))
        return false;
    if (!*found && !from_web_identity(r, out, found, err))
        return false;
    if (!*found && !credential_profile_own(r, f->profile, out, found, err))
        return false;
    if (!*found && !credential_from_container(r, out, found, err))
        return false;
    return *found || credential_from_instance(r, out, found, err);
}

bool credential_fetch(const struct credential_request *request, struct credential *out,
                      struct error *err)
{
    bool found = false;
    out->expires_ms = CLOCK_NEVER;
    if (!run_chain(request, out, &found, err))
        return false;
    if (!found)
        return error_set(err, ERROR_CONFIG, 0,
                         "no S3 credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                         "a profile in ~/.aws/credentials (AWS_PROFILE)");
    if (out->expires_ms <= clock_real_ms())
        return error_set(err, ERROR_AUTH, 0, "the credentials from %.100s have expired",
                         out->source);
    return true;
}
