//! The proof: replays the journal through the component and compares every stored row with what comes out.
//!
//! For each record: its place and hash, the canonical form, then the commands are decided again and every verdict must
//! be the recorded one. Along the way every row of `transfer` must be what the replay produces, links included, and every
//! key that a client sent must be kept as it was answered; at the end every account and the ledger's own row too. The
//! first thing that is wrong is named and ends the proof of its ledger.
//!
//! What cannot be seen from inside: a ledger of which the newest part was cut off everywhere at once. Who keeps a report's head
//! elsewhere can tell.

mod accounts; // each account's row
mod windows; // each window's

use crate::engine::{Book, Engine, EngineError};
use crate::posting::find;
use crate::posting::history::{Step, Totals};
use crate::posting::idempotency::{self, Kept};
use crate::posting::journal::{self, Hash};
use crate::posting::ledgers::POSITIONS;
use crate::posting::resident::Mark;
use crate::posting::rows::AccountRow;
use crate::posting::windows::WindowKey;
use crate::posting::{Ledger, ledgers, memo_digest};
use crate::store::{Db, Error, Row, Tx};
use ledger_core::{
    Account, AccountId, Amount, Command, Item, Key, LedgerId, Receipt, Timestamp, Transfer, TransferId,
    TransferReceipt, Verdict, Window, codec,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

const PAYER_LINKS: [&str; 5] = ["payer_prev", "payer_jump", "payer_begun", "payer_posted", "payer_ended"];
const PAYEE_LINKS: [&str; 5] = ["payee_prev", "payee_jump", "payee_begun", "payee_posted", "payee_ended"];

/// Rows read at a time.
const CHUNK: i64 = 1024;

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

fn fault(place: impl Into<String>, what: impl Into<String>) -> Stop {
    Stop::Fault(Fault { place: place.into(), what: what.into() })
}

/// Proves every ledger of a database. `progress` hears of each ledger's name and how many records are done.
///
/// # Errors
/// When the database or the engine fails. A fault in the books is in the report.
pub async fn verify(db: &Db, engine: &Engine, mut progress: impl FnMut(&str, i64)) -> anyhow::Result<Vec<Report>> {
    let mut reports = vec![];
    let known = ledgers(db).await?;
    for ledger in &known {
        let mut replay = Replay::new(ledger);
        let fault = match replay.prove(db, engine, &mut progress).await {
            Ok(()) => None,
            Err(Stop::Fault(fault)) => Some(fault),
            Err(Stop::Unreadable(what)) => Some(Fault { place: replay.place(), what }),
            Err(Stop::Store(error)) => return Err(error.into()),
            Err(Stop::Engine(error)) => return Err(error.into()),
        };
        let accounts = i64::try_from(replay.accounts.len())?;
        let head = replay.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let (records, steps) = (replay.records, replay.steps - ledger.first_position());
        reports.push(Report { ledger: ledger.name.clone(), records, steps, accounts, head, fault });
    }
    let strays = "select count(*) as n from journal where ledger_id not in (select ledger_id from ledger)";
    let strays = db.fetch_optional(strays, vec![]).await?.map_or(Ok(0), |row| row.int("n"))?;
    if strays > 0 {
        let fault = Fault { place: "journal".into(), what: format!("{strays} records belong to no ledger") };
        let (ledger, head) = ("(none)".into(), String::new());
        reports.push(Report { ledger, records: 0, steps: 0, accounts: 0, head, fault: Some(fault) });
    }
    Ok(reports)
}

/// A ledger as the journal tells it, so far.
struct Replay<'l> {
    ledger: &'l Ledger,
    hash: Hash,
    at: Timestamp,
    records: i64,
    steps: i64,
    accounts: BTreeMap<AccountId, AccountRow>,
    windows: BTreeMap<WindowKey, Window>,
    pending: BTreeMap<TransferId, Pending>,
    /// Transfers that never began and whose keys are kept.
    refused: BTreeMap<TransferId, Transfer>,
    /// Keys that were compared.
    keys: i64,
    /// How many transfers began, were posted, and ended.
    totals: Totals,
    /// Whether the records are done and the accounts are being compared.
    replayed: bool,
    /// Rows of `transfer` that were read and not compared yet.
    rows: VecDeque<Row>,
    /// Position of the last row that was read.
    read: i64,
    /// Positions of this ledger are below this one.
    end: i64,
    /// The greatest transfer id that came in order.
    last_id: u128,
    /// What the ledger's row says that the rows of accounts and keys have everything up to.
    flushed: Mark,
    /// Accounts as they are stored and were not compared yet; read when the replay is at `flushed`.
    stored: BTreeMap<AccountId, AccountRow>,
    /// How many accounts were compared.
    compared: usize,
}

/// A transfer that waits, in the replay.
struct Pending {
    transfer: Transfer,
    position: i64,
    /// Where its row says that it was settled.
    settled_by: Option<i64>,
}

impl<'l> Replay<'l> {
    fn new(ledger: &'l Ledger) -> Replay<'l> {
        Replay {
            ledger,
            hash: journal::genesis(ledger.id, &ledger.unit),
            at: Timestamp(i64::MIN),
            records: 0,
            steps: ledger.first_position(),
            accounts: BTreeMap::new(),
            windows: BTreeMap::new(),
            pending: BTreeMap::new(),
            refused: BTreeMap::new(),
            keys: 0,
            totals: Totals::default(),
            replayed: false,
            rows: VecDeque::new(),
            read: ledger.first_position(),
            end: ledger.first_position() + POSITIONS,
            last_id: 0,
            flushed: Mark::default(),
            stored: BTreeMap::new(),
            compared: 0,
        }
    }

    fn id(&self) -> LedgerId {
        self.ledger.id
    }

    /// Where the replay is.
    fn place(&self) -> String {
        match self.replayed {
            true => "accounts".into(),
            false => format!("journal record {} or the rows that came from it", self.records + 1),
        }
    }

    async fn prove(&mut self, db: &Db, engine: &Engine, progress: &mut impl FnMut(&str, i64)) -> Result<(), Stop> {
        // One transaction, so that a server that goes on posting does not disturb the proof.
        let mut tx = db.begin_read().await?;
        let sql = "select flushed_seq, flushed_position from ledger where ledger_id = $1";
        let row = tx.fetch_optional(sql, vec![self.id().0.into()]).await?;
        let row = row.ok_or_else(|| fault("ledger", "its row is missing"))?;
        self.flushed = Mark { seq: row.int("flushed_seq")?, position: row.int("flushed_position")? };
        loop {
            let sql = "select seq, hash, first_position, last_position, last_id, body from journal where ledger_id = $1 and seq > $2 order by seq limit $3";
            let records = tx.fetch_all(sql, vec![self.id().0.into(), self.records.into(), CHUNK.into()]).await?;
            if records.is_empty() {
                break;
            }
            for record in &records {
                self.read_accounts_when_due(&mut tx).await?;
                self.replay_record(&mut tx, engine, record).await?;
            }
            progress(&self.ledger.name, self.records);
        }
        self.read_accounts_when_due(&mut tx).await?;
        self.compare_head(&mut tx).await?;
        self.replayed = true;
        self.compare_windows(&mut tx).await?;
        self.compare_accounts()
    }

    async fn replay_record(&mut self, tx: &mut Tx, engine: &Engine, record: &Row) -> Result<(), Stop> {
        let seq = self.records + 1;
        let place = format!("journal record {seq}");
        let found = record.int("seq")?;
        if found != seq {
            return Err(fault(place, format!("it is missing; the next one is {found}")));
        }
        let body = record.bytes("body")?;
        let hash = journal::record(&self.hash, self.id(), seq, &body);
        if record.bytes("hash")? != hash {
            return Err(fault(place, "its hash does not follow from its content and the record before"));
        }
        let (now, entries) =
            codec::decode_batch(&body).map_err(|error| fault(&place, format!("byte {} is not canonical", error.at)))?;
        if now < self.at {
            return Err(fault(place, "it is earlier than the record before"));
        }
        let items: Vec<Item> = entries.iter().map(|(item, _)| *item).collect();
        let book = self.book(tx, &entries).await?;
        let posted = engine.post(book, items, now).await?;
        let first_position = self.steps;
        if seq > self.flushed.seq {
            self.compare_older(seq, &posted)?;
        }
        for (index, ((item, verdict), outcome)) in entries.iter().zip(&posted.outcomes).enumerate() {
            if Verdict::of(outcome) != *verdict {
                let what = format!("command {} was recorded as {verdict:?} and is decided as {outcome:?}", index + 1);
                return Err(fault(place, what));
            }
            if let Ok(Receipt::Transfer(receipt)) = outcome {
                self.compare_step(tx, seq, now, &item.command, receipt).await?;
            }
        }
        for account in posted.accounts {
            let row = self.accounts.entry(account.id).or_insert_with(|| AccountRow::new(account));
            (row.account, row.as_of) = (account, seq);
        }
        self.change_windows(&posted.windows);
        self.compare_keys(tx, now, &entries).await?;
        let extent = [("first_position", first_position), ("last_position", self.steps)];
        for (column, value) in extent {
            if record.int(column)? != value {
                return Err(fault(place, format!("{column} is {} and should be {value}", record.int(column)?)));
            }
        }
        if record.id("last_id")? != self.last_id {
            return Err(fault(place, "its last id is not the greatest that came in order"));
        }
        (self.hash, self.at, self.records) = (hash, now, seq);
        Ok(())
    }

    /// What the record's commands touch, as the replay has it.
    async fn book(&self, tx: &mut Tx, entries: &[(Item, Verdict)]) -> Result<Book, Stop> {
        let (mut accounts, mut transfers, mut older) = (BTreeSet::new(), BTreeMap::new(), vec![]);
        for (item, verdict) in entries {
            match &item.command {
                Command::OpenAccount(open) => drop(accounts.insert(open.account)),
                Command::SetLimits(limits) => drop(accounts.insert(limits.account)),
                Command::SetStatus(status) => drop(accounts.insert(status.account)),
                Command::SetWindow(window) => drop(accounts.insert(window.account)),
                Command::Create(create) => {
                    accounts.extend([create.payer, create.payee]);
                    transfers.extend(self.refused.get(&create.id).map(|transfer| (create.id, *transfer)));
                    // Whatever else was answered, an earlier record may have begun it.
                    if !matches!(verdict, Verdict::Transfer { .. }) {
                        older.push(create.id);
                    }
                }
                Command::Settle(settle) => {
                    if let Some(pending) = self.pending.get(&settle.transfer) {
                        accounts.extend([pending.transfer.payer, pending.transfer.payee]);
                        transfers.insert(settle.transfer, pending.transfer);
                    }
                }
            }
        }
        // Their state may be a later one; of a transfer that is repeated, only the content matters.
        for row in find::transfers(tx, self.id(), &older).await? {
            if row.position <= self.steps {
                transfers.insert(row.transfer.id, row.transfer);
            }
        }
        let accounts: Vec<Account> =
            accounts.iter().filter_map(|id| self.accounts.get(id)).map(|row| row.account).collect();
        let windowed = accounts.iter().filter(|account| account.windowed);
        Ok(Book {
            windows: windowed.flat_map(|account| self.windows_of(account.id)).copied().collect(),
            accounts,
            transfers: transfers.into_values().collect(),
        })
    }

    /// Compares the keys of a record with what is kept of them: one that began a transfer, and one whose refusal is repeated.
    async fn compare_keys(&mut self, tx: &mut Tx, now: Timestamp, entries: &[(Item, Verdict)]) -> Result<(), Stop> {
        let mut expected: BTreeMap<Key, Kept> = BTreeMap::new();
        for (item, verdict) in entries {
            let Some(kept) = Kept::of(&item.command, verdict, now) else { continue };
            if let Some(never) = kept.refused_transfer() {
                self.refused.insert(never.id, never);
            }
            expected.entry(kept.key).or_insert(kept);
        }
        let keys: Vec<Key> = expected.keys().copied().collect();
        let mut stored: BTreeMap<Key, Kept> = BTreeMap::new();
        stored.extend(idempotency::load(tx, self.id(), &keys).await?.into_iter().map(|kept| (kept.key, kept)));
        let seq = self.records + 1;
        for (key, kept) in expected {
            let place = format!("the key of transfer {} (journal record {seq})", crate::id_text(kept.transfer.0));
            match stored.get(&key) {
                // Its row follows.
                None if seq > self.flushed.seq => continue,
                None => return Err(fault(&place, "it is missing: a retry would happen again")),
                Some(row) if *row != kept => {
                    return Err(fault(place, "it stands for something else than the journal says"));
                }
                Some(_) => self.keys += 1,
            }
        }
        Ok(())
    }

    /// Compares the next row of `transfer` with what the replay produced.
    async fn compare_step(
        &mut self,
        tx: &mut Tx,
        seq: i64,
        now: Timestamp,
        command: &Command,
        receipt: &TransferReceipt,
    ) -> Result<(), Stop> {
        let position = self.steps + 1;
        let place = format!("transfer row {position} (journal record {seq})");
        let row = self.next_row(tx).await?.ok_or_else(|| fault(&place, "it is missing"))?;
        let transfer = receipt.transfer;
        let (step, memo, begun) = match command {
            Command::Settle(settle) => (Step::settling(settle.action), settle.memo, self.pending.remove(&transfer.id)),
            _ => (Step::beginning(transfer.kind), transfer.memo, None),
        };
        if begun.as_ref().is_some_and(|begun| begun.settled_by != Some(position)) {
            return Err(fault(place, "the row that began the transfer does not say that this one settles it"));
        }
        let settled_by = row.optional_int("settled_by")?;
        let pending = transfer.is_pending() && settled_by.is_none();
        let mut expected = vec![
            ("position", position),
            ("seq", seq),
            ("step", step.number()),
            ("amount", transfer.amount.minor()),
            ("moved", transfer.moved.minor()),
            ("at", now.0),
            ("payer_balance", receipt.payer_balance.minor()),
            ("payee_balance", receipt.payee_balance.minor()),
        ];
        expected.extend(self.links(transfer.payer, PAYER_LINKS, position, step));
        expected.extend(self.links(transfer.payee, PAYEE_LINKS, position, step));
        for (column, value) in expected {
            if row.int(column)? != value {
                return Err(fault(place, format!("{column} is {} and should be {value}", row.int(column)?)));
            }
        }
        let same = row.id("transfer_id")? == transfer.id.0
            && row.id("payer_id")? == transfer.payer.0
            && row.id("payee_id")? == transfer.payee.0
            && row.optional_int("expires_at")? == transfer.expires_at.map(|at| at.0)
            && row.optional_int("settles")? == begun.as_ref().map(|begun| begun.position)
            && row.bool("pending")? == pending;
        if !same {
            return Err(fault(place, "its ids, expiry or links are not those of the journal"));
        }
        let indexed = row.bool("indexed")?;
        if !indexed && begun.is_none() && step == Step::Immediate && transfer.id.0 > self.last_id {
            self.last_id = transfer.id.0;
        } else if indexed != step.begins() {
            return Err(fault(place, "its id is in the index and should not be, or the other way round"));
        }
        if memo_digest(&row.text("memo")?) != memo {
            return Err(fault(place, "its text is not the one whose digest is in the journal"));
        }
        self.totals = self.totals.after(step);
        for account in [transfer.payer, transfer.payee] {
            if let Some(row) = self.accounts.get_mut(&account) {
                row.as_of = seq;
            }
        }
        if transfer.is_pending() {
            self.pending.insert(transfer.id, Pending { transfer, position, settled_by });
        } else if settled_by.is_some() {
            return Err(fault(place, "it says that it was settled, and it cannot be"));
        }
        self.steps = position;
        Ok(())
    }

    /// What a row carries of one account's chain, by column; appends it to the replay's own.
    fn links(
        &mut self,
        account: AccountId,
        columns: [&'static str; 5],
        position: i64,
        step: Step,
    ) -> [(&'static str, i64); 5] {
        let empty = || AccountRow::new(Account::open(account, Amount::ZERO, Amount::ZERO));
        let link = self.accounts.entry(account).or_insert_with(empty).chain.push(position, step);
        let totals = link.totals;
        let values = [link.prev, link.jump, totals.begun, totals.posted, totals.ended];
        std::array::from_fn(|place| (columns[place], values[place]))
    }

    async fn next_row(&mut self, tx: &mut Tx) -> Result<Option<Row>, Stop> {
        if self.rows.is_empty() {
            let sql = "select * from transfer where ledger_id = $1 and position > $2 and position <= $4 order by position limit $3";
            let values = vec![self.id().0.into(), self.read.into(), CHUNK.into(), self.end.into()];
            let rows = tx.fetch_all(sql, values).await?;
            self.rows = rows.into();
            if let Some(last) = self.rows.back() {
                self.read = last.int("position")?;
            }
        }
        Ok(self.rows.pop_front())
    }

    async fn compare_head(&mut self, tx: &mut Tx) -> Result<(), Stop> {
        let sql = "select head_seq, head_hash, head_at, last_position, last_id, begun, posted, ended,
                          (select count(*) from idempotency i where i.ledger_id = l.ledger_id) as keys
                   from ledger l where ledger_id = $1";
        let head = tx.fetch_optional(sql, vec![self.id().0.into()]).await?;
        let head = head.ok_or_else(|| fault("ledger", "its row is missing"))?;
        let seq = head.int("head_seq")?;
        if seq != self.records {
            let next = self.records + 1;
            return Err(fault(
                format!("journal record {next}"),
                format!("it is missing: the ledger has {seq} records"),
            ));
        }
        if self.next_row(tx).await?.is_some() {
            return Err(fault(format!("transfer row {}", self.steps + 1), "the journal knows nothing of it"));
        }
        if let Some(pending) = self.pending.values().find(|pending| pending.settled_by.is_some()) {
            let place = format!("transfer row {}", pending.position);
            return Err(fault(place, "it says that it was settled, and the journal does not"));
        }
        if head.bytes("head_hash")? != self.hash {
            return Err(fault("ledger", "its head is not the end of its journal"));
        }
        if head.id("last_id")? != self.last_id {
            return Err(fault("ledger", "its last id is not the greatest that came in order"));
        }
        let at = if self.records == 0 { 0 } else { self.at.0 };
        let Totals { begun, posted, ended } = self.totals;
        let numbers = [
            ("head_at", at),
            ("last_position", self.steps),
            ("begun", begun),
            ("posted", posted),
            ("ended", ended),
            ("keys", self.keys),
        ];
        for (column, value) in numbers {
            if head.int(column)? != value {
                return Err(fault("ledger", format!("{column} is {} and should be {value}", head.int(column)?)));
            }
        }
        Ok(())
    }
}
