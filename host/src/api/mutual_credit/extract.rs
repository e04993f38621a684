//! What a request carries: its body, its query, its page, its key, and who sent it. Every failure is a [`Problem`].

use super::envelope::Page;
use super::problem::Problem;
use crate::accounts::{KEY_MAX, is_key};
use crate::api::client;
use crate::app::App;
use crate::error::Error;
use crate::identity::Session;
use crate::limits::Client;
use crate::posting;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use http_body_util::BodyExt;
use ledger_core::Key;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;
use uuid::Uuid;

/// The most bytes of a request: the longest texts of every field come to a hundredth of it.
const BODY_MAX: usize = 1 << 20;

/// How much of a body that is too long is read so that its sender hears of it.
const DRAIN_MAX: usize = 32 << 20;

/// How long a sender may take for the next piece of a body. All of them together must come within what a request may take.
const PIECE_TIMEOUT: Duration = Duration::from_secs(15);

/// A JSON body. Fields that the operation does not have are refused: a misspelt one must not be ignored.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Body<T>, Problem> {
        let bytes = read(request.into_body(), BODY_MAX).await?;
        if bytes.is_empty() {
            return Err(Problem::invalid("Please provide valid inputs."));
        }
        if has_nul(&bytes) {
            return Err(Problem::invalid("Please provide valid inputs: texts cannot contain the character U+0000."));
        }
        let mut deserializer = serde_json::Deserializer::from_slice(&bytes);
        let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            let place = if path == "." { String::new() } else { format!("{path}: ") };
            Problem::invalid(format!("Please provide valid inputs: {place}{}", error.into_inner()))
        })?;
        deserializer.end().map_err(|error| Problem::invalid(format!("Please provide valid inputs: {error}")))?;
        Ok(Body(parsed))
    }
}

/// Reads a body of at most `most` bytes. What is longer is read on for a while and thrown away: a client that is still
/// sending would not hear the refusal.
pub(super) async fn read(mut body: axum::body::Body, most: usize) -> Result<Vec<u8>, Problem> {
    let (mut bytes, mut total) = (vec![], 0);
    while let Some(frame) = tokio::time::timeout(PIECE_TIMEOUT, body.frame()).await.map_err(|_| Error::TooSlow)? {
        let frame = frame.map_err(|_| Problem::invalid("The request body could not be read."))?;
        let Some(data) = frame.data_ref() else { continue };
        total += data.len();
        if total <= most {
            bytes.extend_from_slice(data);
        } else if total > DRAIN_MAX {
            break;
        }
    }
    if total > most { Err(Error::TooLarge.into()) } else { Ok(bytes) }
}

/// Whether a JSON text has the escape `\u0000`: PostgreSQL cannot store that character.
fn has_nul(json: &[u8]) -> bool {
    let mut escaped = false;
    json.iter().enumerate().any(|(at, byte)| {
        let starts = escaped && json[at..].starts_with(b"u0000");
        escaped = *byte == b'\\' && !escaped;
        starts
    })
}

/// Query parameters by name. Of a name given twice, the last counts; names that the operation does not have are ignored.
pub(super) struct Query(HashMap<String, String>);

impl FromRequestParts<App> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Query, Problem> {
        let pairs = axum::extract::Query::<HashMap<String, String>>::try_from_uri(&parts.uri)
            .map_err(|_| Problem::invalid("The query string is not valid."))?;
        if pairs.values().any(|value| value.contains('\0')) {
            return Err(Problem::invalid("The query string cannot contain the character U+0000."));
        }
        Ok(Query(pairs.0))
    }
}

impl Query {
    /// A parameter that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// `page` and `page_size`.
    pub(super) fn page(&self) -> Result<Page, Problem> {
        let number = |name: &str, default: i64, max: i64| match self.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .ok()
                .filter(|number| (1..=max).contains(number))
                .ok_or_else(|| Problem::invalid(format!("{name} must be a whole number from 1 to {max}."))),
        };
        Ok(Page {
            number: number("page", 1, Page::NUMBER_MAX)?,
            size: number("page_size", Page::SIZE_DEFAULT, Page::SIZE_MAX)?,
        })
    }
}

/// An id in the path. Text that is no id reads as one that nobody has.
pub(super) struct PathId(pub(super) Option<u128>);

impl FromRequestParts<App> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<PathId, Problem> {
        let text = Path::<String>::from_request_parts(parts, app).await;
        Ok(PathId(text.ok().and_then(|Path(text)| id(&text))))
    }
}

/// The id that a text means.
pub(super) fn id(text: &str) -> Option<u128> {
    Uuid::parse_str(text).ok().map(|id| id.as_u128())
}

/// Somebody with a member's token. Who asks is never told by any other header.
pub(super) struct Member(pub(super) Session);

/// Somebody with an administrator's token.
pub(super) struct Administrator(pub(super) Session);

/// Somebody with a token of either kind.
pub(super) struct Anybody(pub(super) Session);

impl FromRequestParts<App> for Anybody {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Anybody, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = header.and_then(|value| value.split_once(' ')).ok_or(Error::Unauthenticated)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Error::Unauthenticated.into());
        }
        let session = app.identity.authenticate(token.trim()).await?;
        let session = session.ok_or(Error::Unauthenticated)?;
        app.limits.count(Client::Account(session.person)).map_err(Error::from)?;
        Ok(Anybody(session))
    }
}

impl FromRequestParts<App> for Member {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Member, Problem> {
        let Anybody(session) = Anybody::from_request_parts(parts, app).await?;
        if session.administrator { Err(Error::Forbidden.into()) } else { Ok(Member(session)) }
    }
}

impl FromRequestParts<App> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Administrator, Problem> {
        let Anybody(session) = Anybody::from_request_parts(parts, app).await?;
        if session.administrator { Ok(Administrator(session)) } else { Err(Error::Forbidden.into()) }
    }
}

/// Somebody with a good token or with none: one that is sent and not good is refused.
pub(super) struct Visitor(pub(super) Option<Session>);

impl FromRequestParts<App> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Visitor, Problem> {
        if !parts.headers.contains_key(AUTHORIZATION) {
            return Ok(Visitor(None));
        }
        let Anybody(session) = Anybody::from_request_parts(parts, app).await?;
        Ok(Visitor(Some(session)))
    }
}

/// The address that a request came from; nothing when nobody knows.
pub(super) struct ClientAddress(pub(super) String);

impl FromRequestParts<App> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<ClientAddress, Problem> {
        Ok(ClientAddress(client::address(&parts.extensions).map_or_else(String::new, |address| address.to_string())))
    }
}

/// The header `Idempotency-Key`, as sent.
#[derive(Default)]
pub(super) struct IdempotencyKey(Option<String>);

impl IdempotencyKey {
    /// The key as this person's.
    pub(super) fn of(&self, session: Session) -> Option<Key> {
        self.0.as_deref().map(|text| posting::key(session.person, text))
    }

    /// The key of one part of what was sent under this one, or of what it was done to. No key that somebody sends has U+0000 in it, so it is
    /// nobody else's.
    pub(super) fn part(&self, session: Session, part: impl Display) -> Option<Key> {
        self.0.as_deref().map(|text| posting::key(session.person, &format!("{text}\0{part}")))
    }
}

/// The key that a text in a body is, as this person's: the same as in the header, if it could stand there.
pub(super) fn written_key(session: Session, text: &str) -> Option<Key> {
    is_key(text).then(|| posting::key(session.person, text))
}

impl FromRequestParts<App> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<IdempotencyKey, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(IdempotencyKey(None)) };
        let text = value.to_str().ok().filter(|text| (1..=KEY_MAX).contains(&text.len()));
        let text = text.ok_or_else(|| {
            Problem::invalid(format!("The Idempotency-Key must be 1 to {KEY_MAX} visible ASCII characters."))
        })?;
        Ok(IdempotencyKey(Some(text.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::has_nul;

    #[test]
    fn only_a_real_escape_is_a_nul() {
        assert!(has_nul(br#"{"a":"\u0000"}"#));
        assert!(has_nul(br#"{"a":"\\\u0000"}"#));
        assert!(!has_nul(br#"{"a":"\\u0000"}"#));
        assert!(!has_nul(br#"{"a":"\u0001"}"#));
    }
}
