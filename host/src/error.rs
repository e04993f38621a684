//! What can go wrong with a request, sorted by what its sender can do about it. Wording and envelope are each surface's,
//! and so are the words for what the ledger refuses.

use crate::limits::Exceeded;
use crate::posting::PostingError;
use crate::store;

/// Why a request was not done. Nothing of it happened; only for [`Error::Unavailable`] that may turn out otherwise.
#[derive(thiserror::Error, Debug)]
pub enum Error {
    /// 400: something in the request is wrong; each text says what.
    #[error("invalid: {}", .0.join(" "))]
    Invalid(Vec<String>),
    /// 401: no token, or one that is no longer good.
    #[error("not authenticated")]
    Unauthenticated,
    /// 403: it is somebody else's.
    #[error("forbidden")]
    Forbidden,
    /// 404: no such address.
    #[error("no such address")]
    NoSuchRoute,
    /// 405: not done in this way.
    #[error("no such method")]
    NoSuchMethod,
    /// 408: its sender stopped in the middle.
    #[error("too slow")]
    TooSlow,
    /// 413: more than a request may carry.
    #[error("too large")]
    TooLarge,
    /// 429: more requests than one client may send in a minute.
    #[error(transparent)]
    TooMany(#[from] Exceeded),
    /// 503: try again shortly.
    #[error("not available")]
    Unavailable,
    /// 500: our fault. Logged in full; none of it leaves.
    #[error(transparent)]
    Internal(anyhow::Error),
}

impl Error {
    /// One thing that is wrong with the request.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::Invalid(vec![message.into()])
    }
}

impl From<PostingError> for Error {
    fn from(error: PostingError) -> Error {
        match error {
            PostingError::Busy | PostingError::Unavailable => Error::Unavailable,
            PostingError::Conflict(_) | PostingError::TooLarge | PostingError::NoLedger => {
                Error::Internal(error.into())
            }
        }
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Error {
        match error.downcast::<store::Error>() {
            Ok(error) => error.into(),
            Err(error) => Error::Internal(error),
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        match error {
            store::Error::Unavailable(_) | store::Error::Retry(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the database failed");
                Error::Unavailable
            }
            error => Error::Internal(error.into()),
        }
    }
}
