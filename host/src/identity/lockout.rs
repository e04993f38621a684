//! Logins that fail: after a few of them nobody gets in by that address for a while, with the right password neither.
//!
//! They are counted by address, whether somebody has it or not, so that what is answered does not tell. They are counted in the database, which
//! all hosts share, and before the password is compared: however many try at once, no more are compared than may fail.

use super::email_key;
use crate::store::{Db, Error, Statement};
use crate::system_clock;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Logins by one address take turns, so that many with the right password at once do not lock each other out. Addresses share so many turns;
/// only two passwords are compared at a time anyway.
const TURNS: usize = 64;

/// When somebody is locked out, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lockout {
    /// The failure that locks; 0 for none.
    pub failures: u32,
    /// For how long.
    pub minutes: u32,
}

impl Default for Lockout {
    /// As the document's reference has it.
    fn default() -> Lockout {
        Lockout { failures: 3, minutes: 15 }
    }
}

/// Counts what fails.
#[derive(Clone)]
pub(super) struct Failures {
    lockout: Lockout,
    turns: Arc<[Arc<Mutex<()>>]>,
}

/// A login that may be tried.
pub(super) struct Attempt {
    /// Nobody is let in by the address any more should this one fail.
    pub(super) is_last: bool,
    _turn: OwnedMutexGuard<()>,
}

impl Failures {
    pub(super) fn new(lockout: Lockout) -> Failures {
        Failures { lockout, turns: (0..TURNS).map(|_| Arc::default()).collect() }
    }

    /// Takes one of the attempts that an address has; none when it is locked. It is taken for a failure until [`cleared`].
    pub(super) async fn attempt(&self, db: &Db, email: &str) -> Result<Option<Attempt>, Error> {
        let digest = digest(email);
        let turn = usize::try_from(digest % u128::try_from(TURNS).unwrap_or(1)).unwrap_or_default();
        let turn = Arc::clone(&self.turns[turn]).lock_owned().await;
        let most = i64::from(self.lockout.failures);
        if most == 0 {
            return Ok(Some(Attempt { is_last: false, _turn: turn }));
        }
        // What lies as long back as a lock lasts is over, whether it was one or not.
        let sql = "insert into login_failure (email_digest, attempts, last_at) values ($1, 1, $2)
                   on conflict (email_digest) do update set last_at = excluded.last_at,
                       attempts = case when login_failure.last_at <= $3 then 1 else login_failure.attempts + 1 end
                   where login_failure.last_at <= $3 or login_failure.attempts < $4
                   returning attempts";
        let (now, over) = self.now_and_over();
        let mut tx = db.begin().await?;
        let row = tx.fetch_optional(sql, vec![digest.into(), now.into(), over.into(), most.into()]).await?;
        tx.commit().await?;
        let attempts = row.map(|row| row.int("attempts")).transpose()?;
        Ok(attempts.map(|attempts| Attempt { is_last: attempts >= most, _turn: turn }))
    }

    /// Gives an attempt back that could not be judged.
    pub(super) async fn give_back(&self, db: &Db, email: &str) {
        let sql = "update login_failure set attempts = attempts - 1 where email_digest = $1 and attempts > 0";
        // What kept it from being judged may keep this from being written; then it counts.
        let _ = db.execute(sql, vec![digest(email).into()]).await;
    }

    pub(super) const fn minutes(&self) -> u32 {
        self.lockout.minutes
    }

    /// Deletes what is over.
    pub(super) async fn tidy(&self, db: &Db) {
        let (_, over) = self.now_and_over();
        // Another host may be at it; whoever fails next does it again.
        let _ = db.execute("delete from login_failure where last_at <= $1", vec![over.into()]).await;
    }

    fn now_and_over(&self) -> (i64, i64) {
        let now = system_clock().0;
        (now, now - i64::from(self.lockout.minutes) * 60_000_000)
    }
}

/// The statement after which an address has all its attempts again: its owner has logged in, or has proven otherwise who they are.
pub fn cleared(email: &str) -> Statement {
    Statement { sql: "delete from login_failure where email_digest = $1", values: vec![digest(email).into()] }
}

fn digest(email: &str) -> u128 {
    let digest = Sha256::digest(email_key(email).as_bytes());
    u128::from_be_bytes(*digest.first_chunk().expect("SHA-256 has 32 bytes"))
}
