#include "tests/harness/s3_fake.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS_MAX 64
#define UPLOADS_MAX 64
#define PARTS_MAX 64
#define KEY_MAX_BYTES 1100

struct blob {
    char *data;
    size_t len;
};

struct object {
    char key[KEY_MAX_BYTES];
    struct blob body;
    char etag[64];
    char token[80];
    char checksum[S3_FAKE_CHECKSUM];
};

struct upload {
    char id[32];
    char key[KEY_MAX_BYTES];
    char token[80];
    struct blob parts[PARTS_MAX];
    char checksums[PARTS_MAX][S3_FAKE_CHECKSUM];
    bool open;
    bool keeps_checksums;
};

struct s3_fake {
    struct http_server *http;
    s3_fake_hook hook;
    void *ctx;
    struct object objects[OBJECTS_MAX];
    size_t object_count;
    struct upload uploads[UPLOADS_MAX];
    size_t upload_count;
    unsigned versions;
    bool no_conditions;
    bool keeps_checksums;
    _Atomic size_t requests;
    _Atomic size_t bad_signatures;
    char *answer; /* of the last request, until the next */
};

/* The request taken apart. */
struct asked {
    const struct http_seen *seen;
    char key[KEY_MAX_BYTES];
    char upload_id[64];
    char part[16];
    bool lists;
    bool begins;
};

static void *copy_of(const void *bytes, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy == NULL)
        abort();
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

static void query_value(const char *target, const char *name, char *out, size_t size)
{
    const char *at = strchr(target, '?');
    size_t len = strlen(name);
    out[0] = '\0';
    while (at != NULL) {
        at++;
        if (strncmp(at, name, len) == 0 && at[len] == '=') {
            (void)s3_fake_decode(at + len + 1, strcspn(at + len + 1, "&"), out, size);
            return;
        }
        at = strchr(at, '&');
    }
}

static void take_apart(const struct http_seen *seen, struct asked *a)
{
    *a = (struct asked){.seen = seen};
    const char *path = strchr(seen->target + 1, '/');
    const char *query = strchr(seen->target, '?');
    if (path != NULL && (query == NULL || path < query))
        (void)s3_fake_decode(path + 1, strcspn(path + 1, "?"), a->key, sizeof(a->key));
    query_value(seen->target, "uploadId", a->upload_id, sizeof(a->upload_id));
    query_value(seen->target, "partNumber", a->part, sizeof(a->part));
    a->begins = strstr(seen->target, "uploads=") != NULL;
    a->lists = strstr(seen->target, "list-type=2") != NULL;
}

static size_t index_of(const struct s3_fake *f, const char *key)
{
    size_t i = 0;
    while (i < f->object_count && strcmp(f->objects[i].key, key) != 0)
        i++;
    return i;
}

static struct object *find(struct s3_fake *f, const char *key)
{
    size_t i = index_of(f, key);
    return i < f->object_count ? &f->objects[i] : NULL;
}

static struct upload *find_upload(struct s3_fake *f, const char *id)
{
    for (size_t i = 0; i < f->upload_count; i++)
        if (f->uploads[i].open && strcmp(f->uploads[i].id, id) == 0)
            return &f->uploads[i];
    return NULL;
}

static struct object *store_object(struct s3_fake *f, const char *key, struct blob body,
                                   const char *token)
{
    struct object *o = find(f, key);
    if (o == NULL && f->object_count == OBJECTS_MAX)
        abort();
    if (o == NULL)
        o = &f->objects[f->object_count++];
    free(o->body.data);
    (void)snprintf(o->key, sizeof(o->key), "%s", key);
    (void)snprintf(o->token, sizeof(o->token), "%s", token);
    (void)snprintf(o->etag, sizeof(o->etag), "\"v%u\"", ++f->versions);
    o->body = body;
    o->checksum[0] = '\0';
    return o;
}

static void refuse(struct http_reply *reply, int status, const char *code)
{
    static _Thread_local char body[200];
    (void)snprintf(body, sizeof(body), "<?xml version=\"1.0\"?><Error><Code>%s</Code></Error>",
                   code);
    reply->status = status;
    reply->body = body;
}

static void close_upload(struct upload *u)
{
    for (size_t i = 0; i < PARTS_MAX; i++) {
        free(u->parts[i].data);
        u->parts[i] = (struct blob){NULL, 0};
    }
    u->open = false;
}

static bool condition_fails(struct s3_fake *f, const struct asked *a, struct http_reply *reply)
{
    char value[16];
    http_seen_header(a->seen, "if-none-match", value, sizeof(value));
    if (value[0] == '\0')
        return false;
    if (f->no_conditions)
        refuse(reply, 501, "NotImplemented");
    else if (find(f, a->key) != NULL)
        refuse(reply, 412, "PreconditionFailed");
    else
        return false;
    return true;
}

/* wanted: it must be there. */
static bool checksum_fails(const struct s3_fake *f, const struct asked *a, bool wanted,
                           char out[S3_FAKE_CHECKSUM], struct http_reply *reply)
{
    bool good = s3_fake_checksum_is_good(a->seen, out);
    if (!f->keeps_checksums)
        out[0] = '\0';
    else if (!good)
        refuse(reply, 400, "BadDigest");
    else if (wanted != (out[0] != '\0'))
        refuse(reply, 400, "InvalidRequest");
    else
        return false;
    return f->keeps_checksums;
}

/* Another one for other bytes. */
static void part_etag(const struct upload *u, size_t number, char out[40])
{
    unsigned sum = 2166136261U;
    for (size_t i = 0; i < u->parts[number].len; i++)
        sum = (sum ^ (unsigned char)u->parts[number].data[i]) * 16777619U;
    (void)snprintf(out, 40, "p%zu-%08x", number, sum);
}

static void begin_upload(struct s3_fake *f, const struct asked *a, struct http_reply *reply)
{
    if (f->upload_count == UPLOADS_MAX)
        abort();
    struct upload *u = &f->uploads[f->upload_count++];
    (void)snprintf(u->id, sizeof(u->id), "up/%zu+=", f->upload_count);
    (void)snprintf(u->key, sizeof(u->key), "%s", a->key);
    http_seen_header(a->seen, "x-amz-meta-rbc-token", u->token, sizeof(u->token));
    u->open = true;
    u->keeps_checksums =
        f->keeps_checksums && strstr(a->seen->head, "x-amz-checksum-algorithm: SHA256") != NULL;
    f->answer = malloc(200);
    (void)snprintf(f->answer, 200,
                   "<InitiateMultipartUploadResult><UploadId>%s</UploadId>"
                   "</InitiateMultipartUploadResult>",
                   u->id);
    reply->body = f->answer;
}

static void finish_upload(struct s3_fake *f, const struct asked *a, struct upload *u,
                          struct http_reply *reply)
{
    struct blob whole = {NULL, 0};
    if (condition_fails(f, a, reply))
        return;
    for (size_t i = 0; i < PARTS_MAX; i++)
        whole.len += u->parts[i].len;
    whole.data = malloc(whole.len + 1);
    size_t at = 0;
    for (size_t i = 0; i < PARTS_MAX; i++) {
        char element[64];
        char etag[40];
        char named[300];
        part_etag(u, i, etag);
        (void)snprintf(element, sizeof(element), "<PartNumber>%zu</PartNumber>", i);
        (void)snprintf(named, sizeof(named), "%s<ETag>&quot;%s&quot;</ETag>%s%s", element, etag,
                       u->keeps_checksums ? "<ChecksumSHA256>" : "", u->checksums[i]);
        bool listed = strstr(a->seen->body, element) != NULL;
        if ((u->parts[i].data != NULL) != listed ||
            (listed && strstr(a->seen->body, named) == NULL)) {
            free(whole.data);
            refuse(reply, 400, "InvalidPart");
            return;
        }
        if (u->parts[i].data != NULL)
            memcpy(whole.data + at, u->parts[i].data, u->parts[i].len);
        at += u->parts[i].len;
    }
    struct object *o = store_object(f, a->key, whole, u->token);
    if (u->keeps_checksums)
        s3_fake_checksum_of(u->checksums, PARTS_MAX, o->checksum);
    close_upload(u);
    reply->body = "<CompleteMultipartUploadResult><ETag>&quot;e-2&quot;</ETag>"
                  "</CompleteMultipartUploadResult>";
}

static void list_parts(struct s3_fake *f, const struct upload *u, struct http_reply *reply)
{
    size_t size = 100 + PARTS_MAX * 160;
    char etag[40];
    f->answer = malloc(size);
    size_t len = (size_t)snprintf(f->answer, size, "<ListPartsResult>");
    for (size_t i = 0; i < PARTS_MAX; i++) {
        if (u->parts[i].data == NULL)
            continue;
        part_etag(u, i, etag);
        len += (size_t)snprintf(f->answer + len, size - len,
                                "<Part><PartNumber>%zu</PartNumber><Size>%zu</Size>"
                                "<ETag>&quot;%s&quot;</ETag></Part>",
                                i, u->parts[i].len, etag);
    }
    (void)snprintf(f->answer + len, size - len, "</ListPartsResult>");
    reply->body = f->answer;
}

static void on_upload(struct s3_fake *f, const struct asked *a, struct http_reply *reply)
{
    struct upload *u = find_upload(f, a->upload_id);
    const char *method = a->seen->method;
    if (u == NULL) {
        refuse(reply, 404, "NoSuchUpload");
    } else if (strcmp(method, "PUT") == 0) {
        size_t number = strtoul(a->part, NULL, 10);
        if (number == 0 || number >= PARTS_MAX)
            abort();
        if (checksum_fails(f, a, u->keeps_checksums, u->checksums[number], reply))
            return;
        free(u->parts[number].data);
        u->parts[number] =
            (struct blob){copy_of(a->seen->body, a->seen->body_len), a->seen->body_len};
        char etag[40];
        part_etag(u, number, etag);
        (void)snprintf(reply->headers, sizeof(reply->headers), "ETag: \"%s\"\r\n", etag);
    } else if (strcmp(method, "POST") == 0) {
        finish_upload(f, a, u, reply);
    } else if (strcmp(method, "DELETE") == 0) {
        close_upload(u);
        reply->status = 204;
    } else {
        list_parts(f, u, reply);
    }
}

static void list_objects(struct s3_fake *f, const struct asked *a, struct http_reply *reply)
{
    size_t size = 200 + f->object_count * (KEY_MAX_BYTES + 100);
    char prefix[KEY_MAX_BYTES];
    query_value(a->seen->target, "prefix", prefix, sizeof(prefix));
    f->answer = malloc(size);
    size_t len = (size_t)snprintf(f->answer, size, "<ListBucketResult>");
    for (size_t i = 0; i < f->object_count; i++)
        if (strncmp(f->objects[i].key, prefix, strlen(prefix)) == 0)
            len += (size_t)snprintf(f->answer + len, size - len,
                                    "<Contents><Key>%s</Key><Size>%zu</Size></Contents>",
                                    f->objects[i].key, f->objects[i].body.len);
    (void)snprintf(f->answer + len, size - len,
                   "<IsTruncated>false</IsTruncated></ListBucketResult>");
    reply->body = f->answer;
}

static void list_uploads(struct s3_fake *f, struct http_reply *reply)
{
    size_t size = 200 + f->upload_count * (KEY_MAX_BYTES + 200);
    f->answer = malloc(size);
    size_t len = (size_t)snprintf(f->answer, size, "<ListMultipartUploadsResult>");
    for (size_t i = 0; i < f->upload_count; i++)
        if (f->uploads[i].open)
            len += (size_t)snprintf(f->answer + len, size - len,
                                    "<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>"
                                    "2024-01-01T00:00:00Z</Initiated></Upload>",
                                    f->uploads[i].key, f->uploads[i].id);
    (void)snprintf(f->answer + len, size - len, "</ListMultipartUploadsResult>");
    reply->body = f->answer;
}

static void give_object(const struct asked *a, const struct object *o, struct http_reply *reply)
{
    char range[80];
    char match[80];
    unsigned long long from = 0;
    unsigned long long to = o->body.len - 1;
    http_seen_header(a->seen, "range", range, sizeof(range));
    http_seen_header(a->seen, "if-match", match, sizeof(match));
    if (match[0] != '\0' && strcmp(match, o->etag) != 0) {
        refuse(reply, 412, "PreconditionFailed");
        return;
    }
    if (range[0] != '\0') {
        if (sscanf(range, "bytes=%llu-%llu", &from, &to) < 1 || from >= o->body.len) {
            refuse(reply, 416, "InvalidRange");
            return;
        }
        to = to < o->body.len ? to : o->body.len - 1;
        reply->status = 206;
    }
    reply->body = o->body.data + from;
    reply->body_len = o->body.len == 0 ? 0 : (size_t)(to - from + 1);
    int len = snprintf(reply->headers, sizeof(reply->headers),
                       "ETag: %s\r\nx-amz-meta-rbc-token: %s\r\nContent-Length: %zu\r\n", o->etag,
                       o->token, reply->body_len);
    if (o->checksum[0] != '\0' && strstr(a->seen->head, "x-amz-checksum-mode: ENABLED") != NULL)
        len += snprintf(reply->headers + len, sizeof(reply->headers) - (size_t)len,
                        "x-amz-checksum-sha256: %s\r\n", o->checksum);
    if (reply->status == 206)
        (void)snprintf(reply->headers + len, sizeof(reply->headers) - (size_t)len,
                       "Content-Range: bytes %llu-%llu/%zu\r\n", from, to, o->body.len);
}

static void on_object(struct s3_fake *f, const struct asked *a, struct http_reply *reply)
{
    struct object *o = find(f, a->key);
    const char *method = a->seen->method;
    char token[80];
    if (strcmp(method, "PUT") == 0) {
        char checksum[S3_FAKE_CHECKSUM];
        bool wanted = strstr(a->seen->head, "x-amz-checksum-sha256") != NULL;
        if (condition_fails(f, a, reply) || checksum_fails(f, a, wanted, checksum, reply))
            return;
        http_seen_header(a->seen, "x-amz-meta-rbc-token", token, sizeof(token));
        struct blob body = {copy_of(a->seen->body, a->seen->body_len), a->seen->body_len};
        memcpy(store_object(f, a->key, body, token)->checksum, checksum, sizeof(checksum));
    } else if (o == NULL) {
        refuse(reply, strcmp(method, "DELETE") == 0 ? 204 : 404, "NoSuchKey");
    } else if (strcmp(method, "DELETE") == 0) {
        free(o->body.data);
        *o = f->objects[--f->object_count];
        f->objects[f->object_count] = (struct object){.key = ""};
        reply->status = 204;
    } else {
        give_object(a, o, reply);
    }
}

static void serve(void *ctx, const struct http_seen *seen, struct http_reply *reply)
{
    struct s3_fake *f = ctx;
    struct asked a;
    atomic_fetch_add(&f->requests, 1);
    free(f->answer);
    f->answer = NULL;
    if (f->hook != NULL && f->hook(f->ctx, seen, false, reply))
        return;
    take_apart(seen, &a);
    if (!s3_fake_signature_is_good(seen)) {
        atomic_fetch_add(&f->bad_signatures, 1);
        refuse(reply, 403, "SignatureDoesNotMatch");
    } else if (a.begins && strcmp(seen->method, "POST") == 0) {
        begin_upload(f, &a, reply);
    } else if (a.begins) {
        list_uploads(f, reply);
    } else if (a.upload_id[0] != '\0') {
        on_upload(f, &a, reply);
    } else if (a.lists) {
        list_objects(f, &a, reply);
    } else {
        on_object(f, &a, reply);
    }
    if (f->hook != NULL)
        (void)f->hook(f->ctx, seen, true, reply);
}

struct s3_fake *s3_fake_start(s3_fake_hook hook, void *ctx)
{
    struct s3_fake *f = calloc(1, sizeof(*f));
    if (f == NULL)
        abort();
    f->hook = hook;
    f->ctx = ctx;
    f->http = http_server_start(serve, f);
    return f;
}

void s3_fake_stop(struct s3_fake *f)
{
    if (f == NULL)
        return;
    http_server_stop(f->http);
    for (size_t i = 0; i < f->object_count; i++)
        free(f->objects[i].body.data);
    for (size_t i = 0; i < f->upload_count; i++)
        close_upload(&f->uploads[i]);
    free(f->answer);
    free(f);
}

const char *s3_fake_url(const struct s3_fake *f)
{
    return http_server_url(f->http);
}

void s3_fake_refuse_conditions(struct s3_fake *f)
{
    f->no_conditions = true;
}

void s3_fake_keep_checksums(struct s3_fake *f)
{
    f->keeps_checksums = true;
}

const char *s3_fake_object(const struct s3_fake *f, const char *key, size_t *len)
{
    size_t i = index_of(f, key);
    if (i == f->object_count)
        return NULL;
    if (len != NULL)
        *len = f->objects[i].body.len;
    return f->objects[i].body.data;
}

void s3_fake_put(struct s3_fake *f, const char *key, const void *bytes, size_t len)
{
    store_object(f, key, (struct blob){copy_of(bytes, len), len}, "");
}

size_t s3_fake_objects(const struct s3_fake *f)
{
    return f->object_count;
}

size_t s3_fake_uploads(const struct s3_fake *f)
{
    size_t open = 0;
    for (size_t i = 0; i < f->upload_count; i++)
        open += f->uploads[i].open;
    return open;
}

size_t s3_fake_requests(const struct s3_fake *f)
{
    return atomic_load(&f->requests);
}

size_t s3_fake_bad_signatures(const struct s3_fake *f)
{
    return atomic_load(&f->bad_signatures);
}
