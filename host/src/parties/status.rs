//! How far an entity has been admitted.

use crate::store::Error;
use ledger_core::AccountStatus;

/// The six statuses of the document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntityStatus {
    /// Has signed up.
    Pending,
    /// May be found, and find others.
    Accepted,
    /// Was not admitted.
    Rejected,
    /// Has asked to trade.
    TradingPending,
    /// Trades.
    TradingAccepted,
    /// May not trade.
    TradingRejected,
}

impl EntityStatus {
    /// All of them, in the order of the document.
    pub const ALL: [EntityStatus; 6] = [
        EntityStatus::Pending,
        EntityStatus::Accepted,
        EntityStatus::Rejected,
        EntityStatus::TradingPending,
        EntityStatus::TradingAccepted,
        EntityStatus::TradingRejected,
    ];

    /// The document's word.
    pub const fn word(self) -> &'static str {
        match self {
            EntityStatus::Pending => "pending",
            EntityStatus::Accepted => "accepted",
            EntityStatus::Rejected => "rejected",
            EntityStatus::TradingPending => "tradingPending",
            EntityStatus::TradingAccepted => "tradingAccepted",
            EntityStatus::TradingRejected => "tradingRejected",
        }
    }

    /// The status of a word.
    pub fn from_word(word: &str) -> Option<EntityStatus> {
        EntityStatus::ALL.into_iter().find(|status| status.word() == word)
    }

    /// Whether it can be found, and find others.
    pub const fn is_listed(self) -> bool {
        !matches!(self, EntityStatus::Pending | EntityStatus::Rejected)
    }

    /// Whether its account moves money.
    pub(super) const fn account_status(self) -> AccountStatus {
        match self {
            EntityStatus::TradingAccepted => AccountStatus::Open,
            _ => AccountStatus::Frozen,
        }
    }
}

/// Reads a stored word.
pub(super) fn stored_status(word: &str) -> Result<EntityStatus, Error> {
    EntityStatus::from_word(word).ok_or_else(|| Error::Corrupt(format!("{word} is no status of an entity")))
}

#[cfg(test)]
mod tests {
    use super::EntityStatus;
    use crate::directory::LISTED;

    #[test]
    fn sql_lists_the_same_statuses() {
        for status in EntityStatus::ALL {
            assert_eq!(status.is_listed(), LISTED.contains(&format!("'{}'", status.word())), "{status:?}");
        }
    }
}
