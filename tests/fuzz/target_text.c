#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/base64.h"
#include "core/base/escape.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/json.h"
#include "core/config/config.h"
#include "core/config/dotenv.h"
#include "core/jobs/control.h"
#include "core/jobs/journal.h"
#include "core/jobs/kind.h"
#include "core/jobs/progress.h"
#include "core/jobs/state.h"
#include "core/s3/aws_file.h"
#include "core/s3/xml.h"
#include "tests/fuzz/target.h"

#define TEXT_MAX ((size_t)8 << 20)

/* The bytes as a file without a name on disk, for readers that open their input themselves. */
static int as_file(struct str bytes, char path[64])
{
    struct error err = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    fuzz_expect(fd >= 0 && fchmod(fd, 0600) == 0 && file_write_all(fd, bytes, &err),
                "a file in memory");
    (void)snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

/* ---- S3 ----------------------------------------------------------------------------------------
 */

static bool on_element(void *ctx, const char *path, struct str text, struct error *err)
{
    (void)ctx;
    (void)err;
    fuzz_touch(str_from(path));
    fuzz_touch(text);
    return true;
}

void fuzz_xml(struct str bytes)
{
    struct error err = {0};
    struct buf out;
    buf_init(&out, TEXT_MAX);
    (void)!xml_parse(bytes, on_element, NULL, &err);
    (void)!xml_percent_decode(&out, bytes, &err);
    buf_release(&out);
}

void fuzz_aws_files(struct str bytes)
{
    struct str value;
    if (aws_ini_get(bytes, "default", "region", &value))
        fuzz_touch(value);
    if (aws_ini_get_nested(bytes, "profile ops", "s3", "endpoint_url", &value))
        fuzz_touch(value);
    (void)aws_ini_has_section(bytes, "default");
}

/* ---- configuration -----------------------------------------------------------------------------
 */

static const char *no_variable(const void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

void fuzz_config(struct str bytes)
{
    char path[64];
    struct error err = {0};
    struct config *config = NULL;
    int fd = as_file(bytes, path);
    struct config_request request = {.file = path, .lookup = no_variable};
    if (config_load(&request, &config, &err)) {
        for (size_t i = 0; i < config_environment_count(config); i++)
            fuzz_touch(str_from(config_environment_at(config, i)->name));
        config_free(config);
    } else {
        fuzz_touch(str_from(err.text));
    }
    (void)close(fd);
}

void fuzz_dotenv(struct str bytes)
{
    struct error err = {0};
    struct dotenv d = {0};
    if (dotenv_parse(bytes, ".env.test", &d, &err)) {
        for (size_t i = 0; i < d.count; i++) {
            fuzz_touch(str_from(d.items[i].name));
            fuzz_touch(str_from(d.items[i].value));
        }
        dotenv_release(&d);
    }
}

/* ---- job files ---------------------------------------------------------------------------------
 */

/* journal_open follows no link, so this one needs a real file. */
static void read_as_journal(struct str bytes, size_t tail)
{
    char path[] = "/tmp/rbconsole-fuzz-XXXXXX";
    struct error err = {0};
    struct journal_line line;
    int fd = mkstemp(path);
    fuzz_expect(fd >= 0 && file_write_all(fd, bytes, &err), "a temporary file");
    struct journal *j = journal_open(path, tail, &err);
    (void)unlink(path);
    while (j != NULL && journal_next(j, &line)) {
        fuzz_expect(line.text[0] == '\0' || str_is_text(str_from(line.text)),
                    "a line for people is text");
        journal_line_release(&line);
    }
    journal_free(j);
    (void)close(fd);
}

void fuzz_job_files(struct str bytes)
{
    struct error err = {0};
    struct control control;
    struct progress progress;
    enum job_kind kind = JOB_BACKUP;
    uint32_t number = 0;
    if (control_parse(bytes, &control, &err)) {
        fuzz_expect(control.cancel >= 0 && control.cancel <= 2, "cancel is 0, 1 or 2");
        json_decref(control_to_json(&control));
    }
    json_t *doc = json_parse(bytes, "fuzz", &err);
    struct job_facts facts = {.locked = true, .job = doc, .progress = doc, .result = doc};
    (void)job_state_of(&facts);
    progress_init(&progress);
    progress_from_json(&progress, doc);
    json_decref(progress_to_json(&progress));
    progress_release(&progress);
    json_decref(doc);
    (void)job_id_parse(bytes, &kind, &number);
    read_as_journal(bytes, SIZE_MAX);
    read_as_journal(bytes, 2);
}

/* ---- text --------------------------------------------------------------------------------------
 */

void fuzz_text(struct str bytes)
{
    struct error err = {0};
    struct buf out;
    char shown[100];
    int64_t ms = 0;
    double number = 0;
    buf_init(&out, TEXT_MAX);
    if (escape_append(&out, bytes, &err))
        fuzz_expect(out.len == 0 || str_is_text(buf_str(&out)), "escaped bytes are text");
    (void)escape_text(shown, sizeof(shown), bytes);
    fuzz_expect(shown[0] == '\0' || str_is_text(str_from(shown)), "cut text is text");
    buf_clear(&out);
    if (base64_decode(&out, bytes, &err)) {
        struct buf again;
        buf_init(&again, TEXT_MAX);
        fuzz_expect(base64_encode(&again, buf_str(&out), &err) && str_equal(buf_str(&again), bytes),
                    "base64 has one form");
        buf_release(&again);
    }
    (void)format_parse_utc(bytes, &ms);
    (void)!str_to_double(bytes, &number);
    (void)!str_to_i64(bytes, &ms);
    buf_release(&out);
}
