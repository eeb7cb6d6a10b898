#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/json.h"
#include "core/config/state_dir.h"
#include "views/verbs/key_filter.h"
#include "views/verbs/restore_verb.h"

/* ---- flags: command line, job.json, struct ----------------------------------------------------
 */

static const struct flag {
    const char *option;
    const char *member;
    size_t offset; /* in struct restore_options */
} flags[] = {
    {"trust-dump", "trust_dump", offsetof(struct restore_options, trust_dump)},
    {"flush-first", "flush_first", offsetof(struct restore_options, flush_first)},
    {"exact", "exact", offsetof(struct restore_options, exact)},
    {"tune", "tune", offsetof(struct restore_options, tune)},
    {"drop-field-ttl", "drop_field_ttl", offsetof(struct restore_options, drop_field_ttl)},
    {"allow-downgrade", "allow_downgrade", offsetof(struct restore_options, allow_downgrade)},
};

static bool *flag_of(struct restore_options *o, size_t i)
{
    return (bool *)((char *)o + flags[i].offset);
}

/* Options that speak about one run of a job, not about what it does. */
static const char *const of_this_run[] = {"resume",  "rate",   "outage-timeout",
                                          "confirm", "reason", "verify-key-file"};

/* ---- from the command line --------------------------------------------------------------------
 */

static bool check_exact(const struct restore_verb *r, struct error *err)
{
    const struct restore_options *o = &r->options;

    if (!o->exact)
        return true;
    if (o->policy == RESTORE_SKIP_EXISTING)
        return error_set(err, ERROR_USAGE, 0,
                         "--exact leaves the cluster as the backup is, --skip-existing leaves "
                         "other values in place: give --overwrite with --exact");
    if (o->flush_first)
        return error_set(err, ERROR_USAGE, 0,
                         "--flush-first removes everything already: --exact has nothing to add");
    return true;
}

static bool read_new(struct restore_verb *r, struct error *err)
{
    const struct invocation *inv = r->inv;
    struct restore_options *o = &r->options;

    o->policy = option_flag(inv, "overwrite")       ? RESTORE_OVERWRITE
                : option_flag(inv, "skip-existing") ? RESTORE_SKIP_EXISTING
                                                    : RESTORE_FAIL_EXISTING;
    if (!restore_ttl_parse(option_text(inv, "ttl"), &o->ttl))
        return error_set(err, ERROR_USAGE, 0, "--ttl takes remaining, absolute or none");
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        *flag_of(o, i) = option_flag(inv, flags[i].option);
    o->no_stream_groups = option_flag(inv, "no-stream-groups");
    r->shard = (unsigned)option_int(inv, "shard");
    r->dry_run = option_flag(inv, "dry-run");
    return check_exact(r, err) && backup_source_check(inv, err) &&
           key_filter_read(inv, &o->filter, err);
}

bool restore_check_rate(struct str value, struct error *err)
{
    uint64_t n;

    return str_is(value, "auto") || str_is(value, "none") ||
           (str_to_u64(value, &n) && n <= 100000000) ||
           error_set(err, ERROR_USAGE, 0, "it takes auto, none or a number of keys a second");
}

static void read_rate(struct restore_verb *r, const char *rate)
{
    r->rate_given = rate != NULL;
    r->options.adaptive = rate != NULL && strcmp(rate, "auto") == 0;
    if (rate == NULL || !str_to_u64(str_from(rate), &r->options.rate))
        r->options.rate = 0;
}

/* The environment that is written to, when it is another one. */
static bool find_target(struct restore_verb *r, struct error *err)
{
    const char *name = option_text(r->inv, "to-env");

    r->to = *r->inv;
    if (name == NULL)
        return true;
    if (strcmp(name, r->inv->env->name) == 0)
        return error_set(err, ERROR_USAGE, 0,
                         "--to-env %s is the environment that the backup is of: leave it out",
                         name);
    r->to.env = config_environment(r->inv->config, name);
    if (r->to.env != NULL)
        return true;
    return error_set(err, ERROR_USAGE, 0, "--to-env: there is no environment \"%s\"", name);
}

/* ---- from the job that goes on ----------------------------------------------------------------
 */

static bool is_of_this_run(const char *option)
{
    for (size_t i = 0; i < COUNT_OF(of_this_run); i++)
        if (strcmp(option, of_this_run[i]) == 0)
            return true;
    return false;
}

static bool refuse_options(const struct restore_verb *r, const struct option_row *rows,
                           struct error *err)
{
    for (const struct option_row *row = rows; row->name != NULL; row++)
        if (option_given(r->inv, row->name) && !is_of_this_run(row->name))
            return error_set(err, ERROR_USAGE, 0,
                             "--%s cannot be given with --resume: %s goes on with the options that "
                             "it was started with",
                             row->name, r->resume);
    return true;
}

static const char *const *texts(const json_t *list, size_t *count)
{
    const char **out = mem_zero(json_array_size(list), sizeof(*out));

    *count = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_is_string(json_array_get(list, i)))
            out[(*count)++] = json_string_value(json_array_get(list, i));
    return out;
}

static bool read_policy(const json_t *doc, struct restore_options *o)
{
    const char *word = json_text(doc, "policy", "");

    for (int p = RESTORE_FAIL_EXISTING; p <= RESTORE_OVERWRITE; p++)
        if (strcmp(word, restore_policy_name((enum restore_policy)p)) == 0) {
            o->policy = (enum restore_policy)p;
            return true;
        }
    return false;
}

/* A limit that spares a busy cluster holds for all runs of the job, unless this one says another.
 */
static void keep_rate(struct restore_verb *r, const json_t *doc)
{
    int64_t rate = json_int(doc, "rate", 0);

    if (r->rate_given)
        return;
    r->options.rate = rate > 0 ? (uint64_t)rate : 0;
    r->options.adaptive = json_flag(doc, "rate_auto", false);
    r->rate_given = rate > 0 || r->options.adaptive || json_flag(doc, "rate_none", false);
}

int restore_verb_outage_s(const struct restore_verb *r)
{
    int64_t kept = json_int(json_object_get(r->job, "options"), "outage_s", 0);

    if (kept <= 0 || kept > 86400 || option_given(r->inv, "outage-timeout"))
        kept = option_int(r->inv, "outage-timeout");
    return (int)kept;
}

static bool read_job_options(struct restore_verb *r, struct error *err)
{
    const json_t *doc = json_object_get(r->job, "options");
    struct restore_options *o = &r->options;
    const char *slots = json_text(doc, "slots", NULL);

    if (!read_policy(doc, o) || !restore_ttl_parse(json_text(doc, "ttl", ""), &o->ttl))
        return error_set(err, ERROR_CORRUPT, 0, "job.json of %s has no options that make sense",
                         r->resume);
    if (json_flag(doc, "dry_run", false))
        return error_set(err, ERROR_REFUSED, 0,
                         "%s only made a plan: there is nothing to go on with", r->resume);
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        *flag_of(o, i) = json_flag(doc, flags[i].member, false);
    o->no_stream_groups = !json_flag(doc, "stream_groups", true);
    r->shard = (unsigned)json_int(doc, "shard", 0);
    keep_rate(r, doc);
    o->filter.match = texts(json_object_get(doc, "match"), &o->filter.match_count);
    o->filter.types = texts(json_object_get(doc, "type"), &o->filter.type_count);
    return slots == NULL || filter_set_slots(&o->filter, slots, err);
}

/* A job belongs to its environment; -e need not be given again. */
static bool find_job_target(struct restore_verb *r, struct error *err)
{
    const char *env = json_text(r->job, "env", "");

    r->to = *r->inv;
    if (strcmp(env, r->inv->env->name) == 0)
        return true;
    if (option_given(r->inv, "env"))
        return error_set(err, ERROR_USAGE, 0, "%s is of environment %s: give -e %s", r->resume, env,
                         env);
    r->to.env = config_environment(r->inv->config, env);
    if (r->to.env != NULL)
        return true;
    return error_set(err, ERROR_CONFIG, 0, "%s is of environment %s, which the configuration lacks",
                     r->resume, env);
}

static bool read_resumed(struct restore_verb *r, const struct option_row *rows, struct error *err)
{
    if (!refuse_options(r, rows, err) || !state_dir_open(r->inv->config, &r->state_dir, err))
        return false;
    r->job = job_load(r->state_dir, r->resume, err);
    if (r->job == NULL && err->code == ERROR_NOT_FOUND)
        return error_set(err, ERROR_NOT_FOUND, 0, "there is no job \"%s\" in %s", r->resume,
                         r->state_dir);
    if (r->job == NULL || !find_job_target(r, err))
        return false;
    if (strcmp(json_text(r->job, "kind", ""), job_kind_name(JOB_RESTORE)) != 0)
        return error_set(err, ERROR_USAGE, 0, "%s is a %s job, not a restore job", r->resume,
                         json_text(r->job, "kind", "?"));
    return read_job_options(r, err);
}

bool restore_verb_read(const struct invocation *inv, const struct option_row *rows,
                       struct restore_verb *r, struct error *err)
{
    r->inv = inv;
    r->to = *inv;
    r->resume = option_text(inv, "resume");
    read_rate(r, option_text(inv, "rate"));
    if (r->resume != NULL)
        return read_resumed(r, rows, err);
    return state_dir_open(inv->config, &r->state_dir, err) && find_target(r, err) &&
           read_new(r, err);
}

void restore_verb_release(struct restore_verb *r)
{
    key_filter_release(&r->options.filter);
    buf_release(&r->text);
    json_decref(r->job);
    json_decref(r->steps);
}

/* ---- for job.json and for people --------------------------------------------------------------
 */

json_t *restore_verb_options(const struct restore_verb *r)
{
    const struct restore_options *o = &r->options;
    json_t *doc;

    if (r->job != NULL)
        return json_deep_copy(json_object_get(r->job, "options"));
    doc = json_object();
    backup_source_options(r->inv, doc);
    if (r->to.env != r->inv->env)
        json_put_text(doc, "from_env", r->inv->env->name);
    json_put_text(doc, "policy", restore_policy_name(o->policy));
    json_put_text(doc, "ttl", restore_ttl_name(o->ttl));
    json_put_flag(doc, "stream_groups", !o->no_stream_groups);
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        json_put_flag(doc, flags[i].member, *flag_of(mem_unconst(o), i));
    json_put_flag(doc, "dry_run", r->dry_run);
    json_put_int(doc, "rate", (int64_t)o->rate);
    if (r->rate_given && o->adaptive)
        json_put_flag(doc, "rate_auto", true);
    if (r->rate_given && !o->adaptive && o->rate == 0)
        json_put_flag(doc, "rate_none", true);
    if (option_given(r->inv, "outage-timeout"))
        json_put_int(doc, "outage_s", option_int(r->inv, "outage-timeout"));
    if (r->shard > 0)
        json_put_int(doc, "shard", (int64_t)r->shard);
    if (option_text(r->inv, "verify-key-file") != NULL)
        json_put_text(doc, "verify_key_file", option_text(r->inv, "verify-key-file"));
    key_filter_options(r->inv, doc);
    return doc;
}

void restore_verb_describe(const struct restore_verb *r, char *out, size_t size)
{
    size_t len;

    if (r->job != NULL) {
        (void)snprintf(out, size, "%s", json_text(r->job, "target", "?"));
        return;
    }
    backup_source_describe(r->inv, out, size);
    len = strlen(out);
    if (r->to.env != r->inv->env)
        (void)snprintf(out + len, size - len, " of %s into %s", r->inv->env->name, r->to.env->name);
}
