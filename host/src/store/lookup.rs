//! Rows by key for many who ask at the same time: whoever asks while a query runs is answered by the next one, together with
//! all others who came meanwhile. Nothing is kept: each answer was read after its question came.

use super::{Db, Error, Row, Value};
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

/// The most keys of one query.
const KEYS_MAX: usize = 1_024;

/// What is looked up.
#[derive(Debug)]
pub struct Question<K, V> {
    /// Ends with the column that holds the key.
    pub head: &'static str,
    /// Follows the keys.
    pub tail: &'static str,
    /// The key of a row, and what it says.
    pub read: fn(&Row) -> Result<(K, V), Error>,
}

/// A way to ask one question. Clones ask together; the thread that answers ends with the last of them.
pub struct Lookup<K, V> {
    ask: mpsc::UnboundedSender<Asked<K, V>>,
}

/// Some keys, and who waits for what they stand for.
struct Asked<K, V> {
    keys: Vec<K>,
    answer: oneshot::Sender<Answer<V>>,
}

/// In the order of the keys; none where there is no row.
type Answer<V> = Result<Vec<Option<V>>, Error>;

impl<K, V> Clone for Lookup<K, V> {
    fn clone(&self) -> Lookup<K, V> {
        Lookup { ask: self.ask.clone() }
    }
}

impl<K, V> Lookup<K, V>
where
    K: Clone + Eq + Hash + Into<Value> + Send + 'static,
    V: Clone + Send + 'static,
{
    /// Asks `db` this.
    ///
    /// # Panics
    /// Outside of an async runtime, and when the system gives no thread.
    pub fn new(db: &Db, question: Question<K, V>) -> Lookup<K, V> {
        let (ask, asked) = mpsc::unbounded_channel();
        let (db, handle) = (db.clone(), Handle::current());
        let run = move || handle.block_on(answer(&db, &question, asked));
        std::thread::Builder::new().name("lookup".into()).spawn(run).expect("the system gives a thread");
        Lookup { ask }
    }

    /// What these keys stand for, in the same order; none where there is no row.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn find(&self, keys: Vec<K>) -> Result<Vec<Option<V>>, Error> {
        let (answer, answered) = oneshot::channel();
        let ended = || Error::Unavailable("the thread that looks rows up has ended".into());
        self.ask.send(Asked { keys, answer }).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

async fn answer<K, V>(db: &Db, question: &Question<K, V>, mut asked: mpsc::UnboundedReceiver<Asked<K, V>>)
where
    K: Clone + Eq + Hash + Into<Value>,
    V: Clone,
{
    let mut waiting: Vec<Asked<K, V>> = vec![];
    while asked.recv_many(&mut waiting, KEYS_MAX).await > 0 {
        // Nobody is read for who has gone.
        waiting.retain(|asked| !asked.answer.is_closed());
        let found = fetch(db, question, &waiting).await;
        for Asked { keys, answer } in waiting.drain(..) {
            let mine = match &found {
                Ok(found) => Ok(keys.iter().map(|key| found.get(key).cloned()).collect()),
                Err(error) => Err(error.for_another()),
            };
            let _ = answer.send(mine);
        }
    }
}

async fn fetch<K, V>(db: &Db, question: &Question<K, V>, waiting: &[Asked<K, V>]) -> Result<HashMap<K, V>, Error>
where
    K: Clone + Eq + Hash + Into<Value>,
{
    let Question { head, tail, read } = question;
    let keys: HashSet<K> = waiting.iter().flat_map(|asked| &asked.keys).cloned().collect();
    let keys: Vec<Value> = keys.into_iter().map(Into::into).collect();
    let mut rows = HashMap::with_capacity(keys.len());
    for keys in keys.chunks(KEYS_MAX) {
        for row in db.fetch_among_here(head, &[], keys, tail).await? {
            let (key, value) = read(&row)?;
            rows.insert(key, value);
        }
    }
    Ok(rows)
}
