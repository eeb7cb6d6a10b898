#include "views/screens/lines.h"

#include <stdarg.h>
#include <stdio.h>

void lines_say(const struct lines *to, enum role role, const char *fmt, ...)
{
    char text[600];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    to->add(to->arg, role, text);
}
