/*
 * environment.h - one named environment of config.json, resolved: what to connect to and how.
 *
 * Plain data, owned by struct config and constant after load: any thread may read it. Text is
 * NULL when not set. Passwords are not in here: environment_password fetches one when needed, so
 * that a rotated file is seen and no secret lies about.
 */
#ifndef CORE_CONFIG_ENVIRONMENT_H
#define CORE_CONFIG_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/secret.h"
#include "core/base/str.h"

enum environment_mode { MODE_AUTO, MODE_CLUSTER, MODE_SENTINEL, MODE_SINGLE };

struct environment_tls {
    bool enabled;
    bool insecure; /* neither chain nor name is checked */
    const char *ca_file;
    const char *ca_dir;
    const char *cert_file;
    const char *key_file;
    const char *server_name; /* name to expect instead of the host's */
};

struct environment_map {
    const char *from; /* host:port, host or CIDR as the cluster announces it */
    const char *to;   /* host or host:port as we reach it */
};

struct environment_text {
    const char *file;  /* read this file */
    const char *value; /* or use this text (environment variables only) */
    const char *where; /* "option --password-file", "REDIS_PASSWORD" … */
};

struct environment {
    size_t index;         /* position in the config */
    const char *name;     /* "prd" */
    const char *label;    /* text of the badge; the name when not set */
    bool in_config;       /* false: made up from -n or REDIS_NODES */
    bool nodes_given;     /* nodes come from -n or REDIS_NODES, not from the config */
    bool protected;       /* as far as the configuration can tell; see identity.h for the rest */
    bool protected_given; /* config says so in words, and speaks of these nodes */
    enum environment_mode mode;
    const char **nodes; /* "host:port", "[::1]:7001" */
    size_t node_count;
    const char **sentinels;
    size_t sentinel_count;
    const char *master_name;
    const char *username;
    const char *sentinel_username;
    struct environment_text password;
    struct environment_text sentinel_password;
    struct environment_tls tls;
    struct environment_map *address_map;
    size_t address_map_count;
    int connect_timeout_ms;
    const char *s3_uri; /* effective: this environment's or storage.s3_uri */
    const char *theme;  /* effective: this environment's or ui.theme */
};

/* Fetch the password (sentinel: the sentinels' own). true with an unset secret when none is
 * configured. *loose is set when others may read the file. */
bool environment_password(const struct environment *env, bool sentinel, struct secret *out,
                          bool *loose, struct error *err) MUST_CHECK;
const char *environment_mode_name(enum environment_mode mode); /* "auto", "cluster" … */

/* "host:port"; IPv6 stands in brackets. Fails with
 * ERROR_CONFIG on a missing port, a port out of range, or a user and password in front. */
bool environment_check_node(struct str node, struct error *err) MUST_CHECK;
/* true when the host part (with or without port) is 127.0.0.0/8, ::1 or localhost. */
bool environment_is_loopback(struct str node);

#endif
