//! How many requests one client may send in a minute: by address, by address at the doors (where passwords are tried), and by person; and how
//! many connections it may keep. What a refusal looks like is each surface's.
//!
//! | step | who | what |
//! | --- | --- | --- |
//! | each request | `counts.rs` | one entry of a map in memory, behind a short lock |
//! | a few times a second | `share.rs` | new counts are added to rows that all hosts share, and those of all hosts are read back |
//!
//! So no request waits for the database, hosts together overshoot by what they admit in a quarter of a second, and when the database is
//! away each host limits by what it counts itself.

mod address; // where a request came from
mod connections; // how many it has open
mod counts; // what this host counted, and knows of others
mod share; // what others counted

pub use address::Proxies;
pub use connections::{Place, Places};

use crate::store::Db;
use crate::system_clock;
use counts::{Counts, Subject};
use std::net::IpAddr;
use std::sync::Arc;

/// How long requests are counted together, in microseconds.
const WINDOW: i64 = 60_000_000;

/// How many requests a minute; 0 for as many as they like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rates {
    /// From one address. Members behind one mobile carrier may share theirs.
    pub by_address: u32,
    /// From one address at the doors: logins, signups, passwords to be reset.
    pub doors_by_address: u32,
    /// By one person.
    pub by_account: u32,
}

/// Who is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Client {
    /// Whoever comes from this address.
    Address(IpAddr),
    /// The same, at the doors.
    Door(IpAddr),
    /// The person of a good token.
    Account(u128),
}

/// That somebody has sent as many requests as they may.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
#[error("too many requests; the next is good in {retry_after} s")]
pub struct Exceeded {
    /// Whole seconds until they may send again, at least 1.
    pub retry_after: u64,
}

/// Counts requests. Clones count together.
#[derive(Clone)]
pub struct Limits {
    rates: Rates,
    counts: Arc<Counts>,
}

impl Limits {
    /// Counts from now on, together with the other hosts on `db`.
    ///
    /// # Panics
    /// Outside of an async runtime.
    pub fn start(db: &Db, rates: Rates) -> Limits {
        let counts = Arc::new(Counts::default());
        share::start(db.clone(), Arc::downgrade(&counts));
        Limits { rates, counts }
    }

    /// Counts a request, unless it is one too many.
    ///
    /// # Errors
    /// When it is.
    pub fn count(&self, client: Client) -> Result<(), Exceeded> {
        let (subject, most) = match client {
            Client::Address(address) => (Subject { scope: 0, id: address::network(address) }, self.rates.by_address),
            Client::Door(address) => (Subject { scope: 1, id: address::network(address) }, self.rates.doors_by_address),
            Client::Account(person) => (Subject { scope: 2, id: person }, self.rates.by_account),
        };
        let now = system_clock().0;
        if most == 0 || self.counts.count(subject, most, window(now)) {
            return Ok(());
        }
        let by = match client {
            Client::Address(_) => "address",
            Client::Door(_) => "door",
            Client::Account(_) => "account",
        };
        metrics::counter!("hesabu_rate_limited_total", "by" => by).increment(1);
        let left = window(now) + WINDOW - now;
        Err(Exceeded { retry_after: u64::try_from(left / 1_000_000 + 1).unwrap_or(1) })
    }
}

/// When the minute of an instant began.
const fn window(at: i64) -> i64 {
    at - at.rem_euclid(WINDOW)
}
