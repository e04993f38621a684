//! A line to a PostgreSQL server that can be cut, also in the middle of an answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// Carries every connection of an address to the database, until it is cut.
#[derive(Debug)]
pub struct Line {
    /// Where it begins.
    pub address: String,
    losing: Arc<Losing>,
    carrying: JoinHandle<()>,
}

/// Which answers get lost.
#[derive(Default, Debug)]
struct Losing {
    /// The next that has these bytes.
    next: Mutex<Option<&'static [u8]>>,
    lost: AtomicUsize,
}

impl Line {
    /// From an address of this machine, which may be given, to the database of `url`.
    ///
    /// # Panics
    /// When the address is taken.
    pub async fn to(url: &str, address: &str) -> Line {
        let database = url.split_once('@').and_then(|(_, rest)| rest.split_once('/')).expect("an address").0.to_owned();
        let listener = TcpListener::bind(address).await.expect("it is free");
        let address = listener.local_addr().expect("it listens").to_string();
        let losing: Arc<Losing> = Arc::default();
        let shared = Arc::clone(&losing);
        let carrying = tokio::spawn(async move {
            // Cutting the line ends these with it.
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(&database).await.expect("the database answers");
                connections.spawn(carry(near, far, Arc::clone(&shared)));
            }
        });
        Line { address, losing, carrying }
    }

    /// The address of the database of `url`, through this line.
    ///
    /// # Panics
    /// When it is not the address of a PostgreSQL.
    pub fn url(&self, url: &str) -> String {
        let (scheme, rest) = url.split_once('@').expect("an address");
        let (_, name) = rest.split_once('/').expect("a name");
        format!("{scheme}@{}/{name}", self.address)
    }

    /// The next answer of the server that has these bytes gets lost, and with it the connection.
    pub fn lose_answer_with(&self, bytes: &'static [u8]) {
        *self.losing.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }

    /// How many answers got lost.
    pub fn lost(&self) -> usize {
        self.losing.lost.load(Ordering::SeqCst)
    }

    /// Ends every connection, and takes no more.
    pub async fn cut(self) {
        self.carrying.abort();
        let _ = self.carrying.await;
    }
}

impl Losing {
    fn takes(&self, answer: &[u8]) -> bool {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let found = next.take_if(|bytes| answer.windows(bytes.len()).any(|some| some == *bytes)).is_some();
        self.lost.fetch_add(usize::from(found), Ordering::SeqCst);
        found
    }
}

async fn carry(near: TcpStream, far: TcpStream, losing: Arc<Losing>) {
    let (mut near_in, near_out) = near.into_split();
    let (far_in, mut far_out) = far.into_split();
    tokio::select! {
        _ = tokio::io::copy(&mut near_in, &mut far_out) => {}
        () = answers(far_in, near_out, &losing) => {}
    }
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, losing: &Losing) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if losing.takes(&bytes[..count]) {
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
