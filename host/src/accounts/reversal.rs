//! Taking a completed transfer back, by a new transfer of the same amount the other way that is linked to it. A final state never changes: what
//! was done stays in the books, and so does that it was undone.
//!
//! Members need each other's consent: one side proposes, the other answers, as with every transfer. An administrator needs none, and a
//! reason. A transfer is taken back at most once: the row that links the two is its own lock.

use super::history::{TransferRecord, TransferStatus, transfer};
use super::proposals::{UNKNOWN, begin, beside, cancelling};
use crate::audit::{Act, Action as Done};
use crate::mail::Mail;
use crate::posting::{Entry, Group, Ledger, Posting, PostingError};
use crate::store::{Db, Error, Statement, Value};
use ledger_core::{AccountId, Command, Key, LedgerId, Receipt, Rejection, TransferId, TransferKind};
use std::collections::HashMap;

/// The constraint that stands in the way when a transfer has a reversal.
const REVERSED: &str = "reversal.ledger_id, reversal.reverses";

/// How often an administrator's is tried anew because what waited was answered meanwhile, and more was proposed.
const TRIES: usize = 8;

/// A completed transfer that somebody wants taken back.
#[derive(Clone, Copy, Debug)]
pub struct Reversal<'r> {
    /// Who wants it.
    pub by: u128,
    /// The accounts of whoever wants it; none for an administrator, who may reverse everybody's, at once.
    pub mine: Option<&'r [AccountId]>,
    /// The transfer to be taken back.
    pub of: TransferId,
    /// Description of the new transfer.
    pub reason: &'r str,
    /// What a client sent to be safe when it retries.
    pub key: Option<Key>,
}

/// Why nothing was reversed.
#[derive(thiserror::Error, Debug)]
pub enum ReversalError {
    /// There is no such transfer.
    #[error("no such transfer")]
    NotFound,
    /// It is somebody else's.
    #[error("not theirs")]
    Forbidden,
    /// Its money has not moved.
    #[error("not completed")]
    NotCompleted,
    /// It was taken back before, or somebody is to answer whether it is.
    #[error("reversed already")]
    ReversedAlready,
    /// The ledger refused.
    #[error("the ledger refused: {0}")]
    Rejected(Rejection),
    /// Posting failed.
    #[error(transparent)]
    Posting(PostingError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<PostingError> for ReversalError {
    fn from(error: PostingError) -> ReversalError {
        match error {
            PostingError::Conflict(constraint) if constraint == REVERSED => ReversalError::ReversedAlready,
            error => ReversalError::Posting(error),
        }
    }
}

/// Begins the transfer that takes another one back: at once for an administrator, as a proposal to the other side for a member. With a key
/// that came before: the first transfer again, and `true`.
///
/// # Errors
/// See [`ReversalError`].
pub async fn reverse(
    db: &Db,
    posting: &Posting,
    ledger: &Ledger,
    reversal: Reversal<'_>,
) -> Result<(TransferRecord, bool), ReversalError> {
    let Reversal { mine, of, .. } = reversal;
    let first = transfer(db, ledger.id, of).await?.ok_or(ReversalError::NotFound)?;
    let kind = kind(&first, mine).ok_or(ReversalError::Forbidden)?;
    if first.status != TransferStatus::Completed {
        return Err(ReversalError::NotCompleted);
    }
    for _ in 0..TRIES {
        // An administrator does not wait for the answer to what a member has proposed to the same end: that ends, if and when this begins.
        let (entry, link) = beginning(ledger, &first, kind, reversal);
        let mut group = match kind {
            TransferKind::Immediate => waiting(db, ledger, of).await?,
            TransferKind::Hold | TransferKind::Request => Group::default(),
        };
        group.entries.push(entry);
        group.companions.push(link);
        let (id, repeated) = match posting.submit(ledger.id, group).await?.pop() {
            Some(Ok(Receipt::Transfer(receipt))) => (receipt.transfer.id, false),
            Some(Ok(Receipt::Repeated(first))) => (first.id, true),
            Some(Ok(Receipt::Account(_))) | None => return Err(PostingError::Unavailable.into()),
            // It was answered meanwhile; what that came to is there to be read.
            Some(Err(Rejection::LinkedFailed)) => continue,
            Some(Err(rejection)) => return Err(ReversalError::Rejected(rejection)),
        };
        return Ok((transfer(db, ledger.id, id).await?.ok_or(ReversalError::NotFound)?, repeated));
    }
    Err(ReversalError::ReversedAlready)
}

/// The command that begins the transfer that takes the first one back, with what is told of it, and the row that links the two.
fn beginning(
    ledger: &Ledger,
    first: &TransferRecord,
    kind: TransferKind,
    reversal: Reversal<'_>,
) -> (Entry, Statement) {
    let Reversal { by, of, reason, key, .. } = reversal;
    let create = begin(kind, first.payee, first.payer, first.amount, key);
    let link = Statement {
        sql: "insert into reversal (ledger_id, reverses, transfer_id) values ($1, $2, $3)",
        values: vec![ledger.id.0.into(), of.0.into(), create.id.0.into()],
    };
    let amount = format!("{} {} of {}", ledger.unit.format(first.amount), ledger.unit.code(), crate::id_text(of.0));
    let act = match kind {
        TransferKind::Immediate => {
            Act::by(by, Done::ReversalMade).as_administrator().saying(format!("{amount}: {reason}"))
        }
        TransferKind::Hold | TransferKind::Request => Act::by(by, Done::ReversalProposed).saying(amount),
    };
    let mut told = vec![act.beside()];
    // The other side of the first transfer has to answer.
    match kind {
        TransferKind::Immediate => {}
        TransferKind::Hold => told.push(beside(Mail::transfer_initiated(UNKNOWN, first.payer))),
        TransferKind::Request => told.push(beside(Mail::transfer_initiated(UNKNOWN, first.payee))),
    }
    (Entry::new(Command::Create(create), reason).telling(told), link)
}

/// Cancels what a member has proposed to the same end and nobody has answered; nothing when there is no such proposal.
async fn waiting(db: &Db, ledger: &Ledger, of: TransferId) -> Result<Group, Error> {
    let link = links(db, ledger.id, [of]).await?.remove(&of).unwrap_or_default();
    let Some(proposed) = link.reversed_by else { return Ok(Group::default()) };
    let record = transfer(db, ledger.id, proposed).await?;
    let record = record.filter(|record| record.status == TransferStatus::Initiated);
    let cancelled =
        |record| cancelling(ledger, &record, Done::TransferStopped, "An administrator has reversed the transfer.");
    Ok(record.map(cancelled).unwrap_or_default())
}

/// How the reversal begins: the one who was paid offers to pay back, the one who paid asks to be paid back.
fn kind(first: &TransferRecord, mine: Option<&[AccountId]>) -> Option<TransferKind> {
    match mine {
        None => Some(TransferKind::Immediate),
        Some(mine) if mine.contains(&first.payee) => Some(TransferKind::Hold),
        Some(mine) if mine.contains(&first.payer) => Some(TransferKind::Request),
        Some(_) => None,
    }
}

/// For the transaction that ends a transfer without moving money: what it would have reversed can be reversed again.
pub(super) fn unlink(ledger: LedgerId, transfer: TransferId) -> Statement {
    Statement {
        sql: "delete from reversal where ledger_id = $1 and transfer_id = $2",
        values: vec![ledger.0.into(), transfer.0.into()],
    }
}

/// How a transfer is linked to others.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Links {
    /// The one that it takes back.
    pub reverses: Option<TransferId>,
    /// The one that takes it back, or will if it is accepted.
    pub reversed_by: Option<TransferId>,
}

/// The links of these transfers; none for those that have none.
///
/// # Errors
/// When the database fails.
pub async fn links(
    db: &Db,
    ledger: LedgerId,
    transfers: impl IntoIterator<Item = TransferId>,
) -> Result<HashMap<TransferId, Links>, Error> {
    let keys: Vec<Value> = transfers.into_iter().map(|transfer| transfer.0.into()).collect();
    let mut links: HashMap<TransferId, Links> = HashMap::new();
    let reversed = "select reverses, transfer_id from reversal where ledger_id = $1 and reverses";
    for row in db.fetch_among(reversed, &[ledger.0.into()], &keys, "").await? {
        let link = links.entry(TransferId(row.id("reverses")?)).or_default();
        link.reversed_by = Some(TransferId(row.id("transfer_id")?));
    }
    let reversing = "select reverses, transfer_id from reversal where ledger_id = $1 and transfer_id";
    for row in db.fetch_among(reversing, &[ledger.0.into()], &keys, "").await? {
        let link = links.entry(TransferId(row.id("transfer_id")?)).or_default();
        link.reverses = Some(TransferId(row.id("reverses")?));
    }
    Ok(links)
}
