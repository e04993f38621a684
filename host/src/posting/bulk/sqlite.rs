//! SQLite: one transaction on the calling thread, each statement prepared once and run in a loop.

use super::{Write, Written, account_numbers};
use crate::posting::history::Step;
use crate::posting::keys::KeySlice;
use crate::posting::pages::Run;
use crate::posting::rows::{AccountRow, Appended};
use crate::store::{Bind, Error, HereTx};
use ledger_core::LedgerId;

/// Whether the `entries` of a page have the bytes of a `key_digest`.
pub(in crate::posting) const HAS_KEY: &str = "instr(entries, key_digest) > 0";

pub(super) fn write(tx: &mut HereTx, write: &Write) -> Result<Option<Written>, Error> {
    if !move_head(tx, write)? {
        return Ok(None);
    }
    if let Some(body) = &write.body {
        record(tx, write, body)?;
    }
    append(tx, write)?;
    settle(tx, &write.settled)?;
    accounts(tx, write.ledger, &write.behind.accounts)?;
    keys(tx, write.ledger, &write.behind.keys)?;
    for rows in &write.beside {
        tx.insert(rows.head, rows.width, &rows.values, "")?;
    }
    Ok(Some(Written { wanted: false }))
}

/// One process has the file; whoever opens it next takes the ledger by its epoch, and needs no lease.
fn move_head(tx: &mut HereTx, write: &Write) -> Result<bool, Error> {
    let Write { before, after, counts: [begun, posted, ended], behind, .. } = write;
    let mut head = tx.prepare(
        "update ledger set head_seq = ?2, head_hash = ?3, head_at = ?4, last_position = ?5, last_id = ?6,
                begun = begun + ?7, posted = posted + ?8, ended = ended + ?9, flushed_seq = ?10, flushed_position = ?11
         where ledger_id = ?1 and head_seq = ?12 and lease_epoch = ?13",
    )?;
    let changed = head.run(&[
        id(write.ledger.0),
        Bind::Int(after.seq),
        Bind::Bytes(&after.hash),
        Bind::Int(after.at.0),
        Bind::Int(after.last_position),
        id(after.last_id),
        Bind::Int(*begun),
        Bind::Int(*posted),
        Bind::Int(*ended),
        Bind::Int(behind.flushed.seq),
        Bind::Int(behind.flushed.position),
        Bind::Int(before.seq),
        Bind::Int(write.epoch),
    ])?;
    Ok(changed == 1)
}

fn record(tx: &mut HereTx, write: &Write, body: &[u8]) -> Result<(), Error> {
    let Write { before, after, .. } = write;
    let mut record = tx.prepare(
        "insert into journal (ledger_id, seq, hash, first_position, last_position, last_id, body)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    record.run(&[
        id(write.ledger.0),
        Bind::Int(after.seq),
        Bind::Bytes(&after.hash),
        Bind::Int(before.last_position),
        Bind::Int(after.last_position),
        id(after.last_id),
        Bind::Bytes(body),
    ])?;
    Ok(())
}

/// Most transfers are immediate. What is the same in all of them is said once, in the statement.
const IMMEDIATE: &str = "insert into transfer (ledger_id, position, seq, transfer_id, payer_id, payee_id, amount, at, memo, indexed,
        payer_prev, payer_jump, payer_balance, payer_begun, payer_posted, payer_ended,
        payee_prev, payee_jump, payee_balance, payee_begun, payee_posted, payee_ended, step, moved, pending)
 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, 1, ?7, 0)";

const OTHER: &str =
    "insert into transfer (ledger_id, position, seq, transfer_id, payer_id, payee_id, amount, at, memo, indexed,
        payer_prev, payer_jump, payer_balance, payer_begun, payer_posted, payer_ended,
        payee_prev, payee_jump, payee_balance, payee_begun, payee_posted, payee_ended,
        step, moved, pending, expires_at, settles, settled_by)
 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
         ?23, ?24, ?25, ?26, ?27, ?28)";

fn append(tx: &mut HereTx, write: &Write) -> Result<(), Error> {
    // One statement at a time can be had from the connection: runs of rows of one sort share it.
    let immediate = |row: &Appended| row.step == Step::Immediate;
    for run in write.appended.chunk_by(|a, b| immediate(a) == immediate(b)) {
        let plain = run.first().is_some_and(immediate);
        let mut statement = tx.prepare(if plain { IMMEDIATE } else { OTHER })?;
        for row in run {
            let values = step_values(write, row);
            statement.run(if plain { &values[..22] } else { &values })?;
        }
    }
    Ok(())
}

fn step_values<'r>(write: &Write, row: &'r Appended) -> [Bind<'r>; 28] {
    let Appended { transfer, payer: (payer, payer_balance), payee: (payee, payee_balance), .. } = row;
    [
        id(write.ledger.0),
        Bind::Int(row.position),
        Bind::Int(write.after.seq),
        id(transfer.id.0),
        id(transfer.payer.0),
        id(transfer.payee.0),
        Bind::Int(transfer.amount.minor()),
        Bind::Int(write.after.at.0),
        Bind::Text(&row.memo),
        Bind::Int(i64::from(row.indexed)),
        Bind::Int(payer.prev),
        Bind::Int(payer.jump),
        Bind::Int(payer_balance.minor()),
        Bind::Int(payer.totals.begun),
        Bind::Int(payer.totals.posted),
        Bind::Int(payer.totals.ended),
        Bind::Int(payee.prev),
        Bind::Int(payee.jump),
        Bind::Int(payee_balance.minor()),
        Bind::Int(payee.totals.begun),
        Bind::Int(payee.totals.posted),
        Bind::Int(payee.totals.ended),
        Bind::Int(row.step.number()),
        Bind::Int(transfer.moved.minor()),
        Bind::Int(i64::from(row.is_pending())),
        Bind::OptionalInt(transfer.expires_at.map(|at| at.0)),
        Bind::OptionalInt(row.settles),
        Bind::OptionalInt(row.settled_by),
    ]
}

fn settle(tx: &mut HereTx, settled: &[(i64, i64)]) -> Result<(), Error> {
    let mut statement = tx.prepare("update transfer set settled_by = ?2, pending = 0 where position = ?1")?;
    for (begun, by) in settled {
        statement.run(&[Bind::Int(*begun), Bind::Int(*by)])?;
    }
    Ok(())
}

/// Nearly all have a row, which is found sooner by an update than by an insert that comes into conflict with it.
const CHANGE_ACCOUNT: &str =
    "update account set balance = ?3, held_out = ?4, held_in = ?5, floor = ?6, ceiling = ?7, status = ?8, as_of = ?9,
        last_position = ?10, entries = ?11, begun = ?12, posted = ?13, ended = ?14, spine = ?15, windows = ?16
 where ledger_id = ?1 and account_id = ?2";

const OPEN_ACCOUNT: &str =
    "insert into account (ledger_id, account_id, balance, held_out, held_in, floor, ceiling, status, as_of,
                          last_position, entries, begun, posted, ended, spine, windows)
 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

fn accounts(tx: &mut HereTx, ledger: LedgerId, rows: &[AccountRow]) -> Result<(), Error> {
    let (mut spine, mut opened) = (vec![], vec![]);
    let mut change = tx.prepare(CHANGE_ACCOUNT)?;
    for row in rows {
        if change.run(&account_values(ledger, row, &mut spine, &row.windows.text()))? == 0 {
            opened.push(row);
        }
    }
    drop(change);
    if !opened.is_empty() {
        let mut open = tx.prepare(OPEN_ACCOUNT)?;
        for row in opened {
            open.run(&account_values(ledger, row, &mut spine, &row.windows.text()))?;
        }
    }
    Ok(())
}

fn account_values<'s>(ledger: LedgerId, row: &AccountRow, spine: &'s mut Vec<u8>, windows: &'s str) -> [Bind<'s>; 16] {
    row.chain.put_spine(spine);
    let mut values = [Bind::Bytes(spine); 16];
    values[0] = id(ledger.0);
    values[1] = id(row.account.id.0);
    values[2..14].copy_from_slice(&account_numbers(row).map(Bind::Int));
    values[15] = Bind::Text(windows);
    values
}

fn keys(tx: &mut HereTx, ledger: LedgerId, KeySlice { rows, pages, run }: &KeySlice) -> Result<(), Error> {
    let mut statement = tx.prepare(
        "insert into idempotency (ledger_id, key_digest, transfer_id, at, refused_command, refused_verdict)
         values (?1, ?2, ?3, ?4, ?5, ?6) on conflict (ledger_id, key_digest) do nothing",
    )?;
    for kept in rows {
        let refusal = kept.refusal_bytes();
        let (command, verdict) = match &refusal {
            Some((command, verdict)) => (Bind::Bytes(command), Bind::Bytes(verdict)),
            None => (Bind::OptionalInt(None), Bind::OptionalInt(None)),
        };
        statement.run(&[id(ledger.0), id(kept.key.0), id(kept.transfer.0), Bind::Int(kept.at.0), command, verdict])?;
    }
    drop(statement);
    let page = "insert into key_page (ledger_id, run, first_key, entries) values (?1, ?2, ?3, ?4)";
    let mut statement = tx.prepare(page)?;
    for page in pages {
        statement.run(&[id(ledger.0), Bind::Int(page.run), id(page.first.0), Bind::Bytes(&page.entries)])?;
    }
    drop(statement);
    if let Some(Run { run, keys, prefixes }) = run {
        let whole = "insert into key_run (ledger_id, run, keys) values (?1, ?2, ?3)";
        tx.prepare(whole)?.run(&[id(ledger.0), Bind::Int(*run), Bind::Int(*keys)])?;
        let which = "insert into key_prefix (ledger_id, run, prefixes) values (?1, ?2, ?3)";
        tx.prepare(which)?.run(&[id(ledger.0), Bind::Int(*run), Bind::Bytes(prefixes)])?;
    }
    Ok(())
}

const fn id(id: u128) -> Bind<'static> {
    Bind::Id(id.to_be_bytes())
}
