//! Where simulations take place: the engine, loaded once, and a database with its schema, copied for each seed.

use crate::database::Engine;
use hesabu::engine::{self, COMPONENT};
use hesabu::posting::{self, Ledger};
use hesabu::store::{self, Db};
use ledger_core::Unit;
use sqlx::{Connection, Executor};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Memory that looks like a folder, on systems that have it.
const MEMORY: &str = "/dev/shm";

/// A table of this test's own, for what becomes durable together with a group.
pub(super) const COMPANIONS: &str = "create table companion (name text constraint companion_name primary key)";

/// What all seeds have in common.
pub struct Stage {
    pub(super) engine: engine::Engine,
    folder: TempDir,
    template: Template,
}

enum Template {
    File(PathBuf),
    /// The address of the server's first database, and the name of the template.
    Server {
        url: String,
        name: String,
    },
}

/// The database of one seed. Gone with this value on SQLite, and by [`Scene::end`] on PostgreSQL.
pub(super) struct Scene {
    folder: TempDir,
    url: String,
    copies: u32,
}

impl Stage {
    /// On SQLite, in memory where the system allows; or on the PostgreSQL server of the tests.
    ///
    /// # Panics
    /// When the database cannot be made.
    pub async fn on(storage: Engine) -> Stage {
        let engine = engine::Engine::load(COMPONENT).expect("the component was built with this program");
        let folder = if Path::new(MEMORY).is_dir() { tempfile::tempdir_in(MEMORY) } else { tempfile::tempdir() };
        let folder = folder.expect("a temporary folder can be made");
        let (url, template) = match storage {
            Engine::Sqlite => {
                let file = folder.path().join("template.db");
                (format!("sqlite:{}", file.display()), Template::File(file))
            }
            Engine::Postgres => {
                let url = storage.fresh().await.url;
                let (server, name) = url.rsplit_once('/').expect("the address ends with a database");
                let server = format!("{server}/postgres");
                (url.clone(), Template::Server { url: server, name: name.to_owned() })
            }
        };
        let db = Db::open(&url).await.expect("the database opens");
        store::migrate(&db).await.expect("the schema is made");
        db.execute(COMPANIONS, vec![]).await.expect("a table can be made");
        let unit = Unit::new("X", 0).expect("a unit");
        posting::ensure_ledger(&db, "simulation", &unit).await.expect("a ledger can be made");
        if matches!(storage, Engine::Sqlite) {
            db.fetch_all("pragma wal_checkpoint(truncate)", vec![]).await.expect("all of it is in one file");
        }
        db.close().await;
        Stage { engine, folder, template }
    }

    /// A database for one seed.
    pub(super) async fn scene(&self) -> Scene {
        let folder = tempfile::tempdir_in(self.folder.path()).expect("a temporary folder can be made");
        let url = match &self.template {
            Template::File(file) => {
                let copy = folder.path().join("0.db");
                std::fs::copy(file, &copy).expect("a file can be copied");
                format!("sqlite:{}", copy.display())
            }
            Template::Server { url, name } => {
                let copy = format!("simulation_{}", uuid::Uuid::now_v7().simple());
                on_server(url, format!("create database {copy} template {name}")).await;
                let (base, _) = url.rsplit_once('/').expect("the address ends with a database");
                format!("{base}/{copy}")
            }
        };
        Scene { folder, url, copies: 0 }
    }

    /// Whether hosts share it, and it outlives them.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.template, Template::Server { .. })
    }

    /// Removes what a scene leaves on a server.
    pub(super) async fn strike(&self, scene: Scene) {
        if let Template::Server { url, .. } = &self.template {
            let (_, name) = scene.url.rsplit_once('/').expect("the address ends with a database");
            on_server(url, format!("drop database {name} with (force)")).await;
        }
    }
}

impl Scene {
    pub(super) async fn open(&self) -> Db {
        Db::open(&self.url).await.expect("the database opens")
    }

    /// The files as they are at this moment, as a host that ends leaves them: with a log that nobody has gone through.
    pub(super) fn end_of_host(&mut self) {
        let Some(file) = self.url.strip_prefix("sqlite:").map(PathBuf::from) else { return };
        self.copies += 1;
        let copy = self.folder.path().join(format!("{}.db", self.copies));
        for suffix in ["", "-wal"] {
            let beside = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
            if beside(&file).exists() {
                std::fs::copy(beside(&file), beside(&copy)).expect("a file can be copied");
            }
        }
        self.url = format!("sqlite:{}", copy.display());
    }
}

/// The only ledger.
pub(super) async fn ledger(db: &Db) -> Ledger {
    posting::ledgers(db).await.expect("the database answers").pop().expect("there is a ledger")
}

async fn on_server(url: &str, sql: String) {
    let mut connection = sqlx::PgConnection::connect(url).await.expect("the server answers");
    connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("the server does it");
    connection.close().await.expect("and lets go");
}
