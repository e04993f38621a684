//! Many transfers at once: the parties by account number, looked up together, decided together, with an outcome for each. In which form
//! they come (JSON, bytes, rows of a file) is others' business.

use super::proposals::{Direction, begin, proposed};
use crate::audit::{Act, Action};
use crate::parties::{self, Holder};
use crate::posting::{Beside, Entry, Group, Ledger, Posting, PostingError};
use crate::visible::{Lines, is_visible};
use ledger_core::{Amount, Command, Key, Outcome, Receipt, Rejection, TransferId, TransferKind, Unit};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

/// The most orders of one batch: what the ledger decides at once.
pub const ORDERS_MAX: usize = ledger_core::BATCH_MAX;

/// The largest amount of one transfer, in minor units: every JSON reader, also one that reads numbers as floats, gets it exactly.
pub const AMOUNT_MAX: i64 = 999_999_999_999_999;

/// Characters of a description or a reason.
pub const TEXT_MAX: usize = 510;

/// Characters of a key.
pub const KEY_MAX: usize = 255;

/// Who sends a batch, which decides what its orders are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sender {
    /// Needs nobody's consent: the orders of this person are transfers at once.
    Administrator(u128),
    /// The same at the console: nobody that could log in.
    Operator,
    /// This person proposes on behalf of their own entities, and the receivers have to answer.
    Member(u128),
}

impl Sender {
    /// What the log says of so many orders at once; of a member's, it says something of each.
    fn act(self, count: usize) -> Option<Arc<Beside>> {
        let act = match self {
            Sender::Administrator(person) => Act::by(person, Action::TransfersSent),
            Sender::Operator => Act::by_nobody(Action::TransfersSent),
            Sender::Member(_) => return None,
        };
        Some(Arc::new(act.as_administrator().saying(format!("{count} sent")).beside()))
    }
}

/// Whether the orders of a batch stand for themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// All or nothing.
    Atomic,
    /// Each succeeds or fails alone.
    Independent,
}

/// A transfer that somebody wants to happen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order<'o> {
    /// Account number of whose order it is.
    pub initiator: Cow<'o, str>,
    /// Account number of the other side.
    pub receiver: Cow<'o, str>,
    /// Which way the money goes, as the initiator sees it.
    pub direction: Direction,
    /// How much.
    pub amount: Amount,
    /// What it is for.
    pub description: Cow<'o, str>,
    /// What a client sent to be safe when it retries.
    pub key: Option<Key>,
}

/// Why an order was not carried out. Codes and words are for ever; new ones are only added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// For a reason of the ledger's; also when an amount is none, or nobody has the account number.
    Rejected(Rejection),
    /// The initiator is somebody else's entity.
    Forbidden,
    /// Who initiates it is not said.
    InitiatorMissing,
    /// Who the other side is is not said.
    ReceiverMissing,
    /// How much is not said.
    AmountMissing,
    /// Neither in nor out.
    DirectionUnknown,
    /// The description has more than [`TEXT_MAX`] characters.
    DescriptionTooLong,
    /// The description has characters that nobody sees.
    DescriptionInvisible,
    /// A text that cannot be stored: it is not UTF-8, or has the character U+0000.
    TextUnreadable,
    /// A key that none can be.
    KeyInvalid,
    /// A row of a file that has more or fewer fields than the first.
    RowInvalid,
}

/// An order that was carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placed {
    /// The transfer.
    pub id: TransferId,
    /// The same order came before, and this is what it began then.
    pub repeated: bool,
}

/// What became of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decided {
    /// The outcomes, in the order of the orders.
    Each(Vec<Result<Placed, Refusal>>),
    /// The order at this place stood in the way, and nothing happened.
    Stopped(usize, Refusal),
}

impl Refusal {
    /// The stable code: the ledger's own below 128.
    pub const fn code(&self) -> u8 {
        match self {
            Refusal::Rejected(rejection) => rejection.code(),
            Refusal::Forbidden => 128,
            Refusal::InitiatorMissing => 129,
            Refusal::ReceiverMissing => 130,
            Refusal::AmountMissing => 131,
            Refusal::DirectionUnknown => 132,
            Refusal::DescriptionTooLong => 133,
            Refusal::TextUnreadable => 134,
            Refusal::KeyInvalid => 135,
            Refusal::RowInvalid => 136,
            Refusal::DescriptionInvisible => 137,
        }
    }

    /// The word for programs, for example `floor-exceeded`.
    pub const fn word(&self) -> &'static str {
        match self {
            Refusal::Rejected(rejection) => rejection.word(),
            Refusal::Forbidden => "forbidden",
            Refusal::InitiatorMissing => "initiator-missing",
            Refusal::ReceiverMissing => "receiver-missing",
            Refusal::AmountMissing => "amount-missing",
            Refusal::DirectionUnknown => "direction-unknown",
            Refusal::DescriptionTooLong => "description-too-long",
            Refusal::DescriptionInvisible => "description-invisible",
            Refusal::TextUnreadable => "text-unreadable",
            Refusal::KeyInvalid => "key-invalid",
            Refusal::RowInvalid => "row-invalid",
        }
    }

    /// The amount that comes with it, such as the most that can be sent.
    pub const fn amount(&self) -> Option<Amount> {
        match self {
            Refusal::Rejected(rejection) => rejection.amount(),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The amount of a transfer as somebody wrote it: a plain decimal number above zero with no more decimals than the unit has.
pub fn parse_amount(text: &str, unit: &Unit) -> Option<Amount> {
    unit.parse(text).ok().filter(|amount| is_amount(*amount))
}

/// Whether a transfer may have this amount.
pub fn is_amount(amount: Amount) -> bool {
    amount.is_positive() && amount.minor() <= AMOUNT_MAX
}

/// Whether a text can be a key: visible ASCII characters and spaces, as in a header.
pub fn is_key(text: &str) -> bool {
    (1..=KEY_MAX).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Carries out the orders of a batch, at most [`ORDERS_MAX`], those that could be read at all. Each sees what the ones before it did.
///
/// # Errors
/// When posting fails: then nothing happened, except as [`PostingError`] notes.
pub async fn place(
    posting: &Posting,
    ledger: &Ledger,
    sender: Sender,
    mode: Mode,
    orders: Vec<Result<Order<'_>, Refusal>>,
) -> Result<Decided, PostingError> {
    let holders = holders(posting, &orders).await?;
    let act = sender.act(orders.len());
    let mut entries = Vec::with_capacity(orders.len());
    let mut refused = Vec::with_capacity(orders.len());
    for (place, order) in orders.into_iter().enumerate() {
        match order.and_then(|order| entry(sender, order, &holders, &ledger.unit)) {
            Ok(entry) => {
                entries.push(match &act {
                    Some(act) => entry.sharing(act),
                    None => entry,
                });
                refused.push(None);
            }
            Err(refusal) if mode == Mode::Atomic => return Ok(Decided::Stopped(place, refusal)),
            Err(refusal) => refused.push(Some(refusal)),
        }
    }
    let outcomes = match mode {
        _ if entries.is_empty() => vec![],
        Mode::Independent => posting.submit_batch(ledger.id, entries).await?,
        Mode::Atomic => posting.submit(ledger.id, Group { entries, companions: vec![] }).await?,
    };
    if mode == Mode::Atomic
        && let Some(stopped) = reason(&outcomes)
    {
        return Ok(stopped);
    }
    let mut outcomes = outcomes.into_iter().map(placed);
    let each = refused.into_iter().map(|refusal| match refusal {
        Some(refusal) => Ok(Err(refusal)),
        None => outcomes.next().unwrap_or(Err(PostingError::Unavailable)),
    });
    Ok(Decided::Each(each.collect::<Result<_, _>>()?))
}

/// In a refused group, one command has the reason and the others say that they are linked to it.
fn reason(outcomes: &[Outcome]) -> Option<Decided> {
    let refusals = outcomes.iter().enumerate().filter_map(|(place, outcome)| Some((place, outcome.err()?)));
    let reason = refusals.reduce(|first, other| if first.1 == Rejection::LinkedFailed { other } else { first });
    reason.map(|(place, rejection)| Decided::Stopped(place, Refusal::Rejected(rejection)))
}

fn placed(outcome: Outcome) -> Result<Result<Placed, Refusal>, PostingError> {
    match outcome {
        Ok(Receipt::Transfer(receipt)) => Ok(Ok(Placed { id: receipt.transfer.id, repeated: false })),
        Ok(Receipt::Repeated(first)) => Ok(Ok(Placed { id: first.id, repeated: true })),
        Ok(Receipt::Account(_)) => Err(PostingError::Unavailable),
        Err(rejection) => Ok(Err(Refusal::Rejected(rejection))),
    }
}

/// Who has the account numbers that the orders name, in one query however many there are.
async fn holders(
    posting: &Posting,
    orders: &[Result<Order<'_>, Refusal>],
) -> Result<HashMap<String, Holder>, PostingError> {
    let named = orders.iter().flatten().flat_map(|order| [&*order.initiator, &*order.receiver]);
    // PostgreSQL cannot even be asked for a text with U+0000; nobody has such a number.
    let numbers: HashSet<&str> = named.filter(|number| !number.contains('\0')).collect();
    Ok(parties::holders_among(posting.db(), numbers).await?)
}

/// The command that an order means, if it is this sender's to give.
fn entry(sender: Sender, order: Order<'_>, holders: &HashMap<String, Holder>, unit: &Unit) -> Result<Entry, Refusal> {
    let (absent_initiator, absent_receiver) = match order.direction {
        Direction::Out => (Rejection::PayerNotFound, Rejection::PayeeNotFound),
        Direction::In => (Rejection::PayeeNotFound, Rejection::PayerNotFound),
    };
    if order.description.contains('\0') {
        return Err(Refusal::TextUnreadable);
    }
    // No character has less than a byte.
    if order.description.len() > TEXT_MAX && order.description.chars().count() > TEXT_MAX {
        return Err(Refusal::DescriptionTooLong);
    }
    if !is_visible(&order.description, Lines::Any) {
        return Err(Refusal::DescriptionInvisible);
    }
    let initiator = holders.get(&*order.initiator).ok_or(Refusal::Rejected(absent_initiator))?;
    let receiver = holders.get(&*order.receiver).ok_or(Refusal::Rejected(absent_receiver))?;
    let (payer, payee) = match order.direction {
        Direction::Out => (initiator, receiver),
        Direction::In => (receiver, initiator),
    };
    let kind = match (sender, order.direction) {
        (Sender::Administrator(_) | Sender::Operator, _) => TransferKind::Immediate,
        (Sender::Member(person), _) if person != initiator.person => return Err(Refusal::Forbidden),
        (Sender::Member(_), Direction::Out) => TransferKind::Hold,
        (Sender::Member(_), Direction::In) => TransferKind::Request,
    };
    let create = begin(kind, payer.account, payee.account, order.amount, order.key);
    let entry = Entry::new(Command::Create(create), &order.description).minted();
    Ok(match sender {
        // What an administrator sends is logged as a whole.
        Sender::Administrator(_) | Sender::Operator => entry,
        Sender::Member(person) => entry.telling(proposed(person, [payer, payee], receiver, order.amount, unit)),
    })
}
