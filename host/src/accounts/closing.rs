//! Taking entities and people away. An account with a balance stays: somebody owes it, or it owes somebody. What waits for an answer is
//! cancelled first, so that nothing is left dangling.

use super::proposals::cancel;
use crate::audit::{Act, Action as Done};
use crate::identity::Identity;
use crate::parties::{self, Entity, removal_statements};
use crate::posting::{Group, Ledger, Posting, PostingError};
use ledger_core::{AccountStatus, Command, Rejection, SetStatus};

/// How often what waits is cancelled anew because more came meanwhile.
const TRIES: usize = 8;

/// The reason that is given to what waited.
const GONE: &str = "One side of this transfer has left, so it has been cancelled.";

/// Why nobody was taken away.
#[derive(thiserror::Error, Clone, PartialEq, Eq, Debug)]
pub enum ClosingError {
    /// There is a balance.
    #[error("the balance is not zero")]
    BalanceNotZero,
    /// Transfers were proposed faster than they could be cancelled.
    #[error("transfers are waiting")]
    Busy,
    /// Posting failed.
    #[error(transparent)]
    Posting(#[from] PostingError),
}

/// Takes an entity away, for the administrator `by`: closes its account, and nobody finds it any more.
///
/// # Errors
/// See [`ClosingError`]. When there is a balance, nothing happened.
pub async fn delete_entity(posting: &Posting, ledger: &Ledger, entity: &Entity, by: u128) -> Result<(), ClosingError> {
    require_zero(posting, entity).await?;
    let close = Command::SetStatus(SetStatus { account: entity.account, status: AccountStatus::Closed });
    for _ in 0..TRIES {
        cancel_waiting(posting, ledger, entity).await?;
        let mut companions = removal_statements(posting.db(), entity.id);
        let act = Act::by(by, Done::EntityDeleted).as_administrator().to(entity.id);
        companions.push(act.saying(entity.account_number.as_str()).statement());
        match posting.submit_one(ledger.id, Group::of(close, "").with(companions)).await? {
            // A request holds nothing, so one may have come in between. The entity is gone, whatever becomes of that.
            Ok(_) => {
                if let Err(error) = cancel_waiting(posting, ledger, entity).await {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "what waits for an entity that has left is left to wait"
                    );
                }
                return Ok(());
            }
            // Another administrator was faster.
            Err(Rejection::AccountClosed) => return Ok(()),
            Err(Rejection::BalanceNotZero { .. }) => return Err(ClosingError::BalanceNotZero),
            Err(_) => {}
        }
    }
    Err(ClosingError::Busy)
}

/// Takes a person and all their entities away, for the administrator `by`.
///
/// # Errors
/// See [`ClosingError`]. When there is a balance, nothing happened; otherwise it can be tried again.
pub async fn delete_person(
    identity: &Identity,
    posting: &Posting,
    ledger: &Ledger,
    person: u128,
    by: u128,
) -> Result<(), ClosingError> {
    let entities = parties::entities_of(posting.db(), person).await.map_err(PostingError::from)?;
    for entity in &entities {
        require_zero(posting, entity).await?;
    }
    for entity in &entities {
        delete_entity(posting, ledger, entity, by).await?;
    }
    Ok(identity.remove(person, by).await.map_err(PostingError::from)?)
}

async fn require_zero(posting: &Posting, entity: &Entity) -> Result<(), ClosingError> {
    let account = super::account(posting, entity.ledger, entity.account).await.map_err(PostingError::from)?;
    if account.balance == ledger_core::Amount::ZERO { Ok(()) } else { Err(ClosingError::BalanceNotZero) }
}

async fn cancel_waiting(posting: &Posting, ledger: &Ledger, entity: &Entity) -> Result<(), ClosingError> {
    for _ in 0..TRIES {
        let waiting = super::pending(posting.db(), entity.ledger, entity.account).await.map_err(PostingError::from)?;
        if waiting.is_empty() {
            return Ok(());
        }
        for record in &waiting {
            // What was answered meanwhile waits no longer either.
            let _ = cancel(posting, ledger, record, Done::TransferStopped, GONE).await?;
        }
    }
    Err(ClosingError::Busy)
}
