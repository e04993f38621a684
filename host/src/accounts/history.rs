//! Pages of an account's past, read along the chain of `posting/history.rs`: any page is found in a few hops, however
//! long the account's history, by one statement.

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
        s.step as settled_step, s.at as settled_at, s.memo as settled_memo, b.position, coalesce(s.position, b.position) as last
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
    // Begun after the account was seen, so that its history is all there.
    let mut tx = posting.db().begin_read().await?;
    let (counter, total) = match listing {
        Listing::All => (1, begun),
        Listing::Only(TransferStatus::Completed) => (2, posted),
        Listing::Only(TransferStatus::Cancelled) => (3, ended),
        Listing::Only(TransferStatus::Initiated) => {
            let rows = pending_rows(&mut tx, ledger, account, offset, limit).await?;
            return Ok((rows, begun - posted - ended));
        }
    };
    let first = total - offset;
    if first <= 0 || limit <= 0 {
        return Ok((vec![], total));
    }
    let values = [first, (first - limit).max(0), counter].map(Value::from);
    let keys = vec![ledger.0.into(), account.0.into(), last_position.into()];
    let hits = tx.fetch_all(WALK, keys.into_iter().chain(values).collect()).await?;
    let positions = hits.iter().map(|row| row.int("found")).collect::<Result<Vec<_>, _>>()?;
    Ok((records_at(&mut tx, ledger, &positions).await?, total))
}

/// Walks an account's chain back from its newest row ($3) and finds the rows at which the counter ($6: 1 begun, 2 posted,
/// 3 ended) went up to $4, $4 − 1, … down to $5 + 1.
///
/// At each row: while a jump does not go past the row sought, jump. Else, if this is the row sought (the counter went up
/// here, to the number sought), note it and seek the one before. Else go to the row before.
const WALK: &str = const_format::formatcp!(
    "with recursive walk(position, target, found) as (
        select cast($3 as bigint), cast($4 as bigint), cast(0 as bigint)
        union all
        select case when {JUMPED} >= w.target then j.position when t.payer_id = $2 then t.payer_prev else t.payee_prev end,
               case when {JUMPED} < w.target and {SOUGHT} then w.target - 1 else w.target end,
               case when {JUMPED} < w.target and {SOUGHT} then t.position else 0 end
        from walk w
        join transfer t on t.ledger_id = $1 and t.position = w.position
        left join transfer j on j.ledger_id = $1
             and j.position = case when t.payer_id = $2 then t.payer_jump else t.payee_jump end
        where w.target > $5
     )
     select found from walk where found > 0"
);

/// The counter at the row that the jump leads to, 0 when it leads nowhere.
const JUMPED: &str = "coalesce(case when j.payer_id = $2
        then case $6 when 1 then j.payer_begun when 2 then j.payer_posted else j.payer_ended end
        else case $6 when 1 then j.payee_begun when 2 then j.payee_posted else j.payee_ended end end, 0)";

/// Whether the counter went up at this row, to the number sought.
const SOUGHT: &str = "(case when t.payer_id = $2
        then case $6 when 1 then t.payer_begun when 2 then t.payer_posted else t.payer_ended end
        else case $6 when 1 then t.payee_begun when 2 then t.payee_posted else t.payee_ended end end = w.target
    and case $6 when 1 then t.step in (1, 2, 3) when 2 then t.step in (1, 10, 12) else t.step in (11, 13, 14, 15) end)";

/// The transfers that these rows began, settled, or are; the newest row first.
async fn records_at(tx: &mut Tx, ledger: LedgerId, positions: &[i64]) -> Result<Vec<TransferRecord>, Error> {
    let keys: Vec<Value> = positions.iter().map(|position| Value::from(*position)).collect();
    let head = "select position, coalesce(settles, position) as begun from transfer where ledger_id = $1 and position";
    let rows = tx.fetch_among(head, &[ledger.0.into()], &keys, "").await?;
    let found = rows.iter().map(|row| Ok((row.int("position")?, row.int("begun")?)));
    let mut found = found.collect::<Result<Vec<_>, Error>>()?;
    found.sort_unstable_by_key(|(position, _)| std::cmp::Reverse(*position));
    let begun: Vec<i64> = found.into_iter().map(|(_, begun)| begun).collect();
    let keys: Vec<Value> = begun.iter().map(|position| Value::from(*position)).collect();
    let head = const_format::concatcp!(SELECT, " and b.position");
    let rows = tx.fetch_among(head, &[ledger.0.into()], &keys, "").await?;
    let mut records = rows
        .iter()
        .map(|row| Ok((row.int("position")?, record(row)?)))
        .collect::<Result<std::collections::HashMap<_, _>, Error>>()?;
    Ok(begun.iter().filter_map(|position| records.remove(position)).collect())
}

/// The most transfers that [`pending`] gives: anybody can propose to anybody, and [`page`] goes through all of them.
const PENDING_MAX: i64 = 1_000;

/// What waits for an account to answer or to be answered: the newest [`PENDING_MAX`], oldest first.
///
/// # Errors
/// When the database fails.
pub async fn pending(db: &Db, ledger: LedgerId, account: AccountId) -> Result<Vec<TransferRecord>, Error> {
    let mut rows = pending_rows(&mut db.begin_read().await?, ledger, account, 0, PENDING_MAX).await?;
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
    let sql = "select transfer_id, step, payer_id, payee_id, amount, memo, at, position, position as last,
                      null as settled_step, null as settled_at, null as settled_memo
               from (select * from transfer where ledger_id = $1 and payer_id = $2 and pending
                     union all
                     select * from transfer where ledger_id = $1 and payee_id = $2 and pending) p
               order by position desc limit $3 offset $4";
    let rows = tx.fetch_all(sql, vec![ledger.0.into(), account.0.into(), limit.into(), offset.into()]).await?;
    rows.iter().map(waiting).collect()
}

/// One transfer by id.
///
/// # Errors
/// When the database fails.
pub async fn transfer(db: &Db, ledger: LedgerId, id: TransferId) -> Result<Option<TransferRecord>, Error> {
    let mut tx = db.begin_read().await?;
    let Some(position) = posting::position(&mut tx, ledger, id).await? else { return Ok(None) };
    let sql = const_format::concatcp!(SELECT, " and b.position = $2");
    let row = tx.fetch_optional(sql, vec![ledger.0.into(), position.into()]).await?;
    row.as_ref().map(record).transpose()
}

/// A page of a whole ledger's transfers, the newest proposal first, and how many there are in all.
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
    const FILTER: &str = " and (($2 = 1 and b.pending) or ($3 = 1 and (b.step = 1 or s.step in (10, 12)))
               or ($4 = 1 and s.step in (11, 13, 14, 15)))
           and b.at >= $5 and b.at < $6 and ($7 is null or b.payer_id = $7 or b.payee_id = $7)";
    let shows = |status| filter.statuses.is_empty() || filter.statuses.contains(&status);
    let shown = [TransferStatus::Initiated, TransferStatus::Completed, TransferStatus::Cancelled];
    let mut values: Vec<Value> = vec![ledger.0.into()];
    values.extend(shown.map(|status| Value::from(i64::from(shows(status)))));
    values.extend([filter.from.unwrap_or(i64::MIN), filter.to.unwrap_or(i64::MAX)].map(Value::from));
    values.push(Value::Id(filter.account.map(|account| account.0)));
    let mut tx = db.begin_read().await?;
    let count = const_format::concatcp!(
        "select count(*) as n from transfer b left join transfer s on s.ledger_id = b.ledger_id and s.position = b.settled_by
         where b.ledger_id = $1 and b.settles is null",
        FILTER
    );
    let total = tx.fetch_optional(count, values.clone()).await?.map_or(Ok(0), |row| row.int("n"))?;
    let page = const_format::concatcp!(SELECT, FILTER, " order by b.position desc limit $8 offset $9");
    let rows = tx.fetch_all(page, values.into_iter().chain([limit.into(), offset.into()]).collect()).await?;
    Ok((rows.iter().map(record).collect::<Result<_, _>>()?, total))
}

/// A transfer that waits: its row knows of no settlement.
fn waiting(row: &Row) -> Result<TransferRecord, Error> {
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
