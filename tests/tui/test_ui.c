#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "tests/tui/fixture_world.h"

static void selection_follows_the_thing_not_the_row(void **state)
{
    (void)state;
    world_keys("j j j");
    world_must_see("> date");
    world->rows[4] = world->rows[3];
    world->rows[3] = (struct row){"x", "extra", 1, false};
    world->row_count = 5;
    ui_update(world->ui);
    world_keys("1");
    world_must_see("> date");
    world->rows[4] = world->rows[0]; /* it is gone: the cursor stays near */
    ui_update(world->ui);
    world_keys("1");
    assert_false(world_sees("> date"));
    assert_true(world_sees("> apple"));
}

static void attached_rows_stay_below_their_head_when_sorted(void **state)
{
    int first, second;

    (void)state;
    world_keys("> >"); /* by SIZE: 4 (with 100 attached), 7, 30 */
    assert_true(canvas_mem_find(world->canvas, "banana", NULL, &first));
    assert_true(canvas_mem_find(world->canvas, "cherry", NULL, &second));
    assert_int_equal(second, first + 1);
    assert_int_equal(first, 1);
    world_keys("I");
    assert_true(canvas_mem_find(world->canvas, "apple", NULL, &first));
    assert_int_equal(first, 1);
}

static void the_filter_narrows_inverts_and_names_columns(void **state)
{
    (void)state;
    world_keys("/");
    world_type("name=an");
    world_must_see("banana");
    world_must_see("cherry"); /* attached to banana */
    assert_false(world_sees("apple"));
    world_keys("Enter Esc");
    world_must_see("apple");
    world_keys("/");
    world_type("!apple");
    assert_false(world_sees("  apple"));
    world_must_see("date");
    world_keys("Esc");
    world_must_see("apple");
}

static void read_only_refuses_and_says_why(void **state)
{
    (void)state;
    world->write_blocked = "read-only: arm with :rw";
    world_keys("D");
    world_must_see("Destroy: read-only: arm with :rw");
    world_keys("F9");
    world_must_see("(read-only: arm with :rw)");
    world_keys("Enter Esc");
    ui_run_command(world->ui, STR("first.destroy"));
    assert_int_equal(world->destroyed, 0);
}

static void enter_cancels_a_confirmation(void **state)
{
    (void)state;
    world_keys("D");
    world_must_see("Destroys the thing.");
    world_must_see(">[ Cancel ]<");
    world_keys("Enter");
    assert_false(world_sees("Cancel"));
    assert_int_equal(world->destroyed, 0);
    world_keys("D Right Enter");
    assert_int_equal(world->destroyed, 1);
}

static void a_typed_confirmation_needs_name_reason_and_check(void **state)
{
    (void)state;
    world_keys("A");
    world_must_see("Type the name  prd");
    world_must_see("off: the name is not complete");
    world_keys("Enter Enter Enter"); /* name, reason, Cancel */
    assert_false(world_sees("Type the name"));
    world_keys("A");
    world_type("prd");
    world_must_see("off: a reason is needed");
    world_keys("Tab");
    world_type("INC-1");
    world->check = "the epoch has changed";
    world_keys("Tab");
    world_must_see("off: the epoch has changed");
    world_keys("Tab Enter");
    assert_int_equal(world->destroyed, 0);
    world->check = NULL;
    world_keys("Enter");
    assert_int_equal(world->destroyed, 1);
    assert_string_equal(world->reason, "INC-1");
}

static void two_wrong_names_close_the_dialog(void **state)
{
    (void)state;
    world_keys("A");
    world_type("prod");
    world_keys("Tab Tab Tab Enter Enter");
    assert_false(world_sees("Type the name"));
    world_must_see("the name was wrong twice");
    assert_int_equal(world->destroyed, 0);
}

static void enter_picks_the_chosen_entry_of_a_menu(void **state)
{
    (void)state;
    world_keys("F9 Down Down Enter");
    assert_int_equal(world->looked, 0); /* Enter is that one's key outside the menu */
    world_must_see("Type the name");
    world_keys("Esc F9 Enter");
    assert_int_equal(world->looked, 1);
    world_keys("F9 A");
    world_must_see("Type the name");
}

static void nothing_moves_under_an_open_menu(void **state)
{
    int before;

    (void)state;
    world_keys("F9");
    before = world->updates;
    ui_update(world->ui);
    assert_int_equal(world->updates, before);
    world_keys("Esc");
    ui_update(world->ui);
    assert_int_equal(world->updates, before + 1);
}

static void a_blocked_row_stays_in_sight_with_its_reason(void **state)
{
    (void)state;
    world_keys("F9");
    world_must_see("(no job selected)");
    world_keys("Esc v");
    world_must_see("Never: no job selected");
    assert_int_equal(world->destroyed, 0);
}

static void an_error_stays_until_a_key_is_pressed(void **state)
{
    (void)state;
    world_keys("e");
    world_must_see("the server said no");
    ui_update(world->ui);
    ui_draw(world->ui, world->canvas);
    world_must_see("the server said no");
    world_keys("j");
    assert_false(world_sees("the server said no"));
}

static void the_palette_completes_names_and_values_and_remembers(void **state)
{
    (void)state;
    world_keys(":");
    world_type("gi");
    world_keys("Tab");
    world_type("be");
    world_keys("Tab Tab");
    world_must_see(":give betamax");
    world_keys("Enter");
    assert_string_equal(world->arg, "betamax");
    world_keys(": Up");
    world_must_see(":give betamax");
    world_keys("Esc :");
    world_type("secnd");
    world_keys("Enter");
    world_must_see("did you mean :second?");
}

static void screens_open_by_number_and_keep_their_state(void **state)
{
    (void)state;
    world_keys("G 2");
    world_must_see("the second screen");
    world_keys("1");
    world_must_see("> date");
    world_keys("- -");
    world_must_see("> date");
    assert_int_equal(world->opened, 1);
    world_keys("2 q");
    world_must_see("> date");
    world_keys("q");
    assert_true(ui_leaving(world->ui));
}

static bool bind(const char *text, struct error *err)
{
    json_t *doc = json_parse(str_from(text), "test", err);
    bool ok;

    assert_non_null(doc);
    ok = ui_bind(world->ui, doc, err);
    json_decref(doc);
    return ok;
}

static void keys_are_rebound_and_shown_everywhere(void **state)
{
    struct error err;

    (void)state;
    assert_true(bind("{\"first.fail\":[\"E\",\"F8\"],\"view.second\":\"F2\"}", &err));
    world_keys("F8");
    world_must_see("the server said no");
    world_keys("F2");
    world_must_see("the second screen");
    world_keys("1 ?");
    world_type("/");
    world_type("Fails.");
    world_must_see("E F8");
}

static void clashes_and_mistakes_name_both_sides(void **state)
{
    static const struct {
        const char *text, *says, *also;
    } cases[] = {
        {"{\"first.fail\":\"D\"}", "first.destroy", "first.fail"},
        {"{\"first.fail\":\"q\"}", "close", "first.fail"},
        {"{\"view.second\":\"1\"}", "view.first", "view.second"},
        {"{\"first.fial\":\"x\"}", "did you mean", "first.fail"},
        {"{\"first.fail\":\"Strg-x\"}", "Strg-x", "first.fail"},
        {"{\"first.fail\":7}", "first.fail", "name of a key"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error err;

        assert_false(bind(cases[i].text, &err));
        assert_int_equal(err.code, ERROR_CONFIG);
        if (strstr(err.text, cases[i].says) == NULL || strstr(err.text, cases[i].also) == NULL)
            fail_msg("%s: %s", cases[i].text, err.text);
        (void)world_tear_down(state);
        (void)world_set_up(state);
    }
}

static void every_size_is_drawn(void **state)
{
    (void)state;
    world_keys("? Esc F9");
    for (int w = 1; w < 130; w += 3)
        for (int h = 1; h < 40; h++) {
            canvas_resize(world->canvas, w, h);
            ui_draw(world->ui, world->canvas);
        }
    canvas_resize(world->canvas, 80, 24);
    world_keys("Esc ?");
    for (int w = 1; w < 130; w += 3)
        for (int h = 1; h < 40; h++) {
            canvas_resize(world->canvas, w, h);
            ui_draw(world->ui, world->canvas);
        }
}

static void the_sort_menu_names_every_column(void **state)
{
    int y;

    (void)state;
    world_keys("F6");
    world_must_see("Sort by");
    world_must_see("the usual order  (now)");
    world_keys("j j Enter"); /* SIZE */
    world_must_see("SIZE^");
    assert_true(canvas_mem_find(world->canvas, "banana", NULL, &y));
    assert_int_equal(y, 1);
    world_keys("F6 0");
    assert_false(world_sees("SIZE^"));
    world_keys("2 F6"); /* a screen without a table */
    world_must_see("Sort: there is no table here");
}

static void the_selected_thing_is_known_by_its_id(void **state)
{
    struct error err;
    struct buf text;

    (void)state;
    buf_init(&text, 1000);
    world_keys("j");
    assert_true(ui_selected(world->ui, &text, &err));
    assert_true(str_is(buf_str(&text), "b"));
    buf_clear(&text);
    world->rows[1].id = "\x1b[31m"; /* no text: its cells then, escaped */
    world->rows[1].name = "\x07ping";
    ui_update(world->ui);
    world_keys("g j");
    assert_true(ui_selected(world->ui, &text, &err));
    assert_true(str_is(buf_str(&text), "\\x07ping  4    "));
    buf_clear(&text);
    world_keys("2");
    assert_false(ui_selected(world->ui, &text, &err));
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    buf_release(&text);
}

static void a_narrow_footer_keeps_the_ways_out(void **state)
{
    static const int widths[] = {120, 80, 60, 52};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(widths); i++) {
        canvas_resize(world->canvas, widths[i], 24);
        world_keys("g");
        world_must_see("? Help");
        world_must_see(": Command");
        world_must_see("q Back");
        world_must_see("1-9,0 screens");
    }
    canvas_resize(world->canvas, 12, 24);
    world_keys("g");
    world_must_see("? Help"); /* whole items or none */
}

static void a_wide_terminal_shows_what_is_usually_left_out(void **state)
{
    (void)state;
    world_keys("g");
    assert_false(world_sees("EXTRA"));
    canvas_resize(world->canvas, 140, 24);
    world_keys("g");
    world_must_see("EXTRA");
    assert_false(world_sees("MORE"));
    canvas_resize(world->canvas, 160, 24);
    world_keys("g");
    world_must_see("MORE");
    canvas_resize(world->canvas, 80, 24);
    world_keys("w");
    world_must_see("EXTRA");
}

static void closing_all_lets_go_of_every_view_and_window(void **state)
{
    struct error err;

    (void)state;
    world_keys("2 1 Z F9");
    ui_close_all(world->ui);
    assert_int_equal(world->opened, 1);
    assert_int_equal(world->closed, 1);
    assert_string_equal(ui_view_id(world->ui), "");
    assert_true(ui_start(world->ui, "second", &err));
    world_keys("g");
    world_must_see("the second screen");
    assert_false(ui_is_frozen(world->ui));
}

static void a_menu_without_entries_is_no_key(void **state)
{
    (void)state;
    world_keys("2 F9");
    world_must_see("Actions: this screen has no actions");
    world_keys("1");
    world_must_see("F9 Actions");
    world_keys("2 Esc 2");
    assert_false(world_sees("F9 Actions"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(selection_follows_the_thing_not_the_row),
        TEST(attached_rows_stay_below_their_head_when_sorted),
        TEST(the_filter_narrows_inverts_and_names_columns),
        TEST(read_only_refuses_and_says_why),
        TEST(enter_cancels_a_confirmation),
        TEST(a_typed_confirmation_needs_name_reason_and_check),
        TEST(two_wrong_names_close_the_dialog),
        TEST(enter_picks_the_chosen_entry_of_a_menu),
        TEST(nothing_moves_under_an_open_menu),
        TEST(a_blocked_row_stays_in_sight_with_its_reason),
        TEST(an_error_stays_until_a_key_is_pressed),
        TEST(the_palette_completes_names_and_values_and_remembers),
        TEST(screens_open_by_number_and_keep_their_state),
        TEST(keys_are_rebound_and_shown_everywhere),
        TEST(clashes_and_mistakes_name_both_sides),
        TEST(every_size_is_drawn),
        TEST(the_sort_menu_names_every_column),
        TEST(the_selected_thing_is_known_by_its_id),
        TEST(a_narrow_footer_keeps_the_ways_out),
        TEST(a_wide_terminal_shows_what_is_usually_left_out),
        TEST(closing_all_lets_go_of_every_view_and_window),
        TEST(a_menu_without_entries_is_no_key),
    };

    return cmocka_run_group_tests_name("ui", tests, NULL, NULL);
}
