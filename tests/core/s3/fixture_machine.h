/*
 * fixture_machine.h - a machine of the test's own: its environment, its home, its AWS files; and
 * what credentials are found there. Test thread only.
 */
#ifndef TESTS_CORE_S3_FIXTURE_MACHINE_H
#define TESTS_CORE_S3_FIXTURE_MACHINE_H

#include "core/s3/credential.h"

#define MACHINE_VARIABLES 12
#define JSON_KEYS "\"AccessKeyId\":\"AKIDJSON\",\"SecretAccessKey\":\"json/secret\""
#define LATER "\"Expiration\":\"2999-01-01T00:00:00Z\""

struct machine_variable {
    const char *name;
    const char *value;
};

struct machine {
    const char *dir; /* HOME */
    struct machine_variable env[MACHINE_VARIABLES];
    size_t count;
    const char *profile;
};

/* The lookup function for struct s3_options; ctx is the machine. */
const char *machine_look_up(const void *ctx, const char *name);
void machine_set(struct machine *m, const char *name, const char *value);
/* A home of its own and no metadata service. */
struct machine machine_new(void);
/* A file in the home, and the variable that names it; name may have folders. NULL: no variable. */
void machine_add_file(struct machine *m, const char *variable, const char *name, const char *text);
bool machine_fetch(const struct machine *m, struct credential *out, struct error *err);
void machine_expect(const struct machine *m, const char *access, const char *secret,
                    const char *token, const char *source);
/* The code, a part of the text, and no secret in it ("secret/", "topsecret"). */
void machine_expect_failure(const struct machine *m, enum error_code code, const char *says);

#endif
