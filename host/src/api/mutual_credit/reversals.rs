//! `POST /transfers/{id}/reversal` and the administrators' one: taking a completed transfer back by a new one, over `accounts`. An addition to
//! the document.

use super::admin_transfers::{self, AdminTransferView};
use super::envelope::Data;
use super::extract::{Administrator, Body, IdempotencyKey, Member, PathId};
use super::fields::Faults;
use super::openapi::{ADMINISTRATION, Id, RetryKey, TRANSFER};
use super::problem::{Problem, Stage};
use super::transfers::REPLAYED;
use super::views::TransferView;
use crate::accounts::{self, Reversal, ReversalError};
use crate::app::App;
use crate::error::Error;
use crate::parties;
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse};
use ledger_core::TransferId;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(propose)).routes(routes!(reverse))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ReversalRequest)]
#[serde(deny_unknown_fields)]
struct ProposalRequest {
    #[schema(max_length = 510)]
    description: Option<String>,
}

/// Proposes to the other side of a completed transfer to take it back: whoever was paid offers to pay back, whoever paid asks for it.
#[utoipa::path(
    post, path = "/transfers/{id}/reversal", tag = TRANSFER,
    security(("jwt" = [])),
    params(Id, RetryKey),
    request_body = ProposalRequest,
    responses((status = 200, description = "OK", body = Data<TransferView>))
)]
async fn propose(
    State(app): State<App>,
    Member(session): Member,
    PathId(id): PathId,
    key: IdempotencyKey,
    Body(request): Body<ProposalRequest>,
) -> Result<impl IntoResponse, Problem> {
    let mut faults = Faults::default();
    let reason = faults.text("Description", request.description);
    faults.check()?;
    let mine = parties::accounts_of(&app.db, session.person).await?;
    let of = id.map(TransferId).ok_or_else(missing)?;
    let reversal =
        Reversal { by: session.person, mine: Some(&mine), of, reason: &reason, key: key.part(session, of.0) };
    let reversed = accounts::reverse(&app.db, &app.posting, &app.ledger, reversal).await;
    let (record, repeated) = reversed.map_err(|error| problem(&app, error))?;
    let viewer = if mine.contains(&record.payer) { record.payer } else { record.payee };
    let data = TransferView::list(&app, viewer, vec![record]).await?.pop().ok_or_else(missing)?;
    Ok((AppendHeaders(repeated.then_some((REPLAYED, "true"))), Data { data }))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = AdminReversalRequest)]
#[serde(deny_unknown_fields)]
struct Request {
    #[schema(required = true, nullable = false, min_length = 1, max_length = 510)]
    reason: Option<String>,
}

/// Takes a completed transfer back at once. Limits hold.
#[utoipa::path(
    post, path = "/admin/transfers/{id}/reversal", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(Id, RetryKey),
    request_body = Request,
    responses((status = 200, description = "OK", body = Data<AdminTransferView>))
)]
async fn reverse(
    State(app): State<App>,
    Administrator(session): Administrator,
    PathId(id): PathId,
    key: IdempotencyKey,
    Body(request): Body<Request>,
) -> Result<impl IntoResponse, Problem> {
    let mut faults = Faults::default();
    // Without a reason nobody understands later why it was done.
    let reason = faults.required("reason", request.reason.filter(|reason| !reason.trim().is_empty()));
    let reason = faults.text("Reason", reason);
    faults.check()?;
    let of = id.map(TransferId).ok_or_else(missing)?;
    let reversal = Reversal { by: session.person, mine: None, of, reason: &reason, key: key.part(session, of.0) };
    let reversed = accounts::reverse(&app.db, &app.posting, &app.ledger, reversal).await;
    let (record, repeated) = reversed.map_err(|error| problem(&app, error))?;
    let data: AdminTransferView = admin_transfers::views(&app, vec![record]).await?.pop().ok_or_else(missing)?;
    Ok((AppendHeaders(repeated.then_some((REPLAYED, "true"))), Data { data }))
}

fn missing() -> Problem {
    Problem::invalid("Transfer not found.")
}

fn problem(app: &App, error: ReversalError) -> Problem {
    match error {
        ReversalError::NotFound => missing(),
        ReversalError::Forbidden => Error::Forbidden.into(),
        ReversalError::NotCompleted => Problem::invalid("Only a completed transfer can be reversed."),
        ReversalError::ReversedAlready => {
            Problem::invalid("The transfer has been reversed already, or its reversal waits for an answer.")
        }
        ReversalError::Rejected(rejection) => Problem::Refused(rejection, Stage::Begin, app.ledger.unit.clone()),
        ReversalError::Posting(error) => error.into(),
        ReversalError::Store(error) => error.into(),
    }
}
