/*
 * spark.h - a line of small bars, the newest at the right. Unknown samples (NaN) are gaps, not
 * zeros.
 */
#ifndef TUI_SPARK_H
#define TUI_SPARK_H

#include <stddef.h>

#include "tui/canvas.h"

enum spark_style { SPARK_AUTO, SPARK_BLOCKS, SPARK_BRAILLE, SPARK_ASCII };

/* The newest at.w samples (braille: twice as many) of values[count], scaled from 0 to `top`; top <=
 * 0: to the largest of them. SPARK_AUTO: blocks, or ASCII on an ASCII canvas. */
void spark_draw(struct canvas *c, struct rect at, enum role role, enum spark_style style,
                const double *values, size_t count, double top);

#endif
