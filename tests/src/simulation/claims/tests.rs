//! What must be found when posting does it, and what must not be taken for it.

use super::super::request::{Part, Request, resolved};
use super::{Attempt, Claims};
use ledger_core::{
    AccountId, AccountStatus, Amount, Command, Create, Item, Key, Memo, SetStatus, Timestamp, TransferId, TransferKind,
};
use std::sync::Arc;

/// A request that happens once, because of its key.
fn keyed() -> Request {
    Request::of(vec![Part::of(pay(Some(Key(1))), "once")])
}

/// A request that happens each time anew.
fn anew() -> Request {
    Request::of(vec![Part::of(pay(None), "anew").minted()])
}

/// A request that says nothing that nobody else says.
fn change() -> Request {
    let set = SetStatus { account: AccountId(1), status: AccountStatus::Frozen };
    Request::of(vec![Part::of(Command::SetStatus(set), "")])
}

fn pay(key: Option<Key>) -> Command {
    Command::Create(Create {
        id: TransferId(1),
        kind: TransferKind::Immediate,
        payer: AccountId(1),
        payee: AccountId(2),
        amount: Amount::ZERO,
        expires_at: None,
        key,
        payable_now: false,
        memo: Memo::NONE,
    })
}

/// The `id`th attempt, of the request with this number, sent when there were `from` cuts.
fn attempt(id: u64, number: usize, request: &Request, from: usize) -> Attempt {
    Attempt { id, request: Arc::new(request.said_by(id)), number, host: 0, from, times: vec![Timestamp(0)] }
}

/// The only group of an attempt, as the journal has it.
fn items(attempt: &Attempt) -> Vec<Item> {
    resolved(&attempt.request.parts, |_| None)
}

/// Nobody knows whose it was until the second of them is told; the first was given up without an answer.
#[test]
fn what_happened_is_of_the_one_who_is_told_so() {
    let (first, second) = (attempt(0, 0, &keyed(), 1), attempt(1, 0, &keyed(), 1));
    let mut claims = Claims::default();
    claims.happened(1, &items(&first), &[&first, &second]);
    assert_eq!(claims.told(&second, 0), 1);
    claims.denied(&first, 0);
    assert!(claims.requests().contains(&0));
}

#[test]
fn each_attempt_at_what_happens_anew_has_what_happened_of_it() {
    let (first, second) = (attempt(0, 0, &anew(), 1), attempt(1, 0, &anew(), 1));
    let mut claims = Claims::default();
    claims.happened(1, &items(&second), &[&first, &second]);
    claims.happened(2, &items(&first), &[&first, &second]);
    assert_eq!([claims.told(&first, 0), claims.told(&second, 0)], [2, 1]);
}

/// Two hosts may well say the same of an account, one after the other.
#[test]
fn the_same_is_asked_for_again_after_an_answer() {
    let (first, second) = (attempt(0, 0, &change(), 1), attempt(1, 1, &change(), 2));
    let mut claims = Claims::default();
    claims.happened(1, &items(&first), &[&first]);
    claims.happened(2, &items(&second), &[&second]);
    assert_eq!([claims.told(&first, 0), claims.told(&second, 0)], [1, 2]);
}

/// It waited while the first became durable, and is told of the second.
#[test]
#[should_panic(expected = "happened at cut 1 and again at cut 2")]
fn what_one_attempt_makes_happen_twice_is_found() {
    let waiting = attempt(0, 0, &anew(), 1);
    let mut claims = Claims::default();
    claims.happened(1, &items(&waiting), &[&waiting]);
    claims.happened(2, &items(&waiting), &[&waiting]);
}

#[test]
#[should_panic(expected = "happened at cut 1 and again at cut 2")]
fn what_two_attempts_with_one_key_make_happen_twice_is_found() {
    let (first, second) = (attempt(0, 0, &keyed(), 1), attempt(1, 0, &keyed(), 2));
    let mut claims = Claims::default();
    claims.happened(1, &items(&first), &[&first]);
    claims.happened(2, &items(&second), &[&second]);
}

#[test]
#[should_panic(expected = "nobody asked for")]
fn what_happens_after_it_was_given_up_is_found() {
    let (first, second) = (attempt(0, 0, &anew(), 1), attempt(1, 0, &anew(), 1));
    Claims::default().happened(1, &items(&first), &[&second]);
}

#[test]
#[should_panic(expected = "was told twice")]
fn an_answer_that_two_get_is_found() {
    let (first, second) = (attempt(0, 0, &keyed(), 1), attempt(1, 0, &keyed(), 1));
    let mut claims = Claims::default();
    claims.happened(1, &items(&first), &[&first, &second]);
    claims.told(&first, 0);
    claims.told(&second, 0);
}

#[test]
#[should_panic(expected = "who asked later")]
fn an_answer_to_somebody_who_asked_later_is_found() {
    let (first, second) = (attempt(0, 0, &keyed(), 1), attempt(1, 0, &keyed(), 2));
    let mut claims = Claims::default();
    claims.happened(1, &items(&first), &[&first]);
    claims.told(&second, 0);
}

#[test]
#[should_panic(expected = "the journal does not have")]
fn an_answer_to_what_did_not_happen_is_found() {
    Claims::default().told(&attempt(0, 0, &anew(), 1), 0);
}

#[test]
#[should_panic(expected = "was told that it did not")]
fn a_refusal_of_what_happened_is_found() {
    let waiting = attempt(0, 0, &change(), 1);
    let mut claims = Claims::default();
    claims.happened(1, &items(&waiting), &[&waiting]);
    claims.denied(&waiting, 0);
}

#[test]
#[should_panic(expected = "may be of any of")]
fn requests_that_the_journal_does_not_tell_apart_are_found() {
    let (first, second) = (attempt(0, 0, &change(), 1), attempt(1, 1, &change(), 1));
    Claims::default().happened(1, &items(&first), &[&first, &second]);
}
