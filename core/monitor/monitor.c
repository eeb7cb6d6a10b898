#include "core/monitor/monitor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/array.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/monitor/event_log.h"
#include "core/monitor/event_share.h"
#include "core/monitor/events_internal.h"
#include "core/monitor/monitor_internal.h"

#define INTERVAL_MS 1000
#define INTERVAL_LEAST_MS 100
#define DEAD_DELAY_MS 4000
#define PUBLISH_DELAY_MS 40 /* answers of one round come close together: one snapshot for them */
#define MESSAGES_RETRY_MS 1000
#define REPLY_BYTES_MAX ((size_t)16 << 20)

static int64_t interval_of(struct monitor *m)
{
    return atomic_load(&m->interval_ms);
}

static int64_t timeout_of(struct monitor *m)
{
    int64_t t = m->timeout_fixed ? m->timeout_ms : interval_of(m) * 2;

    if (m->timeout_fixed)
        return t;
    return t < 500 ? 500 : t > 2000 ? 2000 : t;
}

/* ---- events ---- */

/* Renumbered: the log holds events of several monitors, each with numbers of its own. */
static void keep_recent(struct monitor *m, const struct event *e)
{
    if (m->recent.count == SNAPSHOT_EVENTS) {
        memmove(m->recent.items, &m->recent.items[1],
                (SNAPSHOT_EVENTS - 1) * sizeof(*m->recent.items));
        m->recent.count--;
    }
    ARRAY_PUSH(m->recent.items, m->recent.count, m->recent.cap) = *e;
    m->recent.items[m->recent.count - 1].seq = ++m->told;
}

/* Remember and store what was told. A disk that fails must not stop the monitor: it is said once.
 */
static void flush_events(struct monitor *m, int64_t now)
{
    struct event_list shown = {0};
    struct error err;
    bool ok = true;

    m->share_ms = now + EVENT_SHARE_MS;
    if (m->share == NULL) {
        shown = m->fresh;
        m->fresh = (struct event_list){0};
    } else {
        event_share_set_interval(m->share, interval_of(m));
        ok = event_share_step(m->share, &m->fresh, &shown, &err);
    }
    if (!ok && !m->log_broken)
        log_write(LOG_LEVEL_ERROR, "monitor", "events are not stored: %s", err.text);
    m->log_broken = !ok;
    for (size_t i = 0; i < shown.count; i++)
        keep_recent(m, &shown.items[i]);
    m->dirty = m->dirty || shown.count > 0;
    event_list_release(&shown);
}

static void take_view(void *arg, struct target *t, struct topology *view)
{
    struct monitor *m = arg;

    events_take_view(m->events, str_from(t->name), view, clock_real_ms(), &m->fresh);
}

/* Modes are found out from the first answer that says one; who may not run INFO may run CLUSTER
 * INFO. */
static void learn_mode(struct monitor *m, const struct target *t)
{
    bool clustered = t->has_info ? t->info.cluster_enabled == 1 : t->clustered == 1;

    if (m->mode == REDIS_MODE_AUTO && (t->has_info || t->clustered >= 0))
        m->mode = clustered ? REDIS_MODE_CLUSTER : REDIS_MODE_SINGLE;
}

static const char *persistence_of(const struct info *i)
{
    if (str_is(i->last_aof_write_status, "err"))
        return "the last append-only write failed";
    if (str_is(i->last_bgsave_status, "err"))
        return "the last background save failed";
    if (str_is(i->last_aof_rewrite_status, "err"))
        return "the last append-only rewrite failed";
    return i->last_bgsave_status.len > 0 ? "ok" : "";
}

static const struct target *primary_of(const struct monitor *m, const struct target *t)
{
    const struct topology *view = events_agreed(m->events);
    char name[EVENT_NAME];

    if (m->mode == REDIS_MODE_CLUSTER) {
        uint16_t at = view == NULL ? TOPOLOGY_NONE : topology_find_id(view, str_from(t->id));

        if (at == TOPOLOGY_NONE || view->nodes[at].primary == TOPOLOGY_NONE)
            return NULL;
        return discover_find(m, view->nodes[view->nodes[at].primary].id.ptr);
    }
    if (t->info.role != INFO_ROLE_REPLICA || t->info.primary_port < 1 ||
        t->info.primary_port > 65535)
        return NULL;
    events_address(name, t->info.primary_host, (uint16_t)t->info.primary_port);
    return discover_find_name(m, name);
}

static void tell_facts(struct monitor *m, const struct target *t)
{
    const struct info *i = &t->info;
    const struct target *primary = primary_of(m, t);
    struct event_facts f = {.id = str_from(t->id),
                            .address = str_from(t->name),
                            .run_id = i->run_id,
                            .replid = i->replid,
                            .persistence = str_from(persistence_of(i)),
                            .offset = i->role == INFO_ROLE_PRIMARY ? i->primary_offset : -1,
                            .link = -1,
                            .loading = (int)i->loading,
                            .lag_ms = -1,
                            .lag_bytes = -1,
                            .cluster_state = t->cluster.state,
                            .current_epoch = t->cluster.current_epoch};

    if (i->role == INFO_ROLE_PRIMARY)
        f.role = NODE_ROLE_PRIMARY;
    if (i->role == INFO_ROLE_REPLICA) {
        f.role = NODE_ROLE_REPLICA;
        f.link = str_is(i->primary_link, "up") ? 1 : 0;
    }
    if (f.link == 1 && primary != NULL && primary->missed == 0) {
        f.lag_ms = target_lag_ms(primary, i->replica_offset, clock_mono_ms());
        f.lag_bytes = primary->info.primary_offset - i->replica_offset;
    }
    events_facts(m->events, &f, clock_real_ms(), &m->fresh);
}

/* ---- one target ---- */

static void finished(struct monitor *m, struct target *t, enum target_result result)
{
    int64_t delay = interval_of(m);
    int64_t now = clock_mono_ms();

    learn_mode(m, t);
    if (result == TARGET_DONE) {
        /* In a cluster a node is known by its id: its first view must have come. */
        if (t->has_info && !t->sentinel && m->mode != REDIS_MODE_AUTO &&
            (m->mode != REDIS_MODE_CLUSTER || strcmp(t->id, t->name) != 0))
            tell_facts(m, t);
        if (t->silent)
            events_silence(m->events, str_from(t->name), false, "", clock_real_ms(), &m->fresh);
        t->silent = false;
    } else {
        for (unsigned i = 2; i < t->missed && delay < DEAD_DELAY_MS; i++)
            delay *= 2;
        delay = delay > DEAD_DELAY_MS && interval_of(m) < DEAD_DELAY_MS ? DEAD_DELAY_MS : delay;
    }
    /* Keep to the rhythm: the answer's time must not add up. A poll from before the mode was known
     * asked too little: ask the rest at once. */
    t->next_ms += delay;
    if (result == TARGET_DONE && m->mode == REDIS_MODE_CLUSTER && t->asked_count == 1)
        t->next_ms = now;
    else if (t->next_ms < now + INTERVAL_LEAST_MS / 2)
        t->next_ms = now + (result == TARGET_DONE ? delay : INTERVAL_LEAST_MS);
    m->dirty = true;
}

static void begin_poll(struct monitor *m, struct target *t, size_t index)
{
    size_t rounds = m->target_count / VIEWS_PER_ROUND + 1;
    struct poll_plan plan = {.mode = m->mode,
                             .want_nodes = (t->polls + index) % rounds == 0,
                             .master_name = m->master_name,
                             .timeout_ms = (int)timeout_of(m)};

    target_begin(t, &plan);
}

static void check_silence(struct monitor *m, struct target *t, int64_t now)
{
    if (t->silent || t->polls == 0 || !build_is_stale(m, t, now))
        return;
    t->silent = true;
    events_silence(m->events, str_from(t->name), true,
                   t->error[0] != '\0' ? t->error : "no answer in time", clock_real_ms(),
                   &m->fresh);
    m->dirty = true;
}

/* A Sentinel's own messages: [pmessage, pattern, channel, payload]. */
static void read_messages(struct monitor *m, struct target *t, int64_t now)
{
    const struct reply *r;
    struct error ignored;

    if (conn_state(t->messages) == CONN_CLOSED) {
        if (now < t->messages_at)
            return;
        t->messages_at = now + MESSAGES_RETRY_MS;
        conn_start(t->messages);
        if (!conn_listen(t->messages, COMMAND(STR("PSUBSCRIBE"), STR("*")), &ignored))
            conn_close(t->messages);
    }
    conn_process(t->messages);
    while ((r = conn_receive(t->messages)) != NULL) {
        struct sentinel_event e;

        if (r->type != REPLY_ARRAY || r->count != 4 || !reply_is(&r->elements[0], "pmessage") ||
            r->elements[2].type != REPLY_STRING || r->elements[3].type != REPLY_STRING)
            continue;
        (void)sentinel_parse_event(r->elements[2].str, r->elements[3].str, &e);
        events_sentinel(m->events, str_from(t->name), &e, clock_real_ms(), &m->fresh);
    }
}

static void step_target(struct monitor *m, struct target *t, size_t index, int64_t now)
{
    const struct target_sink sink = {take_view, m};
    enum target_result result;

    if (!t->busy && now >= t->next_ms)
        begin_poll(m, t, index);
    result = target_process(t, &sink);
    if (result != TARGET_WAITS)
        finished(m, t, result);
    check_silence(m, t, now);
    if (t->messages != NULL)
        read_messages(m, t, now);
}

/* ---- the loop ---- */

static void publish(struct monitor *m, int64_t now)
{
    struct snapshot *s = build_snapshot(m);

    if (now >= m->round_ms) {
        m->round_ms = now + interval_of(m);
        m->round++;
        build_sample(m, s);
    }
    memcpy(s->series, m->series, sizeof(s->series));
    latest_publish(m->latest, s);
    m->dirty = false;
    m->publish_ms = now + PUBLISH_DELAY_MS;
}

static int64_t wait_until(const struct monitor *m, int64_t now)
{
    int64_t until = m->dirty ? m->publish_ms : m->round_ms;

    if (m->share != NULL && m->share_ms < until)
        until = m->share_ms;
    for (size_t i = 0; i < m->target_count; i++) {
        const struct target *t = m->targets[i];
        int64_t at = conn_deadline(t->conn);

        until = at < until ? at : until;
        if (!t->busy && t->next_ms < until)
            until = t->next_ms;
        if (t->messages != NULL) {
            at = conn_state(t->messages) == CONN_CLOSED ? t->messages_at
                                                        : conn_deadline(t->messages);
            until = at < until ? at : until;
        }
    }
    return until > now ? until : now;
}

static void add_poll(struct pollfd *fds, size_t *count, const struct conn *c)
{
    int fd = c == NULL ? -1 : conn_fd(c);

    if (fd >= 0)
        fds[(*count)++] = (struct pollfd){.fd = fd, .events = conn_events(c)};
}

static void wait_for_something(struct monitor *m)
{
    struct pollfd *fds = mem_alloc((m->target_count * 2 + 1) * sizeof(*fds));
    int64_t now = clock_mono_ms();
    size_t count = 0;
    uint64_t ignored;

    fds[count++] = (struct pollfd){.fd = m->wake_fd, .events = POLLIN};
    for (size_t i = 0; i < m->target_count; i++) {
        add_poll(fds, &count, m->targets[i]->conn);
        add_poll(fds, &count, m->targets[i]->messages);
    }
    if (poll(fds, (nfds_t)count, clock_left_ms(wait_until(m, now))) > 0 && fds[0].revents != 0 &&
        read(m->wake_fd, &ignored, sizeof(ignored)) < 0)
        log_write(LOG_LEVEL_DEBUG, "monitor", "woken without a reason");
    free(fds);
}

static void step(struct monitor *m)
{
    int64_t now = clock_mono_ms();

    if (atomic_exchange(&m->refresh, false))
        for (size_t i = 0; i < m->target_count; i++)
            m->targets[i]->next_ms = now;
    for (size_t i = 0; i < m->target_count; i++)
        step_target(m, m->targets[i], i, now);
    now = clock_mono_ms();
    if (m->share != NULL && now >= m->share_ms)
        flush_events(m, now);
    if (!m->dirty && now < m->round_ms)
        return;
    if (m->dirty && now < m->publish_ms)
        return;
    discover_targets(m);
    events_tick(m->events, clock_real_ms(), &m->fresh);
    flush_events(m, now);
    publish(m, now);
}

static void *run(void *arg)
{
    struct monitor *m = arg;

    while (!atomic_load(&m->stop)) {
        step(m);
        wait_for_something(m);
    }
    return NULL;
}

/* ---- from outside ---- */

static void wake(struct monitor *m)
{
    static const uint64_t one = 1;

    if (write(m->wake_fd, &one, sizeof(one)) < 0)
        return; /* the counter is full: it is awake */
}

static void release(struct monitor *m)
{
    for (size_t i = 0; i < m->target_count; i++)
        target_free(m->targets[i]);
    free(m->targets);
    events_free(m->events);
    event_list_release(&m->fresh);
    event_list_release(&m->recent);
    event_share_free(m->share);
    latest_free(m->latest);
    if (m->wake_fd >= 0)
        (void)close(m->wake_fd);
    free(m->event_log);
    free(m->master_name);
    free(m);
}

/* Events of an earlier console are shown too: they happened in this environment. */
static void load_recent(struct monitor *m)
{
    struct error err;

    if (m->event_log == NULL)
        return;
    if (!event_log_read(m->event_log, SNAPSHOT_EVENTS, &m->recent, NULL, &err))
        log_write(LOG_LEVEL_WARN, "monitor", "earlier events cannot be read: %s", err.text);
    m->share = event_share_new(m->event_log, interval_of(m));
    for (size_t i = 0; i < m->recent.count; i++)
        m->recent.items[i].seq = ++m->told;
}

static struct monitor *prepare(const struct monitor_options *o)
{
    struct monitor *m = mem_zero(1, sizeof(*m));
    int64_t interval = o->interval_ms > 0 ? o->interval_ms : INTERVAL_MS;

    m->redis = o->redis;
    m->mode = o->redis->mode;
    m->timeout_fixed = o->timeout_ms > 0;
    m->timeout_ms = o->timeout_ms;
    m->limits = o->limits.lag_warn_ms == 0 ? HEALTH_LIMITS_DEFAULT : o->limits;
    m->event_log = mem_copy_text(o->event_log);
    m->master_name =
        mem_copy_text(o->redis->master_name != NULL ? o->redis->master_name : "mymaster");
    atomic_init(&m->interval_ms, interval < INTERVAL_LEAST_MS ? INTERVAL_LEAST_MS : interval);
    m->conn = redis_options_conn(o->redis);
    m->sentinel_conn = redis_options_sentinel_conn(o->redis);
    m->conn.connect_timeout_ms = m->sentinel_conn.connect_timeout_ms = (int)timeout_of(m);
    m->conn.command_timeout_ms = m->sentinel_conn.command_timeout_ms = (int)timeout_of(m);
    m->conn.max_bytes = m->sentinel_conn.max_bytes = REPLY_BYTES_MAX;
    m->events = events_new(&(struct events_options){.lag_warn_ms = m->limits.lag_warn_ms});
    m->started_ms = clock_mono_ms();
    return m;
}

static bool start_thread(struct monitor *m, struct error *err)
{
    sigset_t all;
    sigset_t before;
    int code;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before); /* inherited: signals go to the main thread */
    code = pthread_create(&m->thread, NULL, run, m);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code == 0 || error_set_errno(err, ERROR_INTERNAL, code, "start the monitor thread");
}

struct monitor *monitor_start(const struct monitor_options *options, struct error *err)
{
    struct monitor *m;

    if (options->redis->mode == REDIS_MODE_SENTINEL ? options->redis->sentinel_count == 0
                                                    : options->redis->seed_count == 0) {
        (void)error_set(err, ERROR_CONFIG, 0, "no node to begin with: name one with --nodes");
        return NULL;
    }
    m = prepare(options);
    m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    m->latest = latest_new(err);
    if (m->latest == NULL || m->wake_fd < 0) {
        (void)error_set_errno(err, ERROR_INTERNAL, errno, "eventfd");
        release(m);
        return NULL;
    }
    discover_seeds(m);
    load_recent(m);
    m->publish_ms = m->round_ms = clock_mono_ms() + interval_of(m);
    latest_publish(m->latest, build_snapshot(m));
    if (!start_thread(m, err)) {
        release(m);
        return NULL;
    }
    return m;
}

void monitor_stop(struct monitor *m)
{
    if (m == NULL)
        return;
    atomic_store(&m->stop, true);
    wake(m);
    (void)pthread_join(m->thread, NULL);
    release(m);
}

struct snapshot *monitor_snapshot(struct monitor *m)
{
    return latest_acquire(m->latest);
}

int monitor_fd(const struct monitor *m)
{
    return latest_fd(m->latest);
}

void monitor_take_notice(struct monitor *m)
{
    latest_take_notice(m->latest);
}

void monitor_refresh(struct monitor *m)
{
    atomic_store(&m->refresh, true);
    wake(m);
}

void monitor_set_interval(struct monitor *m, int64_t interval_ms)
{
    atomic_store(&m->interval_ms,
                 interval_ms < INTERVAL_LEAST_MS ? INTERVAL_LEAST_MS : interval_ms);
    wake(m);
}
