//! What mails tell: each kind and its word in the table.

/// What a mail tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An entity has joined: to the entity.
    Welcome,
    /// What others want or offer that the entity offers or wants: to the entity.
    DailyMatch,
    /// What another entity writes: to the entity, whose answer goes to the other.
    TradeContact,
    /// The same: to administrators, so that they can see what is written.
    TradeContactCopy,
    /// A transfer was proposed: to who has to answer.
    TransferInitiated,
    /// It was accepted: to who proposed it.
    TransferAccepted,
    /// It was rejected: to who proposed it.
    TransferRejected,
    /// It was taken back: to who would have had to answer.
    TransferCancelled,
    /// A limit stood in the way of it: to both.
    TransferCancelledBySystem,
    /// Nobody answered in time: to both.
    TransferExpired,
    /// The token that opens the members' door to who forgot a password.
    PasswordReset,
    /// The same at the administrators' door.
    AdministratorPasswordReset,
    /// An entity has joined: to administrators.
    SignupNotification,
    /// The books are not what they should be: to administrators.
    BooksOutOfBalance,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 14] = [
        Kind::Welcome,
        Kind::DailyMatch,
        Kind::TradeContact,
        Kind::TradeContactCopy,
        Kind::TransferInitiated,
        Kind::TransferAccepted,
        Kind::TransferRejected,
        Kind::TransferCancelled,
        Kind::TransferCancelledBySystem,
        Kind::TransferExpired,
        Kind::PasswordReset,
        Kind::AdministratorPasswordReset,
        Kind::SignupNotification,
        Kind::BooksOutOfBalance,
    ];

    /// Its word in the table.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Welcome => "welcome",
            Kind::DailyMatch => "daily-match",
            Kind::TradeContact => "trade-contact",
            Kind::TradeContactCopy => "trade-contact-copy",
            Kind::TransferInitiated => "transfer-initiated",
            Kind::TransferAccepted => "transfer-accepted",
            Kind::TransferRejected => "transfer-rejected",
            Kind::TransferCancelled => "transfer-cancelled",
            Kind::TransferCancelledBySystem => "transfer-cancelled-by-system",
            Kind::TransferExpired => "transfer-expired",
            Kind::PasswordReset => "password-reset",
            Kind::AdministratorPasswordReset => "admin-password-reset",
            Kind::SignupNotification => "signup-notification",
            Kind::BooksOutOfBalance => "books-out-of-balance",
        }
    }

    /// Whether somebody waits for it, with no other way in.
    pub const fn is_reset(self) -> bool {
        matches!(self, Kind::PasswordReset | Kind::AdministratorPasswordReset)
    }

    /// The kind of a word.
    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.word() == word)
    }
}
