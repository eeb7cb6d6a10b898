#include "views/screens/backups_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/format.h"
#include "core/base/json.h"

static const char *const place_names[PLACES] = {[PLACE_S3] = "s3", [PLACE_LOCAL] = "local"};

const char *backups_place_name(int place)
{
    return place_names[place];
}

int backups_key_parse(const char *key, struct backup_id *id)
{
    struct str rest = str_from(key);
    struct str place;

    if (!str_split(&rest, ':', &place) || !backup_id_parse(rest, id))
        return -1;
    for (int i = 0; i < PLACES; i++)
        if (str_is(place, place_names[i]))
            return i;
    return -1;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

void backups_model_init(struct backups_model *m)
{
    *m = (struct backups_model){.only = -1};
}

void backups_model_release(struct backups_model *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->rows[i]);
    free(m->rows);
    free(m->shown);
    backups_model_init(m);
}

static int newest_first(const void *a, const void *b)
{
    const struct backups_row *x = *(const struct backups_row *const *)a;
    const struct backups_row *y = *(const struct backups_row *const *)b;

    if (x->row.id.time_ms != y->row.id.time_ms)
        return x->row.id.time_ms < y->row.id.time_ms ? 1 : -1;
    return strcmp(x->key, y->key);
}

void backups_model_show(struct backups_model *m, int only)
{
    m->only = only;
    m->shown_count = 0;
    for (size_t i = 0; i < m->count; i++)
        if (only < 0 || m->rows[i]->place == only)
            /* NOLINTNEXTLINE(bugprone-sizeof-expression): the rows are pointers */
            ARRAY_PUSH(m->shown, m->shown_count, m->shown_cap) = m->rows[i];
}

static void put_summary(struct backups_row *r, const struct catalog_row *from)
{
    r->row.state = from->state;
    r->row.summary = from->summary;
    r->row.summary.cluster_ids = NULL;
    r->row.summary.cluster_id_count = 0;
}

static struct backups_row *make_row(int place, const struct catalog_row *from)
{
    struct backups_row *r = mem_zero(1, sizeof(*r));

    r->row = *from;
    put_summary(r, from);
    r->place = place;
    (void)snprintf(r->key, sizeof(r->key), "%s:%s", place_names[place], from->id.text);
    (void)snprintf(r->verified, sizeof(r->verified), "-");
    return r;
}

static bool is_same(const struct catalog_row *a, const struct catalog_row *b)
{
    return a->archive_bytes == b->archive_bytes && a->modified_ms == b->modified_ms &&
           a->has_archive == b->has_archive && a->has_directory == b->has_directory &&
           a->has_sidecar == b->has_sidecar;
}

/* Keep what is known of a row that is still the same. A half-written one is asked again. */
static void inherit(struct backups_row *fresh, const struct backups_row *old)
{
    memcpy(fresh->verified, old->verified, sizeof(fresh->verified));
    fresh->verified_role = old->verified_role;
    memcpy(fresh->writer, old->writer, sizeof(fresh->writer));
    if (fresh->row.state == BACKUP_UNREAD && is_same(&fresh->row, &old->row) &&
        old->row.state != BACKUP_UNKNOWN && old->row.state != BACKUP_INCOMPLETE)
        put_summary(fresh, &old->row);
}

void backups_model_take(struct backups_model *m, int place, const struct catalog_row *rows,
                        size_t count)
{
    struct backups_row **old = m->rows;
    size_t old_count = m->count;
    struct backups_model before = *m;

    m->rows = NULL;
    m->count = m->cap = 0;
    for (size_t i = 0; i < count && i < BACKUPS_ROWS_MAX; i++) {
        struct backups_row *fresh = make_row(place, &rows[i]);
        const struct backups_row *known = backups_model_find(&before, str_from(fresh->key));

        if (known != NULL)
            inherit(fresh, known);
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): the rows are pointers */
        ARRAY_PUSH(m->rows, m->count, m->cap) = fresh;
    }
    for (size_t i = 0; i < old_count; i++)
        if (old[i]->place == place)
            free(old[i]);
        else
            /* NOLINTNEXTLINE(bugprone-sizeof-expression): the rows are pointers */
            ARRAY_PUSH(m->rows, m->count, m->cap) = old[i];
    free(old);
    if (m->count > 0)
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): the rows are pointers */
        qsort(m->rows, m->count, sizeof(*m->rows), newest_first);
    backups_model_show(m, m->only);
}

/* The first row of that second: rows are sorted by time. */
static size_t first_at(const struct backups_model *m, int64_t time_ms)
{
    size_t low = 0;
    size_t high = m->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (m->rows[middle]->row.id.time_ms > time_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct backups_row *backups_model_find(const struct backups_model *m, struct str key)
{
    struct str id = str_slice(key, str_find(key, ':') + 1, key.len);
    struct backup_id parsed;

    if (!backup_id_parse(id, &parsed))
        return NULL;
    for (size_t i = first_at(m, parsed.time_ms);
         i < m->count && m->rows[i]->row.id.time_ms == parsed.time_ms; i++)
        if (str_is(key, m->rows[i]->key))
            return m->rows[i];
    return NULL;
}

bool backups_model_settle(struct backups_model *m, int place, const struct catalog_row *row)
{
    char key[BACKUPS_KEY_MAX];
    struct backups_row *r;

    (void)snprintf(key, sizeof(key), "%s:%s", place_names[place], row->id.text);
    r = backups_model_find(m, str_from(key));
    if (r != NULL)
        put_summary(r, row);
    return r != NULL;
}

size_t backups_model_count(const struct backups_model *m, int place)
{
    size_t n = 0;

    for (size_t i = 0; i < m->count; i++)
        n += m->rows[i]->place == place;
    return n;
}

/* ---- what the jobs know -----------------------------------------------------------------------
 */

/* The backup that a job's target names: an id, a path or a URI. */
static bool target_id(const char *target, struct backup_id *out)
{
    struct str id = str_from(target);
    size_t slash = str_find_last(id, '/');

    if (slash < id.len)
        id = str_slice(id, slash + 1, id.len);
    if (str_ends(id, ".tar.gz"))
        id.len -= strlen(".tar.gz");
    return backup_id_parse(id, out);
}

static void verify_words(const struct job_info *job, struct backups_row *r)
{
    const char *extent = json_text(job->options, "extent", "");
    char day[FORMAT_MAX];
    char n[FORMAT_MAX];

    format_rfc3339(day, sizeof(day), job->ended_ms);
    day[10] = '\0';
    if (job_state_is_live(job->state)) {
        (void)snprintf(r->verified, sizeof(r->verified), "running");
        r->verified_role = ROLE_INFO;
    } else if (job->state == JOB_DONE) {
        (void)snprintf(r->verified, sizeof(r->verified), "OK %s %s",
                       strcmp(extent, "full") == 0 ? "full" : "part", day + 5);
        r->verified_role = ROLE_GOOD;
    } else if (job->state == JOB_FINDINGS) {
        (void)snprintf(r->verified, sizeof(r->verified), "DIFF %s key%s",
                       format_count_short(n, sizeof(n), job->findings),
                       job->findings == 1 ? "" : "s");
        r->verified_role = ROLE_BAD;
    } else {
        (void)snprintf(r->verified, sizeof(r->verified), "%s", job_state_name(job->state));
        r->verified_role = ROLE_WARN;
    }
}

/* Jobs come newest first: the first that speaks of a row wins. */
static void apply_job(struct backups_model *m, const struct job_info *job)
{
    struct backup_id id;
    const char *reported = json_text(job->report, "backup_id", "");

    if (!backup_id_parse(str_from(reported), &id) && !target_id(job->target, &id))
        return;
    for (size_t i = first_at(m, id.time_ms);
         i < m->count && m->rows[i]->row.id.time_ms == id.time_ms; i++) {
        struct backups_row *r = m->rows[i];

        if (strcmp(r->row.id.text, id.text) != 0)
            continue;
        if (job->kind == JOB_BACKUP && job_state_is_live(job->state))
            memcpy(r->writer, job->id, sizeof(r->writer));
        else if (job->kind == JOB_VERIFY && r->verified[0] == '-')
            verify_words(job, r);
    }
}

void backups_model_jobs(struct backups_model *m, const struct watch_list *jobs, const char *env)
{
    for (size_t i = 0; i < m->count; i++) {
        m->rows[i]->writer[0] = '\0';
        (void)snprintf(m->rows[i]->verified, sizeof(m->rows[i]->verified), "-");
        m->rows[i]->verified_role = ROLE_DIM;
    }
    for (size_t i = 0; i < jobs->jobs.count; i++) {
        const struct job_info *job = jobs->jobs.items[i];

        if ((job->kind == JOB_VERIFY && strcmp(job->env, env) == 0) || job->kind == JOB_BACKUP)
            apply_job(m, job);
    }
}
