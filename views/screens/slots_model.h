/*
 * slots_model.h - the slot map of a snapshot, as tui/slotmap.h wants it. Pure.
 */
#ifndef VIEWS_SCREENS_SLOTS_MODEL_H
#define VIEWS_SCREENS_SLOTS_MODEL_H

#include "core/monitor/snapshot.h"
#include "tui/slotmap.h"

struct slots_model {
    uint16_t group[SLOT_COUNT]; /* shard number, or SLOTMAP_NONE */
    uint8_t mark[SLOT_COUNT];   /* enum slotmap_mark */
};

void slots_model_fill(struct slots_model *m, const struct snapshot *s);
struct slotmap slots_model_map(const struct slots_model *m);
/* "16384/16384 ok", or what is wrong: "10923 ok, 5461 FAIL: 0-5460". Returns out. */
char *slots_model_summary(char *out, size_t size, const struct snapshot *s);
/* One line about a slot: owner, state. Returns out. */
char *slots_model_describe(char *out, size_t size, const struct snapshot *s, uint16_t slot);

#endif
