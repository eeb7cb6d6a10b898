/*
 * s3_curl.h - a test's own hand in the lab's bucket: curl, which signs by itself and has nothing to
 * do with the client under test.
 *
 * Keys may hold any byte but NUL; they are percent-encoded here. A request that the server refuses
 * fails the test with what it said. Test thread only; Linux with curl 7.75 or newer.
 */
#ifndef TESTS_HARNESS_S3_CURL_H
#define TESTS_HARNESS_S3_CURL_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/harness/lab.h"

void s3_curl_put(const struct lab_s3 *s3, const char *key, const void *bytes, size_t len);
/* The object, malloc-ed and NUL-terminated; NULL when it is not there. len may be NULL. */
char *s3_curl_get(const struct lab_s3 *s3, const char *key, size_t *len);
bool s3_curl_exists(const struct lab_s3 *s3, const char *key);
void s3_curl_remove(const struct lab_s3 *s3, const char *key); /* absent is fine */
/* How many keys start with prefix, at most 1000. */
size_t s3_curl_count(const struct lab_s3 *s3, const char *prefix);

#endif
