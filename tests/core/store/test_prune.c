/* Retention over random catalogs: what may never go stays, and what the rules give up goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/store/catalog_impl.h"

#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define ROWS_MAX 24
#define ROUNDS 4000

static uint32_t seed = 2463534242U;

static uint32_t roll(uint32_t sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed % sides;
}

struct shelf {
    struct catalog catalog;
    struct catalog_row rows[ROWS_MAX];
    struct catalog_row *order[ROWS_MAX];
    bool doomed[ROWS_MAX];
    struct catalog_keep keep;
};

/* Newest first, as a catalog is; several may have the same time. */
static void fill(struct shelf *s)
{
    static const enum backup_state states[] = {BACKUP_COMPLETE,   BACKUP_COMPLETE, BACKUP_COMPLETE,
                                               BACKUP_INCOMPLETE, BACKUP_CORRUPT,  BACKUP_FOREIGN};
    static const char *const envs[] = {"dev", "dev", "prd"};
    *s = (struct shelf){.catalog = {.count = roll(ROWS_MAX + 1)}};
    s->keep.now_ms = 1000 * DAY_MS;
    s->keep.keep_count = roll(5);
    s->keep.keep_days = roll(3) == 0 ? 0 : 1 + roll(12);
    s->keep.env = roll(4) == 0 ? NULL : "dev";
    if (s->keep.keep_count == 0 && s->keep.keep_days == 0)
        s->keep.keep_count = 1;
    int64_t time_ms = s->keep.now_ms;
    for (size_t i = 0; i < s->catalog.count; i++) {
        struct catalog_row *row = &s->rows[i];
        time_ms -= (int64_t)roll(3) * (DAY_MS / 2);
        row->id.time_ms = time_ms;
        str_copy(str_from(envs[roll(COUNT_OF(envs))]), row->id.env, sizeof(row->id.env));
        row->state = states[roll(COUNT_OF(states))];
        row->summary.filtered = roll(5) == 0;
        row->summary.unreadable = roll(3) == 0 ? 1 + roll(9) : 0;
        s->order[i] = row;
    }
    s->catalog.rows = s->order;
    pthread_mutex_init(&s->catalog.lock, NULL);
}

static bool is_complete(const struct catalog_row *r)
{
    return r->state == BACKUP_COMPLETE;
}

static bool is_same_kind(const struct catalog_row *a, const struct catalog_row *b)
{
    return is_complete(a) && is_complete(b) && strcmp(a->id.env, b->id.env) == 0 &&
           a->summary.filtered == b->summary.filtered;
}

struct rank {
    size_t newer;          /* complete ones of its kind */
    size_t newer_flawless; /* of these, without unreadable keys */
    size_t newer_whole;    /* complete unfiltered ones of its environment */
};

static struct rank rank_of(const struct shelf *s, size_t at)
{
    struct rank r = {0};
    for (size_t i = 0; i < at; i++) {
        const struct catalog_row *row = &s->rows[i];
        bool same = is_same_kind(row, &s->rows[at]);
        r.newer += same;
        r.newer_flawless += same && row->summary.unreadable == 0;
        r.newer_whole += is_complete(row) && !row->summary.filtered &&
                         strcmp(row->id.env, s->rows[at].id.env) == 0;
    }
    return r;
}

static const char *broken_for_whole(const struct shelf *s, const struct rank *r, bool doomed,
                                    bool flawless, bool free_to_go)
{
    if (doomed && r->newer == 0)
        return "the newest complete one goes";
    if (doomed && flawless && r->newer_flawless == 0)
        return "the newest one without gaps goes";
    if (doomed && r->newer < s->keep.keep_count)
        return "one of the newest N goes";
    bool spare = free_to_go && r->newer > 0 && r->newer >= s->keep.keep_count &&
                 !(flawless && r->newer_flawless == 0);
    return spare && !doomed ? "one that no rule keeps stays" : NULL;
}

/* What the manual promises, written apart from the code that plans. */
static const char *broken_promise(const struct shelf *s, size_t at)
{
    const struct catalog_row *row = &s->rows[at];
    struct rank r = rank_of(s, at);
    int64_t age_ms = s->keep.now_ms - row->id.time_ms;
    bool doomed = s->doomed[at];
    bool young = s->keep.keep_days > 0 && age_ms < s->keep.keep_days * DAY_MS;
    bool ours = s->keep.env == NULL || strcmp(s->keep.env, row->id.env) == 0;
    if (doomed && !ours)
        return "another environment's backup goes";
    if (doomed && (row->state == BACKUP_FOREIGN || row->state == BACKUP_UNKNOWN))
        return "another tool's archive goes";
    if (doomed && young)
        return "a young one goes";
    if (is_complete(row))
        return broken_for_whole(s, &r, doomed, row->summary.unreadable == 0, ours && !young);
    if (doomed && (age_ms <= DAY_MS || r.newer_whole == 0))
        return "a broken one goes that may still be all there is";
    return NULL;
}

static void retention_keeps_its_promises_over_random_catalogs(void **state)
{
    (void)state;
    size_t doomed = 0;
    size_t kept = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct shelf s;
        struct error err = {.text = ""};
        fill(&s);
        assert_true(catalog_plan_prune(&s.catalog, &s.keep, s.doomed, &err));
        for (size_t i = 0; i < s.catalog.count; i++) {
            const char *broken = broken_promise(&s, i);
            if (broken != NULL)
                fail_msg("round %d, row %zu of %zu (keep %zu, %lld days): %s", round, i,
                         s.catalog.count, s.keep.keep_count, (long long)s.keep.keep_days, broken);
            doomed += s.doomed[i];
            kept += !s.doomed[i];
        }
    }
    assert_true(doomed > ROUNDS);
    assert_true(kept > ROUNDS);
}

/* A second run right after the first finds nothing more. */
static void retention_is_done_after_one_run(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct shelf s;
        struct error err = {.text = ""};
        size_t left = 0;
        fill(&s);
        assert_true(catalog_plan_prune(&s.catalog, &s.keep, s.doomed, &err));
        for (size_t i = 0; i < s.catalog.count; i++)
            if (!s.doomed[i])
                s.order[left++] = s.order[i];
        s.catalog.count = left;
        memset(s.doomed, 0, sizeof(s.doomed));
        assert_true(catalog_plan_prune(&s.catalog, &s.keep, s.doomed, &err));
        for (size_t i = 0; i < left; i++)
            assert_false(s.doomed[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(retention_keeps_its_promises_over_random_catalogs),
        cmocka_unit_test(retention_is_done_after_one_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
