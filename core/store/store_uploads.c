#include <stdlib.h>
#include <string.h>

#include "core/store/store.h"

/* The key of a name: what follows "s3://bucket/" in its URI. */
static struct str key_in(const char *uri, const char *bucket)
{
    return str_from(uri + strlen("s3://") + strlen(bucket) + 1);
}

bool store_remove_uploads(struct store *s, const char *name, struct error *err)
{
    struct s3 *client = store_s3_client(s);
    struct s3_uploads found = {.count = 0};
    char *uri;
    struct str key;
    bool ok;

    if (client == NULL)
        return true;
    uri = store_uri(s, name);
    key = key_in(uri, s3_bucket(client));
    ok = s3_list_uploads(client, key, &found, err);
    for (size_t i = 0; ok && i < found.count; i++)
        if (str_equal(found.items[i].key, key))
            ok = s3_abort_upload(client, key, found.items[i].upload_id, err);
    s3_uploads_release(&found);
    free(uri);
    return ok;
}
