//! The invariants, computed live from the rows. The proof that the rows are what the journal says is `verify.rs`.

use crate::store::{Db, Error, Value};
use const_format::formatcp;
use ledger_core::{LedgerId, Timestamp};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Mutex;

/// One invariant, and how many rows break it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// What must hold.
    pub rule: &'static str,
    /// How many accounts, transfers or records break it; 0 when all is well.
    pub broken: i64,
}

/// The state of a ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Health {
    /// Number of accounts.
    pub accounts: i64,
    /// Transfers that began.
    pub begun: i64,
    /// Transfers whose money moved.
    pub posted: i64,
    /// Transfers that ended without.
    pub ended: i64,
    /// Records in the journal.
    pub records: i64,
    /// Accounts whose balance lies outside of limits that an operator has moved. Allowed, and worth knowing.
    pub outside_limits: i64,
    /// The invariants.
    pub checks: Vec<Check>,
}

impl Health {
    /// Whether every invariant holds.
    pub fn is_sound(&self) -> bool {
        self.checks.iter().all(|check| check.broken == 0)
    }
}

/// Steps that the rows of their accounts do not have yet, because rows are written behind.
const AHEAD: &str = "(select e.account_id, e.change from account_entry e
         join account a on a.ledger_id = e.ledger_id and a.account_id = e.account_id
         where e.ledger_id = $1 and e.position > a.last_position
           and e.position > (select flushed_position from ledger where ledger_id = $1))";

const RULES: [(&str, &str); 6] = [
    (
        "the balances of the ledger sum to zero",
        formatcp!(
            "select count(*) as n from (select sum(balance) as total from account where ledger_id = $1) b,
                    (select coalesce(sum(change), 0) as total from {AHEAD} ahead) a where b.total + a.total <> 0"
        ),
    ),
    (
        "every balance is the sum of what was moved",
        "select count(*) as n from account a
         left join (select e.account_id, sum(e.change) as total from account_entry e
                    join account r on r.ledger_id = e.ledger_id and r.account_id = e.account_id and e.position <= r.last_position
                    where e.ledger_id = $1 group by e.account_id) e
                on e.account_id = a.account_id
         where a.ledger_id = $1 and a.balance <> coalesce(e.total, 0)",
    ),
    (
        "every reservation is the sum of the holds that wait",
        formatcp!(
            "select count(*) as n from account a
             left join (select payer_id, sum(amount) as total from transfer
                        where ledger_id = $1 and pending and step = 2 group by payer_id) o on o.payer_id = a.account_id
             left join (select payee_id, sum(amount) as total from transfer
                        where ledger_id = $1 and pending and step = 2 group by payee_id) i on i.payee_id = a.account_id
             where a.ledger_id = $1 and (a.held_out <> coalesce(o.total, 0) or a.held_in <> coalesce(i.total, 0))
               and a.account_id not in (select account_id from {AHEAD} ahead)"
        ),
    ),
    (
        "every history ends with the account's balance",
        "select count(*) as n from account a
         left join transfer t on t.ledger_id = a.ledger_id and t.position = a.last_position
         where a.ledger_id = $1
           and a.balance <> coalesce(case when t.payer_id = a.account_id then t.payer_balance else t.payee_balance end, 0)",
    ),
    (
        "no posted transfer has moved more than was proposed",
        "select count(*) as n from transfer where ledger_id = $1 and (moved < 0 or moved > amount)",
    ),
    (
        "the journal ends where the ledger says",
        "select count(*) as n from ledger l
         left join journal j on j.ledger_id = l.ledger_id and j.seq = l.head_seq
         where l.ledger_id = $1 and l.head_seq > 0 and (j.hash is null or j.hash <> l.head_hash)",
    ),
];

/// Looks at ledgers for whoever asks, one look at a time: each goes through a whole ledger, and a page that asks again and again would
/// otherwise take all connections. Clones look together.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    last: Arc<Mutex<Option<Look>>>,
}

/// What was seen, and when it was begun to look.
#[derive(Clone, Debug)]
struct Look {
    ledger: LedgerId,
    began: Instant,
    health: Health,
}

impl Looks {
    /// The state of a ledger by a look that began after this was asked: all who came meanwhile share one. It is brought to its end although
    /// whoever asked has gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn health(&self, db: &Db, ledger: LedgerId, now: Timestamp) -> Result<Health, Error> {
        let asked = Instant::now();
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some(look) = last.as_ref().filter(|look| look.ledger == ledger && look.began >= asked) {
            return Ok(look.health.clone());
        }
        let db = db.clone();
        let look = tokio::spawn(async move {
            let began = Instant::now();
            let health = health(&db, ledger, now).await?;
            *last = Some(Look { ledger, began, health: health.clone() });
            Ok(health)
        });
        look.await.map_err(|error| Error::Unavailable(error.into()))?
    }
}

/// Computes the state of a ledger as of one instant of the database. Rows that lag are held against the part of the history that
/// they have.
///
/// # Errors
/// When the database fails.
pub async fn health(db: &Db, ledger: LedgerId, now: Timestamp) -> Result<Health, Error> {
    let mut tx = db.begin_long_read().await?;
    let id = || vec![Value::from(ledger.0)];
    let mut checks = vec![];
    for (rule, sql) in RULES {
        let row = tx.fetch_optional(sql, id()).await?.expect("a count is one row");
        checks.push(Check { rule, broken: row.int("n")? });
    }
    let late = "select count(*) as n from transfer where ledger_id = $1 and pending and expires_at <= $2";
    let late = tx.fetch_optional(late, vec![ledger.0.into(), now.0.into()]).await?.expect("a count is one row");
    checks.push(Check { rule: "nothing waits past its expiry", broken: late.int("n")? });
    let outside = "select count(*) as n from account where ledger_id = $1 and (balance < floor or balance > ceiling)";
    let outside = tx.fetch_optional(outside, id()).await?.expect("a count is one row").int("n")?;
    let counts = "select l.head_seq, l.begun, l.posted, l.ended,
                         (select count(*) from account a where a.ledger_id = l.ledger_id) as accounts
                  from ledger l where l.ledger_id = $1";
    let row = tx.fetch_optional(counts, id()).await?;
    let row = row.ok_or_else(|| Error::Corrupt("there is no such ledger".into()))?;
    Ok(Health {
        accounts: row.int("accounts")?,
        begun: row.int("begun")?,
        posted: row.int("posted")?,
        ended: row.int("ended")?,
        records: row.int("head_seq")?,
        outside_limits: outside,
        checks,
    })
}
