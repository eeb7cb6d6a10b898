#include "tui/lineedit.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/escape.h"
#include "core/base/secret.h"

void lineedit_set(struct lineedit *e, const char *text)
{
    bool hidden = e->hidden;

    lineedit_clear(e);
    e->hidden = hidden;
    (void)str_copy(str_from(text), e->text, sizeof(e->text));
    e->len = e->at = strlen(e->text);
}

void lineedit_clear(struct lineedit *e)
{
    secret_wipe(e->text, sizeof(e->text));
    e->len = e->at = 0;
}

struct str lineedit_str(const struct lineedit *e)
{
    return (struct str){e->text, e->len};
}

static size_t before(const struct lineedit *e, size_t at)
{
    if (at == 0)
        return 0;
    for (at--; at > 0; at--)
        if (((unsigned char)e->text[at] & 0xc0) != 0x80)
            break;
    return at;
}

static size_t after(const struct lineedit *e, size_t at)
{
    if (at >= e->len)
        return e->len;
    at++;
    while (at < e->len && ((unsigned char)e->text[at] & 0xc0) == 0x80)
        at++;
    return at;
}

static void cut(struct lineedit *e, size_t from, size_t to)
{
    memmove(e->text + from, e->text + to, e->len - to + 1);
    e->len -= to - from;
    e->at = from;
}

static size_t word_before(const struct lineedit *e)
{
    size_t at = e->at;

    while (at > 0 && e->text[at - 1] == ' ')
        at--;
    while (at > 0 && e->text[at - 1] != ' ')
        at--;
    return at;
}

static size_t encode(uint32_t point, char out[4])
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

static bool insert(struct lineedit *e, uint32_t point)
{
    char bytes[4];
    size_t n = encode(point, bytes);

    if (e->len + n >= sizeof(e->text))
        return true; /* full: used up without effect */
    memmove(e->text + e->at + n, e->text + e->at, e->len - e->at + 1);
    memcpy(e->text + e->at, bytes, n);
    e->len += n;
    e->at += n;
    return true;
}

static void go_left(struct lineedit *e)
{
    e->at = before(e, e->at);
}

static void go_right(struct lineedit *e)
{
    e->at = after(e, e->at);
}

static void go_home(struct lineedit *e)
{
    e->at = 0;
}

static void go_end(struct lineedit *e)
{
    e->at = e->len;
}

static void erase_left(struct lineedit *e)
{
    cut(e, before(e, e->at), e->at);
}

static void erase_right(struct lineedit *e)
{
    cut(e, e->at, after(e, e->at));
}

static void erase_word(struct lineedit *e)
{
    cut(e, word_before(e), e->at);
}

static void erase_end(struct lineedit *e)
{
    cut(e, e->at, e->len);
}

static void erase_all(struct lineedit *e)
{
    cut(e, 0, e->at);
}

static const struct {
    uint32_t key;
    void (*run)(struct lineedit *e);
} edits[] = {
    {TK_LEFT, go_left},         {TK_CTRL | 'b', go_left},     {TK_RIGHT, go_right},
    {TK_CTRL | 'f', go_right},  {TK_HOME, go_home},           {TK_CTRL | 'a', go_home},
    {TK_END, go_end},           {TK_CTRL | 'e', go_end},      {TK_BACKSPACE, erase_left},
    {TK_DELETE, erase_right},   {TK_CTRL | 'd', erase_right}, {TK_CTRL | 'w', erase_word},
    {TK_CTRL | 'k', erase_end}, {TK_CTRL | 'u', erase_all},
};

bool lineedit_key(struct lineedit *e, uint32_t key)
{
    for (size_t i = 0; i < COUNT_OF(edits); i++)
        if (edits[i].key == key) {
            edits[i].run(e);
            return true;
        }
    return key_is_text(key) && insert(e, key);
}

static void draw_hidden(const struct lineedit *e, struct canvas *c, struct rect at, bool focused)
{
    int x = 0;
    int cursor = 0;

    for (size_t i = 0; i < e->len && x < at.w - 1; i = after(e, i)) {
        canvas_point(c, at.x + x++, at.y, ROLE_INPUT, '*');
        cursor += i < e->at ? 1 : 0;
    }
    if (focused)
        canvas_set_cursor(c, at.x + cursor, at.y);
}

void lineedit_draw(const struct lineedit *e, struct canvas *c, struct rect at, bool focused)
{
    bool ascii = canvas_is_ascii(c);
    struct str text = lineedit_str(e);
    int cursor = text_width(str_slice(text, 0, e->at), ascii);
    size_t from = cursor >= at.w && at.w > 0 ? text_skip(text, cursor - at.w + 1, ascii) : 0;

    canvas_fill(c, rect_row(at, 0), ROLE_INPUT);
    if (e->hidden) {
        draw_hidden(e, c, at, focused);
        return;
    }
    (void)canvas_text(c, at, ROLE_INPUT, str_slice(text, from, text.len));
    if (focused)
        canvas_set_cursor(c, at.x + text_width(str_slice(text, from, e->at), ascii), at.y);
}

void history_add(struct history *h, struct str line)
{
    h->at = h->count;
    if (line.len == 0 || (h->count > 0 && str_is(line, h->line[h->count - 1])))
        return;
    if (h->count == HISTORY_MAX) {
        free(h->line[0]);
        memmove(h->line, h->line + 1, (HISTORY_MAX - 1) * sizeof(h->line[0]));
        h->count--;
    }
    h->line[h->count++] = mem_copy_str(line);
    h->at = h->count;
}

const char *history_move(struct history *h, int step)
{
    if (step < 0 && h->at == 0)
        return NULL;
    if (step > 0 && h->at >= h->count)
        return NULL;
    h->at = step < 0 ? h->at - 1 : h->at + 1;
    return h->at == h->count ? "" : h->line[h->at];
}

void history_release(struct history *h)
{
    for (size_t i = 0; i < h->count; i++)
        free(h->line[i]);
    h->count = h->at = 0;
}
