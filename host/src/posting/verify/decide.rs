//! Deciding the commands of a record again, and working out the rows that must have come from it.

use super::accounts::Accounts;
use super::keys::Keys;
use super::read::{Record, place};
use super::{Reached, Replay, Stop, Window, fault};
use crate::engine::{Book, Engine, Posted};
use crate::posting::find;
use crate::posting::history::{Link, Step, Totals};
use crate::posting::idempotency::Kept;
use crate::posting::resident::{ById, Mark};
use crate::posting::rows::TransferRow;
use crate::store::Tx;
use ledger_core::{
    Account, AccountId, Command, Key, Memo, Receipt, Timestamp, Transfer, TransferId, TransferReceipt, Verdict,
};

/// A transfer that waits to be settled, and the position of the row that began it.
pub(super) struct Waits {
    transfer: Transfer,
    position: i64,
}

/// A row of `transfer`, as it must be. Its position follows from its place.
pub(super) struct Expected {
    pub(super) seq: i64,
    pub(super) at: Timestamp,
    pub(super) id: TransferId,
    pub(super) step: Step,
    pub(super) amount: i64,
    pub(super) moved: i64,
    pub(super) expires_at: Option<i64>,
    pub(super) memo: Memo,
    /// Position of the row that began the transfer, for a row that settles it.
    pub(super) settles: Option<i64>,
    /// Whether the transfer waits after this row.
    pub(super) waits: bool,
    pub(super) payer: Side,
    pub(super) payee: Side,
}

/// What a row says of one account.
pub(super) struct Side {
    pub(super) account: AccountId,
    pub(super) link: Link,
    pub(super) balance: i64,
}

/// What the component is asked about a record.
#[derive(Default)]
struct Asked {
    book: Book,
    /// Where the accounts of the book are.
    accounts: Vec<u32>,
    /// Where the payer and the payee of each command are, if they were there before the record.
    places: Vec<[Option<u32>; 2]>,
    /// What the rows that came from it carry of both accounts' histories, in their order.
    links: Vec<[Link; 2]>,
}

/// A window that was decided.
#[derive(Default)]
pub(super) struct Decided {
    /// The rows that must be there.
    pub(super) expected: Vec<Expected>,
    /// Its records: how far everything is right when their rows are, and the last id that each tells.
    pub(super) reached: Vec<(Reached, u128)>,
    /// What is wrong with the record after them.
    pub(super) wrong: Option<Stop>,
}

/// A ledger as the journal tells it, so far.
pub(super) struct Decider {
    /// Everything up to here was decided.
    pub(super) decided: Reached,
    /// Where all rows of accounts and keys are due.
    pub(super) flushed: Mark,
    pub(super) accounts: Accounts,
    waiting: ById<TransferId, Waits>,
    /// Transfers that never began, by the keys that are kept of them.
    pub(super) refused: ById<Key, Transfer>,
    pub(super) keys: Keys,
    /// How many transfers began, were posted, and ended.
    pub(super) totals: Totals,
    /// Kept to be filled again.
    asked: Asked,
}

impl Replay<'_> {
    /// Transfers that these records may repeat: whatever a command that began nothing was answered, an earlier record may have begun
    /// its transfer.
    pub(super) async fn older(&self, tx: &mut Tx, records: &[Record]) -> Result<ById<TransferId, TransferRow>, Stop> {
        let entries = records.iter().flat_map(|record| record.items.iter().zip(&record.verdicts));
        let repeated = entries.filter_map(|(item, verdict)| match &item.command {
            Command::Create(create) if !matches!(verdict, Verdict::Transfer { .. }) => Some(create.id),
            _ => None,
        });
        let mut ids: Vec<TransferId> = repeated.collect();
        if ids.is_empty() {
            return Ok(ById::default());
        }
        ids.sort_unstable();
        ids.dedup();
        let rows = find::transfers(tx, self.id(), &ids).await?;
        Ok(rows.into_iter().map(|row| (row.transfer.id, row)).collect())
    }
}

impl Decider {
    pub(super) fn new(decided: Reached, flushed: Mark) -> Decider {
        Decider {
            decided,
            flushed,
            accounts: Accounts::default(),
            waiting: ById::default(),
            refused: ById::default(),
            keys: Keys::new(),
            totals: Totals::default(),
            asked: Asked::default(),
        }
    }

    /// Decides a window, up to the first record of which anything is wrong.
    pub(super) fn decide(&mut self, engine: &Engine, window: Window, into: &mut Decided) {
        let Window { records, older, wrong } = window;
        into.wrong = wrong;
        for record in &records {
            let right = into.expected.len();
            if let Err(stop) = self.decide_record(engine, record, &older, into) {
                into.expected.truncate(right);
                into.wrong = Some(stop);
                return;
            }
        }
    }

    fn decide_record(
        &mut self,
        engine: &Engine,
        record: &Record,
        older: &ById<TransferId, TransferRow>,
        into: &mut Decided,
    ) -> Result<(), Stop> {
        let seq = record.reached.records;
        self.ask(record, older);
        let posted = engine.post_here(&self.asked.book, &record.items, record.reached.at)?;
        if seq > self.flushed.seq {
            self.accounts.prove_older(seq, &posted)?;
        }
        let before = self.decided.steps;
        let steps = self.follow(record, &posted, &mut into.expected)?;
        self.set_accounts(&posted.accounts, seq);
        posted.windows.iter().for_each(|window| self.accounts.change_window(*window));
        for (column, found, right) in
            [("first_position", record.first_position, before), ("last_position", record.reached.steps, steps)]
        {
            if found != right {
                return Err(fault(place(seq), format!("{column} is {found} and should be {right}")));
            }
        }
        self.decided = record.reached;
        into.reached.push((record.reached, record.last_id));
        Ok(())
    }

    /// What the record's commands touch, as the replay has it.
    fn ask(&mut self, record: &Record, older: &ById<TransferId, TransferRow>) {
        let Asked { book, accounts: asked, places, .. } = &mut self.asked;
        book.accounts.clear();
        book.windows.clear();
        book.transfers.clear();
        asked.clear();
        places.clear();
        let (seq, accounts) = (record.reached.records, &mut self.accounts);
        for item in &record.items {
            let mut ask = |id| accounts.ask(id, seq, &mut book.accounts, asked);
            places.push(match &item.command {
                Command::OpenAccount(open) => [ask(open.account), None],
                Command::SetLimits(limits) => [ask(limits.account), None],
                Command::SetStatus(status) => [ask(status.account), None],
                Command::SetWindow(window) => [ask(window.account), None],
                Command::Create(create) => {
                    let refused = create.key.and_then(|key| self.refused.get(&key).copied());
                    let waits = || self.waiting.get(&create.id).map(|waits| waits.transfer);
                    // Its state may be a later one; of a transfer that is repeated, only the content matters.
                    let begun = || older.get(&create.id).filter(|row| row.position <= self.decided.steps);
                    book.transfers.extend(refused.or_else(waits).or_else(|| begun().map(|row| row.transfer)));
                    [ask(create.payer), ask(create.payee)]
                }
                Command::Settle(settle) => match self.waiting.get(&settle.transfer) {
                    Some(Waits { transfer, .. }) => {
                        book.transfers.push(*transfer);
                        [ask(transfer.payer), ask(transfer.payee)]
                    }
                    None => [None, None],
                },
            });
        }
        for (_, place) in book.accounts.iter().zip(&*asked).filter(|(account, _)| account.windowed) {
            book.windows.extend_from_slice(self.accounts.windows_at(*place));
        }
        // A transfer that several commands are about is asked about once.
        book.transfers.sort_unstable_by_key(|transfer| transfer.id);
        book.transfers.dedup_by_key(|transfer| transfer.id);
    }

    /// The accounts as the record left them: those it was asked about, in the order of the question, then those that it opened.
    fn set_accounts(&mut self, changed: &[Account], seq: i64) {
        let Asked { book, accounts: places, .. } = &self.asked;
        let mut asked = book.accounts.iter().zip(places);
        for account in changed {
            match asked.find(|(before, _)| before.id == account.id) {
                Some((_, place)) => self.accounts.set_at(*place, *account, seq),
                None => self.accounts.set(*account, seq),
            }
        }
    }

    /// Holds the verdicts against what was recorded, and works out rows and keys. Tells the position of the last row.
    fn follow(&mut self, record: &Record, posted: &Posted, into: &mut Vec<Expected>) -> Result<i64, Stop> {
        let (seq, at) = (record.reached.records, record.reached.at);
        self.link(record, posted);
        let links = std::mem::take(&mut self.asked.links);
        let (mut position, mut rest) = (self.decided.steps, links.iter());
        let entries = record.items.iter().zip(&record.verdicts);
        for (index, ((item, verdict), outcome)) in entries.zip(&posted.outcomes).enumerate() {
            if Verdict::of(outcome) != *verdict {
                let what = format!("command {} was recorded as {verdict:?} and is decided as {outcome:?}", index + 1);
                return Err(fault(place(seq), what));
            }
            match outcome {
                Ok(Receipt::Transfer(receipt)) => {
                    position += 1;
                    let links = rest.next().expect("each row has its links");
                    into.push(self.expect(record, position, &item.command, receipt, *links));
                }
                Ok(Receipt::Account(account)) => self.accounts.set(*account, seq),
                Ok(Receipt::Repeated(_)) | Err(_) => {}
            }
            if let Some(kept) = Kept::of(&item.command, verdict, at) {
                self.keep(seq, kept);
            }
        }
        self.asked.links = links;
        Ok(position)
    }

    /// Appends the rows of a record to the histories of their accounts. Those lie far apart in memory: in a loop that does nothing else, the
    /// next ones are fetched while one is waited for.
    fn link(&mut self, record: &Record, posted: &Posted) {
        let Asked { places, links, .. } = &mut self.asked;
        links.clear();
        let mut position = self.decided.steps;
        for ((item, outcome), [payer, payee]) in record.items.iter().zip(&posted.outcomes).zip(places) {
            let Ok(Receipt::Transfer(TransferReceipt { transfer, .. })) = outcome else { continue };
            position += 1;
            let step = step_of(&item.command, transfer);
            let mut append = |place: Option<u32>, account| {
                let place = place.unwrap_or_else(|| self.accounts.place_or_open(account));
                self.accounts.append(place, position, step, record.reached.records)
            };
            links.push([append(*payer, transfer.payer), append(*payee, transfer.payee)]);
        }
    }

    #[inline]
    fn expect(
        &mut self,
        record: &Record,
        position: i64,
        command: &Command,
        receipt: &TransferReceipt,
        [payer, payee]: [Link; 2],
    ) -> Expected {
        let (seq, transfer) = (record.reached.records, &receipt.transfer);
        let step = step_of(command, transfer);
        let (memo, settles) = match command {
            Command::Settle(settle) => {
                let begun = self.waiting.remove(&transfer.id);
                (settle.memo, begun.map(|begun| begun.position))
            }
            _ => (transfer.memo, None),
        };
        let waits = transfer.is_pending();
        if waits {
            self.waiting.insert(transfer.id, Waits { transfer: *transfer, position });
        }
        self.totals = self.totals.after(step);
        Expected {
            seq,
            at: record.reached.at,
            id: transfer.id,
            step,
            amount: transfer.amount.minor(),
            moved: transfer.moved.minor(),
            expires_at: transfer.expires_at.map(|at| at.0),
            memo,
            settles,
            waits,
            payer: Side { account: transfer.payer, link: payer, balance: receipt.payer_balance.minor() },
            payee: Side { account: transfer.payee, link: payee, balance: receipt.payee_balance.minor() },
        }
    }
}

/// What a row says that a command did.
#[inline]
const fn step_of(command: &Command, transfer: &Transfer) -> Step {
    match command {
        Command::Settle(settle) => Step::settling(settle.action),
        _ => Step::beginning(transfer.kind),
    }
}
