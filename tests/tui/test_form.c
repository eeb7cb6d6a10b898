/* Forms: nothing wrong is accepted, what is wrong stands beside it, and every field can be reached.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tui/canvas_mem.h"
#include "tui/form.h"

static const char *no_blanks(struct str value)
{
    return str_find(value, ' ') < value.len ? "no blanks, please" : NULL;
}

static const char *const policies[] = {"fail", "skip", "overwrite", NULL};

static const struct form_field fields[] = {
    {.id = NULL, .label = "What to do", .kind = FIELD_LABEL},
    {.id = "name",
     .label = "Name",
     .help = "What it is called.",
     .required = true,
     .check = no_blanks},
    {.id = "rate", .label = "Rate", .kind = FIELD_NUMBER, .initial = "100", .min = 1, .max = 5000},
    {.id = "policy", .label = "Policy", .kind = FIELD_CHOICE, .choices = policies},
    {.id = "dry", .label = "Dry run", .kind = FIELD_CHECK, .initial = "yes"},
    {0},
};

static const struct form_spec spec = {.title = "Do it", .accept = "Start", .fields = fields};

static void press(struct form *f, const char *names)
{
    struct str rest = str_from(names);
    struct str name;
    uint32_t key;

    while (rest.len > 0 && str_split(&rest, ' ', &name)) {
        assert_true(key_parse(name, &key));
        (void)form_widget.key(f, key);
    }
}

static void type(struct form *f, const char *text)
{
    for (; *text != '\0'; text++)
        (void)form_widget.key(f, (unsigned char)*text);
}

static void it_starts_with_what_the_table_says(void **state)
{
    struct form f;

    (void)state;
    form_init(&f, &spec);
    assert_int_equal(f.current, 1); /* not on the heading */
    assert_true(str_is(form_value(&f, "name"), ""));
    assert_int_equal(form_number(&f, "rate"), 100);
    assert_true(str_is(form_value(&f, "policy"), "fail"));
    assert_true(form_checked(&f, "dry"));
    form_release(&f);
}

static void nothing_wrong_is_accepted(void **state)
{
    char why[200];
    struct form f;

    (void)state;
    form_init(&f, &spec);
    assert_true(form_problem(&f, why, sizeof(why)));
    assert_string_equal(why, "Name: is needed");
    press(&f, "Up Up Enter"); /* over the heading to Cancel, to Start */
    assert_int_equal(f.current, f.count);
    assert_false(f.accepted);
    assert_false(f.cancelled);
    press(&f, "Down Down");
    type(&f, "a b");
    assert_true(form_problem(&f, why, sizeof(why)));
    assert_string_equal(why, "Name: no blanks, please");
    press(&f, "Backspace Backspace Down");
    type(&f, "0");
    assert_int_equal(form_number(&f, "rate"), 1000);
    type(&f, "0");
    assert_true(form_problem(&f, why, sizeof(why)));
    assert_string_equal(why, "Rate: want a number from 1 to 5000");
    press(&f, "Backspace");
    assert_false(form_problem(&f, why, sizeof(why)));
    press(&f, "Enter Enter Enter");
    assert_int_equal(f.current, f.count);
    assert_false(f.accepted); /* Enter on a field only goes on */
    press(&f, "Enter");
    assert_true(f.accepted);
    form_release(&f);
}

static void numbers_out_of_the_world_are_refused(void **state)
{
    static const char *const bad[] = {"-1", "5001", "99999999999999999999", "12x", "0x10", "1.5"};
    char why[200];
    struct form f;

    (void)state;
    form_init(&f, &spec);
    form_set(&f, "name", "x");
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        form_set(&f, "rate", bad[i]);
        assert_true(form_problem(&f, why, sizeof(why)));
    }
    form_release(&f);
}

static void choices_turn_round_and_checks_flip(void **state)
{
    struct form f;

    (void)state;
    form_init(&f, &spec);
    press(&f, "Down Down Left");
    assert_true(str_is(form_value(&f, "policy"), "overwrite"));
    press(&f, "Right Right");
    assert_true(str_is(form_value(&f, "policy"), "skip"));
    type(&f, "xyz"); /* a choice is no text field */
    assert_true(str_is(form_value(&f, "policy"), "skip"));
    press(&f, "Tab Space");
    assert_false(form_checked(&f, "dry"));
    form_release(&f);
}

static void leaving_is_always_possible(void **state)
{
    struct form f;

    (void)state;
    form_init(&f, &spec);
    press(&f, "Esc");
    assert_true(f.cancelled);
    form_release(&f);
    form_init(&f, &spec);
    press(&f, "Shift-Tab Enter");
    assert_true(f.cancelled);
    assert_false(f.accepted);
    form_release(&f);
}

static void what_is_wrong_stands_beside_it(void **state)
{
    struct canvas *c = canvas_new(80, 10, true);
    struct form f;

    (void)state;
    form_init(&f, &spec);
    form_draw(&f, c, canvas_area(c));
    assert_true(canvas_mem_find(c, "is needed", NULL, NULL));
    assert_true(canvas_mem_find(c, "What it is called.", NULL, NULL));
    assert_true(canvas_mem_find(c, "[x]", NULL, NULL));
    assert_true(canvas_mem_find(c, "< fail >", NULL, NULL));
    for (int w = 1; w < 90; w += 4)
        for (int h = 1; h < 12; h++) {
            canvas_resize(c, w, h);
            form_draw(&f, c, canvas_area(c));
        }
    form_release(&f);
    canvas_free(c);
}

static const struct form_field folded[] = {
    {.id = "name", .label = "Name", .initial = "x"},
    {.label = "More", .kind = FIELD_FOLD},
    {.id = "level", .label = "Level", .kind = FIELD_NUMBER, .initial = "6", .min = 1, .max = 9},
    {.id = "loud", .label = "Loud", .kind = FIELD_CHECK},
    {0},
};
static const struct form_spec folded_spec = {.title = "Do it", .accept = "Start", .fields = folded};

static bool shows(const struct form *f, const char *text)
{
    struct canvas *c = canvas_new(80, 12, true);
    bool found;

    form_draw(f, c, canvas_area(c));
    found = canvas_mem_find(c, text, NULL, NULL);
    canvas_free(c);
    return found;
}

static void what_is_seldom_needed_is_folded_away_until_asked_for(void **state)
{
    struct form f;

    (void)state;
    form_init(&f, &folded_spec);
    assert_true(shows(&f, "[+] More"));
    assert_false(shows(&f, "Level"));
    assert_int_equal(form_wants(&f).h, 2 + 4);
    press(&f, "Down Down"); /* over the fold to the button */
    assert_int_equal(f.current, f.count);
    press(&f, "Up Space");
    assert_true(shows(&f, "[-] More"));
    assert_true(shows(&f, "Level"));
    assert_int_equal(form_wants(&f).h, 4 + 4);
    press(&f, "Down Backspace 9 Down Space");
    assert_int_equal(form_number(&f, "level"), 9);
    press(&f, "Up Up Left");
    assert_false(shows(&f, "Level"));
    assert_true(shows(&f, "2 changed"));
    form_release(&f);
}

static void what_the_owner_set_is_not_called_changed(void **state)
{
    struct form f;

    (void)state;
    form_init(&f, &folded_spec);
    form_set(&f, "level", "3");
    assert_false(shows(&f, "changed"));
    press(&f, "Down Space Down Backspace 4");
    assert_true(shows(&f, "1 changed"));
    press(&f, "Backspace 3");
    assert_false(shows(&f, "changed"));
    form_release(&f);
}

static void a_field_that_is_wrong_cannot_hide(void **state)
{
    struct form f;

    (void)state;
    form_init(&f, &folded_spec);
    form_set(&f, "level", "77");
    assert_true(shows(&f, "Level: want a number from 1 to 9"));
    press(&f, "Up Up Enter");
    assert_false(f.accepted);
    assert_int_equal(f.current, 2);
    press(&f, "Backspace Down Down Enter");
    assert_true(f.accepted);
    form_release(&f);
}

static void a_form_that_is_cut_says_where_it_goes_on(void **state)
{
    struct canvas *c = canvas_new(80, 6, true);
    struct form f;

    (void)state;
    form_init(&f, &folded_spec);
    form_draw(&f, c, canvas_area(c));
    assert_false(canvas_mem_find(c, "more", NULL, NULL));
    press(&f, "Down Space");
    canvas_clear(c);
    form_draw(&f, c, canvas_area(c));
    assert_true(canvas_mem_find(c, "v more", NULL, NULL));
    press(&f, "Down Down");
    canvas_clear(c);
    form_draw(&f, c, canvas_area(c));
    assert_true(canvas_mem_find(c, "^ more", NULL, NULL));
    assert_false(canvas_mem_find(c, "v more", NULL, NULL));
    press(&f, "Down"); /* the button: the last fields stay in sight */
    canvas_clear(c);
    form_draw(&f, c, canvas_area(c));
    assert_true(canvas_mem_find(c, "Loud", NULL, NULL));
    form_release(&f);
    canvas_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_with_what_the_table_says),
        cmocka_unit_test(nothing_wrong_is_accepted),
        cmocka_unit_test(numbers_out_of_the_world_are_refused),
        cmocka_unit_test(choices_turn_round_and_checks_flip),
        cmocka_unit_test(leaving_is_always_possible),
        cmocka_unit_test(what_is_wrong_stands_beside_it),
        cmocka_unit_test(what_is_seldom_needed_is_folded_away_until_asked_for),
        cmocka_unit_test(what_the_owner_set_is_not_called_changed),
        cmocka_unit_test(a_field_that_is_wrong_cannot_hide),
        cmocka_unit_test(a_form_that_is_cut_says_where_it_goes_on),
    };

    return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}
