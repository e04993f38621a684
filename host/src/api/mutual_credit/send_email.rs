//! `POST /send-email`: what one entity writes to another, over `mail`. Neither address is shown to the other by it, but for the sender's,
//! which the receiver's answer goes to.

use super::extract::{Body, Member, id};
use super::fields::Faults;
use super::openapi::FIND;
use super::problem::Problem;
use crate::app::App;
use crate::audit::{Act, Action};
use crate::error::Error;
use crate::mail::{self, Mail};
use crate::parties::{Contact, ContactOf, contacts};
use crate::visible::Lines;
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Characters of what is written: several pages.
const BODY_MAX: usize = 5_000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(send))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = Message)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(rename = "senderEntityID")]
    #[schema(required = true, nullable = false, format = Uuid)]
    sender: Option<String>,
    #[serde(rename = "receiverEntityID")]
    #[schema(required = true, nullable = false, format = Uuid)]
    receiver: Option<String>,
    #[schema(required = true, nullable = false, min_length = 1, max_length = 5000)]
    body: Option<String>,
}

const SENDER: &str = "senderEntityID is incorrect.";
const RECEIVER: &str = "receiverEntityID is incorrect.";

/// Sends a mail to another entity. Both must have been admitted.
#[utoipa::path(
    post, path = "/send-email", tag = FIND,
    security(("jwt" = [])),
    request_body = Request,
    responses((status = 200, description = "OK"))
)]
async fn send(State(app): State<App>, Member(session): Member, Body(request): Body<Request>) -> Result<(), Problem> {
    let mut faults = Faults::default();
    let sender = faults.required("senderEntityID", request.sender);
    let receiver = faults.required("receiverEntityID", request.receiver);
    let text = faults.required("body", request.body);
    faults.check()?;
    let (sender, receiver) = (sender.as_deref().and_then(id), receiver.as_deref().and_then(id));
    if sender.is_none() {
        faults.add(SENDER);
    }
    if receiver.is_none() {
        faults.add(RECEIVER);
    }
    faults.visible("Email body", text.as_ref(), Lines::Any);
    let text = mail::cleaned(&text.unwrap_or_default());
    if text.is_empty() {
        faults.add("Email body is empty.");
    }
    faults.length("Email body", Some(&text), BODY_MAX);
    faults.check()?;
    let sender = found(&app, sender, SENDER, &mut faults).await?;
    let receiver = found(&app, receiver, RECEIVER, &mut faults).await?;
    faults.check()?;
    let (Some(sender), Some(receiver)) = (sender, receiver) else { return Err(Error::Forbidden.into()) };
    if sender.person != session.person {
        return Err(Error::Forbidden.into());
    }
    if !sender.may_be_found() {
        return Err(Problem::invalid("Sender does not have the correct status."));
    }
    if !receiver.may_be_found() {
        return Err(Problem::invalid("Receiver does not have the correct status."));
    }
    let mut mails = vec![Mail::trade_contact(sender.entity, receiver.entity, &text)];
    if app.mail.copies {
        mails.push(Mail::trade_contact_copy(sender.entity, receiver.entity, &text));
    }
    // Who wrote to whom, and not what.
    let act = Act::by(session.person, Action::MessageSent).to(receiver.entity);
    Ok(mail::add(&app.db, mails, &act).await?)
}

/// The entity of an id, or a fault.
async fn found(app: &App, id: Option<u128>, fault: &str, faults: &mut Faults) -> Result<Option<Contact>, Problem> {
    let ids: Vec<u128> = id.into_iter().collect();
    let found = contacts(&app.db, ContactOf::Entity, &ids).await?.pop();
    if found.is_none() {
        faults.add(fault);
    }
    Ok(found)
}
