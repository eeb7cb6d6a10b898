# roots.sh - server programs of a fixed Debian suite, each unpacked with its whole dependency
# closure in a private root under $LAB_ROOTS and run by its own dynamic loader. Sourced.
#
# apt runs with a private state and an empty dpkg status; its sources are derived at run time from
# the machine's own (deb822 or one-line form), so the system's apt and dpkg are not touched.

# name|suites|packages|programs (name=path): the first suite is the main one, the last preferred.
ROOTS_TABLE='
redis|bookworm|redis-server redis-tools|redis-server redis-cli redis-benchmark
valkey|bookworm bookworm-backports|valkey-server valkey-tools|valkey-server valkey-cli valkey-benchmark
redis8|trixie|redis-server redis-tools|redis-server redis-cli redis-benchmark
valkey81|trixie|valkey-server valkey-tools|valkey-server valkey-cli valkey-benchmark
redis806|sid|redis-server redis-tools|redis-server redis-cli redis-benchmark
valkey9|sid|valkey-server valkey-tools|valkey-server valkey-cli valkey-benchmark
ceph|bookworm|radosgw ceph-mon ceph-osd ceph-common python3-distutils|
ceph20|sid|radosgw ceph-mon ceph-osd ceph-common|
'

roots_row() { # NAME -> suites, packages, programs in $SUITES $PACKAGES $PROGRAMS
    local row
    row=$(printf '%s' "$ROOTS_TABLE" | grep "^$1|") || die "no server named $1 in the lab"
    IFS='|' read -r _ SUITES PACKAGES PROGRAMS <<<"$row"
}

# The machine's own mirror: "URI KEYRING" of the first source that offers its code name's main.
roots_mirror() {
    local code files
    code=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    shopt -s nullglob
    files=(/etc/apt/sources.list.d/*.sources)
    shopt -u nullglob
    {
        [ ${#files[@]} = 0 ] || awk -v code="$code" '
            function flush() {
                if (!off && uri != "" && (" " suites " ") ~ (" " code " "))
                    print uri, key
                uri = key = suites = ""; off = 0
            }
            FNR == 1 || /^[[:space:]]*$/ { flush() }
            /^URIs:/ { uri = $2 }
            /^Suites:/ { sub(/^Suites:[[:space:]]*/, ""); suites = $0 }
            /^Signed-By:/ { key = $2 }
            /^Enabled:[[:space:]]*no/ { off = 1 }
            END { flush() }' "${files[@]}"
        cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | awk -v code="$code" '
            $1 == "deb" {
                key = ""; i = 2
                if ($2 ~ /^\[/) {
                    for (; i <= NF; i++) {
                        word = $i; gsub(/[][]/, "", word)
                        if (word ~ /^signed-by=/) { key = word; sub(/^signed-by=/, "", key) }
                        if ($i ~ /\]$/) { i++; break }
                    }
                }
                if ($(i + 1) == code && $i !~ /^cdrom:/) print $i, key
            }'
    } | head -1
}

# Where the keys of Debian's archive are, when the source itself does not say.
roots_keyring() { # KEY-OF-SOURCE
    local f
    for f in "$1" /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
        case $f in /*) [ -r "$f" ] && echo "$f" && return ;; esac
    done
}

# roots_apt SUITE...: makes the private apt state of those suites once; prints its configuration.
roots_apt() {
    local dir=$LAB_ROOTS/apt/${*// /+} uri key
    dir=${dir// /+}
    if [ ! -s "$dir/apt.conf" ]; then
        command -v apt-get >/dev/null || die "no apt-get here: cannot fetch servers of ${*}"
        read -r uri key <<<"$(roots_mirror)"
        [ -n "$uri" ] || die "no Debian mirror in /etc/apt: cannot fetch servers of ${*}"
        key=$(roots_keyring "$key")
        mkdir -p "$dir"/{lists/partial,cache/archives/partial,parts,sources.d,log}
        : >"$dir/status"
        {
            printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$*"
            [ -z "$key" ] || printf 'Signed-By: %s\n' "$key"
        } >"$dir/sources.d/lab.sources"
        {
            # Proxies and time limits of the machine stay valid; its hooks do not run.
            apt-config dump | grep -E '^Acquire::(http|https|ftp)::' || true
            printf 'Dir::Etc::parts "%s";\nDir::Etc::main "/dev/null";\n' "$dir/parts"
            printf 'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "%s";\n' "$dir/sources.d"
            printf 'Dir::Etc::preferences "/dev/null";\nDir::Etc::preferencesparts "%s";\n' "$dir/parts"
            printf 'Dir::State "%s";\nDir::State::lists "%s";\n' "$dir" "$dir/lists"
            printf 'Dir::State::status "%s";\n' "$dir/status"
            printf 'Dir::State::extended_states "%s";\n' "$dir/extended_states"
            printf 'Dir::Cache "%s";\nDir::Log "%s";\n' "$dir/cache" "$dir/log"
            printf 'APT::Sandbox::User "root";\nAPT::Install-Recommends "false";\n'
            printf 'Acquire::Languages "none";\nAcquire::Check-Valid-Until "false";\n'
            printf 'Acquire::Retries "3";\nDebug::NoLocking "true";\n'
        } >"$dir/apt.conf.new"
        if ! APT_CONFIG=$dir/apt.conf.new apt-get -qq update >"$dir/update.log" 2>&1 ||
            grep -q '^[WE]: Failed to fetch' "$dir/update.log"; then
            roots_tail "$dir/update.log"
            die "cannot fetch the package lists of $*: is the network there? ($dir/update.log)"
        fi
        mv "$dir/apt.conf.new" "$dir/apt.conf"
    fi
    echo "$dir/apt.conf"
}

# The end of a log of apt, without the names of machines.
roots_tail() {
    sed -E 's#([a-z]+://)[^/ ]+#\1MIRROR#g' "$1" | tail -8 >&2
}

# roots_need NAME: the root is there afterwards, downloaded if needed (one process at a time).
roots_need() {
    local root=$LAB_ROOTS/$1
    roots_row "$1"
    [ "$(cat "$root/.done" 2>/dev/null)" = "$SUITES: $PACKAGES" ] && return 0
    mkdir -p "$LAB_ROOTS/bin"
    (
        flock 9
        [ "$(cat "$root/.done" 2>/dev/null)" = "$SUITES: $PACKAGES" ] || roots_fetch "$1"
    ) 9>"$LAB_ROOTS/.lock"
}

roots_fetch() { # NAME
    local root=$LAB_ROOTS/$1 debs=$LAB_ROOTS/apt/debs-$1 conf deb prefer=()
    roots_row "$1"
    # shellcheck disable=SC2086
    conf=$(roots_apt $SUITES) || exit 1
    case $SUITES in *-backports) prefer=(-t "${SUITES##* }") ;; esac
    say "deps: fetching $1 ($PACKAGES; $SUITES)"
    mkdir -p "$debs/partial"
    # shellcheck disable=SC2086
    if ! APT_CONFIG=$conf apt-get -qq -y "${prefer[@]}" -o Dir::Cache::archives="$debs" \
        --download-only install $PACKAGES >"$debs.log" 2>&1 </dev/null; then
        roots_tail "$debs.log"
        die "cannot fetch $1 ($PACKAGES from $SUITES): is the network there? ($debs.log)"
    fi
    rm -rf "$root"
    mkdir -p "$root"/usr/{bin,sbin,lib,lib64}
    for deb in bin sbin lib lib64; do ln -s "usr/$deb" "$root/$deb"; done
    for deb in "$debs"/*.deb; do
        # Not dpkg-deb -x: that would put directories where the links to usr/ are.
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink \
            --no-same-owner --exclude='./usr/share/[dlm]o*' --exclude='./usr/share/man' ||
            die "cannot unpack ${deb##*/} in $root"
    done
    rm -rf "$debs"
    for deb in $PROGRAMS; do roots_wrap "$1" "$deb"; done
    echo "$SUITES: $PACKAGES" >"$root/.done"
}

# The root's dynamic loader and its library path, as words before a program's path.
roots_loader() { # ROOT
    local lib
    lib=$(echo "$1"/usr/lib/*/libc.so.6)
    lib=${lib%/*}
    # Not through /lib64: that link is absolute and would lead to the machine's own loader.
    echo "$lib"/ld-linux-*.so.* "$lib"
}

# bin/NAME-server, -cli, -benchmark: found from the place of the script, so the tree may move.
roots_wrap() { # ROOT-NAME PROGRAM
    local loader lib
    read -r loader lib <<<"$(roots_loader "$LAB_ROOTS/$1")"
    loader=${loader#"$LAB_ROOTS"/} lib=${lib#"$LAB_ROOTS"/}
    {
        printf '#!/bin/sh\nr=${0%%/*}/..\n'
        printf 'exec "$r/%s" --library-path "$r/%s" "$r/%s/usr/bin/%s" "$@"\n' \
            "$loader" "$lib" "$1" "$2"
    } >"$LAB_ROOTS/bin/$1-${2#*-}"
    chmod +x "$LAB_ROOTS/bin/$1-${2#*-}"
}
