/*
 * restore_lane.h - the parts that one worker goes through in one pass, and what it does with each.
 * Private to core/restore/restore*.
 *
 * A lane is the parts of one shard of the backup, in order, without those that an earlier run has
 * finished. A part that goes on with the key at the end of the one before is always read after it.
 * When a record of the next part comes up, everything before it is settled first; so a finished
 * part is one whose keys were all answered for, and it is journalled as such (restore_resume.h).
 */
#ifndef CORE_RESTORE_RESTORE_LANE_H
#define CORE_RESTORE_RESTORE_LANE_H

#include "core/archive/record_stream.h"
#include "core/redis/slot.h"

struct restore_shared;
struct restore_worker;

struct restore_lane_part {
    /* WRITE: all of it. AGAIN: only keys of `slots`, with care. PASS: only the rest of the key that
     * the part before ends with. */
    enum { RESTORE_LANE_WRITE, RESTORE_LANE_AGAIN, RESTORE_LANE_PASS } how;
    const struct slot_set *slots;
};

struct restore_lane {
    struct part_group group; /* owns its list */
    struct restore_lane_part *parts;
};

/* The lanes of this pass: s->again, or what s->resume says. */
struct restore_lane *restore_lanes_new(const struct restore_shared *s, size_t *count);
void restore_lanes_free(struct restore_lane *lanes, size_t count);

/* Where a worker is in its lane. Part of struct restore_worker. */
struct restore_lane_place {
    const struct restore_lane *lane;
    size_t at;        /* the part whose records come now; those before it are settled */
    size_t finished;  /* parts before this one are journalled */
    bool *failed;     /* per part: keys of it failed or are unsure */
    uint64_t trouble; /* how many such keys there were when this part began */
    int64_t told_ms;  /* when the journal was last written */
};

void restore_lane_begin(struct restore_worker *w, const struct restore_lane *lane);
size_t restore_lane_part(const struct restore_worker *w); /* index into the manifest's parts */
/* Is the record at hand in another part than the one before? Then settle first, and enter. */
bool restore_lane_is_new(const struct restore_worker *w, struct record_position here);
bool restore_lane_enter(struct restore_worker *w, struct record_position here,
                        struct error *err) MUST_CHECK;
/* All records came, or the run ends (whole false): journal what is finished. Frees the place. */
bool restore_lane_end(struct restore_worker *w, bool whole, struct error *err) MUST_CHECK;

#endif
