//! What a lane does beside its batches: it writes rows that lag, and lets go of a ledger that others want.

use super::Runner;
use crate::posting::bulk::Right;
use crate::posting::decide::Held;
use crate::posting::desk::{Occasion, Standing};
use crate::posting::locked;

/// How often a lane without work looks, before it lets go of a ledger that other hosts may want.
const IDLE_MAX: u32 = 5;

impl Runner {
    /// Writes rows that lag and that a batch with companions, or of several hosts, could not take along.
    pub(super) async fn catch_up(&mut self) {
        let Some(held) = &mut self.held else { return };
        if self.standing == Standing::Shared {
            return self.flush_shared(Occasion::Much).await;
        }
        let rows = self.desk.pace.idle_rows;
        if locked(&held.resident).is_overdue(held.head.mark(), rows) {
            match self.desk.flush(held, rows, Right::Owner).await {
                Ok(written) => self.wanted |= written.wanted,
                Err(failure) => self.give_up(failure),
            }
        }
    }

    /// Nothing came for a while: rows that lag are written, and a ledger that other hosts may want is let go.
    pub(super) async fn rest(&mut self) {
        let Some(held) = &mut self.held else { return };
        let flushed = locked(&held.resident).is_flushed();
        match self.standing {
            Standing::None if flushed => return,
            // Taking turns came to its end before what lags was written.
            Standing::None => return self.stand_again().await,
            Standing::Shared => return self.flush_shared(Occasion::Quiet).await,
            Standing::Owner => self.idle += 1,
        }
        let idle_rows = self.desk.pace.idle_rows;
        let result = match flushed {
            false => self.desk.flush(held, idle_rows, Right::Owner).await,
            true if self.idle < IDLE_MAX || self.desk.is_embedded() => return,
            true => {
                self.standing = Standing::None;
                self.desk.shared.disown();
                self.desk.flush(held, idle_rows, Right::Shared { on: -1 }).await
            }
        };
        match result {
            Ok(written) => self.wanted |= written.wanted,
            Err(failure) => self.give_up(failure),
        }
    }

    /// Writes everything that lags and lets the ledger go, so that others may post too.
    pub(super) async fn leave(&mut self) {
        self.wanted = false;
        let lags = |held: &Held| !locked(&held.resident).is_flushed();
        if self.standing == Standing::None && self.held.as_ref().is_some_and(lags) {
            self.stand_again().await;
        }
        if self.standing == Standing::Shared {
            return self.flush_shared(Occasion::End).await;
        }
        if self.standing != Standing::Owner || !self.finish_writing().await {
            return;
        }
        let Some(held) = &mut self.held else { return };
        match self.desk.flush_all(held).await {
            Ok(()) => {
                self.standing = Standing::None;
                self.desk.shared.disown();
            }
            Err(failure) => self.give_up(failure),
        }
    }

    async fn stand_again(&mut self) {
        if let Err(failure) = self.stand().await {
            self.give_up(failure);
        }
    }

    async fn flush_shared(&mut self, occasion: Occasion) {
        let Some(held) = &mut self.held else { return };
        if let Err(failure) = self.desk.flush_shared(held, occasion).await {
            self.give_up(failure);
        }
    }
}
