//! Packs the core's wasm module into a component and proves that the component imports nothing.
//!
//! Holds the one promise that everything else rests on: no imports, and `hesabu:ledger/posting` among the exports.
//! Does not build the module; `scripts/component.sh` does, and calls this.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, process};

use wit_component::{ComponentEncoder, DecodedWasm, decode};

/// What a host instantiates the component for.
const REQUIRED_EXPORT: &str = "hesabu:ledger/posting@0.1.0";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [module, component] = arguments.as_slice() else {
        eprintln!("usage: componentize MODULE.wasm COMPONENT.wasm");
        return ExitCode::from(2);
    };
    match pack(Path::new(module), Path::new(component)) {
        Ok(summary) => {
            println!("{component}: {summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("componentize: {component} was not written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the module, writes the component, and says what it is.
fn pack(module: &Path, component: &Path) -> Result<String, Box<dyn Error>> {
    let module = fs::read(module).map_err(|error| format!("{} cannot be read: {error}", module.display()))?;
    let bytes = encode(&module).map_err(|error| format!("the module is no component: {error:#}"))?;
    let exports = exports_of(&bytes)?;
    write_whole(component, &bytes).map_err(|error| format!("writing failed: {error}"))?;
    Ok(format!("{} bytes, imports nothing, exports {}", bytes.len(), exports.join(" and ")))
}

fn encode(module: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    Ok(ComponentEncoder::default().module(module)?.validate(true).encode()?)
}

/// The names that the component exports; an error if it imports anything, types included, or exports too little.
fn exports_of(component: &[u8]) -> Result<Vec<String>, Box<dyn Error>> {
    let DecodedWasm::Component(resolve, world) = decode(component)? else {
        return Err("the encoder made a package of interfaces instead of a component".into());
    };
    let world = &resolve.worlds[world];
    let imports: Vec<String> = world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
    if !imports.is_empty() {
        return Err(format!("the component must import nothing, but it imports {}", imports.join(" and ")).into());
    }
    let exports: Vec<String> = world.exports.keys().map(|key| resolve.name_world_key(key)).collect();
    if !exports.iter().any(|name| name == REQUIRED_EXPORT) {
        return Err(format!("the component does not export {REQUIRED_EXPORT}, only [{}]", exports.join(", ")).into());
    }
    Ok(exports)
}

/// Writes beside the place and renames, so that nobody ever reads half a component.
fn write_whole(place: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let unfinished = place.with_extension(format!("wasm.{}.tmp", process::id()));
    fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, place)).inspect_err(|_| {
        // What is left of a failed write is of no use; the error itself is what gets told.
        drop(fs::remove_file(&unfinished));
    })
}
