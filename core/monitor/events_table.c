/* Kinds, levels and the JSON form of events. */
#include <stdlib.h>
#include <string.h>

#include "core/base/array.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/monitor/events.h"

static const struct event_kind_info kinds[EVENT_KINDS] = {
    [EVENT_SUSPECTED] = {"suspected", "A first observer cannot reach the node (PFAIL, +sdown)."},
    [EVENT_DOWN] = {"down", "The observers agree that the node is down (FAIL, +odown)."},
    [EVENT_RECOVERED] = {"recovered", "No observer holds the node for suspected or down any more."},
    [EVENT_FAILOVER] = {"failover", "A replica took over the slots of its primary."},
    [EVENT_ELECTION] = {"election", "The epoch rose without a change that explains it: an election "
                                    "failed, or went unseen between two polls."},
    [EVENT_ROLE] = {"role", "A node changed its role, or follows another primary."},
    [EVENT_RESHARD] = {"reshard", "Slots went from one primary to another."},
    [EVENT_OPEN] = {"open", "Slots began to migrate."},
    [EVENT_CLOSED] = {"closed", "No slot is migrating any more."},
    [EVENT_UNCOVERED] = {"uncovered", "Slots have no owner, or their owner is down."},
    [EVENT_COVERED] = {"covered", "Every slot is served again."},
    [EVENT_STATE] = {"state", "The cluster_state that nodes report changed."},
    [EVENT_SPLIT] = {"split", "Nodes disagree about roles or owners for longer than the limit."},
    [EVENT_AGREE] = {"agree", "All nodes have the same view again."},
    [EVENT_JOINED] = {"joined", "A node that was not there before."},
    [EVENT_LEFT] = {"left", "A node that nobody lists any more."},
    [EVENT_REPLACED] = {"replaced", "Another node id answers at the same address."},
    [EVENT_RESTARTED] = {"restarted", "The same node runs as a new process."},
    [EVENT_HISTORY] = {"history", "A primary began a new replication history."},
    [EVENT_ROLLBACK] = {"rollback", "A primary's replication offset went back: writes were lost."},
    [EVENT_LINK] = {"link", "A replica's link to its primary went down or came up."},
    [EVENT_LAG] = {"lag", "A replica fell behind the limit, or caught up."},
    [EVENT_SILENT] = {"silent", "A node does not answer this console."},
    [EVENT_ANSWERS] = {"answers", "A node answers this console again."},
    [EVENT_LOADING] = {"loading", "A node loads its data set, or has finished."},
    [EVENT_PERSISTENCE] = {"persistence", "A save or an append-only write failed, or works again."},
    [EVENT_SENTINEL] = {"sentinel", "Any other message of a Sentinel."},
};

static const char *const levels[] = {
    [EVENT_INFO] = "info",
    [EVENT_NOTICE] = "notice",
    [EVENT_WARN] = "warn",
    [EVENT_CRIT] = "crit",
};

const struct event_kind_info *event_kind_info(enum event_kind kind)
{
    return &kinds[kind];
}

const char *event_level_name(enum event_level level)
{
    return levels[level];
}

bool event_kind_parse(struct str name, enum event_kind *kind)
{
    for (size_t i = 0; i < EVENT_KINDS; i++) {
        if (str_is(name, kinds[i].name)) {
            *kind = (enum event_kind)i;
            return true;
        }
    }
    return false;
}

void event_list_release(struct event_list *list)
{
    free(list->items);
    *list = (struct event_list){0};
}

static void put_unless_empty(json_t *doc, const char *name, const char *value)
{
    if (value[0] != '\0')
        json_put_text(doc, name, value);
}

json_t *event_to_json(const struct event *e)
{
    json_t *doc = json_object();
    char time[FORMAT_MAX];

    json_put_text(doc, "time", format_rfc3339_ms(time, sizeof(time), e->at_ms));
    json_put_text(doc, "level", event_level_name(e->level));
    json_put_text(doc, "kind", kinds[e->kind].name);
    put_unless_empty(doc, "shard", e->shard);
    put_unless_empty(doc, "node", e->node);
    put_unless_empty(doc, "address", e->address);
    put_unless_empty(doc, "other", e->other);
    put_unless_empty(doc, "observer", e->observer);
    if (e->epoch != 0)
        json_put_int(doc, "epoch", (int64_t)e->epoch);
    json_put_text(doc, "text", e->text);
    return doc;
}

static bool parse_level(const char *name, enum event_level *level)
{
    for (size_t i = 0; i < COUNT_OF(levels); i++) {
        if (strcmp(name, levels[i]) == 0) {
            *level = (enum event_level)i;
            return true;
        }
    }
    return false;
}

static void copy_text(const json_t *doc, const char *name, char *out, size_t size)
{
    (void)str_copy(str_from(json_text(doc, name, "")), out, size);
}

bool event_from_json(struct event *e, const json_t *doc, struct error *err)
{
    struct event found = {0};
    int64_t epoch = json_int(doc, "epoch", 0);

    if (!json_is_object(doc))
        return error_set(err, ERROR_CORRUPT, 0, "event: no JSON object");
    if (!event_kind_parse(str_from(json_text(doc, "kind", "")), &found.kind) ||
        !parse_level(json_text(doc, "level", ""), &found.level))
        return error_set(err, ERROR_CORRUPT, 0, "event: unknown kind or level");
    if (!format_parse_utc(str_from(json_text(doc, "time", "")), &found.at_ms))
        return error_set(err, ERROR_CORRUPT, 0, "event: the time is missing or no UTC time");
    found.epoch = epoch > 0 ? (uint64_t)epoch : 0;
    copy_text(doc, "shard", found.shard, sizeof(found.shard));
    copy_text(doc, "node", found.node, sizeof(found.node));
    copy_text(doc, "address", found.address, sizeof(found.address));
    copy_text(doc, "other", found.other, sizeof(found.other));
    copy_text(doc, "observer", found.observer, sizeof(found.observer));
    copy_text(doc, "text", found.text, sizeof(found.text));
    *e = found;
    return true;
}

char *events_shard_name(char *out, uint16_t shard)
{
    unsigned n = shard;
    size_t letters = 1;

    out[0] = '\0';
    if (shard == UINT16_MAX)
        return out;
    if (n < 26) {
        out[0] = (char)('A' + n);
        out[1] = '\0';
        return out;
    }
    n -= 26;
    for (unsigned span = 26 * 26; n >= span; span *= 26) {
        n -= span;
        letters++;
    }
    letters++;
    out[letters] = '\0';
    while (letters > 0) {
        out[--letters] = (char)('a' + n % 26);
        n /= 26;
    }
    return out;
}
