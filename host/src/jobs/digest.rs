//! The daily digest: who is told what others have offered or wanted since the last time that matches what they want or offer. Only tags that
//! an entity has now count, and never its own. Who was never told is told of the last day: what was there before, they found when they came.

use super::turn::Turn;
use crate::mail::{self, Mail, Match, Pace};
use crate::store::{Db, Error, Row, Value};
use crate::system_clock;
use const_format::formatcp;

/// Entities that are looked at in one transaction.
const BATCH: i64 = 200;

/// Matches of each entity that a mail lists: the newest.
const MATCHES_MAX: i64 = 50;

/// A tag may be stored somewhat later than the time that it carries: so many seconds before the run are left to the next.
const SETTLED_SECONDS: u32 = 60;

/// How far back is looked for whoever was never told, in microseconds.
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// Entities that were admitted.
const ADMITTED: &str = "('accepted', 'tradingPending', 'tradingAccepted', 'tradingRejected')";

/// Entities that are told, after one.
const TOLD: &str = formatcp!(
    "select entity_id from entity where entity_id > $1 and daily_match_email and status in {ADMITTED} order by entity_id limit $2"
);

/// What matches for the entities from one to another, and was added up to an instant; after another, for those that were never told.
const MATCHES: &str = formatcp!(
    "select entity_id, kind, name, other_id from
       (select mine.entity_id, mine.name, theirs.kind, theirs.entity_id as other_id,
               row_number() over (partition by mine.entity_id order by theirs.added_at desc, theirs.entity_id, theirs.name) as place
        from entity own
        join entity_tag mine on mine.entity_id = own.entity_id
        left join digest told on told.entity_id = own.entity_id
        join entity_tag theirs on theirs.name = mine.name and theirs.kind = case mine.kind when 'offer' then 'want' else 'offer' end
             and theirs.listed = true and theirs.entity_id <> mine.entity_id
             and theirs.added_at > coalesce(told.told_until, $5) and theirs.added_at <= $3
        join entity other on other.entity_id = theirs.entity_id
        where own.entity_id >= $1 and own.entity_id <= $2 and own.daily_match_email and own.status in {ADMITTED}
          and other.status in {ADMITTED}) found
     where place <= $4 order by entity_id, kind, name, place"
);

/// Queues a mail for everybody to whom something can be told. Whoever was told for this run already is not told again.
pub(super) async fn run(db: &Db, turn: &Turn, pace: Pace) -> Result<(), Error> {
    let until = turn.meant.saturating_sub(pace.micros(SETTLED_SECONDS));
    let mut after = 0;
    let (mut looked_at, mut queued) = (0, 0);
    // A clock was ahead when these were told, and up to when they were is not known.
    db.execute("delete from digest where told_until > $1", vec![system_clock().0.into()]).await?;
    loop {
        let values = vec![after.into(), BATCH.into()];
        let rows = db.fetch_all(TOLD, values).await?;
        let entities = rows.iter().map(|row| row.id("entity_id")).collect::<Result<Vec<u128>, _>>()?;
        let (Some(first), Some(last)) = (entities.first(), entities.last()) else { break };
        // Before the transaction: nobody who writes waits for it.
        let mails = turn.during(db, matching(db, *first, *last, until)).await?;
        let mut tx = db.begin().await?;
        if !turn.keep(&mut tx).await? {
            tracing::warn!(job = turn.name, "another host has taken over");
            return Ok(());
        }
        queued += mails.len();
        mail::insert(&mut tx, mails).await?;
        let told = entities.iter().flat_map(|entity| [Value::from(*entity), until.into()]).collect();
        let advance = " on conflict (entity_id) do update set told_until = excluded.told_until where digest.told_until < excluded.told_until";
        tx.insert("insert into digest (entity_id, told_until)", 2, told, advance).await?;
        tx.commit().await?;
        (after, looked_at) = (*last, looked_at + entities.len());
    }
    tracing::info!(entities = looked_at, mails = queued, "the daily digest is queued");
    Ok(())
}

async fn matching(db: &Db, first: u128, last: u128, until: i64) -> Result<Vec<Mail>, Error> {
    let values = vec![first.into(), last.into(), until.into(), MATCHES_MAX.into(), (until - DAY).into()];
    // After a long rest there may be much to compare.
    let rows = db.begin_long_read().await?.fetch_all(MATCHES, values).await?;
    let found = rows.iter().map(found).collect::<Result<Vec<_>, _>>()?;
    let of_one = |found: &[(u128, Match)]| {
        let matches: Vec<Match> = found.iter().map(|(_, found)| found.clone()).collect();
        Mail::daily_match(found[0].0, &matches)
    };
    Ok(found.chunk_by(|(one, _), (other, _)| one == other).map(of_one).collect())
}

fn found(row: &Row) -> Result<(u128, Match), Error> {
    let offered = row.text("kind")? == "offer";
    Ok((row.id("entity_id")?, Match { offered, tag: row.text("name")?, entity: row.id("other_id")? }))
}
