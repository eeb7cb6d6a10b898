#include "tests/engine/fixture_backup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/redis/slot.h"
#include "tests/harness/tmpdir.h"

struct error why;

void must(bool ok)
{
    if (!ok)
        print_error("%s\n", why.text);
    assert_true(ok);
}

void setting_init(struct setting *s, struct lab *lab)
{
    *s = (struct setting){.lab = lab, .dir = tmpdir_new()};
    must(address_parse(str_from(lab_address(lab, 0)), 0, &s->seeds[0], &why));
    s->redis = (struct redis_options){.seeds = s->seeds, .seed_count = 1};
    if (lab_nodes(lab) > 1)
        must(address_parse(str_from(lab_address(lab, 1)), 0, &s->seeds[s->redis.seed_count++],
                           &why));
    s->backup = (struct backup_options){
        .env = "local",
        .archive = {.id = ID, .dir = s->dir, .tree = true, .file = true},
    };
}

void setting_run(struct setting *s, struct task *task, struct backup_result *out)
{
    struct cluster *cluster = cluster_new(&s->redis);

    must(cluster_connect(cluster, true, &why));
    must(backup_run(cluster, &s->backup, task, out, &why));
    cluster_free(cluster);
}

/* Every line of every part that counts, read by jansson, not by our own codec: key -> list of
 * lines. Keys are text in these tests. */
static struct map *read_with(const struct setting *s, const struct manifest *m, size_t flags)
{
    struct map *keys = map_new();

    for (size_t i = 0; i < m->part_count; i++) {
        char *path = mem_format("%s/%s/%s", s->dir, ID, m->parts[i].name);
        char *text = tmpdir_read(path, NULL);
        char *rest = text;
        char *line;

        assert_non_null(text);
        while ((line = strsep(&rest, "\n")) != NULL) {
            json_t *doc = line[0] != '\0' ? json_loads(line, flags, NULL) : NULL;
            const char *key = json_string_value(json_object_get(doc, "key"));
            json_t *lines;

            if (line[0] == '\0')
                continue;
            if (doc == NULL)
                fail_msg("no JSON: %s", line);
            if (key == NULL || !manifest_counts(m, &m->parts[i], slot_of_key(str_from(key)))) {
                json_decref(doc);
                continue;
            }
            lines = map_get(keys, str_from(key));
            if (lines == NULL) {
                lines = json_array();
                (void)map_put(keys, str_from(key), lines);
            }
            json_array_append_new(lines, doc);
        }
        free(text);
        free(path);
    }
    return keys;
}

struct map *read_lines(const struct setting *s, const struct manifest *m)
{
    return read_with(s, m, JSON_REJECT_DUPLICATES);
}

struct map *read_lines_loosely(const struct setting *s, const struct manifest *m)
{
    return read_with(s, m, 0);
}

void free_lines(void *lines)
{
    json_decref(lines);
}

const json_t *only_line(struct map *keys, const char *key)
{
    const json_t *lines = map_get(keys, str_from(key));

    if (json_array_size(lines) != 1)
        fail_msg("%s has %zu lines", key, json_array_size(lines));
    return json_array_get(lines, 0);
}

void expect_key(struct map *keys, const char *key, const char *type, const char *value)
{
    const json_t *line = only_line(keys, key);
    char *text = json_dumps(json_object_get(line, "value"), JSON_COMPACT | JSON_ENCODE_ANY);

    assert_string_equal(json_string_value(json_object_get(line, "type")), type);
    assert_string_equal(text, value);
    assert_int_equal(json_integer_value(json_object_get(line, "slot")), slot_of_key(str_from(key)));
    free(text);
}

void cli(struct lab *lab, const char *const *argv)
{
    char *answer = lab_cli_routed(lab, argv[0], argv[1], argv[2], argv[3], argv[4], argv[5],
                                  argv[6], argv[7], NULL);

    assert_non_null(answer);
    if (strstr(answer, "ERR") != NULL)
        fail_msg("%s: %s", argv[0], answer);
    free(answer);
}
/* ---- a backup to disturb -----------------------------------------------------------------------
 */

static void *run_background(void *arg)
{
    struct background *b = arg;
    struct cluster *cluster = cluster_new(&b->s->redis);

    b->ok = cluster_connect(cluster, true, &b->err) &&
            backup_run(cluster, &b->s->backup, b->task, &b->done, &b->err);
    cluster_free(cluster);
    return NULL;
}

/* Slow enough to be met in the middle; true once the first part is on disk. */
bool start_slowly(struct background *b, struct setting *s)
{
    char *part = mem_format("%s/%s/keys/keys-part-0002.jsonl", s->dir, ID ".partial");
    int64_t deadline = clock_after(30000);
    bool there = false;

    if (s->backup.rate == 0)
        s->backup.rate = 6000;
    s->backup.chunk_keys = 300;
    *b = (struct background){.s = s, .task = task_new_plain()};
    assert_int_equal(pthread_create(&b->thread, NULL, run_background, b), 0);
    while (!there && clock_mono_ms() < deadline) {
        there = file_exists(part);
        clock_sleep_ms(10);
    }
    free(part);
    return there;
}

void expect_all_seeded(const struct setting *s, const struct manifest *m, size_t count)
{
    struct map *keys = read_lines(s, m);

    for (size_t i = 1; i <= count; i++) {
        char key[40];

        (void)snprintf(key, sizeof(key), "user:%zu", i);
        if (json_array_size(map_get(keys, str_from(key))) != 1)
            fail_msg("%s has %zu lines", key, json_array_size(map_get(keys, str_from(key))));
    }
    map_free(keys, free_lines);
}

void wait_for_end(struct background *b)
{
    assert_int_equal(pthread_join(b->thread, NULL), 0);
    if (!b->ok)
        print_error("%s\n", b->err.text);
    assert_true(b->ok);
}

void wait_for_failure(struct background *b, enum error_code code)
{
    assert_int_equal(pthread_join(b->thread, NULL), 0);
    assert_false(b->ok);
    assert_int_equal(b->err.code, code);
}

void background_release(struct background *b)
{
    backup_result_release(&b->done);
    task_free(b->task);
}

void cli_on(struct lab *lab, size_t node, const char *want, const char *const *argv)
{
    char *answer = lab_cli_argv(lab, node, argv);

    assert_non_null(answer);
    if (want != NULL && strncmp(answer, want, strlen(want)) != 0)
        fail_msg("%s %s: %s", argv[0], argv[1] != NULL ? argv[1] : "", answer);
    free(answer);
}
