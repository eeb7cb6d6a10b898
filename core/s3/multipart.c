#include "core/s3/multipart.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/s3/client.h"

#define MIB ((size_t)1 << 20)
#define PART_DEFAULT (16 * MIB)
#define PART_MAX (5120 * MIB)
#define PARTS_PLANNED 9000 /* leaves room for an estimate that was too low */
#define WORKERS_DEFAULT 4
#define WORKERS_MAX 16
#define TOKEN_DIGITS 32
#define COMPLETE_STALL_MS (10 * 60 * 1000) /* a server may think for minutes before it answers */
#define COMPLETE_XML_MAX ((size_t)4 << 20)

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_READY, SLOT_SENDING };

struct slot {
    enum slot_state state;
    unsigned number; /* part number, from 1 */
    size_t len;
    char *data; /* part_bytes long once used */
};

struct part {
    unsigned number;
    char etag[S3_ETAG_MAX];
};

struct multipart {
    struct s3 *s3;
    char *key_text;
    struct str key; /* of key_text */
    size_t part_bytes;
    unsigned worker_count;
    char token[TOKEN_DIGITS + 1];
    /* the writer's own */
    struct slot *filling;
    char *upload_id; /* set before the first worker starts */
    unsigned next_number;
    int64_t total_bytes;
    bool committed;
    unsigned started;
    pthread_t threads[WORKERS_MAX];
    /* guarded by lock */
    pthread_mutex_t lock;
    pthread_cond_t work; /* a slot became ready, or closing */
    pthread_cond_t room; /* a slot became free, or failed */
    struct slot slots[WORKERS_MAX + 1];
    struct part *parts;
    size_t part_count;
    size_t part_cap;
    bool closing;
    bool failed;
    struct error why;
    _Atomic int64_t sent_bytes;
};

size_t multipart_part_size(const struct multipart_options *options)
{
    uint64_t size = options->part_bytes > 0 ? options->part_bytes : PART_DEFAULT;
    if (options->estimate_bytes > 0) {
        uint64_t need = (uint64_t)options->estimate_bytes / PARTS_PLANNED * 3 / 2 + 1;
        size = need > size ? need : size;
    }
    size = size < MULTIPART_PART_MIN ? MULTIPART_PART_MIN : size;
    size = (size + MIB - 1) / MIB * MIB;
    return size > PART_MAX ? PART_MAX : (size_t)size;
}

bool multipart_new(struct s3 *s3, struct str key, const struct multipart_options *options,
                   struct multipart **out, struct error *err)
{
    if (key.len == 0 || key.len > 1024)
        return error_set(err, ERROR_CONFIG, 0, "an S3 key must have 1 to 1024 bytes");
    struct multipart *m = mem_zero(1, sizeof(*m));
    m->s3 = s3;
    m->key_text = mem_copy_str(key);
    m->key = (struct str){m->key_text, key.len};
    m->part_bytes = multipart_part_size(options);
    m->worker_count = options->workers > 0 ? options->workers : WORKERS_DEFAULT;
    if (m->worker_count > WORKERS_MAX)
        m->worker_count = WORKERS_MAX;
    m->next_number = 1;
    rng_hex(m->token, TOKEN_DIGITS);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->work, NULL);
    pthread_cond_init(&m->room, NULL);
    atomic_init(&m->sent_bytes, 0);
    *out = m;
    return true;
}

static bool on_create_element(void *ctx, const char *path, struct str text, struct error *err)
{
    char **id = ctx;
    (void)err;
    if (strcmp(path, "InitiateMultipartUploadResult/UploadId") == 0 && *id == NULL && text.len > 0)
        *id = mem_copy_str(text);
    return true;
}

static bool create_upload(struct multipart *m, struct error *err)
{
    struct s3_request request = {.what = "start upload of",
                                 .method = "POST",
                                 .key = m->key,
                                 .send_body = true,
                                 .root = "InitiateMultipartUploadResult"};
    struct s3_answer answer;
    s3_add_query(&request, "uploads", STR(""));
    s3_add_header(&request, S3_META_TOKEN, str_from(m->token));
    s3_add_sse(m->s3, &request);
    s3_answer_init(&answer);
    bool ok = s3_call(m->s3, &request, &answer, err) &&
              xml_parse(buf_str(&answer.http.body), on_create_element, &m->upload_id, err);
    s3_answer_release(&answer);
    if (ok && m->upload_id == NULL)
        return error_set(err, ERROR_CORRUPT, 0, "the S3 server started an upload without an id");
    return ok;
}

static bool send_part(struct multipart *m, const struct slot *slot, struct part *part,
                      struct error *err)
{
    char number[16];
    (void)snprintf(number, sizeof(number), "%u", slot->number);
    struct s3_request request = {.what = "upload part of",
                                 .method = "PUT",
                                 .key = m->key,
                                 .body = {slot->data, slot->len},
                                 .send_body = true};
    struct s3_answer answer;
    s3_add_query(&request, "partNumber", str_from(number));
    s3_add_query(&request, "uploadId", str_from(m->upload_id));
    s3_answer_init(&answer);
    bool ok = s3_call(m->s3, &request, &answer, err);
    struct str etag = http_header(&answer.http, "etag");
    part->number = slot->number;
    if (ok && (etag.len == 0 || !str_copy(etag, part->etag, sizeof(part->etag))))
        ok = error_set(err, ERROR_CORRUPT, 0, "the S3 server took a part without giving its ETag");
    s3_answer_release(&answer);
    return ok;
}

/* With the lock held. */
static struct slot *find_slot(struct multipart *m, enum slot_state state)
{
    for (size_t i = 0; i <= m->worker_count; i++)
        if (m->slots[i].state == state)
            return &m->slots[i];
    return NULL;
}

/* With the lock held, which is given up while the part is sent. */
static void work_on(struct multipart *m, struct slot *slot)
{
    struct part part;
    struct error err;
    slot->state = SLOT_SENDING;
    pthread_mutex_unlock(&m->lock);
    bool ok = send_part(m, slot, &part, &err);
    if (ok)
        atomic_fetch_add(&m->sent_bytes, (int64_t)slot->len);
    pthread_mutex_lock(&m->lock);
    slot->state = SLOT_FREE;
    if (ok)
        ARRAY_PUSH(m->parts, m->part_count, m->part_cap) = part;
    else if (!m->failed) {
        m->failed = true;
        m->why = err;
    }
    pthread_cond_broadcast(&m->room);
}

static void *run_worker(void *arg)
{
    struct multipart *m = arg;
    pthread_mutex_lock(&m->lock);
    for (;;) {
        struct slot *slot = find_slot(m, SLOT_READY);
        if (slot != NULL && !m->failed)
            work_on(m, slot);
        else if (m->closing || m->failed)
            break;
        else
            pthread_cond_wait(&m->work, &m->lock);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

static bool start_workers(struct multipart *m, struct error *err)
{
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int code = 0;
    while (code == 0 && m->started < m->worker_count) {
        code = pthread_create(&m->threads[m->started], NULL, run_worker, m);
        m->started += code == 0;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (m->started == 0)
        return error_set_errno(err, ERROR_INTERNAL, code, "start an upload thread");
    return true;
}

static bool begin(struct multipart *m, struct error *err)
{
    if (m->upload_id != NULL)
        return true;
    return create_upload(m, err) && start_workers(m, err);
}

/* Hand the filled slot to the workers. */
static bool submit(struct multipart *m, struct error *err)
{
    struct slot *slot = m->filling;
    if (m->next_number > MULTIPART_PARTS_MAX)
        return error_set(err, ERROR_LIMIT, 0,
                         "more than %d parts of %zu MiB: raise storage.part_size_mb",
                         MULTIPART_PARTS_MAX, m->part_bytes / MIB);
    if (!begin(m, err))
        return false;
    pthread_mutex_lock(&m->lock);
    slot->number = m->next_number++;
    slot->state = SLOT_READY;
    m->filling = NULL;
    pthread_cond_signal(&m->work);
    pthread_mutex_unlock(&m->lock);
    return true;
}

/* Wait for a free slot; every part before it keeps its own memory. */
static bool take_slot(struct multipart *m, struct error *err)
{
    pthread_mutex_lock(&m->lock);
    struct slot *slot = find_slot(m, SLOT_FREE);
    while (slot == NULL && !m->failed) {
        pthread_cond_wait(&m->room, &m->lock);
        slot = find_slot(m, SLOT_FREE);
    }
    bool ok = !m->failed;
    if (ok) {
        slot->state = SLOT_FILLING;
        slot->len = 0;
        m->filling = slot;
    } else {
        *err = m->why;
    }
    pthread_mutex_unlock(&m->lock);
    if (ok && slot->data == NULL)
        slot->data = mem_alloc(m->part_bytes);
    return ok;
}

/* A failure of the writer's own: later calls see it too. */
static bool keep_failure(struct multipart *m, const struct error *err)
{
    pthread_mutex_lock(&m->lock);
    if (!m->failed) {
        m->failed = true;
        m->why = *err;
    }
    pthread_cond_broadcast(&m->work);
    pthread_mutex_unlock(&m->lock);
    return false;
}

static bool has_failed(struct multipart *m, struct error *err)
{
    pthread_mutex_lock(&m->lock);
    bool failed = m->failed;
    if (failed)
        *err = m->why;
    pthread_mutex_unlock(&m->lock);
    return failed;
}

bool multipart_write(struct multipart *m, struct str bytes, struct error *err)
{
    if (has_failed(m, err))
        return false;
    while (bytes.len > 0) {
        if (m->filling == NULL && !take_slot(m, err))
            return keep_failure(m, err);
        struct slot *slot = m->filling;
        size_t room = m->part_bytes - slot->len;
        size_t take = bytes.len < room ? bytes.len : room;
        memcpy(slot->data + slot->len, bytes.ptr, take);
        slot->len += take;
        m->total_bytes += (int64_t)take;
        bytes = str_slice(bytes, take, bytes.len);
        /* A full part waits for one more byte: the last part may then still be the only one. */
        if (slot->len == m->part_bytes && bytes.len > 0 && !submit(m, err))
            return keep_failure(m, err);
    }
    return true;
}

static bool wait_for_workers(struct multipart *m, struct error *err)
{
    pthread_mutex_lock(&m->lock);
    while (!m->failed && (find_slot(m, SLOT_READY) != NULL || find_slot(m, SLOT_SENDING) != NULL))
        pthread_cond_wait(&m->room, &m->lock);
    bool ok = !m->failed;
    if (!ok)
        *err = m->why;
    pthread_mutex_unlock(&m->lock);
    return ok;
}

static int compare_parts(const void *a, const void *b)
{
    const struct part *x = a;
    const struct part *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static bool put_xml_text(struct buf *out, const char *text, struct error *err)
{
    static const struct {
        char byte;
        const char *entity;
    } entities[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};
    for (; *text != '\0'; text++) {
        const char *entity = NULL;
        for (size_t i = 0; i < COUNT_OF(entities); i++)
            if (entities[i].byte == *text)
                entity = entities[i].entity;
        if (entity != NULL ? !buf_text(out, entity, err) : !buf_byte(out, *text, err))
            return false;
    }
    return true;
}

static bool put_part_list(struct multipart *m, struct buf *out, struct error *err)
{
    qsort(m->parts, m->part_count, sizeof(*m->parts), compare_parts);
    if (!buf_text(out,
                  "<CompleteMultipartUpload "
                  "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
                  err))
        return false;
    for (size_t i = 0; i < m->part_count; i++)
        if (!buf_format(out, err, "<Part><PartNumber>%u</PartNumber><ETag>", m->parts[i].number) ||
            !put_xml_text(out, m->parts[i].etag, err) || !buf_text(out, "</ETag></Part>", err))
            return false;
    return buf_text(out, "</CompleteMultipartUpload>", err);
}

/* Does our own object of the right size stand under the key? The random token is the proof. */
static bool is_ours(struct multipart *m, struct s3_object *object)
{
    struct error ignored;
    return s3_head(m->s3, m->key, object, &ignored) && strcmp(object->token, m->token) == 0 &&
           object->size_bytes == m->total_bytes;
}

static bool complete(struct multipart *m, struct error *err)
{
    struct buf body;
    struct s3_answer answer;
    buf_init(&body, COMPLETE_XML_MAX);
    s3_answer_init(&answer);
    bool ok = put_part_list(m, &body, err);
    struct s3_request request = {.what = "finish upload of",
                                 .method = "POST",
                                 .key = m->key,
                                 .body = buf_str(&body),
                                 .send_body = true,
                                 .root = "CompleteMultipartUploadResult",
                                 .stall_timeout_ms = COMPLETE_STALL_MS};
    s3_add_query(&request, "uploadId", str_from(m->upload_id));
    ok = ok && s3_call(m->s3, &request, &answer, err);
    s3_answer_release(&answer);
    buf_release(&body);
    return ok;
}

static bool put_whole(struct multipart *m, struct error *err)
{
    const struct slot *slot = m->filling;
    struct s3_request request = {
        .what = "upload",
        .method = "PUT",
        .key = m->key,
        .body = {slot != NULL ? slot->data : NULL, slot != NULL ? slot->len : 0},
        .send_body = true};
    struct s3_answer answer;
    s3_add_header(&request, S3_META_TOKEN, str_from(m->token));
    s3_add_sse(m->s3, &request);
    s3_answer_init(&answer);
    bool ok = s3_call(m->s3, &request, &answer, err);
    s3_answer_release(&answer);
    return ok;
}

static bool finish(struct multipart *m, struct error *err)
{
    if (m->upload_id == NULL)
        return put_whole(m, err);
    if (m->filling != NULL && !submit(m, err))
        return false;
    return wait_for_workers(m, err) && complete(m, err);
}

/* The server said yes: what it now shows must agree, where we may look. */
static bool confirm(struct multipart *m, struct s3_object *object, struct error *err)
{
    struct error why;
    if (!s3_head(m->s3, m->key, object, &why)) {
        *object = (struct s3_object){.size_bytes = m->total_bytes};
        return true;
    }
    if (object->size_bytes == m->total_bytes)
        return true;
    return error_set(err, ERROR_CORRUPT, 0,
                     "uploaded %lld bytes, but the server holds an object of %lld bytes",
                     (long long)m->total_bytes, (long long)object->size_bytes);
}

bool multipart_commit(struct multipart *m, struct s3_object *out, struct error *err)
{
    struct s3_object object = {.size_bytes = 0};
    struct error why;
    if (has_failed(m, err))
        return false;
    if (!finish(m, &why) && (why.code == ERROR_CANCELLED || !is_ours(m, &object))) {
        *err = why;
        return keep_failure(m, err);
    }
    if (!confirm(m, &object, err))
        return keep_failure(m, err);
    m->committed = true;
    atomic_store(&m->sent_bytes, m->total_bytes);
    if (out != NULL)
        *out = object;
    return true;
}

static void stop_workers(struct multipart *m)
{
    pthread_mutex_lock(&m->lock);
    m->closing = true;
    m->failed = m->failed || !m->committed;
    pthread_cond_broadcast(&m->work);
    pthread_mutex_unlock(&m->lock);
    for (unsigned i = 0; i < m->started; i++)
        pthread_join(m->threads[i], NULL);
}

void multipart_free(struct multipart *m)
{
    if (m == NULL)
        return;
    stop_workers(m);
    struct error err;
    if (!m->committed && m->upload_id != NULL &&
        !s3_abort_upload(m->s3, m->key, str_from(m->upload_id), &err))
        log_write(LOG_LEVEL_WARN, "s3", "upload %s was not removed: %s", m->upload_id, err.text);
    for (size_t i = 0; i <= WORKERS_MAX; i++)
        free(m->slots[i].data);
    free(m->parts);
    free(m->upload_id);
    free(m->key_text);
    pthread_cond_destroy(&m->room);
    pthread_cond_destroy(&m->work);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

int64_t multipart_sent(const struct multipart *m)
{
    return atomic_load(&m->sent_bytes);
}
