//! The core and the naive model give the same answers and the same accounts, and the invariants hold after every batch.
//!
//! Method: random histories go to the core twice, in whole batches and group by group, and to the model. What was answered on the way is
//! counted, and in the end every refusal and every state must have occurred, or the histories were too tame to prove much.

use hesabu_tests::{commands, explore::explore, model::Model};
use ledger_core::{
    Account, AccountId, Amount, Book, Command, Item, Outcome, Receipt, Rejection, SetLimits, Timestamp, Transfer,
    TransferState, Window, post, preview,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use std::cell::RefCell;
use std::collections::BTreeMap;

#[test]
fn the_core_and_the_model_agree() {
    let seen = RefCell::new(Seen::default());
    explore(2_600, &commands::histories(), |history| {
        let mut model = Model::default();
        let (mut whole, mut by_group) = (Book::new([]), Book::new([]));
        for batch in &history {
            let outcomes = post(&mut whole, &batch.items, batch.now);
            prop_assert_eq!(&outcomes, &model.post(&batch.items, batch.now));
            prop_assert_eq!(&outcomes, &post_by_group(&mut by_group, &batch.items, batch.now)?);
            invariants_hold(&whole, &model)?;
            seen.borrow_mut().count(&outcomes);
        }
        let accounts: Vec<Account> = whole.accounts().copied().collect();
        prop_assert!(accounts.iter().eq(by_group.accounts()));
        prop_assert!(whole.windows().eq(by_group.windows()));
        seen.borrow_mut().states(model.transfers().values());
        Ok(())
    });
    seen.into_inner().must_be_complete();
}

/// Posts every linked group as a batch of its own, with what must hold of each step.
fn post_by_group(book: &mut Book, batch: &[Item], now: Timestamp) -> Result<Vec<Outcome>, TestCaseError> {
    let mut outcomes = Vec::new();
    for group in batch.split_inclusive(|item| !item.linked) {
        let before: BTreeMap<AccountId, Account> = book.accounts().map(|account| (account.id, *account)).collect();
        let foreseen = preview(book, group[0].command, now);
        let answers = post(book, group, now);
        if !group[0].linked {
            prop_assert_eq!(&answers, &[foreseen], "a preview foretells the answer");
        }
        for account in book.accounts() {
            if let Some(before) = before.get(&account.id)
                && (answers.iter().any(Result::is_err) || !sets_limits_of(group, account.id))
            {
                not_further_out(before, account)?;
                prop_assert!(
                    answers.iter().all(Result::is_ok) || before == account,
                    "a refused group changed an account"
                );
            }
        }
        outcomes.extend(answers);
    }
    Ok(outcomes)
}

fn sets_limits_of(group: &[Item], id: AccountId) -> bool {
    group.iter().any(|item| matches!(item.command, Command::SetLimits(SetLimits { account, .. }) if account == id))
}

/// Where no limit moved: inside of the limits, or outside and not further than before.
fn not_further_out(before: &Account, after: &Account) -> TestCaseResult {
    prop_assert!(after.balance >= after.floor || after.balance >= before.balance, "{:?} then {:?}", before, after);
    prop_assert!(after.balance <= after.ceiling || after.balance <= before.balance, "{:?} then {:?}", before, after);
    Ok(())
}

fn invariants_hold(book: &Book, model: &Model) -> TestCaseResult {
    let accounts: Vec<Account> = book.accounts().copied().collect();
    prop_assert_eq!(&accounts, &model.accounts());
    let windows: Vec<Window> = book.windows().copied().collect();
    prop_assert_eq!(&windows, &model.windows());
    for account in &accounts {
        prop_assert_eq!(account.windowed, windows.iter().any(|window| window.account == account.id));
    }
    prop_assert_eq!(accounts.iter().map(|account| i128::from(account.balance.minor())).sum::<i128>(), 0);
    let transfers = model.transfers();
    for transfer in transfers.values() {
        prop_assert_eq!(book.transfer(transfer.id), Some(transfer));
    }
    let held = |side: fn(&Transfer) -> AccountId, id| -> i64 {
        let waiting = |transfer: &&Transfer| transfer.state == TransferState::Held && side(transfer) == id;
        transfers.values().filter(waiting).map(|transfer| transfer.amount.minor()).sum()
    };
    for account in &accounts {
        prop_assert!(account.held_out >= Amount::ZERO && account.held_in >= Amount::ZERO);
        prop_assert_eq!(account.held_out.minor(), held(|transfer| transfer.payer, account.id));
        prop_assert_eq!(account.held_in.minor(), held(|transfer| transfer.payee, account.id));
    }
    Ok(())
}

/// What occurred in all histories together.
#[derive(Default)]
struct Seen {
    commands: usize,
    answers: BTreeMap<&'static str, usize>,
    states: BTreeMap<&'static str, usize>,
}

impl Seen {
    fn count(&mut self, outcomes: &[Outcome]) {
        self.commands += outcomes.len();
        for outcome in outcomes {
            let word = match outcome {
                Ok(Receipt::Account(_)) => "(account)",
                Ok(Receipt::Transfer(_)) => "(transfer)",
                Ok(Receipt::Repeated(_)) => "(repeated)",
                Err(rejection) => rejection.word(),
            };
            *self.answers.entry(word).or_default() += 1;
        }
    }

    fn states<'a>(&mut self, transfers: impl Iterator<Item = &'a Transfer>) {
        for transfer in transfers {
            let word = match transfer.state {
                TransferState::Held => "held",
                TransferState::Requested => "requested",
                TransferState::Posted => "posted",
                TransferState::Released => "released",
                TransferState::Declined => "declined",
                TransferState::Withdrawn => "withdrawn",
                TransferState::Expired => "expired",
                TransferState::Refused(_) => "refused",
            };
            *self.states.entry(word).or_default() += 1;
        }
    }

    fn must_be_complete(&self) {
        println!("{} commands; answers {:?}; states {:?}", self.commands, self.answers, self.states);
        let all = (1..=u8::MAX).map_while(|code| Rejection::from_code(code, Amount::ZERO));
        let missing: Vec<&str> =
            all.map(|rejection| rejection.word()).filter(|word| !self.answers.contains_key(word)).collect();
        assert!(missing.is_empty(), "never answered, so never compared: {missing:?}");
        assert_eq!(self.states.len(), 8, "not every state occurred: {:?}", self.states);
        assert!(self.commands >= 100_000, "only {} commands", self.commands);
    }
}
