/*
 * diff_findings.h - two verification reports compared: which findings appeared, went away, stayed,
 * or changed their verdict.
 *
 * Works on the reports' JSON, which may come from anywhere: what is not as it should be is refused
 * or passed over, never trusted. Pure; any thread.
 * Source: docs/schema/diff.schema.json.
 */
#ifndef CORE_DIFF_DIFF_FINDINGS_H
#define CORE_DIFF_DIFF_FINDINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/attr.h"
#include "core/base/error.h"

/* Is this document a verification's report, as `verify --report` saves it? */
bool diff_is_verification(const json_t *doc);
/* The difference as one document, owned by the caller; its "findings" says how many there are.
 * limit: findings named for each kind of change. NULL and ERROR_CORRUPT: one is no report. */
json_t *diff_verifications(const json_t *a, const char *name_a, const json_t *b, const char *name_b,
                           uint64_t limit, struct error *err) MUST_CHECK;

#endif
