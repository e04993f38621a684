//! One batch: load, ask the component, and work out what to write. Writing is in `bulk`, who waits in `lane`.

use super::beside::Telling;
use super::bulk::{Head, Right, Write};
use super::history::Step;
use super::idempotency::Kept;
use super::journal;
use super::lane::Waiting;
use super::lease::SHARE_FOR;
use super::load::{self, Before, Loaded, Source};
use super::mint::IdOrder;
use super::resident::{ById, Mark, Resident, Slice, Undo};
use super::rows::{AccountRow, Appended, TransferRow};
use super::{Entry, Failure};
use crate::engine::{Engine, Posted};
use ledger_core::{Command, Item, LedgerId, Outcome, Receipt, Timestamp, TransferId, TransferReceipt, Verdict, codec};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A ledger as a lane has it in memory, with everything that was decided so far.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) ledger: LedgerId,
    /// Shared with readers, who wait until what they see is durable.
    pub(super) resident: Arc<Mutex<Resident>>,
    pub(super) head: Head,
    pub(super) epoch: i64,
    /// The last id that was made here. Beyond `head.last_id`, because holds and requests get ids too and are not in that order.
    pub(super) minted: IdOrder,
    /// Those that were made for a batch that may not be durable yet, if any were.
    pub(super) unwritten: RangeInclusive<u128>,
    /// The greatest id of all transfers: a greater one is new, and need not be looked for.
    pub(super) newest: u128,
    /// Transfers that were begun or settled by batches that may not be durable yet, by batch.
    pub(super) recent: ById<TransferId, TransferRow>,
    /// Another host has posted since this one last told so in the ledger's row.
    pub(super) others_posted: bool,
}

/// No batch is being written.
pub(super) const NO_IDS: RangeInclusive<u128> = RangeInclusive::new(1, 0);

/// A batch that was decided, and is to be written before anybody is answered.
#[derive(Debug)]
pub(super) struct Decided {
    /// In the order of the entries.
    pub(super) outcomes: Vec<Outcome>,
    /// None when nothing changed.
    pub(super) write: Option<Write>,
    /// Which of those who wait have companions to be run.
    pub(super) accepted: Vec<usize>,
    /// How to take it back, when a companion may yet stand in the way.
    pub(super) undo: Option<(Head, Undo)>,
}

/// Decides what waits. The lane's memory is then ahead of the database, until the write is durable or the lane forgets everything.
pub(super) async fn decide(
    source: &mut Source<'_>,
    engine: &Engine,
    held: &mut Held,
    waiting: &[Waiting],
    clock: Timestamp,
    right: Right,
) -> Result<Decided, Failure> {
    let now = clock.max(held.head.at);
    let order = IdOrder(held.head.last_id);
    let minted = IdOrder(held.minted.0.max(order.0));
    let before = Before {
        ledger: held.ledger,
        resident: &held.resident,
        recent: &held.recent,
        unwritten: &held.unwritten,
        minted,
        newest: held.newest,
        now,
    };
    let loaded = load::load(source, before, waiting).await?;
    let made = minted.0 + 1..=loaded.minted.0;
    held.minted = loaded.minted;
    let book = loaded.book(&super::locked(&held.resident));
    let posted = engine.post_here(&book, &loaded.items, now)?;
    drop(book);

    let resident = Arc::clone(&held.resident);
    let mut resident = super::locked(&resident);
    let companions = waiting.iter().any(|waiting| !waiting.companions.is_empty());
    let undo = companions.then(|| (held.head, resident.remember(&loaded.places)));
    let mut changes = Changes::new(held.head, order);
    changes.take_in(&mut resident, &loaded, &posted);
    changes.follow(&mut resident, waiting, &loaded, &posted, now);
    if changes.journaled.is_empty() {
        return Ok(Decided { outcomes: posted.outcomes, write: None, accepted: vec![], undo: None });
    }
    let (before, body) = (held.head, changes.body(now));
    held.head = Head {
        seq: before.seq + 1,
        hash: journal::record(&before.hash, held.ledger, before.seq + 1, &body),
        at: now,
        last_position: changes.position,
        last_id: changes.order.0,
    };
    let mut behind = rows_behind(&mut resident, right, undo.is_some(), held.head.mark());
    resident.write_through(changes.governed.iter().copied(), &mut behind);
    // Not before: what is being written still has the ids that it has, if nothing comes of this batch.
    held.unwritten = made;
    held.newest = changes.appended.iter().fold(held.newest, |newest, row| newest.max(row.transfer.id.0));
    held.recent.extend(changes.recent.drain(..).map(|row| (row.transfer.id, row)));
    let write = Write {
        ledger: held.ledger,
        epoch: held.epoch,
        right,
        before,
        after: held.head,
        body: Some(body),
        counts: changes.counts(),
        appended: changes.appended,
        beside: changes.telling.rows,
        settled: changes.settled,
        behind,
        began: Instant::now(),
    };
    Ok(Decided { outcomes: posted.outcomes, write: Some(write), accepted: changes.accepted, undo })
}

/// The rows that follow with a batch that ends here.
fn rows_behind(resident: &mut Resident, right: Right, may_be_taken_back: bool, head: Mark) -> Slice {
    match right {
        // What a companion may take back takes nothing of the sweep with it.
        Right::Owner if !may_be_taken_back => resident.due(head),
        // In turn with others, all of it is written at once (`follow.rs`).
        Right::Owner | Right::Shared { .. } => Slice { flushed: resident.flushed(), ..Slice::default() },
    }
}

impl Held {
    /// Takes back a batch that was decided last.
    pub(super) fn take_back(&mut self, (head, undo): (Head, Undo), write: &Write) {
        super::locked(&self.resident).restore(undo);
        self.head = head;
        self.unwritten = NO_IDS;
        self.forget_recent(write);
    }

    /// By which this host writes in turn with others: when another one has posted, it may post again.
    pub(super) const fn right_among_others(&self) -> Right {
        Right::Shared { on: if self.others_posted { SHARE_FOR } else { 0 } }
    }

    /// Whether one of these has an id that was made for the batch that was decided last, which only that batch's rows could tell.
    pub(super) fn guesses(&self, waiting: &[Waiting]) -> bool {
        let mut given = waiting.iter().flat_map(|waiting| &waiting.entries).filter_map(Entry::given_id);
        given.any(|id| self.unwritten.contains(&id.0))
    }

    /// What this batch began and settled can be read back from the database, or never happened.
    pub(super) fn forget_recent(&mut self, write: &Write) {
        // Unless a later one was decided, whose ids these are.
        if self.head.seq == write.after.seq {
            self.unwritten = NO_IDS;
        }
        if self.recent.is_empty() {
            return;
        }
        for row in &write.appended {
            // A later batch may have settled it.
            if self.recent.get(&row.transfer.id).is_some_and(|recent| recent.transfer.state == row.transfer.state) {
                self.recent.remove(&row.transfer.id);
            }
        }
    }
}

/// What a decided batch changes.
struct Changes {
    seq: i64,
    /// Position of the newest row.
    position: i64,
    first_position: i64,
    order: IdOrder,
    /// Which of those who wait were accepted and are new.
    accepted: Vec<usize>,
    /// What the journal keeps: whole groups, those that were accepted and those whose refusal must be remembered.
    journaled: Vec<(Item, Verdict)>,
    appended: Vec<Appended>,
    /// What is told about them in others' tables.
    telling: Telling,
    /// Rows of earlier batches, and the rows of this one that settle them.
    settled: Vec<(i64, i64)>,
    /// Accounts that were opened, limited, frozen or closed: their rows are written at once, so that only transfers follow.
    governed: Vec<u32>,
    /// Transfers that somebody may ask for again before this batch is durable.
    recent: Vec<TransferRow>,
    /// Where transfers began that this batch began.
    begun: ById<TransferId, i64>,
}

impl Changes {
    fn new(head: Head, order: IdOrder) -> Changes {
        Changes {
            seq: head.seq + 1,
            position: head.last_position,
            first_position: head.last_position,
            order,
            accepted: vec![],
            journaled: vec![],
            appended: vec![],
            telling: Telling::default(),
            settled: vec![],
            governed: vec![],
            recent: vec![],
            begun: ById::default(),
        }
    }

    /// The accounts and windows as the component says that they are now.
    fn take_in(&mut self, resident: &mut Resident, loaded: &Loaded, posted: &Posted) {
        for account in &posted.accounts {
            let place = resident.place(account.id).unwrap_or_else(|| resident.admit(AccountRow::new(*account)));
            let row = resident.change(place);
            (row.account, row.as_of) = (*account, self.seq);
        }
        for window in &posted.windows {
            let place = resident.place(window.account).expect("whose window changed was loaded or opened");
            resident.change(place).windows.change(*window);
        }
        self.appended.reserve(loaded.items.len());
        self.journaled.reserve(loaded.items.len());
    }

    /// Histories, the journal and keys, group by group.
    fn follow(
        &mut self,
        resident: &mut Resident,
        waiting: &[Waiting],
        loaded: &Loaded,
        posted: &Posted,
        now: Timestamp,
    ) {
        let mut start = 0;
        for (place, waiting) in waiting.iter().enumerate() {
            let end = start + waiting.entries.len();
            let all = Decisions {
                entries: &waiting.entries,
                items: &loaded.items[start..end],
                outcomes: &posted.outcomes[start..end],
            };
            let outcomes = all.outcomes;
            for group in all.groups() {
                self.group(resident, loaded, &group, now);
            }
            // One of which a part came before brings its companions a second time.
            let repeated = |outcome: &Outcome| matches!(outcome, Ok(Receipt::Repeated(_)));
            if !waiting.companions.is_empty() && outcomes.iter().any(is_fresh) && !outcomes.iter().any(repeated) {
                self.accepted.push(place);
            }
            start = end;
        }
    }

    fn group(&mut self, resident: &mut Resident, loaded: &Loaded, group: &Decisions<'_>, now: Timestamp) {
        let mut journal = group.outcomes.iter().any(is_fresh);
        for ((item, outcome), entry) in group.items.iter().zip(group.outcomes).zip(group.entries) {
            match outcome {
                Ok(Receipt::Transfer(receipt)) => self.append(resident, loaded, item, entry, receipt, now),
                Ok(Receipt::Account(account)) => self.governed.extend(resident.place(account.id)),
                Ok(Receipt::Repeated(_)) | Err(_) => {}
            }
            journal |= self.keep(resident, loaded, item, outcome, now);
        }
        if journal {
            let entries = group.items.iter().zip(group.outcomes);
            self.journaled.extend(entries.map(|(item, outcome)| (*item, Verdict::of(outcome))));
        }
    }

    fn append(
        &mut self,
        resident: &mut Resident,
        loaded: &Loaded,
        item: &Item,
        entry: &Entry,
        receipt: &TransferReceipt,
        now: Timestamp,
    ) {
        self.position += 1;
        let (position, transfer) = (self.position, receipt.transfer);
        let (step, settles, indexed) = match &item.command {
            Command::Settle(settle) => (Step::settling(settle.action), self.settle(loaded, transfer.id), false),
            _ => {
                let step = Step::beginning(transfer.kind);
                if step != Step::Immediate {
                    self.begun.insert(transfer.id, position);
                }
                (step, None, step != Step::Immediate || !self.order.admit(transfer.id, now))
            }
        };
        let seq = self.seq;
        let mut side = |account, balance| {
            let place = resident.place(account).expect("the component moved money of it, so it was loaded or opened");
            let row = resident.change(place);
            row.as_of = seq;
            (row.chain.push(position, step), balance)
        };
        let payer = side(transfer.payer, receipt.payer_balance);
        let payee = side(transfer.payee, receipt.payee_balance);
        // Nobody knows an id that was made here before they are answered, but for those whom a key leads to it: they wait.
        if !entry.minted || step != Step::Immediate {
            self.recent.push(TransferRow { transfer, position: settles.unwrap_or(position) });
        }
        self.telling.tell(entry, transfer.id, now);
        let memo = entry.memo.clone();
        self.appended.push(Appended {
            position,
            step,
            transfer,
            memo,
            settles,
            settled_by: None,
            indexed,
            payer,
            payee,
        });
    }

    /// Where the transfer began that the row at `self.position` settles.
    fn settle(&mut self, loaded: &Loaded, id: TransferId) -> Option<i64> {
        if let Some(begun) = self.begun.remove(&id) {
            let place = usize::try_from(begun - self.first_position - 1).expect("it is of this batch");
            self.appended[place].settled_by = Some(self.position);
            return Some(begun);
        }
        let begun = loaded.transfers.get(&id)?.position;
        self.settled.push((begun, self.position));
        Some(begun)
    }

    /// Keeps a command's key, once. True if it is kept now.
    fn keep(
        &mut self,
        resident: &mut Resident,
        loaded: &Loaded,
        item: &Item,
        outcome: &Outcome,
        now: Timestamp,
    ) -> bool {
        let Some(key) = load::key_of(&item.command) else { return false };
        let Some(kept) = Kept::of(&item.command, &Verdict::of(outcome), now) else { return false };
        if loaded.known.contains(&key) || resident.keys.lately(key).is_some() {
            return false;
        }
        resident.keys.keep(kept);
        true
    }

    fn body(&self, now: Timestamp) -> Vec<u8> {
        // A transfer without key, expiry and text takes 84 bytes with its verdict.
        let mut body = Vec::with_capacity(16 + self.journaled.len() * 100);
        codec::encode_batch(&mut body, now, &self.journaled);
        body
    }

    fn counts(&self) -> [i64; 3] {
        let mut counts = [0; 3];
        for row in &self.appended {
            for (count, yes) in counts.iter_mut().zip([row.step.begins(), row.step.posts(), row.step.ends()]) {
                *count += i64::from(yes);
            }
        }
        counts
    }
}

/// Some commands and what became of them.
struct Decisions<'d> {
    entries: &'d [Entry],
    items: &'d [Item],
    outcomes: &'d [Outcome],
}

impl<'d> Decisions<'d> {
    /// Those that were linked to each other.
    fn groups(self) -> impl Iterator<Item = Decisions<'d>> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let length = rest.items.iter().position(|item| !item.linked).map_or(rest.items.len(), |last| last + 1);
            let (entries, more_entries) = rest.entries.split_at(length);
            let (items, more_items) = rest.items.split_at(length);
            let (outcomes, more_outcomes) = rest.outcomes.split_at(length);
            rest = Decisions { entries: more_entries, items: more_items, outcomes: more_outcomes };
            (length > 0).then_some(Decisions { entries, items, outcomes })
        })
    }
}

fn is_fresh(outcome: &Outcome) -> bool {
    matches!(outcome, Ok(Receipt::Account(_) | Receipt::Transfer(_)))
}
