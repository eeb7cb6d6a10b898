#include "tui/canvas.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

struct canvas {
    int w, h;
    struct cell *cells;
    struct rect clip;
    bool ascii, plain_lines;
    int cursor_x, cursor_y; /* -1: hidden */
};

static const struct {
    uint32_t point;
    char ascii;
} signs[GLYPHS] = {
    [GLYPH_HLINE] = {0x2500, '-'},       [GLYPH_VLINE] = {0x2502, '|'},
    [GLYPH_TOP_LEFT] = {0x250c, '+'},    [GLYPH_TOP_RIGHT] = {0x2510, '+'},
    [GLYPH_BOTTOM_LEFT] = {0x2514, '+'}, [GLYPH_BOTTOM_RIGHT] = {0x2518, '+'},
    [GLYPH_TEE] = {0x251c, '|'},         [GLYPH_END] = {0x2514, '`'},
    [GLYPH_FULL] = {0x2588, '#'},        [GLYPH_EMPTY] = {0x2500, '-'},
    [GLYPH_UP] = {0x2191, '^'},          [GLYPH_DOWN] = {0x2193, 'v'},
};

struct canvas *canvas_new(int w, int h, bool ascii)
{
    struct canvas *c = mem_zero(1, sizeof(*c));

    c->ascii = ascii;
    canvas_resize(c, w, h);
    return c;
}

void canvas_free(struct canvas *c)
{
    if (c == NULL)
        return;
    free(c->cells);
    free(c);
}

void canvas_resize(struct canvas *c, int w, int h)
{
    c->w = w < 1 ? 1 : w > 2000 ? 2000 : w;
    c->h = h < 1 ? 1 : h > 1000 ? 1000 : h;
    free(c->cells);
    c->cells = mem_zero((size_t)c->w * (size_t)c->h, sizeof(*c->cells));
    canvas_clear(c);
}

void canvas_clear(struct canvas *c)
{
    c->clip = canvas_area(c);
    c->cursor_x = c->cursor_y = -1;
    canvas_fill(c, c->clip, ROLE_TEXT);
}

struct rect canvas_area(const struct canvas *c)
{
    return (struct rect){0, 0, c->w, c->h};
}

bool canvas_is_ascii(const struct canvas *c)
{
    return c->ascii;
}

void canvas_plain_lines(struct canvas *c, bool plain)
{
    c->plain_lines = plain;
}

static struct cell *at_cell(const struct canvas *c, int x, int y)
{
    return &c->cells[(size_t)y * (size_t)c->w + (size_t)x];
}

const struct cell *canvas_cell(const struct canvas *c, int x, int y)
{
    return x < 0 || y < 0 || x >= c->w || y >= c->h ? NULL : at_cell(c, x, y);
}

struct rect canvas_clip(struct canvas *c, struct rect to)
{
    struct rect before = c->clip;

    c->clip = rect_overlap(before, to);
    return before;
}

void canvas_unclip(struct canvas *c, struct rect before)
{
    c->clip = before;
}

static void blank(struct cell *cell)
{
    cell->point[0] = ' ';
    cell->point[1] = cell->point[2] = 0;
    cell->width = 1;
}

/* A wide character that loses one half loses both. */
static void cut_wide(struct canvas *c, int x, int y)
{
    struct cell *cell = at_cell(c, x, y);

    if (cell->width == 0 && x > 0)
        blank(at_cell(c, x - 1, y));
    if (cell->width == 2 && x + 1 < c->w)
        blank(at_cell(c, x + 1, y));
}

static bool inside(const struct canvas *c, int x, int y)
{
    return x >= c->clip.x && y >= c->clip.y && x < c->clip.x + c->clip.w &&
           y < c->clip.y + c->clip.h;
}

static void put(struct canvas *c, int x, int y, enum role role, const uint32_t *points, int width)
{
    struct cell *cell;

    if (!inside(c, x, y) || (width == 2 && !inside(c, x + 1, y))) {
        if (width == 2 && inside(c, x, y))
            put(c, x, y, role, (const uint32_t[TEXT_POINTS]){' '}, 1);
        if (width == 2 && inside(c, x + 1, y))
            put(c, x + 1, y, role, (const uint32_t[TEXT_POINTS]){' '}, 1);
        return;
    }
    cut_wide(c, x, y);
    cell = at_cell(c, x, y);
    memcpy(cell->point, points, sizeof(cell->point));
    cell->width = (uint8_t)width;
    cell->role = (uint8_t)role;
    if (width == 2) {
        cut_wide(c, x + 1, y);
        cell = at_cell(c, x + 1, y);
        *cell = (struct cell){.width = 0, .role = (uint8_t)role};
    }
}

void canvas_point(struct canvas *c, int x, int y, enum role role, uint32_t point)
{
    put(c, x, y, role, (const uint32_t[TEXT_POINTS]){point}, 1);
}

static bool is_line(enum glyph glyph)
{
    return glyph <= GLYPH_END || glyph == GLYPH_EMPTY;
}

void canvas_glyph(struct canvas *c, int x, int y, enum role role, enum glyph glyph)
{
    bool plain = c->ascii || (c->plain_lines && is_line(glyph));

    canvas_point(c, x, y, role, plain ? (uint32_t)signs[glyph].ascii : signs[glyph].point);
}

const char *canvas_glyph_text(const struct canvas *c, enum glyph glyph)
{
    static const char *const utf8[GLYPHS] = {"─", "│", "┌", "┐", "└", "┘",
                                             "├", "└", "█", "─", "↑", "↓"};
    static const char *const plain[GLYPHS] = {"-", "|", "+", "+", "+", "+",
                                              "|", "`", "#", "-", "^", "v"};

    return c->ascii || (c->plain_lines && is_line(glyph)) ? plain[glyph] : utf8[glyph];
}

static int put_piece(struct canvas *c, int x, int y, enum role role, const struct text_piece *piece)
{
    if (piece->escaped)
        for (int i = 0; i < 4; i++)
            canvas_point(c, x + i, y, role, piece->point[i]);
    else
        put(c, x, y, role, piece->point, piece->width);
    return piece->width;
}

static int put_pieces(struct canvas *c, int x, int y, enum role role, struct str text)
{
    struct text_piece piece;
    int used = 0;

    while (text_next(&text, c->ascii, &piece))
        used += put_piece(c, x + used, y, role, &piece);
    return used;
}

int canvas_text(struct canvas *c, struct rect at, enum role role, struct str text)
{
    size_t fits;
    int used, more;

    if (at.w <= 0 || at.h <= 0)
        return 0;
    fits = text_fit(text, at.w, c->ascii);
    if (fits == text.len)
        return put_pieces(c, at.x, at.y, role, text);
    more = c->ascii && at.w > 3 ? 2 : 1;
    used =
        put_pieces(c, at.x, at.y, role, str_slice(text, 0, text_fit(text, at.w - more, c->ascii)));
    for (int i = 0; i < more; i++)
        canvas_point(c, at.x + used + i, at.y, role, c->ascii ? '.' : 0x2026);
    return used + more;
}

int canvas_print(struct canvas *c, struct rect at, enum role role, const char *text)
{
    return canvas_text(c, at, role, str_from(text));
}

int canvas_format(struct canvas *c, struct rect at, enum role role, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return canvas_print(c, at, role, text);
}

void canvas_align(struct canvas *c, struct rect at, enum role role, enum align align,
                  struct str text)
{
    int width = align == ALIGN_LEFT ? 0 : text_width(text, c->ascii);
    int spare = width < at.w ? at.w - width : 0;

    if (align == ALIGN_LEFT)
        spare = 0;
    if (align == ALIGN_CENTER)
        spare /= 2;
    at.x += spare;
    at.w -= spare;
    (void)canvas_text(c, at, role, text);
}

/* Bytes of the next row: up to a line end, or the last blank that fits, or what fits. */
static size_t wrap_at(struct str text, int columns, bool ascii, size_t *next)
{
    size_t line = str_find(text, '\n');
    struct str one = str_slice(text, 0, line);
    size_t fits = text_fit(one, columns, ascii);
    size_t cut = fits;

    if (fits == one.len) {
        *next = line < text.len ? line + 1 : line;
        return fits;
    }
    while (cut > 0 && one.ptr[cut] != ' ')
        cut--;
    if (cut == 0)
        cut = fits > 0 ? fits : one.len;
    *next = cut;
    while (*next < one.len && one.ptr[*next] == ' ')
        (*next)++;
    return cut;
}

int canvas_wrap(struct canvas *c, struct rect at, enum role role, struct str text)
{
    int rows = 0;

    while (text.len > 0 && at.w > 0 && (c == NULL || rows < at.h)) {
        size_t next = 0;
        size_t len = wrap_at(text, at.w, c != NULL && c->ascii, &next);

        if (c != NULL)
            (void)canvas_text(c, rect_row(at, rows), role, str_slice(text, 0, len));
        text = str_slice(text, next, text.len);
        rows++;
    }
    return rows;
}

void canvas_fill(struct canvas *c, struct rect at, enum role role)
{
    struct rect r = rect_overlap(at, c->clip);

    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++)
            canvas_point(c, x, y, role, ' ');
}

void canvas_tint(struct canvas *c, struct rect at, enum role role)
{
    struct rect r = rect_overlap(at, c->clip);

    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++)
            at_cell(c, x, y)->role = (uint8_t)role;
}

static void frame(struct canvas *c, struct rect at, enum role role)
{
    int right = at.x + at.w - 1;
    int bottom = at.y + at.h - 1;

    for (int x = at.x + 1; x < right; x++) {
        canvas_glyph(c, x, at.y, role, GLYPH_HLINE);
        canvas_glyph(c, x, bottom, role, GLYPH_HLINE);
    }
    for (int y = at.y + 1; y < bottom; y++) {
        canvas_glyph(c, at.x, y, role, GLYPH_VLINE);
        canvas_glyph(c, right, y, role, GLYPH_VLINE);
    }
    canvas_glyph(c, at.x, at.y, role, GLYPH_TOP_LEFT);
    canvas_glyph(c, right, at.y, role, GLYPH_TOP_RIGHT);
    canvas_glyph(c, at.x, bottom, role, GLYPH_BOTTOM_LEFT);
    canvas_glyph(c, right, bottom, role, GLYPH_BOTTOM_RIGHT);
}

struct rect canvas_box(struct canvas *c, struct rect at, enum role role, const char *title,
                       const char *note)
{
    int room = at.w - 4;
    int used = 0;

    if (at.w < 2 || at.h < 2)
        return at;
    frame(c, at, role);
    if (title != NULL && title[0] != '\0' && room > 4) {
        struct rect t = {at.x + 2, at.y, room, 1};

        (void)canvas_print(c, t, role, "[ ");
        used = 2 + canvas_print(c, (struct rect){t.x + 2, t.y, room - 4, 1},
                                role == ROLE_DANGER ? ROLE_DANGER : ROLE_TITLE, title);
        (void)canvas_print(c, (struct rect){t.x + used, t.y, 2, 1}, role, " ]");
        used += 2;
    }
    if (note != NULL && note[0] != '\0') {
        int width = text_width(str_from(note), c->ascii) + 4;

        if (used + width + 2 <= room)
            (void)canvas_format(c, (struct rect){at.x + at.w - 2 - width, at.y, width, 1}, role,
                                "[ %s ]", note);
    }
    return rect_inset(at, 1);
}

void canvas_set_cursor(struct canvas *c, int x, int y)
{
    if (inside(c, x, y)) {
        c->cursor_x = x;
        c->cursor_y = y;
    }
}

void canvas_hide_cursor(struct canvas *c)
{
    c->cursor_x = c->cursor_y = -1;
}

bool canvas_cursor(const struct canvas *c, int *x, int *y)
{
    *x = c->cursor_x;
    *y = c->cursor_y;
    return c->cursor_x >= 0;
}
