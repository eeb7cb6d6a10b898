#include "core/restore/restore_tune_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/array.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/redis/command.h"

#define FILE_MAX ((size_t)4 << 20)
#define CALL_MS 2000
#define BACK_MS 10000 /* for all nodes together that do not answer at first */

const struct tune_wanted tune_wanted[TUNE_WANTED] = {
    {"maxmemory-policy", "noeviction"},
    {"stop-writes-on-bgsave-error", "no"},
};

/* ---- the file -------------------------------------------------------------------------------- */

json_t *tune_settings_json(const struct tune_settings *s)
{
    json_t *doc = json_object();
    json_t *list = json_array();

    for (size_t i = 0; i < s->count; i++) {
        const struct tune_setting *item = &s->items[i];
        json_t *obj = json_object();

        if (item->settled) {
            json_decref(obj);
            continue;
        }
        json_put_text(obj, "node", item->node);
        json_put_text(obj, "addr", item->addr);
        json_put_text(obj, "name", item->name);
        json_put_text(obj, "old", item->old);
        json_put_text(obj, "now", item->now);
        json_push(list, obj);
    }
    json_put_int(doc, "v", 1);
    json_put(doc, "settings", list);
    return doc;
}

static bool is_wanted(const char *name)
{
    for (size_t i = 0; i < TUNE_WANTED; i++)
        if (strcmp(tune_wanted[i].name, name) == 0)
            return true;
    return false;
}

static bool take_setting(struct tune_settings *s, const json_t *obj)
{
    struct tune_setting item = {.earlier = true};

    if (!str_copy(str_from(json_text(obj, "node", "")), item.node, sizeof(item.node)) ||
        !str_copy(str_from(json_text(obj, "addr", "")), item.addr, sizeof(item.addr)) ||
        !str_copy(str_from(json_text(obj, "name", "")), item.name, sizeof(item.name)) ||
        !str_copy(str_from(json_text(obj, "old", "")), item.old, sizeof(item.old)) ||
        !str_copy(str_from(json_text(obj, "now", "")), item.now, sizeof(item.now)) ||
        item.node[0] == '\0' || item.old[0] == '\0' || !is_wanted(item.name))
        return false;
    ARRAY_PUSH(s->items, s->count, s->cap) = item;
    return true;
}

bool tune_settings_read(const char *path, struct tune_settings *s, struct error *err)
{
    json_t *doc = json_read_file(path, FILE_MAX, err);
    const json_t *list = json_object_get(doc, "settings");
    bool ok = true;
    size_t i;
    json_t *obj;

    if (doc == NULL)
        return false;
    json_array_foreach(list, i, obj)
    {
        ok = ok && take_setting(s, obj);
    }
    if (!ok || !json_is_array(list))
        ok = error_set(err, ERROR_CORRUPT, 0, "%s is damaged: put the settings back by hand", path);
    json_decref(doc);
    return ok;
}

/* What is left of it, or no file when nothing is. */
bool tune_settings_write(const char *path, const struct tune_settings *s, struct error *err)
{
    json_t *doc = tune_settings_json(s);
    bool ok = true;

    if (path != NULL && json_array_size(json_object_get(doc, "settings")) > 0)
        ok = json_write_file(path, doc, true, err);
    else if (path != NULL && unlink(path) != 0 && errno != ENOENT)
        ok = error_set_errno(err, ERROR_STORAGE, errno, "remove %s", path);
    json_decref(doc);
    return ok;
}

/* ---- one setting of one node ----------------------------------------------------------------- */

bool tune_config_get(struct conn *conn, const char *name, char *out, size_t size, struct error *err)
{
    const struct reply *r;

    if (!conn_call(conn, COMMAND(STR("CONFIG"), STR("GET"), str_from(name)), CALL_MS, &r, err) ||
        !reply_want_array(r, "CONFIG GET", err))
        return false;
    if (r->count != 2 || !str_copy(r->elements[1].str, out, size) || out[0] == '\0')
        return error_set(err, ERROR_UNSUPPORTED, 0, "CONFIG GET %s: no such setting", name);
    return true;
}

bool tune_config_set(struct conn *conn, const char *name, const char *value, struct error *err)
{
    const struct reply *r;

    return conn_call(conn, COMMAND(STR("CONFIG"), STR("SET"), str_from(name), str_from(value)),
                     CALL_MS, &r, err) &&
           reply_want_ok(r, "CONFIG SET", err);
}

/* Permission is looked at before the arguments: a setting that does not exist tells them apart. */
bool restore_tune_allowed(struct cluster *c, const char *id, bool *known, struct error *why)
{
    struct conn *conn = cluster_node_conn(c, id, why);
    const struct reply *r;

    *known = conn != NULL &&
             conn_call(conn, COMMAND(STR("CONFIG"), STR("SET"), STR("rbconsole-may-i"), STR("1")),
                       CALL_MS, &r, why);
    if (!*known)
        return false;
    switch (reply_error_of(r)) {
    case REPLY_ERROR_NOPERM:
    case REPLY_ERROR_NOAUTH:
    case REPLY_ERROR_UNKNOWN_COMMAND:
        return reply_check(r, "CONFIG SET", why);
    default:
        return true;
    }
}

/* ---- putting back ---------------------------------------------------------------------------- */

/* True when nothing is left to do about it. */
static bool put_back(struct cluster *c, struct tune_setting *s, bool fix,
                     struct restore_tune_end *end, struct error *err)
{
    struct conn *conn = cluster_node_conn(c, s->node, err);
    char value[sizeof(s->old)];

    if (conn == NULL || !tune_config_get(conn, s->name, value, sizeof(value), err))
        return false;
    if (strcmp(value, s->now) != 0) {
        end->kept++;
        s->settled = true;
        return true;
    }
    if (!fix)
        return error_set(err, ERROR_CONFLICT, 0, "it is %s and was %s", s->now, s->old);
    if (!tune_config_set(conn, s->name, s->old, err))
        return false;
    end->put_back++;
    s->settled = true;
    return true;
}

/* False: another try may do better. What belongs to no node of this cluster is only counted. */
static bool put_all_back(struct cluster *c, struct tune_settings *s, bool fix,
                         struct restore_tune_end *end)
{
    bool hopeless = true;

    end->left = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct tune_setting *item = &s->items[i];
        struct error why = {0};

        if (item->settled || put_back(c, item, fix, end, &why))
            continue;
        end->left++;
        hopeless = hopeless && cluster_find(c, item->node) == NULL;
        (void)snprintf(end->why, sizeof(end->why), "%.60s %s: %.120s", item->addr, item->name,
                       why.text);
    }
    return hopeless;
}

struct redis_options tune_deaf(const struct redis_options *target)
{
    struct redis_options o = *target;

    o.cancel = (struct cancel){0};
    o.connect_timeout_ms = CALL_MS;
    o.command_timeout_ms = CALL_MS;
    o.outage_timeout_ms = CALL_MS;
    return o;
}

/* A node that is being restarted or has just lost its primary gets a few seconds. */
static void put_back_patiently(const struct redis_options *options, struct tune_settings *s,
                               bool fix, struct restore_tune_end *end)
{
    struct cluster *c = cluster_new(options);
    struct backoff wait;

    backoff_init(&wait, BACK_MS);
    for (;;) {
        struct error why = {0};
        bool over = false;

        end->left = s->count;
        if (!cluster_connect(c, false, &why))
            (void)snprintf(end->why, sizeof(end->why), "%.200s", why.text);
        else
            over = put_all_back(c, s, fix, end);
        if (over || !fix)
            break;
        (void)error_set(&why, ERROR_UNREACHABLE, 0, "%s", end->why);
        if (!backoff_wait(&wait, NULL, &why, &why))
            break;
    }
    cluster_free(c);
}

void restore_tune_finish(struct restore_tune *t, struct restore_tune_end *end)
{
    struct error why = {0};
    json_t *detail;

    *end = (struct restore_tune_end){0};
    if (t == NULL)
        return;
    put_back_patiently(&t->options, &t->settings, true, end);
    if (!tune_settings_write(t->path, &t->settings, &why))
        task_note(t->task, TASK_ERROR, "%s", why.text);
    detail = tune_settings_json(&t->settings);
    json_put_int(detail, "put_back", (int64_t)end->put_back);
    if (!task_step(t->task, "tune_back", detail, &why))
        task_note(t->task, TASK_ERROR, "%s", why.text);
    if (end->kept > 0)
        task_note(t->task, TASK_WARN,
                  "%zu settings of --tune have another value by now and were left as they are",
                  end->kept);
    if (end->left > 0)
        task_note(t->task, TASK_ERROR,
                  "%zu settings of --tune could not be put back (%s): run doctor --fix", end->left,
                  end->why);
    free(t->settings.items);
    free(t->path);
    free(t);
}

bool restore_tune_mend(const char *path, const struct redis_options *target, bool fix,
                       struct restore_tune_end *end, struct error *err)
{
    struct redis_options options = tune_deaf(target);
    struct tune_settings s = {0};
    bool ok = tune_settings_read(path, &s, err);

    *end = (struct restore_tune_end){0};
    if (ok) {
        put_back_patiently(&options, &s, fix, end);
        ok = !fix || tune_settings_write(path, &s, err);
    }
    free(s.items);
    return ok;
}
