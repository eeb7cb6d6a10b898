/*
 * fixture_records.h - records as jansson reads them (not our codec), judged against what they said
 * on a good line. What a bad line changed itself may differ, within bounds; a value that belongs to
 * another key, or one moved along by a reply too many, may not. Test thread only.
 */
#ifndef TESTS_FAULTS_FIXTURE_RECORDS_H
#define TESTS_FAULTS_FIXTURE_RECORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/map.h"

/* What a key's lines say together but for what may differ between two readings. */
json_t *record_whole(const json_t *lines);
/* Of all keys (as read_lines gave them), by name. */
struct map *records_new(struct map *lines);
void records_free(struct map *records);

/* NULL, or what is wrong with the lines of `key`. lies: how often the line changed or doubled
 * bytes; *differs: the record is not what it was, which a lie explains. The text is static. */
const char *record_judge(struct map *records, const char *key, const json_t *lines, size_t lies,
                         bool *differs);

#endif
