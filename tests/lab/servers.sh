# servers.sh - the Redis, Valkey and Sentinel processes of a lab. Sourced.
#
# A node is known by its index: servers from 0 (primaries first, then the replicas of all shards,
# round by round), then the sentinels. node_find sets NODE, NODE_PORT, NODE_DIR, NODE_NAME, NODE_KIND.

servers_count() {
    echo $((SHARDS * (1 + REPLICAS)))
}

sentinels_count() {
    [ "$KIND" = sentinel ] && echo 3 || echo 0
}

node_set() { # INDEX
    local servers
    servers=$(servers_count)
    NODE=$1
    if [ "$1" -lt "$servers" ]; then
        NODE_KIND=server NODE_PORT=$((PORT + $1)) NODE_NAME="server $1 127.0.0.1:$NODE_PORT"
    else
        NODE_KIND=sentinel NODE_PORT=$(sentinel_port $(($1 - servers)))
        NODE_NAME="sentinel $1 127.0.0.1:$NODE_PORT"
    fi
    NODE_DIR=$DIR/node-$NODE_PORT
}

# The sentinels of a lab on the usual port have their own usual ports.
sentinel_port() { # 0..2
    if [ "$PORT" -lt 20000 ]; then echo $((26379 + PORT - 7001 + $1)); else echo $((PORT + 60 + $1)); fi
}

node_all() { # all indexes
    seq 0 $(($(servers_count) + $(sentinels_count) - 1))
}

node_find() { # INDEX|PORT
    local i
    for i in $(node_all); do
        node_set "$i"
        [ "$1" = "$i" ] || [ "$1" = "$NODE_PORT" ] || [ "$1" = "127.0.0.1:$NODE_PORT" ] || continue
        return 0
    done
    die "no node $1 here; tests/lab/lab status lists them"
}

# ---- configuration ------------------------------------------------------------------------------
# The rules of the roles: the smallest set that does the work.
ACL_CONNECT='+ping +hello +info +role +dbsize +time +select +client|setname +client|id
+client|setinfo +command|info +command|count +cluster|info +cluster|nodes +cluster|slots
+cluster|shards +cluster|myid +cluster|replicas +cluster|links'
ACL_MONITOR='resetkeys +config|get +slowlog|get +slowlog|len +latency|latest +latency|history
+memory|stats +memory|doctor'
ACL_READ='+cluster|countkeysinslot +cluster|getkeysinslot +client|no-touch +client|no-evict
+readonly +readwrite +asking +watch +unwatch +multi +exec +discard +scan +type +pttl +pexpiretime
+memory|usage +object|encoding +object|freq +object|idletime +strlen +get +getrange +llen +lrange
+scard +sscan +smembers +zcard +zscan +zrange +hlen +hscan +hgetall +hpexpiretime +xlen +xrange
+xinfo|stream +xinfo|groups +xinfo|consumers +xpending +dump +exists +function|list
+function|dump'
ACL_WRITE='+set +append +rpush +sadd +zadd +hset +hpexpireat +hpersist +xadd +xsetid +xtrim
+xdel +xclaim +xgroup|create +xgroup|createconsumer +xgroup|destroy +pexpireat +pexpire +persist
+unlink +del +rename +renamenx +restore +function|load +function|restore +wait'

# A server refuses to start when a rule names a command that it does not know.
acl_known() { # WORDS...
    local words=" $* " unknown
    case $FLAVOR in
    redis) unknown='+client|setinfo +client|no-touch +hpexpiretime +hpexpireat +hpersist' ;;
    valkey | valkey81) unknown='+hpexpiretime +hpexpireat +hpersist' ;;
    *) unknown= ;;
    esac
    for unknown in $unknown; do words=${words/ $unknown / }; done
    echo $words
}

acl_conf() {
    local secret
    secret=$(cat "$DIR/user.password")
    # shellcheck disable=SC2086
    {
        echo "user monitor on >$secret $(acl_known $ACL_MONITOR $ACL_CONNECT)"
        # Not %R~*: as a pattern, * does not match the empty key name.
        echo "user backup on >$secret ~* $(acl_known $ACL_CONNECT $ACL_READ)"
        echo "user restore on >$secret ~* $(acl_known $ACL_CONNECT $ACL_READ $ACL_WRITE)"
    }
}

listen_conf() {
    printf 'bind 127.0.0.1\nprotected-mode no\ndaemonize no\ndir %s\nlogfile %s/log\n' \
        "$NODE_DIR" "$NODE_DIR"
    if [ "$TLS" = 0 ]; then
        printf 'port %s\n' "$NODE_PORT"
        return
    fi
    printf 'port 0\ntls-port %s\ntls-cert-file %s/server.pem\ntls-key-file %s/server.key\n' \
        "$NODE_PORT" "$DIR/tls" "$DIR/tls"
    printf 'tls-ca-cert-file %s/ca.pem\ntls-auth-clients optional\ntls-replication yes\n' "$DIR/tls"
}

server_conf() {
    listen_conf
    # Data outlives a kill and a down/up: an append-only file, left to the kernel to write out.
    printf 'save ""\nappendonly yes\nappendfsync no\nenable-debug-command local\n'
    printf 'repl-diskless-sync-delay 0\nrepl-backlog-size 16mb\n'
    if [ "$PASSWORD" = 1 ]; then
        printf 'requirepass %s\nmasterauth %s\n' "$(cat "$DIR/password")" "$(cat "$DIR/password")"
    fi
    [ "$ACL" = 0 ] || acl_conf
    if [ "$KIND" = cluster ]; then
        printf 'cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-port %s\n' \
            "$(bus_port "$NODE")"
        printf 'cluster-node-timeout 2000\ncluster-require-full-coverage no\n'
        [ "$TLS" = 0 ] || printf 'tls-cluster yes\n'
    elif [ "$NODE" != 0 ]; then
        printf 'replicaof 127.0.0.1 %s\n' "$PORT"
    fi
}

bus_port() { # INDEX
    if [ "$PORT" -lt 20000 ]; then echo $((PORT + $1 + 10000)); else echo $((PORT + 100 + $1)); fi
}

sentinel_conf() {
    listen_conf
    printf 'sentinel monitor mymaster 127.0.0.1 %s 2\n' "$PORT"
    printf 'sentinel down-after-milliseconds mymaster 2000\n'
    printf 'sentinel failover-timeout mymaster 10000\nsentinel parallel-syncs mymaster 1\n'
    [ "$PASSWORD" = 1 ] || return 0
    local secret
    secret=$(cat "$DIR/password")
    printf 'sentinel auth-pass mymaster %s\nrequirepass %s\nsentinel sentinel-pass %s\n' \
        "$secret" "$secret" "$secret"
}

# ---- one node -----------------------------------------------------------------------------------
node_start() {
    local mode=()
    pid_gone "$NODE_DIR/pid" || return 0
    mkdir -p "$NODE_DIR"
    [ -s "$NODE_DIR/node.conf" ] || "${NODE_KIND}_conf" >"$NODE_DIR/node.conf"
    [ "$NODE_KIND" = server ] || mode=(--sentinel)
    (exec setsid "$LAB_ROOTS/bin/$FLAVOR-server" "$NODE_DIR/node.conf" "${mode[@]}") \
        >>"$NODE_DIR/out" 2>&1 </dev/null &
    pid_note $! "$NODE_DIR/pid"
}

# The flavour's own client, with what it needs to get in; the password goes by the environment.
node_client_exec() {
    local tls=()
    [ "$TLS" = 0 ] || tls=(--tls --cacert "$DIR/tls/ca.pem")
    if [ "$PASSWORD" = 1 ]; then
        REDISCLI_AUTH=$(cat "$DIR/password")
        VALKEYCLI_AUTH=$REDISCLI_AUTH
        export REDISCLI_AUTH VALKEYCLI_AUTH
    fi
    exec "$LAB_ROOTS/bin/$FLAVOR-cli" --no-auth-warning -h 127.0.0.1 -p "$NODE_PORT" "${tls[@]}" "$@"
}

node_client() {
    (node_client_exec "$@") 2>&1 </dev/null
}

node_answers() {
    ! pid_gone "$NODE_DIR/pid" || die "$NODE_NAME has died, see $NODE_DIR/log and $NODE_DIR/out"
    [ "$(node_client ping)" = PONG ]
}

node_wait_answer() {
    wait_for 30 node_answers || die "$NODE_NAME does not answer, see $NODE_DIR/log"
}

node_field() { # SECTION-COMMAND... NAME: the value of "NAME:value" in the answer
    local name=${*: -1}
    node_client "${@:1:$#-1}" | tr -d '\r' | sed -n "s/^$name://p" | head -1
}

pids_kill() { # SIGNAL FILE
    local pid
    pid=$(pid_of "$2") || return 0
    kill -"$1" "$pid" 2>/dev/null
    kill -CONT "$pid" 2>/dev/null
    return 0
}

node_signal() { # SIGNAL
    local pid
    pid=$(pid_of "$NODE_DIR/pid") || die "$NODE_NAME is not running"
    kill -"$1" "$pid" || die "cannot signal $NODE_NAME"
    if [ "$1" = KILL ]; then
        wait_for 10 pid_gone "$NODE_DIR/pid" || die "$NODE_NAME does not end"
        rm -f "$NODE_DIR/pid"
    fi
    say "$1      $NODE_NAME pid $pid"
}

# ---- all of them --------------------------------------------------------------------------------
servers_up() {
    local i what
    [ "$KIND" != none ] || return 0
    for i in $(seq 0 $(($(servers_count) - 1))); do node_set "$i" && node_start; done
    for i in $(seq 0 $(($(servers_count) - 1))); do node_set "$i" && node_wait_answer; done
    case $KIND in
    cluster) cluster_form && wait_for 40 cluster_ready ;;
    sentinel) wait_for 40 replicas_ready && sentinels_up ;;
    single) wait_for 40 replicas_ready ;;
    esac || die "not ready: $NOT_READY, see $DIR/node-*/log"
    for i in $(node_all); do
        node_set "$i"
        what=$(node_role)
        say "up        $NODE_NAME $what pid $(pid_of "$NODE_DIR/pid")"
    done
}

node_role() {
    [ "$NODE_KIND" = sentinel ] && echo sentinel && return
    local role
    role=$(node_field info replication role)
    case $role in master) echo primary ;; slave) echo replica ;; *) echo unknown ;; esac
}

# Slots, epochs, meetings; then, when everybody knows everybody, the replicas' primaries.
cluster_form() {
    local i first last
    NOT_READY='the cluster does not form'
    [ ! -e "$DIR/formed" ] || return 0
    for i in $(seq 0 $((SHARDS - 1))); do
        node_set "$i"
        first=$((16384 * i / SHARDS)) last=$((16384 * (i + 1) / SHARDS - 1))
        node_client cluster addslotsrange $first $last >/dev/null
        node_client cluster set-config-epoch $((i + 1)) >/dev/null
    done
    for i in $(seq 1 $(($(servers_count) - 1))); do
        node_set 0
        node_client cluster meet 127.0.0.1 $((PORT + i)) "$(bus_port "$i")" >/dev/null
    done
    wait_for 40 cluster_met || return 1
    for i in $(seq "$SHARDS" $(($(servers_count) - 1))); do
        node_set $((i % SHARDS))
        first=$(node_client cluster myid)
        node_set "$i"
        wait_for 20 cluster_replicate "$first" || return 1
    done
    touch "$DIR/formed"
}

cluster_replicate() { # NODE-ID
    [ "$(node_client cluster replicate "$1")" = OK ]
}

cluster_met() {
    local i
    for i in $(seq 0 $(($(servers_count) - 1))); do
        node_set "$i"
        [ "$(node_client cluster nodes | grep -c -v -E 'handshake|^$')" = "$(servers_count)" ] || return 1
    done
}

# Every node sees all slots served and every replica in its place, and every link is up.
cluster_ready() {
    local i view replicas=$((SHARDS * REPLICAS))
    for i in $(seq 0 $(($(servers_count) - 1))); do
        node_set "$i"
        NOT_READY="$NODE_NAME"
        [ "$(node_field cluster info cluster_state)" = ok ] || return 1
        view=$(node_client cluster nodes)
        [ "$(grep -c ' connected\( \|$\)' <<<"$view")" = "$(servers_count)" ] || return 1
        [ "$(grep -c -E '[ ,]slave ' <<<"$view")" -ge "$replicas" ] || return 1
        grep -q -E 'fail|handshake|noaddr' <<<"$view" && return 1
    done
    replicas_ready
}

replicas_ready() {
    local i down=0
    for i in $(seq 0 $(($(servers_count) - 1))); do
        node_set "$i"
        NOT_READY="the replication link of $NODE_NAME"
        [ "$(node_field info replication master_link_status)" != down ] || down=1
    done
    [ $down = 0 ]
}

sentinels_up() {
    local i servers
    servers=$(servers_count)
    for i in 0 1 2; do node_set $((servers + i)) && node_start; done
    for i in 0 1 2; do node_set $((servers + i)) && node_wait_answer; done
    wait_for 40 sentinels_ready
}

sentinels_ready() {
    local i servers
    servers=$(servers_count)
    for i in 0 1 2; do
        node_set $((servers + i))
        NOT_READY=$NODE_NAME
        node_client sentinel ckquorum mymaster | grep -q '^OK 3' || return 1
        [ "$(node_client sentinel replicas mymaster | grep -c '^name$')" = "$REPLICAS" ] || return 1
    done
}

servers_status() {
    local i pid state role keys
    [ "$KIND" != none ] || return 0
    for i in $(node_all); do
        node_set "$i"
        state=down role=- keys=-
        if pid=$(pid_of "$NODE_DIR/pid"); then
            state=running
            case $(cut -d' ' -f3 "/proc/$pid/stat" 2>/dev/null) in T | t) state=paused ;; esac
            if [ $state = running ]; then
                role=$(node_role)
                [ "$NODE_KIND" = sentinel ] || keys=$(node_client dbsize)
            fi
        fi
        printf '%-2s 127.0.0.1:%-6s %-8s pid %-8s %-8s %s\n' "$i" "$NODE_PORT" "$state" "${pid:--}" "$role" "$keys"
    done
}

# The loader finds the primaries itself, from any node that answers and is none's replica.
seed_run() { # SEEDER N
    local secret='' ca='' i
    [ "$PASSWORD" = 0 ] || secret=$(cat "$DIR/password")
    [ "$TLS" = 0 ] || ca=$DIR/tls/ca.pem
    for i in $(seq 0 $(($(servers_count) - 1))); do
        node_set "$i"
        if ! pid_gone "$NODE_DIR/pid" && [ "$(node_role)" = primary ]; then
            REDISCLI_AUTH=$secret LAB_CA=$ca "$1" "127.0.0.1:$NODE_PORT" "$2"
            return
        fi
    done
    die "no primary is running"
}
