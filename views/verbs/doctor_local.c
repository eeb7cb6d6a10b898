#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/config/config.h"
#include "core/config/process_env.h"
#include "core/config/state_dir.h"
#include "core/jobs/lock.h"
#include "views/verbs/doctor.h"

static void show_password(struct doctor *d, const char *name, const struct environment_text *from)
{
    bool set = from->value != NULL || from->file != NULL;
    doctor_value(d, name, set ? "set" : "not set", set ? from->where : "default");
}

void doctor_look_at_values(struct doctor *d)
{
    const struct config *c = d->inv->config;
    const struct environment *env = d->inv->env;
    const char *state = state_dir_path(c);
    for (size_t i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);
        size_t skip = config_key_is_env(key) ? strlen(CONFIG_ENV_PREFIX) : 0;
        char value[400];
        if (skip > 0 && env == NULL)
            continue;
        config_show(c, env, key->path, value, sizeof(value));
        if (strcmp(key->path, "state_dir") == 0) {
            doctor_value(d, key->path, state != NULL ? state : "not set", state_dir_where(c));
        } else if (env != NULL && strcmp(key->path, CONFIG_ENV_PREFIX "protected") == 0) {
            doctor_value(d, "protected", env->protected ? "true" : "false",
                         env->protected_given ? config_where(c, env, key->path)
                                              : "default, from the nodes' addresses");
        } else {
            doctor_value(d, key->path + skip, value, config_where(c, env, key->path));
        }
    }
    if (env != NULL) {
        show_password(d, "password", &env->password);
        show_password(d, "sentinel password", &env->sentinel_password);
    }
}

static void look_at_secret_file(struct doctor *d, const char *name, const char *path)
{
    struct stat st;
    if (path == NULL)
        return;
    if (stat(path, &st) != 0) {
        doctor_check(d, DOCTOR_FAIL, name, "%s cannot be read", path);
    } else if ((st.st_mode & S_IWOTH) != 0) {
        doctor_check(d, DOCTOR_FAIL, name, "everybody may change %s (mode %04o); chmod 600 it",
                     path, (unsigned)st.st_mode & 07777);
    } else if ((st.st_mode & (S_IRGRP | S_IROTH)) != 0) {
        doctor_check(d, DOCTOR_WARN, name, "others may read %s (mode %04o); chmod 600 it", path,
                     (unsigned)st.st_mode & 07777);
    } else {
        doctor_check(d, DOCTOR_OK, name, "%s (mode %04o)", path, (unsigned)st.st_mode & 07777);
    }
}

static void look_at_state_dir(struct doctor *d)
{
    struct error err = {0};
    struct stat st;
    if (!state_dir_open(d->inv->config, &d->state_dir, &err)) {
        doctor_check(d, DOCTOR_FAIL, "state directory", "%s", err.text);
        return;
    }
    if (stat(d->state_dir, &st) != 0) {
        doctor_check(d, DOCTOR_FAIL, "state directory", "%s cannot be read", d->state_dir);
        return;
    }
    doctor_check(d, DOCTOR_OK, "state directory", "%s (mode %04o%s)", d->state_dir,
                 (unsigned)st.st_mode & 07777,
                 (st.st_mode & S_IWGRP) != 0 ? ", shared by its group" : "");
}

void doctor_look_at_files(struct doctor *d)
{
    const struct config *c = d->inv->config;
    const struct environment *env = d->inv->env;
    if (config_path(c) != NULL)
        doctor_check(d, DOCTOR_OK, "config file", "%s", config_path(c));
    else
        doctor_check(d, DOCTOR_NOTE, "config file", "none found");
    for (size_t i = 0; i < config_tried_count(c); i++) {
        const char *tried = config_tried_at(c, i);
        if (config_path(c) == NULL || strcmp(tried, config_path(c)) != 0)
            doctor_check(d, DOCTOR_NOTE, "config file", "looked for %s", tried);
    }
    for (size_t i = 0; i < config_warning_count(c); i++)
        doctor_check(d, DOCTOR_WARN, "file modes", "%s", config_warning_at(c, i));
    if (env != NULL) {
        look_at_secret_file(d, "password file", env->password.file);
        look_at_secret_file(d, "sentinel password file", env->sentinel_password.file);
        look_at_secret_file(d, "TLS key file", env->tls.key_file);
        if (env->tls.insecure)
            doctor_check(d, DOCTOR_WARN, "TLS", "certificates are not checked (insecure)");
    } else {
        struct error why = {0};
        config_no_environment(c, &why);
        doctor_check(d, DOCTOR_FAIL, "environment", "%s", why.text);
    }
    look_at_state_dir(d);
}

/* Jobs survive the login only where nobody ends the session's processes. */
static void look_at_session(struct doctor *d)
{
    struct buf text;
    struct error ignored = {0};
    buf_init(&text, 65536);
    if (file_read("/etc/systemd/logind.conf", &text, &ignored) &&
        strstr(text.data, "\nKillUserProcesses=yes") != NULL) {
        doctor_check(d, DOCTOR_WARN, "jobs",
                     "logind ends jobs at logout (KillUserProcesses=yes); loginctl enable-linger "
                     "keeps them");
    }
    buf_release(&text);
    if (process_env_text("KUBERNETES_SERVICE_HOST") != NULL || file_exists("/.dockerenv") ||
        file_exists("/run/.containerenv"))
        doctor_check(d, DOCTOR_NOTE, "jobs", "in a container: jobs end when it ends");
}

void doctor_look_at_terminal(struct doctor *d)
{
    const char *term = process_env_text("TERM");
    const char *codeset = nl_langinfo(CODESET); /* NOLINT(concurrency-mt-unsafe) */
    struct winsize size = {0};
    if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
        doctor_check(d, DOCTOR_NOTE, "terminal", "standard output is no terminal");
    } else {
        doctor_check(d, size.ws_col >= 80 && size.ws_row >= 24 ? DOCTOR_OK : DOCTOR_NOTE,
                     "terminal", "%s, %ux%u%s", term != NULL ? term : "TERM is not set",
                     (unsigned)size.ws_col, (unsigned)size.ws_row,
                     process_env_text("NO_COLOR") != NULL ? ", NO_COLOR" : "");
    }
    if (strcmp(codeset, "UTF-8") != 0) {
        doctor_check(d, DOCTOR_NOTE, "locale", "%s is not UTF-8: the console draws with ASCII",
                     codeset);
    }
    look_at_session(d);
}

void doctor_look_at_locks(struct doctor *d)
{
    struct lock_holder *holders = NULL;
    struct error err = {0};
    size_t count = 0;
    size_t stale = 0;
    if (d->state_dir == NULL)
        return;
    if (!lock_list(d->state_dir, &holders, &count, &stale, &err)) {
        doctor_check(d, DOCTOR_FAIL, "locks", "%s", err.text);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        doctor_check(d, DOCTOR_NOTE, "locks", "%s holds %s (%s on %s, pid %lld)", holders[i].job_id,
                     holders[i].env, holders[i].user, holders[i].host, (long long)holders[i].pid);
    }
    doctor_check(d, DOCTOR_OK, "locks", "%zu held, %zu left by dead jobs were removed", count,
                 stale);
    free(holders);
}
