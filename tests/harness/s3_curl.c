#include "tests/harness/s3_curl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"

#define URL_SIZE 4096
#define FORMAT_STATUS "\n%{http_code}"

/* Appends text to url; letters, digits and "-._~/" stay. */
static void add_encoded(char *url, const char *text)
{
    size_t n = strlen(url);

    for (; *text != '\0' && n + 4 < URL_SIZE; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~/", c) != NULL;

        n += (size_t)snprintf(url + n, URL_SIZE - n, plain ? "%c" : "%%%02X", c);
    }
}

static void url_of(const struct lab_s3 *s3, const char *key, char url[URL_SIZE])
{
    (void)snprintf(url, URL_SIZE, "%s/%s/", s3->endpoint, s3->bucket);
    add_encoded(url, key);
}

/* One request; the body stays in r->out, the status is returned. */
static int request(const struct lab_s3 *s3, const char *method, const char *url, const char *file,
                   struct proc_result *r)
{
    char user[256];
    const char *argv[24] = {"curl",
                            "-s",
                            "-X",
                            method,
                            "--max-time",
                            "30",
                            "-w",
                            FORMAT_STATUS,
                            "-H",
                            "x-amz-content-sha256: UNSIGNED-PAYLOAD",
                            "--path-as-is",
                            "--aws-sigv4",
                            "aws:amz:us-east-1:s3",
                            "--user",
                            user,
                            url};
    size_t n = 16;
    char *status;

    (void)snprintf(user, sizeof(user), "%s:%s", s3->access_key, s3->secret_key);
    if (file != NULL) {
        argv[n++] = "-T";
        argv[n++] = file;
    }
    assert_true(proc_run(argv, NULL, r));
    for (status = r->out + r->out_len; status > r->out && *status != '\n'; status--)
        ;
    r->out_len = (size_t)(status - r->out);
    if (*status == '\n')
        *status++ = '\0';
    return (int)strtol(status, NULL, 10);
}

static int expect(int status, int a, int b, const char *what, const struct proc_result *r)
{
    if (status != a && status != b)
        fail_msg("%s: HTTP %d: %s", what, status, r->out);
    return status;
}

void s3_curl_put(const struct lab_s3 *s3, const char *key, const void *bytes, size_t len)
{
    static const char *file;
    struct proc_result r;
    char url[URL_SIZE];

    if (file == NULL)
        file = tmpdir_path(tmpdir_new(), "object");
    tmpdir_write(file, bytes, len);
    url_of(s3, key, url);
    expect(request(s3, "PUT", url, file, &r), 200, 200, url, &r);
    proc_result_release(&r);
    (void)remove(file);
}

char *s3_curl_get(const struct lab_s3 *s3, const char *key, size_t *len)
{
    struct proc_result r;
    char url[URL_SIZE];
    char *body = NULL;

    url_of(s3, key, url);
    if (expect(request(s3, "GET", url, NULL, &r), 200, 404, url, &r) == 200) {
        body = malloc(r.out_len + 1);
        assert_non_null(body);
        memcpy(body, r.out, r.out_len);
        body[r.out_len] = '\0';
        if (len != NULL)
            *len = r.out_len;
    }
    proc_result_release(&r);
    return body;
}

bool s3_curl_exists(const struct lab_s3 *s3, const char *key)
{
    char *body = s3_curl_get(s3, key, NULL);

    free(body);
    return body != NULL;
}

void s3_curl_remove(const struct lab_s3 *s3, const char *key)
{
    struct proc_result r;
    char url[URL_SIZE];

    url_of(s3, key, url);
    expect(request(s3, "DELETE", url, NULL, &r), 204, 404, url, &r);
    proc_result_release(&r);
}

size_t s3_curl_count(const struct lab_s3 *s3, const char *prefix)
{
    struct proc_result r;
    char url[URL_SIZE];
    size_t count = 0;

    (void)snprintf(url, sizeof(url), "%s/%s?list-type=2&prefix=", s3->endpoint, s3->bucket);
    for (; *prefix != '\0'; prefix++) {
        size_t n = strlen(url);

        (void)snprintf(url + n, sizeof(url) - n, *prefix == '/' ? "%%2F" : "%c", *prefix);
    }
    expect(request(s3, "GET", url, NULL, &r), 200, 200, url, &r);
    for (const char *at = r.out; (at = strstr(at, "<Key>")) != NULL; at++)
        count++;
    proc_result_release(&r);
    return count;
}
