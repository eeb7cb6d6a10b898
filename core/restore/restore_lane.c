#include "core/restore/restore_lane.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/restore/restore_resume.h"
#include "core/restore/restore_worker.h"

#define TELL_MS 1000
#define TELL_PARTS 2000 /* a journal line holds that many numbers with ease */

/* ---- which parts ------------------------------------------------------------------------------
 */

static struct restore_lane_part part_of(const struct restore_shared *s, size_t part)
{
    struct restore_lane_part p = {RESTORE_LANE_WRITE, NULL};

    if (s->again != NULL)
        return (struct restore_lane_part){RESTORE_LANE_AGAIN, s->again};
    switch (restore_resume_part(s->resume, part, &p.slots)) {
    case RESTORE_PART_OPEN:
        break;
    case RESTORE_PART_LOOK:
        p.how = RESTORE_LANE_AGAIN;
        break;
    case RESTORE_PART_FINISHED:
        p.how = RESTORE_LANE_PASS;
        break;
    }
    return p;
}

static void fill(const struct restore_shared *s, const struct part_group *from,
                 struct restore_lane *lane)
{
    const struct manifest *m = source_manifest(s->source);
    bool before = false;

    lane->group =
        (struct part_group){.shard = from->shard, .parts = mem_zero(from->count, sizeof(size_t))};
    lane->parts = mem_zero(from->count, sizeof(*lane->parts));
    for (size_t i = 0; i < from->count; i++) {
        struct restore_lane_part p = part_of(s, from->parts[i]);

        before = p.how != RESTORE_LANE_PASS || (before && m->parts[from->parts[i]].continues);
        if (!before)
            continue;
        lane->parts[lane->group.count] = p;
        lane->group.parts[lane->group.count++] = from->parts[i];
    }
}

struct restore_lane *restore_lanes_new(const struct restore_shared *s, size_t *count)
{
    struct restore_lane *lanes = mem_zero(s->group_count, sizeof(*lanes));

    for (size_t i = 0; i < s->group_count; i++)
        fill(s, &s->groups[i], &lanes[i]);
    *count = s->group_count;
    return lanes;
}

void restore_lanes_free(struct restore_lane *lanes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(lanes[i].group.parts);
        free(lanes[i].parts);
    }
    free(lanes);
}

/* ---- on the way ------------------------------------------------------------------------------
 */

static void set_part(struct restore_worker *w, size_t at)
{
    struct restore_lane_place *p = &w->place;

    p->at = at;
    p->trouble = w->result.failed + w->result.unsure;
    w->again = at < p->lane->group.count && p->lane->parts[at].how == RESTORE_LANE_AGAIN
                   ? p->lane->parts[at].slots
                   : NULL;
    w->passing = at < p->lane->group.count && p->lane->parts[at].how == RESTORE_LANE_PASS;
}

void restore_lane_begin(struct restore_worker *w, const struct restore_lane *lane)
{
    w->place = (struct restore_lane_place){.lane = lane,
                                           .failed = mem_zero(lane->group.count, sizeof(bool)),
                                           .told_ms = clock_mono_ms()};
    w->told = w->result;
    set_part(w, 0);
}

size_t restore_lane_part(const struct restore_worker *w)
{
    return w->place.lane->group.parts[w->place.at];
}

bool restore_lane_is_new(const struct restore_worker *w, struct record_position here)
{
    return here.part != w->place.at;
}

/* What has been counted since the last line. */
static struct restore_result counted(const struct restore_worker *w)
{
    struct restore_result sum = w->result;
    const struct restore_result *told = &w->told;

    sum.written -= told->written;
    sum.existing -= told->existing;
    sum.conflicts -= told->conflicts;
    sum.rewritten -= told->rewritten;
    sum.replaced -= told->replaced;
    sum.changed -= told->changed;
    sum.repeated -= told->repeated;
    sum.expired -= told->expired;
    sum.failed -= told->failed;
    sum.unsure -= told->unsure;
    for (size_t t = 0; t < RECORD_TYPES; t++)
        sum.by_type[t] -= told->by_type[t];
    return sum;
}

static bool tell(struct restore_worker *w, struct error *err)
{
    struct restore_lane_place *p = &w->place;
    size_t parts[TELL_PARTS];
    size_t failed[TELL_PARTS];
    struct restore_told told = {.parts = parts, .failed = failed, .sum = counted(w)};

    if (w->shared->again != NULL || p->finished == p->at)
        return true; /* a later pass of this run: its beginning was journalled */
    for (size_t i = p->finished; i < p->at; i++)
        if (p->lane->parts[i].how != RESTORE_LANE_PASS) {
            parts[told.count++] = p->lane->group.parts[i];
            if (p->failed[i])
                failed[told.failed_count++] = p->lane->group.parts[i];
        }
    p->finished = p->at;
    p->told_ms = clock_mono_ms();
    w->told = w->result;
    return told.count == 0 || restore_resume_finished(w->shared->resume, &told, err);
}

/* Parts without a record for us are finished as they are passed. */
bool restore_lane_enter(struct restore_worker *w, struct record_position here, struct error *err)
{
    struct restore_lane_place *p = &w->place;

    while (p->at < here.part) {
        p->failed[p->at] = w->result.failed + w->result.unsure > p->trouble;
        set_part(w, p->at + 1);
        if (p->at - p->finished == TELL_PARTS && !tell(w, err))
            return false;
    }
    return clock_mono_ms() - p->told_ms < TELL_MS || tell(w, err);
}

bool restore_lane_end(struct restore_worker *w, bool whole, struct error *err)
{
    const struct record_position end = {w->place.lane->group.count, 0};

    bool ok = (!whole || restore_lane_enter(w, end, err)) && tell(w, err);

    free(w->place.failed);
    w->place.failed = NULL;
    return ok;
}
