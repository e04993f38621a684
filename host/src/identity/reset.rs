//! Passwords that were forgotten: a token that is good once, for a while, and at one door. It is nowhere but in the mail; here is its hash.

use super::{Door, Identity, Language, cleared};
use crate::audit::{Act, Action};
use crate::store::{Error, Statement, Value};
use crate::system_clock;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::time::Duration;

/// Whom a reset was made out to.
#[derive(Clone, PartialEq, Eq)]
pub struct Reset {
    /// What opens the door once: 256 random bits, in hexadecimal.
    pub token: String,
    /// Where it goes: as typed at signup.
    pub email: String,
    /// The language that they read.
    pub language: Option<Language>,
}

impl Door {
    const fn is_administrators(self) -> bool {
        matches!(self, Door::Administrator)
    }
}

impl Identity {
    /// A token for whoever logs in with this address at this door; none when nobody does. `mail` is the request that it answers, and
    /// grows with time: the tokens of earlier ones are void from now on, and when a later one was answered already, or this one's token was
    /// used, there is none either. Nor is there one so shortly after another that was not used: whoever asks in somebody else's name again and again
    /// would keep them from ever using one. It is logged, once for each request.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issue_reset(
        &self,
        mail: u128,
        address: &str,
        door: Door,
        expires_at: i64,
        quiet: Duration,
    ) -> Result<Option<Reset>, Error> {
        let administrator = door.is_administrators();
        let mut tx = self.db.begin().await?;
        // First the person, and in a way that keeps others from it: should the address be given to somebody else meanwhile, that also ends
        // this token, or it is not made.
        let sql = "update person set email = email where email_key = $1 and deleted_at is null
                   returning person_id, email, language, administrator";
        let row = tx.fetch_optional(sql, vec![super::email_key(address).into()]).await?;
        let Some(row) = row else { return Ok(None) };
        // An administrator's password opens their door: it is not changed by the members'.
        if administrator != row.bool("administrator")? {
            return Ok(None);
        }
        let (person, token) = (row.id("person_id")?, random_token());
        let mut values: Vec<Value> =
            vec![person.into(), administrator.into(), mail.into(), hash(&token).into(), expires_at.into()];
        let again = "update password_reset set token_hash = $4, expires_at = $5
                     where person_id = $1 and administrator = $2 and mail_id = $3 and used_at is null";
        if tx.execute(again, values.clone()).await? == 0 {
            let sql = "insert into password_reset (person_id, administrator, mail_id, token_hash, expires_at)
                       values ($1, $2, $3, $4, $5)
                       on conflict (person_id, administrator) do update
                       set mail_id = excluded.mail_id, token_hash = excluded.token_hash, expires_at = excluded.expires_at, used_at = null
                       where password_reset.mail_id < excluded.mail_id and (password_reset.used_at is not null or password_reset.mail_id < $6)";
            values.push(earlier(mail, quiet).into());
            if tx.execute(sql, values).await? == 0 {
                return Ok(None);
            }
            Act::by(person, Action::ResetRequested).at(door).write(&mut tx).await?;
        }
        let language = Language::stored(&row)?;
        tx.commit().await?;
        Ok(Some(Reset { token, email: row.text("email")?, language }))
    }

    /// Gives whoever this token was made out to another password, and ends all their sessions: whether there was such a person. The token and
    /// every other one of theirs is void then.
    ///
    /// # Errors
    /// When the database or hashing fails.
    pub async fn reset_password(&self, token: &str, door: Door, password: String) -> anyhow::Result<bool> {
        let administrator = door.is_administrators();
        let sql = "select 1 as one from password_reset
                   where token_hash = $1 and administrator = $2 and used_at is null and expires_at > $3";
        let good = vec![hash(token).into(), administrator.into(), system_clock().0.into()];
        // Hashing is expensive: what is certain to fail does not get that far.
        if self.db.fetch_optional(sql, good).await?.is_none() {
            return Ok(false);
        }
        let password_hash = self.hasher.hash(password).await?;
        let mut tx = self.db.begin().await?;
        let now = system_clock().0;
        // First the person: so does everybody who changes one, and nobody waits for each other.
        let change = "update person set password_hash = $2 where deleted_at is null
                      and person_id = (select person_id from password_reset where token_hash = $1)";
        if tx.execute(change, vec![hash(token).into(), password_hash.into()]).await? == 0 {
            return Ok(false);
        }
        let sql = "update password_reset set used_at = $3
                   where token_hash = $1 and administrator = $2 and used_at is null and expires_at > $3
                   returning person_id, (select email from person p where p.person_id = password_reset.person_id) as email";
        let used = tx.fetch_optional(sql, vec![hash(token).into(), administrator.into(), now.into()]).await?;
        let Some(used) = used else { return Ok(false) };
        let person = used.id("person_id")?;
        let sessions = "update session set revoked_at = $2 where person_id = $1 and revoked_at is null";
        tx.execute(sessions, vec![person.into(), now.into()]).await?;
        let others = "delete from password_reset where person_id = $1 and token_hash <> $2";
        tx.execute(others, vec![person.into(), hash(token).into()]).await?;
        // Whoever reads the mail is who they say: they need not wait for the end of a lock.
        let Statement { sql, values } = cleared(&used.text("email")?);
        tx.execute(sql, values).await?;
        Act::by(person, Action::PasswordChanged).at(door).saying("by mail").write(&mut tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Everybody who may log in at the administrators' door.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn administrators(&self) -> Result<Vec<u128>, Error> {
        let sql = "select person_id from person where administrator order by person_id";
        self.db.fetch_all(sql, vec![]).await?.iter().map(|row| row.id("person_id")).collect()
    }
}

/// The least id that is made so long before this one. Ids begin with the milliseconds of their time (RFC 9562, section 5.7).
fn earlier(mail: u128, by: Duration) -> u128 {
    (mail >> 80).saturating_sub(by.as_millis()) << 80
}

fn random_token() -> String {
    rand::random::<[u8; 32]>().iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes what is written to it");
        text
    })
}

/// What is stored of a token. It is looked for by this, so the time that takes says nothing about the token.
fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}
