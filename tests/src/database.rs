//! Fresh databases for tests, on both engines. Servers and clients are elsewhere.

use hesabu::store::{self, Db};
use sqlx::{Connection, Executor};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The environment variable with the address of a PostgreSQL server on which databases may be made.
pub const POSTGRES: &str = "HESABU_TEST_POSTGRES";

/// The engines that everything must run on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Engine {
    /// Embedded.
    Sqlite,
    /// A server of its own; `make test` starts it.
    Postgres,
}

/// A database of its own, gone with this value (on PostgreSQL, with the server).
#[derive(Debug)]
pub struct Database {
    /// Its address.
    pub url: String,
    /// A folder of its own.
    pub folder: TempDir,
}

impl Engine {
    /// Both.
    pub const ALL: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

    /// An empty database of its own.
    ///
    /// # Panics
    /// When there is no PostgreSQL server to make it on.
    pub async fn fresh(self) -> Database {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let url = match self {
            Engine::Sqlite => format!("sqlite:{}", folder.path().join("hesabu.db").display()),
            Engine::Postgres => {
                let server = std::env::var(POSTGRES).unwrap_or_else(|_| {
                    panic!(
                        "{POSTGRES} is not set: run this with `scripts/postgres.sh run -- cargo test`, or `make test`"
                    )
                });
                let name = format!("test_{}", uuid::Uuid::now_v7().simple());
                let mut connection = sqlx::PgConnection::connect(&server).await.expect("the server answers");
                let create = sqlx::AssertSqlSafe(format!("create database {name}"));
                connection.execute(create).await.expect("a database can be made");
                connection.close().await.expect("and let go");
                let (base, _) = server.rsplit_once('/').expect("the address ends with a database");
                format!("{base}/{name}")
            }
        };
        Database { url, folder }
    }
}

impl Database {
    /// Opens it, with the newest schema.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn open(&self) -> Db {
        let db = Db::open(&self.url).await.expect("the database opens");
        store::migrate(&db).await.expect("the schema is made");
        db
    }
}

/// What a statement counts as `n`.
///
/// # Panics
/// When it cannot be asked.
pub async fn count(db: &Db, sql: &'static str) -> i64 {
    let rows = db.fetch_all(sql, vec![]).await.expect("the database answers");
    rows[0].int("n").expect("a count")
}

/// Waits until a statement counts as many.
///
/// # Panics
/// When it does not within half a minute.
pub async fn until(db: &Db, sql: &'static str, expected: i64) {
    let started = Instant::now();
    loop {
        let found = count(db, sql).await;
        if found == expected {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{sql}: {found}, not {expected}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
