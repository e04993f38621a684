//! Somebody who can write to the database, and changes what is stored behind the server's back.

use crate::database::Engine;
use hesabu::engine::{COMPONENT, Engine as Component};
use hesabu::posting::{self, Fault};
use hesabu::store::{Db, Value};
use sqlx::AssertSqlSafe;

/// The database, its engine, and the component for the proof.
pub struct Tamper {
    /// The database.
    pub db: Db,
    engine: Engine,
    component: Component,
}

impl Tamper {
    /// With a database that nobody serves.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn with(engine: Engine, url: &str) -> Tamper {
        let db = Db::open(url).await.expect("the database opens");
        let component = Component::load(COMPONENT).expect("the component was built with this program");
        Tamper { db, engine, component }
    }

    /// Runs any statement.
    ///
    /// # Panics
    /// When the database refuses it.
    pub async fn run(&self, sql: &str) {
        self.try_run(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs any statement, and tells whether the database allowed it.
    ///
    /// # Errors
    /// When it did not.
    pub async fn try_run(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.db {
            Db::Sqlite { pool, .. } => sqlx::raw_sql(sql).execute(pool).await.map(drop),
            Db::Postgres { pool, .. } => sqlx::raw_sql(sql).execute(pool).await.map(drop),
        }
    }

    /// One statement with values.
    ///
    /// # Panics
    /// When the database refuses it, or changes no row.
    pub async fn change(&self, sql: &'static str, values: Vec<Value>) {
        assert_ne!(self.db.execute(sql, values).await.expect("it is allowed"), 0, "{sql}");
    }

    /// An id as this database writes it.
    pub fn id(&self, id: u128) -> String {
        match self.engine {
            Engine::Sqlite => format!("x'{id:032x}'"),
            Engine::Postgres => format!("'{id:032x}'::uuid"),
        }
    }

    /// What the proof finds first, by the same function as `hesabu verify`.
    ///
    /// # Panics
    /// When there is no proof at all.
    pub async fn fault(&self) -> Option<Fault> {
        let reports = posting::verify(&self.db, &self.component, |_, _| {}).await.expect("the proof is tried");
        reports.into_iter().find_map(|report| report.fault)
    }

    /// Asserts that the books are right.
    ///
    /// # Panics
    /// When they are not.
    pub async fn sound(&self) {
        assert_eq!(self.fault().await, None);
    }

    /// Asserts that the proof names this place.
    ///
    /// # Panics
    /// When it names another, or none.
    pub async fn names(&self, place: &str, what: &str) {
        assert_eq!(self.misnamed(place, what).await, None);
    }

    /// What is wrong when the proof names another place, or none.
    pub async fn misnamed(&self, place: &str, what: &str) -> Option<String> {
        let fault = self.fault().await;
        let found = fault.as_ref().map(|fault| fault.place.as_str()).unwrap_or_default();
        let named = found == place || found.starts_with(&format!("{place} "));
        (!named).then(|| format!("after {what} it names not {place} but {fault:?}"))
    }
}
