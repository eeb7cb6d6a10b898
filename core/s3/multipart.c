#include "core/s3/multipart.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/escape.h"
#include "core/base/log.h"
#include "core/base/rng.h"
#include "core/s3/multipart_impl.h"

#define MIB ((size_t)1 << 20)
#define PART_DEFAULT (16 * MIB)
#define PART_MAX (5120 * MIB)
#define PARTS_PLANNED 9000 /* leaves room for an estimate that was too low */
#define WORKERS_DEFAULT 4
#define OBJECT_MAX ((uint64_t)5 << 40)

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

int64_t multipart_capacity(const struct multipart *m)
{
    uint64_t whole = (uint64_t)m->part_bytes * m->max_parts;
    return (int64_t)(whole <= OBJECT_MAX ? whole : OBJECT_MAX / m->part_bytes * m->part_bytes);
}

int64_t multipart_total(const struct multipart *m)
{
    return m->total_bytes;
}

static void go_on_with(struct multipart *m, const struct upload_known *u)
{
    m->known = u;
    m->stands = u->fate == UPLOAD_STANDS;
    m->part_bytes = (size_t)u->part_bytes;
    m->estimate_bytes = u->estimate_bytes;
    m->upload_id = mem_copy_text(u->upload_id);
    memcpy(m->token, u->token, sizeof(m->token) - 1);
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
    m->estimate_bytes = options->estimate_bytes;
    m->memory = options->memory;
    m->worker_count = options->workers > 0 ? options->workers : WORKERS_DEFAULT;
    if (m->worker_count > MULTIPART_WORKERS_MAX)
        m->worker_count = MULTIPART_WORKERS_MAX;
    m->max_parts = options->max_parts > 0 ? options->max_parts : MULTIPART_PARTS_MAX;
    m->never_replace = options->never_replace;
    m->next_number = 1;
    rng_hex(m->token, MULTIPART_TOKEN_DIGITS);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->work, NULL);
    pthread_cond_init(&m->room, NULL);
    atomic_init(&m->sent_bytes, 0);
    atomic_init(&m->differs, false);
    if (options->known != NULL && options->known->fate != UPLOAD_ANEW)
        go_on_with(m, options->known);
    *out = m;
    return true;
}

static bool put_part(struct multipart *m, const struct slot *slot, struct upload_part *part,
                     struct error *err)
{
    char number[16];
    (void)snprintf(number, sizeof(number), "%u", slot->number);
    struct s3_request request = {.what = "upload part of",
                                 .method = "PUT",
                                 .key = m->key,
                                 .body = {slot->data, slot->len},
                                 .payload_hash = part->sha256,
                                 .send_body = true,
                                 .object_data = true,
                                 .is_content = true};
    struct s3_answer answer;
    s3_add_query(&request, "partNumber", str_from(number));
    s3_add_query(&request, "uploadId", str_from(m->upload_id));
    s3_answer_init(&answer);
    bool ok = s3_call(m->s3, &request, &answer, err);
    struct str etag = http_header(&answer.http, "etag");
    if (ok && (etag.len == 0 || !str_copy(etag, part->etag, sizeof(part->etag))))
        ok = error_set(err, ERROR_CORRUPT, 0, "the S3 server took a part without giving its ETag");
    s3_answer_release(&answer);
    if (ok && upload_memory_keeps(m->memory))
        m->memory->sent(m->memory->arg, m->upload_id, part);
    return ok;
}

/* Not what the earlier run had sent under this number. */
static bool meet_difference(struct multipart *m, unsigned number, struct error *err)
{
    char key[120];
    escape_text(key, sizeof(key), m->key);
    bool first = !atomic_exchange(&m->differs, true);
    if (m->stands)
        return error_set(err, ERROR_CONFLICT, 0,
                         "%s was uploaded whole by an earlier run, but from other bytes than stand "
                         "in the archive now: it is removed, resume once more to upload it anew",
                         key);
    if (first)
        upload_memory_note(m->memory, true,
                           "from part %u on the bytes of %s are not all those that an earlier run "
                           "sent: what differs is sent again",
                           number, key);
    return true;
}

/* Only what the server does not hold yet. */
static bool send_part(struct multipart *m, const struct slot *slot, struct part *part,
                      struct error *err)
{
    struct upload_part sent = {.number = slot->number, .size_bytes = (int64_t)slot->len};
    const struct upload_part *old =
        m->known != NULL ? upload_known_part(m->known, slot->number) : NULL;
    sigv4_hash(sent.sha256, (struct str){slot->data, slot->len});
    bool same =
        old != NULL && old->size_bytes == sent.size_bytes && strcmp(old->sha256, sent.sha256) == 0;
    if (same)
        sent = *old;
    else if (((old != NULL || m->stands) && !meet_difference(m, slot->number, err)) ||
             !put_part(m, slot, &sent, err))
        return false;
    part->number = slot->number;
    memcpy(part->etag, sent.etag, sizeof(part->etag));
    memcpy(part->sha256, sent.sha256, sizeof(part->sha256));
    return true;
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
    return (m->upload_id != NULL || multipart_create(m, err)) &&
           (m->started > 0 || start_workers(m, err));
}

/* Hand the filled slot to the workers. */
static bool submit(struct multipart *m, struct error *err)
{
    struct slot *slot = m->filling;
    if (m->next_number > m->max_parts)
        return error_set(err, ERROR_INTERNAL, 0, "more than %u parts in one object", m->max_parts);
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

static void stop_workers(struct multipart *m, bool give_up)
{
    pthread_mutex_lock(&m->lock);
    m->closing = true;
    m->failed = m->failed || give_up;
    pthread_cond_broadcast(&m->work);
    pthread_mutex_unlock(&m->lock);
    for (unsigned i = 0; i < m->started; i++)
        pthread_join(m->threads[i], NULL);
    m->started = 0;
}

static void free_slots(struct multipart *m)
{
    for (size_t i = 0; i <= MULTIPART_WORKERS_MAX; i++) {
        free(m->slots[i].data);
        m->slots[i].data = NULL;
    }
}

bool multipart_seal(struct multipart *m, struct error *err)
{
    if (has_failed(m, err))
        return false;
    if (m->sealed || (m->upload_id == NULL && m->total_bytes < (int64_t)m->part_bytes))
        return true; /* small: still in memory */
    struct error why;
    if ((m->filling != NULL && !submit(m, &why)) || !wait_for_workers(m, &why)) {
        *err = why;
        return keep_failure(m, err);
    }
    stop_workers(m, false);
    free_slots(m);
    m->sealed = true;
    return true;
}

bool multipart_commit(struct multipart *m, struct s3_object *out, struct error *err)
{
    struct s3_object object = {.size_bytes = 0};
    struct error why;
    if (has_failed(m, err))
        return false;
    bool sent = m->upload_id == NULL || multipart_seal(m, &why);
    bool done = sent && (m->stands || multipart_complete(m, &why));
    if (!done && (why.code == ERROR_CANCELLED || m->stands || !multipart_is_ours(m, &object))) {
        *err = why;
        return keep_failure(m, err);
    }
    if (!multipart_confirm(m, &object, err)) {
        atomic_store(&m->differs, true);
        return keep_failure(m, err);
    }
    m->committed = true;
    atomic_store(&m->sent_bytes, m->total_bytes);
    if (out != NULL)
        *out = object;
    return true;
}

static void give_up_unfinished(struct multipart *m)
{
    struct error err;
    if (!m->committed && m->stands && atomic_load(&m->differs) && !s3_delete(m->s3, m->key, &err))
        log_write(LOG_LEVEL_WARN, "s3", "%s was not removed: %s", m->key_text, err.text);
    if (m->leave)
        return;
    if (!m->committed && m->upload_id != NULL && !m->stands &&
        !s3_abort_upload(m->s3, m->key, str_from(m->upload_id), &err))
        log_write(LOG_LEVEL_WARN, "s3", "upload %s was not removed: %s", m->upload_id, err.text);
    multipart_sweep_unsure(m);
}

void multipart_free(struct multipart *m)
{
    if (m == NULL)
        return;
    stop_workers(m, !m->committed);
    give_up_unfinished(m);
    free_slots(m);
    free(m->parts);
    free(m->upload_id);
    free(m->key_text);
    pthread_cond_destroy(&m->room);
    pthread_cond_destroy(&m->work);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

void multipart_leave(struct multipart *m)
{
    m->leave = true;
}

bool multipart_is_committed(const struct multipart *m)
{
    return m->committed;
}

int64_t multipart_sent(const struct multipart *m)
{
    return atomic_load(&m->sent_bytes);
}
