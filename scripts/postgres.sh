#!/usr/bin/env bash
# A throw-away PostgreSQL for tests: a private cluster in /tmp, with the durability settings of a real one.
# Holds nothing that outlives a test run, and is no way to run a database that matters.
#
#   scripts/postgres.sh run -- COMMAND…   runs COMMAND with HESABU_TEST_POSTGRES set to the URL of a fresh server
#   scripts/postgres.sh start             starts one that stays, and prints its URL
#   scripts/postgres.sh stop              stops and removes the one that stays
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
source "$root/scripts/apt.sh"
unset PGDATA PGHOST PGPORT PGUSER PGDATABASE PGOPTIONS

# A socket's path may have 107 bytes and the server's user must be able to walk to it: not below the working copy.
readonly folders=/tmp/hesabu-postgres
readonly staying=$root/target/postgres-folder

fail() {
    echo "$1" >&2
    exit 1
}

# PostgreSQL refuses to run as root.
as_server() {
    if [ "$(id -u)" -eq 0 ]; then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}

newest_bin() {
    local initdb
    initdb=$(find /usr/lib/postgresql/*/bin -name initdb 2>/dev/null | sort -V | tail -n 1)
    [ -n "$initdb" ] || initdb=$(readlink -f "$(command -v initdb)" || true)
    [ -n "$initdb" ] && dirname "$initdb"
}

# Makes a cluster and starts it. Leaves its folder in $folder, and descriptor 9 with the lock that says who owns it.
up() {
    local new port
    if ! bin=$(newest_bin); then
        apt_install postgresql || fail "There is no PostgreSQL server to test with."
        bin=$(newest_bin) || fail "There is no PostgreSQL server to test with, although one was installed."
    fi
    if [ "$(id -u)" -eq 0 ] && ! id postgres >/dev/null 2>&1; then
        fail "PostgreSQL does not run as root, and there is no user called postgres to run it as."
    fi
    sweep
    # Locked before it gets the name that sweep looks for.
    new=$(mktemp -d /tmp/hesabu-new-postgres.XXXXXX)
    exec 9>"$new/lock"
    flock 9
    folder=$folders.${new##*.}
    mv -T "$new" "$folder"
    [ "$(id -u)" -ne 0 ] || chown postgres: "$folder"
    cd "$folder"
    as_server "$bin/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync \
        >"$folder/initdb.log" 2>&1 9>&- || fail "initdb failed: $(tail -n 3 "$folder/initdb.log")"
    as_server tee -a "$folder/data/postgresql.conf" >/dev/null <<END
listen_addresses = '127.0.0.1'
unix_socket_directories = '$folder'
max_connections = 200
END
    # Outgoing connections take their ports from 32768 on. Another program may take one of ours: then the next is tried.
    for _ in {1..20}; do
        port=$((20000 + RANDOM % 12000))
        if as_server "$bin/pg_ctl" start --wait --silent --pgdata="$folder/data" --log="$folder/server.log" -o "-p $port" \
            </dev/null >/dev/null 2>&1 9>&-; then
            url=postgres://postgres@127.0.0.1:$port/postgres
            return
        fi
        grep -q 'could not bind' "$folder/server.log" || break
        as_server rm -f "$folder/server.log"
    done
    fail "PostgreSQL did not start: $(tail -n 3 "$folder/server.log")"
}

# down FOLDER: what is in it is thrown away, so it need not be stopped gently.
down() {
    [ -d "$1" ] || return 0
    if [ -e "$1/data/postmaster.pid" ]; then
        (cd / && as_server "$(newest_bin)/pg_ctl" stop --mode=immediate --silent --pgdata="$1/data") >/dev/null 2>&1 9>&- || true
    fi
    rm -rf "$1"
}

# Removes what killed runs left: a folder whose lock is free and that nobody wanted to stay.
sweep() {
    local old lock
    for old in "$folders".*; do
        if [ -O "$old/lock" ] && [ ! -e "$old/stays" ] && exec {lock}<"$old/lock"; then
            ! flock --nonblock "$lock" || down "$old"
            exec {lock}<&-
        fi
    done
}

case "${1-} ${2-}" in
"start ")
    if [ -f "$staying" ] && [ -f "$(cat "$staying")/stays" ]; then
        folder=$(cat "$staying")
        if as_server "$(newest_bin)/pg_ctl" status --pgdata="$folder/data" >/dev/null 2>&1; then
            cat "$folder/stays"
            exit
        fi
        down "$folder"
    fi
    trap 'down "${folder-}"' EXIT
    up
    echo "$url" >"$folder/stays"
    mkdir -p "${staying%/*}"
    echo "$folder" >"$staying"
    trap - EXIT
    echo "$url"
    ;;
"stop ")
    if [ -f "$staying" ]; then
        down "$(cat "$staying")"
        rm -f "$staying"
    fi
    ;;
"run --")
    shift 2
    trap 'down "${folder-}"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    up
    cd "$OLDPWD"
    HESABU_TEST_POSTGRES=$url "$@" 9>&-
    ;;
*)
    sed -n 's/^#   //p' "$0" >&2
    exit 2
    ;;
esac
