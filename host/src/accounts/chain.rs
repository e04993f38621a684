//! Walking back along an account's chain of rows (`posting/history.rs`), inside of the database: to the last row before an instant, and to the
//! rows at which a counter went up.
//!
//! A hop is a subquery that gives one value, and in it another for the row that the jump leads to: two looks into the index, which both
//! engines make for each hop by itself. A join may be run in another way. PostgreSQL, which takes a walk for thousands of rows and a table
//! without statistics for small, went through the whole table to join the two: half a second in a million rows. `limit 1` tells it that
//! there is one row: expecting twenty at each hop, it would compile the statement first, for twenty milliseconds.

use crate::store::{Error, Row, Tx, Value};
use const_format::formatcp;
use ledger_core::{AccountId, Amount, LedgerId, Timestamp};

/// The past of an account, from one of its rows back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Past {
    pub(super) ledger: LedgerId,
    pub(super) account: AccountId,
    /// Of the newest row to look at; 0 when there is none.
    pub(super) position: i64,
}

/// What the rows of an account count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Counter {
    /// Transfers that began.
    Begun = 1,
    /// Transfers whose money moved.
    Posted = 2,
    /// Transfers that ended without.
    Ended = 3,
}

/// A row at which a counter went up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found {
    pub(super) position: i64,
    /// Position of the row that began its transfer.
    pub(super) begun: i64,
}

/// An account as a row of its history left it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stood {
    pub(super) position: i64,
    pub(super) balance: Amount,
    /// How many movements there were so far.
    pub(super) movements: i64,
}

/// Where the jump of a row leads, and where its link to the row before.
const JUMP: &str = "case when t.payer_id = $2 then t.payer_jump else t.payee_jump end";
const BEFORE: &str = "case when t.payer_id = $2 then t.payer_prev else t.payee_prev end";

/// From an account's newest row ($3) to the last row before each of two instants ($4, $5). At each row that is not before it: to where
/// the jump leads if that is not before it either, else to the row before. The least position on the way is the row sought, 0 for none.
const STOOD: &str = formatcp!(
    "with recursive walk(instant, position) as (
        select cast($4 as bigint), cast($3 as bigint) union select cast($5 as bigint), cast($3 as bigint)
        union all
        select w.instant,
               (select case when t.at < w.instant then null
                            when (select j.at from transfer j where j.ledger_id = $1 and j.position = {JUMP} limit 1) >= w.instant
                            then {JUMP}
                            else {BEFORE} end
                from transfer t where t.ledger_id = $1 and t.position = w.position limit 1)
        from walk w where w.position > 0
     )
     select f.instant, f.position,
            (select case when t.payer_id = $2 then t.payer_balance else t.payee_balance end
             from transfer t where t.ledger_id = $1 and t.position = f.position limit 1) as balance,
            (select case when t.payer_id = $2 then t.payer_posted else t.payee_posted end
             from transfer t where t.ledger_id = $1 and t.position = f.position limit 1) as movements
     from (select instant, min(position) as position from walk group by instant) f where f.position > 0"
);

/// From a row ($3) to those at which the counter ($6) went up to $4, $4 − 1, … down to $5 + 1. A row that is sought leads to itself, and
/// from there the one before is sought. Else at each row: to where the jump leads if that is not past the row sought, else to the row before.
const COUNTED: &str = formatcp!(
    "with recursive walk(position, origin, number) as (
        select cast($3 as bigint), cast(0 as bigint), cast($4 as bigint)
        union all
        select (select case when {COUNT} = {SOUGHT} and {RISES} then t.position
                            when (select {JUMPED} from transfer j where j.ledger_id = $1 and j.position = {JUMP} limit 1) >= {SOUGHT}
                            then {JUMP}
                            else {BEFORE} end
                from transfer t where t.ledger_id = $1 and t.position = w.position limit 1),
               w.position, {SOUGHT}
        from walk w where w.position > 0 and {SOUGHT} > $5
     )
     select w.position,
            coalesce((select t.settles from transfer t where t.ledger_id = $1 and t.position = w.position limit 1),
                     w.position) as begun
     from walk w where w.position = w.origin"
);

/// The number that is sought from a row of the walk: one less once the row was found.
const SOUGHT: &str = "(w.number - case when w.position = w.origin then 1 else 0 end)";

/// The counter at a row, and at the row that the jump leads to.
const COUNT: &str = "case when t.payer_id = $2
        then case $6 when 1 then t.payer_begun when 2 then t.payer_posted else t.payer_ended end
        else case $6 when 1 then t.payee_begun when 2 then t.payee_posted else t.payee_ended end end";
const JUMPED: &str = "case when j.payer_id = $2
        then case $6 when 1 then j.payer_begun when 2 then j.payer_posted else j.payer_ended end
        else case $6 when 1 then j.payee_begun when 2 then j.payee_posted else j.payee_ended end end";

/// Whether the counter went up at a row.
const RISES: &str =
    "case $6 when 1 then t.step in (1, 2, 3) when 2 then t.step in (1, 10, 12) else t.step in (11, 13, 14, 15) end";

impl Past {
    /// How the account stood before each of two instants.
    pub(super) async fn stood_before(self, tx: &mut Tx, instants: [Timestamp; 2]) -> Result<[Stood; 2], Error> {
        let rows = tx.fetch_anew(STOOD, self.values(instants.map(|instant| instant.0))).await?;
        let mut stood = [Stood { position: 0, balance: Amount::ZERO, movements: 0 }; 2];
        for row in &rows {
            let instant = row.int("instant")?;
            let (position, movements) = (row.int("position")?, row.int("movements")?);
            let found = Stood { position, balance: amount(row, "balance")?, movements };
            stood.iter_mut().zip(instants).filter(|(_, at)| at.0 == instant).for_each(|(stood, _)| *stood = found);
        }
        Ok(stood)
    }

    /// The rows at which the counter went up to a number that is above `above` and at most `upto`, the newest first.
    pub(super) async fn counted(
        self,
        tx: &mut Tx,
        counter: Counter,
        upto: i64,
        above: i64,
    ) -> Result<Vec<Found>, Error> {
        if upto <= above {
            return Ok(vec![]);
        }
        let rows = tx.fetch_anew(COUNTED, self.values([upto, above, counter as i64])).await?;
        let found = rows.iter().map(|row| Ok(Found { position: row.int("position")?, begun: row.int("begun")? }));
        let mut found = found.collect::<Result<Vec<_>, Error>>()?;
        found.sort_unstable_by_key(|found| std::cmp::Reverse(found.position));
        Ok(found)
    }

    /// The placeholders of a walk.
    fn values<const N: usize>(self, more: [i64; N]) -> Vec<Value> {
        let past = [self.ledger.0.into(), self.account.0.into(), self.position.into()];
        past.into_iter().chain(more.map(Value::from)).collect()
    }
}

pub(super) fn amount(row: &Row, column: &str) -> Result<Amount, Error> {
    let minor = row.int(column)?;
    Amount::new(minor).ok_or_else(|| Error::Corrupt(format!("{minor} is no amount")))
}
