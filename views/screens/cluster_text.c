#include "views/screens/cluster_text.h"

#include "tui/canvas_mem.h"

#define WIDTH 160
#define HEIGHT 60

char *cluster_screen_text(const struct view_ops *view, const void *state)
{
    struct canvas *c = canvas_new(WIDTH, HEIGHT, false);
    char *text;

    view->draw(state, c, canvas_area(c), LAYOUT_FULL);
    text = canvas_mem_text(c);
    canvas_free(c);
    return text;
}
