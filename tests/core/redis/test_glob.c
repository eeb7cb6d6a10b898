#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/base/rng.h"
#include "core/redis/glob.h"

static void glob_follows_the_servers_rules(void **state)
{
    static const struct {
        struct str pattern, text;
        bool matches;
    } rows[] = {
        {{"*", 1}, {"", 0}, true},
        {{"", 0}, {"", 0}, true},
        {{"", 0}, {"a", 1}, false},
        {{"a*c", 3}, {"abbbc", 5}, true},
        {{"a*c", 3}, {"abbbd", 5}, false},
        {{"a**", 3}, {"a", 1}, true},
        {{"?", 1}, {"", 0}, false},
        {{"h?llo", 5}, {"hello", 5}, true},
        {{"h[ae]llo", 8}, {"hallo", 5}, true},
        {{"h[^e]llo", 8}, {"hello", 5}, false},
        {{"h[a-b]llo", 9}, {"hbllo", 5}, true},
        {{"h[b-a]llo", 9}, {"hallo", 5}, true},
        {{"[\\]]", 4}, {"]", 1}, true},
        {{"[a", 2}, {"a", 1}, true},
        {{"[", 1}, {"[", 1}, false},
        {{"[^", 2}, {"x", 1}, true},
        {{"\\*", 2}, {"*", 1}, true},
        {{"\\*", 2}, {"a", 1}, false},
        {{"a\\", 2}, {"a\\", 2}, true},
        {{"user:*", 6}, {"user:\0\xff", 7}, true},
        {{"a/*.x", 5}, {"a/b/c.x", 7}, true},
        {{"[a-]", 4}, {"-", 1}, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (glob_match(rows[i].pattern, rows[i].text) != rows[i].matches)
            fail_msg("row %zu: \"%s\" against \"%s\"", i, rows[i].pattern.ptr, rows[i].text.ptr);
}

static void glob_ignores_case_only_when_asked(void **state)
{
    (void)state;
    assert_false(glob_match(STR("USER:[A-B]*"), STR("user:abc")));
    assert_true(glob_match_nocase(STR("USER:[A-B]*"), STR("user:abc")));
}

static void glob_takes_no_exponential_time(void **state)
{
    char pattern[200];
    char text[20000];
    int64_t began = clock_mono_ms();

    (void)state;
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    pattern[sizeof(pattern) - 1] = 'b';
    memset(text, 'a', sizeof(text));
    assert_false(
        glob_match((struct str){pattern, sizeof(pattern)}, (struct str){text, sizeof(text)}));
    assert_true(clock_mono_ms() - began < 2000);
}

static void glob_survives_any_bytes(void **state)
{
    static const char alphabet[] = "*?[]^-\\ab\0\xff";
    struct rng r = {42};
    size_t matched = 0;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        char pattern[12];
        char text[8];
        size_t p = rng_next(&r) % sizeof(pattern);
        size_t t = rng_next(&r) % sizeof(text);

        for (size_t k = 0; k < p; k++)
            pattern[k] = alphabet[rng_next(&r) % (sizeof(alphabet) - 1)];
        for (size_t k = 0; k < t; k++)
            text[k] = alphabet[rng_next(&r) % (sizeof(alphabet) - 1)];
        matched += glob_match((struct str){pattern, p}, (struct str){text, t});
    }
    assert_in_range(matched, 1, 199999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(glob_follows_the_servers_rules),
        cmocka_unit_test(glob_ignores_case_only_when_asked),
        cmocka_unit_test(glob_takes_no_exponential_time),
        cmocka_unit_test(glob_survives_any_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
