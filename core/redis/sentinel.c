#include "core/redis/sentinel.h"

#include <stddef.h>
#include <string.h>

#include "core/redis/reply.h"

#define INSTANCES_MAX 4096

/* ---- replies ---- */

enum field_type { FIELD_TEXT, FIELD_NUMBER };

#define AT(member) offsetof(struct sentinel_instance, member)

static const struct {
    const char *name;
    enum field_type type;
    size_t offset;
} fields[] = {
    {"name", FIELD_TEXT, AT(name)},
    {"ip", FIELD_TEXT, AT(host)},
    {"runid", FIELD_TEXT, AT(run_id)},
    {"last-ok-ping-reply", FIELD_NUMBER, AT(last_ok_ping_ms)},
    {"config-epoch", FIELD_NUMBER, AT(config_epoch)},
    {"num-slaves", FIELD_NUMBER, AT(num_replicas)},
    {"num-other-sentinels", FIELD_NUMBER, AT(num_sentinels)},
    {"quorum", FIELD_NUMBER, AT(quorum)},
    {"down-after-milliseconds", FIELD_NUMBER, AT(down_after_ms)},
    {"failover-timeout", FIELD_NUMBER, AT(failover_timeout_ms)},
    {"master-host", FIELD_TEXT, AT(primary_host)},
    {"master-port", FIELD_NUMBER, AT(primary_port)},
    {"master-link-status", FIELD_TEXT, AT(primary_link)},
    {"slave-priority", FIELD_NUMBER, AT(replica_priority)},
    {"slave-repl-offset", FIELD_NUMBER, AT(replica_offset)},
    {"voted-leader", FIELD_TEXT, AT(voted_leader)},
    {"voted-leader-epoch", FIELD_NUMBER, AT(voted_epoch)},
};

static const struct {
    const char *word;
    unsigned flag;
} flag_words[] = {
    {"master", SENTINEL_MASTER},
    {"slave", SENTINEL_REPLICA},
    {"replica", SENTINEL_REPLICA},
    {"sentinel", SENTINEL_PEER},
    {"s_down", SENTINEL_SDOWN},
    {"o_down", SENTINEL_ODOWN},
    {"disconnected", SENTINEL_DISCONNECTED},
    {"failover_in_progress", SENTINEL_FAILOVER},
    {"promoted", SENTINEL_PROMOTED},
    {"reconf_sent", SENTINEL_RECONF},
    {"reconf_inprog", SENTINEL_RECONF},
    {"reconf_done", SENTINEL_RECONF},
};

static unsigned parse_flags(struct str text)
{
    unsigned flags = 0;
    struct str word;

    while (str_split(&text, ',', &word)) {
        for (size_t i = 0; i < COUNT_OF(flag_words); i++)
            if (str_is(word, flag_words[i].word))
                flags |= flag_words[i].flag;
    }
    return flags;
}

static struct str text_member(const struct reply *map, const char *name)
{
    const struct reply *r = reply_member(map, name);

    if (r == NULL || (r->type != REPLY_STRING && r->type != REPLY_STATUS))
        return (struct str){NULL, 0};
    return r->str;
}

static int64_t number_of(struct str text)
{
    int64_t value;

    return str_to_i64(text, &value) && value >= 0 ? value : -1;
}

static uint16_t port_of(struct str text)
{
    int value;

    return str_to_int(text, 0, 65535, &value) ? (uint16_t)value : 0;
}

static void fill(struct sentinel_instance *out, const struct reply *map)
{
    *out = (struct sentinel_instance){0};
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        struct str value = text_member(map, fields[i].name);
        void *to = (char *)out + fields[i].offset;

        if (fields[i].type == FIELD_TEXT)
            *(struct str *)to = value;
        else
            *(int64_t *)to = number_of(value);
    }
    out->port = port_of(text_member(map, "port"));
    out->flags = parse_flags(text_member(map, "flags"));
}

bool sentinel_parse_list(const struct reply *r, struct arena *a, struct sentinel_list *out,
                         struct error *err)
{
    if (!reply_want_array(r, "SENTINEL", err))
        return false;
    if (r->count > INSTANCES_MAX)
        return error_set(err, ERROR_LIMIT, 0, "SENTINEL: a list of %zu instances", r->count);
    out->items = arena_array(a, r->count + 1, sizeof(*out->items));
    out->count = 0;
    for (size_t i = 0; i < r->count; i++)
        if (r->elements[i].type == REPLY_ARRAY)
            fill(&out->items[out->count++], &r->elements[i]);
    return true;
}

bool sentinel_parse_address(const struct reply *r, struct str *host, uint16_t *port)
{
    if (r->type != REPLY_ARRAY || r->count != 2 || r->elements[0].type != REPLY_STRING ||
        r->elements[1].type != REPLY_STRING)
        return false;
    *host = r->elements[0].str;
    *port = port_of(r->elements[1].str);
    return host->len > 0 && *port != 0;
}

/* ---- messages ---- */

static bool next_word(struct str *rest, struct str *word)
{
    *word = (struct str){NULL, 0};
    while (str_split(rest, ' ', word))
        if (word->len > 0)
            return true;
    return false;
}

static bool take_port(struct str *rest, uint16_t *port)
{
    struct str word;

    if (!next_word(rest, &word))
        return false;
    *port = port_of(word);
    return *port != 0;
}

/* "<name> <old host> <old port> <new host> <new port>" */
static bool parse_switch(struct str rest, struct sentinel_event *out)
{
    out->type = STR("master");
    if (!next_word(&rest, &out->name) || !next_word(&rest, &out->host) ||
        !take_port(&rest, &out->port) || !next_word(&rest, &out->new_host) ||
        !take_port(&rest, &out->new_port))
        return false;
    out->master_name = out->name;
    out->master_host = out->host;
    out->master_port = out->port;
    return true;
}

/* "<epoch>", or "<run id> <epoch>" */
static bool parse_epoch(struct str rest, struct sentinel_event *out)
{
    struct str word;
    struct str last = {NULL, 0};

    while (next_word(&rest, &word)) {
        if (last.len > 0)
            out->name = last;
        last = word;
    }
    out->epoch = number_of(last);
    return out->epoch >= 0;
}

/* "<type> <name> <host> <port>[ @ <master> <host> <port>][ extra]" */
static bool parse_instance(struct str rest, struct sentinel_event *out)
{
    struct str before;
    struct str word;

    if (!next_word(&rest, &out->type) || !next_word(&rest, &out->name) ||
        !next_word(&rest, &out->host) || !take_port(&rest, &out->port))
        return false;
    before = rest;
    if (next_word(&rest, &word) && str_is(word, "@")) {
        if (!next_word(&rest, &out->master_name) || !next_word(&rest, &out->master_host) ||
            !take_port(&rest, &out->master_port))
            return false;
        before = rest;
    }
    if (str_is(out->type, "master") && out->master_name.len == 0) {
        out->master_name = out->name;
        out->master_host = out->host;
        out->master_port = out->port;
    }
    out->extra = str_trim(before);
    if (str_starts(out->extra, "#"))
        out->extra = str_slice(out->extra, 1, out->extra.len);
    return true;
}

static bool is_instance_type(struct str payload)
{
    return str_starts(payload, "master ") || str_starts(payload, "slave ") ||
           str_starts(payload, "replica ") || str_starts(payload, "sentinel ");
}

bool sentinel_parse_event(struct str channel, struct str payload, struct sentinel_event *out)
{
    struct sentinel_event found = {.channel = channel, .epoch = -1};
    bool ok;

    if (str_is(channel, "+switch-master"))
        ok = parse_switch(payload, &found);
    else if (str_is(channel, "+new-epoch") || str_is(channel, "+vote-for-leader"))
        ok = parse_epoch(payload, &found);
    else if (is_instance_type(payload))
        ok = parse_instance(payload, &found);
    else
        ok = str_is(channel, "+tilt") || str_is(channel, "-tilt");
    *out = ok ? found : (struct sentinel_event){.channel = channel, .epoch = -1};
    if (!ok || out->type.len == 0)
        out->extra = payload;
    return ok;
}
