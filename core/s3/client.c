#include "core/s3/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"

#define CONNECT_TIMEOUT_MS 10000
#define STALL_TIMEOUT_MS 60000
#define TRIES 10
#define BACKOFF_BASE_MS 200
#define RENEW_PAUSE_MS 30000

bool s3_global_init(struct error *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(err, ERROR_INTERNAL, 0, "libcurl cannot start");
    return true;
}

void s3_global_release(void)
{
    curl_global_cleanup();
}

static const char *keep(struct s3 *s3, const char *text)
{
    return text != NULL && text[0] != '\0' ? arena_text(&s3->arena, str_from(text)) : NULL;
}

static int or_default(int value, int fallback)
{
    return value > 0 ? value : fallback;
}

static void copy_options(struct s3 *s3, const struct s3_options *o)
{
    struct s3_options *mine = &s3->options;
    *mine = *o;
    mine->bucket = keep(s3, o->bucket);
    mine->endpoint_url = keep(s3, o->endpoint_url);
    mine->region = keep(s3, o->region);
    mine->profile = keep(s3, o->profile);
    mine->access_key = keep(s3, o->access_key);
    if (o->secret_key != NULL)
        s3->wiped_secret = arena_text(&s3->arena, str_from(o->secret_key));
    mine->secret_key = s3->wiped_secret;
    mine->session_token = keep(s3, o->session_token);
    mine->ca_file = keep(s3, o->ca_file);
    mine->sse = keep(s3, o->sse);
    mine->sse_kms_key_id = keep(s3, o->sse_kms_key_id);
    mine->sse_customer_key_file = keep(s3, o->sse_customer_key_file);
    mine->connect_timeout_ms = or_default(o->connect_timeout_ms, CONNECT_TIMEOUT_MS);
    mine->stall_timeout_ms = or_default(o->stall_timeout_ms, STALL_TIMEOUT_MS);
    mine->tries = or_default(o->tries, TRIES);
    mine->backoff_base_ms = or_default(o->backoff_base_ms, BACKOFF_BASE_MS);
}

static const char *find_ca_file(struct s3 *s3)
{
    struct str value;
    if (s3->options.ca_file != NULL)
        return s3->options.ca_file;
    const char *given = aws_env(&s3->files, "AWS_CA_BUNDLE");
    if (given != NULL)
        return keep(s3, given);
    if (aws_profile_get(&s3->files, s3->files.profile, "ca_bundle", &value) && value.len > 0)
        return arena_text(&s3->arena, value);
    return NULL;
}

static bool check_sse(const struct s3_options *o, struct error *err)
{
    if (o->sse == NULL || strcmp(o->sse, "AES256") == 0 || strcmp(o->sse, "aws:kms") == 0 ||
        strcmp(o->sse, "aws:kms:dsse") == 0)
        return true;
    return error_set(err, ERROR_CONFIG, 0, "storage.sse must be AES256, aws:kms or aws:kms:dsse");
}

bool s3_new(const struct s3_options *options, struct s3 **out, struct error *err)
{
    struct s3 *s3 = mem_zero(1, sizeof(*s3));
    copy_options(s3, options);
    pthread_mutex_init(&s3->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s3->fetched, &attr);
    pthread_condattr_destroy(&attr);
    if (!check_sse(&s3->options, err) ||
        !aws_files_load(&s3->files, s3->options.profile, s3->options.lookup, s3->options.lookup_ctx,
                        err) ||
        !endpoint_resolve(&s3->options, &s3->files, &s3->endpoint, err) ||
        !s3_load_customer_key(s3, err)) {
        s3_free(s3);
        return false;
    }
    s3->ca_file = find_ca_file(s3);
    const struct endpoint *e = &s3->endpoint;
    (void)snprintf(s3->describe, sizeof(s3->describe), "%s://%s%s (%s, region %s)",
                   e->tls ? "https" : "http", e->host, e->base_path,
                   e->path_style ? "path style" : "virtual host", e->region);
    *out = s3;
    return true;
}

void s3_free(struct s3 *s3)
{
    if (s3 == NULL)
        return;
    for (size_t i = 0; i < s3->idle_count; i++)
        http_free(s3->idle[i]);
    credential_release(&s3->credential);
    secret_release(&s3->customer_key);
    if (s3->files.profile != NULL)
        aws_files_release(&s3->files);
    if (s3->wiped_secret != NULL)
        secret_wipe(s3->wiped_secret, strlen(s3->wiped_secret));
    arena_release(&s3->arena);
    pthread_cond_destroy(&s3->fetched);
    pthread_mutex_destroy(&s3->lock);
    free(s3);
}

const char *s3_describe(const struct s3 *s3)
{
    return s3->describe;
}

const char *s3_bucket(const struct s3 *s3)
{
    return s3->options.bucket;
}

struct http *s3_borrow(struct s3 *s3, bool even_cancelled)
{
    struct http *h = NULL;
    pthread_mutex_lock(&s3->lock);
    if (!even_cancelled && s3->idle_count > 0)
        h = s3->idle[--s3->idle_count];
    pthread_mutex_unlock(&s3->lock);
    if (h != NULL)
        return h;
    const struct http_options o = {
        .ca_file = s3->ca_file,
        .no_proxy = s3->endpoint.loopback,
        .connect_timeout_ms = s3->options.connect_timeout_ms,
        .cancelled = even_cancelled ? NULL : s3->options.cancelled,
        .cancel_ctx = s3->options.cancel_ctx,
    };
    return http_new(&o);
}

void s3_return(struct s3 *s3, struct http *h, bool even_cancelled)
{
    pthread_mutex_lock(&s3->lock);
    if (!even_cancelled && s3->idle_count < S3_IDLE_MAX) {
        s3->idle[s3->idle_count++] = h;
        h = NULL;
    }
    pthread_mutex_unlock(&s3->lock);
    http_free(h);
}

/* Called with the lock held; returns with it held. One thread fetches, the others wait for it. */
static bool fetch_locked(struct s3 *s3, struct error *err)
{
    struct credential fresh = {.expires_ms = CLOCK_NEVER};
    char region[ENDPOINT_REGION_MAX];
    str_copy(str_from(s3->endpoint.region), region, sizeof(region));
    s3->fetching = true;
    pthread_mutex_unlock(&s3->lock);
    const struct credential_request request = {&s3->options, &s3->files, region, s3->ca_file};
    bool ok = credential_fetch(&request, &fresh, err);
    pthread_mutex_lock(&s3->lock);
    if (ok) {
        credential_copy(&s3->credential, &fresh);
        s3->have_credential = true;
        s3->credential_number++;
    } else {
        s3->renew_after = clock_after(RENEW_PAUSE_MS);
    }
    s3->fetching = false;
    pthread_cond_broadcast(&s3->fetched);
    credential_release(&fresh);
    return ok;
}

static bool is_fresh(const struct s3 *s3)
{
    const struct credential *c = &s3->credential;
    return s3->have_credential &&
           (c->expires_ms == CLOCK_NEVER || c->expires_ms - CREDENTIAL_EARLY_MS > clock_real_ms());
}

bool s3_get_credential(struct s3 *s3, struct credential *out, unsigned *number, struct error *err)
{
    bool ok = true;
    pthread_mutex_lock(&s3->lock);
    while (s3->fetching)
        pthread_cond_wait(&s3->fetched, &s3->lock);
    if (!is_fresh(s3)) {
        struct error why = {.code = ERROR_NONE};
        bool usable = s3->have_credential && s3->credential.expires_ms > clock_real_ms();
        ok = (usable && clock_left_ms(s3->renew_after) > 0) || fetch_locked(s3, &why) || usable;
        if (!ok)
            *err = why;
    }
    if (ok)
        credential_copy(out, &s3->credential);
    if (number != NULL)
        *number = s3->credential_number;
    pthread_mutex_unlock(&s3->lock);
    return ok;
}

void s3_drop_credential(struct s3 *s3, unsigned number)
{
    pthread_mutex_lock(&s3->lock);
    if (s3->credential_number == number)
        s3->have_credential = false;
    pthread_mutex_unlock(&s3->lock);
}

bool s3_may_be_conditional(struct s3 *s3)
{
    pthread_mutex_lock(&s3->lock);
    bool may = !s3->no_conditional;
    pthread_mutex_unlock(&s3->lock);
    return may;
}

void s3_never_conditional(struct s3 *s3)
{
    pthread_mutex_lock(&s3->lock);
    s3->no_conditional = true;
    pthread_mutex_unlock(&s3->lock);
}

bool s3_tells_no_checksums(struct s3 *s3)
{
    pthread_mutex_lock(&s3->lock);
    bool first = !s3->no_checksums;
    s3->no_checksums = true;
    pthread_mutex_unlock(&s3->lock);
    return first;
}

bool s3_credential_source(struct s3 *s3, char *out, size_t size, struct error *err)
{
    struct credential c = {.expires_ms = CLOCK_NEVER};
    bool ok = s3_get_credential(s3, &c, NULL, err);
    if (ok)
        str_copy(str_from(c.source), out, size);
    credential_release(&c);
    return ok;
}
