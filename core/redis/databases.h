/*
 * databases.h - which numbered databases of a server hold keys.
 *
 * A cluster has database 0 only, unless it is told otherwise (Valkey 9). Blocking; the thread that
 * owns the struct cluster.
 */
#ifndef CORE_REDIS_DATABASES_H
#define CORE_REDIS_DATABASES_H

#include "core/redis/cluster.h"

#define DATABASES_MAX 1024

/* numbers: DATABASES_MAX entries. ERROR_LIMIT when there are more. */
bool databases_of(struct cluster *c, const char *id, uint32_t *numbers, size_t *count,
                  struct error *err) MUST_CHECK;

#endif
