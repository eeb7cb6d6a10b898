/*
 * catalog.h - the backups in a store, told from the names in it; their manifests read on demand.
 *
 * One row per backup id, newest first, whatever of `<id>.tar.gz`, `<id>/` and
 * `<id>.metadata.json` exists. Names that are no backup's are counted and otherwise ignored. A
 * catalog belongs to one thread; rows stay where they are until it is freed.
 * Follows docs of the archive format: names, sidecar, "latest".
 */
#ifndef CORE_STORE_CATALOG_H
#define CORE_STORE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/str.h"
#include "core/store/store.h"

#define BACKUP_ID_MAX 128                     /* bytes with the terminator */
#define CATALOG_NAME_MAX (BACKUP_ID_MAX + 16) /* an id with any ending, such as /metadata.json */
#define BACKUP_ENV_MAX 64                     /* bytes with the terminator */
#define BACKUP_TYPES_MAX 12
#define CATALOG_HEAD_BYTES 65536 /* of a manifest, at most, read for the summary */
#define CATALOG_HEAD_FIRST 12288 /* and what is mostly enough */
#define CATALOG_ROWS_MAX 200000

/* "redis-backup-<env>-<YYYYMMDDTHHMMSSZ>-<4 lower hex>" taken apart. */
struct backup_id {
    char text[BACKUP_ID_MAX];
    char env[BACKUP_ENV_MAX]; /* letters, digits, '.', '_', '-'; starts with a letter or digit */
    int64_t time_ms;          /* UTC, whole seconds */
};

/* The whole text must be an id; anything else is false. */
bool backup_id_parse(struct str text, struct backup_id *out) MUST_CHECK;
/* A new id of now (real_ms) with random hex. False when env cannot be part of a name. */
bool backup_id_make(const char *env, int64_t real_ms, struct backup_id *out) MUST_CHECK;

enum backup_state {
    BACKUP_UNREAD,     /* its manifest was not read yet */
    BACKUP_COMPLETE,   /* the manifest says so and the archive or directory is there */
    BACKUP_INCOMPLETE, /* no manifest in its directory, or the manifest says so */
    BACKUP_CORRUPT,    /* the manifest cannot be understood, or what it describes is missing */
    BACKUP_FOREIGN,    /* an archive without a manifest beside it: another tool's, or cut off */
    BACKUP_UNKNOWN,    /* the manifest could not be fetched; the reason says why */
    BACKUP_STATES
};

const char *backup_state_name(enum backup_state state); /* "complete", … */

struct backup_type_count {
    char name[20];
    int64_t keys;
};

/* From the manifest's summary. Numbers are -1 when it does not say. */
struct backup_summary {
    char id[BACKUP_ID_MAX]; /* backup_id of the manifest, escaped */
    char reason[200];       /* one escaped line; empty when complete */
    bool complete;
    bool filtered;
    bool has_totals; /* the numbers below were reached in what was read */
    int64_t started_ms;
    int64_t finished_ms;
    int64_t keys;
    int64_t bytes;
    int64_t with_ttl;
    int64_t unreadable;
    int64_t archive_bytes; /* of the archive before its manifest: a shorter one is cut off */
    struct backup_type_count types[BACKUP_TYPES_MAX];
    size_t type_count;
    char env[BACKUP_ENV_MAX];
    char mode[16]; /* cluster, sentinel, single */
    char tool_version[32];
    char server[40]; /* "redis 7.0.15" of the first server, empty when unknown */
    const char *
        *cluster_ids; /* identity: node ids, sentinel ids or the address; owned by catalog */
    size_t cluster_id_count;
};

struct catalog_row {
    struct backup_id id;
    bool has_archive;
    bool has_directory;
    bool has_sidecar;
    int64_t archive_bytes; /* of all its objects; -1 without an archive */
    unsigned volumes;      /* objects of the archive: more than one for the very large */
    int64_t modified_ms;   /* newest of its parts; 0 when unknown */
    enum backup_state state;
    struct backup_summary summary; /* valid once state is not BACKUP_UNREAD */
};

struct catalog;

/* The store outlives the catalog. */
struct catalog *catalog_new(struct store *store);
void catalog_free(struct catalog *c); /* NULL allowed */
/* Take in one more page of names. *more false: the list is complete. */
bool catalog_next_page(struct catalog *c, bool *more, struct error *err) MUST_CHECK;
bool catalog_load(struct catalog *c, struct error *err) MUST_CHECK; /* all pages */
size_t catalog_count(const struct catalog *c);
struct catalog_row *catalog_row(const struct catalog *c, size_t i);        /* 0 is the newest */
struct catalog_row *catalog_find(const struct catalog *c, const char *id); /* NULL: not there */
size_t catalog_ignored(const struct catalog *c); /* names that are no backup's */
/* Read the manifest's first 64 KiB and settle the row's state, once. False when the store could not
 * be asked: the state is BACKUP_UNKNOWN then, and a later call asks again. A manifest that is
 * missing or broken is a state, not an error. */
bool catalog_read_summary(struct catalog *c, struct catalog_row *row, struct error *err) MUST_CHECK;
/* The same for many rows, several at a time; rows whose summary is read are passed over. True also
 * when single manifests could not be fetched: *unknown says how many, *why (may be NULL) the first
 * reason. False: cancelled. */
bool catalog_read_summaries(struct catalog *c, struct catalog_row *const *rows, size_t count,
                            size_t *unknown, struct error *why, struct error *err) MUST_CHECK;
#define CATALOG_READERS 8
/* The name to open for reading: "<id>.tar.gz", or "<id>" when only the directory is there. Returns
 * out. */
char *catalog_object_name(const struct catalog_row *row, char out[static CATALOG_NAME_MAX]);
/* The name of the manifest beside it, or "" when there is none. */
char *catalog_manifest_name(const struct catalog_row *row, char out[static CATALOG_NAME_MAX]);

struct catalog_want {
    const char *env;                /* NULL: any */
    const char *const *cluster_ids; /* identity of the cluster at hand; count 0: not known */
    size_t cluster_id_count;
    bool any; /* the newest complete one, of whatever environment, cluster or filter */
};

/* The newest backup that may be taken as `latest`; `why` (size bytes) gets one line that says what
 * was chosen and what newer ones were passed over, and why. ERROR_NOT_FOUND: none, with the
 * reason the newest was refused. */
bool catalog_latest(struct catalog *c, const struct catalog_want *want, struct catalog_row **out,
                    char *why, size_t size, struct error *err) MUST_CHECK;

/* Pure: the summary from the first bytes of a manifest (`whole`: they are all of it). Ids are
 * allocated in the arena. False and a reason when it is no manifest. */
bool backup_summary_parse(struct str head, bool whole, struct arena *arena,
                          struct backup_summary *out, struct error *err) MUST_CHECK;

/* What to keep: the newest `keep_count` complete ones of each environment (filtered ones are
 * counted apart) and all younger than keep_days; 0: rule not used. doomed[i] is set for the rows
 * that neither rule keeps. Incomplete and corrupt ones go only when they are older than a day and
 * a newer complete one of their environment stays; foreign ones never. Reads the summaries. */
struct catalog_keep {
    const char *env; /* only this environment; NULL: all */
    size_t keep_count;
    int64_t keep_days;
    int64_t now_ms;
};
bool catalog_plan_prune(struct catalog *c, const struct catalog_keep *keep, bool *doomed,
                        struct error *err) MUST_CHECK;
/* Remove all of a backup, the manifest first, so that a half-removed one is never `complete`;
 * and its uploads that were never finished. */
bool catalog_remove(struct catalog *c, const struct catalog_row *row, struct error *err) MUST_CHECK;

#endif
