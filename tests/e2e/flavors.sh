#!/bin/bash
# flavors.sh - backups move: from a redis 7.0 cluster into a valkey 8.0 cluster of another shape, a
# Sentinel trio and a single server, and from valkey back to redis. The servers' own digests decide.
. "$(dirname "$0")/lib.sh"

labs_up 'source --replicas 0' 'valkey --flavor valkey --shards 5 --replicas 0' 'trio --sentinel' 'single --single'
"$LAB" seed 400 --dir "$WORK/source" >/dev/null || bail 'no sample data'
hyperloglogs source >"$WORK/counts"
streams source >"$WORK/streams"
# valkey 8 digests other words for the same score: its own digest of the same data is the measure.
"$LAB" seed 400 --dir "$WORK/valkey" >/dev/null || bail 'no sample data'
hyperloglogs valkey >/dev/null
declare -A WANTED=([valkey]=$(digest valkey))
on_primaries valkey flushall >/dev/null
for name in source trio single; do WANTED[$name]=$(digest source); done

backs_up() { # LAB
    runs 0 -c "$WORK/$1/config.json" backup --no-upload --no-dir --backup-dir "$WORK/backups-$1" &&
        ARCHIVE=$(sed -n 's/^Archive: //p' "$OUT")
}

restores() { # LAB OPTIONS...
    runs 0 -c "$WORK/$1/config.json" restore -i "$ARCHIVE" "${@:2}" && same "${WANTED[$1]}" "$(digest "$1")"
}

verifies() { # LAB
    runs 0 -c "$WORK/$1/config.json" verify -i "$ARCHIVE" --full
}

same_streams() { # LAB
    streams "$1" >"$WORK/$1.streams" && same_files "$WORK/streams" "$WORK/$1.streams"
}

same_counts() { # LAB
    hyperloglogs "$1" >"$WORK/$1.counts" && same_files "$WORK/counts" "$WORK/$1.counts"
}

# The same on the replicas: whoever is promoted later has it.
replicas_follow() {
    same "${WANTED[trio]} ${WANTED[trio]}" "$(for i in 1 2; do node trio $i debug digest </dev/null; done | paste -sd ' ')"
}

check_target() { # LAB WORDS
    it "a redis cluster's backup restores into $2" restores "$1"
    it "$2 has the streams with groups and pending entries" same_streams "$1"
    it "$2 counts its HyperLogLogs the same" same_counts "$1"
    it "verify --full agrees on $2" verifies "$1"
}

it 'a redis 7.0 cluster is backed up' backs_up source
[ -n "${ARCHIVE:-}" ] || bail 'no backup to go on with'
check_target valkey 'a valkey 8.0 cluster of five shards'
check_target trio 'a Sentinel trio'
it 'the replicas of the trio follow' within 10 replicas_follow
check_target single 'a single server'

it 'a valkey 8.0 cluster is backed up' backs_up valkey
it 'it restores into a redis cluster over what is there' restores source --overwrite
on_primaries source flushall >/dev/null
it 'it restores into an empty redis cluster' restores source
it 'the redis cluster has the streams again' same_streams source
it 'verify --full agrees on it' verifies source
it 'a Sentinel trio is backed up' backs_up trio
on_primaries single flushall >/dev/null
it 'it restores into a single server' restores single
end_tests
