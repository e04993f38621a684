//! The host: HTTP, databases, identity, and the engine that runs the ledger component. The binary `hesabu` is a thin shell over it.

pub mod engine; // runs the component that decides
pub mod store; // remembers
pub mod posting; // moves money: the path from a command to a durable answer
pub mod identity; // who somebody is
pub mod directory; // how entities are found
pub mod parties; // the entities that trade
pub mod accounts; // balances, histories, proposals
pub mod statements; // of account, for who wants to check
pub mod audit; // who did what, and when
pub mod limits; // how many requests one client may send
pub mod mail; // tells people what happened
pub mod jobs; // what is done without being asked

pub mod visible; // which characters of a text are seen
pub mod meters; // what is measured
pub mod error; // what can go wrong with a request
pub mod api; // HTTP
pub mod config; // settings
pub mod app; // all of it, put together

use ledger_core::Timestamp;
use uuid::Uuid;

/// A new id. Ids made later sort later, also within a millisecond, so that indexes grow at their right end.
pub fn mint_id() -> u128 {
    Uuid::now_v7().as_u128()
}

/// An id as clients see it.
pub fn id_text(id: u128) -> String {
    Uuid::from_u128(id).to_string()
}

/// The system's clock. A clock before 1970 reads as 1970.
pub fn system_clock() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}
