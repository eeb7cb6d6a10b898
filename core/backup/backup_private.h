/*
 * backup_private.h - what the files of the backup engine share: backup.c leads the rounds,
 * backup_shard.c runs one worker, backup_scan.c enumerates keys and waits, backup_small.c and
 * backup_large.c read keys, backup_sink.h says where to, backup_view.c watches a node's identity,
 * backup_tally.c counts, backup_manifest.c tells. Nobody else includes it.
 *
 * A struct shard belongs to its worker thread from start to join, else to the leader.
 */
#ifndef CORE_BACKUP_BACKUP_PRIVATE_H
#define CORE_BACKUP_BACKUP_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/archive/archive_again.h"
#include "core/backup/backup.h"
#include "core/backup/backup_order.h"
#include "core/backup/backup_probe.h"
#include "core/backup/backup_sink.h"
#include "core/backup/checkpoint.h"
#include "core/base/arena.h"
#include "core/record/fingerprints.h"
#include "core/record/record.h"
#include "core/redis/capability.h"
#include "core/s3/multipart.h"

/* ---- counting ---------------------------------------------------------------------------------
 */

/* Of one pass over one node: by slot, because slots may be read again. Outside cluster mode all is
 * in slot 0. */
struct tally_slot {
    uint32_t types[RECORD_TYPES];
    uint32_t with_ttl;
    uint32_t hyperloglog;
    uint32_t fuzzy;
    uint32_t vanished;
    uint32_t unreadable;
    uint32_t too_large;
};

struct tally {
    struct tally_slot slots[SLOT_COUNT];
};

struct tally_slot *tally_of(struct tally *t, uint16_t slot); /* SLOT_NONE: slot 0 */
void tally_key(struct tally *t, const struct record_head *head);
uint64_t tally_slot_keys(const struct tally_slot *s);

/* ---- one node's identity and view of the cluster ----------------------------------------------
 */

struct shard_view {
    char run_id[48];
    bool primary;
    bool cluster;
    uint64_t epoch;        /* config epoch of this node */
    struct slot_set owned; /* by itself, in its own view */
    struct slot_set open;  /* migrating or importing */
    int64_t offset;        /* of a primary's replication stream, in bytes */
};

/* Where the keys of a shard are read: the primary itself, or one of its replicas. Then a second
 * connection asks the primary who owns what, and both how far they are. */
struct shard_source {
    bool replica;
    char id[CLUSTER_ID_MAX]; /* of the replica */
    char follows[300];       /* host and port of the primary that it names in ROLE */
    char history[48];        /* master_replid of the primary, which must be the replica's too */
    struct conn *owner;      /* to the primary; NULL: the primary itself is read */
    int64_t goal;            /* an offset of the primary that the replica has to reach … */
    int64_t goal_ms;         /* … which the primary had at this time */
    int64_t offset;          /* of the replica at the newest look */
    int64_t owner_offset;
};

/* ---- one worker -------------------------------------------------------------------------------
 */

enum shard_end {
    SHARD_DONE,    /* read to the end under a view that held */
    SHARD_CHANGED, /* must be read again: reason */
    SHARD_FAILED   /* the job cannot go on: err */
};

struct backup;
struct item;

/* The enumeration of a database, one batch ahead of the reading. */
struct scan {
    char cursor[32];    /* to ask with next */
    struct item *items; /* of the newest answer */
    size_t count;
    size_t listed;     /* keys of wanted slots in it, filtered or not */
    struct arena keys; /* what they point to */
    bool asked;        /* SCAN, ROLE and TIME are under way */
    bool done;         /* the cursor came back to 0 */
    bool again;        /* the server was busy: ask once more */
};

struct shard {
    struct backup *b;
    size_t row;                   /* of the task's bars */
    size_t index;                 /* in the round */
    uint32_t pass;                /* number of this reading, in all runs of the job */
    char name[320];               /* of the node that is read */
    char node_id[CLUSTER_ID_MAX]; /* of the primary, the owner of the slots */
    struct conn *conn;
    struct shard_source source;
    bool cluster;         /* cluster mode: slots matter */
    struct slot_set want; /* in cluster mode: what this pass is about */
    uint32_t generation;
    pthread_t thread;
    bool running; /* the leader's: thread must be joined */

    enum shard_end end;
    struct error err;
    char reason[240];
    struct slot_set dirty;  /* slots that must be read again */
    struct shard_view view; /* as the pass began */
    struct tally *tally;
    uint64_t fuzzy_named; /* keys already named in the journal */

    struct capability capability;
    bool memory_usage; /* MEMORY USAGE may be asked */
    bool field_ttl;    /* fields of hashes may have deadlines in this database */
    struct fingerprints *seen;
    struct scan scan;
    struct order order;
    bool disorder;     /* its cursors do not follow the slots, as they should */
    struct arena keys; /* of the batch being read */
    struct arena scratch;
    void *sink; /* this pass's worker of b->sink; NULL until it began */
    uint32_t db;
    int64_t now_ms;    /* server's clock, newest answer to TIME */
    uint64_t total;    /* keys, as the pass began */
    int64_t worked_us; /* since when it has been at work, for the pace */
    bool gives_way;    /* it rests after each batch, and the bar says so */
    bool gave_way;     /* the journal has been told */
    int64_t looked_ms; /* when identity and slots were last compared */

    char later_why[120];     /* what the server said when it put something off */
    int64_t outage_deadline; /* 0: no outage under way */
    int64_t outage_step_ms;
    bool outage; /* it lasted longer than it may: do not try again */
};

/* One key of a batch. */
enum item_state {
    ITEM_OPEN,
    ITEM_LARGE, /* in windows, under WATCH */
    ITEM_AGAIN, /* changed between the commands: alone, in a transaction */
    ITEM_LATER, /* the server is loading, busy or without quorum: when it is not any more */
    ITEM_DONE
};

struct item {
    struct str key;
    struct str type_name;
    uint16_t slot;
    enum record_type type;
    enum item_state state;
    int64_t deadline; /* RECORD_NO_TIME: none */
    uint64_t weight;  /* bytes, roughly */
};

/* Lines for the manifest, each once. */
struct notes {
    char **items;
    size_t count;
    size_t cap;
};

struct backup {
    const struct backup_options *o;
    struct task *task;
    struct cluster *cluster;
    struct backup_sink sink;
    struct archiver *archive; /* NULL: the readings go elsewhere */
    bool by_slot;             /* cluster mode */
    uint64_t chunk_keys;
    uint64_t chunk_bytes;
    size_t seen_memory;            /* bytes of fingerprints for each worker */
    size_t active;                 /* workers of the round */
    size_t rows;                   /* of the task's bars so far */
    struct upload_memory uploads;  /* of this job's runs */
    struct checkpoint *checkpoint; /* never NULL; goes nowhere without a job's directory */
    _Atomic bool checkpoint_lost;  /* a line could not be written, and that was told */
    uint32_t passes;               /* numbers given so far */
    uint32_t first_generation;     /* of this run */
    struct slot_set kept;          /* slots whose reading in an earlier run counts */
    bool kept_functions;
    _Atomic bool fields_expire; /* fields got deadlines while they were not asked for */
    _Atomic bool plain_cursors; /* a server's cursors did not follow its slots */
    pthread_mutex_t pace_mutex; /* guards pace */
    struct pace pace;
    struct probe *probe; /* rate auto, while a round runs; else NULL */
    struct tally *total; /* of the readings that count */
    uint64_t superseded;
    uint64_t doubtful_functions; /* nodes that kept theirs to themselves, libraries of two codes */
    uint32_t generation[SLOT_COUNT];
    uint16_t owner[SLOT_COUNT]; /* index into nodes; UINT16_MAX: was never read */
    struct backup_node *nodes;
    size_t node_count;
    size_t node_cap;
    struct notes events;
    struct notes warnings;
    struct slot_set unsettled; /* slots that the newest round left dirty */
    char reason[300];          /* why incomplete; empty: complete */
    bool outage;               /* a node did not come back within the time an outage may last */
    int64_t started_ms;
    int64_t finished_ms;
    uint64_t rounds;
};

struct backup_node { /* that was read */
    char id[CLUSTER_ID_MAX];
    char name[320]; /* of the node that was read: its own, or its replica's */
    bool replica;
    struct capability capability;
};

void backup_note(struct backup *b, struct notes *notes, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same for what is no reason to worry. */
void backup_tell(struct backup *b, struct notes *notes, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* backup_shard.c. Each of the next two returns false, for `return`. */
bool shard_changed(struct shard *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool shard_failed(struct shard *s, const struct error *err);
/* A connection error: CHANGED, or FAILED when retrying cannot help. */
bool shard_broken(struct shard *s, const struct error *err);
void *shard_run(void *shard);
void shard_head(const struct shard *s, const struct item *item, struct record_head *out);
void shard_count(struct shard *s, const struct record_head *head);
void shard_unreadable(struct shard *s, const struct item *item, const char *reason,
                      const char *detail);
/* An error reply to a keyed read: settles the item, or the shard (false). */
bool shard_error_reply(struct shard *s, struct item *item, const struct reply *r);
bool shard_next(struct shard *s, const struct reply **r); /* the next reply of the pipeline */
/* One command in the usual form, queued. */
bool shard_send(struct shard *s, struct command command);
/* A reply to PEXPIRETIME (or PTTL) as deadline; *gone when there is no such key. */
bool shard_deadline(struct shard *s, const struct reply *r, int64_t *deadline, bool *gone);
struct command shard_expiry_command(const struct shard *s, struct str words[2]);
void shard_take_time(struct shard *s, const struct reply *r);

/* Does this error reply say: not now? Then it is noted, for shard_wait. */
bool shard_put_off(struct shard *s, const struct reply *r);

/* Has no field of a hash in this database got a deadline since the reading began without asking for
 * them? CHANGED otherwise. */
bool shard_check_fields(struct shard *s);

/* backup_scan.c: send the question for the next batch; take the answer into s->scan. */
bool shard_scan_ask(struct shard *s);
bool shard_scan_take(struct shard *s);
/* Read the database that is selected, to the end. */
bool shard_read_database(struct shard *s);
/* After shard_put_off: a moment, within the outage budget. CHANGED and `outage` when it is spent.
 */
bool shard_wait(struct shard *s);
void shard_waited(struct shard *s); /* it answers again */

/* backup_small.c: read all items of a batch; takes the answer to shard_scan_ask in passing. */
bool shard_read_batch(struct shard *s, struct item *items, size_t count);
/* backup_large.c */
bool shard_read_large(struct shard *s, struct item *item);
/* backup_view.c, backup_replica.c */
/* A healthy replica of the primary for this pass, as the options want it; else the primary. The
 * leader's. False: only a replica will do, and none came up in time (CHANGED, outage). */
bool shard_choose_source(struct shard *s, const struct cluster_node *primary);
/* After a look at its primary: is the replica still near enough? True when none is read. */
bool shard_check_replica(struct shard *s, const struct shard_view *now);
/* The answer to ROLE with each batch: still what it was when the pass began? */
bool shard_role_fits(struct shard *s, const struct reply *r);
bool shard_look(struct shard *s, struct shard_view *out);
/* Look, and compare with the view the pass began with: dirty slots, or CHANGED. */
bool shard_compare(struct shard *s);

/* backup_parts.c: the sink that fills parts for the archive; ctx is the struct backup. */
extern const struct sink_ops backup_parts_ops;

/* backup_checkpoint.c: lines of the checkpoint. Those without err do not end the backup: what is
 * lost would be read again, and that is told once. */
bool backup_mark_run(struct backup *b, struct error *err) MUST_CHECK;
bool backup_mark_pass(struct shard *s, struct error *err) MUST_CHECK;
bool backup_mark_slots(struct backup *b, uint32_t pass, uint32_t after,
                       const struct slot_set *slots, const struct tally *tally);
bool backup_mark_dirty(struct backup *b, const struct slot_set *slots) MUST_CHECK;
bool backup_mark_part(void *backup, const struct part *part, struct error *err);
void backup_mark_drop(struct backup *b, uint64_t number, bool functions, const char *why);
void backup_mark_note(struct backup *b, const char *kind, const char *text);
bool backup_mark_local(struct backup *b, struct error *err) MUST_CHECK;
bool backup_checkpoint_lost(struct backup *b, const struct error *why); /* true */
/* backup_upload.c: lines about the upload, as it becomes true (any thread); and read again. False:
 * no line of ours. */
void backup_remember_uploads(struct backup *b, bool keep);
bool backup_take_upload(struct backup *b, const json_t *line);
bool backup_take_sent(struct backup *b, const json_t *line);
/* backup_resume.c: what earlier runs of this job finished; checks the parts that they left. *local:
 * only the upload is missing. */
bool backup_resume(struct backup *b, const char *dir, const struct archive_options *archive,
                   struct archive_again *again, bool *local, struct error *err) MUST_CHECK;
uint16_t backup_node_index(struct backup *b, const struct backup_node *node);

int64_t backup_outage_ms(const struct backup *b);
/* backup_round.c: read `want` (cluster mode; else slot 0 stands for all) once; *dirty gets what
 * must be read again. */
bool backup_round(struct backup *b, const struct slot_set *want, uint32_t generation,
                  struct slot_set *dirty, struct error *err) MUST_CHECK;
/* backup_manifest.c: all but the parts. */
struct manifest *backup_manifest(const struct backup *b);
/* backup_functions.c: the libraries of all primaries, as a part. */
bool backup_functions(struct backup *b, struct error *err) MUST_CHECK;

#endif
