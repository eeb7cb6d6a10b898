/*
 * catalog_impl.h - inside core/store: what the files of the catalog share. One thread.
 */
#ifndef CORE_STORE_CATALOG_IMPL_H
#define CORE_STORE_CATALOG_IMPL_H

#include <pthread.h>

#include "core/base/map.h"
#include "core/store/catalog.h"

struct catalog {
    struct store *store;
    struct arena arena; /* rows and the texts of their summaries */
    struct map *by_id;
    struct catalog_row **rows; /* newest first */
    size_t count;
    size_t cap;
    size_t ignored;
    size_t pages;
    char *next; /* of the next page; NULL before the first and after the last */
    bool complete;
    pthread_mutex_t lock; /* guards the arena while catalog_read_summaries runs */
};

#endif
