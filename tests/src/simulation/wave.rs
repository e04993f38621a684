//! Requests on their way to hosts and back, and what is read meanwhile.

use super::audit::{Read, Shown};
use super::claims::Attempt;
use super::host::Host;
use hesabu::posting::{Posting, PostingError};
use hesabu::store::Db;
use ledger_core::{AccountId, LedgerId, Outcome, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::{JoinHandle, JoinSet};

/// Longer than anything takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often somebody looks whether a host sleeps.
const LOOK: Duration = Duration::from_millis(2);

/// The most reads beside one wave.
const READS_MAX: usize = 30;

/// What became of an attempt.
pub(super) type Answer = Result<Vec<Outcome>, PostingError>;

/// Attempts that were sent and not answered yet.
#[derive(Default)]
pub(super) struct Underway {
    waiting: BTreeMap<u64, Attempt>,
    tasks: JoinSet<(u64, Answer)>,
}

impl Underway {
    /// Sends an attempt. It stands in the lane's queue when everything that is ready has run.
    pub(super) fn send(&mut self, posting: &Posting, ledger: LedgerId, attempt: Attempt) {
        let (id, request, posting) = (attempt.id, Arc::clone(&attempt.request), posting.clone());
        self.tasks.spawn(async move {
            let answer = match request.whole {
                true => posting.submit(ledger, request.group()).await,
                false => posting.submit_batch(ledger, request.entries()).await,
            };
            (id, answer)
        });
        self.waiting.insert(id, attempt);
    }

    /// From now on, what waits may be decided at this time as well.
    pub(super) fn may_be_at(&mut self, time: Timestamp) {
        self.waiting.values_mut().for_each(|attempt| attempt.times.push(time));
    }

    /// Waits until everything is answered that these hosts were asked for, by all that do not sleep.
    pub(super) async fn answers(&mut self, hosts: &[Host]) -> Vec<(Attempt, Answer)> {
        let (mut answers, started) = (vec![], Instant::now());
        loop {
            let awake = |attempt: &Attempt| {
                let of = hosts.iter().find(|host| host.number == attempt.host);
                !of.is_some_and(|host| host.chaos.is_asleep())
            };
            if !self.waiting.values().any(awake) {
                answers.sort_by_key(|(attempt, _): &(Attempt, Answer)| attempt.id);
                return answers;
            }
            assert!(started.elapsed() < PATIENCE, "these wait for ever: {:?}", self.waiting);
            // Whoever falls asleep meanwhile does not say so here.
            let answered = tokio::time::timeout(LOOK, self.tasks.join_next()).await.unwrap_or(None);
            if let Some(answered) = answered {
                let (id, answer) = answered.expect("nobody panics");
                answers.push((self.waiting.remove(&id).expect("it was sent"), answer));
            }
        }
    }

    /// What waits still.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Attempt> {
        self.waiting.values()
    }
}

/// Somebody who reads some accounts in turn, until they are stopped.
pub(super) struct Reader {
    reads: Arc<Mutex<Vec<Read>>>,
    reading: JoinHandle<()>,
}

impl Reader {
    pub(super) fn start(host: &Host, ledger: LedgerId, accounts: Vec<AccountId>) -> Reader {
        let reads: Arc<Mutex<Vec<Read>>> = Arc::default();
        let (posting, db, found) = (host.posting.clone(), host.db.clone(), Arc::clone(&reads));
        let reading = tokio::spawn(async move {
            for account in accounts.iter().cycle().take(READS_MAX) {
                let reads = read(&posting, &db, ledger, *account).await;
                found.lock().unwrap_or_else(PoisonError::into_inner).extend(reads);
                tokio::task::yield_now().await;
            }
        });
        Reader { reads, reading }
    }

    pub(super) async fn stop(self) -> Vec<Read> {
        self.reading.abort();
        let _ = self.reading.await;
        std::mem::take(&mut *self.reads.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// An account as this host shows it, as far as its database lets it.
pub(super) async fn read(posting: &Posting, db: &Db, ledger: LedgerId, account: AccountId) -> Vec<Read> {
    let mut reads = vec![];
    if let Ok(found) = posting.account(ledger, account).await {
        reads.push(Read { account, shown: Shown::Account(found), durable: head(db, ledger).await });
    }
    if let Ok(extent) = posting.extent(ledger, account).await {
        reads.push(Read { account, shown: Shown::Extent(extent), durable: head(db, ledger).await });
    }
    reads
}

/// The end of the journal.
async fn head(db: &Db, ledger: LedgerId) -> i64 {
    let sql = "select head_seq from ledger where ledger_id = $1";
    let row = db.fetch_optional(sql, vec![ledger.0.into()]).await.expect("the database answers");
    row.expect("there is a ledger").int("head_seq").expect("a number")
}
