#include <inttypes.h>
#include <string.h>

#include "core/base/attr.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/restore/restore.h"

/* The plan as text and as JSON, and the words of its options. */

static const char *const policy_names[] = {"fail-existing", "skip-existing", "overwrite"};
static const char *const ttl_names[] = {"remaining", "absolute", "none"};

const char *restore_policy_name(enum restore_policy p)
{
    return policy_names[p];
}

const char *restore_ttl_name(enum restore_ttl t)
{
    return ttl_names[t];
}

bool restore_ttl_parse(const char *word, enum restore_ttl *out)
{
    for (size_t i = 0; i < COUNT_OF(ttl_names); i++)
        if (strcmp(word, ttl_names[i]) == 0) {
            *out = (enum restore_ttl)i;
            return true;
        }
    return false;
}

static json_t *texts_json(char *const *texts, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count && texts[i] != NULL; i++)
        json_push(list, json_string(texts[i]));
    return list;
}

static json_t *nodes_json(const struct restore_plan *p)
{
    json_t *list = json_array();

    for (size_t i = 0; i < p->node_count; i++) {
        json_t *n = json_object();

        json_put_text(n, "id", p->nodes[i].id);
        json_put_text(n, "addr", p->nodes[i].addr);
        json_put_str(n, "version", str_from(p->nodes[i].version));
        json_put_int(n, "keys", p->nodes[i].keys);
        json_put_int(n, "used_memory", p->nodes[i].used_memory);
        json_put_int(n, "maxmemory", p->nodes[i].maxmemory);
        json_put_text(n, "maxmemory_policy", p->nodes[i].policy);
        json_put_int(n, "need_memory", (int64_t)p->nodes[i].need_memory);
        json_put_flag(n, "may_tune", p->nodes[i].may_tune);
        if (p->nodes[i].settings_known)
            json_put_flag(n, "stops_writes", p->nodes[i].stops_writes);
        json_put_int(n, "to_write", (int64_t)p->nodes[i].to_write);
        json_push(list, n);
    }
    return list;
}

static json_t *resumed_json(const struct restore_plan *p)
{
    json_t *doc = json_object();

    json_put_int(doc, "parts", (int64_t)p->parts);
    json_put_int(doc, "finished", (int64_t)p->parts_finished);
    json_put_int(doc, "doubtful", (int64_t)p->parts_doubtful);
    json_put_int(doc, "since", (int64_t)p->since);
    return doc;
}

json_t *restore_plan_json(const struct restore_plan *plan, const struct restore_options *options,
                          const struct manifest *m)
{
    json_t *doc = json_object();
    json_t *types = json_object();

    json_put_text(doc, "backup_id", m->backup_id);
    json_put_text(doc, "policy", restore_policy_name(options->policy));
    json_put_text(doc, "ttl", restore_ttl_name(options->ttl));
    json_put_flag(doc, "stream_groups", !options->no_stream_groups);
    json_put_flag(doc, "flush_first", options->flush_first);
    json_put_flag(doc, "exact", options->exact);
    json_put_flag(doc, "tune", options->tune);
    json_put_int(doc, "keys", (int64_t)plan->keys);
    json_put_int(doc, "left_out", (int64_t)plan->left_out);
    for (int t = 0; t < RECORD_TYPES; t++) {
        const char *name = record_type_name((enum record_type)t);

        json_put_int(types, name == NULL ? "other" : name, (int64_t)plan->by_type[t]);
    }
    json_put(doc, "by_type", types);
    json_put_int(doc, "with_ttl", (int64_t)plan->with_ttl);
    json_put_int(doc, "past_deadline", (int64_t)plan->past_deadline);
    json_put_int(doc, "existing", (int64_t)plan->existing);
    json_put(doc, "existing_examples", texts_json(plan->examples, RESTORE_EXAMPLES));
    if (options->exact) {
        json_put_int(doc, "to_remove", (int64_t)plan->to_remove);
        json_put(doc, "remove_examples", texts_json(plan->removed, RESTORE_EXAMPLES));
    }
    if (plan->resumed)
        json_put(doc, "resumed", resumed_json(plan));
    json_put(doc, "nodes", nodes_json(plan));
    json_put(doc, "warnings", texts_json(plan->warnings, plan->warning_count));
    json_put(doc, "blockers", texts_json(plan->blockers, plan->blocker_count));
    return doc;
}

static void put_resumed(const struct restore_plan *p, struct buf *out)
{
    char n[FORMAT_MAX];

    buf_put(out, "  goes on: %zu of %zu parts are finished, %zu more are looked at again\n",
            p->parts_finished, p->parts, p->parts_doubtful);
    if (p->since > 0)
        buf_put(out,
                "  %s keys of the rest are there since the first run began: its own stay, "
                "others are left alone unless the policy replaces them\n",
                format_count(n, sizeof(n), (int64_t)p->since));
}

static void put_exact(const struct restore_plan *p, struct buf *out)
{
    char n[FORMAT_MAX];

    buf_put(out, "  %s keys that the backup lacks are removed afterwards%s",
            format_count(n, sizeof(n), (int64_t)p->to_remove), p->to_remove > 0 ? ":" : "");
    for (size_t i = 0; i < RESTORE_EXAMPLES && p->removed[i] != NULL; i++)
        buf_put(out, "%s %s", i > 0 ? "," : "", p->removed[i]);
    buf_put(out, "%s\n", p->to_remove > RESTORE_EXAMPLES ? " …" : "");
}

void restore_plan_text(const struct restore_plan *plan, const struct restore_options *options,
                       const struct manifest *m, struct buf *out)
{
    char a[FORMAT_MAX];
    char b[FORMAT_MAX];
    char need[FORMAT_MAX];

    buf_put(out, "Restore %s\n", m->backup_id);
    buf_put(out, "  %s keys, %s of them with a TTL (--ttl %s)\n",
            format_count(a, sizeof(a), (int64_t)plan->keys),
            format_count(b, sizeof(b), (int64_t)plan->with_ttl), restore_ttl_name(options->ttl));
    buf_put(out, "  %s keys exist on the target: %s\n",
            format_count(a, sizeof(a), (int64_t)plan->existing),
            options->flush_first                       ? "every primary is emptied first"
            : options->policy == RESTORE_OVERWRITE     ? "they are replaced"
            : options->policy == RESTORE_SKIP_EXISTING ? "they stay as they are"
                                                       : "none may");
    if (plan->resumed)
        put_resumed(plan, out);
    if (options->exact)
        put_exact(plan, out);
    for (size_t i = 0; i < plan->node_count; i++)
        buf_put(out, "  %-21s %s keys now, %s to write, about %s of memory (%s)\n",
                plan->nodes[i].addr, format_count(a, sizeof(a), plan->nodes[i].keys),
                format_count(b, sizeof(b), (int64_t)plan->nodes[i].to_write),
                format_size(need, sizeof(need), (int64_t)plan->nodes[i].need_memory),
                plan->nodes[i].version);
    for (size_t i = 0; i < plan->warning_count; i++)
        buf_put(out, "  warning: %s\n", plan->warnings[i]);
    for (size_t i = 0; i < plan->blocker_count; i++)
        buf_put(out, "  refused: %s\n", plan->blockers[i]);
}
