#include "core/jobs/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/format.h"
#include "core/base/hex.h"
#include "core/base/json.h"
#include "core/jobs/jobfile.h"

#define AUDIT_LINE_MAX ((size_t)8 << 20)
#define AUDIT_WAIT_MS 5000
#define DIGEST_HEX 65 /* 64 digits and the terminator */
#define PIECE 32768

static bool digest(struct str line, char out[DIGEST_HEX], struct error *err)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    if (EVP_Digest(line.ptr, line.len, raw, &len, EVP_sha256(), NULL) != 1 || len != 32)
        return error_set(err, ERROR_INTERNAL, 0, "SHA-256 is not available");
    (void)hex_encode(out, raw, len);
    return true;
}

char *audit_path(const char *state_dir)
{
    return file_join(state_dir, "audit.jsonl");
}

static json_t *entry_doc(const struct audit_entry *e, const char *prev)
{
    char time[FORMAT_MAX];
    char host[72] = "?";
    (void)gethostname(host, sizeof(host) - 1);
    json_t *doc = json_object();
    json_put_int(doc, "v", 1);
    json_put_text(doc, "time", format_rfc3339_ms(time, sizeof(time), clock_real_ms()));
    json_put_text(doc, "user", e->who.user);
    json_put_text(doc, "sudo_user", e->who.sudo_user);
    json_put_text(doc, "ssh", e->who.ssh);
    json_put_text(doc, "host", host);
    json_put_int(doc, "pid", (int64_t)getpid());
    json_put_text(doc, "env", e->env);
    json_put_text(doc, "redis_user", e->redis_user);
    json_put_text(doc, "action", e->action);
    json_put_text(doc, "phase", e->phase);
    json_put_text(doc, "target", e->target);
    json_put_text(doc, "job", e->job_id);
    json_put_text(doc, "run_id", e->run_id);
    json_put_text(doc, "reason", e->reason);
    json_put_text(doc, "confirmed", e->confirmed);
    json_put(doc, "plan", e->plan != NULL ? json_deep_copy(e->plan) : json_null());
    json_put_text(doc, "result", e->result);
    json_put(doc, "duration_ms", e->duration_ms < 0 ? json_null() : json_integer(e->duration_ms));
    json_put_text(doc, "prev", prev);
    return doc;
}

/* Under the flock: chain to the last line, torn or whole, and be on disk before returning. */
static bool append_locked(int fd, const struct audit_entry *entry, struct error *err)
{
    struct buf line;
    char prev[DIGEST_HEX];
    bool ended = true;
    struct stat before;
    buf_init(&line, AUDIT_LINE_MAX);
    bool ok = jobfile_last_line(fd, &line, &ended, err) && digest(buf_str(&line), prev, err) &&
              (ended || file_write_all(fd, STR("\n"), err));
    if (ok && fstat(fd, &before) != 0)
        ok = error_set_errno(err, ERROR_STORAGE, errno, "look at the audit log");
    if (ok) {
        json_t *doc = entry_doc(entry, prev);
        buf_clear(&line);
        ok = json_print(doc, false, &line, err) && buf_byte(&line, '\n', err);
        json_decref(doc);
        if (ok && !file_write_all(fd, buf_str(&line), err)) {
            ok = false;
            (void)!ftruncate(fd, before.st_size); /* a full disk: nothing was done, nothing stays */
        }
    }
    if (ok && fsync(fd) != 0)
        ok = error_set_errno(err, ERROR_STORAGE, errno, "flush the audit log");
    buf_release(&line);
    return ok;
}

bool audit_append(const char *state_dir, const struct audit_entry *entry, struct error *err)
{
    bool ok = file_make_dirs(state_dir, err);
    char *path = audit_path(state_dir);
    int fd = -1;
    if (ok) {
        fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                  jobfile_mode_like(state_dir));
        ok = fd >= 0 || error_set_errno(err, ERROR_STORAGE, errno, "open %s", path);
    }
    if (ok) {
        (void)fchmod(fd, jobfile_mode_like(state_dir));
        ok = jobfile_flock(fd, LOCK_EX, AUDIT_WAIT_MS) ||
             error_set(err, ERROR_STORAGE, 0, "%s is locked by somebody for too long", path);
    }
    ok = ok && append_locked(fd, entry, err);
    if (fd >= 0)
        (void)close(fd);
    free(path);
    if (!ok) {
        (void)error_wrap(err, "audit log");
        err->code = ERROR_STORAGE;
    }
    return ok;
}

/* ---- checking ---------------------------------------------------------------------------------
 */

static bool check_line(struct str line, char prev[DIGEST_HEX], struct audit_check *out,
                       struct error *err)
{
    struct error why = {0};
    json_t *doc = json_parse(line, "audit line", &why);
    out->lines++;
    if (doc == NULL) {
        out->torn++;
    } else if (strcmp(json_text(doc, "prev", ""), prev) != 0) {
        out->broken++;
        out->first_bad = out->first_bad == 0 ? out->lines : out->first_bad;
    }
    json_decref(doc);
    return digest(line, prev, err);
}

static bool check_pending(struct buf *pending, bool at_end, char prev[DIGEST_HEX],
                          struct audit_check *out, struct error *err)
{
    size_t at = 0;
    bool ok = true;
    while (ok && at < pending->len) {
        struct str rest = str_slice(buf_str(pending), at, pending->len);
        size_t end = str_find(rest, '\n');
        if (end == rest.len && !at_end)
            break;
        ok = check_line(str_slice(rest, 0, end), prev, out, err);
        at += end < rest.len ? end + 1 : end;
    }
    buf_drop_front(pending, at);
    return ok;
}

bool audit_verify(const char *state_dir, struct audit_check *out, struct error *err)
{
    char prev[DIGEST_HEX];
    struct buf pending;
    *out = (struct audit_check){0};
    char *path = audit_path(state_dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        bool none = errno == ENOENT;
        bool ok = none || error_set_errno(err, ERROR_STORAGE, errno, "open %s", path);
        free(path);
        return ok;
    }
    buf_init(&pending, AUDIT_LINE_MAX + PIECE);
    bool ok = digest(STR(""), prev, err);
    while (ok) {
        char piece[PIECE];
        ssize_t got = read(fd, piece, sizeof(piece));
        if (got < 0) {
            ok = error_set_errno(err, ERROR_STORAGE, errno, "read %s", path);
            break;
        }
        ok = buf_append(&pending, (struct str){piece, (size_t)got}, err) &&
             check_pending(&pending, got == 0, prev, out, err);
        if (got == 0)
            break;
    }
    buf_release(&pending);
    (void)close(fd);
    free(path);
    return ok;
}
