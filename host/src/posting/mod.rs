//! Posting: the one path by which money moves, from a command to a durable answer.
//!
//! | step | who | what |
//! | --- | --- | --- |
//! | 1 | [`Posting::submit`] | puts commands into the queue of their ledger's lane |
//! | 2 | `lane` | takes everything that waits, up to [`BATCH_MAX`](ledger_core::BATCH_MAX) commands |
//! | 3 | `load.rs` | finds what the batch touches, in memory (`resident.rs`) or in the database |
//! | 4 | `engine` | decides, once |
//! | 5 | `decide.rs` | works out what is to be written: journal record, transfer rows, history links, keys |
//! | 6 | `bulk` | writes it in one transaction, with some of the account rows that lag |
//! | 7 | `lane` | answers everyone, after the commit is durable |
//!
//! One command is a batch of one; there is no other path. `lease.rs` says how hosts share a PostgreSQL; `recover.rs` how rows that
//! were written behind are brought up to date after a crash.
//!
//! # Invariants
//!
//! - Nothing here decides about money: the component does.
//! - This is the only writer of `ledger`, `journal`, `account`, `transfer`, `idempotency`,
//!   `key_run`, `key_page` and `key_prefix`.
//! - Nobody is answered before the commit. When a commit's fate is unknown, the hash of its journal record tells, as soon as the
//!   database can be asked; a caller that cannot wait so long is told that posting is not available, and its key is good for a retry.

mod group; // what is handed in
mod beside; // what is told about it in others' tables
mod lane; // gather, retry, answer
mod load; // what a batch is decided against
mod decide; // what a batch changes
mod bulk; // the hot path of each database
mod desk; // taking a ledger, writing until the fate is known
mod lease; // one host alone, or several in turn
mod resident; // accounts in memory, and writing them behind
mod keys; // keys in memory, and writing them behind
mod filter; // which keys the database may have
mod blocks; // the same of any keys, in little memory
mod durable; // what others may see of them
mod follow; // what other hosts posted meanwhile
mod recover; // what was not written behind before a crash
mod pace; // how much at a time, how soon
mod meters; // how long it took
mod mint; // transfer ids in order
mod find; // transfers by id
mod rows; // accounts and transfers as they are stored
mod windows; // limits on what may pass in a period, in memory and as they are stored
mod history; // each account's chain of rows
mod idempotency; // keys that clients send to be safe
mod pages; // very many of them, packed
mod journal; // the chain of hashes
mod ledgers; // which ledgers there are
mod health; // the invariants, computed live
mod verify; // the proof: replay of the journal

pub use beside::{Beside, Told};
pub(crate) use group::memo_digest;
pub use group::{Entry, Group, key};
pub use health::{Check, Health, Looks, health};
pub use history::Step;
pub use journal::{Hash, Record, hash_text, hashes, head, head_at, records};
pub use ledgers::{Ledger, ensure_ledger, ledgers};
pub use pace::Pace;
pub use verify::{Fault, Progress, Report, verify};

use crate::engine::{self, Engine, EngineError};
use crate::store::{self, Db, Statement, Tx};
use desk::Desk;
use durable::Seen;
use lane::Lane;
use ledger_core::{Account, AccountId, Command, LedgerId, Outcome, Timestamp, Transfer, TransferId};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// Tells the time. An argument, so that tests can turn it back.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where commands are handed in. Clones share their lanes.
#[derive(Clone)]
pub struct Posting {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    engine: Engine,
    clock: Clock,
    pace: Pace,
    /// This process, among others on the same database.
    host: u128,
    /// `None` when closed.
    lanes: Mutex<Option<HashMap<LedgerId, Lane>>>,
    tasks: TaskTracker,
}

/// Why a group got no answer. Nothing of it happened, except where noted.
#[derive(thiserror::Error, Clone, PartialEq, Eq, Debug)]
pub enum PostingError {
    /// The queue is full: try again shortly.
    #[error("too many transfers are waiting")]
    Busy,
    /// The database or the engine could not be used. A retry with the same key is safe: should the commit have
    /// succeeded after all, it gets the first answer.
    #[error("posting is not available")]
    Unavailable,
    /// A companion met a constraint.
    #[error("constraint {0} is violated")]
    Conflict(String),
    /// More commands than one batch takes.
    #[error("a group has at most {} commands", ledger_core::BATCH_MAX)]
    TooLarge,
    /// There is no such ledger.
    #[error("no such ledger")]
    NoLedger,
}

impl Posting {
    /// Posts to `db` what `engine` decides.
    pub fn new(db: Db, engine: Engine, clock: Clock) -> Posting {
        Posting::paced(db, engine, clock, Pace::default())
    }

    /// The same, at a pace of its own.
    pub fn paced(db: Db, engine: Engine, clock: Clock, pace: Pace) -> Posting {
        let (lanes, tasks) = (Mutex::new(Some(HashMap::new())), TaskTracker::new());
        Posting { inner: Arc::new(Inner { db, engine, clock, pace, host: crate::mint_id(), lanes, tasks }) }
    }

    /// Where it is all kept.
    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    /// Decides a group and makes what it did durable; one outcome for each of its commands.
    ///
    /// # Errors
    /// See [`PostingError`]. A refusal is an outcome, not an error.
    pub async fn submit(&self, ledger: LedgerId, group: Group) -> Result<Vec<Outcome>, PostingError> {
        let Group { mut entries, companions } = group;
        let last = entries.len().saturating_sub(1);
        entries.iter_mut().enumerate().for_each(|(place, entry)| entry.linked = place < last);
        self.send(ledger, entries, companions).await
    }

    /// [`Posting::submit`] for a group of one.
    ///
    /// # Errors
    /// See [`PostingError`].
    pub async fn submit_one(&self, ledger: LedgerId, group: Group) -> Result<Outcome, PostingError> {
        Ok(self.submit(ledger, group).await?.pop().expect("one outcome for each command"))
    }

    /// Decides many commands in this order, in one batch; each sees what the ones before it did, and succeeds or fails alone but
    /// for those that are [linked](Entry::linked). One outcome for each.
    ///
    /// # Errors
    /// See [`PostingError`]: it is then all of them that did not happen.
    pub async fn submit_batch(&self, ledger: LedgerId, entries: Vec<Entry>) -> Result<Vec<Outcome>, PostingError> {
        self.send(ledger, entries, vec![]).await
    }

    async fn send(
        &self,
        ledger: LedgerId,
        entries: Vec<Entry>,
        companions: Vec<Statement>,
    ) -> Result<Vec<Outcome>, PostingError> {
        if entries.len() > ledger_core::BATCH_MAX {
            return Err(PostingError::TooLarge);
        }
        let (answer, answered) = oneshot::channel();
        let lane = self.lane(ledger)?;
        lane.send(entries, companions, answer)?;
        answered.await.unwrap_or_else(|_| {
            // It panicked. Whoever asks next finds another one, even if this one's thread has not ended yet.
            if let Some(lanes) = self.lanes().as_mut() {
                lanes.retain(|_, other| !other.is(&lane));
            }
            Err(PostingError::Unavailable)
        })
    }

    /// Would this command be accepted now? Nothing is reserved or stored.
    ///
    /// # Errors
    /// See [`PostingError`].
    pub async fn preview(&self, ledger: LedgerId, command: Command) -> Result<Outcome, PostingError> {
        let (accounts, transfers) = match &command {
            Command::OpenAccount(open) => (vec![open.account], vec![]),
            Command::SetLimits(limits) => (vec![limits.account], vec![]),
            Command::SetStatus(status) => (vec![status.account], vec![]),
            Command::SetWindow(window) => (vec![window.account], vec![]),
            Command::Create(create) => (vec![create.payer, create.payee], vec![create.id]),
            Command::Settle(settle) => (vec![], vec![settle.transfer]),
        };
        let mut book = Book::default();
        for id in transfers {
            book.transfers.extend(transfer(&self.inner.db, ledger, id).await?);
        }
        let parties = book.transfers.iter().flat_map(|transfer| [transfer.payer, transfer.payee]);
        let accounts: BTreeSet<AccountId> = accounts.into_iter().chain(parties).collect();
        for id in accounts {
            if let Some(row) = self.row(ledger, id).await? {
                book.accounts.push(row.account);
                book.windows.extend(row.windows.all());
            }
        }
        let head = "select head_at from ledger where ledger_id = $1";
        let head = self.inner.db.fetch_optional(head, vec![ledger.0.into()]).await?;
        let at = head.map(|row| row.int("head_at")).transpose()?.ok_or(PostingError::NoLedger)?;
        let now = (self.inner.clock)().max(Timestamp(at));
        Ok(self.inner.engine.preview(book, command, now).await?)
    }

    /// An account as it is now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account(&self, ledger: LedgerId, id: AccountId) -> Result<Option<Account>, store::Error> {
        Ok(self.row(ledger, id).await?.map(|row| row.account))
    }

    /// How far the history of an account goes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn extent(&self, ledger: LedgerId, id: AccountId) -> Result<Option<Extent>, store::Error> {
        let extent = |row: rows::AccountRow| Extent {
            last_position: row.chain.last_position(),
            begun: row.chain.totals.begun,
            posted: row.chain.totals.posted,
            ended: row.chain.totals.ended,
        };
        Ok(self.row(ledger, id).await?.map(extent))
    }

    /// Those of these accounts that there are, in no order, as they are now. None comes twice.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accounts(&self, ledger: LedgerId, ids: &[AccountId]) -> Result<Vec<Account>, store::Error> {
        Ok(self.rows(ledger, ids).await?.into_iter().map(|row| row.account).collect())
    }

    async fn row(&self, ledger: LedgerId, id: AccountId) -> Result<Option<rows::AccountRow>, store::Error> {
        Ok(self.rows(ledger, &[id]).await?.pop())
    }

    async fn rows(&self, ledger: LedgerId, ids: &[AccountId]) -> Result<Vec<rows::AccountRow>, store::Error> {
        let lane = self.lanes().as_ref().and_then(|lanes| lanes.get(&ledger).cloned());
        let seen = match lane {
            Some(lane) => lane.desk.shared.accounts(ids).await,
            None => Seen::Unknown,
        };
        match seen {
            Seen::Here { mut rows, stored } => {
                rows.extend(rows::accounts(&self.inner.db, ledger, &stored).await?);
                Ok(rows)
            }
            Seen::Unknown => recover::accounts(&self.inner.db, ledger, ids).await,
        }
    }

    /// Waits until every lane has answered what it took and written what lags. Nothing can be submitted afterwards.
    pub async fn close(&self) {
        for lane in self.lanes().take().into_iter().flat_map(HashMap::into_values) {
            lane.desk.shared.close();
        }
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    fn lane(&self, ledger: LedgerId) -> Result<Lane, PostingError> {
        let mut lanes = self.lanes();
        let lanes = lanes.as_mut().ok_or(PostingError::Unavailable)?;
        // A lane that panicked has ended. What it had taken was told so; what comes now is tried by a new one.
        if let Some(lane) = lanes.get(&ledger).filter(|lane| lane.is_alive()) {
            return Ok(lane.clone());
        }
        let Inner { db, engine, clock, pace, host, tasks, .. } = &*self.inner;
        let (db, engine, clock) = (db.clone(), engine.clone(), clock.clone());
        let desk = Desk { db, engine, clock, pace: *pace, ledger, host: *host, shared: durable::Shared::default() };
        let lane = Lane::start(desk, tasks);
        lanes.insert(ledger, lane.clone());
        Ok(lane)
    }

    fn lanes(&self) -> MutexGuard<'_, Option<HashMap<LedgerId, Lane>>> {
        locked(&self.inner.lanes)
    }
}

impl From<store::Error> for PostingError {
    fn from(error: store::Error) -> PostingError {
        tracing::error!(error = &error as &dyn std::error::Error, "posting: the database failed");
        PostingError::Unavailable
    }
}

impl From<EngineError> for PostingError {
    fn from(error: EngineError) -> PostingError {
        tracing::error!(error = &error as &dyn std::error::Error, "posting: the engine failed");
        PostingError::Unavailable
    }
}

impl From<Failure> for PostingError {
    fn from(failure: Failure) -> PostingError {
        match failure {
            Failure::Store(error) | Failure::Early(error) => error.into(),
            Failure::Engine(error) => error.into(),
            Failure::NoLedger => PostingError::NoLedger,
            Failure::Companion { constraint, .. } => PostingError::Conflict(constraint),
            Failure::Lost | Failure::Taken | Failure::NotShared => {
                tracing::error!("posting: another host has the ledger and does not let go");
                PostingError::Unavailable
            }
        }
    }
}

/// What one attempt at a batch came to, when not to a commit.
#[derive(Debug)]
enum Failure {
    Store(store::Error),
    /// The same, before anything was changed in memory.
    Early(store::Error),
    Engine(EngineError),
    NoLedger,
    /// The companion of whoever waits at this place met this constraint.
    Companion {
        place: usize,
        constraint: String,
    },
    /// The ledger's head is elsewhere than this host believes: another one has posted.
    Lost,
    /// Another host has the ledger for itself, and was asked to let go.
    Taken,
    /// Hosts do not take turns any more: the ledger must be asked for.
    NotShared,
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Failure {
        Failure::Store(error)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Failure {
        Failure::Engine(error)
    }
}

type Book = engine::Book;

/// How far the history of an account goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Extent {
    /// Position of its newest row in `transfer`, 0 for none.
    pub last_position: i64,
    /// How many transfers began.
    pub begun: i64,
    /// How many were posted.
    pub posted: i64,
    /// How many ended without.
    pub ended: i64,
}

/// An account as the database has it, for whoever posts nothing.
///
/// # Errors
/// When the database fails.
pub async fn account(db: &Db, ledger: LedgerId, id: AccountId) -> Result<Option<Account>, store::Error> {
    Ok(recover::accounts(db, ledger, &[id]).await?.pop().map(|row| row.account))
}

/// A transfer as it is stored.
///
/// # Errors
/// When the database fails.
pub async fn transfer(db: &Db, ledger: LedgerId, id: TransferId) -> Result<Option<Transfer>, store::Error> {
    let mut tx = db.read().await?;
    Ok(find::transfers(&mut tx, ledger, &[id]).await?.pop().map(|row| row.transfer))
}

/// Position of the row of `transfer` with which this one began.
///
/// # Errors
/// When the database fails.
pub async fn position(tx: &mut Tx, ledger: LedgerId, id: TransferId) -> Result<Option<i64>, store::Error> {
    find::position(tx, ledger, id).await
}

/// A panic while it was held cannot have left half a change that anybody sees: the lane that panicked is gone.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
