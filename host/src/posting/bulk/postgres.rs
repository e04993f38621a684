//! PostgreSQL: one statement for the whole batch, a column at a time, and so one round trip and one commit; the rows of a large batch are
//! copied beside it.

use super::{LEASE, Right, Write, Written, account_numbers, head_values};
use crate::posting::keys::KeySlice;
use crate::posting::rows::Appended;
use crate::store::{self, Bulk, Column, Db, Error, PackedRows, Row, Tx, Value};
use const_format::{formatcp, str_replace};

/// The time by the database's clock when the statement came, in microseconds. After waiting for a lock it is a little old, and then
/// leases seem to last longer to those who ask and shorter to those who hold them.
pub(in crate::posting) const NOW: &str = "cast(extract(epoch from statement_timestamp()) * 1000000 as bigint)";

/// Whether the `entries` of a page have the bytes of a `key_digest`.
pub(in crate::posting) const HAS_KEY: &str = "position(uuid_send(key_digest) in entries) > 0";

/// $1–$13 as in [`head_values`]; $14 the body, $15 the position before it; $16 whether the lease is let go,
/// $17 for how long nobody takes it; then a column each. Everything reads from `head`, so nothing is written where it did not move.
const HEAD: &str = formatcp!(
    "with head as (
        update ledger set head_seq = $2, head_hash = $3, head_at = $4, last_position = $5, last_id = $6,
               begun = begun + $7, posted = posted + $8, ended = ended + $9, flushed_seq = $10, flushed_position = $11,
               lease_owner = case when not $16 then lease_owner end,
               lease_until = case when not $16 then {NOW} + {LEASE} when $17 = 0 then lease_until else {NOW} + $17 end,
               lease_wanted = lease_wanted and not $16
        where ledger_id = $1 and head_seq = $12 and lease_epoch = $13
        returning ledger_id, lease_wanted
     ), record as (
        insert into journal (ledger_id, seq, hash, first_position, last_position, last_id, body)
        select ledger_id, $2, $3, $15, $5, $6, $14 from head where $14 is not null
     )"
);

/// The columns of `transfer` after `ledger_id`, `seq` and `at`.
const COLUMNS: &str = "position, transfer_id, payer_id, payee_id, amount, memo, indexed,
        payer_prev, payer_jump, payer_balance, payer_begun, payer_posted, payer_ended,
        payee_prev, payee_jump, payee_balance, payee_begun, payee_posted, payee_ended,
        step, moved, pending, expires_at, settles, settled_by";

/// What stands for these columns: an array each.
const ARRAYS: &str = "$18::bigint[], $19::uuid[], $20::uuid[], $21::uuid[], $22::bigint[], $23::text[], $24::boolean[],
        $25::bigint[], $26::bigint[], $27::bigint[], $28::bigint[], $29::bigint[], $30::bigint[],
        $31::bigint[], $32::bigint[], $33::bigint[], $34::bigint[], $35::bigint[], $36::bigint[],
        $37::bigint[], $38::bigint[], $39::boolean[], $40::bigint[], $41::bigint[], $42::bigint[]";

const NEW: &str = formatcp!(
    "{HEAD}, step as (
        insert into transfer (ledger_id, seq, at, {COLUMNS})
        select head.ledger_id, $2, $4, u.* from head, unnest({ARRAYS}) u
     )"
);

/// The rest: rows of earlier batches that are settled, and what is written behind.
const PARTS: &str = formatcp!(
    "{NEW}, settled as (
        update transfer set settled_by = u.by, pending = false
        from head, unnest($43::bigint[], $44::bigint[]) u(begun, by)
        where transfer.ledger_id = $1 and transfer.position = u.begun
     ), behind as (
        insert into account (ledger_id, account_id, balance, held_out, held_in, floor, ceiling, status, as_of,
                             last_position, entries, begun, posted, ended, spine, windows)
        select head.ledger_id, u.*
        from head, unnest($45::uuid[], $46::bigint[], $47::bigint[], $48::bigint[], $49::bigint[], $50::bigint[], $51::bigint[],
                          $52::bigint[], $53::bigint[], $54::bigint[], $55::bigint[], $56::bigint[], $57::bigint[], $58::bytea[],
                          $59::text[]) u
        on conflict (ledger_id, account_id) do update set
            balance = excluded.balance, held_out = excluded.held_out, held_in = excluded.held_in,
            floor = excluded.floor, ceiling = excluded.ceiling, status = excluded.status, as_of = excluded.as_of,
            last_position = excluded.last_position, entries = excluded.entries, begun = excluded.begun,
            posted = excluded.posted, ended = excluded.ended, spine = excluded.spine, windows = excluded.windows
     ), keys as (
        insert into idempotency (ledger_id, key_digest, transfer_id, at, refused_command, refused_verdict)
        select head.ledger_id, u.* from head, unnest($60::uuid[], $61::uuid[], $62::bigint[], $63::bytea[], $64::bytea[]) u
        on conflict (ledger_id, key_digest) do nothing
     ), pages as (
        insert into key_page (ledger_id, run, first_key, entries)
        select head.ledger_id, u.* from head, unnest($65::bigint[], $66::uuid[], $67::bytea[]) u
     ), run as (
        insert into key_run (ledger_id, run, keys)
        select head.ledger_id, u.* from head, unnest($68::bigint[], $69::bigint[]) u
     ), prefixes as (
        insert into key_prefix (ledger_id, run, prefixes)
        select head.ledger_id, u.* from head, unnest($68::bigint[], $70::bytea[]) u
     )"
);

/// For a single new row, without 25 arrays to be taken apart.
const ONE: &str = formatcp!(
    "{HEAD}, step as (
        insert into transfer (ledger_id, seq, at, {COLUMNS})
        select head.ledger_id, $2, $4, {} from head
     )",
    str_replace!(ARRAYS, "[]", "")
);

/// What every statement ends with: whether it has written, and who waits.
const END: &str = " select lease_wanted from head";

/// The statement that writes these of the batch's rows of `transfer`, and everything else.
fn statement(write: &Write, appended: &[Appended]) -> Result<Bulk, Error> {
    let mut values = values(write);
    let (parts, mut columns) = match appended {
        [row] if only_adds(write) => {
            values.extend(row_values(row));
            (ONE, vec![])
        }
        // The database takes a part of a statement up even when nothing comes of it, and small batches would wait for that.
        _ if only_adds(write) => (NEW, columns(write, appended)),
        _ => (PARTS, columns(write, appended)),
    };
    let also = store::also(&write.beside, values.len(), &mut columns)?;
    Bulk::new(format!("{parts}{also}{END}"), values, columns)
}

const fn only_adds(write: &Write) -> bool {
    let Write { settled, behind, .. } = write;
    settled.is_empty() && behind.accounts.is_empty() && behind.keys.is_empty()
}

/// From so many rows of `transfer` on they are copied. With fewer it does not pay: the end of a copy is a small packet after a large one, which the
/// system now and then holds back for 40 ms, because the driver leaves Nagle's algorithm on.
const COPIED_MIN: usize = 4_096;

const COPY: &str = formatcp!("copy transfer (ledger_id, seq, at, {COLUMNS}) from stdin (format binary)");

/// A batch as it is sent.
#[derive(Debug)]
pub(in crate::posting) struct Packed {
    statement: Bulk,
    /// Rows of `transfer` that are not in the statement.
    copied: Option<PackedRows>,
}

impl Packed {
    /// Everything in one statement.
    pub(super) fn whole(write: &Write) -> Result<Packed, Error> {
        Ok(Packed { statement: statement(write, &write.appended)?, copied: None })
    }

    /// The same, or when there are many rows to be added, these beside it.
    pub(super) fn of(write: &Write) -> Result<Packed, Error> {
        if write.appended.len() < COPIED_MIN {
            return Packed::whole(write);
        }
        Ok(Packed { statement: statement(write, &[])?, copied: Some(rows(write)) })
    }
}

pub(super) async fn write_alone(db: &Db, packed: Packed) -> Result<Option<Written>, Error> {
    if packed.copied.is_none() {
        return written(&db.bulk(packed.statement).await?);
    }
    let db = db.clone();
    // Whoever waits for it gives up some time. A copy must be sent to its end all the same.
    let writing = tokio::spawn(async move {
        let mut tx = db.begin_here().await?;
        let written = write(&mut tx, packed).await?;
        if written.is_some() {
            tx.commit().await?;
        }
        Ok(written)
    });
    writing.await.unwrap_or_else(|error| Err(Error::Unavailable(error.into())))
}

/// Writes in this transaction. Must not be cancelled, unless it is all in one statement.
pub(super) async fn write(tx: &mut Tx, packed: Packed) -> Result<Option<Written>, Error> {
    let Packed { statement, copied } = packed;
    let Some(written) = written(&tx.bulk(statement).await?)? else { return Ok(None) };
    if let Some(rows) = copied {
        tx.copy(COPY, rows).await?;
    }
    Ok(Some(written))
}

/// The rows of `transfer`, for [`COPY`].
fn rows(write: &Write) -> PackedRows {
    let mut rows = PackedRows::with_capacity(write.appended.len() * 352);
    let same: [Value; 3] = [write.ledger.0.into(), write.after.seq.into(), write.after.at.0.into()];
    for row in &write.appended {
        rows.row(28);
        same.iter().chain(&row_values(row)).for_each(|value| rows.push(value));
    }
    rows
}

/// What a row has in [`COLUMNS`].
fn row_values(row: &Appended) -> [Value; 25] {
    let Appended { transfer, payer: (payer, payer_balance), payee: (payee, payee_balance), .. } = row;
    [
        row.position.into(),
        transfer.id.0.into(),
        transfer.payer.0.into(),
        transfer.payee.0.into(),
        transfer.amount.minor().into(),
        row.memo.clone().into(),
        row.indexed.into(),
        payer.prev.into(),
        payer.jump.into(),
        payer_balance.minor().into(),
        payer.totals.begun.into(),
        payer.totals.posted.into(),
        payer.totals.ended.into(),
        payee.prev.into(),
        payee.jump.into(),
        payee_balance.minor().into(),
        payee.totals.begun.into(),
        payee.totals.posted.into(),
        payee.totals.ended.into(),
        row.step.number().into(),
        transfer.moved.minor().into(),
        row.is_pending().into(),
        transfer.expires_at.map(|at| at.0).into(),
        row.settles.into(),
        row.settled_by.into(),
    ]
}

fn written(rows: &[Row]) -> Result<Option<Written>, Error> {
    rows.first().map(|row| Ok(Written { wanted: row.bool("lease_wanted")? })).transpose()
}

fn values(write: &Write) -> Vec<Value> {
    let (let_go, on) = match write.right {
        Right::Owner => (false, 0),
        Right::Shared { on } => (true, on),
    };
    let mut values = Vec::from(head_values(write));
    values.extend([write.body.clone().into(), write.before.last_position.into(), let_go.into(), on.into()]);
    values
}

fn columns(write: &Write, rows: &[Appended]) -> Vec<Column> {
    let ints = |of: fn(&Appended) -> i64| Column::Ints(rows.iter().map(of).collect());
    let some = |of: fn(&Appended) -> Option<i64>| Column::OptionalInts(rows.iter().map(of).collect());
    let ids = |of: fn(&Appended) -> u128| Column::ids(rows.iter().map(of));
    let flags = |of: fn(&Appended) -> bool| Column::Bools(rows.iter().map(of).collect());
    let mut columns = vec![
        ints(|row| row.position),
        ids(|row| row.transfer.id.0),
        ids(|row| row.transfer.payer.0),
        ids(|row| row.transfer.payee.0),
        ints(|row| row.transfer.amount.minor()),
        Column::Texts(rows.iter().map(|row| row.memo.clone()).collect()),
        flags(|row| row.indexed),
        ints(|row| row.payer.0.prev),
        ints(|row| row.payer.0.jump),
        ints(|row| row.payer.1.minor()),
        ints(|row| row.payer.0.totals.begun),
        ints(|row| row.payer.0.totals.posted),
        ints(|row| row.payer.0.totals.ended),
        ints(|row| row.payee.0.prev),
        ints(|row| row.payee.0.jump),
        ints(|row| row.payee.1.minor()),
        ints(|row| row.payee.0.totals.begun),
        ints(|row| row.payee.0.totals.posted),
        ints(|row| row.payee.0.totals.ended),
        ints(|row| row.step.number()),
        ints(|row| row.transfer.moved.minor()),
        flags(Appended::is_pending),
        some(|row| row.transfer.expires_at.map(|at| at.0)),
        some(|row| row.settles),
        some(|row| row.settled_by),
    ];
    if only_adds(write) {
        return columns;
    }
    let (begun, by): (Vec<i64>, Vec<i64>) = write.settled.iter().copied().unzip();
    columns.extend([Column::Ints(begun), Column::Ints(by)]);
    columns.extend(account_columns(write));
    columns.extend(key_columns(&write.behind.keys));
    columns
}

fn account_columns(write: &Write) -> Vec<Column> {
    let rows = &write.behind.accounts;
    let mut numbers: [Vec<i64>; 12] = std::array::from_fn(|_| Vec::with_capacity(rows.len()));
    let mut spines = Vec::with_capacity(rows.len());
    for row in rows {
        for (column, number) in numbers.iter_mut().zip(account_numbers(row)) {
            column.push(number);
        }
        let mut spine = Vec::new();
        row.chain.put_spine(&mut spine);
        spines.push(spine);
    }
    let mut columns = vec![Column::ids(rows.iter().map(|row| row.account.id.0))];
    columns.extend(numbers.map(Column::Ints));
    columns.push(Column::Bytes(spines));
    columns.push(Column::Texts(rows.iter().map(|row| row.windows.text().into_owned()).collect()));
    columns
}

fn key_columns(KeySlice { rows: keys, pages, run }: &KeySlice) -> [Column; 11] {
    let (commands, verdicts) = keys.iter().map(|kept| kept.refusal_bytes().unzip()).unzip();
    [
        Column::ids(keys.iter().map(|kept| kept.key.0)),
        Column::ids(keys.iter().map(|kept| kept.transfer.0)),
        Column::Ints(keys.iter().map(|kept| kept.at.0).collect()),
        Column::OptionalBytes(commands),
        Column::OptionalBytes(verdicts),
        Column::Ints(pages.iter().map(|page| page.run).collect()),
        Column::ids(pages.iter().map(|page| page.first.0)),
        Column::Bytes(pages.iter().map(|page| page.entries.clone()).collect()),
        Column::Ints(run.iter().map(|run| run.run).collect()),
        Column::Ints(run.iter().map(|run| run.keys).collect()),
        Column::Bytes(run.iter().map(|run| run.prefixes.clone()).collect()),
    ]
}
