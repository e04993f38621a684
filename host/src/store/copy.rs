//! Adding very many rows to PostgreSQL: a `copy … from stdin` in its binary form, of rows that were packed before. A statement has to take
//! its arrays apart and put them together again as rows, which a copy spares the database.

use super::{Error, Tx, Value};
use sqlx::PgConnection;

/// What a copy begins with: what it is, no flags, and no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The end, in the place of a number of columns.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// Nothing, in the place of a length.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// Rows as they are sent: each is begun with the number of its columns, and then given its values in their order.
#[derive(Debug)]
pub struct PackedRows {
    bytes: Vec<u8>,
}

impl PackedRows {
    /// None, with room for so many bytes.
    pub fn with_capacity(bytes: usize) -> PackedRows {
        let mut rows = PackedRows { bytes: Vec::with_capacity(bytes + HEADER.len() + TRAILER.len()) };
        rows.bytes.extend_from_slice(HEADER);
        rows
    }

    /// Begins a row of so many columns.
    pub fn row(&mut self, columns: i16) {
        self.bytes.extend_from_slice(&columns.to_be_bytes());
    }

    /// The next value of the row, which must be of the type of its column.
    pub fn push(&mut self, value: &Value) {
        match value {
            Value::Int(Some(int)) => self.bytes(&int.to_be_bytes()),
            Value::Id(Some(id)) => self.bytes(&id.to_be_bytes()),
            Value::Bool(truth) => self.bytes(&[u8::from(*truth)]),
            Value::Text(Some(text)) => self.bytes(text.as_bytes()),
            Value::Bytes(Some(bytes)) => self.bytes(bytes),
            Value::Int(None) | Value::Id(None) | Value::Text(None) | Value::Bytes(None) => {
                self.bytes.extend_from_slice(&NULL);
            }
        }
    }

    fn bytes(&mut self, value: &[u8]) {
        let length = i32::try_from(value.len()).expect("a value is shorter than what a request may have");
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
    }
}

impl Tx {
    /// Adds rows by a `copy … from stdin (format binary)`, and tells how many it were. Must not be cancelled: what the database says to a copy
    /// that was left would be taken for the answer to the next question on its connection.
    ///
    /// # Errors
    /// See [`Error`]; always on SQLite.
    pub async fn copy(&mut self, sql: &'static str, rows: PackedRows) -> Result<u64, Error> {
        match self {
            Tx::Sqlite { .. } | Tx::Here(_) => Err(Error::Statement("SQLite has no copy".into())),
            Tx::Postgres { tx, armed } => {
                armed.statement()?;
                send(tx, sql, rows).await
            }
        }
    }
}

async fn send(
    connection: &mut PgConnection,
    sql: &'static str,
    PackedRows { mut bytes }: PackedRows,
) -> Result<u64, Error> {
    bytes.extend_from_slice(&TRAILER);
    let mut copy = connection.copy_in_raw(sql).await?;
    copy.send(bytes).await?;
    Ok(copy.finish().await?)
}
