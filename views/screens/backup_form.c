#include "views/screens/backup_form.h"

#include <stdio.h>

#include "views/screens/form_fields.h"

enum { TO_BOTH, TO_DISK, TO_S3 };

const char *const backup_places[] = {
    [TO_BOTH] = "disk and S3", [TO_DISK] = "disk", [TO_S3] = "S3", NULL};
static const char *const sources[] = {"primaries", "replicas", "auto", NULL};

static const struct form_field fields[] = {
    {.id = "where",
     .label = "To",
     .kind = FIELD_CHOICE,
     .choices = backup_places,
     .help = "On disk it is an archive. S3 alone streams it (--stream): nothing is left on disk, "
             "and one that ends early cannot be resumed."},
    {.id = "dir",
     .label = "Directory",
     .kind = FIELD_PATH,
     .help = "Where on this machine the backup goes."},
    {.id = "s3",
     .label = "S3 URI",
     .kind = FIELD_TEXT,
     .help = "s3://bucket/prefix. As configured, unless changed here for this backup."},
    {.id = "tree",
     .label = "Unpacked too",
     .kind = FIELD_CHECK,
     .initial = "yes",
     .help = "Beside the archive the same files unpacked, to be read with grep and jq."},
    {.id = "from",
     .label = "Read from",
     .kind = FIELD_CHOICE,
     .choices = sources,
     .help = "replicas spare the primaries and wait for one in order. auto: a replica at most 10 s "
             "behind, else the primary."},
    {.id = "rate",
     .label = "Rate",
     .kind = FIELD_TEXT,
     .required = true,
     .check = form_check_rate,
     .help = "Keys a second; auto steps back when the nodes answer slower; none is full speed."},
    FORM_FILTER_FIELDS,
    FORM_REASON_FIELD,
    {.label = "More options",
     .kind = FIELD_FOLD,
     .help = "Compression, size of parts, memory, signature, what counts as a finding."},
    {.id = "level",
     .label = "Compression",
     .kind = FIELD_NUMBER,
     .initial = "6",
     .min = 1,
     .max = 9,
     .help = "1 is quick, 9 is small."},
    {.id = "chunk",
     .label = "Keys in a part",
     .kind = FIELD_NUMBER,
     .min = 1,
     .max = 1000000,
     .help = "At most. Empty: as configured (backup.chunk_keys)."},
    {.id = "part",
     .label = "Part MiB",
     .kind = FIELD_NUMBER,
     .min = 1,
     .max = 64,
     .help = "Of keys and values in one part, at most. Empty: as configured (backup.chunk_bytes)."},
    {.id = "memory",
     .label = "Memory MiB",
     .kind = FIELD_NUMBER,
     .initial = "256",
     .min = 64,
     .max = 65536,
     .help = "For buffers on this machine."},
    FORM_OUTAGE_FIELD,
    {.id = "sign",
     .label = "Sign with",
     .kind = FIELD_PATH,
     .help = "A key file: a restore can then check that nobody changed the backup. Empty: not "
             "signed."},
    {.id = "strict",
     .label = "Strict",
     .kind = FIELD_CHECK,
     .help = "Big keys that changed while they were read count as findings."},
    {0},
};

static const struct form_spec spec = {
    .title = "Back up now", .accept = "Start backup", .fields = fields};

#define LEVEL 6 /* as the verb has them: then the options need not be given */
#define MEMORY_MIB 256

static void add_places(const struct backup_order *order, const char *configured_s3,
                       struct arg_list *out)
{
    bool to_disk = !str_is(order->where, backup_places[TO_S3]);
    bool to_s3 = !str_is(order->where, backup_places[TO_DISK]);

    if (!to_s3)
        args_add(out, "--no-upload");
    if (!to_disk)
        args_add(out, "--stream");
    if (to_s3 && (configured_s3 == NULL || !str_is(order->s3_uri, configured_s3)))
        args_option(out, "s3-uri", order->s3_uri);
    if (to_disk) {
        args_option(out, "backup-dir", order->dir);
        if (!order->tree)
            args_add(out, "--no-dir");
    }
}

static void add_tuning(const struct backup_order *order, struct arg_list *out)
{
    if (order->level != LEVEL && order->level > 0)
        args_number(out, "level", order->level);
    if (order->chunk_keys > 0)
        args_number(out, "chunk-keys", order->chunk_keys);
    if (order->chunk_mib > 0)
        args_number(out, "chunk-bytes", order->chunk_mib << 20);
    if (order->memory_mib != MEMORY_MIB && order->memory_mib > 0)
        args_number(out, "max-memory", order->memory_mib);
    if (order->outage_s != FORM_OUTAGE_S && order->outage_s > 0)
        args_number(out, "outage-timeout", order->outage_s);
    args_option(out, "sign-key-file", order->sign_key);
    if (order->strict)
        args_add(out, "--strict");
}

bool backup_order_args(const struct backup_order *order, const char *configured_s3,
                       struct arg_list *out, struct error *err)
{
    bool to_s3 = !str_is(order->where, backup_places[TO_DISK]);

    if (to_s3 && order->s3_uri.len == 0)
        return error_set(err, ERROR_CONFIG, 0,
                         "no S3 is configured: give its URI, set storage.s3_uri, or choose disk");
    args_add(out, "backup");
    add_places(order, configured_s3, out);
    args_option(out, "from", order->from);
    args_option(out, "rate", order->rate);
    args_each(out, "match", order->match);
    args_each(out, "type", order->types);
    args_option(out, "slots", order->slots);
    add_tuning(order, out);
    args_option(out, "reason", str_trim(order->reason));
    return !out->full || error_set(err, ERROR_LIMIT, 0, "too many patterns");
}

static bool accepted(void *owner, const struct form *f, struct error *err)
{
    struct app *app = ((struct backups_form *)owner)->app;
    struct backup_order order = {.where = form_value(f, "where"),
                                 .dir = form_value(f, "dir"),
                                 .s3_uri = str_trim(form_value(f, "s3")),
                                 .match = form_value(f, "match"),
                                 .types = form_value(f, "type"),
                                 .slots = form_value(f, "slots"),
                                 .from = form_value(f, "from"),
                                 .rate = form_value(f, "rate"),
                                 .sign_key = form_value(f, "sign"),
                                 .reason = form_value(f, "reason"),
                                 .level = form_number(f, "level"),
                                 .chunk_keys = form_number(f, "chunk"),
                                 .chunk_mib = form_number(f, "part"),
                                 .memory_mib = form_number(f, "memory"),
                                 .outage_s = form_number(f, "outage"),
                                 .tree = form_checked(f, "tree"),
                                 .strict = form_checked(f, "strict")};
    struct arg_list args = {0};
    const char *s3 = config_text(app->config, app->env, "storage.s3_uri");
    bool ok = backup_order_args(&order, s3, &args, err) &&
              app_start_job(app, args_words(&args), true, err);

    args_release(&args);
    return ok;
}

void backup_form_open(struct backups_form *f)
{
    const struct app *app = f->app;
    const char *s3 = config_text(app->config, app->env, "storage.s3_uri");
    const char *dir = config_text(app->config, app->env, "storage.backup_dir");
    const char *from = config_text(app->config, app->env, "backup.source");
    struct form *form =
        ui_form(app->ui, &(struct ui_form){.spec = &spec, .accepted = accepted, .owner = f});

    form_set(form, "where", backup_places[s3 != NULL ? TO_BOTH : TO_DISK]);
    form_set(form, "dir", dir != NULL ? dir : "");
    form_set(form, "s3", s3 != NULL ? s3 : "");
    if (from != NULL)
        form_set(form, "from", from);
    form_set(form, "rate", app_is_protected(app) ? "auto" : "none");
    form_set(form, "reason", app->reason);
}

void backups_form_title(struct backups_form *f, const char *what, const struct backups_row *row)
{
    f->row = *row;
    (void)snprintf(f->title, sizeof(f->title), "%s %s (%s)", what, row->row.id.text,
                   backups_place_name(row->place));
}
