/*
 * fixture_checkpoint.h - what parts.jsonl of job B-0001 says, while the backup writes it.
 *
 * state: the state directory of the test. A file that is not there yet has no lines.
 */
#ifndef TESTS_ENGINE_FIXTURE_CHECKPOINT_H
#define TESTS_ENGINE_FIXTURE_CHECKPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lines of a kind; since: only those after the newest run began. keys: the sum of that member, may
 * be NULL. */
size_t checkpoint_lines(const char *state, const char *kind, bool since, int64_t *keys);
/* Marks whose parts are all in the file. */
size_t checkpoint_solid_marks(const char *state);

#endif
