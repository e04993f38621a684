//! A client of the mutual-credit API that believes nothing: every answer is checked against the document's form. Amounts stay text.

use crate::server::Server;
use reqwest::{Method, header::HeaderMap};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Somebody who sends requests, with a token or without.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    address: String,
    token: Option<String>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as sent.
    pub text: String,
}

impl Client {
    /// Somebody without a token.
    pub fn of(server: &Server) -> Client {
        Client::at(&server.address)
    }

    /// Somebody without a token, at another address.
    ///
    /// # Panics
    /// Never: the client has no settings.
    pub fn at(address: &str) -> Client {
        let http = reqwest::Client::builder().no_proxy().build().expect("it has no settings");
        Client { http, address: address.into(), token: None }
    }

    /// The same, with a token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Client {
        Client { token: Some(token.into()), ..self.clone() }
    }

    /// The same, asking another server.
    #[must_use]
    pub fn towards(&self, server: &Server) -> Client {
        Client { address: server.address.clone(), ..self.clone() }
    }

    /// The same, with connections of its own.
    #[must_use]
    pub fn afresh(&self) -> Client {
        Client { token: self.token.clone(), ..Client::at(&self.address) }
    }

    /// The token.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// A request that is not sent yet. Paths begin at `/api/v1`.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.address));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// `GET`
    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    /// `POST` with a JSON text.
    pub async fn post(&self, path: &str, body: impl ToString) -> Answer {
        Answer::to(json_body(self.request(Method::POST, path), body)).await
    }

    /// `POST` with an `Idempotency-Key`.
    pub async fn post_keyed(&self, path: &str, key: &str, body: impl ToString) -> Answer {
        Answer::to(json_body(self.request(Method::POST, path).header("Idempotency-Key", key), body)).await
    }

    /// `PATCH` with a JSON text.
    pub async fn patch(&self, path: &str, body: impl ToString) -> Answer {
        Answer::to(json_body(self.request(Method::PATCH, path), body)).await
    }

    /// `DELETE`
    pub async fn delete(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::DELETE, path)).await
    }

    /// `GET` outside of the API.
    pub async fn outside(&self, path: &str) -> Answer {
        Answer::to(self.http.get(format!("{}{path}", self.address))).await
    }

    /// Asserts that every invariant of the ledger holds, and gives the whole report.
    ///
    /// # Panics
    /// When one does not.
    pub async fn sound(&self) -> Value {
        let health = self.get("/admin/ledger/health").await.data();
        assert_eq!(health["sound"], json!(true), "{health:#}");
        let checks = health["checks"].as_array().expect("a list");
        assert!(checks.len() >= 7 && checks.iter().all(|check| check["holds"] == true), "{health:#}");
        health
    }
}

/// A request with a JSON text.
pub fn json_body(request: reqwest::RequestBuilder, body: impl ToString) -> reqwest::RequestBuilder {
    request.header("Content-Type", "application/json").body(body.to_string())
}

impl Answer {
    /// Sends a request.
    ///
    /// # Panics
    /// When no answer comes back.
    pub async fn to(request: reqwest::RequestBuilder) -> Answer {
        Answer::try_to(request).await.expect("the server answers")
    }

    /// Sends a request to a server that may be gone.
    ///
    /// # Errors
    /// When no whole answer comes back.
    pub async fn try_to(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("visible characters"))
    }

    /// What a success carries, which must be `{"data": …}` and perhaps `meta`.
    ///
    /// # Panics
    /// When it is no success, or has another form.
    pub fn data(&self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        let mut body = self.json();
        let fields: Vec<&String> = body.as_object().expect("an object").keys().collect();
        assert!(fields == ["data"] || fields == ["data", "meta"], "{self:?}");
        body["data"].take()
    }

    /// `(numberOfResults, totalPages)`
    ///
    /// # Panics
    /// When there is none.
    pub fn meta(&self) -> (u64, u64) {
        let meta = &self.json()["meta"];
        assert_eq!(meta.as_object().expect("an object").len(), 2, "{self:?}");
        let number = |name: &str| meta[name].as_u64().unwrap_or_else(|| panic!("{self:?}"));
        (number("numberOfResults"), number("totalPages"))
    }

    /// The text of the number at a place such as `/data/0/balance`, digit by digit as sent.
    ///
    /// # Panics
    /// When there is no number.
    pub fn number(&self, place: &str) -> String {
        let mut here: Box<RawValue> = serde_json::from_str(&self.text).expect("JSON");
        for step in place.split('/').skip(1) {
            let inside = match step.parse::<usize>() {
                Ok(index) => serde_json::from_str::<Vec<Box<RawValue>>>(here.get()).ok().map(|mut l| l.remove(index)),
                Err(_) => serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(here.get())
                    .ok()
                    .and_then(|mut map| map.remove(step)),
            };
            here = inside.unwrap_or_else(|| panic!("there is no {place}: {self:?}"));
        }
        let text = here.get().to_owned();
        assert!(text.starts_with(|c: char| c == '-' || c.is_ascii_digit()), "{text} is no number");
        text
    }

    /// The messages of a refusal, which must have the document's form.
    ///
    /// # Panics
    /// When it is no refusal, or has another form.
    pub fn messages(&self) -> Vec<String> {
        assert!(self.status >= 400, "{self:?}");
        let body = self.json();
        let fields = body.as_object().expect("an object");
        assert!(fields.len() == 1, "{self:?}");
        let errors = fields["errors"].as_array().unwrap_or_else(|| panic!("{self:?}"));
        assert!(!errors.is_empty(), "{self:?}");
        let message = |error: &Value| {
            let error = error.as_object().expect("an object");
            let texts = error.iter().filter(|(name, _)| !["amount", "item"].contains(&&***name));
            assert!(texts.clone().all(|(name, value)| ["message", "code"].contains(&&**name) && value.is_string()));
            let message = error["message"].as_str().expect("a text");
            assert!(!message.is_empty(), "{self:?}");
            message.to_owned()
        };
        errors.iter().map(message).collect()
    }

    /// Asserts a refusal with this status and this one message.
    ///
    /// # Panics
    /// When it is anything else.
    #[track_caller]
    pub fn refused(&self, status: u16, message: &str) {
        assert_eq!((self.status, self.messages()), (status, vec![message.to_owned()]), "{self:?}");
    }
}
