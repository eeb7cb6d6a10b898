/*
 * events_internal.h - the inside of struct events, shared by core/monitor/events*.c only.
 *
 * A member is a node that was ever listed; it stays in members[] (by index) when it leaves, so
 * that indexes hold. owner[] is what was told last about each slot: a change counts as news only
 * when the observer went from the told owner to another one, so several observers tell it once.
 */
#ifndef CORE_MONITOR_EVENTS_INTERNAL_H
#define CORE_MONITOR_EVENTS_INTERNAL_H

#include "core/base/map.h"
#include "core/monitor/events.h"

#define MEMBERS_MAX 16384
#define MEMBER_NONE UINT16_MAX
#define RECENT_MAX 64

struct member {
    char id[EVENT_NAME];
    char address[EVENT_NAME]; /* escaped */
    uint16_t index;           /* in members[] */
    uint16_t shard;
    bool has_slots;        /* in the agreed view, when shards were named last */
    bool present;          /* some observer lists it now */
    unsigned listed_by;    /* observers that answer and list it */
    unsigned suspected_by; /* … and hold it PFAIL */
    unsigned down_by;      /* … and hold it FAIL */
    enum node_role role;   /* as told */
    uint16_t primary;      /* as told: index, or MEMBER_NONE */
    uint16_t followed;     /* primary of a replica that was promoted and has no slots yet */
    bool suspected, down;  /* as told */
    int64_t suspected_ms;  /* when it was told */
    uint64_t took_epoch;   /* epoch of the last failover told in its favour */
    /* from INFO */
    bool has_facts;
    char run_id[48];
    char replid[48];
    enum node_role own_role;
    int64_t offset;
    int link;
    int loading;
    bool lagging;
    bool persistence_bad;
    bool state_fail; /* says cluster_state:fail */
    bool silent;
};

struct observer {
    char address[EVENT_NAME];
    struct topology *view;
    uint64_t fingerprint;
    bool silent;
};

struct recent {
    uint64_t key;
    int64_t at_ms;
};

struct events {
    struct events_options options;
    uint64_t seq;
    struct map *by_id; /* id -> struct member * */
    struct member **members;
    size_t member_count, member_cap;
    struct observer *observers;
    size_t observer_count, observer_cap;
    uint16_t owner[SLOT_COUNT]; /* as told: member index; one that lost it to nobody stays */
    bool primed;                /* a first view was taken: differences are news */
    const struct topology *agreed;
    size_t agree_count;
    uint64_t agreed_print;
    struct slot_set open; /* as told */
    bool uncovered;       /* as told */
    int64_t uncovered_since;
    int64_t split_since; /* 0: agreed */
    bool split_told;
    size_t state_fail; /* how many members say fail, as told */
    uint64_t epoch_told;
    uint64_t epoch_seen;
    int64_t epoch_at;
    struct recent recent[RECENT_MAX]; /* Sentinel messages */
    size_t recent_next;
};

struct event_about {
    enum event_kind kind;
    enum event_level level;
    const struct member *node;
    const struct member *other;
    const char *observer; /* NULL: ourselves */
    uint64_t epoch;
    int64_t at_ms;
};

void events_tell(struct events *t, struct event_list *out, const struct event_about *about,
                 const char *fmt, ...) PRINTF_LIKE(4, 5);
/* Finds or adds; NULL when there are too many. */
struct member *events_member(struct events *t, struct str id);
struct member *events_find(const struct events *t, struct str id);
/* "host:port" with brackets for IPv6, escaped; out holds EVENT_NAME bytes. */
void events_address(char *out, struct str host, uint16_t port);
/* Add (or take away) what a view says of its nodes to the members' counters. */
void events_count(struct events *t, const struct topology *view, bool add);
/* Find the view that counts again. */
void events_choose(struct events *t);
/* After any change of views: the agreed view, who is held down, shards, coverage. */
void events_judge(struct events *t, const char *observer, int64_t at_ms, struct event_list *out);
struct comparing {
    struct events *t;
    const char *observer;          /* NULL: all of them */
    const struct topology *before; /* may be NULL */
    const struct topology *after;
    int64_t at_ms;
    struct event_list *out;
};

/* The differences between two views of one observer. */
void events_compare(const struct comparing *c);
/* Compare the told owners with the agreed view and tell what no single observer's change told. */
void events_settle(struct events *t, int64_t at_ms, struct event_list *out);
void events_assign_shards(struct events *t);

#endif
