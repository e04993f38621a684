//! One thing that goes wrong with a database or a host at a time, and what posting makes of it. Everything at once is `simulation.rs`.

use hesabu::posting::{Entry, Group, Pace, Posting, PostingError};
use hesabu::store::{Access, Db, Faults, Statement};
use hesabu_tests::database::{Database, Engine};
use hesabu_tests::line::Line;
use hesabu_tests::room::{ALICE, BOB, Room, clock, pay};
use ledger_core::{Receipt, Rejection};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

/// Gives up soon.
fn brief() -> Pace {
    Pace { try_for: Duration::from_millis(50), ..Pace::default() }
}

/// Rests for ever: nothing happens but what is asked for.
fn busy() -> Pace {
    Pace { idle: Duration::from_secs(3_600), ..Pace::default() }
}

/// Like `pay`, for once only: a refusal leaves no trace.
fn pay_once(minor: i64) -> Entry {
    pay("", BOB, ALICE, minor).with_key(None)
}

async fn run(database: &Database, sql: &str) {
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_stops_posting_and_loses_nothing_on_sqlite() {
    let room = Room::paced(Engine::Sqlite, clock(), brief()).await;
    let limit = async |pages: i64| {
        let mut tx = room.db.begin_here().await.unwrap();
        let sql = format!("pragma max_page_count = {pages}");
        let rows = tx.fetch_all(sql.leak(), vec![]).await.unwrap();
        rows[0].int("max_page_count").unwrap()
    };
    // A limit below what there is becomes what there is.
    let full = limit(1).await;
    let text = "x".repeat(900);
    let long = |turn: usize| {
        let pay = pay(&format!("pay {turn}"), ALICE, BOB, 1);
        Entry::new(pay.command, &text).minted()
    };
    let mut turn = 0;
    while room.submit(vec![long(turn)]).await.is_ok() {
        turn += 1;
        assert!(turn < 90, "the disk is never full");
    }
    assert_eq!(room.submit(vec![long(turn)]).await, Err(PostingError::Unavailable));
    let happened = i64::try_from(turn).unwrap();
    assert_eq!([room.balance(BOB).await, room.shown_by(&room.posting, BOB).await], [happened; 2]);
    room.prove().await;
    limit(full + 1_000).await;
    assert!(matches!(room.submit(vec![long(turn)]).await.unwrap()[..], [Ok(Receipt::Transfer(_))]));
    assert!(matches!(room.submit(vec![long(turn)]).await.unwrap()[..], [Ok(Receipt::Repeated(_))]));
    assert_eq!(room.balance(BOB).await, happened + 1);
    room.prove().await;
}

/// Makes the next `times` records fail with a code: when they are inserted, or when they are committed.
async fn fail(database: &Database, code: &str, times: u32, when: &str) {
    let trigger = match when {
        "commit" => "create constraint trigger fail after insert on journal deferrable initially deferred",
        _ => "create trigger fail before insert on journal",
    };
    run(
        database,
        &format!(
            "drop trigger if exists fail on journal; drop sequence if exists fail_turn cascade; create sequence fail_turn;
             create or replace function fail() returns trigger language plpgsql as $$ begin
                 if nextval('fail_turn') <= {times} then raise exception 'on purpose' using errcode = '{code}'; end if;
                 return new;
             end $$;
             {trigger} for each row execute function fail();"
        ),
    )
    .await;
}

/// Serialization failure, deadlock, lock not available, statement timeout, disk full, connection failure, completion unknown.
const PASSING: [&str; 7] = ["40001", "40P01", "55P03", "57014", "53100", "08006", "40003"];

#[tokio::test]
async fn a_batch_that_a_database_refuses_for_a_while_is_tried_again_as_a_whole_on_postgres() {
    let room = Room::on(Engine::Postgres, clock()).await;
    happens_once_whatever_fails(&room, &room.posting, "alone").await;
    // Two hosts in turn: the second asks the first to let go.
    let second = room.another(&room.db, Pace::default());
    room.post_by(&second, pay("hello", ALICE, BOB, 1)).await.unwrap().unwrap();
    room.submit(vec![pay("hello too", BOB, ALICE, 1)]).await.unwrap()[0].unwrap();
    happens_once_whatever_fails(&room, &second, "shared").await;
    room.prove().await;
}

async fn happens_once_whatever_fails(room: &Room, host: &Posting, name: &str) {
    for when in ["insert", "commit"] {
        for code in PASSING {
            let before = room.balance(BOB).await;
            fail(&room.database, code, 3, when).await;
            let all = (0..5).map(|turn| pay(&format!("{name} {when} {code} {turn}"), ALICE, BOB, 1));
            let (first, second) = tokio::join!(
                host.submit(room.ledger.id, Group { entries: all.clone().collect(), companions: vec![] }),
                room.post_by(host, pay(&format!("{name} {when} {code} back"), BOB, ALICE, 1)),
            );
            let first = first.unwrap_or_else(|error| panic!("{code} at the {when}, {name}: {error}"));
            assert!(first.iter().all(|outcome| matches!(outcome, Ok(Receipt::Transfer(_)))), "{code}: {first:?}");
            assert!(matches!(second, Ok(Ok(Receipt::Transfer(_)))), "{code}: {second:?}");
            for again in all {
                assert!(matches!(room.post_by(host, again).await, Ok(Ok(Receipt::Repeated(_)))));
            }
            assert_eq!(room.balance(BOB).await, before + 4);
            let back = (0..4).map(|turn| pay(&format!("{name} {when} {code} return {turn}"), BOB, ALICE, 1)).collect();
            host.submit(room.ledger.id, Group { entries: back, companions: vec![] }).await.unwrap();
        }
    }
    // What cannot be helped by trying again is told at once, and has not happened.
    fail(&room.database, "22012", 1, "insert").await;
    let key = format!("{name} hopeless");
    assert_eq!(room.post_by(host, pay(&key, ALICE, BOB, 1)).await, Err(PostingError::Unavailable));
    assert!(matches!(room.post_by(host, pay(&key, ALICE, BOB, 1)).await, Ok(Ok(Receipt::Transfer(_)))));
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_tried_again_on_postgres() {
    let database = Engine::Postgres.fresh().await;
    let (_, name) = database.url.rsplit_once('/').unwrap();
    run(&database, &format!("alter database {name} set statement_timeout = '150ms'")).await;
    let room = Room::at(database, clock(), Pace::default()).await;
    let mut other = PgConnection::connect(&room.database.url).await.unwrap();
    other.execute("begin; select 1 from ledger for update").await.unwrap();
    let (paid, ()) = tokio::join!(room.submit(vec![pay("a", ALICE, BOB, 1)]), async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        other.execute("commit").await.unwrap();
    });
    assert!(matches!(paid.unwrap()[..], [Ok(Receipt::Transfer(_))]));
    assert_eq!(room.balance(BOB).await, 1);
    room.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_gets_lost_after_the_commit_is_found_again_on_postgres() {
    let room = Room::on(Engine::Postgres, clock()).await;
    room.posting.close().await;
    let line = Line::to(&room.database.url, "127.0.0.1:0").await;
    let db = Db::open(&line.url(&room.database.url)).await.unwrap();
    let host = room.another(&db, busy());
    room.post_by(&host, pay("first", ALICE, BOB, 1)).await.unwrap().unwrap();
    let mut committed = 0;
    for turn in 0..30 {
        let key = format!("pay {turn}");
        let (from, to) = if turn % 2 == 0 { (ALICE, BOB) } else { (BOB, ALICE) };
        let records = records(&room).await;
        // The server says this when a statement that gives one row is done: the one that writes a batch.
        line.lose_answer_with(b"SELECT 1\0");
        let paying = room.post_by(&host, pay(&key, from, to, 1));
        let (paid, cut) = tokio::join!(paying, async {
            while line.lost() <= turn {
                tokio::task::yield_now().await;
            }
            self::records(&room).await
        });
        assert!(matches!(paid, Ok(Ok(Receipt::Transfer(_)))), "{paid:?}");
        committed += usize::from(cut > records);
        assert_eq!(room.balance(BOB).await, 1 + i64::from(turn % 2 == 0), "it happened once");
        assert!(matches!(room.post_by(&host, pay(&key, from, to, 1)).await, Ok(Ok(Receipt::Repeated(_)))));
    }
    println!("{} answers were lost, {committed} of them after the commit", line.lost());
    assert!(committed > 3, "nothing was proven");
    room.prove().await;
}

async fn records(room: &Room) -> i64 {
    let row = room.db.fetch_optional("select max(seq) as n from journal", vec![]).await.unwrap();
    row.unwrap().int("n").unwrap()
}

/// Nobody waits for the end of these, as when a client goes away. A connection that was left in a transaction would take in what the
/// next one writes, and never commit it.
#[tokio::test]
async fn a_transaction_whose_beginning_nobody_waits_for_is_not_left_open_on_postgres() {
    let room = Room::on(Engine::Postgres, clock()).await;
    let mut other = PgConnection::connect(&room.database.url).await.unwrap();
    let mut acknowledged = 0;
    for turn in 0..32 {
        let begin: Pin<Box<dyn Future<Output = ()>>> = match turn % 2 {
            0 => Box::pin(async { drop(room.db.begin().await) }),
            _ => Box::pin(async { drop(room.db.begin_read().await) }),
        };
        give_up_after(turn / 2 % 8, begin).await;
        // By then the connection is back with the others, of which each gets its turn.
        tokio::time::sleep(Duration::from_millis(5)).await;
        for _ in 0..4 {
            // Without a key nothing is read before: the batch is one statement.
            room.submit(vec![pay("", ALICE, BOB, 1).with_key(None)]).await.unwrap()[0].unwrap();
            room.submit(vec![pay("", BOB, ALICE, 1).with_key(None)]).await.unwrap()[0].unwrap();
            acknowledged += 2;
        }
        let there: i64 = other.fetch_one("select count(*) from transfer").await.unwrap().get(0);
        assert_eq!(there, acknowledged, "everybody can see what was acknowledged");
    }
    let open = "select count(*) from pg_stat_activity
                where datname = current_database() and state like 'idle in transaction%'";
    let mut left = 1;
    for _ in 0..100 {
        left = other.fetch_one(open).await.unwrap().get::<i64, _>(0);
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(left, 0, "connections were left in a transaction");
    room.prove().await;
}

/// Polls so many times, and goes away.
async fn give_up_after(polls: usize, mut future: Pin<Box<dyn Future<Output = ()> + '_>>) {
    let mut polled = 0;
    poll_fn(|context| {
        polled += 1;
        if future.as_mut().poll(context).is_ready() || polled > polls { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// A host that slept longer than its lease, or had nothing to write for so long, does not answer from what it remembers.
#[tokio::test]
async fn a_host_that_only_refuses_hears_that_another_has_its_ledger_on_postgres() {
    let room = Room::paced(Engine::Postgres, clock(), busy()).await;
    let nothing = Rejection::FloorExceeded { available: ledger_core::Amount::ZERO };
    assert_eq!(room.post_by(&room.posting, pay_once(10)).await, Ok(Err(nothing)));
    // Longer than the lease.
    tokio::time::sleep(Duration::from_millis(3_200)).await;
    let second = room.another(&room.db, Pace::default());
    room.post_by(&second, pay("a", ALICE, BOB, 50)).await.unwrap().unwrap();
    assert_eq!(room.shown_by(&room.posting, BOB).await, 50);
    let paid = room.post_by(&room.posting, pay_once(10)).await;
    assert!(matches!(paid, Ok(Ok(Receipt::Transfer(_)))), "{paid:?}");
    room.prove().await;
}

/// What a lane has decided can be seen when it is durable. When it is taken back instead, and something else gets its place in the
/// journal, whoever waited to see it does not see it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_back_is_never_seen_on_sqlite() {
    let room = Room::on(Engine::Sqlite, clock()).await;
    room.db.execute("create table taken (name text primary key)", vec![]).await.unwrap();
    room.db.execute("insert into taken (name) values ('x')", vec![]).await.unwrap();
    room.posting.close().await;
    let (stop, go) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(true)));
    let faults = {
        let (stop, go) = (Arc::clone(&stop), Arc::clone(&go));
        Faults::new(move |access| {
            if access == Access::Write && stop.swap(false, Ordering::SeqCst) {
                while !go.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            None
        })
    };
    let host = room.another(&room.db.clone().with_faults(faults), busy());
    room.post_by(&host, pay("first", ALICE, BOB, 1)).await.unwrap().unwrap();
    for turn in 0..10 {
        let before = room.shown_by(&host, BOB).await;
        go.store(false, Ordering::SeqCst);
        stop.store(true, Ordering::SeqCst);
        let companion = Statement { sql: "insert into taken (name) values ('x')", values: vec![] };
        let never = Group::from(pay(&format!("never {turn}"), ALICE, BOB, 5)).with(vec![companion]);
        let (refused, seen, ()) = tokio::join!(
            host.submit(room.ledger.id, never),
            async {
                // By then it is decided, and not written.
                tokio::time::sleep(Duration::from_millis(10)).await;
                room.shown_by(&host, BOB).await
            },
            async {
                tokio::time::sleep(Duration::from_millis(30)).await;
                go.store(true, Ordering::SeqCst);
                room.post_by(&host, pay(&format!("instead {turn}"), ALICE, BOB, 1)).await.unwrap().unwrap();
            }
        );
        assert_eq!(refused, Err(PostingError::Conflict("taken.name".into())));
        assert!([before, before + 1].contains(&seen), "{seen} was never so, after {before}");
    }
    room.prove().await;
}
