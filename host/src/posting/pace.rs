//! How a lane paces itself: how much it takes at a time, how long it waits and tries, and how soon rows follow.

use ledger_core::BATCH_MAX;
use std::time::Duration;

/// The pace of a lane. Servers keep the default; a test makes come soon what takes a server millions of transfers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// The most commands of a batch, of which a larger group is one of its own. At most [`BATCH_MAX`].
    pub batch_max: usize,
    /// From so many commands on the next batch is decided while this one is being written.
    pub ahead_min: usize,
    /// How many commands of a batch are a crowd, after which the lane lingers.
    pub crowd_min: usize,
    /// How long the lane of an embedded database waits for more when fewer commands wait than the batch before had, and that was a crowd: of 64
    /// clients that propose one transfer after the other, a quarter more ride together, and 5 % more are answered in a second. Nobody waits
    /// who is alone. PostgreSQL, which needs the processor meanwhile, gained nothing.
    pub linger: Duration,
    /// How long a batch is tried when the database is away or asks to try again, before its callers are told that posting is not
    /// available. Shorter than what a request may take (30 s), so that the caller hears it from here.
    pub try_for: Duration,
    /// When nothing came for so long, rows that lag are written.
    pub idle: Duration,
    /// Rows written at a time when nothing else is to be done.
    pub idle_rows: usize,
    /// How many rows of `transfer` a sweep may take to go through. After a crash at most twice as many are read again, which takes
    /// a second or two.
    pub sweep_alone: i64,
    /// The same where other hosts read the same database: with each account they have to read what lags. Hosts in turn write everything
    /// when half as much lags.
    pub sweep_among_others: i64,
    /// The most accounts that are kept when nothing of them waits to be written: some 300 MB.
    pub accounts_max: usize,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace {
            batch_max: BATCH_MAX,
            ahead_min: 512,
            crowd_min: 8,
            linger: Duration::from_micros(300),
            try_for: Duration::from_secs(10),
            idle: Duration::from_millis(200),
            idle_rows: 4_096,
            sweep_alone: 1_000_000,
            sweep_among_others: 131_072,
            accounts_max: 1_500_000,
        }
    }
}
