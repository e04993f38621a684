//! The engine against the real component and against hostile ones.

use super::*;
use ledger_core::{AccountId, Amount, BATCH_MAX, Create, Memo, Rejection, TransferId, TransferKind};

fn amount(minor: i64) -> Amount {
    Amount::new(minor).unwrap()
}

fn pay(id: u128, payer: u128, payee: u128, minor: i64) -> Item {
    Item::alone(Command::Create(Create {
        id: TransferId(id),
        kind: TransferKind::Immediate,
        payer: AccountId(payer),
        payee: AccountId(payee),
        amount: amount(minor),
        expires_at: None,
        key: None,
        payable_now: false,
        memo: Memo::NONE,
    }))
}

#[tokio::test]
async fn the_largest_batch_fits_its_limits() {
    let engine = Engine::load(COMPONENT).unwrap();
    let accounts =
        (0..2 * BATCH_MAX as u128).map(|id| Account::open(AccountId(id), amount(-100), amount(500))).collect();
    let batch: Vec<Item> =
        (0..BATCH_MAX as u128).map(|n| pay(u128::MAX / 3 * (n % 3) + n, 2 * n, 2 * n + 1, 100)).collect();
    let book = Book { accounts, transfers: vec![] };
    let mut store = engine.inner.store(&book, batch.len()).unwrap();
    let full = store.get_fuel().unwrap();
    let ledger = engine.inner.ledger.instantiate(&mut store).unwrap();
    let items: Vec<wit::Item> = batch.iter().map(convert::item).collect();
    ledger.hesabu_ledger_posting().call_post(&mut store, &convert::book(&book), &items, 0).unwrap().unwrap();
    let used = full - store.get_fuel().unwrap();
    assert!(used < full / 10, "{used} of {full} fuel is too near to the limit");
    let posted = engine.post(book, batch, Timestamp(0)).await.unwrap();
    assert!(posted.outcomes.iter().all(Result::is_ok));
    assert_eq!(posted.accounts.len(), 2 * BATCH_MAX);
}

#[tokio::test]
async fn preview_changes_nothing_and_says_the_same() {
    let engine = Engine::load(COMPONENT).unwrap();
    let book = Book {
        accounts: vec![
            Account::open(AccountId(1), amount(-5), amount(5)),
            Account::open(AccountId(2), amount(-5), amount(5)),
        ],
        transfers: vec![],
    };
    let item = pay(1, 1, 2, 6);
    let preview = engine.preview(book.clone(), item.command, Timestamp(0)).await.unwrap();
    assert_eq!(preview, Err(Rejection::FloorExceeded { available: amount(5) }));
    assert_eq!(engine.post(book, vec![item], Timestamp(0)).await.unwrap().outcomes, [preview]);
}

/// Each way in which an answer can contradict itself is found, one at a time; the answer itself is right.
#[tokio::test]
async fn an_answer_that_contradicts_itself_is_nonsense() {
    let engine = Engine::load(COMPONENT).unwrap();
    let open = |id| Account::open(AccountId(id), amount(-50), amount(50));
    let book = Book { accounts: vec![open(1), open(2), open(3)], transfers: vec![] };
    let batch = vec![pay(1, 1, 2, 10), pay(2, 2, 1, 3)];
    let right = engine.post(book.clone(), batch.clone(), Timestamp(0)).await.unwrap();
    let contradicts = |change: fn(&mut Posted)| {
        let mut wrong = right.clone();
        change(&mut wrong);
        check(&book, &batch, &wrong).is_err()
    };
    fn receipt(posted: &mut Posted) -> &mut TransferReceipt {
        match &mut posted.outcomes[0] {
            Ok(Receipt::Transfer(receipt)) => receipt,
            other => panic!("{other:?}"),
        }
    }
    assert!(!contradicts(|_| {}));
    assert!(contradicts(|posted| posted.outcomes.truncate(1)));
    assert!(contradicts(|posted| posted.accounts.reverse()));
    assert!(contradicts(|posted| posted.accounts.truncate(1)));
    assert!(contradicts(|posted| posted.accounts[0].balance = amount(9)));
    // The sum is kept, and it is wrong all the same.
    assert!(contradicts(|posted| {
        posted.accounts[0].balance = amount(-8);
        posted.accounts[1].balance = amount(8);
    }));
    assert!(contradicts(|posted| receipt(posted).transfer.moved = amount(9)));
    assert!(contradicts(|posted| receipt(posted).payer_balance = amount(-9)));
    assert!(contradicts(|posted| receipt(posted).payee_balance = amount(11)));
    assert!(contradicts(|posted| posted
        .accounts
        .push(Account { balance: amount(1), ..Account::open(AccountId(9), amount(0), amount(5)) })));
}
