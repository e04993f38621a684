//! `/admin/entities`: reading and admitting entities, and setting their limits, over `parties`.

use super::envelope::{Data, List};
use super::extract::{Administrator, Body, PathId, Query};
use super::fields::{EntityFields, Faults};
use super::filters::Tagged;
use super::openapi::{ADMINISTRATION, GovernedFields, Id, Paging};
use super::problem::{Problem, Stage};
use super::views::AdminView;
use crate::accounts::{self, ClosingError, Least};
use crate::app::App;
use crate::directory::{self, Register, RegisterFilter};
use crate::error::Error;
use crate::parties::{self, Entity, EntityStatus, Governed};
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read, update, delete))
}

/// All entities, oldest first; by status (one or several), account number, name, e-mail address, city, region, country, category, and by what
/// they offer and want, since when; and by what their accounts have at least.
#[utoipa::path(
    get, path = "/admin/entities", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(("status" = Option<String>, Query, description = "One status, or several with commas between them"), ("account_number" = Option<String>, Query, description = "Has this account number"), ("name" = Option<String>, Query, description = "Full or partial name"), ("email" = Option<String>, Query, description = "Has this e-mail address"), ("city" = Option<String>, Query, description = "In this city"), ("region" = Option<String>, Query, description = "In this region"), ("country" = Option<String>, Query, description = "In this country"), ("category" = Option<String>, Query, description = "Under this category"), ("offers" = Option<String>, Query, description = "Goods and services offered, with commas between them. What is between two commas is one tag, of up to 10 words, each of which must be meant. The 1,024 tags that match best count"), ("wants" = Option<String>, Query, description = "Goods and services wanted, with commas between them. What is between two commas is one tag, of up to 10 words, each of which must be meant. The 1,024 tags that match best count"), ("tagged_since" = Option<String>, Query, description = "Only tags that were added since this date and time. Needs offers or wants"), ("balance" = Option<String>, Query, description = "With this balance or more"), ("max_pos_bal" = Option<String>, Query, description = "With this limit of credit or more"), ("max_neg_bal" = Option<String>, Query, description = "With this limit of debt or more"), Paging),
    responses((status = 200, description = "OK", body = List<AdminView>))
)]
async fn list(State(app): State<App>, _administrator: Administrator, query: Query) -> Result<List<AdminView>, Problem> {
    let page = query.page()?;
    let mut faults = Faults::default();
    let text = |name: &str| query.get(name).map(str::to_owned);
    let mut least = |name: &str| {
        let amount = query.get(name).map(|text| app.ledger.unit.parse(text).ok());
        if amount == Some(None) {
            faults.add(format!("{name} must be an amount of {}.", app.ledger.unit.code()));
        }
        amount.flatten()
    };
    let least = Least { balance: least("balance"), ceiling: least("max_pos_bal"), credit_line: least("max_neg_bal") };
    let words = query.get("status").unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
    let statuses = words.filter_map(|word| faults.status(Some(word))).map(EntityStatus::word).collect();
    let Tagged { offers, wants, since } = Tagged::of(&query, &mut faults);
    let filter = RegisterFilter {
        statuses,
        account_number: text("account_number"),
        name: text("name"),
        email: text("email"),
        city: text("city"),
        region: text("region"),
        country: text("country"),
        category: text("category"),
        offers,
        wants,
        tagged_since: since,
    };
    faults.check()?;
    let (ids, total) = if least.is_asked() {
        accounts::standing(&app.posting, &filter, least, page.offset(), page.size).await?
    } else {
        Register::of(&app.db, &filter).await?.page(page.offset(), page.size).await?
    };
    let entities = parties::entities_among(&app.db, &ids).await?;
    Ok(page.of(AdminView::list(&app, entities).await?, total))
}

/// One entity.
#[utoipa::path(
    get, path = "/admin/entities/{id}", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(Id),
    responses((status = 200, description = "OK", body = Data<AdminView>))
)]
async fn read(
    State(app): State<App>,
    _administrator: Administrator,
    PathId(id): PathId,
) -> Result<Data<AdminView>, Problem> {
    let entity = found(&app, id).await?;
    Ok(Data { data: AdminView::of(&app, entity).await? })
}

/// Changes an entity, its status and its limits, all or nothing. What is not given stays.
#[utoipa::path(
    patch, path = "/admin/entities/{id}", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(Id),
    request_body = GovernedFields,
    responses((status = 200, description = "OK", body = Data<AdminView>))
)]
async fn update(
    State(app): State<App>,
    Administrator(session): Administrator,
    PathId(id): PathId,
    Body(fields): Body<EntityFields>,
) -> Result<Data<AdminView>, Problem> {
    let entity = found(&app, id).await?;
    let mut faults = Faults::default();
    fields.refuse_fixed(&mut faults);
    let unit = &app.ledger.unit;
    let status = faults.status(fields.status.as_deref());
    let positive = faults.limit("max positive balance", fields.max_positive_balance.as_deref(), unit);
    let negative = faults.limit("max negative balance", fields.max_negative_balance.as_deref(), unit);
    let mut change = fields.change(&mut faults);
    faults.check()?;
    if let Some(names) = &mut change.categories {
        *names = categories(&app, names).await?;
    }
    let floor = negative.map(ledger_core::Amount::negated);
    let governed = Governed { change, status, floor, ceiling: positive };
    let governed = parties::govern(&app.posting, &app.ledger, &entity, governed, session.person).await?;
    governed.map_err(|rejection| Problem::Refused(rejection, Stage::Begin, unit.clone()))?;
    let entity = found(&app, id).await?;
    Ok(Data { data: AdminView::of(&app, entity).await? })
}

/// Deletes an entity that owes nothing and is owed nothing. What waits for an answer is cancelled, and its name stays with the transfers of others.
#[utoipa::path(
    delete, path = "/admin/entities/{id}", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(Id),
    responses((status = 200, description = "OK"))
)]
async fn delete(
    State(app): State<App>,
    Administrator(session): Administrator,
    PathId(id): PathId,
) -> Result<(), Problem> {
    let entity = found(&app, id).await?;
    accounts::delete_entity(&app.posting, &app.ledger, &entity, session.person).await.map_err(not_closed)
}

/// Why an entity, or a person with entities, was not deleted.
pub(super) fn not_closed(error: ClosingError) -> Problem {
    match error {
        ClosingError::BalanceNotZero => Problem::invalid("Cannot delete an entity with a non-zero balance."),
        ClosingError::Busy => Error::Unavailable.into(),
        ClosingError::Posting(error) => error.into(),
    }
}

/// The categories of these names, each once. Those that do not exist are made elsewhere, on purpose, and not by a slip of the pen here.
async fn categories(app: &App, names: &[String]) -> Result<Vec<String>, Problem> {
    let mut categories: Vec<String> = vec![];
    for name in directory::categories_named(&app.db, names).await? {
        let name = name.ok_or_else(|| Problem::invalid("Category does not exist."))?;
        if !categories.contains(&name) {
            categories.push(name);
        }
    }
    Ok(categories)
}

/// The entity of this id, whoever's it is.
pub(super) async fn found(app: &App, id: Option<u128>) -> Result<Entity, Problem> {
    let entity = match id {
        Some(id) => parties::entity(&app.db, id).await?,
        None => None,
    };
    entity.ok_or_else(|| Problem::invalid("Please enter valid entity id."))
}
