//! Questions and answers against the core that is asked directly.

use super::*;
use crate::{
    AccountId, AccountStatus, Action, Amount, Command, Create, Date, Direction, Memo, Outcome, Period, SetWindow,
    Settle, TransferId, TransferKind, UtcOffset, post,
};

fn amount(minor: i64) -> Amount {
    Amount::new(minor).unwrap()
}

fn open(id: u128) -> Account {
    Account::open(AccountId(id), amount(-5_000), amount(5_000))
}

fn hold(id: u128) -> Create {
    Create {
        id: TransferId(id),
        kind: TransferKind::Hold,
        payer: AccountId(1),
        payee: AccountId(2),
        amount: amount(1),
        expires_at: None,
        key: None,
        payable_now: false,
        memo: Memo::NONE,
    }
}

/// A window that lets ten movements pass in a day.
fn window(account: u128, direction: Direction) -> Window {
    let account = AccountId(account);
    let (period, offset) = (Period::Day, UtcOffset::UTC);
    let set = SetWindow { account, direction, period, max_amount: None, max_count: Some(10), offset };
    Window::set(None, &set, Timestamp(0))
}

fn asked(accounts: &[Account], windows: &[Window], transfers: &[Transfer], batch: &[Item]) -> Vec<u8> {
    let mut bytes = Vec::new();
    question(&mut bytes, accounts, windows, transfers, batch, Timestamp(1));
    bytes
}

/// The outcomes of a batch that moves money between the first two accounts, which is answered as the core decides.
fn answered_alike(accounts: &[Account], windows: &[Window], transfers: &[Transfer], batch: &[Item]) -> Vec<Outcome> {
    let mut book = Book::load(accounts, windows, transfers).unwrap();
    let outcomes = post(&mut book, batch, Timestamp(1));
    let answer = answer(&asked(accounts, windows, transfers, batch)).unwrap();
    let mut reader = AnswerReader::new(&answer).unwrap();
    for outcome in &outcomes {
        match (reader.verdict().unwrap(), outcome) {
            (Answered::Refused(rejection), Err(expected)) => assert_eq!(rejection, *expected),
            (Answered::Transfer { payer: 0, payee: 1, .. }, Ok(_)) => {}
            (verdict, _) => panic!("{verdict:?} for {outcome:?}"),
        }
    }
    assert_eq!(reader.changes(), Ok(2));
    for (place, now) in book.accounts().take(2).enumerate() {
        assert_eq!(reader.change(|place| accounts.get(place).copied()), Ok((place, *now)));
    }
    assert_eq!(reader.changes(), Ok(book.changed_windows().count()));
    for now in book.changed_windows() {
        let told = reader.window(|place| accounts.get(place).map(|account| account.id));
        assert_eq!(told.map(|(_, window)| window), Ok(*now));
    }
    assert_eq!(reader.end(), Ok(()));
    outcomes
}

/// More transfers than commands, which the tables of a book must have room for.
#[test]
fn a_question_with_many_transfers_is_answered_as_the_core_decides() {
    let transfers: Vec<Transfer> = (0..1_000).map(|id| Transfer::begun(&hold(id), Timestamp(0))).collect();
    let held = amount(1_000);
    let accounts = [Account { held_out: held, ..open(1) }, Account { held_in: held, ..open(2) }];
    let capture = Settle { transfer: TransferId(7), action: Action::Capture(None), memo: Memo::NONE };
    let batch = [Item::alone(Command::Settle(capture)), Item::alone(Command::Create(hold(5_000)))];
    let outcomes = answered_alike(&accounts, &[], &transfers, &batch);
    assert!(outcomes.iter().all(Result::is_ok));
}

#[test]
fn windows_cross_both_ways() {
    let windowed = |id| Account { windowed: true, ..open(id) };
    let accounts = [windowed(1), windowed(2), Account { status: AccountStatus::Frozen, ..windowed(3) }, open(4)];
    let before = Window {
        max_amount: Some(amount(100)),
        used_amount: amount(98),
        used_count: 9,
        began: Date(0),
        offset: UtcOffset::new(-210).unwrap(),
        ..window(2, Direction::In)
    };
    let windows = [window(1, Direction::Out), before, window(3, Direction::In)];
    let batch = [1, 2].map(|id| Item::alone(Command::Create(hold(id))));
    let outcomes = answered_alike(&accounts, &windows, &[], &batch);
    assert!(outcomes[0].is_ok());
    assert_eq!(outcomes[1], Err(crate::Rejection::PayeeWindowCountExceeded));
}

#[test]
fn windows_that_are_not_those_of_the_accounts_make_no_question() {
    let accounts = [Account { windowed: true, ..open(1) }, open(2)];
    let right = window(1, Direction::Out);
    assert!(answer(&asked(&accounts, &[right, window(1, Direction::In)], &[], &[])).is_ok());
    assert!(answer(&asked(&accounts, &[], &[], &[])).is_err(), "an account would be without its limits");
    assert!(answer(&asked(&accounts, &[right, right], &[], &[])).is_err());
    assert!(answer(&asked(&accounts, &[Window { max_count: None, ..right }], &[], &[])).is_err());
    // The place of the window's account is the first number after the accounts.
    let mut bytes = asked(&accounts, &[right], &[], &[]);
    let place = 1 + 8 + 4 + 2 * ACCOUNT_FIXED + 4;
    for other in [1, 2] {
        bytes[place] = other;
        assert!(answer(&bytes).is_err(), "account {other} has no windows");
    }
    bytes[place] = 0;
    assert!(answer(&bytes).is_ok());
}
