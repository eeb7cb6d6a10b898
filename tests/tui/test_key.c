#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "tui/key.h"

static uint32_t decode(struct str bytes, bool final, size_t want_used)
{
    struct key_mouse mouse;
    uint32_t key;
    size_t used;

    assert_int_equal(key_decode(bytes, final, &used, &key, &mouse), KEY_GOT);
    assert_int_equal(used, want_used);
    return key;
}

static void terminals_of_all_kinds_are_understood(void **state)
{
    static const struct {
        const char *bytes;
        const char *name;
    } cases[] = {
        {"a", "a"},
        {"\r", "Enter"},
        {"\t", "Tab"},
        {"\177", "Backspace"},
        {"\b", "Backspace"},
        {"\001", "Ctrl-a"},
        {"\032", "Ctrl-z"},
        {"\033[A", "Up"},
        {"\033OA", "Up"},
        {"\033[1;5C", "Ctrl-Right"},
        {"\033[1;3D", "Alt-Left"},
        {"\033[1;2A", "Shift-Up"},
        {"\033Oc", "Ctrl-Right"},
        {"\033[c", "Shift-Right"},
        {"\033OP", "F1"},
        {"\033[11~", "F1"},
        {"\033[[A", "F1"},
        {"\033[[E", "F5"},
        {"\033[15~", "F5"},
        {"\033[24~", "F12"},
        {"\033[7~", "Home"},
        {"\033[1~", "Home"},
        {"\033[H", "Home"},
        {"\033[8~", "End"},
        {"\033[3~", "Delete"},
        {"\033[5~", "PgUp"},
        {"\033[Z", "Shift-Tab"},
        {"\033x", "Alt-x"},
        {"\xed\x95\x9c", "\xed\x95\x9c"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint32_t want = 0;
        char name[KEY_NAME_MAX];

        assert_true(key_parse(str_from(cases[i].name), &want));
        assert_int_equal(decode(str_from(cases[i].bytes), true, strlen(cases[i].bytes)), want);
        assert_string_equal(key_name(name, sizeof(name), want), cases[i].name);
    }
}

static void an_unknown_sequence_is_one_key_and_types_nothing(void **state)
{
    (void)state;
    assert_int_equal(decode(STR("\033[99;99qx"), false, 8), TK_UNKNOWN);
    assert_int_equal(decode(STR("\033[?1;2c"), false, 7), TK_UNKNOWN);
    assert_int_equal(decode(STR("\033[200~"), false, 6), TK_PASTE_START);
    assert_int_equal(decode(STR("\033[201~"), false, 6), TK_PASTE_END);
}

static void an_escape_alone_waits_until_nothing_more_can_come(void **state)
{
    uint32_t key;
    size_t used;

    (void)state;
    assert_int_equal(key_decode(STR("\033"), false, &used, &key, NULL), KEY_NEED_MORE);
    assert_int_equal(decode(STR("\033"), true, 1), TK_ESC);
    assert_int_equal(key_decode(STR("\033[1;"), false, &used, &key, NULL), KEY_NEED_MORE);
    assert_int_equal(decode(STR("\033[1;"), true, 4), TK_UNKNOWN);
    assert_int_equal(decode(STR("\033\033[A"), false, 1), TK_ESC);
    assert_int_equal(key_decode(STR("\xed\x95"), false, &used, &key, NULL), KEY_NEED_MORE);
    assert_int_equal(decode(STR("\xed\x95"), true, 1), TK_UNKNOWN);
}

static void the_mouse_tells_cell_and_button(void **state)
{
    struct key_mouse mouse = {0, 0, 0};
    uint32_t key;
    size_t used;

    (void)state;
    assert_int_equal(key_decode(STR("\033[<0;12;5M"), false, &used, &key, &mouse), KEY_GOT);
    assert_int_equal(key, TK_MOUSE);
    assert_int_equal(mouse.x, 11);
    assert_int_equal(mouse.y, 4);
    assert_int_equal(mouse.button, 1);
    assert_int_equal(key_decode(STR("\033[<65;1;1M"), false, &used, &key, &mouse), KEY_GOT);
    assert_int_equal(mouse.button, 5);
    assert_int_equal(key_decode(STR("\033[<0;0;0M"), false, &used, &key, &mouse), KEY_GOT);
    assert_int_equal(key, TK_UNKNOWN);
}

static void names_that_are_no_keys_are_refused(void **state)
{
    static const char *const bad[] = {"", "F13", "Ctrl-", "Strg-a", "ab", "Shift-a", "Ctrl-Ctrl-"};
    uint32_t key;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_false(key_parse(str_from(bad[i]), &key));
}

/* Whatever arrives: every call uses at least one byte, never more than there are. */
static void random_bytes_never_stop_or_overrun_the_decoder(void **state)
{
    struct rng rng = {42};

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t len = 1 + rng_next(&rng) % 40;
        char *bytes = malloc(len);
        size_t at = 0;

        assert_non_null(bytes);
        for (size_t i = 0; i < len; i++)
            bytes[i] = "\033[O<;?1~MmA\xed\xc2"[rng_next(&rng) % 13];
        if (round % 2 == 0)
            bytes[rng_next(&rng) % len] = (char)(rng_next(&rng) & 0xff);
        while (at < len) {
            struct key_mouse mouse;
            uint32_t key;
            size_t used = 0;

            assert_int_equal(
                key_decode((struct str){bytes + at, len - at}, true, &used, &key, &mouse), KEY_GOT);
            assert_true(used > 0 && used <= len - at);
            at += used;
        }
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terminals_of_all_kinds_are_understood),
        cmocka_unit_test(an_unknown_sequence_is_one_key_and_types_nothing),
        cmocka_unit_test(an_escape_alone_waits_until_nothing_more_can_come),
        cmocka_unit_test(the_mouse_tells_cell_and_button),
        cmocka_unit_test(names_that_are_no_keys_are_refused),
        cmocka_unit_test(random_bytes_never_stop_or_overrun_the_decoder),
    };

    return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
