#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/base/file.h"
#include "core/base/hex.h"
#include "core/s3/credential_impl.h"

#define SHA1_BYTES 20
#define CACHE_MAX ((size_t)64 << 10)
#define SECTION_MAX (CREDENTIAL_PROFILE_MAX + 16)
#define URL_MAX 2048
#define QUERY_MAX ((size_t)1024)
#define SSO_TIMEOUT_MS 30000

/* What `aws configure sso` wrote into the profile. */
struct sso {
    const char *profile;
    struct str cache_key; /* its SHA-1 names the token's file */
    struct str region;
    struct str account;
    struct str role;
};

static bool login_again(const struct sso *sso, const char *why, struct error *err)
{
    return error_set(err, ERROR_AUTH, 0,
                     "the SSO login of profile %.60s %s: run `aws sso login"
                     " --profile %.60s`",
                     sso->profile, why, sso->profile);
}

/* The sso_session section, or the older form that has all in the profile. */
static bool read_settings(const struct aws_files *f, struct sso *sso, struct error *err)
{
    struct str session = credential_setting(f, sso->profile, "sso_session");
    struct str config = buf_str(&f->config);
    char section[SECTION_MAX];
    sso->account = credential_setting(f, sso->profile, "sso_account_id");
    sso->role = credential_setting(f, sso->profile, "sso_role_name");
    if (session.len > 0) {
        sso->cache_key = session;
        (void)snprintf(section, sizeof(section), "sso-session %.*s",
                       (int)(session.len < CREDENTIAL_PROFILE_MAX ? session.len : 0), session.ptr);
        if (!aws_ini_get(config, section, "sso_region", &sso->region))
            return error_set(err, ERROR_CONFIG, 0,
                             "profile %.60s names an sso_session that is not in ~/.aws/config, or "
                             "has no sso_region",
                             sso->profile);
    } else {
        sso->cache_key = credential_setting(f, sso->profile, "sso_start_url");
        sso->region = credential_setting(f, sso->profile, "sso_region");
    }
    if (sso->region.len == 0 || sso->region.len > 60 || sso->account.len == 0)
        return error_set(err, ERROR_CONFIG, 0,
                         "profile %.60s lacks sso_account_id or sso_region for its SSO login",
                         sso->profile);
    for (size_t i = 0; i < sso->region.len; i++)
        if (strchr("/@:?#\\ ", sso->region.ptr[i]) != NULL)
            return error_set(err, ERROR_CONFIG, 0, "sso_region of profile %.60s is no region",
                             sso->profile);
    return true;
}

static char *cache_path(const struct aws_files *f, struct str key)
{
    const char *home = aws_env(f, "HOME");
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = sizeof(digest);
    char hex[2 * SHA1_BYTES + 1];
    if (home == NULL || EVP_Digest(key.ptr, key.len, digest, &len, EVP_sha1(), NULL) != 1 ||
        len != SHA1_BYTES)
        return NULL;
    return mem_format("%s/.aws/sso/cache/%s.json", home, hex_encode(hex, digest, SHA1_BYTES));
}

static bool read_token(const struct aws_files *f, const struct sso *sso, struct secret *token,
                       struct error *err)
{
    char *path = cache_path(f, sso->cache_key);
    struct buf text;
    struct error why;
    int64_t expires_ms = 0;
    buf_init(&text, CACHE_MAX);
    bool ok = path != NULL && file_read(path, &text, &why);
    json_t *doc = ok ? json_parse(buf_str(&text), "SSO token", &why) : NULL;
    const char *access = json_text(doc, "accessToken", NULL);
    const char *expiry = json_text(doc, "expiresAt", NULL);
    if (!ok)
        login_again(sso, "is not there", err);
    else if (access == NULL || expiry == NULL ||
             !credential_parse_expiry(expiry, "SSO token", &expires_ms, &why))
        ok = login_again(sso, "cannot be read", err);
    else if (expires_ms <= clock_real_ms())
        ok = login_again(sso, "has expired", err);
    if (ok)
        secret_set(token, str_from(access));
    json_decref(doc);
    if (text.cap > 0)
        secret_wipe(text.data, text.cap);
    buf_release(&text);
    free(path);
    return ok;
}

static bool build_url(const struct aws_files *f, const struct sso *sso, struct buf *url,
                      struct error *err)
{
    const char *given = aws_env(f, "AWS_ENDPOINT_URL_SSO");
    bool china = str_starts(sso->region, "cn-");
    char region[64];
    str_copy(sso->region, region, sizeof(region));
    bool ok = given != NULL ? buf_text(url, given, err)
                            : buf_format(url, err, "https://portal.sso.%s.amazonaws.com%s", region,
                                         china ? ".cn" : "");
    while (ok && url->len > 0 && url->data[url->len - 1] == '/')
        url->data[--url->len] = '\0';
    if (ok && !credential_url_is_safe(buf_str(url)))
        return error_set(err, ERROR_CONFIG, 0, "AWS_ENDPOINT_URL_SSO must be https");
    const struct sigv4_pair query[] = {{STR("role_name"), sso->role},
                                       {STR("account_id"), sso->account}};
    return ok && buf_text(url, "/federation/credentials?", err) &&
           sigv4_query(url, query, COUNT_OF(query), err);
}

static bool take_keys(struct str body, struct credential *out, struct error *err)
{
    struct error why;
    json_t *doc = json_parse(body, "SSO", &why);
    const json_t *keys = json_object_get(doc, "roleCredentials");
    const char *access = json_text(keys, "accessKeyId", NULL);
    const char *secret = json_text(keys, "secretAccessKey", NULL);
    const char *token = json_text(keys, "sessionToken", NULL);
    int64_t expires_ms = json_int(keys, "expiration", 0);
    bool ok = access != NULL && secret != NULL && token != NULL && expires_ms > 0;
    if (!ok)
        error_set(err, ERROR_CORRUPT, 0, "SSO answers without credentials");
    ok = ok && credential_set_keys(out, str_from(access), str_from(secret), str_from(token), err);
    if (ok)
        out->expires_ms = expires_ms;
    json_decref(doc);
    return ok;
}

static bool ask(const struct credential_request *r, const struct sso *sso,
                const struct secret *token, struct credential *out, struct error *err)
{
    struct http_answer answer;
    struct buf url;
    buf_init(&url, URL_MAX + QUERY_MAX);
    http_answer_init(&answer);
    const struct credential_fetch how = {r, false, SSO_TIMEOUT_MS};
    const struct sigv4_pair header = {STR("x-amz-sso_bearer_token"), secret_reveal(token)};
    bool ok = build_url(r->files, sso, &url, err);
    struct http_request request = {
        .method = "GET", .url = url.data, .headers = &header, .header_count = 1};
    ok = ok && credential_ask(&how, &request, &answer, err);
    if (ok && answer.status == 401)
        ok = login_again(sso, "is no longer accepted", err);
    else if (ok && answer.status != 200)
        ok = error_set(err, answer.status < 500 ? ERROR_AUTH : ERROR_UNREACHABLE, answer.status,
                       "SSO refuses the role of profile %.60s (HTTP %d); check sso_account_id and "
                       "sso_role_name",
                       sso->profile, answer.status);
    ok = ok && take_keys(buf_str(&answer.body), out, err);
    credential_wipe_answer(&answer);
    buf_release(&url);
    return ok;
}

bool credential_from_sso(const struct credential_request *r, const char *profile,
                         struct credential *out, bool *found, struct error *err)
{
    struct sso sso = {.profile = profile};
    struct secret token = {0};
    if (credential_setting(r->files, profile, "sso_role_name").len == 0 ||
        (credential_setting(r->files, profile, "sso_session").len == 0 &&
         credential_setting(r->files, profile, "sso_start_url").len == 0))
        return true;
    *found = true;
    bool ok = read_settings(r->files, &sso, err) && read_token(r->files, &sso, &token, err) &&
              ask(r, &sso, &token, out, err);
    secret_release(&token);
    if (ok)
        (void)snprintf(out->source, sizeof(out->source), "SSO of profile %.80s", profile);
    return ok;
}
