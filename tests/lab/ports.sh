# ports.sh - which ports a lab uses. Sourced.
#
# A lab owns a block of 200 ports from $PORT: servers +0..+59, sentinels +60..+69, S3 http +70 and
# https +71, Ceph's own +72..+99, the servers' cluster buses +100..+159. `auto` takes a block of
# which no port is in use, below the range from which the kernel gives out ports by itself; a file
# per block keeps two labs that start at the same moment apart.

PORTS_DIR=${TMPDIR:-/tmp}/rbconsole-lab-ports-$(id -u)

# Local ports of every TCP socket that listens or is open, in decimal. Not those in TIME_WAIT (06):
# a server may bind them, and a lab that was just wiped leaves many.
ports_used() {
    local hex
    awk 'FNR > 1 && $4 != "06" { split($2, a, ":"); print a[length(a)] }' /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        sort -u | while read -r hex; do echo $((16#$hex)); done
}

ports_choose() { # NUMBER|auto -> PORT
    local base used k
    if [ "$1" != auto ]; then
        [[ $1 =~ ^[0-9]+$ && $1 -ge 1024 && $1 -le 65000 ]] || die "--port $1: 1024 to 65000, or auto"
        PORT=$1
        used=$(ports_used | awk -v a="$1" -v n="$((SHARDS * (1 + REPLICAS)))" -v s3="$S3" \
            -v bus="$(PORT=$1 && bus_port 0)" '
            ($1 >= a && $1 < a + n) || ($1 >= bus && $1 < bus + n) ||
                (s3 && $1 >= a + 70 && $1 < a + 100)')
        [ -z "$used" ] || die "port $(echo $used) in use; choose others with --port N or --port auto"
        return
    fi
    mkdir -p "$PORTS_DIR"
    exec 8>"$PORTS_DIR/lock"
    flock 8
    find "$PORTS_DIR" -name '2*' -mmin +600 -delete
    used=$(ports_used)
    k=$((RANDOM % 60))
    for _ in $(seq 60); do
        base=$((20000 + 200 * k)) k=$(((k + 1) % 60))
        if [ -s "$PORTS_DIR/$base" ] && [ -d "$(cat "$PORTS_DIR/$base")" ]; then continue; fi
        awk -v a="$base" '$1 >= a && $1 < a + 200 { exit 1 }' <<<"$used" || continue
        echo "$DIR" >"$PORTS_DIR/$base"
        exec 8>&-
        PORT=$base
        return
    done
    die "no free block of ports: are sixty labs running? (see $PORTS_DIR)"
}

ports_release() {
    [ "$(cat "$PORTS_DIR/$PORT" 2>/dev/null)" != "$DIR" ] || rm -f "$PORTS_DIR/$PORT"
}
