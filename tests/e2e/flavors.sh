#!/bin/bash
# flavors.sh - backups move: from a redis 7.0 cluster into a valkey 8.0 cluster of another shape, a
# Sentinel trio and a single server, and from valkey back to redis; then between all flavours of
# server that the lab can get. The servers' own digests decide.
#   FLAVORS="redis valkey9" tests/e2e/flavors.sh    only these in the last part
#   FAULTS=full tests/e2e/flavors.sh                from each to each (`make check-faults T=flavors`);
#                                                   else each to itself, and the pairs below
. "$(dirname "$0")/lib.sh"

labs_up 'source --replicas 0' 'five --flavor valkey --shards 5 --replicas 0' 'trio --sentinel' 'alone --single'
"$LAB" seed 400 --dir "$WORK/source" >/dev/null || bail 'no sample data'
hyperloglogs source >"$WORK/counts"
streams source >"$WORK/streams"
# valkey 8 digests other words for the same score: its own digest of the same data is the measure.
"$LAB" seed 400 --dir "$WORK/five" >/dev/null || bail 'no sample data'
hyperloglogs five >/dev/null
declare -A WANTED=([five]=$(digest five))
on_primaries five flushall >/dev/null
for name in source trio alone; do WANTED[$name]=$(digest source); done

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
check_target five 'a valkey 8.0 cluster of five shards'
check_target trio 'a Sentinel trio'
it 'the replicas of the trio follow' within 10 replicas_follow
check_target alone 'a single server'

it 'a valkey 8.0 cluster is backed up' backs_up five
it 'it restores into a redis cluster over what is there' restores source --overwrite
on_primaries source flushall >/dev/null
it 'it restores into an empty redis cluster' restores source
it 'the redis cluster has the streams again' same_streams source
it 'verify --full agrees on it' verifies source
it 'a Sentinel trio is backed up' backs_up trio
on_primaries alone flushall >/dev/null
it 'it restores into a single server' restores alone
labs_down

# ---- from flavour to flavour ------------------------------------------------------------------------
# Each has the same data, made by its own commands; its own digest and its own words about its
# streams are what a restore from any other must bring about.
FLAVORS=${FLAVORS:-redis valkey valkey81 redis8 redis806 valkey9}
PAIRS='redis:valkey valkey:redis redis806:valkey9 valkey9:redis redis8:valkey redis:valkey81'
FIELD_PAIRS='redis8:valkey9 valkey9:redis806 redis806:redis valkey9:valkey'
THERE=()
declare -A ARCHIVES FIELD_ARCHIVES FIELDS

obtainable() { # FLAVOR
    (. tests/lab/common.sh && . tests/lab/roots.sh && roots_need "$1") >"$WORK/fetch" 2>&1
}

has_field_ttl() { # FLAVOR
    node "$1" 0 command info hpexpiretime </dev/null | grep -q -i hpexpiretime
}

# What all flavours say about a stream; numbers that only some have, and idle times, left out.
stream_facts() { # FLAVOR
    local key
    for key in $(node "$1" 0 eval "$STREAM_KEYS" 0 </dev/null | sort); do
        printf '%s ' "$key"
        node "$1" 0 --json xinfo stream "$key" full count 0 </dev/null | jq -S -c '
            {length, "last-generated-id", "max-deleted-entry-id", "entries-added", entries,
             groups: [.groups[] | {name, "last-delivered-id", "entries-read", "pel-count",
                 pel: (.pel // .pending),
                 consumers: [.consumers[] | {name, "pel-count", pel: (.pel // .pending)}]}]}'
    done
}

field_deadlines() { # FLAVOR
    node "$1" 0 hpexpiretime fields:some fields 3 a b c </dev/null
    node "$1" 0 hpexpiretime fields:all fields 2 a b </dev/null
    node "$1" 0 hmget fields:some a b c </dev/null
    node "$1" 0 hmget fields:all a b </dev/null
}

# Hashes with deadlines of fields are a backup of their own: not every target can keep them.
make_fields() { # FLAVOR
    node "$1" 0 hset fields:some a 1 b 2 c 3 &&
        node "$1" 0 hpexpireat fields:some 4102444800123 fields 2 a c &&
        node "$1" 0 hset fields:all a 1 b 2 &&
        node "$1" 0 hpexpireat fields:all 4102444800000 fields 2 a b
}

makes_data() { # FLAVOR
    "$LAB" seed 40 --dir "$WORK/$1" && hyperloglogs "$1" &&
        same 8 "$(node "$1" 0 eval "$(cat tests/data/streams.lua)" 0 </dev/null)" &&
        WANTED[$1]=$(digest "$1") && stream_facts "$1" >"$WORK/$1.facts" && [ -s "$WORK/$1.facts" ]
}

is_saved() { # FLAVOR
    backs_up "$1" && ARCHIVES[$1]=$ARCHIVE
}

fields_are_saved() { # FLAVOR
    node "$1" 0 flushall && make_fields "$1" && FIELDS[$1]=$(field_deadlines "$1") &&
        backs_up "$1" && FIELD_ARCHIVES[$1]=$ARCHIVE
}

comes_back() { # FROM TO
    node "$2" 0 flushall >/dev/null && ARCHIVE=${ARCHIVES[$1]} && restores "$2" && verifies "$2" &&
        stream_facts "$2" >"$WORK/facts" && same_files "$WORK/$1.facts" "$WORK/facts"
}

# The original deadlines, so that they can be compared to the millisecond.
fields_come_back() { # FROM TO
    node "$2" 0 flushall >/dev/null && ARCHIVE=${FIELD_ARCHIVES[$1]} &&
        runs 0 -c "$WORK/$2/config.json" restore -i "$ARCHIVE" --ttl absolute &&
        same "${FIELDS[$1]}" "$(field_deadlines "$2")" && verifies "$2"
}

fields_are_refused() { # FROM TO
    node "$2" 0 flushall >/dev/null && ARCHIVE=${FIELD_ARCHIVES[$1]} &&
        runs 1 -c "$WORK/$2/config.json" restore -i "$ARCHIVE" &&
        same 0 "$(node "$2" 0 dbsize </dev/null)"
}

# tried PAIRS FROM TO
tried() {
    [ "${FAULTS:-}" = full ] || [ "$2" = "$3" ] || [[ " $1 " == *" $2:$3 "* ]]
}

for flavor in $FLAVORS; do
    if obtainable "$flavor"; then
        labs_up "$flavor --flavor $flavor --single"
        THERE+=("$flavor")
    else
        skip "backups move from and to $flavor" 'this server cannot be fetched'
    fi
done
for flavor in "${THERE[@]}"; do
    it "$flavor has data of every type and all cases of streams" makes_data "$flavor"
    it "$flavor is backed up" is_saved "$flavor"
done
for from in "${THERE[@]}"; do
    for to in "${THERE[@]}"; do
        tried "$PAIRS" "$from" "$to" || continue
        it "a backup of $from restores into $to, digest and streams equal" comes_back "$from" "$to"
    done
done
for flavor in "${THERE[@]}"; do
    ! has_field_ttl "$flavor" || it "$flavor's deadlines of fields are backed up" fields_are_saved "$flavor"
done
for from in "${!FIELD_ARCHIVES[@]}"; do
    for to in "${THERE[@]}"; do
        tried "$FIELD_PAIRS" "$from" "$to" || continue
        if has_field_ttl "$to"; then
            it "deadlines of fields move from $from to $to" fields_come_back "$from" "$to"
        else
            it "$to cannot keep the deadlines of fields of $from, and is not given half of them" \
                fields_are_refused "$from" "$to"
        fi
    done
done
end_tests
