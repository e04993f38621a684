//! Two hosts that take turns on one ledger: each follows what the other posted, and decides on it.

use hesabu::posting::{Entry, Pace, Posting};
use hesabu_tests::database::Engine;
use hesabu_tests::room::{ALICE, BOB, Room, clock, pay};
use ledger_core::{
    AccountId, AccountStatus, Action, Amount, Command, Create, Memo, OpenAccount, Outcome, Receipt, Rejection,
    SetLimits, Settle, Transfer, TransferKind,
};

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

/// Both hosts post by turns: the second one waits for the first to let go, and then neither has it alone.
#[tokio::test]
async fn each_decides_on_what_the_other_posted() {
    let room = Room::on(Engine::Postgres, clock()).await;
    let (first, second) = (&room.posting, &room.another(&room.db, Pace::default()));
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
