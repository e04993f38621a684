//! The hourly look at the books: administrators are told when an invariant does not hold, once a day.

use super::turn::Turn;
use crate::mail::{self, Mail};
use crate::posting::{self, Health};
use crate::store::{Db, Error};
use crate::system_clock;
use ledger_core::{LedgerId, Timestamp};

/// How long nothing more is said after something was: a little less than a day, so that it is said at the same time of each.
const SILENCE: i64 = 23 * 60 * 60 * 1_000_000;

/// What expires is ended some time later, and that is not worth a mail.
const LATE: i64 = 10 * 60 * 1_000_000;

pub(super) async fn run(db: &Db, ledger: LedgerId, turn: &Turn) -> Result<(), Error> {
    // It goes through the whole ledger.
    let health = turn.during(db, posting::health(db, ledger, Timestamp(system_clock().0 - LATE))).await?;
    if health.is_sound() {
        return Ok(());
    }
    let broken = broken(&health);
    tracing::error!(broken, "the books are out of balance");
    // Whoever finds it says it, once: also one who has lost the turn.
    let mut tx = db.begin().await?;
    let now = system_clock().0;
    let sql = "update job set alarmed_at = $2 where name = $1 and (alarmed_at is null or alarmed_at < $3)";
    let values = vec![turn.name.into(), now.into(), (now - SILENCE).into()];
    if tx.execute(sql, values).await? == 1 {
        mail::insert(&mut tx, vec![Mail::books_out_of_balance(broken)]).await?;
    }
    tx.commit().await
}

/// A line for each rule that does not hold.
fn broken(health: &Health) -> String {
    let broken = health.checks.iter().filter(|check| check.broken != 0);
    broken.map(|check| format!("{}: {}\n", check.rule, check.broken)).collect()
}
