//! PostgreSQL with a column at a time: one statement for a whole batch, whose placeholders are arrays for `unnest` and `any`.

use super::{Access, Db, Error, Row, Rows, Tx, Value, value};
use sqlx::postgres::PgArguments;
use sqlx::{Arguments, AssertSqlSafe, PgConnection, SqlSafeStr};
use std::borrow::Cow;
use std::fmt::{self, Debug, Formatter};
use uuid::Uuid;

/// The values of one column, for all rows of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Column {
    /// Integers.
    Ints(Vec<i64>),
    /// Integers, or null.
    OptionalInts(Vec<Option<i64>>),
    /// 128-bit ids.
    Ids(Vec<Uuid>),
    /// 128-bit ids, or null.
    OptionalIds(Vec<Option<Uuid>>),
    /// Texts.
    Texts(Vec<String>),
    /// Texts, or null.
    OptionalTexts(Vec<Option<String>>),
    /// Bytes.
    Bytes(Vec<Vec<u8>>),
    /// Bytes, or null.
    OptionalBytes(Vec<Option<Vec<u8>>>),
    /// True or false.
    Bools(Vec<bool>),
}

impl Column {
    /// Of 128-bit ids.
    pub fn ids(ids: impl IntoIterator<Item = u128>) -> Column {
        Column::Ids(ids.into_iter().map(Uuid::from_u128).collect())
    }

    /// Of keys, which are of one type: ids, texts or integers. Null is no key.
    pub(super) fn of(keys: &[Value]) -> Column {
        let int = |key: &Value| if let Value::Int(Some(int)) = key { Some(*int) } else { None };
        let id = |key: &Value| if let Value::Id(Some(id)) = key { Some(*id) } else { None };
        let text = |key: &Value| if let Value::Text(Some(text)) = key { Some(text.clone()) } else { None };
        match keys.first() {
            Some(Value::Id(_)) => Column::ids(keys.iter().filter_map(id)),
            Some(Value::Text(_)) => Column::Texts(keys.iter().filter_map(text).collect()),
            _ => Column::Ints(keys.iter().filter_map(int).collect()),
        }
    }

    /// Of values of the type that the first of them has, each of which may be null. None when there are none, or some of another type.
    fn of_values<'v>(values: impl Iterator<Item = &'v Value> + Clone) -> Option<Column> {
        fn all<'v, V>(values: impl Iterator<Item = &'v Value>, of: fn(&'v Value) -> Option<V>) -> Option<Vec<V>> {
            values.map(of).collect()
        }
        let id = |value: &Value| if let Value::Id(id) = value { Some(id.map(Uuid::from_u128)) } else { None };
        let int = |value: &Value| if let Value::Int(int) = value { Some(*int) } else { None };
        let text = |value: &Value| if let Value::Text(text) = value { Some(text.clone()) } else { None };
        let bytes = |value: &Value| if let Value::Bytes(bytes) = value { Some(bytes.clone()) } else { None };
        let bool = |value: &Value| if let Value::Bool(truth) = value { Some(*truth) } else { None };
        match values.clone().next()? {
            Value::Id(_) => all(values, id).map(Column::OptionalIds),
            Value::Int(_) => all(values, int).map(Column::OptionalInts),
            Value::Text(_) => all(values, text).map(Column::OptionalTexts),
            Value::Bytes(_) => all(values, bytes).map(Column::OptionalBytes),
            Value::Bool(_) => all(values, bool).map(Column::Bools),
        }
    }

    /// What PostgreSQL calls the type of its values.
    pub(super) const fn element(&self) -> &'static str {
        match self {
            Column::Ints(_) | Column::OptionalInts(_) => "bigint",
            Column::Ids(_) | Column::OptionalIds(_) => "uuid",
            Column::Texts(_) | Column::OptionalTexts(_) => "text",
            Column::Bytes(_) | Column::OptionalBytes(_) => "bytea",
            Column::Bools(_) => "boolean",
        }
    }

    fn add_to(self, arguments: &mut PgArguments) -> Result<(), Error> {
        Ok(match self {
            Column::Ints(column) => arguments.add(column),
            Column::OptionalInts(column) => arguments.add(column),
            Column::Ids(column) => arguments.add(column),
            Column::OptionalIds(column) => arguments.add(column),
            Column::Texts(column) => arguments.add(column),
            Column::OptionalTexts(column) => arguments.add(column),
            Column::Bytes(column) => arguments.add(column),
            Column::OptionalBytes(column) => arguments.add(column),
            Column::Bools(column) => arguments.add(column),
        }?)
    }
}

/// One statement of PostgreSQL with its values as they are sent.
pub struct Bulk {
    sql: Cow<'static, str>,
    arguments: PgArguments,
}

impl Bulk {
    /// `values` are the statement's first placeholders, `columns` the arrays after them.
    ///
    /// # Errors
    /// When a value cannot be sent.
    pub fn new(sql: impl Into<Cow<'static, str>>, values: Vec<Value>, columns: Vec<Column>) -> Result<Bulk, Error> {
        Ok(Bulk { sql: sql.into(), arguments: arguments(values, columns)? })
    }
}

/// What a statement does besides: a part for each table that these rows go into, once for each row of the part `head`, which has one or
/// none. Their arrays are added to `columns`; `before` is how many placeholders come before these.
///
/// # Errors
/// When a column has values of several types.
pub fn also(rows: &[Rows], before: usize, columns: &mut Vec<Column>) -> Result<String, Error> {
    let mut parts = String::new();
    for (number, Rows { head, width, values }) in rows.iter().enumerate() {
        parts.push_str(&format!(", also{number} as ({head} select u.* from head, unnest("));
        for column in 0..*width {
            let of_column = Column::of_values(values.iter().skip(column).step_by(*width));
            let values = of_column.ok_or_else(|| Error::Statement("a column has values of several types".into()))?;
            let comma = if column == 0 { "" } else { ", " };
            parts.push_str(&format!("{comma}${}::{}[]", before + columns.len() + 1, values.element()));
            columns.push(values);
        }
        parts.push_str(") u)");
    }
    Ok(parts)
}

impl Debug for Bulk {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk").field("sql", &self.sql).finish_non_exhaustive()
    }
}

impl Db {
    /// Runs one statement of PostgreSQL in a transaction of its own, and so in one round trip. It is a lane's, or one that others wait for as
    /// they wait for a lane.
    ///
    /// # Errors
    /// See [`Error`]; always on SQLite.
    pub async fn bulk(&self, Bulk { sql, arguments }: Bulk) -> Result<Vec<Row>, Error> {
        let mut armed = self.arm(Access::Write)?;
        match self {
            Db::Sqlite { .. } => Err(not_here()),
            Db::Postgres { here, .. } => {
                armed.commit()?;
                let rows = run(&mut *here.acquire().await?, sql, arguments).await?;
                armed.committed()?;
                Ok(rows)
            }
        }
    }
}

impl Tx {
    /// [`Db::bulk`] in this transaction.
    ///
    /// # Errors
    /// See [`Error`]; always on SQLite.
    pub async fn bulk(&mut self, Bulk { sql, arguments }: Bulk) -> Result<Vec<Row>, Error> {
        match self {
            Tx::Sqlite { .. } | Tx::Here(_) => Err(not_here()),
            Tx::Postgres { tx, armed } => {
                armed.statement()?;
                run(&mut *tx, sql, arguments).await
            }
        }
    }
}

fn not_here() -> Error {
    Error::Statement("SQLite has no arrays".into())
}

pub(super) async fn fetch_all(
    connection: &mut PgConnection,
    sql: &str,
    values: Vec<Value>,
    columns: Vec<Column>,
) -> Result<Vec<Row>, Error> {
    run(connection, sql.to_owned(), arguments(values, columns)?).await
}

pub(super) async fn execute(
    connection: &mut PgConnection,
    sql: String,
    values: Vec<Value>,
    columns: Vec<Column>,
) -> Result<u64, Error> {
    let query = sqlx::query_with(AssertSqlSafe(sql).into_sql_str(), arguments(values, columns)?);
    Ok(query.execute(connection).await?.rows_affected())
}

fn arguments(values: Vec<Value>, columns: Vec<Column>) -> Result<PgArguments, Error> {
    let mut arguments = value::for_postgres(values)?;
    for column in columns {
        column.add_to(&mut arguments)?;
    }
    Ok(arguments)
}

async fn run(
    connection: &mut PgConnection,
    sql: impl Into<Cow<'static, str>>,
    arguments: PgArguments,
) -> Result<Vec<Row>, Error> {
    let query = sqlx::query_with(AssertSqlSafe(sql.into()).into_sql_str(), arguments);
    Ok(query.fetch_all(connection).await?.into_iter().map(Row::Postgres).collect())
}
