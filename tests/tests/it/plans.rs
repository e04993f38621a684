//! Questions about the past look rows up in the index on PostgreSQL, whatever its statistics say and whatever plans it keeps: with a history
//! whose table was analyzed when it had a few rows, and was asked so often then that plans were kept; and with one that never was.
//!
//! How: everything that the engine read of the tables is counted. To go through the table once would be too much.

use hesabu::accounts::{self, Listing, Period, TransferFilter, TransferStatus};
use hesabu::directory::{self, Search};
use hesabu::engine::{COMPONENT, Engine};
use hesabu::posting::{self, Entry, Group, Ledger, Posting};
use hesabu::store::Db;
use hesabu_tests::database::{self, Database};
use ledger_core::{
    AccountId, AccountStatus, Amount, Command, Create, Memo, OpenAccount, Timestamp, TransferId, TransferKind, Unit,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const ACCOUNTS: [AccountId; 2] = [AccountId(1), AccountId(2)];

/// Transfers in the end, and a few.
const MANY: i64 = 40_000;
const FEW: i64 = 20;

/// Transfers in a batch: each in a record, and each record at an instant, of its own.
const BATCH: i64 = 8_000;

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_looked_up_by_plans_from_when_it_was_short() {
    let database = database::Engine::Postgres.fresh().await;
    let past = Past::begin(&database).await;
    past.submit(0..FEW).await;
    past.db.execute("analyze", vec![]).await.unwrap();
    // A statement that is prepared gets a plan that is kept after five times.
    for _ in 0..8 {
        past.ask(FEW).await;
    }
    past.grow(FEW).await;
    past.ask(MANY).await;
    past.end(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_past_is_looked_up_without_statistics() {
    let database = database::Engine::Postgres.fresh().await;
    let past = Past::begin(&database).await;
    past.grow(0).await;
    past.ask(MANY).await;
    past.end(&database).await;
}

/// Two accounts and what passed between them, one transfer like the other.
struct Past {
    db: Db,
    posting: Posting,
    ledger: Ledger,
    clock: Arc<AtomicI64>,
}

impl Past {
    async fn begin(database: &Database) -> Past {
        let db = database.open().await;
        for table in [
            "alter table transfer set (autovacuum_enabled = off)",
            "alter table journal set (autovacuum_enabled = off)",
        ] {
            db.execute(table, vec![]).await.unwrap();
        }
        let ledger = posting::ensure_ledger(&db, "plans", &Unit::new("X", 2).unwrap()).await.unwrap();
        let clock = Arc::new(AtomicI64::new(0));
        let now = Arc::clone(&clock);
        let now = Arc::new(move || Timestamp(now.load(Ordering::Relaxed)));
        let past = Past { posting: Posting::new(db.clone(), Engine::load(COMPONENT).unwrap(), now), db, ledger, clock };
        let (floor, ceiling, status) = (Amount::MIN, Amount::MAX, AccountStatus::Open);
        let open = |account| Command::OpenAccount(OpenAccount { account, floor, ceiling, status });
        past.post(ACCOUNTS.map(open).to_vec()).await;
        past
    }

    async fn post(&self, commands: Vec<Command>) {
        let entries = commands.into_iter().map(|command| Entry::new(command, "")).collect();
        let outcomes = self.posting.submit(self.ledger.id, Group { entries, companions: vec![] }).await.unwrap();
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    }

    /// Transfers of these numbers, at the instant of the first.
    async fn submit(&self, numbers: std::ops::Range<i64>) {
        self.clock.store(numbers.start + 1, Ordering::Relaxed);
        let [payer, payee] = ACCOUNTS;
        let create = |number: i64| {
            Command::Create(Create {
                id: TransferId(u128::try_from(number).unwrap() + 1),
                kind: TransferKind::Immediate,
                payer,
                payee,
                amount: Amount::new(1).unwrap(),
                expires_at: None,
                key: None,
                payable_now: false,
                memo: Memo::NONE,
            })
        };
        self.post(numbers.map(create).collect()).await;
    }

    /// Up to [`MANY`].
    async fn grow(&self, from: i64) {
        for first in (from..MANY).step_by(usize::try_from(BATCH).unwrap()) {
            self.submit(first..MANY.min(first + BATCH)).await;
        }
    }

    /// Every question, of which there are `total` transfers.
    async fn ask(&self, total: i64) {
        let (posting, ledger, account) = (&self.posting, self.ledger.id, ACCOUNTS[0]);
        for listing in [Listing::All, Listing::Only(TransferStatus::Completed)] {
            let (page, all) = accounts::page(posting, ledger, account, listing, total / 2, 4).await.unwrap();
            assert_eq!((page.len(), all), (4, total));
        }
        let middle = if total == FEW { 1 } else { FEW + 1 + BATCH };
        let balance = accounts::balance_at(posting, ledger, account, Timestamp(middle)).await.unwrap();
        assert_ne!(balance, Amount::ZERO);
        let period = Period { from: Timestamp(middle), to: Timestamp(i64::MAX) };
        let told = accounts::statement(posting, ledger, account, period, 3, 4).await.unwrap();
        assert_eq!((told.movements.len(), told.closing.minor()), (4, -total));
        let found = accounts::transfer(&self.db, ledger, TransferId(u128::try_from(total).unwrap())).await.unwrap();
        assert!(found.is_some());
        assert_eq!(accounts::pending(&self.db, ledger, account).await.unwrap(), vec![]);
        let everything = TransferFilter::default();
        let (page, all) = accounts::ledger_page(&self.db, ledger, &everything, 0, 4).await.unwrap();
        assert_eq!((page.len(), all), (4, total));
    }

    /// Holds what was read against the size of the table. What a connection read is counted at the latest when it ends.
    async fn end(self, database: &Database) {
        drop(self.posting);
        self.db.close().await;
        let db = database.open().await;
        let sql = "select cast(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) as bigint) as n
                   from pg_stat_user_tables where relname = 'transfer'";
        let read = db.fetch_optional(sql, vec![]).await.unwrap().unwrap().int("n").unwrap();
        // One transfer is found by reading the rows of its record.
        assert!(read < BATCH + MANY / 2, "{read} rows were read");
        assert!(read > 0, "nothing was counted");
    }
}

/// Entities with the tag that is searched for.
const TAGGED: i64 = 20_000;

/// What a plan that is kept takes for few may be many.
#[tokio::test(flavor = "multi_thread")]
async fn a_tag_of_many_is_found_by_a_plan_for_few() {
    let database = database::Engine::Postgres.fresh().await;
    let db = database.open().await;
    let id = "cast(lpad(to_hex(n), 32, '0') as uuid)";
    let person = "cast(lpad('1', 32, '0') as uuid)";
    for sql in [
        format!(
            "insert into person (person_id, email, email_key, password_hash, first_name, last_name, telephone, administrator, created_at)
             values ({person}, '', '', '', '', '', '', false, 0)"
        ),
        format!(
            "insert into entity (entity_id, person_id, account_number, ledger_id, account_id, status, name, email, telephone, inc_type,
                company_number, website, description, address, city, region, postal_code, country, show_tags_matched, daily_match_email, created_at)
             select {id}, {person}, n, {id}, {id}, 'accepted', '', '', '', '', '', '', '', '', '', '', '', '', false, false, 0
             from generate_series(1, {TAGGED}) n"
        ),
        format!(
            "insert into entity_tag (entity_id, kind, place, name, added_at, listed)
             select {id}, kind, 0, 'bread', 0, true from generate_series(1, {TAGGED}) n, unnest(array['offer', 'want']) kind"
        ),
        "do $$ begin execute format('alter database %I set plan_cache_mode = force_generic_plan', current_database()); end $$".into(),
    ] {
        db.execute(sql.leak(), vec![]).await.unwrap();
    }
    directory::take_over(&db).await.unwrap();
    db.close().await;
    let db = database.open().await;
    let begun = Instant::now();
    for (offers, wants) in [(vec!["bread"], vec!["braed"]), (vec!["bread"], vec![]), (vec![], vec!["bread"])] {
        let texts = |texts: Vec<&str>| texts.into_iter().map(String::from).collect();
        let search = Search { offers: texts(offers), wants: texts(wants), ..Search::default() };
        let (page, total) = directory::search(&db, &search, 0, 10).await.unwrap();
        assert_eq!((page.len(), total), (10, TAGGED));
    }
    // Half a second; to go through the one half for each entity of the other took forty seconds.
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    db.close().await;
}
