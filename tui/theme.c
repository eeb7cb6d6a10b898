#include "tui/theme.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "tui/theme_builtin.h"

#define THEME_FILE_MAX ((size_t)64 * 1024)

static const char *const role_names[ROLES] = {
    [ROLE_TEXT] = "text",
    [ROLE_DIM] = "dim",
    [ROLE_TITLE] = "title",
    [ROLE_HEADER] = "header",
    [ROLE_BADGE] = "badge",
    [ROLE_ARMED] = "armed",
    [ROLE_FOOTER] = "footer",
    [ROLE_KEY] = "key",
    [ROLE_BORDER] = "border",
    [ROLE_FOCUS] = "focus",
    [ROLE_SELECTED] = "selected",
    [ROLE_MARKED] = "marked",
    [ROLE_GOOD] = "good",
    [ROLE_WARN] = "warn",
    [ROLE_BAD] = "bad",
    [ROLE_UNKNOWN] = "unknown",
    [ROLE_INFO] = "info",
    [ROLE_INPUT] = "input",
    [ROLE_BAR] = "bar",
    [ROLE_DIALOG] = "dialog",
    [ROLE_DANGER] = "danger",
    [ROLE_MATCH] = "match",
    [ROLE_SHARD_0] = "shard1",
    [ROLE_SHARD_0 + 1] = "shard2",
    [ROLE_SHARD_0 + 2] = "shard3",
    [ROLE_SHARD_0 + 3] = "shard4",
    [ROLE_SHARD_0 + 4] = "shard5",
    [ROLE_SHARD_0 + 5] = "shard6",
    [ROLE_SHARD_0 + 6] = "shard7",
    [ROLE_SHARD_7] = "shard8",
};

const char *theme_role_name(enum role role)
{
    return role_names[role];
}

enum role theme_shard_role(size_t shard)
{
    return (enum role)(ROLE_SHARD_0 + shard % (ROLE_SHARD_7 - ROLE_SHARD_0 + 1));
}

const struct theme *theme_builtin(const char *name)
{
    for (size_t i = 0; i < THEME_BUILTINS; i++)
        if (strcmp(theme_builtins[i].name, name) == 0)
            return &theme_builtins[i];
    return NULL;
}

static bool read_color(const json_t *look, const char *side, int32_t *out, const char *where,
                       struct error *err)
{
    const char *text = json_text(look, side, NULL);
    int32_t value = 0;

    if (json_object_get(look, side) == NULL || (text != NULL && strcmp(text, "default") == 0)) {
        *out = THEME_COLOR_DEFAULT;
        return true;
    }
    if (text == NULL || text[0] != '#' || strlen(text) != 7)
        return error_set(err, ERROR_CONFIG, 0, "%s.%s: want \"#rrggbb\" or \"default\"", where,
                         side);
    for (size_t i = 1; i < 7; i++) {
        static const char digits[] = "0123456789abcdef";
        const char *at = strchr(digits, text[i] | 0x20);

        if (at == NULL || text[i] == '\0')
            return error_set(err, ERROR_CONFIG, 0, "%s.%s: \"%s\" is no colour", where, side, text);
        value = value * 16 + (int32_t)(at - digits);
    }
    *out = value;
    return true;
}

static bool read_attrs(const json_t *look, uint8_t *out, const char *where, struct error *err)
{
    static const struct {
        const char *name;
        uint8_t bit;
    } attrs[] = {{"bold", THEME_BOLD}, {"underline", THEME_UNDERLINE}, {"reverse", THEME_REVERSE}};
    const json_t *list = json_object_get(look, "attrs");

    *out = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        size_t k = 0;

        while (k < COUNT_OF(attrs) && (name == NULL || strcmp(attrs[k].name, name) != 0))
            k++;
        if (k == COUNT_OF(attrs))
            return error_set(err, ERROR_CONFIG, 0,
                             "%s.attrs: want \"bold\", \"underline\" or \"reverse\"", where);
        *out = (uint8_t)(*out | attrs[k].bit);
    }
    return true;
}

static bool role_find(const char *name, enum role *out)
{
    for (size_t i = 0; i < ROLES; i++)
        if (strcmp(role_names[i], name) == 0) {
            *out = (enum role)i;
            return true;
        }
    return false;
}

static bool unknown_role(const char *path, const char *name, struct error *err)
{
    size_t best = 4;
    const char *near = NULL;

    for (size_t i = 0; i < ROLES; i++) {
        size_t d = str_distance(str_from(name), str_from(role_names[i]), best);

        if (d < best) {
            best = d;
            near = role_names[i];
        }
    }
    return error_set(err, ERROR_CONFIG, 0, "%s: no role is called \"%s\"%s%s%s", path, name,
                     near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
                     near != NULL ? "\"?" : "");
}

static bool read_theme(struct theme *out, const char *path, const json_t *doc, struct error *err)
{
    void *at;

    if (!json_is_object(doc))
        return error_set(err, ERROR_CONFIG, 0, "%s: want an object of roles", path);
    for (at = json_object_iter(json_object_get(doc, "roles")); at != NULL;
         at = json_object_iter_next(json_object_get(doc, "roles"), at)) {
        const char *name = json_object_iter_key(at);
        const json_t *look = json_object_iter_value(at);
        char where[300];
        enum role role;

        if (!role_find(name, &role))
            return unknown_role(path, name, err);
        (void)snprintf(where, sizeof(where), "%s: %s", path, name);
        if (!read_color(look, "fg", &out->look[role].fg, where, err) ||
            !read_color(look, "bg", &out->look[role].bg, where, err) ||
            !read_attrs(look, &out->look[role].attrs, where, err))
            return false;
    }
    return true;
}

/* Roles that a file leaves out look as in the built-in theme that it names as "base". */
static bool load_file(struct theme *out, const char *path, const char *name, struct error *err)
{
    json_t *doc = json_read_file(path, THEME_FILE_MAX, err);
    const struct theme *base;
    bool ok;

    if (doc == NULL)
        return false;
    base = theme_builtin(json_text(doc, "base", "default"));
    if (base == NULL) {
        json_decref(doc);
        return error_set(err, ERROR_CONFIG, 0, "%s: base is no built-in theme", path);
    }
    *out = *base;
    (void)str_copy(str_from(name), out->name, sizeof(out->name));
    ok = read_theme(out, path, doc, err);
    json_decref(doc);
    return ok;
}

bool theme_load(struct theme *out, const char *dir, const char *name, struct error *err)
{
    const struct theme *known = theme_builtin(name);
    char *file;
    char *path;
    bool ok;

    if (known != NULL) {
        *out = *known;
        return true;
    }
    if (dir == NULL || strchr(name, '/') != NULL || name[0] == '.')
        return error_set(err, ERROR_CONFIG, 0,
                         "no theme \"%s\": try default, light, high-contrast or mono", name);
    file = mem_format("%s.json", name);
    path = file_join(dir, file);
    if (file_exists(path))
        ok = load_file(out, path, name, err);
    else
        ok = error_set(err, ERROR_CONFIG, 0, "no theme \"%s\": there is no %s", name, path);
    free(path);
    free(file);
    return ok;
}

char **theme_names(const char *dir, size_t *count)
{
    char **names = NULL;
    char **files = NULL;
    size_t cap = 0;
    size_t found = 0;
    struct error err;

    *count = 0;
    for (size_t i = 0; i < THEME_BUILTINS; i++)
        ARRAY_PUSH(names, *count, cap) = mem_copy_text(theme_builtins[i].name);
    if (dir == NULL || !file_list(dir, &files, &found, &err))
        return names;
    for (size_t i = 0; i < found; i++) {
        struct str s = str_from(files[i]);

        if (str_ends(s, ".json") && s.len > 5) {
            char *name = mem_copy_str(str_slice(s, 0, s.len - 5));

            if (theme_builtin(name) == NULL)
                ARRAY_PUSH(names, *count, cap) = name;
            else
                free(name);
        }
    }
    file_list_free(files, found);
    return names;
}

void theme_names_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

static int distance(int32_t a, int32_t b)
{
    int dr = (a >> 16 & 255) - (b >> 16 & 255);
    int dg = (a >> 8 & 255) - (b >> 8 & 255);
    int db = (a & 255) - (b & 255);

    return 2 * dr * dr + 4 * dg * dg + 3 * db * db;
}

/* The colours 0 to 15 as most terminals show them. */
static const int32_t basic[16] = {0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee, 0xcd00cd,
                                  0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00,
                                  0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff};

/* Colours 16 to 255: a cube of 6x6x6 and 24 greys. */
static int32_t extended(int number)
{
    static const int32_t level[6] = {0, 95, 135, 175, 215, 255};
    int n = number - 16;

    if (number >= 232)
        return (8 + 10 * (number - 232)) * 0x010101;
    return level[n / 36] << 16 | level[n / 6 % 6] << 8 | level[n % 6];
}

int theme_color(int32_t rgb, int colors)
{
    int first = colors >= 256 ? 16 : 0;
    int last = colors >= 256 ? 256 : colors >= 16 ? 16 : 8;
    int best = first;

    if (rgb == THEME_COLOR_DEFAULT || colors < 8)
        return -1;
    for (int i = first; i < last; i++) {
        int32_t other = i < 16 ? basic[i] : extended(i);
        int32_t held = best < 16 ? basic[best] : extended(best);

        if (distance(rgb, other) < distance(rgb, held))
            best = i;
    }
    return best;
}
