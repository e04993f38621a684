//! Statements that PostgreSQL plans each time that they are run.

use super::among::{KEY, fetch_among, in_each};
use super::scan::{literal, with_literals};
use super::{Column, Connection, Error, Row, Text, Tx, Value, fetch_all};
use sqlx::{AssertSqlSafe, PgConnection, SqlSafeStr};

impl Tx {
    /// [`Tx::fetch_all`] by a plan for the tables as they are now. PostgreSQL keeps the plan of a prepared statement: one from when a table had
    /// a page goes through the whole table for each row that is looked up, until somebody analyzes it, and a walk of fifty hops took twelve
    /// seconds in a million rows. Planning costs a fraction of a millisecond each time: for reads only. Values are integers and ids, and are
    /// sent in the text (`scan.rs`): to prepare a statement that is run once would take another round trip.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch_anew(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
        match self.connection()? {
            Connection::Postgres(connection) => run(connection, with_literals(sql, &values)?).await,
            sqlite => fetch_all(sqlite, Text::Constant(sql), values).await,
        }
    }

    /// [`Tx::fetch_among`] in the same way.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch_among_anew(
        &mut self,
        head: &'static str,
        values: &[Value],
        keys: &[Value],
        tail: &'static str,
    ) -> Result<Vec<Row>, Error> {
        match self.connection()? {
            Connection::Postgres(connection) if !keys.is_empty() => {
                let list = keys.iter().map(literal).collect::<Result<Vec<_>, _>>()?.join(", ");
                let array = format!("array[{list}]::{}[]", Column::of(keys).element());
                run(connection, with_literals(&in_each(&format!("{head} = {KEY}{tail}"), &array), values)?).await
            }
            any => fetch_among(any, head, values, keys, tail).await,
        }
    }
}

async fn run(connection: &mut PgConnection, text: String) -> Result<Vec<Row>, Error> {
    let rows = sqlx::raw_sql(AssertSqlSafe(text).into_sql_str()).fetch_all(connection).await?;
    Ok(rows.into_iter().map(Row::Postgres).collect())
}
