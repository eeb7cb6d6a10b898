/*
 * screen_names.c - fault 26: key names, values and a server's words that try to steer the terminal:
 * OSC, CSI, DCS, C1 as bytes and as UTF-8, bidirectional marks, newlines. On a server full of them
 * every verb, every file of every job and every screen shows them escaped: no control byte, no C1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/attr.h"
#include "tests/harness/lab.h"
#include "tests/harness/proc.h"
#include "tests/harness/screen.h"
#include "tests/harness/tmpdir.h"

/* What a terminal would act on. Each stands in a key name, a value and a field. */
static const char *const hostile[] = {
    "osc\x1b]52;c;c3RvbGVu\x07",
    "title\x1b]0;owned\x1b\\",
    "csi\x1b[31;1mred\x1b[2J",
    "dcs\x1bP$q\x1b\\",
    "c1\xc2\x9b"
    "31m",
    "raw\x9b"
    "31m\x9d"
    "0;x\x9c",
    "line\r\nrbconsole: all well",
    "back\x08\x08\x08",
    "bidi\xe2\x80\xae"
    "txt.exe",
    "zero\xe2\x80\x8bwidth",
    "isolate\xe2\x81\xa6"
    "x",
    "del\x7f",
};
#define COUNT (sizeof(hostile) / sizeof(*hostile))

static struct lab *lab;
static const char *state_dir;
static const char *backups;
static const char *backup; /* the directory of the one that was made */

/* ---- what may come out --------------------------------------------------------------------------
 */

/* Files for machines keep a name as it is, in JSON: there a mark that only turns the reading
 * direction may stand, but nothing that a terminal would obey. */
static void expect_clean(const char *text, size_t len, const char *where, bool for_machines)
{
    const unsigned char *c = (const unsigned char *)text;

    for (size_t i = 0; i < len; i++) {
        bool control = (c[i] < 0x20 && c[i] != '\n' && c[i] != '\t') || c[i] == 0x7f;
        bool c1 = i + 1 < len && c[i] == 0xc2 && c[i + 1] >= 0x80 && c[i + 1] < 0xa0;
        bool bidi = i + 2 < len && c[i] == 0xe2 &&
                    ((c[i + 1] == 0x80 && (c[i + 2] == 0xae || c[i + 2] == 0x8b)) ||
                     (c[i + 1] == 0x81 && c[i + 2] == 0xa6));

        if (control || c1 || (bidi && !for_machines))
            fail_msg("%s: byte %02x at %zu: %.*s", where, c[i], i,
                     (int)(len - i < 40 ? len - i : 40), text + i);
    }
}

static char *run(int *status, const char *const *words)
{
    const char *argv[20] = {proc_rbconsole(), "-c", lab_config_file(lab), "--state-dir", state_dir};
    struct proc_result r;
    char where[200] = "";
    char *all;

    for (size_t i = 0; words[i] != NULL; i++) {
        argv[5 + i] = words[i];
        (void)snprintf(where + strlen(where), sizeof(where) - strlen(where), " %s", words[i]);
    }
    assert_true(proc_run(argv, NULL, &r));
    expect_clean(r.out, r.out_len, where, strstr(where, "--json") != NULL);
    expect_clean(r.err, r.err_len, where, false);
    *status = r.status;
    assert_int_not_equal(asprintf(&all, "%s%s", r.out, r.err), -1);
    proc_result_release(&r);
    return all;
}

/* Its status, and the words that it must say somewhere (NULL: any). */
static void expect(int status, const char *said, const char *const *words)
{
    int found;
    char *all = run(&found, words);

    if (found != status || (said != NULL && strstr(all, said) == NULL))
        fail_msg("%s: status %d, says %s", words[0], found, all);
    free(all);
}
#define EXPECT(status, said, ...) expect(status, said, (const char *const[]){__VA_ARGS__, NULL})

/* ---- a server full of them ----------------------------------------------------------------------
 */

static void fill(void)
{
    for (size_t i = 0; i < COUNT; i++) {
        char key[80];

        free(lab_cli(lab, 0, "SET", hostile[i], hostile[i], NULL));
        (void)snprintf(key, sizeof(key), "hash:%s", hostile[i]);
        free(lab_cli(lab, 0, "HSET", key, hostile[i], hostile[i], NULL));
        (void)snprintf(key, sizeof(key), "stream:%s", hostile[i]);
        free(lab_cli(lab, 0, "XADD", key, "1-1", hostile[i], hostile[i], NULL));
        free(lab_cli(lab, 0, "XGROUP", "CREATE", key, hostile[i], "0", NULL));
    }
}

static int set_up(void **ctx UNUSED)
{
    static const char label[] = "Backup written: ";
    const char *const words[] = {"backup", "--no-upload", "--backup-dir", NULL, NULL};
    const char *argv[5];
    char *said;
    char *path;
    int status;

    lab = lab_start(&(struct lab_options){.kind = LAB_SINGLE, .replicas = -1});
    if (lab == NULL)
        return -1;
    state_dir = tmpdir_new();
    backups = tmpdir_new();
    fill();
    memcpy(argv, words, sizeof(words));
    argv[3] = backups;
    said = run(&status, argv);
    path = strstr(said, label);
    if (status != 0 || path == NULL)
        fail_msg("%s", said);
    path += strlen(label);
    path[strcspn(path, "\n")] = '\0';
    backup = tmpdir_path(path, "");
    free(said);
    return 0;
}

static int tear_down(void **ctx UNUSED)
{
    lab_stop(lab);
    return 0;
}

/* ---- verbs and files ----------------------------------------------------------------------------
 */

static void verbs_show_them_escaped(void **ctx UNUSED)
{
    const char *markdown = tmpdir_path(state_dir, "report.md");

    /* It names one that is in the way: whichever the server's order brings first. */
    EXPECT(1, "exist on the target (", "restore", "-i", backup);
    EXPECT(1, "exist on the target (", "--json", "restore", "-i", backup);
    EXPECT(0, NULL, "restore", "-i", backup, "--overwrite", "--dry-run");
    EXPECT(0, NULL, "restore", "-i", backup, "--overwrite");
    for (size_t i = 0; i < COUNT; i++)
        free(lab_cli(lab, 0, "APPEND", hostile[i], "changed", NULL));
    EXPECT(1, "\\x1b", "verify", "-i", backup, "--full", "--report", markdown);
    EXPECT(1, "\\x1b", "--json", "verify", "-i", backup, "--full");
    EXPECT(0, NULL, "restore", "-i", backup, "--overwrite");
    for (size_t i = 0; i < COUNT; i++)
        free(lab_cli(lab, 0, "DEL", hostile[i], NULL));
    EXPECT(1, "missing=12", "verify", "-i", backup, "--full");
    EXPECT(0, NULL, "restore", "-i", backup, "--overwrite");
    EXPECT(0, NULL, "status");
    EXPECT(0, NULL, "check");
    EXPECT(0, NULL, "jobs");
    EXPECT(0, NULL, "--json", "jobs");
    EXPECT(0, NULL, "jobs", "show", "R-0001");
    EXPECT(0, NULL, "jobs", "show", "V-0001");
    EXPECT(0, NULL, "--json", "jobs", "show", "V-0001");
}

/* A server that refuses in words of its own: its keys are forbidden to this user. */
static void a_ledger_of_forbidden_keys_is_clean(void **ctx UNUSED)
{
    char *said;
    int status;

    free(lab_cli(lab, 0, "ACL", "SETUSER", "default", "resetkeys", "~none:*", NULL));
    said =
        run(&status, (const char *const[]){"backup", "--no-upload", "--backup-dir", backups, NULL});
    free(lab_cli(lab, 0, "ACL", "SETUSER", "default", "~*", NULL));
    assert_int_equal(status, 1);
    assert_non_null(strstr(said, "36"));
    free(said);
}

/* What people read: not the lists of keys that a job keeps for itself. */
static bool is_text(const char *name)
{
    static const char *const ends[] = {".json", ".jsonl", ".md", ".log"};
    const char *end = strrchr(name, '.');

    for (size_t i = 0; end != NULL && i < sizeof(ends) / sizeof(*ends); i++)
        if (strcmp(end, ends[i]) == 0)
            return true;
    return false;
}

/* Every such file below a directory. */
static size_t check_files(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    size_t count = 0;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        const char *path = tmpdir_path(dir, e->d_name);
        size_t len = 0;
        char *text;

        if (e->d_name[0] == '.')
            continue;
        if (e->d_type == DT_DIR) {
            count += check_files(path);
            continue;
        }
        text = e->d_type == DT_REG && is_text(e->d_name) ? tmpdir_read(path, &len) : NULL;
        if (text != NULL)
            expect_clean(text, len, path, strstr(path, ".json") != NULL);
        count += text != NULL;
        free(text);
    }
    (void)closedir(d);
    return count;
}

static void logs_reports_and_ledgers_are_clean(void **ctx UNUSED)
{
    assert_true(check_files(state_dir) > 20);
}

/* ---- screens ------------------------------------------------------------------------------------
 */

static void screens_show_them_escaped(void **ctx UNUSED)
{
    static const char *const screens[] = {"1", "2", "3", "4", "5", "6", "0", "?"};
    const char *const argv[] = {proc_rbconsole(), "-c",      lab_config_file(lab),
                                "--state-dir",    state_dir, NULL};
    struct screen *s = screen_open(&(struct screen_spec){.argv = argv, .w = 120, .h = 36});

    screen_expect(s, "127.0.0.1", 20000);
    for (size_t i = 0; i < sizeof(screens) / sizeof(*screens); i++) {
        screen_keys(s, screens[i]);
        screen_pump(s, 500);
    }
    screen_keys(s, "Esc 5");
    screen_expect(s, "R-0001", 10000);
    for (int i = 0; i < 8; i++) { /* each job with its journal and its keys that failed */
        screen_keys(s, "Enter");
        screen_pump(s, 400);
        screen_keys(s, "G");
        screen_pump(s, 200);
        screen_keys(s, "Esc j");
        screen_pump(s, 200);
    }
    screen_expect_clean_bytes(s);
    assert_true(screen_bytes_total(s) > 5000);
    screen_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verbs_show_them_escaped),
        cmocka_unit_test(a_ledger_of_forbidden_keys_is_clean),
        cmocka_unit_test(logs_reports_and_ledgers_are_clean),
        cmocka_unit_test(screens_show_them_escaped),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
