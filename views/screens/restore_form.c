#include "views/screens/restore_form.h"

#include <stdlib.h>
#include <string.h>

#include "views/screens/backups_load.h"

static const char *const policies[] = {"fail-existing", "skip-existing", "overwrite", NULL};
static const char *const ttls[] = {"remaining", "absolute", "none", NULL};

static const struct form_field fields[] = {
    {.id = "policy",
     .label = "Keys that exist",
     .kind = FIELD_CHOICE,
     .choices = policies,
     .help = "fail-existing: nothing is written if one exists. skip-existing: they stay as they "
             "are. overwrite: they are replaced."},
    {.id = "ttl",
     .label = "Expiry",
     .kind = FIELD_CHOICE,
     .choices = ttls,
     .help = "remaining: the life a key had left when it was read. absolute: its original "
             "deadline; what is past it is left out. none: keys stay for ever."},
    {.id = "groups",
     .label = "Stream groups",
     .kind = FIELD_CHECK,
     .initial = "yes",
     .help = "Bring back consumer groups and their pending entries."},
    {.id = "match",
     .label = "Only keys",
     .kind = FIELD_TEXT,
     .help = "Patterns such as user:* with blanks between them; ? stands for a blank inside one. "
             "Empty: all keys."},
    {.id = "type", .label = "Only type", .kind = FIELD_CHOICE, .choices = form_types},
    {.id = "slots",
     .label = "Only slots",
     .kind = FIELD_TEXT,
     .check = form_check_slots,
     .help = "Such as 0-5460,9000. Empty: all slots."},
    {.id = "rate",
     .label = "Keys a second",
     .kind = FIELD_NUMBER,
     .initial = "0",
     .max = 100000000,
     .help = "At most; 0 is as fast as the servers take them."},
    {.id = "trust",
     .label = "Trust payloads",
     .kind = FIELD_CHECK,
     .help = "Feed DUMP payloads and functions of an unsigned archive to the servers: they are "
             "code and memory images, so only from an archive whose origin is known."},
    {.id = "flush",
     .label = "Flush first",
     .kind = FIELD_CHECK,
     .help = "DELETES every key of the cluster once the whole archive was checked. Cannot be "
             "undone."},
    {0},
};

void restore_order_args(const struct restore_order *order, struct arg_list *out)
{
    args_add(out, "restore");
    if (order->place == PLACE_S3)
        args_option(out, "from-s3", str_from(order->id));
    else
        args_option(out, "input", str_from(order->path));
    for (size_t i = 0; policies[i] != NULL; i++)
        if (str_is(order->policy, policies[i])) {
            static const char *const words[] = {"--fail-existing", "--skip-existing",
                                                "--overwrite"};

            args_add(out, words[i]);
        }
    args_option(out, "ttl", order->ttl);
    args_add(out, order->stream_groups ? "--recreate-stream-groups" : "--no-stream-groups");
    args_each(out, "match", order->match);
    if (!str_is(order->type, form_types[0]))
        args_option(out, "type", order->type);
    args_option(out, "slots", order->slots);
    if (order->rate > 0)
        args_number(out, "rate", order->rate);
    if (order->trust_dump)
        args_add(out, "--trust-dump");
    if (order->flush_first)
        args_add(out, "--flush-first");
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
                                  .type = form_value(form, "type"),
                                  .slots = form_value(form, "slots"),
                                  .rate = form_number(form, "rate"),
                                  .stream_groups = form_checked(form, "groups"),
                                  .flush_first = form_checked(form, "flush"),
                                  .trust_dump = form_checked(form, "trust")};
    struct arg_list args = {0};
    bool ok;

    restore_order_args(&order, &args);
    ok = restore_plan_start(f, &args, err);
    args_release(&args);
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
}
