//! What can be done, in one list. What each is called in an API is that surface's.

use crate::store::Error;

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Somebody signed up: a person and an entity.
    AccountCreated,
    /// Somebody got a token.
    LoggedIn,
    /// Somebody did not get one.
    LoginFailed,
    /// Somebody gave their token back.
    LoggedOut,
    /// A token for a new password was sent.
    ResetRequested,
    /// Somebody has another password.
    PasswordChanged,
    /// Details of a person.
    UserChanged,
    /// A person is gone.
    UserDeleted,
    /// Details, tags or categories of an entity, or how far it is admitted.
    EntityChanged,
    /// How far an entity may go into credit and into debt.
    LimitsChanged,
    /// An entity is gone.
    EntityDeleted,
    /// An entity is a favourite of another, or no longer.
    FavoriteSet,
    /// A message went from one entity to another.
    MessageSent,
    /// One entity proposed a transfer to another.
    TransferProposed,
    /// The receiver agreed.
    TransferAccepted,
    /// The receiver did not.
    TransferRejected,
    /// The initiator took it back.
    TransferCancelled,
    /// A limit stood in the way of accepting it, and the system cancelled it.
    TransferStopped,
    /// Nobody answered in time, and the system cancelled it.
    TransferExpired,
    /// An administrator moved money at once.
    TransferMade,
    /// Many transfers were sent at once, and some of them happened.
    TransfersSent,
    /// One side of a completed transfer proposed to take it back.
    ReversalProposed,
    /// An administrator took a completed transfer back, by a new one.
    ReversalMade,
    /// A tag came into the vocabulary.
    TagCreated,
    /// A tag has another name.
    TagChanged,
    /// A tag is gone, from every entity.
    TagDeleted,
    /// A category came into being.
    CategoryCreated,
    /// A category has another name.
    CategoryChanged,
    /// A category is gone, from every entity.
    CategoryDeleted,
}

impl Action {
    /// All of them.
    pub const ALL: [Action; 29] = [
        Action::AccountCreated,
        Action::LoggedIn,
        Action::LoginFailed,
        Action::LoggedOut,
        Action::ResetRequested,
        Action::PasswordChanged,
        Action::UserChanged,
        Action::UserDeleted,
        Action::EntityChanged,
        Action::LimitsChanged,
        Action::EntityDeleted,
        Action::FavoriteSet,
        Action::MessageSent,
        Action::TransferProposed,
        Action::TransferAccepted,
        Action::TransferRejected,
        Action::TransferCancelled,
        Action::TransferStopped,
        Action::TransferExpired,
        Action::TransferMade,
        Action::TransfersSent,
        Action::ReversalProposed,
        Action::ReversalMade,
        Action::TagCreated,
        Action::TagChanged,
        Action::TagDeleted,
        Action::CategoryCreated,
        Action::CategoryChanged,
        Action::CategoryDeleted,
    ];

    /// As it is stored: these never change.
    pub const fn word(self) -> &'static str {
        match self {
            Action::AccountCreated => "account-created",
            Action::LoggedIn => "logged-in",
            Action::LoginFailed => "login-failed",
            Action::LoggedOut => "logged-out",
            Action::ResetRequested => "reset-requested",
            Action::PasswordChanged => "password-changed",
            Action::UserChanged => "user-changed",
            Action::UserDeleted => "user-deleted",
            Action::EntityChanged => "entity-changed",
            Action::LimitsChanged => "limits-changed",
            Action::EntityDeleted => "entity-deleted",
            Action::FavoriteSet => "favorite-set",
            Action::MessageSent => "message-sent",
            Action::TransferProposed => "transfer-proposed",
            Action::TransferAccepted => "transfer-accepted",
            Action::TransferRejected => "transfer-rejected",
            Action::TransferCancelled => "transfer-cancelled",
            Action::TransferStopped => "transfer-stopped",
            Action::TransferExpired => "transfer-expired",
            Action::TransferMade => "transfer-made",
            Action::TransfersSent => "transfers-sent",
            Action::ReversalProposed => "reversal-proposed",
            Action::ReversalMade => "reversal-made",
            Action::TagCreated => "tag-created",
            Action::TagChanged => "tag-changed",
            Action::TagDeleted => "tag-deleted",
            Action::CategoryCreated => "category-created",
            Action::CategoryChanged => "category-changed",
            Action::CategoryDeleted => "category-deleted",
        }
    }

    /// The action of a stored word.
    pub(super) fn from_word(word: &str) -> Result<Action, Error> {
        let action = Action::ALL.into_iter().find(|action| action.word() == word);
        action.ok_or_else(|| Error::Corrupt(format!("{word} is no action")))
    }
}
