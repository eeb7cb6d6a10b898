#include "tests/core/store/fixture_bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"

static struct lab *lab;

const struct lab_s3 *bucket_server(void)
{
    return lab_s3(lab);
}

struct store_options bucket_options(void)
{
    const struct lab_s3 *server = lab_s3(lab);
    return (struct store_options){.s3 = {.endpoint_url = server->endpoint,
                                         .region = server->region,
                                         .access_key = server->access_key,
                                         .secret_key = server->secret_key,
                                         .tries = 3},
                                  .part_bytes = (size_t)5 << 20,
                                  .concurrency = 3};
}

struct store *bucket_open(const char *prefix, const struct store_options *options)
{
    const struct lab_s3 *server = lab_s3(lab);
    char uri[300];
    struct store *store = NULL;
    struct error err = {.text = ""};
    (void)snprintf(uri, sizeof(uri), "s3://%s/%s", server->bucket, prefix);
    if (!store_open(uri, options, &store, &err))
        fail_msg("%s", err.text);
    return store;
}

void must(bool ok, const struct error *err)
{
    if (!ok)
        fail_msg("%s", err->text);
}

size_t bucket_uploads(struct store *store, struct str prefix)
{
    struct s3_uploads uploads;
    struct error err = {.text = ""};
    must(s3_list_uploads(store_s3_client(store), prefix, &uploads, &err), &err);
    size_t count = uploads.count;
    s3_uploads_release(&uploads);
    return count;
}

char *bucket_bytes(void)
{
    char *data = mem_alloc(2 * BIG);
    for (size_t i = 0; i < 2 * BIG; i++)
        data[i] = (char)((i * 2654435761U) >> 11);
    return data;
}

int bucket_start(void **state)
{
    struct error err;
    const struct lab_options options = {.kind = LAB_S3_ONLY, .s3 = true};
    (void)state;
    lab = s3_global_init(&err) ? lab_start(&options) : NULL;
    return lab != NULL ? 0 : -1;
}

int bucket_stop(void **state)
{
    (void)state;
    lab_stop(lab);
    s3_global_release();
    return 0;
}
