//! Sending what is in the outbox: several at a time, so that one that takes long holds up no other; again when it fails, later each time;
//! and never the same by two hosts at once.
//!
//! A mail that was taken is told so to the database afterwards: should this process end in between, it is sent once more, under the same
//! Message-ID.

use super::kind::Kind;
use super::outbox::{Claimed, End, claim, finish};
use super::read::{Read, Reader};
use super::settings::{Pace, Settings};
use super::transport::{Failure, Transport};
use crate::identity::Identity;
use crate::store::{Db, Error};
use crate::system_clock;
use ledger_core::Unit;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Mails that are being sent at the same time by this host.
const SENDING_MAX: usize = 8;
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
}

struct Sender {
    reader: Reader,
    transport: Transport,
}

/// What became of one mail, and whether nothing is taken at the moment.
type Sent = Result<(Claimed, End, bool), Error>;

impl Delivery {
    /// Delivers what is in `db`, of a ledger that counts `unit`.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn new(db: Db, identity: Identity, settings: Settings, unit: Unit) -> anyhow::Result<Delivery> {
        let transport = Transport::new(&settings)?;
        tracing::info!(way = ?settings.way, "mails are sent");
        Ok(Delivery { sender: Arc::new(Sender { reader: Reader { db, identity, settings, unit }, transport }) })
    }

    /// Delivers until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let pace = self.sender.reader.settings.pace;
        let mut sending: JoinSet<Sent> = JoinSet::new();
        let (mut downs, mut away, mut paused_until) = (0, false, Instant::now());
        while !stop.is_cancelled() {
            let free = if Instant::now() < paused_until { 0 } else { SENDING_MAX - sending.len() };
            let begun = match self.begin(&mut sending, free).await {
                Ok(begun) => begun,
                Err(error) => {
                    if !away {
                        tracing::error!(error = &error as &dyn std::error::Error, "mails wait: the database failed");
                    }
                    away = true;
                    rest(pace.seconds(POLL_SECONDS), &stop).await;
                    continue;
                }
            };
            away = false;
            if begun == 0 && sending.is_empty() {
                rest(pace.seconds(POLL_SECONDS), &stop).await;
                continue;
            }
            let down = tokio::select! {
                () = stop.cancelled() => break,
                // What was added meanwhile does not wait for what takes long.
                () = tokio::time::sleep(pace.seconds(POLL_SECONDS)) => None,
                ended = sending.join_next() => Some(self.finish(ended, &mut sending).await),
            };
            match down {
                Some(true) => {
                    downs += 1;
                    if downs == 1 {
                        tracing::warn!(
                            "mails wait: nothing is taken; the reason is in the column last_error of the table mail"
                        );
                    }
                    paused_until = Instant::now() + pause(pace, downs);
                }
                Some(false) => downs = 0,
                None => {}
            }
        }
        // What is not done then is sent by whoever claims it next.
        let rest = async {
            while let Some(ended) = sending.join_next().await {
                self.finish(Some(ended), &mut sending).await;
            }
        };
        let _ = tokio::time::timeout(STOP, rest).await;
    }

    /// Begins to send up to `free` mails, and tells how many.
    async fn begin(&self, sending: &mut JoinSet<Sent>, free: usize) -> Result<usize, Error> {
        if free == 0 {
            return Ok(0);
        }
        let (reader, now) = (&self.sender.reader, system_clock().0);
        let until = now.saturating_add(reader.settings.pace.micros(LEASE_SECONDS));
        let claimed = claim(&reader.db, now, until, i64::try_from(free).unwrap_or(i64::MAX)).await?;
        let begun = claimed.len();
        for claimed in claimed {
            let sender = Arc::clone(&self.sender);
            sending.spawn(async move { sender.send(claimed).await });
        }
        Ok(begun)
    }

    /// Stores what became of those that have ended, all at once, and tells whether nothing is taken at the moment.
    async fn finish(&self, first: Option<Result<Sent, tokio::task::JoinError>>, sending: &mut JoinSet<Sent>) -> bool {
        let (mut ended, mut down, mut took) = (vec![], false, false);
        let mut next = first;
        while let Some(one) = next {
            match one {
                Ok(Ok((claimed, end, is_down))) => {
                    down |= is_down;
                    took |= !is_down;
                    ended.push((claimed, end));
                }
                // The lease ends, and then it is tried again.
                Ok(Err(error)) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a mail waits: the database failed");
                }
                Err(error) => tracing::error!(%error, "a mail waits: sending it has failed"),
            }
            next = sending.try_join_next();
        }
        if !ended.is_empty()
            && let Err(error) = finish(&self.sender.reader.db, ended).await
        {
            tracing::error!(error = &error as &dyn std::error::Error, "mails may be sent twice: the database failed");
        }
        down && !took
    }
}

impl Sender {
    async fn send(&self, claimed: Claimed) -> Sent {
        let Claimed { mail, attempts } = &claimed;
        let (now, settings) = (system_clock().0, &self.reader.settings);
        let tried = match mail.kind {
            // By then whoever waits for it has asked again, or given up.
            Kind::PasswordReset | Kind::AdministratorPasswordReset => {
                i64::try_from(settings.reset_life.as_micros()).unwrap_or(i64::MAX)
            }
            _ => TRIED,
        };
        let overdue = now.saturating_sub(mail.created_at) > tried;
        let letter = match self.reader.read(&claimed).await? {
            Read::Letter(letter) => letter,
            Read::End(end) => return Ok((claimed, end, false)),
        };
        let to = letter.to.clone();
        let message = match letter.message() {
            Ok(message) => message,
            Err(error) => {
                let end = End::Failed(format!("the mail cannot be made: {error}"));
                return Ok((claimed, end, false));
            }
        };
        let (name, most) = (crate::id_text(mail.id), settings.pace.seconds(SEND_SECONDS));
        let taken = self.transport.send(&name, &settings.from.email, &to, &message, most).await;
        let (id, kind) = (&name, mail.kind.word());
        let (end, down) = match taken {
            Ok(()) => {
                tracing::debug!(id, kind, "a mail was taken");
                (End::Done, false)
            }
            Err(Failure::Refused(why)) => {
                tracing::warn!(id, kind, "a mail was refused for good");
                (End::Failed(why), false)
            }
            Err(Failure::Later(why) | Failure::Down(why)) if overdue => {
                tracing::warn!(id, kind, "a mail was given up");
                (End::Failed(format!("given up: {why}")), false)
            }
            Err(Failure::Later(why)) => (End::Later(now.saturating_add(wait(settings.pace, *attempts)), why), false),
            Err(Failure::Down(why)) => {
                let due = now.saturating_add(settings.pace.micros(POLL_SECONDS));
                (End::Later(due, why), true)
            }
        };
        Ok((claimed, end, down))
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

/// Waits, unless it is told to stop.
async fn rest(time: Duration, stop: &CancellationToken) {
    tokio::select! { () = tokio::time::sleep(time) => {}, () = stop.cancelled() => {} }
}
