#include "core/config/who.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/escape.h"
#include "core/config/process_env.h"

static void copy(char *out, size_t size, const char *text)
{
    escape_text(out, size, str_from(text));
}

void who_now(struct who *out)
{
    char raw[256] = "";
    char memory[4096];
    struct passwd entry;
    struct passwd *found = NULL;

    memset(out, 0, sizeof(*out));
    if (getpwuid_r(geteuid(), &entry, memory, sizeof(memory), &found) == 0 && found != NULL)
        copy(out->user, sizeof(out->user), found->pw_name);
    else
        (void)snprintf(out->user, sizeof(out->user), "%lu", (unsigned long)geteuid());
    copy(out->sudo_user, sizeof(out->sudo_user), process_env_text("SUDO_USER"));
    copy(out->ssh, sizeof(out->ssh), process_env_text("SSH_CONNECTION"));
    if (ttyname_r(STDIN_FILENO, raw, sizeof(raw)) == 0)
        copy(out->terminal, sizeof(out->terminal), raw);
    if (gethostname(raw, sizeof(raw) - 1) == 0) {
        raw[sizeof(raw) - 1] = '\0';
        copy(out->host, sizeof(out->host), raw);
    }
}
