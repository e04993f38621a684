//! What goes into a statement: typed values. An absent value still has a type, because PostgreSQL wants to know it.

use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, Encode, Type};
use uuid::Uuid;

/// A value of one of the five types that the schema has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// An integer: amounts in minor units, times in microseconds, counts.
    Int(Option<i64>),
    /// Text.
    Text(Option<String>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
    /// A 128-bit id.
    Id(Option<u128>),
    /// True or false.
    Bool(bool),
}

/// A statement with its values, to be run later: in the transaction of the batch that it belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The text, with `$1` placeholders.
    pub sql: &'static str,
    /// The values.
    pub values: Vec<Value>,
}

/// Rows of one table, to be inserted later.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rows {
    /// The statement without its rows: `insert into … (…)`.
    pub head: &'static str,
    /// Values of a row.
    pub width: usize,
    /// Row after row.
    pub values: Vec<Value>,
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(Some(value))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Value {
        Value::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(Some(value.to_owned()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(Some(value))
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Value {
        Value::Text(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Value {
        Value::Bytes(Some(value))
    }
}

impl From<Option<Vec<u8>>> for Value {
    fn from(value: Option<Vec<u8>>) -> Value {
        Value::Bytes(value)
    }
}

impl From<u128> for Value {
    fn from(value: u128) -> Value {
        Value::Id(Some(value))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

pub(super) fn for_sqlite(values: Vec<Value>) -> Result<SqliteArguments, BoxDynError> {
    values.into_iter().try_fold(SqliteArguments::default(), add)
}

pub(super) fn for_postgres(values: Vec<Value>) -> Result<PgArguments, BoxDynError> {
    values.into_iter().try_fold(PgArguments::default(), add)
}

fn add<A: Arguments>(mut arguments: A, value: Value) -> Result<A, BoxDynError>
where
    for<'t> Option<i64>: Encode<'t, A::Database> + Type<A::Database>,
    for<'t> Option<String>: Encode<'t, A::Database> + Type<A::Database>,
    for<'t> Option<Vec<u8>>: Encode<'t, A::Database> + Type<A::Database>,
    for<'t> Option<Uuid>: Encode<'t, A::Database> + Type<A::Database>,
    for<'t> bool: Encode<'t, A::Database> + Type<A::Database>,
{
    match value {
        Value::Int(int) => arguments.add(int)?,
        Value::Text(text) => arguments.add(text)?,
        Value::Bytes(bytes) => arguments.add(bytes)?,
        Value::Id(id) => arguments.add(id.map(Uuid::from_u128))?,
        Value::Bool(truth) => arguments.add(truth)?,
    }
    Ok(arguments)
}
