/*
 * group_kit.h - what a program of S3 tests begins and ends with: the libraries are set up once, in
 * the main thread.
 */
#ifndef TESTS_CORE_S3_GROUP_KIT_H
#define TESTS_CORE_S3_GROUP_KIT_H

#include "core/s3/s3.h"

static inline int s3_group_start(void **state)
{
    struct error err;

    (void)state;
    return s3_global_init(&err) ? 0 : -1;
}

static inline int s3_group_stop(void **state)
{
    (void)state;
    s3_global_release();
    return 0;
}

#endif
