#include "tests/harness/lab.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness/proc.h"
#include "tests/harness/tmpdir.h"
#include "tests/harness/wait.h"

#define MAX_NODES 64
#define MAX_ARGS 64
#define UP_TIMEOUT_MS 180000
#define CLIENT_TIMEOUT_MS 20000

struct node {
    int port;
    char address[32];
    char log[LAB_PATH];
    char pid_file[LAB_PATH];
};

struct lab {
    struct lab *next;
    char dir[LAB_PATH];
    struct lab_options options;
    const char *flavor;
    size_t servers;
    size_t sentinels;
    size_t shards;
    struct node nodes[MAX_NODES];
    char *password;
    char *user_password;
    char *s3_text; /* s3.env, cut into the strings of s3 */
    struct lab_s3 s3;
    char client[LAB_PATH];
    char config[LAB_PATH];
    char password_file[LAB_PATH];
    char ca[LAB_PATH];
    char cert[LAB_PATH];
    char key[LAB_PATH];
};

static struct lab *open_labs;
static pid_t owner;

static void give_up(const char *what)
{
    fprintf(stderr, "lab: %s\n", what);
    abort();
}

static const struct node *node_at(const struct lab *lab, size_t i)
{
    if (i >= lab->servers + lab->sentinels)
        give_up("no node of that number");
    return &lab->nodes[i];
}

static void path_of(char *out, const char *dir, const char *name)
{
    if (snprintf(out, LAB_PATH, "%s/%s", dir, name) >= LAB_PATH)
        give_up("directory name too long");
}

/* Runs tests/lab/lab with the words; what it said goes to stderr when it failed. */
static bool script(const char *const *words, int timeout_ms)
{
    const char *argv[MAX_ARGS] = {"tests/lab/lab"};
    const struct proc_options o = {.timeout_ms = timeout_ms};
    struct proc_result r;
    size_t n = 1;
    for (; *words && n + 1 < MAX_ARGS; words++)
        argv[n++] = *words;
    bool ok = proc_run(argv, &o, &r) && r.status == 0;
    if (!ok) {
        fprintf(stderr, "lab: tests/lab/lab %s: status %d\n%s%s", argv[1], r.status,
                r.out ? r.out : "", r.err ? r.err : "");
    }
    proc_result_release(&r);
    return ok;
}

static void stop_all(void)
{
    while (open_labs && getpid() == owner)
        lab_stop(open_labs);
}

/* The last line's end of a small file of one line, cut off; NULL when it is not there. */
static char *read_line(const char *path)
{
    char *text = tmpdir_read(path, NULL);
    if (text)
        text[strcspn(text, "\r\n")] = '\0';
    return text;
}

/* ---- s3.env: lines "export NAME='value'" ------------------------------------------------------
 */
static const char *s3_value(char *text, const char *name)
{
    char want[64];
    snprintf(want, sizeof(want), "export %s='", name);
    char *found = strstr(text, want);
    if (!found) {
        give_up("s3.env lacks a value");
        return NULL;
    }
    return found + strlen(want);
}

static void load_s3(struct lab *lab)
{
    char path[LAB_PATH];
    path_of(path, lab->dir, "s3.env");
    lab->s3_text = tmpdir_read(path, NULL);
    char *t = lab->s3_text;
    if (!t) {
        give_up("no s3.env");
        return;
    }
    lab->s3 = (struct lab_s3){
        .endpoint = s3_value(t, "AWS_ENDPOINT_URL"),
        .endpoint_tls = s3_value(t, "S3_ENDPOINT_TLS"),
        .endpoint_vhost = s3_value(t, "S3_ENDPOINT_VHOST"),
        .ca_file = s3_value(t, "S3_CA_FILE"),
        .bucket = s3_value(t, "S3_BUCKET"),
        .region = s3_value(t, "AWS_REGION"),
        .access_key = s3_value(t, "AWS_ACCESS_KEY_ID"),
        .secret_key = s3_value(t, "AWS_SECRET_ACCESS_KEY"),
        .other_access_key = s3_value(t, "S3_OTHER_ACCESS_KEY_ID"),
        .other_secret_key = s3_value(t, "S3_OTHER_SECRET_ACCESS_KEY"),
    };
    /* Only now are the closing quotes cut: the searches above needed the whole text. */
    for (; *t; t++)
        if (*t == '\'' && t[1] == '\n')
            *t = '\0';
}

/* ---- start and stop ----------------------------------------------------------------------------
 */
static void add_node(struct lab *lab, size_t i, int port)
{
    struct node *node = &lab->nodes[i];
    char name[64];
    node->port = port;
    snprintf(node->address, sizeof(node->address), "127.0.0.1:%d", port);
    snprintf(name, sizeof(name), "node-%d/log", port);
    path_of(node->log, lab->dir, name);
    snprintf(name, sizeof(name), "node-%d/pid", port);
    path_of(node->pid_file, lab->dir, name);
}

/* A number out of lab.env's NAME=NUMBER lines. */
static long env_number(const char *text, const char *name)
{
    char want[32];
    snprintf(want, sizeof(want), "%s=", name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, want, strlen(want)) == 0)
            return strtol(line + strlen(want), NULL, 10);
    }
    give_up("lab.env lacks a value");
    return 0;
}

static void load(struct lab *lab)
{
    char path[LAB_PATH];
    path_of(path, lab->dir, "lab.env");
    char *text = tmpdir_read(path, NULL);
    if (!text) {
        give_up("no lab.env");
        return;
    }
    lab->shards = (size_t)env_number(text, "SHARDS");
    lab->servers = lab->shards * (size_t)(1 + env_number(text, "REPLICAS"));
    lab->sentinels = lab->options.kind == LAB_SENTINEL ? 3 : 0;
    int port = (int)env_number(text, "PORT");
    free(text);
    if (lab->servers + lab->sentinels > MAX_NODES)
        give_up("too many nodes");
    for (size_t i = 0; i < lab->servers + lab->sentinels; i++) {
        bool server = i < lab->servers;
        add_node(lab, i, server ? port + (int)i : port + 60 + (int)(i - lab->servers));
    }
    path_of(lab->config, lab->dir, "config.json");
    path_of(lab->password_file, lab->dir, "password");
    path_of(lab->ca, lab->dir, "tls/ca.pem");
    path_of(lab->cert, lab->dir, "tls/client.pem");
    path_of(lab->key, lab->dir, "tls/client.key");
    lab->password = read_line(lab->password_file);
    path_of(path, lab->dir, "user.password");
    lab->user_password = lab->options.acl ? read_line(path) : NULL;
    if (lab->options.s3)
        load_s3(lab);
}

static size_t up_words(const struct lab *lab, const char **w, char numbers[3][16])
{
    const struct lab_options *o = &lab->options;
    static const char *const kinds[] = {NULL, "--sentinel", "--single", "--s3-only"};
    size_t n = 0;
    snprintf(numbers[0], 16, "%ld", (long)getpid());
    snprintf(numbers[1], 16, "%d", o->shards ? o->shards : 3);
    snprintf(numbers[2], 16, "%d", o->replicas > 0 ? o->replicas : 0);
    const char *fixed[] = {"up",       "--port",   "auto",      "--dir",    lab->dir,  "--owner",
                           numbers[0], "--flavor", lab->flavor, "--shards", numbers[1]};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
        w[n++] = fixed[i];
    if (o->replicas) {
        w[n++] = "--replicas";
        w[n++] = numbers[2];
    }
    const char *flags[] = {
        kinds[o->kind],          o->tls ? "--tls" : NULL, o->password ? "--password" : NULL,
        o->acl ? "--acl" : NULL, o->s3 ? "--s3" : NULL,   o->keep ? "--keep" : NULL};
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
        if (flags[i])
            w[n++] = flags[i];
    w[n] = NULL;
    return n;
}

struct lab *lab_start(const struct lab_options *options)
{
    const char *base = getenv("TMPDIR"), *flavor = getenv("LAB_FLAVOR"), *words[MAX_ARGS];
    struct lab *lab = calloc(1, sizeof(*lab));
    char numbers[3][16];
    if (!lab)
        abort();
    lab->options = *options;
    lab->options.s3 = options->s3 || options->kind == LAB_S3_ONLY;
    lab->options.password = options->password || options->acl;
    lab->flavor = options->flavor ? options->flavor : flavor && *flavor ? flavor : "redis";
    path_of(lab->dir, base && *base ? base : "/tmp", "rbc-lab-XXXXXX");
    if (!mkdtemp(lab->dir))
        give_up("cannot make a directory");
    char name[64];
    snprintf(name, sizeof(name), "build/lab-roots/bin/%s-cli", lab->flavor);
    const char *roots = getenv("RBCONSOLE_LAB_ROOTS");
    path_of(lab->client, roots ? roots : ".", roots ? strchr(name + 6, '/') + 1 : name);
    if (owner != getpid()) {
        owner = getpid();
        atexit(stop_all);
    }
    lab->next = open_labs;
    open_labs = lab;
    up_words(lab, words, numbers);
    if (!script(words, UP_TIMEOUT_MS)) {
        lab_stop(lab);
        return NULL;
    }
    load(lab);
    return lab;
}

void lab_stop(struct lab *lab)
{
    if (!lab)
        return;
    for (struct lab **at = &open_labs; *at; at = &(*at)->next) {
        if (*at == lab) {
            *at = lab->next;
            break;
        }
    }
    const char *wipe[] = {"down", "--dir", lab->dir, lab->options.keep ? NULL : "--wipe", NULL};
    if (script(wipe, UP_TIMEOUT_MS) && !lab->options.keep)
        tmpdir_remove(lab->dir);
    free(lab->password);
    free(lab->user_password);
    free(lab->s3_text);
    free(lab);
}

/* ---- what there is ------------------------------------------------------------------------------
 */
const char *lab_dir(const struct lab *lab)
{
    return lab->dir;
}

const char *lab_config_file(const struct lab *lab)
{
    return lab->config;
}

const char *lab_password(const struct lab *lab)
{
    return lab->password;
}

const char *lab_password_file(const struct lab *lab)
{
    return lab->password ? lab->password_file : NULL;
}

const char *lab_ca_file(const struct lab *lab)
{
    return lab->options.tls ? lab->ca : NULL;
}

const char *lab_cert_file(const struct lab *lab)
{
    return lab->options.tls ? lab->cert : NULL;
}

const char *lab_key_file(const struct lab *lab)
{
    return lab->options.tls ? lab->key : NULL;
}

const char *lab_user_password(const struct lab *lab)
{
    return lab->user_password;
}

const struct lab_s3 *lab_s3(const struct lab *lab)
{
    return lab->options.s3 ? &lab->s3 : NULL;
}

bool lab_is_cluster(const struct lab *lab)
{
    return lab->options.kind == LAB_CLUSTER;
}

size_t lab_shards(const struct lab *lab)
{
    return lab->shards;
}

void lab_client_path(const struct lab *lab, char out[LAB_PATH])
{
    memcpy(out, lab->client, LAB_PATH);
}

size_t lab_nodes(const struct lab *lab)
{
    return lab->servers;
}

size_t lab_sentinels(const struct lab *lab)
{
    return lab->sentinels;
}

int lab_port(const struct lab *lab, size_t node)
{
    return node_at(lab, node)->port;
}

const char *lab_address(const struct lab *lab, size_t node)
{
    return node_at(lab, node)->address;
}

const char *lab_log_file(const struct lab *lab, size_t node)
{
    return node_at(lab, node)->log;
}

pid_t lab_pid(const struct lab *lab, size_t node)
{
    char *text = read_line(node_at(lab, node)->pid_file);
    pid_t pid = text ? (pid_t)strtol(text, NULL, 10) : 0;
    free(text);
    return pid > 0 && proc_alive(pid) ? pid : 0;
}
