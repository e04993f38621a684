//! Finds the component that the server embeds, and says what to do when it has not been built.

use std::path::Path;

fn main() {
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/ledger.wasm");
    println!("cargo::rerun-if-changed={}", component.display());
    println!("cargo::rerun-if-changed=../migrations");
    match component.canonicalize() {
        Ok(path) => println!("cargo::rustc-env=HESABU_COMPONENT={}", path.display()),
        Err(_) => println!("cargo::error=dist/ledger.wasm is missing: run `make component` first"),
    }
}
