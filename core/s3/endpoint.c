#include "core/s3/endpoint.h"

#include <stdio.h>
#include <string.h>

#include "core/base/escape.h"
#include "core/s3/sigv4.h"

bool endpoint_bucket_is_valid(struct str bucket)
{
    if (bucket.len < 3 || bucket.len > 63)
        return false;
    for (size_t i = 0; i < bucket.len; i++) {
        char c = bucket.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        bool edge = i == 0 || i + 1 == bucket.len;
        if (!letter && (edge || (c != '.' && c != '-' && c != '_')))
            return false;
        if (c == '.' && bucket.ptr[i - 1] == '.')
            return false;
    }
    return true;
}

/* The host part of "host:port" or "[v6]:port". */
static struct str without_port(struct str host)
{
    if (host.len > 0 && host.ptr[0] == '[')
        return str_slice(host, 1, str_find(host, ']'));
    return str_slice(host, 0, str_find(host, ':'));
}

static bool is_ipv4(struct str host)
{
    struct str piece;
    int pieces = 0;
    while (str_split(&host, '.', &piece)) {
        int value;
        if (piece.len > 3 || !str_to_int(piece, 0, 255, &value))
            return false;
        pieces++;
    }
    return pieces == 4;
}

bool endpoint_is_loopback(struct str host)
{
    struct str name = without_port(host);
    if (str_is(name, "localhost") || str_ends(name, ".localhost") || str_is(name, "::1"))
        return true;
    return is_ipv4(name) && str_starts(name, "127.");
}

static bool is_region(struct str s)
{
    if (s.len == 0 || s.len >= ENDPOINT_REGION_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

static void set_aws_host(struct endpoint *e)
{
    bool china = strncmp(e->region, "cn-", 3) == 0;
    (void)snprintf(e->host, sizeof(e->host), "s3.%s.amazonaws.com%s", e->region,
                   china ? ".cn" : "");
}

bool endpoint_set_region(struct endpoint *e, struct str region)
{
    if (!is_region(region))
        return false;
    str_copy(region, e->region, sizeof(e->region));
    if (!e->custom)
        set_aws_host(e);
    return true;
}

static bool take_region(const struct s3_options *o, const struct aws_files *f, struct endpoint *e,
                        struct error *err)
{
    struct str region = str_from(o->region);
    if (region.len == 0)
        region = str_from(aws_env(f, "AWS_REGION"));
    if (region.len == 0)
        region = str_from(aws_env(f, "AWS_DEFAULT_REGION"));
    if (region.len == 0 && !aws_profile_get(f, f->profile, "region", &region))
        region = STR("us-east-1");
    if (!is_region(region)) {
        char shown[80];
        return error_set(err, ERROR_CONFIG, 0, "\"%s\" is no S3 region name",
                         escape_text(shown, sizeof(shown), region));
    }
    str_copy(region, e->region, sizeof(e->region));
    return true;
}

static bool is_true(struct str s)
{
    return str_is(s, "true") || str_is(s, "True") || str_is(s, "TRUE");
}

/* The profile's own endpoint: its services section first. */
static struct str profile_endpoint(const struct aws_files *f)
{
    struct str url = {NULL, 0};
    struct str ignore = str_from(aws_env(f, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"));
    if (is_true(ignore) ||
        (aws_profile_get(f, f->profile, "ignore_configured_endpoint_urls", &ignore) &&
         is_true(ignore)))
        return url;
    struct str services;
    char section[ENDPOINT_HOST_MAX];
    if (aws_profile_get(f, f->profile, "services", &services) && services.len < 200) {
        (void)snprintf(section, sizeof(section), "services %.*s", (int)services.len, services.ptr);
        if (aws_ini_get_nested(buf_str(&f->config), section, "s3", "endpoint_url", &url))
            return url;
    }
    if (!aws_profile_get(f, f->profile, "endpoint_url", &url))
        url = (struct str){NULL, 0};
    return url;
}

static struct str find_url(const struct s3_options *o, const struct aws_files *f)
{
    struct str url = str_from(o->endpoint_url);
    bool ignore = is_true(str_from(aws_env(f, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")));
    if (url.len == 0 && !ignore)
        url = str_from(aws_env(f, "AWS_ENDPOINT_URL_S3"));
    if (url.len == 0 && !ignore)
        url = str_from(aws_env(f, "AWS_ENDPOINT_URL"));
    return url.len > 0 ? url : profile_endpoint(f);
}

static bool host_is_clean(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              strchr(".-_:[]", c) != NULL))
            return false;
    }
    return host.len > 0;
}

static bool parse_url(struct str url, struct endpoint *e, struct error *err)
{
    char shown[120];
    escape_text(shown, sizeof(shown), url);
    struct str rest;
    if (str_starts(url, "https://")) {
        e->tls = true;
        rest = str_slice(url, 8, url.len);
    } else if (str_starts(url, "http://")) {
        rest = str_slice(url, 7, url.len);
    } else {
        return error_set(err, ERROR_CONFIG, 0, "S3 endpoint must start with https:// or http://");
    }
    if (str_find(rest, '@') < rest.len)
        return error_set(err, ERROR_CONFIG, 0,
                         "S3 endpoint must not hold credentials: use the environment or a profile");
    size_t slash = str_find(rest, '/');
    struct str host = str_slice(rest, 0, slash);
    struct str path = str_slice(rest, slash, rest.len);
    while (str_ends(path, "/"))
        path.len--;
    const char *port = e->tls ? ":443" : ":80"; /* libcurl leaves a default port out of Host */
    if (str_ends(host, port))
        host.len -= strlen(port);
    bool clean_path = str_find(path, '?') == path.len && str_find(path, '#') == path.len;
    if (!host_is_clean(host) || !clean_path || !str_copy(host, e->host, sizeof(e->host)) ||
        !str_copy(path, e->base_path, sizeof(e->base_path)))
        return error_set(err, ERROR_CONFIG, 0, "S3 endpoint %s is no valid URL", shown);
    return true;
}

static bool wants_path_style(const struct endpoint *e, enum s3_addressing addressing)
{
    if (addressing != S3_ADDRESSING_AUTO)
        return addressing == S3_ADDRESSING_PATH;
    struct str bucket = str_from(e->bucket);
    bool dns_name = str_find(bucket, '.') == bucket.len && str_find(bucket, '_') == bucket.len;
    for (size_t i = 0; i < bucket.len; i++)
        dns_name = dns_name && !(bucket.ptr[i] >= 'A' && bucket.ptr[i] <= 'Z');
    return e->custom || !dns_name;
}

bool endpoint_resolve(const struct s3_options *options, const struct aws_files *files,
                      struct endpoint *out, struct error *err)
{
    struct endpoint e = {.tls = true};
    struct str bucket = str_from(options->bucket);
    char shown[80];
    if (!endpoint_bucket_is_valid(bucket))
        return error_set(err, ERROR_CONFIG, 0, "\"%s\" is no valid bucket name",
                         escape_text(shown, sizeof(shown), bucket));
    str_copy(bucket, e.bucket, sizeof(e.bucket));
    if (!take_region(options, files, &e, err))
        return false;
    struct str url = find_url(options, files);
    if (url.len > 0) {
        e.custom = true;
        e.tls = false;
        if (!parse_url(url, &e, err))
            return false;
    } else {
        set_aws_host(&e);
    }
    e.path_style = wants_path_style(&e, options->addressing);
    struct str host = without_port(str_from(e.host));
    if (!e.path_style && (is_ipv4(host) || str_find(host, ':') < host.len))
        return error_set(err, ERROR_CONFIG, 0,
                         "S3 endpoint %s is an address: set storage.addressing to path", e.host);
    e.loopback = endpoint_is_loopback(str_from(e.host));
    if (!e.tls && !e.loopback && !options->allow_http)
        return error_set(err, ERROR_CONFIG, 0,
                         "S3 endpoint http://%s is not encrypted: use https, or allow http in the "
                         "configuration",
                         e.host);
    *out = e;
    return true;
}

bool endpoint_host(const struct endpoint *e, struct buf *out, struct error *err)
{
    return e->path_style ? buf_text(out, e->host, err)
                         : buf_format(out, err, "%s.%s", e->bucket, e->host);
}

bool endpoint_path(const struct endpoint *e, struct str key, struct buf *out, struct error *err)
{
    if (!buf_text(out, e->base_path, err))
        return false;
    if (e->path_style && (!buf_byte(out, '/', err) || !buf_text(out, e->bucket, err)))
        return false;
    if (key.len == 0 && e->path_style)
        return true;
    return buf_byte(out, '/', err) && sigv4_encode(out, key, true, err);
}
