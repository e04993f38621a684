//! `GET /admin/logs`: who did what and when, over `audit`. The words for actions are the document's.

use super::envelope::List;
use super::extract::{Administrator, Query};
use super::fields::Faults;
use super::openapi::{ADMINISTRATION, Dates, Paging};
use super::problem::Problem;
use super::writing::date;
use crate::app::App;
use crate::audit::{self, ActFilter, Action, Category, LoggedAct};
use crate::id_text;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// An act as administrators see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Act)]
#[serde(rename_all = "camelCase")]
struct ActView {
    #[schema(format = Uuid)]
    id: String,
    /// Empty when nobody that is known did it.
    #[serde(rename = "userID")]
    user_id: String,
    email: String,
    action: &'static str,
    detail: String,
    #[schema(pattern = "^(user|admin)$")]
    category: &'static str,
    /// The transfer, entity, user, tag or category that it was done to.
    #[serde(rename = "subjectID", skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid, nullable = false)]
    subject_id: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
}

/// The log, newest first; by address, category (`user`, `admin`), action (its words, or some of them), text of the detail, and period.
#[utoipa::path(
    get, path = "/admin/logs", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(("email" = Option<String>, Query, description = "Of the person with this address"), ("category" = Option<String>, Query, description = "user or admin", pattern = "^(user|admin)?$"), ("action" = Option<String>, Query, description = "What was done, or some of its words"), ("detail" = Option<String>, Query, description = "Has this text in its detail"), Dates, Paging),
    responses((status = 200, description = "OK", body = List<ActView>))
)]
async fn list(State(app): State<App>, _administrator: Administrator, query: Query) -> Result<List<ActView>, Problem> {
    let page = query.page()?;
    let mut faults = Faults::default();
    let mut filter = ActFilter {
        email: query.get("email").map(str::to_owned),
        detail: query.get("detail").map(str::to_owned),
        from: faults.moment(&query, "date_from"),
        to: faults.moment(&query, "date_to"),
        ..ActFilter::default()
    };
    if let Some(word) = query.get("category") {
        filter.category = CATEGORIES.into_iter().find(|category| category.word() == word);
        if filter.category.is_none() {
            faults.add("category must be user or admin.");
        }
    }
    faults.check()?;
    if let Some(text) = query.get("action") {
        let sought = text.to_lowercase();
        let all = CATEGORIES.into_iter().flat_map(|category| Action::ALL.map(|action| (category, action)));
        filter.actions = all.filter(|(category, action)| words(*action, *category).contains(&sought)).collect();
        if filter.actions.is_empty() {
            return Ok(page.of(vec![], 0));
        }
    }
    let (acts, total) = audit::page(&app.db, &filter, page.offset(), page.size).await?;
    Ok(page.of(acts.into_iter().map(view).collect(), total))
}

fn view(act: LoggedAct) -> ActView {
    ActView {
        id: id_text(act.id),
        user_id: act.person.map(id_text).unwrap_or_default(),
        email: act.email,
        action: words(act.action, act.category),
        detail: act.detail,
        category: act.category.word(),
        subject_id: act.subject.map(id_text),
        created_at: date(act.at),
    }
}

const CATEGORIES: [Category; 2] = [Category::User, Category::Admin];

const fn words(action: Action, category: Category) -> &'static str {
    let admin = matches!(category, Category::Admin);
    match action {
        Action::AccountCreated => "account created",
        Action::LoggedIn if admin => "admin login successful",
        Action::LoggedIn => "user login successful",
        Action::LoginFailed if admin => "admin login failed",
        Action::LoginFailed => "user login failed",
        Action::LoggedOut if admin => "admin logout",
        Action::LoggedOut => "user logout",
        Action::ResetRequested => "sent password reset",
        Action::PasswordChanged => "changed password",
        Action::UserChanged if admin => "admin modified user details",
        Action::UserChanged => "user modified user details",
        Action::UserDeleted => "admin deleted a user",
        Action::EntityChanged if admin => "admin modified entity details",
        Action::EntityChanged => "user modified entity details",
        Action::LimitsChanged => "admin modified balance limit",
        Action::EntityDeleted => "admin deleted an entity",
        Action::FavoriteSet => "user modified favorites",
        Action::MessageSent => "user sent an email",
        Action::TransferProposed => "user proposed a transfer",
        Action::TransferAccepted => "user accepted a transfer",
        Action::TransferRejected => "user rejected a transfer",
        Action::TransferCancelled => "user cancelled a transfer",
        Action::TransferStopped => "system cancelled a transfer",
        Action::TransferExpired => "system cancelled an expired transfer",
        Action::TransferMade => "admin transfer for user",
        Action::TransfersSent => "admin transfers for users",
        Action::ReversalProposed => "user proposed a transfer reversal",
        Action::ReversalMade => "admin reversed a transfer",
        Action::TagCreated => "admin created a new tag",
        Action::TagChanged => "admin modified a tag",
        Action::TagDeleted => "admin deleted a tag",
        Action::CategoryCreated => "admin created a new category",
        Action::CategoryChanged => "admin modified a category",
        Action::CategoryDeleted => "admin deleted a category",
    }
}
