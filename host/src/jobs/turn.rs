//! Whose turn it is to do a job: a row for each, leased by one host at a time. A host that ends in the middle of one leaves it to another when
//! its lease has ended, and so does a restart.

use super::schedule::Schedule;
use crate::mail::Pace;
use crate::store::{Db, Error, Tx};
use crate::system_clock;

/// How long a job stays with a host that does not say that it is still at it.
const LEASE_SECONDS: u32 = 300;

/// How often it is said that somebody is still at it.
const AGAIN_SECONDS: u32 = 60;

/// A lease that ends later than after so many was not taken by this time: hosts agree about it to some minutes.
const LEASES: i64 = 3;

/// A job does not take more than one part in so many of the time, however long it takes.
const REST: i64 = 20;

/// Leaves what a host is at to whoever comes next: it is about to end.
pub(super) async fn leave(db: &Db, name: &'static str, host: u128) -> Result<(), Error> {
    let sql = "update job set leased_until = null, host = null where name = $1 and host = $2";
    db.execute(sql, vec![name.into(), host.into()]).await.map(drop)
}

/// The right to do a job, once.
pub(super) struct Turn {
    pub(super) name: &'static str,
    host: u128,
    pace: Pace,
    schedule: Schedule,
    /// As the row has it.
    next_at: i64,
    began_at: i64,
    /// The instant that this run is for, in microseconds since the epoch. The same for a run that takes up what another left.
    pub(super) meant: i64,
}

/// Enters a job, unless it is there. Another schedule than it had counts from now on. So does this one, if a clock that was ahead has left
/// the job to a time that is far away, or leased it until then; what rests after a long run may be done sooner for that, once.
pub(super) async fn enter(db: &Db, name: &'static str, schedule: Schedule, pace: Pace) -> Result<(), Error> {
    let sql = "insert into job (name, schedule, next_at) values ($1, $2, $3)
               on conflict (name) do update set schedule = excluded.schedule, leased_until = null, host = null, next_at =
                   case when job.schedule = excluded.schedule and job.next_at < excluded.next_at then job.next_at else excluded.next_at end
               where job.schedule <> excluded.schedule or job.next_at > excluded.next_at or job.leased_until > $4";
    let now = system_clock().0;
    let (next, longest) = (schedule.next(now), pace.micros(LEASE_SECONDS).saturating_mul(LEASES));
    let values = vec![name.into(), schedule.to_string().into(), next.into(), now.saturating_add(longest).into()];
    db.execute(sql, values).await.map(drop)
}

impl Turn {
    /// Takes a job that is due, if no other host is at it.
    pub(super) async fn take(
        db: &Db,
        name: &'static str,
        schedule: Schedule,
        host: u128,
        pace: Pace,
    ) -> Result<Option<Turn>, Error> {
        let now = system_clock().0;
        // A look first: to find nothing must not wait for whoever writes.
        let due = "select next_at from job
                   where name = $1 and next_at <= $2 and (leased_until is null or leased_until < $2)";
        let Some(row) = db.fetch_optional(due, vec![name.into(), now.into()]).await? else { return Ok(None) };
        let next_at = row.int("next_at")?;
        let sql = "update job set leased_until = $4, host = $5
                   where name = $1 and next_at = $3 and (leased_until is null or leased_until < $2)";
        let until = now.saturating_add(pace.micros(LEASE_SECONDS));
        let values = vec![name.into(), now.into(), next_at.into(), until.into(), host.into()];
        let meant = schedule.meant(next_at, now);
        let turn = Turn { name, host, pace, schedule, next_at, began_at: now, meant };
        Ok((db.execute(sql, values).await? == 1).then_some(turn))
    }

    /// Says in a transaction that it is still at it. What follows in the transaction is done only if it is: another host may have taken over.
    pub(super) async fn keep(&self, tx: &mut Tx) -> Result<bool, Error> {
        let until = system_clock().0.saturating_add(self.pace.micros(LEASE_SECONDS));
        let sql = "update job set leased_until = $4 where name = $1 and host = $2 and next_at = $3";
        let values = vec![self.name.into(), self.host.into(), self.next_at.into(), until.into()];
        Ok(tx.execute(sql, values).await? == 1)
    }

    /// Says that it is still at it, between two transactions; false when another host has taken over.
    pub(super) async fn stay(&self, db: &Db) -> Result<bool, Error> {
        let mut tx = db.begin().await?;
        let kept = self.keep(&mut tx).await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// Does something that takes as long as it takes, and says now and then that it is still at it: nobody else is to begin it meanwhile.
    /// Whether it is, is asked by what follows.
    pub(super) async fn during<T>(&self, db: &Db, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(self.pace.seconds(AGAIN_SECONDS)) => drop(self.stay(db).await?),
            }
        }
    }

    /// It is done until the next time.
    pub(super) async fn end(self, db: &Db) -> Result<(), Error> {
        let now = system_clock().0;
        let rested = now.saturating_add((now - self.began_at).max(0).saturating_mul(REST));
        let sql = "update job set next_at = $4, leased_until = null, host = null where name = $1 and host = $2 and next_at = $3";
        // Never again for the same instant, whatever clocks do.
        let next = self.schedule.next(rested.max(self.next_at));
        db.execute(sql, vec![self.name.into(), self.host.into(), self.next_at.into(), next.into()]).await.map(drop)
    }
}
