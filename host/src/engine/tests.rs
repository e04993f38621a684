//! The engine against the real component and against hostile ones.

use super::*;
use ledger_core::{
    AccountId, Amount, BATCH_MAX, Create, Direction, Memo, Period, Rejection, SetWindow, TransferId, TransferKind,
    UtcOffset, Window,
};

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
    let book = Book { accounts, ..Book::default() };
    let mut question = vec![];
    crossing::question(&mut question, &book.accounts, &book.windows, &book.transfers, &batch, Timestamp(0));
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

/// A batch of as many accounts as can be, each with all six windows.
#[test]
fn the_most_windows_fit_the_limits() {
    let engine = Engine::load(COMPONENT).unwrap();
    let open = |id| Account { windowed: true, ..Account::open(AccountId(id), amount(-100), amount(500)) };
    let accounts: Vec<Account> = (0..2 * BATCH_MAX as u128).map(open).collect();
    let limit = |account, direction, period| {
        let (max_amount, max_count, offset) = (Some(amount(100)), Some(1), UtcOffset::UTC);
        Window::set(None, &SetWindow { account, direction, period, max_amount, max_count, offset }, Timestamp(0))
    };
    let mut windows = vec![];
    for account in &accounts {
        for direction in [Direction::Out, Direction::In] {
            windows
                .extend([Period::Day, Period::Week, Period::Month].map(|period| limit(account.id, direction, period)));
        }
    }
    let batch: Vec<Item> = (0..BATCH_MAX as u128).map(|n| pay(n, 2 * n, 2 * n + 1, 100)).collect();
    let book = Book { accounts, windows, ..Book::default() };
    let mut question = vec![];
    crossing::question(&mut question, &book.accounts, &book.windows, &book.transfers, &batch, Timestamp(1));
    let (mut store, post) = engine.inner.instance(book.accounts.len() + book.windows.len() + batch.len()).unwrap();
    let full = store.get_fuel().unwrap();
    post.call(&mut store, (&question,)).unwrap().0.unwrap();
    let used = full - store.get_fuel().unwrap();
    println!("{used} of {full} fuel");
    assert!(used < full / 5, "{used} of {full} fuel is too near to the limit");
    let posted = engine.post_here(&book, &batch, Timestamp(1)).unwrap();
    assert!(posted.outcomes.iter().all(Result::is_ok));
    assert_eq!(posted.windows.len(), 6 * BATCH_MAX);
}

#[tokio::test]
async fn preview_changes_nothing_and_says_the_same() {
    let engine = Engine::load(COMPONENT).unwrap();
    let book = Book {
        accounts: vec![
            Account::open(AccountId(1), amount(-5), amount(5)),
            Account::open(AccountId(2), amount(-5), amount(5)),
        ],
        ..Book::default()
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
    let book = Book { accounts: vec![open(1), open(2), open(3)], ..Book::default() };
    let batch = vec![pay(1, 1, 2, 10), pay(2, 2, 1, 3)];
    let mut question = vec![];
    crossing::question(&mut question, &book.accounts, &book.windows, &book.transfers, &batch, Timestamp(0));
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

/// What an answer says of windows is held against the commands, too.
#[test]
fn windows_that_contradict_the_commands_are_nonsense() {
    let open = |id| Account { windowed: true, ..Account::open(AccountId(id), amount(-50), amount(50)) };
    let (direction, period, offset) = (Direction::Out, Period::Week, UtcOffset::UTC);
    let limit = |account, max| SetWindow {
        account: AccountId(account),
        direction,
        period,
        max_amount: Some(amount(max)),
        max_count: None,
        offset,
    };
    let windows = vec![Window::set(None, &limit(1, 20), Timestamp(0)), Window::set(None, &limit(2, 20), Timestamp(0))];
    let accounts = vec![open(1), open(2)];
    let book = Book { accounts, windows, ..Book::default() };
    let batch = vec![pay(1, 1, 2, 10), pay(2, 2, 1, 3), Item::alone(Command::SetWindow(limit(2, 7)))];
    let mut question = vec![];
    crossing::question(&mut question, &book.accounts, &book.windows, &book.transfers, &batch, Timestamp(1));
    let right = crossing::answer(&question).unwrap();
    let read = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut answer = right.clone();
        change(&mut answer);
        match answer::read(&book, &batch, Timestamp(1), &answer) {
            Ok(posted) => {
                let used: Vec<i64> = posted.windows.iter().map(|window| window.used_amount.minor()).collect();
                assert_eq!(used, [10, 3]);
                ""
            }
            Err(EngineError::Nonsense(what)) => what,
            Err(other) => panic!("{other:?}"),
        }
    };
    // Each window, last in the answer: place, direction, period, flags, used amount and count, began, since, offset, most.
    const WINDOW: usize = 4 + 3 + 8 + 4 + 4 + 8 + 8 + 8;
    let first = right.len() - 2 * WINDOW;
    let byte = |at: usize, value: u8| read(&move |answer| answer[at] = value);
    assert_eq!(read(&|_| {}), "");
    let contradicts = "a window is not what the commands have made it";
    assert_eq!(byte(first, 1), contradicts, "it is another account's");
    assert_eq!(byte(first, 2), "it is no answer", "there is no third account");
    assert_eq!(byte(first + 4, 1), contradicts, "it counts what comes in");
    assert_eq!(byte(first + 5, 0), contradicts, "it runs for a day");
    assert_eq!(byte(first + 7, 9), contradicts, "less is used");
    assert_eq!(byte(first + 15, 0), contradicts, "fewer have passed");
    assert_eq!(byte(first + WINDOW - 8, 99), contradicts, "more may pass");
    assert_eq!(byte(right.len() - 8, 8), contradicts, "more may pass than was set");
    let (count, missing) = (first - 4, "a window that has changed is not among those that did");
    assert_eq!(
        read(&|answer| {
            answer[count] = 1;
            answer.truncate(first + WINDOW);
        }),
        missing
    );
    assert_eq!(
        read(&|answer| {
            answer[count] = 1;
            drop(answer.drain(first..first + WINDOW));
        }),
        missing
    );
}

/// More threads than instances: those that find none wait, and are answered all the same.
#[test]
fn threads_wait_for_an_instance() {
    let engine = Engine::load(COMPONENT).unwrap();
    let accounts = [1, 2].map(|id| Account::open(AccountId(id), amount(-50), amount(50))).to_vec();
    let book = Book { accounts, ..Book::default() };
    let one = |id: u128| (0..50).all(|_| engine.post_here(&book, &[pay(id, 1, 2, 10)], Timestamp(0)).is_ok());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=3 * CALLS_MAX as u128).map(|id| scope.spawn(move || one(id))).collect();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    });
}
