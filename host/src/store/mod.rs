//! Databases: one small way to ask SQLite and PostgreSQL the same statement. Knows nothing of the business.
//!
//! Every statement is written once, in the subset that both engines speak (`$1` placeholders, `on conflict`, `returning`,
//! common table expressions), beside the code that needs it. What differs is here: opening, locking, errors.
//!
//! Invariant: values are always bound, never pasted into a statement (but for numbers and ids by `scan.rs`).

mod open; // from an address to a pool, migrated
mod value; // what goes in
mod row; // what comes back
mod error; // what can go wrong, and whether trying again helps
mod here; // SQLite in a loop on the calling thread
mod ping; // whether it answers
mod backup; // a whole SQLite file, while it is being written to
mod among; // rows by a list of keys
mod bulk; // PostgreSQL with a column at a time
mod copy; // PostgreSQL with very many rows
mod plan; // statements that PostgreSQL plans each time
mod lookup; // rows by key for many who ask at once
mod fault; // failing on purpose, for tests
mod scan; // very many rows, one value after the other

pub use backup::{Pages, copy_file};
pub use bulk::{Bulk, Column, also};
pub use copy::PackedRows;
pub use error::{Cause, Error};
pub use fault::{Access, Armed, Fault, Faults, Moment};
pub use here::{Bind, HereTx, Prepared, Writer};
pub use lookup::{Lookup, Question};
pub use open::{file_of, migrate};
pub use row::Row;
pub use scan::Scanned;
pub use value::{Rows, Statement, Value};

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, SqlSafeStr, SqlStr, Sqlite, SqliteConnection, SqlitePool};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// A pool of connections to one database.
#[derive(Clone, Debug)]
pub enum Db {
    /// Embedded: one file.
    Sqlite {
        /// For whoever reads. Readers do not wait for writers.
        pool: SqlitePool,
        /// The one connection that writes, for whoever has the turn: however many read, nobody keeps the turn and waits for them.
        writer: SqlitePool,
        /// Writers take turns here, in the order in which they came, and not inside SQLite, where each would block a
        /// connection that readers need.
        turn: Arc<Mutex<Writer>>,
        /// Reads from a thread of its own, beside the one that writes.
        reader: Arc<Mutex<Writer>>,
        /// Reads what is looked up by key for many at once, which must not wait for a long read.
        by_key: Arc<Mutex<Writer>>,
        /// What goes wrong on purpose; see [`Db::with_faults`].
        faults: Option<Faults>,
    },
    /// A server that speaks PostgreSQL.
    Postgres {
        /// Connections for whoever asks.
        pool: PgPool,
        /// Connections for lanes and look-ups, which everybody waits for: however many read much, they cannot keep these from them.
        here: PgPool,
        /// What goes wrong on purpose; see [`Db::with_faults`].
        faults: Option<Faults>,
    },
}

/// A transaction. Dropping it rolls it back.
#[derive(Debug)]
pub enum Tx {
    /// Holds SQLite's one write lock from the start, so that it can never fail half way for another writer.
    Sqlite {
        /// The transaction itself.
        tx: sqlx::Transaction<'static, Sqlite>,
        /// Held until the transaction ends; a reader has none.
        turn: Option<OwnedMutexGuard<Writer>>,
        /// What goes wrong on purpose.
        armed: Armed,
    },
    /// SQLite on the calling thread; see [`Db::begin_here`].
    Here(HereTx),
    /// Read committed; whoever needs more locks rows.
    Postgres {
        /// The transaction itself.
        tx: Session,
        /// What goes wrong on purpose.
        armed: Armed,
    },
}

/// A connection to PostgreSQL.
#[derive(Debug)]
pub enum Session {
    /// In a transaction.
    Begun(sqlx::Transaction<'static, Postgres>),
    /// In none: each statement sees what is durable when it comes.
    Each(PoolConnection<Postgres>),
}

/// The connection that a statement runs on.
enum Connection<'c> {
    Sqlite(&'c mut SqliteConnection),
    Here(&'c mut HereTx),
    Postgres(&'c mut PgConnection),
}

/// The text of a statement: constant, or built from constants and placeholders by [`Tx::insert`] and its like.
enum Text<'t> {
    Constant(&'static str),
    Built(&'t str),
}

impl Db {
    /// Begins a transaction that can write.
    ///
    /// # Errors
    /// When the database cannot be reached, or stays locked.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let armed = self.arm(Access::Write)?;
        Ok(match self {
            Db::Sqlite { writer, turn, .. } => {
                let turn = Some(Arc::clone(turn).lock_owned().await);
                Tx::Sqlite { tx: writer.begin_with("begin immediate").await?, turn, armed }
            }
            Db::Postgres { pool, .. } => Tx::Postgres { tx: begin_whole(pool, BEGIN).await?, armed },
        })
    }

    /// Begins a transaction that can write, on a thread that may block: on SQLite every statement runs where it is called.
    ///
    /// # Errors
    /// See [`Db::begin`].
    pub async fn begin_here(&self) -> Result<Tx, Error> {
        let armed = self.arm(Access::Write)?;
        Ok(match self {
            Db::Sqlite { turn, .. } => {
                Tx::Here(HereTx::begin(Arc::clone(turn).lock_owned().await, "begin immediate", armed)?)
            }
            Db::Postgres { here, .. } => Tx::Postgres { tx: begin_whole(here, BEGIN).await?, armed },
        })
    }

    /// Begins a transaction that only reads, on a thread that may block. Those of one database take turns.
    ///
    /// # Errors
    /// See [`Db::begin_read`].
    pub async fn begin_read_here(&self) -> Result<Tx, Error> {
        let armed = self.arm(Access::Read)?;
        Ok(match self {
            Db::Sqlite { reader, .. } => {
                Tx::Here(HereTx::begin(Arc::clone(reader).lock_owned().await, "begin", armed)?)
            }
            Db::Postgres { here, .. } => Tx::Postgres { tx: begin_whole(here, BEGIN_READ).await?, armed },
        })
    }

    /// Begins a transaction that only reads: everything it sees belongs together.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn begin_read(&self) -> Result<Tx, Error> {
        let armed = self.arm(Access::Read)?;
        Ok(match self {
            Db::Sqlite { pool, .. } => Tx::Sqlite { tx: pool.begin().await?, turn: None, armed },
            Db::Postgres { pool, .. } => Tx::Postgres { tx: begin_whole(pool, BEGIN_READ).await?, armed },
        })
    }

    /// [`Db::begin_read`] for what goes through a whole ledger, however long that takes. Other statements are given up by PostgreSQL some time
    /// after whoever asked has been told that it takes too long.
    ///
    /// # Errors
    /// See [`Db::begin_read`].
    pub async fn begin_long_read(&self) -> Result<Tx, Error> {
        let mut tx = self.begin_read().await?;
        if let Tx::Postgres { .. } = tx {
            tx.execute("set local statement_timeout = 0", vec![]).await?;
        }
        Ok(tx)
    }

    /// Reads what does not change once it is there, or of which the caller is the only writer and knows what is on its way. On PostgreSQL
    /// each statement sees what is durable when it comes, and two round trips are spared; on SQLite it is a transaction.
    ///
    /// # Errors
    /// See [`Db::begin_read`].
    pub async fn read(&self) -> Result<Tx, Error> {
        match self {
            Db::Sqlite { .. } => self.begin_read().await,
            Db::Postgres { pool, .. } => self.read_each(pool).await,
        }
    }

    /// The same on a thread that may block.
    ///
    /// # Errors
    /// See [`Db::begin_read`].
    pub async fn read_here(&self) -> Result<Tx, Error> {
        match self {
            Db::Sqlite { .. } => self.begin_read_here().await,
            Db::Postgres { here, .. } => self.read_each(here).await,
        }
    }

    /// On one of these connections, each statement by itself.
    async fn read_each(&self, pool: &PgPool) -> Result<Tx, Error> {
        let armed = self.arm(Access::Read)?;
        Ok(Tx::Postgres { tx: Session::Each(pool.acquire().await?), armed })
    }

    /// The same database, of which things go wrong on purpose. For tests.
    #[must_use]
    pub fn with_faults(mut self, these: Faults) -> Db {
        let (Db::Sqlite { faults, .. } | Db::Postgres { faults, .. }) = &mut self;
        *faults = Some(these);
        self
    }

    /// What is to go wrong with a transaction that is about to begin.
    fn arm(&self, access: Access) -> Result<Armed, Error> {
        let (Db::Sqlite { faults, .. } | Db::Postgres { faults, .. }) = self;
        Armed::begin(faults.as_ref(), access)
    }

    /// All rows that a query gives.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch_all(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
        self.arm(Access::Read)?.statement()?;
        match self {
            Db::Sqlite { pool, .. } => {
                fetch_all(Connection::Sqlite(&mut *pool.acquire().await?), Text::Constant(sql), values).await
            }
            Db::Postgres { pool, .. } => {
                fetch_all(Connection::Postgres(&mut *pool.acquire().await?), Text::Constant(sql), values).await
            }
        }
    }

    /// The first row that a query gives.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch_optional(&self, sql: &'static str, values: Vec<Value>) -> Result<Option<Row>, Error> {
        Ok(self.fetch_all(sql, values).await?.into_iter().next())
    }

    /// Runs one statement in a transaction of its own and tells how many rows it changed.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn execute(&self, sql: &'static str, values: Vec<Value>) -> Result<u64, Error> {
        let mut tx = self.begin().await?;
        let changed = tx.execute(sql, values).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// How many connections are open, and how many of them idle.
    pub fn connections(&self) -> (u32, u32) {
        let (open, idle) = match self {
            Db::Sqlite { pool, writer, .. } => (pool.size() + writer.size(), pool.num_idle() + writer.num_idle()),
            Db::Postgres { pool, here, .. } => (pool.size() + here.size(), pool.num_idle() + here.num_idle()),
        };
        (open, u32::try_from(idle).unwrap_or(u32::MAX))
    }

    /// Waits for what is in flight and closes all connections.
    pub async fn close(&self) {
        match self {
            Db::Sqlite { pool, writer, turn, reader, by_key, .. } => {
                for here in [turn, reader, by_key] {
                    here.lock().await.close();
                }
                writer.close().await;
                pool.close().await;
            }
            Db::Postgres { pool, here, .. } => {
                here.close().await;
                pool.close().await;
            }
        }
    }
}

impl Deref for Session {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Session::Begun(tx) => tx,
            Session::Each(connection) => connection,
        }
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Session::Begun(tx) => tx,
            Session::Each(connection) => connection,
        }
    }
}

impl Tx {
    /// For one statement.
    fn connection(&mut self) -> Result<Connection<'_>, Error> {
        Ok(match self {
            Tx::Sqlite { tx, armed, .. } => {
                armed.statement()?;
                Connection::Sqlite(&mut *tx)
            }
            Tx::Here(tx) => Connection::Here(tx),
            Tx::Postgres { tx, armed } => {
                armed.statement()?;
                Connection::Postgres(&mut *tx)
            }
        })
    }

    /// All rows that a query gives.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch_all(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
        fetch_all(self.connection()?, Text::Constant(sql), values).await
    }

    /// The first row that a query gives.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch_optional(&mut self, sql: &'static str, values: Vec<Value>) -> Result<Option<Row>, Error> {
        Ok(self.fetch_all(sql, values).await?.into_iter().next())
    }

    /// Runs a statement and tells how many rows it changed.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn execute(&mut self, sql: &'static str, values: Vec<Value>) -> Result<u64, Error> {
        execute(self.connection()?, Text::Constant(sql), values).await
    }

    /// Inserts rows of `width` values each, many at a time: `head` is the statement without them, `insert into … (…)`, and `tail` what
    /// follows them.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn insert(
        &mut self,
        head: &'static str,
        width: usize,
        rows: Vec<Value>,
        tail: &'static str,
    ) -> Result<(), Error> {
        let mut connection = self.connection()?;
        if let Connection::Here(tx) = connection {
            return tx.insert(head, width, &rows, tail);
        }
        for chunk in rows.chunks(VALUES_MAX / width * width) {
            let mut sql = format!("{head} values");
            for row in 0..chunk.len() / width {
                sql.push_str(if row == 0 { " (" } else { ", (" });
                for column in 1..=width {
                    let comma = if column == 1 { "" } else { ", " };
                    sql.push_str(comma);
                    sql.push_str(&connection.placeholder(row * width + column));
                }
                sql.push(')');
            }
            sql.push_str(tail);
            execute(connection.reborrow(), Text::Built(&sql), chunk.to_vec()).await?;
        }
        Ok(())
    }

    /// Makes it durable. After an error, whether it is durable is unknown: see [`Error::outcome_unknown`].
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn commit(self) -> Result<(), Error> {
        match self {
            Tx::Sqlite { tx, turn, mut armed } => {
                armed.commit()?;
                tx.commit().await?;
                drop(turn);
                armed.committed()
            }
            Tx::Here(tx) => tx.commit(),
            Tx::Postgres { tx, mut armed } => {
                armed.commit()?;
                if let Session::Begun(tx) = tx {
                    tx.commit().await?;
                }
                armed.committed()
            }
        }
    }
}

/// The most values of one statement: SQLite takes 32,766, PostgreSQL twice as many.
const VALUES_MAX: usize = 32_000;

impl Connection<'_> {
    /// The placeholder of value number `number` in a statement that has no others. SQLite looks a numbered one up among all that
    /// came before, so that a long list takes it the square of the time; it counts plain ones by itself.
    fn placeholder(&self, number: usize) -> String {
        match self {
            Connection::Sqlite(_) | Connection::Here(_) => "?".into(),
            Connection::Postgres(_) => format!("${number}"),
        }
    }

    fn reborrow(&mut self) -> Connection<'_> {
        match self {
            Connection::Sqlite(connection) => Connection::Sqlite(connection),
            Connection::Here(tx) => Connection::Here(tx),
            Connection::Postgres(connection) => Connection::Postgres(connection),
        }
    }
}

const BEGIN: &str = "begin";
const BEGIN_READ: &str = "begin isolation level repeatable read read only";

/// Begins a transaction of PostgreSQL, also when whoever waits for it goes away meanwhile. The driver would leave it open on a
/// connection that somebody else gets next, and what they write would not be durable when they are told so.
async fn begin_whole(pool: &PgPool, begin: &'static str) -> Result<Session, Error> {
    let pool = pool.clone();
    let begun = tokio::spawn(async move { pool.begin_with(begin).await });
    Ok(Session::Begun(begun.await.map_err(|error| Error::Unavailable(error.into()))??))
}

async fn fetch_all(connection: Connection<'_>, text: Text<'_>, values: Vec<Value>) -> Result<Vec<Row>, Error> {
    let (sql, constant) = text.sql();
    Ok(match connection {
        Connection::Sqlite(connection) => {
            let query = sqlx::query_with(sql, value::for_sqlite(values)?).persistent(constant);
            query.fetch_all(connection).await?.into_iter().map(Row::Sqlite).collect()
        }
        Connection::Here(tx) => tx.fetch_all(sql.as_str(), &values)?,
        Connection::Postgres(connection) => {
            let query = sqlx::query_with(sql, value::for_postgres(values)?).persistent(constant);
            query.fetch_all(connection).await?.into_iter().map(Row::Postgres).collect()
        }
    })
}

async fn execute(connection: Connection<'_>, text: Text<'_>, values: Vec<Value>) -> Result<u64, Error> {
    let (sql, constant) = text.sql();
    Ok(match connection {
        Connection::Sqlite(connection) => {
            let query = sqlx::query_with(sql, value::for_sqlite(values)?).persistent(constant);
            query.execute(connection).await?.rows_affected()
        }
        Connection::Here(tx) => tx.execute(sql.as_str(), &values)?,
        Connection::Postgres(connection) => {
            let query = sqlx::query_with(sql, value::for_postgres(values)?).persistent(constant);
            query.execute(connection).await?.rows_affected()
        }
    })
}

impl Text<'_> {
    /// The text for the driver, and whether it is worth keeping prepared: the number of placeholders of a built text varies.
    fn sql(&self) -> (SqlStr, bool) {
        match self {
            Text::Constant(sql) => (sql.into_sql_str(), true),
            Text::Built(sql) => (AssertSqlSafe(*sql).into_sql_str(), false),
        }
    }
}
