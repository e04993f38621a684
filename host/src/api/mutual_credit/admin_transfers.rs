//! `POST` and `GET /admin/transfers`: an administrator moves credit at once, and reads everybody's, over `accounts`.

use super::envelope::{Data, List};
use super::extract::{Administrator, Body, IdempotencyKey, PathId, Query};
use super::fields::Faults;
use super::openapi::{ADMINISTRATION, Dates, Id, Paging, RetryKey};
use super::problem::{Problem, Stage};
use super::transfers::{REPLAYED, holders};
use super::views::status_word;
use super::writing::{date, number};
use crate::accounts::{self, Links, TransferFilter, TransferRecord, TransferStatus};
use crate::app::App;
use crate::error::Error;
use crate::{id_text, parties};
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse};
use ledger_core::{AccountId, TransferId, TransferKind, Unit};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::HashMap;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(transfer, list)).routes(routes!(read))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = AdminTransferRequest)]
#[serde(deny_unknown_fields)]
struct Request {
    #[schema(required = true, nullable = false, example = "7132460355005184")]
    payer: Option<String>,
    #[schema(required = true, nullable = false, example = "1234567887654321")]
    payee: Option<String>,
    #[schema(required = true, nullable = false, value_type = f64, exclusive_minimum = 0, multiple_of = 0.01, example = 1.1)]
    amount: Option<Box<RawValue>>,
    #[schema(max_length = 510)]
    description: Option<String>,
}

/// A transfer as an administrator sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminTransfer)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdminTransferView {
    #[schema(format = Uuid)]
    id: String,
    from_account_number: String,
    from_entity_name: String,
    to_account_number: String,
    to_entity_name: String,
    #[schema(value_type = f64)]
    amount: Box<RawValue>,
    description: String,
    #[schema(pattern = "^(transfer|adminTransfer)$")]
    r#type: &'static str,
    #[schema(pattern = "^transfer(Initiated|Completed|Cancelled)$")]
    status: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    cancellation_reason: String,
    #[schema(format = DateTime)]
    date_proposed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    date_completed: Option<String>,
    /// The transfer that this one takes back: an addition to the document, like the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid, nullable = false)]
    reverses: Option<String>,
    /// The transfer that takes this one back, or will if it is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid, nullable = false)]
    reversed_by: Option<String>,
}

/// Moves credit between two trading members at once. Their limits hold.
#[utoipa::path(
    post, path = "/admin/transfers", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(RetryKey),
    request_body = Request,
    responses((status = 200, description = "OK", body = Data<AdminTransferView>))
)]
async fn transfer(
    State(app): State<App>,
    Administrator(session): Administrator,
    key: IdempotencyKey,
    Body(request): Body<Request>,
) -> Result<impl IntoResponse, Problem> {
    let mut faults = Faults::default();
    let payer = faults.required("payer", request.payer);
    let payee = faults.required("payee", request.payee);
    let amount = faults.amount(request.amount.as_deref(), &app.ledger.unit);
    let description = faults.text("Description", request.description);
    faults.check()?;
    let (Some(payer), Some(payee), Some(amount)) = (payer, payee, amount) else {
        return Err(Problem::invalid("Please provide valid inputs."));
    };
    let [payer, payee] = holders(&app, [payer, payee]).await?;
    let made = accounts::Immediate { by: session.person, payer, payee, amount, key: key.of(session) };
    let made = accounts::transfer_at_once(&app.posting, &app.ledger, &made, &description).await?;
    let (id, repeated) =
        made.map_err(|rejection| Problem::Refused(rejection, Stage::Begin, app.ledger.unit.clone()))?;
    let record = accounts::transfer(&app.db, app.ledger.id, id).await?.ok_or_else(lost)?;
    let data = views(&app, vec![record]).await?.pop().ok_or_else(lost)?;
    Ok((AppendHeaders(repeated.then_some((REPLAYED, "true"))), Data { data }))
}

/// What was just stored is not there.
fn lost() -> Error {
    Error::Internal(anyhow::anyhow!("a transfer was stored and cannot be found"))
}

/// One transfer.
#[utoipa::path(
    get, path = "/admin/transfers/{id}", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(Id),
    responses((status = 200, description = "OK", body = Data<AdminTransferView>))
)]
async fn read(
    State(app): State<App>,
    _administrator: Administrator,
    PathId(id): PathId,
) -> Result<Data<AdminTransferView>, Problem> {
    let missing = || Problem::invalid("Transfer not found.");
    let record = accounts::transfer(&app.db, app.ledger.id, TransferId(id.ok_or_else(missing)?)).await?;
    let data = views(&app, record.into_iter().collect()).await?.pop().ok_or_else(missing)?;
    Ok(Data { data })
}

/// Everybody's transfers, newest first.
#[utoipa::path(
    get, path = "/admin/transfers", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(("status" = Option<String>, Query, description = "initiated, completed, cancelled, or several with commas between them", pattern = "^((initiated|completed|cancelled)(,(initiated|completed|cancelled))*)?$"), ("account_number" = Option<String>, Query, description = "Paid or received by this account"), Dates, Paging),
    responses((status = 200, description = "OK", body = List<AdminTransferView>))
)]
async fn list(
    State(app): State<App>,
    _administrator: Administrator,
    query: Query,
) -> Result<List<AdminTransferView>, Problem> {
    let page = query.page()?;
    let mut faults = Faults::default();
    let mut filter = TransferFilter {
        from: faults.moment(&query, "date_from"),
        to: faults.moment(&query, "date_to"),
        ..TransferFilter::default()
    };
    for word in query.get("status").unwrap_or_default().split(',').filter(|word| !word.is_empty()) {
        match word.trim() {
            "initiated" => filter.statuses.push(TransferStatus::Initiated),
            "completed" => filter.statuses.push(TransferStatus::Completed),
            "cancelled" => filter.statuses.push(TransferStatus::Cancelled),
            _ => faults.add("Please enter a valid status."),
        }
    }
    faults.check()?;
    if let Some(number) = query.get("account_number") {
        let holder = app.holders.of(vec![number.to_owned()]).await?.pop().flatten();
        let Some(holder) = holder else { return Ok(page.of(vec![], 0)) };
        filter.account = Some(holder.account);
    }
    let (records, total) = accounts::ledger_page(&app.db, app.ledger.id, &filter, page.offset(), page.size).await?;
    Ok(page.of(views(&app, records).await?, total))
}

pub(super) async fn views(app: &App, records: Vec<TransferRecord>) -> Result<Vec<AdminTransferView>, Problem> {
    let accounts: Vec<AccountId> = records.iter().flat_map(|record| [record.payer, record.payee]).collect();
    let names = parties::names(&app.db, &accounts).await?;
    let links = accounts::links(&app.db, app.ledger.id, records.iter().map(|record| record.id)).await?;
    let link = |record: &TransferRecord| links.get(&record.id).copied().unwrap_or_default();
    Ok(records.into_iter().map(|record| view(link(&record), record, &names, &app.ledger.unit)).collect())
}

fn view(
    link: Links,
    record: TransferRecord,
    names: &HashMap<AccountId, (String, String)>,
    unit: &Unit,
) -> AdminTransferView {
    let named = |account: AccountId| names.get(&account).cloned().unwrap_or_default();
    let (from_account_number, from_entity_name) = named(record.payer);
    let (to_account_number, to_entity_name) = named(record.payee);
    AdminTransferView {
        id: id_text(record.id.0),
        from_account_number,
        from_entity_name,
        to_account_number,
        to_entity_name,
        amount: number(record.amount, unit),
        r#type: if record.kind == TransferKind::Immediate { "adminTransfer" } else { "transfer" },
        status: status_word(record.status),
        date_proposed: date(record.proposed_at),
        date_completed: record.settled_at.filter(|_| record.status == TransferStatus::Completed).map(date),
        description: record.description,
        cancellation_reason: record.reason,
        reverses: link.reverses.map(|id| id_text(id.0)),
        reversed_by: link.reversed_by.map(|id| id_text(id.0)),
    }
}
