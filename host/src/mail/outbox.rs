//! What is to be sent, as it is stored: added beside what it tells of, claimed by one host at a time, gone when it has been sent.

use super::kind::Kind;
use super::matches::{Match, to_lines};
use crate::audit::Act;
use crate::identity::Door;
use crate::store::{Db, Error, Row, Statement, Tx, Value};
use crate::{mint_id, system_clock};
use ledger_core::{AccountId, TransferId};
use uuid::Uuid;

/// Adds mails: the statement before its rows. For many at once see [`Tx::insert`].
pub const INSERT_HEAD: &str = "insert into mail (mail_id, kind, recipient, recipient_id, address, transfer_id, entity_id, body, created_at, due_at)";
/// Values of each row.
pub const INSERT_WIDTH: usize = 10;
/// Which of them is the transfer's id: for whoever learns it when the transfer is decided.
pub const INSERT_TRANSFER: usize = 5;

/// Characters of an error that are kept.
const ERROR_MAX: usize = 500;

/// A mail that is to be sent: what it tells, and to whom. It is worded when it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mail {
    pub(super) id: u128,
    pub(super) kind: Kind,
    pub(super) recipient: Recipient,
    pub(super) transfer: Option<TransferId>,
    /// What it is about, or who wrote it.
    pub(super) entity: Option<u128>,
    pub(super) body: String,
    /// In microseconds since the epoch.
    pub(super) created_at: i64,
}

/// Whom a mail is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Recipient {
    Entity(u128),
    /// The entity that has this account.
    Account(AccountId),
    Person(u128),
    /// Each of them gets one of their own.
    Administrators,
    Address(String),
    /// Whoever logs in with this address, if there is anybody.
    Login(String),
}

impl Mail {
    fn new(kind: Kind, recipient: Recipient) -> Mail {
        let (transfer, entity, body) = (None, None, String::new());
        Mail { id: mint_id(), kind, recipient, transfer, entity, body, created_at: system_clock().0 }
    }

    fn of_transfer(kind: Kind, transfer: TransferId, to: AccountId) -> Mail {
        Mail { transfer: Some(transfer), ..Mail::new(kind, Recipient::Account(to)) }
    }

    /// Welcome, to an entity that has joined, and word of it to administrators.
    pub fn of_signup(entity: u128) -> [Mail; 2] {
        let welcome = Mail::new(Kind::Welcome, Recipient::Entity(entity));
        let notification = Mail::new(Kind::SignupNotification, Recipient::Administrators);
        [welcome, notification].map(|mail| Mail { entity: Some(entity), ..mail })
    }

    /// What one entity writes to another.
    pub fn trade_contact(from: u128, to: u128, text: &str) -> Mail {
        Mail { entity: Some(from), body: text.into(), ..Mail::new(Kind::TradeContact, Recipient::Entity(to)) }
    }

    /// The same for administrators to see. A row has one entity that it is about, and that is who wrote: whom it went to is the first line.
    pub fn trade_contact_copy(from: u128, to: u128, text: &str) -> Mail {
        let mail = Mail::new(Kind::TradeContactCopy, Recipient::Administrators);
        Mail { entity: Some(from), body: format!("{}\n{text}", Uuid::from_u128(to).simple()), ..mail }
    }

    /// Whom it went to, and what was written, of a copy. A row of a version before says nothing of the first.
    pub(super) fn copied(&self) -> (Option<u128>, &str) {
        let to = self.body.split_once('\n').and_then(|(to, text)| Some((Uuid::parse_str(to).ok()?, text)));
        to.map_or((None, &self.body), |(to, text)| (Some(to.as_u128()), text))
    }

    /// To the account that has to answer a transfer.
    pub fn transfer_initiated(transfer: TransferId, receiver: AccountId) -> Mail {
        Mail::of_transfer(Kind::TransferInitiated, transfer, receiver)
    }

    /// To the account whose proposal was accepted.
    pub fn transfer_accepted(transfer: TransferId, initiator: AccountId) -> Mail {
        Mail::of_transfer(Kind::TransferAccepted, transfer, initiator)
    }

    /// To the account whose proposal was rejected. The reason is read with the transfer.
    pub fn transfer_rejected(transfer: TransferId, initiator: AccountId) -> Mail {
        Mail::of_transfer(Kind::TransferRejected, transfer, initiator)
    }

    /// To the account that need not answer any more. The reason is read with the transfer.
    pub fn transfer_cancelled(transfer: TransferId, receiver: AccountId) -> Mail {
        Mail::of_transfer(Kind::TransferCancelled, transfer, receiver)
    }

    /// To both accounts of a transfer that a limit has cancelled. The reason is read with the transfer.
    pub fn transfer_cancelled_by_system(transfer: TransferId, parties: [AccountId; 2]) -> [Mail; 2] {
        parties.map(|party| Mail::of_transfer(Kind::TransferCancelledBySystem, transfer, party))
    }

    /// To both accounts of a transfer that nobody answered in time.
    pub fn transfer_expired(transfer: TransferId, parties: [AccountId; 2]) -> [Mail; 2] {
        parties.map(|party| Mail::of_transfer(Kind::TransferExpired, transfer, party))
    }

    /// To whoever logs in with this address at this door; to nobody when nobody does. Nothing is read to add it, so that it takes as long for
    /// an address that nobody has.
    pub fn password_reset(address: &str, door: Door) -> Mail {
        let kind = match door {
            Door::Member => Kind::PasswordReset,
            Door::Administrator => Kind::AdministratorPasswordReset,
        };
        Mail::new(kind, Recipient::Login(address.into()))
    }

    /// What others have that an entity looks for, and the other way round.
    pub fn daily_match(entity: u128, matches: &[Match]) -> Mail {
        Mail { body: to_lines(matches), ..Mail::new(Kind::DailyMatch, Recipient::Entity(entity)) }
    }

    /// To administrators: what is wrong with the books, a rule in each line.
    pub fn books_out_of_balance(broken: String) -> Mail {
        Mail { body: broken, ..Mail::new(Kind::BooksOutOfBalance, Recipient::Administrators) }
    }

    /// The same mail for one of its recipients.
    pub(super) fn for_one(&self, recipient: Recipient) -> Mail {
        Mail { id: mint_id(), recipient, ..self.clone() }
    }

    /// A row of values, for [`INSERT_HEAD`].
    pub fn into_values(self) -> [Value; INSERT_WIDTH] {
        let is_reset = self.kind.is_reset();
        let (word, id, address) = match self.recipient {
            Recipient::Entity(id) => ("entity", Some(id), None),
            Recipient::Account(account) => ("account", Some(account.0), None),
            Recipient::Person(id) => ("person", Some(id), None),
            Recipient::Administrators => ("administrators", None, None),
            Recipient::Address(address) => ("address", None, Some(address)),
            Recipient::Login(address) => ("login", None, Some(address)),
        };
        [
            self.id.into(),
            self.kind.word().into(),
            word.into(),
            Value::Id(id),
            address.into(),
            Value::Id(self.transfer.map(|transfer| transfer.0)),
            Value::Id(self.entity),
            self.body.into(),
            self.created_at.into(),
            // Somebody waits for a reset, and would wait for all the mails of a digest: it is due before everything else.
            if is_reset { 0 } else { self.created_at }.into(),
        ]
    }

    /// The statement that adds it.
    pub fn into_statement(self) -> Statement {
        let sql = const_format::concatcp!(INSERT_HEAD, " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
        Statement { sql, values: self.into_values().to_vec() }
    }
}

/// A mail that this host is sending.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Claimed {
    pub(super) mail: Mail,
    /// How often it was claimed, this time included.
    pub(super) attempts: i64,
    due_at: i64,
}

/// What became of a mail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// It was taken, or there is nobody to tell it to: it goes.
    Done,
    /// It was not tried: whoever claims it next does.
    Untried,
    /// One for each of these instead.
    Spread(Vec<Mail>),
    /// To be tried again from then on, and why.
    Later(i64, String),
    /// Never to be tried again, and why.
    Failed(String),
}

/// Adds mails that somebody sends, and nothing else happens; logged as `act`.
///
/// # Errors
/// When the database fails.
pub async fn add(db: &Db, mails: Vec<Mail>, act: &Act) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    insert(&mut tx, mails).await?;
    act.write(&mut tx).await?;
    tx.commit().await
}

/// Adds the mail that gives whoever logs in with this address at this door another password. Who that is, if anybody, is known when it is
/// sent, and it is logged then.
///
/// # Errors
/// When the database fails.
pub async fn ask_for_reset(db: &Db, address: &str, door: Door) -> Result<(), Error> {
    let Statement { sql, values } = Mail::password_reset(address, door).into_statement();
    db.execute(sql, values).await.map(drop)
}

/// Adds mails in a transaction.
///
/// # Errors
/// When the database fails.
pub async fn insert(tx: &mut Tx, mails: Vec<Mail>) -> Result<(), Error> {
    let values = mails.into_iter().flat_map(Mail::into_values).collect();
    tx.insert(INSERT_HEAD, INSERT_WIDTH, values, "").await
}

/// When the oldest mail was added that still has to be sent, in microseconds since the epoch; none when there is none.
///
/// # Errors
/// When the database fails.
pub async fn oldest_unsent(db: &Db) -> Result<Option<i64>, Error> {
    // In the order of ids, which is about that of times: what was given up is passed over. An index without it would be one more page that each
    // transfer waits for.
    let sql = "select created_at from mail where failed_at is null order by mail_id limit 1";
    db.fetch_optional(sql, vec![]).await?.map(|row| row.int("created_at")).transpose()
}

/// Claims up to `limit` mails that are due, until `until`.
pub(super) async fn claim(db: &Db, now: i64, until: i64, limit: i64) -> Result<Vec<Claimed>, Error> {
    // A look first: to find nothing must not wait for whoever writes.
    let due = "select 1 as one from mail
               where due_at <= $1 and failed_at is null and (claimed_until is null or claimed_until < $1) limit 1";
    if db.fetch_optional(due, vec![now.into()]).await?.is_none() {
        return Ok(vec![]);
    }
    // The condition stands there twice: PostgreSQL asks it again of a row that another host had locked, and not the inner query.
    let sql = "update mail set claimed_until = $2, attempts = attempts + 1
               where mail_id in (select mail_id from mail
                                 where due_at <= $1 and failed_at is null and (claimed_until is null or claimed_until < $1)
                                 order by due_at limit $3)
                 and due_at <= $1 and failed_at is null and (claimed_until is null or claimed_until < $1)
               returning mail_id, kind, recipient, recipient_id, address, transfer_id, entity_id, body, created_at, due_at, attempts";
    let mut tx = db.begin().await?;
    let rows = tx.fetch_all(sql, vec![now.into(), until.into(), limit.into()]).await?;
    tx.commit().await?;
    // What a newer host has added, and only such a one can read, must not stop what this one can.
    let readable = |row: &Row| {
        let told = |error: &Error| tracing::error!(error = error as &dyn std::error::Error, "a mail cannot be read");
        claimed(row).inspect_err(told).ok()
    };
    let mut claimed: Vec<Claimed> = rows.iter().filter_map(readable).collect();
    // What has failed comes after what was not tried yet: else the same few could be tried again and again.
    claimed.sort_by_key(|claimed| claimed.due_at);
    Ok(claimed)
}

fn claimed(row: &Row) -> Result<Claimed, Error> {
    let corrupt = || Error::Corrupt("a mail is of a kind, or for somebody, that this program does not know".into());
    let (id, address) = (row.optional_id("recipient_id")?, row.optional_text("address")?);
    let recipient = match (row.text("recipient")?.as_str(), id, address) {
        ("entity", Some(id), _) => Recipient::Entity(id),
        ("account", Some(id), _) => Recipient::Account(AccountId(id)),
        ("person", Some(id), _) => Recipient::Person(id),
        ("administrators", ..) => Recipient::Administrators,
        ("address", _, Some(address)) => Recipient::Address(address),
        ("login", _, Some(address)) => Recipient::Login(address),
        _ => return Err(corrupt()),
    };
    let mail = Mail {
        id: row.id("mail_id")?,
        kind: Kind::from_word(&row.text("kind")?).ok_or_else(corrupt)?,
        recipient,
        transfer: row.optional_id("transfer_id")?.map(TransferId),
        entity: row.optional_id("entity_id")?,
        body: row.text("body")?,
        created_at: row.int("created_at")?,
    };
    Ok(Claimed { mail, attempts: row.int("attempts")?, due_at: row.int("due_at")? })
}

/// Forgets up to `limit` mails that are due, for a host that sends none, and tells how many.
pub(super) async fn forget_due(db: &Db, now: i64, limit: i64) -> Result<u64, Error> {
    let sql = "delete from mail
               where mail_id in (select mail_id from mail where due_at <= $1 and failed_at is null order by due_at limit $2)";
    db.execute(sql, vec![now.into(), limit.into()]).await
}

/// Stores what became of mails, all at once. A mail that another host has claimed since is that host's. What the database refuses to store
/// keeps no other mail from being stored: it is left to the end of its lease.
pub(super) async fn finish(db: &Db, ended: &[(Claimed, End)]) -> Result<(), Error> {
    match finish_together(db, ended).await {
        Ok(()) => return Ok(()),
        Err(error @ (Error::Retry(_) | Error::Unavailable(_))) => return Err(error),
        // One of them cannot be stored, and it is not said which.
        Err(_) => {}
    }
    for one in ended {
        match finish_together(db, std::slice::from_ref(one)).await {
            Ok(()) => {}
            Err(error @ (Error::Retry(_) | Error::Unavailable(_))) => return Err(error),
            Err(error) => {
                let (id, error) = (crate::id_text(one.0.mail.id), &error as &dyn std::error::Error);
                tracing::error!(
                    id,
                    error,
                    "what became of a mail cannot be stored: it is tried again when its lease ends"
                );
            }
        }
    }
    Ok(())
}

async fn finish_together(db: &Db, ended: &[(Claimed, End)]) -> Result<(), Error> {
    if ended.is_empty() {
        return Ok(());
    }
    // Nearly all are done at the first attempt, and go together.
    let (done, others): (Vec<_>, Vec<_>) = ended.iter().partition(|(c, end)| c.attempts == 1 && *end == End::Done);
    let done: Vec<Value> = done.iter().map(|(claimed, _)| claimed.mail.id.into()).collect();
    let mut tx = db.begin().await?;
    if !done.is_empty() {
        tx.execute_among("delete from mail where attempts = $1 and mail_id", &[1_i64.into()], &done).await?;
    }
    for (Claimed { mail, attempts, .. }, end) in others {
        let mut values: Vec<Value> = vec![mail.id.into(), (*attempts).into()];
        let sql = match end {
            End::Done | End::Spread(_) => "delete from mail where mail_id = $1 and attempts = $2",
            End::Untried => "update mail set claimed_until = null where mail_id = $1 and attempts = $2",
            End::Later(due, why) => {
                values.extend([Value::from(*due), reason(why)]);
                "update mail set claimed_until = null, due_at = $3, last_error = $4 where mail_id = $1 and attempts = $2"
            }
            End::Failed(why) => {
                values.extend([Value::from(system_clock().0), reason(why)]);
                "update mail set claimed_until = null, failed_at = $3, last_error = $4, body = '' where mail_id = $1 and attempts = $2"
            }
        };
        let changed = tx.execute(sql, values).await?;
        if let End::Spread(mails) = end
            && changed > 0
        {
            insert(&mut tx, mails.clone()).await?;
        }
    }
    tx.commit().await
}

/// As much of an error as is kept. Servers may say anything in it, also what no database takes for text.
fn reason(why: &str) -> Value {
    why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(ERROR_MAX).collect::<String>().into()
}

/// Forgets up to `limit` mails that were given up before `before`, and tells how many.
///
/// # Errors
/// When the database fails.
pub async fn forget_failed(db: &Db, before: i64, limit: i64) -> Result<u64, Error> {
    let sql =
        "delete from mail where mail_id in (select mail_id from mail where failed_at < $1 order by mail_id limit $2)";
    db.execute(sql, vec![before.into(), limit.into()]).await
}
