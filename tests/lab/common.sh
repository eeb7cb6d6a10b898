# common.sh - what the lab's scripts share: where things are, messages, waiting, ending by pid.
# Sourced, never run. Nothing here needs more than bash, coreutils, awk and sed of a bare Debian.

LAB_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LAB_ROOTS=${RBCONSOLE_LAB_ROOTS:-$LAB_SOURCE/build/lab-roots}

say() {
    printf '%s\n' "$*"
}

warn() {
    printf 'lab: %s\n' "$*" >&2
}

die() {
    warn "$*"
    exit 1
}

# wait_for SECONDS COMMAND...: until the command succeeds, asked ten times a second.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

# pid_of FILE: the process id noted there, if that process still is the one that was noted.
# A pid file holds "PID START": the start time keeps a reused pid from being taken for ours.
pid_of() {
    local pid start
    [ -s "$1" ] && read -r pid start <"$1" || return 1
    [ "$(pid_start "$pid")" = "$start" ] || return 1
    echo "$pid"
}

# pid_start PID: its start time in clock ticks; nothing for a zombie or an unknown process.
pid_start() {
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
    # The command name may hold spaces and brackets: count fields after the last ")".
    set -- ${stat##*) }
    case $1 in Z | X) return 0 ;; esac
    echo "${20}"
}

pid_note() { # PID FILE
    echo "$1 $(pid_start "$1")" >"$2"
}

pid_gone() { # FILE
    ! pid_of "$1" >/dev/null
}

# end_by_pid FILE [SIGNAL]: TERM (or that signal), after 10 s KILL, and waits until it is gone.
end_by_pid() {
    local pid
    pid=$(pid_of "$1") || { rm -f "$1"; return 0; }
    kill -"${2:-TERM}" "$pid" 2>/dev/null
    kill -CONT "$pid" 2>/dev/null
    if ! wait_for 10 pid_gone "$1"; then
        kill -KILL "$pid" 2>/dev/null
        wait_for 10 pid_gone "$1"
    fi
    rm -f "$1"
}
