//! Whether a database can do its work now.

use super::{Db, Error};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long another process may keep SQLite's write lock before the file counts as kept from us.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

impl Db {
    /// Whether the database answers, and can be written to.
    ///
    /// # Errors
    /// When it does not, or cannot.
    pub async fn ping(&self) -> Result<(), Error> {
        match self {
            Db::Sqlite { pool, turn, .. } => {
                let file = pool.connect_options().get_filename().to_owned();
                // Who writes here is not in the way: only others are.
                let turn = Arc::clone(turn).lock_owned().await;
                let asked = tokio::task::spawn_blocking(move || {
                    let asked = ask(&file);
                    drop(turn);
                    asked
                });
                asked.await.map_err(|error| Error::Unavailable(error.into()))?
            }
            Db::Postgres { pool, here, .. } => {
                let sql = "select current_setting('transaction_read_only') = 'off' as writes";
                // Lanes and look-ups have connections of their own.
                for pool in [pool, here] {
                    let row = self.read_each(pool).await?.fetch_optional(sql, vec![]).await?;
                    let writes = row.map(|row| row.bool("writes")).transpose()?.unwrap_or_default();
                    if !writes {
                        return Err(Error::Unavailable("the database is read-only".into()));
                    }
                }
                Ok(())
            }
        }
    }
}

/// By a connection of its own: those that are open go on with a file that was taken away, and with pages that they remember.
fn ask(file: &Path) -> Result<(), Error> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch("begin immediate; select 1 from ledger limit 1; rollback")?;
    Ok(())
}
