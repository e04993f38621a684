//! A ledger's lane: gathers what waits into a batch, tries it until its fate is known, answers everyone.

use super::batch::{self, Attempt};
use super::{Clock, Failure, Group, PostingError};
use crate::engine::Engine;
use crate::store::{self, Db};
use ledger_core::{BATCH_MAX, LedgerId, Outcome};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// Groups that may wait in a lane: two full batches of single commands. Beyond, callers are told to come back later.
const QUEUE_MAX: usize = 2 * BATCH_MAX;

/// How long a batch is tried when the database is away or asks to try again, before its callers are told that posting is not
/// available. Shorter than what a request may take (30 s), so that the caller hears it from here.
const TRY_FOR: Duration = Duration::from_secs(10);

/// The first pause between two tries; each next one is twice as long, up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A group and who waits for its outcomes.
pub(super) struct Waiting {
    pub(super) group: Group,
    pub(super) answer: oneshot::Sender<Result<Vec<Outcome>, PostingError>>,
}

/// The way into a lane. The lane ends when the last of these is gone and everything taken is answered.
#[derive(Clone)]
pub(super) struct Lane {
    queue: mpsc::Sender<Waiting>,
}

impl Lane {
    pub(super) fn start(db: Db, engine: Engine, clock: Clock, ledger: LedgerId, tasks: &TaskTracker) -> Lane {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        tasks.spawn(Runner { db, engine, clock, ledger }.run(waiting));
        Lane { queue }
    }

    pub(super) fn send(&self, waiting: Waiting) -> Result<(), PostingError> {
        self.queue.try_send(waiting).map_err(|error| match error {
            TrySendError::Full(_) => PostingError::Busy,
            TrySendError::Closed(_) => PostingError::Unavailable,
        })
    }

    /// Whether somebody is there to take what is sent.
    pub(super) fn is_alive(&self) -> bool {
        !self.queue.is_closed()
    }
}

struct Runner {
    db: Db,
    engine: Engine,
    clock: Clock,
    ledger: LedgerId,
}

impl Runner {
    async fn run(self, mut queue: mpsc::Receiver<Waiting>) {
        let mut next = None;
        while let Some(first) = match next.take() {
            Some(waiting) => Some(waiting),
            None => queue.recv().await,
        } {
            let mut size = first.group.entries.len();
            let mut batch = vec![first];
            while let Ok(waiting) = queue.try_recv() {
                size += waiting.group.entries.len();
                if size > BATCH_MAX {
                    next = Some(waiting);
                    break;
                }
                batch.push(waiting);
            }
            self.settle(batch).await;
        }
    }

    /// Tries a batch until everyone in it has an answer.
    async fn settle(&self, batch: Vec<Waiting>) {
        let (mut groups, mut answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.group, waiting.answer)).unzip();
        let (started, mut pause) = (Instant::now(), PAUSE_MIN);
        let mut unknown: Option<Attempt> = None;
        while !groups.is_empty() {
            let now = (self.clock)();
            match batch::run(&self.db, &self.engine, self.ledger, &groups, now, unknown.as_ref()).await {
                Ok(outcomes) => {
                    // Whoever stopped listening can ask again with the same key.
                    answers.into_iter().zip(outcomes).for_each(|(answer, outcomes)| drop(answer.send(Ok(outcomes))));
                    return;
                }
                Err(Failure::Companion { group, constraint }) => {
                    groups.remove(group);
                    let _ = answers.remove(group).send(Err(PostingError::Conflict(constraint)));
                    // What was tried before was another batch, and it is known not to be durable.
                    unknown = None;
                    continue;
                }
                Err(Failure::NoLedger) => return refuse(answers, &PostingError::NoLedger),
                Err(Failure::Engine(error)) => return refuse(answers, &PostingError::from(error)),
                Err(Failure::Store(error @ (store::Error::Retry(_) | store::Error::Unavailable(_)))) => {
                    if started.elapsed() > TRY_FOR {
                        return refuse(answers, &PostingError::from(error));
                    }
                }
                Err(Failure::Store(error)) => return refuse(answers, &PostingError::from(error)),
                Err(Failure::Unknown { attempt, error }) => {
                    if started.elapsed() > TRY_FOR {
                        return refuse(answers, &PostingError::from(error));
                    }
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "posting: the fate of a commit is unknown"
                    );
                    unknown = Some(attempt);
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

fn refuse(answers: Vec<oneshot::Sender<Result<Vec<Outcome>, PostingError>>>, error: &PostingError) {
    answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone()))));
}
