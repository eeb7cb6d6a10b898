/*
 * restore_fit.h - does the backup fit the target: memory, slots, types and what its servers know,
 * settings that stand in the way. Private to core/restore/restore*.
 *
 * Three steps of restore_survey: every primary is asked (nothing is changed), every record is
 * counted, and what follows becomes warnings and blockers of the plan. What a target lacks is
 * refused, or, where the operator agreed, named; never dropped in silence. One thread for a plan.
 */
#ifndef CORE_RESTORE_RESTORE_FIT_H
#define CORE_RESTORE_RESTORE_FIT_H

#include "core/redis/cluster.h"
#include "core/restore/restore.h"

/* n->id and n->addr are set; `info` is the node's INFO, all sections. */
bool restore_fit_node(struct cluster *c, struct restore_plan *plan, struct restore_node *n,
                      struct str info, struct error *err) MUST_CHECK;
/* Every line of every key that is to be written. owner: of its slot, in the plan; NULL: none. */
void restore_fit_count(struct restore_plan *plan, const struct record *r, uint16_t slot,
                       struct restore_node *owner);
/* Put together what was counted apart; `open` is not touched. */
void restore_fit_add(struct restore_needs *to, const struct restore_needs *from);
/* trusted: DUMP payloads and functions may be used. */
void restore_fit_judge(struct restore_plan *plan, const struct restore_options *o,
                       const struct manifest *m, bool trusted);

/* The newest DUMP format that a server writes, and whether it reads one of that version. */
uint32_t restore_fit_rdb_version(enum flavour flavour, int version_number);
bool restore_fit_reads_rdb(enum flavour flavour, int version_number, uint32_t rdb_version);

#endif
