//! How a lane waits until it is known which keys are stored, when that is being read (`filter.rs`).

use super::{Runner, Waiting};
use crate::posting::Failure;
use crate::posting::desk::Standing;
use crate::posting::load;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// After so long without a write an owner says that the ledger is its own still: well within its lease.
const CONFIRM: Duration = Duration::from_secs(1);

impl Runner {
    /// Waits for no longer than the search for the keys of these would take without it. So few keys hardly wait, and no batch takes twice as
    /// long as it must.
    pub(super) async fn know_keys(&mut self, waiting: &[Waiting]) -> Result<(), Failure> {
        let Some(held) = &self.held else { return Ok(()) };
        let Some((being_read, within)) = load::being_read(&held.resident, waiting) else { return Ok(()) };
        // Those before are not to wait with these.
        if !self.finish_writing().await {
            return Err(Failure::Lost);
        }
        let until = Instant::now() + within;
        while !being_read.initialized() && Instant::now() < until {
            let some = CONFIRM.min(until - Instant::now());
            let _ = timeout(some, being_read.wait()).await;
            if some == CONFIRM && self.standing == Standing::Owner {
                self.confirm().await?;
            }
        }
        Ok(())
    }
}
