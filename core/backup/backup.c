#include "core/backup/backup.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/backup/backup_private.h"
#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/detector.h"

#define MEMORY ((size_t)256 << 20)
#define SEEN_LEAST ((size_t)1 << 20)
#define NOTES_MAX 1000
#define CHUNK_LEAST ((uint64_t)256 << 10)
#define OUTAGE_MS 60000
#define OUTAGE_STEP_MS 250
#define PROBE_MS 2000

static void note(struct backup *b, struct notes *notes, enum task_level level, const char *text)
{
    task_note(b->task, level, "%s", text);
    for (size_t i = 0; i < notes->count; i++) {
        if (strcmp(notes->items[i], text) == 0)
            return;
    }
    if (notes->count == NOTES_MAX)
        return;
    ARRAY_PUSH(notes->items, notes->count, notes->cap) = mem_copy_text(text);
    backup_mark_note(b, notes == &b->events ? "event" : "warning", text);
}

void backup_note(struct backup *b, struct notes *notes, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    note(b, notes, TASK_WARN, text);
}

void backup_tell(struct backup *b, struct notes *notes, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    note(b, notes, TASK_INFO, text);
}

static void release_notes(struct notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        free(notes->items[i]);
    free(notes->items);
}

/* The servers' clock, from whichever primary is first; ours when none answers. */
static int64_t server_time(struct backup *b)
{
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(b->cluster, &nodes);
    const struct reply *r;
    struct error err = {0};
    char id[sizeof(nodes->id)];
    int64_t seconds;

    for (size_t i = 0; i < count; i++) {
        if (nodes[i].role != NODE_ROLE_PRIMARY || nodes[i].slots == 0)
            continue;
        memcpy(id, nodes[i].id, sizeof(id));
        if (cluster_call_node(b->cluster, id, COMMAND(STR("TIME")), &r, &err) &&
            r->type == REPLY_ARRAY && r->count == 2 && str_to_i64(r->elements[0].str, &seconds) &&
            seconds > 0 && seconds < INT64_MAX / 1000)
            return seconds * 1000;
        break;
    }
    return clock_real_ms();
}

/* ---- rounds -----------------------------------------------------------------------------------
 */

/* All slots that the backup is about; slot 0 alone stands for a server without slots. */
static void first_want(struct backup *b, struct slot_set *want)
{
    const struct filter *f = &b->o->filter;

    *want = (struct slot_set){0};
    if (!b->by_slot)
        slot_set_add(want, 0);
    else if (f->by_slot)
        *want = f->slots;
    else
        slot_set_fill(want);
    for (size_t i = 0; i < COUNT_OF(want->bits); i++)
        want->bits[i] &= ~b->kept.bits[i];
}

/* Who is to blame for what could not be settled: slots without owner, or a map that moved. */
static void give_up(struct backup *b, const struct slot_set *dirty, bool waited_out)
{
    struct slot_set nobody = {0};
    struct error err = {0};
    struct buf text;

    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        if (slot_set_has(dirty, (uint16_t)slot) &&
            cluster_owner(b->cluster, (uint16_t)slot) == NULL)
            slot_set_add(&nobody, (uint16_t)slot);
    }
    buf_init(&text, 4096);
    if (!slot_set_format(slot_set_count(&nobody) > 0 ? &nobody : dirty, 6, &text, &err))
        buf_clear(&text);
    if (waited_out && !b->by_slot)
        (void)snprintf(b->reason, sizeof(b->reason), "the primary did not answer for %" PRId64 " s",
                       backup_outage_ms(b) / 1000);
    else if (!b->by_slot)
        (void)snprintf(b->reason, sizeof(b->reason),
                       "topology unstable: the primary changed in each of %" PRIu64 " readings",
                       b->rounds);
    else if (slot_set_count(&nobody) > 0)
        (void)snprintf(b->reason, sizeof(b->reason), "nobody serves slots %s", text.data);
    else if (waited_out)
        (void)snprintf(b->reason, sizeof(b->reason),
                       "the owner of slots %s did not answer for %" PRId64 " s", text.data,
                       backup_outage_ms(b) / 1000);
    else
        (void)snprintf(b->reason, sizeof(b->reason),
                       "topology unstable: slots %s moved or were open in the last of %" PRIu64
                       " readings",
                       text.data, b->rounds);
    buf_release(&text);
}

/* A node that is not known to have failed may be dead or busy all the same. */
static bool answers_as_primary(struct backup *b, const char *id)
{
    struct error ignored = {0};
    struct conn *conn = cluster_node_conn(b->cluster, id, &ignored);
    const struct reply *r;

    return conn != NULL && conn_call(conn, COMMAND(STR("ROLE")), PROBE_MS, &r, &ignored) &&
           r->type == REPLY_ARRAY && r->count > 0 && reply_is(&r->elements[0], "master");
}

static bool all_answer(struct backup *b, const struct slot_set *want)
{
    char last[sizeof(((struct cluster_node *)NULL)->id)] = "";

    for (unsigned slot = 0; slot < SLOT_COUNT; slot++) {
        const struct cluster_node *owner;

        if (!slot_set_has(want, (uint16_t)slot))
            continue;
        owner = cluster_owner(b->cluster, (uint16_t)slot);
        if (owner == NULL || owner->failing)
            return false;
        if (strcmp(last, owner->id) == 0)
            continue;
        memcpy(last, owner->id, sizeof(last));
        if (!answers_as_primary(b, last))
            return false;
    }
    return true;
}

int64_t backup_outage_ms(const struct backup *b)
{
    return b->o->outage_timeout_ms > 0 ? b->o->outage_timeout_ms : OUTAGE_MS;
}

/* Wait until the owners of the slots answer, or as long as an outage may last: *spent. */
static bool wait_for_owners(struct backup *b, const struct slot_set *want, bool *spent,
                            struct error *err)
{
    int64_t deadline = clock_after(backup_outage_ms(b));
    int64_t least = clock_after((int64_t)b->rounds * OUTAGE_STEP_MS);
    struct error ignored = {0};

    *spent = false;
    if (b->rounds == 0 && all_answer(b, want))
        return true;
    task_stage(b->task, "waiting");
    while (clock_mono_ms() < deadline) {
        if (!task_checkpoint(b->task, err))
            return false;
        if (clock_mono_ms() >= least && cluster_refresh(b->cluster, &ignored) &&
            all_answer(b, want))
            return true;
        clock_sleep_ms(OUTAGE_STEP_MS);
    }
    *spent = true;
    return true;
}

/* An outage that was too long is no state of the data: the backup stops, and can be resumed. */
static bool waited_too_long(struct backup *b, const struct slot_set *dirty, struct error *err)
{
    char reason[sizeof(b->reason)];

    if (!task_checkpoint(b->task, err))
        return false;
    if (!b->outage)
        give_up(b, dirty, true);
    memcpy(reason, b->reason, sizeof(reason));
    return error_set(err, ERROR_UNREACHABLE, 0, "%s", reason);
}

/* After an outage that was too long there is one more reading, of whatever there is. */
static bool run_rounds(struct backup *b, struct error *err)
{
    struct slot_set want;
    struct slot_set dirty;
    bool spent = false;

    first_want(b, &want);
    if (!wait_for_owners(b, &want, &spent, err))
        return false;
    for (uint32_t generation = b->first_generation;; generation++) {
        task_stage(b->task, b->sink.ops->stage);
        b->rounds++;
        if (!backup_round(b, &want, generation, &dirty, err))
            return false;
        b->unsettled = dirty;
        if (!DETECTOR_DIRTY || slot_set_count(&dirty) == 0)
            return true;
        if (b->outage || spent)
            return waited_too_long(b, &dirty, err);
        if (b->rounds == BACKUP_ROUNDS)
            break;
        if (!wait_for_owners(b, &dirty, &spent, err))
            return false;
        want = dirty;
    }
    give_up(b, &dirty, false);
    return true;
}

/* ---- the whole --------------------------------------------------------------------------------
 */

/* Every worker fills a part while others are compressed: all of them have to fit. */
static void fit_parts(struct backup *b, uint64_t most)
{
    if (most < CHUNK_LEAST)
        most = CHUNK_LEAST;
    if (b->sink.ops != &backup_parts_ops || b->chunk_bytes <= most)
        return;
    b->chunk_bytes = most;
    task_note(b->task, TASK_INFO, "parts of %" PRIu64 " KiB at most, to stay within the memory",
              most >> 10);
}

static void set_limits(struct backup *b)
{
    size_t memory = b->o->max_memory != 0 ? b->o->max_memory : MEMORY;
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(b->cluster, &nodes);
    size_t primaries = 1;

    for (size_t i = 0; i < count; i++)
        primaries += nodes[i].role == NODE_ROLE_PRIMARY && nodes[i].slots > 0;
    b->by_slot = cluster_mode(b->cluster) == REDIS_MODE_CLUSTER;
    b->chunk_keys = b->o->chunk_keys != 0 ? b->o->chunk_keys : BACKUP_CHUNK_KEYS;
    b->chunk_bytes = b->o->chunk_bytes != 0 ? b->o->chunk_bytes : BACKUP_CHUNK_BYTES;
    fit_parts(b, memory / 4 / (primaries + ARCHIVE_COMPRESSORS));
    b->seen_memory = memory / 4 / primaries;
    if (b->seen_memory < SEEN_LEAST)
        b->seen_memory = SEEN_LEAST;
}

static bool write_all(struct backup *b, struct backup_result *out, struct error *err)
{
    if (b->archive != NULL && !b->kept_functions && filter_is_open(&b->o->filter) &&
        !backup_functions(b, err))
        return false;
    if (!run_rounds(b, err))
        return false;
    b->finished_ms = server_time(b);
    task_stage(b->task, "finish");
    out->manifest = backup_manifest(b);
    return b->archive == NULL || archiver_finish(b->archive, out->manifest, err);
}

static uint64_t findings(const struct backup *b, const struct manifest *m)
{
    return (m->complete ? 0 : 1) + m->totals.unreadable + m->totals.too_large +
           b->doubtful_functions + (b->o->strict ? m->totals.fuzzy : 0);
}

/* ---- begin, end, and go on --------------------------------------------------------------------
 */

static void written(void *arg, enum archive_place place, const char *where)
{
    struct backup *b = arg;
    const struct archive_options *a = &b->o->archive;
    struct error err = {0};

    /* Once somebody was told, a later run must not take it back. */
    if (place == (a->file ? ARCHIVE_FILE : ARCHIVE_TREE) && !backup_mark_local(b, &err))
        (void)backup_checkpoint_lost(b, &err);
    if (a->written != NULL)
        a->written(a->written_arg, place, where);
}

static bool is_on_disk(const struct archive_options *a)
{
    return a->dir != NULL && (a->tree || a->file);
}

/* What is finished stays for a later run, and the error says how to go on. */
static void leave(struct backup *b, struct error *err)
{
    struct error why = *err;

    if (!checkpoint_is_kept(b->checkpoint) || !is_on_disk(&b->o->archive))
        return;
    if (b->archive != NULL)
        archiver_leave(b->archive);
    (void)error_set(err, why.code, why.detail,
                    "%.310s; go on with: rbconsole -e %.40s backup --resume %s", why.text,
                    b->o->env, task_id(b->task));
}

/* The manifest is in the archive; what it tells is the result. */
static bool upload_only(struct backup *b, const struct archive_options *archive,
                        struct backup_result *out, struct error *err)
{
    struct buf text;
    bool ok;

    task_stage(b->task, "upload");
    task_unit(b->task, "bytes");
    buf_init(&text, MANIFEST_BYTES_MAX);
    ok = archive_upload_again(archive, &text, err);
    if (text.len > 0)
        ok = manifest_parse(buf_str(&text), &out->manifest, err) && ok;
    buf_release(&text);
    return ok;
}

static bool begin(struct backup *b, struct archive_options *archive, struct archive_again *again,
                  bool *local, struct error *err)
{
    const char *dir = is_on_disk(archive) ? task_dir(b->task) : NULL;

    *local = false;
    if (b->o->resume && dir == NULL)
        return error_set(err, ERROR_USAGE, 0, "nothing of a backup that was streamed is kept");
    if (!checkpoint_open(dir, &b->checkpoint, err))
        return false;
    if (b->o->resume && !backup_resume(b, dir, archive, again, local, err))
        return false;
    if (b->started_ms == 0)
        b->started_ms = server_time(b);
    archive->again = b->o->resume ? again : NULL;
    backup_remember_uploads(b, dir != NULL);
    archive->uploads = &b->uploads;
    archive->part_done = backup_mark_part;
    archive->part_done_arg = b;
    archive->written = written;
    archive->written_arg = b;
    return backup_mark_run(b, err);
}

static bool run_archive(struct backup *b, struct archive_options *archive,
                        struct backup_result *out, struct error *err)
{
    struct archive_again again = {0};
    bool local;
    bool ok = begin(b, archive, &again, &local, err);

    if (ok && local)
        ok = upload_only(b, archive, out, err);
    else
        ok = ok && archiver_create(archive, &b->archive, err) && write_all(b, out, err);
    if (!ok && b->checkpoint != NULL)
        leave(b, err);
    archive_again_release(&again);
    return ok;
}

static struct backup *backup_new(struct cluster *cluster, const struct backup_options *options,
                                 struct task *task)
{
    struct backup *b = mem_zero(1, sizeof(*b));

    b->o = options;
    b->task = task;
    b->cluster = cluster;
    b->sink =
        options->sink.ops != NULL ? options->sink : (struct backup_sink){&backup_parts_ops, b};
    b->total = mem_zero(1, sizeof(*b->total));
    memset(b->owner, 0xff, sizeof(b->owner));
    (void)pthread_mutex_init(&b->pace_mutex, NULL);
    set_limits(b);
    return b;
}

static void backup_free(struct backup *b)
{
    archiver_free(b->archive);
    checkpoint_close(b->checkpoint);
    upload_memory_release(&b->uploads);
    release_notes(&b->events);
    release_notes(&b->warnings);
    (void)pthread_mutex_destroy(&b->pace_mutex);
    free(b->nodes);
    free(b->total);
    free(b);
}

bool backup_run(struct cluster *cluster, const struct backup_options *options, struct task *task,
                struct backup_result *out, struct error *err)
{
    struct archive_options archive = options->archive;
    struct backup *b;
    bool ok;

    *out = (struct backup_result){0};
    if (options->chunk_bytes > BACKUP_CHUNK_BYTES_MAX)
        return error_set(err, ERROR_USAGE, 0, "a part of a backup holds at most %" PRIu64 " MiB",
                         BACKUP_CHUNK_BYTES_MAX >> 20);
    b = backup_new(cluster, options, task);
    archive.task = task;
    archive.memory = (options->max_memory != 0 ? options->max_memory : MEMORY) / 4;
    if (options->sink.ops != NULL) {
        b->started_ms = server_time(b);
        ok = write_all(b, out, err);
    } else {
        ok = run_archive(b, &archive, out, err);
    }
    out->rounds = b->rounds;
    out->unsettled = b->unsettled;
    if (out->manifest != NULL)
        out->findings = findings(b, out->manifest);
    backup_free(b);
    return ok;
}

const char *backup_from_name(enum backup_from from)
{
    static const char *const names[] = {"primaries", "replicas", "auto"};

    return names[from];
}

bool backup_from_parse(const char *name, enum backup_from *out)
{
    for (int i = BACKUP_FROM_PRIMARIES; i <= BACKUP_FROM_AUTO; i++) {
        if (strcmp(name, backup_from_name((enum backup_from)i)) != 0)
            continue;
        *out = (enum backup_from)i;
        return true;
    }
    return false;
}

void backup_result_release(struct backup_result *r)
{
    manifest_free(r->manifest);
    *r = (struct backup_result){0};
}
