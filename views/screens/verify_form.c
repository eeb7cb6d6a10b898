#include "views/screens/verify_form.h"

#include <stdlib.h>
#include <string.h>

#include "core/redis/slot.h"
#include "views/screens/backups_load.h"
#include "views/screens/form_fields.h"

static const char *const extents[] = {"sample", "full", "subset", NULL};

static const char *check_subset(struct str value)
{
    size_t slash = str_find(value, '/');
    uint32_t n;
    uint32_t t;

    return slash < value.len && str_to_u32(str_slice(value, 0, slash), &n) &&
                   str_to_u32(str_slice(value, slash + 1, value.len), &t) && n >= 1 && n <= t &&
                   t <= SLOT_COUNT
               ? NULL
               : "want such as 2/10, the second of ten";
}

static const struct form_field fields[] = {
    {.id = "extent",
     .label = "Look at",
     .kind = FIELD_CHOICE,
     .choices = extents,
     .help = "sample: keys drawn at random. full: every key. subset: every key of each T-th slot, "
             "so that T runs see all."},
    {.id = "sample",
     .label = "Sample size",
     .kind = FIELD_NUMBER,
     .initial = "1000",
     .min = 1,
     .max = 1000000000,
     .required = true},
    {.id = "subset",
     .label = "Subset N/T",
     .kind = FIELD_TEXT,
     .initial = "1/10",
     .required = true,
     .check = check_subset,
     .help = "Of a subset: which of how many."},
    {.id = "extra",
     .label = "Extra keys too",
     .kind = FIELD_CHECK,
     .help = "Also name the keys that the cluster has and the backup lacks."},
    FORM_FILTER_FIELDS,
    {.id = "tolerance",
     .label = "Expiry +- s",
     .kind = FIELD_NUMBER,
     .initial = "30",
     .max = 86400,
     .required = true,
     .help = "How many seconds a deadline may be off."},
    FORM_REASON_FIELD,
    {.label = "More options",
     .kind = FIELD_FOLD,
     .help = "Stream groups, how often it looks again, signature, outages."},
    {.id = "groups",
     .label = "Stream groups",
     .kind = FIELD_CHECK,
     .initial = "yes",
     .help = "Compare consumer groups as well."},
    {.id = "rounds",
     .label = "Rounds",
     .kind = FIELD_NUMBER,
     .initial = "3",
     .min = 1,
     .max = 100,
     .required = true,
     .help = "How often it looks at keys that do not agree, a second apart: clients may be "
             "writing."},
    FORM_KEY_FIELD,
    FORM_OUTAGE_FIELD,
    {0},
};

#define ROUNDS 3 /* as the verb has it */

void verify_order_args(const struct verify_order *order, struct arg_list *out)
{
    args_add(out, "verify");
    if (order->place == PLACE_S3)
        args_option(out, "from-s3", str_from(order->id));
    else
        args_option(out, "input", str_from(order->path));
    args_option(out, "verify-key-file", order->verify_key);
    if (str_is(order->extent, "full"))
        args_add(out, "--full");
    else if (str_is(order->extent, "subset"))
        args_option(out, "subset", order->subset);
    else
        args_number(out, "sample", order->sample);
    if (order->extra)
        args_add(out, "--extra");
    args_each(out, "match", order->match);
    args_each(out, "type", order->types);
    args_option(out, "slots", order->slots);
    args_number(out, "ttl-tolerance-ms", order->tolerance_s * 1000);
    if (!order->stream_groups)
        args_add(out, "--no-stream-groups");
    if (order->rounds != ROUNDS && order->rounds > 0)
        args_number(out, "rounds", order->rounds);
    if (order->outage_s != FORM_OUTAGE_S && order->outage_s > 0)
        args_number(out, "outage-timeout", order->outage_s);
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
                                 .subset = str_trim(form_value(form, "subset")),
                                 .match = form_value(form, "match"),
                                 .types = form_value(form, "type"),
                                 .slots = form_value(form, "slots"),
                                 .verify_key = form_value(form, "key"),
                                 .rounds = form_number(form, "rounds"),
                                 .outage_s = form_number(form, "outage"),
                                 .extra = form_checked(form, "extra"),
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
