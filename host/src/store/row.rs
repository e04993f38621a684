//! What comes back from a query: columns by name, in the types of `value.rs`.

use super::Error;
use super::here::LocalRow;
use rusqlite::types::FromSql;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Postgres, Row as _, Sqlite, Type};
use uuid::Uuid;

/// One row of an answer.
#[derive(Debug)]
pub enum Row {
    /// From SQLite.
    Sqlite(SqliteRow),
    /// From PostgreSQL.
    Postgres(PgRow),
    /// From SQLite, read on the calling thread.
    Here(LocalRow),
}

impl Row {
    /// An integer.
    ///
    /// # Errors
    /// As for every column: when there is none of this name, or it is of another type; a mistake in the statement.
    pub fn int(&self, column: &str) -> Result<i64, Error> {
        self.get(column)
    }

    /// An integer, or null.
    ///
    /// # Errors
    /// See [`Row::int`].
    pub fn optional_int(&self, column: &str) -> Result<Option<i64>, Error> {
        self.get(column)
    }

    /// Text.
    ///
    /// # Errors
    /// See [`Row::int`].
    pub fn text(&self, column: &str) -> Result<String, Error> {
        self.get(column)
    }

    /// Text, or null.
    ///
    /// # Errors
    /// See [`Row::int`].
    pub fn optional_text(&self, column: &str) -> Result<Option<String>, Error> {
        self.get(column)
    }

    /// Bytes.
    ///
    /// # Errors
    /// See [`Row::int`].
    pub fn bytes(&self, column: &str) -> Result<Vec<u8>, Error> {
        self.get(column)
    }

    /// Bytes, or null.
    ///
    /// # Errors
    /// See [`Row::int`].
    pub fn optional_bytes(&self, column: &str) -> Result<Option<Vec<u8>>, Error> {
        self.get(column)
    }

    /// A 128-bit id.
    ///
    /// # Errors
    /// See [`Row::int`].
    pub fn id(&self, column: &str) -> Result<u128, Error> {
        Ok(self.get::<Uuid>(column)?.as_u128())
    }

    /// A 128-bit id, or null.
    ///
    /// # Errors
    /// See [`Row::int`].
    pub fn optional_id(&self, column: &str) -> Result<Option<u128>, Error> {
        Ok(self.get::<Option<Uuid>>(column)?.map(|id| id.as_u128()))
    }

    /// True or false.
    ///
    /// # Errors
    /// See [`Row::int`].
    pub fn bool(&self, column: &str) -> Result<bool, Error> {
        self.get(column)
    }

    fn get<T>(&self, column: &str) -> Result<T, Error>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> + FromSql,
    {
        Ok(match self {
            Row::Sqlite(row) => row.try_get(column)?,
            Row::Postgres(row) => row.try_get(column)?,
            Row::Here(row) => row.get(column)?,
        })
    }
}
