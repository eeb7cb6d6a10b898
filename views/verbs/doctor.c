#include "views/verbs/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/escape.h"
#include "core/base/json.h"
#include "core/config/config.h"

static const char *const words[] = {"ok", "note", "warn", "fail"};

static char *safe_copy(const char *text)
{
    char out[2048];
    return mem_copy_text(escape_text(out, sizeof(out), str_from(text)));
}

void doctor_check(struct doctor *d, enum doctor_state state, const char *name, const char *fmt, ...)
{
    struct doctor_check check = {.state = state};
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    check.name = safe_copy(name);
    check.text = safe_copy(text);
    ARRAY_PUSH(d->checks, d->check_count, d->check_cap) = check;
}

void doctor_value(struct doctor *d, const char *key, const char *value, const char *where)
{
    struct doctor_value row = {safe_copy(key), safe_copy(value), safe_copy(where)};
    ARRAY_PUSH(d->values, d->value_count, d->value_cap) = row;
}

static void release(struct doctor *d)
{
    for (size_t i = 0; i < d->check_count; i++) {
        free(d->checks[i].name);
        free(d->checks[i].text);
    }
    for (size_t i = 0; i < d->value_count; i++) {
        free(d->values[i].key);
        free(d->values[i].value);
        free(d->values[i].where);
    }
    free(d->checks);
    free(d->values);
}

/* Three texts as one member of list. */
static void push(json_t *list, const char *const names[3], const char *const texts[3])
{
    json_t *item = json_object();
    for (size_t i = 0; i < 3; i++)
        json_put_text(item, names[i], texts[i]);
    json_push(list, item);
}

static void print_json(const struct doctor *d, bool healthy)
{
    static const char *const value_names[] = {"key", "value", "origin"};
    static const char *const check_names[] = {"state", "check", "text"};
    json_t *doc = json_object();
    json_t *list = json_array();
    struct error ignored;
    struct buf out;
    json_put_flag(doc, "ok", healthy);
    json_put_text(doc, "env", d->inv->env != NULL ? d->inv->env->name : NULL);
    for (size_t i = 0; i < d->value_count; i++) {
        const struct doctor_value *v = &d->values[i];
        push(list, value_names, (const char *const[]){v->key, v->value, v->where});
    }
    json_put(doc, "values", list);
    list = json_array();
    for (size_t i = 0; i < d->check_count; i++) {
        const struct doctor_check *c = &d->checks[i];
        push(list, check_names, (const char *const[]){words[c->state], c->name, c->text});
    }
    json_put(doc, "checks", list);
    buf_init(&out, (size_t)4 << 20);
    if (json_print(doc, true, &out, &ignored))
        (void)fwrite(out.data, 1, out.len, stdout);
    buf_release(&out);
    json_decref(doc);
}

static void print_text(const struct doctor *d)
{
    printf("Values%s%s\n", d->inv->env != NULL ? " for environment " : "",
           d->inv->env != NULL ? d->inv->env->name : "");
    for (size_t i = 0; i < d->value_count; i++)
        printf("  %-28s %-36s %s\n", d->values[i].key, d->values[i].value, d->values[i].where);
    printf("\nChecks\n");
    for (size_t i = 0; i < d->check_count; i++) {
        printf("  %-4s  %-22s %s\n", words[d->checks[i].state], d->checks[i].name,
               d->checks[i].text);
    }
}

static int run(const struct invocation *inv, struct error *err)
{
    struct doctor d = {.inv = inv, .fix = option_flag(inv, "fix")};
    bool healthy = true;
    (void)err;
    doctor_look_at_values(&d);
    doctor_look_at_files(&d);
    doctor_look_at_terminal(&d);
    if (!option_flag(inv, "offline")) {
        doctor_look_at_environments(&d);
        doctor_look_at_storage(&d);
    }
    doctor_look_at_locks(&d);
    doctor_look_at_backups(&d);
    for (size_t i = 0; i < d.check_count; i++)
        healthy = healthy && d.checks[i].state != DOCTOR_FAIL;
    if (inv->json)
        print_json(&d, healthy);
    else
        print_text(&d);
    release(&d);
    return healthy ? 0 : 1;
}

static const struct option_row options[] = {
    {"fix", 0, OPTION_FLAG, NULL,
     "Mend what can be mended: accept a new cluster for the selected environment, abort orphaned "
     "uploads of backups, put back settings that a killed restore --tune left, remove what "
     "unfinished backups left "
     "a day ago."},
    {"offline", 0, OPTION_FLAG, NULL, "Connect to nothing."},
    {NULL},
};

const struct verb verb_doctor = {
    .name = "doctor",
    .summary = "Show every value and where it came from, and check what this console needs.",
    .options = options,
    .notes = "Secrets are shown as `set`. Exit status 1 means that at least one check failed.",
    .examples = "rbconsole doctor\nrbconsole -e prd doctor --json\n",
    .flags = VERB_NO_ENV,
    .run = run,
};
