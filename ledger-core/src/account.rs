//! Who holds money, and within which limits. Names, owners and history are the host's.

use crate::{AccountId, Amount};

/// Whether an account takes part in new movements.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AccountStatus {
    /// Sends and receives.
    Open,
    /// Neither sends nor receives; what is reserved can still be given back.
    Frozen,
    /// As frozen, for ever. Balance and reservations are zero.
    Closed,
}

/// One account: `floor <= balance <= ceiling`, unless an operator moved a limit past the balance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Account {
    /// Unique in its ledger.
    pub id: AccountId,
    /// What the account owns (positive) or owes (negative).
    pub balance: Amount,
    /// Reserved for holds that this account will pay. Never negative.
    pub held_out: Amount,
    /// Reserved room for holds that this account will receive. Never negative.
    pub held_in: Amount,
    /// The lowest balance allowed; a negative floor is a credit line. [`Amount::MIN`] means "none".
    pub floor: Amount,
    /// The highest balance allowed. [`Amount::MAX`] means "none".
    pub ceiling: Amount,
    /// Open, frozen or closed.
    pub status: AccountStatus,
    /// Whether a [`crate::Window`] limits what may pass. Accounts that have none are decided without looking for any.
    pub windowed: bool,
}

impl Account {
    /// A new account with nothing in it.
    pub const fn open(id: AccountId, floor: Amount, ceiling: Amount) -> Account {
        Account {
            id,
            balance: Amount::ZERO,
            held_out: Amount::ZERO,
            held_in: Amount::ZERO,
            floor,
            ceiling,
            status: AccountStatus::Open,
            windowed: false,
        }
    }

    /// The most that can be sent: `balance − held_out − floor`, at least 0. Never so much that reservations would leave the
    /// range of [`Amount`]; only an account without a floor can notice.
    pub const fn available(&self) -> Amount {
        Amount::clamped_to_positive(self.above_floor().minor() - self.held_out.minor())
    }

    /// The most that can be received: `ceiling − balance − held_in`, at least 0, and within the same bound.
    pub const fn room(&self) -> Amount {
        Amount::clamped_to_positive(self.below_ceiling().minor() - self.held_in.minor())
    }

    /// `balance − floor`, at least 0: the bound for money that is reserved already. Lower than the reservation only when
    /// an operator raised the floor after it was made.
    pub const fn above_floor(&self) -> Amount {
        Amount::clamped_to_positive(self.balance.minor() - self.floor.minor())
    }

    /// `ceiling − balance`, at least 0: the counterpart of [`Account::above_floor`] on the receiving side.
    pub const fn below_ceiling(&self) -> Amount {
        Amount::clamped_to_positive(self.ceiling.minor() - self.balance.minor())
    }
}
