//! The decisions: whether commands may happen, and what the accounts look like afterwards.
//!
//! Each decision is a run of guards in the order of [`Rejection`]'s codes, a line that says that nothing can fail from
//! there on, and the change. Storage, ids and time are the caller's.

mod accounts; // what happens to an account
mod transfers; // what happens to a transfer
mod windows; // how much may pass in a period

use crate::{Account, Amount, Book, Command, Item, Rejection, Timestamp, Transfer, TransferState};
use alloc::vec::Vec;

/// The most items of one batch. A batch of this size is decided by the component in some 2 ms and its journal record stays under
/// one MiB: 8,190 items of at most 116 bytes.
pub const BATCH_MAX: usize = 8_190;

/// The answer to one command.
pub type Outcome = Result<Receipt, Rejection>;

/// What an accepted command did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Receipt {
    /// The account as it is now.
    Account(Account),
    /// The transfer as it is now, and both balances.
    Transfer(TransferReceipt),
    /// The same command came before: the transfer that it began then, as it is now. Nothing changed.
    Repeated(Transfer),
}

/// A transfer after a command, and both balances after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransferReceipt {
    /// The transfer as it is now.
    pub transfer: Transfer,
    /// The payer's balance after the command.
    pub payer_balance: Amount,
    /// The payee's balance after the command.
    pub payee_balance: Amount,
}

/// An outcome without what a replay can compute again: what the journal keeps of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// An account command was accepted.
    Account,
    /// A transfer command was accepted, with these balances after it.
    Transfer {
        /// The payer's balance after the command.
        payer_balance: Amount,
        /// The payee's balance after the command.
        payee_balance: Amount,
    },
    /// The command came before.
    Repeated,
    /// The command was refused.
    Refused(Rejection),
}

impl Verdict {
    /// What the journal keeps of `outcome`.
    pub const fn of(outcome: &Outcome) -> Verdict {
        match outcome {
            Ok(Receipt::Account(_)) => Verdict::Account,
            Ok(Receipt::Transfer(TransferReceipt { payer_balance, payee_balance, .. })) => {
                Verdict::Transfer { payer_balance: *payer_balance, payee_balance: *payee_balance }
            }
            Ok(Receipt::Repeated(_)) => Verdict::Repeated,
            Err(rejection) => Verdict::Refused(*rejection),
        }
    }
}

/// Decides a batch in order and changes the book accordingly; each command sees what the ones before it did.
///
/// A run of linked items succeeds or fails as one: when a command in it is refused, the book is put back to where the
/// run began, that command answers with its own reason and the others with [`Rejection::LinkedFailed`].
///
/// The sum of all balances does not change.
///
/// # Panics
/// When the batch is longer than [`BATCH_MAX`], or the balances no longer sum to what they did: a broken ledger must
/// not be stored.
pub fn post(book: &mut Book, batch: &[Item], now: Timestamp) -> Vec<Outcome> {
    assert!(batch.len() <= BATCH_MAX, "a batch has at most {BATCH_MAX} items");
    book.make_room(batch.len());
    let mut outcomes = Vec::with_capacity(batch.len());
    let mut rest = batch;
    while !rest.is_empty() {
        let end = rest.iter().position(|item| !item.linked);
        let (group, tail) = rest.split_at(end.map_or(rest.len(), |last| last + 1));
        post_group(book, group, now, &mut outcomes);
        rest = tail;
    }
    assert!(book.drift() == 0, "the balances no longer sum to what they did");
    outcomes
}

/// Would `command` be accepted now? The answer [`post`] would give to a batch of one; the book does not change.
pub fn preview(book: &Book, command: Command, now: Timestamp) -> Outcome {
    let mut book = book.clone();
    book.make_room(1);
    let decision = decide(&mut book, &command, now);
    decision.map(|done| receipt(&book, done))
}

/// What an accepted command did, as places in the book: small, so that deciding copies little.
#[derive(Clone, Copy)]
pub(crate) enum Done {
    Account(usize),
    Transfer { transfer: usize, payer: usize, payee: usize },
    Repeated(usize),
}

/// What has been decided about one command.
pub(crate) type Decision = Result<Done, Rejection>;

/// Where decisions are written down, as they are taken: as outcomes, or as the bytes that cross.
pub(crate) trait Answers {
    /// Writes down what was just decided; the book is as it was left.
    fn add(&mut self, book: &Book, decision: Decision);
    /// How far it is written.
    fn mark(&self) -> usize;
    /// Strikes out what was written since.
    fn back_to(&mut self, mark: usize);
}

impl Answers for Vec<Outcome> {
    fn add(&mut self, book: &Book, decision: Decision) {
        self.push(decision.map(|done| receipt(book, done)));
    }

    fn mark(&self) -> usize {
        self.len()
    }

    fn back_to(&mut self, mark: usize) {
        self.truncate(mark);
    }
}

fn receipt(book: &Book, done: Done) -> Receipt {
    match done {
        Done::Account(place) => Receipt::Account(*book.at(place)),
        Done::Transfer { transfer, payer, payee } => Receipt::Transfer(TransferReceipt {
            transfer: *book.transfer_at(transfer),
            payer_balance: book.at(payer).balance,
            payee_balance: book.at(payee).balance,
        }),
        Done::Repeated(transfer) => Receipt::Repeated(*book.transfer_at(transfer)),
    }
}

/// Decides a run of linked items, or one that is not linked. The last of a run that the batch ends in is linked as well.
pub(crate) fn post_group(book: &mut Book, group: &[Item], now: Timestamp, answers: &mut impl Answers) {
    match group {
        [item] if !item.linked => {
            let decision = decide(book, &item.command, now);
            if let Err(rejection) = decision {
                remember_refusal(book, &item.command, rejection, now);
            }
            answers.add(book, decision);
        }
        [.., last] if !last.linked => post_linked(book, group, now, answers),
        open => open.iter().for_each(|_| answers.add(book, Err(Rejection::LinkedOpen))),
    }
}

fn post_linked(book: &mut Book, group: &[Item], now: Timestamp, answers: &mut impl Answers) {
    let start = answers.mark();
    book.begin_group();
    for (place, item) in group.iter().enumerate() {
        let decision = decide(book, &item.command, now);
        if let Err(rejection) = decision {
            book.roll_back();
            remember_refusal(book, &item.command, rejection, now);
            answers.back_to(start);
            for other in 0..group.len() {
                answers.add(book, Err(if other == place { rejection } else { Rejection::LinkedFailed }));
            }
            return;
        }
        answers.add(book, decision);
    }
    book.keep_group();
}

/// A client may retry an id it chose. If the refusal could turn out otherwise later, only this memory gives the first
/// answer again: a payment that the client was told is off must not happen because a retry was slow.
fn remember_refusal(book: &mut Book, command: &Command, rejection: Rejection, now: Timestamp) {
    if let Command::Create(create) = command
        && create.key.is_some()
        && rejection.retryable()
        && let Err(free) = book.find_transfer(create.id)
    {
        book.begin(free, Transfer::begun_by(create, TransferState::Refused(rejection), Amount::ZERO, now));
    }
}

fn decide(book: &mut Book, command: &Command, now: Timestamp) -> Decision {
    match command {
        Command::OpenAccount(open) => accounts::open(book, open),
        Command::SetLimits(limits) => accounts::set_limits(book, limits),
        Command::SetStatus(status) => accounts::set_status(book, status),
        Command::Create(create) => transfers::create(book, create, now),
        Command::Settle(settle) => transfers::settle(book, settle, now),
        Command::SetWindow(set) => windows::set(book, set, now),
    }
}
