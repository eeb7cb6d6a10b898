/*
 * it_tls.c - the routing client on a cluster that speaks only TLS and wants a password.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "core/net/stream_tls.h"
#include "core/redis/cluster.h"
#include "tests/harness/lab.h"

struct site {
    struct lab *lab;
    struct address seed;
    struct secret password;
};

static struct redis_options options(const struct site *s, struct tls_context *tls)
{
    return (struct redis_options){.seeds = &s->seed,
                                  .seed_count = 1,
                                  .password = &s->password,
                                  .tls = tls,
                                  .outage_timeout_ms = 2000};
}

static void tls_cluster_is_found_and_used(void **state)
{
    const struct site *s = *state;
    struct error err = {0};
    struct tls_options t = {.ca_file = lab_ca_file(s->lab),
                            .cert_file = lab_cert_file(s->lab),
                            .key_file = lab_key_file(s->lab)};
    struct tls_context *tls = tls_context_new(&t, &err);
    if (tls == NULL)
        fail_msg("%s", err.text);
    struct redis_options o = options(s, tls);
    struct cluster *c = cluster_new(&o);
    const struct reply *r;
    if (!cluster_connect(c, false, &err))
        fail_msg("%s", err.text);
    char keys[][4] = {"a", "b", "c", "d", "e", "f"};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct str k = str_from(keys[i]);
        assert_true(cluster_call(c, k, COMMAND(STR("SET"), k, k), &r, &err));
        assert_true(reply_is(r, "OK"));
    }
    cluster_free(c);
    tls_context_free(tls);
}

static void check_refused(const struct site *s, const struct tls_options *t, enum error_code code,
                          const char *text)
{
    struct error err = {0};
    struct tls_context *tls = t == NULL ? NULL : tls_context_new(t, &err);
    assert_true(t == NULL || tls != NULL);
    struct redis_options o = options(s, tls);
    struct cluster *c = cluster_new(&o);
    assert_false(cluster_connect(c, false, &err));
    if (err.code != code || strstr(err.text, text) == NULL)
        fail_msg("%s: %s", error_code_name(err.code), err.text);
    cluster_free(c);
    tls_context_free(tls);
}

static void tls_problems_are_told_apart(void **state)
{
    const struct site *s = *state;
    struct tls_options unknown_ca = {0};
    struct tls_options wrong_name = {.ca_file = lab_ca_file(s->lab),
                                     .server_name = "other.example"};
    check_refused(s, &unknown_ca, ERROR_AUTH, "not trusted");
    check_refused(s, &wrong_name, ERROR_AUTH, "other.example");
    check_refused(s, NULL, ERROR_UNREACHABLE, "127.0.0.1");
}

static int start(void **state)
{
    static struct site s;
    struct error err;
    s.lab = lab_start(&(struct lab_options){.tls = true, .password = true, .replicas = -1});
    if (s.lab == NULL || !address_parse(str_from(lab_address(s.lab, 0)), 0, &s.seed, &err))
        return -1;
    secret_set(&s.password, str_from(lab_password(s.lab)));
    *state = &s;
    return 0;
}

static int stop(void **state)
{
    struct site *s = *state;
    secret_release(&s->password);
    lab_stop(s->lab);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_cluster_is_found_and_used),
        cmocka_unit_test(tls_problems_are_told_apart),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start, stop);
}
