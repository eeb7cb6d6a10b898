/*
 * json.h - jansson with our limits and our errors, for documents of bounded size.
 *
 * Never for data records (see core/record/record): those are streamed. Duplicate keys are
 * refused, nesting is at most 32 levels. Objects are owned by the caller (json_decref). Getters
 * return false when the member is absent or null, and fail with ERROR_CORRUPT when its type is
 * wrong. One thread per document.
 */
#ifndef CORE_BASE_JSON_H
#define CORE_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"

#define JSON_DEPTH_MAX 32

/* NULL on failure: ERROR_CORRUPT with line and column. `name` says what is being read. */
json_t *json_parse(struct str text, const char *name, struct error *err) MUST_CHECK;
json_t *json_read_file(const char *path, size_t max, struct error *err) MUST_CHECK;
bool json_write_file(const char *path, const json_t *doc, bool sync, struct error *err) MUST_CHECK;
/* Compact or indented by 2, members in insertion order, one trailing newline when indented. No
 * byte of it drives a terminal: control characters are written as \u00XX. */
bool json_print(const json_t *doc, bool pretty, struct buf *out, struct error *err) MUST_CHECK;

/* Values with a fallback, for our own files: the fallback also when the type is wrong. */
const char *json_text(const json_t *obj, const char *name, const char *fallback);
int64_t json_int(const json_t *obj, const char *name, int64_t fallback);
bool json_flag(const json_t *obj, const char *name, bool fallback);
double json_number(const json_t *obj, const char *name, double fallback);
/* Set a member; text from outside that is not valid UTF-8 is escaped first. NULL sets null. */
void json_put_text(json_t *obj, const char *name, const char *value);
void json_put_str(json_t *obj, const char *name, struct str value);
void json_put_int(json_t *obj, const char *name, int64_t value);
/* More than INT64_MAX is written as that. */
void json_put_count(json_t *obj, const char *name, uint64_t value);
void json_put_flag(json_t *obj, const char *name, bool value);
void json_put_number(json_t *obj, const char *name, double value);
void json_put(json_t *obj, const char *name, json_t *value); /* takes value */
void json_push(json_t *list, json_t *value);                 /* takes value */

#endif
