#include "views/verbs/status_print.h"

#include <stdio.h>
#include <string.h>

#include "core/base/escape.h"
#include "core/base/format.h"
#include "views/screens/nodes_model.h"

/* Where the primaries' key counts come from: INFO, DBSIZE, or both. */
static const char *keys_source(const struct snapshot *s)
{
    static const char *const words[] = {"", " (INFO)", " (DBSIZE)", " (INFO, DBSIZE)"};
    unsigned seen = 0;

    for (size_t i = 0; i < s->node_count; i++) {
        if (s->nodes[i].role == MONITOR_REPLICA || s->nodes[i].keys < 0)
            continue;
        seen |= s->nodes[i].keys_source == MONITOR_KEYS_INFO ? 1U : 0U;
        seen |= s->nodes[i].keys_source == MONITOR_KEYS_DBSIZE ? 2U : 0U;
    }
    return words[seen];
}

/* A sum that lacks a part is no sum: then what is known is said, and of how many. */
static void print_keys(const struct snapshot *s)
{
    char text[FORMAT_MAX];
    int64_t known = 0;
    size_t told = 0;

    for (size_t i = 0; i < s->shard_count; i++) {
        known += s->shards[i].keys >= 0 ? s->shards[i].keys : 0;
        told += s->shards[i].keys >= 0 ? 1 : 0;
    }
    if (s->keys >= 0)
        printf("keys   %s%s%s", s->stale_sums ? "~" : "", format_count(text, sizeof(text), s->keys),
               keys_source(s));
    else if (told > 0)
        printf("keys   ? (%s on %zu of %zu primaries, the others are unknown)",
               format_count(text, sizeof(text), known), told, s->shard_count);
    else
        printf("keys   ?");
}

void status_print_summary(const struct snapshot *s, const char *env)
{
    char memory[FORMAT_MAX];
    char version[64];
    char flavour[32];

    printf("%s: %s, %s %s %s", env, monitor_state_name(s->state), redis_mode_name(s->mode),
           escape_text(flavour, sizeof(flavour), s->flavour),
           escape_text(version, sizeof(version), s->version));
    if (s->epoch > 0)
        printf(", epoch %llu", (unsigned long long)s->epoch);
    printf("\n");
    if (s->slots->known)
        printf("slots  %u of %d served, %u suspected, %u down, %u without owner, %u open, "
               "%u disputed\n",
               s->slots->ok, SLOT_COUNT, s->slots->pfail, s->slots->fail, s->slots->uncovered,
               s->slots->open, s->slots->disputed);
    printf("nodes  %zu of %zu answer", s->reachable, s->node_count);
    if (s->views > 0)
        printf(", %zu of %zu views agree", s->views_agree, s->views);
    printf("\n");
    print_keys(s);
    printf("   memory %s   ops/s %s\n",
           s->memory < 0 ? "?" : format_size(memory, sizeof(memory), s->memory),
           nodes_model_count(s->ops_per_sec).text);
}

void status_print_nodes(const struct snapshot *s, size_t limit)
{
    printf("%-5s %-24s %-8s %-7s %6s %12s %9s %7s %6s %9s %-5s %s\n", "SHARD", "NODE", "ROLE",
           "STATE", "SLOTS", "KEYS", "MEMORY", "OPS/S", "CLI", "LAG", "LINK", "FLAGS");
    for (size_t i = 0; i < s->node_count && (limit == 0 || i < limit); i++) {
        const struct monitor_node *n = &s->nodes[i];
        struct nodes_text t[NODES_COLUMNS];

        for (size_t c = 0; c < NODES_COLUMNS; c++)
            t[c] = nodes_model_text(s, i, (enum nodes_column)c);
        printf("%-5s %-24s %-8s %-7s %6s %12s %9s %7s %6s %9s %-5s %s\n", t[NODES_SHARD].text,
               t[NODES_ADDRESS].text, monitor_role_name(n->role), t[NODES_STATE].text,
               t[NODES_SLOTS].text, t[NODES_KEYS].text, t[NODES_MEMORY].text, t[NODES_OPS].text,
               t[NODES_CLIENTS].text, t[NODES_LAG].text, t[NODES_LINK].text, t[NODES_FLAGS].text);
    }
}

static void print_set(const char *name, const struct slot_set *set)
{
    struct error ignored;
    struct buf text;

    if (slot_set_count(set) == 0)
        return;
    buf_init(&text, (size_t)1 << 20);
    if (slot_set_format(set, 0, &text, &ignored))
        printf("%-10s %5u  %s\n", name, (unsigned)slot_set_count(set), text.data);
    buf_release(&text);
}

void status_print_slots(const struct snapshot *s)
{
    static const struct {
        const char *name;
        unsigned state;
    } states[] = {{"uncovered", SLOT_UNCOVERED}, {"suspected", SLOT_PFAIL},
                  {"down", SLOT_FAIL},           {"migrating", SLOT_MIGRATING},
                  {"importing", SLOT_IMPORTING}, {"disputed", SLOT_DISPUTED}};
    struct slot_set set;

    for (size_t i = 0; i < s->shard_count; i++) {
        const struct monitor_shard *shard = &s->shards[i];
        char name[8];
        char address[128] = "no primary";

        if (shard->primary < s->node_count)
            (void)escape_text(address, sizeof(address), s->nodes[shard->primary].address);
        snapshot_slots_of(s, shard->primary, &set);
        printf("%-3s %-24s ", events_shard_name(name, shard->number), address);
        print_set("", &set);
        if (slot_set_count(&set) == 0)
            printf("no slots\n");
    }
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        (void)snapshot_slots_in(s, states[i].state, &set);
        print_set(states[i].name, &set);
    }
    printf("%u of %d slots are served; %zu of %zu views agree\n", s->slots->ok, SLOT_COUNT,
           s->views_agree, s->views);
}

void status_print_event(const struct event *e)
{
    char time[FORMAT_MAX];

    printf("%s %-6s %-11s %-2s %s%s%s%s\n", format_rfc3339_ms(time, sizeof(time), e->at_ms),
           event_level_name(e->level), event_kind_info(e->kind)->name, e->shard, e->text,
           e->observer[0] == '\0' ? "" : " (seen by ", e->observer,
           e->observer[0] == '\0' ? "" : ")");
}
