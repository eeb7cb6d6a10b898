/*
 * fixture_whole.h - a cluster full of data of every type, a backup of it, and the program that puts
 * it back: what the servers hold afterwards is judged by their own digests, which no code of ours
 * has a part in. 100,000 keys with FAULTS=full, else 15,000. Test thread only.
 */
#ifndef TESTS_FAULTS_FIXTURE_WHOLE_H
#define TESTS_FAULTS_FIXTURE_WHOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tests/harness/lab.h"

#define WHOLE_DIGEST ((size_t)20)

bool faults_full(void);

/* Of all primaries together: the digest of a server is the sum of its keys' without carry. */
void whole_digest(struct lab *lab, unsigned char sum[WHOLE_DIGEST]);

struct whole {
    struct lab *lab;
    const char *backup; /* the directory */
    unsigned char digest[WHOLE_DIGEST];
    long long keys;
};

/* Sample data without deadlines, a backup of it by the program, and no failover from now on that
 * nobody asks for. False: the lab did not start. The lab is the caller's to stop. */
bool whole_start(struct whole *w, const struct lab_options *options);
/* Makes a new backup, of what the lab holds now: call it after more keys were made. */
void whole_back_up(struct whole *w);
void whole_flush(const struct whole *w);
/* Waits until the servers hold what was backed up: every key, each content, no temporary key. */
void whole_expect(const struct whole *w);

/* ---- the program --------------------------------------------------------------------------------
 */

/* A state directory of its own, so that its first restore is R-0001. */
struct program {
    const struct whole *whole;
    const char *state;
    const char *said; /* file with all that the newest run said */
    size_t runs;
};

struct program program_new(const struct whole *w);
/* `rbconsole -c CONFIG --state-dir DIR WORDS…` in the background; the words end with NULL. */
pid_t program_start(struct program *p, const char *const *words);
/* Waits for its end; fails the test, with what it said, unless it ends with that status and said
 * `part` (NULL: anything). */
void program_expect(const struct program *p, pid_t pid, int status, const char *part);
/* Until the servers hold so many keys, or the program has ended: then false. */
bool program_reaches(const struct whole *w, pid_t pid, long long keys);

#endif
