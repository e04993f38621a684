//! The proof of `transfer`: each row must be what the replay produced, links included.

use super::decide::{Decided, Expected};
use super::{Reached, Replay, Stop, fault};
use crate::posting::history::Step;
use crate::posting::memo_digest;
use crate::store::{Scanned, Tx};
use std::ops::ControlFlow;

/// In the order of the table, in which SQLite finds them fastest, and in which they are compared.
const ROWS: &str = "select position, seq, step, amount, moved, at,
        payer_prev, payer_jump, payer_balance, payer_begun, payer_posted, payer_ended,
        payee_prev, payee_jump, payee_balance, payee_begun, payee_posted, payee_ended,
        transfer_id, payer_id, payee_id, expires_at, memo, settles, settled_by, pending, indexed
 from transfer where ledger_id = $1 and position > $2 and position <= $3 order by position";

/// What [`ROWS`] begins with: the columns that are numbers in every row.
const NUMBERS: [&str; 18] = [
    "position",
    "seq",
    "step",
    "amount",
    "moved",
    "at",
    "payer_prev",
    "payer_jump",
    "payer_balance",
    "payer_begun",
    "payer_posted",
    "payer_ended",
    "payee_prev",
    "payee_jump",
    "payee_balance",
    "payee_begun",
    "payee_posted",
    "payee_ended",
];

pub(super) fn place(position: i64, seq: i64) -> String {
    format!("transfer row {position} (journal record {seq})")
}

impl Replay<'_> {
    /// Compares the rows of a window. Afterwards everything up to its end is proven, but for accounts and keys.
    pub(super) async fn prove_steps(&mut self, tx: &mut Tx, decided: Decided) -> Result<(), Stop> {
        let Decided { mut expected, mut reached, .. } = decided;
        let mut records = reached.iter().peekable();
        if !expected.is_empty() {
            let last = self.proven.steps.saturating_add_unsigned(expected.len() as u64);
            let values = [self.id().0.into(), self.proven.steps.into(), last.into()];
            let mut rows = expected.iter();
            let each = |row: &mut Scanned<'_>| {
                let Some(expected) = rows.next() else { return Ok(ControlFlow::Break(())) };
                while let Some(before) = records.next_if(|(before, _)| before.records < expected.seq) {
                    self.prove_record(before)?;
                }
                let position = self.proven.steps + 1;
                self.prove_step(row, position, expected).map_err(|stop| stop.at(|| place(position, expected.seq)))?;
                self.proven.steps = position;
                Ok::<_, Stop>(ControlFlow::Continue(()))
            };
            tx.scan(ROWS, &values, each).await?;
            if let Some(expected) = rows.next() {
                return Err(fault(place(self.proven.steps + 1, expected.seq), "it is missing"));
            }
        }
        for record in records {
            self.prove_record(record)?;
        }
        expected.clear();
        reached.clear();
        self.spare = Decided { expected, reached, wrong: None };
        Ok(())
    }

    /// All rows of a record were right.
    fn prove_record(&mut self, (reached, last_id): &(Reached, u128)) -> Result<(), Stop> {
        if *last_id != self.last_id {
            let place = super::read::place(reached.records);
            return Err(fault(place, "its last id is not the greatest that came in order"));
        }
        self.proven = *reached;
        Ok(())
    }

    /// Compares a row with what the replay produced.
    fn prove_step(&mut self, row: &mut Scanned<'_>, position: i64, expected: &Expected) -> Result<(), Stop> {
        let (found, numbers) = (row.ints()?, expected.numbers(position));
        if found != numbers {
            return Err(other_number(found, numbers));
        }
        same_id("transfer_id", row.id()?, expected.id.0)?;
        same_id("payer_id", row.id()?, expected.payer.account.0)?;
        same_id("payee_id", row.id()?, expected.payee.account.0)?;
        same_or_none("expires_at", row.optional_int()?, expected.expires_at)?;
        if memo_digest(row.text()?) != expected.memo {
            return Err(wrong("its text is not the one whose digest is in the journal"));
        }
        same_or_none("settles", row.optional_int()?, expected.settles)?;
        let (settled_by, pending, indexed) = (row.optional_int()?, row.bool()?, row.bool()?);
        self.prove_life(position, expected, settled_by, pending)?;
        self.prove_order(expected, indexed)
    }

    /// How a transfer's row that began it and the one that settled it know of each other.
    #[inline]
    fn prove_life(
        &mut self,
        position: i64,
        expected: &Expected,
        settled_by: Option<i64>,
        pending: bool,
    ) -> Result<(), Stop> {
        if let Some(begun) = expected.settles
            && self.settled_by.remove(&begun) != Some(position)
        {
            return Err(wrong("the row that began the transfer does not say that this one settles it"));
        }
        if pending != (expected.waits && settled_by.is_none()) {
            return Err(wrong("it says that it is pending and is not, or the other way round"));
        }
        let Some(by) = settled_by else { return Ok(()) };
        if !expected.waits {
            return Err(wrong("it says that it was settled, and it cannot be"));
        }
        // Remembered until the replay is there.
        self.settled_by.insert(position, by);
        Ok(())
    }

    /// Whether the transfer's id is in the index, and should be.
    #[inline]
    fn prove_order(&mut self, expected: &Expected, indexed: bool) -> Result<(), Stop> {
        if !indexed && expected.step == Step::Immediate && expected.id.0 > self.last_id {
            self.last_id = expected.id.0;
        } else if indexed != expected.step.begins() {
            return Err(wrong("its id is in the index and should not be, or the other way round"));
        }
        Ok(())
    }
}

impl Expected {
    /// Its [`NUMBERS`].
    #[inline]
    fn numbers(&self, position: i64) -> [i64; NUMBERS.len()] {
        let Expected { seq, at, step, amount, moved, payer, payee, .. } = self;
        let (out, into) = (payer.link.totals, payee.link.totals);
        [
            position,
            *seq,
            step.number(),
            *amount,
            *moved,
            at.0,
            payer.link.prev,
            payer.link.jump,
            payer.balance,
            out.begun,
            out.posted,
            out.ended,
            payee.link.prev,
            payee.link.jump,
            payee.balance,
            into.begun,
            into.posted,
            into.ended,
        ]
    }
}

/// Names the first number that is another.
#[cold]
fn other_number<const N: usize>(found: [i64; N], expected: [i64; N]) -> Stop {
    let mut numbers = NUMBERS.into_iter().zip(found.into_iter().zip(expected));
    match numbers.find(|(_, (found, expected))| found != expected) {
        Some((column, (found, expected))) => other(column, found, expected),
        None => wrong("its numbers are others"),
    }
}

#[inline]
fn same_id(column: &'static str, found: u128, expected: u128) -> Result<(), Stop> {
    if found == expected { Ok(()) } else { Err(other(column, crate::id_text(found), crate::id_text(expected))) }
}

#[inline]
fn same_or_none(column: &'static str, found: Option<i64>, expected: Option<i64>) -> Result<(), Stop> {
    let text = |value: Option<i64>| value.map_or_else(|| "absent".into(), |value| value.to_string());
    if found == expected { Ok(()) } else { Err(other(column, text(found), text(expected))) }
}

#[cold]
fn other(column: &str, found: impl ToString, expected: impl ToString) -> Stop {
    wrong(&format!("{column} is {} and should be {}", found.to_string(), expected.to_string()))
}

/// Something is wrong with the row that is being compared; its place is added by who knows it.
#[cold]
fn wrong(what: &str) -> Stop {
    Stop::Unreadable(what.into())
}
