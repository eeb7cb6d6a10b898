#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/s3/credential_impl.h"
#include "core/s3/endpoint.h"
#include "core/s3/xml.h"

#define METADATA_TIMEOUT_MS 1000
#define STS_TIMEOUT_MS 30000
#define STS_TRIES 3
#define STS_PAUSE_MS 300
#define URL_MAX 2048
#define FORM_MAX ((size_t)64 << 10)
#define TOKEN_FILE_MAX ((size_t)32 << 10)

bool credential_ask(const struct credential_fetch *f, struct http_request *r,
                    struct http_answer *answer, struct error *err)
{
    const struct s3_options *o = f->request->options;
    const struct http_options options = {
        .ca_file = f->request->ca_file,
        .no_proxy = f->straight,
        .connect_timeout_ms = f->timeout_ms,
        .cancelled = o->cancelled,
        .cancel_ctx = o->cancel_ctx,
    };
    bool again;
    r->total_timeout_ms = f->timeout_ms;
    struct http *h = http_new(&options);
    bool ok = http_run(h, r, answer, &again, err);
    http_free(h);
    return ok;
}

void credential_wipe_answer(struct http_answer *answer)
{
    if (answer->body.cap > 0)
        secret_wipe(answer->body.data, answer->body.cap);
    http_answer_release(answer);
}

/* "http://localhost@elsewhere" and the like: what stands before the path must be a plain host. */
bool credential_url_is_safe(struct str url)
{
    bool tls = str_starts(url, "https://");
    size_t from = tls ? 8 : 7;
    if (!tls && !str_starts(url, "http://"))
        return false;
    struct str host = str_slice(url, from, url.len);
    host = str_slice(host, 0, str_find(host, '/'));
    for (size_t i = 0; i < host.len; i++)
        if (strchr("@?#\\", host.ptr[i]) != NULL || (unsigned char)host.ptr[i] <= ' ')
            return false;
    if (tls || endpoint_is_loopback(host))
        return host.len > 0;
    static const char *const known[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        struct str rest = str_slice(host, strlen(known[i]), host.len);
        if (str_starts(host, known[i]) && (rest.len == 0 || rest.ptr[0] == ':'))
            return true;
    }
    return false;
}

static bool container_token(const struct aws_files *f, struct buf *token, struct error *err)
{
    const char *path = aws_env(f, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *text = aws_env(f, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    if (path != NULL && !file_read(path, token, err))
        return error_wrap(err, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    return path != NULL || text == NULL || buf_text(token, text, err);
}

bool credential_from_container(const struct credential_request *request, struct credential *out,
                               bool *found, struct error *err)
{
    const char *relative = aws_env(request->files, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = aws_env(request->files, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    if (relative == NULL && full == NULL)
        return true;
    char url[URL_MAX];
    (void)snprintf(url, sizeof(url), "%s%s", relative != NULL ? "http://169.254.170.2" : "",
                   relative != NULL ? relative : full);
    if (!credential_url_is_safe(str_from(url)) || (relative != NULL && relative[0] != '/'))
        return error_set(err, ERROR_CONFIG, 0, "AWS_CONTAINER_CREDENTIALS_%s",
                         relative != NULL ? "RELATIVE_URI must start with a slash"
                                          : "FULL_URI must be https or loopback");
    struct buf token;
    struct http_answer answer;
    buf_init(&token, TOKEN_FILE_MAX);
    http_answer_init(&answer);
    const struct credential_fetch how = {request, true, METADATA_TIMEOUT_MS * 5};
    bool ok = container_token(request->files, &token, err);
    const struct sigv4_pair header = {STR("authorization"), str_trim(buf_str(&token))};
    struct http_request r = {
        .method = "GET", .url = url, .headers = &header, .header_count = token.len > 0 ? 1 : 0};
    ok = ok && credential_ask(&how, &r, &answer, err);
    if (ok && answer.status != 200)
        ok = error_set(err, ERROR_AUTH, answer.status,
                       "the container's credential service answers HTTP %d", answer.status);
    ok = ok && credential_parse_json(buf_str(&answer.body), "the container's credential service",
                                     out, err);
    str_copy(STR("container"), out->source, sizeof(out->source));
    *found = true;
    credential_wipe_answer(&answer);
    buf_release(&token);
    return ok;
}

static bool metadata(const struct credential_fetch *how, const char *base, const char *path,
                     struct str token, struct http_answer *answer)
{
    char url[URL_MAX];
    struct error ignored;
    (void)snprintf(url, sizeof(url), "%s%s", base, path);
    const struct sigv4_pair header = {STR("x-aws-ec2-metadata-token"), token};
    struct http_request r = {.method = "GET", .url = url, .headers = &header, .header_count = 1};
    return credential_ask(how, &r, answer, &ignored) && answer->status == 200;
}

static bool metadata_token(const struct credential_fetch *how, const char *base,
                           struct http_answer *answer)
{
    char url[URL_MAX];
    struct error ignored;
    (void)snprintf(url, sizeof(url), "%s/latest/api/token", base);
    const struct sigv4_pair header = {STR("x-aws-ec2-metadata-token-ttl-seconds"), STR("21600")};
    struct http_request r = {
        .method = "PUT", .url = url, .headers = &header, .header_count = 1, .send_body = true};
    return credential_ask(how, &r, answer, &ignored) && answer->status == 200;
}

bool credential_from_instance(const struct credential_request *request, struct credential *out,
                              bool *found, struct error *err)
{
    const char *off = aws_env(request->files, "AWS_EC2_METADATA_DISABLED");
    const char *base = aws_env(request->files, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    if (off != NULL && (strcmp(off, "true") == 0 || strcmp(off, "True") == 0))
        return true;
    if (base == NULL)
        base = "http://169.254.169.254";
    const struct credential_fetch how = {request, true, METADATA_TIMEOUT_MS};
    struct http_answer token;
    struct http_answer role;
    struct http_answer keys;
    char path[URL_MAX / 2];
    http_answer_init(&token);
    http_answer_init(&role);
    http_answer_init(&keys);
    static const char roles[] = "/latest/meta-data/iam/security-credentials/";
    bool ok = true;
    if (metadata_token(&how, base, &token) &&
        metadata(&how, base, roles, str_trim(buf_str(&token.body)), &role)) {
        struct str name = str_trim(buf_str(&role.body));
        name = str_slice(name, 0, str_find(name, '\n'));
        (void)snprintf(path, sizeof(path), "%s%.*s", roles, (int)(name.len < 256 ? name.len : 256),
                       name.ptr);
        *found = name.len > 0 && metadata(&how, base, path, str_trim(buf_str(&token.body)), &keys);
        ok = !*found ||
             credential_parse_json(buf_str(&keys.body), "the instance metadata", out, err);
        str_copy(STR("instance metadata"), out->source, sizeof(out->source));
    }
    credential_wipe_answer(&token);
    credential_wipe_answer(&role);
    credential_wipe_answer(&keys);
    return ok;
}

struct sts_answer {
    struct credential *out;
    struct str expiry;
    struct arena arena;
    char code[64];
};

static bool on_sts_element(void *ctx, const char *path, struct str text, struct error *err)
{
    struct sts_answer *a = ctx;
    (void)err;
    const char *name = strstr(path, "Result/Credentials/");
    name = name != NULL ? name + strlen("Result/Credentials/") : path;
    if (strcmp(name, "AccessKeyId") == 0)
        secret_set(&a->out->access_key, text);
    else if (strcmp(name, "SecretAccessKey") == 0)
        secret_set(&a->out->secret_key, text);
    else if (strcmp(name, "SessionToken") == 0)
        secret_set(&a->out->token, text);
    else if (strcmp(name, "Expiration") == 0)
        a->expiry = arena_str(&a->arena, str_trim(text));
    else if (strcmp(name, "ErrorResponse/Error/Code") == 0)
        str_copy(str_trim(text), a->code, sizeof(a->code));
    return true;
}

static bool read_sts_answer(const struct http_answer *http, struct credential *out,
                            struct error *err)
{
    struct sts_answer a = {.out = out};
    struct error ignored;
    bool whole = xml_parse(buf_str(&http->body), on_sts_element, &a, &ignored);
    bool ok = whole && http->status == 200 && secret_is_set(&out->access_key) &&
              secret_is_set(&out->secret_key) && secret_is_set(&out->token) &&
              format_parse_utc(a.expiry, &out->expires_ms);
    arena_release(&a.arena);
    if (ok)
        return true;
    bool denied = http->status == 400 || http->status == 401 || http->status == 403;
    /* STS could not reach the identity provider, or asks for patience: worth another try. */
    denied = denied && strcmp(a.code, "IDPCommunicationError") != 0 &&
             strncmp(a.code, "Throttling", strlen("Throttling")) != 0;
    return error_set(err, denied ? ERROR_AUTH : ERROR_UNREACHABLE, http->status,
                     "STS refuses the role: %s (HTTP %d); check role_arn and its trust policy",
                     a.code[0] != '\0' ? a.code : "no reason given", http->status);
}

static bool put_field(struct buf *form, const char *name, struct str value, struct error *err)
{
    return value.len == 0 ||
           (buf_format(form, err, "&%s=", name) && sigv4_encode(form, value, false, err));
}

static bool build_form(const struct credential_role *role, struct str token, struct buf *form,
                       struct error *err)
{
    struct str session = role->session_name.len > 0 ? role->session_name : STR("rbconsole");
    return buf_format(form, err, "Action=%s&Version=2011-06-15",
                      token.len > 0 ? "AssumeRoleWithWebIdentity" : "AssumeRole") &&
           put_field(form, "RoleArn", role->role_arn, err) &&
           put_field(form, "RoleSessionName", session, err) &&
           put_field(form, "ExternalId", role->external_id, err) &&
           put_field(form, "DurationSeconds", role->duration_s, err) &&
           put_field(form, "WebIdentityToken", token, err);
}

/* Signed with the source's keys unless a web identity token stands for them. */
static bool ask_sts(const struct credential_request *request, const char *url,
                    const struct credential *source, struct str form, struct http_answer *answer,
                    struct error *err)
{
    char hash[SIGV4_HASH_SIZE];
    char date[FORMAT_MAX];
    int64_t now_ms = clock_real_ms();
    format_compact_utc(date, sizeof(date), now_ms);
    sigv4_hash(hash, form);
    struct str host = str_slice(str_from(url), (size_t)(strstr(url, "://") - url) + 3, strlen(url));
    host = str_slice(host, 0, str_find(host, '/'));
    struct buf authorization;
    buf_init(&authorization, FORM_MAX);
    struct sigv4_pair headers[5] = {
        {STR("host"), host},
        {STR("x-amz-date"), str_from(date)},
        {STR("content-type"), STR("application/x-www-form-urlencoded")}};
    size_t count = 3;
    bool ok = true;
    if (source != NULL) {
        if (secret_is_set(&source->token))
            headers[count++] =
                (struct sigv4_pair){STR("x-amz-security-token"), secret_reveal(&source->token)};
        const struct sigv4_request signed_request = {.method = "POST",
                                                     .path = STR("/"),
                                                     .headers = headers,
                                                     .header_count = count,
                                                     .payload_hash = hash};
        const struct sigv4_scope scope = {secret_reveal(&source->access_key),
                                          secret_reveal(&source->secret_key), request->region,
                                          "sts", now_ms};
        ok = sigv4_sign(&signed_request, &scope, &authorization, err);
        headers[count++] = (struct sigv4_pair){STR("authorization"), buf_str(&authorization)};
    }
    struct http_request r = {.method = "POST",
                             .url = url,
                             .headers = headers + 1,
                             .header_count = count - 1,
                             .body = form,
                             .send_body = true};
    const struct credential_fetch how = {request, false, STS_TIMEOUT_MS};
    ok = ok && credential_ask(&how, &r, answer, err);
    buf_release(&authorization);
    return ok;
}

/* Reads the token file, asks, reads the answer: once. */
static bool assume_once(const struct credential_request *request, const char *url,
                        const struct credential_role *role, struct credential *out,
                        struct error *err)
{
    struct buf token;
    struct buf form;
    struct http_answer answer;
    char *path = mem_copy_str(role->token_file);
    buf_init(&token, TOKEN_FILE_MAX);
    buf_init(&form, FORM_MAX);
    http_answer_init(&answer);
    bool ok = role->token_file.len == 0 || file_read(path, &token, err);
    if (!ok)
        err->code = ERROR_CONFIG;
    else if (role->token_file.len > 0 && str_trim(buf_str(&token)).len == 0)
        ok = error_set(err, ERROR_CONFIG, 0, "the web identity token file %s is empty", path);
    ok = ok && build_form(role, str_trim(buf_str(&token)), &form, err) &&
         ask_sts(request, url, token.len > 0 ? NULL : role->source, buf_str(&form), &answer, err) &&
         read_sts_answer(&answer, out, err);
    credential_wipe_answer(&answer);
    if (form.cap > 0)
        secret_wipe(form.data, form.cap);
    if (token.cap > 0)
        secret_wipe(token.data, token.cap);
    buf_release(&form);
    buf_release(&token);
    free(path);
    return ok;
}

bool credential_assume_role(const struct credential_request *request,
                            const struct credential_role *role, struct credential *out,
                            struct error *err)
{
    char url[URL_MAX];
    const char *given = aws_env(request->files, "AWS_ENDPOINT_URL_STS");
    bool china = strncmp(request->region, "cn-", 3) == 0;
    if (given != NULL)
        (void)snprintf(url, sizeof(url), "%s%s", given, str_ends(str_from(given), "/") ? "" : "/");
    else
        (void)snprintf(url, sizeof(url), "https://sts.%s.amazonaws.com%s/", request->region,
                       china ? ".cn" : "");
    if (!credential_url_is_safe(str_from(url)))
        return error_set(err, ERROR_CONFIG, 0, "AWS_ENDPOINT_URL_STS must be https");
    bool ok = false;
    for (int try = 0; !ok && try < STS_TRIES; try++) {
        if (try > 0)
            clock_sleep_ms((int64_t)STS_PAUSE_MS * try);
        ok = assume_once(request, url, role, out, err);
        if (!ok && err->code != ERROR_UNREACHABLE && err->code != ERROR_TIMEOUT)
            break;
    }
    if (ok)
        (void)snprintf(out->source, sizeof(out->source), "role %.*s",
                       (int)(role->role_arn.len < 120 ? role->role_arn.len : 120),
                       role->role_arn.ptr);
    return ok;
}
