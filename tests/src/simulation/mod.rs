//! A simulation of posting: real lanes, the real component and a real database, driven by one number, while everything fails.
//!
//! A seed decides everything that is decided: accounts and limits, what is asked for and in which order, what is sent again, which
//! transaction fails and how, when a host ends, sleeps or starts, and what time it is. Requests are sent in *waves*: a gate holds
//! the lane until a wave is complete, and the next one is sent when everyone has an answer. After each wave the journal is read,
//! fed to the naive model in its order, and everything that anybody was told is held against it (`audit.rs`, `claims.rs`). After each
//! end of a host, and in the end, the books are proven.
//!
//! | from the seed alone | not from the seed |
//! | --- | --- |
//! | what is asked for, sent again, and when | ids that lanes make, which only their order matters of |
//! | the batches of a wave on one host | the batches of a wave on two hosts of a PostgreSQL, which take turns by its clock |
//! | faults, by how many writes and reads came before in the wave | how often a host without its database tries within its time |
//! | what is true in the end | which of a host's reads come first while it decides one batch and writes another |
//!
//! What is on the right changes how a seed goes on, and never whether what it checks must hold. A seed that fails is run again by
//! `scripts/simulate.sh` with `SEED=` in front.

mod random; // numbers from a seed
mod stage; // the database of a seed
mod chaos; // what goes wrong
mod gate; // holds a lane until a wave is complete
mod host; // a process
mod request; // what is asked for
mod claims; // whose it is that happened
mod audit; // what happened, and what must hold
mod tally; // how much was done
mod wave; // requests to a host, and their answers
mod run; // one seed from its beginning to its end

pub use run::simulate;
pub use stage::Stage;
pub use tally::Tally;
