//! A ledger to be measured: opened through the host's own functions, filled with accounts, and proven at the end.
//!
//! The only place of the benches that knows how a batch is handed to posting.

use crate::progress;
use crate::report::grouped;
use crate::scratch;
use crate::workload::{Ids, Payment, account};
use anyhow::{Context, bail, ensure};
use futures_util::future::{MaybeDone, maybe_done};
use hesabu::engine::{COMPONENT, Engine};
use hesabu::posting::{self, Entry, Group, Posting, PostingError};
use hesabu::store::{self, Db};
use hesabu::system_clock;
use ledger_core::{AccountStatus, Amount, BATCH_MAX, Command, LedgerId, OpenAccount, Outcome, Receipt, Unit};
use std::fmt::{Display, Formatter};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

/// The ledger that the server itself would open, so that it can be started on a database that a bench has filled.
const NAME: &str = "mutual-credit";
const UNIT: (&str, u8) = ("KES-MC", 2);

/// How far accounts go either way: so far that no payment of a bench meets it, though every payment is checked.
const LIMIT: i64 = 1_000_000_000_000;

/// One host's view of a ledger with numbered accounts.
#[derive(Clone)]
pub struct Bed {
    /// Where it is kept.
    pub db: Db,
    /// What decides.
    pub engine: Engine,
    /// Where commands are handed in.
    pub posting: Posting,
    /// Which ledger.
    pub ledger: LedgerId,
    /// How many accounts it has, numbered from 0.
    pub accounts: u64,
    /// Of the transfers that are sent.
    pub ids: Ids,
}

/// What was proven of a ledger: all of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proof {
    /// Records of the journal.
    pub records: u64,
    /// Rows of transfers.
    pub steps: u64,
    /// Accounts.
    pub accounts: u64,
}

/// How a batch of payments that have nothing to do with each other is handed in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Each alone, all at once: the lane gathers them.
    Gathered,
    /// In one submission.
    Together,
}

/// The forms that posting offers. [`Form::Together`] joins them when [`submit_all`] is one call of posting's.
pub const FORMS: &[Form] = &[Form::Gathered];

impl Form {
    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Form::Gathered => "sent singly and gathered",
            Form::Together => "sent in one submission",
        }
    }
}

impl Bed {
    /// Opens the ledger in the database at `url`, and those of its first `accounts` accounts that are not there yet.
    pub async fn open(url: &str, accounts: u64) -> anyhow::Result<Bed> {
        let db = Db::open(url).await?;
        store::migrate(&db).await?;
        let engine = load_engine()?;
        let unit = Unit::new(UNIT.0, UNIT.1).ok().context("the unit is one")?;
        let ledger = posting::ensure_ledger(&db, NAME, &unit).await?.id;
        let posting = Posting::new(db.clone(), engine.clone(), Arc::new(system_clock));
        let bed = Bed { db, engine, posting, ledger, accounts, ids: Ids::from_now() };
        bed.open_accounts().await?;
        Ok(bed)
    }

    /// Another host on the same ledger, with connections, lanes and an engine of its own.
    pub async fn beside(&self, url: &str) -> anyhow::Result<Bed> {
        let (db, engine) = (Db::open(url).await?, load_engine()?);
        let posting = Posting::new(db.clone(), engine.clone(), Arc::new(system_clock));
        Ok(Bed { db, engine, posting, ..self.clone() })
    }

    async fn open_accounts(&self) -> anyhow::Result<()> {
        let last = self.accounts.checked_sub(1).map(account);
        if let Some(last) = last
            && posting::account(&self.db, self.ledger, last).await?.is_some()
        {
            return Ok(());
        }
        let limit = Amount::new(LIMIT).context("the limit is an amount")?;
        let numbers: Vec<u64> = (0..self.accounts).collect();
        for (done, chunk) in (0_u64..).zip(numbers.chunks(BATCH_MAX)) {
            if done % 16 == 0 && self.accounts > 100_000 {
                progress::say(&format!("opening {} accounts: {}", self.accounts, chunk.first().unwrap_or(&0)));
            }
            let open = |number: &u64| {
                let (account, floor, ceiling) = (account(*number), limit.negated(), limit);
                let open = OpenAccount { account, floor, ceiling, status: AccountStatus::Open };
                Entry::new(Command::OpenAccount(open), "")
            };
            let group = Group { entries: chunk.iter().map(open).collect(), companions: vec![] };
            let outcomes = self.posting.submit(self.ledger, group).await?;
            ensure!(outcomes.iter().all(Result::is_ok), "an account was refused: {:?}", outcomes.first());
        }
        Ok(())
    }

    /// Hands in independent payments and waits until each is durable.
    ///
    /// # Errors
    /// When any of them is answered otherwise than by a receipt.
    pub async fn submit(&self, form: Form, groups: Vec<Group>) -> anyhow::Result<()> {
        let answers = match form {
            Form::Gathered => {
                let submitted = groups.into_iter().map(|group| self.posting.submit(self.ledger, group));
                all_at_once(submitted.collect()).await
            }
            Form::Together => submit_all(&self.posting, self.ledger, groups).await?,
        };
        for answer in answers {
            for outcome in answer? {
                accepted(&outcome)?;
            }
        }
        Ok(())
    }

    /// Ends the lanes, and proves the whole journal and every row.
    ///
    /// # Errors
    /// When the books are wrong.
    pub async fn prove(&self) -> anyhow::Result<Proof> {
        self.posting.close().await;
        progress::say("proving the books");
        let reports = posting::verify(&self.db, &self.engine, |_, _| {}).await?;
        let [report] = &*reports else { bail!("there are {} ledgers and not one", reports.len()) };
        if let Some(fault) = &report.fault {
            bail!("the books are broken at {}: {}", fault.place, fault.what);
        }
        let posting::Report { records, steps, accounts, .. } = *report;
        Ok(Proof { records: u64::try_from(records)?, steps: u64::try_from(steps)?, accounts: u64::try_from(accounts)? })
    }

    /// Lets go of the database.
    pub async fn close(self) {
        self.posting.close().await;
        self.db.close().await;
    }
}

impl Display for Proof {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        let [records, steps, accounts] = [self.records, self.steps, self.accounts].map(grouped);
        write!(out, "verify: {records} records, {steps} transfer rows and {accounts} accounts proven")
    }
}

/// The ledger component, compiled once for all benches of a run.
pub fn load_engine() -> anyhow::Result<Engine> {
    let folder = scratch::folder("component")?;
    Ok(Engine::load_cached(COMPONENT, &folder)?)
}

/// A payment as posting takes it.
pub fn group(payment: &Payment) -> Group {
    Group::from(Entry::new(payment.command(), ""))
}

/// Independent groups in one submission.
async fn submit_all(
    posting: &Posting,
    ledger: LedgerId,
    groups: Vec<Group>,
) -> Result<Vec<Result<Vec<Outcome>, PostingError>>, PostingError> {
    let submitted = groups.into_iter().map(|group| posting.submit(ledger, group));
    Ok(all_at_once(submitted.collect()).await)
}

fn accepted(outcome: &Outcome) -> anyhow::Result<()> {
    match outcome {
        Ok(Receipt::Transfer(_)) => Ok(()),
        other => bail!("a payment was not accepted: {other:?}"),
    }
}

/// Begins all, and gives what they come to, in the same order.
async fn all_at_once<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut begun: Vec<Pin<Box<MaybeDone<F>>>> =
        futures.into_iter().map(|future| Box::pin(maybe_done(future))).collect();
    poll_fn(|context| {
        for future in &mut begun {
            let _ = future.as_mut().poll(context);
        }
        Poll::Ready(())
    })
    .await;
    let mut outputs = Vec::with_capacity(begun.len());
    for mut future in begun {
        future.as_mut().await;
        outputs.extend(future.as_mut().take_output());
    }
    outputs
}
