//! Windows as they are stored: after crashes the host decides as the naive model does, a preview counts them, and one that was tampered
//! with is named.
//!
//! Method: random histories of few accounts with tight windows are posted group by group, and to the model. Between batches the host is
//! dropped with all that it has in memory, and another one goes on with what is in the database. In the end the books are proven.

use hesabu::engine::{COMPONENT, Engine};
use hesabu::posting::{self, Clock, Entry, Group, Ledger, Posting, PostingError};
use hesabu::store::{Db, Statement};
use hesabu_tests::commands::{self, Batch};
use hesabu_tests::database;
use hesabu_tests::explore::explore;
use hesabu_tests::model::Model;
use hesabu_tests::tamper::Tamper;
use ledger_core::{
    AccountId, AccountStatus, Action, Amount, Command, Create, Direction, Item, Memo, OpenAccount, Outcome, Period,
    Rejection, SetWindow, Settle, Timestamp, TransferId, TransferKind, Unit, UtcOffset,
};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// A database, and a host that may crash at any time.
struct Host {
    db: Db,
    component: Engine,
    ledger: Ledger,
    now: Arc<AtomicI64>,
    posting: Posting,
}

impl Host {
    async fn on(db: &Db, component: &Engine, name: &str) -> Host {
        let unit = Unit::new("KES-MC", 2).unwrap();
        let ledger = posting::ensure_ledger(db, name, &unit).await.unwrap();
        let now = Arc::new(AtomicI64::new(0));
        let posting = Posting::new(db.clone(), component.clone(), clock(&now));
        Host { db: db.clone(), component: component.clone(), ledger, now, posting }
    }

    /// Everything in memory is gone, and the lease of the host that died has run out.
    async fn crash(&mut self) {
        self.posting = Posting::new(self.db.clone(), self.component.clone(), clock(&self.now));
        let over = "update ledger set lease_until = 0 where ledger_id = $1";
        self.db.execute(over, vec![self.ledger.id.0.into()]).await.unwrap();
    }

    async fn group(&self, items: &[Item], now: Timestamp) -> Vec<Outcome> {
        self.now.store(now.0, Ordering::Relaxed);
        let entries = items.iter().map(|item| Entry::new(item.command, "")).collect();
        self.posting.submit(self.ledger.id, Group { entries, companions: vec![] }).await.unwrap()
    }

    async fn one(&self, command: Command, now: Timestamp) -> Outcome {
        self.group(&[Item::alone(command)], now).await.remove(0)
    }

    async fn preview(&self, command: Command, now: Timestamp) -> Outcome {
        self.now.store(now.0, Ordering::Relaxed);
        self.posting.preview(self.ledger.id, command).await.unwrap()
    }
}

fn clock(now: &Arc<AtomicI64>) -> Clock {
    let now = Arc::clone(now);
    Arc::new(move || Timestamp(now.load(Ordering::Relaxed)))
}

#[test]
fn crashes_forget_nothing_on_sqlite() {
    crashes_forget_nothing(database::Engine::Sqlite);
}

#[test]
fn crashes_forget_nothing_on_postgres() {
    crashes_forget_nothing(database::Engine::Postgres);
}

fn crashes_forget_nothing(engine: database::Engine) {
    let runtime = Runtime::new().unwrap();
    let component = Engine::load(COMPONENT).unwrap();
    let database = runtime.block_on(engine.fresh());
    let db = runtime.block_on(database.open());
    let (ledgers, crashes, seen) = (Cell::new(0), Cell::new(0), RefCell::new(BTreeMap::new()));
    let histories = (commands::histories(), prop::collection::vec(prop::bool::weighted(0.4), 16));
    explore(60, &histories, |(history, crashing)| {
        ledgers.set(ledgers.get() + 1);
        let name = format!("ledger {}", ledgers.get());
        runtime.block_on(async {
            let (mut host, mut model) = (Host::on(&db, &component, &name).await, Model::default());
            for (batch, crash) in history.iter().zip(crashing) {
                if crash {
                    crashes.set(crashes.get() + 1);
                    host.crash().await;
                }
                for group in groups(batch) {
                    let outcomes = host.group(&group, batch.now).await;
                    prop_assert_eq!(&outcomes, &model.post(&group, batch.now));
                    for rejection in outcomes.iter().filter_map(|outcome| outcome.err()) {
                        *seen.borrow_mut().entry(rejection.word()).or_insert(0_usize) += 1;
                    }
                }
            }
            host.posting.close().await;
            Ok(())
        })
    });
    let reports = runtime.block_on(posting::verify(&db, &component, |_, _| {})).unwrap();
    let faults: Vec<_> = reports.iter().filter(|report| report.fault.is_some()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    println!("{} ledgers, {} crashes, {:?}", ledgers.get(), crashes.get(), seen.borrow());
    let by_windows: usize =
        seen.borrow().iter().filter(|(word, _)| word.contains("-window-")).map(|(_, times)| times).sum();
    assert!(by_windows >= 10 && crashes.get() >= 20, "too tame to prove much");
}

/// The closed groups of a batch, as a host is asked: without keys, whose memory is the host's, and without texts.
fn groups(batch: &Batch) -> Vec<Vec<Item>> {
    let mut items = batch.items.clone();
    for item in &mut items {
        match &mut item.command {
            Command::Create(create) => (create.key, create.memo) = (None, Memo::NONE),
            Command::Settle(settle) => settle.memo = Memo::NONE,
            Command::OpenAccount(_) | Command::SetLimits(_) | Command::SetStatus(_) | Command::SetWindow(_) => {}
        }
    }
    let groups = items.split_inclusive(|item| !item.linked);
    groups.filter(|group| group.last().is_some_and(|last| !last.linked)).map(<[Item]>::to_vec).collect()
}

const ALICE: AccountId = AccountId(1);
const BOB: AccountId = AccountId(2);

fn amount(minor: i64) -> Amount {
    Amount::new(minor).unwrap()
}

fn limit(account: AccountId, direction: Direction, period: Period, max: i64) -> Command {
    let (max_amount, max_count, offset) = (Some(amount(max)), Some(9), UtcOffset::new(180).unwrap());
    Command::SetWindow(SetWindow { account, direction, period, max_amount, max_count, offset })
}

fn pay(id: u128, kind: TransferKind, minor: i64) -> Command {
    let (id, amount) = (TransferId(id), amount(minor));
    let (expires_at, key, payable_now, memo) = (None, None, false, Memo::NONE);
    Command::Create(Create { id, kind, payer: ALICE, payee: BOB, amount, expires_at, key, payable_now, memo })
}

/// Alice may pay 100 a day and 150 a week, Bob be paid 1,000 a month; 60 is held and 30 was paid, a second after the limits were set.
async fn limited(engine: database::Engine) -> (database::Database, Host) {
    let database = engine.fresh().await;
    let (db, component) = (database.open().await, Engine::load(COMPONENT).unwrap());
    let host = Host::on(&db, &component, "limited").await;
    let open = |account| {
        let (floor, ceiling) = (amount(-10_000), amount(10_000));
        Command::OpenAccount(OpenAccount { account, floor, ceiling, status: AccountStatus::Open })
    };
    for command in [
        open(ALICE),
        open(BOB),
        limit(ALICE, Direction::Out, Period::Day, 100),
        limit(ALICE, Direction::Out, Period::Week, 150),
        limit(BOB, Direction::In, Period::Month, 1_000),
    ] {
        host.one(command, Timestamp(0)).await.unwrap();
    }
    host.one(pay(1, TransferKind::Hold, 60), SECOND).await.unwrap();
    host.one(pay(2, TransferKind::Immediate, 30), SECOND).await.unwrap();
    (database, host)
}

const SECOND: Timestamp = Timestamp(1_000_000);
const DAY_AFTER: Timestamp = Timestamp(86_400_000_000);

#[tokio::test]
async fn a_preview_counts_them_on_sqlite() {
    a_preview_counts_them(database::Engine::Sqlite).await;
}

#[tokio::test]
async fn a_preview_counts_them_on_postgres() {
    a_preview_counts_them(database::Engine::Postgres).await;
}

async fn a_preview_counts_them(engine: database::Engine) {
    let (_database, mut host) = limited(engine).await;
    let exceeded = |left| Err(Rejection::PayerWindowAmountExceeded { available: amount(left) });
    // From memory, then from the database before and after another host has read it.
    for crash in [false, true] {
        if crash {
            host.crash().await;
        }
        assert_eq!(host.preview(pay(3, TransferKind::Hold, 11), SECOND).await, exceeded(10));
        assert!(host.preview(pay(3, TransferKind::Hold, 10), SECOND).await.is_ok());
        assert_eq!(host.one(pay(4, TransferKind::Immediate, 11), SECOND).await, exceeded(10));
        assert_eq!(host.preview(pay(3, TransferKind::Hold, 11), SECOND).await, exceeded(10));
    }
    assert_eq!(host.preview(pay(3, TransferKind::Hold, 61), DAY_AFTER).await, exceeded(60), "the week goes on");
    let release = Settle { transfer: TransferId(1), action: Action::Release, memo: Memo::NONE };
    host.one(Command::Settle(release), SECOND).await.unwrap();
    assert_eq!(host.preview(pay(3, TransferKind::Hold, 71), SECOND).await, exceeded(70));
    host.posting.close().await;
}

#[tokio::test]
async fn what_is_taken_back_does_not_count_on_sqlite() {
    what_is_taken_back_does_not_count(database::Engine::Sqlite).await;
}

#[tokio::test]
async fn what_is_taken_back_does_not_count_on_postgres() {
    what_is_taken_back_does_not_count(database::Engine::Postgres).await;
}

/// A group whose companion meets a constraint has not happened, in the windows of its accounts neither.
async fn what_is_taken_back_does_not_count(engine: database::Engine) {
    let (_database, host) = limited(engine).await;
    let again = "insert into ledger select * from ledger where ledger_id = $1";
    let companion = Statement { sql: again, values: vec![host.ledger.id.0.into()] };
    for command in [pay(3, TransferKind::Hold, 10), limit(BOB, Direction::Out, Period::Day, 0)] {
        let group = Group::of(command, "").with(vec![companion.clone()]);
        let conflict = host.posting.submit_one(host.ledger.id, group).await;
        assert!(matches!(conflict, Err(PostingError::Conflict(_))), "{conflict:?}");
    }
    let exceeded = Err(Rejection::PayerWindowAmountExceeded { available: amount(10) });
    assert_eq!(host.preview(pay(3, TransferKind::Hold, 11), SECOND).await, exceeded);
    host.one(pay(3, TransferKind::Hold, 10), SECOND).await.unwrap();
    let back = Create { payer: BOB, payee: ALICE, ..created(pay(4, TransferKind::Immediate, 5)) };
    host.one(Command::Create(back), SECOND).await.unwrap();
    host.posting.close().await;
    let reports = posting::verify(&host.db, &host.component, |_, _| {}).await.unwrap();
    assert!(reports.iter().all(|report| report.fault.is_none()), "{reports:?}");
}

fn created(command: Command) -> Create {
    let Command::Create(create) = command else { panic!("{command:?} begins no transfer") };
    create
}

/// Two hosts share a ledger, and many pay at once through both: no more passes than one window lets pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_in_turn_share_them() {
    let (database, host) = limited(database::Engine::Postgres).await;
    let other = Host::on(&database.open().await, &host.component, "limited").await;
    other.now.store(SECOND.0, Ordering::Relaxed);
    let mut paying = JoinSet::new();
    for id in 10..40 {
        let posting = if id % 2 == 0 { host.posting.clone() } else { other.posting.clone() };
        let (ledger, group) = (host.ledger.id, Group::of(pay(id, TransferKind::Immediate, 1), ""));
        paying.spawn(async move { posting.submit_one(ledger, group).await });
    }
    let outcomes = paying.join_all().await;
    let passed = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Ok(_)))).count();
    // Of nine movements two were used, and of 100 there were 10 left.
    assert_eq!(passed, 7, "{outcomes:?}");
    let refused = outcomes.iter().filter(|outcome| **outcome == Ok(Err(Rejection::PayerWindowCountExceeded))).count();
    assert_eq!(refused, 23, "{outcomes:?}");
    other.posting.close().await;
    host.posting.close().await;
    let reports = posting::verify(&host.db, &host.component, |_, _| {}).await.unwrap();
    assert!(reports.iter().all(|report| report.fault.is_none()), "{reports:?}");
}

#[tokio::test]
async fn one_that_was_tampered_with_is_named_on_sqlite() {
    one_that_was_tampered_with_is_named(database::Engine::Sqlite).await;
}

#[tokio::test]
async fn one_that_was_tampered_with_is_named_on_postgres() {
    one_that_was_tampered_with_is_named(database::Engine::Postgres).await;
}

async fn one_that_was_tampered_with_is_named(engine: database::Engine) {
    let (database, host) = limited(engine).await;
    host.posting.close().await;
    let tamper = Tamper::with(engine, &database.url).await;
    tamper.sound().await;
    let mut wrong = vec![];
    for account in [ALICE, BOB] {
        let place = format!("account {}", hesabu::id_text(account.0));
        let stored = stored(&tamper.db, account).await;
        let set = |windows: &str| {
            format!("update account set windows = '{windows}' where account_id = {}", tamper.id(account.0))
        };
        for other in others(&stored) {
            tamper.run(&set(&other)).await;
            wrong.extend(tamper.misnamed(&place, &format!("{other} for {stored}")).await);
        }
        tamper.run(&set(&stored)).await;
    }
    tamper.sound().await;
    assert_eq!(wrong, [""; 0]);
}

/// As the row of an account has them.
async fn stored(db: &Db, account: AccountId) -> String {
    let row = db.fetch_optional("select windows from account where account_id = $1", vec![account.0.into()]).await;
    row.unwrap().expect("the account is there").text("windows").unwrap()
}

/// Of each window, as it is stored.
type Numbers = Vec<[Option<i64>; 9]>;

/// Each number one more, one less, none, or far out of range; each window gone with those after it, twice, or of the other direction; and texts that mean the same
/// or nothing.
fn others(stored: &str) -> Vec<String> {
    let windows: Numbers = serde_json::from_str(stored).unwrap();
    let mut others = vec![];
    for at in 0..windows.len() {
        let mut with = |change: &dyn Fn(&mut Numbers)| {
            let mut other = windows.clone();
            change(&mut other);
            others.push(serde_json::to_string(&other).unwrap());
        };
        for number in 0..9 {
            for other in
                [windows[at][number].map_or(Some(1), |number| Some(number + 1)), Some(-1), Some(i64::MAX), None]
            {
                with(&|windows| windows[at][number] = other);
            }
        }
        with(&|windows| windows.truncate(at));
        with(&|windows| windows.push(windows[at]));
        with(&|windows| {
            windows.extend(windows.clone().into_iter().map(|mut window| {
                window[0] = window[0].map(|direction| 3 - direction);
                window
            }))
        });
    }
    others.extend([stored.replace(',', ", "), stored.replacen('[', " [", 1), String::new(), "{}".into()]);
    others.retain(|other| other != stored);
    others
}

#[tokio::test]
async fn people_who_ask_in_sql_see_them_on_sqlite() {
    people_who_ask_in_sql_see_them(database::Engine::Sqlite).await;
}

#[tokio::test]
async fn people_who_ask_in_sql_see_them_on_postgres() {
    people_who_ask_in_sql_see_them(database::Engine::Postgres).await;
}

async fn people_who_ask_in_sql_see_them(engine: database::Engine) {
    let (_database, host) = limited(engine).await;
    host.posting.close().await;
    let sql =
        "select account_id, direction, period, max_amount, max_count, used_amount, used_count, began, since, utc_offset
               from account_window where ledger_id = $1 order by account_id, direction, period";
    let rows = host.db.fetch_all(sql, vec![host.ledger.id.0.into()]).await.unwrap();
    let numbers =
        ["direction", "period", "max_amount", "max_count", "used_amount", "used_count", "began", "since", "utc_offset"];
    let seen =
        rows.iter().map(|row| (AccountId(row.id("account_id").unwrap()), numbers.map(|name| row.int(name).unwrap())));
    let week = -3; // The first of January 1970 was a Thursday.
    let right = [
        (ALICE, [1, 1, 100, 9, 90, 2, 0, 0, 180]),
        (ALICE, [1, 2, 150, 9, 90, 2, week, 0, 180]),
        (BOB, [2, 3, 1_000, 9, 90, 2, 0, 0, 180]),
    ];
    assert_eq!(seen.collect::<Vec<_>>(), right);
}
