//! How much one address may ask, and how much all of them at once. What one person may ask is counted where their token is looked at.

use super::{OPERATIONS, client, in_time, mutual_credit};
use crate::app::App;
use crate::error::Error;
use crate::limits::Client;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Room for requests.
#[derive(Clone)]
pub(super) struct Room {
    app: App,
    room: Arc<Semaphore>,
}

impl Room {
    pub(super) fn new(app: App) -> Room {
        let room = Arc::new(Semaphore::new(app.protection.requests_max));
        Room { app, room }
    }
}

/// Lets a request through and bounds its time, unless its address has sent too many or there are too many already.
pub(super) async fn limit(State(Room { app, room }): State<Room>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if OPERATIONS.contains(&route) {
        return in_time(next.run(request)).await;
    }
    if let Some(address) = client::address(request.extensions()) {
        let door = if mutual_credit::is_door(route) { app.limits.count(Client::Door(address)) } else { Ok(()) };
        if let Err(exceeded) = door.and_then(|()| app.limits.count(Client::Address(address))) {
            return mutual_credit::refused(exceeded.into());
        }
    }
    match room.try_acquire() {
        Ok(_room) => in_time(next.run(request)).await,
        Err(_) => mutual_credit::refused(Error::Unavailable),
    }
}
