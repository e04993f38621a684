//! `{"errors": […]}`: every refusal of this surface with its status and words. The one table from the ledger's rejections to
//! the document's messages is [`words`].

use super::writing::{amount_rule, number};
use crate::accounts::{Refusal, TEXT_MAX};
use crate::error::Error;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger_core::{Rejection, Unit};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// An error on its way to a client.
#[derive(Debug)]
pub(super) enum Problem {
    /// The ledger refused, and amounts are counted in this unit.
    Refused(Rejection, Stage, Unit),
    /// The order at this place of a batch stood in the way of all.
    Stopped(usize, Refusal, Unit),
    /// Something else is wrong.
    Failed(Error),
}

/// What somebody was about to do when the ledger refused: the words differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// To begin a transfer, or to change an account.
    Begin,
    /// To settle a transfer.
    Settle,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Errors)]
pub(super) struct Body {
    /// At least one.
    #[schema(min_items = 1)]
    errors: Vec<Message>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(super) struct Message {
    /// What is wrong, and what to do.
    message: String,
    /// The ledger's own word, for programs: an addition to the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    code: Option<&'static str>,
    /// The amount that comes with the word, such as the most that can be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>, nullable = false)]
    amount: Option<Box<RawValue>>,
    /// Which item of a batch, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    item: Option<usize>,
}

impl Message {
    /// Words alone.
    pub(super) fn plain(message: String) -> Message {
        Message { message, code: None, amount: None, item: None }
    }

    /// What is said of an order that was refused.
    pub(super) fn of(refusal: Refusal, unit: &Unit) -> Message {
        let amount = refusal.amount().map(|amount| number(amount, unit));
        Message { message: refusal_words(refusal, unit), code: Some(refusal.word()), amount, item: None }
    }
}

impl Problem {
    /// One thing that is wrong with the request.
    pub(super) fn invalid(message: impl Into<String>) -> Problem {
        Error::invalid(message).into()
    }
}

impl<E: Into<Error>> From<E> for Problem {
    fn from(error: E) -> Problem {
        Problem::Failed(error.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Problem::Refused(rejection, stage, unit) => {
                let message = words(rejection, stage, &unit);
                let amount = rejection.amount().map(|amount| number(amount, &unit));
                let code = Some(rejection.word());
                answer(StatusCode::BAD_REQUEST, vec![Message { message, code, amount, item: None }])
            }
            Problem::Stopped(place, refusal, unit) => {
                answer(StatusCode::BAD_REQUEST, vec![Message { item: Some(place), ..Message::of(refusal, &unit) }])
            }
            Problem::Failed(error) => failed(error),
        }
    }
}

fn failed(error: Error) -> Response {
    let retry_after = match &error {
        Error::TooMany(exceeded) => Some(exceeded.retry_after),
        Error::Unavailable => Some(1),
        _ => None,
    };
    let (status, messages) = match error {
        Error::Invalid(messages) => (StatusCode::BAD_REQUEST, messages),
        Error::Unauthenticated => (StatusCode::UNAUTHORIZED, vec!["Could not authenticate you.".into()]),
        Error::Forbidden => (StatusCode::FORBIDDEN, vec!["Permission denied.".into()]),
        Error::NoSuchRoute => (StatusCode::NOT_FOUND, vec!["There is nothing at this address.".into()]),
        Error::NoSuchMethod => (StatusCode::METHOD_NOT_ALLOWED, vec!["This address does not take this method.".into()]),
        Error::TooSlow => (StatusCode::REQUEST_TIMEOUT, vec!["The request body did not come in time.".into()]),
        Error::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, vec!["The request body is too large.".into()]),
        Error::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, vec!["Rate limit exceeded.".into()]),
        Error::Unavailable => {
            let message = "The service is temporarily unavailable. Please try again.";
            (StatusCode::SERVICE_UNAVAILABLE, vec![message.into()])
        }
        Error::Internal(error) => {
            tracing::error!(error = format!("{error:#}"), "a request failed");
            (StatusCode::INTERNAL_SERVER_ERROR, vec!["Internal server error triggered.".into()])
        }
    };
    let errors = messages.into_iter().map(Message::plain).collect();
    let mut response = answer(status, errors);
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn answer(status: StatusCode, errors: Vec<Message>) -> Response {
    (status, Json(Body { errors })).into_response()
}

pub(super) fn of_panic(_: Box<dyn std::any::Any + Send>) -> Response {
    // The panic hook has logged where and why.
    Problem::from(Error::Internal(anyhow::anyhow!("a handler panicked"))).into_response()
}

/// The document's words for what the ledger refuses.
fn words(rejection: Rejection, stage: Stage, unit: &Unit) -> String {
    let text = |amount| unit.format_fixed(amount);
    let message = match (rejection, stage) {
        (Rejection::LinkedFailed | Rejection::LinkedOpen, _) => "Another part of the request was refused.",
        (Rejection::IdReused, _) => "The Idempotency-Key was used before with another request.",
        (Rejection::AccountExists, _) => "The account exists already.",
        (Rejection::AmountOutOfRange, _) => return amount_rule(unit),
        (Rejection::SameAccount, _) => "You cannot create a transaction with yourself.",
        (Rejection::ExpiryPassed, _) => "The expiry date is in the past.",
        (Rejection::LimitsCrossed, _) => "The max negative balance and the max positive balance cross each other.",
        (Rejection::AccountNotFound | Rejection::PayerNotFound | Rejection::PayeeNotFound, _) => "Entity not found.",
        (Rejection::TransferNotFound, _) => "Transfer not found.",
        (Rejection::NotAHold | Rejection::NotARequest, _) => "Please enter a valid action.",
        (Rejection::AlreadyPosted, _) => COMPLETED,
        (
            Rejection::AlreadyReleased | Rejection::AlreadyDeclined | Rejection::AlreadyWithdrawn | Rejection::Expired,
            _,
        ) => "The transaction has already been cancelled by the counterparty.",
        (Rejection::NotExpired, _) => "The transaction has not expired yet.",
        (Rejection::CaptureExceedsHold { held }, _) => {
            return format!("No more than was proposed can be accepted: {}", text(held));
        }
        (Rejection::AccountClosed, _) => "The account is closed.",
        (Rejection::PayerClosed | Rejection::PayerFrozen, _) => {
            "Sender is not a trading member. Transfers can only be made when both entities have trading member status."
        }
        (Rejection::PayeeClosed | Rejection::PayeeFrozen, _) => {
            "Recipient is not a trading member. Transfers can only be made when both entities have trading member status."
        }
        (Rejection::BalanceNotZero { .. }, _) => "Cannot delete an entity with a non-zero balance.",
        (Rejection::HoldsOutstanding, _) => "Cannot delete an entity with pending transfers.",
        (Rejection::FloorExceeded { .. }, Stage::Settle) => PAYER_LIMIT,
        (Rejection::CeilingExceeded { .. }, Stage::Settle) => PAYEE_LIMIT,
        (Rejection::FloorExceeded { available }, Stage::Begin) => {
            return format!(
                "Sender will exceed its credit limit. The maximum amount that can be sent is: {}",
                text(available)
            );
        }
        (Rejection::CeilingExceeded { room }, Stage::Begin) => {
            return format!(
                "Receiver will exceed its maximum balance limit. The maximum amount that can be received is: {}",
                text(room)
            );
        }
        // What a window refuses now may be accepted in the next period, so it cancels nothing.
        (Rejection::PayerWindowAmountExceeded { available: left }, _) => {
            return format!("Sender will exceed its limit for this period. What is left of it: {}", text(left));
        }
        (Rejection::PayeeWindowAmountExceeded { room: left }, _) => {
            return format!("Receiver will exceed its limit for this period. What is left of it: {}", text(left));
        }
        (Rejection::PayerWindowCountExceeded, _) => "Sender may not send again in this period.",
        (Rejection::PayeeWindowCountExceeded, _) => "Receiver may not receive again in this period.",
    };
    message.into()
}

/// The words for what is wrong with an order of a batch: those of the single request, where it has them.
fn refusal_words(refusal: Refusal, unit: &Unit) -> String {
    let missing = |field: &str| format!("{field} parameter is missing.");
    match refusal {
        Refusal::Rejected(rejection) => words(rejection, Stage::Begin, unit),
        Refusal::Forbidden => "Permission denied.".into(),
        Refusal::InitiatorMissing => missing("initiator"),
        Refusal::ReceiverMissing => missing("receiver"),
        Refusal::AmountMissing => missing("amount"),
        Refusal::DirectionUnknown => "Transfer can be only 'in' or 'out'.".into(),
        Refusal::DescriptionTooLong => format!("Description length cannot exceed {TEXT_MAX} characters."),
        Refusal::DescriptionInvisible => "Description cannot contain control or invisible characters.".into(),
        Refusal::TextUnreadable => "Texts must be UTF-8 and cannot contain the character U+0000.".into(),
        Refusal::KeyInvalid => "The idempotencyKey must be 1 to 255 visible ASCII characters.".into(),
        Refusal::RowInvalid => "The row has more or fewer fields than the first.".into(),
    }
}

/// Also for a transfer that was complete from the start.
pub(super) const COMPLETED: &str = "The transaction has already been completed by the counterparty.";
const PAYER_LIMIT: &str = "The sender will exceed its credit limit so this transfer has been cancelled.";
const PAYEE_LIMIT: &str =
    "The recipient will exceed its maximum positive balance threshold so this transfer has been cancelled.";

/// The reason that a transfer is given when a limit cancels it.
pub(super) const fn limit_reason(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::CeilingExceeded { .. } => PAYEE_LIMIT,
        _ => PAYER_LIMIT,
    }
}
