#include "core/config/environment.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/base/escape.h"

static const char *const mode_names[] = {"auto", "cluster", "sentinel", "single"};

const char *environment_mode_name(enum environment_mode mode)
{
    return mode_names[mode];
}

bool environment_password(const struct environment *env, bool sentinel, struct secret *out,
                          bool *loose, struct error *err)
{
    const struct environment_text *from = sentinel ? &env->sentinel_password : &env->password;
    *loose = false;
    if (from->value != NULL) {
        secret_set(out, str_from(from->value));
        return true;
    }
    if (from->file == NULL) {
        secret_release(out);
        return true;
    }
    return secret_load(out, from->file, loose, err) || error_wrap(err, "%s", from->where);
}

/* Split into host (without brackets) and port; false when there is no colon that may split. */
static bool split(struct str node, struct str *host, struct str *port)
{
    size_t colon = str_find_last(node, ':');
    if (colon == node.len)
        return false;
    *host = str_slice(node, 0, colon);
    *port = str_slice(node, colon + 1, node.len);
    if (host->len >= 2 && host->ptr[0] == '[' && host->ptr[host->len - 1] == ']') {
        *host = str_slice(*host, 1, host->len - 1);
        return true;
    }
    return str_find(*host, ':') == host->len;
}

static bool is_host(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        if (c <= ' ' || c >= 0x7f || strchr("/@,\"'\\[]{}<>|`", c) != NULL)
            return false;
    }
    return host.len > 0 && host.len < 256;
}

bool environment_check_node(struct str node, struct error *err)
{
    char shown[120];
    struct str host;
    struct str port;
    int number = 0;
    if (str_find(node, '@') != node.len) {
        return error_set(err, ERROR_CONFIG, 0,
                         "a node is host:port without user or password; use username and "
                         "password_file (--user, --password-file)");
    }
    escape_text(shown, sizeof(shown), node);
    if (!split(node, &host, &port)) {
        bool bare_v6 = str_find(node, ':') != node.len;
        return error_set(err, ERROR_CONFIG, 0,
                         bare_v6 ? "\"%s\": an IPv6 address needs brackets, such as [::1]:6379"
                                 : "\"%s\" needs a port, such as host:6379",
                         shown);
    }
    if (!is_host(host))
        return error_set(err, ERROR_CONFIG, 0, "\"%s\" is not host:port", shown);
    if (!str_to_int(port, 1, 65535, &number))
        return error_set(err, ERROR_CONFIG, 0, "\"%s\": the port must be 1 to 65535", shown);
    return true;
}

/* 127.x.y.z with four numbers: "127.example" is a name, not an address. */
static bool is_loopback_v4(struct str host)
{
    struct str rest = host;
    struct str piece;
    int count = 0;
    int number = 0;
    while (str_split(&rest, '.', &piece)) {
        if (!str_to_int(piece, 0, 255, &number) || (count == 0 && number != 127))
            return false;
        count++;
    }
    return count == 4;
}

bool environment_is_loopback(struct str node)
{
    struct str host = node;
    struct str port;
    if (!str_is(node, "::1") && !split(node, &host, &port))
        host = node;
    if (host.len == 9 && strncasecmp(host.ptr, "localhost", 9) == 0)
        return true;
    return str_is(host, "::1") || str_is(host, "[::1]") || is_loopback_v4(host);
}
