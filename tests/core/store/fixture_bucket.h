/*
 * fixture_bucket.h - stores in the bucket of a real S3 server. Test thread only.
 */
#ifndef TESTS_CORE_STORE_FIXTURE_BUCKET_H
#define TESTS_CORE_STORE_FIXTURE_BUCKET_H

#include "core/store/store.h"
#include "tests/harness/lab.h"

#define ID "redis-backup-dev-20250818T060635Z-28e5"
#define BIG ((size_t)12 << 20)

/* For cmocka's groups: one server for all tests of the program. */
int bucket_start(void **state);
int bucket_stop(void **state);
const struct lab_s3 *bucket_server(void);
/* Parts of 5 MiB, three at a time. */
struct store_options bucket_options(void);
struct store *bucket_open(const char *prefix, const struct store_options *options);
/* Uploads under that prefix that were never finished. */
size_t bucket_uploads(struct store *store, struct str prefix);
char *bucket_bytes(void); /* 2 * BIG, the same each time; freed by the caller */
/* Ends the test with the error's text unless ok. */
void must(bool ok, const struct error *err);

#endif
