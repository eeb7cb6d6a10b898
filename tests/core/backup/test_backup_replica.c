/*
 * test_backup_replica.c - what a replica says of itself with each batch: is it still the one whose
 * reading was begun?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/backup/backup_private.h"
#include "core/base/alloc.h"
#include "core/base/attr.h"

struct role {
    const char *word, *host, *state;
    int64_t port, offset;
};

static bool fits(struct shard *s, const struct role *said)
{
    struct reply e[5] = {
        {.type = REPLY_STRING, .str = str_from(said->word)},
        {.type = REPLY_STRING, .str = str_from(said->host)},
        {.type = REPLY_INTEGER, .integer = said->port},
        {.type = REPLY_STRING, .str = str_from(said->state)},
        {.type = REPLY_INTEGER, .integer = said->offset},
    };

    return shard_role_fits(s, &(struct reply){.type = REPLY_ARRAY, .elements = e, .count = 5});
}

static struct shard *new_shard(void)
{
    static const struct address nobody = {.host = "127.0.0.1", .port = 1};
    struct shard *s = mem_zero(1, sizeof(*s));

    s->conn = conn_new(&nobody, &(struct conn_options){0});
    s->source.replica = true;
    (void)str_copy(STR("127.0.0.1:7001"), s->source.follows, sizeof(s->source.follows));
    return s;
}

static void free_shard(struct shard *s)
{
    conn_free(s->conn);
    free(s);
}

static void a_replica_that_goes_on_as_before_fits(void **state UNUSED)
{
    struct shard *s = new_shard();

    assert_true(fits(s, &(struct role){"slave", "127.0.0.1", "connected", 7001, 42}));
    assert_int_equal(s->source.offset, 42);
    free_shard(s);
}

/* Between two looks it went over to another primary and caught up: it has other keys now. */
static void a_replica_of_another_primary_does_not_fit(void **state UNUSED)
{
    struct shard *s = new_shard();

    assert_false(fits(s, &(struct role){"slave", "127.0.0.1", "connected", 7002, 42}));
    assert_int_equal(s->end, SHARD_CHANGED);
    assert_non_null(strstr(s->reason, "another primary"));
    free_shard(s);
}

static void a_replica_that_is_cut_off_or_promoted_does_not_fit(void **state UNUSED)
{
    struct shard *s = new_shard();

    assert_false(fits(s, &(struct role){"slave", "127.0.0.1", "sync", 7001, 42}));
    assert_false(fits(s, &(struct role){"master", "", "", 0, 42}));
    free_shard(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_that_goes_on_as_before_fits),
        cmocka_unit_test(a_replica_of_another_primary_does_not_fit),
        cmocka_unit_test(a_replica_that_is_cut_off_or_promoted_does_not_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
