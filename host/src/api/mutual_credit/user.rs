//! `GET` and `PATCH /user`: one's own person, over `identity`.

use super::envelope::Data;
use super::extract::{Body, Member};
use super::fields::Faults;
use super::openapi::MANAGE;
use super::problem::Problem;
use super::views::UserView;
use crate::app::App;
use crate::audit::{Act, Action};
use crate::error::Error;
use crate::identity::{Language, PersonChange};
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(read, update))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = UserChange)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    #[schema(max_length = 100)]
    first_name: Option<String>,
    #[schema(max_length = 100)]
    last_name: Option<String>,
    #[schema(max_length = 25)]
    telephone: Option<String>,
    /// Which language to write to them in, `en` or `sw`: an addition to the document.
    #[schema(pattern = "^(en|sw)$")]
    language: Option<String>,
    /// Here to be refused with a reason, like the next.
    #[schema(ignore)]
    id: Option<Value>,
    #[schema(ignore)]
    email: Option<Value>,
}

/// One's own details.
#[utoipa::path(
    get, path = "/user", tag = MANAGE,
    security(("jwt" = [])),
    responses((status = 200, description = "OK", body = Data<UserView>))
)]
async fn read(State(app): State<App>, Member(session): Member) -> Result<Data<UserView>, Problem> {
    let person = app.identity.person(session.person).await?.ok_or(Error::Unauthenticated)?;
    Ok(Data { data: UserView::of(person) })
}

/// Changes one's own details. What is not given stays.
#[utoipa::path(
    patch, path = "/user", tag = MANAGE,
    security(("jwt" = [])),
    request_body = Request,
    responses((status = 200, description = "OK", body = Data<UserView>))
)]
async fn update(app: State<App>, member: Member, Body(request): Body<Request>) -> Result<Data<UserView>, Problem> {
    let mut faults = Faults::default();
    if request.id.is_some() {
        faults.add("Your ID cannot be changed.");
    }
    if request.email.is_some() {
        faults.add("Your email address can only be changed by an administrator.");
    }
    faults.line("First name", request.first_name.as_ref(), 100);
    faults.line("Last name", request.last_name.as_ref(), 100);
    faults.line("Telephone", request.telephone.as_ref(), 25);
    let language = request.language.as_deref().map(Language::from_code);
    if language == Some(None) {
        faults.add("Please specify a valid language.");
    }
    faults.check()?;
    let Request { first_name, last_name, telephone, .. } = request;
    let change =
        PersonChange { first_name, last_name, telephone, language: language.flatten(), ..PersonChange::default() };
    app.identity.change_person(member.0.person, change, Act::by(member.0.person, Action::UserChanged)).await?;
    read(app, member).await
}
