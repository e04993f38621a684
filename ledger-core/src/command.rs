//! What can be asked of a ledger. What is answered is in `posting` and `rejection.rs`.

use crate::{AccountId, AccountStatus, Amount, Direction, Key, Period, Timestamp, TransferId, TransferKind, UtcOffset};

/// First 128 bits of the SHA-256 of what the host stores beside a transfer (its description, a reason). The core never sees
/// the text, but the digest is part of "same content" and of the journal, so the text cannot be changed unnoticed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Memo(pub u128);

impl Memo {
    /// Nothing is stored beside it.
    pub const NONE: Memo = Memo(0);
}

/// One thing to decide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Opens an account.
    OpenAccount(OpenAccount),
    /// Moves an account's limits.
    SetLimits(SetLimits),
    /// Changes an account's status.
    SetStatus(SetStatus),
    /// Begins a transfer.
    Create(Create),
    /// Settles a transfer that is waiting.
    Settle(Settle),
    /// Limits what may pass in a period.
    SetWindow(SetWindow),
}

/// Opens an account with a balance of zero, which must lie inside its limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OpenAccount {
    /// The new account's id.
    pub account: AccountId,
    /// The lowest balance allowed, not above zero.
    pub floor: Amount,
    /// The highest balance allowed, not below zero.
    pub ceiling: Amount,
    /// Open or frozen.
    pub status: AccountStatus,
}

/// Moves an account's limits; what is `None` stays. They may pass the balance: the account is then stuck one way until it
/// is back inside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetLimits {
    /// The account.
    pub account: AccountId,
    /// The lowest balance allowed from now on.
    pub floor: Option<Amount>,
    /// The highest balance allowed from now on, not below the floor.
    pub ceiling: Option<Amount>,
}

/// Changes an account's status. Closing needs a zero balance and no reservations, and is final.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetStatus {
    /// The account.
    pub account: AccountId,
    /// Its status from now on.
    pub status: AccountStatus,
}

/// Limits what may pass through an account in one direction within a day, a week or a month, from now on; or, without maxima, takes
/// that limit away. What was used in the window that is running stays used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetWindow {
    /// The account.
    pub account: AccountId,
    /// What it pays, or what it is paid.
    pub direction: Direction,
    /// How long a window runs.
    pub period: Period,
    /// The most that may pass, not below zero; zero lets nothing pass. `None`: any amount.
    pub max_amount: Option<Amount>,
    /// The most movements. `None`: any number.
    pub max_count: Option<u32>,
    /// Where midnight is. Windows of one account may differ in it.
    pub offset: UtcOffset,
}

/// Begins a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Create {
    /// The new transfer's id.
    pub id: TransferId,
    /// Immediate, hold or request.
    pub kind: TransferKind,
    /// The account to debit.
    pub payer: AccountId,
    /// The account to credit.
    pub payee: AccountId,
    /// Above zero.
    pub amount: Amount,
    /// For holds and requests: later than now, or none. Immediate transfers ignore it.
    pub expires_at: Option<Timestamp>,
    /// What a client may send again: then a refusal that could turn out otherwise later is remembered too, and a retry
    /// gets the first answer. Of a linked group that fails, this goes for the command that was the reason; the others
    /// were not judged, and may be sent again.
    pub key: Option<Key>,
    /// For a request: refuse it unless the payer could pay it now. It reserves nothing all the same.
    pub payable_now: bool,
    /// Digest of what the host stores beside the transfer.
    pub memo: Memo,
}

impl Create {
    /// The expiry that counts.
    pub fn expiry(&self) -> Option<Timestamp> {
        self.expires_at.filter(|_| self.kind != TransferKind::Immediate)
    }
}

/// Settles a transfer that is waiting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settle {
    /// The transfer.
    pub transfer: TransferId,
    /// What happens to it.
    pub action: Action,
    /// Digest of what the host stores beside this step.
    pub memo: Memo,
}

/// What settles a hold or a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Moves all of a hold (`None`) or a part of it; the rest is given back.
    Capture(Option<Amount>),
    /// Gives a hold back.
    Release,
    /// Moves a request's money: the payer agrees.
    Accept,
    /// Ends a request: the payer says no.
    Decline,
    /// Ends a request: the payee takes it back.
    Withdraw,
    /// Ends a hold or request whose time has run out.
    Expire,
}

/// A command and its tie to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Item {
    /// What to decide.
    pub command: Command,
    /// True: this command and the next succeed or fail together. The last of a group says false.
    pub linked: bool,
}

impl Item {
    /// A command that stands for itself.
    pub const fn alone(command: Command) -> Item {
        Item { command, linked: false }
    }
}
