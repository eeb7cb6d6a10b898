/* One line being typed: edits by character, words, wide characters, the limit, secrets, history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/escape.h"
#include "tui/canvas_mem.h"
#include "tui/lineedit.h"

static void type(struct lineedit *e, const char *text)
{
    struct str rest = str_from(text);
    uint32_t point;

    while (rest.len > 0) {
        size_t n = escape_decode(rest, &point);

        assert_true(n > 0);
        assert_true(lineedit_key(e, point));
        rest = str_slice(rest, n, rest.len);
    }
}

static void press(struct lineedit *e, const char *names)
{
    struct str rest = str_from(names);
    struct str name;
    uint32_t key;

    while (rest.len > 0 && str_split(&rest, ' ', &name)) {
        assert_true(key_parse(name, &key));
        assert_true(lineedit_key(e, key));
    }
}

static void characters_are_edited_whole(void **state)
{
    struct lineedit e = {.len = 0};

    (void)state;
    type(&e, "ab한글é");
    assert_int_equal(e.len, 2 + 6 + 2);
    press(&e, "Left Left Backspace");
    assert_string_equal(e.text, "ab글é");
    press(&e, "Delete");
    assert_string_equal(e.text, "abé");
    press(&e, "Home Delete End Backspace");
    assert_string_equal(e.text, "b");
    press(&e, "Backspace Backspace Delete Left Right"); /* nothing left: no harm */
    assert_int_equal(e.len, 0);
    assert_int_equal(e.at, 0);
}

static void words_and_ends_are_cut_as_in_a_shell(void **state)
{
    struct lineedit e = {.len = 0};

    (void)state;
    lineedit_set(&e, "rw 20m because  ");
    press(&e, "Ctrl-w");
    assert_string_equal(e.text, "rw 20m ");
    press(&e, "Ctrl-a Right Right Ctrl-k");
    assert_string_equal(e.text, "rw");
    lineedit_set(&e, "one two");
    press(&e, "Left Left Left Ctrl-u");
    assert_string_equal(e.text, "two");
    assert_int_equal(e.at, 0);
}

static void a_full_line_takes_no_more_and_stays_whole(void **state)
{
    struct lineedit e = {.len = 0};

    (void)state;
    for (int i = 0; i < LINEEDIT_MAX; i++)
        type(&e, "한");
    assert_true(e.len < LINEEDIT_MAX);
    assert_int_equal(e.len % 3, 0);
    assert_int_equal(e.text[e.len], '\0');
}

static void other_keys_are_left_to_others(void **state)
{
    struct lineedit e = {.len = 0};

    (void)state;
    assert_false(lineedit_key(&e, TK_F1));
    assert_false(lineedit_key(&e, TK_ENTER));
    assert_false(lineedit_key(&e, TK_ALT | 'x'));
    assert_int_equal(e.len, 0);
}

static void the_cursor_stays_in_sight(void **state)
{
    struct canvas *c = canvas_new(10, 1, false);
    struct lineedit e = {.len = 0};
    int x;
    int y;

    (void)state;
    lineedit_set(&e, "0123456789abcdef");
    lineedit_draw(&e, c, canvas_area(c), true);
    assert_true(canvas_mem_find(c, "789abcdef", NULL, NULL));
    assert_true(canvas_cursor(c, &x, &y));
    assert_int_equal(x, 9);
    press(&e, "Home");
    lineedit_draw(&e, c, canvas_area(c), true);
    assert_true(canvas_mem_find(c, "012345678", NULL, NULL));
    assert_true(canvas_cursor(c, &x, &y));
    assert_int_equal(x, 0);
    canvas_free(c);
}

static void a_secret_is_drawn_as_stars(void **state)
{
    struct canvas *c = canvas_new(20, 1, false);
    struct lineedit e = {.hidden = true};
    int x;
    int y;

    (void)state;
    type(&e, "p한w");
    press(&e, "Left");
    lineedit_draw(&e, c, canvas_area(c), true);
    assert_true(canvas_mem_find(c, "***", NULL, NULL));
    assert_false(canvas_mem_find(c, "****", NULL, NULL));
    assert_false(canvas_mem_find(c, "p", NULL, NULL));
    assert_true(canvas_cursor(c, &x, &y));
    assert_int_equal(x, 2); /* where the next character goes, not always the end */
    lineedit_clear(&e);
    for (size_t i = 0; i < sizeof(e.text); i++)
        assert_int_equal(e.text[i], 0); /* nothing of it stays in memory */
    canvas_free(c);
}

static void history_goes_back_and_forth(void **state)
{
    struct history h = {.count = 0};
    char line[32];

    (void)state;
    assert_null(history_move(&h, -1));
    history_add(&h, STR("one"));
    history_add(&h, STR("two"));
    history_add(&h, STR("two")); /* not twice */
    history_add(&h, STR(""));
    assert_int_equal(h.count, 2);
    assert_string_equal(history_move(&h, -1), "two");
    assert_string_equal(history_move(&h, -1), "one");
    assert_null(history_move(&h, -1));
    assert_string_equal(history_move(&h, 1), "two");
    assert_string_equal(history_move(&h, 1), "");
    assert_null(history_move(&h, 1));
    for (int i = 0; i < HISTORY_MAX + 5; i++) {
        (void)snprintf(line, sizeof(line), "line %d", i);
        history_add(&h, str_from(line));
    }
    assert_int_equal(h.count, HISTORY_MAX);
    assert_string_equal(h.line[0], "line 5");
    history_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_are_edited_whole),
        cmocka_unit_test(words_and_ends_are_cut_as_in_a_shell),
        cmocka_unit_test(a_full_line_takes_no_more_and_stays_whole),
        cmocka_unit_test(other_keys_are_left_to_others),
        cmocka_unit_test(the_cursor_stays_in_sight),
        cmocka_unit_test(a_secret_is_drawn_as_stars),
        cmocka_unit_test(history_goes_back_and_forth),
    };
    bool cjk;

    (void)text_start(&cjk);
    return cmocka_run_group_tests_name("lineedit", tests, NULL, NULL);
}
