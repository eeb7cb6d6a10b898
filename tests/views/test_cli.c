#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "views/cli.h"
#include "views/verbs/help.h"

#define WORDS_MAX 16

/* Split at single spaces; '_' alone stands for an empty word. */
static int split(const char *line, char *memory, size_t size, const char **words)
{
    int count = 1;
    words[0] = "rbconsole";
    assert_true(strlen(line) < size);
    memcpy(memory, line, strlen(line) + 1);
    for (char *at = memory; *at != '\0' && count < WORDS_MAX;) {
        char *end = strchr(at, ' ');
        if (end != NULL)
            *end = '\0';
        words[count++] = strcmp(at, "_") == 0 ? "" : at;
        if (end == NULL)
            break;
        at = end + 1;
    }
    return count;
}

struct parsed {
    char memory[512];
    const char *words[WORDS_MAX];
    struct options options;
    struct error err;
};

static bool parse(struct parsed *p, const char *line)
{
    int count;
    memset(p, 0, sizeof(*p));
    count = split(line, p->memory, sizeof(p->memory), p->words);
    return cli_parse(count, p->words, &p->options, &p->err);
}

static void refuses(const char *line, const char *part)
{
    struct parsed p;
    if (parse(&p, line))
        fail_msg("\"%s\" was accepted", line);
    assert_int_equal(p.err.code, ERROR_USAGE);
    assert_int_equal(verb_fail(&p.err), 2);
    assert_null(strchr(p.err.text, '\n'));
    if (strstr(p.err.text, part) == NULL)
        fail_msg("\"%s\" gives \"%s\", not \"%s\"", line, p.err.text, part);
}

static void no_verb_means_the_console(void **state)
{
    struct parsed p;
    (void)state;
    assert_true(parse(&p, ""));
    cli_release(&p.options);
    assert_true(parse(&p, "--theme mono --size 80x24"));
    assert_null(p.options.verb);
    assert_string_equal(cli_given(&p.options, "theme"), "mono");
    cli_release(&p.options);
}

static void global_options_stand_before_or_after_the_verb(void **state)
{
    static const char *const lines[] = {
        "-e dev --json doctor --offline",
        "doctor -edev --offline --json",
        "--env=dev doctor --json --offline",
        "doctor --offline --json --env dev",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct parsed p;
        struct invocation inv;
        assert_true(parse(&p, lines[i]));
        assert_ptr_equal(p.options.verb, &verb_doctor);
        assert_string_equal(cli_given(&p.options, "env"), "dev");
        cli_invocation(&p.options, "rbconsole", NULL, NULL, &inv);
        assert_true(inv.json);
        assert_true(option_flag(&inv, "offline"));
        assert_false(option_flag(&inv, "fix"));
        cli_release(&p.options);
    }
}

static void short_options_bundle_and_take_values(void **state)
{
    struct parsed p;
    struct invocation inv;
    (void)state;
    assert_true(parse(&p, "-qvvn 127.0.0.1:1,127.0.0.1:2 help -- config"));
    cli_invocation(&p.options, "rbconsole", NULL, NULL, &inv);
    assert_true(inv.quiet);
    assert_int_equal(inv.verbose, 2);
    assert_string_equal(cli_given(&p.options, "nodes"), "127.0.0.1:1,127.0.0.1:2");
    assert_int_equal(inv.operand_count, 1);
    assert_string_equal(inv.operands[0], "config");
    cli_release(&p.options);
}

static void words_after_two_dashes_are_no_options(void **state)
{
    struct parsed p;
    (void)state;
    assert_true(parse(&p, "help -- --json"));
    assert_string_equal(p.options.operands[0], "--json");
    assert_null(cli_given(&p.options, "json"));
    assert_false(cli_wants_json(4, p.words));
    cli_release(&p.options);
}

static void mistakes_are_one_line_with_the_nearest_word(void **state)
{
    (void)state;
    refuses("docter", "did you mean doctor?");
    refuses("xyzzy-nothing", "see rbconsole --help");
    refuses("doctor --ofline", "did you mean --offline?");
    refuses("--offline doctor", "--offline belongs to doctor");
    refuses("doctor --qqqqqqqq", "see rbconsole doctor --help");
    refuses("doctor -Z", "unknown option -Z");
    refuses("doctor --fix --fix", "given twice");
    refuses("doctor --fix=yes", "takes no value");
    refuses("doctor --env", "--env needs a value: --env NAME");
    refuses("doctor -e", "--env needs a value");
    refuses("doctor --env _", "not empty");
    refuses("doctor extra", "one word too many");
    refuses("help a b", "one word too many");
    refuses("_docs", "needs KIND");
    refuses("--read-only --write", "exclude each other");
    refuses("doctor --theme mono", "--theme is for the console, not for doctor");
    refuses("--size 80", "must look like 80x24");
    refuses("--job-fd 2 doctor", "within 3 to 65535");
    refuses("--job-fd 9999999999999999999 doctor", "within 3 to 65535");
    refuses("-n 127.0.0.1 doctor", "--nodes: \"127.0.0.1\" needs a port");
    refuses("-n , doctor", "--nodes: must name at least one");
    refuses("--password secret doctor", "use --password-file");
    refuses("--yes doctor", "--confirm NAME");
}

static void a_secret_on_the_command_line_is_not_repeated(void **state)
{
    struct parsed p;
    (void)state;
    assert_false(parse(&p, "--password=hunter2 doctor"));
    assert_null(strstr(p.err.text, "hunter2"));
    assert_false(parse(&p, "-n ops:hunter2@127.0.0.1:1 doctor"));
    assert_null(strstr(p.err.text, "hunter2"));
}

static void help_and_version_need_nothing_else(void **state)
{
    struct parsed p;
    (void)state;
    assert_true(parse(&p, "_docs --help"));
    assert_true(p.options.help);
    cli_release(&p.options);
    assert_true(parse(&p, "-V"));
    assert_true(p.options.version);
    cli_release(&p.options);
}

static void hostile_words_come_back_escaped(void **state)
{
    struct parsed p;
    (void)state;
    assert_false(parse(&p, "\x1b[31m\xc2\x9b"));
    for (const char *c = p.err.text; *c != '\0'; c++)
        assert_true((unsigned char)*c >= 0x20);
    assert_null(strstr(p.err.text, "\xc2\x9b"));
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void check_rows(const struct option_row *rows, const struct option_row *against)
{
    for (const struct option_row *r = rows; r != NULL && r->name != NULL; r++) {
        assert_true(r->help[strlen(r->help) - 1] == '.');
        assert_true((r->type == OPTION_FLAG) == (r->arg == NULL));
        assert_true(r->type != OPTION_CHOICE || r->choices != NULL || r->config_key != NULL);
        assert_true(r->config_key == NULL || config_key_find(r->config_key) != NULL);
        for (const struct option_row *o = r + 1; o->name != NULL; o++) {
            assert_string_not_equal(o->name, r->name);
            assert_true(o->letter == 0 || o->letter != r->letter);
        }
        for (const struct option_row *o = against; o != NULL && o->name != NULL; o++) {
            if (strcmp(o->name, r->name) == 0)
                fail_msg("--%s is global already", r->name);
            if (o->letter != 0 && o->letter == r->letter)
                fail_msg("-%c is global already", r->letter);
        }
    }
}

static void every_table_row_is_whole_and_unique(void **state)
{
    (void)state;
    check_rows(cli_globals, NULL);
    for (size_t i = 0; i < verb_count(); i++) {
        const struct verb *v = verb_at(i);
        assert_non_null(v->run);
        assert_true(v->summary[strlen(v->summary) - 1] == '.');
        assert_true((v->operands_max == 0) == (v->operands == NULL));
        assert_true(v->operands_min <= v->operands_max);
        assert_ptr_equal(verb_find(str_from(v->name)), v);
        check_rows(v->options, cli_globals);
    }
}

static void help_names_every_option_within_the_width(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, HELP_MAX);
    help_global(&out, 80);
    for (size_t i = 0; i < verb_count(); i++) {
        help_verb(&out, verb_at(i), 80);
        for (const struct option_row *r = verb_at(i)->options; r != NULL && r->name; r++) {
            char word[80];
            snprintf(word, sizeof(word), "--%s", r->name);
            assert_true((r->flags & OPTION_HIDDEN) != 0 || strstr(out.data, word) != NULL);
        }
    }
    assert_non_null(strstr(out.data, "Exit status:"));
    assert_null(strstr(out.data, "job-fd"));
    for (char *line = out.data; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        size_t columns = 0;
        for (char *c = line; c < end; c++)
            columns += ((unsigned char)*c & 0xC0) != 0x80;
        /* A usage or example line is a command: it is not broken. */
        if (columns > 80 && strstr(line, "rbconsole ") != line + 2 &&
            strncmp(line, "Usage:", 6) != 0)
            fail_msg("%.*s", (int)(end - line), line);
        line = end == NULL ? NULL : end + 1;
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_verb_means_the_console),
        cmocka_unit_test(global_options_stand_before_or_after_the_verb),
        cmocka_unit_test(short_options_bundle_and_take_values),
        cmocka_unit_test(words_after_two_dashes_are_no_options),
        cmocka_unit_test(mistakes_are_one_line_with_the_nearest_word),
        cmocka_unit_test(a_secret_on_the_command_line_is_not_repeated),
        cmocka_unit_test(help_and_version_need_nothing_else),
        cmocka_unit_test(hostile_words_come_back_escaped),
        cmocka_unit_test(every_table_row_is_whole_and_unique),
        cmocka_unit_test(help_names_every_option_within_the_width),
    };
    return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
