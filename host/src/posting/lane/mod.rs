//! A ledger's lane: gathers what waits into a batch, has it decided and written, answers everyone. One thread for each ledger in use.
//!
//! While a large batch is being written the next is decided, on the state that the first will have made; nobody is
//! answered before what they were decided on is durable. Small batches are not decided ahead: what arrives while one is
//! being written rides together in the next, which saves commits. When a write fails, the lane forgets everything and reads it again.

mod know; // which keys are stored, before many are looked for
mod rest; // what lags, and letting go

use super::bulk::{self, Right, Written};
use super::decide::{Decided, Held, decide};
use super::desk::{Desk, Standing};
use super::load::Source;
use super::meters::Meters;
use super::{Entry, Failure, PostingError};
use crate::store::{self, Statement};
use ledger_core::{BATCH_MAX, Outcome};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// Commands that may wait in a lane: some full batches. Beyond, callers are told to come back later.
const QUEUE_MAX: usize = 4 * BATCH_MAX;

/// The first pause between two tries; each next one is twice as long, up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// Some commands and who waits for their outcomes.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) entries: Vec<Entry>,
    /// Run in the same transaction if the commands are accepted and new.
    pub(super) companions: Vec<Statement>,
    pub(super) answer: oneshot::Sender<Result<Vec<Outcome>, PostingError>>,
    /// Room in the queue, given back with the answer.
    pub(super) room: OwnedSemaphorePermit,
    /// When it was handed in.
    pub(super) since: Instant,
}

/// The way into a lane. The lane ends when the last of these is gone and everything taken is answered.
#[derive(Clone)]
pub(super) struct Lane {
    queue: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
    pub(super) desk: Arc<Desk>,
}

impl Lane {
    /// # Panics
    /// When the system gives no thread.
    pub(super) fn start(desk: Desk, tasks: &TaskTracker) -> Lane {
        let (queue, waiting) = mpsc::unbounded_channel();
        let desk = Arc::new(desk);
        let room = Arc::new(Semaphore::new(QUEUE_MAX));
        let runner = Runner {
            desk: Arc::clone(&desk),
            meters: Meters::of(desk.ledger),
            room: Arc::clone(&room),
            queue: waiting,
            backlog: VecDeque::new(),
            held: None,
            standing: Standing::None,
            writing: None,
            idle: 0,
            wanted: false,
            crowd: 0,
        };
        let (handle, token, end) = (Handle::current(), tasks.token(), End(Arc::clone(&desk)));
        let run = move || {
            handle.block_on(runner.run());
            drop(end);
            drop(token);
        };
        std::thread::Builder::new().name("lane".into()).spawn(run).expect("the system gives a thread");
        Lane { queue, room, desk }
    }

    pub(super) fn send(
        &self,
        entries: Vec<Entry>,
        companions: Vec<Statement>,
        answer: oneshot::Sender<Result<Vec<Outcome>, PostingError>>,
    ) -> Result<(), PostingError> {
        let size = u32::try_from(entries.len()).map_err(|_| PostingError::TooLarge)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(size).map_err(|_| PostingError::Busy)?;
        let waiting = Waiting { entries, companions, answer, room, since: Instant::now() };
        self.queue.send(waiting).map_err(|_| PostingError::Unavailable)
    }

    pub(super) fn is(&self, other: &Lane) -> bool {
        self.queue.same_channel(&other.queue)
    }

    /// Whether somebody is there to take what is sent.
    pub(super) fn is_alive(&self) -> bool {
        !self.queue.is_closed()
    }
}

/// The end of a lane's thread, by panic or not: nobody waits for it any longer to say what is durable.
struct End(Arc<Desk>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.shared.forget();
    }
}

/// A batch on its way to the database.
#[derive(Debug)]
struct Batch {
    waiting: Vec<Waiting>,
    decided: Decided,
}

type Wrote = (Batch, Result<Written, Failure>);

struct Runner {
    desk: Arc<Desk>,
    meters: Meters,
    /// What is taken of it waits.
    room: Arc<Semaphore>,
    queue: mpsc::UnboundedReceiver<Waiting>,
    /// Taken from the queue, to be decided; again, perhaps.
    backlog: VecDeque<Waiting>,
    held: Option<Held>,
    standing: Standing,
    writing: Option<JoinHandle<Wrote>>,
    /// How many times in a row there was nothing to do.
    idle: u32,
    /// Another host would like to post.
    wanted: bool,
    /// Commands of the batch before, if those were many.
    crowd: usize,
}

impl Runner {
    async fn run(mut self) {
        while self.receive().await {
            if self.wanted {
                self.leave().await;
            }
            let batch = self.gather();
            self.meters.waiting(QUEUE_MAX - self.room.available_permits());
            if self.writing.is_some() && !self.may_go_ahead(&batch) {
                // What comes until then may ride along.
                batch.into_iter().rev().for_each(|waiting| self.backlog.push_front(waiting));
                self.finish_writing().await;
                continue;
            }
            self.post(batch).await;
            self.keep_small().await;
        }
        if self.desk.shared.is_closing() {
            self.leave().await;
        }
    }

    /// Whether this batch is worth deciding before the one that is being written is durable, and can be.
    fn may_go_ahead(&self, batch: &[Waiting]) -> bool {
        let size: usize = batch.iter().map(|waiting| waiting.entries.len()).sum();
        let alone = batch.iter().any(|waiting| !waiting.companions.is_empty());
        size >= self.desk.pace.ahead_min && !alone && !self.held.as_ref().is_some_and(|held| held.guesses(batch))
    }

    /// Drops accounts from memory when there are too many.
    async fn keep_small(&mut self) {
        let most = self.desk.pace.accounts_max;
        let is_too_large = |held: &Held| super::locked(&held.resident).is_too_large(most);
        if self.held.as_ref().is_some_and(is_too_large) && self.finish_writing().await {
            self.held.iter().filter(|held| is_too_large(held)).for_each(|held| super::locked(&held.resident).trim());
        }
    }

    /// Waits for work; meanwhile, writes are finished and rows that lag are written. False when there will be none.
    async fn receive(&mut self) -> bool {
        while self.backlog.is_empty() {
            let received = match &mut self.writing {
                Some(writing) => tokio::select! {
                    biased;
                    wrote = writing => {
                        self.writing = None;
                        self.settle_job(wrote).await;
                        continue;
                    }
                    received = self.queue.recv() => received,
                },
                None => match tokio::time::timeout(self.desk.pace.idle, self.queue.recv()).await {
                    Ok(received) => received,
                    Err(_) => {
                        self.rest().await;
                        if self.wanted {
                            self.leave().await;
                        }
                        continue;
                    }
                },
            };
            self.idle = 0;
            match received {
                Some(waiting) => self.backlog.push_back(waiting),
                None => {
                    // What could not be written is tried once more before the end.
                    self.finish_writing().await;
                    return !self.backlog.is_empty();
                }
            }
        }
        true
    }

    /// The next batch: everything that waits, up to as many commands as it takes. There is some. When fewer wait than were answered together the
    /// last time, they are waited for a little: each commit costs as much, for however many it is.
    fn gather(&mut self) -> Vec<Waiting> {
        let (mut size, mut batch, mut lingered) = (0, vec![], false);
        loop {
            if self.backlog.is_empty() {
                match self.queue.try_recv() {
                    Ok(waiting) => self.backlog.push_back(waiting),
                    // Those who were answered last are on their way back.
                    Err(_) if size < self.crowd && !lingered && self.desk.is_embedded() => {
                        std::thread::sleep(self.desk.pace.linger);
                        lingered = true;
                        continue;
                    }
                    Err(_) => {
                        self.crowd = if size >= self.desk.pace.crowd_min { size } else { 0 };
                        return batch;
                    }
                }
            }
            let next = self.backlog.front().map_or(0, |waiting| waiting.entries.len());
            if size > 0 && size + next > self.desk.pace.batch_max {
                return batch;
            }
            size += next;
            batch.extend(self.backlog.pop_front());
        }
    }

    /// Tries a batch until it is on its way, or everyone in it has an answer.
    async fn post(&mut self, mut waiting: Vec<Waiting>) {
        let (started, mut pause) = (Instant::now(), PAUSE_MIN);
        loop {
            let failure = match self.try_post(waiting).await {
                Ok(()) => return,
                Err((back, failure)) => {
                    waiting = back;
                    failure
                }
            };
            match failure {
                // When it is lost, somebody else was here: what was in memory is forgotten, and the next try is another one.
                Failure::Lost
                | Failure::Taken
                | Failure::NotShared
                | Failure::Early(store::Error::Retry(_) | store::Error::Unavailable(_))
                | Failure::Store(store::Error::Retry(_) | store::Error::Unavailable(_))
                    if started.elapsed() < self.desk.pace.try_for => {}
                failure => return refuse(waiting, &failure.into()),
            }
            // Those before are not to wait for these.
            self.finish_writing().await;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn try_post(&mut self, waiting: Vec<Waiting>) -> Result<(), (Vec<Waiting>, Failure)> {
        if let Err(failure) = self.stand().await {
            return Err((waiting, failure));
        }
        // Before others wait for the ledger's row.
        if let Err(failure) = self.know_keys(&waiting).await {
            self.forget();
            return Err((waiting, failure));
        }
        let Some(held) = &mut self.held else { return Err((waiting, Failure::Lost)) };
        if self.standing == Standing::Shared {
            return match self.desk.post_shared(held, &waiting).await {
                Ok(decided) => {
                    self.settle(Batch { waiting, decided }, Ok(Written { wanted: false })).await;
                    Ok(())
                }
                Err(failure) => {
                    self.fall_back(&failure);
                    self.blame(waiting, failure)
                }
            };
        }
        let (db, engine, clock) = (&self.desk.db, &self.desk.engine, (self.desk.clock)());
        let decided = decide(&mut Source::of(db), engine, held, &waiting, clock, Right::Owner).await;
        let decided = match decided {
            Ok(decided) => decided,
            Err(failure) => return Err((waiting, failure)),
        };
        // While the one before is being written.
        let packed = decided.write.as_ref().filter(|_| decided.accepted.is_empty());
        let packed = packed.and_then(|write| bulk::pack(db, write));
        if !self.finish_writing().await {
            // It was decided on what never happened.
            return Err((waiting, Failure::Lost));
        }
        if decided.write.is_none() && !self.desk.shared.is_owned() {
            // No write will tell whether another host has posted meanwhile.
            if let Err(failure) = self.confirm().await {
                self.forget();
                return Err((waiting, failure));
            }
        }
        // What may be taken back again has nothing decided on top of it.
        let large = decided.undo.is_none() && decided.outcomes.len() >= self.desk.pace.ahead_min;
        let (desk, batch) = (Arc::clone(&self.desk), Batch { waiting, decided });
        let write = async move {
            let result = desk.write(&batch.decided, &batch.waiting, packed).await;
            (batch, result)
        };
        if large {
            let handle = Handle::current();
            self.writing = Some(tokio::task::spawn_blocking(move || handle.block_on(write)));
        } else {
            let (batch, result) = write.await;
            self.settle(batch, result).await;
        }
        Ok(())
    }

    /// Makes sure that the ledger is this host's still, after a time without writing.
    async fn confirm(&mut self) -> Result<(), Failure> {
        let held = self.held.as_mut().ok_or(Failure::Lost)?;
        let written = self.desk.flush(held, 0, Right::Owner).await?;
        self.wanted |= written.wanted;
        Ok(())
    }

    /// Someone's companion met a constraint: they are told so, and the others are tried without them.
    fn blame(&mut self, mut waiting: Vec<Waiting>, failure: Failure) -> Result<(), (Vec<Waiting>, Failure)> {
        let Failure::Companion { place, constraint } = failure else { return Err((waiting, failure)) };
        let _ = waiting.remove(place).answer.send(Err(PostingError::Conflict(constraint)));
        waiting.into_iter().rev().for_each(|waiting| self.backlog.push_front(waiting));
        Ok(())
    }

    /// Makes sure that the ledger may be posted to, and is in memory as it is.
    async fn stand(&mut self) -> Result<(), Failure> {
        if self.standing == Standing::None || self.held.is_none() {
            self.standing = self.desk.stand(&mut self.held).await?;
        }
        Ok(())
    }

    /// Waits until nothing is on its way. False when what was, failed: then everything decided after it is void.
    async fn finish_writing(&mut self) -> bool {
        match self.writing.take() {
            Some(writing) => self.settle_job(writing.await).await,
            None => true,
        }
    }

    async fn settle_job(&mut self, wrote: Result<Wrote, tokio::task::JoinError>) -> bool {
        match wrote {
            Ok((batch, result)) => self.settle(batch, result).await,
            // The writer panicked; who waited is told by the loss of the channel.
            Err(_) => {
                self.forget();
                false
            }
        }
    }

    /// Answers everyone of a batch whose fate is known. False when it failed.
    async fn settle(&mut self, batch: Batch, result: Result<Written, Failure>) -> bool {
        let Batch { waiting, decided } = batch;
        match result {
            Ok(written) => {
                if let (Some(write), Some(held)) = (&decided.write, &mut self.held) {
                    held.forget_recent(write);
                    // In turn with others, memory may be behind what they have posted: nobody reads it.
                    if self.standing == Standing::Owner {
                        self.desk.shared.durable(write.after.seq, &self.desk.db, write.began);
                    }
                }
                self.meters.batch(&waiting, &decided.outcomes);
                answer(waiting, decided.outcomes);
                self.meters.waiting(QUEUE_MAX - self.room.available_permits());
                self.wanted |= written.wanted;
                if decided.undo.is_some() || self.standing == Standing::Shared {
                    self.catch_up().await;
                }
                true
            }
            Err(failure @ Failure::Companion { .. }) => {
                match (decided.undo, &decided.write, &mut self.held) {
                    (Some(undo), Some(write), Some(held)) => {
                        held.take_back(undo, write);
                        self.desk.shared.taken_back();
                    }
                    _ => self.forget(),
                }
                if let Err((waiting, failure)) = self.blame(waiting, failure) {
                    refuse(waiting, &failure.into());
                }
                false
            }
            Err(Failure::Lost) => {
                self.forget();
                waiting.into_iter().rev().for_each(|waiting| self.backlog.push_front(waiting));
                false
            }
            Err(failure) => {
                self.forget();
                refuse(waiting, &failure.into());
                false
            }
        }
    }

    /// After a turn that came to nothing: what is in memory is good still, or is not.
    fn fall_back(&mut self, failure: &Failure) {
        match failure {
            Failure::NotShared => self.standing = Standing::None,
            // It was taken back, or never began.
            Failure::Companion { .. } | Failure::Early(_) => {}
            _ => self.forget(),
        }
    }

    fn give_up(&mut self, failure: Failure) {
        self.fall_back(&failure);
        if !matches!(failure, Failure::Lost | Failure::NotShared) {
            let error = PostingError::from(failure);
            tracing::warn!(error = &error as &dyn std::error::Error, "posting: rows could not be written behind");
        }
    }

    /// Forgets what is in memory; it is read again when it is needed.
    fn forget(&mut self) {
        self.held = None;
        self.standing = Standing::None;
        self.desk.shared.forget();
    }
}

fn answer(waiting: Vec<Waiting>, outcomes: Vec<Outcome>) {
    let mut outcomes = outcomes.into_iter();
    for Waiting { entries, answer, room, .. } in waiting {
        let mine = outcomes.by_ref().take(entries.len()).collect();
        drop(room);
        // Whoever stopped listening can ask again with the same key.
        let _ = answer.send(Ok(mine));
    }
}

fn refuse(waiting: Vec<Waiting>, error: &PostingError) {
    waiting.into_iter().for_each(|waiting| drop(waiting.answer.send(Err(error.clone()))));
}
