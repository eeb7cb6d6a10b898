#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "tui/canvas_mem.h"
#include "tui/table.h"
#include "tui/ui.h"

/* A made-up application of two screens, driven by keys, seen as text. */

struct row {
    const char *id, *name;
    int size;
    bool child;
};

struct world {
    struct ui *ui;
    struct canvas *canvas;
    struct row rows[8];
    size_t row_count;
    const char *write_blocked;
    int destroyed, opened, closed, updates;
    char reason[80], arg[80];
    const char *check;
};

static struct world *world;

static size_t count(const void *model)
{
    return ((const struct world *)model)->row_count;
}

static void cell(const void *model, size_t row, size_t column, struct table_cell *out)
{
    const struct row *r = &((const struct world *)model)->rows[row];

    if (column == 1)
        (void)snprintf(out->scratch, sizeof(out->scratch), "%d", r->size);
    out->text = column == 0 ? str_from(r->name) : str_from(out->scratch);
}

static struct str id(const void *model, size_t row)
{
    return str_from(((const struct world *)model)->rows[row].id);
}

static bool attached(const void *model, size_t row)
{
    return ((const struct world *)model)->rows[row].child;
}

static const struct table_column columns[] = {
    {.name = "NAME", .width = 12},
    {.name = "SIZE", .width = 6, .align = ALIGN_RIGHT, .priority = 1}};
static const struct table_ops ops = {.columns = columns,
                                     .columns_count = 2,
                                     .count = count,
                                     .cell = cell,
                                     .id = id,
                                     .attached = attached,
                                     .empty = "nothing here yet"};

struct first {
    struct table table;
};

static bool open_first(void *state, const struct view_context *at, struct error *err)
{
    (void)err;
    (void)at;
    world->opened++;
    table_init(&((struct first *)state)->table, &ops, world, -1);
    return true;
}

static void close_first(void *state)
{
    world->closed++;
    table_release(&((struct first *)state)->table);
}

static void update_first(void *state)
{
    world->updates++;
    table_sync(&((struct first *)state)->table, world);
}

static void draw_first(const void *state, struct canvas *c, struct rect at, enum view_layout layout)
{
    (void)layout;
    table_draw(&((const struct first *)state)->table, c, at, true);
}

static struct widget *focus_first(void *state)
{
    return &((struct first *)state)->table.widget;
}

static bool destroy(void *state, struct str arg, struct error *err)
{
    (void)state;
    (void)err;
    (void)str_copy(arg, world->arg, sizeof(world->arg));
    world->destroyed++;
    return true;
}

static bool confirmed(void *owner, struct str reason, struct error *err)
{
    (void)owner;
    (void)err;
    (void)str_copy(reason, world->reason, sizeof(world->reason));
    world->destroyed++;
    return true;
}

static const char *check(void *owner)
{
    (void)owner;
    return world->check;
}

static bool ask(void *state, struct str arg, struct error *err)
{
    (void)arg;
    (void)err;
    ui_confirm(world->ui, &(struct ui_confirm){.title = "DELETE it",
                                               .text = "This deletes everything.",
                                               .accept = "Delete",
                                               .typed = "prd",
                                               .danger = true,
                                               .ask_reason = true,
                                               .check = check,
                                               .accepted = confirmed,
                                               .owner = state});
    return true;
}

static bool fails(void *state, struct str arg, struct error *err)
{
    (void)state;
    (void)arg;
    return error_set(err, ERROR_REPLY, 0, "the server said no");
}

static const char *never(const void *state)
{
    (void)state;
    return "no job selected";
}

static const char *value_at(const void *state, size_t n)
{
    static const char *const values[] = {"alpha", "beta", "betamax"};

    (void)state;
    return n < COUNT_OF(values) ? values[n] : NULL;
}

static const struct action first_actions[] = {
    {"first.destroy", "D", "Destroy", "Destroys the thing.",
     .flags = ACTION_WRITES | ACTION_CONFIRM, .run = destroy},
    {"first.ask", "A", "Ask", "Asks with a name.", .flags = ACTION_MENU, .run = ask},
    {"first.fail", "e", "Fail", "Fails.", .run = fails},
    {"first.never", "v", "Never", "Is never possible.", .flags = ACTION_MENU, .blocked = never,
     .run = destroy},
    {"first.give", "", "Give", "Takes a value.", .command = "give", .usage = "VALUE",
     .run = destroy, .complete = value_at},
    {0},
};

static void draw_second(const void *state, struct canvas *c, struct rect at,
                        enum view_layout layout)
{
    (void)state;
    (void)layout;
    (void)canvas_print(c, at, ROLE_TEXT, "the second screen");
}

static const struct view_ops first_view = {.id = "first",
                                           .title = "First",
                                           .help = "The first screen.",
                                           .state_size = sizeof(struct first),
                                           .actions = first_actions,
                                           .open = open_first,
                                           .close = close_first,
                                           .update = update_first,
                                           .draw = draw_first,
                                           .focus = focus_first};
static const struct view_ops second_view = {
    .id = "second", .title = "Second", .help = "The second screen.", .draw = draw_second};
static const struct ui_place places[] = {{"1", &first_view}, {"2", &second_view}, {NULL, NULL}};

static const char *write_blocked(const void *app)
{
    return ((const struct world *)app)->write_blocked;
}

static int set_up(void **state)
{
    struct error err;
    bool cjk;

    (void)text_start(&cjk);
    world = calloc(1, sizeof(*world));
    assert_non_null(world);
    world->rows[0] = (struct row){"a", "apple", 30, false};
    world->rows[1] = (struct row){"b", "banana", 4, false};
    world->rows[2] = (struct row){"c", "cherry", 100, true};
    world->rows[3] = (struct row){"d", "date", 7, false};
    world->row_count = 4;
    world->canvas = canvas_new(80, 24, true);
    world->ui =
        ui_new(&(struct ui_setup){.places = places, .app = world, .write_blocked = write_blocked});
    assert_true(ui_bind(world->ui, NULL, &err));
    assert_true(ui_start(world->ui, NULL, &err));
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ui_free(world->ui);
    assert_int_equal(world->opened, world->closed);
    canvas_free(world->canvas);
    free(world);
    return 0;
}

static void keys(const char *names)
{
    struct str rest = str_from(names);
    struct str name;

    while (rest.len > 0 && str_split(&rest, ' ', &name)) {
        uint32_t key;

        assert_true(key_parse(name, &key));
        ui_key(world->ui, key);
    }
    ui_draw(world->ui, world->canvas);
}

static void type(const char *text)
{
    for (; *text != '\0'; text++)
        ui_key(world->ui, (unsigned char)*text);
    ui_draw(world->ui, world->canvas);
}

static bool sees(const char *text)
{
    return canvas_mem_find(world->canvas, text, NULL, NULL);
}

static void must_see(const char *text)
{
    if (!sees(text)) {
        char *all = canvas_mem_text(world->canvas);

        fprintf(stderr, "%s", all);
        free(all);
        fail_msg("not on the screen: %s", text);
    }
}

static void selection_follows_the_thing_not_the_row(void **state)
{
    (void)state;
    keys("j j j");
    must_see("> date");
    world->rows[4] = world->rows[3];
    world->rows[3] = (struct row){"x", "extra", 1, false};
    world->row_count = 5;
    ui_update(world->ui);
    keys("1");
    must_see("> date");
    world->rows[4] = world->rows[0]; /* it is gone: the cursor stays near */
    ui_update(world->ui);
    keys("1");
    assert_false(sees("> date"));
    assert_true(sees("> apple"));
}

static void attached_rows_stay_below_their_head_when_sorted(void **state)
{
    int first, second;

    (void)state;
    keys("> >"); /* by SIZE: 4 (with 100 attached), 7, 30 */
    assert_true(canvas_mem_find(world->canvas, "banana", NULL, &first));
    assert_true(canvas_mem_find(world->canvas, "cherry", NULL, &second));
    assert_int_equal(second, first + 1);
    assert_int_equal(first, 1);
    keys("I");
    assert_true(canvas_mem_find(world->canvas, "apple", NULL, &first));
    assert_int_equal(first, 1);
}

static void the_filter_narrows_inverts_and_names_columns(void **state)
{
    (void)state;
    keys("/");
    type("name=an");
    must_see("banana");
    must_see("cherry"); /* attached to banana */
    assert_false(sees("apple"));
    keys("Enter Esc");
    must_see("apple");
    keys("/");
    type("!apple");
    assert_false(sees("  apple"));
    must_see("date");
    keys("Esc");
    must_see("apple");
}

static void read_only_refuses_and_says_why(void **state)
{
    (void)state;
    world->write_blocked = "read-only: arm with :rw";
    keys("D");
    must_see("Destroy: read-only: arm with :rw");
    keys("F9");
    must_see("(read-only: arm with :rw)");
    keys("Enter Esc");
    ui_run_command(world->ui, STR("first.destroy"));
    assert_int_equal(world->destroyed, 0);
}

static void enter_cancels_a_confirmation(void **state)
{
    (void)state;
    keys("D");
    must_see("Destroys the thing.");
    must_see(">[ Cancel ]<");
    keys("Enter");
    assert_false(sees("Cancel"));
    assert_int_equal(world->destroyed, 0);
    keys("D Right Enter");
    assert_int_equal(world->destroyed, 1);
}

static void a_typed_confirmation_needs_name_reason_and_check(void **state)
{
    (void)state;
    keys("A");
    must_see("Type the name  prd");
    must_see("off: the name is not complete");
    keys("Enter Enter Enter"); /* name, reason, Cancel */
    assert_false(sees("Type the name"));
    keys("A");
    type("prd");
    must_see("off: a reason is needed");
    keys("Tab");
    type("INC-1");
    world->check = "the epoch has changed";
    keys("Tab");
    must_see("off: the epoch has changed");
    keys("Tab Enter");
    assert_int_equal(world->destroyed, 0);
    world->check = NULL;
    keys("Enter");
    assert_int_equal(world->destroyed, 1);
    assert_string_equal(world->reason, "INC-1");
}

static void two_wrong_names_close_the_dialog(void **state)
{
    (void)state;
    keys("A");
    type("prod");
    keys("Tab Tab Tab Enter Enter");
    assert_false(sees("Type the name"));
    must_see("the name was wrong twice");
    assert_int_equal(world->destroyed, 0);
}

static void nothing_moves_under_an_open_menu(void **state)
{
    int before;

    (void)state;
    keys("F9");
    before = world->updates;
    ui_update(world->ui);
    assert_int_equal(world->updates, before);
    keys("Esc");
    ui_update(world->ui);
    assert_int_equal(world->updates, before + 1);
}

static void a_blocked_row_stays_in_sight_with_its_reason(void **state)
{
    (void)state;
    keys("F9");
    must_see("(no job selected)");
    keys("Esc v");
    must_see("Never: no job selected");
    assert_int_equal(world->destroyed, 0);
}

static void an_error_stays_until_a_key_is_pressed(void **state)
{
    (void)state;
    keys("e");
    must_see("the server said no");
    ui_update(world->ui);
    ui_draw(world->ui, world->canvas);
    must_see("the server said no");
    keys("j");
    assert_false(sees("the server said no"));
}

static void the_palette_completes_names_and_values_and_remembers(void **state)
{
    (void)state;
    keys(":");
    type("gi");
    keys("Tab");
    type("be");
    keys("Tab Tab");
    must_see(":give betamax");
    keys("Enter");
    assert_string_equal(world->arg, "betamax");
    keys(": Up");
    must_see(":give betamax");
    keys("Esc :");
    type("secnd");
    keys("Enter");
    must_see("did you mean :second?");
}

static void screens_open_by_number_and_keep_their_state(void **state)
{
    (void)state;
    keys("G 2");
    must_see("the second screen");
    keys("1");
    must_see("> date");
    keys("- -");
    must_see("> date");
    assert_int_equal(world->opened, 1);
    keys("2 q");
    must_see("> date");
    keys("q");
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
    keys("F8");
    must_see("the server said no");
    keys("F2");
    must_see("the second screen");
    keys("1 ?");
    type("/");
    type("Fails.");
    must_see("E F8");
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
        (void)tear_down(state);
        (void)set_up(state);
    }
}

static void every_size_is_drawn(void **state)
{
    (void)state;
    keys("? Esc F9");
    for (int w = 1; w < 130; w += 3)
        for (int h = 1; h < 40; h++) {
            canvas_resize(world->canvas, w, h);
            ui_draw(world->ui, world->canvas);
        }
    canvas_resize(world->canvas, 80, 24);
    keys("Esc ?");
    for (int w = 1; w < 130; w += 3)
        for (int h = 1; h < 40; h++) {
            canvas_resize(world->canvas, w, h);
            ui_draw(world->ui, world->canvas);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
        TEST(nothing_moves_under_an_open_menu),
        TEST(a_blocked_row_stays_in_sight_with_its_reason),
        TEST(an_error_stays_until_a_key_is_pressed),
        TEST(the_palette_completes_names_and_values_and_remembers),
        TEST(screens_open_by_number_and_keep_their_state),
        TEST(keys_are_rebound_and_shown_everywhere),
        TEST(clashes_and_mistakes_name_both_sides),
        TEST(every_size_is_drawn),
    };

    return cmocka_run_group_tests_name("ui", tests, NULL, NULL);
}
