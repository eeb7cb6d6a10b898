#include "core/config/process_env.h"

#include <stddef.h>
#include <stdlib.h>

const char *process_env(const void *ctx, const char *name)
{
    (void)ctx;
    return getenv(name);
}

const char *process_env_text(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}
