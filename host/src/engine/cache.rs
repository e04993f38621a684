//! The compiled component, kept on disk. Compiling takes 65 ms, and with it a start is ready after 95 ms; loading what was
//! compiled before takes 1 ms, and a start is ready after 25.
//!
//! A file is found by the digest of the component and by wasmtime's own hash of everything that machine code depends on (its version, its
//! settings, the processor). Whatever is wrong with it, the component is compiled again.

use sha2::{Digest, Sha256};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

/// A component, compiled now or before.
pub(super) fn load(engine: &Engine, wasm: &[u8], folder: &Path) -> wasmtime::Result<Component> {
    let file = file(engine, wasm, folder);
    if let Some(component) = std::fs::read(&file).ok().and_then(|bytes| compiled_before(engine, &bytes)) {
        return Ok(component);
    }
    let compiled = engine.precompile_component(wasm)?;
    let component = trusted(engine, &compiled)?;
    // A folder that cannot be written costs the next start some milliseconds, and nothing else.
    if let Err(error) = store(&file, &compiled) {
        tracing::warn!(error = &error as &dyn std::error::Error, "the compiled component cannot be kept");
    }
    Ok(component)
}

fn file(engine: &Engine, wasm: &[u8], folder: &Path) -> PathBuf {
    let mut compatibility = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut compatibility);
    let digest: String = Sha256::digest(wasm).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    folder.join(format!("ledger-{digest}-{:016x}.cwasm", compatibility.finish()))
}

/// The digest of the machine code, then the machine code. Only what is whole is used.
fn compiled_before(engine: &Engine, bytes: &[u8]) -> Option<Component> {
    let (digest, compiled) = bytes.split_first_chunk::<32>()?;
    let whole = *digest == <[u8; 32]>::from(Sha256::digest(compiled));
    if whole { trusted(engine, compiled).ok() } else { None }
}

/// Machine code becomes a component.
#[expect(
    unsafe_code,
    reason = "machine code is run as it is: it comes from this process's compiler, or whole from the data folder"
)]
fn trusted(engine: &Engine, compiled: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are what `precompile_component` made, here or in an earlier run, as their digest says. Somebody who
    // can write a file of this name and its digest can write to the data folder, and so has the database and the token key.
    unsafe { Component::deserialize(engine, compiled) }
}

fn store(file: &Path, compiled: &[u8]) -> std::io::Result<()> {
    let unique = file.with_extension(format!("{}.new", std::process::id()));
    let mut bytes = Sha256::digest(compiled).to_vec();
    bytes.extend(compiled);
    std::fs::write(&unique, bytes)?;
    std::fs::rename(unique, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::COMPONENT;

    #[test]
    fn a_damaged_file_is_compiled_again() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        load(&engine, COMPONENT, folder.path()).unwrap();
        let file = file(&engine, COMPONENT, folder.path());
        let good = std::fs::read(&file).unwrap();
        assert!(compiled_before(&engine, &good).is_some());
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 1;
        assert!(compiled_before(&engine, &bad).is_none());
        assert!(compiled_before(&engine, &good[..good.len() - 1]).is_none());
        assert!(compiled_before(&engine, b"").is_none());
        std::fs::write(&file, bad).unwrap();
        load(&engine, COMPONENT, folder.path()).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), good);
    }
}
