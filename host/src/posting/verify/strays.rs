//! Rows that belong to no ledger: nothing that is proven of the ledgers would ever meet them.

use super::Fault;
use crate::posting::ledgers::POSITIONS;
use crate::store::{Db, Error, Tx};
use const_format::str_replace;

/// The first ledger id in a table that is none, found by going from each id to the next in the table's primary key.
const NO_LEDGER: &str = "with recursive found(ledger_id) as (
    select ledger_id from (select ledger_id from TABLE order by ledger_id limit 1) least
    union all
    select (select ledger_id from TABLE t where t.ledger_id > found.ledger_id order by ledger_id limit 1)
    from found where found.ledger_id is not null
 )
 select ledger_id from found where ledger_id is not null and ledger_id not in (select ledger_id from ledger) limit 1";

/// By what a row of the table is called.
const TABLES: [(&str, &str); 6] = [
    ("journal", str_replace!(NO_LEDGER, "TABLE", "journal")),
    ("accounts", str_replace!(NO_LEDGER, "TABLE", "account")),
    ("keys", str_replace!(NO_LEDGER, "TABLE", "idempotency")),
    ("runs of keys", str_replace!(NO_LEDGER, "TABLE", "key_run")),
    ("pages of keys", str_replace!(NO_LEDGER, "TABLE", "key_page")),
    ("prefixes of keys", str_replace!(NO_LEDGER, "TABLE", "key_prefix")),
];
const TRANSFERS: &str = str_replace!(NO_LEDGER, "TABLE", "transfer");

/// On SQLite positions are one after the other whatever their ledger: what lies between those of the ledgers belongs to none.
const BETWEEN: &str = "select position from transfer where position >= $1 and position <= $2 order by position limit 1";
const BEFORE_OR_AFTER: &str = "select position from transfer
 where ledger_id = $1 and (position <= $2 or position > $3) order by position limit 1";

/// The first that is found.
pub(super) async fn find(db: &Db) -> Result<Option<Fault>, Error> {
    let mut tx = db.begin_long_read().await?;
    for (what, sql) in TABLES {
        if let Some(row) = tx.fetch_optional(sql, vec![]).await? {
            return Ok(Some(of_no_ledger(what, row.id("ledger_id")?)));
        }
    }
    let sql = "select ledger_id, number * $1 as first, last_position from ledger order by number";
    let ledgers = tx.fetch_all(sql, vec![POSITIONS.into()]).await?;
    if let Tx::Postgres { .. } = tx {
        if let Some(row) = tx.fetch_optional(TRANSFERS, vec![]).await? {
            return Ok(Some(of_no_ledger("transfers", row.id("ledger_id")?)));
        }
        for row in ledgers {
            let values = vec![row.id("ledger_id")?.into(), row.int("first")?.into(), row.int("last_position")?.into()];
            if let Some(stray) = tx.fetch_optional(BEFORE_OR_AFTER, values).await? {
                return Ok(Some(outside(stray.int("position")?)));
            }
        }
        return Ok(None);
    }
    let mut gaps = vec![];
    let mut from = i64::MIN;
    for row in &ledgers {
        gaps.push((from, row.int("first")?));
        from = row.int("last_position")?.saturating_add(1);
    }
    gaps.push((from, i64::MAX));
    for (from, to) in gaps {
        if let Some(stray) = tx.fetch_optional(BETWEEN, vec![from.into(), to.into()]).await? {
            return Ok(Some(outside(stray.int("position")?)));
        }
    }
    Ok(None)
}

fn of_no_ledger(what: &str, id: u128) -> Fault {
    Fault { place: what.into(), what: format!("some belong to {}, which is no ledger", crate::id_text(id)) }
}

fn outside(position: i64) -> Fault {
    Fault { place: format!("transfer row {position}"), what: "it belongs to no ledger".into() }
}
