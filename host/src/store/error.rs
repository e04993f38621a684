//! What can go wrong with a database, sorted by what a caller can do about it.

use sqlx::error::{BoxDynError, ErrorKind};

/// What a driver said.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A database error.
#[derive(thiserror::Error, Debug)]
pub enum Error {
    /// Somebody else was in the way (serialization failure, deadlock, lock not granted): the same transaction may
    /// succeed when it is run again from its beginning.
    #[error("the database asks to try the transaction again")]
    Retry(#[source] Cause),
    /// The database cannot be reached, went away, is full or read-only.
    #[error("the database is not available")]
    Unavailable(#[source] Cause),
    /// A named constraint does not allow it.
    #[error("constraint {name} is violated")]
    Constraint {
        /// The constraint: `table.column` for unique ones.
        name: String,
    },
    /// A mistake in a statement or a schema: nothing a caller could do.
    #[error("the database refused a statement")]
    Statement(#[source] Cause),
    /// The schema could not be brought up to date.
    #[error("the migration failed")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A stored value cannot be what it says: somebody changed it, or the disk did.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// The address is not one of a database.
    #[error("{0}")]
    Address(String),
}

impl Error {
    /// Whether the constraint of this name stood in the way.
    pub fn violates(&self, constraint: &str) -> bool {
        matches!(self, Error::Constraint { name } if name == constraint)
    }

    /// The same for somebody else who waited for the same thing.
    pub(super) fn for_another(&self) -> Error {
        match self {
            Error::Retry(cause) => Error::Retry(cause.to_string().into()),
            Error::Unavailable(cause) => Error::Unavailable(cause.to_string().into()),
            Error::Constraint { name } => Error::Constraint { name: name.clone() },
            Error::Statement(cause) => Error::Statement(cause.to_string().into()),
            Error::Migration(error) => Error::Statement(error.to_string().into()),
            Error::Corrupt(what) => Error::Corrupt(what.clone()),
            Error::Address(what) => Error::Address(what.clone()),
        }
    }

    /// Whether a commit that failed so may have become durable all the same.
    pub const fn outcome_unknown(&self) -> bool {
        matches!(self, Error::Unavailable(_))
    }
}

impl From<BoxDynError> for Error {
    fn from(error: BoxDynError) -> Error {
        Error::Statement(error)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        let sqlx::Error::Database(database) = &error else {
            return match error {
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Error::Corrupt(error.to_string()),
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::BeginFailed
                | sqlx::Error::WorkerCrashed => Error::Unavailable(error.into()),
                _ => Error::Statement(error.into()),
            };
        };
        match database.kind() {
            ErrorKind::UniqueViolation
            | ErrorKind::ForeignKeyViolation
            | ErrorKind::NotNullViolation
            | ErrorKind::CheckViolation => {
                // SQLite has no constraint() but says "UNIQUE constraint failed: table.column".
                let message = database.message().rsplit(": ").next().unwrap_or_default();
                return Error::Constraint { name: database.constraint().unwrap_or(message).to_owned() };
            }
            _ => {}
        }
        match database.code().as_deref().map(sort_code) {
            Some(sort) => sort.of(error.into()),
            None => Error::Statement(error.into()),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        let rusqlite::Error::SqliteFailure(failure, message) = &error else {
            return Error::Statement(error.into());
        };
        if failure.code == rusqlite::ErrorCode::ConstraintViolation {
            let message = message.as_deref().unwrap_or_default();
            return Error::Constraint { name: message.rsplit(": ").next().unwrap_or_default().to_owned() };
        }
        sort_code(&failure.extended_code.to_string()).of(error.into())
    }
}

enum Sort {
    Retry,
    Unavailable,
    Statement,
}

impl Sort {
    fn of(self, cause: Cause) -> Error {
        match self {
            Sort::Retry => Error::Retry(cause),
            Sort::Unavailable => Error::Unavailable(cause),
            Sort::Statement => Error::Statement(cause),
        }
    }
}

/// PostgreSQL's SQLSTATE has five characters; SQLite's extended result codes are shorter numbers.
fn sort_code(code: &str) -> Sort {
    match code {
        // serialization_failure, deadlock_detected, lock_not_available; SQLITE_BUSY, _BUSY_RECOVERY, _BUSY_SNAPSHOT, _LOCKED
        "40001" | "40P01" | "55P03" | "5" | "261" | "517" | "6" => Sort::Retry,
        // read_only_sql_transaction; SQLITE_PERM, _READONLY, _IOERR, _FULL, _CANTOPEN
        // and statement_completion_unknown, a commit whose fate distributed engines do not know.
        "25006" | "40003" | "3" | "8" | "10" | "13" | "14" => Sort::Unavailable,
        // Classes 08 connection, 53 resources (disk full, too many connections), 55 not in the right state (takes no connections),
        // 57 operator intervention, 58 system error.
        code if code.len() == 5 && ["08", "53", "55", "57", "58"].contains(&&code[..2]) => Sort::Unavailable,
        // Extended forms of SQLITE_READONLY, _IOERR and _CANTOPEN carry the primary code in their low byte.
        code if code.parse::<u32>().is_ok_and(|code| code > 255 && [8, 10, 14].contains(&(code & 0xff))) => {
            Sort::Unavailable
        }
        _ => Sort::Statement,
    }
}
