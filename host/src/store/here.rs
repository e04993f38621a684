//! SQLite on the calling thread: prepared statements in a loop, without a driver's thread in between. For a thread that may block.
//!
//! A statement through the driver costs two thread switches; a batch of thousands of rows would spend most of its time in them.

use super::{Armed, Error, Row, Value};
use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OpenFlags, Rows};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedMutexGuard;

/// Statements kept prepared.
const PREPARED: usize = 64;

/// A connection that is used from threads that may block; opened when it is first needed.
#[derive(Debug)]
pub struct Writer {
    file: PathBuf,
    busy_timeout: Duration,
    connection: Option<Connection>,
}

/// A transaction on the calling thread. Dropping it rolls it back.
#[derive(Debug)]
pub struct HereTx {
    writer: OwnedMutexGuard<Writer>,
    open: bool,
    /// What goes wrong on purpose.
    armed: Armed,
}

/// A statement that is run many times.
pub struct Prepared<'c> {
    statement: CachedStatement<'c>,
}

/// A value for [`Prepared::run`], borrowed.
#[derive(Clone, Copy, Debug)]
pub enum Bind<'v> {
    /// An integer.
    Int(i64),
    /// An integer, or null.
    OptionalInt(Option<i64>),
    /// Text.
    Text(&'v str),
    /// Bytes.
    Bytes(&'v [u8]),
    /// A 128-bit id.
    Id([u8; 16]),
}

/// A row that was read here: its values, and the names of the columns.
#[derive(Debug)]
pub struct LocalRow {
    columns: Arc<[String]>,
    values: Vec<rusqlite::types::Value>,
}

impl Writer {
    /// Of this database file.
    pub(super) const fn new(file: PathBuf, busy_timeout: Duration) -> Writer {
        Writer { file, busy_timeout, connection: None }
    }

    /// Lets go of the file.
    pub(super) fn close(&mut self) {
        self.connection = None;
    }

    fn connection(&mut self) -> Result<&mut Connection, Error> {
        if self.connection.is_none() {
            // It is used by one thread at a time: its own locks, which every value of a row would take, are not needed.
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&self.file, flags)?;
            connection.busy_timeout(self.busy_timeout)?;
            connection.pragma_update(None, "synchronous", "full")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.set_prepared_statement_cache_capacity(PREPARED);
            self.connection = Some(connection);
        }
        self.connection.as_mut().ok_or_else(|| Error::Unavailable("the database was closed".into()))
    }
}

impl HereTx {
    /// Begins a transaction by this statement.
    pub(super) fn begin(mut writer: OwnedMutexGuard<Writer>, begin: &str, armed: Armed) -> Result<HereTx, Error> {
        writer.connection()?.prepare_cached(begin)?.raw_execute()?;
        Ok(HereTx { writer, open: true, armed })
    }

    /// A statement, kept prepared for the next time.
    ///
    /// # Errors
    /// When the database does not understand it.
    pub fn prepare(&mut self, sql: &str) -> Result<Prepared<'_>, Error> {
        self.armed.statement()?;
        // To SQLite `$1` is a name, numbered by where it first stands; `?1` is the first value wherever it stands.
        let sql = sql.replace('$', "?");
        Ok(Prepared { statement: self.writer.connection()?.prepare_cached(&sql)? })
    }

    pub(super) fn fetch_all(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Error> {
        let mut prepared = self.prepare(sql)?;
        prepared.bind_values(values)?;
        prepared.rows()
    }

    pub(super) fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, Error> {
        let mut prepared = self.prepare(sql)?;
        prepared.bind_values(values)?;
        Ok(u64::try_from(prepared.statement.raw_execute()?).unwrap_or(u64::MAX))
    }

    /// See [`super::Tx::insert`]. One row at a time: a prepared statement in a loop takes less than a long one that is read once.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn insert(&mut self, head: &str, width: usize, rows: &[Value], tail: &str) -> Result<(), Error> {
        let places: Vec<String> = (1..=width).map(|place| format!("?{place}")).collect();
        let mut prepared = self.prepare(&format!("{head} values ({}){tail}", places.join(", ")))?;
        for row in rows.chunks_exact(width) {
            prepared.bind_values(row)?;
            prepared.statement.raw_execute()?;
        }
        Ok(())
    }

    pub(super) fn commit(mut self) -> Result<(), Error> {
        self.armed.commit()?;
        self.writer.connection()?.prepare_cached("commit")?.raw_execute()?;
        self.open = false;
        self.armed.committed()
    }
}

impl Drop for HereTx {
    fn drop(&mut self) {
        // SQLite may have rolled back by itself, on a full disk for example; then there is nothing to do.
        if self.open
            && let Some(connection) = self.writer.connection.as_ref()
            && !connection.is_autocommit()
            && connection.execute_batch("rollback").is_err()
        {
            // A connection that cannot even do that is of no more use.
            self.writer.connection = None;
        }
    }
}

impl Prepared<'_> {
    /// Runs it once with these values, in the order of the placeholders.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn run(&mut self, values: &[Bind<'_>]) -> Result<usize, Error> {
        for (place, value) in (1..).zip(values) {
            let value = match value {
                Bind::Int(int) | Bind::OptionalInt(Some(int)) => ValueRef::Integer(*int),
                Bind::OptionalInt(None) => ValueRef::Null,
                Bind::Text(text) => ValueRef::Text(text.as_bytes()),
                Bind::Bytes(bytes) => ValueRef::Blob(bytes),
                Bind::Id(id) => ValueRef::Blob(id),
            };
            self.statement.raw_bind_parameter(place, ToSqlOutput::Borrowed(value))?;
        }
        Ok(self.statement.raw_execute()?)
    }

    /// The rows it gives for each of these last values, the ones before them being the same every time.
    pub(super) fn rows_for_each(&mut self, values: &[Value], keys: &[Value]) -> Result<Vec<Row>, Error> {
        self.bind_values(values)?;
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            self.bind_value(values.len() + 1, key)?;
            self.read_into(&mut rows)?;
        }
        Ok(rows)
    }

    /// The rows it gives for these values, to be read one after the other.
    pub(super) fn query(&mut self, values: &[Value]) -> Result<Rows<'_>, Error> {
        self.bind_values(values)?;
        Ok(self.statement.raw_query())
    }

    fn bind_values(&mut self, values: &[Value]) -> Result<(), Error> {
        (1..).zip(values).try_for_each(|(place, value)| self.bind_value(place, value))
    }

    fn bind_value(&mut self, place: usize, value: &Value) -> Result<(), Error> {
        let id;
        let value = match value {
            Value::Int(Some(int)) => ValueRef::Integer(*int),
            Value::Bool(truth) => ValueRef::Integer(i64::from(*truth)),
            Value::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Value::Id(Some(number)) => {
                id = number.to_be_bytes();
                ValueRef::Blob(&id)
            }
            Value::Int(None) | Value::Text(None) | Value::Bytes(None) | Value::Id(None) => ValueRef::Null,
        };
        Ok(self.statement.raw_bind_parameter(place, ToSqlOutput::Borrowed(value))?)
    }

    fn rows(&mut self) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        self.read_into(&mut rows)?;
        Ok(rows)
    }

    fn read_into(&mut self, into: &mut Vec<Row>) -> Result<(), Error> {
        let mut columns: Option<Arc<[String]>> = match into.first() {
            Some(Row::Here(row)) => Some(Arc::clone(&row.columns)),
            _ => None,
        };
        let mut found = self.statement.raw_query();
        while let Some(row) = found.next()? {
            // Most keys that are looked for are new: only where there is a row are its columns worth naming.
            let names = || row.as_ref().column_names().into_iter().map(str::to_owned).collect();
            let columns = Arc::clone(columns.get_or_insert_with(names));
            let value = |place| row.get_ref(place).map(rusqlite::types::Value::try_from);
            let mut values = Vec::with_capacity(columns.len());
            for place in 0..columns.len() {
                values.push(value(place)?.map_err(|error| Error::Corrupt(error.to_string()))?);
            }
            into.push(Row::Here(LocalRow { columns, values }));
        }
        Ok(())
    }
}

impl LocalRow {
    pub(super) fn get<T: FromSql>(&self, column: &str) -> Result<T, Error> {
        let place = self.columns.iter().position(|name| name == column);
        let value = place.map(|place| &self.values[place]);
        let value = value.ok_or_else(|| Error::Statement(format!("there is no column {column}").into()))?;
        T::column_result(ValueRef::from(value)).map_err(|error| Error::Corrupt(format!("{column}: {error}")))
    }
}
