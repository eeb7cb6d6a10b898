#!/bin/bash
# deps.sh [build|check|lab|s3]... - what a bare Debian needs, installed once. Without words: all.
#   build  compiler and libraries of rbconsole     check  the test and lint tools
#   lab    the servers of the lab, in private roots under build/lab-roots
#   s3     the newest radosgw beside them (not in "all")
# Packages come by apt (with sudo when not root). Elsewhere it says what is needed. Quick when done.
set -u
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/roots.sh"

BUILD='gcc libc6-dev make libncurses-dev libhiredis-dev libcurl4-openssl-dev libssl-dev
libjansson-dev zlib1g-dev libarchive-dev libexpat1-dev libxxhash-dev libdeflate-dev'
CHECK='git clang clang-format clang-tidy cppcheck libcmocka-dev libvterm-dev'
LAB='openssl curl jq rclone ca-certificates'
SERVERS='redis valkey ceph'

missing() { # PACKAGE...
    local p
    for p in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || echo "$p"
    done
}

install_packages() { # PACKAGE...
    local need as=() log
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        say "deps: no apt here; please install what these Debian packages hold: $*"
        return
    fi
    need=$(missing "$@")
    [ -n "$need" ] || return 0
    need=$(echo $need)
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "please run as root: apt-get install $need"
        as=(sudo)
    fi
    say "deps: installing $need"
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! { "${as[@]}" apt-get -qq update && "${as[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y --no-install-recommends install $need; } >"$log" 2>&1 </dev/null; then
        roots_tail "$log"
        die "cannot install: $(missing $need | tr '\n' ' ')($log)"
    fi
    rm -f "$log"
}

packages= servers=
for part in "${@:-all}"; do
    case $part in
    build) packages+=" $BUILD" ;;
    check) packages+=" $CHECK" ;;
    lab) packages+=" $LAB" servers=$SERVERS ;;
    s3) servers+=' ceph20' ;;
    all) packages+=" $BUILD $CHECK $LAB" servers=$SERVERS ;;
    *) die "usage: deps.sh [build|check|lab|s3]..." ;;
    esac
done
# shellcheck disable=SC2086
install_packages $packages
failed=
for server in $servers; do
    (roots_need "$server") || failed+=" $server"
done
[ -z "$failed" ] || die "not fetched:$failed. Needs the network once; run make deps again."
