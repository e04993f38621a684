//! The books of a simulation, kept beside the host's: the journal is read as it grows, and fed to the naive model in its order.
//!
//! A *cut* is the ledger after one group of the journal. Whoever was answered must have been answered as the model does: with the
//! group that the journal has of theirs (`claims.rs`), or, when nothing of it is new, at some cut of the time in which they waited.

use super::claims::{Attempt, Claims};
use super::request::{Part, is_group, resolved};
use crate::model::Model;
use hesabu::posting::Extent;
use hesabu::store::{Db, Row};
use ledger_core::{
    Account, AccountId, Command, Item, Key, LedgerId, Outcome, Receipt, Rejection, Timestamp, TransferId,
    TransferReceipt, TransferState, Verdict, codec,
};
use std::collections::{BTreeMap, BTreeSet};

const NO_EXTENT: Extent = Extent { last_position: 0, begun: 0, posted: 0, ended: 0 };

/// What is known to have happened.
pub(super) struct Audit {
    ledger: LedgerId,
    cuts: Vec<Cut>,
    /// Of every record, in order.
    hashes: Vec<Vec<u8>>,
    /// What each key began or was refused, and the cut from which on it is known.
    keys: BTreeMap<Key, (TransferId, usize)>,
    claims: Claims,
    /// Transfers that began, in order.
    pub(super) begun: Vec<TransferId>,
    position: i64,
    /// The steps of all transfers, which are told about in a table of somebody else's: transfer and time, in order.
    steps: Vec<(u128, i64)>,
}

/// The ledger after a group.
struct Cut {
    /// The group, and what the model said to it.
    items: Vec<Item>,
    outcomes: Vec<Outcome>,
    model: Model,
    /// As the model has them.
    accounts: BTreeMap<AccountId, Account>,
    extents: BTreeMap<AccountId, Extent>,
    seq: i64,
    at: Timestamp,
    /// Whether its record ends with it: between records, nobody can look.
    ends_record: bool,
}

/// What somebody read of an account.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) account: AccountId,
    pub(super) shown: Shown,
    /// The end of the journal after they read.
    pub(super) durable: i64,
}

/// What a host can show of an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Shown {
    Account(Option<Account>),
    Extent(Option<Extent>),
}

impl Audit {
    /// Of a ledger without records.
    pub(super) fn new(ledger: LedgerId) -> Audit {
        let start = Cut {
            items: vec![],
            outcomes: vec![],
            model: Model::default(),
            accounts: BTreeMap::new(),
            extents: BTreeMap::new(),
            seq: 0,
            at: Timestamp(0),
            ends_record: true,
        };
        Audit {
            ledger,
            cuts: vec![start],
            hashes: vec![],
            keys: BTreeMap::new(),
            claims: Claims::default(),
            begun: vec![],
            position: 0,
            steps: vec![],
        }
    }

    /// How many cuts there are.
    pub(super) fn length(&self) -> usize {
        self.cuts.len()
    }

    /// How many records there are.
    pub(super) fn records(&self) -> usize {
        self.hashes.len()
    }

    fn last(&self) -> &Cut {
        self.cuts.last().expect("there is the one from the start")
    }

    /// Reads what the journal has got since.
    pub(super) async fn read(&mut self, db: &Db) {
        let sql = "select seq, hash, body from journal where ledger_id = $1 and seq > $2 order by seq";
        let rows = db.fetch_all(sql, vec![self.ledger.0.into(), self.last().seq.into()]).await;
        for row in rows.expect("the database answers") {
            let seq = row.int("seq").expect("a number");
            assert_eq!(seq, self.last().seq + 1, "the journal has a gap");
            self.hashes.push(row.bytes("hash").expect("bytes"));
            let body = row.bytes("body").expect("bytes");
            let (at, entries) = codec::decode_batch(&body).expect("the journal is in canonical form");
            self.record(seq, at, &entries);
        }
    }

    /// Asserts that everything that was read before is there still.
    pub(super) async fn nothing_is_lost(&self, db: &Db) {
        let sql = "select hash from journal where ledger_id = $1 order by seq";
        let rows = db.fetch_all(sql, vec![self.ledger.0.into()]).await.expect("the database answers");
        assert!(rows.len() >= self.hashes.len(), "records are gone: {} of {}", rows.len(), self.hashes.len());
        for (row, hash) in rows.iter().zip(&self.hashes) {
            assert_eq!(&row.bytes("hash").expect("bytes"), hash, "a record became another one");
        }
    }

    /// Asserts that each step of a transfer is told about, once, with the transfer's id and the time.
    pub(super) async fn everything_is_told(&self, db: &Db) {
        let rows = db.fetch_all("select subject_id, at from act", vec![]).await.expect("the database answers");
        let told = |row: &Row| (row.id("subject_id").expect("an id"), row.int("at").expect("a time"));
        let mut told: Vec<(u128, i64)> = rows.iter().map(told).collect();
        let mut steps = self.steps.clone();
        told.sort_unstable();
        steps.sort_unstable();
        assert_eq!(told, steps, "what is told about transfers is not what happened");
    }

    fn record(&mut self, seq: i64, at: Timestamp, entries: &[(Item, Verdict)]) {
        assert!(at >= self.last().at, "the time of the ledger went back, from {:?} to {at:?}", self.last().at);
        for group in entries.split_inclusive(|(item, _)| !item.linked) {
            let items: Vec<Item> = group.iter().map(|(item, _)| *item).collect();
            let mut model = self.last().model.clone();
            let outcomes = model.post(&items, at);
            let verdicts: Vec<Verdict> = group.iter().map(|(_, verdict)| *verdict).collect();
            let expected: Vec<Verdict> = outcomes.iter().map(Verdict::of).collect();
            assert_eq!(verdicts, expected, "record {seq} is not what the model says to {items:?}");
            let mut extents = self.last().extents.clone();
            for (item, outcome) in items.iter().zip(&outcomes) {
                self.key_happens_once(item, outcome);
                if let Ok(Receipt::Transfer(receipt)) = outcome {
                    self.step(&mut extents, item, receipt);
                    self.steps.push((receipt.transfer.id.0, at.0));
                }
            }
            let accounts = model.accounts().into_iter().map(|account| (account.id, account)).collect();
            self.cuts.push(Cut { items, outcomes, model, accounts, extents, seq, at, ends_record: false });
        }
        self.cuts.last_mut().expect("there is the one from the start").ends_record = true;
    }

    fn key_happens_once(&mut self, item: &Item, outcome: &Outcome) {
        let Command::Create(create) = &item.command else { return };
        let Some(key) = create.key else { return };
        let began = matches!(outcome, Ok(Receipt::Transfer(_)));
        let kept = matches!(outcome, Err(rejection) if rejection.retryable() && *rejection != Rejection::LinkedFailed);
        match self.keys.get(&key) {
            Some((first, _)) => {
                assert!(!began, "the key of {first:?} happened once more, as {create:?}");
                assert_eq!(create.id, *first, "a key stands for two transfers");
            }
            None if began || kept => drop(self.keys.insert(key, (create.id, self.cuts.len()))),
            None => {}
        }
    }

    fn step(&mut self, extents: &mut BTreeMap<AccountId, Extent>, item: &Item, receipt: &TransferReceipt) {
        self.position += 1;
        let begins = matches!(item.command, Command::Create(_));
        let (posted, transfer) = (receipt.transfer.state == TransferState::Posted, receipt.transfer);
        for account in [transfer.payer, transfer.payee] {
            let extent = extents.entry(account).or_insert(NO_EXTENT);
            extent.last_position = self.position;
            extent.begun += i64::from(begins);
            extent.posted += i64::from(posted);
            extent.ended += i64::from(!begins && !posted);
        }
        if begins {
            self.begun.push(transfer.id);
        }
    }

    /// Asserts that everything in the journal from this cut on was asked for, by attempts that were under way. Comes before what
    /// they were told.
    pub(super) fn nothing_is_invented(&mut self, from: usize, under_way: &[&Attempt]) {
        for (place, cut) in self.cuts.iter().enumerate().skip(from) {
            if cut.outcomes.iter().any(is_fresh) {
                self.claims.happened(place, &cut.items, under_way);
                continue;
            }
            let asked = |attempt: &&Attempt| {
                attempt.from <= place && attempt.request.groups().any(|group| is_group(group, &cut.items))
            };
            assert!(under_way.iter().any(asked), "nobody asked for {:?}", cut.items);
        }
    }

    /// Asserts that an attempt was answered as it must have been, and gives the last cut that the answer can be from. In a calm
    /// wave, answers come in the order in which they were asked for: nothing of it is from before `floor`.
    pub(super) fn check(&mut self, attempt: &Attempt, outcomes: &[Outcome], floor: usize) -> usize {
        let mut at = floor.max(attempt.from - 1);
        assert_eq!(attempt.request.parts.len(), outcomes.len(), "each command has an outcome");
        let mut start = 0;
        for (number, group) in attempt.request.groups().enumerate() {
            let outcomes = &outcomes[start..start + group.len()];
            start += group.len();
            let found = if outcomes.iter().any(is_fresh) {
                let place = self.claims.told(attempt, number);
                (place >= at && self.cuts[place].outcomes == outcomes).then_some(place)
            } else {
                self.claims.denied(attempt, number);
                (at..self.cuts.len()).find(|place| self.refuses(*place, attempt, group, outcomes))
            };
            at = found.unwrap_or_else(|| self.wrong(attempt, group, outcomes, at));
        }
        at
    }

    /// Notes that an attempt was told that nothing of it happened.
    pub(super) fn check_refused(&mut self, attempt: &Attempt) {
        (0..attempt.request.groups().count()).for_each(|group| self.claims.denied(attempt, group));
    }

    /// Whether outcomes of which nothing is new can be from this cut: the journal has the group there, or it has left no trace.
    fn refuses(&self, place: usize, attempt: &Attempt, group: &[Part], outcomes: &[Outcome]) -> bool {
        let cut = &self.cuts[place];
        let is_here = place >= attempt.from && cut.outcomes == outcomes && is_group(group, &cut.items);
        is_here || attempt.times.iter().any(|time| self.asked(place, group, *time) == outcomes)
    }

    /// What the model says to a group that is asked for after this cut.
    fn asked(&self, cut: usize, group: &[Part], time: Timestamp) -> Vec<Outcome> {
        let known = |key| self.keys.get(&key).filter(|(_, since)| *since <= cut).map(|(id, _)| *id);
        let items = resolved(group, known);
        let cut = &self.cuts[cut];
        cut.model.clone().post(&items, time.max(cut.at))
    }

    fn wrong(&self, attempt: &Attempt, group: &[Part], outcomes: &[Outcome], from: usize) -> usize {
        let commands: Vec<&Command> = group.iter().map(Part::command).collect();
        println!("{} cuts, answered from cut {from} on, {attempt:?}", self.cuts.len());
        for cut in from..self.cuts.len() {
            println!("at cut {cut}, the model says {:?}", self.asked(cut, group, attempt.times[0]));
            println!("the journal then has {:?}", self.cuts.get(cut + 1).map(|next| (&next.items, &next.outcomes)));
        }
        panic!("nobody can have answered {outcomes:?} to {commands:?}");
    }

    /// Asserts that these, read one after the other, show only what was durable when they were read, and never go back.
    pub(super) fn check_reads(&self, from: usize, reads: &[Read]) {
        let mut at = BTreeMap::new();
        for read in reads {
            let at = at.entry(read.account).or_insert(from - 1);
            let shows = |cut: &Cut| {
                let (account, extent) = cut.shown(read.account);
                cut.ends_record && cut.seq <= read.durable && (account == read.shown || extent == read.shown)
            };
            let found = (*at..self.cuts.len()).find(|cut| shows(&self.cuts[*cut]));
            *at = found.unwrap_or_else(|| panic!("{read:?} was never so, or is not durable, or went back"));
        }
    }

    /// Asserts that this is what there is now.
    pub(super) fn check_now(&self, read: &Read) {
        let (account, extent) = self.last().shown(read.account);
        assert!(read.shown == account || read.shown == extent, "it is {account:?} and {extent:?} by now, not {read:?}");
    }

    /// The requests of which something happened.
    pub(super) fn happened(&self) -> BTreeSet<usize> {
        self.claims.requests()
    }
}

impl Cut {
    /// What everybody may see of an account.
    fn shown(&self, id: AccountId) -> (Shown, Shown) {
        let account = self.accounts.get(&id).copied();
        let extent = account.map(|_| self.extents.get(&id).copied().unwrap_or(NO_EXTENT));
        (Shown::Account(account), Shown::Extent(extent))
    }
}

fn is_fresh(outcome: &Outcome) -> bool {
    matches!(outcome, Ok(Receipt::Account(_) | Receipt::Transfer(_)))
}
