#include "tests/faults/fixture_records.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/attr.h"
#include "core/base/base64.h"
#include "core/base/buf.h"

#define TEXT_MAX ((size_t)1 << 20)
#define ELEMENTS_PER_LIE 8 /* four bytes, or up to 64 that came twice */

static int by_text(const void *a, const void *b)
{
    const char *x = json_string_value(*(json_t *const *)a);
    const char *y = json_string_value(*(json_t *const *)b);

    return strcmp(x == NULL ? "" : x, y == NULL ? "" : y);
}

/* Members of a set come in any order. */
static json_t *sorted(const json_t *members)
{
    size_t count = json_array_size(members);
    json_t **all = mem_zero(count + 1, sizeof(json_t *));
    json_t *out = json_array();

    for (size_t i = 0; i < count; i++)
        all[i] = json_array_get(members, i);
    qsort(all, count, sizeof(json_t *), by_text);
    for (size_t i = 0; i < count; i++)
        json_array_append(out, all[i]);
    free(all);
    return out;
}

static const char *text_of(const json_t *doc, const char *member)
{
    const char *text = json_string_value(json_object_get(doc, member));

    return text == NULL ? "" : text;
}

/* A byte that is no text turns all strings of a line into base64. What stays so is its own. */
static json_t *decoded(const json_t *coded)
{
    struct error ignored = {0};
    struct buf raw;
    json_t *text = NULL;

    buf_init(&raw, TEXT_MAX);
    if (base64_decode(&raw, str_from(json_string_value(coded)), &ignored))
        text = json_stringn(raw.data, raw.len);
    buf_release(&raw);
    return text != NULL ? text : json_deep_copy(coded);
}

static json_t *decoded_fields(json_t *coded)
{
    json_t *out = json_object();
    const char *field;
    json_t *value;

    json_object_foreach(coded, field, value)
    {
        json_t *name = json_string(field);
        json_t *plain = decoded(name);

        json_object_set_new(out, json_string_value(plain), decoded(value));
        json_decref(name);
        json_decref(plain);
    }
    return out;
}

/* Elements, or members with their scores, which are never coded. */
static json_t *decoded_elements(const json_t *coded)
{
    json_t *out = json_array();

    for (size_t i = 0; i < json_array_size(coded); i++) {
        json_t *one = json_array_get(coded, i);

        if (json_is_array(one)) {
            json_t *pair = json_copy(one);

            json_array_set_new(pair, 0, decoded(json_array_get(one, 0)));
            json_array_append_new(out, pair);
        } else {
            json_array_append_new(out, decoded(one));
        }
    }
    return out;
}

static void decode_value(json_t *line)
{
    json_t *coded = json_object_get(line, "value_b64");
    json_t *plain;

    if (coded == NULL)
        return;
    if (strcmp(text_of(line, "type"), "stream") == 0)
        plain = json_deep_copy(coded); /* differs by then, and is not looked into */
    else if (json_is_object(coded))
        plain = decoded_fields(coded);
    else
        plain = json_is_array(coded) ? decoded_elements(coded) : decoded(coded);
    json_object_set_new(line, "value", plain);
    json_object_del(line, "value_b64");
}

json_t *record_whole(const json_t *lines)
{
    json_t *whole = NULL;

    for (size_t i = 0; i < json_array_size(lines); i++) {
        json_t *line = json_deep_copy(json_array_get(lines, i));
        json_t *so_far = json_object_get(whole, "value");
        json_t *value;

        decode_value(line);
        value = json_object_get(line, "value");
        if (json_integer_value(json_object_get(json_object_get(line, "chunk"), "seq")) == 0) {
            json_decref(whole); /* read again from its start */
            whole = json_incref(line);
        } else if (json_is_object(value)) {
            json_object_update(so_far, value);
        } else {
            json_array_extend(so_far, value);
        }
        json_decref(line);
    }
    if (strcmp(text_of(whole, "type"), "set") == 0)
        json_object_set_new(whole, "value", sorted(json_object_get(whole, "value")));
    json_object_del(whole, "ttl_millis");
    json_object_del(whole, "chunk");
    return whole;
}

static void free_record(void *record)
{
    json_decref(record);
}

struct map *records_new(struct map *lines)
{
    struct map *records = map_new();
    struct str key;
    void *value;

    for (size_t at = 0; map_next(lines, &at, &key, &value);)
        (void)map_put(records, key, record_whole(value));
    return records;
}

void records_free(struct map *records)
{
    map_free(records, free_record);
}

/* ---- judging ------------------------------------------------------------------------------------
 */

static bool same_value(const json_t *a, const json_t *b)
{
    return json_equal(json_object_get(a, "value"), json_object_get(b, "value")) != 0;
}

static bool is_anothers(struct map *records, const char *own, const json_t *record)
{
    struct str key;
    void *other;

    for (size_t at = 0; map_next(records, &at, &key, &other);)
        if (!str_is(key, own) && same_value(other, record))
            return true;
    return false;
}

static size_t distance(size_t a, size_t b)
{
    return a > b ? a - b : b - a;
}

/* Elements that are not what stood there; those of sets have no place, so only their number. */
static size_t differences(json_t *was, const json_t *is, bool placed)
{
    size_t count = 0;
    const char *field;
    json_t *value;

    if (json_is_object(was)) {
        json_object_foreach(was, field, value)
        {
            count += json_equal(value, json_object_get(is, field)) == 0;
        }
        return count;
    }
    for (size_t i = 0; placed && i < json_array_size(was) && i < json_array_size(is); i++)
        count += json_equal(json_array_get(was, i), json_array_get(is, i)) == 0;
    return count + distance(json_array_size(was), json_array_size(is));
}

/* A garbled type is no type: such a key is kept as the server's own dump. */
static bool is_known_type(const char *type)
{
    static const char *const types[] = {"string", "hash", "list", "set", "zset", "stream"};

    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (strcmp(types[i], type) == 0)
            return true;
    return false;
}

const char *record_judge(struct map *records, const char *key, const json_t *lines, size_t lies,
                         bool *differs)
{
    json_t *was = map_get(records, str_from(key));
    json_t *is = record_whole(lines);
    json_t *old = json_object_get(was, "value");
    const json_t *now = json_object_get(is, "value");
    const char *type = text_of(is, "type");
    const char *wrong = NULL;

    *differs = json_equal(was, is) == 0;
    if (*differs && lies == 0)
        wrong = "it is not what the server holds";
    else if (*differs && is_known_type(type) && strcmp(text_of(was, "type"), type) != 0)
        wrong = "it has another type";
    else if (*differs && is_known_type(type) &&
             (now == NULL || json_typeof(old) != json_typeof(now)))
        wrong = "its value has another shape";
    else if (*differs && !same_value(was, is) && is_anothers(records, key, is))
        wrong = "its value is another key's";
    else if (*differs && is_known_type(type) &&
             differences(old, now, strcmp(type, "set") != 0) > ELEMENTS_PER_LIE * lies)
        wrong = "its elements moved along";
    json_decref(is);
    return wrong;
}
