#include "tests/views/verbs/fixture_verb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ARGS_MAX 24

static void run(struct proc_result *r, int status, const char *const *argv)
{
    assert_true(proc_run(argv, NULL, r));
    if (r->status == status)
        return;
    for (size_t i = 0; argv[i] != NULL; i++)
        print_message("%s ", argv[i]);
    print_message("\n%s%s", r->out, r->err);
    fail_msg("ended with %d, not %d", r->status, status);
}

static void take_args(const char **argv, size_t count, va_list args)
{
    const char *arg;

    while ((arg = va_arg(args, const char *)) != NULL) {
        assert_true(count < ARGS_MAX - 1);
        argv[count++] = arg;
    }
    argv[count] = NULL;
}

void verb_run(struct proc_result *r, int status, const char *config, ...)
{
    const char *argv[ARGS_MAX] = {proc_rbconsole(), "-c", config};
    va_list args;

    va_start(args, config);
    take_args(argv, 3, args);
    va_end(args);
    run(r, status, argv);
}

json_t *verb_json(int status, const char *config, ...)
{
    const char *argv[ARGS_MAX] = {proc_rbconsole(), "--json", "-c", config};
    struct proc_result r;
    json_error_t why;
    json_t *doc;
    va_list args;

    va_start(args, config);
    take_args(argv, 4, args);
    va_end(args);
    run(&r, status, argv);
    doc = json_loads(r.out[0] != '\0' ? r.out : r.err, JSON_REJECT_DUPLICATES, &why);
    if (doc == NULL)
        fail_msg("no JSON: %s in %s%s", why.text, r.out, r.err);
    proc_result_release(&r);
    return doc;
}

const json_t *verb_at(const json_t *doc, const char *path)
{
    const json_t *at = doc;

    for (const char *part = path; *part != '\0';) {
        size_t len = strcspn(part, ".");
        char name[64];

        assert_true(len < sizeof(name));
        memcpy(name, part, len);
        name[len] = '\0';
        at = json_is_array(at) ? json_array_get(at, (size_t)strtoul(name, NULL, 10))
                               : json_object_get(at, name);
        if (at == NULL)
            fail_msg("no %s in the answer", path);
        part += len + (part[len] == '.' ? 1 : 0);
    }
    return at;
}

long long verb_number(const json_t *doc, const char *path)
{
    const json_t *at = verb_at(doc, path);

    if (!json_is_integer(at))
        fail_msg("%s is no number", path);
    return json_integer_value(at);
}

const char *verb_text(const json_t *doc, const char *path)
{
    const json_t *at = verb_at(doc, path);

    if (!json_is_string(at))
        fail_msg("%s is no text", path);
    return json_string_value(at);
}

static const json_t *find(const json_t *list, const char *member, const char *value)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);

        if (strcmp(verb_text(item, member), value) == 0)
            return item;
    }
    return NULL;
}

const json_t *verb_finding(const json_t *doc, const char *rule)
{
    return find(verb_at(doc, "findings"), "rule", rule);
}

const json_t *verb_node(const json_t *doc, const char *address)
{
    const json_t *node = find(verb_at(doc, "nodes"), "address", address);

    if (node == NULL)
        fail_msg("no node %s", address);
    return node;
}
