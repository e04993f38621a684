//! Proposals that nobody answers: a hold would keep credit from its owner for ever, so after some time it is given back.
//!
//! How long that is, is the operator's to say and to change, also for what waits already: it is no part of a transfer. (An expiry that a
//! transfer has of its own would differ from one retry of the same request to the next.)

use super::history::waiting;
use super::proposals::cancel;
use crate::audit::Action as Done;
use crate::posting::{Ledger, Posting, PostingError};
use ledger_core::Timestamp;
use tokio::task::JoinSet;

/// Cancelled at the same time: they ride together in batches, and others in between.
const AT_ONCE: i64 = 256;

/// The reason that an overdue transfer is given.
const OVERDUE_REASON: &str = "Nobody answered in time, so this transfer has been cancelled.";

const OVERDUE: &str = "select transfer_id, step, payer_id, payee_id, amount, memo, at
 from transfer where ledger_id = $1 and pending and at < $2 limit $3";

/// Cancels what was proposed before this time and waits still; how many. What is answered meanwhile stays as it was answered.
///
/// # Errors
/// When posting or the database fails. Those before are cancelled.
pub async fn cancel_overdue(posting: &Posting, ledger: &Ledger, before: Timestamp) -> Result<usize, PostingError> {
    let mut cancelled = 0;
    loop {
        let values = vec![ledger.id.0.into(), before.0.into(), AT_ONCE.into()];
        let rows = posting.db().read().await?.fetch_anew(OVERDUE, values).await?;
        let mut settling = JoinSet::new();
        for row in &rows {
            let (posting, ledger, record) = (posting.clone(), ledger.clone(), waiting(row)?);
            settling
                .spawn(async move { cancel(&posting, &ledger, &record, Done::TransferExpired, OVERDUE_REASON).await });
        }
        let mut progress = 0;
        while let Some(settled) = settling.join_next().await {
            let settled = settled.map_err(|_| PostingError::Unavailable)??;
            progress += usize::from(settled.is_ok());
        }
        cancelled += progress;
        if rows.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX) || progress == 0 {
            return Ok(cancelled);
        }
    }
}
