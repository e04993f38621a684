# shellcheck shell=bash
# To be sourced: one function that installs Debian packages by name. Holds no package name itself.

# apt_install PACKAGE…: installs as root or by sudo; says in one sentence why it could not.
apt_install() {
    local as_root=() log
    if ! command -v apt-get >/dev/null; then
        echo "Please install $*: this machine has no apt-get to do it with." >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        as_root=(sudo)
        # Nobody is there to type a password.
        [ -t 0 ] || as_root+=(-n)
        if ! command -v sudo >/dev/null || ! "${as_root[@]}" true; then
            echo "Please install $*: that needs root, and this is neither root nor somebody with sudo." >&2
            return 1
        fi
    fi
    echo "Installing $*" >&2
    log=$(mktemp)
    if ! {
        "${as_root[@]}" apt-get update &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$@"
    } </dev/null >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        rm -f "$log"
        echo "Please install $* by hand: apt-get failed as shown above." >&2
        return 1
    fi
    rm -f "$log"
}
