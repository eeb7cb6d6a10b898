#include "tui/slotmap.h"

#include <stdio.h>

#define RULER_WIDTH 7

char *slotmap_name(char *out, size_t size, size_t group)
{
    if (group < 26)
        (void)snprintf(out, size, "%c", (int)('A' + group));
    else if (group < 26 + 26 * 26)
        (void)snprintf(out, size, "%c%c", (int)('a' + (group - 26) / 26),
                       (int)('a' + (group - 26) % 26));
    else
        (void)snprintf(out, size, "%zu", group + 1);
    return out;
}

static size_t map_width(struct rect at, bool ruler)
{
    int w = at.w - (ruler ? RULER_WIDTH : 0);

    return w > 0 ? (size_t)w : 1;
}

/* Cells per row: a power of two reads better beside a ruler; without one the whole width is used.
 */
size_t slotmap_row_cells(struct rect at, bool ruler)
{
    size_t w = map_width(at, ruler);
    size_t cells = 1;

    if (!ruler)
        return w;
    while (cells * 2 <= w)
        cells *= 2;
    return cells;
}

size_t slotmap_scale(const struct slotmap *m, struct rect at, bool ruler)
{
    size_t cells = slotmap_row_cells(at, ruler) * (at.h > 0 ? (size_t)at.h : 1);
    size_t scale = 1;

    while (cells * scale < m->count)
        scale *= 2;
    return scale;
}

struct look {
    uint16_t group;
    enum slotmap_mark mark;
};

/* The worst mark of the slots, then the group that most of them with that mark have. */
static struct look look_at(const struct slotmap *m, size_t from, size_t to)
{
    struct look best = {SLOTMAP_NONE, SLOTMAP_OK};
    size_t run = 0;
    size_t best_run = 0;
    uint16_t last = SLOTMAP_NONE;

    for (size_t i = from; i < to; i++) {
        enum slotmap_mark mark = m->group[i] == SLOTMAP_NONE ? SLOTMAP_UNOWNED
                                 : m->mark != NULL           ? (enum slotmap_mark)m->mark[i]
                                                             : SLOTMAP_OK;

        if (mark < best.mark)
            continue;
        if (mark > best.mark) {
            best_run = run = 0;
            best.mark = mark;
        }
        run = m->group[i] == last ? run + 1 : 1;
        last = m->group[i];
        if (run > best_run) {
            best_run = run;
            best.group = last;
        }
    }
    return best;
}

static char letter_of(uint16_t group, bool small)
{
    char name[24];
    char letter;

    (void)slotmap_name(name, sizeof(name), group);
    letter = group < 26 ? name[0] : name[1];
    if (group < 26 && small)
        letter = (char)(letter + ('a' - 'A'));
    return letter;
}

/* Past Z small letters are names of groups (aa, ab …) and cannot say that something moves. */
static bool has_many_groups(const struct slotmap *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->group[i] != SLOTMAP_NONE && m->group[i] >= 26)
            return true;
    }
    return false;
}

static void draw_cell(struct canvas *c, int x, int y, struct look look, bool many)
{
    static const struct {
        char sign;
        enum role role;
    } signs[SLOTMAP_MARKS] = {
        [SLOTMAP_OK] = {0, ROLE_TEXT},         [SLOTMAP_MOVING] = {0, ROLE_INFO},
        [SLOTMAP_SUSPECT] = {'?', ROLE_WARN},  [SLOTMAP_FAILED] = {'!', ROLE_BAD},
        [SLOTMAP_DISPUTED] = {'#', ROLE_WARN}, [SLOTMAP_UNOWNED] = {'.', ROLE_BAD},
    };

    if (many && look.mark == SLOTMAP_MOVING)
        canvas_point(c, x, y, ROLE_INFO, (uint32_t)'>');
    else if (signs[look.mark].sign != 0)
        canvas_point(c, x, y, signs[look.mark].role, (uint32_t)signs[look.mark].sign);
    else
        canvas_point(c, x, y,
                     look.mark == SLOTMAP_MOVING ? ROLE_INFO : theme_shard_role(look.group),
                     (uint32_t)letter_of(look.group, look.mark == SLOTMAP_MOVING));
}

size_t slotmap_draw(const struct slotmap *m, const struct slotmap_zoom *zoom, struct canvas *c,
                    struct rect at, bool ruler)
{
    size_t scale = zoom->per_cell > 0 ? zoom->per_cell : slotmap_scale(m, at, ruler);
    size_t cells = slotmap_row_cells(at, ruler);
    size_t slot = zoom->per_cell > 0 ? zoom->first : 0;
    bool many = has_many_groups(m);

    for (int y = 0; y < at.h && slot < m->count; y++) {
        int x = at.x;

        if (ruler) {
            (void)canvas_format(c, (struct rect){x, at.y + y, RULER_WIDTH, 1}, ROLE_DIM, "%6zu",
                                slot);
            x += RULER_WIDTH;
        }
        for (size_t i = 0; i < cells && slot < m->count; i++, slot += scale) {
            size_t end = slot + scale < m->count ? slot + scale : m->count;

            draw_cell(c, x + (int)i, at.y + y, look_at(m, slot, end), many);
            if (zoom->cursor >= slot && zoom->cursor < end)
                canvas_tint(c, (struct rect){x + (int)i, at.y + y, 1, 1}, ROLE_SELECTED);
        }
    }
    return scale;
}

char *slotmap_legend(char *out, size_t size, const struct slotmap *m, size_t per_cell)
{
    (void)snprintf(out, size, "%zu slot%s/cell  %s  ? pfail  ! fail  . none  # disputed", per_cell,
                   per_cell == 1 ? "" : "s",
                   has_many_groups(m) ? "A-Z a-z shard  > moving" : "A-Z shard  a-z moving");
    return out;
}
