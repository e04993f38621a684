//! `GET /admin/ledger/health`: the invariants of the ledger, computed live, over `posting`.

use super::envelope::Data;
use super::extract::Administrator;
use super::openapi::ADMINISTRATION;
use super::problem::Problem;
use crate::app::App;
use crate::{posting, system_clock};
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read))
}

#[derive(Serialize, ToSchema)]
#[schema(as = LedgerHealth)]
#[serde(rename_all = "camelCase")]
struct HealthView {
    ledger: String,
    unit: String,
    /// Whether every check holds.
    sound: bool,
    checks: Vec<CheckView>,
    accounts: i64,
    transfers_proposed: i64,
    transfers_completed: i64,
    transfers_cancelled: i64,
    transfers_pending: i64,
    journal_records: i64,
    /// Accounts that an operator's new limit has left outside: allowed, and worth knowing.
    accounts_outside_limits: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LedgerCheck)]
struct CheckView {
    rule: &'static str,
    holds: bool,
    broken: i64,
}

/// Says whether the books are right, now. `hesabu verify` proves it from the journal.
#[utoipa::path(
    get, path = "/admin/ledger/health", tag = ADMINISTRATION,
    security(("jwt" = [])),
    responses((status = 200, description = "OK", body = Data<HealthView>))
)]
async fn read(State(app): State<App>, _administrator: Administrator) -> Result<Data<HealthView>, Problem> {
    let health = app.looks.health(&app.db, app.ledger.id, system_clock()).await?;
    let sound = health.is_sound();
    let check = |check: posting::Check| CheckView { rule: check.rule, holds: check.broken == 0, broken: check.broken };
    Ok(Data {
        data: HealthView {
            ledger: app.ledger.name.clone(),
            unit: app.ledger.unit.code().to_owned(),
            sound,
            checks: health.checks.into_iter().map(check).collect(),
            accounts: health.accounts,
            transfers_proposed: health.begun,
            transfers_completed: health.posted,
            transfers_cancelled: health.ended,
            transfers_pending: health.begun - health.posted - health.ended,
            journal_records: health.records,
            accounts_outside_limits: health.outside_limits,
        },
    })
}
