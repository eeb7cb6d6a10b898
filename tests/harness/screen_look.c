#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "tests/harness/screen_private.h"

static size_t put_utf8(char *out, uint32_t point)
{
    size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    out[0] = (char)(lead[n == 1 ? 0 : n] | point);
    return n;
}

static int color_of(struct screen *s, VTermColor color)
{
    if (VTERM_COLOR_IS_DEFAULT_FG(&color) || VTERM_COLOR_IS_DEFAULT_BG(&color))
        return -1;
    vterm_screen_convert_color_to_rgb(s->screen, &color);
    return color.rgb.red << 16 | color.rgb.green << 8 | color.rgb.blue;
}

bool screen_cell(struct screen *s, int x, int y, struct screen_cell *out)
{
    VTermScreenCell cell;
    size_t len = 0;

    memset(out, 0, sizeof(*out));
    if (x < 0 || y < 0 || x >= s->w || y >= s->h ||
        !vterm_screen_get_cell(s->screen, (VTermPos){.row = y, .col = x}, &cell))
        return false;
    for (size_t i = 0; i < VTERM_MAX_CHARS_PER_CELL && cell.chars[i] != 0 && len < 24; i++)
        if (cell.chars[i] != (uint32_t)-1)
            len += put_utf8(out->text + len, cell.chars[i]);
    out->width = (unsigned char)cell.width;
    out->bold = cell.attrs.bold;
    out->underline = cell.attrs.underline != 0;
    out->reverse = cell.attrs.reverse;
    out->fg = color_of(s, cell.fg);
    out->bg = color_of(s, cell.bg);
    return true;
}

char *screen_row(struct screen *s, int y)
{
    struct buf out;
    struct screen_cell cell;

    buf_init(&out, (size_t)1024 * 1024);
    for (int x = 0; x<s->w; x += cell.width> 1 ? cell.width : 1) {
        if (!screen_cell(s, x, y, &cell))
            break;
        buf_put(&out, "%s", cell.text[0] != '\0' ? cell.text : " ");
    }
    while (out.len > 0 && out.data[out.len - 1] == ' ')
        out.data[--out.len] = '\0';
    return buf_take(&out, NULL);
}

char *screen_text(struct screen *s)
{
    struct buf out;

    buf_init(&out, (size_t)16 * 1024 * 1024);
    for (int y = 0; y < s->h; y++) {
        char *row = screen_row(s, y);

        buf_put(&out, "%s\n", row);
        free(row);
    }
    return buf_take(&out, NULL);
}

bool screen_find(struct screen *s, const char *text, int *x, int *y)
{
    struct screen_cell cell;

    for (int row = 0; row < s->h; row++) {
        char *line = screen_row(s, row);
        char *at = strstr(line, text);
        size_t bytes = at != NULL ? (size_t)(at - line) : 0;
        int column = 0;

        free(line);
        if (at == NULL)
            continue;
        for (size_t seen = 0; seen < bytes && screen_cell(s, column, row, &cell);
             column += cell.width > 1 ? cell.width : 1)
            seen += cell.text[0] != '\0' ? strlen(cell.text) : 1;
        if (x != NULL)
            *x = column;
        if (y != NULL)
            *y = row;
        return true;
    }
    return false;
}

void screen_dump(struct screen *s)
{
    fprintf(stderr, "---- the screen, %dx%d ----\n", s->w, s->h);
    for (int y = 0; y < s->h; y++) {
        char *row = screen_row(s, y);

        fprintf(stderr, "%3d|%s\n", y, row);
        free(row);
    }
    fprintf(stderr, "---- end of the screen ----\n");
}

void screen_expect_cell(struct screen *s, int x, int y, const char *text)
{
    struct screen_cell cell;

    if (!screen_cell(s, x, y, &cell) || strcmp(cell.text, text) != 0)
        screen_fail(s, "cell %d,%d holds \"%s\", not \"%s\"", x, y, cell.text, text);
}

int screen_width(const struct screen *s)
{
    return s->w;
}

int screen_height(const struct screen *s)
{
    return s->h;
}

bool screen_cursor(struct screen *s, int *x, int *y)
{
    *x = s->cursor_x;
    *y = s->cursor_y;
    return s->cursor_shown;
}

bool screen_alternate(struct screen *s)
{
    return s->alternate;
}

const char *screen_bytes(struct screen *s, size_t *len)
{
    *len = s->bytes.len;
    return s->bytes.data;
}

void screen_bytes_reset(struct screen *s)
{
    buf_clear(&s->bytes);
}

uint64_t screen_bytes_total(const struct screen *s)
{
    return s->total;
}

void screen_expect_clean_bytes(struct screen *s)
{
    const unsigned char *p = (const unsigned char *)s->bytes.data;

    for (size_t i = 0; i < s->bytes.len; i++) {
        bool c1 = p[i] == 0xc2 && i + 1 < s->bytes.len && p[i + 1] >= 0x80 && p[i + 1] < 0xa0;
        bool string = p[i] == 0x1b && i + 1 < s->bytes.len && strchr("]P_^X", p[i + 1]) != NULL;

        if (c1 || (string && p[i + 1] != '\0'))
            screen_fail(s, "byte %zu: the program sent %s", i,
                        c1 ? "a C1 control" : "an OSC, DCS, APC or PM sequence");
    }
}

void screen_termios(struct screen *s, struct termios *before, struct termios *now)
{
    *before = s->before;
    memset(now, 0, sizeof(*now));
    (void)tcgetattr(s->slave_fd, now);
}

void screen_expect_restored(struct screen *s)
{
    struct termios before, now;

    screen_termios(s, &before, &now);
    if (before.c_iflag != now.c_iflag || before.c_oflag != now.c_oflag ||
        before.c_lflag != now.c_lflag || before.c_cflag != now.c_cflag ||
        memcmp(before.c_cc, now.c_cc, sizeof(before.c_cc)) != 0)
        screen_fail(s, "the terminal's settings were not restored");
    if (s->alternate)
        screen_fail(s, "the alternate screen is still on");
    if (!s->cursor_shown)
        screen_fail(s, "the cursor is still hidden");
}

/* Fields 14 and 15 of /proc/PID/stat, counted from 3 after the name in parentheses. */
int64_t screen_cpu_ms(struct screen *s)
{
    char *path = mem_format("/proc/%d/stat", (int)s->pid);
    struct error err;
    struct buf text;
    int64_t ticks = 0;

    buf_init(&text, 4096);
    if (file_read(path, &text, &err)) {
        struct str rest = buf_str(&text);
        struct str field;

        rest = str_slice(rest, str_find_last(rest, ')') + 2, rest.len);
        for (int i = 3; i <= 15 && str_split(&rest, ' ', &field); i++) {
            int64_t value = 0;

            if (i >= 14 && str_to_i64(field, &value))
                ticks += value;
        }
    }
    buf_release(&text);
    free(path);
    return ticks * 1000 / sysconf(_SC_CLK_TCK);
}
