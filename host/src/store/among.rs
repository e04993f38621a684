//! Rows by a list of keys: a look into the index for each of them, in one statement.

use super::{Access, Column, Connection, Db, Error, HereTx, Row, Text, Tx, Value, bulk, execute, fetch_all};
use std::sync::Arc;

/// The most keys of one list on SQLite: these are numbered, see [`Connection::placeholder`].
const KEYS_MAX: usize = 500;

/// Stands in a statement for the key that is looked for.
pub(super) const KEY: &str = "$key";

impl Db {
    /// [`Tx::fetch_among`] outside of a transaction.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch_among(
        &self,
        head: &'static str,
        values: &[Value],
        keys: &[Value],
        tail: &'static str,
    ) -> Result<Vec<Row>, Error> {
        self.arm(Access::Read)?.statement()?;
        match self {
            Db::Sqlite { pool, .. } => {
                fetch_among(Connection::Sqlite(&mut *pool.acquire().await?), head, values, keys, tail).await
            }
            Db::Postgres { pool, .. } => {
                fetch_among(Connection::Postgres(&mut *pool.acquire().await?), head, values, keys, tail).await
            }
        }
    }

    /// [`Db::fetch_among`], on a thread that may block.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch_among_here(
        &self,
        head: &'static str,
        values: &[Value],
        keys: &[Value],
        tail: &'static str,
    ) -> Result<Vec<Row>, Error> {
        match self {
            Db::Sqlite { by_key, .. } => {
                let armed = self.arm(Access::Read)?;
                let tx = HereTx::begin(Arc::clone(by_key).lock_owned().await, "begin", armed)?;
                Tx::Here(tx).fetch_among(head, values, keys, tail).await
            }
            Db::Postgres { here, .. } => {
                self.arm(Access::Read)?.statement()?;
                fetch_among(Connection::Postgres(&mut *here.acquire().await?), head, values, keys, tail).await
            }
        }
    }
}

impl Tx {
    /// The rows whose key is one of `keys`: `head` ends with the column that holds it, `tail` follows the list, and `values` are
    /// the placeholders before it. Keys are of one type, and none comes twice. An order that `tail` asks for holds among the rows of
    /// each key.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch_among(
        &mut self,
        head: &'static str,
        values: &[Value],
        keys: &[Value],
        tail: &'static str,
    ) -> Result<Vec<Row>, Error> {
        fetch_among(self.connection()?, head, values, keys, tail).await
    }

    /// The rows that a query gives for each of `keys`, which stands in it as `$key`; `values` are its other placeholders. Keys are of one
    /// type.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch_for_each(
        &mut self,
        sql: &'static str,
        values: &[Value],
        keys: &[Value],
    ) -> Result<Vec<Row>, Error> {
        fetch_for_each(self.connection()?, sql, values, keys).await
    }

    /// Runs a statement for the rows whose key is one of `keys`, which are of one type: `head` ends with the column that holds it, and
    /// `values` are its placeholders. Tells how many rows it changed.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn execute_among(&mut self, head: &'static str, values: &[Value], keys: &[Value]) -> Result<u64, Error> {
        let (mut connection, next) = (self.connection()?, values.len() + 1);
        if let Connection::Postgres(connection) = connection {
            let column = Column::of(keys);
            let sql = format!("{head} = any(${next}::{}[])", column.element());
            return bulk::execute(connection, sql, values.to_vec(), vec![column]).await;
        }
        let mut changed = 0;
        for chunk in keys.chunks(KEYS_MAX) {
            let sql = format!("{head} in ({})", numbered(next, chunk.len()));
            let values = values.iter().chain(chunk).cloned().collect();
            changed += execute(connection.reborrow(), Text::Built(&sql), values).await?;
        }
        Ok(changed)
    }
}

/// So many placeholders from `next` on.
fn numbered(next: usize, count: usize) -> String {
    let list: Vec<String> = (next..next + count).map(|number| format!("${number}")).collect();
    list.join(", ")
}

pub(super) async fn fetch_among(
    mut connection: Connection<'_>,
    head: &'static str,
    values: &[Value],
    keys: &[Value],
    tail: &'static str,
) -> Result<Vec<Row>, Error> {
    let Connection::Sqlite(_) = connection else {
        return fetch_for_each(connection, &format!("{head} = {KEY}{tail}"), values, keys).await;
    };
    let (mut rows, next) = (Vec::new(), values.len() + 1);
    for chunk in keys.chunks(KEYS_MAX) {
        let sql = format!("{head} in ({}){tail}", numbered(next, chunk.len()));
        let values = values.iter().chain(chunk).cloned().collect();
        rows.extend(fetch_all(connection.reborrow(), Text::Built(&sql), values).await?);
    }
    Ok(rows)
}

/// One look into the index for each key of an array, whatever the statistics say: `= any(…)` is planned as a walk through the whole table
/// while they still call it small. `offset 0` keeps the planner from making a join of it.
pub(super) fn in_each(sql: &str, array: &str) -> String {
    let each = sql.replace(KEY, "wanted.key");
    format!("select found.* from unnest({array}) as wanted(key) cross join lateral ({each} offset 0) found")
}

async fn fetch_for_each(
    mut connection: Connection<'_>,
    sql: &str,
    values: &[Value],
    keys: &[Value],
) -> Result<Vec<Row>, Error> {
    let next = format!("${}", values.len() + 1);
    match &mut connection {
        _ if keys.is_empty() => Ok(vec![]),
        Connection::Here(tx) => tx.prepare(&sql.replace(KEY, &next))?.rows_for_each(values, keys),
        Connection::Postgres(connection) => {
            let column = Column::of(keys);
            let sql = in_each(sql, &format!("{next}::{}[]", column.element()));
            bulk::fetch_all(connection, &sql, values.to_vec(), vec![column]).await
        }
        Connection::Sqlite(_) => {
            let (sql, mut rows) = (sql.replace(KEY, &next), Vec::new());
            for key in keys {
                let values = values.iter().chain([key]).cloned().collect();
                rows.extend(fetch_all(connection.reborrow(), Text::Built(&sql), values).await?);
            }
            Ok(rows)
        }
    }
}
