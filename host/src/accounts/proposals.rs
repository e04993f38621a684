//! Transfers that members propose to each other: who may propose, accept, reject and cancel.
//!
//! A proposal to pay (*out*) is a hold: it reserves the payer's headroom until the receiver answers. A proposal to be
//! paid (*in*) is a request: it reserves nothing until the payer accepts.

use super::history::{TransferRecord, transfer};
use super::reversal::unlink;
use crate::audit::{Act, Action as Done};
use crate::mail::{self, Mail};
use crate::mint_id;
use crate::parties::Holder;
use crate::posting::{Beside, Entry, Group, Ledger, Posting, PostingError, Told};
use crate::store::{Db, Error};
use ledger_core::{
    AccountId, Action, Amount, Command, Create, Key, LedgerId, Memo, Outcome, Receipt, Rejection, Settle, Transfer,
    TransferId, TransferKind, Unit,
};

/// Which way the money goes, as the initiator sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// The initiator receives.
    In,
    /// The initiator pays.
    Out,
}

/// A transfer that the person of the initiator proposes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// Who proposes it.
    pub initiator: Holder,
    /// Who has to answer.
    pub receiver: Holder,
    /// Which way the money goes.
    pub direction: Direction,
    /// How much.
    pub amount: Amount,
    /// What it is for.
    pub description: String,
    /// What a client sent to be safe when it retries.
    pub key: Option<Key>,
}

/// What can be answered to a proposal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The receiver agrees.
    Accept,
    /// The receiver does not.
    Reject,
    /// The initiator takes it back.
    Cancel,
}

/// Why nothing was proposed or answered.
#[derive(thiserror::Error, Debug)]
pub enum ProposalError {
    /// There is no such transfer.
    #[error("no such transfer")]
    NotFound,
    /// It is theirs, and it was never a proposal: an administrator made it, at once.
    #[error("nothing to answer")]
    NothingToAnswer,
    /// It is not theirs to answer, or not in this way.
    #[error("not theirs to answer")]
    Forbidden,
    /// The ledger refused.
    #[error("the ledger refused: {0}")]
    Rejected(Rejection),
    /// The ledger refused an acceptance because of a limit, and the transfer has been cancelled.
    #[error("the ledger refused and the transfer was cancelled: {0}")]
    Cancelled(Rejection),
    /// Posting failed.
    #[error(transparent)]
    Posting(#[from] PostingError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl Proposal {
    fn create(&self) -> Create {
        let [payer, payee] = self.sides();
        begin(self.kind(), payer.account, payee.account, self.amount, self.key)
    }

    /// Payer and payee.
    pub const fn sides(&self) -> [&Holder; 2] {
        match self.direction {
            Direction::Out => [&self.initiator, &self.receiver],
            Direction::In => [&self.receiver, &self.initiator],
        }
    }

    const fn kind(&self) -> TransferKind {
        match self.direction {
            Direction::Out => TransferKind::Hold,
            Direction::In => TransferKind::Request,
        }
    }
}

/// The command that begins a transfer. Its id is made when it is posted; its text joins it in [`Entry::new`].
pub(super) fn begin(
    kind: TransferKind,
    payer: AccountId,
    payee: AccountId,
    amount: Amount,
    key: Option<Key>,
) -> Create {
    Create {
        id: TransferId(mint_id()),
        kind,
        payer,
        payee,
        amount,
        expires_at: None,
        key,
        // A courtesy to both sides and not a promise: it reserves nothing, and accepting decides.
        payable_now: kind != TransferKind::Immediate,
        memo: Memo::NONE,
    }
}

/// Proposes a transfer. With a key that came before: the first transfer again, and `true`.
///
/// # Errors
/// See [`ProposalError`].
pub async fn propose(
    posting: &Posting,
    ledger: &Ledger,
    proposal: &Proposal,
) -> Result<(Transfer, bool), ProposalError> {
    let told = proposed(proposal.initiator.person, proposal.sides(), &proposal.receiver, proposal.amount, &ledger.unit);
    let entry = Entry::new(Command::Create(proposal.create()), &proposal.description).minted().telling(told);
    match posting.submit_one(ledger.id, Group::from(entry)).await? {
        Ok(Receipt::Transfer(receipt)) => Ok((receipt.transfer, false)),
        Ok(Receipt::Repeated(first)) => Ok((first, true)),
        Ok(Receipt::Account(_)) => Err(PostingError::Unavailable.into()),
        Err(rejection) => Err(ProposalError::Rejected(rejection)),
    }
}

/// What is told beside a transfer that this person proposes to `receiver`.
pub(super) fn proposed(by: u128, sides: [&Holder; 2], receiver: &Holder, amount: Amount, unit: &Unit) -> Vec<Beside> {
    let act = Act::by(by, Done::TransferProposed).saying(movement(sides, amount, unit));
    vec![act.beside(), beside(Mail::transfer_initiated(UNKNOWN, receiver.account))]
}

/// In a mail that is written beside a transfer, whose id it gets.
pub(super) const UNKNOWN: TransferId = TransferId(0);

/// A mail that is told beside a transfer.
pub(super) fn beside(mail: Mail) -> Beside {
    let mut values: Vec<Told> = mail.into_values().into_iter().map(Told::Value).collect();
    values[mail::INSERT_TRANSFER] = Told::Transfer;
    Beside { head: mail::INSERT_HEAD, values }
}

/// For the log: which amount from whom to whom.
fn movement([payer, payee]: [&Holder; 2], amount: Amount, unit: &Unit) -> String {
    format!("{} -> {}: {} {}", payer.number, payee.number, unit.format(amount), unit.code())
}

/// A transfer that needs nobody's consent: an administrator's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Immediate {
    /// Which administrator's.
    pub by: u128,
    /// Who is debited.
    pub payer: Holder,
    /// Who is credited.
    pub payee: Holder,
    /// How much.
    pub amount: Amount,
    /// What a client sent to be safe when it retries.
    pub key: Option<Key>,
}

/// Moves money at once. With a key that came before: the first transfer again, and `true`. The inner result is the ledger's refusal.
///
/// # Errors
/// When posting fails.
pub async fn transfer_at_once(
    posting: &Posting,
    ledger: &Ledger,
    transfer: &Immediate,
    description: &str,
) -> Result<Result<(TransferId, bool), Rejection>, PostingError> {
    let Immediate { by, payer, payee, amount, key } = transfer;
    let create = begin(TransferKind::Immediate, payer.account, payee.account, *amount, *key);
    let act = Act::by(*by, Done::TransferMade).as_administrator();
    let told = vec![act.saying(movement([payer, payee], *amount, &ledger.unit)).beside()];
    let entry = Entry::new(Command::Create(create), description).minted().telling(told);
    let outcome = posting.submit_one(ledger.id, Group::from(entry)).await?;
    match outcome {
        Ok(Receipt::Transfer(receipt)) => Ok(Ok((receipt.transfer.id, false))),
        Ok(Receipt::Repeated(first)) => Ok(Ok((first.id, true))),
        Ok(Receipt::Account(_)) => Err(PostingError::Unavailable),
        Err(rejection) => Ok(Err(rejection)),
    }
}

/// Would this proposal be accepted now? Nothing is reserved or stored.
///
/// # Errors
/// See [`ProposalError`].
pub async fn preview(posting: &Posting, ledger: LedgerId, proposal: &Proposal) -> Result<(), ProposalError> {
    let outcome = posting.preview(ledger, Command::Create(proposal.create())).await?;
    outcome.map(drop).map_err(ProposalError::Rejected)
}

/// Somebody's answer to a proposal.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'r> {
    /// Who answers.
    pub by: u128,
    /// The transfer that was proposed.
    pub transfer: TransferId,
    /// The accounts of whoever answers.
    pub mine: &'r [AccountId],
    /// What they answer.
    pub answer: Answer,
    /// Why, when they do not accept; may be empty.
    pub reason: &'r str,
    /// The reason that the transfer is given when a limit stands in the way of accepting it.
    pub limit_reason: fn(Rejection) -> &'static str,
}

/// Answers a proposal. When a limit stands in the way of accepting, the transfer is cancelled.
///
/// # Errors
/// See [`ProposalError`].
pub async fn act(
    db: &Db,
    posting: &Posting,
    ledger: &Ledger,
    reply: Reply<'_>,
) -> Result<TransferRecord, ProposalError> {
    let Reply { by, transfer: id, mine, answer, reason, limit_reason } = reply;
    let record = transfer(db, ledger.id, id).await?.ok_or(ProposalError::NotFound)?;
    if record.kind == TransferKind::Immediate && (mine.contains(&record.payer) || mine.contains(&record.payee)) {
        return Err(ProposalError::NothingToAnswer);
    }
    let action = allowed(&record, mine, answer).ok_or(ProposalError::Forbidden)?;
    let done = match answer {
        Answer::Accept => Done::TransferAccepted,
        Answer::Reject => Done::TransferRejected,
        Answer::Cancel => Done::TransferCancelled,
    };
    let amount = format!("{} {}", ledger.unit.format(record.amount), ledger.unit.code());
    let mail = told(&record, answer);
    let told = vec![Act::by(by, done).saying(amount.as_str()).beside(), beside(mail)];
    match posting.submit_one(ledger.id, settle(ledger.id, id, action, reason, told)).await? {
        Ok(_) => transfer(db, ledger.id, id).await?.ok_or(ProposalError::NotFound),
        Err(rejection @ (Rejection::FloorExceeded { .. } | Rejection::CeilingExceeded { .. })) => {
            match cancel(posting, ledger, &record, Done::TransferStopped, limit_reason(rejection)).await? {
                Ok(_) => Err(ProposalError::Cancelled(rejection)),
                // Somebody else was faster; what they did is the reason.
                Err(other) => Err(ProposalError::Rejected(other)),
            }
        }
        Err(rejection) => Err(ProposalError::Rejected(rejection)),
    }
}

/// Whom an answer is told.
fn told(record: &TransferRecord, answer: Answer) -> Mail {
    let [initiator, receiver] = match record.kind {
        TransferKind::Request => [record.payee, record.payer],
        TransferKind::Hold | TransferKind::Immediate => [record.payer, record.payee],
    };
    match answer {
        Answer::Accept => Mail::transfer_accepted(UNKNOWN, initiator),
        Answer::Reject => Mail::transfer_rejected(UNKNOWN, initiator),
        Answer::Cancel => Mail::transfer_cancelled(UNKNOWN, receiver),
    }
}

/// Cancels what waits for an answer without anybody having given one, and tells both sides.
pub(super) async fn cancel(
    posting: &Posting,
    ledger: &Ledger,
    record: &TransferRecord,
    done: Done,
    reason: &str,
) -> Result<Outcome, PostingError> {
    posting.submit_one(ledger.id, cancelling(ledger, record, done, reason)).await
}

/// What [`cancel`] does, to be done together with more.
pub(super) fn cancelling(ledger: &Ledger, record: &TransferRecord, done: Done, reason: &str) -> Group {
    let back = if record.kind == TransferKind::Hold { Action::Release } else { Action::Withdraw };
    let amount = format!("{} {}", ledger.unit.format(record.amount), ledger.unit.code());
    let sides = [record.payer, record.payee];
    let mails = match done {
        Done::TransferExpired => Mail::transfer_expired(UNKNOWN, sides),
        _ => Mail::transfer_cancelled_by_system(UNKNOWN, sides),
    };
    let act = Act::by_nobody(done).saying(amount).beside();
    settle(ledger.id, record.id, back, reason, [act].into_iter().chain(mails.map(beside)).collect())
}

fn settle(ledger: LedgerId, transfer: TransferId, action: Action, memo: &str, told: Vec<Beside>) -> Group {
    let command = Command::Settle(Settle { transfer, action, memo: Memo::NONE });
    let group = Group::from(Entry::new(command, memo).telling(told));
    match action {
        Action::Capture(_) | Action::Accept => group,
        Action::Release | Action::Decline | Action::Withdraw | Action::Expire => {
            group.with(vec![unlink(ledger, transfer)])
        }
    }
}

/// The action that an answer means, if it is theirs to give: accepting and rejecting is the receiver's, cancelling the initiator's.
fn allowed(record: &TransferRecord, mine: &[AccountId], answer: Answer) -> Option<Action> {
    let initiator = record.initiator()?;
    let receiver = if initiator == record.payer { record.payee } else { record.payer };
    let whose = if answer == Answer::Cancel { initiator } else { receiver };
    if !mine.contains(&whose) {
        return None;
    }
    Some(match (answer, record.kind) {
        (Answer::Accept, TransferKind::Hold) => Action::Capture(None),
        (Answer::Reject | Answer::Cancel, TransferKind::Hold) => Action::Release,
        (Answer::Accept, _) => Action::Accept,
        (Answer::Reject, _) => Action::Decline,
        (Answer::Cancel, _) => Action::Withdraw,
    })
}
