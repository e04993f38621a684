//! The proof of the ledger's own row, and that nothing lies beyond what it ends with.

use super::{Reached, Replay, Stop, fault};
use crate::posting::history::Totals;
use crate::posting::ledgers::POSITIONS;
use crate::store::Tx;

const BEYOND: &str =
    "select position from transfer where ledger_id = $1 and position > $2 and position <= $3 order by position limit 1";

impl Replay<'_> {
    pub(super) async fn prove_head(&mut self, tx: &mut Tx) -> Result<(), Stop> {
        let sql = "select head_seq, head_hash, head_at, last_position, last_id, begun, posted, ended from ledger where ledger_id = $1";
        let head = tx.fetch_optional(sql, vec![self.id().0.into()]).await?;
        let head = head.ok_or_else(|| fault("ledger", "its row is missing"))?;
        let (seq, Reached { records, hash, at, steps }) = (head.int("head_seq")?, self.proven);
        if seq != records {
            let what = format!("it is missing: the ledger has {seq} records");
            return Err(fault(super::read::place(records + 1), what));
        }
        let end = self.ledger.first_position() + POSITIONS;
        let beyond = tx.fetch_optional(BEYOND, vec![self.id().0.into(), steps.into(), end.into()]).await?;
        if let Some(row) = beyond {
            let place = format!("transfer row {}", row.int("position")?);
            return Err(fault(place, "the journal knows nothing of it"));
        }
        if let Some(position) = self.settled_by.keys().min() {
            let place = format!("transfer row {position}");
            return Err(fault(place, "it says that it was settled, and the journal does not"));
        }
        if head.bytes("head_hash")? != hash {
            return Err(fault("ledger", "its head is not the end of its journal"));
        }
        if head.id("last_id")? != self.last_id {
            return Err(fault("ledger", "its last id is not the greatest that came in order"));
        }
        let at = if records == 0 { 0 } else { at.0 };
        let Totals { begun, posted, ended } = self.decider.totals;
        let numbers =
            [("head_at", at), ("last_position", steps), ("begun", begun), ("posted", posted), ("ended", ended)];
        for (column, value) in numbers {
            if head.int(column)? != value {
                return Err(fault("ledger", format!("{column} is {} and should be {value}", head.int(column)?)));
            }
        }
        Ok(())
    }
}
