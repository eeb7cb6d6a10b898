# s3.sh - a real S3 server of a lab: Ceph's radosgw over one monitor and one OSD on a sparse file.
# Sourced. It needs no root rights: each program runs under the loader and the libraries of its
# private root. It checks signatures, clocks, payload hashes and owners as a production one does.

S3_BUCKET=lab-bucket
S3_REGION=us-east-1

# The same keys in every lab: they open nothing but a server on loopback.
s3_keys() {
    S3_KEY=LABACCESSKEY0000001 S3_SECRET=labSecretKey/with+specials=000000000001
    S3_OTHER_KEY=OTHERACCESSKEY00001 S3_OTHER_SECRET=otherSecretKey0000000000000000000000001
}

s3_set() {
    local loader
    S3_DIR=$DIR/s3
    S3_ROOT=$LAB_ROOTS/$S3_FLAVOR
    S3_HTTP=$((PORT + 70)) S3_HTTPS=$((PORT + 71)) S3_MON=$((PORT + 72))
    read -r loader S3_LIB <<<"$(roots_loader "$S3_ROOT")"
    S3_LOADER=("$loader" --library-path "$S3_LIB:$S3_LIB/ceph")
    s3_keys
}

s3_conf() {
    cat <<EOT
[global]
fsid = $(cat /proc/sys/kernel/random/uuid)
mon_host = [v2:127.0.0.1:$S3_MON/0]
mon_initial_members = a
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
ms_bind_msgr1 = false
ms_mon_client_mode = crc
ms_bind_port_min = $((PORT + 73))
ms_bind_port_max = $((PORT + 99))
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data_avail_warn = 1
mon_data_avail_crit = 1
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
osd_crush_chooseleaf_type = 0
osd_objectstore = bluestore
osd_memory_target = 939524096
bluestore_block_size = 10737418240
bluestore_block_create = true
bluestore_block_db_create = false
bluestore_block_wal_create = false
plugin_dir = $S3_LIB/ceph
erasure_code_dir = $S3_LIB/ceph/erasure-code
osd_class_dir = $S3_LIB/rados-classes
run_dir = $S3_DIR/run
admin_socket = $S3_DIR/run/\$name.asok
log_file = $S3_DIR/log/\$name.log
crash_dir = $S3_DIR/log
debug_ms = 0
[mon]
mon_data = $S3_DIR/mon
mon_cluster_log_file = $S3_DIR/log/cluster.log
[osd]
osd_data = $S3_DIR/osd
[client.rgw.lab]
rgw_frontends = beast endpoint=127.0.0.1:$S3_HTTP ssl_endpoint=127.0.0.1:$S3_HTTPS ssl_certificate=$DIR/tls/server.pem ssl_private_key=$DIR/tls/server.key
rgw_data = $S3_DIR/run
rgw_dns_name = localhost
rgw_thread_pool_size = 32
rgw_enable_usage_log = false
EOT
}

# s3_exec PROGRAM ARGS...: becomes a program of the root.
s3_exec() {
    local program=$1 python=()
    shift
    [ "$program" != ceph ] || python=("$S3_ROOT/usr/bin/python3")
    cd "$S3_DIR" || exit 1
    exec env -i PATH=/usr/bin:/bin HOME="$S3_DIR" LANG=C.UTF-8 CEPH_CONF="$S3_DIR/ceph.conf" \
        PYTHONHOME="$S3_ROOT/usr" PYTHONPATH="$S3_ROOT/usr/lib/python3/dist-packages" \
        PYTHONDONTWRITEBYTECODE=1 \
        "${S3_LOADER[@]}" "${python[@]}" "$S3_ROOT/usr/bin/$program" "$@"
}

s3_run() { # PROGRAM ARGS...: runs it to the end, at most a minute.
    (s3_exec "$@") 2>>"$S3_DIR/log/setup.log" </dev/null
}

s3_start() { # NAME PROGRAM ARGS...
    local name=$1
    shift
    pid_gone "$S3_DIR/$name.pid" || return 0
    (S3_LOADER=(setsid "${S3_LOADER[@]}") && s3_exec "$@") >>"$S3_DIR/log/$name.out" 2>&1 </dev/null &
    pid_note $! "$S3_DIR/$name.pid"
}

s3_fail() {
    die "S3 server: $1, see $S3_DIR/log"
}

s3_up() {
    s3_set
    mkdir -p "$S3_DIR"/{log,run}
    [ -s "$S3_DIR/ceph.conf" ] || s3_conf >"$S3_DIR/ceph.conf"
    s3_mon_up
    s3_osd_up
    s3_start rgw radosgw -f -n client.rgw.lab
    wait_for 120 s3_answers || s3_fail 'radosgw does not answer'
    if [ ! -e "$S3_DIR/ready" ]; then
        s3_user lab "$S3_KEY" "$S3_SECRET"
        s3_user other "$S3_OTHER_KEY" "$S3_OTHER_SECRET"
        wait_for 30 s3_bucket || s3_fail "cannot create the bucket"
        touch "$S3_DIR/ready"
    fi
    s3_status
}

s3_mon_up() {
    local fsid
    if [ ! -d "$S3_DIR/mon/store.db" ]; then
        fsid=$(sed -n 's/^fsid = //p' "$S3_DIR/ceph.conf")
        mkdir -p "$S3_DIR/mon"
        s3_run monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$S3_MON]" \
            "$S3_DIR/monmap" >/dev/null || s3_fail monmaptool
        s3_run ceph-mon --mkfs -i a --monmap "$S3_DIR/monmap" >/dev/null || s3_fail 'ceph-mon --mkfs'
    fi
    s3_start mon ceph-mon -f -i a
}

s3_osd_up() {
    local id
    if [ ! -s "$S3_DIR/osd/whoami" ]; then
        id=$(cat /proc/sys/kernel/random/uuid)
        mkdir -p "$S3_DIR/osd"
        s3_run ceph --connect-timeout 30 osd new "$id" 0 >/dev/null || s3_fail 'the monitor does not answer'
        s3_run ceph-osd -i 0 --mkfs --osd-uuid "$id" >/dev/null || s3_fail 'ceph-osd --mkfs'
    fi
    s3_start osd ceph-osd -f -i 0
}

s3_alive() {
    local name
    for name in mon osd rgw; do
        ! pid_gone "$S3_DIR/$name.pid" || s3_fail "$name has died"
    done
}

s3_answers() {
    s3_alive
    curl -s -o /dev/null --max-time 5 "http://127.0.0.1:$S3_HTTP/"
}

s3_user() { # NAME KEY SECRET
    s3_run radosgw-admin user create --uid="$1" --display-name="$1" --access-key="$2" \
        --secret-key="$3" >/dev/null || s3_fail "cannot create user $1"
}

# With curl's own signature: a client that has nothing to do with ours.
s3_bucket() {
    local code
    code=$(curl -s -o /dev/null -w '%{http_code}' --max-time 20 -X PUT \
        -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' --aws-sigv4 "aws:amz:$S3_REGION:s3" \
        --user "$S3_KEY:$S3_SECRET" "http://127.0.0.1:$S3_HTTP/$S3_BUCKET")
    [ "$code" = 200 ] || [ "$code" = 409 ]
}

s3_down() { # SIGNAL
    local name
    for name in rgw osd mon; do
        [ ! -e "$DIR/s3/$name.pid" ] || end_by_pid "$DIR/s3/$name.pid" "$1"
    done
}

s3_status() {
    local name
    s3_set
    for name in mon osd rgw; do
        if pid_gone "$S3_DIR/$name.pid"; then
            say "down      s3 $name"
            return
        fi
    done
    say "up        s3 http://127.0.0.1:$S3_HTTP https://127.0.0.1:$S3_HTTPS bucket $S3_BUCKET" \
        "pids $(for name in mon osd rgw; do pid_of "$S3_DIR/$name.pid"; done | paste -sd,)"
}

# s3.env: everything a client wants, as shell exports; values hold no quote.
s3_env() {
    s3_set
    cat <<EOT
export AWS_ENDPOINT_URL='http://127.0.0.1:$S3_HTTP'
export S3_ENDPOINT_TLS='https://127.0.0.1:$S3_HTTPS'
export S3_ENDPOINT_VHOST='http://localhost:$S3_HTTP'
export S3_CA_FILE='$DIR/tls/ca.pem'
export S3_BUCKET='$S3_BUCKET'
export S3_URI='s3://$S3_BUCKET/backups'
export AWS_REGION='$S3_REGION'
export AWS_ACCESS_KEY_ID='$S3_KEY'
export AWS_SECRET_ACCESS_KEY='$S3_SECRET'
export S3_OTHER_ACCESS_KEY_ID='$S3_OTHER_KEY'
export S3_OTHER_SECRET_ACCESS_KEY='$S3_OTHER_SECRET'
EOT
}
