#include "views/screens/verify_form.h"

#include <stdlib.h>
#include <string.h>

#include "views/screens/backups_load.h"

static const char *const extents[] = {"sample", "full", NULL};

static const struct form_field fields[] = {
    {.id = "extent",
     .label = "Look at",
     .kind = FIELD_CHOICE,
     .choices = extents,
     .help = "sample: keys drawn at random. full: every key."},
    {.id = "sample",
     .label = "Sample size",
     .kind = FIELD_NUMBER,
     .initial = "1000",
     .min = 1,
     .max = 1000000000,
     .required = true},
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
    {.id = "tolerance",
     .label = "Expiry +- s",
     .kind = FIELD_NUMBER,
     .initial = "30",
     .max = 86400,
     .required = true,
     .help = "How many seconds a deadline may be off."},
    {.id = "groups",
     .label = "Stream groups",
     .kind = FIELD_CHECK,
     .initial = "yes",
     .help = "Compare consumer groups as well."},
    {.id = "reason", .label = "Reason", .kind = FIELD_TEXT, .help = "Kept with the job."},
    {0},
};

void verify_order_args(const struct verify_order *order, struct arg_list *out)
{
    args_add(out, "verify");
    if (order->place == PLACE_S3)
        args_option(out, "from-s3", str_from(order->id));
    else
        args_option(out, "input", str_from(order->path));
    if (str_is(order->extent, "full"))
        args_add(out, "--full");
    else
        args_number(out, "sample", order->sample);
    args_each(out, "match", order->match);
    if (!str_is(order->type, form_types[0]))
        args_option(out, "type", order->type);
    args_option(out, "slots", order->slots);
    args_number(out, "ttl-tolerance-ms", order->tolerance_s * 1000);
    if (!order->stream_groups)
        args_add(out, "--no-stream-groups");
    args_option(out, "reason", str_trim(order->reason));
}

static bool accepted(void *owner, const struct form *form, struct error *err)
{
    struct backups_form *f = owner;
    char *path = backups_row_uri(f->app, &f->row);
    struct verify_order order = {.place = f->row.place,
                                 .id = f->row.row.id.text,
                                 .path = path,
                                 .extent = form_value(form, "extent"),
                                 .sample = form_number(form, "sample"),
                                 .match = form_value(form, "match"),
                                 .type = form_value(form, "type"),
                                 .slots = form_value(form, "slots"),
                                 .tolerance_s = form_number(form, "tolerance"),
                                 .reason = form_value(form, "reason"),
                                 .stream_groups = form_checked(form, "groups")};
    struct arg_list args = {0};
    bool ok;

    verify_order_args(&order, &args);
    ok = !args.full || error_set(err, ERROR_LIMIT, 0, "too many patterns");
    ok = ok && app_start_job(f->app, args_words(&args), true, err);
    args_release(&args);
    free(path);
    return ok;
}

void verify_form_open(struct backups_form *f, const struct backups_row *row)
{
    backups_form_title(f, "Verify", row);
    f->spec = (struct form_spec){.title = f->title, .accept = "Start verify", .fields = fields};
    (void)ui_form(f->app->ui,
                  &(struct ui_form){.spec = &f->spec, .accepted = accepted, .owner = f});
}
