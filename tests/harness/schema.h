/*
 * schema.h - does a document fit its schema in docs/schema? By the few keywords that these schemas
 * use: type, properties, required, additionalProperties, items, enum, const, minimum.
 *
 * What does not fit fails the test and is named. Test thread only.
 */
#ifndef TESTS_HARNESS_SCHEMA_H
#define TESTS_HARNESS_SCHEMA_H

#include <jansson.h>

/* schema_name: the path of the schema from the root of the checkout. */
void schema_expect(const char *schema_name, json_t *doc);

#endif
