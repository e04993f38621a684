//! `POST /signup`: a person and an entity, over `parties`.

use super::envelope::Data;
use super::extract::Body;
use super::fields::{EntityFields, Faults, nullable};
use super::openapi::MANAGE;
use super::problem::Problem;
use crate::app::App;
use crate::id_text;
use crate::identity::{Language, NewPerson};
use crate::mail::Mail;
use crate::parties::{self, Change, Details, SignUp, SignUpError};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(sign_up))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Signup)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    #[schema(required = true, nullable = false, format = Email, max_length = 100, example = "test@gmail.com")]
    user_email: Option<String>,
    #[schema(required = true, nullable = false, min_length = 8, max_length = 100, format = Password, example = "Test321321$$")]
    password: Option<String>,
    #[schema(max_length = 100)]
    first_name: Option<String>,
    #[schema(max_length = 100)]
    last_name: Option<String>,
    #[schema(max_length = 25)]
    user_phone: Option<String>,
    #[schema(format = Email, max_length = 100)]
    entity_email: Option<String>,
    #[schema(max_length = 100)]
    entity_name: Option<String>,
    #[schema(max_length = 25)]
    inc_type: Option<String>,
    #[schema(max_length = 20)]
    company_number: Option<String>,
    #[schema(max_length = 25)]
    entity_phone: Option<String>,
    #[schema(max_length = 100)]
    website: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<i64>, minimum = 0)]
    declared_turnover: Option<Option<i64>>,
    #[schema(max_length = 500)]
    description: Option<String>,
    #[schema(max_length = 255)]
    address: Option<String>,
    #[schema(max_length = 50)]
    city: Option<String>,
    #[schema(max_length = 50)]
    region: Option<String>,
    #[schema(max_length = 10)]
    postal_code: Option<String>,
    #[schema(max_length = 50)]
    country: Option<String>,
    show_tags_matched_since_last_login: Option<bool>,
    receive_daily_match_notification_email: Option<bool>,
    offers: Option<Vec<String>>,
    wants: Option<Vec<String>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SignedUp)]
struct Response {
    #[serde(rename = "userID")]
    #[schema(format = Uuid)]
    user_id: String,
    #[serde(rename = "entityID")]
    #[schema(format = Uuid)]
    entity_id: String,
    token: String,
}

/// Creates a user and its entity. The entity is `pending` until an administrator admits it.
#[utoipa::path(
    post, path = "/signup", tag = MANAGE,
    request_body = Request,
    responses((status = 200, description = "OK", body = Data<Response>))
)]
async fn sign_up(
    State(app): State<App>,
    headers: HeaderMap,
    Body(request): Body<Request>,
) -> Result<Data<Response>, Problem> {
    let mut faults = Faults::default();
    let email = faults.required("userEmail", request.user_email);
    let password = faults.required("password", request.password);
    faults.check()?;
    let (email, password) = (email.unwrap_or_default(), password.unwrap_or_default());
    faults.email(&email);
    faults.password(&password);
    faults.line("First name", request.first_name.as_ref(), 100);
    faults.line("Last name", request.last_name.as_ref(), 100);
    faults.line("Telephone", request.user_phone.as_ref(), 25);
    let fields = EntityFields {
        name: request.entity_name,
        // An empty one is as good as none: notifications then go to the user's.
        email: request.entity_email.filter(|email| !email.is_empty()),
        telephone: request.entity_phone,
        inc_type: request.inc_type,
        company_number: request.company_number,
        website: request.website,
        declared_turnover: request.declared_turnover,
        description: request.description,
        address: request.address,
        city: request.city,
        region: request.region,
        postal_code: request.postal_code,
        country: request.country,
        show_tags_matched: request.show_tags_matched_since_last_login,
        daily_match_email: request.receive_daily_match_notification_email,
        offers: request.offers,
        wants: request.wants,
        ..EntityFields::default()
    };
    let change = fields.change(&mut faults);
    faults.check()?;
    let request = SignUp {
        details: details(&change, &email),
        offers: change.offers.unwrap_or_default(),
        wants: change.wants.unwrap_or_default(),
        person: NewPerson {
            email,
            first_name: request.first_name.unwrap_or_default(),
            last_name: request.last_name.unwrap_or_default(),
            telephone: request.user_phone.unwrap_or_default(),
            administrator: false,
            language: language(&headers),
        },
        password,
        ledger: app.ledger.id,
        limits: app.new_member_limits,
    };
    let mails = |entity| Mail::of_signup(entity).map(Mail::into_statement).to_vec();
    let signed_up = parties::sign_up(&app.identity, &app.posting, request, mails).await.map_err(problem)?;
    let (user_id, entity_id) = (id_text(signed_up.person), id_text(signed_up.entity));
    Ok(Data { data: Response { user_id, entity_id, token: signed_up.token } })
}

fn problem(error: SignUpError) -> Problem {
    match error {
        SignUpError::EmailTaken => Problem::invalid("User email address is already registered."),
        SignUpError::Posting(error) => error.into(),
        SignUpError::Internal(error) => error.into(),
    }
}

/// The language that somebody's browser asks for: they are written to in it until they say otherwise.
fn language(headers: &HeaderMap) -> Option<Language> {
    Language::preferred(headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?)
}

/// A change of nothing: what the entity starts with.
fn details(change: &Change, user_email: &str) -> Details {
    let Change { name, email, telephone, inc_type, company_number, website, description, address, .. } = change.clone();
    let Change { city, region, postal_code, country, .. } = change.clone();
    Details {
        name: name.unwrap_or_default(),
        email: email.unwrap_or_else(|| user_email.to_owned()),
        telephone: telephone.unwrap_or_default(),
        inc_type: inc_type.unwrap_or_default(),
        company_number: company_number.unwrap_or_default(),
        website: website.unwrap_or_default(),
        declared_turnover: change.declared_turnover.flatten(),
        description: description.unwrap_or_default(),
        address: address.unwrap_or_default(),
        city: city.unwrap_or_default(),
        region: region.unwrap_or_default(),
        postal_code: postal_code.unwrap_or_default(),
        country: country.unwrap_or_default(),
        show_tags_matched: change.show_tags_matched.unwrap_or_default(),
        daily_match_email: change.daily_match_email.unwrap_or_default(),
    }
}
