//! What a lane does with the database: taking a ledger, writing batches until their fate is known, writing what lags.

use super::bulk::{self, Packed, Right, Write, Written};
use super::decide::{Decided, Held, NO_IDS, decide};
use super::durable::Shared;
use super::filter::Filter;
use super::find;
use super::follow::follow;
use super::lane::Waiting;
use super::lease::{self, Claim, Lease, LedgerRow, SHARE_FOR};
use super::load::Source;
use super::mint::IdOrder;
use super::pace::Pace;
use super::recover::recover;
use super::resident::{ById, Resident};
use super::{Clock, Failure};
use crate::engine::Engine;
use crate::store::{Db, Error, Tx};
use ledger_core::LedgerId;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The first pause between two tries to write; each next one is twice as long, up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(2);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// How long the database may take for one batch. Its own lock timeout is shorter.
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Rows written at a time when everything is to be written.
const FLUSH_ROWS: usize = 8_192;

/// All there are, and what is left of the type when that is rounded up to whole pages.
const ALL_ROWS: usize = usize::MAX / 2;

/// What a lane works with.
pub(super) struct Desk {
    pub(super) db: Db,
    pub(super) engine: Engine,
    pub(super) clock: Clock,
    pub(super) pace: Pace,
    pub(super) ledger: LedgerId,
    /// This process, among others on the same database.
    pub(super) host: u128,
    pub(super) shared: Shared,
}

/// How a lane stands to its ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// It must ask.
    None,
    /// It has the ledger for itself.
    Owner,
    /// It takes turns with other hosts.
    Shared,
}

/// When a host that takes turns with others writes what lags.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Occasion {
    /// It is much by now.
    Much,
    /// Nobody has posted for a while.
    Quiet,
    /// The host ends.
    End,
}

impl Desk {
    pub(super) fn is_embedded(&self) -> bool {
        matches!(self.db, Db::Sqlite { .. })
    }

    /// Takes the ledger, alone or in turn with others, and reads what is missing in memory.
    pub(super) async fn stand(&self, held: &mut Option<Held>) -> Result<Standing, Failure> {
        let began = Instant::now();
        let (row, claim) = lease::take(&self.db, self.ledger, self.host).await?.ok_or(Failure::NoLedger)?;
        match claim {
            Claim::Taken => Err(Failure::Taken),
            Claim::Shared => {
                if held.is_none() {
                    let mut tx = self.db.begin_read_here().await?;
                    let mut fresh = None;
                    self.hold(&mut fresh, &mut tx, &row, None).await?;
                    self.know_keys(&mut tx).await?;
                    *held = fresh;
                } else if !super::locked(&self.shared.resident).keys.filter.is_known() {
                    self.know_keys(&mut self.db.begin_read_here().await?).await?;
                }
                Ok(Standing::Shared)
            }
            Claim::Free => {
                let mut tx = self.db.begin_read_here().await?;
                let mut lease = Lease::new(&self.db, self.ledger, row.epoch, began);
                self.hold(held, &mut tx, &row, Some(&mut lease)).await?;
                self.know_keys(&mut tx).await?;
                drop(tx);
                self.shared.durable(row.head.seq, &self.db, lease.since());
                Ok(Standing::Owner)
            }
        }
    }

    /// Brings the memory to where the ledger's row is. Under a lease, the lease is kept meanwhile.
    async fn hold(
        &self,
        held: &mut Option<Held>,
        tx: &mut Tx,
        row: &LedgerRow,
        lease: Option<&mut Lease<'_>>,
    ) -> Result<(), Failure> {
        if let Some(held) = held
            && held.head == row.head
            && Self::has_what_lags(held, row)
        {
            held.epoch = row.epoch;
            return Ok(());
        }
        *held = None;
        let sweep = if self.is_embedded() { self.pace.sweep_alone } else { self.pace.sweep_among_others };
        let mut resident = Resident::new(row.flushed, sweep);
        recover(tx, self.ledger, row.flushed, &row.head, &mut resident, lease).await?;
        let newest = find::greatest_indexed(tx, self.ledger).await?.max(row.head.last_id);
        self.shared.replace(resident);
        *held = Some(Held {
            ledger: self.ledger,
            resident: Arc::clone(&self.shared.resident),
            head: row.head,
            epoch: row.epoch,
            minted: IdOrder::after_others(row.head.last_id),
            unwritten: NO_IDS,
            newest,
            recent: ById::default(),
            others_posted: false,
        });
        Ok(())
    }

    /// Whether nobody else has written any of what waits in memory, as a host may have done that had the ledger in between.
    fn has_what_lags(held: &Held, row: &LedgerRow) -> bool {
        let resident = super::locked(&held.resident);
        resident.flushed() == row.flushed && (resident.is_flushed() || row.epoch == held.epoch + 1)
    }

    /// Learns which keys the database may have, if it is not known. What other hosts keep from now on is learned from their records.
    async fn know_keys(&self, tx: &mut Tx) -> Result<(), Error> {
        if !super::locked(&self.shared.resident).keys.filter.is_known() {
            let filter = Filter::read(&self.db, tx, self.ledger).await?;
            super::locked(&self.shared.resident).keys.learn(filter);
        }
        Ok(())
    }

    /// Writes a batch that was decided on what this host alone has, again and again until its fate is known. `packed` is what is sent the
    /// first time, if it is ready.
    pub(super) async fn write(
        &self,
        decided: &Decided,
        waiting: &[Waiting],
        mut packed: Option<Packed>,
    ) -> Result<Written, Failure> {
        let Some(write) = &decided.write else { return Ok(Written { wanted: false }) };
        let (started, mut pause, mut unknown) = (Instant::now(), PAUSE_MIN, false);
        loop {
            let error = match in_time(self.attempt(write, decided, waiting, packed.take())).await {
                Ok(Some(written)) => return Ok(written),
                // The head is elsewhere: perhaps an earlier attempt moved it there.
                Ok(None) if unknown && self.is_durable(write).await? => return Ok(Written { wanted: false }),
                Ok(None) => return Err(Failure::Lost),
                Err(Failure::Store(error @ (Error::Retry(_) | Error::Unavailable(_)))) => error,
                Err(failure) => return Err(failure),
            };
            if error.outcome_unknown() {
                tracing::warn!(error = &error as &dyn std::error::Error, "posting: the fate of a commit is unknown");
                unknown = true;
            }
            if started.elapsed() > self.pace.try_for {
                return Err(error.into());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
            if unknown && self.is_durable(write).await.unwrap_or(false) {
                return Ok(Written { wanted: false });
            }
        }
    }

    async fn attempt(
        &self,
        write: &Write,
        decided: &Decided,
        waiting: &[Waiting],
        packed: Option<Packed>,
    ) -> Result<Option<Written>, Failure> {
        if decided.accepted.is_empty() {
            return Ok(bulk::write_alone(&self.db, write, packed).await?);
        }
        let mut tx = self.db.begin_here().await?;
        let written = bulk::write_in(&mut tx, write).await?;
        if written.is_some() {
            companions(&mut tx, decided, waiting).await?;
            tx.commit().await?;
        }
        Ok(written)
    }

    /// Whether the journal has the record of this write.
    async fn is_durable(&self, write: &Write) -> Result<bool, Error> {
        let sql = "select hash from journal where ledger_id = $1 and seq = $2";
        // Whoever asks may have the ledger's row, and waits for nobody who only reads.
        let values = vec![self.ledger.0.into(), write.after.seq.into()];
        let row = in_time(async { self.db.read_here().await?.fetch_optional(sql, values).await }).await?;
        Ok(row.map(|row| row.bytes("hash")).transpose()?.is_some_and(|hash| hash == write.after.hash))
    }

    /// Begins a turn of this host among others: with the lock of the ledger's row, and all that they posted. Also, whether they posted
    /// any since it looked last.
    async fn turn(&self, held: &mut Held) -> Result<(Tx, bool), Failure> {
        let mut tx = self.db.begin_here().await.map_err(Failure::Early)?;
        let row = lease::lock(&mut tx, self.ledger).await.map_err(Failure::Early)?.ok_or(Failure::NoLedger)?;
        match row.claim(self.host) {
            Claim::Shared => {}
            Claim::Free => return Err(Failure::NotShared),
            // Who has it has read what lags, and writes it.
            Claim::Taken => return Err(Failure::Lost),
        }
        let moved = held.head != row.head;
        held.others_posted |= moved;
        follow(&mut tx, held, &row).await?;
        Ok((tx, moved))
    }

    /// Decides and writes a batch in turn with other hosts, under the lock of the ledger's row.
    pub(super) async fn post_shared(&self, held: &mut Held, waiting: &[Waiting]) -> Result<Decided, Failure> {
        let (mut tx, _) = self.turn(held).await?;
        let mut source = Source { db: &self.db, lent: Some(&mut tx), own: None };
        let (clock, right) = ((self.clock)(), held.right_among_others());
        let mut decided = decide(&mut source, &self.engine, held, waiting, clock, right).await?;
        let Some(write) = &decided.write else { return Ok(decided) };
        bulk::write_to_the_end(&mut tx, write).await?.ok_or(Failure::Lost)?;
        if let Err(failure) = companions(&mut tx, &decided, waiting).await {
            if let (Failure::Companion { .. }, Some(undo)) = (&failure, decided.undo.take()) {
                held.take_back(undo, write);
            }
            return Err(failure);
        }
        match tx.commit().await {
            Ok(()) => {
                held.others_posted = false;
                Ok(decided)
            }
            Err(error) if error.outcome_unknown() => self.settle_unknown(decided, error).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Writes everything that lags, in turn with other hosts, if this is the occasion.
    pub(super) async fn flush_shared(&self, held: &mut Held, occasion: Occasion) -> Result<(), Failure> {
        let lag = super::locked(&held.resident).lag(held.head.mark());
        let least = if occasion == Occasion::Much { self.pace.sweep_among_others / 2 } else { 1 };
        if lag < least.max(1) && occasion != Occasion::End {
            return Ok(());
        }
        in_time(async {
            let (mut tx, moved) = self.turn(held).await?;
            let is_quiet = !moved || occasion != Occasion::Quiet;
            if !is_quiet || super::locked(&held.resident).is_flushed() {
                return Ok(());
            }
            let write = self.lagging(held, ALL_ROWS, held.right_among_others());
            bulk::write_to_the_end(&mut tx, &write).await?.ok_or(Failure::Lost)?;
            tx.commit().await?;
            held.others_posted = false;
            Ok(())
        })
        .await
    }

    /// Waits until the database tells whether a commit was durable. While its transaction is under way, the row is locked.
    async fn settle_unknown(&self, decided: Decided, error: Error) -> Result<Decided, Failure> {
        let Some(write) = &decided.write else { return Ok(decided) };
        let (started, mut pause) = (Instant::now(), PAUSE_MIN);
        while started.elapsed() < self.pace.try_for {
            tracing::warn!(error = &error as &dyn std::error::Error, "posting: the fate of a commit is unknown");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
            let Ok(mut tx) = self.db.begin_here().await else { continue };
            if lease::lock(&mut tx, self.ledger).await.is_ok()
                && let Ok(durable) = self.is_durable(write).await
            {
                return if durable { Ok(decided) } else { Err(Failure::Lost) };
            }
        }
        Err(error.into())
    }

    /// Some rows that lag, and nothing else.
    fn lagging(&self, held: &Held, rows: usize, right: Right) -> Write {
        let behind = super::locked(&held.resident).next(rows, held.head.mark());
        Write {
            ledger: self.ledger,
            epoch: held.epoch,
            right,
            before: held.head,
            after: held.head,
            body: None,
            appended: vec![],
            settled: vec![],
            counts: [0; 3],
            beside: vec![],
            behind,
            began: Instant::now(),
        }
    }

    /// Writes some rows that lag, and nothing else.
    pub(super) async fn flush(&self, held: &mut Held, rows: usize, right: Right) -> Result<Written, Failure> {
        let write = self.lagging(held, rows, right);
        let written = in_time(bulk::write_alone(&self.db, &write, None)).await?.ok_or(Failure::Lost)?;
        if right == Right::Owner {
            self.shared.durable(held.head.seq, &self.db, write.began);
        }
        Ok(written)
    }

    /// Writes everything that lags, and lets the ledger go for others to share.
    pub(super) async fn flush_all(&self, held: &mut Held) -> Result<(), Failure> {
        loop {
            let written = self.flush(held, FLUSH_ROWS, Right::Owner).await?;
            if super::locked(&held.resident).is_flushed() {
                // Nobody waits when the host itself is about to end.
                let on = if written.wanted { SHARE_FOR } else { -1 };
                // From the moment that it is let go others may post.
                self.shared.disown();
                self.flush(held, 0, Right::Shared { on }).await?;
                return Ok(());
            }
        }
    }
}

/// An answer, or that it did not come in time: a database whose machine vanished says nothing, not even that it is gone.
async fn in_time<T, E: From<Error>>(answer: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let silent = || Error::Unavailable(format!("no answer within {} s", ANSWER_MAX.as_secs()).into());
    tokio::time::timeout(ANSWER_MAX, answer).await.unwrap_or_else(|_| Err(silent().into()))
}

/// Runs what must become durable with a batch, for those who were accepted.
async fn companions(tx: &mut Tx, decided: &Decided, waiting: &[Waiting]) -> Result<(), Failure> {
    for place in &decided.accepted {
        for statement in &waiting[*place].companions {
            match tx.execute(statement.sql, statement.values.clone()).await {
                Ok(_) => {}
                Err(Error::Constraint { name }) => {
                    return Err(Failure::Companion { place: *place, constraint: name });
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
