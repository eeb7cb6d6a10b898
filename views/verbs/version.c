#include <stdio.h>

#include "views/verbs/verb.h"

#ifndef RBCONSOLE_VERSION
#define RBCONSOLE_VERSION "unknown"
#endif

static int run(const struct invocation *inv, struct error *err)
{
    (void)err;
    if (inv->json)
        printf("{\"name\":\"rbconsole\",\"version\":\"%s\"}\n", RBCONSOLE_VERSION);
    else
        printf("rbconsole %s\n", RBCONSOLE_VERSION);
    return 0;
}

const struct verb verb_version = {
    .name = "version",
    .summary = "Print the version.",
    .flags = VERB_NO_ENV | VERB_NO_CONFIG,
    .run = run,
};
