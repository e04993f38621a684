//! Connections: accepted, bounded, kept open while they are used, and closed when the server stops. What is said over them is the router's.

use super::mutual_credit;
use crate::error::Error;
use crate::limits::{Place, Places};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutWriter;
use tower::ServiceExt;

/// Connections beyond the most that are told so at the same time; still more are closed at once.
const REFUSED_MAX: usize = 256;

/// How long one that is told so may take to ask.
const REFUSED_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause after the system refused a connection for want of descriptors or memory.
const PAUSE: Duration = Duration::from_secs(1);

/// Bytes of a head, and of a piece of a body: what a connection may keep in memory.
const BUFFER_MAX: usize = 64 << 10;

/// How connections are kept.
#[derive(Clone, Debug)]
pub struct Connections {
    /// So many at the same time.
    pub most: usize,
    /// And so many of one client.
    pub places: Places,
    /// How long one may wait for the next request and its head, or for its client to take some more of an answer.
    pub keep_alive: Duration,
}

/// What is given back when a connection ends.
type Room = (OwnedSemaphorePermit, Place);

/// Serves until `stop`, then finishes what is in flight: whoever waits for an answer gets it, and no new request is taken.
pub async fn serve(listener: TcpListener, router: Router, connections: Connections, stop: impl Future<Output = ()>) {
    // Routes are made up once, and not for each request.
    let (router, ending) = (router.with_state::<()>(()), GracefulShutdown::new());
    let room = Arc::new(Semaphore::new(connections.most));
    let refusals = Arc::new(Semaphore::new(REFUSED_MAX));
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_the_client(&error) => continue,
            Err(error) => {
                tracing::error!(%error, "connections cannot be taken");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // One more of a client that has all it may have is closed at once: telling it so would take room from others.
        let Some(place) = connections.places.take(peer.ip()) else { continue };
        let watcher = ending.watcher();
        if let Ok(room) = Arc::clone(&room).try_acquire_owned() {
            tokio::spawn(keep(stream, peer, router.clone(), connections.keep_alive, watcher, (room, place)));
        } else if let Ok(room) = Arc::clone(&refusals).try_acquire_owned() {
            tokio::spawn(refuse(stream, watcher, (room, place)));
        }
    }
    drop(listener);
    ending.shutdown().await;
}

/// One connection, to its end.
async fn keep(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    keep_alive: Duration,
    watcher: Watcher,
    _room: Room,
) {
    let _open = Open::count();
    // Whoever asks for much and takes none of it would keep all of it in memory.
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(keep_alive));
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(keep_alive).max_buf_size(BUFFER_MAX);
    // What goes wrong with a connection is the client's affair, and it is gone.
    let _ = watcher.watch(http.serve_connection(TokioIo::new(Box::pin(stream)), service)).await;
}

/// One connection too many is told so, and to come again.
async fn refuse(stream: TcpStream, watcher: Watcher, _room: Room) {
    let service = hyper::service::service_fn(|_: Request<Incoming>| async {
        let mut answer = mutual_credit::refused(Error::Unavailable);
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        Ok::<_, Infallible>(answer)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(REFUSED_TIMEOUT).keep_alive(false);
    let asked = watcher.watch(http.serve_connection(TokioIo::new(stream), service));
    let _ = tokio::time::timeout(REFUSED_TIMEOUT, asked).await;
}

/// A connection that is open.
struct Open;

impl Open {
    fn count() -> Open {
        metrics::gauge!("hesabu_http_connections").increment(1.0);
        Open
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!("hesabu_http_connections").decrement(1.0);
    }
}

/// Whether only this one connection failed.
fn is_of_the_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
