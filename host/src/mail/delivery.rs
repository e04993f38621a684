//! Sending what is in the outbox: several at a time, so that one that takes long holds up no other; again when it fails, later each time;
//! and never the same by two hosts at once.
//!
//! A mail that was taken is told so to the database afterwards: should this process end in between, it is sent once more, under the same
//! Message-ID.

use super::outbox::{Claimed, End, claim, finish, forget_due};
use super::read::{Read, Reader};
use super::settings::{Pace, Settings};
use super::transport::{Failure, Transport};
use crate::identity::Identity;
use crate::store::{Db, Error};
use crate::system_clock;
use ledger_core::Unit;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Mails that are being sent at the same time by this host.
const SENDING_MAX: usize = 8;
/// Mails that are claimed together, and stored together when they were sent: each time is a transaction that others wait for.
const CLAIM_MAX: u32 = 64;
/// Mails that are forgotten together, where none are sent.
const FORGET_MAX: i64 = 1_000;
/// How often the outbox is looked into when there was nothing to do.
const POLL_SECONDS: u32 = 1;
/// How long sending one mail may take.
const SEND_SECONDS: u32 = 60;
/// How long a mail stays with a host that says nothing more of it: longer than sending takes.
const LEASE_SECONDS: u32 = 120;
/// How long a mail waits after its first failure. It doubles each time.
const AGAIN_SECONDS: u32 = 30;
/// The longest that a mail waits.
const AGAIN_SECONDS_MAX: u32 = 60 * 60;
/// The longest that a server which takes nothing is left alone.
const PAUSE_SECONDS_MAX: u32 = 60;
/// How long a mail is tried, in microseconds: as long as mail servers do.
const TRIED: i64 = 4 * 24 * 60 * 60 * 1_000_000;
/// How long what is being sent may take when the process is to end.
const STOP: Duration = Duration::from_secs(5);

/// Sends mails.
pub struct Delivery {
    sender: Arc<Sender>,
    /// Claimed, and to be begun before [`Delivery::stale_at`].
    queue: VecDeque<Claimed>,
    stale_at: Instant,
    /// Nothing is claimed before, so that no more are handed over in a second than the settings say.
    claim_at: Instant,
    sending: JoinSet<Sent>,
    /// What became of those that were sent, to be stored together.
    ended: Vec<(Claimed, End)>,
    stored_at: Instant,
    /// How often nothing was taken since something was, and until when nothing is tried because of it.
    downs: u32,
    paused_until: Instant,
    /// The database has failed, and nothing was done with it since.
    away: bool,
}

struct Sender {
    reader: Reader,
    transport: Transport,
}

/// What became of one mail, and what its server is like.
type Sent = Result<(Claimed, End, Asked), Error>;

/// What is known of a server after a mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    /// Nothing: it was not asked.
    Not,
    /// It answers.
    Answered,
    /// It takes nothing at the moment.
    Away,
}

impl Delivery {
    /// Delivers what is in `db`, of a ledger that counts `unit`. None when no mails are to be sent: see [`forget`].
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn new(db: Db, identity: Identity, settings: Settings, unit: Unit) -> anyhow::Result<Option<Delivery>> {
        let Some(way) = &settings.way else {
            tracing::info!("no mails are sent, and what waits to be is forgotten");
            return Ok(None);
        };
        tracing::info!(?way, "mails are sent");
        let transport = Transport::new(way, settings.from.email.domain())?;
        let now = Instant::now();
        Ok(Some(Delivery {
            sender: Arc::new(Sender { reader: Reader { db, identity, settings, unit }, transport }),
            queue: VecDeque::new(),
            stale_at: now,
            claim_at: now,
            sending: JoinSet::new(),
            ended: vec![],
            stored_at: now,
            downs: 0,
            paused_until: now,
            away: false,
        }))
    }

    /// Delivers until it is told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let poll = self.sender.reader.settings.pace.seconds(POLL_SECONDS);
        while !stop.is_cancelled() {
            let worked = self.store_and_claim().await;
            self.told(worked);
            self.begin();
            if self.sending.is_empty() {
                let rest = self.claim_at.saturating_duration_since(Instant::now());
                let rest = if rest.is_zero() { poll } else { rest.min(poll) };
                tokio::select! { () = tokio::time::sleep(rest) => {}, () = stop.cancelled() => {} }
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                // What was added meanwhile does not wait for what takes long, and what has ended is stored.
                () = tokio::time::sleep(poll) => self.store().await,
                Some(ended) = self.sending.join_next() => self.end(ended),
            }
        }
        self.let_go();
        // What is not done then is sent by whoever claims it next.
        let rest = async {
            while let Some(ended) = self.sending.join_next().await {
                self.end(ended);
            }
        };
        let _ = tokio::time::timeout(STOP, rest).await;
        self.store().await;
    }

    /// Stores what has ended once there is enough of it, it has waited for long enough, or nothing else is to be done; and claims more once
    /// what was claimed is being sent.
    async fn store_and_claim(&mut self) -> Result<(), Error> {
        let Reader { settings, .. } = &self.sender.reader;
        let pace = settings.pace;
        let most = settings.at_a_time(CLAIM_MAX);
        let enough = usize::try_from(most).unwrap_or(usize::MAX);
        let idle = self.queue.is_empty() && self.sending.is_empty();
        if idle || self.ended.len() >= enough || self.stored_at.elapsed() >= pace.seconds(POLL_SECONDS) {
            self.store_ended().await?;
        }
        let Reader { db, settings, .. } = &self.sender.reader;
        let room = self.queue.is_empty() && self.sending.len() < SENDING_MAX;
        if room && Instant::now() >= self.paused_until.max(self.claim_at) {
            let now = system_clock().0;
            let until = now.saturating_add(pace.micros(LEASE_SECONDS));
            self.stale_at = Instant::now() + pace.seconds(LEASE_SECONDS - SEND_SECONDS);
            let claimed = claim(db, now, until, most.into()).await?;
            self.claim_at = Instant::now() + settings.time_of(claimed.len());
            self.queue.extend(claimed);
        }
        Ok(())
    }

    async fn store(&mut self) {
        let stored = self.store_ended().await;
        self.told(stored);
    }

    /// Stores what has ended, once what was taken is durable where it is now.
    async fn store_ended(&mut self) -> Result<(), Error> {
        self.stored_at = Instant::now();
        if self.ended.iter().any(|(_, end)| *end == End::Done) {
            self.sender.transport.settle().await.map_err(|error| Error::Unavailable(error.into()))?;
        }
        finish(&self.sender.reader.db, &self.ended).await?;
        self.ended.clear();
        Ok(())
    }

    /// Says once that the database has failed, or the disk. What had ended is stored later; if that is after its lease, it was sent again.
    fn told(&mut self, worked: Result<(), Error>) {
        match worked {
            Ok(()) => self.away = false,
            Err(error) => {
                if !self.away {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "mails wait: what became of them cannot be stored"
                    );
                }
                self.away = true;
            }
        }
    }

    /// Leaves what was claimed and not begun to whoever claims it next.
    fn let_go(&mut self) {
        self.spare(self.queue.len());
        self.ended.extend(self.queue.drain(..).map(|claimed| (claimed, End::Untried)));
    }

    /// So many that were claimed were not handed over: as many others are claimed the sooner.
    fn spare(&mut self, mails: usize) {
        let time = self.sender.reader.settings.time_of(mails);
        self.claim_at = self.claim_at.checked_sub(time).unwrap_or(self.claim_at);
    }

    /// Begins to send, unless nothing is taken at the moment.
    fn begin(&mut self) {
        let now = Instant::now();
        if now >= self.stale_at {
            // The lease might end before they are sent.
            self.let_go();
        }
        while now >= self.paused_until && self.sending.len() < SENDING_MAX {
            let Some(claimed) = self.queue.pop_front() else { return };
            let sender = Arc::clone(&self.sender);
            self.sending.spawn(async move { sender.send(claimed).await });
        }
    }

    /// Takes note of what became of a mail.
    fn end(&mut self, ended: Result<Sent, JoinError>) {
        match ended {
            Ok(Ok((claimed, end, asked))) => {
                self.ended.push((claimed, end));
                match asked {
                    // Somebody who asks for resets that are for nobody must not use up what may be sent.
                    Asked::Not => self.spare(1),
                    Asked::Answered => self.downs = 0,
                    Asked::Away => self.pause(),
                }
            }
            // The lease ends, and then it is tried again.
            Ok(Err(error)) => self.told(Err(error)),
            Err(error) => tracing::error!(%error, "a mail waits: sending it has failed"),
        }
    }

    /// Nothing is taken: leaves the server alone for a while, longer each time.
    fn pause(&mut self) {
        if self.downs == 0 {
            tracing::warn!("mails wait: nothing is taken; the column last_error of the table mail says why");
        }
        // Several that are on their way hear the same at once.
        if Instant::now() >= self.paused_until {
            self.downs += 1;
            self.paused_until = Instant::now() + pause(self.sender.reader.settings.pace, self.downs);
        }
        self.let_go();
    }
}

/// Empties the outbox of `db` again and again, for a host that sends nothing, until it is told to stop.
pub async fn forget(db: Db, pace: Pace, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match forget_due(&db, system_clock().0, FORGET_MAX).await {
            Ok(forgotten) if i64::try_from(forgotten) == Ok(FORGET_MAX) => continue,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "mails are not forgotten: the database failed"
                );
            }
        }
        tokio::select! { () = tokio::time::sleep(pace.seconds(POLL_SECONDS)) => {}, () = stop.cancelled() => {} }
    }
}

impl Sender {
    async fn send(&self, claimed: Claimed) -> Sent {
        let Claimed { mail, attempts, .. } = &claimed;
        let (now, settings) = (system_clock().0, &self.reader.settings);
        let tried = match mail.kind {
            // By then whoever waits for it has asked again, or given up.
            kind if kind.is_reset() => i64::try_from(settings.reset_life.as_micros()).unwrap_or(i64::MAX),
            _ => TRIED,
        };
        let overdue = now.saturating_sub(mail.created_at) > tried;
        let letter = match self.reader.read(&claimed).await? {
            Read::Letter(letter) => letter,
            Read::End(end) => return Ok((claimed, end, Asked::Not)),
        };
        let to = letter.to.clone();
        let message = match letter.message() {
            Ok(message) => message,
            Err(error) => {
                let end = End::Failed(format!("the mail cannot be made: {error}"));
                return Ok((claimed, end, Asked::Not));
            }
        };
        let (name, most) = (crate::id_text(mail.id), settings.pace.seconds(SEND_SECONDS));
        let taken = self.transport.send(&name, &settings.from.email, &to, &message, most).await;
        let (id, kind) = (&name, mail.kind.word());
        let (end, asked) = match taken {
            Ok(()) => {
                tracing::debug!(id, kind, "a mail was taken");
                (End::Done, Asked::Answered)
            }
            Err(Failure::Refused(why)) => {
                tracing::warn!(id, kind, "a mail was refused for good");
                (End::Failed(why), Asked::Answered)
            }
            Err(Failure::Later(why)) => {
                (End::Later(now.saturating_add(wait(settings.pace, *attempts)), why), Asked::Answered)
            }
            Err(Failure::Down(why)) => {
                let due = now.saturating_add(settings.pace.micros(POLL_SECONDS));
                (End::Later(due, why), Asked::Away)
            }
        };
        let end = match end {
            End::Later(_, why) if overdue => {
                tracing::warn!(id, kind, "a mail was given up");
                End::Failed(format!("given up: {why}"))
            }
            end => end,
        };
        Ok((claimed, end, asked))
    }
}

/// How long a mail waits that has failed so often, in microseconds.
fn wait(pace: Pace, attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 16)).unwrap_or_default();
    pace.micros(AGAIN_SECONDS.saturating_mul(1 << doublings).min(AGAIN_SECONDS_MAX))
}

/// How long nothing is sent after so many times that nothing was taken.
fn pause(pace: Pace, downs: u32) -> Duration {
    pace.seconds((1_u32 << downs.min(10)).min(PAUSE_SECONDS_MAX))
}
