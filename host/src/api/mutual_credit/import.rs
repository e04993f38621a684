//! `POST /transfers/import`: the rows of a CSV file as transfers at once, over `accounts`. The file may be of any length: it is read as it is
//! posted, and the answer tells, line by line, how far it is and what was refused.

use super::extract::{Administrator, Query, read};
use super::openapi::ADMINISTRATION;
use super::problem::{Message, Problem};
use crate::accounts::{self, Keys, Placed, Reading, Refusal, Row, is_key};
use crate::app::App;
use crate::error::Error;
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use serde::Serialize;
use std::convert::Infallible;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Imports at the same time. Each keeps a few batches in memory.
const IMPORTS_MAX: usize = 2;

/// Pieces of a file that wait to be read.
const PIECES_MAX: usize = 16;

/// Parts of an answer that wait to be fetched, one for each batch.
const PARTS_MAX: usize = 2;

/// How long a client may take for the next piece, or to fetch the next part: an import that stands still keeps others from theirs.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

const LINES: &str = "application/x-ndjson";

pub(super) fn router() -> OpenApiRouter<App> {
    let room = Room(Arc::new(Semaphore::new(IMPORTS_MAX)));
    OpenApiRouter::new().routes(routes!(import)).layer(Extension(room))
}

/// Room for imports.
#[derive(Clone)]
struct Room(Arc<Semaphore>);

/// How far an import is. The last line says that it is finished, or why not.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Progress {
    rows: u64,
    done: u64,
    /// Done by an earlier import.
    done_before: u64,
    refused: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<[Message; 1]>,
}

/// A row that was refused.
#[derive(Serialize)]
struct RefusedRow {
    row: u64,
    errors: [Message; 1],
}

/// Makes a transfer of every row, each for itself. What is wrong with the first row is told before anything happens.
#[utoipa::path(
    post, path = "/transfers/import", tag = ADMINISTRATION,
    security(("jwt" = [])),
    params(("key_prefix" = Option<String>, Query, description = "With the number of a row, its key when it has none of its own", min_length = 1, max_length = 255)),
    request_body(content = Vec<u8>, content_type = "text/csv", description = "The first row names the columns payer, payee, amount, and perhaps description and key"),
    responses((status = 200, description = "How far it is, and what was refused, one JSON object on a line", content_type = "application/x-ndjson", body = String))
)]
async fn import(
    State(app): State<App>,
    Extension(Room(room)): Extension<Room>,
    Administrator(session): Administrator,
    query: Query,
    request: Request,
) -> Result<Response, Problem> {
    let Ok(room) = room.try_acquire_owned() else {
        drop(read(request.into_body(), 0).await);
        return Err(Error::Unavailable.into());
    };
    let prefix = query.get("key_prefix").map(str::to_owned);
    if prefix.as_deref().is_some_and(|prefix| !is_key(prefix)) {
        return Err(Problem::invalid("The key_prefix must be 1 to 255 visible ASCII characters."));
    }
    let (pieces, file) = mpsc::channel(PIECES_MAX);
    tokio::spawn(fetch(request.into_body(), pieces));
    let (file, keys) =
        (Pieces { pieces: file, rest: Bytes::new(), ended: false }, Keys { sender: session.person, prefix });
    let reading = Reading::of(file, app.ledger.unit.clone(), keys).await;
    let reading = reading.map_err(|error| Problem::invalid(format!("Please provide valid inputs: {error}.")))?;
    let (lines, body) = Channel::<Bytes, Infallible>::new(PARTS_MAX);
    let by = accounts::Sender::Administrator(session.person);
    tokio::spawn(async move {
        post_all(&app, by, reading, lines).await;
        drop(room);
    });
    Ok(([(CONTENT_TYPE, LINES)], Body::new(body)).into_response())
}

/// Posts batch after batch, until the file ends or nobody listens any more.
async fn post_all(app: &App, by: accounts::Sender, mut reading: Reading, mut lines: Sender<Bytes, Infallible>) {
    let (mut progress, mut goes_on) = (Progress::default(), true);
    while goes_on {
        let part = match next(app, by, &mut reading, &mut progress).await {
            Ok(part) => part,
            Err(reason) => {
                let message = format!(
                    "{reason}. The first {} rows are done or refused; sending the same again goes on, and does nothing twice.",
                    progress.rows
                );
                (progress.finished, progress.errors) = (Some(false), Some([Message::plain(message)]));
                vec![]
            }
        };
        goes_on = progress.finished.is_none();
        let part = Bytes::from(with_line(part, &progress));
        // A client that does not fetch its answer is one that is gone.
        let sent = tokio::time::timeout(CLIENT_TIMEOUT, lines.send_data(part)).await;
        goes_on &= sent.is_ok_and(|sent| sent.is_ok());
    }
}

/// Posts one batch, and gives a line for each row that was refused.
async fn next(
    app: &App,
    by: accounts::Sender,
    reading: &mut Reading,
    progress: &mut Progress,
) -> Result<Vec<u8>, String> {
    let rows = reading.next_batch().await.map_err(|error| error.to_string())?;
    if rows.is_empty() {
        progress.finished = Some(true);
        return Ok(vec![]);
    }
    let each = accounts::post_rows(&app.posting, &app.ledger, reading.form(), by, &rows).await;
    let each = each.map_err(|error| error.to_string())?;
    Ok(rows.iter().zip(each).fold(vec![], |lines, (row, outcome)| count(app, progress, lines, row, outcome)))
}

fn count(app: &App, progress: &mut Progress, lines: Vec<u8>, row: &Row, outcome: Result<Placed, Refusal>) -> Vec<u8> {
    progress.rows += 1;
    match outcome {
        Ok(Placed { repeated: false, .. }) => progress.done += 1,
        Ok(Placed { repeated: true, .. }) => progress.done_before += 1,
        Err(refusal) => {
            progress.refused += 1;
            let errors = [Message::of(refusal, &app.ledger.unit)];
            return with_line(lines, &RefusedRow { row: row.number, errors });
        }
    }
    lines
}

fn with_line(mut lines: Vec<u8>, line: &impl Serialize) -> Vec<u8> {
    serde_json::to_writer(&mut lines, line).expect("it has texts and numbers only");
    lines.push(b'\n');
    lines
}

/// Hands a body on, piece by piece, no faster than it is read. An empty piece is its end.
async fn fetch(mut body: Body, pieces: mpsc::Sender<io::Result<Bytes>>) {
    let mut last = false;
    while !last {
        let piece = match tokio::time::timeout(CLIENT_TIMEOUT, body.frame()).await {
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if !data.is_empty() => Ok(data),
                // What is no data is no part of the file.
                _ => continue,
            },
            Ok(Some(Err(error))) => Err(io::Error::other(error)),
            Ok(None) => Ok(Bytes::new()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        last = piece.as_ref().map_or(true, Bytes::is_empty);
        if pieces.send(piece).await.is_err() {
            // A client that is still sending would not hear why nobody reads any more.
            return drop(tokio::time::timeout(CLIENT_TIMEOUT, read(body, 0)).await);
        }
    }
}

/// A body, for a thread that may block.
struct Pieces {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
    ended: bool,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() && !self.ended {
            self.rest = self.pieces.blocking_recv().ok_or(io::ErrorKind::UnexpectedEof)??;
            self.ended = self.rest.is_empty();
        }
        let taken = self.rest.split_to(self.rest.len().min(buffer.len()));
        buffer[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }
}
