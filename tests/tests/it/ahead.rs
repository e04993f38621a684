//! What is decided before the last batch is durable, ids that are made beside ids that are given, and who believes to own a ledger.

use hesabu::engine::{self, COMPONENT};
use hesabu::posting::{Entry, Group, Posting, PostingError};
use hesabu::store::Statement;
use hesabu_tests::database::Engine;
use hesabu_tests::room::{ALICE, BOB, Room, clock, pay};
use ledger_core::{
    AccountId, AccountStatus, Amount, Command, Create, Memo, OpenAccount, Outcome, Receipt, Rejection, TransferId,
    TransferKind,
};
use std::collections::HashSet;
use std::time::{Duration, Instant};

const CAROL: AccountId = AccountId(3);
const DAVID: AccountId = AccountId(4);
const EVE: AccountId = AccountId(5);

/// Enough commands for a batch to be decided while the one before is being written.
const MANY: usize = 600;

/// So many that two times as many are no batch.
const MORE: usize = 5_000;

fn open(account: AccountId) -> Entry {
    let (floor, ceiling) = (Amount::new(-100_000).unwrap(), Amount::new(100_000).unwrap());
    Entry::new(Command::OpenAccount(OpenAccount { account, floor, ceiling, status: AccountStatus::Open }), "")
}

/// A transfer without a key; without an id, it is made.
fn give(id: Option<u128>, kind: TransferKind, payer: AccountId, payee: AccountId) -> Entry {
    let create = Create {
        id: TransferId(id.unwrap_or_default()),
        kind,
        payer,
        payee,
        amount: Amount::new(1).unwrap(),
        expires_at: None,
        key: None,
        payable_now: false,
        memo: Memo::NONE,
    };
    let entry = Entry::new(Command::Create(create), "");
    if id.is_some() { entry } else { entry.minted() }
}

fn id_of(outcome: &Outcome) -> TransferId {
    match outcome {
        Ok(Receipt::Transfer(receipt)) => receipt.transfer.id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_a_companion_takes_back_has_nothing_on_top_of_it_on_sqlite() {
    what_a_companion_takes_back_has_nothing_on_top_of_it(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_a_companion_takes_back_has_nothing_on_top_of_it_on_postgres() {
    what_a_companion_takes_back_has_nothing_on_top_of_it(Engine::Postgres).await;
}

/// A large batch whose companion is in the way, and another large one behind it, between accounts of which the first knows one only.
async fn what_a_companion_takes_back_has_nothing_on_top_of_it(engine: Engine) {
    let room = Room::on(engine, clock()).await;
    for account in [CAROL, DAVID, EVE] {
        room.submit(vec![open(account)]).await.unwrap()[0].unwrap();
    }
    let stands_in_the_way = Statement {
        sql: "insert into ledger (ledger_id, name, unit, scale, head_seq, head_hash, head_at, last_position, begun, posted, ended, number)
              select $1, name, unit, scale, head_seq, head_hash, head_at, last_position, begun, posted, ended, 77 from ledger",
        values: vec![hesabu::mint_id().into()],
    };
    let many = |payer, payee| (0..MORE).map(|_| give(None, TransferKind::Immediate, payer, payee)).collect::<Vec<_>>();
    let small = room.submit(vec![pay("first", ALICE, BOB, 1)]);
    let first = Group { entries: many(CAROL, EVE), companions: vec![stands_in_the_way] };
    let first = room.posting.submit(room.ledger.id, first);
    let second = room.posting.submit_batch(room.ledger.id, many(CAROL, DAVID));
    let (small, first, second) = tokio::join!(small, first, second);
    assert!(small.unwrap()[0].is_ok());
    assert!(matches!(first, Err(PostingError::Conflict(_))), "{first:?}");
    assert!(second.unwrap().iter().all(Result::is_ok));
    let balance = async |account| room.posting.account(room.ledger.id, account).await.unwrap().unwrap().balance.minor();
    let all = i64::try_from(MORE).unwrap();
    assert_eq!([balance(EVE).await, balance(CAROL).await, balance(DAVID).await], [0, -all, all]);
    room.posting.close().await;
    room.prove().await;
}

#[tokio::test]
async fn ids_that_are_made_are_nobody_elses_on_sqlite() {
    ids_that_are_made_are_nobody_elses(Engine::Sqlite).await;
}

#[tokio::test]
async fn ids_that_are_made_are_nobody_elses_on_postgres() {
    ids_that_are_made_are_nobody_elses(Engine::Postgres).await;
}

/// A client's ids lie just before and just after those that are made: each transfer has its own.
async fn ids_that_are_made_are_nobody_elses(engine: Engine) {
    let room = Room::on(engine, clock()).await;
    // As far ahead as still counts as in order, so that what is made comes right after it.
    let ahead = ((u128::try_from(hesabu::system_clock().0 / 1_000).unwrap() + 50_000) << 80) | (7 << 76) | (2 << 62);
    let given = room.submit(vec![give(Some(ahead), TransferKind::Immediate, ALICE, BOB)]).await.unwrap();
    assert_eq!(id_of(&given[0]), TransferId(ahead));
    let hold = room.submit(vec![give(Some(ahead + 5), TransferKind::Hold, ALICE, BOB)]).await.unwrap();
    assert_eq!(id_of(&hold[0]), TransferId(ahead + 5));
    let many = |kind| (0..MANY).map(|_| give(None, kind, BOB, ALICE)).collect::<Vec<_>>();
    let mut ids = HashSet::from([TransferId(ahead), TransferId(ahead + 5)]);
    for account in [CAROL, DAVID] {
        room.submit(vec![open(account)]).await.unwrap()[0].unwrap();
    }
    let made = room.posting.submit_batch(room.ledger.id, many(TransferKind::Immediate)).await.unwrap();
    // Bob has one and may not go below: the first is accepted.
    ids.insert(id_of(&made[0]));
    assert_eq!(ids.len(), 3);

    // Somebody guesses the ids that are being made for a batch that is not durable yet.
    let last = id_of(&made[0]).0;
    let flood = (0..MANY).map(|_| give(None, TransferKind::Immediate, CAROL, DAVID)).collect();
    let guesses: u128 = 2 * u128::try_from(MANY).unwrap();
    let guesses = (1..guesses).map(|step| give(Some(last + step), TransferKind::Immediate, CAROL, DAVID)).collect();
    let flood = room.posting.submit_batch(room.ledger.id, flood);
    let guesses = room.posting.submit_batch(room.ledger.id, guesses);
    let (flood, guesses) = tokio::join!(flood, guesses);
    for outcome in flood.unwrap() {
        assert!(ids.insert(id_of(&outcome)), "made twice: {outcome:?}");
    }
    for outcome in guesses.unwrap() {
        match outcome {
            Ok(Receipt::Transfer(receipt)) => assert!(ids.insert(receipt.transfer.id), "{receipt:?}"),
            Ok(Receipt::Repeated(_)) | Err(Rejection::IdReused) => {}
            other => panic!("{other:?}"),
        }
    }
    room.posting.close().await;
    room.prove().await;
}

#[tokio::test]
async fn keys_of_a_batch_that_is_being_written_wait_for_it_on_sqlite() {
    keys_of_a_batch_that_is_being_written_wait_for_it(Engine::Sqlite).await;
}

#[tokio::test]
async fn keys_of_a_batch_that_is_being_written_wait_for_it_on_postgres() {
    keys_of_a_batch_that_is_being_written_wait_for_it(Engine::Postgres).await;
}

/// A large batch and the same once more right behind it, which could be decided before the first is durable.
async fn keys_of_a_batch_that_is_being_written_wait_for_it(engine: Engine) {
    let room = Room::on(engine, clock()).await;
    let batch = || {
        let one = |number: usize| match number % 2 {
            0 => pay(&number.to_string(), ALICE, BOB, 1),
            _ => pay(&number.to_string(), BOB, ALICE, 1),
        };
        room.posting.submit_batch(room.ledger.id, (0..MORE).map(one).collect())
    };
    let (first, second) = tokio::join!(batch(), batch());
    let first: Vec<TransferId> = first.unwrap().iter().map(id_of).collect();
    for (first, second) in first.iter().zip(second.unwrap()) {
        assert!(matches!(second, Ok(Receipt::Repeated(transfer)) if transfer.id == *first), "{second:?}");
    }
    room.posting.close().await;
    room.prove().await;
}

#[tokio::test]
async fn the_key_of_a_hold_is_answered_again_and_again_on_sqlite() {
    the_key_of_a_hold_is_answered_again_and_again(Engine::Sqlite).await;
}

#[tokio::test]
async fn the_key_of_a_hold_is_answered_again_and_again_on_postgres() {
    the_key_of_a_hold_is_answered_again_and_again(Engine::Postgres).await;
}

/// A host that has just taken the ledger is asked for the keys of holds, and for nothing else: nobody waits for a write that there is not.
async fn the_key_of_a_hold_is_answered_again_and_again(engine: Engine) {
    let room = Room::on(engine, clock()).await;
    let hold = |key: &str| {
        let Command::Create(create) = pay(key, ALICE, BOB, 1).command else { panic!("it begins a transfer") };
        Entry::new(Command::Create(Create { kind: TransferKind::Hold, ..create }), "").minted()
    };
    let held = ["first", "second"].map(hold).to_vec();
    let held: Vec<TransferId> = room.submit(held).await.unwrap().iter().map(id_of).collect();
    room.posting.close().await;

    let host = Posting::new(room.db.clone(), engine::Engine::load(COMPONENT).unwrap(), clock());
    let begun = Instant::now();
    for _ in 0..3 {
        for (key, id) in ["first", "second"].into_iter().zip(&held) {
            let again = room.post_by(&host, hold(key)).await.unwrap();
            assert!(matches!(again, Ok(Receipt::Repeated(transfer)) if transfer.id == *id), "{again:?}");
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    host.close().await;
    room.prove().await;
}

/// An owner that only refuses does not write, and so does not hear that its lease has run out: it has to ask.
#[tokio::test]
async fn a_refusal_is_no_older_than_the_lease_on_postgres() {
    let room = Room::on(Engine::Postgres, clock()).await;
    let other = Posting::new(room.db.clone(), engine::Engine::load(COMPONENT).unwrap(), clock());
    let poor = || room.submit(vec![give(None, TransferKind::Immediate, BOB, ALICE)]);
    let too_poor = |outcomes: &[Outcome]| matches!(outcomes, [Err(Rejection::FloorExceeded { .. })]);
    assert!(too_poor(&poor().await.unwrap()));
    let ledger = room.ledger.id;
    let credit = tokio::spawn(async move { other.submit_batch(ledger, vec![pay("credit", ALICE, BOB, 10)]).await });
    // Asked all the time, it never rests.
    while !credit.is_finished() {
        poor().await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(credit.await.unwrap().unwrap()[0].is_ok());
    assert!(poor().await.unwrap()[0].is_ok(), "it was told of an old balance");
    room.prove().await;
}
