#include "tests/harness/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/json.h"

static bool has_type(const json_t *value, const char *type)
{
    return (strcmp(type, "object") == 0 && json_is_object(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(type, "null") == 0 && json_is_null(value));
}

static bool one_of(const json_t *list, const json_t *value, bool types)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *one = json_array_get(list, i);
        if (types ? has_type(value, json_string_value(one)) : json_equal(one, value) != 0)
            return true;
    }
    return false;
}

static void check(const json_t *schema, json_t *value, const char *where);

static void check_members(const json_t *schema, json_t *value, const char *where)
{
    json_t *properties = json_object_get(schema, "properties");
    json_t *required = json_object_get(schema, "required");
    const char *name = NULL;
    json_t *member = NULL;
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *needed = json_string_value(json_array_get(required, i));
        if (json_object_get(value, needed) == NULL)
            fail_msg("%s: %s is missing", where, needed);
    }
    json_object_foreach(value, name, member)
    {
        const json_t *its = json_object_get(properties, name);
        if (its == NULL && properties != NULL)
            fail_msg("%s: %s is not in the schema", where, name);
        check(its, member, name);
    }
}

static void check(const json_t *schema, json_t *value,
                  const char *where) /* NOLINT(misc-no-recursion) */
{
    json_t *type = json_object_get(schema, "type");
    json_t *constant = json_object_get(schema, "const");
    json_t *values = json_object_get(schema, "enum");
    if ((json_is_string(type) && !has_type(value, json_string_value(type))) ||
        (json_is_array(type) && !one_of(type, value, true)) ||
        (constant != NULL && json_equal(constant, value) == 0) ||
        (values != NULL && !one_of(values, value, false)) ||
        (json_is_integer(value) &&
         json_integer_value(value) < json_int(schema, "minimum", INT64_MIN)))
        fail_msg("%s does not fit its schema", where);
    for (size_t i = 0; i < json_array_size(value); i++)
        check(json_object_get(schema, "items"), json_array_get(value, i), where);
    if (json_is_object(value) && json_object_get(schema, "properties") != NULL)
        check_members(schema, value, where);
}

void schema_expect(const char *schema_name, json_t *doc)
{
    struct error err = {0};
    json_t *schema = json_read_file(schema_name, (size_t)1 << 20, &err);

    if (schema == NULL)
        fail_msg("%s", err.text);
    check(schema, doc, schema_name);
    json_decref(schema);
}
