//! `GET /user/entities` and `PATCH /user/entities/{id}`: one's own entities, over `parties`.

use super::envelope::Data;
use super::extract::{Body, Member, PathId};
use super::fields::{EntityFields, Faults, nullable};
use super::problem::Problem;
use super::views::OwnerView;
use crate::app::App;
use crate::error::Error;
use crate::identity::Session;
use crate::parties::{self, Entity};
use axum::Router;
use axum::extract::State;
use axum::routing::{get, patch};
use serde::Deserialize;
use serde_json::Value;

pub(super) fn router() -> Router<App> {
    Router::new().route("/user/entities", get(list)).route("/user/entities/{id}", patch(update))
}

/// What a PATCH of an entity may carry; administrators may send more (`admin_entities.rs`).
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    name: Option<String>,
    email: Option<String>,
    telephone: Option<String>,
    inc_type: Option<String>,
    company_number: Option<String>,
    website: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    declared_turnover: Option<Option<i64>>,
    description: Option<String>,
    address: Option<String>,
    city: Option<String>,
    region: Option<String>,
    postal_code: Option<String>,
    country: Option<String>,
    show_tags_matched_since_last_login: Option<bool>,
    receive_daily_match_notification_email: Option<bool>,
    offers: Option<Vec<String>>,
    wants: Option<Vec<String>>,
    /// Here to be refused with a reason, like the next three.
    id: Option<Value>,
    account_number: Option<Value>,
    status: Option<Value>,
    categories: Option<Value>,
}

/// One's own entities.
async fn list(State(app): State<App>, Member(session): Member) -> Result<Data<Vec<OwnerView>>, Problem> {
    let mut data = vec![];
    for entity in parties::entities_of(&app.db, session.person).await? {
        data.push(OwnerView::of(&app, entity).await?);
    }
    Ok(Data { data })
}

/// Changes one's own entity. What is not given stays; offers and wants are replaced as a whole.
async fn update(
    State(app): State<App>,
    Member(session): Member,
    PathId(id): PathId,
    Body(request): Body<Request>,
) -> Result<Data<OwnerView>, Problem> {
    let entity = own(&app, session, id).await?;
    let mut faults = Faults::default();
    let refused = [
        (&request.id, "The entity ID cannot be changed."),
        (&request.account_number, "The account number cannot be changed."),
        (&request.status, "The status cannot be changed."),
        (&request.categories, "The categories can only be changed by an administrator."),
    ];
    for (_, message) in refused.into_iter().filter(|(value, _)| value.is_some()) {
        faults.add(message);
    }
    let change = request.fields().change(&mut faults);
    faults.check()?;
    parties::update(&app.db, entity.id, &change).await?;
    let entity = parties::entity(&app.db, entity.id).await?.ok_or(Error::Forbidden)?;
    Ok(Data { data: OwnerView::of(&app, entity).await? })
}

impl Request {
    fn fields(self) -> EntityFields {
        EntityFields {
            name: self.name,
            email: self.email,
            telephone: self.telephone,
            inc_type: self.inc_type,
            company_number: self.company_number,
            website: self.website,
            declared_turnover: self.declared_turnover,
            description: self.description,
            address: self.address,
            city: self.city,
            region: self.region,
            postal_code: self.postal_code,
            country: self.country,
            show_tags_matched: self.show_tags_matched_since_last_login,
            daily_match_email: self.receive_daily_match_notification_email,
            offers: self.offers,
            wants: self.wants,
            categories: None,
        }
    }
}

/// The entity of this id, if it is this person's. Whether it exists is nobody else's business.
pub(super) async fn own(app: &App, session: Session, id: Option<u128>) -> Result<Entity, Problem> {
    let id = id.ok_or_else(|| Problem::invalid("Please enter valid entity id."))?;
    let entity = parties::entity(&app.db, id).await?.filter(|entity| entity.person == session.person);
    entity.ok_or_else(|| Error::Forbidden.into())
}
