//! Two hosts that take turns on one ledger: each follows what the other posted, and decides on it.

use hesabu::posting::{Entry, Group, Pace, Posting, PostingError};
use hesabu::store::Statement;
use hesabu_tests::database::Engine;
use hesabu_tests::room::{ALICE, BOB, Room, clock, pay};
use ledger_core::{
    AccountId, AccountStatus, Action, Amount, Command, Create, Memo, OpenAccount, Outcome, Receipt, Rejection,
    SetLimits, Settle, Transfer, TransferKind,
};
use std::time::Duration;

const CAROL: AccountId = AccountId(3);

fn began(outcome: &Outcome) -> Transfer {
    match outcome {
        Ok(Receipt::Transfer(receipt)) => receipt.transfer,
        other => panic!("{other:?}"),
    }
}

/// The same transfer, as a hold.
fn hold(entry: Entry) -> Entry {
    let Command::Create(create) = entry.command else { panic!("it begins a transfer") };
    Entry::new(Command::Create(Create { kind: TransferKind::Hold, ..create }), "").minted()
}

fn settle(transfer: &Transfer, action: Action) -> Entry {
    Entry::new(Command::Settle(Settle { transfer: transfer.id, action, memo: Memo::NONE }), "")
}

fn minor(amount: i64) -> Amount {
    Amount::new(amount).unwrap()
}

/// A pace at which hosts seldom rest: rows lag until there are so many of them. The one that has the ledger for itself lets go when it
/// rests.
fn restless(sweep_among_others: i64) -> Pace {
    Pace { idle: Duration::from_secs(2), sweep_among_others, ..Pace::default() }
}

/// How many records of the journal the rows do not have.
async fn lag(room: &Room) -> i64 {
    let sql = "select head_seq - flushed_seq as lag from ledger";
    room.db.fetch_optional(sql, vec![]).await.unwrap().unwrap().int("lag").unwrap()
}

#[tokio::test]
async fn each_decides_on_what_the_other_posted() {
    take_turns(Pace::default()).await;
}

/// Rows lag and are written again and again, now by this host and now by that: as rows of keys and as runs of them.
#[tokio::test]
async fn each_writes_for_the_other_what_lags() {
    for sweep in [1, 6, 40] {
        take_turns(restless(sweep)).await;
    }
    take_turns(Pace { idle: Duration::from_millis(1), ..Pace::default() }).await;
}

/// Both hosts post by turns: the second one waits for the first to let go, and then neither has it alone.
async fn take_turns(pace: Pace) {
    let room = Room::paced(Engine::Postgres, clock(), pace).await;
    let (first, second) = (&room.posting, &room.another(&room.db, pace));
    let post = async |host: &Posting, entry: Entry| room.post_by(host, entry).await.unwrap();

    for round in 0..20 {
        let key = |what: &str| format!("{what} {round}");
        // All that Alice has goes to Bob by one host; the other has to know that she has no more, and that he has it.
        let given = began(&post(first, pay(&key("all"), ALICE, BOB, 100)).await);
        let more = post(second, pay(&key("more"), ALICE, BOB, 1)).await;
        assert!(matches!(more, Err(Rejection::FloorExceeded { .. })), "{more:?}");
        let again = post(second, pay(&key("all"), ALICE, BOB, 100)).await;
        assert!(matches!(again, Ok(Receipt::Repeated(transfer)) if transfer.id == given.id), "{again:?}");
        let refused = post(first, pay(&key("more"), ALICE, BOB, 1)).await;
        assert_eq!(refused, more, "the first answer, by whichever host");

        // A hold of one host is settled by the other, once.
        let held = began(&post(second, hold(pay(&key("hold"), BOB, ALICE, 60))).await);
        let rest = post(first, pay(&key("rest"), BOB, ALICE, 41)).await;
        assert!(matches!(rest, Err(Rejection::FloorExceeded { .. })), "{rest:?}");
        let action = if round % 2 == 0 { Action::Capture(None) } else { Action::Release };
        began(&post(first, settle(&held, action)).await);
        assert!(post(second, settle(&held, action)).await.is_err(), "it was settled");
        let back = if round % 2 == 0 { 40 } else { 100 };
        began(&post(second, pay(&key("back"), BOB, ALICE, back)).await);
    }

    // What is no transfer is followed too.
    let limits = (minor(0), minor(50));
    let open = OpenAccount { account: CAROL, floor: limits.0, ceiling: limits.1, status: AccountStatus::Open };
    post(first, Entry::new(Command::OpenAccount(open), "")).await.unwrap();
    began(&post(second, pay("to carol", ALICE, CAROL, 50)).await);
    let lower = SetLimits { account: CAROL, floor: Some(minor(-20)), ceiling: Some(minor(40)) };
    post(first, Entry::new(Command::SetLimits(lower), "")).await.unwrap();
    assert!(matches!(post(second, pay("too much", ALICE, CAROL, 1)).await, Err(Rejection::CeilingExceeded { .. })));
    began(&post(second, pay("all of it", CAROL, ALICE, 70)).await);
    assert!(post(first, pay("one more", CAROL, ALICE, 1)).await.is_err());
    for account in [ALICE, BOB, CAROL] {
        assert_eq!(room.shown_by(first, account).await, room.shown_by(second, account).await);
    }
    assert_eq!(room.shown_by(first, CAROL).await, -20);
    room.prove().await;
    first.close().await;
    second.close().await;
    room.prove().await;
}

/// Nothing was written of what lags when both hosts vanish, or one of them comes to its end.
#[tokio::test]
async fn a_host_that_comes_later_takes_up_what_lags() {
    let room = Room::paced(Engine::Postgres, clock(), restless(1_000_000)).await;
    let (first, second) = (&room.posting, &room.another(&room.db, restless(1_000_000)));
    let post = async |host: &Posting, entry: Entry| room.post_by(host, entry).await.unwrap();
    began(&post(first, pay("begin", ALICE, BOB, 1)).await);
    began(&post(second, pay("join", ALICE, BOB, 1)).await);
    let held = began(&post(first, hold(pay("hold", BOB, ALICE, 2))).await);
    for round in 0..10 {
        began(&post(first, pay(&format!("there {round}"), ALICE, BOB, 5)).await);
        began(&post(second, pay(&format!("back {round}"), BOB, ALICE, 5)).await);
    }
    let refused = post(first, pay("too much", ALICE, BOB, 1_000)).await;
    assert!(lag(&room).await > 20, "it is to be proven with rows that lag");
    assert_eq!(room.balance(BOB).await, 2);
    room.prove().await;

    // Neither of them is asked again: for the third they are gone.
    let third = &room.another(&room.db, restless(1_000_000));
    assert_eq!(room.shown_by(third, ALICE).await, -2);
    assert_eq!(post(third, pay("too much", ALICE, BOB, 1_000)).await, refused);
    for key in ["begin", "join", "there 9", "back 0"] {
        let (payer, payee) = if key == "back 0" { (BOB, ALICE) } else { (ALICE, BOB) };
        let amount = if key.contains(' ') { 5 } else { 1 };
        let again = post(third, pay(key, payer, payee, amount)).await;
        assert!(matches!(again, Ok(Receipt::Repeated(_))), "{key}: {again:?}");
    }
    began(&post(third, settle(&held, Action::Capture(None))).await);
    assert_eq!(room.balance(BOB).await, 0);
    let before = lag(&room).await;
    assert!(before > 20);

    // One that ends writes for all of them, and the others know.
    third.close().await;
    assert_eq!(lag(&room).await, 0);
    room.prove().await;
    began(&post(second, pay("after", ALICE, BOB, 3)).await);
    let again = post(first, pay("after", ALICE, BOB, 3)).await;
    assert!(matches!(again, Ok(Receipt::Repeated(_))), "{again:?}");
    assert_eq!(post(first, pay("too much", ALICE, BOB, 1_000)).await, refused);
    assert!((1..before).contains(&lag(&room).await), "only what came since lags");
    first.close().await;
    second.close().await;
    assert_eq!((lag(&room).await, room.balance(ALICE).await, room.balance(BOB).await), (0, -3, 3));
    room.prove().await;
}

/// A host whose batch is taken back decides on what was before.
#[tokio::test]
async fn a_conflict_in_turn_leaves_nothing_behind() {
    let room = Room::paced(Engine::Postgres, clock(), restless(1_000_000)).await;
    let (first, second) = (&room.posting, &room.another(&room.db, restless(1_000_000)));
    room.db.execute("create table noted (name text constraint noted_name primary key)", vec![]).await.unwrap();
    let with = async |host: &Posting, entry: Entry| {
        let noted = Statement { sql: "insert into noted (name) values ('once')", values: vec![] };
        host.submit_one(room.ledger.id, Group::from(entry).with(vec![noted])).await
    };
    let post = async |host: &Posting, entry: Entry| room.post_by(host, entry).await.unwrap();
    began(&post(first, pay("begin", ALICE, BOB, 1)).await);
    began(&post(second, pay("join", ALICE, BOB, 1)).await);
    began(&with(first, pay("noted", ALICE, BOB, 10)).await.unwrap());
    for round in 0..3 {
        let host = [first, second][round % 2];
        let conflict = with(host, pay(&format!("again {round}"), ALICE, BOB, 50)).await;
        assert_eq!(conflict, Err(PostingError::Conflict("noted_name".into())));
        began(&post(host, pay(&format!("more {round}"), ALICE, BOB, 5)).await);
        // Its key was not kept, and 50 did not happen.
        let all = post([second, first][round % 2], pay(&format!("again {round}"), ALICE, BOB, 1)).await;
        began(&all);
    }
    assert!(lag(&room).await > 0);
    assert_eq!((room.balance(ALICE).await, room.balance(BOB).await), (-30, 30));
    first.close().await;
    second.close().await;
    room.prove().await;
}

/// A database that comes back without its newest record, as after a failover to a copy that was behind: what hosts remember of it is gone.
#[tokio::test]
async fn a_record_that_was_lost_is_forgotten() {
    let room = Room::paced(Engine::Postgres, clock(), restless(1_000_000)).await;
    let (first, second) = (&room.posting, &room.another(&room.db, restless(1_000_000)));
    let post = async |host: &Posting, entry: Entry| room.post_by(host, entry).await.unwrap();
    began(&post(first, pay("begin", ALICE, BOB, 1)).await);
    began(&post(second, pay("join", ALICE, BOB, 1)).await);
    began(&post(first, pay("on", ALICE, BOB, 1)).await);
    let run = async |sql: &'static str| room.db.execute(sql, vec![]).await.unwrap();
    run("create table copy as select * from ledger").await;
    began(&post(first, pay("lost", ALICE, BOB, 90)).await);
    run("delete from transfer where seq > (select head_seq from copy)").await;
    run("delete from journal where seq > (select head_seq from copy)").await;
    run("update ledger set head_seq = c.head_seq, head_hash = c.head_hash, head_at = c.head_at, begun = c.begun, posted = c.posted,
                last_position = c.last_position, last_id = c.last_id from copy c")
    .await;
    // Another record in its place, and then one after it.
    began(&post(second, pay("found", ALICE, BOB, 20)).await);
    began(&post(first, pay("after", ALICE, BOB, 2)).await);
    began(&post(first, pay("lost", ALICE, BOB, 3)).await);
    first.close().await;
    second.close().await;
    assert_eq!((room.balance(ALICE).await, room.balance(BOB).await), (-28, 28));
    room.prove().await;
}
