//! A batch in bytes: `Content-Type: application/vnd.hesabu.transfers.v1`. `docs/bulk.md` explains every byte and has an example.
//!
//! Numbers begin with their lowest byte, ids and keys with their highest, as in the text of a UUID.
//!
//! | thing | bytes |
//! | --- | --- |
//! | batch | `HSBT`, version `1`, mode (0 independent, 1 atomic), count u16, then the items |
//! | item | initiator's and receiver's account number u64, amount i64 in minor units, key 16 (all 0 for none), flags u16 (1 the receiver pays), length u16 of the description, description |
//! | answer | `HSBA`, version `1`, fate (0 decided, 1 refused as a whole), count u16, then an outcome for each item |
//! | outcome | status (0 carried out, 1 had been before, 2 refused), code, id 16 (of a refused one 0), amount i64 that comes with the code |

use super::super::extract::written_key;
use super::super::problem::Problem;
use super::super::transfers::REPLAYED;
use super::{Batch, Origin, check_count, is_replayed};
use crate::accounts::{Decided, Direction, Mode, Order, Placed, Refusal, is_amount};
use crate::identity::Session;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{AppendHeaders, IntoResponse, Response};
use ledger_core::{Amount, Key, Rejection};
use std::borrow::Cow;
use uuid::Uuid;

/// The form of both batch and answer. Another version has another name.
const FORM: &str = "application/vnd.hesabu.transfers.v1";

/// What the names of all versions begin with.
const FORMS: &str = "application/vnd.hesabu.transfers.";

const BATCH: &[u8; 4] = b"HSBT";
const ANSWER: &[u8; 4] = b"HSBA";
const VERSION: u8 = 1;

const RECEIVER_PAYS: u16 = 1;

const CARRIED_OUT: u8 = 0;
const CARRIED_OUT_BEFORE: u8 = 1;
const REFUSED: u8 = 2;

const HEAD_SIZE: usize = 8;
const OUTCOME_SIZE: usize = 26;

/// Whether a `Content-Type` means this form; one of another version is refused.
pub(super) fn is_meant(form: &str) -> Result<bool, Problem> {
    let form = form.split(';').next().unwrap_or_default().trim();
    match form.eq_ignore_ascii_case(FORM) {
        true => Ok(true),
        false if form.to_ascii_lowercase().starts_with(FORMS) => {
            Err(Problem::invalid(format!("This version of the form is not known; {FORM} is.")))
        }
        false => Ok(false),
    }
}

/// Reads a batch, all of it before anything happens. Bytes that are none end it; what is wrong with one item is that one's outcome.
pub(super) fn parse<'b>(bytes: &'b [u8], origin: &Origin<'_>) -> Result<Batch<'b>, Problem> {
    let mut reader = Reader { rest: bytes, length: bytes.len() };
    let [magic @ .., version, mode, low, high] = reader.take::<HEAD_SIZE>()?;
    if magic != *BATCH || version != VERSION {
        return Err(Problem::invalid("This is no batch of version 1: it must begin with the bytes 48 53 42 54 01."));
    }
    let mode = match mode {
        0 => Mode::Independent,
        1 => Mode::Atomic,
        _ => return Err(Problem::invalid("The mode, byte 5, can be only 0 for independent or 1 for atomic.")),
    };
    let count = usize::from(u16::from_le_bytes([low, high]));
    check_count(count)?;
    let orders = (0..count).map(|place| order(&mut reader, place, origin)).collect::<Result<_, _>>()?;
    match reader.rest {
        [] => Ok(Batch { mode, orders }),
        _ => Err(reader.wrong("there are bytes after the last item")),
    }
}

fn order<'b>(
    reader: &mut Reader<'b>,
    place: usize,
    origin: &Origin<'_>,
) -> Result<Result<Order<'b>, Refusal>, Problem> {
    let initiator = u64::from_le_bytes(reader.take()?);
    let receiver = u64::from_le_bytes(reader.take()?);
    let amount = i64::from_le_bytes(reader.take()?);
    let key = u128::from_be_bytes(reader.take()?);
    let flags = u16::from_le_bytes(reader.take()?);
    let length = usize::from(u16::from_le_bytes(reader.take()?));
    let description = reader.bytes(length)?;
    let direction = match flags {
        0 => Direction::Out,
        RECEIVER_PAYS => Direction::In,
        _ => return Err(reader.wrong("an item has flags that mean nothing")),
    };
    let Ok(description) = std::str::from_utf8(description) else { return Ok(Err(Refusal::TextUnreadable)) };
    let Some(amount) = Amount::new(amount).filter(|amount| is_amount(*amount)) else {
        return Ok(Err(Refusal::Rejected(Rejection::AmountOutOfRange)));
    };
    Ok(Ok(Order {
        initiator: number(initiator),
        receiver: number(receiver),
        direction,
        amount,
        description: Cow::Borrowed(description),
        key: if key == 0 { origin.key.part(origin.session, place) } else { id_key(origin.session, key) },
    }))
}

/// An account number as people write it. One of more than 16 digits is nobody's.
fn number(number: u64) -> Cow<'static, str> {
    Cow::Owned(format!("{number:016}"))
}

/// The same key as its text in JSON.
fn id_key(session: Session, id: u128) -> Option<Key> {
    let mut text = Uuid::encode_buffer();
    written_key(session, Uuid::from_u128(id).hyphenated().encode_lower(&mut text))
}

/// The outcome of each item, in order. When a batch is refused as a whole, one has the reason and the others say so.
pub(super) fn answer(decided: &Decided, count: usize) -> Response {
    let status = match decided {
        Decided::Each(_) => StatusCode::OK,
        Decided::Stopped(..) => StatusCode::BAD_REQUEST,
    };
    let headers = AppendHeaders(is_replayed(decided).then_some((REPLAYED, "true")));
    (status, [(CONTENT_TYPE, FORM)], headers, written(decided, count)).into_response()
}

pub(super) fn written(decided: &Decided, count: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_SIZE + count * OUTCOME_SIZE);
    bytes.extend_from_slice(ANSWER);
    bytes.extend([VERSION, u8::from(matches!(decided, Decided::Stopped(..)))]);
    bytes.extend(u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
    match decided {
        Decided::Each(each) => each.iter().for_each(|outcome| write(&mut bytes, *outcome)),
        Decided::Stopped(stopped, refusal) => {
            let reason = |place| if place == *stopped { *refusal } else { Refusal::Rejected(Rejection::LinkedFailed) };
            (0..count).for_each(|place| write(&mut bytes, Err(reason(place))));
        }
    }
    bytes
}

fn write(bytes: &mut Vec<u8>, outcome: Result<Placed, Refusal>) {
    let (status, code, id, amount) = match outcome {
        Ok(Placed { id, repeated: false }) => (CARRIED_OUT, 0, id.0, Amount::ZERO),
        Ok(Placed { id, repeated: true }) => (CARRIED_OUT_BEFORE, 0, id.0, Amount::ZERO),
        Err(refusal) => (REFUSED, refusal.code(), 0, refusal.amount().unwrap_or(Amount::ZERO)),
    };
    bytes.extend([status, code]);
    bytes.extend(id.to_be_bytes());
    bytes.extend(amount.minor().to_le_bytes());
}

/// Takes bytes off the front, and never more than there are.
struct Reader<'b> {
    rest: &'b [u8],
    /// Of all there was.
    length: usize,
}

impl<'b> Reader<'b> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.wrong("the bytes end too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn bytes(&mut self, count: usize) -> Result<&'b [u8], Problem> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.wrong("the bytes end too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn wrong(&self, what: &str) -> Problem {
        Problem::invalid(format!("This is no batch: {what} (at byte {}).", self.length - self.rest.len()))
    }
}
