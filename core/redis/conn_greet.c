#include <string.h>

#include "core/redis/conn_private.h"

#define GREET_MAX ((size_t)256 * 1024)

/* The greeting is one round trip. One row per command: whether it is sent, how it is written, and
 * whether the connection is of use after an error reply. */
struct step {
    bool (*wanted)(const struct conn *c);
    bool (*write)(struct conn *c, struct error *err);
    bool (*tolerates)(struct conn *c, enum reply_error kind);
    const char *what;
};

static bool wants_auth(const struct conn *c)
{
    return c->options.password != NULL && secret_is_set(c->options.password);
}

static bool write_auth(struct conn *c, struct error *err)
{
    struct str password = secret_reveal(c->options.password);
    const char *user = c->options.username;
    /* Room for all of it first: a buffer that grows would leave copies of the password behind. */
    size_t room = password.len + (user == NULL ? 0 : strlen(user)) + 256;
    if (!buf_reserve(&c->greet, room, err))
        return false;
    return user == NULL
               ? command_append(&c->greet, COMMAND(STR("AUTH"), password), err)
               : command_append(&c->greet, COMMAND(STR("AUTH"), str_from(user), password), err);
}

static bool tolerates_auth(struct conn *c, enum reply_error kind)
{
    c->password_unused = kind == REPLY_ERROR_NO_PASSWORD_SET;
    return c->password_unused;
}

static bool wants_name(const struct conn *c)
{
    (void)c;
    return true;
}

static bool write_name(struct conn *c, struct error *err)
{
    const char *name = c->options.client_name != NULL ? c->options.client_name : "rbconsole";
    return command_append(&c->greet, COMMAND(STR("CLIENT"), STR("SETNAME"), str_from(name)), err);
}

/* The name is a courtesy; but these errors say that nothing else will work either. */
static bool tolerates_name(struct conn *c, enum reply_error kind)
{
    (void)c;
    return kind != REPLY_ERROR_NOAUTH && kind != REPLY_ERROR_DENIED &&
           kind != REPLY_ERROR_MAXCLIENTS;
}

static bool wants_select(const struct conn *c)
{
    return c->options.db != 0;
}

static bool write_select(struct conn *c, struct error *err)
{
    return command_begin(&c->greet, 2, err) && command_arg_text(&c->greet, "SELECT", err) &&
           command_arg_i64(&c->greet, c->options.db, err);
}

static bool tolerates_nothing(struct conn *c, enum reply_error kind)
{
    (void)c;
    (void)kind;
    return false;
}

static bool wants_readonly(const struct conn *c)
{
    return c->options.readonly;
}

static bool write_readonly(struct conn *c, struct error *err)
{
    return command_words(&c->greet, "READONLY", err);
}

/* A server outside a cluster needs no READONLY to read from a replica. */
static bool tolerates_no_cluster(struct conn *c, enum reply_error kind)
{
    (void)c;
    return kind == REPLY_ERROR_NO_CLUSTER;
}

static const struct step steps[] = {
    {wants_auth, write_auth, tolerates_auth, "AUTH"},
    {wants_name, write_name, tolerates_name, "CLIENT SETNAME"},
    {wants_select, write_select, tolerates_nothing, "SELECT"},
    {wants_readonly, write_readonly, tolerates_no_cluster, "READONLY"},
};

static void skip_unwanted(struct conn *c)
{
    while (c->greet_step < COUNT_OF(steps) && !steps[c->greet_step].wanted(c))
        c->greet_step++;
}

void conn_greet_wipe(struct conn *c)
{
    if (c->greet.cap > 0)
        secret_wipe(c->greet.data, c->greet.cap);
    buf_release(&c->greet);
    buf_init(&c->greet, GREET_MAX);
    c->greet_at = 0;
}

bool conn_greet_begin(struct conn *c)
{
    conn_greet_wipe(c);
    c->password_unused = false;
    for (size_t i = 0; i < COUNT_OF(steps); i++)
        if (steps[i].wanted(c) && !steps[i].write(c, &c->error))
            return false;
    c->greet_step = 0;
    skip_unwanted(c);
    return true;
}

static bool refused(struct conn *c, const struct step *s, const struct reply *r)
{
    enum reply_error kind = reply_error_of(r);
    const char *user = c->options.username;
    struct error said;
    if (kind == REPLY_ERROR_NOAUTH && !wants_auth(c)) {
        return error_set(&c->error, ERROR_AUTH, (int)kind,
                         "%s wants a password and none is configured", c->name);
    }
    if (s->write == write_auth && (kind == REPLY_ERROR_WRONGPASS || kind == REPLY_ERROR_OTHER)) {
        return error_set(&c->error, ERROR_AUTH, (int)kind,
                         "%s refused the password%s%s: wrong, or the user is disabled", c->name,
                         user == NULL ? "" : " of user ", user == NULL ? "" : user);
    }
    if (!reply_check(r, s->what, &said))
        c->error = said;
    if (s->write == write_select && kind == REPLY_ERROR_OTHER)
        c->error.code = ERROR_CONFIG;
    return error_wrap(&c->error, "%s", c->name);
}

bool conn_greet_replies(struct conn *c)
{
    while (c->state == CONN_GREETING) {
        const struct reply *r;
        if (!reply_parser_next(c->parser, &r, &c->error))
            return error_wrap(&c->error, "%s", c->name);
        if (r == NULL)
            return true;
        const struct step *s = &steps[c->greet_step];
        if (r->type == REPLY_ERROR && !s->tolerates(c, reply_error_of(r)))
            return refused(c, s, r);
        c->greet_step++;
        skip_unwanted(c);
        if (c->greet_step == COUNT_OF(steps))
            conn_become_ready(c);
    }
    return true;
}
