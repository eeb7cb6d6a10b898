#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/array.h"
#include "core/base/escape.h"
#include "core/s3/client.h"

#define LIST_MAX_KEYS 1000
#define ITEMS_MAX 10000

/* Texts of the element being read; raw, decoded once EncodingType is known. */
struct listing {
    struct s3_page *page;
    struct s3_list_item item;
    struct str token;
    bool truncated;
    bool encoded;
};

static bool push_item(struct listing *l, bool is_prefix, struct error *err)
{
    struct s3_page *p = l->page;
    if (p->count == ITEMS_MAX)
        return error_set(err, ERROR_LIMIT, 0, "a page of the listing holds too many entries");
    l->item.is_prefix = is_prefix;
    ARRAY_PUSH(p->items, p->count, p->cap) = l->item;
    l->item = (struct s3_list_item){.size_bytes = -1};
    return true;
}

static bool on_list_element(void *ctx, const char *path, struct str text, struct error *err)
{
    struct listing *l = ctx;
    static const char root[] = "ListBucketResult/";
    if (strncmp(path, root, sizeof(root) - 1) != 0)
        return true;
    path += sizeof(root) - 1;
    if (strcmp(path, "Contents/Key") == 0 || strcmp(path, "CommonPrefixes/Prefix") == 0)
        l->item.key = arena_str(&l->page->arena, text);
    else if (strcmp(path, "Contents/Size") == 0 &&
             (!str_to_i64(str_trim(text), &l->item.size_bytes) || l->item.size_bytes < 0))
        return error_set(err, ERROR_CORRUPT, 0, "the listing holds a size that is no number");
    else if (strcmp(path, "Contents/LastModified") == 0)
        l->item.modified_ms = s3_parse_time(str_trim(text));
    else if (strcmp(path, "Contents") == 0)
        return push_item(l, false, err);
    else if (strcmp(path, "CommonPrefixes") == 0)
        return push_item(l, true, err);
    else if (strcmp(path, "IsTruncated") == 0)
        l->truncated = str_is(str_trim(text), "true");
    else if (strcmp(path, "NextContinuationToken") == 0)
        l->token = arena_str(&l->page->arena, text);
    else if (strcmp(path, "EncodingType") == 0)
        l->encoded = str_is(str_trim(text), "url");
    return true;
}

bool s3_decode_key(struct arena *arena, struct str *key, struct error *err)
{
    struct buf plain;
    buf_init(&plain, XML_TEXT_MAX);
    bool ok = xml_percent_decode(&plain, *key, err);
    if (ok)
        *key = arena_str(arena, buf_str(&plain));
    buf_release(&plain);
    return ok;
}

static bool has_prefix(struct str key, struct str prefix)
{
    return str_equal(str_slice(key, 0, prefix.len), prefix);
}

static bool check_page(struct listing *l, const struct s3_list *list, struct error *err)
{
    struct s3_page *p = l->page;
    for (size_t i = 0; i < p->count; i++) {
        if (l->encoded && !s3_decode_key(&p->arena, &p->items[i].key, err))
            return false;
        if (!has_prefix(p->items[i].key, list->prefix)) {
            char shown[80];
            return error_set(err, ERROR_CORRUPT, 0,
                             "the listing holds \"%s\", which is outside of "
                             "what was asked for",
                             escape_text(shown, sizeof(shown), p->items[i].key));
        }
    }
    if (!l->truncated)
        return true;
    if (l->token.len == 0 || str_equal(l->token, list->token))
        return error_set(err, ERROR_CORRUPT, 0,
                         "the listing goes on, but the server does not say where");
    p->next = l->token;
    return true;
}

static void add_list_query(struct s3_request *r, const struct s3_list *list, char *max_keys,
                           size_t size)
{
    (void)snprintf(max_keys, size, "%u", list->max_keys > 0 ? list->max_keys : LIST_MAX_KEYS);
    s3_add_query(r, "list-type", STR("2"));
    s3_add_query(r, "encoding-type", STR("url"));
    s3_add_query(r, "max-keys", str_from(max_keys));
    s3_add_query(r, "prefix", list->prefix);
    if (list->delimiter != '\0')
        s3_add_query(r, "delimiter", (struct str){&list->delimiter, 1});
    if (list->token.len > 0)
        s3_add_query(r, "continuation-token", list->token);
    else if (list->start_after.len > 0)
        s3_add_query(r, "start-after", list->start_after);
}

bool s3_list(struct s3 *s3, const struct s3_list *list, struct s3_page *out, struct error *err)
{
    struct s3_request request = {.what = "list", .method = "GET", .root = "ListBucketResult"};
    struct s3_answer answer;
    struct listing l = {.page = out, .item = {.size_bytes = -1}};
    char max_keys[16];
    *out = (struct s3_page){.count = 0};
    add_list_query(&request, list, max_keys, sizeof(max_keys));
    s3_answer_init(&answer);
    bool ok = s3_call(s3, &request, &answer, err) &&
              xml_parse(buf_str(&answer.http.body), on_list_element, &l, err) &&
              check_page(&l, list, err);
    s3_answer_release(&answer);
    if (!ok)
        s3_page_release(out);
    return ok;
}

void s3_page_release(struct s3_page *page)
{
    free(page->items);
    arena_release(&page->arena);
    *page = (struct s3_page){.count = 0};
}
