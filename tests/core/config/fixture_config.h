/*
 * fixture_config.h - what the tests of the configuration share: a made-up file in a directory of
 * its own, a made-up process environment, and loading both.
 *
 * The environment is a list NAME, value, NAME, value, NULL in request.lookup_ctx. Failing loads
 * end the test with the text of the error.
 */
#ifndef TESTS_CORE_CONFIG_FIXTURE_CONFIG_H
#define TESTS_CORE_CONFIG_FIXTURE_CONFIG_H

#include "core/base/error.h"
#include "core/config/config.h"

#define SEED_FORM "{\"redis_nodes\":{\"local\":{\"nodes\":[\"127.0.0.1:7001\"]}}}"

struct fixture {
    const char *dir;
    const char *file;
    struct config_request request;
    struct config *config;
    struct error err;
};

/* No variables at all. */
extern const char *const fixture_nothing[];

/* json NULL: no file. */
void fixture_start(struct fixture *f, const char *json);
bool fixture_load(struct fixture *f);
void fixture_must_load(struct fixture *f);
/* Loading that text fails as a mistake in the configuration and says `part`. */
void fixture_refuses(const char *json, const char *part);

#endif
