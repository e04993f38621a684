//! What the benches are made of. The program `hesabu-benches` measures the whole against its baselines and targets; `cargo bench`
//! measures the parts (`benches/benches`). What is public here is what the parts need, too.

mod statistics; // what is said of many measurements
mod report; // what is said of a bench
mod machine; // where it was measured
mod plan; // how much is measured
mod progress; // what goes on
mod process; // what a process has used
pub mod scratch; // where databases lie
pub mod workload; // what is sent
mod contest; // who takes turns
pub mod ledger; // the ledger that is measured
pub mod database; // where it is kept
mod posting_side; // the ledger as one that takes turns
mod poster; // the ledger in a process that is killed
mod bare_sqlite; // a baseline
mod bare_postgres; // another
mod pgbench; // and one for single requests
mod network; // members who trade over HTTP
mod server; // the server that they ask
mod load; // the process that asks for them
mod http_side; // the server as one that takes turns
mod bench; // the benches themselves
mod program; // what it can be told to do

pub use program::run;
