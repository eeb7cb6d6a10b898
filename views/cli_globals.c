#include "core/base/error.h"
#include "views/cli.h"

/* COLUMNSxROWS, as --size takes it. */
static bool check_size(struct str value, struct error *err)
{
    size_t x = str_find(value, 'x');
    int columns = 0;
    int rows = 0;
    if (x < value.len && str_to_int(str_slice(value, 0, x), 1, 1000, &columns) &&
        str_to_int(str_slice(value, x + 1, value.len), 1, 1000, &rows))
        return true;
    return error_set(err, ERROR_USAGE, 0, "must look like 80x24");
}

#define ENV CONFIG_ENV_PREFIX

const struct option_row cli_globals[] = {
    {"env", 'e', OPTION_ENV, "NAME",
     "Environment in the config; else $ENV_PROFILE, else `local`, else the only one."},
    {"config", 'c', OPTION_FILE, "FILE",
     "Else $RBCONSOLE_CONFIG, ./config.json, $XDG_CONFIG_HOME/rbconsole/config.json, "
     "/etc/rbconsole/config.json."},
    {"nodes", 'n', OPTION_TEXT, "H:P,…",
     "Seed nodes; beats config and $REDIS_NODES. Any one that answers is enough.",
     .config_key = ENV "nodes"},
    {"user", 0, OPTION_TEXT, "NAME", "ACL user.", .config_key = ENV "username"},
    {"password-file", 0, OPTION_FILE, "FILE",
     "File with the password; without it $REDIS_PASSWORD_FILE, $REDIS_PASSWORD, $REDISCLI_AUTH or "
     "the config.",
     .config_key = ENV "password_file", .flags = OPTION_SECRET},
    {"tls", 0, OPTION_FLAG, NULL, "Use TLS.", .config_key = ENV "tls.enabled"},
    {"cacert", 0, OPTION_FILE, "FILE", "Authorities to trust.", .config_key = ENV "tls.ca_file"},
    {"cert", 0, OPTION_FILE, "FILE", "Client certificate.", .config_key = ENV "tls.cert_file"},
    {"key", 0, OPTION_FILE, "FILE", "Key of the client certificate.",
     .config_key = ENV "tls.key_file", .flags = OPTION_SECRET},
    {"insecure", 0, OPTION_FLAG, NULL, "Check no certificate.", .config_key = ENV "tls.insecure"},
    {"json", 0, OPTION_FLAG, NULL,
     "One JSON document on stdout (one per line with --follow), errors as JSON on stderr."},
    {"quiet", 'q', OPTION_FLAG, NULL, "No progress on stderr."},
    {"verbose", 'v', OPTION_FLAG, NULL, "Say more; twice: even more.", .flags = OPTION_REPEAT},
    {"log-file", 0, OPTION_FILE, "FILE",
     "Append a log to this file; with -v also a line for each request to S3."},
    {"state-dir", 0, OPTION_DIR, "DIR",
     "Jobs, events and audit log; else $RBCONSOLE_STATE_DIR, the config, "
     "$XDG_STATE_HOME/rbconsole, ~/.local/state/rbconsole.",
     .config_key = "state_dir"},
    {"read-only", 0, OPTION_FLAG, NULL, "Refuse every change.", .group = "write"},
    {"write", 0, OPTION_FLAG, NULL, "Start armed for changes, where that is allowed.",
     .group = "write", .flags = OPTION_CONSOLE},
    {"theme", 0, OPTION_TEXT, "NAME", "Colours of the console.", .config_key = "ui.theme",
     .flags = OPTION_CONSOLE},
    {"ascii", 0, OPTION_FLAG, NULL, "Draw with ASCII only.", .flags = OPTION_CONSOLE},
    {"mouse", 0, OPTION_FLAG, NULL, "Let the mouse select and scroll.", .config_key = "ui.mouse",
     .flags = OPTION_CONSOLE},
    {"slow", 0, OPTION_FLAG, NULL, "One frame every two seconds, for slow lines.",
     .flags = OPTION_CONSOLE},
    {"view", 0, OPTION_TEXT, "NAME", "Open this screen first.", .flags = OPTION_CONSOLE},
    {"script", 0, OPTION_FILE, "FILE", "Drive the console by a file of keys.",
     .flags = OPTION_CONSOLE},
    {"size", 0, OPTION_TEXT, "80x24", "Size of the screen with --script.", .check = check_size,
     .flags = OPTION_CONSOLE},
    {"dump", 0, OPTION_DIR, "DIR", "Save screens as text here, with --script.",
     .flags = OPTION_CONSOLE},
    {"job-fd", 0, OPTION_INT, "N", "Descriptor on which a job tells its id.", .min = 3,
     .max = 65535, .flags = OPTION_HIDDEN},
    {"help", 'h', OPTION_FLAG, NULL, "Help; after a verb, help for that verb."},
    {"version", 'V', OPTION_FLAG, NULL, "Print the version."},
    {NULL},
};
