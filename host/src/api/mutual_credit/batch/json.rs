//! A batch in JSON. Texts and numbers are taken from the body as they stand there, without copies; amounts are parsed from their digits.

use super::super::extract::written_key;
use super::super::problem::{Message, Problem};
use super::super::transfers::REPLAYED;
use super::super::views::status_word;
use super::{Batch, Origin, check_count, is_replayed};
use crate::accounts::{
    Decided, Direction, Mode, ORDERS_MAX, Order, Placed, Refusal, Sender, TransferStatus, parse_amount,
};
use axum::Json;
use axum::response::{AppendHeaders, IntoResponse, Response};
use ledger_core::{Rejection, Unit};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Deserialize, ToSchema)]
#[schema(as = BatchRequest)]
#[serde(deny_unknown_fields)]
pub(super) struct Request<'b> {
    /// All or nothing, or each for itself.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, nullable = false, pattern = "^(atomic|independent)$")]
    mode: Option<Text<'b>>,
    /// At most 8,190. What is wrong with one is its outcome.
    #[serde(borrow)]
    #[schema(value_type = Vec<Item>, required = true, nullable = false, min_items = 1)]
    transfers: Option<Items<'b>>,
}

/// A text without a copy, unless it has escapes.
#[derive(Deserialize)]
struct Text<'b>(#[serde(borrow)] Cow<'b, str>);

/// The transfers of a batch. Of too many, only how many there are.
struct Items<'b> {
    items: Vec<Item<'b>>,
    count: usize,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = BatchTransfer)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Item<'b> {
    /// `out` when it is not said.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    transfer: Option<Text<'b>>,
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    initiator: Option<Text<'b>>,
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    receiver: Option<Text<'b>>,
    #[serde(borrow)]
    #[schema(value_type = Option<Value>)]
    amount: Option<&'b RawValue>,
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    description: Option<Text<'b>>,
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    idempotency_key: Option<Text<'b>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BatchAnswer)]
pub(super) struct Answer {
    data: Vec<OutcomeView>,
    meta: Counts,
}

#[derive(Serialize, Default, ToSchema)]
#[schema(as = BatchCounts)]
struct Counts {
    accepted: usize,
    /// Of those, the ones that came before.
    replayed: usize,
    refused: usize,
}

#[derive(Serialize, ToSchema)]
#[schema(as = BatchOutcome)]
#[serde(untagged)]
enum OutcomeView {
    Placed {
        id: Uuid,
        status: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        replayed: Option<bool>,
    },
    Refused {
        errors: [Message; 1],
    },
}

/// Reads a batch. What is wrong with the text itself ends it; what is wrong with one transfer is that one's outcome.
pub(super) fn parse<'b>(body: &'b [u8], origin: &Origin<'_>, unit: &Unit) -> Result<Batch<'b>, Problem> {
    let request: Request<'b> = serde_json::from_slice(body).map_err(|_| explain(body))?;
    let mode = match request.mode.as_ref().map(|mode| &*mode.0) {
        Some("atomic") => Mode::Atomic,
        Some("independent") => Mode::Independent,
        Some(_) => return Err(Problem::invalid("The mode can be only 'atomic' or 'independent'.")),
        None => return Err(Problem::invalid("mode parameter is missing.")),
    };
    let Some(Items { items, count }) = request.transfers else {
        return Err(Problem::invalid("transfers parameter is missing."));
    };
    check_count(count)?;
    let orders = items.into_iter().enumerate().map(|(place, item)| order(item, place, origin, unit));
    Ok(Batch { mode, orders: orders.collect() })
}

/// Says where a body is wrong: read again, this time keeping track of the place, which costs more.
fn explain(body: &[u8]) -> Problem {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, Request<'_>>(&mut deserializer) {
        Err(error) => Problem::invalid(format!("Please provide valid inputs: {error}")),
        Ok(_) => Problem::invalid("Please provide valid inputs: there is something after the end."),
    }
}

fn order<'b>(item: Item<'b>, place: usize, origin: &Origin<'_>, unit: &Unit) -> Result<Order<'b>, Refusal> {
    let direction = match item.transfer.as_ref().map(|word| &*word.0) {
        None | Some("out") => Direction::Out,
        Some("in") => Direction::In,
        Some(_) => return Err(Refusal::DirectionUnknown),
    };
    let amount = item.amount.ok_or(Refusal::AmountMissing)?;
    let key = match item.idempotency_key {
        Some(Text(text)) => Some(written_key(origin.session, &text).ok_or(Refusal::KeyInvalid)?),
        None => origin.key.part(origin.session, place),
    };
    Ok(Order {
        initiator: item.initiator.ok_or(Refusal::InitiatorMissing)?.0,
        receiver: item.receiver.ok_or(Refusal::ReceiverMissing)?.0,
        direction,
        amount: parse_amount(amount.get(), unit).ok_or(Refusal::Rejected(Rejection::AmountOutOfRange))?,
        description: item.description.map_or(Cow::Borrowed(""), |text| text.0),
        key,
    })
}

/// The outcome of each transfer, in order; or which one stood in the way of all.
pub(super) fn answer(decided: Decided, sender: Sender, unit: &Unit) -> Result<Response, Problem> {
    let headers = AppendHeaders(is_replayed(&decided).then_some((REPLAYED, "true")));
    let each = match decided {
        Decided::Each(each) => each,
        Decided::Stopped(place, refusal) => return Err(Problem::Stopped(place, refusal, unit.clone())),
    };
    let status = status_word(match sender {
        Sender::Administrator(_) | Sender::Operator => TransferStatus::Completed,
        Sender::Member(_) => TransferStatus::Initiated,
    });
    let mut meta = Counts::default();
    let view = |outcome| match outcome {
        Ok(Placed { id, repeated }) => {
            meta.accepted += 1;
            meta.replayed += usize::from(repeated);
            OutcomeView::Placed { id: Uuid::from_u128(id.0), status, replayed: repeated.then_some(true) }
        }
        Err(refusal) => {
            meta.refused += 1;
            OutcomeView::Refused { errors: [Message::of(refusal, unit)] }
        }
    };
    let data = each.into_iter().map(view).collect();
    Ok((headers, Json(Answer { data, meta })).into_response())
}

impl<'de: 'b, 'b> Deserialize<'de> for Items<'b> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Items<'b>, D::Error> {
        deserializer.deserialize_seq(ItemsVisitor)
    }
}

/// Keeps no more transfers than a batch can have: a body of `{}` would take many times its own size.
struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Items<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of transfers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Items<'de>, A::Error> {
        let mut items = vec![];
        while items.len() < ORDERS_MAX {
            match list.next_element()? {
                Some(item) => items.push(item),
                None => return Ok(Items { count: items.len(), items }),
            }
        }
        let mut count = items.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Items { items, count })
    }
}
