//! `/readyz`: whether the process can do its work. Asked every few seconds by whoever sends traffic here, and answered soon in any case.

use crate::app::App;
use crate::store::Db;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// The longest that somebody waits for the answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// The longest that the database is given: what was asked over a connection that is dead is asked over another then.
const PROBE_MAX: Duration = Duration::from_secs(6);

/// One question to the database at a time: one that hangs must not be joined by more and more others.
#[derive(Clone)]
struct Probe {
    db: Db,
    turn: Arc<Mutex<()>>,
}

pub(super) fn router<S: Clone + Send + Sync + 'static>(app: App) -> Router<S> {
    let probe = Probe { db: app.db.clone(), turn: Arc::default() };
    Router::new().route("/readyz", get(ready)).with_state(probe)
}

/// The process can do its work: the database answers, and can be written to.
async fn ready(State(Probe { db, turn }): State<Probe>) -> (StatusCode, &'static str) {
    let asked = async {
        let turn = turn.lock_owned().await;
        let asked = tokio::spawn(async move {
            let answered = tokio::time::timeout(PROBE_MAX, db.ping()).await;
            drop(turn);
            matches!(answered, Ok(Ok(())))
        });
        asked.await.unwrap_or(false)
    };
    match tokio::time::timeout(ANSWER_MAX, asked).await {
        Ok(true) => (StatusCode::OK, "ok"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer"),
    }
}
