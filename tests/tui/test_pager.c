/* Text to read: scrolling stays inside, search finds both ways, the tail is followed until it is
 * left, and any byte may stand in a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tui/canvas_mem.h"
#include "tui/pager.h"

static struct pager pager;
static struct canvas *canvas;

static int set_up(void **state)
{
    bool cjk;

    (void)state;
    (void)text_start(&cjk);
    canvas = canvas_new(40, 10, true);
    pager_init(&pager, false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pager_release(&pager);
    canvas_free(canvas);
    return 0;
}

static void draw(void)
{
    canvas_clear(canvas);
    pager_draw(&pager, canvas, canvas_area(canvas), true);
}

static bool sees(const char *text)
{
    return canvas_mem_find(canvas, text, NULL, NULL);
}

static void fill(int from, int to)
{
    char line[40];

    for (int i = from; i < to; i++) {
        (void)snprintf(line, sizeof(line), "line %d.", i);
        pager_add(&pager, ROLE_TEXT, str_from(line));
    }
    draw();
}

/* As the manager does: the widget's own typing first, then its action rows. */
static bool press(const char *names)
{
    struct str rest = str_from(names);
    struct str name;
    bool good = true;

    while (rest.len > 0 && str_split(&rest, ' ', &name)) {
        struct error err;
        uint32_t key;

        assert_true(key_parse(name, &key));
        if (pager_widget.grabs(&pager)) {
            (void)pager_widget.key(&pager, key);
            continue;
        }
        for (const struct action *a = pager_widget.actions; a->id != NULL; a++) {
            struct str keys = str_from(a->keys);
            struct str one;
            uint32_t bound;

            while (keys.len > 0 && str_split(&keys, ' ', &one))
                if (key_parse(one, &bound) && bound == key)
                    good = a->run(&pager, (struct str){"", 0}, &err);
        }
    }
    draw();
    return good;
}

static void scrolling_stays_inside(void **state)
{
    (void)state;
    fill(0, 100);
    assert_true(sees("line 0."));
    (void)press("k k PgUp");
    assert_true(sees("line 0."));
    (void)press("j");
    assert_false(sees("line 0."));
    assert_true(sees("line 1."));
    (void)press("G");
    assert_true(sees("line 99."));
    assert_true(sees("line 90."));
    (void)press("j j PgDn");
    assert_true(sees("line 90."));
    (void)press("g");
    assert_true(sees("line 0."));
}

static void search_finds_both_ways_and_says_when_not(void **state)
{
    (void)state;
    fill(0, 100);
    (void)press("/ 4 2 . Enter");
    assert_true(sees("line 42."));
    (void)press("/ 7 . Enter"); /* 47, 57 … */
    assert_true(sees("line 47."));
    (void)press("n");
    assert_true(sees("line 57."));
    (void)press("N N");
    assert_true(sees("line 37."));
    (void)press("/ x y Enter");
    assert_false(press("n"));
    (void)press("Esc");
    (void)pager_back(&pager);
    assert_false(pager_back(&pager));
}

static void the_tail_is_followed_until_it_is_left(void **state)
{
    (void)state;
    pager_release(&pager);
    pager_init(&pager, true);
    fill(0, 50);
    assert_true(sees("line 49."));
    fill(50, 60);
    assert_true(sees("line 59."));
    (void)press("k");
    fill(60, 70);
    assert_false(sees("line 69."));
    assert_true(sees("line 58."));
    (void)press("f");
    assert_true(sees("line 69."));
}

static void the_oldest_lines_go_first(void **state)
{
    (void)state;
    fill(0, PAGER_LINES + 1);
    assert_true(pager.count <= PAGER_LINES);
    (void)press("G");
    assert_true(sees("line 10000."));
    (void)press("g");
    assert_false(sees("line 0."));
}

static void hostile_lines_are_drawn_harmless(void **state)
{
    static const char nasty[] = "a\x1b[31m\x9b\xff\x00zero\x7f\xed\xa0\x80 \xe2\x80\xae end";

    (void)state;
    pager_add(&pager, ROLE_TEXT, (struct str){nasty, sizeof(nasty) - 1});
    draw();
    assert_true(sees("a\\x1b[31m\\x9b\\xff\\x00zero"));
    (void)press("Right Right Left Left Left");
    pager_set_text(&pager, STR("one\n\ntwo\n"));
    assert_int_equal(pager.count, 3);
    pager_set_text(&pager, STR(""));
    draw();
    (void)press("G j k n N g PgDn");
    assert_int_equal(pager.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(scrolling_stays_inside),
        TEST(search_finds_both_ways_and_says_when_not),
        TEST(the_tail_is_followed_until_it_is_left),
        TEST(the_oldest_lines_go_first),
        TEST(hostile_lines_are_drawn_harmless),
    };

    return cmocka_run_group_tests_name("pager", tests, NULL, NULL);
}
