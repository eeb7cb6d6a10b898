#include "views/verbs/help.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/escape.h"

/* Of the terminal, at most 100; 80 elsewhere. */
static int terminal_width(void)
{
    struct winsize size;
    if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return 80;
    return size.ws_col < 40 ? 40 : size.ws_col > 100 ? 100 : size.ws_col;
}

static int run(const struct invocation *inv, struct error *err)
{
    const char *topic = inv->operand_count > 0 ? inv->operands[0] : NULL;
    const struct verb *verb = topic != NULL ? verb_find(str_from(topic)) : NULL;
    int width = terminal_width();
    struct buf out;
    char shown[80];
    if (topic != NULL && verb == NULL && strcmp(topic, "config") != 0) {
        error_set(err, ERROR_USAGE, 0, "no help about \"%s\"; see rbconsole --help",
                  escape_text(shown, sizeof(shown), str_from(topic)));
        return verb_fail(err);
    }
    buf_init(&out, HELP_MAX);
    if (verb != NULL)
        help_verb(&out, verb, width);
    else if (topic != NULL)
        help_config(&out, width);
    else
        help_global(&out, width);
    (void)fwrite(out.data, 1, out.len, stdout);
    buf_release(&out);
    return 0;
}

const struct verb verb_help = {
    .name = "help",
    .summary = "Explain a verb, or the keys of config.json.",
    .operands = "[VERB|config]",
    .operands_max = 1,
    .flags = VERB_NO_ENV | VERB_NO_CONFIG,
    .run = run,
};
