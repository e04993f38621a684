//! What a component without a standard library brings along: the generated bindings, an allocator, an end for panics.
//!
//! Nothing of the ledger is in here, and nothing unsafe is anywhere else.
#![expect(unsafe_code, reason = "generated code lays values out in linear memory")]

#[cfg(target_arch = "wasm32")]
mod arena; // memory, for the time of a call

use super::Ledger;

wit_bindgen::generate!({ path: "../../wit", world: "ledger" });

export!(Ledger);

#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ARENA: arena::Arena = arena::Arena::new();

/// A panic is a trap: the host gets an error and throws the instance away.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
