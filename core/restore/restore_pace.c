#include "core/restore/restore_pace.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/base/detector.h"
#include "core/redis/command.h"
#include "core/redis/info.h"
#include "core/restore/restore_lag.h"
#include "core/restore/restore_worker.h"

#define LOOK_MS 1000      /* a look is good for that long */
#define ACK_WAIT_MS "50"  /* WAIT also makes replicas say at once how far they are */
#define OTHER_LOOKS_MS 10 /* between two glances while another worker looks */
#define SLOW_LOOK_MS 50   /* between two looks while a replica is waited for */
#define BATCH_PART 8      /* of the room with nothing outstanding: workers may enter at once */

/* One primary. room and most are as of the last look; bytes entered and left since come off. */
struct row {
    char owner[CLUSTER_ID_MAX];
    char addr[300];     /* of the owner, for people */
    struct lag_row lag; /* the looking worker's */
    int64_t room, most;
    int64_t under_way; /* entered, not left */
    int64_t finished;  /* left since the last look began */
    int64_t looked_ms;
    int64_t evicted; /* when this owner was first seen; -1: not known */
    size_t online;
    bool looking;
    bool waiting;
};

struct restore_pace {
    const struct restore_plan *plan;
    struct task *task;
    struct cancel cancel;
    int64_t patience_ms;
    pthread_mutex_t lock; /* guards the rows, but for row.lag */
    struct row *rows;
};

struct restore_pace *restore_pace_new(const struct restore_plan *plan,
                                      const struct redis_options *target, struct task *task)
{
    struct restore_pace *p = mem_zero(1, sizeof(*p));

    p->plan = plan;
    p->task = task;
    p->cancel = target->cancel;
    p->patience_ms = target->outage_timeout_ms > 0 ? target->outage_timeout_ms : RESTORE_OUTAGE_MS;
    p->rows = mem_zero(plan->node_count, sizeof(*p->rows));
    pthread_mutex_init(&p->lock, NULL);
    for (size_t i = 0; i < plan->node_count; i++)
        p->rows[i].most = lag_limits_safe(&lag_limits_default, 0);
    return p;
}

void restore_pace_free(struct restore_pace *p)
{
    if (p == NULL)
        return;
    pthread_mutex_destroy(&p->lock);
    free(p->rows);
    free(p);
}

size_t restore_pace_batch(struct restore_pace *p)
{
    int64_t least = LAG_MOST;

    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->plan->node_count; i++)
        least = p->rows[i].most < least ? p->rows[i].most : least;
    pthread_mutex_unlock(&p->lock);
    return (size_t)(least / BATCH_PART);
}

void restore_pace_enter(struct restore_pace *p, size_t row, uint64_t bytes)
{
    pthread_mutex_lock(&p->lock);
    p->rows[row].under_way += (int64_t)bytes;
    pthread_mutex_unlock(&p->lock);
}

void restore_pace_leave(struct restore_pace *p, size_t row, uint64_t bytes)
{
    pthread_mutex_lock(&p->lock);
    p->rows[row].under_way -= (int64_t)bytes;
    p->rows[row].finished += (int64_t)bytes;
    pthread_mutex_unlock(&p->lock);
}

/* ---- a look at one primary ------------------------------------------------------------------- */

/* What a look needs and finds; the row itself is only touched under the lock. */
struct look {
    struct lag_row *lag;
    struct lag_verdict verdict;
    int64_t evicted; /* counter now; -1 unknown */
    bool done;       /* the primary answered */
};

/* A primary that was not looked at before, or another one in its place. */
static void read_limits(struct conn *conn, struct lag_row *lag, struct error *why)
{
    const struct reply *r;

    *lag = (struct lag_row){.limits = lag_limits_default};
    if (!conn_call(conn, COMMAND(STR("CONFIG"), STR("GET"), STR("client-output-buffer-limit")), 0,
                   &r, why))
        return;
    if (r->type == REPLY_ARRAY && r->count == 2 && r->elements[1].type == REPLY_STRING &&
        !lag_limits_parse(r->elements[1].str, &lag->limits))
        lag->limits = lag_limits_default;
}

/* Replicas report once a second of their own accord; WAIT asks them, and ends as soon as they have
 * all that this connection wrote. Where it is refused the reports come as they come. */
static bool ask_replicas(struct conn *conn, size_t online, struct error *why)
{
    const struct reply *r;
    char n[24];
    int len = snprintf(n, sizeof(n), "%zu", online);

    return online == 0 ||
           conn_call(conn, COMMAND(STR("WAIT"), ((struct str){n, (size_t)len}), STR(ACK_WAIT_MS)),
                     0, &r, why);
}

static bool read_info(struct conn *conn, const char *section, struct info *info,
                      const struct reply **r, struct error *why)
{
    if (!conn_call(conn, COMMAND(STR("INFO"), str_from(section)), 0, r, why) ||
        (*r)->type != REPLY_STRING)
        return false;
    info_parse(info, (*r)->str);
    return true;
}

static void look_at(struct restore_pace *p, struct conn *conn, size_t online, struct look *look)
{
    struct error why = {0};
    const struct reply *r;
    struct info info;

    if (!look->lag->begun)
        read_limits(conn, look->lag, &why);
    if (conn_state(conn) != CONN_READY || !ask_replicas(conn, online, &why) ||
        !read_info(conn, "stats", &info, &r, &why))
        return;
    look->evicted = info.evicted_keys;
    if (!read_info(conn, "replication", &info, &r, &why) || info.role != INFO_ROLE_PRIMARY)
        return;
    lag_look(look->lag, &info, p->patience_ms, clock_mono_ms(), &look->verdict);
    look->done = true;
}

/* ---- what follows from it -------------------------------------------------------------------- */

static void say_waiting(struct restore_pace *p, size_t row, const char *replica)
{
    char word[LAG_NAME + 24];

    p->rows[row].waiting = replica != NULL;
    (void)snprintf(word, sizeof(word), "waiting for replica %s", replica == NULL ? "" : replica);
    task_row_state(p->task, row, replica == NULL ? "" : word);
}

/* Servers that evict while we write throw away what was just restored. */
static bool check_evicted(struct row *row, int64_t now, struct error *err)
{
    if (!DETECTOR_EVICTED || now < 0)
        return true;
    if (row->evicted < 0 || now < row->evicted)
        row->evicted = now; /* not known before, or its counters were reset */
    return now == row->evicted ||
           error_set(err, ERROR_STORAGE, 0,
                     "%s evicted %" PRId64 " keys to make room: what was restored is being thrown "
                     "away",
                     row->addr, now - row->evicted);
}

/* Under the lock; the owner has answered as a primary. One that is not in the plan has taken the
 * row over; one that has a row of its own is only the new owner of some slot. */
static void call_by_owner(struct restore_pace *p, size_t i)
{
    const struct row *row = &p->rows[i];
    bool elsewhere = false;

    for (size_t n = 0; n < p->plan->node_count; n++)
        elsewhere = elsewhere || (n != i && strcmp(row->owner, p->plan->nodes[n].id) == 0);
    if (!elsewhere)
        task_row_name(p->task, i, row->addr);
}

/* Under the lock. */
static bool take_look(struct restore_pace *p, size_t i, const struct look *look, int64_t finished,
                      uint64_t bytes, struct error *err)
{
    struct row *row = &p->rows[i];
    const struct lag_verdict *v = &look->verdict;

    row->looking = false;
    row->looked_ms = clock_mono_ms();
    row->finished -= finished;
    if (!look->done) {
        row->room = row->most;
        row->online = 0;
        return true;
    }
    call_by_owner(p, i);
    row->room = v->room;
    row->most = v->most;
    row->online = v->online;
    if (v->waiting != LAG_NOBODY && v->room - row->finished - row->under_way < (int64_t)bytes &&
        v->room < v->most / 2)
        say_waiting(p, i, row->lag.replicas[v->waiting].name);
    return check_evicted(row, look->evicted, err);
}

/* Under the lock: another node than at the last look. */
static void turn_to(struct row *row, const struct cluster_node *owner,
                    const struct restore_node *planned)
{
    (void)str_copy(str_from(owner->id), row->owner, sizeof(row->owner));
    (void)address_text(row->addr, sizeof(row->addr), &owner->address);
    row->lag.begun = false;
    row->online = 0;
    row->evicted = strcmp(owner->id, planned->id) == 0 ? planned->evicted : -1;
}

static bool look(struct restore_pace *p, const struct restore_pace_turn *turn, struct error *err)
{
    struct row *row = &p->rows[turn->row];
    const struct cluster_node *owner = cluster_owner(turn->cluster, turn->slot);
    struct look look = {.lag = &row->lag, .evicted = -1};
    struct error why = {0};
    struct conn *conn = NULL;
    char addr[sizeof(row->addr)];
    int64_t finished;
    size_t online = 0;
    bool ok;

    pthread_mutex_lock(&p->lock);
    if (owner != NULL && strcmp(owner->id, row->owner) != 0)
        turn_to(row, owner, &p->plan->nodes[turn->row]);
    finished = row->finished;
    /* Only where room runs short is a fresh report worth the wait. */
    if (row->waiting || row->finished + row->under_way + (int64_t)turn->bytes > row->room / 2)
        online = row->online;
    pthread_mutex_unlock(&p->lock);
    if (owner != NULL)
        conn = cluster_node_conn(turn->cluster, owner->id, &why);
    if (conn != NULL)
        look_at(p, conn, online, &look);
    pthread_mutex_lock(&p->lock);
    ok = take_look(p, turn->row, &look, finished, turn->bytes, err);
    memcpy(addr, row->addr, sizeof(addr));
    pthread_mutex_unlock(&p->lock);
    if (look.verdict.note[0] != '\0')
        task_note(p->task, TASK_WARN, "%s: %s", addr, look.verdict.note);
    return ok;
}

/* ---- waiting --------------------------------------------------------------------------------- */

enum turn { GO, LOOK, OTHER_LOOKS };

static enum turn next_turn(struct restore_pace *p, const struct restore_pace_turn *turn,
                           bool *waiting)
{
    struct row *row = &p->rows[turn->row];
    enum turn next = LOOK;
    int64_t used;

    pthread_mutex_lock(&p->lock);
    used = row->finished + row->under_way;
    *waiting = row->waiting;
    if (row->looked_ms != 0 && clock_mono_ms() - row->looked_ms < LOOK_MS &&
        (row->room - used >= (int64_t)turn->bytes || (used == 0 && row->room >= row->most / 2))) {
        next = GO;
        if (row->waiting)
            say_waiting(p, turn->row, NULL);
    } else if (row->looking) {
        next = OTHER_LOOKS;
    } else {
        row->looking = true;
    }
    pthread_mutex_unlock(&p->lock);
    return next;
}

bool restore_pace_wait(struct restore_pace *p, const struct restore_pace_turn *turn,
                       struct error *err)
{
    for (unsigned looks = 0;;) {
        bool waiting = false;
        enum turn next;

        if (!task_checkpoint(p->task, err))
            return false;
        if (atomic_load(turn->stop))
            return error_set(err, ERROR_CANCELLED, 0, "another worker stopped");
        next = next_turn(p, turn, &waiting);
        if (next == GO)
            return true;
        if (next == LOOK && !look(p, turn, err))
            return false;
        if (next == LOOK && looks++ == 0)
            continue;
        if (!cancel_sleep(&p->cancel, next == LOOK && waiting ? SLOW_LOOK_MS : OTHER_LOOKS_MS, err))
            return false;
    }
}
