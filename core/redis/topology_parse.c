#include "core/redis/topology_parse.h"

#include <string.h>

#include "core/redis/topology_build.h"

#define TEXT_MAX ((size_t)16 << 20) /* bytes; 4096 nodes need about 1 MiB */

bool topology_parse_address(struct str text, struct str *host, uint16_t *port)
{
    size_t colon = str_find_last(text, ':');
    struct str name = str_slice(text, 0, colon);
    int number;

    if (colon >= text.len || !str_to_int(str_slice(text, colon + 1, text.len), 0, 65535, &number))
        return false;
    if (name.len >= 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
        name = str_slice(name, 1, name.len - 1);
    *host = name;
    *port = (uint16_t)number;
    return true;
}

/* ---- CLUSTER NODES ---- */

/* The next word of a line; runs of spaces count as one. */
static bool next_word(struct str *line, struct str *word)
{
    while (str_split(line, ' ', word))
        if (word->len > 0)
            return true;
    return false;
}

/* "ip:port@cport,hostname,shard-id=…": all but ip:port may be missing. */
static bool parse_endpoint(struct topology_build *b, struct topology_node *n, struct str text)
{
    struct str rest = text;
    struct str piece;
    struct str host;
    size_t at;
    uint16_t bus = 0;

    if (!str_split(&rest, ',', &piece))
        return false;
    at = str_find_last(piece, '@');
    if (at < piece.len) {
        int number;

        if (!str_to_int(str_slice(piece, at + 1, piece.len), 0, 65535, &number))
            return false;
        bus = (uint16_t)number;
        piece = str_slice(piece, 0, at);
    }
    if (!topology_parse_address(piece, &host, &n->port) || host.len > TOPOLOGY_HOST_MAX)
        return false;
    n->bus_port = bus;
    n->host = topology_build_keep(b, host);
    for (bool first = true; str_split(&rest, ',', &piece); first = false)
        if (str_starts(piece, "shard-id="))
            n->shard_id = topology_build_keep(b, str_slice(piece, strlen("shard-id="), piece.len));
        else if (first && !topology_is_unknown_host(piece) && piece.len <= TOPOLOGY_HOST_MAX)
            n->hostname = topology_build_keep(b, piece);
    return true;
}

static const struct {
    const char *word;
    unsigned flag;
    enum node_role role;
} flag_words[] = {
    {"myself", NODE_MYSELF, NODE_ROLE_UNKNOWN}, {"master", 0, NODE_ROLE_PRIMARY},
    {"primary", 0, NODE_ROLE_PRIMARY},          {"slave", 0, NODE_ROLE_REPLICA},
    {"replica", 0, NODE_ROLE_REPLICA},          {"fail?", NODE_PFAIL, NODE_ROLE_UNKNOWN},
    {"fail", NODE_FAIL, NODE_ROLE_UNKNOWN},     {"handshake", NODE_HANDSHAKE, NODE_ROLE_UNKNOWN},
    {"noaddr", NODE_NOADDR, NODE_ROLE_UNKNOWN}, {"nofailover", NODE_NOFAILOVER, NODE_ROLE_UNKNOWN},
};

static void parse_flags(struct topology_node *n, struct str text)
{
    struct str word;

    while (str_split(&text, ',', &word)) {
        for (size_t i = 0; i < COUNT_OF(flag_words); i++) {
            if (!str_is(word, flag_words[i].word))
                continue;
            n->flags |= flag_words[i].flag;
            if (flag_words[i].role != NODE_ROLE_UNKNOWN)
                n->role = flag_words[i].role;
        }
    }
}

/* "[77->-ID]" migrating to ID, "[93-<-ID]" importing from ID. */
static bool parse_open(struct topology_build *b, uint16_t node, struct str word)
{
    struct str inner = str_slice(word, 1, word.len - 1);
    size_t dash = str_find(inner, '-');
    struct str arrow = str_slice(inner, dash, dash + 3);
    struct str peer = str_slice(inner, dash + 3, inner.len);
    struct topology_open o;
    int slot;

    if (word.ptr[word.len - 1] != ']')
        return false;
    if (!str_to_int(str_slice(inner, 0, dash), 0, SLOT_COUNT - 1, &slot) || !topology_is_id(peer))
        return false;
    if (!str_is(arrow, "->-") && !str_is(arrow, "-<-"))
        return false;
    o = (struct topology_open){
        .slot = (uint16_t)slot, .importing = str_is(arrow, "-<-"), .node = node, .peer_id = peer};
    return topology_build_open(b, &o);
}

/* One trailing word: a slot, a range, an open slot; anything else is from a newer server. */
static void parse_slot_word(struct topology_build *b, uint16_t node, struct str word)
{
    size_t dash = str_find(word, '-');
    int first;
    int last;

    if (word.len > 2 && word.ptr[0] == '[') {
        (void)parse_open(b, node, word);
        return;
    }
    if (!str_to_int(str_slice(word, 0, dash), 0, SLOT_COUNT - 1, &first))
        return;
    last = first;
    if (dash < word.len &&
        !str_to_int(str_slice(word, dash + 1, word.len), 0, SLOT_COUNT - 1, &last))
        return;
    topology_build_claim(b, node, first, last);
}

struct line {
    struct str id, endpoint, flags, primary, ping, pong, epoch, link, slots;
};

static bool cut_line(struct str text, struct line *out)
{
    *out = (struct line){0};
    if (!next_word(&text, &out->id) || !next_word(&text, &out->endpoint) ||
        !next_word(&text, &out->flags) || !next_word(&text, &out->primary) ||
        !next_word(&text, &out->ping) || !next_word(&text, &out->pong) ||
        !next_word(&text, &out->epoch) || !next_word(&text, &out->link))
        return false;
    out->slots = text;
    return true;
}

static bool fill_node(struct topology_build *b, struct topology_node *n, const struct line *l)
{
    if (!topology_is_id(l->id) || !parse_endpoint(b, n, l->endpoint) ||
        !str_to_i64(l->ping, &n->ping_sent_ms) || !str_to_i64(l->pong, &n->pong_received_ms) ||
        !str_to_u64(l->epoch, &n->epoch))
        return false;
    n->id = topology_build_keep(b, l->id);
    parse_flags(n, l->flags);
    if (topology_is_id(l->primary))
        n->primary_id = topology_build_keep(b, l->primary);
    n->link_up = str_is(l->link, "connected");
    if (topology_is_unknown_host(n->host) && (n->flags & NODE_NOADDR) == 0)
        n->host = topology_build_keep(b, b->self.host);
    return true;
}

static bool parse_line(struct topology_build *b, struct str text, struct error *err)
{
    struct line l;
    struct topology_node *n;
    struct str word;
    uint16_t at;

    if (!cut_line(text, &l)) {
        b->t->ignored++;
        return true;
    }
    n = topology_build_node(b, err);
    if (n == NULL)
        return false;
    if (!fill_node(b, n, &l)) {
        b->t->ignored++;
        b->t->count--;
        return true;
    }
    at = (uint16_t)(b->t->count - 1);
    if ((n->flags & NODE_MYSELF) != 0 && b->t->self == TOPOLOGY_NONE)
        b->t->self = at;
    while (next_word(&l.slots, &word))
        parse_slot_word(b, at, word);
    return true;
}

struct topology *topology_parse_nodes(struct str text, struct topology_self self, struct error *err)
{
    struct topology_build b;
    struct str line;

    if (text.len > TEXT_MAX) {
        (void)error_set(err, ERROR_LIMIT, 0, "CLUSTER NODES: a reply of %zu bytes", text.len);
        return NULL;
    }
    topology_build_init(&b, TOPOLOGY_FROM_NODES, self);
    while (str_split(&text, '\n', &line)) {
        line = str_trim(line);
        if (line.len > 0 && !parse_line(&b, line, err))
            return topology_build_drop(&b);
    }
    if (b.t->count == 0) {
        (void)error_set(err, ERROR_CORRUPT, 0, "CLUSTER NODES: no line of the reply is a node");
        return topology_build_drop(&b);
    }
    return topology_build_finish(&b);
}
