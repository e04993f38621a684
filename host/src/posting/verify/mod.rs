//! The proof: replays the journal through the component and compares every stored row with what comes out.
//!
//! For each record: its place and hash, the canonical form (`read.rs`), then the commands are decided again and every verdict must
//! be the recorded one (`decide.rs`). Every row of `transfer` must be what the replay produces, links included (`steps.rs`); every
//! account with its windows (`accounts.rs`) and every key that a client sent (`keys.rs`) must be kept as the journal tells
//! it, and at the end the ledger's own row (`head.rs`). The first thing that is wrong is named and ends the proof of its ledger. What belongs to no ledger is looked for
//! in `strays.rs`.
//!
//! It goes by windows of some thousand commands, so that each statement reads many rows. While one window is decided, the rows of the
//! one before are read and compared, on another thread. In memory are the accounts and their windows, the transfers that wait,
//! and the refusals that a key repeats; everything else is gone with its window.
//!
//! What cannot be seen from inside: a ledger of which the newest part was cut off everywhere at once. Who keeps a report's head
//! elsewhere can tell.

mod read; // records, held against their hashes
mod decide; // what the records' commands come to
mod steps; // each row of `transfer`
mod accounts; // each account's row, with its windows
mod collection; // rows in any order
mod keys; // each key that was kept
mod head; // the ledger's own row
mod strays; // rows that belong to no ledger

use crate::engine::{Engine, EngineError};
use crate::posting::journal::{self, Hash};
use crate::posting::resident::{ById, Mark};
use crate::posting::rows::TransferRow;
use crate::posting::{Ledger, ledgers};
use crate::store::{Db, Error, Tx};
use decide::{Decided, Decider};
use ledger_core::{LedgerId, Timestamp, TransferId};
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
        // Rows are read on a thread that may block.
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
        accounts: i64::try_from(replay.decider.accounts.len())?,
        head: journal::hash_text(&hash),
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

/// The proof of a ledger, so far.
struct Replay<'l> {
    ledger: &'l Ledger,
    /// Everything up to here was read and has the right hash.
    read: Reached,
    /// The ledger as the journal tells it, up to where everything was decided.
    decider: Decider,
    /// Of everything up to here the rows are right, too.
    proven: Reached,
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
    /// A window that is done, to be filled again.
    spare: Decided,
}

/// What is read of a window before it is decided.
struct Window {
    records: Vec<Record>,
    /// Transfers of earlier records that these may repeat.
    older: ById<TransferId, TransferRow>,
    /// What is wrong with the record after them.
    wrong: Option<Stop>,
}

impl<'l> Replay<'l> {
    fn new(ledger: &'l Ledger) -> Replay<'l> {
        let hash = journal::genesis(ledger.id, &ledger.unit);
        let start = Reached { records: 0, hash, at: Timestamp(i64::MIN), steps: ledger.first_position() };
        Replay {
            ledger,
            read: start,
            decider: Decider::new(start, Mark::default()),
            proven: start,
            last_id: 0,
            flushed: Mark::default(),
            settled_by: ById::default(),
            replayed: false,
            pace: read::PACE_FIRST,
            spare: Decided::default(),
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
        self.decider = Decider::new(self.read, self.flushed);
        let steps_in_all = row.int("last_position")? - self.ledger.first_position();
        let mut decided = Decided::default();
        loop {
            if self.decider.decided.records == self.flushed.seq {
                self.prove_steps(&mut tx, std::mem::take(&mut decided)).await?;
                self.prove_accounts(&mut tx).await?;
            }
            let window = match self.next_window(&mut tx).await {
                Ok(Some(window)) => window,
                // What is wrong with it is said when all before it is right.
                ended => {
                    self.prove_steps(&mut tx, decided).await?;
                    ended?;
                    break;
                }
            };
            decided = self.prove_beside(&mut tx, engine, decided, window).await?;
            if let Some(wrong) = decided.wrong.take() {
                self.prove_steps(&mut tx, decided).await?;
                return Err(wrong);
            }
            let Reached { records, steps, .. } = self.proven;
            // Nobody may be listening.
            let _ = progress.send(Progress { records, steps: steps - self.ledger.first_position(), steps_in_all });
        }
        self.prove_head(&mut tx).await?;
        self.replayed = true;
        self.decider.accounts.prove_rest()?;
        self.prove_keys(&mut tx).await
    }

    async fn next_window(&mut self, tx: &mut Tx) -> Result<Option<Window>, Stop> {
        let (records, wrong) = self.read(tx).await?;
        if records.is_empty() {
            return wrong.map_or(Ok(None), Err);
        }
        let older = self.older(tx, &records).await?;
        Ok(Some(Window { records, older, wrong }))
    }

    /// Decides a window on another thread, while the rows of the one before are compared.
    async fn prove_beside(
        &mut self,
        tx: &mut Tx,
        engine: &Engine,
        before: Decided,
        window: Window,
    ) -> Result<Decided, Stop> {
        let away = Decider::new(self.read, self.flushed);
        let (mut decider, mut decided) = (std::mem::replace(&mut self.decider, away), std::mem::take(&mut self.spare));
        let engine = engine.clone();
        let deciding = tokio::task::spawn_blocking(move || {
            decider.decide(&engine, window, &mut decided);
            (decider, decided)
        });
        let proven = self.prove_steps(tx, before).await;
        match deciding.await {
            Ok((decider, decided)) => {
                self.decider = decider;
                proven.map(|()| decided)
            }
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
