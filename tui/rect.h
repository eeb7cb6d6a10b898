/*
 * rect.h - rectangles of terminal cells, and cutting them up. Pure; all inline.
 *
 * A rect may be empty or lie outside the screen; drawing into it is then simply cut.
 */
#ifndef TUI_RECT_H
#define TUI_RECT_H

#include <stdbool.h>

struct rect {
    int x, y, w, h;
};

static inline bool rect_is_empty(struct rect r)
{
    return r.w <= 0 || r.h <= 0;
}

/* One row of r, counted from its top. */
static inline struct rect rect_row(struct rect r, int row)
{
    return (struct rect){r.x, r.y + row, r.w, row >= 0 && row < r.h ? 1 : 0};
}

/* r without `n` cells on each side: what is inside a box is rect_inset(box, 1). */
static inline struct rect rect_inset(struct rect r, int n)
{
    return (struct rect){r.x + n, r.y + n, r.w - 2 * n, r.h - 2 * n};
}

static inline struct rect rect_overlap(struct rect a, struct rect b)
{
    int x = a.x > b.x ? a.x : b.x;
    int y = a.y > b.y ? a.y : b.y;
    int right = a.x + a.w < b.x + b.w ? a.x + a.w : b.x + b.w;
    int bottom = a.y + a.h < b.y + b.h ? a.y + a.h : b.y + b.h;

    return (struct rect){x, y, right - x, bottom - y};
}

/* Cut `h` rows off the top (bottom) of *r and return them; at most what is there. */
static inline struct rect rect_take_top(struct rect *r, int h)
{
    int take = h < r->h ? h : r->h;
    struct rect top = {r->x, r->y, r->w, take};

    r->y += take;
    r->h -= take;
    return top;
}

static inline struct rect rect_take_bottom(struct rect *r, int h)
{
    int take = h < r->h ? h : r->h;

    r->h -= take;
    return (struct rect){r->x, r->y + r->h, r->w, take};
}

static inline struct rect rect_take_left(struct rect *r, int w)
{
    int take = w < r->w ? w : r->w;
    struct rect left = {r->x, r->y, take, r->h};

    r->x += take;
    r->w -= take;
    return left;
}

/* w by h in the middle of r, made smaller where r is smaller. */
static inline struct rect rect_center(struct rect r, int w, int h)
{
    int cw = w < r.w ? w : r.w;
    int ch = h < r.h ? h : r.h;

    return (struct rect){r.x + (r.w - cw) / 2, r.y + (r.h - ch) / 2, cw, ch};
}

#endif
