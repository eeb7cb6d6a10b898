/*
 * fixture_backup.h - a lab backed up by the engine itself, the lines it wrote read by jansson (not
 * by our codec), and a backup slow enough to be disturbed. Test thread only.
 */
#ifndef TESTS_ENGINE_FIXTURE_BACKUP_H
#define TESTS_ENGINE_FIXTURE_BACKUP_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/backup/backup.h"
#include "core/base/map.h"
#include "core/net/address.h"
#include "tests/harness/lab.h"

#define ID "redis-backup-local-20250818T060635Z-28e5"

struct setting {
    struct lab *lab;
    const char *dir;
    struct address seeds[2];
    struct secret password;
    struct redis_options redis;
    struct backup_options backup;
};

extern struct error why;

void must(bool ok); /* prints why */
void setting_init(struct setting *s, struct lab *lab);
/* One whole backup; it must write an archive. */
void setting_run(struct setting *s, struct task *task, struct backup_result *out);

/* key -> list of lines, of all parts that count. Keys are text in these tests. */
struct map *read_lines(const struct setting *s, const struct manifest *m);
/* The same from a line that garbled bytes: a field of a hash may stand twice in a record. */
struct map *read_lines_loosely(const struct setting *s, const struct manifest *m);
void free_lines(void *lines);
const json_t *only_line(struct map *keys, const char *key);
void expect_key(struct map *keys, const char *key, const char *type, const char *value);
/* user:1 … user:count stand in it, each on one line. */
void expect_all_seeded(const struct setting *s, const struct manifest *m, size_t count);

/* The server's own client, routed; an error reply fails the test. */
void cli(struct lab *lab, const char *const *argv);
#define CLI(lab, ...) cli(lab, (const char *const[9]){__VA_ARGS__})
/* The same on one node, not routed; the answer must begin with `want` (NULL: any). */
void cli_on(struct lab *lab, size_t node, const char *want, const char *const *argv);
#define CLI_ON(lab, node, want, ...) cli_on(lab, node, want, (const char *const[12]){__VA_ARGS__})

struct background {
    struct setting *s;
    struct task *task;
    struct backup_result done;
    bool ok;
    struct error err;
    pthread_t thread;
};

/* Slow enough to be met in the middle; true once the second part is on disk. */
bool start_slowly(struct background *b, struct setting *s);
void wait_for_end(struct background *b); /* it must have written an archive */
/* It must have stopped with that code. */
void wait_for_failure(struct background *b, enum error_code code);
void background_release(struct background *b);

#endif
