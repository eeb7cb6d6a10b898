#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/config/process_env.h"
#include "core/jobs/audit.h"
#include "views/console_private.h"

#define ARM_MAX_MS ((int64_t)8 * 3600 * 1000)

/* ---- read-write ---- */

bool command_parse_duration(struct str text, int64_t *ms, struct error *err)
{
    static const struct {
        char letter;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}};
    int64_t factor = 60000;
    int64_t number = 0;
    struct str digits = text;

    for (size_t i = 0; text.len > 0 && i < COUNT_OF(units); i++)
        if (text.ptr[text.len - 1] == units[i].letter) {
            factor = units[i].ms;
            digits = str_slice(text, 0, text.len - 1);
        }
    if (!str_to_i64(digits, &number) || number <= 0 || number > ARM_MAX_MS / factor)
        return error_set(err, ERROR_USAGE, 0, "want a time such as 20m, at most 8h");
    *ms = number * factor;
    return true;
}

struct arming {
    char *state_dir, *env, *reason;
    struct who who;
    int64_t ms;
    struct error err;
};

static void arm_work(void *data, const _Atomic(bool) *stale UNUSED)
{
    struct arming *a = data;
    struct audit_entry entry = {
        .action = "arm",
        .phase = "begin",
        .env = a->env,
        .reason = a->reason,
        .who = {.user = a->who.user, .sudo_user = a->who.sudo_user, .ssh = a->who.ssh},
        .duration_ms = -1,
    };

    if (!audit_append(a->state_dir, &entry, &a->err))
        (void)error_wrap(&a->err, "read-only stays on: the audit log cannot be written");
}

static void arm_done(void *owner, void *data)
{
    struct console *k = owner;
    const struct arming *a = data;

    if (a->err.code != ERROR_NONE) {
        ui_error(k->app.ui, &a->err);
        return;
    }
    k->app.access = ACCESS_ARMED;
    k->app.armed_until = clock_after(a->ms);
    (void)str_copy(str_from(a->reason), k->app.reason, sizeof(k->app.reason));
    ui_toast(k->app.ui, TOAST_WARN, "read-write for %" PRId64 " min: %s", a->ms / 60000, a->reason);
    pace_dirty(&k->pace, true);
}

static void arm_release(void *data)
{
    struct arming *a = data;

    free(a->state_dir);
    free(a->env);
    free(a->reason);
    free(a);
}

/* Who arms a protected environment stands in the audit log first, or it stays read-only. */
static bool arm(void *state, struct str arg, struct error *err)
{
    struct console *k = state;
    size_t space = str_find(arg, ' ');
    struct str reason = str_trim(str_slice(arg, space, arg.len));
    struct arming *a;
    int64_t ms = 0;

    if (k->app.inv->read_only || k->app.env == NULL || k->app.state_dir == NULL)
        return error_set(err, ERROR_REFUSED, 0, "%s",
                         k->app.inv->read_only ? "this console was started with --read-only"
                         : k->app.env == NULL  ? "no environment is configured"
                                               : "there is no state directory for the audit log");
    if (k->app.identity.refused)
        return error_set(err, ERROR_REFUSED, 0, "%s", k->app.identity.text);
    if (!command_parse_duration(str_slice(arg, 0, space), &ms, err))
        return error_wrap(err, ":rw 20m REASON");
    if (reason.len == 0)
        return error_set(err, ERROR_USAGE, 0, ":rw 20m REASON: a reason is needed");
    a = mem_zero(1, sizeof(*a));
    a->state_dir = mem_copy_text(k->app.state_dir);
    a->env = mem_copy_text(k->app.env->name);
    a->reason = mem_copy_str(reason);
    a->who = k->app.who;
    a->ms = ms;
    app_ask(&k->app, &(struct app_request){.work = arm_work,
                                           .done = arm_done,
                                           .release = arm_release,
                                           .data = a,
                                           .owner = k,
                                           .channel = 10});
    return true;
}

static bool disarm(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct console *k = state;

    k->app.access = ACCESS_READ_ONLY;
    k->app.reason[0] = '\0';
    ui_toast(k->app.ui, TOAST_INFO, "read-only");
    return true;
}

/* ---- where ---- */

static bool switch_env(void *state, struct str arg, struct error *err)
{
    struct console *k = state;
    char name[120];

    (void)str_copy(arg, name, sizeof(name));
    if (config_environment(k->app.config, name) == NULL)
        return error_set(err, ERROR_NOT_FOUND, 0,
                         "no environment is called \"%s\"; :ctx and Tab show them", name);
    free(k->next_env);
    k->next_env = mem_copy_text(name);
    return true;
}

static const char *env_at(const void *state, size_t n)
{
    const struct console *k = state;

    return n < config_environment_count(k->app.config)
               ? config_environment_at(k->app.config, n)->name
               : NULL;
}

static bool refresh(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    app_refresh(state);
    return true;
}

/* ---- how it looks ---- */

static bool redraw(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct console *k = state;

    if (k->term != NULL)
        term_redraw(k->term);
    return true;
}

static bool mouse(void *state, struct str arg UNUSED, struct error *err)
{
    struct console *k = state;

    if (k->term == NULL)
        return error_set(err, ERROR_UNSUPPORTED, 0, "there is no terminal");
    term_set_mouse(k->term, !term_mouse(k->term));
    ui_toast(k->app.ui, TOAST_INFO, "mouse %s",
             term_mouse(k->term) ? "on; hold Shift to select text" : "off");
    return true;
}

static bool clock_mode(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct console *k = state;

    k->app.utc = !k->app.utc;
    ui_toast(k->app.ui, TOAST_INFO, "times in %s", k->app.utc ? "UTC" : "local time");
    return true;
}

static bool theme(void *state, struct str arg, struct error *err)
{
    struct console *k = state;
    char name[64];

    (void)str_copy(arg.len > 0 ? arg : STR("default"), name, sizeof(name));
    return console_set_theme(k, name, err);
}

static const char *theme_at(const void *state, size_t n)
{
    const struct console *k = state;

    return n < k->theme_count ? k->themes[n] : NULL;
}

/* ---- taking something along: files are written by a worker ---- */

struct keeping {
    char *path; /* NULL: only the clipboard */
    char *text;
    size_t len;
    bool clipboard; /* try the tmux buffer as well */
    bool copied;
    struct error err;
};

/* The text as a file in memory, at its start: nobody else can read it. -1: it could not be made. */
static int open_text(struct str text)
{
    int fd = memfd_create("rbconsole-copy", MFD_CLOEXEC);
    size_t done = 0;

    while (fd >= 0 && done < text.len) {
        ssize_t n = write(fd, text.ptr + done, text.len - done);

        if (n < 0 && errno != EINTR) {
            (void)close(fd);
            return -1;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0)
        (void)lseek(fd, 0, SEEK_SET);
    return fd;
}

static bool run_tmux(struct str text)
{
    static char name[] = "tmux", load[] = "load-buffer", wide[] = "-w", input[] = "-";
    char *argv[] = {name, load, wide, input, NULL};
    posix_spawn_file_actions_t files;
    int status = 1;
    pid_t pid;
    bool ok;
    int fd = process_env_text("TMUX") != NULL ? open_text(text) : -1;

    if (fd < 0)
        return false;
    (void)posix_spawn_file_actions_init(&files);
    (void)posix_spawn_file_actions_adddup2(&files, fd, STDIN_FILENO);
    (void)posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    ok = posix_spawnp(&pid, "tmux", &files, NULL, argv, environ) == 0;
    (void)posix_spawn_file_actions_destroy(&files);
    (void)close(fd);
    while (ok && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return ok && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void keep_work(void *data, const _Atomic(bool) *stale UNUSED)
{
    struct keeping *kept = data;
    struct str text = {kept->text, kept->len};

    if (kept->path != NULL && !file_write_atomic(kept->path, text, &kept->err))
        return;
    if (kept->clipboard)
        kept->copied = run_tmux(text);
}

static void keep_done(void *owner, void *data)
{
    struct console *k = owner;
    const struct keeping *kept = data;
    const char *where = NULL;

    if (kept->clipboard && kept->copied)
        where = "the tmux buffer";
    else if (kept->clipboard && k->term != NULL &&
             term_copy(k->term, (struct str){kept->text, kept->len}))
        where = "the terminal (OSC 52)";
    if (kept->err.code != ERROR_NONE)
        ui_error(k->app.ui, &kept->err);
    else if (where == NULL && kept->path == NULL)
        ui_toast(k->app.ui, TOAST_ERROR,
                 "not copied: there is no tmux, the terminal takes no copy of %zu bytes, and "
                 "there is no state directory to keep it in",
                 kept->len);
    else
        ui_toast(k->app.ui, TOAST_GOOD, "%zu bytes to %s%s%s", kept->len,
                 where != NULL ? where : "", where != NULL && kept->path != NULL ? " and " : "",
                 kept->path != NULL ? kept->path : "");
}

static void keep_release(void *data)
{
    struct keeping *kept = data;

    free(kept->path);
    free(kept->text);
    free(kept);
}

static void keep(struct console *k, char *path, struct str text, bool clipboard)
{
    struct keeping *kept = mem_zero(1, sizeof(*kept));

    kept->path = path;
    kept->text = mem_copy_str(text);
    kept->len = text.len;
    kept->clipboard = clipboard;
    app_ask(&k->app, &(struct app_request){.work = keep_work,
                                           .done = keep_done,
                                           .release = keep_release,
                                           .data = kept,
                                           .owner = k,
                                           .channel = 11});
}

void app_copy(struct app *app, struct str text)
{
    struct console *k = console_of(app);
    keep(k, app->state_dir != NULL ? file_join(app->state_dir, "copied.txt") : NULL, text, true);
}

static bool copy_selected(void *state, struct str arg UNUSED, struct error *err)
{
    struct console *k = state;
    struct buf text;
    bool ok;

    buf_init(&text, (size_t)1 << 20);
    ok = ui_selected(k->app.ui, &text, err);
    if (ok)
        app_copy(&k->app, buf_str(&text));
    buf_release(&text);
    return ok;
}

static bool copy(void *state, struct str arg UNUSED, struct error *err)
{
    struct console *k = state;
    char *text = NULL;

    if (!ui_save(k->app.ui, false, &text, err))
        return false;
    app_copy(&k->app, str_from(text));
    free(text);
    return true;
}

static bool save(void *state, struct str arg, struct error *err)
{
    struct console *k = state;
    bool json = str_is(arg, "json") || str_ends(arg, ".json");
    char stamp[FORMAT_MAX];
    char *text = NULL;
    char *path;

    if (!ui_save(k->app.ui, json, &text, err))
        return false;
    if (arg.len > 0 && !str_is(arg, "json") && !str_is(arg, "txt"))
        path = mem_copy_str(arg);
    else
        path = mem_format("rbconsole-%s-%s.%s", ui_view_id(k->app.ui),
                          format_compact_utc(stamp, sizeof(stamp), clock_real_ms()),
                          json ? "json" : "txt");
    keep(k, path, str_from(text), false);
    free(text);
    return true;
}

/* The environment that was typed in, as a config.json for the next time. */
static bool write_config(void *state, struct str arg, struct error *err)
{
    struct console *k = state;
    const struct environment *env = k->app.env;
    char name[64];
    json_t *doc, *all, *one, *nodes;
    struct buf text;
    bool ok;

    if (env == NULL || env->in_config || config_path(k->app.config) != NULL)
        return error_set(err, ERROR_REFUSED, 0, "%s",
                         env == NULL ? "connect to a cluster first"
                                     : "there is a configuration already: edit that file");
    (void)str_copy(arg.len > 0 ? arg : STR("local"), name, sizeof(name));
    doc = json_object();
    all = json_object();
    one = json_object();
    nodes = json_array();
    for (size_t i = 0; i < env->node_count; i++)
        json_push(nodes, json_string(env->nodes[i]));
    json_put(one, "nodes", nodes);
    if (env->username != NULL)
        json_put_text(one, "username", env->username);
    if (env->password.file != NULL)
        json_put_text(one, "password_file", env->password.file);
    if (env->tls.enabled) {
        json_t *tls = json_object();

        json_put_flag(tls, "enabled", true);
        if (env->tls.ca_file != NULL)
            json_put_text(tls, "ca_file", env->tls.ca_file);
        json_put(one, "tls", tls);
    }
    json_put(all, name, one);
    json_put(doc, "redis_nodes", all);
    buf_init(&text, (size_t)64 * 1024);
    ok = json_print(doc, true, &text, err);
    if (ok)
        keep(k, mem_copy_text("config.json"), buf_str(&text), false);
    buf_release(&text);
    json_decref(doc);
    return ok;
}

const struct action console_actions[] = {
    {"console.rw", "", "Read-write", "Allow changes for a while, with a reason for the audit log.",
     .command = "rw", .usage = "20m REASON", .flags = ACTION_NO_KEYS, .run = arm},
    {"console.ro", "", "Read-only", "Refuse changes from now on.", .command = "ro",
     .flags = ACTION_NO_KEYS, .run = disarm},
    {"console.ctx", "", "Switch", "Watch another environment of the configuration.",
     .command = "ctx", .usage = "NAME", .flags = ACTION_NO_KEYS, .run = switch_env,
     .complete = env_at},
    {"console.write-config", "", "Write",
     "Write config.json in the current directory from the address that was typed in.",
     .command = "write-config", .usage = "[NAME]", .flags = ACTION_NO_KEYS, .run = write_config},
    {"console.refresh", "r F5 Ctrl-r", "Refresh", "Ask every node now.", .command = "refresh",
     .flags = ACTION_FOOTER, .run = refresh},
    {"console.redraw", "Ctrl-l", "Redraw", "Paint the whole screen again.", .run = redraw},
    {"console.mouse", "M", "Mouse", "Turn the mouse on or off.", .command = "mouse", .run = mouse},
    {"console.time", "T", "Time", "Show times in UTC or in local time.", .command = "time",
     .run = clock_mode},
    {"console.theme", "", "Theme", "Change the colours.", .command = "theme", .usage = "NAME",
     .flags = ACTION_NO_KEYS, .run = theme, .complete = theme_at},
    {"console.copy-selected", "y", "Copy it",
     "Copy the selected thing's name (tmux buffer, terminal, file).", .command = "copy-selected",
     .flags = ACTION_YIELDS, .run = copy_selected},
    {"console.copy", "Y", "Copy", "Copy this screen's content (tmux buffer, terminal, file).",
     .command = "copy", .run = copy},
    {"console.save", "s", "Save",
     "Save this screen's content as text or JSON in the current directory.", .command = "save",
     .usage = "[txt|json|FILE]", .run = save},
    {0},
};
