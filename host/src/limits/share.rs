//! Tells the other hosts what this one counted, and hears from them what they did: all clients of a moment in one statement.

use super::counts::{Counts, Subject};
use super::window;
use crate::store::{Bulk, Column, Db, Error, Row};
use crate::system_clock;
use std::sync::Weak;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// How often, if there is anything new.
const EVERY: Duration = Duration::from_millis(250);

/// Clients of one statement; more wait for the next.
const CLIENTS_MAX: usize = 8_192;

/// Until the last [`Limits`](super::Limits) is gone. SQLite is one process's alone, and has nobody to share with.
pub(super) fn start(db: Db, counts: Weak<Counts>) {
    if matches!(db, Db::Postgres { .. }) {
        tokio::spawn(run(db, counts));
    }
}

async fn run(db: Db, counts: Weak<Counts>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tidied = 0;
    loop {
        ticks.tick().await;
        let Some(counts) = counts.upgrade() else { return };
        let now = window(system_clock().0);
        let taken = counts.take(now, CLIENTS_MAX);
        if !taken.is_empty() {
            match add(&db, now, &taken).await {
                Ok(all) => counts.stored(now, all),
                Err(error) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "limits: counts are this host's alone");
                    counts.put_back(now, &taken);
                }
            }
        }
        if tidied < now {
            // The minute before may still be another host's, whose clock is behind.
            let sql = "delete from request_count where window_at < $1";
            let _ = db.execute(sql, vec![(now - super::WINDOW).into()]).await;
            tidied = now;
        }
    }
}

/// Adds to what is stored, and gives what is there then.
async fn add(db: &Db, window: i64, new: &[(Subject, u32)]) -> Result<Vec<(Subject, u32)>, Error> {
    let sql = "insert into request_count (window_at, scope, subject, requests)
               select $1, new.scope, new.subject, new.requests
               from unnest($2::bigint[], $3::uuid[], $4::bigint[]) as new (scope, subject, requests)
               on conflict (window_at, scope, subject) do update set requests = request_count.requests + excluded.requests
               returning scope, subject, requests";
    let columns = vec![
        Column::Ints(new.iter().map(|(subject, _)| subject.scope).collect()),
        Column::ids(new.iter().map(|(subject, _)| subject.id)),
        Column::Ints(new.iter().map(|(_, requests)| i64::from(*requests)).collect()),
    ];
    db.bulk(Bulk::new(sql, vec![window.into()], columns)?).await?.iter().map(count).collect()
}

fn count(row: &Row) -> Result<(Subject, u32), Error> {
    let subject = Subject { scope: row.int("scope")?, id: row.id("subject")? };
    Ok((subject, u32::try_from(row.int("requests")?).unwrap_or(u32::MAX)))
}
