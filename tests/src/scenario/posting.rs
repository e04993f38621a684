//! Decides through the whole of posting: lanes, batches, journal and rows, on a real database. The proof of its books belongs to it.

use super::{Answering, Decide};
use crate::database::{Database, Engine};
use hesabu::engine::{self, COMPONENT};
use hesabu::posting::{self, Entry, Group, Ledger, Posting};
use hesabu::store::Db;
use ledger_core::{Account, AccountId, Command, Item, Key, Memo, Outcome, Timestamp, Transfer, TransferId, Unit};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Posting on a database of its own.
pub(super) struct Posted {
    name: &'static str,
    _database: Database,
    db: Db,
    engine: engine::Engine,
    posting: Posting,
    ledger: Ledger,
    now: Arc<AtomicI64>,
    keyed: BTreeMap<TransferId, Key>,
}

impl Posted {
    pub(super) async fn on(engine: Engine, unit: &Unit) -> Posted {
        let database = engine.fresh().await;
        let db = database.open().await;
        let ledger = posting::ensure_ledger(&db, "scenario", unit).await.expect("a ledger can be made");
        let now = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&now);
        let component = engine::Engine::load(COMPONENT).expect("the component was built with this program");
        let clock: posting::Clock = Arc::new(move || Timestamp(clock.load(Ordering::Relaxed)));
        Posted {
            name: match engine {
                Engine::Sqlite => "posting on SQLite",
                Engine::Postgres => "posting on PostgreSQL",
            },
            posting: Posting::new(db.clone(), component.clone(), clock),
            engine: component,
            _database: database,
            db,
            ledger,
            now,
            keyed: BTreeMap::new(),
        }
    }

    async fn submit(&mut self, batch: Vec<Item>) -> Vec<Outcome> {
        let entries = batch.iter().map(|item| self.entry(item.command)).collect();
        let group = Group { entries, companions: vec![] };
        self.posting.submit(self.ledger.id, group).await.expect("posting answers")
    }

    /// A keyed id has its key from the first time on that it is used with one.
    fn entry(&mut self, command: Command) -> Entry {
        let Command::Create(create) = &command else { return Entry::new(command, "") };
        if let Some(key) = create.key {
            self.keyed.insert(create.id, key);
        }
        let key = self.keyed.get(&create.id).copied();
        let memo = if create.memo == Memo::NONE { String::new() } else { create.memo.0.to_string() };
        Entry::new(command, &memo).with_key(key)
    }
}

impl Decide for Posted {
    fn name(&self) -> &'static str {
        self.name
    }

    fn post(&mut self, batch: Vec<Item>, now: Timestamp) -> Answering<'_, Vec<Outcome>> {
        Box::pin(async move {
            self.now.store(now.0, Ordering::Relaxed);
            self.submit(batch).await
        })
    }

    fn preview(&mut self, command: Command, now: Timestamp) -> Answering<'_, Outcome> {
        Box::pin(async move {
            self.now.store(now.0, Ordering::Relaxed);
            self.posting.preview(self.ledger.id, command).await.expect("posting answers")
        })
    }

    fn account(&mut self, id: AccountId) -> Answering<'_, Option<Account>> {
        Box::pin(async move { posting::account(&self.db, self.ledger.id, id).await.expect("the database answers") })
    }

    fn transfer(&mut self, id: TransferId) -> Answering<'_, Option<Transfer>> {
        Box::pin(async move { posting::transfer(&self.db, self.ledger.id, id).await.expect("the database answers") })
    }

    fn leaves_groups_open(&self) -> bool {
        false
    }

    fn prove(&mut self) -> Answering<'_, ()> {
        Box::pin(async move {
            let reports = posting::verify(&self.db, &self.engine, |_, _| {}).await.expect("the books can be read");
            assert!(reports.iter().all(|report| report.fault.is_none()), "{}: {reports:?}", self.name);
            let health = posting::health(&self.db, self.ledger.id, Timestamp(i64::MIN)).await.expect("health is told");
            assert!(health.is_sound(), "{}: {health:?}", self.name);
        })
    }
}
