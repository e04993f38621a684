//! `GET /user/entities/{id}/statement` and the administrators' one: statements of account as JSON, CSV and PDF, over `statements`. An addition
//! to the document.

use super::admin_entities::found;
use super::envelope::Data;
use super::extract::{Administrator, Member, PathId, Query};
use super::fields::Faults;
use super::openapi::{ADMINISTRATION, Dates, Id, REVIEW};
use super::problem::Problem;
use super::user_entities::own;
use super::writing::{date, number};
use crate::accounts::Period;
use crate::app::App;
use crate::error::Error;
use crate::parties::Entity;
use crate::posting::hash_text;
use crate::statements::{self, LINES_MAX, Line, Statement};
use crate::{id_text, system_clock};
use axum::Extension;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use ledger_core::{Timestamp, Unit};
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    let room = Room(Arc::new(Semaphore::new(AT_ONCE)));
    OpenApiRouter::new().routes(routes!(read_own)).routes(routes!(read)).layer(Extension(room))
}

#[derive(Serialize, ToSchema)]
#[schema(as = Statement)]
#[serde(rename_all = "camelCase")]
struct StatementView {
    account_number: String,
    entity_name: String,
    unit: String,
    #[schema(format = DateTime)]
    date_from: String,
    #[schema(format = DateTime)]
    date_to: String,
    #[schema(value_type = f64)]
    opening_balance: Box<RawValue>,
    #[schema(value_type = f64)]
    closing_balance: Box<RawValue>,
    #[schema(value_type = f64)]
    paid_in: Box<RawValue>,
    #[schema(value_type = f64)]
    paid_out: Box<RawValue>,
    movements: Vec<MovementView>,
    journal: JournalView,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Movement)]
#[serde(rename_all = "camelCase")]
struct MovementView {
    #[schema(format = DateTime)]
    date: String,
    #[serde(rename = "transferID")]
    #[schema(format = Uuid)]
    transfer_id: String,
    account_number: String,
    entity_name: String,
    /// The other side's account, as the journal names it.
    #[serde(rename = "counterpartyID")]
    #[schema(format = Uuid)]
    counterparty_id: String,
    description: String,
    /// Below zero for what went.
    #[schema(value_type = f64)]
    amount: Box<RawValue>,
    #[schema(value_type = f64)]
    balance: Box<RawValue>,
    record: i64,
    record_hash: String,
}

/// Where the journal stood, and under which names it has all this.
#[derive(Serialize, ToSchema)]
#[schema(as = JournalHead)]
#[serde(rename_all = "camelCase")]
struct JournalView {
    #[serde(rename = "ledgerID")]
    #[schema(format = Uuid)]
    ledger_id: String,
    #[serde(rename = "accountID")]
    #[schema(format = Uuid)]
    account_id: String,
    scale: u8,
    records: i64,
    hash: String,
}

/// Statements that are made at the same time: each may have thousands of lines, and others want to be served.
const AT_ONCE: usize = 4;

/// Room for statements in memory.
#[derive(Clone)]
struct Room(Arc<Semaphore>);

/// In which form.
#[derive(Clone, Copy)]
enum Form {
    Json,
    Csv,
    Pdf,
}

/// The statement of one's own entity for a period (`date_from`, `date_to`; all of it, when they are not given), as `format` says: `json`, `csv` or
/// `pdf`.
#[utoipa::path(
    get, path = "/user/entities/{id}/statement", tag = REVIEW,
    security(("jwt" = [])),
    params(Id, Dates, ("format" = Option<String>, Query, description = "json, csv or pdf", pattern = "^(json|csv|pdf)?$")),
    responses((status = 200, description = "OK", content((Data<StatementView> = "application/json"), (String = "text/csv"), (Vec<u8> = "application/pdf"))))
)]
async fn read_own(
    State(app): State<App>,
    Extension(room): Extension<Room>,
    Member(session): Member,
    PathId(id): PathId,
    query: Query,
) -> Result<Response, Problem> {
    let entity = own(&app, session, id).await?;
    answer(&app, room, &entity, &query).await
}

/// The same of any entity.
#[utoipa::path(
    get, path = "/admin/entities/{id}/statement", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(Id, Dates, ("format" = Option<String>, Query, description = "json, csv or pdf", pattern = "^(json|csv|pdf)?$")),
    responses((status = 200, description = "OK", content((Data<StatementView> = "application/json"), (String = "text/csv"), (Vec<u8> = "application/pdf"))))
)]
async fn read(
    State(app): State<App>,
    Extension(room): Extension<Room>,
    _administrator: Administrator,
    PathId(id): PathId,
    query: Query,
) -> Result<Response, Problem> {
    let entity = found(&app, id).await?;
    answer(&app, room, &entity, &query).await
}

async fn answer(app: &App, room: Room, entity: &Entity, query: &Query) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    let from = Timestamp(faults.moment(query, "date_from").unwrap_or(0));
    let to = faults.moment(query, "date_to").map_or_else(system_clock, Timestamp);
    let form = match query.get("format") {
        None | Some("json") => Form::Json,
        Some("csv") => Form::Csv,
        Some("pdf") => Form::Pdf,
        Some(_) => {
            faults.add("format must be json, csv or pdf.");
            Form::Json
        }
    };
    if to < from {
        faults.add("date_to cannot be before date_from.");
    }
    faults.check()?;
    // Kept by the work, and not by who waits for it.
    let Ok(room) = room.0.try_acquire_owned() else { return Err(Error::Unavailable.into()) };
    let statement = statements::statement(&app.posting, &app.ledger, entity, Period { from, to }).await?;
    let statement = statement.ok_or_else(|| {
        Problem::invalid(format!("A statement has at most {LINES_MAX} movements: please ask for a shorter period."))
    })?;
    Ok(match form {
        Form::Json => Data { data: view(statement) }.into_response(),
        Form::Csv => file(&statement, "csv", "text/csv; charset=utf-8", statements::csv(&statement)),
        Form::Pdf => {
            // Thousands of lines take a moment, in which others are to be served.
            let made = tokio::task::spawn_blocking(move || {
                let pages = statements::pdf(&statement);
                drop(room);
                pages.map(|pages| (statement, pages))
            });
            let (statement, pages) = made.await.map_err(anyhow::Error::from)??;
            file(&statement, "pdf", "application/pdf", pages)
        }
    })
}

/// A file to be kept, named after its account.
fn file(statement: &Statement, ending: &str, kind: &'static str, bytes: Vec<u8>) -> Response {
    let name = format!("attachment; filename=\"statement-{}.{ending}\"", statement.number);
    ([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, name)], bytes).into_response()
}

fn view(statement: Statement) -> StatementView {
    let unit = &statement.unit;
    StatementView {
        account_number: statement.number,
        entity_name: statement.name,
        unit: unit.code().to_owned(),
        date_from: date(statement.period.from.0),
        date_to: date(statement.period.to.0),
        opening_balance: number(statement.opening, unit),
        closing_balance: number(statement.closing, unit),
        paid_in: number(statement.paid_in, unit),
        paid_out: number(statement.paid_out, unit),
        movements: statement.lines.into_iter().map(|line| movement(line, unit)).collect(),
        journal: JournalView {
            ledger_id: id_text(statement.ledger.0),
            account_id: id_text(statement.account.0),
            scale: unit.scale(),
            records: statement.head.0,
            hash: hash_text(&statement.head.1),
        },
    }
}

fn movement(line: Line, unit: &Unit) -> MovementView {
    let moved = line.movement;
    MovementView {
        date: date(moved.at),
        transfer_id: id_text(moved.transfer.0),
        account_number: line.number,
        entity_name: line.name,
        counterparty_id: id_text(moved.counterparty.0),
        description: moved.description,
        amount: number(moved.change, unit),
        balance: number(moved.balance, unit),
        record: moved.record,
        record_hash: hash_text(&line.hash),
    }
}
