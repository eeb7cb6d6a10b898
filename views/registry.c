#include "views/registry.h"

const struct ui_place registry[] = {
    {NULL, &log_view},
    {"5", &jobs_view},
    {NULL, NULL},
};
