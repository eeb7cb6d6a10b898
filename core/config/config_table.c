#include "core/config/config_table.h"

#include <stdio.h>
#include <string.h>

#include "core/base/attr.h"

#define ENV CONFIG_ENV_PREFIX

static const struct config_key keys[] = {
    {ENV "nodes", CONFIG_NODES, .variables = "REDIS_NODES",
     .help = "Seed nodes as host:port; any one that answers is enough."},
    {ENV "mode", CONFIG_CHOICE, "\"auto\"", .choices = "auto|cluster|sentinel|single",
     .help = "Kind of deployment; auto asks the first node that answers."},
    {ENV "sentinels", CONFIG_NODES, .help = "Sentinels as host:port; setting them means sentinel."},
    {ENV "master_name", CONFIG_TEXT, "\"mymaster\"",
     .help = "Name under which the sentinels watch the primary."},
    {ENV "sentinel_username", CONFIG_TEXT, .help = "ACL user for the sentinels themselves."},
    {ENV "sentinel_password_file", CONFIG_FILE, .help = "File with the sentinels' password."},
    {ENV "label", CONFIG_TEXT, .help = "Text of the badge in the header; the name when not set."},
    {ENV "protected", CONFIG_FLAG,
     .help = "Read-only until armed, changes need the typed name; the default is true unless all "
             "nodes are on loopback."},
    {ENV "username", CONFIG_TEXT, .variables = "REDIS_USERNAME",
     .help = "ACL user; without it the password alone is sent."},
    {ENV "password_file", CONFIG_FILE, .variables = "REDIS_PASSWORD_FILE",
     .help = "File with the password; REDIS_PASSWORD or REDISCLI_AUTH may hold it instead."},
    {ENV "connect_timeout_ms", CONFIG_MS, "5000", .min = 100, .max = 600000,
     .variables = "REDIS_SOCKET_CONNECT_TIMEOUT",
     .help = "Time until a node must be connected, TLS and login included; the variable is in "
             "seconds."},
    {ENV "tls.enabled", CONFIG_FLAG, "false", .help = "Use TLS for every node."},
    {ENV "tls.insecure", CONFIG_FLAG, "false",
     .help = "Check neither the chain nor the name of certificates."},
    {ENV "tls.ca_file", CONFIG_FILE, .help = "PEM file of the authorities to trust."},
    {ENV "tls.ca_dir", CONFIG_DIR, .help = "Hashed directory of authorities to trust."},
    {ENV "tls.cert_file", CONFIG_FILE, .help = "PEM client certificate."},
    {ENV "tls.key_file", CONFIG_FILE, .help = "PEM key of the client certificate."},
    {ENV "tls.server_name", CONFIG_TEXT, .help = "Name to expect in certificates, not the host's."},
    {ENV "address_map", CONFIG_MAP,
     .help = "Announced host:port, host or CIDR to the host or host:port that we can reach."},
    {ENV "s3_uri", CONFIG_URI,
     .help = "Where this environment's backups go; beats storage.s3_uri."},
    {ENV "theme", CONFIG_TEXT, .help = "Theme of this environment; beats ui.theme."},

    {"storage.s3_uri", CONFIG_URI, .variables = "S3_URI", .overrides = ENV "s3_uri",
     .help = "Bucket and prefix of the backups."},
    {"storage.endpoint_url", CONFIG_TEXT, .variables = "AWS_ENDPOINT_URL_S3 AWS_ENDPOINT_URL",
     .help = "URL of an S3 server other than AWS."},
    {"storage.region", CONFIG_TEXT, .variables = "AWS_REGION AWS_DEFAULT_REGION",
     .help = "Region that requests are signed for."},
    {"storage.profile", CONFIG_TEXT, .variables = "AWS_PROFILE AWS_DEFAULT_PROFILE",
     .help = "Profile in ~/.aws."},
    {"storage.addressing", CONFIG_CHOICE, "\"auto\"", .choices = "auto|path|virtual",
     .help = "How the bucket is put into URLs; auto: path style for other servers than AWS."},
    {"storage.sse", CONFIG_CHOICE, .choices = "AES256|aws:kms|aws:kms:dsse",
     .help = "Encryption that the server is asked for."},
    {"storage.sse_kms_key_id", CONFIG_TEXT, .help = "Key for aws:kms."},
    {"storage.sse_customer_key_file", CONFIG_FILE,
     .help = "File with a key of your own for the server to encrypt with (SSE-C): 32 bytes, or "
             "these in base64 or hex. Needs https; without the file nobody can read the backups."},
    {"storage.checksum", CONFIG_CHOICE, "\"none\"", .choices = "none|sha256",
     .help = "Checksum that the server is to keep beside each upload; not every server can."},
    {"storage.ca_file", CONFIG_FILE, .variables = "AWS_CA_BUNDLE",
     .help = "PEM file of the authorities to trust for S3."},
    {"storage.allow_http", CONFIG_FLAG, "false",
     .help = "Send credentials over plain http to other machines too."},
    {"storage.part_size_mb", CONFIG_INT, "16", .min = 5, .max = 5120,
     .help = "Size in MiB of one part of an upload."},
    {"storage.concurrency", CONFIG_INT, "4", .min = 1, .max = 64,
     .help = "Parts uploaded side by side."},
    {"storage.backup_dir", CONFIG_DIR, "\"./backups\"", .variables = "BACKUP_DIR",
     .help = "Directory of local backups."},

    {"backup.chunk_keys", CONFIG_INT, "5000", .min = 1, .max = 1000000,
     .help = "Keys in one part of a backup, at most."},
    {"backup.chunk_bytes", CONFIG_INT, "8388608", .min = 65536, .max = 67108864,
     .help = "Bytes in one part of a backup, at most (a single larger key is kept whole)."},
    {"backup.source", CONFIG_CHOICE, "\"primaries\"", .choices = "primaries|replicas|auto",
     .help = "Which nodes a backup reads from."},
    {"restore.ttl", CONFIG_CHOICE, "\"remaining\"", .choices = "remaining|absolute|none",
     .help = "Life of restored keys: what was left, the original deadline, or for ever."},
    {"monitor.interval_ms", CONFIG_INT, "1000", .min = 100, .max = 60000,
     .help = "Time between two polls of every node."},
    {"monitor.lag_warn_s", CONFIG_INT, "10", .min = 1, .max = 86400,
     .help = "Replication lag in seconds from which a replica is marked."},
    {"drill.budget_planned_ms", CONFIG_INT, "2000", .min = 0, .max = 3600000,
     .help = "Longest allowed outage of a planned failover."},
    {"drill.budget_crash_ms", CONFIG_INT, "0", .min = 0, .max = 3600000,
     .help = "Longest allowed outage of a crash; 0: node timeout and election, computed."},
    {"drill.hooks", CONFIG_COMMANDS,
     .help = "Commands of a drill by name; {host}, {port} and {node} are filled in."},
    {"ui.theme", CONFIG_TEXT, "\"default\"", .overrides = ENV "theme",
     .help = "Theme of the console."},
    {"ui.mouse", CONFIG_FLAG, "false", .help = "Let the mouse select and scroll."},
    {"ui.keys", CONFIG_MAP, .help = "Action id to key, to change a binding."},
    {"state_dir", CONFIG_DIR, .variables = "RBCONSOLE_STATE_DIR",
     .help = "Directory of jobs, events and the audit log."},
};

size_t config_key_count(void)
{
    return COUNT_OF(keys);
}

const struct config_key *config_key_at(size_t index)
{
    return index < COUNT_OF(keys) ? &keys[index] : NULL;
}

const struct config_key *config_key_find(const char *path)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (strcmp(keys[i].path, path) == 0)
            return &keys[i];
    return NULL;
}

size_t config_key_index(const struct config_key *key)
{
    return (size_t)(key - keys);
}

bool config_key_is_env(const struct config_key *key)
{
    return str_starts(str_from(key->path), ENV);
}

/* The part of path after "parent." and before the next dot; empty when path is elsewhere. */
static struct str child_of(const char *path, const char *parent)
{
    struct str rest = str_from(path);
    size_t len = strlen(parent);
    if (len > 0) {
        if (!str_starts(rest, parent) || rest.ptr[len] != '.')
            return (struct str){"", 0};
        rest = str_slice(rest, len + 1, rest.len);
    }
    return str_slice(rest, 0, str_find(rest, '.'));
}

const char *config_key_nearest(const char *parent, struct str name, char *out, size_t size)
{
    size_t best = 4; /* further away is no help */
    bool found = false;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct str child = child_of(keys[i].path, parent);
        if (child.len == 0)
            continue;
        size_t limit = best - 1;
        size_t distance = str_distance(child, name, limit);
        if (distance <= limit && distance < child.len) {
            best = distance;
            found = str_copy(child, out, size);
            if (distance == 0)
                break;
        }
    }
    return found ? out : NULL;
}

bool config_group_exists(const char *path)
{
    size_t len = strlen(path);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (strncmp(keys[i].path, path, len) == 0 && keys[i].path[len] == '.')
            return true;
    return false;
}

const char *config_type_name(enum config_type type)
{
    static const char *const names[] = {
        [CONFIG_TEXT] = "text",
        [CONFIG_FILE] = "path of a file",
        [CONFIG_DIR] = "path of a directory",
        [CONFIG_URI] = "s3://bucket/prefix",
        [CONFIG_INT] = "whole number",
        [CONFIG_MS] = "milliseconds",
        [CONFIG_FLAG] = "true or false",
        [CONFIG_CHOICE] = "one of a list",
        [CONFIG_NODES] = "list of host:port",
        [CONFIG_MAP] = "object of texts",
        [CONFIG_COMMANDS] = "object of lists of text",
    };
    return names[type];
}
