#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/base/rng.h"
#include "core/config/dotenv.h"

static void lines_are_read_as_shells_and_compose_write_them(void **state)
{
    struct dotenv d;
    struct error err = {0};
    (void)state;
    assert_true(dotenv_parse(str_from("\xEF\xBB\xBF# comment\r\n\r\n"
                                      "A=1\r\n"
                                      "export B = two words # not this\n"
                                      "C='single $x \\n'\n"
                                      "D=\"a\\\"b\\nc\\$d\" # tail\n"
                                      "E=\n"
                                      "F=a#b\n"
                                      "A=2"),
                             ".env", &d, &err));
    assert_string_equal(dotenv_get(&d, "A"), "2");
    assert_string_equal(dotenv_get(&d, "B"), "two words");
    assert_string_equal(dotenv_get(&d, "C"), "single $x \\n");
    assert_string_equal(dotenv_get(&d, "D"), "a\"b\nc$d");
    assert_string_equal(dotenv_get(&d, "E"), "");
    assert_string_equal(dotenv_get(&d, "F"), "a#b");
    assert_null(dotenv_get(&d, "G"));
    dotenv_release(&d);
}

static void broken_lines_are_named_by_number_and_never_repeated(void **state)
{
    static const char *const broken[] = {
        "A=1\nsecret words\n",   "A=1\n1A=secret\n", "A=1\nB='secret\n",
        "A=1\nB=\"secret\\\"\n", "A=1\n=secret\n",   "A=1\nB='x' secret\n",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        struct dotenv d;
        struct error err = {0};
        assert_false(dotenv_parse(str_from(broken[i]), ".env.dev", &d, &err));
        assert_int_equal(err.code, ERROR_CONFIG);
        assert_non_null(strstr(err.text, ".env.dev:2:"));
        assert_null(strstr(err.text, "secret"));
        assert_int_equal(d.count, 0);
    }
}

static void a_nul_byte_is_no_text(void **state)
{
    struct dotenv d;
    struct error err = {0};
    (void)state;
    assert_false(dotenv_parse((struct str){"A=1\0B=2", 7}, ".env", &d, &err));
}

static void any_bytes_are_survived(void **state)
{
    static const char alphabet[] = "A=\"'\\# \n\t\r$eexport\xff\x80";
    struct rng rng = {42};
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[48];
        struct dotenv d;
        struct error err = {0};
        size_t len = rng_next(&rng) % sizeof(text);
        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[rng_next(&rng) % (sizeof(alphabet) - 1)];
        if (dotenv_parse((struct str){text, len}, "f", &d, &err))
            dotenv_release(&d);
        else
            assert_int_equal(err.code, ERROR_CONFIG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_as_shells_and_compose_write_them),
        cmocka_unit_test(broken_lines_are_named_by_number_and_never_repeated),
        cmocka_unit_test(a_nul_byte_is_no_text),
        cmocka_unit_test(any_bytes_are_survived),
    };
    return cmocka_run_group_tests_name("dotenv", tests, NULL, NULL);
}
