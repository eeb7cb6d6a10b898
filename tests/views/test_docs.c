#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/base/json.h"
#include "core/config/config_table.h"
#include "tests/harness/tmpdir.h"
#include "views/cli.h"
#include "views/verbs/docs.h"
#include "views/verbs/help.h"

/* roff writes a dash that must stay one with a backslash. */
static void as_written(char *out, size_t size, const char *name, bool roff)
{
    size_t n = 0;
    for (; *name != '\0' && n + 2 < size; name++) {
        if (*name == '-' && roff)
            out[n++] = '\\';
        out[n++] = *name;
    }
    out[n] = '\0';
}

static void names_all_of(const char *text, const struct verb *verb, bool roff)
{
    const struct option_row *row = verb->options;
    assert_non_null(strstr(text, verb->name));
    for (; row != NULL && row->name != NULL; row++) {
        char name[80];
        as_written(name, sizeof(name), row->name, roff);
        if ((row->flags & OPTION_HIDDEN) == 0 && strstr(text, name) == NULL)
            fail_msg("%s: no --%s", verb->name, row->name);
    }
}

static void each_form_names_every_verb_and_option(void **state)
{
    static void (*const forms[])(struct buf *) = {docs_man, docs_bash, docs_zsh, docs_fish,
                                                  docs_verb_table};
    (void)state;
    for (size_t f = 0; f < COUNT_OF(forms); f++) {
        struct buf out;
        buf_init(&out, HELP_MAX);
        forms[f](&out);
        assert_null(strstr(out.data, "job-fd"));
        assert_null(strstr(out.data, "_docs"));
        for (size_t v = 0; v < verb_count(); v++)
            if ((verb_at(v)->flags & VERB_HIDDEN) == 0)
                names_all_of(out.data, verb_at(v), forms[f] == docs_man);
        buf_release(&out);
    }
}

static size_t count_of(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        n++;
    return n;
}

/* In help they are one empty line apart, in the manual one request. */
static void the_paragraphs_of_every_verb_stand_apart(void **state)
{
    (void)state;
    for (size_t v = 0; v < verb_count(); v++) {
        struct str rest = str_from(verb_at(v)->notes != NULL ? verb_at(v)->notes : "");
        struct buf help;
        struct buf man;
        struct str one;
        buf_init(&help, HELP_MAX);
        buf_init(&man, HELP_MAX);
        help_verb(&help, verb_at(v), 0);
        docs_man(&man);
        assert_int_equal(count_of(help.data, "\n\n\n"), 0);
        assert_int_equal(count_of(man.data, "\n\n"), 0);
        while (help_next_paragraph(&rest, &one)) {
            char first[20];
            char start[40];
            (void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(one.ptr, " -"), one.ptr);
            (void)snprintf(start, sizeof(start), "\n\n%s", first);
            if (strstr(help.data, start) == NULL)
                fail_msg("--help of %s: no paragraph %s", verb_at(v)->name, first);
            (void)snprintf(start, sizeof(start), ".PP\n%s", first);
            if ((verb_at(v)->flags & VERB_HIDDEN) == 0 && strstr(man.data, start) == NULL)
                fail_msg("man page, %s: no paragraph %s", verb_at(v)->name, first);
        }
        buf_release(&help);
        buf_release(&man);
    }
}

static void the_schema_has_every_key_and_is_json(void **state)
{
    struct error err = {0};
    struct buf out;
    json_t *doc;
    json_t *env;
    (void)state;
    buf_init(&out, HELP_MAX);
    docs_config_schema(&out);
    doc = json_parse(buf_str(&out), "schema", &err);
    assert_non_null(doc);
    env = json_object_get(json_object_get(json_object_get(doc, "properties"), "redis_nodes"),
                          "additionalProperties");
    assert_true(json_is_object(json_object_get(json_object_get(env, "properties"), "nodes")));
    assert_true(json_is_object(json_object_get(
        json_object_get(json_object_get(json_object_get(env, "properties"), "tls"), "properties"),
        "ca_file")));
    for (size_t i = 0; i < config_key_count(); i++)
        assert_non_null(strstr(out.data, config_key_at(i)->help));
    json_decref(doc);
    buf_release(&out);
}

/* `make docs` renews them. */
static void the_committed_reference_is_what_the_tables_say(void **state)
{
    struct buf out;
    char *text;
    (void)state;
    buf_init(&out, HELP_MAX);
    docs_config_table(&out);
    text = tmpdir_read("docs/configuration.md", NULL);
    assert_non_null(text);
    if (strstr(text, out.data) == NULL)
        fail_msg("docs/configuration.md is out of date: make docs");
    free(text);
    buf_clear(&out);
    docs_config_schema(&out);
    text = tmpdir_read("docs/schema/config.json", NULL);
    assert_non_null(text);
    if (strcmp(text, out.data) != 0)
        fail_msg("docs/schema/config.json is out of date: make docs");
    free(text);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_names_every_verb_and_option),
        cmocka_unit_test(the_paragraphs_of_every_verb_stand_apart),
        cmocka_unit_test(the_schema_has_every_key_and_is_json),
        cmocka_unit_test(the_committed_reference_is_what_the_tables_say),
    };
    return cmocka_run_group_tests_name("docs", tests, NULL, NULL);
}
