//! Pages of an account's past, read along its chain of rows (`chain.rs`): any page is found in a few hops, however long the account's
//! history. And pages of a whole ledger's.

use super::chain::{Counter, Found, Past};
use crate::posting::{self, Extent, Posting, Step};
use crate::store::{Db, Error, Row, Tx, Value};
use ledger_core::{AccountId, Amount, LedgerId, TransferId, TransferKind};

/// Where a transfer stands, as people see it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransferStatus {
    /// Waits for an answer.
    Initiated,
    /// The money moved.
    Completed,
    /// It ended without.
    Cancelled,
}

/// Which transfers of an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listing {
    /// All, the newest proposal first.
    All,
    /// Those of one status: the newest proposal, completion or cancellation first.
    Only(TransferStatus),
}

/// A transfer with its whole life.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferRecord {
    /// Its id.
    pub id: TransferId,
    /// How it was begun: an immediate one by an administrator, a hold by the payer, a request by the payee.
    pub kind: TransferKind,
    /// Who is debited.
    pub payer: AccountId,
    /// Who is credited.
    pub payee: AccountId,
    /// What was proposed.
    pub amount: Amount,
    /// What it is for.
    pub description: String,
    /// Where it stands.
    pub status: TransferStatus,
    /// When it was proposed, in microseconds since the epoch.
    pub proposed_at: i64,
    /// When it was completed or cancelled.
    pub settled_at: Option<i64>,
    /// Why it was cancelled; may be empty.
    pub reason: String,
}

impl TransferRecord {
    /// Who proposed it; nobody for one that an administrator made.
    pub const fn initiator(&self) -> Option<AccountId> {
        match self.kind {
            TransferKind::Immediate => None,
            TransferKind::Hold => Some(self.payer),
            TransferKind::Request => Some(self.payee),
        }
    }
}

/// Which transfers of a whole ledger: those for which everything given is true.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TransferFilter {
    /// One of these; empty for any.
    pub statuses: Vec<TransferStatus>,
    /// Paid or received by this account.
    pub account: Option<AccountId>,
    /// Proposed at this time or later, in microseconds since the epoch.
    pub from: Option<i64>,
    /// Proposed before this time.
    pub to: Option<i64>,
}

const SELECT: &str = "select b.transfer_id, b.step, b.payer_id, b.payee_id, b.amount, b.memo, b.at,
        s.step as settled_step, s.at as settled_at, s.memo as settled_memo, b.position
 from transfer b left join transfer s on s.ledger_id = b.ledger_id and s.position = b.settled_by
 where b.ledger_id = $1 and b.settles is null";

/// A page of an account's transfers, and how many there are in all.
///
/// # Errors
/// When the database fails, or there is no such account.
pub async fn page(
    posting: &Posting,
    ledger: LedgerId,
    account: AccountId,
    listing: Listing,
    offset: i64,
    limit: i64,
) -> Result<(Vec<TransferRecord>, i64), Error> {
    let extent = posting.extent(ledger, account).await?;
    let Extent { last_position, begun, posted, ended } =
        extent.ok_or_else(|| Error::Corrupt("an entity has no account".into()))?;
    // After the account was seen, so that its history is all there; only how a transfer ended may be added to a row, and is read with it.
    let mut tx = posting.db().read().await?;
    let (counter, total) = match listing {
        Listing::All => (Counter::Begun, begun),
        Listing::Only(TransferStatus::Completed) => (Counter::Posted, posted),
        Listing::Only(TransferStatus::Cancelled) => (Counter::Ended, ended),
        Listing::Only(TransferStatus::Initiated) => {
            let rows = pending_rows(&mut tx, ledger, account, offset, limit).await?;
            return Ok((rows, begun - posted - ended));
        }
    };
    let first = total - offset;
    if first <= 0 || limit <= 0 {
        return Ok((vec![], total));
    }
    let past = Past { ledger, account, position: last_position };
    let found = past.counted(&mut tx, counter, first, (first - limit).max(0)).await?;
    Ok((records_of(&mut tx, ledger, &found).await?, total))
}

/// The transfers that these rows began or settled, in the order of the rows.
async fn records_of(tx: &mut Tx, ledger: LedgerId, found: &[Found]) -> Result<Vec<TransferRecord>, Error> {
    let keys: Vec<Value> = found.iter().map(|found| found.begun.into()).collect();
    let head = const_format::concatcp!(SELECT, " and b.position");
    let rows = tx.fetch_among_anew(head, &[ledger.0.into()], &keys, "").await?;
    let mut records = rows
        .iter()
        .map(|row| Ok((row.int("position")?, record(row)?)))
        .collect::<Result<std::collections::HashMap<_, _>, Error>>()?;
    Ok(found.iter().filter_map(|found| records.remove(&found.begun)).collect())
}

/// The most transfers that [`pending`] gives: anybody can propose to anybody, and [`page`] goes through all of them.
const PENDING_MAX: i64 = 1_000;

/// What waits for an account to answer or to be answered: the newest [`PENDING_MAX`], oldest first.
///
/// # Errors
/// When the database fails.
pub async fn pending(db: &Db, ledger: LedgerId, account: AccountId) -> Result<Vec<TransferRecord>, Error> {
    let mut rows = pending_rows(&mut db.read().await?, ledger, account, 0, PENDING_MAX).await?;
    rows.reverse();
    Ok(rows)
}

async fn pending_rows(
    tx: &mut Tx,
    ledger: LedgerId,
    account: AccountId,
    offset: i64,
    limit: i64,
) -> Result<Vec<TransferRecord>, Error> {
    let sql = "select transfer_id, step, payer_id, payee_id, amount, memo, at, position,
                      null as settled_step, null as settled_at, null as settled_memo
               from (select * from transfer where ledger_id = $1 and payer_id = $2 and pending
                     union all
                     select * from transfer where ledger_id = $1 and payee_id = $2 and pending) p
               order by position desc limit $3 offset $4";
    let rows = tx.fetch_anew(sql, vec![ledger.0.into(), account.0.into(), limit.into(), offset.into()]).await?;
    rows.iter().map(waiting).collect()
}

/// One transfer by id.
///
/// # Errors
/// When the database fails.
pub async fn transfer(db: &Db, ledger: LedgerId, id: TransferId) -> Result<Option<TransferRecord>, Error> {
    let mut tx = db.read().await?;
    let Some(position) = posting::position(&mut tx, ledger, id).await? else { return Ok(None) };
    let sql = const_format::concatcp!(SELECT, " and b.position = $2");
    let rows = tx.fetch_anew(sql, vec![ledger.0.into(), position.into()]).await?;
    rows.first().map(record).transpose()
}

/// A page of a whole ledger's transfers, the newest proposal first, and how many there are in all: to know that of a filter that is not
/// empty, the whole ledger is gone through.
///
/// # Errors
/// When the database fails.
pub async fn ledger_page(
    db: &Db,
    ledger: LedgerId,
    filter: &TransferFilter,
    offset: i64,
    limit: i64,
) -> Result<(Vec<TransferRecord>, i64), Error> {
    let mut tx = db.begin_read().await?;
    let extent = "select l.last_position, l.begun, (select j.first_position from journal j where j.ledger_id = $1 and j.seq = 1) as first_position
                  from ledger l where l.ledger_id = $1";
    let Some(extent) = tx.fetch_optional(extent, vec![ledger.0.into()]).await? else { return Ok((vec![], 0)) };
    let Some(first) = extent.optional_int("first_position")? else { return Ok((vec![], 0)) };
    let (mut upto, begun) = (extent.int("last_position")?, extent.int("begun")?);
    let known = (*filter == TransferFilter::default()).then_some(begun);
    let wanted = known.map_or(i64::MAX, |total| total.min(offset.saturating_add(limit)));
    let (mut records, mut passed, mut span) = (vec![], 0, SPAN_FIRST);
    while first < upto && passed < wanted {
        let from = first.max(upto - span);
        let values = filter_values(ledger, filter, from, upto);
        let there = tx.fetch_anew(LEDGER_COUNT, values.clone()).await?.first().map_or(Ok(0), |row| row.int("n"))?;
        let skip = (offset - passed).clamp(0, there);
        let take = (offset.saturating_add(limit) - passed).clamp(skip, there) - skip;
        if take > 0 {
            let rows =
                tx.fetch_anew(LEDGER_PAGE, values.into_iter().chain([take.into(), skip.into()]).collect()).await?;
            records.extend(rows.iter().map(record).collect::<Result<Vec<_>, _>>()?);
        }
        passed += there;
        (upto, span) = (from, (span * 4).min(SPAN_MAX));
    }
    Ok((records, known.unwrap_or(passed)))
}

/// Rows of a ledger that are gone through by one statement: few for the newest page, and then more. A range of positions is read along the
/// index whatever the statistics say, and its rows need no sorting of a whole ledger.
const SPAN_FIRST: i64 = 1_024;
const SPAN_MAX: i64 = 262_144;

/// Which rows of a range of positions began a transfer that a filter lets through.
const LET_THROUGH: &str = " and b.position > $8 and b.position <= $9 and b.settles is null and b.at >= $5 and b.at < $6
     and ($7 is null or b.payer_id = $7 or b.payee_id = $7)
     and (($2 = 1 and b.pending)
          or ($3 = 1 and (b.step = 1 or (select s.step from transfer s where s.ledger_id = $1 and s.position = b.settled_by) in (10, 12)))
          or ($4 = 1 and (select s.step from transfer s where s.ledger_id = $1 and s.position = b.settled_by) in (11, 13, 14, 15)))";

const LEDGER_COUNT: &str =
    const_format::concatcp!("select count(*) as n from transfer b where b.ledger_id = $1", LET_THROUGH);

const LEDGER_PAGE: &str =
    const_format::concatcp!(SELECT, LET_THROUGH, " order by b.position desc limit $10 offset $11");

fn filter_values(ledger: LedgerId, filter: &TransferFilter, from: i64, upto: i64) -> Vec<Value> {
    let shows = |status| filter.statuses.is_empty() || filter.statuses.contains(&status);
    let shown = [TransferStatus::Initiated, TransferStatus::Completed, TransferStatus::Cancelled];
    let mut values: Vec<Value> = vec![ledger.0.into()];
    values.extend(shown.map(|status| Value::from(i64::from(shows(status)))));
    values.extend([filter.from.unwrap_or(i64::MIN), filter.to.unwrap_or(i64::MAX)].map(Value::from));
    values.push(Value::Id(filter.account.map(|account| account.0)));
    values.extend([from, upto].map(Value::from));
    values
}

/// A transfer that waits: its row knows of no settlement.
pub(super) fn waiting(row: &Row) -> Result<TransferRecord, Error> {
    let kind = match Step::from_number(row.int("step")?) {
        Some(Step::Immediate) => TransferKind::Immediate,
        Some(Step::Hold) => TransferKind::Hold,
        Some(Step::Request) => TransferKind::Request,
        _ => return Err(Error::Corrupt("a transfer does not begin with its first row".into())),
    };
    let minor = row.int("amount")?;
    Ok(TransferRecord {
        id: TransferId(row.id("transfer_id")?),
        kind,
        payer: AccountId(row.id("payer_id")?),
        payee: AccountId(row.id("payee_id")?),
        amount: Amount::new(minor).ok_or_else(|| Error::Corrupt(format!("{minor} is no amount")))?,
        description: row.text("memo")?,
        status: TransferStatus::Initiated,
        proposed_at: row.int("at")?,
        settled_at: None,
        reason: String::new(),
    })
}

fn record(row: &Row) -> Result<TransferRecord, Error> {
    let begun = waiting(row)?;
    if begun.kind == TransferKind::Immediate {
        return Ok(TransferRecord { status: TransferStatus::Completed, settled_at: Some(begun.proposed_at), ..begun });
    }
    let Some(number) = row.optional_int("settled_step")? else { return Ok(begun) };
    let step = Step::from_number(number).ok_or_else(|| Error::Corrupt(format!("{number} is no step of a transfer")))?;
    Ok(TransferRecord {
        status: if step.posts() { TransferStatus::Completed } else { TransferStatus::Cancelled },
        settled_at: row.optional_int("settled_at")?,
        reason: row.optional_text("settled_memo")?.unwrap_or_default(),
        ..begun
    })
}
