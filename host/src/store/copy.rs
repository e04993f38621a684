//! Adding very many rows to PostgreSQL: a `copy … from stdin` in its binary form, of rows that were packed before. It takes the database
//! half of the time of the same rows in a statement, which has to be taken apart and put together again as rows.

use super::{Error, Tx};
use sqlx::PgConnection;

/// What a copy begins with: what it is, no flags, and no extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The end, in the place of a number of columns.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

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

    /// An integer of 64 bits.
    pub fn int(&mut self, int: i64) {
        self.value(&int.to_be_bytes());
    }

    /// An integer of 64 bits, or null.
    pub fn optional_int(&mut self, int: Option<i64>) {
        match int {
            Some(int) => self.int(int),
            None => self.bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }

    /// A 128-bit id.
    pub fn id(&mut self, id: u128) {
        self.value(&id.to_be_bytes());
    }

    /// True or false.
    pub fn bool(&mut self, truth: bool) {
        self.value(&[u8::from(truth)]);
    }

    /// Text.
    pub fn text(&mut self, text: &str) {
        self.value(text.as_bytes());
    }

    fn value(&mut self, value: &[u8]) {
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
