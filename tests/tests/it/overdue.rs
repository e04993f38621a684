//! Proposals that nobody answers in time.

use hesabu::accounts::cancel_overdue;
use hesabu::posting::Entry;
use hesabu_tests::database::Engine;
use hesabu_tests::room::{ALICE, BOB, Room};
use ledger_core::{Action, Amount, Command, Create, Memo, Settle, Timestamp, TransferId, TransferKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

#[tokio::test]
async fn what_nobody_answers_is_cancelled_in_time_on_sqlite() {
    what_nobody_answers_is_cancelled_in_time(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_nobody_answers_is_cancelled_in_time_on_postgres() {
    what_nobody_answers_is_cancelled_in_time(Engine::Postgres).await;
}

async fn what_nobody_answers_is_cancelled_in_time(engine: Engine) {
    let time = Arc::new(AtomicI64::new(1_000));
    let clock = Arc::clone(&time);
    let room = Room::on(engine, Arc::new(move || Timestamp(clock.load(Ordering::SeqCst)))).await;
    // More than are cancelled at the same time, of both kinds; some of them answered.
    let propose = |number: u128| {
        let kind = if number.is_multiple_of(2) { TransferKind::Hold } else { TransferKind::Request };
        let (payer, payee) = if number.is_multiple_of(3) { (BOB, ALICE) } else { (ALICE, BOB) };
        let create = Create {
            id: TransferId(number + 1),
            kind,
            payer,
            payee,
            amount: Amount::new(1).unwrap(),
            expires_at: None,
            key: None,
            payable_now: false,
            memo: Memo::NONE,
        };
        Entry::new(Command::Create(create), "")
    };
    let old = room.posting.submit_batch(room.ledger.id, (0..600).map(propose).collect()).await.unwrap();
    let begun = old.iter().filter(|outcome| outcome.is_ok()).count();
    assert!(begun > 300, "{begun}");
    let accept = Settle { transfer: TransferId(3), action: Action::Capture(None), memo: Memo::NONE };
    room.submit(vec![Entry::new(Command::Settle(accept), "")]).await.unwrap()[0].unwrap();
    time.store(2_000, Ordering::SeqCst);
    let young = room.posting.submit_batch(room.ledger.id, vec![propose(1_001)]).await.unwrap();
    assert!(young[0].is_ok());

    assert_eq!(cancel_overdue(&room.posting, &room.ledger, Timestamp(1_000)).await.unwrap(), 0);
    assert_eq!(cancel_overdue(&room.posting, &room.ledger, Timestamp(1_001)).await.unwrap(), begun - 1);
    assert_eq!(cancel_overdue(&room.posting, &room.ledger, Timestamp(1_001)).await.unwrap(), 0);
    let alice = room.posting.account(room.ledger.id, ALICE).await.unwrap().unwrap();
    assert_eq!((alice.held_out.minor(), alice.held_in.minor()), (0, 0));
    let waiting = room.db.fetch_all("select 1 as one from transfer where pending", vec![]).await.unwrap();
    assert_eq!(waiting.len(), 1, "the young one");
    let logged = room.db.fetch_all("select 1 as one from act where action = 'transfer-expired'", vec![]).await.unwrap();
    assert_eq!(logged.len(), begun - 1);
    assert_eq!(cancel_overdue(&room.posting, &room.ledger, Timestamp(2_001)).await.unwrap(), 1);
    room.posting.close().await;
    room.prove().await;
}
