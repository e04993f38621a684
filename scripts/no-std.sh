#!/usr/bin/env bash
# Fails when the core is no longer what it claims: no standard library and no dependency, on any target.
# The component's build says the same for wasm; this says it for the host, quickly, and looks at dependencies too.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly target_dir=target/no-std

dependencies=$(cargo tree --locked --package ledger-core --edges normal,build --target all --prefix none | tail -n +2)
if [ -n "$dependencies" ]; then
    echo "ledger-core must depend on nothing, but it depends on:" >&2
    echo "$dependencies" >&2
    exit 1
fi

# A program may have one panic handler. Where the standard library's has come in, this one is refused.
cargo build --locked --quiet --package ledger-core --lib --target-dir "$target_dir"
if ! rustc --edition 2024 --crate-type lib --crate-name no_std --emit metadata --out-dir "$target_dir" \
    --extern "ledger_core=$target_dir/debug/libledger_core.rlib" - <<'END'; then
#![no_std]
extern crate ledger_core;
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
END
    echo "ledger-core must do without the standard library, but it links it." >&2
    exit 1
fi
echo "The core links no standard library and depends on nothing."
