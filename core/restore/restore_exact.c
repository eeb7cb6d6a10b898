#include "core/restore/restore_exact.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/arena.h"
#include "core/base/array.h"
#include "core/base/base64.h"
#include "core/base/clock.h"
#include "core/base/escape.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/record/db_key.h"
#include "core/record/fingerprints.h"
#include "core/redis/command.h"
#include "core/redis/databases.h"
#include "core/redis/pipeline.h"
#include "core/restore/restore_again.h"
#include "core/restore/restore_gentle.h"
#include "core/restore/restore_worker.h"

#define MEMORY ((size_t)128 << 20)
#define PASSES_MAX 5 /* while primaries change under us */
#define REMOVED_NAME "removed.jsonl"

struct work {
    struct restore_exact *x;
    struct cluster *cluster;
    struct pipeline *types; /* asks for types, then unlinks */
    struct fingerprints *names;
    struct filter backed_up;
    struct part_group *groups;
    size_t group_count;
    struct arena arena; /* candidates of one page */
    struct str *candidates;
    size_t count, cap;
    uint32_t db;                /* that is scanned */
    uint32_t first_slot, slots; /* that are looked at now */
    bool unlinking;
    struct restore_gentle gentle;
    const char *node; /* that is scanned: its keys are those that go */
    bool *drop;       /* per candidate: of a type that is not ours */
    size_t drop_cap;
    struct error failed;
};

/* ---- the names of the backup ------------------------------------------------------------------
 */

static bool is_ours(const struct work *w, struct str key)
{
    uint16_t slot = slot_of_key(key);

    return slot >= w->first_slot && slot < w->first_slot + w->slots &&
           filter_takes_key(&w->x->options->filter, key, slot) &&
           filter_takes_key(&w->backed_up, key, slot);
}

static bool load_group(struct work *w, const struct part_group *group, struct error *err)
{
    struct record_stream *stream = record_stream_new(w->x->source, group, NULL);
    bool ok = true;

    while (ok && !fingerprints_is_full(w->names)) {
        const struct record *r = NULL;
        struct db_key name;

        ok = task_checkpoint(w->x->task, err) && record_stream_next(stream, &r, err);
        if (!ok || r == NULL)
            break;
        if (!is_ours(w, record_head(r)->key))
            continue;
        db_key_init(&name, record_head(r)->db, record_head(r)->key);
        (void)fingerprints_add(w->names, name.text);
        db_key_release(&name);
    }
    record_stream_free(stream);
    return ok;
}

/* Those in the slots of now, which become fewer until there is room. */
static bool load_names(struct work *w, struct error *err)
{
    for (;; w->slots /= 2) {
        fingerprints_clear(w->names);
        for (size_t i = 0; i < w->group_count; i++)
            if (!load_group(w, &w->groups[i], err))
                return false;
        if (!fingerprints_is_full(w->names))
            return true;
        if (w->slots == 1)
            return error_set(err, ERROR_LIMIT, 0, "slot %u has too many keys to tell others apart",
                             (unsigned)w->first_slot);
    }
}

/* ---- one page of candidates -------------------------------------------------------------------
 */

static void on_type(struct work *w, size_t i, const struct reply *r)
{
    w->drop[i] = str_is(r->str, "none") || !filter_takes_type(&w->x->options->filter, r->str) ||
                 !filter_takes_type(&w->backed_up, r->str);
}

static void on_reply(void *arg, const struct pipeline_reply *r)
{
    struct work *w = arg;
    struct error why = {0};

    if (w->db != 0 && r->index != 1) { /* SELECT before and after */
        if (r->reply->type == REPLY_ERROR && w->failed.code == ERROR_NONE)
            (void)!reply_check(r->reply, "choose the database", &w->failed);
        return;
    }
    if (!reply_check(r->reply, w->unlinking ? "UNLINK" : "TYPE", &why)) {
        if (restore_is_key_refused(&why)) {
            w->drop[r->tag] = true;
            w->x->failed++;
            task_ledger(w->x->task, w->candidates[r->tag], "remove", why.text);
        } else if (w->failed.code == ERROR_NONE) {
            w->failed = why;
        }
    } else if (!w->unlinking) {
        on_type(w, r->tag, r->reply);
    } else if (r->reply->type == REPLY_INTEGER && r->reply->integer > 0) {
        w->x->removed += (uint64_t)r->reply->integer;
    }
}

static bool append_select(struct buf *out, uint32_t db, struct error *err)
{
    return command_begin(out, 2, err) && command_arg_text(out, "SELECT", err) &&
           command_arg_u64(out, db, err);
}

static bool put(struct work *w, size_t i, struct error *err)
{
    struct buf *out = pipeline_begin(w->types);
    struct str key = w->candidates[i];
    bool ok = (w->db == 0 || append_select(out, w->db, err)) &&
              command_append(out, COMMAND(w->unlinking ? STR("UNLINK") : STR("TYPE"), key), err) &&
              (w->db == 0 || append_select(out, 0, err));

    pipeline_end(w->types, w->x->cluster ? slot_of_key(key) : 0, w->db == 0 ? 1 : 3, i);
    return ok;
}

static bool flush(struct work *w, size_t keys, struct error *err)
{
    int64_t started = clock_mono_us();
    struct error ignored = {0};

    if (!pipeline_flush(w->types, err))
        return false;
    return !w->unlinking || keys == 0 ||
           restore_gentle_rest(&w->gentle, keys, clock_mono_us() - started,
                               cluster_node_conn(w->cluster, w->node, &ignored), err);
}

/* The same command for every candidate that is still one. */
static bool ask_all(struct work *w, bool unlinking, struct error *err)
{
    size_t keys = 0; /* in the pipeline */
    bool ok = true;

    w->unlinking = unlinking;
    for (size_t i = 0; i < w->count && ok; i++) {
        if (w->drop[i])
            continue;
        ok = put(w, i, err);
        keys++;
        if (ok &&
            (pipeline_full(w->types) || (unlinking && keys >= restore_gentle_batch(&w->gentle)))) {
            ok = flush(w, keys, err);
            keys = 0;
        }
    }
    ok = ok && flush(w, keys, err);
    if (ok && w->failed.code != ERROR_NONE) {
        *err = w->failed;
        return false;
    }
    return ok;
}

static void count_all(struct work *w)
{
    char shown[80];

    for (size_t i = 0; i < w->count; i++) {
        if (w->drop[i])
            continue;
        if (w->x->found < RESTORE_EXAMPLES)
            w->x->examples[w->x->found] =
                mem_copy_text(escape_text(shown, sizeof(shown), w->candidates[i]));
        w->x->found++;
    }
}

static bool put_name(struct work *w, struct str key, struct buf *out, struct error *err)
{
    json_t *doc = json_object();
    struct buf coded;
    bool ok = true;

    buf_init(&coded, 2 * key.len + 16);
    if (str_is_text(key)) {
        json_put_str(doc, "key", key);
    } else {
        ok = base64_encode(&coded, key, err);
        json_put_str(doc, "key_b64", buf_str(&coded));
    }
    if (w->db != 0)
        json_put_int(doc, "db", (int64_t)w->db);
    ok = ok && json_print(doc, false, out, err) && buf_byte(out, '\n', err);
    buf_release(&coded);
    json_decref(doc);
    return ok;
}

/* What cannot be put back is at least named. */
static bool write_down(struct work *w, struct error *err)
{
    const char *dir = task_dir(w->x->task);
    struct buf text;
    char *path;
    bool ok = true;

    if (dir == NULL)
        return true;
    buf_init(&text, (size_t)1 << 30);
    path = file_join(dir, REMOVED_NAME);
    for (size_t i = 0; i < w->count && ok; i++)
        if (!w->drop[i])
            ok = put_name(w, w->candidates[i], &text, err);
    ok = ok && (text.len == 0 || file_append(path, buf_str(&text), true, err));
    free(path);
    buf_release(&text);
    return ok;
}

static bool settle_page(struct work *w, struct error *err)
{
    bool typed = w->x->options->filter.type_count > 0 || w->backed_up.type_count > 0;
    bool ok;

    if (w->count == 0)
        return true;
    w->drop = array_reserve(w->drop, &w->drop_cap, w->count, sizeof(*w->drop));
    memset(w->drop, 0, w->count * sizeof(*w->drop));
    ok = !typed || ask_all(w, false, err);
    if (ok)
        count_all(w);
    if (ok && w->x->remove) {
        ok = write_down(w, err) && ask_all(w, true, err);
        task_counter(w->x->task, "removed", (int64_t)w->x->removed);
    }
    w->count = 0;
    arena_clear(&w->arena);
    return ok;
}

/* ---- scanning ---------------------------------------------------------------------------------
 */

static void take_page(struct work *w, const struct reply *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        struct str key = keys->elements[i].str;
        struct db_key name;
        bool lacking;

        if (!is_ours(w, key))
            continue;
        db_key_init(&name, w->db, key);
        /* Counting, a key that SCAN gives twice counts once while there is room. */
        lacking = w->x->remove ? !fingerprints_has(w->names, name.text)
                               : fingerprints_add(w->names, name.text);
        db_key_release(&name);
        if (lacking)
            ARRAY_PUSH(w->candidates, w->count, w->cap) = arena_str(&w->arena, key);
    }
}

static bool scan_page(struct work *w, struct conn *conn, char cursor[32], struct error *err)
{
    struct buf *out = conn_out(conn);
    size_t commands = w->db == 0 ? 1 : 3;
    const struct reply *r;

    if ((w->db != 0 && !append_select(out, w->db, err)) ||
        !command_append(out, COMMAND(STR("SCAN"), str_from(cursor), STR("COUNT"), STR("1000")),
                        err) ||
        (w->db != 0 && !append_select(out, 0, err)) || !conn_appended(conn, commands, 0, err))
        return false;
    if (w->db != 0 && (!conn_next_reply(conn, &r, err) || !reply_want_ok(r, "SELECT", err)))
        return false;
    if (!conn_next_reply(conn, &r, err) || !reply_want_array(r, "SCAN", err))
        return false;
    if (r->count != 2 || r->elements[1].type != REPLY_ARRAY ||
        !str_copy(r->elements[0].str, cursor, 32))
        return error_set(err, ERROR_REPLY, 0, "SCAN answered something else");
    take_page(w, &r->elements[1]);
    return w->db == 0 || conn_next_reply(conn, &r, err);
}

static bool scan_once(struct work *w, const char *id, struct error *err)
{
    char cursor[32] = "0";

    w->node = id;
    do {
        struct conn *conn = cluster_node_conn(w->cluster, id, err);

        if (conn == NULL)
            return false;
        if (!task_checkpoint(w->x->task, err) || !scan_page(w, conn, cursor, err)) {
            conn_close(conn); /* replies may be pending, or another database chosen */
            return false;
        }
        if (!settle_page(w, err))
            return false;
    } while (strcmp(cursor, "0") != 0);
    return true;
}

/* A dead primary stays in the map, without slots, once another has taken over. */
static bool owns_slots(struct cluster *c, const char *id)
{
    const struct cluster_node *node = cluster_find(c, id);

    return node != NULL && node->role == NODE_ROLE_PRIMARY && node->slots > 0;
}

/* After a broken connection a cursor means nothing: the node is scanned from its beginning. */
static bool scan_node(struct work *w, const char *id, struct error *err)
{
    int64_t budget = w->x->target->outage_timeout_ms;
    struct backoff wait;

    backoff_init(&wait, budget > 0 ? budget : RESTORE_OUTAGE_MS);
    for (;;) {
        struct error why = {0};

        if (scan_once(w, id, &why))
            return true;
        w->count = 0;
        arena_clear(&w->arena);
        if (why.code == ERROR_CANCELLED || why.code == ERROR_AUTH || why.code == ERROR_STORAGE ||
            why.code == ERROR_CORRUPT) {
            *err = why;
            return false;
        }
        if (!backoff_wait(&wait, &w->x->target->cancel, &why, err))
            return false;
        if (!cluster_refresh(w->cluster, &why))
            continue; /* one more reason to wait */
        if (!owns_slots(w->cluster, id))
            return true; /* they have another history now */
    }
}

static bool scan_databases(struct work *w, const char *id, struct error *err)
{
    uint32_t numbers[DATABASES_MAX];
    size_t count;

    if (!databases_of(w->cluster, id, numbers, &count, err))
        return false;
    for (size_t i = 0; i < count; i++) {
        w->db = numbers[i];
        if (!scan_node(w, id, err))
            return false;
    }
    return true;
}

static bool scan_all(struct work *w, struct error *err)
{
    const struct cluster_node *nodes;
    size_t count = cluster_nodes(w->cluster, &nodes);
    char(*ids)[CLUSTER_ID_MAX] = mem_zero(count, sizeof(*ids));
    bool ok = true;

    for (size_t i = 0; i < count; i++) /* a call may refresh the list */
        if (nodes[i].role == NODE_ROLE_PRIMARY && nodes[i].slots > 0)
            (void)str_copy(str_from(nodes[i].id), ids[i], sizeof(ids[i]));
    for (size_t i = 0; i < count && ok; i++)
        ok = ids[i][0] == '\0' || scan_databases(w, ids[i], err);
    free(ids);
    return ok;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

static bool one_pass(struct work *w, struct error *err)
{
    w->first_slot = 0;
    for (w->slots = SLOT_COUNT; w->first_slot < SLOT_COUNT; w->first_slot += w->slots)
        if (!load_names(w, err) || !scan_all(w, err))
            return false;
    return true;
}

/* A primary that was replaced may have brought keys back. */
static bool remove_all(struct work *w, struct error *err)
{
    struct restore_history *before = NULL;
    bool ok = restore_history_take(w->cluster, w->x->target, &before, err);

    for (int pass = 0; ok; pass++) {
        struct restore_history *now = NULL;
        struct slot_set slots = {0};
        bool shaken;

        ok = one_pass(w, err) && restore_history_take(w->cluster, w->x->target, &now, err);
        shaken = ok && restore_history_differs(before, now, &slots);
        restore_history_free(before);
        before = now;
        if (!shaken)
            break;
        if (pass + 1 == PASSES_MAX)
            ok = error_set(err, ERROR_UNREACHABLE, 0,
                           "primaries changed during each of %d passes: keys that the backup lacks "
                           "may be left",
                           PASSES_MAX);
    }
    restore_history_free(before);
    return ok;
}

static bool look(struct work *w, struct error *err)
{
    const struct manifest_options *of = &source_manifest(w->x->source)->options;

    w->backed_up.match = of->match;
    w->backed_up.match_count = of->match_count;
    w->backed_up.types = of->types;
    w->backed_up.type_count = of->type_count;
    if (of->slots != NULL && of->slots[0] != '\0' &&
        !filter_set_slots(&w->backed_up, of->slots, err))
        return false;
    if (!cluster_connect(w->cluster, true, err))
        return false;
    return w->x->remove ? remove_all(w, err) : one_pass(w, err);
}

bool restore_exact_run(struct restore_exact *x, struct error *err)
{
    int64_t budget = x->target->outage_timeout_ms;
    struct work w = {.x = x,
                     .cluster = cluster_new(x->target),
                     .gentle = {x->options, x->task, &x->target->cancel}};
    struct pipeline_handler handler = {on_reply, &w};
    bool ok;

    task_stage(x->task, x->remove ? "remove" : "compare");
    w.names = fingerprints_new(x->memory > 0 ? x->memory : MEMORY);
    w.groups = part_groups(source_manifest(x->source), &w.group_count);
    w.types = pipeline_new(w.cluster, &handler, budget > 0 ? budget : RESTORE_OUTAGE_MS,
                           &x->target->cancel);
    ok = look(&w, err);
    pipeline_free(w.types);
    fingerprints_free(w.names);
    part_groups_free(w.groups, w.group_count);
    arena_release(&w.arena);
    free(w.candidates);
    free(w.drop);
    cluster_free(w.cluster);
    return ok;
}
