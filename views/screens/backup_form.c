#include "views/screens/backup_form.h"

#include <stdio.h>

#include "core/redis/slot.h"

enum { TO_BOTH, TO_DISK, TO_S3 };

const char *const backup_places[] = {
    [TO_BOTH] = "disk and S3", [TO_DISK] = "disk", [TO_S3] = "S3", NULL};
const char *const form_types[] = {"all", "string", "hash", "list", "set", "zset", "stream", NULL};

const char *form_check_slots(struct str value)
{
    struct slot_set set = {0};
    struct error ignored;

    return slot_set_parse(&set, value, &ignored) ? NULL : "want such as 0-5460,9000";
}

const char *form_check_rate(struct str value)
{
    uint64_t n;

    return str_is(value, "auto") || str_is(value, "none") || (str_to_u64(value, &n) && n > 0)
               ? NULL
               : "want auto, none or keys a second";
}

static const struct form_field fields[] = {
    {.id = "where",
     .label = "To",
     .kind = FIELD_CHOICE,
     .choices = backup_places,
     .help = "On disk it is an archive; S3 alone streams the archive and leaves nothing on disk."},
    {.id = "dir",
     .label = "Directory",
     .kind = FIELD_PATH,
     .help = "Where on this machine the backup goes."},
    {.id = "tree",
     .label = "Unpacked too",
     .kind = FIELD_CHECK,
     .initial = "yes",
     .help = "Beside the archive the same files unpacked, to be read with grep and jq."},
    {.id = "match",
     .label = "Only keys",
     .kind = FIELD_TEXT,
     .help = "Patterns such as user:* with blanks between them; ? stands for a blank inside one. "
             "Empty: all keys."},
    {.id = "type",
     .label = "Only type",
     .kind = FIELD_CHOICE,
     .choices = form_types,
     .help = "A backup of a part is shown as such and never taken as the latest."},
    {.id = "slots",
     .label = "Only slots",
     .kind = FIELD_TEXT,
     .check = form_check_slots,
     .help = "Such as 0-5460,9000. Empty: all slots."},
    {.id = "rate",
     .label = "Rate",
     .kind = FIELD_TEXT,
     .check = form_check_rate,
     .help = "Keys a second; auto steps back when the nodes answer slower; none is full speed."},
    {.id = "strict",
     .label = "Strict",
     .kind = FIELD_CHECK,
     .help = "Big keys that changed while they were read count as findings."},
    {.id = "reason", .label = "Reason", .kind = FIELD_TEXT, .help = "Kept with the job."},
    {0},
};

static const struct form_spec spec = {
    .title = "Back up now", .accept = "Start backup", .fields = fields};

bool backup_order_args(const struct backup_order *order, bool has_s3, struct arg_list *out,
                       struct error *err)
{
    bool to_disk = !str_is(order->where, backup_places[TO_S3]);
    bool to_s3 = !str_is(order->where, backup_places[TO_DISK]);

    if (to_s3 && !has_s3)
        return error_set(err, ERROR_CONFIG, 0,
                         "no S3 is configured: set storage.s3_uri or S3_URI, or choose disk");
    args_add(out, "backup");
    if (!to_s3)
        args_add(out, "--no-upload");
    if (!to_disk)
        args_add(out, "--stream");
    if (to_disk) {
        args_option(out, "backup-dir", order->dir);
        if (!order->tree)
            args_add(out, "--no-dir");
    }
    args_each(out, "match", order->match);
    if (!str_is(order->type, form_types[0]))
        args_option(out, "type", order->type);
    args_option(out, "slots", order->slots);
    args_option(out, "rate", order->rate);
    if (order->strict)
        args_add(out, "--strict");
    args_option(out, "reason", str_trim(order->reason));
    return !out->full || error_set(err, ERROR_LIMIT, 0, "too many patterns");
}

static bool accepted(void *owner, const struct form *f, struct error *err)
{
    struct app *app = ((struct backups_form *)owner)->app;
    struct backup_order order = {.where = form_value(f, "where"),
                                 .dir = form_value(f, "dir"),
                                 .match = form_value(f, "match"),
                                 .type = form_value(f, "type"),
                                 .slots = form_value(f, "slots"),
                                 .rate = form_value(f, "rate"),
                                 .reason = form_value(f, "reason"),
                                 .tree = form_checked(f, "tree"),
                                 .strict = form_checked(f, "strict")};
    struct arg_list args = {0};
    bool has_s3 = config_text(app->config, app->env, "storage.s3_uri") != NULL;
    bool ok = backup_order_args(&order, has_s3, &args, err) &&
              app_start_job(app, args_words(&args), true, err);

    args_release(&args);
    return ok;
}

void backup_form_open(struct backups_form *f)
{
    const struct app *app = f->app;
    bool has_s3 = config_text(app->config, app->env, "storage.s3_uri") != NULL;
    const char *dir = config_text(app->config, app->env, "storage.backup_dir");
    struct form *form =
        ui_form(app->ui, &(struct ui_form){.spec = &spec, .accepted = accepted, .owner = f});

    form_set(form, "where", backup_places[has_s3 ? TO_BOTH : TO_DISK]);
    form_set(form, "dir", dir != NULL ? dir : "");
    form_set(form, "rate", app_is_protected(app) ? "auto" : "none");
    form_set(form, "reason", app->reason);
}

void backups_form_title(struct backups_form *f, const char *what, const struct backups_row *row)
{
    f->row = *row;
    (void)snprintf(f->title, sizeof(f->title), "%s %s (%s)", what, row->row.id.text,
                   backups_place_name(row->place));
}
