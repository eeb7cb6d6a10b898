/*
 * fixture_verb.h - one run of a verb of the real program, and its JSON looked into.
 *
 * Paths are "nodes.0.role": members and indexes. A member that is not there fails the test. Test
 * thread only.
 */
#ifndef TESTS_VIEWS_VERBS_FIXTURE_VERB_H
#define TESTS_VIEWS_VERBS_FIXTURE_VERB_H

#include <jansson.h>
#include <stddef.h>

#include "core/base/attr.h"
#include "tests/harness/proc.h"

/* Runs rbconsole -c CONFIG ARGS…; the arguments end with NULL. Fails the test (with what was said)
 * unless it ends with `status`. Release *r. */
void verb_run(struct proc_result *r, int status, const char *config, ...) __attribute__((sentinel));
/* The same with --json, and its stdout parsed (of an error: its stderr). Decref the result. */
json_t *verb_json(int status, const char *config, ...) __attribute__((sentinel));

const json_t *verb_at(const json_t *doc, const char *path);
long long verb_number(const json_t *doc, const char *path);
const char *verb_text(const json_t *doc, const char *path);
/* The finding of that rule, or NULL. */
const json_t *verb_finding(const json_t *doc, const char *rule);
/* The node with that address; fails the test when there is none. */
const json_t *verb_node(const json_t *doc, const char *address);

#endif
