#!/usr/bin/env bash
# Builds the ledger component from source: ledger-core/component -> wasm module -> dist/ledger.wasm.
# Holds which compiler builds it, with which settings, and when nothing is to be done. scripts/componentize does the packing.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/apt.sh

readonly target=wasm32-unknown-unknown
readonly target_dir=target/wasm # apart, so that its settings never rebuild the host's dependencies
readonly module=$target_dir/$target/release/ledger_component.wasm
readonly component=dist/ledger.wasm
readonly stamp=dist/ledger.wasm.stamp
readonly debian_compiler=(rustc-web cargo-web rust-web-src libstd-rust-web-dev)

# One line that changes with anything the component is made of.
inputs() {
    {
        find ledger-core wit scripts/componentize scripts/component.sh Cargo.toml Cargo.lock -type f -print0 |
            LC_ALL=C sort -z | xargs -0 sha256sum
        rustc --version
    } | sha256sum
}

has_target() {
    [ -d "$(rustc --print target-libdir --target "$target" 2>/dev/null)" ]
}

has_debian_compiler() {
    local installed
    installed=$(dpkg-query --show --showformat='${db:Status-Status}\n' "${debian_compiler[@]}" 2>/dev/null) &&
        ! grep -qvx installed <<<"$installed"
}

# build_module CARGO [OPTION…]: the environment may name another rustc.
# The settings are for speed; the module stays small all the same. Paths are cut: every machine makes the same bytes.
# 32 KiB of stack, of which the largest batch needs a part, put all that a small batch touches into one page of 64 KiB.
# A call costs more in the sandbox than elsewhere, for fuel is counted around it: small functions become part of larger ones. With vectors
# of 128 bits, ids and whole records are copied in a few steps.
build_module() {
    local cut=--remap-path-prefix=$PWD=.$'\x1f'--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo
    local fast=-Ctarget-feature=+simd128$'\x1f'-Cllvm-args=-inline-threshold=1000
    CARGO_ENCODED_RUSTFLAGS=$cut$'\x1f'$fast$'\x1f'-Clink-arg=-zstack-size=32768 \
        CARGO_PROFILE_RELEASE_OPT_LEVEL=3 CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 \
        CARGO_PROFILE_RELEASE_PANIC=abort CARGO_PROFILE_RELEASE_DEBUG=none CARGO_PROFILE_RELEASE_STRIP=symbols \
        "$1" build --locked --release --package ledger-component --target "$target" --target-dir "$target_dir" "${@:2}"
}

# Debian's compiler for browsers builds even where a rustup toolchain cannot be completed: it brings core's source along.
# RUSTC_BOOTSTRAP lets that stable compiler build core; the ledger's own code stays within what stable allows.
build_module_with_debian() {
    local lld
    lld=$(rustc --print sysroot)/lib/rustlib/$(rustc --version --verbose | sed -n 's/^host: //p')/bin/rust-lld
    if [ ! -x "$lld" ]; then
        echo "The component cannot be built: rustc has no $target target, and no rust-lld that could stand in." >&2
        exit 1
    fi
    if ! has_debian_compiler && ! apt_install "${debian_compiler[@]}"; then
        echo "The component cannot be built: $target can neither be added by rustup nor be had from Debian." >&2
        exit 1
    fi
    RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$lld \
        build_module /usr/bin/cargo -Zbuild-std=core,alloc -Zbuild-std-features=
}

# Read before building, so that a file saved meanwhile counts as a change.
made_of=$(inputs)
if [ -f "$component" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$made_of $(sha256sum "$component")" ]; then
    echo "The component is up to date: $component"
    exit 0
fi
if has_target; then
    echo "Building the component with $(rustc --version | cut -d ' ' -f 1-2)"
    build_module cargo
elif command -v rustup >/dev/null && timeout 60 rustup target add "$target" >/dev/null 2>&1 && has_target; then
    echo "Building the component with $(rustc --version | cut -d ' ' -f 1-2) and $target, just added by rustup"
    build_module cargo
else
    echo "Building the component with Debian's rustc-web: rustup cannot add $target here"
    build_module_with_debian
fi
mkdir -p dist
# Packing takes milliseconds, so its libraries need no optimisation.
cargo run --locked --quiet --package componentize --target-dir "$target_dir" \
    --config 'profile.dev.package."*".opt-level=0' -- "$module" "$component"
echo "$made_of $(sha256sum "$component")" >"$stamp"
