#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/file.h"
#include "tui/theme.h"

static void every_shipped_theme_loads(void **state)
{
    struct error err;
    struct theme theme;
    size_t count;
    char **names = theme_names("themes", &count);

    (void)state;
    assert_true(count >= 7);
    for (size_t i = 0; i < count; i++)
        if (!theme_load(&theme, "themes", names[i], &err))
            fail_msg("%s: %s", names[i], err.text);
    theme_names_free(names, count);
}

static void mono_uses_no_colour_and_tells_states_apart(void **state)
{
    const struct theme *mono = theme_builtin("mono");
    static const enum role differ[] = {ROLE_GOOD, ROLE_WARN, ROLE_BAD, ROLE_UNKNOWN, ROLE_SELECTED};

    (void)state;
    for (size_t i = 0; i < ROLES; i++) {
        assert_int_equal(mono->look[i].fg, THEME_COLOR_DEFAULT);
        assert_int_equal(mono->look[i].bg, THEME_COLOR_DEFAULT);
    }
    for (size_t i = 0; i < COUNT_OF(differ); i++)
        for (size_t k = i + 1; k < COUNT_OF(differ); k++)
            assert_int_not_equal(mono->look[differ[i]].attrs, mono->look[differ[k]].attrs);
}

static bool load_text(const char *text, struct theme *out, struct error *err)
{
    char dir[] = "/tmp/rbconsole-theme-XXXXXX";
    char *path;
    bool ok;

    assert_non_null(mkdtemp(dir));
    path = file_join(dir, "x.json");
    assert_true(file_write_atomic(path, str_from(text), err));
    ok = theme_load(out, dir, "x", err);
    free(path);
    {
        struct error ignored;

        assert_true(file_remove_tree(dir, &ignored));
    }
    return ok;
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"{\"roles\":{\"selectd\":{}}}", "did you mean \"selected\""},
        {"{\"roles\":{\"bad\":{\"fg\":\"red\"}}}", "#rrggbb"},
        {"{\"roles\":{\"bad\":{\"fg\":\"#12345g\"}}}", "is no colour"},
        {"{\"roles\":{\"bad\":{\"attrs\":[\"dim\"]}}}", "attrs"},
        {"{\"base\":\"nothing\"}", "base"},
        {"{", "x.json"},
        {"[]", "want an object"},
    };
    struct theme theme;
    struct error err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_false(load_text(cases[i].text, &theme, &err));
        if (strstr(err.text, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].text, err.text);
    }
    assert_false(theme_load(&theme, "themes", "../themes/nord", &err));
    assert_false(theme_load(&theme, "themes", "absent", &err));
}

static void a_file_changes_what_it_names_and_keeps_the_rest(void **state)
{
    struct theme theme;
    struct error err;

    (void)state;
    assert_true(
        load_text("{\"base\":\"light\",\"roles\":{\"bad\":{\"fg\":\"#ff0000\"}}}", &theme, &err));
    assert_int_equal(theme.look[ROLE_BAD].fg, 0xff0000);
    assert_memory_equal(&theme.look[ROLE_GOOD], &theme_builtin("light")->look[ROLE_GOOD],
                        sizeof(struct theme_look));
}

static void colours_map_to_what_the_terminal_has(void **state)
{
    (void)state;
    assert_int_equal(theme_color(0xff0000, 256), 196);
    assert_int_equal(theme_color(0x5fafff, 256), 75);
    assert_int_equal(theme_color(0xff0000, 16), 9);
    assert_int_equal(theme_color(0xcd0000, 8), 1);
    assert_int_equal(theme_color(0xffffff, 8), 7);
    assert_int_equal(theme_color(0xff0000, 0), -1);
    assert_int_equal(theme_color(THEME_COLOR_DEFAULT, 256), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shipped_theme_loads),
        cmocka_unit_test(mono_uses_no_colour_and_tells_states_apart),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_file_changes_what_it_names_and_keeps_the_rest),
        cmocka_unit_test(colours_map_to_what_the_terminal_has),
    };

    return cmocka_run_group_tests_name("theme", tests, NULL, NULL);
}
