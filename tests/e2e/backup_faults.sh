#!/bin/bash
# backup_faults.sh - the cluster changes while it is backed up: a failover, a killed primary, moving
# slots, a shard that stays away. A backup that calls itself complete restores to the very digest
# that the servers gave before; one that does not says so, and nobody takes it for the latest.
. "$(dirname "$0")/lib.sh"

labs_up one 'single --single'
"$LAB" seed 1500 --dir "$WORK/one" >/dev/null || bail 'no sample data'
hyperloglogs one >/dev/null
KEYS=$(on_primaries one dbsize | awk '{ n += $1 } END { print n }')
WANTED=$(digest one)
PORT=$(lab_value one PORT)

# ---- a backup slow enough to disturb ---------------------------------------------------------------
JOB=0
start_backup() { # OPTIONS...
    JOB=$((JOB + 1))
    DIR=$WORK/backups-$JOB
    "$RBCONSOLE" -c "$WORK/one/config.json" backup --no-upload --no-dir --backup-dir "$DIR" \
        --chunk-keys 100 --rate 900 "$@" >"$OUT" 2>"$ERR" </dev/null &
    BACKUP=$!
    within 15 a_third_is_read
}

progress() { # JQ-FILTER on the newest job
    "$RBCONSOLE" -c "$WORK/one/config.json" jobs --json | jq -e -r ".jobs[0] | $1"
}

a_third_is_read() {
    progress 'select(.state == "running" and .progress.total.done * 3 > .progress.total.total)'
}

still_running() {
    progress 'select(.state == "running")' >/dev/null || { echo 'the backup ended too early' && return 1; }
}

end_backup() {
    wait "$BACKUP"
    STATUS=$?
}

manifest() { # JQ-FILTER
    local archive
    archive=$(echo "$DIR"/*.tar.gz)
    tar -xzOf "$archive" "$(basename "$archive" .tar.gz)/metadata.json" | jq -r "$1"
}

# honest: what the backup says of itself is true.
honest() {
    case $STATUS in
    0) same true "$(manifest .complete)" && same "$KEYS" "$(manifest .totals.keys)" && restores_to_the_same ;;
    1) same false "$(manifest .complete)" && grep -q 'INCOMPLETE' "$ERR" && is_not_the_latest ;;
    *) ended 0 ;;
    esac
}

restores_to_the_same() {
    on_primaries single flushall >/dev/null
    runs 0 -c "$WORK/single/config.json" restore -i "$DIR"/*.tar.gz && same "$WANTED" "$(digest single)"
}

is_not_the_latest() {
    run -c "$WORK/one/config.json" restore -i "$DIR"/*.tar.gz --dry-run
    [ "$STATUS" != 0 ] || { echo 'an incomplete backup is taken without a word' && return 1; }
}

# ---- the cluster ------------------------------------------------------------------------------------
is_primary() { # INDEX
    [ "$(node one "$1" role </dev/null | head -1)" = master ]
}

settled() { # every running node: all slots served, links up, nobody failing
    local i
    for i in $(server_indexes one); do
        node one "$i" cluster info </dev/null | grep -q '^cluster_state:ok' || return 1
        node one "$i" cluster nodes </dev/null | grep -q -E 'fail|handshake' && return 1
        node one "$i" info replication </dev/null | grep -q '^master_link_status:down' && return 1
    done
    same "$WANTED" "$(digest one)"
}

failover() { # REPLICA
    start_backup || return 1
    node one "$1" cluster failover </dev/null >/dev/null
    within 10 is_primary "$1" && still_running || return 1
    end_backup
    honest
}

kill_primary() { # PRIMARY REPLICA
    start_backup || return 1
    "$LAB" kill --dir "$WORK/one" "$1" && still_running || return 1
    end_backup
    within 20 is_primary "$2" && honest
}

# By the servers' own tool, 40 slots one after the other.
move_slots() { # FROM TO
    start_backup || return 1
    node one 0 --cluster reshard "127.0.0.1:$PORT" --cluster-yes --cluster-slots 40 \
        --cluster-from "$(node one "$1" cluster myid </dev/null)" \
        --cluster-to "$(node one "$2" cluster myid </dev/null)" </dev/null >"$WORK/reshard" || {
        tail -3 "$WORK/reshard"
        return 1
    }
    still_running || return 1
    end_backup
    honest
}

# All of a shard: the backup stops when its outage is over the budget, and nothing looks whole.
lose_shard() { # PRIMARY REPLICA
    start_backup --outage-timeout 4 || return 1
    "$LAB" kill --dir "$WORK/one" "$2" && "$LAB" kill --dir "$WORK/one" "$1" && still_running || return 1
    end_backup
    ended 3 && same '' "$(find "$DIR" -type f ! -name '*.partial')" &&
        grep -q 'go on with: rbconsole -e local backup --resume B-' "$ERR"
}

# Once the shard is back, the same job reads what it lacked.
resume_backup() {
    run -c "$WORK/one/config.json" backup --resume "$(progress .id)"
    honest && ended 0 && [ "$(manifest '.warnings | length')" -gt 0 ]
}

it 'a failover that was asked for' failover 3
it 'the cluster is whole again' within 20 settled
it 'back again, while another backup runs' failover 0
it 'the cluster is whole again' within 20 settled
it 'slots that move from one primary to another' move_slots 0 1
it 'slots that move back' move_slots 1 0
it 'a primary that is killed' kill_primary 1 4
"$LAB" restart --dir "$WORK/one" 1 >/dev/null
it 'the cluster is whole again' within 20 settled
it 'a shard of which all nodes are killed' lose_shard 2 5
"$LAB" restart --dir "$WORK/one" 2 5 >/dev/null
it 'the cluster is whole again' within 20 settled
it 'the backup that stopped goes on' resume_backup
after() {
    start_backup && end_backup && ended 0 && honest
}
it 'a backup after all that is complete' after
end_tests
