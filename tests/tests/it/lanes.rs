//! Lanes under odd circumstances: keys that meet in one batch, a lane that dies, damage that reaches one account only.

use hesabu::posting::{Clock, Entry, Group, Pace, PostingError};
use hesabu::store::Statement;
use hesabu_tests::database::Engine;
use hesabu_tests::room::{ALICE, BOB, Room, clock, pay};
use ledger_core::{Action, Amount, Command, Create, Memo, Receipt, Rejection, Settle, Timestamp, TransferKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// On one thread, what is joined waits together before the lane runs: it is one batch.
#[tokio::test]
async fn a_key_whose_first_command_was_wrong_in_itself_is_kept_by_the_next_on_sqlite() {
    a_key_whose_first_command_was_wrong_in_itself_is_kept_by_the_next(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_key_whose_first_command_was_wrong_in_itself_is_kept_by_the_next_on_postgres() {
    a_key_whose_first_command_was_wrong_in_itself_is_kept_by_the_next(Engine::Postgres).await;
}

async fn a_key_whose_first_command_was_wrong_in_itself_is_kept_by_the_next(engine: Engine) {
    let room = Room::on(engine, clock()).await;
    let (wrong, right) =
        tokio::join!(room.submit(vec![pay("k", ALICE, ALICE, 10)]), room.submit(vec![pay("k", ALICE, BOB, 10)]));
    assert_eq!(wrong.unwrap(), [Err(Rejection::SameAccount)]);
    assert!(matches!(right.unwrap()[..], [Ok(Receipt::Transfer(_))]));
    let again = room.submit(vec![pay("k", ALICE, BOB, 10)]).await.unwrap();
    assert!(matches!(again[..], [Ok(Receipt::Repeated(_))]), "{again:?}");
    assert_eq!(room.balance(BOB).await, 10);
    room.prove().await;
}

#[tokio::test]
async fn a_key_of_a_group_that_failed_is_free_for_the_next() {
    let room = Room::on(Engine::Sqlite, clock()).await;
    let (group, alone, twice) = tokio::join!(
        room.submit(vec![pay("k", ALICE, BOB, 10), pay("other", BOB, ALICE, 500)]),
        room.submit(vec![pay("k", ALICE, BOB, 10)]),
        room.submit(vec![pay("k", ALICE, BOB, 10), pay("third", ALICE, BOB, 5)]),
    );
    let too_much = Rejection::FloorExceeded { available: Amount::new(10).unwrap() };
    assert_eq!(group.unwrap(), [Err(Rejection::LinkedFailed), Err(too_much)]);
    assert!(matches!(alone.unwrap()[..], [Ok(Receipt::Transfer(_))]));
    assert!(matches!(twice.unwrap()[..], [Ok(Receipt::Repeated(_)), Ok(Receipt::Transfer(_))]));
    for (key, payee) in [("k", BOB), ("third", BOB)] {
        let minor = if key == "k" { 10 } else { 5 };
        let again = room.submit(vec![pay(key, ALICE, payee, minor)]).await.unwrap();
        assert!(matches!(again[..], [Ok(Receipt::Repeated(_))]), "{key}: {again:?}");
    }
    // The one that was the reason is remembered, also when there is enough.
    assert_eq!(room.submit(vec![pay("other", BOB, ALICE, 500)]).await.unwrap(), [Err(too_much)]);
    assert_eq!(room.balance(BOB).await, 15);
    room.prove().await;
}

#[tokio::test]
async fn those_who_read_much_keep_nobody_from_posting_on_sqlite() {
    those_who_read_much_keep_nobody_from_posting(Engine::Sqlite).await;
}

#[tokio::test]
async fn those_who_read_much_keep_nobody_from_posting_on_postgres() {
    those_who_read_much_keep_nobody_from_posting(Engine::Postgres).await;
}

/// Every connection is taken by a reader, and others wait for one. On SQLite whoever writes beside the lane has the turn that the lane needs too.
async fn those_who_read_much_keep_nobody_from_posting(engine: Engine) {
    let room = Room::on(engine, clock()).await;
    let mut readers = vec![];
    while let Ok(Ok(reader)) = timeout(Duration::from_millis(300), room.db.begin_read()).await {
        readers.push(reader);
    }
    assert!(readers.len() > 2, "{}", readers.len());
    let beside = async {
        match engine {
            Engine::Sqlite => drop(room.db.begin().await.unwrap()),
            // It waits with the readers, and has nothing that others need.
            Engine::Postgres => drop(timeout(Duration::from_millis(500), room.db.begin()).await),
        }
    };
    let posted = async {
        tokio::task::yield_now().await;
        room.submit(vec![pay("a", ALICE, BOB, 1)]).await.unwrap()[0].unwrap();
        // So many are copied on PostgreSQL.
        let sides = |number: usize| if number.is_multiple_of(2) { (ALICE, BOB) } else { (BOB, ALICE) };
        let entry = |number: usize| pay(&format!("many {number}"), sides(number).0, sides(number).1, 1);
        let many = room.posting.submit_batch(room.ledger.id, (0..5_000).map(entry).collect()).await.unwrap();
        assert!(many.iter().all(Result::is_ok));
    };
    let both = async { tokio::join!(beside, posted) };
    timeout(Duration::from_secs(4), both).await.expect("nobody waits for a reader");
    drop(readers);
    room.prove().await;
}

/// A lane that dies takes nobody down with it: who waited is told, and the next finds a new lane.
#[tokio::test]
async fn a_lane_that_panics_is_replaced() {
    let broken = Arc::new(AtomicBool::new(false));
    let clock: Clock = {
        let broken = Arc::clone(&broken);
        Arc::new(move || if broken.load(Ordering::Relaxed) { panic!("a clock of this test") } else { Timestamp(7) })
    };
    let room = Room::on(Engine::Sqlite, clock).await;
    broken.store(true, Ordering::Relaxed);
    assert_eq!(room.submit(vec![pay("a", ALICE, BOB, 1)]).await, Err(PostingError::Unavailable));
    broken.store(false, Ordering::Relaxed);
    assert!(room.submit(vec![pay("a", ALICE, BOB, 1)]).await.unwrap()[0].is_ok());
    room.posting.close().await;
    assert_eq!(room.submit(vec![pay("b", ALICE, BOB, 1)]).await, Err(PostingError::Unavailable));
    room.prove().await;
}

/// Damage is an error of whoever touches it, and never a panic.
#[tokio::test]
async fn numbers_that_cannot_be_are_damage() {
    let room = Room::on(Engine::Sqlite, clock()).await;
    room.submit(vec![pay("a", ALICE, BOB, 1)]).await.unwrap()[0].unwrap();
    // Everything is written: nothing is left that would mend the damage.
    room.posting.close().await;
    let anew = || room.another(&room.db, Pace::default());
    for damage in
        ["entries = 9223372036854775807", "entries = -1", "begun = 9", "last_position = 0", "balance = 1 << 62"]
    {
        let (column, _) = damage.split_once(' ').unwrap();
        let sql = format!("update account set {damage} where account_id = $1");
        let before =
            room.db.fetch_all("select * from account where account_id = $1", vec![BOB.0.into()]).await.unwrap();
        let before = before[0].int(column).unwrap();
        room.db.execute(sql.leak(), vec![BOB.0.into()]).await.unwrap();
        assert_eq!(
            anew().submit(room.ledger.id, pay(damage, ALICE, BOB, 1).into()).await,
            Err(PostingError::Unavailable),
            "{damage}"
        );
        let sql = format!("update account set {column} = $2 where account_id = $1");
        room.db.execute(sql.leak(), vec![BOB.0.into(), before.into()]).await.unwrap();
    }
    assert!(anew().submit_one(room.ledger.id, pay("b", ALICE, BOB, 1).into()).await.unwrap().is_ok());
    room.prove().await;
}

/// A clock that goes backwards does not: the ledger's time stands still until the clock has caught up.
#[tokio::test]
async fn time_in_a_ledger_never_runs_backwards() {
    let early = Arc::new(AtomicBool::new(false));
    let clock: Clock = {
        let early = Arc::clone(&early);
        Arc::new(move || Timestamp(if early.load(Ordering::Relaxed) { 5 } else { 50 }))
    };
    let room = Room::on(Engine::Sqlite, clock).await;
    early.store(true, Ordering::Relaxed);
    let outcomes = room.submit(vec![pay("a", ALICE, BOB, 1)]).await.unwrap();
    assert!(matches!(outcomes[..], [Ok(Receipt::Transfer(receipt))] if receipt.transfer.created_at == Timestamp(50)));
    room.prove().await;
}

/// A batch that may be taken back for its companion is the last that was decided: the one behind it is decided on what is left.
#[tokio::test]
async fn what_is_decided_behind_a_companion_that_fails_is_decided_without_it() {
    let pace = Pace { ahead_min: 1, batch_max: 1, sweep_alone: 1, sweep_among_others: 1, ..Pace::default() };
    let room = Room::paced(Engine::Sqlite, clock(), pace).await;
    room.db.execute("create table taken (name text primary key)", vec![]).await.unwrap();
    room.db.execute("insert into taken (name) values ('x')", vec![]).await.unwrap();
    let companion = || Statement { sql: "insert into taken (name) values ('x')", values: vec![] };
    for turn in 0..20 {
        let key = |what: &str| format!("{what} {turn}");
        let refused = Group::from(pay(&key("refused"), ALICE, BOB, 1)).with(vec![companion()]);
        let (before, refused, back, again) = tokio::join!(
            room.submit(vec![pay(&key("before"), ALICE, BOB, 2)]),
            room.posting.submit(room.ledger.id, refused),
            room.submit(vec![pay(&key("back"), BOB, ALICE, 2)]),
            room.submit(vec![pay(&key("refused"), ALICE, BOB, 1), pay(&key("too much"), BOB, ALICE, 500)]),
        );
        assert_eq!(refused, Err(PostingError::Conflict("taken.name".into())));
        assert!(before.unwrap()[0].is_ok() && back.unwrap()[0].is_ok());
        assert_eq!(again.unwrap()[0], Err(Rejection::LinkedFailed), "the key of what was refused is free");
        assert_eq!(room.shown_by(&room.posting, BOB).await, 0);
    }
    room.prove().await;
}

/// A transfer may be repeated and settled by one record, and its row says from then on that it is settled.
#[tokio::test]
async fn a_transfer_that_is_repeated_and_settled_at_once_is_proven() {
    let room = Room::on(Engine::Sqlite, clock()).await;
    let Command::Create(create) = pay("hold", ALICE, BOB, 10).command else { panic!("it begins a transfer") };
    let hold = || Entry::new(Command::Create(Create { kind: TransferKind::Hold, ..create }), "");
    room.submit(vec![hold()]).await.unwrap()[0].unwrap();
    let capture = Settle { transfer: create.id, action: Action::Capture(None), memo: Memo::NONE };
    let both = room.submit(vec![hold(), Entry::new(Command::Settle(capture), "")]).await.unwrap();
    assert!(matches!(both[..], [Ok(Receipt::Repeated(_)), Ok(Receipt::Transfer(_))]), "{both:?}");
    room.prove().await;
}
