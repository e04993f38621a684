//! What the tests are made of. The tests themselves are in `tests/it`, one binary for all.

pub mod commands; // random histories
pub mod explore;
pub mod model;
pub mod scenario; // texts that read like a ledger // the ledger's rules, told again naively // properties, seeds, shrinking
