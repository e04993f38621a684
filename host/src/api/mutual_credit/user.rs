//! `GET` and `PATCH /user`: one's own person, over `identity`.

use super::envelope::Data;
use super::extract::{Body, Member};
use super::fields::Faults;
use super::problem::Problem;
use super::views::UserView;
use crate::app::App;
use crate::error::Error;
use crate::identity::Language;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::Deserialize;
use serde_json::Value;

pub(super) fn router() -> Router<App> {
    Router::new().route("/user", get(read).patch(update))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    first_name: Option<String>,
    last_name: Option<String>,
    telephone: Option<String>,
    /// Which language to write to them in, `en` or `sw`: an addition to the document.
    language: Option<String>,
    /// Here to be refused with a reason, like the next.
    id: Option<Value>,
    email: Option<Value>,
}

/// One's own details.
async fn read(State(app): State<App>, Member(session): Member) -> Result<Data<UserView>, Problem> {
    let person = app.identity.person(session.person).await?.ok_or(Error::Unauthenticated)?;
    Ok(Data { data: UserView::of(person) })
}

/// Changes one's own details. What is not given stays.
async fn update(app: State<App>, member: Member, Body(request): Body<Request>) -> Result<Data<UserView>, Problem> {
    let mut faults = Faults::default();
    if request.id.is_some() {
        faults.add("Your ID cannot be changed.");
    }
    if request.email.is_some() {
        faults.add("Your email address can only be changed by an administrator.");
    }
    faults.length("First name", request.first_name.as_ref(), 100);
    faults.length("Last name", request.last_name.as_ref(), 100);
    faults.length("Telephone", request.telephone.as_ref(), 25);
    let language = request.language.as_deref().map(Language::from_code);
    if language == Some(None) {
        faults.add("Please specify a valid language.");
    }
    faults.check()?;
    let Request { first_name, last_name, telephone, .. } = request;
    app.identity.update_person(member.0.person, first_name, last_name, telephone, language.flatten()).await?;
    read(app, member).await
}
