//! Reading the journal: records in order, each held against its place, its hash, and its canonical form.

use super::{Reached, Replay, Stop, fault};
use crate::posting::journal;
use crate::store::{Scanned, Tx};
use ledger_core::{Item, Verdict, codec};
use std::ops::ControlFlow;

/// Commands from which on a window is full: about the largest batch, whose rows are a statement's worth of work. With twice as many, what is
/// expected of the rows no longer stays near the processor until they are read, and a proof takes some hundredths longer.
const WINDOW: usize = 8_000;

/// Records asked for at first; then as many as make a window.
pub(super) const PACE_FIRST: i64 = 16;
const PACE_MAX: i64 = 4_096;

const RECORDS: &str = "select seq, first_position, last_position, last_id, hash, body from journal
 where ledger_id = $1 and seq > $2 order by seq limit $3";

/// A record whose hash is right.
pub(super) struct Record {
    /// Everything up to and with it; the steps are what it tells.
    pub(super) reached: Reached,
    pub(super) first_position: i64,
    pub(super) last_id: u128,
    pub(super) items: Vec<Item>,
    /// One for each item, in the same order.
    pub(super) verdicts: Vec<Verdict>,
}

pub(super) fn place(seq: i64) -> String {
    format!("journal record {seq}")
}

impl Replay<'_> {
    /// The records of the next window, and what is wrong with the one after them. A window ends where all rows of accounts are due.
    pub(super) async fn read(&mut self, tx: &mut Tx) -> Result<(Vec<Record>, Option<Stop>), Stop> {
        let values = [self.id().0.into(), self.read.records.into(), self.pace.into()];
        let (mut records, mut commands, mut wrong) = (vec![], 0, None);
        let each = |row: &mut Scanned<'_>| {
            match self.record(row) {
                Ok(record) => {
                    commands += record.items.len();
                    self.read = record.reached;
                    records.push(record);
                }
                Err(stop) => wrong = Some(stop),
            }
            let full = commands >= WINDOW || self.read.records == self.flushed.seq;
            Ok::<_, Stop>(if full || wrong.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        tx.scan(RECORDS, &values, each).await?;
        self.pace = match i64::try_from(records.len()) {
            Ok(made) if commands >= WINDOW => made,
            _ => (self.pace * 2).min(PACE_MAX),
        };
        Ok((records, wrong))
    }

    fn record(&self, row: &mut Scanned<'_>) -> Result<Record, Stop> {
        let seq = self.read.records + 1;
        self.record_at(row, seq).map_err(|stop| stop.at(|| place(seq)))
    }

    fn record_at(&self, row: &mut Scanned<'_>, seq: i64) -> Result<Record, Stop> {
        let found = row.int()?;
        if found != seq {
            return Err(fault(place(seq), format!("it is missing; the next one is {found}")));
        }
        let (first_position, steps, last_id) = (row.int()?, row.int()?, row.id()?);
        let (stored, body) = (row.bytes()?, row.bytes()?);
        let hash = journal::record(&self.read.hash, self.id(), seq, body);
        if stored != hash {
            return Err(fault(place(seq), "its hash does not follow from its content and the record before"));
        }
        let (at, items, verdicts) = codec::decode_batch_apart(body)
            .map_err(|error| fault(place(seq), format!("byte {} is not canonical", error.at)))?;
        if at < self.read.at {
            return Err(fault(place(seq), "it is earlier than the record before"));
        }
        Ok(Record { reached: Reached { records: seq, hash, at, steps }, first_position, last_id, items, verdicts })
    }
}
