//! The built component imports nothing, and exports the ledger: read from its bytes, without running it.

use hesabu::engine::COMPONENT;
use wasmparser::{Parser, Payload};

#[test]
fn the_component_imports_nothing_and_exports_the_ledger() {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    // Depth of the module or component inside of the component that is being read.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(COMPONENT) {
        match payload.expect("dist/ledger.wasm is a component") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports.extend(section.into_iter().map(|import| format!("{:?}", import.expect("it can be read").name)));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                exports.extend(section.into_iter().map(|export| format!("{:?}", export.expect("it can be read").name)));
            }
            _ => {}
        }
    }
    assert!(imports.is_empty(), "the component must run anywhere: take out what makes it import {imports:?}");
    for ledger in ["hesabu:ledger/posting@0.1.0", "hesabu:ledger/compact@0.1.0"] {
        let found = exports.iter().any(|name| name.contains(ledger));
        assert!(found, "{ledger} is not among {exports:?}: run `make component`");
    }
}
