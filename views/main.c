#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/array.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/s3/s3.h"
#include "views/cli.h"
#include "views/console.h"

#define SETTINGS_MAX 64

/* No core files and no foreign debugger: both would show passwords. Sanitizers need the latter. */
static void keep_memory_private(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/* Descriptors 0 to 2 exist, so that no file or socket of ours ever becomes stdout. */
static bool hold_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF &&
            open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd)
            return false;
    return true;
}

static void print_error(const struct error *err, bool json)
{
    struct error ignored;
    struct buf line;
    json_t *doc;
    json_t *inner;
    if (!json) {
        (void)fprintf(stderr, "rbconsole: %s\n", err->text);
        return;
    }
    doc = json_object();
    inner = json_object();
    json_put_text(inner, "code", error_code_name(err->code));
    json_put_text(inner, "message", err->text);
    json_put_int(inner, "exit", error_exit_status(err->code));
    json_put(doc, "error", inner);
    buf_init(&line, 4096);
    if (json_print(doc, false, &line, &ignored))
        (void)fprintf(stderr, "%s\n", line.data);
    buf_release(&line);
    json_decref(doc);
}

static bool load_config(const struct options *o, struct config **out, struct error *err)
{
    struct config_setting settings[SETTINGS_MAX];
    struct config_request request = {
        .file = cli_given(o, "config"), .environment = cli_given(o, "env"), .settings = settings};
    request.setting_count = cli_settings(o, settings, SETTINGS_MAX);
    return config_load(&request, out, err);
}

static bool open_log(const struct options *o, struct error *err)
{
    const char *path = cli_given(o, "log-file");
    enum log_level least = cli_given(o, "verbose") != NULL ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    return path == NULL || log_open(path, least, err);
}

/* The console opens without an environment too (it asks); most verbs need one. */
static bool check_environment(const struct verb *verb, const struct config *config,
                              struct error *err)
{
    bool asked_for_none = config != NULL && config_environment_count(config) == 0;
    if (config == NULL || config_selected(config) != NULL ||
        (verb != NULL && (verb->flags & VERB_NO_ENV) != 0))
        return true;
    if (verb == NULL && asked_for_none)
        return true;
    return config_no_environment(config, err);
}

static int dispatch(struct options *o, const char *program, struct error *err)
{
    const struct verb *verb = o->help ? &verb_help : o->version ? &verb_version : o->verb;
    bool needs_config = verb == NULL || (verb->flags & VERB_NO_CONFIG) == 0;
    struct config *config = NULL;
    struct invocation inv;
    int status;
    if (o->help && o->verb != NULL && o->verb != &verb_help) {
        free(o->operands);
        o->operands = NULL;
        o->operand_count = o->operand_cap = 0;
        ARRAY_PUSH(o->operands, o->operand_count, o->operand_cap) = o->verb->name;
    }
    if (!open_log(o, err) || (needs_config && !load_config(o, &config, err)) ||
        !check_environment(verb, config, err)) {
        config_free(config);
        return verb_fail(err);
    }
    cli_invocation(o, program, config, config != NULL ? config_selected(config) : NULL, &inv);
    inv.exit_now = _exit;
    status = verb != NULL ? verb->run(&inv, err) : console_run(&inv, err);
    config_free(config);
    return status;
}

/* Output that did not reach its file or pipe is a failure: a script must not take half for all. */
static int flush_output(int status, struct error *err)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return status;
    if (errno == EPIPE)
        return status != 0 ? status : error_exit_status(ERROR_STORAGE); /* | head: no words */
    if (err->code == ERROR_NONE) {
        error_set_errno(err, ERROR_STORAGE, errno, "write to standard output");
        return verb_fail(err);
    }
    return status;
}

/* The terminal's characters, but numbers as programs write them. No thread runs yet. */
static void set_locale(void)
{
    (void)setlocale(LC_ALL, "");      /* NOLINT(concurrency-mt-unsafe) */
    (void)setlocale(LC_NUMERIC, "C"); /* NOLINT(concurrency-mt-unsafe) */
}

int main(int argc, char **argv)
{
    const char *const *words = (const char *const *)argv;
    bool json = cli_wants_json(argc, words);
    struct error err = {0};
    struct options options = {0};
    int status = 0;
    set_locale();
    umask(077);
    (void)signal(SIGPIPE, SIG_IGN);
    keep_memory_private();
    if (!hold_standard_descriptors())
        return error_exit_status(ERROR_INTERNAL);
    if (!s3_global_init(&err) || !cli_parse(argc, words, &options, &err))
        status = verb_fail(&err);
    else
        status = dispatch(&options, argc > 0 ? argv[0] : "rbconsole", &err);
    status = flush_output(status, &err);
    if (err.code != ERROR_NONE)
        print_error(&err, json);
    cli_release(&options);
    s3_global_release();
    log_close();
    return status;
}
