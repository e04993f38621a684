//! The proof: replays the journal through the component and compares every stored row with what comes out.
//!
//! For each record: its place and hash, the canonical form (`read.rs`), then the commands are decided again and every verdict must
//! be the recorded one (`decide.rs`). Every row of `transfer` must be what the replay produces, links included (`steps.rs`); every
//! account (`accounts.rs`) with its windows (`windows.rs`) and every key that a client sent (`keys.rs`) must be kept as the journal tells
//! it, and at the end the ledger's own row (`head.rs`). The first thing that is wrong is named and ends the proof of its ledger. What belongs to no ledger is looked for
//! in `strays.rs`.
//!
//! It goes by windows of some thousand commands: their records are read, decided, and their rows compared, so that each statement
//! reads many rows and what lies between the steps stays in the processor's cache. In memory are the accounts and their windows, the transfers that wait,
//! and the refusals that a key repeats; everything else is gone with its window.
//!
//! What cannot be seen from inside: a ledger of which the newest part was cut off everywhere at once. Who keeps a report's head
//! elsewhere can tell.

mod read; // records, held against their hashes
mod decide; // what the records' commands come to
mod steps; // each row of `transfer`
mod accounts; // each account's row
mod windows; // each limit on what may pass in a period
mod keys; // each key that was kept
mod head; // the ledger's own row
mod strays; // rows that belong to no ledger

use crate::engine::{Engine, EngineError};
use crate::posting::history::Totals;
use crate::posting::journal::{self, Hash};
use crate::posting::resident::{ById, Mark};
use crate::posting::windows::Windows;
use crate::posting::{Ledger, ledgers};
use crate::store::{Db, Error, Tx};
use accounts::Accounts;
use decide::{Asked, Expected, Waits};
use keys::Keys;
use ledger_core::{Key, LedgerId, Timestamp, Transfer, TransferId};
use read::Record;
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

/// What was proven of one ledger, or what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The ledger's name.
    pub ledger: String,
    /// Records replayed.
    pub records: i64,
    /// Rows of `transfer` compared.
    pub steps: i64,
    /// Accounts compared.
    pub accounts: i64,
    /// Hash of the last record that is right, in hexadecimal.
    pub head: String,
    /// The first thing that is wrong.
    pub fault: Option<Fault>,
}

/// Something stored is not what the journal proves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Where: `journal record 17`, `transfer row 4`, `account …`.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

/// How far a proof has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Records replayed.
    pub records: i64,
    /// Rows of `transfer` compared.
    pub steps: i64,
    /// How many there will be.
    pub steps_in_all: i64,
}

/// Why a proof stopped.
enum Stop {
    Fault(Fault),
    /// A value that cannot be read is a fault of the data, not of the database.
    Unreadable(String),
    Store(Error),
    Engine(EngineError),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        match error {
            Error::Corrupt(what) => Stop::Unreadable(what),
            error => Stop::Store(error),
        }
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Stop {
        Stop::Engine(error)
    }
}

impl Stop {
    /// The same; what cannot be read is a fault at this place.
    fn at(self, place: impl FnOnce() -> String) -> Stop {
        match self {
            Stop::Unreadable(what) => Stop::Fault(Fault { place: place(), what }),
            stop => stop,
        }
    }
}

fn fault(place: impl Into<String>, what: impl Into<String>) -> Stop {
    Stop::Fault(Fault { place: place.into(), what: what.into() })
}

/// Proves every ledger of a database. `progress` hears of each ledger's name and how much is done.
///
/// # Errors
/// When the database or the engine fails. A fault in the books is in the report.
pub async fn verify(db: &Db, engine: &Engine, mut progress: impl FnMut(&str, Progress)) -> anyhow::Result<Vec<Report>> {
    let mut reports = vec![];
    for ledger in ledgers(db).await? {
        let (send, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let (handle, db, engine, name) = (Handle::current(), db.clone(), engine.clone(), ledger.name.clone());
        // Rows are read and records decided on one thread, which may block.
        let proof = tokio::task::spawn_blocking(move || handle.block_on(report(&db, &engine, &ledger, &send)));
        while let Some(done) = heard.recv().await {
            progress(&name, done);
        }
        reports.push(proof.await??);
    }
    if let Some(fault) = strays::find(db).await? {
        let (ledger, head) = ("(none)".into(), String::new());
        reports.push(Report { ledger, records: 0, steps: 0, accounts: 0, head, fault: Some(fault) });
    }
    Ok(reports)
}

async fn report(
    db: &Db,
    engine: &Engine,
    ledger: &Ledger,
    progress: &UnboundedSender<Progress>,
) -> anyhow::Result<Report> {
    let mut replay = Replay::new(ledger);
    let fault = match replay.prove(db, engine, progress).await {
        Ok(()) => None,
        Err(Stop::Fault(fault)) => Some(fault),
        Err(Stop::Unreadable(what)) => Some(Fault { place: replay.place(), what }),
        Err(Stop::Store(error)) => return Err(error.into()),
        Err(Stop::Engine(error)) => return Err(error.into()),
    };
    let Reached { records, steps, hash, .. } = replay.proven;
    Ok(Report {
        ledger: ledger.name.clone(),
        records,
        steps: steps - ledger.first_position(),
        accounts: i64::try_from(replay.accounts.len())?,
        head: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        fault,
    })
}

/// A place in the journal, and in `transfer`.
#[derive(Clone, Copy, Debug)]
struct Reached {
    records: i64,
    hash: Hash,
    at: Timestamp,
    /// Position of the last row.
    steps: i64,
}

/// A ledger as the journal tells it, so far.
struct Replay<'l> {
    ledger: &'l Ledger,
    /// Everything up to here was read and has the right hash.
    read: Reached,
    /// Everything up to here was decided, and is in `accounts` and `waiting`.
    decided: Reached,
    /// Of everything up to here the rows are right, too.
    proven: Reached,
    accounts: Accounts,
    /// Of those accounts that have any.
    windows: Windows,
    waiting: ById<TransferId, Waits>,
    /// Transfers that never began and whose keys are kept.
    refused: ById<Key, Transfer>,
    keys: Keys,
    /// How many transfers began, were posted, and ended.
    totals: Totals,
    /// The greatest transfer id that came in order.
    last_id: u128,
    /// What the ledger's row says that the rows of accounts and keys have everything up to.
    flushed: Mark,
    /// Transfers whose first row says where they were settled, and that were not settled yet; by position.
    settled_by: ById<i64, i64>,
    /// Whether the records are done and the accounts are being compared.
    replayed: bool,
    /// Records read at a time.
    pace: i64,
    /// What the component is asked, kept to be filled again.
    asked: Asked,
    /// The rows of this window, as they must be.
    expected: Vec<Expected>,
    /// Its records: how far everything is right when their rows are, and the last id that each tells.
    reached: Vec<(Reached, u128)>,
}

impl<'l> Replay<'l> {
    fn new(ledger: &'l Ledger) -> Replay<'l> {
        let hash = journal::genesis(ledger.id, &ledger.unit);
        let start = Reached { records: 0, hash, at: Timestamp(i64::MIN), steps: ledger.first_position() };
        Replay {
            ledger,
            read: start,
            decided: start,
            proven: start,
            accounts: Accounts::default(),
            windows: Windows::default(),
            waiting: ById::default(),
            refused: ById::default(),
            keys: Keys::new(),
            totals: Totals::default(),
            last_id: 0,
            flushed: Mark::default(),
            settled_by: ById::default(),
            replayed: false,
            pace: read::PACE_FIRST,
            asked: Asked::default(),
            expected: vec![],
            reached: vec![],
        }
    }

    const fn id(&self) -> LedgerId {
        self.ledger.id
    }

    /// Where the replay is.
    fn place(&self) -> String {
        match self.replayed {
            true => "accounts".into(),
            false => format!("journal record {} or the rows that came from it", self.proven.records + 1),
        }
    }

    async fn prove(&mut self, db: &Db, engine: &Engine, progress: &UnboundedSender<Progress>) -> Result<(), Stop> {
        // One transaction, so that a server that goes on posting does not disturb the proof.
        let mut tx = db.begin_read_here().await?;
        let sql = "select flushed_seq, flushed_position, last_position from ledger where ledger_id = $1";
        let row = tx.fetch_optional(sql, vec![self.id().0.into()]).await?;
        let row = row.ok_or_else(|| fault("ledger", "its row is missing"))?;
        self.flushed = Mark { seq: row.int("flushed_seq")?, position: row.int("flushed_position")? };
        let steps_in_all = row.int("last_position")? - self.ledger.first_position();
        loop {
            if self.proven.records == self.flushed.seq {
                self.prove_accounts(&mut tx).await?;
            }
            let (records, wrong) = self.read(&mut tx).await?;
            if records.is_empty() && wrong.is_none() {
                break;
            }
            self.prove_window(&mut tx, engine, &records).await?;
            // What was wrong with the next record is said when all before it is right.
            wrong.map_or(Ok(()), Err)?;
            let Reached { records, steps, .. } = self.proven;
            // Nobody may be listening.
            let _ = progress.send(Progress { records, steps: steps - self.ledger.first_position(), steps_in_all });
        }
        self.prove_head(&mut tx).await?;
        self.replayed = true;
        self.prove_windows(&mut tx).await?;
        self.accounts.prove_rest()?;
        self.prove_keys(&mut tx).await
    }

    /// Decides these records, and compares the rows that came from them.
    async fn prove_window(&mut self, tx: &mut Tx, engine: &Engine, records: &[Record]) -> Result<(), Stop> {
        let older = self.older(tx, records).await?;
        let decided = records.iter().try_for_each(|record| self.decide(engine, record, &older));
        self.prove_steps(tx).await?;
        decided
    }
}
