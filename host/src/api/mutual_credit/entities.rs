//! `GET /entities` and `GET /entities/{id}`: finding entities, over `directory`. With a login or without.

use super::envelope::{Data, List};
use super::extract::{PathId, Query, Visitor, id};
use super::fields::Faults;
use super::filters::Tagged;
use super::openapi::{FIND, Id, Paging};
use super::problem::Problem;
use super::user_entities::own;
use super::views::PublicView;
use crate::app::App;
use crate::directory::{self, Search};
use crate::error::Error;
use crate::parties::{self, Entity};
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read))
}

/// Entities that can be found; by what they offer and want, since when, by category, name and favorites.
#[utoipa::path(
    get, path = "/entities", tag = FIND,
    security((), ("jwt" = [])),
    params(("offers" = Option<String>, Query, description = "Goods and services offered, with commas between them. What is between two commas is one tag, of up to 10 words, each of which must be meant. The 1,024 tags that match best count", example = "pizza,pasta"), ("wants" = Option<String>, Query, description = "Goods and services wanted, with commas between them. What is between two commas is one tag, of up to 10 words, each of which must be meant. The 1,024 tags that match best count", example = "vegetables"), ("category" = Option<String>, Query, description = "Listed under this category"), ("tagged_since" = Option<String>, Query, description = "Only tags that were added since this date and time: RFC 3339, or seconds since 1970. Needs offers or wants"), ("name" = Option<String>, Query, description = "Full or partial name", example = "Alice's Restau"), ("favorites_only" = Option<String>, Query, description = "Only favorites of the querying entity", pattern = "^(true|false)?$"), ("querying_entity_id" = Option<String>, Query, description = "The entity that asks: one's own, which needs a login"), Paging),
    responses((status = 200, description = "OK", body = List<PublicView>))
)]
async fn list(State(app): State<App>, visitor: Visitor, query: Query) -> Result<List<PublicView>, Problem> {
    let asking = asking(&app, &visitor, &query).await?;
    let page = query.page()?;
    let mut faults = Faults::default();
    let Tagged { offers, wants, since } = Tagged::of(&query, &mut faults);
    let favorites_only = match query.get("favorites_only") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            faults.add("favorites_only must be true or false.");
            false
        }
    };
    if favorites_only && asking.is_none() {
        faults.add("Please specify the querying_entity_id.");
    }
    faults.check()?;
    let text = |name: &str| query.get(name).map(str::to_owned);
    let search = Search {
        offers,
        wants,
        tagged_since: since,
        category: text("category"),
        name: text("name"),
        favorites_of: asking.as_ref().filter(|_| favorites_only).map(|entity| entity.id),
    };
    let (ids, total) = directory::search(&app.db, &search, page.offset(), page.size).await?;
    let entities = parties::entities_among(&app.db, &ids).await?;
    Ok(page.of(PublicView::list(&app, entities, asking.as_ref()).await?, total))
}

/// One entity that can be found, or one's own.
#[utoipa::path(
    get, path = "/entities/{id}", tag = FIND,
    security((), ("jwt" = [])),
    params(Id, ("querying_entity_id" = Option<String>, Query, description = "The entity that asks: one's own, which needs a login")),
    responses((status = 200, description = "OK", body = Data<PublicView>))
)]
async fn read(
    State(app): State<App>,
    visitor: Visitor,
    PathId(id): PathId,
    query: Query,
) -> Result<Data<PublicView>, Problem> {
    let asking = asking(&app, &visitor, &query).await?;
    let entity = match id {
        Some(id) => parties::entity(&app.db, id).await?,
        None => None,
    };
    let is_own = |entity: &Entity| visitor.0.is_some_and(|session| session.person == entity.person);
    let entity = entity.filter(|entity| entity.status.is_listed() || is_own(entity));
    let entity = entity.ok_or_else(|| Problem::invalid("Please enter valid entity id."))?;
    let view = PublicView::list(&app, vec![entity], asking.as_ref()).await?.pop();
    Ok(Data { data: view.ok_or_else(|| anyhow::anyhow!("one entity has one view"))? })
}

/// The visitor's entity that asks, if the query names one.
async fn asking(app: &App, visitor: &Visitor, query: &Query) -> Result<Option<Entity>, Problem> {
    let Some(text) = query.get("querying_entity_id") else { return Ok(None) };
    let session = visitor.0.ok_or(Error::Unauthenticated)?;
    own(app, session, id(text)).await.map(Some)
}
