//! From an address to a pool of connections, and from any older schema to this one.

use super::{Db, Error, Writer};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

static SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../migrations/postgres");

/// Readers beside the one writer; more do not make SQLite faster.
const SQLITE_CONNECTIONS: u32 = 8;
/// Together a quarter of PostgreSQL's default of 100, so that a few hosts fit. A lane has up to three at the same time (it writes, reads
/// for the next batch, and keeps its lease), and each look-up one.
const POSTGRES_CONNECTIONS: u32 = 16;
const POSTGRES_CONNECTIONS_HERE: u32 = 8;
/// What a host that vanished in the middle of a batch may cost the others: its lock on a ledger is gone after half a minute, and
/// who waits for it is told before that and tries again.
const POSTGRES_SETTINGS: [(&str, &str); 5] = [
    ("lock_timeout", "5s"),
    ("idle_in_transaction_session_timeout", "30s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];
/// Longer than a request may take: who asked has been told so, and the statement would keep its connection from others. What is allowed to
/// take longer says so ([`Db::begin_long_read`]).
const STATEMENT_TIMEOUT: [(&str, &str); 1] = [("statement_timeout", "35s")];
/// How long a request waits for a connection before it is told that the database is busy: a thousand that come at once and read are all answered
/// by then, and nobody else waits for them.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a lane or a look-up does, for which many wait.
const ACQUIRE_TIMEOUT_HERE: Duration = Duration::from_secs(5);
/// A connection that was used so shortly before is not asked first whether it is still there.
const FRESH: Duration = Duration::from_secs(1);
/// How long a SQLite writer waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

impl Db {
    /// Opens a database that is there, and never makes one.
    ///
    /// # Errors
    /// When there is none, and as [`Db::open`].
    pub async fn open_existing(address: &str) -> Result<Db, Error> {
        if let Some(("sqlite", _)) = address.split_once(':') {
            let options = SqliteConnectOptions::from_str(address).map_err(wrong_address)?;
            let file = options.get_filename();
            if !file.exists() {
                return Err(Error::Address(format!("there is no database at {}", file.display())));
            }
        }
        Db::open(address).await
    }

    /// The file of an embedded database.
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            Db::Sqlite { pool, .. } => Some(pool.connect_options().get_filename().to_owned()),
            Db::Postgres { .. } => None,
        }
    }

    /// Opens `sqlite:path` or `postgres://…`. A SQLite file that does not exist is made.
    ///
    /// # Errors
    /// When the address is of neither kind, or the database cannot be reached.
    pub async fn open(address: &str) -> Result<Db, Error> {
        match address.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") if address.contains(":memory:") || address.contains("mode=memory") => Err(Error::Address(
                "DATABASE_URL must name a file: a ledger in memory is lost when the program ends".into(),
            )),
            Some("sqlite") => {
                let options = SqliteConnectOptions::from_str(address)
                    .map_err(wrong_address)?
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(BUSY_TIMEOUT);
                // A file does not go away between two statements.
                let pool = |most: u32| {
                    let pool = SqlitePoolOptions::new().max_connections(most).acquire_timeout(ACQUIRE_TIMEOUT);
                    pool.test_before_acquire(false)
                };
                let here = || Arc::new(Mutex::new(Writer::new(options.get_filename().to_owned(), BUSY_TIMEOUT)));
                let (turn, reader, by_key) = (here(), here(), here());
                let writer = pool(1).connect_lazy_with(options.clone());
                let pool = pool(SQLITE_CONNECTIONS).connect_with(options).await?;
                Ok(Db::Sqlite { pool, writer, turn, reader, by_key, faults: None })
            }
            Some("postgres" | "postgresql") => {
                let options = PgConnectOptions::from_str(address)
                    .map_err(wrong_address)?
                    .application_name("hesabu")
                    .options(POSTGRES_SETTINGS);
                // A first connection of its own says why when there is none; a pool would only say that it waited.
                options.connect().await?.close().await?;
                let pool = |most: u32, patience: Duration| {
                    let pool = PgPoolOptions::new().max_connections(most).acquire_timeout(patience);
                    // A round trip before each statement would double what a small one takes.
                    pool.test_before_acquire(false).before_acquire(|connection, used| {
                        Box::pin(async move { Ok(used.idle_for < FRESH || connection.ping().await.is_ok()) })
                    })
                };
                let here = pool(POSTGRES_CONNECTIONS_HERE, ACQUIRE_TIMEOUT_HERE).connect_lazy_with(options.clone());
                let pool = pool(POSTGRES_CONNECTIONS, ACQUIRE_TIMEOUT)
                    .connect_with(options.options(STATEMENT_TIMEOUT))
                    .await?;
                Ok(Db::Postgres { pool, here, faults: None })
            }
            _ => Err(Error::Address("DATABASE_URL must begin with sqlite: or postgres://".into())),
        }
    }
}

/// The file that an address means; none when it is a server's.
///
/// # Errors
/// When it is of neither kind.
pub fn file_of(address: &str) -> Result<Option<PathBuf>, Error> {
    match address.split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") => {
            let options = SqliteConnectOptions::from_str(address).map_err(wrong_address)?;
            Ok(Some(options.get_filename().to_owned()))
        }
        Some("postgres" | "postgresql") => Ok(None),
        _ => Err(Error::Address("DATABASE_URL must begin with sqlite: or postgres://".into())),
    }
}

fn wrong_address(error: sqlx::Error) -> Error {
    Error::Address(format!("DATABASE_URL is not the address of a database: {error}"))
}

/// Brings the schema up to date. Safe to run again, and by several hosts at once.
///
/// # Errors
/// When a migration fails, or the database has one that this program does not know: it is then older than the data.
pub async fn migrate(db: &Db) -> Result<(), Error> {
    match db {
        Db::Sqlite { writer, .. } => SQLITE.run(writer).await?,
        // One may take as long as it needs.
        Db::Postgres { here, .. } => POSTGRES.run(here).await?,
    }
    Ok(())
}
