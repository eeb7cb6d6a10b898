#include "core/value/stream_claim.h"

#include "core/base/detector.h"
#include "core/redis/command.h"

#define IDS 200  /* of one command */
#define RUNS 200 /* commands under way at once */

/* Pending entries that one command can carry: same consumer, time and count, next to each other. */
static size_t run_at(const struct stream_group *g, size_t from)
{
    const struct stream_pending *p = &g->pending[from];
    size_t n = 1;

    while (from + n < g->pending_count && n < IDS && p[n].consumer == p->consumer &&
           p[n].delivered_ms == p->delivered_ms && p[n].deliveries == p->deliveries)
        n++;
    return n;
}

static bool put_id(struct buf *out, struct stream_id id, struct error *err)
{
    char text[STREAM_ID_TEXT];

    return command_arg_text(out, stream_id_format(text, sizeof(text), id), err);
}

static bool append_claim(struct buf *out, struct str key, const struct stream_group *g, size_t from,
                         size_t n, struct error *err)
{
    const struct stream_pending *p = &g->pending[from];

    if (!command_begin(out, 5 + n + 6, err) || !command_arg_text(out, "XCLAIM", err) ||
        !command_arg(out, key, err) || !command_arg(out, g->name, err) ||
        !command_arg(out, g->consumers[p->consumer], err) || !command_arg_text(out, "0", err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!put_id(out, p[i].id, err))
            return false;
    return command_arg_text(out, "TIME", err) && command_arg_i64(out, p->delivered_ms, err) &&
           command_arg_text(out, "RETRYCOUNT", err) && command_arg_u64(out, p->deliveries, err) &&
           command_arg_text(out, "FORCE", err) && command_arg_text(out, "JUSTID", err);
}

/* The reply must list exactly the ids that were asked for. */
static bool check_claim(const struct reply *r, const struct stream_pending *p, size_t n,
                        struct error *err)
{
    if (!reply_want_array(r, "XCLAIM", err))
        return false;
    if (!DETECTOR_CLAIM)
        return true;
    if (r->count != n)
        return error_set(err, ERROR_CORRUPT, 0, "XCLAIM took %zu of %zu pending entries", r->count,
                         n);
    for (size_t i = 0; i < n; i++) {
        struct stream_id id;

        if (r->elements[i].type != REPLY_STRING || !stream_id_parse(r->elements[i].str, &id) ||
            stream_id_compare(id, p[i].id) != 0)
            return error_set(err, ERROR_CORRUPT, 0, "XCLAIM took another entry than asked");
    }
    return true;
}

/* Send claims from *at on, until an unowned entry, the end, or enough are under way. */
static bool send_claims(struct conn *c, struct str key, const struct stream_group *g, size_t *at,
                        struct error *err)
{
    for (size_t runs = 0; runs < RUNS && *at < g->pending_count; runs++) {
        size_t n = run_at(g, *at);

        if (g->pending[*at].consumer == STREAM_UNOWNED)
            return true;
        if (!append_claim(conn_out(c), key, g, *at, n, err) || !conn_appended(c, 1, 0, err))
            return false;
        *at += n;
    }
    return true;
}

/* Their replies; all are read, also behind one that is wrong. */
static bool take_claims(struct conn *c, const struct stream_group *g, size_t from, size_t to,
                        struct error *err)
{
    struct error first = {0};

    while (from < to) {
        size_t n = run_at(g, from);
        const struct reply *r;

        if (!conn_next_reply(c, &r, err))
            return false;
        from += n;
        if (first.code == ERROR_NONE && !check_claim(r, &g->pending[from - n], n, &first))
            continue;
    }
    if (first.code == ERROR_NONE)
        return true;
    *err = first;
    return false;
}

static bool give_back_unowned(struct conn *c, struct str key, const struct stream_group *g,
                              const struct stream_pending *p, bool possible, struct error *err)
{
    struct buf *out = conn_out(c);
    const struct reply *r;

    if (!possible)
        return error_set(err, ERROR_UNSUPPORTED, 0,
                         "a pending entry without consumer needs a server with XNACK");
    return command_begin(out, 10, err) && command_arg_text(out, "XNACK", err) &&
           command_arg(out, key, err) && command_arg(out, g->name, err) &&
           command_arg_text(out, "FAIL", err) && command_arg_text(out, "IDS", err) &&
           command_arg_text(out, "1", err) && put_id(out, p->id, err) &&
           command_arg_text(out, "RETRYCOUNT", err) && command_arg_u64(out, p->deliveries, err) &&
           command_arg_text(out, "FORCE", err) && conn_appended(c, 1, 0, err) &&
           conn_next_reply(c, &r, err) && reply_check(r, "XNACK", err);
}

bool stream_claim(struct conn *c, struct str key, const struct stream_group *g, bool unowned,
                  struct error *err)
{
    for (size_t from = 0; from < g->pending_count;) {
        size_t to = from;

        if (g->pending[from].consumer == STREAM_UNOWNED) {
            if (!give_back_unowned(c, key, g, &g->pending[from], unowned, err))
                return false;
            from++;
            continue;
        }
        if (!send_claims(c, key, g, &to, err) || !take_claims(c, g, from, to, err))
            return false;
        from = to;
    }
    return true;
}
