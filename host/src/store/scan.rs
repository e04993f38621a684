//! Reading very many rows: each is handed to a closure as the engine has it, and its values are taken one after the other, in the
//! order of the select list. No name is looked up, and nothing is copied that is not asked for.
//!
//! On PostgreSQL a scan is a `copy … to stdout` in binary form, which costs the driver a third of a row of a query. A copy takes no
//! placeholders: integers and ids, which cannot be anything else, are written into its text, and other values are refused.

use super::here::HereTx;
use super::{Error, Tx, Value, value};
use rusqlite::types::ValueRef;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection as _, Decode, PgConnection, Row as _, Sqlite, SqliteConnection, Type};
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::Pin;
use uuid::Uuid;

/// A row that is being read. Its values are taken one after the other, in the order of the select list.
///
/// Every reading of a value is an error when there is no more column, or its value is of another type.
pub struct Scanned<'r> {
    row: Source<'r>,
}

enum Source<'r> {
    Here {
        row: &'r rusqlite::Row<'r>,
        next: usize,
    },
    Sqlite {
        row: &'r SqliteRow,
        next: usize,
    },
    /// What is left of the row: for each value its length and its bytes.
    Postgres(&'r [u8]),
}

impl<'r> Scanned<'r> {
    /// An integer.
    ///
    /// # Errors
    /// See [`Scanned`].
    #[inline]
    pub fn int(&mut self) -> Result<i64, Error> {
        self.optional_int()?.ok_or_else(null)
    }

    /// So many integers, none of them null: quicker than one at a time.
    ///
    /// # Errors
    /// See [`Scanned`].
    #[inline]
    pub fn ints<const N: usize>(&mut self) -> Result<[i64; N], Error> {
        let mut ints = [0; N];
        if let Source::Here { row, next } = &mut self.row {
            for int in &mut ints {
                let Ok(ValueRef::Integer(found)) = row.get_ref(*next) else { return Err(no_int(row, *next)) };
                (*int, *next) = (found, *next + 1);
            }
        } else {
            for int in &mut ints {
                *int = self.int()?;
            }
        }
        Ok(ints)
    }

    /// An integer, or null.
    ///
    /// # Errors
    /// See [`Scanned`].
    #[inline]
    pub fn optional_int(&mut self) -> Result<Option<i64>, Error> {
        match &mut self.row {
            Source::Here { row, next } => match here_value(row, next)? {
                ValueRef::Integer(int) => Ok(Some(int)),
                ValueRef::Null => Ok(None),
                _ => Err(other_type()),
            },
            Source::Sqlite { row, next } => driver_value(row, next),
            Source::Postgres(rest) => {
                let Some(bytes) = field(rest)? else { return Ok(None) };
                bytes.try_into().map(|bytes| Some(i64::from_be_bytes(bytes))).map_err(|_| other_type())
            }
        }
    }

    /// A 128-bit id.
    ///
    /// # Errors
    /// See [`Scanned`].
    #[inline]
    pub fn id(&mut self) -> Result<u128, Error> {
        self.bytes()?.try_into().map(u128::from_be_bytes).map_err(|_| other_type())
    }

    /// True or false.
    ///
    /// # Errors
    /// See [`Scanned`].
    #[inline]
    pub fn bool(&mut self) -> Result<bool, Error> {
        match &mut self.row {
            Source::Here { row, next } => match here_value(row, next)? {
                ValueRef::Integer(int @ (0 | 1)) => Ok(int == 1),
                _ => Err(other_type()),
            },
            Source::Sqlite { row, next } => driver_value(row, next),
            Source::Postgres(rest) => match field(rest)? {
                Some([int @ (0 | 1)]) => Ok(*int == 1),
                _ => Err(other_type()),
            },
        }
    }

    /// Text.
    ///
    /// # Errors
    /// See [`Scanned`].
    #[inline]
    pub fn text(&mut self) -> Result<&'r str, Error> {
        let bytes = match &mut self.row {
            Source::Here { row, next } => match here_value(row, next)? {
                ValueRef::Text(text) => text,
                _ => return Err(other_type()),
            },
            Source::Sqlite { row, next } => return driver_value(row, next),
            Source::Postgres(rest) => field(rest)?.ok_or_else(null)?,
        };
        std::str::from_utf8(bytes).map_err(|_| Error::Corrupt("a text is not in UTF-8".into()))
    }

    /// Bytes.
    ///
    /// # Errors
    /// See [`Scanned`].
    #[inline]
    pub fn bytes(&mut self) -> Result<&'r [u8], Error> {
        self.optional_bytes()?.ok_or_else(null)
    }

    /// Bytes, or null.
    ///
    /// # Errors
    /// See [`Scanned`].
    #[inline]
    pub fn optional_bytes(&mut self) -> Result<Option<&'r [u8]>, Error> {
        match &mut self.row {
            Source::Here { row, next } => match here_value(row, next)? {
                ValueRef::Blob(bytes) => Ok(Some(bytes)),
                ValueRef::Null => Ok(None),
                _ => Err(other_type()),
            },
            Source::Sqlite { row, next } => driver_value(row, next),
            Source::Postgres(rest) => field(rest),
        }
    }
}

#[inline]
fn here_value<'r>(row: &'r rusqlite::Row<'r>, next: &mut usize) -> Result<ValueRef<'r>, Error> {
    *next += 1;
    Ok(row.get_ref(*next - 1)?)
}

fn driver_value<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(row: &'r SqliteRow, next: &mut usize) -> Result<T, Error> {
    *next += 1;
    Ok(row.try_get(*next - 1)?)
}

/// The next value of a row of PostgreSQL, which is its length, −1 for null, and so many bytes.
#[inline]
fn field<'r>(rest: &mut &'r [u8]) -> Result<Option<&'r [u8]>, Error> {
    let length = i32::from_be_bytes(take(rest)?);
    let Ok(length) = usize::try_from(length) else { return Ok(None) };
    let (bytes, after) = rest.split_at_checked(length).ok_or_else(cut)?;
    *rest = after;
    Ok(Some(bytes))
}

#[inline]
fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Error> {
    let (bytes, after) = rest.split_first_chunk().ok_or_else(cut)?;
    *rest = after;
    Ok(*bytes)
}

#[cold]
fn cut() -> Error {
    Error::Statement("a row of a scan has fewer columns than are read".into())
}

#[cold]
fn null() -> Error {
    Error::Corrupt("a value is missing".into())
}

/// Why a value cannot be read as an integer.
#[cold]
fn no_int(row: &rusqlite::Row<'_>, place: usize) -> Error {
    match row.get_ref(place) {
        Ok(ValueRef::Null) => null(),
        Ok(_) => other_type(),
        Err(error) => error.into(),
    }
}

#[cold]
fn other_type() -> Error {
    Error::Corrupt("a value is of another type than its column".into())
}

impl Tx {
    /// Hands each row of a query to `each`, until it breaks or fails. Values are integers and ids. Where SQLite runs on another thread,
    /// all rows are read first.
    ///
    /// # Errors
    /// See [`Error`]; and what `each` fails with.
    pub async fn scan<E: From<Error>>(
        &mut self,
        sql: &'static str,
        values: &[Value],
        each: impl FnMut(&mut Scanned<'_>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        match self {
            Tx::Here(tx) => here(tx, sql, values, each),
            Tx::Postgres { tx, .. } => copy(tx, sql, values, each).await,
            Tx::Sqlite { tx, .. } => driver(tx, sql, values, each).await,
        }
    }
}

fn here<E: From<Error>>(
    tx: &mut HereTx,
    sql: &'static str,
    values: &[Value],
    mut each: impl FnMut(&mut Scanned<'_>) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let mut prepared = tx.prepare(sql)?;
    let mut rows = prepared.query(values)?;
    while let Some(row) = rows.next().map_err(Error::from)? {
        if each(&mut Scanned { row: Source::Here { row, next: 0 } })?.is_break() {
            break;
        }
    }
    Ok(())
}

async fn driver<E: From<Error>>(
    connection: &mut SqliteConnection,
    sql: &'static str,
    values: &[Value],
    mut each: impl FnMut(&mut Scanned<'_>) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let arguments = value::for_sqlite(values.to_vec()).map_err(Error::from)?;
    for row in sqlx::query_with(sql, arguments).fetch_all(connection).await.map_err(Error::from)? {
        if each(&mut Scanned { row: Source::Sqlite { row: &row, next: 0 } })?.is_break() {
            break;
        }
    }
    Ok(())
}

/// What a copy begins with: eleven bytes that say what it is, flags, and the length of an extension that there is not.
const COPY_HEADER: usize = 11 + 4 + 4;

async fn copy<E: From<Error>>(
    connection: &mut PgConnection,
    sql: &'static str,
    values: &[Value],
    each: impl FnMut(&mut Scanned<'_>) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let statement = format!("copy ({}) to stdout (format binary)", with_literals(sql, values)?);
    match receive(connection, &statement, each).await {
        Ok(received) => received,
        Err(refused) => {
            get_in_step(connection).await;
            Err(refused.into())
        }
    }
}

/// The outer error is a copy that did not begin.
async fn receive<E: From<Error>>(
    connection: &mut PgConnection,
    statement: &str,
    mut each: impl FnMut(&mut Scanned<'_>) -> Result<ControlFlow<()>, E>,
) -> Result<Result<(), E>, Error> {
    let mut messages = connection.copy_out_raw(statement).await?;
    let (mut header, mut ended) = (COPY_HEADER, Ok(ControlFlow::Continue(())));
    // What was begun is received to its end, or the connection could not be used any more.
    while let Some(message) = poll_fn(|context| Pin::as_mut(&mut messages).poll_next(context)).await {
        let message = match message {
            Ok(message) => message,
            Err(error) => return Ok(Err(Error::from(error).into())),
        };
        if !matches!(ended, Ok(ControlFlow::Continue(()))) {
            continue;
        }
        // A message has one row; the first has the header before it.
        let Some(mut rest) = message.get(std::mem::take(&mut header)..) else {
            ended = Err(cut().into());
            continue;
        };
        if let Ok(count) = take(&mut rest)
            && i16::from_be_bytes(count) >= 0
        {
            ended = each(&mut Scanned { row: Source::Postgres(rest) });
        }
    }
    Ok(ended.map(drop))
}

/// After a copy that the database refused. The driver does not read then that the database is ready for the next question, and would take
/// it for the end of the next answer: from there on, everybody would get the answer of who asked before.
async fn get_in_step(connection: &mut PgConnection) {
    // A statement that is prepared expects something else first. It fails by what was left, if anything was, but counts that its own
    // answer is still to be read; the ping reads it. The transaction is broken, so that nothing else can come of either.
    let _ = sqlx::query("select 1").persistent(false).execute(&mut *connection).await;
    let _ = connection.ping().await;
}

/// The statement with its values in the places of the placeholders.
pub(super) fn with_literals(sql: &str, values: &[Value]) -> Result<String, Error> {
    let mut text = sql.to_owned();
    // From the last, so that `$1` is not found in `$11`.
    for (place, value) in values.iter().enumerate().rev() {
        text = text.replace(&format!("${}", place + 1), &literal(value)?);
    }
    Ok(text)
}

/// An integer or an id as PostgreSQL reads it in a text.
pub(super) fn literal(value: &Value) -> Result<String, Error> {
    match value {
        Value::Int(Some(int)) => Ok(format!("({int})")),
        Value::Int(None) => Ok("null::bigint".into()),
        Value::Id(Some(id)) => Ok(format!("'{}'::uuid", Uuid::from_u128(*id))),
        Value::Id(None) => Ok("null::uuid".into()),
        _ => Err(Error::Statement("a scan takes integers and ids".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::with_literals;
    use crate::store::Value;

    #[test]
    fn literals_stand_where_the_placeholders_were() {
        let mut values: Vec<Value> = (1..=11_i64).map(|number| Value::from(-number)).collect();
        values.push(Value::from(7_u128));
        let text = with_literals("$1 $11 $12 $2", &values).unwrap();
        assert_eq!(text, "(-1) (-11) '00000000-0000-0000-0000-000000000007'::uuid (-2)");
        assert!(with_literals("$1", &["'; drop table ledger; --".into()]).is_err());
    }
}
