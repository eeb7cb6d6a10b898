#include "tui/pager.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"

void pager_init(struct pager *p, bool follow)
{
    memset(p, 0, sizeof(*p));
    p->widget.ops = &pager_widget;
    p->follow = follow;
    p->seen = mem_zero(1, sizeof(*p->seen));
}

void pager_clear(struct pager *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->lines[i].text);
    p->count = p->top = 0;
}

void pager_release(struct pager *p)
{
    pager_clear(p);
    free(p->lines);
    free(p->seen);
    p->lines = NULL;
    p->seen = NULL;
    p->cap = 0;
}

static size_t page(const struct pager *p)
{
    return p->seen->page > 0 ? (size_t)p->seen->page : 1;
}

static size_t last_top(const struct pager *p)
{
    return p->count > page(p) ? p->count - page(p) : 0;
}

void pager_add(struct pager *p, enum role role, struct str line)
{
    if (p->count == PAGER_LINES) {
        size_t drop = PAGER_LINES / 10;

        for (size_t i = 0; i < drop; i++)
            free(p->lines[i].text);
        memmove(p->lines, p->lines + drop, (p->count - drop) * sizeof(*p->lines));
        p->count -= drop;
        p->top = p->top > drop ? p->top - drop : 0;
    }
    ARRAY_PUSH(p->lines, p->count, p->cap) =
        (struct pager_line){.text = mem_copy_str(line), .len = line.len, .role = role};
    if (p->follow)
        p->top = last_top(p);
}

void pager_set_text(struct pager *p, struct str text)
{
    struct str line;

    pager_clear(p);
    while (str_split(&text, '\n', &line))
        pager_add(p, ROLE_TEXT, line);
    if (p->count > 0 && p->lines[p->count - 1].len == 0)
        free(p->lines[--p->count].text);
}

static bool matches(const struct pager *p, size_t line)
{
    struct str text = {p->lines[line].text, p->lines[line].len};

    return p->search.len > 0 && text_search(text, lineedit_str(&p->search)) < text.len;
}

static void draw_line(const struct pager *p, size_t line, struct canvas *c, struct rect at)
{
    bool ascii = canvas_is_ascii(c);
    struct str text = {p->lines[line].text, p->lines[line].len};
    struct str shown = str_slice(text, text_skip(text, p->column, ascii), text.len);

    (void)canvas_text(c, at, p->lines[line].role, shown);
    if (matches(p, line)) {
        size_t found = text_search(shown, lineedit_str(&p->search));
        int x = text_width(str_slice(shown, 0, found), ascii);
        int w = text_width(str_slice(shown, found, found + p->search.len), ascii);

        if (found < shown.len)
            canvas_tint(c, rect_overlap((struct rect){at.x + x, at.y, w, 1}, at), ROLE_MATCH);
    }
}

void pager_draw(const struct pager *p, struct canvas *c, struct rect at, bool focused)
{
    struct rect lines = at;
    size_t top;

    if (p->searching || p->search.len > 0) {
        struct rect line = rect_take_bottom(&lines, 1);

        (void)canvas_print(c, line, ROLE_KEY, "/");
        lineedit_draw(&p->search, c, (struct rect){line.x + 1, line.y, line.w - 1, line.h},
                      focused && p->searching);
    }
    p->seen->page = lines.h;
    p->seen->area = lines;
    top = p->follow || p->top > last_top(p) ? last_top(p) : p->top;
    p->seen->top = top;
    for (int y = 0; y < lines.h && top + (size_t)y < p->count; y++)
        draw_line(p, top + (size_t)y, c, rect_row(lines, y));
}

bool pager_back(struct pager *p)
{
    if (!p->searching && p->search.len == 0)
        return false;
    p->searching = false;
    lineedit_clear(&p->search);
    return true;
}

static void scroll(struct pager *p, int64_t by)
{
    int64_t top = (int64_t)p->seen->top + by;
    int64_t end = (int64_t)last_top(p);

    p->top = top < 0 ? 0 : top > end ? (size_t)end : (size_t)top;
    p->seen->top = p->top;
    p->follow = p->follow && top >= end;
}

static bool find_from(struct pager *p, int step, struct error *err)
{
    if (p->search.len == 0)
        return error_set(err, ERROR_NOT_FOUND, 0, "nothing to search for: press / first");
    for (size_t i = 1; i <= p->count; i++) {
        size_t line = (p->seen->top + (step > 0 ? i : p->count - i)) % p->count;

        if (matches(p, line)) {
            p->top = line;
            p->seen->top = line;
            p->follow = false;
            return true;
        }
    }
    return error_set(err, ERROR_NOT_FOUND, 0, "no line has \"%s\"", p->search.text);
}

static bool grabs(const void *widget)
{
    return ((const struct pager *)widget)->searching;
}

static bool key(void *widget, uint32_t pressed)
{
    struct pager *p = widget;
    struct error err;

    if (pressed == TK_ENTER) {
        p->searching = false;
        if (p->search.len > 0 && p->count > 0 && !matches(p, p->seen->top))
            (void)find_from(p, 1, &err);
        return true;
    }
    if (pressed == TK_ESC || pressed == (TK_CTRL | 'c'))
        return pager_back(p);
    return lineedit_key(&p->search, pressed);
}

static bool mouse(void *widget, const struct key_mouse *m)
{
    if (m->button < 4)
        return false;
    scroll(widget, m->button == 4 ? -3 : 3);
    return true;
}

static bool down(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    scroll(state, 1);
    return true;
}

static bool up(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    scroll(state, -1);
    return true;
}

static bool page_down(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    scroll(state, (int64_t)page(state));
    return true;
}

static bool page_up(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    scroll(state, -(int64_t)page(state));
    return true;
}

static bool half_down(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    scroll(state, (int64_t)page(state) / 2);
    return true;
}

static bool half_up(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    scroll(state, -(int64_t)page(state) / 2);
    return true;
}

static bool top(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    scroll(state, -PAGER_LINES);
    return true;
}

static bool bottom(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    scroll(state, PAGER_LINES);
    return true;
}

static bool left(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct pager *p = state;

    p->column = p->column > 8 ? p->column - 8 : 0;
    return true;
}

static bool right(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct pager *p = state;

    p->column += p->column < 100000 ? 8 : 0;
    return true;
}

static bool follow(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct pager *p = state;

    p->follow = !p->follow;
    return true;
}

static bool search(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct pager *p = state;

    p->searching = true;
    lineedit_clear(&p->search);
    return true;
}

static bool next(void *state, struct str arg UNUSED, struct error *err)
{
    return find_from(state, 1, err);
}

static bool previous(void *state, struct str arg UNUSED, struct error *err)
{
    return find_from(state, -1, err);
}

static const struct action actions[] = {
    {"text.down", "j Down", "Down", "One line down.", .flags = ACTION_REPEAT, .run = down},
    {"text.up", "k Up", "Up", "One line up.", .flags = ACTION_REPEAT, .run = up},
    {"text.page-down", "Ctrl-f PgDn Space", "Page", "One page down.", .flags = ACTION_REPEAT,
     .run = page_down},
    {"text.page-up", "Ctrl-b PgUp", "Page up", "One page up.", .flags = ACTION_REPEAT,
     .run = page_up},
    {"text.half-down", "Ctrl-d", "Half page", "Half a page down.", .flags = ACTION_REPEAT,
     .run = half_down},
    {"text.half-up", "Ctrl-u", "Half up", "Half a page up.", .flags = ACTION_REPEAT,
     .run = half_up},
    {"text.top", "g Home", "Top", "To the first line.", .flags = ACTION_REPEAT, .run = top},
    {"text.bottom", "G End", "Bottom", "To the last line.", .flags = ACTION_REPEAT, .run = bottom},
    {"text.left", "h Left", "Left", "Scroll to the left.", .flags = ACTION_REPEAT, .run = left},
    {"text.right", "l Right", "Right", "Scroll to the right.", .flags = ACTION_REPEAT,
     .run = right},
    {"text.follow", "f", "Follow", "Stay at the end as lines arrive, or stop it.", .run = follow},
    {"text.search", "/ F3 F4", "Search", "Search in the text.", .flags = ACTION_FOOTER,
     .run = search},
    {"text.next", "n", "Next", "To the next line found.", .run = next},
    {"text.previous", "N", "Previous", "To the line found before.", .run = previous},
    {0},
};

static bool back(void *widget)
{
    return pager_back(widget);
}

const struct widget_ops pager_widget = {
    .name = "Text", .actions = actions, .grabs = grabs, .key = key, .back = back, .mouse = mouse};
