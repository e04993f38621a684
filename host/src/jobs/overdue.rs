//! The hourly look at transfers that wait for an answer: those that have waited too long are cancelled, and both sides are told.

use crate::accounts;
use crate::posting::{Ledger, Posting};
use crate::store::Error;
use crate::system_clock;
use ledger_core::Timestamp;

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Cancels what has waited for so many days; 0 for nothing.
pub(super) async fn run(posting: &Posting, ledger: &Ledger, days: u32) -> Result<(), Error> {
    if days == 0 {
        return Ok(());
    }
    let before = Timestamp(system_clock().0.saturating_sub(i64::from(days).saturating_mul(DAY)));
    let cancelled = accounts::cancel_overdue(posting, ledger, before).await;
    // The ledger may be busy, or another host may have it: what is left is left for the next hour.
    match cancelled {
        Ok(0) => {}
        Ok(cancelled) => tracing::info!(cancelled, "transfers that nobody answered are cancelled"),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "not all overdue transfers are cancelled")
        }
    }
    Ok(())
}
