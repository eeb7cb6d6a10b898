#include <stdio.h>
#include <string.h>

#include "views/app.h"
#include "views/registry.h"

/* The first minute: nothing is configured, so ask for one address. Also what :setup shows later. */

struct setup_state {
    struct app *app;
    struct ui *ui;
};

static const char *check_seed(struct str value)
{
    struct error err;

    return environment_check_node(value, &err) ? NULL : "want host:port, such as 127.0.0.1:7001";
}

static const struct form_field fields[] = {
    {.id = "seed",
     .label = "Address of any node",
     .help = "host:port of one node of the cluster, or of a single server. The others are found.",
     .required = true,
     .check = check_seed},
    {.id = "user", .label = "ACL user", .help = "Leave it empty for the default user."},
    {.id = "password",
     .label = "Password file",
     .kind = FIELD_PATH,
     .help = "A file that holds the password and that only you can read. Empty: no password."},
    {.id = "tls", .label = "Use TLS", .kind = FIELD_CHECK, .help = "Certificates are verified."},
    {.id = "ca",
     .label = "CA file",
     .kind = FIELD_PATH,
     .help = "The authority to trust, in PEM form. Empty: those of the system."},
    {0},
};

static const struct form_spec spec = {
    .title = "Which cluster?", .accept = "Connect", .fields = fields};

static bool connect_now(void *owner, const struct form *form, struct error *err UNUSED)
{
    static const struct {
        const char *field, *option;
    } texts[] = {{"seed", "--nodes"},
                 {"user", "--user"},
                 {"password", "--password-file"},
                 {"ca", "--cacert"}};
    struct setup_state *s = owner;
    const char *args[2 * COUNT_OF(texts) + 2];
    char values[COUNT_OF(texts)][LINEEDIT_MAX];
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (form_value(form, texts[i].field).len > 0) {
            (void)str_copy(form_value(form, texts[i].field), values[i], sizeof(values[i]));
            args[n++] = texts[i].option;
            args[n++] = values[i];
        }
    if (form_checked(form, "tls"))
        args[n++] = "--tls";
    args[n] = NULL;
    app_restart(s->app, args);
    return true;
}

static bool ask(void *state, struct str arg UNUSED, struct error *err UNUSED)
{
    struct setup_state *s = state;

    (void)ui_form(s->ui, &(struct ui_form){.spec = &spec, .accepted = connect_now, .owner = state});
    return true;
}

static bool open_setup(void *state, const struct view_context *at, struct error *err)
{
    struct setup_state *s = state;

    s->ui = at->ui;
    s->app = at->app;
    return s->app->env != NULL || ask(state, (struct str){"", 0}, err);
}

static void draw(const void *state, struct canvas *c, struct rect at, enum view_layout layout)
{
    const struct setup_state *s = state;
    struct rect in =
        layout == LAYOUT_STRIP ? at : rect_inset(canvas_box(c, at, ROLE_FOCUS, "Set-up", NULL), 1);
    const char *path = config_path(s->app->config);

    if (s->app->env == NULL)
        (void)canvas_print(c, rect_row(in, 0), ROLE_WARN,
                           "Nothing is configured yet: Enter asks for the address of a node.");
    else
        (void)canvas_format(c, rect_row(in, 0), ROLE_TEXT, "Environment: %s", s->app->env->name);
    (void)canvas_format(c, rect_row(in, 1), ROLE_TEXT, "Config file: %s",
                        path != NULL ? path : "none; looked for it in");
    for (size_t i = 0; path == NULL && i < config_tried_count(s->app->config); i++)
        (void)canvas_format(c, rect_row(in, 2 + (int)i), ROLE_DIM, "  %s",
                            config_tried_at(s->app->config, i));
    (void)canvas_format(c, rect_row(in, in.h - 2), ROLE_TEXT, "State: %s",
                        s->app->state_dir != NULL ? s->app->state_dir : s->app->state_error.text);
    (void)canvas_print(c, rect_row(in, in.h - 1), ROLE_DIM,
                       "rbconsole doctor prints every value and where it came from.");
}

static const struct action actions[] = {
    {"setup.connect", "Enter", "Connect", "Ask for the address of a cluster and connect to it.",
     .flags = ACTION_FOOTER, .run = ask},
    {0},
};

const struct view_ops setup_view = {
    .id = "setup",
    .title = "Set-up",
    .help = "Which cluster is watched, and where its configuration and state come from.",
    .state_size = sizeof(struct setup_state),
    .actions = actions,
    .open = open_setup,
    .draw = draw,
};
