#!/bin/bash
# secrets.sh - every secret that the program is given, looked for in everything that it leaves or
# shows: command lines, messages at -v -v, logs, job files, reports, backups, the terminal's bytes,
# a core dump. As it is and in base64. Zero hits.
. "$(dirname "$0")/lib.sh"

labs_up 'one --password --acl --s3'
"$LAB" seed 300 --dir "$WORK/one" >/dev/null || bail 'no sample data'
L=$WORK/one CONFIG=$WORK/config.json
. "$L/s3.env"

# ---- the secrets, each in a file of its own ---------------------------------------------------------
KEPT=$WORK/kept SEEN=$WORK/seen
mkdir -p "$KEPT" "$SEEN"
printf 'sign-key-%s' "$(openssl rand -hex 16)" >"$KEPT/sign"
openssl rand -hex 16 | tr -d '\n' >"$KEPT/customer"
printf 'token-%s' "$(openssl rand -hex 16)" >"$KEPT/token"
printf 'wrong-%s' "$(openssl rand -hex 8)" >"$KEPT/wrong"
cp "$L/user.password" "$KEPT/user"
cp "$L/password" "$KEPT/password" 2>/dev/null || cp "$L/user.password" "$KEPT/password"
printf '%s' "$AWS_SECRET_ACCESS_KEY" >"$KEPT/s3"
for f in "$KEPT"/*; do
    tr -d '\n' <"$f" && echo
    tr -d '\n' <"$f" | base64 -w0 && echo
done >"$WORK/secrets"
keys="AWS_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID
AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY"
jq --arg kept "$KEPT" --arg lab "$L" --arg work "$WORK" '
    .redis_nodes.local as $good | .storage.backup_dir = "\($work)/seen/backups" | .state_dir = "\($work)/seen/state" |
    .redis_nodes += {wrong: ($good + {password_file: "\($kept)/wrong"}), token: $good,
        user: ($good + {username: "backup", password_file: "\($kept)/user"})}' "$L/config.json" >"$CONFIG"
for name in local wrong user; do echo "$keys" >"$WORK/.env.$name"; done
printf '%s\nAWS_SESSION_TOKEN=%s\n' "$keys" "$(cat "$KEPT/token")" >"$WORK/.env.token"
for name in ${!AWS_*} ${!S3_*}; do unset "$name"; done

# ---- watching: the command lines of everything that is ours, thirty times a second ---------------------
(
    while [ -d "/proc/$$" ] && [ ! -e "$WORK/enough" ]; do
        for p in /proc/[0-9]*; do
            read -r name 2>/dev/null <"$p/comm" && [ "$name" = "${RBCONSOLE##*/}" ] || continue
            tr '\0' ' ' 2>/dev/null <"$p/cmdline" && echo
        done
        sleep 0.03
    done
) >"$SEEN/argv" 2>/dev/null &
SAMPLER=$!

N=0
rb() { # ARGS...: said as loudly as can be, and kept
    N=$((N + 1))
    run -c "$CONFIG" -v -v --log-file "$SEEN/log" "$@"
    { echo "== $*" && cat "$OUT" "$ERR"; } >"$SEEN/said-$N"
}

all_verbs_work() {
    rb -e local backup --sign-key-file "$KEPT/sign"
    ended 0 || return 1
    BACKUP=$(sed -n 's/^Backup written: //p' "$OUT")
    rb -e local restore -i "$BACKUP" --overwrite --verify-key-file "$KEPT/sign"
    ended 0 || return 1
    rb -e local restore --from-s3 latest --overwrite --dry-run --json --verify-key-file "$KEPT/sign"
    ended 0 || return 1
    rb -e local verify -i "$BACKUP" --full --report "$SEEN/report.json"
    ended 0 || return 1
    for verb in status nodes slots check list doctor jobs events "show $(basename "$BACKUP")"; do
        # shellcheck disable=SC2086
        rb -e local $verb
        # shellcheck disable=SC2086
        rb -e local --json $verb
    done
}

what_fails_says_why() {
    rb -e wrong backup --no-upload
    ended 4 || return 1
    rb -e token backup # some servers refuse a token that they never gave, some do not look
    rb -e local restore -i "$BACKUP" --overwrite --verify-key-file "$KEPT/wrong"
    [ "$STATUS" != 0 ] || { echo 'another key fits the signature' && return 1; }
    jq --arg kept "$KEPT" '.storage.sse_customer_key_file = "\($kept)/customer"' "$CONFIG" >"$WORK/customer.json"
    run -c "$WORK/customer.json" -v -v -e local list # a customer's key goes over https only
    cat "$OUT" "$ERR" >"$SEEN/said-customer"
    run -c "$WORK/customer.json" -v -v -e local doctor
    cat "$OUT" "$ERR" >>"$SEEN/said-customer"
    grep -q 'sse_customer_key_file\|https' "$SEEN/said-customer" || { cat "$SEEN/said-customer" && return 1; }
}

# The console in a terminal of its own, every byte that it sends there kept.
console_shows_its_screens() {
    for key in 1 2 3 4 5 6 0 '?'; do printf 'key %s\ndump screen-%s\n' "$key" "${key/\?/help}"; done >"$WORK/keys"
    echo 'key Esc' >>"$WORK/keys"
    TERM=xterm-256color script -qec "'$RBCONSOLE' -c '$CONFIG' -e local --script '$WORK/keys' --dump '$SEEN/screens'" \
        "$SEEN/terminal" >/dev/null 2>&1 </dev/null
    [ "$(cat "$SEEN"/screens/*.txt | wc -c)" -gt 4000 ] || { echo 'no screens' && ls "$SEEN" && return 1; }
}

# A crash in the middle of a backup, where core files are allowed: none is written.
no_core_is_left() {
    local pid
    mkdir -p "$SEEN/core"
    (
        cd "$SEEN/core" && ulimit -c unlimited 2>/dev/null
        exec "$RBCONSOLE" -c "$CONFIG" -e local backup --no-upload --rate 200 >/dev/null 2>&1 </dev/null
    ) &
    pid=$!
    within 20 grep -q backup "/proc/$pid/cmdline" || return 1
    within 20 grep -qE '^Max core file size +0 ' "/proc/$pid/limits" || {
        echo 'a core file is allowed' && return 1
    }
    kill -SEGV $pid
    wait $pid 2>/dev/null
    same '' "$(ls "$SEEN/core")"
}

unpack_backups() {
    local archive
    for archive in "$SEEN"/backups/*.tar.gz; do
        mkdir -p "$SEEN/unpacked" && tar -xzf "$archive" -C "$SEEN/unpacked" || return 1
    done
}

no_secret_in() { # FILES...
    local hits
    [ -n "$(find "$@" -type f -size +0 | head -1)" ] || { echo "nothing to look at: $*" && return 1; }
    hits=$(grep -r -l -a -F -f "$WORK/secrets" "$@")
    [ -z "$hits" ] || { echo "a secret is in: $hits" && return 1; }
}

requests_are_logged() {
    grep -q ' debug s3 PUT .* status 200, [0-9]* ms, try 1, sent [1-9]' "$SEEN/log" &&
        ! grep -i 'signature=\|aws4-hmac\|security-token' "$SEEN/log"
}

enough_command_lines() {
    touch "$WORK/enough"
    wait $SAMPLER
    [ "$(grep -c 'backup\|restore\|verify' "$SEEN/argv")" -gt 10 ] || { echo 'too few were seen' && return 1; }
}

search_finds_what_is_there() {
    cp "$KEPT/sign" "$WORK/planted" && ! no_secret_in "$WORK/planted" >/dev/null
}

it 'the search itself finds a secret' search_finds_what_is_there
it 'backup, restore, verify and all that looks run with every secret' all_verbs_work
it 'wrong passwords, tokens and keys are refused' what_fails_says_why
it 'the console shows its screens' console_shows_its_screens
it 'a crash leaves no core file' no_core_is_left
it 'enough command lines were seen' enough_command_lines
it 'no secret in any command line' no_secret_in "$SEEN/argv"
it 'no secret in what was said, loudly' no_secret_in "$SEEN"/said-*
it 'no secret in the log' no_secret_in "$SEEN/log" "$SEEN/said-1"
it 'the log has the requests to S3, and no signature in it' requests_are_logged
it 'no secret in job files and the audit log' no_secret_in "$SEEN/state"
it 'no secret in the report' no_secret_in "$SEEN/report.json"
it 'no secret in the bytes sent to the terminal, nor on its screens' no_secret_in "$SEEN/terminal" "$SEEN/screens"
it 'no secret in a backup' unpack_backups
it 'no secret in anything else that is left' no_secret_in "$SEEN"
end_tests
