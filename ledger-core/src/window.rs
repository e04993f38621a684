//! How much may pass in a day, a week or a month: limits on an account's movements, and what of them is used.
//!
//! The rules, which say what a limit means:
//!
//! - **Counting.** A movement counts once, with its amount, at the instant at which it takes hold: an immediate transfer when it is posted, a
//!   hold when it reserves, a request when it is accepted. Both sides count it: the payer's windows *out*, the payee's *in*. What is refused,
//!   declined, withdrawn or only asked for counts nowhere.
//! - **Capturing** a hold does not count again and cannot be refused by a window, in whichever period it happens: who reserved within the
//!   limit may rely on it.
//! - **Giving back.** A hold that is released or expired gives back its amount and its place in the number of movements; one that is captured
//!   in part gives back the rest of the amount, and stays a movement. Only the running period gets anything back, and only from a hold that
//!   it counted; what was used in a period that is over is over.
//! - **Periods** are civil days, weeks from Monday and months, at a fixed offset from UTC. A new one begins with nothing used.
//! - **Setting** a limit in the middle of a period counts from then on: what passed before is not in it, and is not given back to it. Moving
//!   the maxima of a limit that is there keeps what was used, also when that is more than the new maxima; nothing passes then until the next
//!   period. So does moving midnight. Taking a limit away and setting it again begins with nothing used.
//! - **In doubt, the limit holds.** A hold of the very instant at which the window was set may be from before it, and is not given back. A
//!   clock that goes back does not bring a period back: the later one goes on.

use crate::{AccountId, Amount, Date, Period, SetWindow, Timestamp, Transfer, TransferKind, TransferState, UtcOffset};

/// Which way money passes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Direction {
    /// From the account: it pays.
    Out,
    /// To the account: it is paid.
    In,
}

/// A limit on what may pass in one direction within one civil period, and what has passed. An account has at most one for each direction and
/// period.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window {
    /// Whose.
    pub account: AccountId,
    /// What is counted.
    pub direction: Direction,
    /// How long it runs before it begins again with nothing used.
    pub period: Period,
    /// The most that may pass, not negative. `None`: any amount.
    pub max_amount: Option<Amount>,
    /// The most movements. `None`: any number.
    pub max_count: Option<u32>,
    /// What has passed in the window that began on `began`, not negative; it stops at [`Amount::MAX`].
    pub used_amount: Amount,
    /// How many movements passed in it; it stops at `u32::MAX`.
    pub used_count: u32,
    /// The first day of the window that `used_amount` and `used_count` count. Later ones have used nothing.
    pub began: Date,
    /// When it was set, or its midnight moved. Holds from before are not in it, so they cannot be given back to it.
    pub since: Timestamp,
    /// Where midnight is.
    pub offset: UtcOffset,
}

impl Window {
    /// What a command makes of a window, at `now`: the maxima are those of the command, and what was used in the window that is running
    /// stays used.
    pub fn set(before: Option<&Window>, set: &SetWindow, now: Timestamp) -> Window {
        let fresh = Window {
            account: set.account,
            direction: set.direction,
            period: set.period,
            max_amount: set.max_amount,
            max_count: set.max_count,
            used_amount: Amount::ZERO,
            used_count: 0,
            began: set.period.first_day(Date::of(now, set.offset)),
            since: now,
            offset: set.offset,
        };
        match before.filter(|_| fresh.limits()).map(|window| window.at(now)) {
            None => fresh,
            Some(Window { used_amount, used_count, began, since, offset, .. }) if offset == set.offset => {
                Window { used_amount, used_count, began, since, ..fresh }
            }
            Some(Window { used_amount, used_count, .. }) => Window { used_amount, used_count, ..fresh },
        }
    }

    /// False for a window without maxima, which is what remains of one that was taken away.
    pub const fn limits(&self) -> bool {
        self.max_amount.is_some() || self.max_count.is_some()
    }

    /// The window that is running at `now`: this one, or its successor with nothing used.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Window {
        let began = self.period.first_day(Date::of(now, self.offset));
        if began <= self.began {
            return *self;
        }
        Window { began, used_amount: Amount::ZERO, used_count: 0, ..*self }
    }

    /// The most that may still pass at `now`, at least 0. `None`: any amount.
    pub fn amount_left(&self, now: Timestamp) -> Option<Amount> {
        let used = self.at(now).used_amount.minor();
        self.max_amount.map(|max| Amount::clamped_to_positive(max.minor() - used))
    }

    /// How many movements may still pass at `now`. `None`: any number.
    pub fn count_left(&self, now: Timestamp) -> Option<u32> {
        let used = self.at(now).used_count;
        self.max_count.map(|max| max.saturating_sub(used))
    }

    /// The window after a command has left a transfer of its account as it is now: it counts what took hold, and takes back what a hold
    /// gives back.
    #[must_use]
    pub fn after(&self, transfer: &Transfer, now: Timestamp) -> Window {
        let all = transfer.amount.minor();
        match (transfer.kind, transfer.state) {
            (TransferKind::Immediate | TransferKind::Request, TransferState::Posted)
            | (TransferKind::Hold, TransferState::Held) => {
                let running = self.at(now);
                let used_amount = Amount::clamped_to_positive(running.used_amount.minor() + all);
                Window { used_amount, used_count: running.used_count.saturating_add(1), ..running }
            }
            (TransferKind::Hold, TransferState::Posted) => {
                self.giving_back(transfer.created_at, all - transfer.moved.minor(), 0, now)
            }
            (TransferKind::Hold, TransferState::Released | TransferState::Expired) => {
                self.giving_back(transfer.created_at, all, 1, now)
            }
            _ => *self,
        }
    }

    fn giving_back(&self, counted_at: Timestamp, minor: i64, count: u32, now: Timestamp) -> Window {
        let running = self.at(now);
        let counted_in = self.period.first_day(Date::of(counted_at, self.offset));
        if counted_at <= self.since || counted_in != running.began {
            return *self;
        }
        let used_amount = Amount::clamped_to_positive(running.used_amount.minor() - minor);
        Window { used_amount, used_count: running.used_count.saturating_sub(count), ..running }
    }
}
