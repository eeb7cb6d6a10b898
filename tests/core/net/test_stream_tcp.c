/*
 * test_stream_tcp.c - TCP streams, names that are looked up without blocking, and back-off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/net/backoff.h"
#include "core/net/resolve.h"
#include "core/net/stream_tcp.h"

static int listen_on(int family, uint16_t *port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool six = family == AF_INET6;
    struct sockaddr *a = six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
    socklen_t len = six ? sizeof(v6) : sizeof(v4);
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, a, len) != 0 || listen(fd, 4) != 0 || getsockname(fd, a, &len) != 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *port = ntohs(six ? v6.sin6_port : v4.sin_port);
    return fd;
}

static enum stream_status connect_all(struct stream *s, struct error *err)
{
    int64_t deadline = clock_after(10000);
    enum stream_status status;
    while ((status = stream_connect(s, err)) == STREAM_WAIT)
        assert_true(stream_wait(s, false, deadline));
    return status;
}

static void check_talk(const char *host, int family)
{
    uint16_t port = 0;
    int listener = listen_on(family, &port);
    if (listener < 0)
        skip(); /* no IPv6 on this machine */
    struct address a;
    struct error err = {0};
    char bytes[8];
    size_t n = 0;
    assert_true(address_set(&a, str_from(host), port));
    struct stream *s = stream_tcp_open(&a);
    if (connect_all(s, &err) != STREAM_OK)
        fail_msg("%s", err.text);
    int peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    assert_int_equal(stream_read(s, bytes, sizeof(bytes), &n, &err), STREAM_WAIT);
    assert_int_equal(stream_write(s, "ping", 4, &n, &err), STREAM_OK);
    assert_int_equal(read(peer, bytes, sizeof(bytes)), 4);
    assert_int_equal(write(peer, "pong!", 5), 5);
    assert_true(stream_wait(s, false, clock_after(5000)));
    assert_int_equal(stream_read(s, bytes, sizeof(bytes), &n, &err), STREAM_OK);
    assert_int_equal(n, 5);
    close(peer);
    assert_true(stream_wait(s, false, clock_after(5000)));
    assert_int_equal(stream_read(s, bytes, sizeof(bytes), &n, &err), STREAM_CLOSED);
    stream_close(s);
    close(listener);
}

static void tcp_talks_over_ipv4(void **state)
{
    (void)state;
    check_talk("127.0.0.1", AF_INET);
}

static void tcp_talks_over_ipv6(void **state)
{
    (void)state;
    check_talk("::1", AF_INET6);
}

/* "localhost" may be ::1 first, where nobody listens: the next address is tried. */
static void tcp_tries_every_address_of_a_name(void **state)
{
    (void)state;
    check_talk("localhost", AF_INET);
}

static void tcp_names_the_address_that_refused(void **state)
{
    uint16_t port = 0;
    int listener = listen_on(AF_INET, &port);
    struct address a;
    struct error err = {0};
    char text[ADDRESS_TEXT_MAX];
    (void)state;
    close(listener);
    assert_true(address_set(&a, STR("127.0.0.1"), port));
    struct stream *s = stream_tcp_open(&a);
    assert_int_equal(connect_all(s, &err), STREAM_FAILED);
    assert_int_equal(err.code, ERROR_UNREACHABLE);
    assert_int_equal(err.detail, ECONNREFUSED);
    assert_non_null(strstr(err.text, address_text(text, sizeof(text), &a)));
    stream_close(s);
}

static void a_name_that_does_not_exist_is_an_error(void **state)
{
    struct address a;
    struct error err = {0};
    (void)state;
    assert_true(address_set(&a, STR("no-such-host.invalid"), 6379));
    int64_t start = clock_mono_ms();
    struct stream *s = stream_tcp_open(&a);
    (void)stream_connect(s, &err);
    assert_true(clock_mono_ms() - start < 500);
    stream_close(s); /* abandoned while the lookup may still run */
    s = stream_tcp_open(&a);
    enum stream_status status;
    int64_t deadline = clock_after(60000);
    while ((status = stream_connect(s, &err)) == STREAM_WAIT && clock_mono_ms() < deadline)
        (void)stream_wait(s, false, deadline);
    assert_int_equal(status, STREAM_FAILED);
    assert_int_equal(err.code, ERROR_UNREACHABLE);
    assert_non_null(strstr(err.text, "no-such-host.invalid"));
    stream_close(s);
}

static void endpoints_print_as_addresses(void **state)
{
    struct address a;
    struct endpoints e;
    char text[ADDRESS_TEXT_MAX];
    (void)state;
    assert_true(address_set(&a, STR("::1"), 7));
    assert_true(resolve_numeric(&a, &e));
    assert_int_equal(e.count, 1);
    assert_string_equal(endpoint_text(text, sizeof(text), &e.items[0]), "[::1]:7");
    assert_true(address_set(&a, STR("localhost"), 7));
    assert_false(resolve_numeric(&a, &e));
}

static bool always(void *arg)
{
    (void)arg;
    return true;
}

static void backoff_ends_with_its_budget_and_names_the_cause(void **state)
{
    struct backoff b;
    struct error why;
    struct error err = {0};
    int64_t start = clock_mono_ms();
    (void)state;
    (void)error_set(&why, ERROR_UNREACHABLE, 5, "the cause");
    backoff_init(&b, 300);
    while (backoff_wait(&b, NULL, &why, &err))
        assert_true(clock_mono_ms() - start < 5000);
    assert_int_equal(err.code, ERROR_UNREACHABLE);
    assert_non_null(strstr(err.text, "the cause"));
    assert_in_range(clock_mono_ms() - start, 300, 4000);
    assert_in_range(b.attempts, 2, 12);
}

static void backoff_hears_cancel(void **state)
{
    struct cancel cancel = {.asked = always};
    struct backoff b;
    struct error why = {0};
    struct error err = {0};
    (void)state;
    backoff_init(&b, 60000);
    assert_false(backoff_wait(&b, &cancel, &why, &err));
    assert_int_equal(err.code, ERROR_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_talks_over_ipv4),
        cmocka_unit_test(tcp_talks_over_ipv6),
        cmocka_unit_test(tcp_tries_every_address_of_a_name),
        cmocka_unit_test(tcp_names_the_address_that_refused),
        cmocka_unit_test(a_name_that_does_not_exist_is_an_error),
        cmocka_unit_test(endpoints_print_as_addresses),
        cmocka_unit_test(backoff_ends_with_its_budget_and_names_the_cause),
        cmocka_unit_test(backoff_hears_cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
