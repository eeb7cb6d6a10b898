#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/array.h"
#include "core/base/attr.h"
#include "core/config/identity.h"
#include "core/config/identity_store.h"
#include "tests/harness/tmpdir.h"

/* One situation: environments of the config, what is remembered, what was seen. */
struct scene {
    struct environment envs[4];
    const struct environment *list[4];
    size_t env_count;
    struct identity_memories memories;
    struct identity_observed observed;
    struct identity_question question;
    struct identity_decision decision;
};

static void ids(struct cluster_identity *id, enum cluster_kind kind, const char *letters)
{
    cluster_identity_init(id, kind);
    for (; *letters != '\0'; letters++)
        cluster_identity_add(id, (char[]){*letters, '\0'});
}

static struct environment *environment(struct scene *s, const char *name, bool protected)
{
    struct environment *env = &s->envs[s->env_count];
    env->name = name;
    env->in_config = true;
    env->protected = protected;
    s->list[s->env_count++] = env;
    return env;
}

static void remember(struct scene *s, const char *name, const char *letters, bool protected)
{
    struct identity_memory m = {.environment = strdup(name), .protected = protected};
    ids(&m.identity, KIND_CLUSTER, letters);
    ARRAY_PUSH(s->memories.items, s->memories.count, s->memories.cap) = m;
}

/* Decide for `env` when the nodes turn out to be `letters`, announced on loopback or not. */
static const struct identity_decision *see(struct scene *s, const struct environment *env,
                                           const char *letters, bool loopback)
{
    cluster_identity_release(&s->observed.identity);
    ids(&s->observed.identity, KIND_CLUSTER, letters);
    s->observed.all_loopback = loopback;
    s->question =
        (struct identity_question){env, &s->memories, &s->observed, s->list, s->env_count};
    identity_decide(&s->question, &s->decision);
    return &s->decision;
}

static void end(struct scene *s)
{
    cluster_identity_release(&s->observed.identity);
    identity_memories_release(&s->memories);
}

static void a_cluster_stays_itself_while_one_node_is_shared(void **state)
{
    struct cluster_identity a;
    struct cluster_identity b;
    struct cluster_identity c;
    (void)state;
    ids(&a, KIND_CLUSTER, "cab");
    ids(&b, KIND_CLUSTER, "xcyy");
    ids(&c, KIND_CLUSTER, "xyz");
    assert_int_equal(b.count, 3);
    assert_string_equal(a.ids[0], "a");
    assert_true(cluster_identity_same(&a, &b));
    assert_true(cluster_identity_same(&b, &c));
    assert_false(cluster_identity_same(&a, &c));
    c.kind = KIND_SINGLE;
    assert_false(cluster_identity_same(&b, &c));
    cluster_identity_release(&a);
    cluster_identity_release(&b);
    cluster_identity_release(&c);
    assert_false(cluster_identity_same(&a, &a)); /* nothing is nothing's equal */
}

static void sentinels_need_the_same_master_name_too(void **state)
{
    struct cluster_identity a;
    struct cluster_identity b;
    (void)state;
    ids(&a, KIND_SENTINEL, "st");
    ids(&b, KIND_SENTINEL, "tu");
    cluster_identity_set_master(&a, "mymaster");
    cluster_identity_set_master(&b, "mymaster");
    assert_true(cluster_identity_same(&a, &b));
    cluster_identity_set_master(&b, "other");
    assert_false(cluster_identity_same(&a, &b));
    cluster_identity_release(&a);
    cluster_identity_release(&b);
}

static void the_first_meeting_is_remembered_with_the_configs_word(void **state)
{
    struct scene s = {0};
    struct environment *local = environment(&s, "local", false);
    struct environment *prd = environment(&s, "prd", true);
    const struct identity_decision *d;
    (void)state;
    d = see(&s, local, "abc", true);
    assert_int_equal(d->match, IDENTITY_FIRST);
    assert_false(d->protected || d->refused);
    assert_true(d->remember);
    d = see(&s, prd, "xyz", false);
    assert_int_equal(d->match, IDENTITY_FIRST);
    assert_true(d->protected && d->remember);
    assert_false(d->refused);
    end(&s);
}

static void a_tunnel_to_an_unknown_remote_cluster_is_protected(void **state)
{
    struct scene s = {0};
    struct environment *local = environment(&s, "local", false);
    (void)state;
    assert_true(see(&s, local, "abc", false)->protected);
    local->protected_given = true; /* "protected": false in so many words */
    assert_false(see(&s, local, "abc", false)->protected);
    end(&s);
}

static void nodes_given_for_one_run_get_the_protection_of_the_cluster_they_lead_to(void **state)
{
    struct scene s = {0};
    struct environment *local = environment(&s, "local", false);
    const struct identity_decision *d;
    (void)state;
    environment(&s, "prd", true);
    remember(&s, "prd", "xyz", true);
    remember(&s, "local", "abc", false);
    local->nodes_given = true;
    d = see(&s, local, "yz", true);
    assert_true(d->protected);
    assert_string_equal(d->known_as, "prd");
    assert_non_null(strstr(d->text, "\"prd\""));
    assert_false(d->remember);
    d = see(&s, local, "ab", true);
    assert_false(d->protected);
    assert_int_equal(d->match, IDENTITY_MATCHES);
    end(&s);
}

static void a_tunnel_of_an_unprotected_environment_gets_it_as_well(void **state)
{
    struct scene s = {0};
    struct environment *local = environment(&s, "local", false);
    (void)state;
    environment(&s, "prd", true);
    remember(&s, "prd", "xyz", true);
    local->protected_given = true;
    assert_true(see(&s, local, "zw", true)->protected);
    /* Even once "local" itself was remembered as that cluster. */
    remember(&s, "local", "zw", false);
    assert_true(see(&s, local, "zw", true)->protected);
    assert_string_equal(s.decision.known_as, "prd");
    end(&s);
}

static void the_memory_protects_where_this_config_does_not_know_the_environment(void **state)
{
    struct scene s = {0};
    struct environment *local = environment(&s, "local", false);
    (void)state;
    remember(&s, "prd", "xyz", true);
    assert_true(see(&s, local, "x", true)->protected);
    s.memories.items[0].protected = false;
    assert_false(see(&s, local, "x", true)->protected);
    end(&s);
}

static void the_configs_word_beats_what_was_remembered(void **state)
{
    struct scene s = {0};
    struct environment *dev = environment(&s, "dev", false);
    const struct identity_decision *d;
    (void)state;
    dev->protected_given = true;
    remember(&s, "dev", "abc", true);
    d = see(&s, dev, "abc", false);
    assert_int_equal(d->match, IDENTITY_MATCHES);
    assert_false(d->protected);
    end(&s);
}

static void a_protected_environment_that_became_another_cluster_refuses_changes(void **state)
{
    struct scene s = {0};
    struct environment *prd = environment(&s, "prd", true);
    const struct identity_decision *d;
    (void)state;
    remember(&s, "prd", "abc", true);
    d = see(&s, prd, "xyz", true);
    assert_int_equal(d->match, IDENTITY_DIFFERS);
    assert_true(d->protected && d->refused);
    assert_false(d->remember);
    assert_non_null(strstr(d->text, "doctor --fix"));
    end(&s);
}

static void nodes_given_under_a_protected_name_do_not_slip_through(void **state)
{
    struct scene s = {0};
    struct environment *prd = environment(&s, "prd", true);
    (void)state;
    remember(&s, "prd", "abc", true);
    prd->nodes_given = true;
    prd->protected = false; /* as -n 127.0.0.1:7001 makes it */
    assert_true(see(&s, prd, "xyz", true)->refused);
    assert_true(see(&s, prd, "abc", true)->protected);
    assert_false(s.decision.refused);
    end(&s);
}

static void an_unprotected_environment_may_move_and_says_so(void **state)
{
    struct scene s = {0};
    struct environment *dev = environment(&s, "dev", false);
    const struct identity_decision *d;
    (void)state;
    remember(&s, "dev", "abc", false);
    d = see(&s, dev, "xyz", true);
    assert_int_equal(d->match, IDENTITY_DIFFERS);
    assert_false(d->refused);
    assert_true(d->remember);
    assert_non_null(strstr(d->text, "another cluster than before"));
    end(&s);
}

static void seeing_nothing_keeps_every_protection(void **state)
{
    struct scene s = {0};
    struct environment *prd = environment(&s, "prd", true);
    struct environment *local = environment(&s, "local", false);
    (void)state;
    assert_int_equal(see(&s, prd, "", true)->match, IDENTITY_UNSEEN);
    assert_true(s.decision.protected);
    assert_false(s.decision.remember);
    s.question.observed = NULL;
    s.question.env = local;
    identity_decide(&s.question, &s.decision);
    assert_int_equal(s.decision.match, IDENTITY_UNSEEN);
    end(&s);
}

/* ---- the store ------------------------------------------------------------------------------- */

static void what_was_remembered_is_read_back(void **state)
{
    const char *dir = tmpdir_new();
    struct environment prd = {.name = "prd", .protected = true};
    struct environment ha = {.name = "ha"};
    struct identity_memories all;
    struct cluster_identity id;
    struct error err = {0};
    const struct identity_memory *m;
    (void)state;
    assert_true(identity_store_load(dir, &all, &err));
    assert_int_equal(all.count, 0);
    ids(&id, KIND_CLUSTER, "abc");
    assert_true(identity_store_remember(dir, &prd, &id, 1000, &err));
    cluster_identity_release(&id);
    ids(&id, KIND_SENTINEL, "s");
    cluster_identity_set_master(&id, "mymaster");
    assert_true(identity_store_remember(dir, &ha, &id, 2000, &err));
    assert_true(identity_store_remember(dir, &ha, &id, 3000, &err));
    assert_true(identity_store_load(dir, &all, &err));
    assert_int_equal(all.count, 2);
    m = identity_memory_find(&all, "prd");
    assert_true(m->protected);
    assert_int_equal(m->identity.count, 3);
    m = identity_memory_find(&all, "ha");
    assert_true(cluster_identity_same(&m->identity, &id));
    assert_int_equal(m->first_ms, 2000);
    assert_int_equal(m->last_ms, 3000);
    identity_memories_release(&all);
    assert_true(identity_store_forget(dir, "ha", &err));
    assert_true(identity_store_forget(dir, "never", &err));
    assert_true(identity_store_load(dir, &all, &err));
    assert_null(identity_memory_find(&all, "ha"));
    identity_memories_release(&all);
    cluster_identity_release(&id);
}

static void a_damaged_memory_is_an_error_and_never_an_empty_one(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"v\":2,\"environments\":{}}",
        "{\"v\":1}",
        "{\"v\":1,\"environments\":[]}",
        "{\"v\":1,\"environments\":{\"prd\":7}}",
        "{\"v\":1,\"environments\":{\"prd\":{\"kind\":\"cluster\",\"ids\":[\"a\"]}}}",
        "{\"v\":1,\"environments\":{\"prd\":{\"kind\":\"cluster\",\"protected\":true,\"ids\":[]}}}",
        "{\"v\":1,\"environments\":{\"prd\":{\"kind\":\"x\",\"protected\":true,\"ids\":[\"a\"]}}}",
        "{\"v\":1,\"environments\":{\"prd\":{\"kind\":\"single\",\"protected\":true,\"ids\":[1]}}}",
    };
    const char *dir = tmpdir_new();
    struct environment dev = {.name = "dev"};
    struct cluster_identity id;
    (void)state;
    ids(&id, KIND_CLUSTER, "a");
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct identity_memories all;
        struct error err = {0};
        char *left;
        tmpdir_write(tmpdir_path(dir, "identities.json"), texts[i], strlen(texts[i]));
        if (identity_store_load(dir, &all, &err))
            fail_msg("text %zu was accepted", i);
        assert_int_equal(all.count, 0);
        assert_non_null(strstr(err.text, "identities.json"));
        assert_false(identity_store_remember(dir, &dev, &id, 1, &err));
        left = tmpdir_read(tmpdir_path(dir, "identities.json"), NULL);
        assert_string_equal(left, texts[i]);
        free(left);
    }
    cluster_identity_release(&id);
}

static void processes_that_remember_at_once_lose_nothing(void **state)
{
    const char *dir = tmpdir_new();
    struct identity_memories all;
    struct error err = {0};
    pid_t pids[6];
    (void)state;
    for (size_t p = 0; p < COUNT_OF(pids); p++) {
        pids[p] = fork();
        if (pids[p] == 0) {
            bool ok = true;
            for (int i = 0; i < 5; i++) {
                char name[16];
                struct environment env = {.name = name};
                struct cluster_identity id;
                snprintf(name, sizeof(name), "e%zu-%d", p, i);
                ids(&id, KIND_CLUSTER, "abc");
                ok = ok && identity_store_remember(dir, &env, &id, 1, &err);
                cluster_identity_release(&id);
            }
            _exit(ok ? 0 : 1);
        }
    }
    for (size_t p = 0; p < COUNT_OF(pids); p++) {
        int status = -1;
        assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
        assert_int_equal(status, 0);
    }
    assert_true(identity_store_load(dir, &all, &err));
    assert_int_equal(all.count, 30);
    identity_memories_release(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_stays_itself_while_one_node_is_shared),
        cmocka_unit_test(sentinels_need_the_same_master_name_too),
        cmocka_unit_test(the_first_meeting_is_remembered_with_the_configs_word),
        cmocka_unit_test(a_tunnel_to_an_unknown_remote_cluster_is_protected),
        cmocka_unit_test(nodes_given_for_one_run_get_the_protection_of_the_cluster_they_lead_to),
        cmocka_unit_test(a_tunnel_of_an_unprotected_environment_gets_it_as_well),
        cmocka_unit_test(the_memory_protects_where_this_config_does_not_know_the_environment),
        cmocka_unit_test(the_configs_word_beats_what_was_remembered),
        cmocka_unit_test(a_protected_environment_that_became_another_cluster_refuses_changes),
        cmocka_unit_test(nodes_given_under_a_protected_name_do_not_slip_through),
        cmocka_unit_test(an_unprotected_environment_may_move_and_says_so),
        cmocka_unit_test(seeing_nothing_keeps_every_protection),
        cmocka_unit_test(what_was_remembered_is_read_back),
        cmocka_unit_test(a_damaged_memory_is_an_error_and_never_an_empty_one),
        cmocka_unit_test(processes_that_remember_at_once_lose_nothing),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
