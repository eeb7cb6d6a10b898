/* README.md and docs/: what is generated is current, what is linked is there, and the ACL rules are
 * those that the integration tests run with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/base/buf.h"
#include "tests/harness/tmpdir.h"
#include "views/verbs/docs.h"
#include "views/verbs/help.h"
#include "views/verbs/verb.h"

static char *must_read(const char *path)
{
    char *text = tmpdir_read(path, NULL);

    if (text == NULL)
        fail_msg("%s is missing", path);
    return text;
}

static const struct {
    const char *file, *kind;
    void (*write)(struct buf *out);
} generated[] = {
    {"README.md", "verb-table", docs_verb_table},
    {"README.md", "exit-table", docs_exit_table},
    {"README.md", "global-keys", docs_global_keys},
    {"docs/keys.md", "keys", docs_keys},
};

/* `make docs` renews them. */
static void the_tables_between_the_markers_are_what_the_program_says(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(generated); i++) {
        char *text = must_read(generated[i].file);
        struct buf want;

        buf_init(&want, HELP_MAX);
        buf_put(&want, "<!-- generated: %s -->\n", generated[i].kind);
        generated[i].write(&want);
        buf_put(&want, "<!-- end -->\n");
        if (strstr(text, want.data) == NULL)
            fail_msg("%s: %s is out of date: make docs", generated[i].file, generated[i].kind);
        buf_release(&want);
        free(text);
    }
}

/* A '|' that is not escaped would start another column. */
static void every_row_has_the_columns_of_its_heading(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(generated); i++) {
        struct buf out;
        size_t want = 0;

        buf_init(&out, HELP_MAX);
        generated[i].write(&out);
        for (char *line = out.data; line != NULL && *line != '\0';) {
            size_t bars = 0;
            char *end = strchr(line, '\n');

            for (char *c = line; c < end; c++)
                bars += *c == '|' && (c == line || c[-1] != '\\');
            if (*line != '|')
                want = 0;
            else if (want == 0)
                want = bars;
            if (*line == '|' && bars != want)
                fail_msg("%.*s", (int)(end - line), line);
            line = end + 1;
        }
        buf_release(&out);
    }
}

static void every_link_of_the_readme_leads_somewhere(void **state UNUSED)
{
    char *text = must_read("README.md");
    size_t links = 0;

    for (char *at = text; (at = strstr(at, "](")) != NULL; links++) {
        char path[256];

        at += 2;
        (void)snprintf(path, sizeof(path), "%.*s", (int)strcspn(at, ")#"), at);
        if (access(path, R_OK) != 0)
            fail_msg("README.md: no %s", path);
    }
    assert_true(links > 5);
    free(text);
}

/* "$ rbconsole WORD" and "rbconsole … WORD" in code name verbs that exist. */
static void every_command_of_the_tour_names_a_verb(void **state UNUSED)
{
    char *text = must_read("README.md");
    size_t commands = 0;

    for (char *at = text; (at = strstr(at, "\n$ rbconsole ")) != NULL; commands++) {
        struct str word;

        at += strlen("\n$ rbconsole ");
        word = (struct str){at, strcspn(at, " \n")};
        if (verb_find(word) == NULL)
            fail_msg("README.md: no verb %.*s", (int)word.len, word.ptr);
    }
    assert_true(commands > 5);
    free(text);
}

/* ---- ACL ------------------------------------------------------------------------------------- */

/* The text between a and b, malloc-ed. */
static char *between(const char *text, const char *a, const char *b)
{
    const char *start = strstr(text, a);
    const char *end = start != NULL ? strstr(start + strlen(a), b) : NULL;

    if (end == NULL)
        fail_msg("no \"%s\" … \"%s\"", a, b);
    start += strlen(a);
    return strndup(start, (size_t)(end - start));
}

/* A rule as a whole word, quoted or not. */
static bool has_rule(const char *text, const char *rule, size_t len)
{
    for (const char *at = text; *at != '\0'; at++)
        if (strncmp(at, rule, len) == 0 && strchr(" '`\n\\", at[len]) != NULL)
            return true;
    return false;
}

/* Every rule of the lab's list is in the document's section, or among those to be added. */
static size_t rules_are_named(const char *lab, const char *list, const char *section,
                              const char *added)
{
    char start[40];
    char *rules;
    size_t count = 0;

    (void)snprintf(start, sizeof(start), "\n%s='", list);
    rules = between(lab, start, "'");
    for (char *at = strchr(rules, '+'); at != NULL; at = strchr(at + 1, '+'), count++) {
        size_t len = strcspn(at, " \n");

        char escaped[64] = "";
        for (size_t i = 0, n = 0; i < len && n + 3 < sizeof(escaped); i++) {
            if (at[i] == '|')
                escaped[n++] = '\\';
            escaped[n++] = at[i];
        }
        if (!has_rule(section, at, len) && !has_rule(added, escaped, strlen(escaped)))
            fail_msg("docs/acl.md lacks %.*s of %s", (int)len, at, list);
    }
    free(rules);
    return count;
}

static size_t count_rules(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += *text == '+' && text[1] >= 'a' && text[1] <= 'z';
    return count;
}

static void the_acl_rules_are_those_that_the_tests_run_with(void **state UNUSED)
{
    static const struct {
        const char *heading, *lists[4];
        size_t added; /* of the newer commands, how many are for it */
    } users[] = {
        {"## monitor", {"ACL_CONNECT", "ACL_MONITOR"}, 1},
        {"## backup", {"ACL_CONNECT", "ACL_READ"}, 3},
        {"## restore", {"ACL_CONNECT", "ACL_READ", "ACL_WRITE"}, 5},
    };
    char *lab = must_read("tests/lab/servers.sh");
    char *doc = must_read("docs/acl.md");
    char *added = between(doc, "# ACL users", "## monitor");

    for (size_t u = 0; u < COUNT_OF(users); u++) {
        char *from = between(doc, users[u].heading, "\n```\n");
        const char *section = strstr(from, "ACL SETUSER");
        size_t count = 0;

        assert_non_null(section);
        for (size_t i = 0; users[u].lists[i] != NULL; i++)
            count += rules_are_named(lab, users[u].lists[i], section, added);
        assert_int_equal(count_rules(section) + users[u].added, count); /* and no other */
        free(from);
    }
    free(added);
    free(doc);
    free(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_between_the_markers_are_what_the_program_says),
        cmocka_unit_test(every_row_has_the_columns_of_its_heading),
        cmocka_unit_test(every_link_of_the_readme_leads_somewhere),
        cmocka_unit_test(every_command_of_the_tour_names_a_verb),
        cmocka_unit_test(the_acl_rules_are_those_that_the_tests_run_with),
    };
    return cmocka_run_group_tests_name("readme", tests, NULL, NULL);
}
