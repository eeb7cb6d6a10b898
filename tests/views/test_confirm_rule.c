#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "views/confirm_rule.h"

struct row {
    enum danger danger;
    bool protected;
    const char *typed;
    enum confirm_answer expected;
};

static void the_typed_name_is_needed_where_the_contract_says(void **state)
{
    static const struct row rows[] = {
        {DANGER_NONE, true, NULL, CONFIRM_GO},        {DANGER_CHANGE, false, NULL, CONFIRM_GO},
        {DANGER_CHANGE, false, "dev", CONFIRM_GO},    {DANGER_CHANGE, false, "prd", CONFIRM_REFUSE},
        {DANGER_CHANGE, true, NULL, CONFIRM_ASK},     {DANGER_CHANGE, true, "dev", CONFIRM_GO},
        {DANGER_CHANGE, true, "DEV", CONFIRM_REFUSE}, {DANGER_DESTROY, false, NULL, CONFIRM_ASK},
        {DANGER_DESTROY, false, "dev", CONFIRM_GO},   {DANGER_DESTROY, true, "", CONFIRM_REFUSE},
        {DANGER_DESTROY, true, "dev", CONFIRM_GO},
    };
    struct environment env = {.name = "dev"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct identity_decision identity = {.match = IDENTITY_MATCHES,
                                             .protected = rows[i].protected};
        struct confirm_question q = {rows[i].danger, &env,          &identity,
                                     false,          rows[i].typed, "restore"};
        struct error err = {0};
        enum confirm_answer answer = confirm_check(&q, &err);
        if (answer != rows[i].expected)
            fail_msg("row %zu: %d", i, (int)answer);
        assert_int_equal(err.code, answer == CONFIRM_GO ? ERROR_NONE : ERROR_REFUSED);
        if (answer == CONFIRM_ASK)
            assert_non_null(strstr(err.text, "--confirm dev"));
    }
}

static void no_name_helps_against_a_stranger_or_read_only(void **state)
{
    struct environment env = {.name = "prd", .protected = true};
    struct identity_decision differs = {
        .match = IDENTITY_DIFFERS, .refused = true, .text = "another cluster"};
    struct identity_decision unseen = {.match = IDENTITY_UNSEEN};
    struct identity_decision fine = {.match = IDENTITY_MATCHES};
    struct confirm_question q = {DANGER_CHANGE, &env, &differs, false, "prd", "restore"};
    struct error err = {0};
    (void)state;
    assert_int_equal(confirm_check(&q, &err), CONFIRM_REFUSE);
    assert_non_null(strstr(err.text, "another cluster"));
    q.identity = &unseen;
    assert_int_equal(confirm_check(&q, &err), CONFIRM_REFUSE);
    q.identity = &fine;
    assert_int_equal(confirm_check(&q, &err), CONFIRM_GO);
    q.read_only = true;
    assert_int_equal(confirm_check(&q, &err), CONFIRM_REFUSE);
    q.danger = DANGER_NONE;
    assert_int_equal(confirm_check(&q, &err), CONFIRM_GO);
}

static void without_a_cluster_the_environments_own_word_counts(void **state)
{
    struct environment env = {.name = "prd", .protected = true};
    struct confirm_question q = {DANGER_CHANGE, &env, NULL, false, NULL, "delete"};
    struct error err = {0};
    (void)state;
    assert_int_equal(confirm_check(&q, &err), CONFIRM_ASK);
    env.protected = false;
    assert_int_equal(confirm_check(&q, &err), CONFIRM_GO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_typed_name_is_needed_where_the_contract_says),
        cmocka_unit_test(no_name_helps_against_a_stranger_or_read_only),
        cmocka_unit_test(without_a_cluster_the_environments_own_word_counts),
    };
    return cmocka_run_group_tests_name("confirm_rule", tests, NULL, NULL);
}
