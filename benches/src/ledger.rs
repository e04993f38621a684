//! A ledger to be measured: opened through the host's own functions, filled with accounts, and proven at the end.
//!
//! The only place of the benches that knows how a batch is handed to posting.

use crate::progress;
use crate::report::grouped;
use crate::scratch;
use crate::workload::{Ids, Payment, account};
use anyhow::{Context, bail, ensure};
use hesabu::engine::{COMPONENT, Engine};
use hesabu::posting::{self, Entry, Posting};
use hesabu::store::{self, Db};
use hesabu::{id_text, system_clock};
use ledger_core::{
    AccountStatus, Amount, BATCH_MAX, Command, Direction, LedgerId, OpenAccount, Outcome, Period, Receipt, SetWindow,
    Unit, UtcOffset,
};
use std::fmt::{Display, Formatter};
use std::sync::Arc;

/// The ledger that the server itself would open, so that it can be started on a database that a bench has filled.
const NAME: &str = "mutual-credit";
const UNIT: (&str, u8) = ("KES-MC", 2);

/// Who sends the keys.
const SENDER: u128 = 1;

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

/// What the payments of a batch bring. The lane makes their ids in either case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Each has an idempotency key: all that posting does.
    Keyed,
    /// None has.
    Unkeyed,
}

/// Both, the whole one first.
pub const FORMS: [Form; 2] = [Form::Keyed, Form::Unkeyed];

impl Form {
    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Form::Keyed => "a key each",
            Form::Unkeyed => "no keys",
        }
    }

    /// A payment as posting takes it. Its key is a text that only this payment has, as a client would send it.
    pub fn entry(self, payment: &Payment) -> Entry {
        let key = (self == Form::Keyed).then(|| posting::key(SENDER, &id_text(payment.id)));
        Entry::new(payment.command(), "").with_key(key).minted()
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
            && self.posting.account(self.ledger, last).await?.is_some()
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
            let outcomes = self.posting.submit_batch(self.ledger, chunk.iter().map(open).collect()).await?;
            ensure!(outcomes.iter().all(Result::is_ok), "an account was refused: {:?}", outcomes.first());
        }
        Ok(())
    }

    /// Gives every account windows of a day and a month, both ways, that no bench comes to the end of.
    pub async fn limit_accounts(&self) -> anyhow::Result<()> {
        let most = Amount::new(LIMIT).context("the limit is an amount")?;
        let windows = [Direction::Out, Direction::In].into_iter().flat_map(|direction| {
            [Period::Day, Period::Month].into_iter().map(move |period| SetWindow {
                account: account(0),
                direction,
                period,
                max_amount: Some(most),
                max_count: None,
                offset: UtcOffset::UTC,
            })
        });
        let windows: Vec<SetWindow> = windows.collect();
        let all = (0..self.accounts)
            .flat_map(|number| windows.iter().map(move |window| SetWindow { account: account(number), ..*window }));
        let entries: Vec<Entry> = all.map(|window| Entry::new(Command::SetWindow(window), "")).collect();
        for chunk in entries.chunks(BATCH_MAX) {
            let outcomes = self.posting.submit_batch(self.ledger, chunk.to_vec()).await?;
            ensure!(outcomes.iter().all(Result::is_ok), "a window was refused: {:?}", outcomes.first());
        }
        Ok(())
    }

    /// Hands in a batch and waits until it is durable.
    ///
    /// # Errors
    /// When anything in it is answered otherwise than by a receipt.
    pub async fn submit(&self, batch: Vec<Entry>) -> anyhow::Result<()> {
        self.posting.submit_batch(self.ledger, batch).await?.iter().try_for_each(accepted)
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

fn accepted(outcome: &Outcome) -> anyhow::Result<()> {
    match outcome {
        Ok(Receipt::Transfer(_)) => Ok(()),
        other => bail!("a payment was not accepted: {other:?}"),
    }
}
