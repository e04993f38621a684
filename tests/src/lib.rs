//! What the tests are made of. The tests themselves are in `tests/it`, one binary for all.

pub mod model; // the ledger's rules, told again naively
pub mod commands; // random histories
pub mod typed; // the component as an integrator calls it
pub mod explore; // properties, seeds, shrinking
pub mod scenario; // texts that read like a ledger
pub mod database; // fresh databases on both engines
pub mod server; // the program itself, running
pub mod client; // somebody who believes nothing
pub mod network; // members who trade
pub mod mailbox; // a mail server
pub mod orders; // many at once, and what was promised
pub mod tamper; // somebody who writes to the database
pub mod line; // a database that goes away
pub mod room; // posting between two accounts
pub mod simulation; // posting, from a seed, while everything fails
