/*
 * snapshot_private.h - what the files of a snapshot share: snapshot.c leads and adds up,
 * snapshot_sink.c turns readings into sums, snapshot_keys.c writes the keys file, snapshot_facts.c
 * asks the nodes about themselves, snapshot_report.c tells. Nobody else includes it.
 *
 * A struct snapshot_pass belongs to its worker's thread until that is joined, then to the leader.
 */
#ifndef CORE_SNAPSHOT_SNAPSHOT_PRIVATE_H
#define CORE_SNAPSHOT_SNAPSHOT_PRIVATE_H

#include <pthread.h>

#include "core/backup/backup.h"
#include "core/snapshot/snapshot.h"
#include "core/value/key_sample.h"
#include "core/value/prefixes.h"
#include "core/value/slot_sums.h"

/* What is counted of keys; of one pass, or of them all. */
struct snapshot_tables {
    struct slot_sums *sums;
    struct prefixes *prefixes;
    struct key_sample *sample; /* NULL: not asked for */
};

void snapshot_tables_init(struct snapshot_tables *t, size_t sample);
void snapshot_tables_release(struct snapshot_tables *t);
void snapshot_tables_add(struct snapshot_tables *t, const struct key_facts *k);

/* One reading of one node. Its keys go into the tables at once; into the spool when all of them are
 * wanted by name, or once they can no longer be told from repeated ones. */
struct snapshot_pass {
    struct snapshot_run *run;
    struct sink_pass pass; /* its strings: while the pass runs */
    char node[320];
    char node_id[CLUSTER_ID_MAX];
    struct snapshot_tables tables;
    struct key_digest *digest; /* NULL after the pass */
    struct key_spool *spool;   /* NULL: not needed so far */
    size_t spool_memory;
    struct key_facts facts; /* of the key at hand; when adding up: of the next one */
    bool facts_there;       /* when adding up */
    bool at_end;
    struct arena scratch;
};

struct snapshot_run {
    const struct snapshot_options *o;
    struct task *task;
    char dir[300]; /* for temporary files */
    size_t memory;
    pthread_mutex_t mutex; /* guards passes */
    struct snapshot_pass **passes;
    size_t pass_count, pass_cap;
    struct snapshot_pass *counting[SLOT_COUNT]; /* the leader's: whose reading counts */
    bool by_slot;
    const struct backup_result *reading; /* what the engine said */
    struct snapshot_tables total;
    uint64_t keys_written;
    char run_id[40];
};

/* snapshot.c. A run before anything is read; after its passes are closed: tables and keys file. */
struct snapshot_run *snapshot_run_new(const struct snapshot_options *options, struct task *task);
void snapshot_run_free(struct snapshot_run *run);
bool snapshot_add_up(struct snapshot_run *run, struct error *err) MUST_CHECK;

extern const struct sink_ops snapshot_sink_ops; /* ctx: struct snapshot_run */
void snapshot_pass_free(struct snapshot_pass *p);

/* snapshot_keys.c: keys one after another into a file that appears when it is finished. */
struct keys_writer;
bool keys_writer_open(const char *path, const char *run_id, struct keys_writer **out,
                      struct error *err) MUST_CHECK;
bool keys_writer_add(struct keys_writer *w, const struct key_facts *k,
                     struct error *err) MUST_CHECK;
bool keys_writer_finish(struct keys_writer *w, struct error *err) MUST_CHECK;
void keys_writer_free(struct keys_writer *w); /* unfinished: the file is removed. NULL is fine */

/* snapshot_report.c: the whole document; the members of `facts` stand in it. */
json_t *snapshot_report(const struct snapshot_run *run, json_t *facts);

/* snapshot_facts.c: "servers", "topology" and "functions" of the report. Never fails: what cannot
 * be asked is said in the report. */
void snapshot_facts(struct cluster *cluster, struct task *task, json_t *doc);

#endif
