//! Which ledgers there are. Their accounts and journals are elsewhere.

use super::journal;
use crate::store::{Db, Error, Row};
use ledger_core::{LedgerId, Unit};

/// A ledger: a set of accounts in one unit that sums to zero.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ledger {
    /// Its id.
    pub id: LedgerId,
    /// How configuration names it.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// Its number among those of the database.
    number: i64,
}

/// How many positions each ledger has in `transfer`.
pub(super) const POSITIONS: i64 = 1 << 40;

impl Ledger {
    /// The position before its first.
    pub(super) const fn first_position(&self) -> i64 {
        self.number * POSITIONS
    }
}

/// The ledger of this name, made now if there is none. Safe to run by several hosts at once.
///
/// # Errors
/// When the database fails. An existing ledger keeps its unit: compare it.
pub async fn ensure_ledger(db: &Db, name: &str, unit: &Unit) -> Result<Ledger, Error> {
    let named = "select ledger_id, name, unit, scale, number from ledger where name = $1";
    loop {
        if let Some(row) = db.fetch_optional(named, vec![name.into()]).await? {
            return ledger(&row);
        }
        let id = LedgerId(crate::mint_id());
        let made = db
            .execute(
                "insert into ledger (ledger_id, name, unit, scale, head_seq, head_hash, head_at, last_position, begun, posted, ended,
                                     number, flushed_position)
                 select $1, $2, $3, $4, 0, $5, 0, next.number * $6, 0, 0, 0, next.number, next.number * $6
                 from (select coalesce(max(number) + 1, 0) as number from ledger) next
                 where true on conflict (name) do nothing",
                vec![
                    id.0.into(),
                    name.into(),
                    unit.code().into(),
                    i64::from(unit.scale()).into(),
                    journal::genesis(id, unit).to_vec().into(),
                    POSITIONS.into(),
                ],
            )
            .await;
        match made {
            Ok(_) => {}
            // Another host made another ledger at the same time.
            Err(error) if error.violates("ledger.number") => {}
            Err(error) => return Err(error),
        }
    }
}

/// All ledgers, by name.
///
/// # Errors
/// When the database fails.
pub async fn ledgers(db: &Db) -> Result<Vec<Ledger>, Error> {
    let rows = db.fetch_all("select ledger_id, name, unit, scale, number from ledger order by name", vec![]).await?;
    rows.iter().map(ledger).collect()
}

fn ledger(row: &Row) -> Result<Ledger, Error> {
    let scale = u8::try_from(row.int("scale")?).unwrap_or(u8::MAX);
    let unit = Unit::new(&row.text("unit")?, scale)
        .map_err(|error| Error::Corrupt(format!("a ledger's unit is not one: {error:?}")))?;
    Ok(Ledger { id: LedgerId(row.id("ledger_id")?), name: row.text("name")?, unit, number: row.int("number")? })
}
