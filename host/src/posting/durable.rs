//! What a lane lets others see: accounts as it has them in memory, but only once they are durable.

use super::bulk::LEASE;
use super::resident::Resident;
use super::rows::AccountRow;
use crate::store::Db;
use ledger_core::AccountId;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How much sooner than the database a host believes that its lease has run out.
const MARGIN: Duration = Duration::from_millis(500);

/// Of one lane.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) resident: Arc<Mutex<Resident>>,
    durable: watch::Sender<Durable>,
    closing: AtomicBool,
}

/// How far the database has what is in memory.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Durable {
    /// Grows whenever something in the memory stops being so without a batch.
    generation: u64,
    seq: i64,
    /// Until when nobody else can have posted. None: anybody may.
    owned_until: Option<Instant>,
}

/// What a lane can say about accounts.
#[derive(Debug)]
pub(super) enum Seen {
    /// Some are in memory, and that is durable; of the others the row in the database is as they are now, if there is one.
    Here {
        /// As the lane has them.
        rows: Vec<AccountRow>,
        /// Which are not in memory.
        stored: Vec<AccountId>,
    },
    /// The ledger is not this host's: rows may lag behind what others posted.
    Unknown,
}

impl Durable {
    fn is_owned(&self) -> bool {
        self.owned_until.is_some_and(|until| Instant::now() <= until)
    }
}

impl Default for Shared {
    fn default() -> Shared {
        Shared { resident: Arc::default(), durable: watch::Sender::default(), closing: AtomicBool::new(false) }
    }
}

impl Shared {
    /// These accounts as this lane has them, once all of that is durable.
    pub(super) async fn accounts(&self, ids: &[AccountId]) -> Seen {
        let mut durable = self.durable.subscribe();
        loop {
            let (mut rows, mut stored) = (vec![], vec![]);
            let seen = {
                let resident = super::locked(&self.resident);
                for id in ids {
                    match resident.account(*id) {
                        Some(row) => rows.push(row.clone()),
                        None => stored.push(*id),
                    }
                }
                *durable.borrow_and_update()
            };
            if !seen.is_owned() {
                return Seen::Unknown;
            }
            let Some(newest) = rows.iter().map(|row| row.as_of).max() else { return Seen::Here { rows, stored } };
            let settled =
                |now: &Durable| now.generation != seen.generation || now.owned_until.is_none() || now.seq >= newest;
            let Ok(now) = durable.wait_for(settled).await.map(|now| *now) else { return Seen::Unknown };
            if now.generation == seen.generation && now.seq >= newest {
                return Seen::Here { rows, stored };
            }
        }
    }

    /// Everything up to this record is durable, and the ledger is this host's by a lease that it had after `began`.
    pub(super) fn durable(&self, seq: i64, db: &Db, began: Instant) {
        let lease = match db {
            // One process has the file.
            Db::Sqlite { .. } => Duration::from_secs(1 << 30),
            Db::Postgres { .. } => Duration::from_micros(LEASE.unsigned_abs()) - MARGIN,
        };
        self.durable.send_modify(|durable| {
            (durable.seq, durable.owned_until) = (seq, Some(began + lease));
        });
    }

    /// Whether nobody else can have posted until now.
    pub(super) fn is_owned(&self) -> bool {
        self.durable.borrow().is_owned()
    }

    /// Something in memory was taken back: whoever waits until it is durable looks again.
    pub(super) fn taken_back(&self) {
        self.durable.send_modify(|durable| durable.generation += 1);
    }

    /// The ledger is not this host's alone any more.
    pub(super) fn disown(&self) {
        self.durable.send_modify(|durable| durable.owned_until = None);
    }

    /// Empties the memory.
    pub(super) fn forget(&self) {
        let mut resident = super::locked(&self.resident);
        *resident = Resident::default();
        self.durable.send_modify(|durable| {
            *durable = Durable { generation: durable.generation + 1, ..Durable::default() };
        });
    }

    /// Puts this in the memory's place, of a ledger whose journal ends at `seq`.
    pub(super) fn replace(&self, by: Resident) {
        let mut resident = super::locked(&self.resident);
        *resident = by;
        self.durable.send_modify(|durable| durable.generation += 1);
    }

    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Whether the lane is to write everything before it ends.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }
}
