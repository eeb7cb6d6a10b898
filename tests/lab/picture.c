/*
 * picture DIR - the pictures of the documentation, made from a real run.
 *
 * Starts a lab with sample data and an S3 server, opens the console in a terminal emulator, kills a
 * primary and brings it back, runs a backup, and writes what the screen then shows: DIR/cluster.svg
 * at 120x36 and DIR/NAME.txt at 80x24. `make picture` runs it; nothing in them is drawn by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/base/buf.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/screen.h"
#include "tests/harness/tmpdir.h"

#define CELL_W 8.4
#define CELL_H 17.0
#define MARGIN 10.0
#define FG 0xd0d4da /* of a terminal with its default colours */
#define BG 0x14171c
#define SVG_MAX ((size_t)4 << 20)
#define PATH_SIZE 512

static const char *out_dir;

/* What of a cell makes neighbours one piece of text. */
struct look {
    int fg, bg;
    bool bold, underline;
};

static struct look look_of(const struct screen_cell *cell)
{
    int fg = cell->fg >= 0 ? cell->fg : FG;
    int bg = cell->bg >= 0 ? cell->bg : BG;

    return (struct look){cell->reverse ? bg : fg, cell->reverse ? fg : bg, cell->bold,
                         cell->underline};
}

static bool same_look(struct look a, struct look b)
{
    return a.fg == b.fg && a.bg == b.bg && a.bold == b.bold && a.underline == b.underline;
}

static void put_escaped(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            buf_put(out, "&amp;");
            break;
        case '<':
            buf_put(out, "&lt;");
            break;
        case '>':
            buf_put(out, "&gt;");
            break;
        default:
            buf_put(out, "%c", *text);
        }
    }
}

/* One piece: its background where it is not the terminal's own, and its text set to the width of
 * its columns, whatever font the reader has. */
static void put_run(struct buf *out, int x, int y, int columns, struct look look, const char *text)
{
    double left = MARGIN + x * CELL_W;
    double top = MARGIN + y * CELL_H;

    if (look.bg != BG)
        buf_put(out,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#%06x\"/>\n",
                left, top, columns * CELL_W, CELL_H, (unsigned)look.bg);
    if (text[strspn(text, " ")] == '\0')
        return;
    buf_put(out, "<text x=\"%.1f\" y=\"%.1f\" textLength=\"%.1f\" fill=\"#%06x\"%s%s>", left,
            top + CELL_H - 4.5, columns * CELL_W, (unsigned)look.fg,
            look.bold ? " font-weight=\"bold\"" : "",
            look.underline ? " text-decoration=\"underline\"" : "");
    put_escaped(out, text);
    buf_put(out, "</text>\n");
}

static void put_row(struct buf *out, struct screen *s, int y)
{
    struct screen_cell cell;
    struct look look = {0};
    struct buf text;
    int start = 0;

    buf_init(&text, SVG_MAX);
    for (int x = 0; screen_cell(s, x, y, &cell); x += cell.width > 1 ? cell.width : 1) {
        if (x > start && !same_look(look, look_of(&cell))) {
            put_run(out, start, y, x - start, look, text.data);
            buf_clear(&text);
            start = x;
        }
        look = look_of(&cell);
        buf_put(&text, "%s", cell.text[0] != '\0' ? cell.text : " ");
    }
    if (text.len > 0)
        put_run(out, start, y, screen_width(s) - start, look, text.data);
    buf_release(&text);
}

static void save(const char *name, const char *text, size_t len)
{
    char path[PATH_SIZE];

    assert_true(snprintf(path, sizeof(path), "%s/%s", out_dir, name) < PATH_SIZE);
    tmpdir_write(path, text, len);
    printf("%s\n", path);
}

static void save_svg(struct screen *s, const char *name)
{
    double w = 2 * MARGIN + screen_width(s) * CELL_W;
    double h = 2 * MARGIN + screen_height(s) * CELL_H;
    struct buf out;

    buf_init(&out, SVG_MAX);
    buf_put(&out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
            "viewBox=\"0 0 %.0f %.0f\" xml:space=\"preserve\" "
            "style=\"white-space: pre\" font-size=\"14\" font-family=\""
            "'DejaVu Sans Mono', 'Liberation Mono', Menlo, Consolas, monospace\">\n"
            "<rect width=\"%.0f\" height=\"%.0f\" rx=\"6\" fill=\"#%06x\"/>\n",
            w, h, w, h, w, h, (unsigned)BG);
    for (int y = 0; y < screen_height(s); y++)
        put_row(&out, s, y);
    buf_put(&out, "</svg>\n");
    save(name, out.data, out.len);
    buf_release(&out);
}

static void save_text(struct screen *s, const char *name)
{
    char *text = screen_text(s);

    save(name, text, strlen(text));
    free(text);
}

static struct screen *console(const struct lab *lab, int w, int h)
{
    const char *const argv[] = {proc_rbconsole(), "-c", lab_config_file(lab), NULL};
    struct screen *s = screen_open(&(struct screen_spec){.argv = argv, .w = w, .h = h});

    screen_expect_match(s, "16384/16384.*(NODES|nodes) 6/6", 30000);
    screen_expect_match(s, "127.*prim ok", 10000);
    return s;
}

static void backup(const struct lab *lab)
{
    const char *const argv[] = {proc_rbconsole(), "-c", lab_config_file(lab), "backup", NULL};
    struct proc_result r;

    assert_true(proc_run(argv, NULL, &r));
    if (r.status != 0)
        fail_msg("backup: status %d: %s", r.status, r.err);
    proc_result_release(&r);
}

static void the_cluster_screen_after_a_failover(struct lab *lab)
{
    struct screen *s = console(lab, 120, 36);

    assert_true(lab_kill(lab, 0));
    screen_expect(s, "failover 127", 40000);
    assert_true(lab_restart(lab, 0));
    assert_true(lab_wait_ok(lab, 60000));
    screen_expect_match(s, "STATE ok .*NODES 6/6", 40000);
    backup(lab);
    screen_pump(s, 15000); /* the trend fills */
    save_svg(s, "cluster.svg");
    save_text(s, "cluster-120x36.txt");
    screen_close(s);
}

static const struct {
    const char *key, *sign, *name;
} screens[] = {
    {"1", "[ Topology", "cluster.txt"}, {"2", "[ Nodes", "nodes.txt"},
    {"3", "<slots>", "slots.txt"},      {"4", "<backups", "backups.txt"},
    {"5", "[ Jobs", "jobs.txt"},        {"0", "[ Events", "events.txt"},
    {"?", "Help: Events", "help.txt"},
};

static void every_screen_at_80x24(struct lab *lab)
{
    struct screen *s = console(lab, 80, 24);

    for (size_t i = 0; i < COUNT_OF(screens); i++) {
        screen_keys(s, screens[i].key);
        screen_expect(s, screens[i].sign, 5000);
        screen_pump(s, 3000);
        save_text(s, screens[i].name);
    }
    screen_close(s);
}

static void pictures(void **state UNUSED)
{
    struct lab *lab = lab_start(&(struct lab_options){.s3 = true});

    assert_non_null(lab);
    assert_true(lab_seed(lab, 0));
    the_cluster_screen_after_a_failover(lab);
    every_screen_at_80x24(lab);
    lab_stop(lab);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest runs[] = {cmocka_unit_test(pictures)};

    if (argc != 2) {
        (void)fputs("usage: picture DIR\n", stderr);
        return 2;
    }
    out_dir = argv[1];
    return cmocka_run_group_tests_name("pictures", runs, NULL, NULL) == 0 ? 0 : 1;
}
