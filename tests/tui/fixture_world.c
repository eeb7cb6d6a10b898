#include "tests/tui/fixture_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tui/table.h"

struct world *world;

static size_t count(const void *model)
{
    return ((const struct world *)model)->row_count;
}

static void cell(const void *model, size_t row, size_t column, struct table_cell *out)
{
    const struct row *r = &((const struct world *)model)->rows[row];

    if (column == 1)
        (void)snprintf(out->scratch, sizeof(out->scratch), "%d", r->size);
    if (column < 2)
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
    {.name = "SIZE", .width = 6, .align = ALIGN_RIGHT, .priority = 1},
    {.name = "EXTRA", .width = 30, .priority = 2, .hidden = true},
    {.name = "MORE", .width = 90, .priority = 3, .hidden = true}};
static const struct table_ops ops = {.columns = columns,
                                     .columns_count = 4,
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

static bool look(void *state, struct str arg, struct error *err)
{
    (void)state;
    (void)arg;
    (void)err;
    world->looked++;
    return true;
}

static const struct action first_actions[] = {
    {"first.look", "Enter", "Look", "Looks at the thing.", .flags = ACTION_MENU, .run = look},
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

int world_set_up(void **state)
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

int world_tear_down(void **state)
{
    (void)state;
    ui_free(world->ui);
    assert_int_equal(world->opened, world->closed);
    canvas_free(world->canvas);
    free(world);
    return 0;
}

void world_keys(const char *names)
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

void world_type(const char *text)
{
    for (; *text != '\0'; text++)
        ui_key(world->ui, (unsigned char)*text);
    ui_draw(world->ui, world->canvas);
}

bool world_sees(const char *text)
{
    return canvas_mem_find(world->canvas, text, NULL, NULL);
}

void world_must_see(const char *text)
{
    if (!world_sees(text)) {
        char *all = canvas_mem_text(world->canvas);

        fprintf(stderr, "%s", all);
        free(all);
        fail_msg("not on the screen: %s", text);
    }
}
