# lib.sh - what the end-to-end scripts share. Sourced, never run.
#
# Tests print TAP. Labs run on free ports below $WORK; each ends with the script, however that goes.
# What is compared comes from the servers' own client (`node`), never from rbconsole.
set -u
umask 077
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

LAB=$PWD/tests/lab/lab
RBCONSOLE=${RBCONSOLE:-$PWD/build/release/rbconsole}
case $RBCONSOLE in /*) ;; *) RBCONSOLE=$PWD/$RBCONSOLE ;; esac
[ -x "$RBCONSOLE" ] || {
    printf 'Bail out! %s is not there: make\n' "$RBCONSOLE"
    exit 1
}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/rbconsole-e2e.XXXXXX") || exit 1
OUT=$WORK/out ERR=$WORK/err STATUS=0
export LC_ALL=C.UTF-8

# Nothing of the person who runs this: neither their clusters nor their keys.
for name in ${!AWS_*} ${!REDIS*} ${!RBCONSOLE_*} ${!XDG_*} ENV_PROFILE S3_URI BACKUP_DIR; do
    case $name in RBCONSOLE_LAB_*) ;; *) unset "$name" ;; esac
done
export HOME=$WORK/home
mkdir -p "$HOME"

# ---- tests --------------------------------------------------------------------------------------
TESTS=0 FAILED=0

# it NAME COMMAND...: one test; what the command says is shown when it fails.
it() {
    local name=$1
    shift
    TESTS=$((TESTS + 1))
    if "$@" >"$WORK/why" 2>&1; then
        printf 'ok %d - %s\n' "$TESTS" "$name"
    else
        FAILED=$((FAILED + 1))
        printf 'not ok %d - %s\n' "$TESTS" "$name"
        head -n 40 "$WORK/why" | cut -c1-400 | sed 's/^/# /'
    fi
}

skip() { # NAME WHY
    TESTS=$((TESTS + 1))
    printf 'ok %d - %s # SKIP %s\n' "$TESTS" "$1" "$2"
}

# bail WHY: nothing more can be tested.
bail() {
    printf 'Bail out! %s\n' "$1"
    exit 1
}

end_tests() {
    echo "1..$TESTS"
    [ $FAILED = 0 ]
    exit
}

same() { # WANTED FOUND
    [ "$1" = "$2" ] && return
    printf 'wanted: %s\nfound:  %s\n' "$1" "$2"
    return 1
}

same_files() { # WANTED FOUND
    [ -s "$1" ] || { echo "$1 is empty" && return 1; }
    cmp -s "$1" "$2" || { diff "$1" "$2" | cat -v | head -20 && return 1; }
}

# within SECONDS COMMAND...: until it succeeds, asked ten times a second.
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || { echo "in vain: $*" && return 1; }
        sleep 0.1
    done
}

# ---- the program --------------------------------------------------------------------------------
# run ARGS...: its words go to $OUT and $ERR, its exit status to $STATUS.
run() {
    "$RBCONSOLE" "$@" >"$OUT" 2>"$ERR" </dev/null
    STATUS=$?
}

# ended STATUS: how the last run ended, with all it said when it was otherwise.
ended() {
    [ "$STATUS" = "$1" ] && return
    echo "exit status $STATUS, not $1"
    tail -n 20 "$OUT" "$ERR" | cat -v
    return 1
}

# runs STATUS ARGS...
runs() {
    run "${@:2}"
    ended "$1"
}

# ---- labs ---------------------------------------------------------------------------------------
LABS=()

# labs_up 'NAME OPTIONS…'...: labs in $WORK/NAME, started side by side.
labs_up() {
    local spec name k=0 pids=()
    for spec; do
        name=${spec%% *}
        LABS+=("$WORK/$name")
        # shellcheck disable=SC2086
        "$LAB" up --dir "$WORK/$name" --port auto --owner $$ ${spec#"$name"} \
            >"$WORK/$name.log" 2>&1 </dev/null &
        pids+=($!)
    done
    for spec; do
        wait "${pids[k++]}" || { sed 's/^/# /' "$WORK/${spec%% *}.log" && bail "the lab '$spec' does not start"; }
    done
}

# End all that run. KEEP=1 leaves the files for a look.
labs_down() {
    local dir wipe
    for dir in ${LABS[@]+"${LABS[@]}"}; do
        if [ -n "${KEEP:-}" ]; then wipe=(); else wipe=(--wipe); fi
        "$LAB" down "${wipe[@]}" --dir "$dir" >/dev/null 2>&1
    done
    LABS=()
}

clean_up() {
    trap - EXIT
    labs_down
    if [ -n "${KEEP:-}" ]; then echo "# kept: $WORK"; else rm -rf "$WORK"; fi
}
trap clean_up EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

lab_value() { # NAME KEY
    sed -n "s/^$2=//p" "$WORK/$1/lab.env"
}

# node NAME INDEX ARGS...: the servers' own client on one node of that lab.
node() {
    "$LAB" cli --dir "$WORK/$1" "${@:2}"
}

server_indexes() { # NAME
    seq 0 $(($(lab_value "$1" SHARDS) * (1 + $(lab_value "$1" REPLICAS)) - 1))
}

# primaries NAME: the indexes of the servers that say they are primaries.
primaries() {
    local i
    for i in $(server_indexes "$1"); do
        [ "$(node "$1" "$i" role 2>/dev/null </dev/null | head -1)" != master ] || echo "$i"
    done
}

on_primaries() { # NAME ARGS...
    local i
    for i in $(primaries "$1"); do node "$1" "$i" "${@:2}" </dev/null; done
}

# ---- what is in a lab, by its own client ----------------------------------------------------------
# One line a key: name (escaped), type, slot, life left in ms (-1: for ever).
INVENTORY="local out = {}
for _, k in ipairs(redis.call('keys', '*')) do
    local name = string.gsub(k, '[^%w:]', function(c) return string.format('%%%02x', string.byte(c)) end)
    local ok, slot = pcall(redis.call, 'cluster', 'keyslot', k)
    if not ok or type(slot) ~= 'number' then slot = '-' end
    out[#out + 1] = '=' .. name .. '\t' .. redis.call('type', k).ok .. '\t' .. slot .. '\t' ..
        redis.call('pttl', k)
end
return out"

# inventory NAME: every key of all primaries, sorted, with the index of the node that holds it.
inventory() {
    local i
    for i in $(primaries "$1"); do
        node "$1" "$i" eval "$INVENTORY" 0 </dev/null | sed -n "s/^=\(.*\)\t/\1\t$i\t/p"
    done | LC_ALL=C sort
}

types_of() { # INVENTORY-FILE: keys of each type
    cut -f2 "$1" | sort | uniq -c | awk '{ print $2, $1 }'
}

# same_lives BEFORE AFTER: the same keys have a deadline, and their lives differ by less than 30 s.
same_lives() {
    awk -F '\t' 'NR == FNR { life[$1] = $NF; next }
        !($1 in life) { next }
        { n++; d = $NF - life[$1] }
        ($NF < 0) != (life[$1] < 0) || d >= 30000 || d <= -30000 { print $1, life[$1], $NF; bad++ }
        $NF >= 0 { lived++ }
        END { if (!lived) print "no key has a deadline"; exit bad > 0 || !lived }' "$1" "$2"
}

# digest NAME: DEBUG DIGEST of all data, whatever the number of primaries (1, 3, 5 …): the servers
# combine their keys by exclusive or, so ours of the nodes is that of one server with all keys.
digest() {
    local one all=(0 0 0 0 0) k
    for one in $(on_primaries "$1" debug digest); do
        [ ${#one} = 40 ] || { echo "no digest: $one" && return 1; }
        for k in 0 1 2 3 4; do all[k]=$((all[k] ^ 16#${one:8 * k:8})); done
    done
    printf '%08x%08x%08x%08x%08x\n' "${all[@]}"
}

# Every stream in full, by key; times of idleness and the shape of the server's tree left out.
STREAM_KEYS="local out = {}
for _, k in ipairs(redis.call('keys', '*stream*')) do
    if redis.call('type', k).ok == 'stream' then out[#out + 1] = k end
end
return out"

streams() { # NAME
    local i key
    for i in $(primaries "$1"); do
        for key in $(node "$1" "$i" eval "$STREAM_KEYS" 0 </dev/null); do
            printf '%s ' "$key"
            node "$1" "$i" --json xinfo stream "$key" full count 0 </dev/null | jq -S -c \
                'walk(if type == "object" then del(.["seen-time"], .["active-time"],
                    .["radix-tree-keys"], .["radix-tree-nodes"]) else . end)'
        done
    done | LC_ALL=C sort
}

# The count of each HyperLogLog. Asking also makes the server store it: ask before a digest.
hyperloglogs() { # NAME
    local i
    for i in $(seq 50); do
        echo "$i $(node "$1" 0 -c pfcount "hll:unique_visitors:$i" </dev/null)"
    done
}
