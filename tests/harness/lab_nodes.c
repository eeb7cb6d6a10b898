#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/wait.h"

#define MAX_ARGS 256
#define CLIENT_TIMEOUT_MS 20000

static bool command(struct lab *lab, const char *verb, const char *word, int timeout_ms)
{
    const char *argv[] = {"tests/lab/lab", verb, "--dir", lab_dir(lab), word, NULL};
    const struct proc_options o = {.timeout_ms = timeout_ms};
    struct proc_result r;
    bool ok = proc_run(argv, &o, &r) && r.status == 0;
    if (!ok) {
        fprintf(stderr, "lab: tests/lab/lab %s %s: status %d\n%s%s", verb, word, r.status, r.out,
                r.err);
    }
    proc_result_release(&r);
    return ok;
}

/* ---- signals -------------------------------------------------------------------------------- */
static bool is_dead(void *context)
{
    return !proc_alive(*(pid_t *)context);
}

/* The letter that the kernel gives a process: R, S, T for stopped, … */
static char state_of(pid_t pid)
{
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    FILE *f = fopen(path, "re");
    const char *end = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
    if (f)
        fclose(f);
    return end && end[1] ? end[2] : '?';
}

static bool is_stopped(void *context)
{
    return state_of(*(pid_t *)context) == 'T';
}

static bool is_going(void *context)
{
    return state_of(*(pid_t *)context) != 'T';
}

static bool signal_node(struct lab *lab, size_t node, int number, wait_condition until)
{
    pid_t pid = lab_pid(lab, node);
    return pid && kill(pid, number) == 0 && wait_until(until, &pid, 10000);
}

bool lab_kill(struct lab *lab, size_t node)
{
    return signal_node(lab, node, SIGKILL, is_dead);
}

bool lab_pause(struct lab *lab, size_t node)
{
    return signal_node(lab, node, SIGSTOP, is_stopped);
}

bool lab_resume(struct lab *lab, size_t node)
{
    return signal_node(lab, node, SIGCONT, is_going);
}

bool lab_restart(struct lab *lab, size_t node)
{
    char index[16];
    snprintf(index, sizeof(index), "%zu", node);
    return command(lab, "restart", index, 60000);
}

bool lab_seed(struct lab *lab, int n)
{
    char count[16];
    snprintf(count, sizeof(count), "%d", n > 0 ? n : 10000);
    return command(lab, "seed", count, 300000);
}

/* ---- the client -------------------------------------------------------------------------------
 */
/* Does what the index says exist, run and not sleep? Asking a stopped server would wait forever. */
static bool answers(const struct lab *lab, size_t node)
{
    pid_t pid = lab_pid(lab, node);
    return pid && state_of(pid) != 'T';
}

static char *client(struct lab *lab, size_t node, bool routed, const char *const *words)
{
    const char *argv[MAX_ARGS + 12], *env[3] = {NULL, NULL, NULL};
    char port[16], path[LAB_PATH], auth[2][LAB_PATH];
    size_t n = 0;
    snprintf(port, sizeof(port), "%d", lab_port(lab, node));
    lab_client_path(lab, path);
    const char *fixed[] = {path, "--no-auth-warning", "-h", "127.0.0.1", "-p", port};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
        argv[n++] = fixed[i];
    if (lab_ca_file(lab)) {
        argv[n++] = "--tls";
        argv[n++] = "--cacert";
        argv[n++] = lab_ca_file(lab);
    }
    if (routed)
        argv[n++] = "-c";
    for (size_t i = 0; i < MAX_ARGS && words[i]; i++)
        argv[n++] = words[i];
    argv[n] = NULL;
    if (lab_password(lab)) {
        snprintf(auth[0], LAB_PATH, "REDISCLI_AUTH=%s", lab_password(lab));
        snprintf(auth[1], LAB_PATH, "VALKEYCLI_AUTH=%s", lab_password(lab));
        env[0] = auth[0];
        env[1] = auth[1];
    }
    const struct proc_options o = {.env = env, .timeout_ms = CLIENT_TIMEOUT_MS};
    struct proc_result r;
    char *answer = NULL;
    if (proc_run(argv, &o, &r) && r.status == 0) {
        answer = r.out;
        r.out = NULL;
        if (r.out_len && answer[r.out_len - 1] == '\n')
            answer[r.out_len - 1] = '\0';
    }
    proc_result_release(&r);
    return answer;
}

static char *client_va(struct lab *lab, size_t node, bool routed, const char *first, va_list args)
{
    const char *words[MAX_ARGS + 1] = {first};
    for (size_t n = 1; n < MAX_ARGS && words[n - 1]; n++)
        words[n] = va_arg(args, const char *);
    return client(lab, node, routed, words);
}

char *lab_cli(struct lab *lab, size_t node, const char *first, ...)
{
    va_list args;
    va_start(args, first);
    char *answer = client_va(lab, node, false, first, args);
    va_end(args);
    return answer;
}

char *lab_cli_routed(struct lab *lab, const char *first, ...)
{
    va_list args;
    size_t node = 0;
    while (node + 1 < lab_nodes(lab) && !answers(lab, node))
        node++;
    va_start(args, first);
    char *answer = client_va(lab, node, true, first, args);
    va_end(args);
    return answer;
}

char *lab_cli_argv(struct lab *lab, size_t node, const char *const *argv)
{
    return client(lab, node, false, argv);
}

/* ---- what servers say -------------------------------------------------------------------------
 */
/* The text after "name:" at the start of a line; NULL when absent. */
static const char *field(const char *text, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1;
    }
    return NULL;
}

static char *info(struct lab *lab, size_t node, const char *section)
{
    if (strcmp(section, "CLUSTER INFO") == 0)
        return lab_cli(lab, node, "CLUSTER", "INFO", NULL);
    return lab_cli(lab, node, "INFO", section, NULL);
}

static bool field_is(struct lab *lab, size_t node, const char *section, const char *name,
                     const char *value)
{
    char *text = info(lab, node, section);
    const char *at = text ? field(text, name) : NULL;
    bool same = at && strncmp(at, value, strlen(value)) == 0;
    free(text);
    return same;
}

long long lab_info_number(struct lab *lab, size_t node, const char *section, const char *name)
{
    char *text = info(lab, node, section);
    const char *at = text ? field(text, name) : NULL;
    long long number = at ? strtoll(at, NULL, 10) : -1;
    free(text);
    return number;
}

int lab_primary_of(struct lab *lab, size_t shard)
{
    for (size_t i = shard; i < lab_nodes(lab); i += lab_shards(lab))
        if (answers(lab, i) && field_is(lab, i, "replication", "role", "master"))
            return (int)i;
    return -1;
}

static bool all_ok(void *context)
{
    struct lab *lab = context;
    for (size_t i = 0; i < lab_nodes(lab); i++) {
        if (!answers(lab, i))
            continue;
        if (lab_is_cluster(lab) && !field_is(lab, i, "CLUSTER INFO", "cluster_state", "ok"))
            return false;
        if (!field_is(lab, i, "replication", "role", "master") &&
            !field_is(lab, i, "replication", "master_link_status", "up"))
            return false;
    }
    return true;
}

bool lab_wait_ok(struct lab *lab, int timeout_ms)
{
    return wait_until(all_ok, lab, timeout_ms);
}

long long lab_keys(struct lab *lab)
{
    long long sum = 0;
    for (size_t i = 0; i < lab_nodes(lab); i++) {
        if (!answers(lab, i) || !field_is(lab, i, "replication", "role", "master"))
            continue;
        char *text = lab_cli(lab, i, "DBSIZE", NULL);
        char *end = text;
        long long keys = text ? strtoll(text, &end, 10) : -1;
        bool number = text && end != text;
        free(text);
        if (!number)
            return -1;
        sum += keys;
    }
    return sum;
}

long long lab_eval_number(struct lab *lab, size_t node, const char *script)
{
    char *got = lab_cli(lab, node, "EVAL", script, "0", NULL);
    long long n = got == NULL ? -1 : strtoll(got, NULL, 10);

    free(got);
    return n;
}

long long lab_eval_sum(struct lab *lab, const char *script)
{
    long long sum = 0;

    for (size_t i = 0; i < lab_shards(lab); i++) {
        int node = lab_primary_of(lab, i);
        long long n = node < 0 ? -1 : lab_eval_number(lab, (size_t)node, script);

        if (n < 0)
            return -1;
        sum += n;
    }
    return sum;
}
