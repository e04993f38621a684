//! `/transfers`: proposing, answering and listing, over `accounts`.

use super::envelope::{Data, List};
use super::extract::{Body, IdempotencyKey, Member, PathId, Query, id};
use super::fields::Faults;
use super::openapi::{Id, Paging, QueryingEntity, REVIEW, RetryKey, TRANSFER};
use super::problem::{COMPLETED, Problem, Stage, limit_reason};
use super::user_entities::own;
use super::views::TransferView;
use super::writing::{date, number};
use crate::accounts::{self, Answer, Direction, Listing, Proposal, ProposalError, Reply, TransferStatus};
use crate::app::App;
use crate::error::Error;
use crate::id_text;
use crate::identity::Session;
use crate::parties::{self, Holder};
use axum::extract::State;
use axum::http::HeaderName;
use axum::response::{AppendHeaders, IntoResponse};
use ledger_core::{Key, TransferId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(propose, list)).routes(routes!(preview)).routes(routes!(answer))
}

/// Says that this answer was given before, to the same key.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

#[derive(Deserialize, ToSchema)]
#[schema(as = TransferRequest)]
#[serde(deny_unknown_fields)]
struct ProposalRequest {
    #[schema(required = true, nullable = false, pattern = "^(in|out)$", example = "out")]
    transfer: Option<String>,
    #[schema(required = true, nullable = false, example = "7132460355005184")]
    initiator: Option<String>,
    #[schema(required = true, nullable = false, example = "1234567887654321")]
    receiver: Option<String>,
    #[schema(required = true, nullable = false, value_type = f64, exclusive_minimum = 0, multiple_of = 0.01, example = 1.1)]
    amount: Option<Box<RawValue>>,
    #[schema(max_length = 510, example = "Here is the payment")]
    description: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct TransferInitiated {
    #[schema(format = Uuid)]
    id: String,
    from: String,
    to: String,
    #[schema(value_type = f64, example = 177.5)]
    amount: Box<RawValue>,
    description: String,
    #[schema(pattern = "^transferInitiated$", example = "transferInitiated")]
    status: &'static str,
    #[schema(format = DateTime, example = "2023-07-05T14:09:17.446965Z")]
    date_proposed: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = TransferPreview)]
#[serde(rename_all = "camelCase")]
struct PreviewView {
    would_be_accepted: bool,
    from: String,
    to: String,
    #[schema(value_type = f64)]
    amount: Box<RawValue>,
}

/// Proposes a transfer, which the receiver has to accept. `out` reserves the initiator's headroom until then; `in`
/// reserves nothing. With an `Idempotency-Key`, sending it again gives the first answer again.
#[utoipa::path(
    post, path = "/transfers", tag = TRANSFER,
    security(("jwt" = [])),
    params(RetryKey),
    request_body = ProposalRequest,
    responses((status = 200, description = "OK", body = Data<TransferInitiated>))
)]
async fn propose(
    State(app): State<App>,
    Member(session): Member,
    key: IdempotencyKey,
    Body(request): Body<ProposalRequest>,
) -> Result<impl IntoResponse, Problem> {
    let proposal = parse(&app, session, request, key.of(session)).await?;
    let proposed = accounts::propose(&app.posting, &app.ledger, &proposal).await;
    let (transfer, repeated) = proposed.map_err(|error| problem(&app, error, Stage::Begin))?;
    let [from, to] = proposal.sides().map(|side| side.number.clone());
    let data = TransferInitiated {
        id: id_text(transfer.id.0),
        from,
        to,
        amount: number(transfer.amount, &app.ledger.unit),
        description: proposal.description,
        status: "transferInitiated",
        date_proposed: date(transfer.created_at.0),
    };
    Ok((AppendHeaders(repeated.then_some((REPLAYED, "true"))), Data { data }))
}

/// Tells whether `POST /transfers` would accept this now: the same answer, and nothing happens.
#[utoipa::path(
    post, path = "/transfers/preview", tag = TRANSFER,
    security(("jwt" = [])),
    request_body = ProposalRequest,
    responses((status = 200, description = "OK", body = Data<PreviewView>))
)]
async fn preview(
    State(app): State<App>,
    Member(session): Member,
    Body(request): Body<ProposalRequest>,
) -> Result<Data<PreviewView>, Problem> {
    let proposal = parse(&app, session, request, None).await?;
    let previewed = accounts::preview(&app.posting, app.ledger.id, &proposal).await;
    previewed.map_err(|error| problem(&app, error, Stage::Begin))?;
    let amount = number(proposal.amount, &app.ledger.unit);
    let [from, to] = proposal.sides().map(|side| side.number.clone());
    Ok(Data { data: PreviewView { would_be_accepted: true, from, to, amount } })
}

async fn parse(app: &App, session: Session, request: ProposalRequest, key: Option<Key>) -> Result<Proposal, Problem> {
    let mut faults = Faults::default();
    let direction = faults.required("transfer", request.transfer).and_then(|word| match word.as_str() {
        "in" => Some(Direction::In),
        "out" => Some(Direction::Out),
        _ => {
            faults.add("Transfer can be only 'in' or 'out'.");
            None
        }
    });
    let initiator = faults.required("initiator", request.initiator);
    let receiver = faults.required("receiver", request.receiver);
    let amount = faults.amount(request.amount.as_deref(), &app.ledger.unit);
    let description = faults.text("Description", request.description);
    faults.check()?;
    let (Some(direction), Some(initiator), Some(receiver), Some(amount)) = (direction, initiator, receiver, amount)
    else {
        return Err(Problem::invalid("Please provide valid inputs."));
    };
    let [initiator, receiver] = holders(app, [initiator, receiver]).await?;
    if initiator.person != session.person {
        return Err(Error::Forbidden.into());
    }
    Ok(Proposal { initiator, receiver, direction, amount, description, key })
}

/// Who has these account numbers.
pub(super) async fn holders<const N: usize>(app: &App, numbers: [String; N]) -> Result<[Holder; N], Problem> {
    let found = app.holders.of(numbers.into()).await?.into_iter();
    let known: Option<Vec<Holder>> = found.collect();
    let known = known.ok_or_else(|| Problem::invalid("Entity not found."))?;
    Ok(known.try_into().expect("as many as were asked for"))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = TransferAction)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AnswerRequest {
    #[schema(required = true, nullable = false, pattern = "^(accept|reject|cancel)$", example = "accept")]
    action: Option<String>,
    #[schema(max_length = 510)]
    cancellation_reason: Option<String>,
}

/// Accepts or rejects a transfer that was proposed to one's entity, or cancels one that it proposed.
#[utoipa::path(
    patch, path = "/transfers/{id}", tag = TRANSFER,
    security(("jwt" = [])),
    params(Id),
    request_body = AnswerRequest,
    responses((status = 200, description = "OK", body = Data<TransferView>))
)]
async fn answer(
    State(app): State<App>,
    Member(session): Member,
    PathId(id): PathId,
    Body(request): Body<AnswerRequest>,
) -> Result<Data<TransferView>, Problem> {
    let mut faults = Faults::default();
    let answer = faults.required("action", request.action).and_then(|word| match word.as_str() {
        "accept" => Some(Answer::Accept),
        "reject" => Some(Answer::Reject),
        "cancel" => Some(Answer::Cancel),
        _ => {
            faults.add("Please enter a valid action.");
            None
        }
    });
    let reason = faults.text("Cancellation reason", request.cancellation_reason);
    faults.check()?;
    let (Some(answer), Some(id)) = (answer, id) else { return Err(Problem::invalid("Transfer not found.")) };
    // An acceptance has no reason for a cancellation.
    let reason = if answer == Answer::Accept { "" } else { &reason };
    let mine = parties::accounts_of(&app.db, session.person).await?;
    let reply = Reply { by: session.person, transfer: TransferId(id), mine: &mine, answer, reason, limit_reason };
    let answered = accounts::act(&app.db, &app.posting, &app.ledger, reply).await;
    let record = answered.map_err(|error| problem(&app, error, Stage::Settle))?;
    let viewer = if mine.contains(&record.payer) { record.payer } else { record.payee };
    let view = TransferView::list(&app, viewer, vec![record]).await?.pop();
    Ok(Data { data: view.ok_or_else(|| Problem::invalid("Transfer not found."))? })
}

/// One's entity's transfers: all by proposal, those of one status by when they came to it, newest first.
#[utoipa::path(
    get, path = "/transfers", tag = REVIEW,
    security(("jwt" = [])),
    params(QueryingEntity, ("status" = String, Query, description = "The status of the transfer", pattern = "^(all|initiated|completed|cancelled)$", example = "all"), Paging),
    responses((status = 200, description = "OK", body = List<TransferView>))
)]
async fn list(State(app): State<App>, Member(session): Member, query: Query) -> Result<List<TransferView>, Problem> {
    let mut faults = Faults::default();
    let listing = match query.get("status") {
        Some("all") => Some(Listing::All),
        Some("initiated") => Some(Listing::Only(TransferStatus::Initiated)),
        Some("completed") => Some(Listing::Only(TransferStatus::Completed)),
        Some("cancelled") => Some(Listing::Only(TransferStatus::Cancelled)),
        Some(_) => {
            faults.add("Please specify valid status.");
            None
        }
        None => faults.required("status", None),
    };
    faults.required("querying_entity_id", query.get("querying_entity_id"));
    faults.check()?;
    let page = query.page()?;
    let entity = own(&app, session, query.get("querying_entity_id").and_then(id)).await?;
    let listing = listing.unwrap_or(Listing::All);
    let found = accounts::page(&app.posting, entity.ledger, entity.account, listing, page.offset(), page.size).await?;
    Ok(page.of(TransferView::list(&app, entity.account, found.0).await?, found.1))
}

fn problem(app: &App, error: ProposalError, stage: Stage) -> Problem {
    match error {
        ProposalError::NotFound => Problem::invalid("Transfer not found."),
        ProposalError::NothingToAnswer => Problem::invalid(COMPLETED),
        ProposalError::Forbidden => Error::Forbidden.into(),
        ProposalError::Rejected(rejection) => Problem::Refused(rejection, stage, app.ledger.unit.clone()),
        ProposalError::Cancelled(rejection) => Problem::Refused(rejection, Stage::Settle, app.ledger.unit.clone()),
        ProposalError::Posting(error) => error.into(),
        ProposalError::Store(error) => error.into(),
    }
}
