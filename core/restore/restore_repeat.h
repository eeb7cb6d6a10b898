/*
 * restore_repeat.h - keys that stand in the backup more than once: they must be written in order.
 * Private to core/restore/restore*.
 *
 * Of a key's records in one generation the later one counts. Where existing keys stay, the first
 * record would win; where they are replaced too, if it has to be sent again and arrives behind the
 * later one. So the survey, which reads every record, notes which keys may come again (never
 * missing one, and a few too many), and the run remembers which of these few it wrote itself: those
 * it may replace. Bounded: two bytes for each key of the backup and 32 for each that may come
 * again. Any thread; all noting before the first question.
 */
#ifndef CORE_RESTORE_RESTORE_REPEAT_H
#define CORE_RESTORE_RESTORE_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/str.h"

struct restore_repeat;

/* keys: about how many the backup has. */
struct restore_repeat *restore_repeat_new(uint64_t keys);
void restore_repeat_free(struct restore_repeat *r); /* NULL is fine */
/* A record of the survey. */
void restore_repeat_note(struct restore_repeat *r, uint32_t db, struct str key);
/* False once more keys repeat than are remembered (some millions). */
bool restore_repeat_is_whole(const struct restore_repeat *r);

/* May there be another record of this key? */
bool restore_repeat_may(struct restore_repeat *r, uint32_t db, struct str key);
/* This run wrote it: a later record may replace it. Only for keys that may repeat. */
void restore_repeat_wrote(struct restore_repeat *r, uint32_t db, struct str key);
bool restore_repeat_is_ours(struct restore_repeat *r, uint32_t db, struct str key);

#endif
