//! Statements that PostgreSQL plans each time that they are run.

use super::{Connection, Error, Row, Text, Tx, Value, fetch_all};

impl Tx {
    /// [`Tx::fetch_all`] by a plan for the tables as they are now. PostgreSQL keeps the plan of a prepared statement: one from when a table had
    /// a page goes through the whole table for each row that is looked up, until somebody analyzes it, and a walk of fifty hops took twelve
    /// seconds in a million rows. Planning costs another round trip and a fraction of a millisecond: for reads only.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch_anew(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
        match self.connection()? {
            postgres @ Connection::Postgres(_) => fetch_all(postgres, Text::Built(sql), values).await,
            sqlite => fetch_all(sqlite, Text::Constant(sql), values).await,
        }
    }
}
