#include "views/confirm_rule.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/escape.h"
#include "views/cli.h"

static bool is_protected(const struct confirm_question *q)
{
    return q->identity != NULL ? q->identity->protected : q->env->protected;
}

/* What no confirmation helps against: true and err set. */
static bool is_refused(const struct confirm_question *q, struct error *err)
{
    const char *why = NULL;
    if (q->read_only)
        why = "refused, --read-only is set";
    else if (q->identity != NULL && q->identity->match == IDENTITY_UNSEEN)
        why = "refused, it is not known which cluster this is";
    else if (q->identity != NULL && q->identity->refused)
        why = q->identity->text;
    if (why != NULL)
        error_set(err, ERROR_REFUSED, 0, "%s: %s", q->action, why);
    return why != NULL;
}

enum confirm_answer confirm_check(const struct confirm_question *q, struct error *err)
{
    char typed[80];
    if (q->danger == DANGER_NONE)
        return CONFIRM_GO;
    if (is_refused(q, err))
        return CONFIRM_REFUSE;
    if (q->typed != NULL && strcmp(q->typed, q->env->name) != 0) {
        error_set(err, ERROR_REFUSED, 0, "%s: --confirm says \"%s\", but the environment is \"%s\"",
                  q->action, escape_text(typed, sizeof(typed), str_from(q->typed)), q->env->name);
        return CONFIRM_REFUSE;
    }
    if (q->typed != NULL || (q->danger == DANGER_CHANGE && !is_protected(q)))
        return CONFIRM_GO;
    error_set(err, ERROR_REFUSED, 0, "%s: %s; confirm with --confirm %s", q->action,
              q->danger == DANGER_DESTROY ? "this cannot be undone"
                                          : "the environment is protected",
              q->env->name);
    return CONFIRM_ASK;
}

/* One line from the terminal; anything but the exact name is no. */
static bool ask(const struct confirm_question *q, struct error *err)
{
    char line[128];
    size_t len;
    if (q->identity != NULL && q->identity->text[0] != '\0')
        (void)fprintf(stderr, "%s\n", q->identity->text);
    (void)fprintf(
        stderr, "%s in %s%s.\nType the environment's name to go on, Enter to cancel: ", q->action,
        q->env->name, q->danger == DANGER_DESTROY ? ": this cannot be undone" : " (protected)");
    (void)fflush(stderr);
    if (fgets(line, sizeof(line), stdin) == NULL)
        line[0] = '\0';
    len = strcspn(line, "\r\n");
    line[len] = '\0';
    if (strcmp(line, q->env->name) == 0)
        return true;
    return error_set(err, ERROR_REFUSED, 0, "%s: not confirmed, nothing was changed", q->action);
}

bool confirm_require(const struct invocation *inv, enum danger danger,
                     const struct identity_decision *identity, const char *action,
                     struct error *err)
{
    bool has_option = cli_row(inv->verb, STR("confirm")) != NULL;
    struct confirm_question q = {.danger = danger,
                                 .env = inv->env,
                                 .identity = identity,
                                 .read_only = inv->read_only,
                                 .typed = has_option ? option_text(inv, "confirm") : NULL,
                                 .action = action};
    enum confirm_answer answer = confirm_check(&q, err);
    if (answer != CONFIRM_ASK || inv->json || isatty(STDIN_FILENO) == 0 ||
        isatty(STDERR_FILENO) == 0)
        return answer == CONFIRM_GO;
    return ask(&q, err);
}
