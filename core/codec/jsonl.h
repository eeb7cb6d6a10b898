/*
 * jsonl.h - cutting text into lines. Pure; any thread.
 */
#ifndef CORE_CODEC_JSONL_H
#define CORE_CODEC_JSONL_H

#include <stdbool.h>

#include "core/base/str.h"

#define JSONL_LINE_MAX \
    ((size_t)64 << 20) /* bytes without the newline; readers refuse longer ones */

/* The next line without its newline (a CR before it is dropped); empty ones are passed over. false
 * at the end; the last line may lack its newline. */
bool jsonl_next(struct str *rest, struct str *line);

#endif
