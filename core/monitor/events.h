/*
 * events.h - what changed in a cluster, found by comparing what each node says with what the same
 * node said before.
 *
 * A tracker holds the last view of every observer. Feeding it a new one gives the events between
 * the two; what several observers report is told once, at its first sighting. No I/O and no clock
 * inside: times are given, so recorded replies play back exactly. One thread per tracker.
 * Rules: docs of the events are the rows of event_kind_info().
 */
#ifndef CORE_MONITOR_EVENTS_H
#define CORE_MONITOR_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"
#include "core/redis/sentinel.h"
#include "core/redis/topology.h"

enum event_level { EVENT_INFO, EVENT_NOTICE, EVENT_WARN, EVENT_CRIT };

enum event_kind {
    EVENT_SUSPECTED,   /* a first observer cannot reach the node (PFAIL, +sdown) */
    EVENT_DOWN,        /* agreed to be down (FAIL, +odown) */
    EVENT_RECOVERED,   /* no observer holds it down any more */
    EVENT_FAILOVER,    /* a replica took over its primary's slots, or Sentinel switched */
    EVENT_ELECTION,    /* the epoch rose without a change that explains it */
    EVENT_ROLE,        /* primary became replica or the other way, or follows another primary */
    EVENT_RESHARD,     /* slots went from one primary to another */
    EVENT_OPEN,        /* slots began to migrate */
    EVENT_CLOSED,      /* no slot is migrating any more */
    EVENT_UNCOVERED,   /* slots lost their owner, or their owner is down */
    EVENT_COVERED,     /* every slot is served again */
    EVENT_STATE,       /* cluster_state changed */
    EVENT_SPLIT,       /* observers disagree about owners for longer than the node timeout */
    EVENT_AGREE,       /* and agree again */
    EVENT_JOINED,      /* a node nobody knew */
    EVENT_LEFT,        /* a node nobody knows any more */
    EVENT_REPLACED,    /* another node id at the same address */
    EVENT_RESTARTED,   /* same id, new run_id */
    EVENT_HISTORY,     /* new replication history without a change of role */
    EVENT_ROLLBACK,    /* a primary's replication offset went back: data was lost */
    EVENT_LINK,        /* a replica's link to its primary went down or came up */
    EVENT_LAG,         /* a replica fell behind the limit, or caught up */
    EVENT_SILENT,      /* we get no answer from a node */
    EVENT_ANSWERS,     /* and get one again */
    EVENT_LOADING,     /* a node loads its data set, or has finished */
    EVENT_PERSISTENCE, /* a save or append-only write failed, or works again */
    EVENT_SENTINEL,    /* any other message of a Sentinel */
    EVENT_KINDS
};

#define EVENT_TEXT 256
#define EVENT_NAME 128

/* Plain data. Strings from servers are escaped already: they may be shown and written as they are.
 */
struct event {
    uint64_t seq;  /* rises by one within a tracker, from 1 */
    int64_t at_ms; /* real time, UTC, when we saw it */
    enum event_kind kind;
    enum event_level level;
    char shard[8];             /* "A", or empty */
    char node[EVENT_NAME];     /* node id, or address outside Cluster */
    char address[EVENT_NAME];  /* host:port of that node */
    char other[EVENT_NAME];    /* the second node: new primary, importer */
    char observer[EVENT_NAME]; /* address of who saw it first; empty when it was ourselves */
    char text[EVENT_TEXT];     /* one line, without time and node */
    uint64_t epoch;            /* 0 when it has none */
};

struct event_kind_info {
    const char *name; /* "failover": the word in JSON and filters */
    const char *help; /* one line for the help of the events screen */
};
const struct event_kind_info *event_kind_info(enum event_kind kind);
const char *event_level_name(enum event_level level); /* "info" "notice" "warn" "crit" */
bool event_kind_parse(struct str name, enum event_kind *kind);

json_t *event_to_json(const struct event *e); /* the caller owns it */
bool event_from_json(struct event *e, const json_t *doc, struct error *err) MUST_CHECK;

struct event_list {
    struct event *items; /* owned */
    size_t count;
    size_t cap;
};
void event_list_release(struct event_list *list);

/* What a node says of itself in INFO, as far as events need it. Empty strings and -1 = not known.
 */
struct event_facts {
    struct str id;
    struct str address;
    struct str run_id;
    struct str replid;
    struct str persistence; /* "ok", or what failed */
    enum node_role role;
    int64_t offset; /* master_repl_offset */
    int link;       /* replica: 1 up, 0 down, -1 not known or a primary */
    int loading;    /* 1, 0, -1 */
    int64_t lag_ms; /* replica: -1 not known */
    int64_t lag_bytes;
    struct str cluster_state;
    int64_t current_epoch; /* of CLUSTER INFO */
};

struct events;

struct events_options {
    int64_t split_ms;    /* how long observers may disagree: the node timeout, default 15,000 */
    int64_t lag_warn_ms; /* default 10,000 */
};

struct events *events_new(const struct events_options *options);
void events_free(struct events *t);

/* The observer at `address` answered with `view`, which the tracker takes. Appends to out. */
void events_take_view(struct events *t, struct str address, struct topology *view, int64_t at_ms,
                      struct event_list *out);
/* INFO of one node. */
void events_facts(struct events *t, const struct event_facts *facts, int64_t at_ms,
                  struct event_list *out);
/* A node missed its second poll in a row (told once), or answered again. */
void events_silence(struct events *t, struct str address, bool silent, const char *why,
                    int64_t at_ms, struct event_list *out);
/* A message published by the Sentinel at `address`. */
void events_sentinel(struct events *t, struct str address, const struct sentinel_event *message,
                     int64_t at_ms, struct event_list *out);
/* Time passes: finds disagreement that lasts, and judges coverage. Call once per poll round. */
void events_tick(struct events *t, int64_t at_ms, struct event_list *out);
/* Drop an observer that is no member any more. */
void events_forget(struct events *t, struct str address);

/* The view that counts: of the answering observers, the one most agree on, newest epoch first. NULL
 * before any answer. Valid until the next events_take_view, events_silence or events_forget. */
const struct topology *events_agreed(const struct events *t);
/* How many observers have a view now, how many share the agreed one's fingerprint, and how many
 * hold `id` for suspected or down. */
size_t events_observers(const struct events *t, size_t *agree);
void events_held_down(const struct events *t, struct str id, size_t *suspected, size_t *down);
/* True when this observer has a view, and when that is the agreed one. */
bool events_has_view(const struct events *t, struct str address);
bool events_agrees(const struct events *t, struct str address);
/* Slots that observers give to different owners. */
uint32_t events_disputed(const struct events *t, struct slot_set *out);
/* Slots that any owner's own line shows as open. importing may be NULL. */
void events_open_slots(const struct events *t, struct slot_set *migrating,
                       struct slot_set *importing);
/* The letter of the shard that a node belongs to: it follows the shard through failovers.
 * UINT16_MAX when the node is in none. */
uint16_t events_shard(const struct events *t, struct str id);
/* "A" … "Z", "aa", "ab" …; out holds 8 bytes. */
char *events_shard_name(char *out, uint16_t shard);

#endif
