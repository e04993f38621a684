//! Posting: the one path by which money moves, from a command to a durable answer.
//!
//! | step | who | what |
//! | --- | --- | --- |
//! | 1 | [`Posting::submit`] | puts a group of commands into the queue of its ledger's lane |
//! | 2 | `lane.rs` | takes everything that waits, up to [`BATCH_MAX`](ledger_core::BATCH_MAX) commands, while the batch before commits |
//! | 3 | `batch.rs` | locks the ledger's row, loads what the batch touches, 500 rows a statement |
//! | 4 | `engine` | decides, once |
//! | 5 | `batch.rs`, `history.rs`, `journal.rs` | one transaction: journal record, transfer rows, accounts, keys, companions |
//! | 6 | `lane.rs` | answers everyone, after the commit is durable |
//!
//! One command is a batch of one; there is no other path. The lock on the ledger's row makes batches of one ledger follow
//! each other across all hosts, so any number of them may post to one PostgreSQL.
//!
//! # Invariants
//!
//! - Nothing here decides about money: the component does.
//! - This is the only writer of `ledger`, `journal`, `account`, `transfer` and `idempotency`.
//! - Nobody is answered before the commit. When a commit's fate is unknown, the hash of its journal record tells, as soon as the
//!   database can be asked; a caller that cannot wait so long is told that posting is not available, and its key is good for a retry.

mod lane; // gather, retry, answer
mod batch; // load, decide, write: one batch in one transaction
mod rows; // accounts and transfers as they are stored
mod history; // each account's chain of rows
mod idempotency; // keys that clients send to be safe
mod journal; // the chain of hashes
mod ledgers; // which ledgers there are
mod health; // the invariants, computed live
mod verify; // the proof: replay of the journal

pub use health::{Check, Health, health};
pub use history::Step;
pub use ledgers::{Ledger, ensure_ledger, ledgers};
pub use rows::{account, transfer};
pub use verify::{Fault, Report, verify};

use crate::engine::{self, Engine, EngineError};
use crate::store::{self, Db, Statement};
use lane::{Lane, Waiting};
use ledger_core::{Command, Key, LedgerId, Memo, Outcome, Timestamp};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
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
    /// `None` when closed.
    lanes: Mutex<Option<HashMap<LedgerId, Lane>>>,
    tasks: TaskTracker,
}

/// Commands that succeed or fail together, and what else must become durable with them.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// In order; each sees what the ones before it did.
    pub entries: Vec<Entry>,
    /// Run in the same transaction if the group is accepted, and only when it is new: a retry does not run them again.
    pub companions: Vec<Statement>,
}

/// A command with what the host stores beside it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What to decide.
    pub command: Command,
    /// Description or reason. [`Entry::new`] puts its digest into the command.
    memo: String,
    /// The id of the transfer that the command begins was made for it, so nobody has used it before.
    minted: bool,
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

impl Entry {
    /// A command with its text. The text's digest becomes part of the command, and so of the journal.
    pub fn new(command: Command, memo: &str) -> Entry {
        let digest = memo_digest(memo);
        let command = match command {
            Command::Create(create) => Command::Create(ledger_core::Create { memo: digest, ..create }),
            Command::Settle(settle) => Command::Settle(ledger_core::Settle { memo: digest, ..settle }),
            account @ (Command::OpenAccount(_) | Command::SetLimits(_) | Command::SetStatus(_)) => account,
        };
        Entry { command, memo: memo.to_owned(), minted: false }
    }

    /// The same, safe to retry: whoever sends `key` again gets the first answer again.
    #[must_use]
    pub fn with_key(mut self, key: Option<Key>) -> Entry {
        if let Command::Create(create) = &mut self.command {
            create.key = key;
        }
        self
    }

    /// The same, whose transfer id was made for it and needs no look-up.
    #[must_use]
    pub fn minted(self) -> Entry {
        Entry { minted: true, ..self }
    }
}

/// The key `text` as sent by `sender`: the same text of somebody else is another key.
pub fn key(sender: u128, text: &str) -> Key {
    let mut hasher = Sha256::new();
    hasher.update(sender.to_be_bytes());
    hasher.update(text.as_bytes());
    Key(first_128(&hasher.finalize()))
}

/// First 128 bits of the SHA-256 of a text; nothing for no text.
pub(crate) fn memo_digest(memo: &str) -> Memo {
    if memo.is_empty() { Memo::NONE } else { Memo(first_128(&Sha256::digest(memo.as_bytes()))) }
}

fn first_128(digest: &[u8]) -> u128 {
    u128::from_be_bytes(*digest.first_chunk().expect("SHA-256 has 32 bytes"))
}

impl Group {
    /// One command alone.
    pub fn of(command: Command, memo: &str) -> Group {
        Group::from(Entry::new(command, memo))
    }

    /// With statements that become durable together with it.
    #[must_use]
    pub fn with(mut self, companions: Vec<Statement>) -> Group {
        self.companions = companions;
        self
    }
}

impl From<Entry> for Group {
    fn from(entry: Entry) -> Group {
        Group { entries: vec![entry], companions: vec![] }
    }
}

impl Posting {
    /// Posts to `db` what `engine` decides.
    pub fn new(db: Db, engine: Engine, clock: Clock) -> Posting {
        let inner = Inner { db, engine, clock, lanes: Mutex::new(Some(HashMap::new())), tasks: TaskTracker::new() };
        Posting { inner: Arc::new(inner) }
    }

    /// Decides a group and makes what it did durable; one outcome for each of its commands.
    ///
    /// # Errors
    /// See [`PostingError`]. A refusal is an outcome, not an error.
    pub async fn submit(&self, ledger: LedgerId, group: Group) -> Result<Vec<Outcome>, PostingError> {
        if group.entries.len() > ledger_core::BATCH_MAX {
            return Err(PostingError::TooLarge);
        }
        let (answer, answered) = oneshot::channel();
        self.lane(ledger)?.send(Waiting { group, answer })?;
        answered.await.unwrap_or(Err(PostingError::Unavailable))
    }

    /// [`Posting::submit`] for a group of one.
    ///
    /// # Errors
    /// See [`PostingError`].
    pub async fn submit_one(&self, ledger: LedgerId, group: Group) -> Result<Outcome, PostingError> {
        Ok(self.submit(ledger, group).await?.pop().expect("one outcome for each command"))
    }

    /// Would this command be accepted now? Nothing is reserved or stored.
    ///
    /// # Errors
    /// See [`PostingError`].
    pub async fn preview(&self, ledger: LedgerId, command: Command) -> Result<Outcome, PostingError> {
        let mut tx = self.inner.db.begin_read().await?;
        let (book, now) = batch::load_one(&mut tx, ledger, Group::of(command, ""), (self.inner.clock)()).await?;
        drop(tx);
        Ok(self.inner.engine.preview(book, command, now).await?)
    }

    /// Waits until every lane has answered what it took. Nothing can be submitted afterwards.
    pub async fn close(&self) {
        self.lanes().take();
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
        let Inner { db, engine, clock, tasks, .. } = &*self.inner;
        let lane = Lane::start(db.clone(), engine.clone(), clock.clone(), ledger, tasks);
        lanes.insert(ledger, lane.clone());
        Ok(lane)
    }

    fn lanes(&self) -> MutexGuard<'_, Option<HashMap<LedgerId, Lane>>> {
        // A panic while it was held cannot have left the map half changed.
        self.inner.lanes.lock().unwrap_or_else(PoisonError::into_inner)
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

/// What one attempt at a batch came to, when not to a commit.
enum Failure {
    Store(store::Error),
    Engine(EngineError),
    NoLedger,
    /// The companion of this group met this constraint.
    Companion {
        group: usize,
        constraint: String,
    },
    /// The commit may or may not be durable.
    Unknown {
        attempt: batch::Attempt,
        error: store::Error,
    },
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
