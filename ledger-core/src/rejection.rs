//! Why a command is refused. Wording for end users is each surface's; here are the facts.

use crate::Amount;
use core::fmt;

/// A fact about the world that stands in the way of a command.
///
/// The order of the variants is the precedence of the checks: when two facts stand in the way, the earlier one is
/// answered. Codes and words are for ever; new ones are only added.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Rejection {
    /// Another command of the same linked group was refused.
    LinkedFailed,
    /// The batch ended inside a linked group.
    LinkedOpen,
    /// The id was used before with other content.
    IdReused,
    /// The account id was used before.
    AccountExists,
    /// Not above zero.
    AmountOutOfRange,
    /// Payer and payee are the same account.
    SameAccount,
    /// The expiry is not later than now.
    ExpiryPassed,
    /// The floor is above the ceiling, an opening balance of zero lies outside of them, or the most that may pass is below zero.
    LimitsCrossed,
    /// No such account.
    AccountNotFound,
    /// The paying account does not exist.
    PayerNotFound,
    /// The receiving account does not exist.
    PayeeNotFound,
    /// No such transfer.
    TransferNotFound,
    /// Only a hold can be captured or released.
    NotAHold,
    /// Only a request can be accepted, declined or withdrawn.
    NotARequest,
    /// The money has moved already.
    AlreadyPosted,
    /// The hold was given back already.
    AlreadyReleased,
    /// The payer declined already.
    AlreadyDeclined,
    /// The payee withdrew already.
    AlreadyWithdrawn,
    /// Its time has run out.
    Expired,
    /// Its time has not run out yet.
    NotExpired,
    /// More than was held.
    CaptureExceedsHold {
        /// What is held.
        held: Amount,
    },
    /// The account is closed.
    AccountClosed,
    /// The paying account is closed.
    PayerClosed,
    /// The receiving account is closed.
    PayeeClosed,
    /// The paying account is frozen.
    PayerFrozen,
    /// The receiving account is frozen.
    PayeeFrozen,
    /// An account with a balance cannot be closed.
    BalanceNotZero {
        /// The balance in the way.
        balance: Amount,
    },
    /// An account with reservations cannot be closed.
    HoldsOutstanding,
    /// The payer's floor would be passed. Holds count.
    FloorExceeded {
        /// The most that can be sent, at least 0.
        available: Amount,
    },
    /// The payee's ceiling would be passed. Holds count.
    CeilingExceeded {
        /// The most that can be received, at least 0.
        room: Amount,
    },
    /// More would pass from the payer in a day, a week or a month than may.
    PayerWindowAmountExceeded {
        /// The most that may still pass in all of the running windows, at least 0.
        available: Amount,
    },
    /// The payer may not pay again in the running day, week or month.
    PayerWindowCountExceeded,
    /// More would pass to the payee in a day, a week or a month than may.
    PayeeWindowAmountExceeded {
        /// The most that may still pass in all of the running windows, at least 0.
        room: Amount,
    },
    /// The payee may not be paid again in the running day, week or month.
    PayeeWindowCountExceeded,
}

/// Every word, in the order of the codes: the code of a word is its place, from 1.
const WORDS: [&str; 34] = [
    "linked-failed",
    "linked-open",
    "id-reused",
    "account-exists",
    "amount-out-of-range",
    "same-account",
    "expiry-passed",
    "limits-crossed",
    "account-not-found",
    "payer-not-found",
    "payee-not-found",
    "transfer-not-found",
    "not-a-hold",
    "not-a-request",
    "already-posted",
    "already-released",
    "already-declined",
    "already-withdrawn",
    "expired",
    "not-expired",
    "capture-exceeds-hold",
    "account-closed",
    "payer-closed",
    "payee-closed",
    "payer-frozen",
    "payee-frozen",
    "balance-not-zero",
    "holds-outstanding",
    "floor-exceeded",
    "ceiling-exceeded",
    "payer-window-amount-exceeded",
    "payer-window-count-exceeded",
    "payee-window-amount-exceeded",
    "payee-window-count-exceeded",
];

impl Rejection {
    /// The stable code, 1 to 34, dense; also the precedence.
    pub const fn code(&self) -> u8 {
        match self {
            Rejection::LinkedFailed => 1,
            Rejection::LinkedOpen => 2,
            Rejection::IdReused => 3,
            Rejection::AccountExists => 4,
            Rejection::AmountOutOfRange => 5,
            Rejection::SameAccount => 6,
            Rejection::ExpiryPassed => 7,
            Rejection::LimitsCrossed => 8,
            Rejection::AccountNotFound => 9,
            Rejection::PayerNotFound => 10,
            Rejection::PayeeNotFound => 11,
            Rejection::TransferNotFound => 12,
            Rejection::NotAHold => 13,
            Rejection::NotARequest => 14,
            Rejection::AlreadyPosted => 15,
            Rejection::AlreadyReleased => 16,
            Rejection::AlreadyDeclined => 17,
            Rejection::AlreadyWithdrawn => 18,
            Rejection::Expired => 19,
            Rejection::NotExpired => 20,
            Rejection::CaptureExceedsHold { .. } => 21,
            Rejection::AccountClosed => 22,
            Rejection::PayerClosed => 23,
            Rejection::PayeeClosed => 24,
            Rejection::PayerFrozen => 25,
            Rejection::PayeeFrozen => 26,
            Rejection::BalanceNotZero { .. } => 27,
            Rejection::HoldsOutstanding => 28,
            Rejection::FloorExceeded { .. } => 29,
            Rejection::CeilingExceeded { .. } => 30,
            Rejection::PayerWindowAmountExceeded { .. } => 31,
            Rejection::PayerWindowCountExceeded => 32,
            Rejection::PayeeWindowAmountExceeded { .. } => 33,
            Rejection::PayeeWindowCountExceeded => 34,
        }
    }

    /// The rejection of a code, with the amount that some of them carry.
    pub const fn from_code(code: u8, amount: Amount) -> Option<Rejection> {
        Some(match code {
            1 => Rejection::LinkedFailed,
            2 => Rejection::LinkedOpen,
            3 => Rejection::IdReused,
            4 => Rejection::AccountExists,
            5 => Rejection::AmountOutOfRange,
            6 => Rejection::SameAccount,
            7 => Rejection::ExpiryPassed,
            8 => Rejection::LimitsCrossed,
            9 => Rejection::AccountNotFound,
            10 => Rejection::PayerNotFound,
            11 => Rejection::PayeeNotFound,
            12 => Rejection::TransferNotFound,
            13 => Rejection::NotAHold,
            14 => Rejection::NotARequest,
            15 => Rejection::AlreadyPosted,
            16 => Rejection::AlreadyReleased,
            17 => Rejection::AlreadyDeclined,
            18 => Rejection::AlreadyWithdrawn,
            19 => Rejection::Expired,
            20 => Rejection::NotExpired,
            21 => Rejection::CaptureExceedsHold { held: amount },
            22 => Rejection::AccountClosed,
            23 => Rejection::PayerClosed,
            24 => Rejection::PayeeClosed,
            25 => Rejection::PayerFrozen,
            26 => Rejection::PayeeFrozen,
            27 => Rejection::BalanceNotZero { balance: amount },
            28 => Rejection::HoldsOutstanding,
            29 => Rejection::FloorExceeded { available: amount },
            30 => Rejection::CeilingExceeded { room: amount },
            31 => Rejection::PayerWindowAmountExceeded { available: amount },
            32 => Rejection::PayerWindowCountExceeded,
            33 => Rejection::PayeeWindowAmountExceeded { room: amount },
            34 => Rejection::PayeeWindowCountExceeded,
            _ => return None,
        })
    }

    /// The word that Rust, WIT, HTTP and TypeScript share, for example `floor-exceeded`.
    pub const fn word(&self) -> &'static str {
        WORDS[self.code() as usize - 1]
    }

    /// The amount that comes with it: the most that can be sent or received, what is held, the balance in the way.
    pub const fn amount(&self) -> Option<Amount> {
        match self {
            Rejection::CaptureExceedsHold { held } => Some(*held),
            Rejection::BalanceNotZero { balance } => Some(*balance),
            Rejection::FloorExceeded { available } => Some(*available),
            Rejection::CeilingExceeded { room } => Some(*room),
            Rejection::PayerWindowAmountExceeded { available } => Some(*available),
            Rejection::PayeeWindowAmountExceeded { room } => Some(*room),
            Rejection::LinkedFailed
            | Rejection::LinkedOpen
            | Rejection::IdReused
            | Rejection::AccountExists
            | Rejection::AmountOutOfRange
            | Rejection::SameAccount
            | Rejection::ExpiryPassed
            | Rejection::LimitsCrossed
            | Rejection::AccountNotFound
            | Rejection::PayerNotFound
            | Rejection::PayeeNotFound
            | Rejection::TransferNotFound
            | Rejection::NotAHold
            | Rejection::NotARequest
            | Rejection::AlreadyPosted
            | Rejection::AlreadyReleased
            | Rejection::AlreadyDeclined
            | Rejection::AlreadyWithdrawn
            | Rejection::Expired
            | Rejection::NotExpired
            | Rejection::AccountClosed
            | Rejection::PayerClosed
            | Rejection::PayeeClosed
            | Rejection::PayerFrozen
            | Rejection::PayeeFrozen
            | Rejection::HoldsOutstanding
            | Rejection::PayerWindowCountExceeded
            | Rejection::PayeeWindowCountExceeded => None,
        }
    }

    /// Whether the same command could be accepted later, when the world has changed. What is not retryable is wrong in
    /// itself, or final.
    pub const fn retryable(&self) -> bool {
        match self {
            Rejection::LinkedFailed
            | Rejection::AccountNotFound
            | Rejection::PayerNotFound
            | Rejection::PayeeNotFound
            | Rejection::TransferNotFound
            | Rejection::NotExpired
            | Rejection::PayerFrozen
            | Rejection::PayeeFrozen
            | Rejection::BalanceNotZero { .. }
            | Rejection::HoldsOutstanding
            | Rejection::FloorExceeded { .. }
            | Rejection::CeilingExceeded { .. }
            | Rejection::PayerWindowAmountExceeded { .. }
            | Rejection::PayerWindowCountExceeded
            | Rejection::PayeeWindowAmountExceeded { .. }
            | Rejection::PayeeWindowCountExceeded => true,
            Rejection::LinkedOpen
            | Rejection::IdReused
            | Rejection::AccountExists
            | Rejection::AmountOutOfRange
            | Rejection::SameAccount
            | Rejection::ExpiryPassed
            | Rejection::LimitsCrossed
            | Rejection::NotAHold
            | Rejection::NotARequest
            | Rejection::AlreadyPosted
            | Rejection::AlreadyReleased
            | Rejection::AlreadyDeclined
            | Rejection::AlreadyWithdrawn
            | Rejection::Expired
            | Rejection::CaptureExceedsHold { .. }
            | Rejection::AccountClosed
            | Rejection::PayerClosed
            | Rejection::PayeeClosed => false,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.amount() {
            Some(amount) => write!(f, "{} {}", self.word(), amount.minor()),
            None => f.write_str(self.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_dense_unique_and_round_trip() {
        let amount = Amount::new(7).unwrap();
        let mut seen = 0;
        for code in 0..=u8::MAX {
            if let Some(rejection) = Rejection::from_code(code, amount) {
                assert_eq!(rejection.code(), code);
                assert_eq!(rejection.word(), WORDS[usize::from(code) - 1]);
                seen += 1;
                assert_eq!(code, seen, "codes have a gap");
            }
        }
        assert_eq!(usize::from(seen), WORDS.len());
    }
}
