#include <string.h>

#include "views/connect.h"

void connect_s3_options(const struct config_scope *scope, struct s3_options *out)
{
    static const struct {
        const char *name;
        enum s3_addressing value;
    } addressings[] = {{"auto", S3_ADDRESSING_AUTO},
                       {"path", S3_ADDRESSING_PATH},
                       {"virtual", S3_ADDRESSING_VIRTUAL}};
    const struct config *c = scope->config;
    const struct environment *env = scope->env;
    const char *addressing = config_text(c, env, "storage.addressing");
    memset(out, 0, sizeof(*out));
    out->endpoint_url = config_text(c, env, "storage.endpoint_url");
    out->region = config_text(c, env, "storage.region");
    out->profile = config_text(c, env, "storage.profile");
    out->ca_file = config_text(c, env, "storage.ca_file");
    out->sse = config_text(c, env, "storage.sse");
    out->sse_kms_key_id = config_text(c, env, "storage.sse_kms_key_id");
    out->sse_customer_key_file = config_text(c, env, "storage.sse_customer_key_file");
    out->checksums = strcmp(config_text(c, env, "storage.checksum"), "sha256") == 0;
    out->allow_http = config_flag(c, env, "storage.allow_http");
    for (size_t i = 0; i < COUNT_OF(addressings); i++)
        if (strcmp(addressings[i].name, addressing) == 0)
            out->addressing = addressings[i].value;
    out->lookup = config_lookup;
    out->lookup_ctx = scope;
}

void connect_store_options(const struct config_scope *scope, struct store_options *out)
{
    memset(out, 0, sizeof(*out));
    connect_s3_options(scope, &out->s3);
    out->part_bytes = (size_t)config_int(scope->config, scope->env, "storage.part_size_mb") << 20;
    out->concurrency = (unsigned)config_int(scope->config, scope->env, "storage.concurrency");
}

bool connect_store(const struct config_scope *scope, const char *uri, struct store **out,
                   struct error *err)
{
    struct store_options options;
    if (uri == NULL)
        uri = config_text(scope->config, scope->env, "storage.s3_uri");
    if (uri == NULL) {
        return error_set(err, ERROR_CONFIG, 0,
                         "no S3 address: give --s3-uri s3://bucket/prefix, S3_URI, or "
                         "storage.s3_uri in the config");
    }
    connect_store_options(scope, &options);
    return store_open(uri, &options, out, err);
}
