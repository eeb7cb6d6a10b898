/* Kinds, ids and the state function: pure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "core/jobs/kind.h"
#include "core/jobs/state.h"

static json_t *doc(const char *run, const char *state)
{
    json_t *d = json_object();
    json_put_text(d, "run_id", run);
    json_put_text(d, "state", state);
    return d;
}

static void id_is_written_and_read_back(void **unused)
{
    (void)unused;
    char id[JOB_ID_MAX];
    enum job_kind kind = JOB_KINDS;
    uint32_t number = 0;
    for (int k = 0; k < JOB_KINDS; k++) {
        static const uint32_t numbers[] = {1, 9999, 10000, UINT32_MAX};
        for (size_t i = 0; i < COUNT_OF(numbers); i++) {
            (void)job_id_format(id, (enum job_kind)k, numbers[i]);
            assert_true(job_id_parse(str_from(id), &kind, &number));
            assert_int_equal(kind, k);
            assert_int_equal(number, numbers[i]);
        }
    }
    assert_string_equal(job_id_format(id, JOB_BACKUP, 7), "B-0007");
}

static void id_from_outside_cannot_become_another_path(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"",        "B",           "B-",       "B-1",
                                      "B-001",   "B-0000",      "X-0001",   "b-0001",
                                      "B-0001/", "../B-0001",   "B-00001",  "B-0001 ",
                                      "B_0001",  "B--001",      "B-+001",   "B-99999999999",
                                      "B-00a1",  "B-0001.json", ".new-abc", "B-4294967296"};
    enum job_kind kind = JOB_BACKUP;
    uint32_t number = 0;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (job_id_parse(str_from(bad[i]), &kind, &number))
            fail_msg("\"%s\" passed", bad[i]);
    assert_false(job_id_parse((struct str){"B-0001\0x", 8}, &kind, &number));
}

static void writers_stand_alone_and_readers_side_by_side(void **unused)
{
    (void)unused;
    assert_true(job_dangers_agree(JOB_READS, JOB_READS));
    assert_false(job_dangers_agree(JOB_READS, JOB_WRITES));
    assert_false(job_dangers_agree(JOB_WRITES, JOB_READS));
    assert_false(job_dangers_agree(JOB_WRITES, JOB_WRITES));
    assert_true(job_dangers_agree(JOB_HARMLESS, JOB_WRITES));
    assert_int_equal(job_kind_danger(JOB_DRILL), JOB_WRITES);
    assert_int_equal(job_kind_danger(JOB_BACKUP), JOB_READS);
    assert_int_equal(job_kind_danger(JOB_KINDS), JOB_WRITES);
}

static void state_follows_from_what_is_on_disk(void **unused)
{
    (void)unused;
    json_t *job = doc("b", NULL);
    json_t *old = doc("a", "failed");
    json_t *old_progress = doc("a", "running");
    json_t *running = doc("b", "running");
    json_t *paused = doc("b", "paused");
    json_t *ended = doc("b", "findings");
    json_t *lying = doc("b", "running");
    json_t *odd = doc("b", "exploded");
    const struct {
        struct job_facts facts;
        enum job_state want;
    } rows[] = {
        {{false, NULL, NULL, NULL}, JOB_CRASHED},
        {{true, NULL, NULL, NULL}, JOB_STARTING},
        {{true, job, NULL, NULL}, JOB_STARTING},
        {{true, job, old_progress, old}, JOB_STARTING},
        {{false, job, old_progress, old}, JOB_CRASHED},
        {{true, job, running, NULL}, JOB_RUNNING},
        {{true, job, paused, old}, JOB_PAUSED},
        {{false, job, running, NULL}, JOB_CRASHED},
        {{true, job, running, ended}, JOB_FINDINGS},
        {{false, job, running, ended}, JOB_FINDINGS},
        {{false, NULL, NULL, ended}, JOB_FINDINGS},
        {{false, job, NULL, lying}, JOB_CRASHED},
        {{true, job, odd, odd}, JOB_STARTING},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (job_state_of(&rows[i].facts) != rows[i].want) {
            fail_msg("row %zu: %s instead of %s", i, job_state_name(job_state_of(&rows[i].facts)),
                     job_state_name(rows[i].want));
        }
    }
    json_t *all[] = {job, old, old_progress, running, paused, ended, lying, odd};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        json_decref(all[i]);
}

static void state_names_read_back(void **unused)
{
    (void)unused;
    for (int i = 0; i < JOB_STATES; i++) {
        enum job_state state = JOB_STATES;
        assert_true(job_state_parse(job_state_name((enum job_state)i), &state));
        assert_int_equal(state, i);
    }
    enum job_state state = JOB_STATES;
    assert_false(job_state_parse("RUNNING", &state));
    assert_false(job_state_parse(NULL, &state));
    assert_false(job_state_can_resume(JOB_DONE));
    assert_false(job_state_can_resume(JOB_RUNNING));
    assert_true(job_state_can_resume(JOB_CRASHED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_is_written_and_read_back),
        cmocka_unit_test(id_from_outside_cannot_become_another_path),
        cmocka_unit_test(writers_stand_alone_and_readers_side_by_side),
        cmocka_unit_test(state_follows_from_what_is_on_disk),
        cmocka_unit_test(state_names_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
