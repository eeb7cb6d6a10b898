/*
 * temp_key.h - names for keys under construction: "\0rbc:<run>:{tag}:<n>", in the slot of the key
 * that they will become, so that RENAME works in a cluster.
 *
 * A key that holds '}' cannot lend its own name as a hash tag, so tags come from a table with one
 * short tag for each of the 16384 slots. The table is immutable after temp_key_table_new; any
 * thread.
 */
#ifndef CORE_RECORD_TEMP_KEY_H
#define CORE_RECORD_TEMP_KEY_H

#include <stdint.h>

#include "core/base/str.h"
#include "core/redis/slot.h"

#define TEMP_KEY_MAX 96
#define TEMP_KEY_TTL_MS 3600000 /* safety: a temporary key of a dead run is gone after an hour */

struct temp_key_table;

struct temp_key_table *temp_key_table_new(void);
void temp_key_table_free(struct temp_key_table *t);

/* Write the name into out (TEMP_KEY_MAX bytes) and return the view of it. `run` is the job's random
 * run id, letters and digits only. */
struct str temp_key_name(const struct temp_key_table *t, uint16_t slot, const char *run,
                         uint64_t number, char *out);

#endif
