#include "views/screens/restore_form.h"

#include <stdlib.h>
#include <string.h>

#include "views/screens/backups_load.h"
#include "views/screens/form_fields.h"

static const char *const policies[] = {"fail-existing", "skip-existing", "overwrite", NULL};
static const char *const ttls[] = {"remaining", "absolute", "none", NULL};

static const struct form_field fields[] = {
    {.id = "policy",
     .label = "Keys that exist",
     .kind = FIELD_CHOICE,
     .choices = policies,
     .help = "fail-existing: nothing is written if one exists. skip-existing: they stay as they "
             "are. overwrite: they are replaced."},
    {.id = "exact",
     .label = "Exactly this",
     .kind = FIELD_CHECK,
     .help = "Afterwards REMOVE the keys that the backup lacks, so that the cluster is as it was. "
             "The plan counts them first. Cannot be undone."},
    {.id = "ttl",
     .label = "Expiry",
     .kind = FIELD_CHOICE,
     .choices = ttls,
     .help = "remaining: the life a key had left when it was read. absolute: its original "
             "deadline; what is past it is left out. none: keys stay for ever."},
    FORM_FILTER_FIELDS,
    {.id = "rate",
     .label = "Rate",
     .kind = FIELD_TEXT,
     .required = true,
     .check = form_check_rate,
     .help = "Keys a second; auto gives way when the nodes answer slower; none is as fast as they "
             "and their replicas take it."},
    {.id = "tune",
     .label = "Tune servers",
     .kind = FIELD_CHECK,
     .help = "While it runs no node evicts keys or stops writes after a failed save; the old "
             "settings come back however it ends. The plan names them."},
    {.label = "More options",
     .kind = FIELD_FOLD,
     .help = "Stream groups, one shard, older servers, signature, outages, emptying first."},
    {.id = "groups",
     .label = "Stream groups",
     .kind = FIELD_CHECK,
     .initial = "yes",
     .help = "Bring back consumer groups and their pending entries."},
    {.id = "shard",
     .label = "Only shard",
     .kind = FIELD_NUMBER,
     .min = 1,
     .max = 16384,
     .help = "The keys of one shard of the backup, counted by slots from 1. Empty: all shards."},
    {.id = "fields",
     .label = "Drop field TTL",
     .kind = FIELD_CHECK,
     .help = "Where the servers know no deadlines of hash fields: restore the fields without."},
    {.id = "downgrade",
     .label = "Allow downgrade",
     .kind = FIELD_CHECK,
     .help = "Leave out what older servers do not know: counters of streams, pending entries "
             "without consumer, functions."},
    {.id = "trust",
     .label = "Trust payloads",
     .kind = FIELD_CHECK,
     .help = "Feed DUMP payloads and functions of an unsigned archive to the servers: they are "
             "code and memory images, so only from an archive whose origin is known."},
    FORM_KEY_FIELD,
    FORM_OUTAGE_FIELD,
    {.id = "flush",
     .label = "Flush first",
     .kind = FIELD_CHECK,
     .help = "DELETES every key of the cluster once the whole archive was checked. Cannot be "
             "undone."},
    {0},
};

static void add_policy(const struct restore_order *order, struct arg_list *out)
{
    static const char *const words[] = {"--fail-existing", "--skip-existing", "--overwrite"};

    for (size_t i = 0; policies[i] != NULL; i++)
        if (str_is(order->policy, policies[i]))
            args_add(out, words[i]);
}

static void add_flags(const struct restore_order *order, struct arg_list *out)
{
    const struct {
        bool on;
        const char *word;
    } flags[] = {{order->tune, "--tune"},
                 {order->drop_field_ttl, "--drop-field-ttl"},
                 {order->allow_downgrade, "--allow-downgrade"},
                 {order->trust_dump, "--trust-dump"},
                 {order->exact, "--exact"},
                 {order->flush_first, "--flush-first"}};

    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (flags[i].on)
            args_add(out, flags[i].word);
}

void restore_order_args(const struct restore_order *order, struct arg_list *out)
{
    args_add(out, "restore");
    if (order->place == PLACE_S3)
        args_option(out, "from-s3", str_from(order->id));
    else
        args_option(out, "input", str_from(order->path));
    args_option(out, "verify-key-file", order->verify_key);
    add_policy(order, out);
    args_option(out, "ttl", order->ttl);
    args_add(out, order->stream_groups ? "--recreate-stream-groups" : "--no-stream-groups");
    args_each(out, "match", order->match);
    args_each(out, "type", order->types);
    args_option(out, "slots", order->slots);
    if (order->shard > 0)
        args_number(out, "shard", order->shard);
    args_option(out, "rate", order->rate);
    if (order->outage_s != FORM_OUTAGE_S && order->outage_s > 0)
        args_number(out, "outage-timeout", order->outage_s);
    add_flags(order, out);
}

static void planned(void *owner, const char *id, const struct error *why)
{
    struct app *app = ((struct backups_form *)owner)->app;
    struct error err;

    if (id == NULL)
        ui_error(app->ui, why);
    else if (!ui_go(app->ui, "plan", id, &err))
        ui_error(app->ui, &err);
}

bool restore_plan_start(struct backups_form *f, const struct arg_list *args, struct error *err)
{
    struct arg_list all = {0};
    bool ok;

    for (size_t i = 0; i < args->count; i++)
        args_add(&all, args->items[i]);
    args_add(&all, "--dry-run");
    ok = !args->full && !all.full;
    if (!ok)
        (void)error_set(err, ERROR_LIMIT, 0, "too many patterns");
    ok = ok && app_start_told(f->app, args_words(&all), planned, f, err);
    args_release(&all);
    return ok;
}

static bool start_plan(struct backups_form *f, const struct restore_order *order, struct error *err)
{
    struct arg_list args = {0};
    bool ok;

    if (order->exact && str_is(order->policy, "skip-existing"))
        return error_set(err, ERROR_USAGE, 0,
                         "exactly this, and keys that exist stay as they are: that contradicts "
                         "itself; choose overwrite");
    if (order->exact && order->flush_first)
        return error_set(err, ERROR_USAGE, 0,
                         "flush first removes everything already: leave \"exactly this\" out");
    restore_order_args(order, &args);
    ok = restore_plan_start(f, &args, err);
    args_release(&args);
    return ok;
}

static bool accepted(void *owner, const struct form *form, struct error *err)
{
    struct backups_form *f = owner;
    char *path = backups_row_uri(f->app, &f->row);
    struct restore_order order = {.place = f->row.place,
                                  .id = f->row.row.id.text,
                                  .path = path,
                                  .policy = form_value(form, "policy"),
                                  .ttl = form_value(form, "ttl"),
                                  .match = form_value(form, "match"),
                                  .types = form_value(form, "type"),
                                  .slots = form_value(form, "slots"),
                                  .rate = form_value(form, "rate"),
                                  .verify_key = form_value(form, "key"),
                                  .shard = form_number(form, "shard"),
                                  .outage_s = form_number(form, "outage"),
                                  .exact = form_checked(form, "exact"),
                                  .tune = form_checked(form, "tune"),
                                  .stream_groups = form_checked(form, "groups"),
                                  .flush_first = form_checked(form, "flush"),
                                  .trust_dump = form_checked(form, "trust"),
                                  .drop_field_ttl = form_checked(form, "fields"),
                                  .allow_downgrade = form_checked(form, "downgrade")};
    bool ok = start_plan(f, &order, err);

    free(path);
    return ok;
}

void restore_form_open(struct backups_form *f, const struct backups_row *row)
{
    const char *ttl = config_text(f->app->config, f->app->env, "restore.ttl");
    struct form *form;

    backups_form_title(f, "Restore", row);
    f->spec = (struct form_spec){.title = f->title, .accept = "Show the plan", .fields = fields};
    form =
        ui_form(f->app->ui, &(struct ui_form){.spec = &f->spec, .accepted = accepted, .owner = f});
    if (ttl != NULL)
        form_set(form, "ttl", ttl);
    form_set(form, "rate", app_is_protected(f->app) ? "auto" : "none");
}
