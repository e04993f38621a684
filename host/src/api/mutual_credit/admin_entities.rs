//! `/admin/entities`: reading and admitting entities, and setting their limits, over `parties`.

use super::envelope::{Data, List};
use super::extract::{Administrator, Body, PathId, Query};
use super::fields::{EntityFields, Faults};
use super::filters::Tagged;
use super::problem::{Problem, Stage};
use super::views::AdminView;
use crate::app::App;
use crate::directory::{self, RegisterFilter};
use crate::parties::{self, Entity, EntityStatus, Governed};
use axum::Router;
use axum::extract::State;
use axum::routing::get;

pub(super) fn router() -> Router<App> {
    Router::new().route("/admin/entities", get(list)).route("/admin/entities/{id}", get(read).patch(update))
}

/// Filters that the document has and this list does not: whoever uses one must not be given everybody.
const NOT_BUILT: [&str; 3] = ["balance", "max_pos_bal", "max_neg_bal"];

/// All entities, oldest first; by status (one or several), account number, name, e-mail address, city, region, country, category, and by what
/// they offer and want, since when.
async fn list(State(app): State<App>, _administrator: Administrator, query: Query) -> Result<List<AdminView>, Problem> {
    let page = query.page()?;
    let mut faults = Faults::default();
    let text = |name: &str| query.get(name).map(str::to_owned);
    for name in NOT_BUILT.into_iter().filter(|name| query.get(name).is_some()) {
        faults.add(format!("Filtering by {name} is not possible yet."));
    }
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
    let (ids, total) = directory::register(&app.db, &filter, page.offset(), page.size).await?;
    let mut views = vec![];
    for entity in parties::entities_among(&app.db, &ids).await? {
        views.push(AdminView::listed(&app, entity).await?);
    }
    Ok(page.of(views, total))
}

/// One entity.
async fn read(
    State(app): State<App>,
    _administrator: Administrator,
    PathId(id): PathId,
) -> Result<Data<AdminView>, Problem> {
    let entity = found(&app, id).await?;
    Ok(Data { data: AdminView::of(&app, entity).await? })
}

/// Changes an entity, its status and its limits, all or nothing. What is not given stays.
async fn update(
    State(app): State<App>,
    _administrator: Administrator,
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
    let governed = parties::govern(&app.db, &app.posting, &entity, governed).await?;
    governed.map_err(|rejection| Problem::Refused(rejection, Stage::Begin, unit.clone()))?;
    let entity = found(&app, id).await?;
    Ok(Data { data: AdminView::of(&app, entity).await? })
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

async fn found(app: &App, id: Option<u128>) -> Result<Entity, Problem> {
    let entity = match id {
        Some(id) => parties::entity(&app.db, id).await?,
        None => None,
    };
    entity.ok_or_else(|| Problem::invalid("Please enter valid entity id."))
}
