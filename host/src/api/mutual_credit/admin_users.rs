//! `/admin/users`: reading, changing and deleting members, over `identity` and `accounts`.

use super::admin_entities::not_closed;
use super::envelope::{Data, List};
use super::extract::{Administrator, Body, PathId, Query};
use super::fields::Faults;
use super::openapi::{ADMINISTRATION, Id, Paging};
use super::problem::Problem;
use super::views::AdminUserView;
use crate::accounts;
use crate::app::App;
use crate::audit::{Act, Action};
use crate::identity::{PeopleFilter, Person, PersonChange};
use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read, update, delete))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = UserGovernance)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    #[schema(format = Email, max_length = 100)]
    email: Option<String>,
    #[schema(max_length = 100)]
    first_name: Option<String>,
    #[schema(max_length = 100)]
    last_name: Option<String>,
    #[schema(max_length = 25)]
    telephone: Option<String>,
    #[schema(min_length = 8, max_length = 100, format = Password)]
    password: Option<String>,
    /// Here to be refused with a reason.
    #[schema(ignore)]
    id: Option<Value>,
}

/// All members, oldest first; by e-mail address or family name, those first whose name matches best.
#[utoipa::path(
    get, path = "/admin/users", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(
        ("email" = Option<String>, Query, description = "Has this e-mail address"),
        ("last_name" = Option<String>, Query, description = "Full, partial or misspelt family name"),
        Paging
    ),
    responses((status = 200, description = "OK", body = List<AdminUserView>))
)]
async fn list(
    State(app): State<App>,
    _administrator: Administrator,
    query: Query,
) -> Result<List<AdminUserView>, Problem> {
    let page = query.page()?;
    let text = |name: &str| query.get(name).map(str::to_owned);
    let filter = PeopleFilter { email: text("email"), last_name: text("last_name") };
    let (people, total) = app.identity.members(&filter, page.offset(), page.size).await?;
    Ok(page.of(AdminUserView::list(&app, people).await?, total))
}

/// One member.
#[utoipa::path(
    get, path = "/admin/users/{id}", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(Id),
    responses((status = 200, description = "OK", body = Data<AdminUserView>))
)]
async fn read(
    State(app): State<App>,
    _administrator: Administrator,
    PathId(id): PathId,
) -> Result<Data<AdminUserView>, Problem> {
    Ok(Data { data: AdminUserView::of(&app, found(&app, id).await?).await? })
}

/// Changes a member's details, the e-mail address among them, and their password: their sessions end then. What is not given stays.
#[utoipa::path(
    patch, path = "/admin/users/{id}", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(Id),
    request_body = Request,
    responses((status = 200, description = "OK", body = Data<AdminUserView>))
)]
async fn update(
    State(app): State<App>,
    Administrator(session): Administrator,
    PathId(id): PathId,
    Body(request): Body<Request>,
) -> Result<Data<AdminUserView>, Problem> {
    let person = found(&app, id).await?.id;
    let mut faults = Faults::default();
    if request.id.is_some() {
        faults.add("The user ID cannot be changed.");
    }
    if let Some(email) = &request.email {
        faults.email(email);
    }
    faults.line("First name", request.first_name.as_ref(), 100);
    faults.line("Last name", request.last_name.as_ref(), 100);
    faults.line("Telephone", request.telephone.as_ref(), 25);
    if let Some(password) = &request.password {
        faults.password(password);
    }
    faults.check()?;
    let Request { email, first_name, last_name, telephone, password, .. } = request;
    let change = PersonChange { email, first_name, last_name, telephone, language: None, password };
    let act = Act::by(session.person, Action::UserChanged).as_administrator().to(person);
    if !app.identity.change_person(person, change, act).await? {
        return Err(Problem::invalid("User email address is already registered."));
    }
    let person = found(&app, Some(person)).await?;
    Ok(Data { data: AdminUserView::of(&app, person).await? })
}

/// Deletes a member and the entities of theirs, none of which may have a balance.
#[utoipa::path(
    delete, path = "/admin/users/{id}", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(Id),
    responses((status = 200, description = "OK"))
)]
async fn delete(
    State(app): State<App>,
    Administrator(session): Administrator,
    PathId(id): PathId,
) -> Result<(), Problem> {
    let person = found(&app, id).await?.id;
    let deleted = accounts::delete_person(&app.identity, &app.posting, &app.ledger, person, session.person).await;
    deleted.map_err(not_closed)
}

async fn found(app: &App, id: Option<u128>) -> Result<Person, Problem> {
    let id = id.ok_or_else(|| Problem::invalid("Please enter valid user id."))?;
    app.identity.member(id).await?.ok_or_else(|| Problem::invalid("User does not exist."))
}
