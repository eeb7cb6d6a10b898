#include "views/registry.h"

const struct ui_place registry[] = {
    {"1", &cluster_view}, {"2", &nodes_view},   {"3", &slots_view}, {"0", &event_list_view},
    {"4", &backups_view}, {NULL, &backup_view}, {NULL, &plan_view}, {NULL, &log_view},
    {NULL, &setup_view},  {"5", &jobs_view},    {NULL, NULL},
};
