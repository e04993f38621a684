//! The daily clearing away of what is of no use any more: sessions and resets that have expired, mails that were given up long ago, and tags that
//! only entities had that nobody could find.

use super::turn::Turn;
use crate::directory::forget_unused_tags;
use crate::mail;
use crate::store::{Db, Error};
use crate::system_clock;

const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// How long a mail that was given up is kept with its reason.
const FAILED_KEPT: i64 = 30 * DAY;

/// Rows that go in one transaction.
const BATCH: i64 = 1_000;

const STEPS: [&str; 2] = [
    "delete from session where session_id in (select session_id from session where expires_at < $1 limit $2)",
    "delete from password_reset where token_hash in (select token_hash from password_reset where expires_at < $1 limit $2)",
];

pub(super) async fn run(db: &Db, turn: &Turn) -> Result<(), Error> {
    let now = system_clock().0;
    for sql in STEPS {
        while db.execute(sql, vec![(now - DAY).into(), BATCH.into()]).await? > 0 {
            if !turn.stay(db).await? {
                return Ok(());
            }
        }
    }
    while mail::forget_failed(db, now - FAILED_KEPT, BATCH).await? > 0 {
        if !turn.stay(db).await? {
            return Ok(());
        }
    }
    let mut last = 0;
    while let Some(end) = forget_unused_tags(db, last, BATCH).await? {
        if !turn.stay(db).await? {
            return Ok(());
        }
        last = end;
    }
    Ok(())
}
