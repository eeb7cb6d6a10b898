/*
 * store_impl.h - inside core/store: the table of functions that each kind of store fills in.
 *
 * store.c checks names and arguments before it calls them; a kind sees only safe names. Same
 * threads and errors as store.h.
 */
#ifndef CORE_STORE_STORE_IMPL_H
#define CORE_STORE_STORE_IMPL_H

#include "core/store/store.h"

struct store_ops {
    void (*free)(struct store *s);
    char *(*uri)(const struct store *s, const char *name);
    struct s3 *(*s3_client)(const struct store *s); /* NULL: none */
    bool (*list)(struct store *s, const char *after, size_t max, struct store_page *out,
                 struct error *err);
    bool (*stat)(struct store *s, const char *name, struct store_info *out, struct error *err);
    bool (*open_object)(struct store *s, const char *name, struct store_object **out,
                        struct error *err);
    /* The first bytes, at most out->max of them unless `whole`, which fails past it. */
    bool (*read_small)(struct store *s, const char *name, bool whole, struct buf *out,
                       struct error *err);
    bool (*put)(struct store *s, const char *name, struct str bytes, struct error *err);
    bool (*open_write)(struct store *s, const char *name, const struct store_write *how,
                       struct store_writer **out, struct error *err);
    bool (*remove)(struct store *s, const char *name, struct error *err);
};

struct store {
    const struct store_ops *ops;
    int64_t max_put_bytes;
};

/* One version of an object; read is asked by any thread, only for bytes that are there. */
struct store_object {
    bool (*read)(const struct store_object *o, int64_t from, char *out, size_t size,
                 struct error *err);
    void (*free)(struct store_object *o);
    int64_t size_bytes;
    char *version; /* malloc-ed; freed by `free` */
};

struct store_writer {
    bool (*write)(struct store_writer *w, struct str bytes, struct error *err);
    bool (*commit)(struct store_writer *w, struct error *err);
    void (*free)(struct store_writer *w);
    int64_t (*sent)(const struct store_writer *w);
    bool committed;
    bool leave; /* not committed: what was sent stays */
};

struct store *store_posix_new(const char *root);
bool store_s3_new(const struct store_uri *uri, const struct store_options *options,
                  struct store **out, struct error *err) MUST_CHECK;
/* Room for one more entry of the page; name is copied into its arena. */
void store_page_add(struct store_page *page, struct str name, const struct store_entry *entry);

#endif
