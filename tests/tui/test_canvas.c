#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <math.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "tui/canvas_mem.h"
#include "tui/gauge.h"
#include "tui/slotmap.h"
#include "tui/spark.h"

#define KOREAN "\xed\x95\x9c\xea\xb8\x80"

static int set_up(void **state)
{
    bool cjk;

    (void)state;
    (void)text_start(&cjk);
    return 0;
}

static void row_is(struct canvas *c, int y, const char *want)
{
    char *row = canvas_mem_row(c, y);

    assert_string_equal(row, want);
    free(row);
}

static void text_is_cut_with_a_sign_and_never_inside_a_wide_character(void **state)
{
    struct canvas *c = canvas_new(10, 6, false);

    (void)state;
    (void)canvas_print(c, (struct rect){0, 0, 10, 1}, ROLE_TEXT, "exactly 10");
    (void)canvas_print(c, (struct rect){0, 1, 10, 1}, ROLE_TEXT, "exactly 11!");
    (void)canvas_print(c, (struct rect){0, 2, 5, 1}, ROLE_TEXT, KOREAN KOREAN);
    (void)canvas_print(c, (struct rect){0, 3, 4, 1}, ROLE_TEXT, KOREAN KOREAN);
    (void)canvas_print(c, (struct rect){8, 4, 10, 1}, ROLE_TEXT, "a" KOREAN);
    row_is(c, 0, "exactly 10");
    row_is(c, 1, "exactly 1\xe2\x80\xa6");
    row_is(c, 2, KOREAN "\xe2\x80\xa6");
    row_is(c, 3, "\xed\x95\x9c\xe2\x80\xa6");
    row_is(c, 4, "        a");
    canvas_free(c);
}

static void hostile_bytes_become_visible(void **state)
{
    struct canvas *c = canvas_new(60, 2, false);

    (void)state;
    (void)canvas_text(c, canvas_area(c), ROLE_TEXT, STR("a\033[0m\0b\xff\xc2\x9b\xe2\x80\xae"));
    row_is(c, 0, "a\\x1b[0m\\x00b\\xff\\xc2\\x9b\\xe2\\x80\\xae");
    canvas_free(c);
}

static void ascii_canvases_hold_ascii_only(void **state)
{
    struct canvas *c = canvas_new(40, 4, true);
    char *text;

    (void)state;
    (void)canvas_box(c, canvas_area(c), ROLE_BORDER, "t", "n");
    (void)canvas_print(c, (struct rect){1, 1, 12, 1}, ROLE_TEXT, KOREAN "long enough to cut");
    gauge_draw(c, (struct rect){1, 2, 12, 1}, ROLE_BAR, 1, 2);
    text = canvas_mem_text(c);
    for (const char *p = text; *p != '\0'; p++)
        assert_true((unsigned char)*p < 0x80);
    row_is(c, 0, "+-[ t ]--------------------------[ n ]-+");
    free(text);
    canvas_free(c);
}

static void one_half_of_a_wide_character_never_stays_alone(void **state)
{
    struct canvas *c = canvas_new(6, 1, false);

    (void)state;
    (void)canvas_print(c, canvas_area(c), ROLE_TEXT, KOREAN);
    canvas_point(c, 1, 0, ROLE_TEXT, 'x');
    row_is(c, 0, " x\xea\xb8\x80");
    canvas_point(c, 2, 0, ROLE_TEXT, 'y');
    row_is(c, 0, " xy");
    canvas_free(c);
}

static void marks_stay_on_their_character(void **state)
{
    struct canvas *c = canvas_new(40, 1, false);

    (void)state;
    assert_int_equal(canvas_print(c, canvas_area(c), ROLE_TEXT, "e\xcc\x81x"), 2);
    row_is(c, 0, "e\xcc\x81x");
    canvas_clear(c);
    assert_int_equal(canvas_print(c, canvas_area(c), ROLE_TEXT, "e\xcc\x81\xcc\x81\xcc\x81"),
                     1 + 8);
    row_is(c, 0, "e\xcc\x81\xcc\x81\\xcc\\x81");
    canvas_free(c);
}

static void drawing_outside_is_cut(void **state)
{
    struct canvas *c = canvas_new(5, 3, false);
    struct rng rng = {7};

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct rect at = {(int)(rng_next(&rng) % 30) - 15, (int)(rng_next(&rng) % 20) - 10,
                          (int)(rng_next(&rng) % 40) - 10, (int)(rng_next(&rng) % 20) - 5};
        struct rect before = canvas_clip(c, at);

        (void)canvas_print(c, at, ROLE_TEXT, "a" KOREAN "\033bc");
        (void)canvas_box(c, at, ROLE_BORDER, "title of it", "note");
        (void)canvas_wrap(c, at, ROLE_TEXT, STR("some words\nto wrap here"));
        gauge_draw(c, at, ROLE_BAR, 3, 7);
        canvas_fill(c, at, ROLE_TEXT);
        canvas_tint(c, at, ROLE_BAD);
        canvas_unclip(c, before);
    }
    canvas_free(c);
}

static void words_wrap_at_blanks(void **state)
{
    struct canvas *c = canvas_new(10, 4, false);

    (void)state;
    assert_int_equal(canvas_wrap(c, canvas_area(c), ROLE_TEXT, STR("one two three\nfour")), 3);
    row_is(c, 0, "one two");
    row_is(c, 1, "three");
    row_is(c, 2, "four");
    assert_int_equal(canvas_wrap(NULL, (struct rect){0, 0, 4, 9}, ROLE_TEXT, STR("abcdefghij")), 3);
    canvas_free(c);
}

static void a_bar_is_full_only_at_the_end(void **state)
{
    char text[80];

    (void)state;
    assert_string_equal(gauge_text(text, sizeof(text), 12, 999, 1000, true), "[#########-]");
    assert_string_equal(gauge_text(text, sizeof(text), 12, 1000, 1000, true), "[##########]");
    assert_string_equal(gauge_text(text, sizeof(text), 12, 0, 1000, true), "[----------]");
    assert_string_equal(gauge_text(text, sizeof(text), 12, 5, 0, true), "[??????????]");
    assert_string_equal(gauge_text(text, sizeof(text), 12, UINT64_MAX, 1, true), "[##########]");
}

static void unknown_samples_are_gaps(void **state)
{
    static const double values[] = {0, 1, (double)NAN, 8};
    struct canvas *c = canvas_new(6, 1, true);

    (void)state;
    spark_draw(c, canvas_area(c), ROLE_BAR, SPARK_AUTO, values, 4, 0);
    row_is(c, 0, "  _. #");
    canvas_free(c);
}

static void shards_are_named_beyond_z(void **state)
{
    char name[24];

    (void)state;
    assert_string_equal(slotmap_name(name, sizeof(name), 0), "A");
    assert_string_equal(slotmap_name(name, sizeof(name), 25), "Z");
    assert_string_equal(slotmap_name(name, sizeof(name), 26), "aa");
    assert_string_equal(slotmap_name(name, sizeof(name), 299), "kn");
    assert_string_equal(slotmap_name(name, sizeof(name), 26 + 676), "703");
}

static void one_bad_slot_is_seen_at_any_scale(void **state)
{
    static uint16_t group[16384];
    static uint8_t mark[16384];
    struct slotmap map = {group, mark, 16384};
    struct slotmap_zoom zoom = {0, 0, SIZE_MAX};
    struct canvas *c = canvas_new(64, 4, true);

    (void)state;
    for (size_t i = 0; i < 16384; i++)
        group[i] = (uint16_t)(i / 5462);
    mark[100] = SLOTMAP_FAILED;
    mark[9000] = SLOTMAP_MOVING;
    group[16383] = SLOTMAP_NONE;
    assert_int_equal(slotmap_draw(&map, &zoom, c, canvas_area(c), false), 64);
    assert_int_equal(canvas_cell(c, 1, 0)->point[0], '!');
    assert_int_equal(canvas_cell(c, 0, 0)->point[0], 'A');
    assert_int_equal(canvas_cell(c, 9000 / 64 % 64, 9000 / 4096)->point[0], 'b');
    assert_int_equal(canvas_cell(c, 63, 3)->point[0], '.');
    canvas_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_cut_with_a_sign_and_never_inside_a_wide_character),
        cmocka_unit_test(hostile_bytes_become_visible),
        cmocka_unit_test(ascii_canvases_hold_ascii_only),
        cmocka_unit_test(one_half_of_a_wide_character_never_stays_alone),
        cmocka_unit_test(marks_stay_on_their_character),
        cmocka_unit_test(drawing_outside_is_cut),
        cmocka_unit_test(words_wrap_at_blanks),
        cmocka_unit_test(a_bar_is_full_only_at_the_end),
        cmocka_unit_test(unknown_samples_are_gaps),
        cmocka_unit_test(shards_are_named_beyond_z),
        cmocka_unit_test(one_bad_slot_is_seen_at_any_scale),
    };

    return cmocka_run_group_tests_name("canvas", tests, set_up, NULL);
}
