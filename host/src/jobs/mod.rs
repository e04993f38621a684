//! What is done without being asked: mails are sent, and jobs are done on their schedules. Begun by `serve`, ended with it.
//!
//! A job is done by one host, however many there are, and taken up again after a crash. Each may be done twice for the same instant, and the
//! second time has nothing left to do.

mod schedule; // when
mod turn; // by whom
mod digest; // what matches
mod books; // whether they are in balance
mod overdue; // what nobody answered
mod cleaning; // what is of no use any more

pub use schedule::DailyTime;

use crate::app::App;
use crate::mail::{Delivery, Pace, forget};
use crate::mint_id;
use crate::posting::{Ledger, Posting};
use crate::store::{Db, Error};
use schedule::Schedule;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use turn::{Turn, enter, leave};

/// How often is looked whether a job is due.
const POLL_SECONDS: u32 = 5;

/// How long what runs may take when the process is to end. A job that is cut off is taken up again.
const STOP: Duration = Duration::from_secs(10);

/// The background work of one server.
pub struct Background {
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// A job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Job {
    Digest,
    Books,
    Overdue,
    Cleaning,
}

impl Job {
    const ALL: [Job; 4] = [Job::Digest, Job::Books, Job::Overdue, Job::Cleaning];

    const fn name(self) -> &'static str {
        match self {
            Job::Digest => "daily-digest",
            Job::Books => "books",
            Job::Overdue => "overdue",
            Job::Cleaning => "cleaning",
        }
    }

    const fn schedule(self, digest_at: DailyTime) -> Schedule {
        match self {
            Job::Digest => Schedule::daily(digest_at),
            Job::Books => Schedule::hourly(17),
            Job::Overdue => Schedule::hourly(37),
            Job::Cleaning => Schedule::daily(DailyTime::QUIET),
        }
    }
}

/// What the loop of a job needs.
struct Worker {
    db: Db,
    posting: Posting,
    ledger: Ledger,
    pending_days: u32,
    job: Job,
    schedule: Schedule,
    host: u128,
    pace: Pace,
}

impl Background {
    /// Begins all of it.
    ///
    /// # Errors
    /// When mails cannot be sent as the settings say.
    pub fn begin(app: &App) -> anyhow::Result<Background> {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let unit = app.ledger.unit.clone();
        match Delivery::new(app.db.clone(), app.identity.clone(), app.mail.clone(), unit)? {
            Some(delivery) => tasks.spawn(delivery.run(stop.clone())),
            None => tasks.spawn(forget(app.db.clone(), app.mail.pace, stop.clone())),
        };
        let host = mint_id();
        for job in Job::ALL {
            let (db, posting, ledger) = (app.db.clone(), app.posting.clone(), app.ledger.clone());
            let (schedule, pending_days, pace) = (job.schedule(app.digest_at), app.pending_days, app.mail.pace);
            let worker = Worker { db, posting, ledger, pending_days, job, schedule, host, pace };
            tasks.spawn(worker.run(stop.clone()));
        }
        Ok(Background { stop, tasks })
    }

    /// Ends all of it; what is in the middle of something has a few seconds.
    pub async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(STOP, self.tasks.wait()).await.is_err() {
            tracing::warn!("some background work did not finish in time");
        }
    }
}

impl Worker {
    async fn run(self, stop: CancellationToken) {
        let job = self.job.name();
        let failed = |error: &Error| {
            tracing::error!(job, error = error as &dyn std::error::Error, "a job failed, and is tried again");
        };
        let mut entered = false;
        let again_and_again = async {
            loop {
                let _ = self.once(&mut entered).await.inspect_err(failed);
                tokio::time::sleep(self.pace.seconds(POLL_SECONDS)).await;
            }
        };
        // In the middle of a job, too: what it has not committed is not done.
        tokio::select! { () = again_and_again => {}, () = stop.cancelled() => {} }
        let _ = leave(&self.db, job, self.host).await.inspect_err(failed);
    }

    async fn once(&self, entered: &mut bool) -> Result<(), Error> {
        let Worker { db, posting, ledger, pending_days, job, schedule, host, pace } = self;
        if !*entered {
            enter(db, job.name(), *schedule, *pace).await?;
            *entered = true;
        }
        let Some(turn) = Turn::take(db, job.name(), *schedule, *host, *pace).await? else { return Ok(()) };
        // After a failure the lease goes on: it is tried again when that ends, here or elsewhere.
        match job {
            Job::Digest => digest::run(db, &turn, *pace).await?,
            Job::Books => books::run(db, ledger.id, &turn).await?,
            Job::Overdue => overdue::run(posting, ledger, *pending_days).await?,
            Job::Cleaning => cleaning::run(db, &turn).await?,
        }
        turn.end(db).await
    }
}
