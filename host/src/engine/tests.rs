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
    let mut question = vec![];
    crossing::question(&mut question, &book.accounts, &book.transfers, &batch, Timestamp(0));
    let (mut store, post) = engine.inner.instance(book.accounts.len() + batch.len()).unwrap();
    let full = store.get_fuel().unwrap();
    post.call(&mut store, (&question,)).unwrap().0.unwrap();
    let used = full - store.get_fuel().unwrap();
    println!("{used} of {full} fuel");
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

/// Bytes of an answer: the version, the kind of the first verdict, its payer, its payee, its balances, the second verdict, then the count of
/// changed accounts and for each its place, its flags, its balance and what it holds.
const VERDICT: usize = 1 + 2 * 4 + 2 * 8;
const CHANGES: usize = 1 + 2 * VERDICT;
const CHANGED: usize = 4 + 1 + 3 * 8;

/// Each way in which an answer can contradict itself is found, one at a time; the answer itself is right.
#[test]
fn an_answer_that_contradicts_itself_is_nonsense() {
    let open = |id| Account::open(AccountId(id), amount(-50), amount(50));
    let book = Book { accounts: vec![open(1), open(2), open(3)], transfers: vec![] };
    let batch = vec![pay(1, 1, 2, 10), pay(2, 2, 1, 3)];
    let mut question = vec![];
    crossing::question(&mut question, &book.accounts, &book.transfers, &batch, Timestamp(0));
    let right = crossing::answer(&question).unwrap();
    let read = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut answer = right.clone();
        change(&mut answer);
        match answer::read(&book, &batch, Timestamp(0), &answer) {
            Ok(_) => "",
            Err(EngineError::Nonsense(what)) => what,
            Err(other) => panic!("{other:?}"),
        }
    };
    let byte = |at: usize, value: u8| read(&move |answer| answer[at] = value);
    assert_eq!(read(&|_| {}), "");
    assert_eq!(byte(0, 2), "it is no answer");
    assert_eq!(byte(1, 9), "it is no answer");
    assert_eq!(byte(1, 2), "it repeats what was not there");
    assert_eq!(byte(2, 2), "a receipt is about another account");
    assert_eq!(byte(2, 9), "a receipt is about another account");
    assert_eq!(byte(6, 2), "a receipt is about another account");
    assert_eq!(byte(10, 1), "a receipt does not follow from the balances before it");
    assert_eq!(byte(18, 1), "a receipt does not follow from the balances before it");
    assert_eq!(byte(25, 0x7f), "it is no answer", "the amount is out of range");
    // What is left out or refused has moved nothing.
    assert_eq!(
        read(&|answer| drop(answer.splice(1 + VERDICT..CHANGES, [3, Rejection::PayerFrozen.code()]))),
        "an account is not what the commands have made it"
    );
    assert_eq!(read(&|answer| answer.truncate(answer.len() - 1)), "it is no answer");
    assert_eq!(read(&|answer| answer.push(0)), "it is no answer");
    let first = CHANGES + 4;
    assert_eq!(byte(first, 1), "an account is not what the commands have made it");
    assert_eq!(byte(first + CHANGED, 0), "the changed accounts are not in order");
    assert_eq!(byte(first + CHANGED, 3), "it is no answer", "there is no fourth account");
    assert_eq!(byte(first + 4, 1), "an account is not what the commands have made it", "its limits are others");
    assert_eq!(byte(first + 4, 2), "it is no answer", "there is no such flag");
    assert_eq!(byte(first + 5, 9), "an account is not what the commands have made it");
    assert_eq!(byte(first + 13, 9), "an account is not what the commands have made it", "nothing is held");
    assert_eq!(byte(first + 20, 0xff), "it is no answer", "less than nothing is held");
    assert_eq!(
        read(&|answer| {
            answer[CHANGES] = 1;
            answer.truncate(first + CHANGED);
        }),
        "an account that has changed is not among those that did"
    );
    assert_eq!(
        read(&|answer| {
            answer[CHANGES] = 1;
            drop(answer.drain(first..first + CHANGED));
        }),
        "an account that has changed is not among those that did"
    );
}

/// More threads than instances: those that find none wait, and are answered all the same.
#[test]
fn threads_wait_for_an_instance() {
    let engine = Engine::load(COMPONENT).unwrap();
    let accounts = [1, 2].map(|id| Account::open(AccountId(id), amount(-50), amount(50))).to_vec();
    let book = Book { accounts, transfers: vec![] };
    let one = |id: u128| (0..50).all(|_| engine.post_here(&book, &[pay(id, 1, 2, 10)], Timestamp(0)).is_ok());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=3 * CALLS_MAX as u128).map(|id| scope.spawn(move || one(id))).collect();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    });
}
