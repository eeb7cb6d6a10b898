#include "core/config/process_env.h"

#include <stddef.h>
#include <stdlib.h>

/* Nobody ever sets a variable, so reading one is safe in every thread. */
const char *process_env(const void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name); /* NOLINT(concurrency-mt-unsafe) */
}

const char *process_env_text(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe) */
    return value != NULL && value[0] != '\0' ? value : NULL;
}
