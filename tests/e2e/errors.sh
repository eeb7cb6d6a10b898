#!/bin/bash
# errors.sh - what goes wrong around an operator: passwords, certificates, addresses, configuration,
# disks, buckets, ACLs, protection, locks. Each gives one clear line, its exit status, one JSON
# object with --json, and leaves nothing half-done. No secret shows in argv, log, job or report.
. "$(dirname "$0")/lib.sh"

labs_up 'one --tls --acl --s3'
"$LAB" seed 300 --dir "$WORK/one" >/dev/null || bail 'no sample data'
L=$WORK/one CONFIG=$WORK/config.json
BACKUPS=$WORK/backups
. "$L/s3.env"
S3_ENV=(RCLONE_CONFIG=/dev/null RCLONE_CONFIG_LAB_TYPE=s3 RCLONE_CONFIG_LAB_PROVIDER=Ceph
    RCLONE_CONFIG_LAB_ENDPOINT="$AWS_ENDPOINT_URL" RCLONE_CONFIG_LAB_ACCESS_KEY_ID="$AWS_ACCESS_KEY_ID"
    RCLONE_CONFIG_LAB_SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY")
GOOD_KEYS="AWS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID
AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY"
WRONG_KEYS="AWS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID
AWS_SECRET_ACCESS_KEY=not-the-secret-of-this-key"
OTHER_KEYS="AWS_ACCESS_KEY_ID=$S3_OTHER_ACCESS_KEY_ID
AWS_SECRET_ACCESS_KEY=$S3_OTHER_SECRET_ACCESS_KEY"
BUCKET=$S3_BUCKET
for name in ${!AWS_*} ${!S3_*}; do [ "$name" = S3_ENV ] || unset "$name"; done

# ---- environments, each with one thing wrong --------------------------------------------------------
printf 'wrong-password-0001' >"$WORK/wrong.password"
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=another CA' -keyout "$WORK/other.key" \
    -out "$WORK/other.pem" 2>/dev/null || bail 'no certificate'
for i in $(server_indexes one); do
    for user in 'limited ~user:* +@all' 'noscan ~* +@all -scan' 'noget ~* +@all -get -set -dump -restore'; do
        # shellcheck disable=SC2086
        node one "$i" acl setuser ${user%% *} on ">$(cat "$L/user.password")" ${user#* } </dev/null
    done
done >/dev/null
jq --arg work "$WORK" --arg lab "$L" --arg backups "$BACKUPS" '
    .redis_nodes.local as $good | def user($name): $good + {username: $name, password_file: "\($lab)/user.password"};
    .storage.backup_dir = $backups | .state_dir = "\($work)/state" | .redis_nodes += {
        prd: ($good + {protected: true}),
        wrongpassword: ($good + {password_file: "\($work)/wrong.password"}),
        nopassword: ($good | del(.password_file)),
        nofile: ($good + {password_file: "\($work)/no.password"}),
        wrongca: ($good | .tls.ca_file = "\($work)/other.pem"),
        noca: ($good | .tls.ca_file = "\($work)/no.pem"),
        plain: ($good | del(.tls)),
        away: {nodes: ["127.0.0.1:1", "127.0.0.1:2"]},
        limited: user("limited"), noscan: user("noscan"), noget: user("noget"),
        wrongkey: $good, otherkey: $good}' "$L/config.json" >"$CONFIG"
for name in $(jq -r '.redis_nodes | keys[]' "$CONFIG"); do echo "$GOOD_KEYS" >"$WORK/.env.$name"; done
echo "$WRONG_KEYS" >"$WORK/.env.wrongkey"
echo "$OTHER_KEYS" >"$WORK/.env.otherkey"

# Everything secret here, one a line: the sampler and the last tests look for these.
{
    for name in "$L/password" "$L/user.password" "$WORK/wrong.password"; do echo "$(<"$name")"; done
    sed -n 's/^AWS_SECRET_ACCESS_KEY=//p' "$WORK/.env.local" "$WORK/.env.wrongkey" "$WORK/.env.otherkey"
} >"$WORK/secrets"

# ---- watching ----------------------------------------------------------------------------------------
# The command lines of all rbconsole processes, thirty times a second until we end.
(
    while [ -d "/proc/$$" ] && [ ! -e "$WORK/enough" ]; do
        for p in /proc/[0-9]*; do
            read -r name 2>/dev/null <"$p/comm" && [ "$name" = "${RBCONSOLE##*/}" ] || continue
            tr '\0' ' ' 2>/dev/null <"$p/cmdline" && echo
        done
        sleep 0.03
    done
) >"$WORK/argv" 2>/dev/null &
SAMPLER=$!

rb() { # ARGS...: as run, and everything it said is kept
    run -c "$CONFIG" "$@"
    cat "$OUT" "$ERR" >>"$WORK/transcript"
}

# complains STATUS PATTERN ARGS...: that status, and one line that matches; besides it only which
# backup was chosen, how the job ended and how it goes on. With --json one object that says the same.
complains() {
    local status=$1 pattern=$2
    shift 2
    rb "$@"
    ended "$status" || return 1
    grep '^rbconsole: ' "$ERR" >"$WORK/lines"
    [ "$(wc -l <"$WORK/lines")" = 1 ] && grep -q -E -e "$pattern" "$WORK/lines" &&
        ! grep -q -v -E '^(rbconsole: |Backup: |Delete: |Go on with: |[A-Z]-[0-9]{4} )' "$ERR" || {
        echo "no single line with /$pattern/:" && cat "$ERR"
        return 1
    }
    rb --json "$@"
    ended "$status" || return 1
    jq -e -s --arg line "$(sed 's/^rbconsole: //' "$WORK/lines")" --argjson status "$status" \
        'length == 1 and (.[0].error | .exit == $status and (.code | length > 0) and (.message | length > 0))' \
        "$ERR" >/dev/null || { echo 'stderr is not one JSON object with the error:' && cat "$ERR" && return 1; }
}

# Nothing of a backup that did not end: on disk (but what --resume goes on with, without a key in
# it), in S3, or as parts of an upload there.
no_backup_is_left() {
    rb -e local list --json
    same 0 "$(jq '[.backups[] | select(.state != "incomplete")] | length' "$OUT")" &&
        same '' "$(find "$BACKUPS" -type f ! -name '*.partial' 2>/dev/null)" &&
        same '' "$(find "$BACKUPS" -name '*.partial' -type f -size +0 2>/dev/null)" && nothing_in_s3
}

nothing_in_s3() {
    command -v rclone >/dev/null || return 0
    same '' "$(env "${S3_ENV[@]}" rclone lsf -R "lab:$BUCKET")" &&
        same 0 "$(env "${S3_ENV[@]}" rclone backend list-multipart-uploads "lab:$BUCKET" |
            jq '[.[] | length] | add // 0')"
}

# ---- getting in ----------------------------------------------------------------------------------------
for verb in status backup; do
    it "$verb: a wrong password" complains 4 '127.0.0.1:[0-9]+ refused the password' -e wrongpassword $verb
    it "$verb: no password where one is wanted" complains 4 'wants a password and none is configured' -e nopassword $verb
    it "$verb: a wrong CA" complains 4 'certificate.*not trusted: set the CA file' -e wrongca $verb
    it "$verb: no server at any seed" complains 3 'cannot connect to 127.0.0.1:1' -e away $verb
    it "$verb: no TLS towards a TLS port" complains 3 'connection to 127.0.0.1:' -e plain $verb
done
it 'a password file that is not there' complains 2 'no.password.*No such file' -e nofile status
it 'a CA file that is not there' complains 2 'no.pem.*No such file' -e noca status
it 'none of these left a backup' no_backup_is_left

# ---- configuration and usage ----------------------------------------------------------------------------
# complains_config TEXT PATTERN
complains_config() {
    local CONFIG=$WORK/broken.json
    printf '%s' "$1" >"$CONFIG"
    complains 2 "$2" status
}

it 'a comma too many: file, line and column' \
    complains_config '{"redis_nodes": {"local": {"nodes": ["a:1"],}}}' 'broken.json: line 1, column [0-9]+: '
it 'an unknown key: the nearest one' \
    complains_config '{"redis_nodes": {"local": {"nodez": ["a:1"]}}}' 'redis_nodes.local.nodez: unknown key; did you mean "nodes"'
it 'a value of the wrong type: its place' \
    complains_config '{"redis_nodes": {"local": {"nodes": "a:1"}}}' 'redis_nodes.local.nodes'
it 'an empty file' complains_config '' 'broken.json'
it 'an unknown environment: the known ones' complains 2 'no environment "prod".* local' -e prod status
it 'an unknown verb' complains 2 'unknown verb "bakcup"' bakcup
it 'an unknown option: the nearest one' complains 2 'unknown option --mach; did you mean --match' -e local backup --mach x
it 'restore without saying of what' complains 2 'name the backup: ' -e local restore

no_job_was_made() {
    same '' "$(ls "$WORK/state/jobs" 2>/dev/null)"
}
it 'none of these made a job' no_job_was_made

# ---- what a user may not ---------------------------------------------------------------------------------
limited_user_is_told() {
    rb -e limited backup --no-upload
    ended 1 && grep -q -E '^[0-9]+ keys could not be read: see failed.jsonl of B-[0-9]+' "$ERR" || return 1
    local job total
    job=$(sed -n 's/.*failed.jsonl of \(B-[0-9]*\)$/\1/p' "$ERR")
    total=$(on_primaries one dbsize | awk '{ n += $1 } END { print n }')
    # Every one of them once, each with the server's refusal.
    same "$((total - 300))" "$(jq -c 'select(.reason == "unreadable" and (.detail | test("NOPERM"))) | [.key, .key_b64]' \
        "$WORK/state/jobs/$job/failed.jsonl" | sort -u | wc -l)" &&
        same "$((total - 300))" "$(wc -l <"$WORK/state/jobs/$job/failed.jsonl")" &&
        same 300 "$(cat "$BACKUPS"/*/keys/*.jsonl | grep -c '"key":"user:')" &&
        same "true $((total - 300))" "$(jq -r '"\(.complete) \(.totals.unreadable)"' "$BACKUPS"/*/metadata.json)"
}

it 'a user without the right to SCAN: nothing is written' complains 4 'NOPERM.*scan' -e noscan backup
it 'it left no backup' no_backup_is_left
it 'a user without the right to some keys: status 1, and each is named' limited_user_is_told
it 'a user without the right to GET cannot restore' \
    complains 4 "NOPERM|may not|lacks" -e noget restore -i "$(echo "$BACKUPS"/*.tar.gz)" --overwrite
rm -rf "${BACKUPS:?}"

# ---- the bucket and the disk --------------------------------------------------------------------------------
local_backup_is_whole() { # STATUS PATTERN ARGS...
    complains "$@" || return 1
    local manifest n=0
    for manifest in "$BACKUPS"/*/metadata.json; do
        n=$((n + 1))
        same true "$(jq .complete "$manifest")" &&
            same metadata.json "$(tar -tzf "${manifest%/*}.tar.gz" | tail -1 | sed 's/.*\///')" || return 1
    done
    same 2 $n && nothing_in_s3
}

leaves_nothing() { # STATUS PATTERN ARGS...
    complains "$@" && no_backup_is_left
}

it 'no such bucket: the local backup is whole and said to be' \
    local_backup_is_whole 6 'local backup is complete, its upload is not: .*NoSuchBucket.*create the bucket' \
    -e local backup --s3-uri s3://no-such-bucket-here/x
rm -rf "${BACKUPS:?}"
it 'a wrong S3 key: likewise' local_backup_is_whole 4 'SignatureDoesNotMatch; check the access key' -e wrongkey backup
rm -rf "${BACKUPS:?}"
it "another's bucket: likewise" local_backup_is_whole 4 'AccessDenied; the credentials lack this permission' -e otherkey backup
rm -rf "${BACKUPS:?}"
it 'a wrong S3 key, streaming: nothing is left' leaves_nothing 4 SignatureDoesNotMatch -e wrongkey backup --stream
it 'restore from no such bucket' complains 6 NoSuchBucket -e local restore --from-s3 latest --s3-uri s3://no-such-bucket-here/x
it 'restore when there is no backup' complains 1 'no .*backup' -e local restore --from-s3 latest

# on_small_disk SIZE COMMAND...: in a mount namespace where $WORK/disk has that size.
on_small_disk() {
    export -f full_disk complains rb run ended same
    export RBCONSOLE CONFIG WORK OUT ERR STATUS
    mkdir -p "$WORK/disk"
    unshare "${UNSHARE[@]}" bash -c 'mount -t tmpfs -o size="$1" none "$WORK/disk" && shift && "$@"' _ "$@"
}

full_disk() {
    complains 6 "$WORK/disk/backups.*: No space left on device" -e local backup --no-upload --backup-dir "$WORK/disk/backups" || return 1
    same '' "$(find "$WORK/disk" -type f ! -path '*.partial*')" &&
        grep -q 'go on with: rbconsole -e local backup --resume B-' "$WORK/lines"
}

UNSHARE=()
for option in -m -rm; do
    # shellcheck disable=SC2016
    if unshare $option sh -c 'mount -t tmpfs -o size=64k none "$1"' _ "$HOME" 2>/dev/null; then
        UNSHARE=("$option") && break
    fi
done
for size in 64k 700k; do
    if [ ${#UNSHARE[@]} -gt 0 ]; then
        it "a disk of $size: full is said, its directory named, nothing looks whole" on_small_disk $size full_disk
    else
        skip "a disk of $size: full is said, its directory named, nothing looks whole" 'mounting is not allowed here'
    fi
done
not_a_directory() {
    : >"$WORK/file"
    complains 6 "$WORK/file" -e local backup --no-upload --backup-dir "$WORK/file/backups"
}
it 'a backup directory below a file' not_a_directory

# ---- locks and protection ------------------------------------------------------------------------------------
rb -e local backup || bail 'no backup to go on with'
DIGEST=$(digest one)

restore_is_writing() {
    "$RBCONSOLE" -c "$CONFIG" jobs --json |
        jq -e '.jobs[] | select(.kind == "restore" and .state == "running" and .progress.stage == "restore")'
}

second_restore_is_refused() {
    local first refused=1
    "$RBCONSOLE" -c "$CONFIG" -e local restore --from-s3 latest --overwrite --rate 100 \
        >"$WORK/first" 2>&1 </dev/null &
    first=$!
    within 10 restore_is_writing && complains 4 'R-[0-9]{4}' -e local restore --from-s3 latest --overwrite
    refused=$?
    kill -TERM $first
    wait $first
    same 5 $? && return $refused
}

restored_again() {
    rb -e local restore --from-s3 latest --overwrite
    ended 0 && same "$DIGEST" "$(digest one)"
}

it 'a restore beside a restore names who holds the lock' second_restore_is_refused
it 'a cancelled restore is finished by the next' restored_again
it 'a protected environment wants --confirm' complains 4 'protected; confirm with --confirm prd' \
    -e prd restore --from-s3 latest --any --overwrite
it '--confirm with another name will not do' complains 4 'says "local", but the environment is "prd"' \
    -e prd restore --from-s3 latest --any --overwrite --confirm local
it 'another name for a protected cluster is protected too' complains 4 'protected' \
    -e local restore --from-s3 latest --overwrite
it 'delete wants --confirm anywhere' complains 4 'cannot be undone; confirm with --confirm local' \
    -e local delete "$(basename "$BACKUPS"/*.tar.gz .tar.gz)"
it 'none of these changed the data' same "$DIGEST" "$(digest one)"

# ---- secrets ----------------------------------------------------------------------------------------------------
no_secret_in() { # FILES...
    local hits
    hits=$(grep -r -l -a -F -f "$WORK/secrets" "$@")
    [ -z "$hits" ] || { echo "a secret is in: $hits" && return 1; }
}

argv_is_clean() {
    touch "$WORK/enough"
    wait $SAMPLER
    [ "$(grep -c 'backup' "$WORK/argv")" -gt 10 ] || { echo 'too few command lines were seen' && return 1; }
    no_secret_in "$WORK/argv"
}

log_is_clean() {
    REDIS_PASSWORD=$(cat "$L/password") "$RBCONSOLE" -c "$CONFIG" -e nopassword -v --log-file "$WORK/log" \
        backup --no-upload >>"$WORK/transcript" 2>&1 || { tail -1 "$WORK/transcript" && return 1; }
    "$RBCONSOLE" -c "$CONFIG" -e local doctor >>"$WORK/transcript" 2>&1
    grep -q 'B-[0-9]' "$WORK/transcript" && no_secret_in "$WORK/transcript" "$WORK/log"
}

it 'no secret in logs and messages' log_is_clean
it 'no secret in any command line' argv_is_clean
it 'no secret in job files, reports and backups' no_secret_in "$WORK/state" "$BACKUPS"
end_tests
