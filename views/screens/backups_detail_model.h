/*
 * backups_detail_model.h - one backup's manifest as lines for people. Pure.
 *
 * Texts come from a file that others may have written: they are escaped by whoever draws them.
 */
#ifndef VIEWS_SCREENS_BACKUPS_DETAIL_MODEL_H
#define VIEWS_SCREENS_BACKUPS_DETAIL_MODEL_H

#include "core/archive/manifest.h"
#include "core/store/catalog.h"
#include "views/screens/lines.h"

/* m NULL: there is no manifest, and `why` says so. */
void backups_detail_lines(const struct catalog_row *row, const char *uri, const struct manifest *m,
                          const char *why, line_sink add, void *arg);

#endif
