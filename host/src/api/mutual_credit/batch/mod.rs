//! `POST /transfers/batch`: up to 8,190 transfers at once, over `accounts`. Who may send what, and how much of it at a time; the two
//! forms of a batch are in files of their own.

mod json; // the form of the document
mod binary; // the compact form
#[cfg(test)]
mod tests; // the compact form as it is documented, and hostile bytes

use super::extract::{Anybody, IdempotencyKey, read};
use super::openapi::{RetryKey, TRANSFER};
use super::problem::Problem;
use crate::accounts::{self, Decided, Mode, ORDERS_MAX, Order, Refusal, Sender};
use crate::app::App;
use crate::error::Error;
use crate::identity::Session;
use axum::Extension;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use std::sync::Arc;
use tokio::sync::Semaphore;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The most bytes of a batch: 8,190 transfers with texts of 510 characters of four bytes and keys of 255 come to 20 MB.
const BODY_MAX: usize = 24 << 20;

/// What the batches that are read, decided and answered at the same time may take together, in KiB: four of the longest, or many short
/// ones. Beyond, senders are told to come back later.
const ROOM_KIB: usize = 4 * BODY_MAX / 1024;

pub(super) fn router() -> OpenApiRouter<App> {
    let room = Room(Arc::new(Semaphore::new(ROOM_KIB)));
    OpenApiRouter::new().routes(routes!(batch)).layer(Extension(room))
}

/// Room for batches in memory.
#[derive(Clone)]
struct Room(Arc<Semaphore>);

/// A batch that was read.
struct Batch<'b> {
    mode: Mode,
    /// Each with what is wrong with it, if it cannot be an order.
    orders: Vec<Result<Order<'b>, Refusal>>,
}

/// Whose batch it is, and under which key it was sent.
struct Origin<'k> {
    session: Session,
    key: &'k IdempotencyKey,
}

/// Carries out many transfers: an administrator's at once, a member's as proposals of their own entities. With an `Idempotency-Key`, or a
/// key with each transfer, sending it again gives the first answers again.
#[utoipa::path(
    post, path = "/transfers/batch", tag = TRANSFER,
    security(("jwt" = [])),
    params(RetryKey),
    request_body(content((json::Request = "application/json"), (Vec<u8> = "application/vnd.hesabu.transfers.v1"))),
    responses((status = 200, description = "An outcome for each transfer, in their order", content((json::Answer = "application/json"), (Vec<u8> = "application/vnd.hesabu.transfers.v1"))))
)]
async fn batch(
    State(app): State<App>,
    Extension(Room(room)): Extension<Room>,
    Anybody(session): Anybody,
    key: IdempotencyKey,
    request: Request,
) -> Result<Response, Problem> {
    // Before the body is read: what waits in memory stays bounded.
    let Ok(_room) = room.try_acquire_many(kibibytes(request.body())) else {
        // A client that is still sending would not hear the refusal.
        drop(read(request.into_body(), 0).await);
        return Err(Error::Unavailable.into());
    };
    let form = request.headers().get(CONTENT_TYPE).and_then(|form| form.to_str().ok()).unwrap_or_default();
    let is_binary = binary::is_meant(form)?;
    let bytes = read(request.into_body(), BODY_MAX).await?;
    let (origin, unit) = (Origin { session, key: &key }, &app.ledger.unit);
    let Batch { mode, orders } = match is_binary {
        true => binary::parse(&bytes, &origin)?,
        false => json::parse(&bytes, &origin, unit)?,
    };
    let (sender, count) = (sender(session), orders.len());
    let decided = accounts::place(&app.posting, &app.ledger, sender, mode, orders).await?;
    match is_binary {
        true => Ok(binary::answer(&decided, count)),
        false => json::answer(decided, sender, unit),
    }
}

/// What a body may come to: as long as it says that it is, or else as long as one can be.
fn kibibytes(body: &Body) -> u32 {
    let bytes = body.size_hint().upper().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(BODY_MAX);
    u32::try_from(bytes.min(BODY_MAX).div_ceil(1024)).expect("a body has some MiB")
}

const fn sender(session: Session) -> Sender {
    if session.administrator { Sender::Administrator(session.person) } else { Sender::Member(session.person) }
}

/// A batch must have something in it, and not more than the ledger decides at once.
fn check_count(count: usize) -> Result<(), Problem> {
    match count {
        0 => Err(Problem::invalid("A batch must have at least one transfer.")),
        1..=ORDERS_MAX => Ok(()),
        _ => {
            Err(Problem::invalid(format!("A batch can have at most {ORDERS_MAX} transfers, and this one has {count}.")))
        }
    }
}

/// Whether every order that was carried out had been carried out before.
fn is_replayed(decided: &Decided) -> bool {
    match decided {
        Decided::Stopped(..) => false,
        Decided::Each(each) => {
            let mut placed = each.iter().flatten().peekable();
            placed.peek().is_some() && placed.all(|placed| placed.repeated)
        }
    }
}
