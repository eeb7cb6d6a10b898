#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "tui/canvas_mem.h"
#include "views/console_private.h"

#define SCRIPT_MAX ((size_t)1024 * 1024)
#define WAIT_MS 10000

/*
 * A script is one step per line; empty lines and lines with # are left out:
 *   key j j Enter        press keys, by name          type TEXT     press its characters
 *   command rw 20m test  run it as if typed after :   resize 120x36
 *   wait [5s] TEXT       until TEXT is on the screen  gone [5s] TEXT  until it is not
 *   dump NAME            save the screen as DIR/NAME.txt
 */
struct script {
    struct console *k;
    struct canvas *canvas;
    const char *dump_dir;
    int line;
};

static bool parse_size(struct str text, int *w, int *h, struct error *err)
{
    size_t x = str_find(text, 'x');

    if (!str_to_int(str_slice(text, 0, x), 1, 2000, w) ||
        !str_to_int(str_slice(text, x + 1, text.len), 1, 1000, h))
        return error_set(err, ERROR_USAGE, 0, "want a size such as 80x24");
    return true;
}

static void draw(struct script *s)
{
    s->k->app.now_mono = clock_mono_ms();
    s->k->app.now_real = clock_real_ms();
    ui_draw(s->k->app.ui, s->canvas);
}

/* What is ready now is taken in before a key is pressed. */
static void settle(struct script *s)
{
    console_step(s->k, clock_mono_ms());
}

static bool press(struct script *s, struct str names, struct error *err)
{
    struct str name;

    while (names.len > 0 && str_split(&names, ' ', &name)) {
        uint32_t key;

        if (name.len == 0)
            continue;
        if (!key_parse(name, &key))
            return error_set(err, ERROR_USAGE, 0, "\"%.*s\" is no key", (int)name.len, name.ptr);
        settle(s);
        ui_key(s->k->app.ui, key);
    }
    return true;
}

static bool type(struct script *s, struct str text, struct error *err UNUSED)
{
    for (size_t i = 0; i < text.len; i++)
        ui_key(s->k->app.ui, (unsigned char)text.ptr[i]);
    return true;
}

static bool command(struct script *s, struct str text, struct error *err UNUSED)
{
    settle(s);
    ui_run_command(s->k->app.ui, text);
    return true;
}

static bool resize(struct script *s, struct str text, struct error *err)
{
    int w = 0;
    int h = 0;

    if (!parse_size(text, &w, &h, err))
        return false;
    canvas_resize(s->canvas, w, h);
    return true;
}

static bool wait_for(struct script *s, struct str text, bool present, struct error *err)
{
    int64_t ms = WAIT_MS;
    size_t space = str_find(text, ' ');
    struct error ignored;
    int64_t deadline;
    char *wanted;
    bool ok = false;

    if (text.len > 0 && isdigit((unsigned char)text.ptr[0]) &&
        command_parse_duration(str_slice(text, 0, space), &ms, &ignored))
        text = str_trim(str_slice(text, space, text.len));
    wanted = mem_copy_str(text);
    deadline = clock_after(ms);
    while (!ok && clock_left_ms(deadline) > 0) {
        draw(s);
        ok = canvas_mem_find(s->canvas, wanted, NULL, NULL) == present;
        if (!ok)
            console_step(s->k, clock_mono_ms() + 50 < deadline ? clock_mono_ms() + 50 : deadline);
    }
    if (!ok)
        (void)error_set(err, ERROR_TIMEOUT, 0, "\"%s\" %s", wanted,
                        present ? "did not appear" : "did not go away");
    free(wanted);
    return ok;
}

static bool wait_shown(struct script *s, struct str text, struct error *err)
{
    return wait_for(s, text, true, err);
}

static bool wait_gone(struct script *s, struct str text, struct error *err)
{
    return wait_for(s, text, false, err);
}

static bool dump_to(struct script *s, struct str name, struct error *err)
{
    char *file = mem_format("%.*s.txt", (int)name.len, name.ptr);
    char *path = file_join(s->dump_dir != NULL ? s->dump_dir : ".", file);
    char *text;
    bool ok;

    draw(s);
    text = canvas_mem_text(s->canvas);
    ok = (s->dump_dir == NULL || file_make_dirs(s->dump_dir, err)) &&
         file_write_atomic(path, str_from(text), err);
    free(text);
    free(path);
    free(file);
    return ok;
}

static const struct {
    const char *name;
    bool (*run)(struct script *s, struct str rest, struct error *err);
} steps[] = {
    {"key", press},       {"type", type},      {"command", command}, {"resize", resize},
    {"wait", wait_shown}, {"gone", wait_gone}, {"dump", dump_to},
};

static bool run_line(struct script *s, struct str line, struct error *err)
{
    size_t space;

    line = str_trim(line);
    if (line.len == 0 || line.ptr[0] == '#')
        return true;
    space = str_find(line, ' ');
    for (size_t i = 0; i < COUNT_OF(steps); i++)
        if (str_is(str_slice(line, 0, space), steps[i].name))
            return steps[i].run(s, str_trim(str_slice(line, space, line.len)), err);
    return error_set(err, ERROR_USAGE, 0,
                     "no such step: want key, type, command, resize, wait, "
                     "gone or dump");
}

static bool run_lines(struct script *s, struct str text, const char *path, struct error *err)
{
    struct str line;

    while (text.len > 0 && str_split(&text, '\n', &line)) {
        s->line++;
        if (ui_leaving(s->k->app.ui))
            return true;
        if (!run_line(s, line, err))
            return error_wrap(err, "%s line %d", path, s->line);
    }
    return true;
}

/* A failed script shows what it saw. */
static void show_last(struct script *s)
{
    char *text;

    draw(s);
    text = canvas_mem_text(s->canvas);
    (void)fputs(text, stderr);
    free(text);
}

int script_run(struct console *k, const char *path, const char *size, const char *dump_dir,
               struct error *err)
{
    struct script s = {.k = k, .dump_dir = dump_dir};
    struct buf text;
    int w = 80;
    int h = 24;
    bool ok;

    if (size != NULL && !parse_size(str_from(size), &w, &h, err))
        return verb_fail(err);
    buf_init(&text, SCRIPT_MAX);
    s.canvas = canvas_new(w, h, option_flag(k->app.inv, "ascii"));
    ok = file_read(path, &text, err) && run_lines(&s, buf_str(&text), path, err);
    if (!ok)
        show_last(&s);
    canvas_free(s.canvas);
    buf_release(&text);
    return ok ? 0 : verb_fail(err);
}
