#!/usr/bin/env bash
# Checks what the build takes for granted on a machine, and installs what is missing where apt can.
# Holds no library and no database: cargo brings the first, scripts/postgres.sh the second.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/apt.sh

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v make >/dev/null || missing+=(make)
command -v pkg-config >/dev/null || missing+=(pkg-config)
command -v curl >/dev/null || missing+=(curl)
[ -e /etc/ssl/certs/ca-certificates.crt ] || [ "$(uname)" != Linux ] || missing+=(ca-certificates)
[ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"

if ! command -v cargo >/dev/null || ! command -v rustc >/dev/null; then
    echo "Please install Rust with rustup: cargo and rustc are not on the PATH, and no script here can fetch them." >&2
    exit 1
fi
wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
found=$(rustc --version | cut -d ' ' -f 2)
if [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" != "$wanted" ]; then
    echo "Please update Rust: the newest code here needs rustc $wanted, and this is $found." >&2
    exit 1
fi
for tool in fmt clippy; do
    if ! cargo "$tool" --version >/dev/null 2>&1; then
        echo "Please add the toolchain's rustfmt and clippy (rustup component add rustfmt clippy): cargo $tool is missing." >&2
        exit 1
    fi
done
