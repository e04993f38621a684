//! Sessions: a token opens a door for a day, or until its owner logs out.

use super::lockout::cleared;
use super::token::Claims;
use super::{Identity, PASSWORD_MAX, email_key};
use crate::audit::{self, Act, Action};
use crate::store::{Error, Question, Statement, Tx, Value};
use crate::{id_text, mint_id, system_clock};

/// Characters of an e-mail address, as far as a log keeps one that nobody has.
const EMAIL_MAX: usize = 100;

/// How long a token is good: the document says 24 hours.
const LIFETIME_SECONDS: i64 = 24 * 60 * 60;
const MICROSECONDS: i64 = 1_000_000;

/// Which door somebody knocks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    /// For everybody.
    Member,
    /// For administrators.
    Administrator,
}

/// Somebody who has shown a good token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Session {
    /// The session itself.
    pub id: u128,
    /// Whose it is.
    pub person: u128,
    /// Whether it opens the administrators' doors.
    pub administrator: bool,
}

impl Session {
    /// The door that it opens.
    pub const fn door(&self) -> Door {
        if self.administrator { Door::Administrator } else { Door::Member }
    }
}

/// A session that was not revoked, as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    session: Session,
    /// In microseconds since the epoch.
    expires_at: i64,
}

/// Which sessions stand.
pub(super) const SESSIONS: Question<u128, Standing> = Question {
    head: "select session_id, person_id, administrator, expires_at from session where session_id",
    tail: " and revoked_at is null",
    read: |row| {
        let id = row.id("session_id")?;
        let session = Session { id, person: row.id("person_id")?, administrator: row.bool("administrator")? };
        Ok((id, Standing { session, expires_at: row.int("expires_at")? }))
    },
};

/// A new session.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// To be shown with every request.
    pub token: String,
    /// The login before this one, in microseconds since the epoch.
    pub last_login_at: Option<i64>,
    /// Where it came from.
    pub last_login_ip: Option<String>,
}

/// Why somebody is not let in. Whether they exist is no part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoginRefused {
    /// The password is wrong, or the door is not theirs.
    Wrong,
    /// Too many were wrong: nobody is let in by this address for so many minutes since.
    Locked {
        /// As configured, whatever is left of them.
        minutes: u32,
    },
}

impl Identity {
    /// A token for the person of this address, if the password is right and the door is theirs. The answer takes as long, and says as much,
    /// whether the person does not exist or the password is wrong.
    ///
    /// # Errors
    /// When the database or hashing fails.
    pub async fn log_in(
        &self,
        email: &str,
        password: String,
        door: Door,
        address: &str,
    ) -> anyhow::Result<Result<Login, LoginRefused>> {
        let (identity, email, address) = (self.clone(), email.to_owned(), address.to_owned());
        // To its end, also when whoever asked has gone: an attempt that nobody judged would count as a failure.
        let judged = tokio::spawn(async move { identity.judge(&email, password, door, &address).await });
        judged.await?
    }

    async fn judge(
        &self,
        email: &str,
        password: String,
        door: Door,
        address: &str,
    ) -> anyhow::Result<Result<Login, LoginRefused>> {
        let locked = LoginRefused::Locked { minutes: self.failures.minutes() };
        let Some(attempt) = self.failures.attempt(&self.db, email).await? else {
            // Each one, so that who looks sees how long it went on: it costs a row, as every failure does, and as many come from one client as
            // its rate lets through.
            self.log_failure(email, door, "locked").await?;
            return Ok(Err(locked));
        };
        match self.try_log_in(email, password, door, address).await {
            Ok(Some(login)) => return Ok(Ok(login)),
            Ok(None) => {}
            Err(error) => {
                self.failures.give_back(&self.db, email).await;
                return Err(error);
            }
        }
        self.failures.tidy(&self.db).await;
        self.log_failure(email, door, "").await?;
        Ok(Err(if attempt.is_last { locked } else { LoginRefused::Wrong }))
    }

    async fn try_log_in(
        &self,
        email: &str,
        password: String,
        door: Door,
        address: &str,
    ) -> anyhow::Result<Option<Login>> {
        let sql = "select person_id, password_hash, administrator, login_at, login_ip from person where email_key = $1";
        let row = self.db.fetch_optional(sql, vec![email_key(email).into()]).await?;
        let hash = row.as_ref().map(|row| row.text("password_hash")).transpose()?;
        // What no password can be is not worth hashing, and says nothing about whose it would have been.
        let right = password.chars().count() <= PASSWORD_MAX && self.hasher.matches(password, hash).await?;
        let Some(row) = row.filter(|_| right) else { return Ok(None) };
        let administrator = door == Door::Administrator;
        if administrator && !row.bool("administrator")? {
            return Ok(None);
        }
        let person = row.id("person_id")?;
        let (token, session) = self.begin_session(person, administrator)?;
        let mut tx = self.db.begin().await?;
        // First the person: so does everybody who changes one or takes one away, and nobody who has the person's row waits for another of theirs.
        let sql =
            "update person set previous_login_at = login_at, previous_login_ip = login_ip, login_at = $2, login_ip = $3
                   where person_id = $1 and password_hash = $4";
        let hash = row.text("password_hash")?;
        let standing =
            tx.execute(sql, vec![person.into(), system_clock().0.into(), address.into(), hash.into()]).await?;
        // The password was changed while this one was being compared.
        if standing == 0 {
            return Ok(None);
        }
        tx.execute(session.sql, session.values).await?;
        let expired = "delete from session where person_id = $1 and expires_at < $2";
        tx.execute(expired, vec![person.into(), system_clock().0.into()]).await?;
        let cleared = cleared(email);
        tx.execute(cleared.sql, cleared.values).await?;
        Act::by(person, Action::LoggedIn).at(door).saying(address).write(&mut tx).await?;
        tx.commit().await?;
        Ok(Some(Login {
            token,
            last_login_at: row.optional_int("login_at")?,
            last_login_ip: row.optional_text("login_ip")?,
        }))
    }

    /// Logs that somebody was not let in. A stranger is told by what they typed, if it can be an address: it may be a password by mistake.
    async fn log_failure(&self, email: &str, door: Door, why: &str) -> Result<(), Error> {
        let known = "select person_id from person where email_key = $1";
        let act = match self.db.fetch_optional(known, vec![email_key(email).into()]).await? {
            Some(row) => Act::by(row.id("person_id")?, Action::LoginFailed),
            None if email.len() <= EMAIL_MAX && email.contains('@') => Act::by_stranger(email, Action::LoginFailed),
            None => Act::by_nobody(Action::LoginFailed),
        };
        audit::log(&self.db, &act.at(door).saying(why)).await
    }

    /// A token, and the statement that makes it good.
    ///
    /// # Errors
    /// When signing fails.
    pub fn begin_session(&self, person: u128, administrator: bool) -> anyhow::Result<(String, Statement)> {
        let (id, now) = (mint_id(), system_clock().0);
        let seconds = now / MICROSECONDS;
        let claims = Claims {
            exp: seconds + LIFETIME_SECONDS,
            iat: seconds,
            jti: id_text(id),
            user_id: id_text(person),
            admin: administrator,
        };
        let statement = Statement {
            sql: "insert into session (session_id, person_id, administrator, created_at, expires_at) values ($1, $2, $3, $4, $5)",
            values: vec![
                id.into(),
                person.into(),
                administrator.into(),
                now.into(),
                (claims.exp * MICROSECONDS).into(),
            ],
        };
        Ok((self.keys.sign(&claims)?, statement))
    }

    /// Whose token this is, if it is good: signed here, not expired, not revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Session>, Error> {
        let now = system_clock().0;
        let Some(said) = self.keys.check(token, now / MICROSECONDS) else { return Ok(None) };
        let standing = self.sessions.find(vec![said.session]).await?.pop().flatten();
        let session = Session { id: said.session, person: said.person, administrator: said.administrator };
        // The signature vouches for what the token says already; it and the row were written together.
        let agrees = |standing: &Standing| standing.session == session && standing.expires_at > now;
        Ok(standing.filter(agrees).map(|standing| standing.session))
    }

    /// Gives somebody another password. Every session of theirs but this one ends, and every reset that was mailed is void: who changes a
    /// password may do so because somebody else has come to know it. False: the session has ended meanwhile, or an administrator's password
    /// was to be changed with a token that opens the members' door only.
    ///
    /// # Errors
    /// When the database or hashing fails.
    pub async fn change_password(&self, session: Session, password: String) -> anyhow::Result<bool> {
        let hash = self.hasher.hash(password).await?;
        let mut tx = self.db.begin().await?;
        let change = "update person set password_hash = $2 where person_id = $1 and deleted_at is null and ($3 or not administrator)";
        let values = vec![session.person.into(), hash.into(), session.administrator.into()];
        let changed = tx.execute(change, values).await? == 1;
        // The token was good when the request began, which may take its time. Asked now that the row is held, and by a statement of its own,
        // this is answered by what whoever held it before has done.
        let standing = "select 1 as one from session where session_id = $1 and revoked_at is null and expires_at > $2";
        let stands = tx.fetch_optional(standing, vec![session.id.into(), system_clock().0.into()]).await?.is_some();
        if !changed || !stands {
            return Ok(false);
        }
        end_sessions(&mut tx, session.person, Some(session.id)).await?;
        Act::by(session.person, Action::PasswordChanged).at(session.door()).write(&mut tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends a session: its token is dead at once, on every host.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn log_out(&self, session: Session) -> Result<(), Error> {
        let mut tx = self.db.begin().await?;
        let sql = "update session set revoked_at = $2 where session_id = $1 and revoked_at is null";
        if tx.execute(sql, vec![session.id.into(), system_clock().0.into()]).await? > 0 {
            Act::by(session.person, Action::LoggedOut).at(session.door()).write(&mut tx).await?;
        }
        tx.commit().await
    }
}

/// Ends every session of a person, but for this one, and voids the resets that they were mailed: no way in stays open that somebody else may
/// have come to know. The person's row is held.
pub(super) async fn end_sessions(tx: &mut Tx, person: u128, but: Option<u128>) -> Result<(), Error> {
    let sessions = "update session set revoked_at = $3
                    where person_id = $1 and ($2 is null or session_id <> $2) and revoked_at is null";
    tx.execute(sessions, vec![person.into(), Value::Id(but), system_clock().0.into()]).await?;
    tx.execute("delete from password_reset where person_id = $1", vec![person.into()]).await.map(drop)
}
