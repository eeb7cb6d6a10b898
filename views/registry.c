#include "views/registry.h"

const struct ui_place registry[] = {
    {NULL, &log_view},
    {NULL, NULL},
};
