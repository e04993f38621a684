//! How much is measured: the sizes of a whole run, and of a quick one that only shows that everything works.

use crate::contest::Limit;
use crate::workload::SIZES;
use std::time::Duration;

/// The sizes of a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Rounds of each side.
    pub(crate) rounds: usize,
    /// How far a round goes.
    pub(crate) limit: Limit,
    /// Payments in a batch.
    pub(crate) sizes: Vec<usize>,
    /// Accounts of a small ledger.
    pub(crate) few: u64,
    /// Accounts of a large one.
    pub(crate) many: u64,
    /// Transfers that are stored before batches are measured.
    pub(crate) stored: Vec<u64>,
    /// The same for SQLite alone, whose ledger is the largest of [`Plan::stored`] before.
    pub(crate) most_stored: u64,
    /// Transfers that are posted before the memory of whoever posted them is read.
    pub(crate) memory_load: u64,
    /// Transfers that are posted before a host is killed: so many that as much as can be lags behind.
    pub(crate) killed_after: u64,
    /// Members who trade over HTTP.
    pub(crate) members: usize,
    /// How long a round over HTTP lasts.
    pub(crate) http_time: Duration,
    /// Transfers in the pasts of accounts that are asked about.
    pub(crate) pasts: Vec<u64>,
    /// Entities that are searched.
    pub(crate) entities: usize,
    /// Tags that they have.
    pub(crate) vocabulary: usize,
    /// Searches of a kind in a round.
    pub(crate) searches: usize,
}

impl Plan {
    pub(crate) fn whole() -> Plan {
        Plan {
            rounds: 5,
            limit: Limit { time: Duration::from_millis(1_200), count: 250_000 },
            sizes: SIZES.to_vec(),
            few: 10_000,
            many: 1_000_000,
            stored: vec![1_000_000, 10_000_000],
            most_stored: 50_000_000,
            memory_load: 3_500_000,
            killed_after: 1_900_000,
            members: 1_000,
            http_time: Duration::from_secs(3),
            pasts: vec![10, 10_000, 1_000_000],
            entities: 100_000,
            vocabulary: 20_000,
            searches: 100,
        }
    }

    pub(crate) fn quick() -> Plan {
        Plan {
            rounds: 2,
            limit: Limit { time: Duration::from_millis(200), count: 40_000 },
            many: 50_000,
            stored: vec![30_000, 60_000],
            most_stored: 150_000,
            memory_load: 60_000,
            killed_after: 100_000,
            members: 100,
            http_time: Duration::from_secs(1),
            pasts: vec![10, 1_000, 20_000],
            entities: 2_000,
            vocabulary: 800,
            searches: 20,
            ..Plan::whole()
        }
    }
}
