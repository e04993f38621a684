//! Reads up what a mail tells, and to whom it goes: from a row of ids to a letter. Names and texts are cleaned here.

use super::kind::Kind;
use super::message::{Letter, address};
use super::outbox::{Claimed, End, Mail, Recipient};
use super::settings::Settings;
use super::told::{Deal, Event, Party, Told};
use super::{english, matches, swahili, text};
use crate::accounts;
use crate::id_text;
use crate::identity::{Door, Identity, Language};
use crate::parties::{Contact, ContactOf, contacts};
use crate::store::{Db, Error};
use crate::system_clock;
use ledger_core::{AccountId, TransferId, Unit};
use lettre::Address;
use std::collections::HashMap;

/// For how long after one reset nobody is mailed another that did not use it.
const RESET_QUIET_SECONDS: u32 = 120;

/// What reading needs.
pub(super) struct Reader {
    pub(super) db: Db,
    pub(super) identity: Identity,
    pub(super) settings: Settings,
    /// What the ledger counts.
    pub(super) unit: Unit,
}

/// A mail that was read up.
pub(super) enum Read<'r> {
    /// To be sent.
    Letter(Box<Letter<'r>>),
    /// Nothing to be sent.
    End(End),
}

/// Whom a mail goes to.
struct Reached {
    email: String,
    language: Option<Language>,
    /// Of an entity: who it is.
    contact: Option<Contact>,
}

/// What a mail tells, with what its headers need.
struct Worded {
    told: Told,
    reply_to: Option<(String, Address)>,
}

/// Why there is no letter.
enum Stop {
    End(End),
    Store(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Store(error)
    }
}

fn failed<T>(why: &str) -> Result<T, Stop> {
    Err(Stop::End(End::Failed(why.into())))
}

impl Reader {
    /// # Errors
    /// When the database fails.
    pub(super) async fn read(&self, claimed: &Claimed) -> Result<Read<'_>, Error> {
        match self.letter(claimed).await {
            Ok(letter) => Ok(Read::Letter(Box::new(letter))),
            Err(Stop::End(end)) => Ok(Read::End(end)),
            Err(Stop::Store(error)) => Err(error),
        }
    }

    async fn letter(&self, Claimed { mail, attempts, .. }: &Claimed) -> Result<Letter<'_>, Stop> {
        let (reached, worded) = match &mail.recipient {
            Recipient::Administrators => return Err(Stop::End(self.spread(mail).await?)),
            Recipient::Login(login) => self.reset(mail, login).await?,
            recipient => {
                let reached = self.reach(recipient).await?;
                let worded = self.word(mail, &reached).await?;
                (reached, worded)
            }
        };
        // Whoever it was for has left.
        if reached.email.is_empty() {
            return Err(Stop::End(End::Done));
        }
        // What is in the row is kept with its reason; the address itself is where it belongs.
        let Some(to) = address(&reached.email) else {
            return failed("the address is not one that mail can be sent to");
        };
        let language = reached.language.unwrap_or(self.settings.language);
        let content = match language {
            Language::English => english::content(worded.told),
            Language::Swahili => swahili::content(worded.told),
        };
        let resets = matches!(mail.kind, Kind::PasswordReset | Kind::AdministratorPasswordReset);
        Ok(Letter {
            id: mail.id,
            // Each attempt has another token, and only the newest is good: none of them is the other's double.
            version: resets.then_some(*attempts),
            from: &self.settings.from,
            to,
            reply_to: worded.reply_to,
            date: mail.created_at,
            language,
            content,
        })
    }

    /// A mail to all administrators becomes one for each, so that an address that is no good stands in nobody's way.
    async fn spread(&self, mail: &Mail) -> Result<End, Error> {
        let one = |recipient| mail.for_one(recipient);
        let mails: Vec<Mail> = if self.settings.administrators.is_empty() {
            self.identity.administrators().await?.into_iter().map(Recipient::Person).map(one).collect()
        } else {
            self.settings.administrators.iter().cloned().map(Recipient::Address).map(one).collect()
        };
        if mails.is_empty() {
            return Ok(End::Failed("there are no administrators".into()));
        }
        Ok(End::Spread(mails))
    }

    async fn reach(&self, recipient: &Recipient) -> Result<Reached, Stop> {
        let (of, id) = match recipient {
            Recipient::Entity(id) => (ContactOf::Entity, *id),
            Recipient::Account(account) => (ContactOf::Account, account.0),
            Recipient::Person(id) => {
                let Some(person) = self.identity.person(*id).await? else { return failed("there is no such person") };
                return Ok(Reached { email: person.email, language: person.language, contact: None });
            }
            Recipient::Address(address) => {
                return Ok(Reached { email: address.clone(), language: None, contact: None });
            }
            Recipient::Administrators | Recipient::Login(_) => return failed("nobody in particular is meant"),
        };
        let Some(contact) = contacts(&self.db, of, &[id]).await?.pop() else {
            return failed("there is no such entity");
        };
        Ok(Reached { email: contact.email.clone(), language: contact.language, contact: Some(contact) })
    }

    async fn word(&self, mail: &Mail, reached: &Reached) -> Result<Worded, Stop> {
        let event = match mail.kind {
            Kind::Welcome => {
                let number = self.about(mail).await?.account_number;
                return Ok(Worded::of(Told::Welcome { number, site: self.site("") }));
            }
            Kind::SignupNotification => {
                let contact = self.about(mail).await?;
                let (who, email) = (party(&contact), text::one_line(&contact.email));
                return Ok(Worded::of(Told::Signup { who, email, site: self.site("/admin") }));
            }
            Kind::DailyMatch => return self.daily_match(mail).await,
            Kind::TradeContact => {
                let from = self.about(mail).await?;
                let reply_to = address(&from.email).map(|address| (from.name.clone(), address));
                let told = Told::TradeContact { from: party(&from), text: text::cleaned(&mail.body) };
                return Ok(Worded { told, reply_to });
            }
            Kind::TradeContactCopy => {
                let from = party(&self.about(mail).await?);
                let (to, written) = mail.copied();
                let to = contacts(&self.db, ContactOf::Entity, to.as_slice()).await?.first().map(party);
                return Ok(Worded::of(Told::TradeContactCopy { from, to, text: text::cleaned(written) }));
            }
            Kind::BooksOutOfBalance => {
                let broken = mail.body.lines().map(text::one_line).collect();
                return Ok(Worded::of(Told::BooksOutOfBalance { unit: self.unit.code().to_owned(), broken }));
            }
            Kind::PasswordReset | Kind::AdministratorPasswordReset => return failed("it is for nobody who logs in"),
            Kind::TransferInitiated => Event::Initiated,
            Kind::TransferAccepted => Event::Accepted,
            Kind::TransferRejected => Event::Rejected,
            Kind::TransferCancelled => Event::Cancelled,
            Kind::TransferCancelledBySystem => Event::CancelledBySystem,
            Kind::TransferExpired => Event::Expired,
        };
        let (Some(transfer), Some(own)) = (mail.transfer, &reached.contact) else {
            return failed("it names no transfer and account");
        };
        let deal = self.deal(transfer, own).await?;
        Ok(Worded::of(Told::Transfer { event, deal, site: self.site("/transfers") }))
    }

    /// The entity that a mail is about.
    async fn about(&self, mail: &Mail) -> Result<Contact, Stop> {
        let Some(entity) = mail.entity else { return failed("it names no entity") };
        let found = contacts(&self.db, ContactOf::Entity, &[entity]).await?.pop();
        found.map_or_else(|| failed("the entity that it is about is gone"), Ok)
    }

    async fn deal(&self, transfer: TransferId, own: &Contact) -> Result<Deal, Stop> {
        let Some(record) = accounts::transfer(&self.db, own.ledger, transfer).await? else {
            return failed("there is no such transfer");
        };
        let pays = record.payer == own.account;
        let other: AccountId = if pays { record.payee } else { record.payer };
        let Some(other) = contacts(&self.db, ContactOf::Account, &[other.0]).await?.pop() else {
            return failed("the other party of the transfer is gone");
        };
        Ok(Deal {
            pays,
            other: party(&other),
            amount: format!("{} {}", self.unit.format_fixed(record.amount), self.unit.code()),
            description: text::one_line(&record.description),
            reason: text::one_line(&record.reason),
            id: id_text(record.id.0),
        })
    }

    async fn daily_match(&self, mail: &Mail) -> Result<Worded, Stop> {
        let found = matches::from_lines(&mail.body);
        let mut ids: Vec<u128> = found.iter().map(|found| found.entity).collect();
        ids.sort_unstable();
        ids.dedup();
        let parties = contacts(&self.db, ContactOf::Entity, &ids).await?;
        let parties: HashMap<u128, Party> = parties.iter().map(|contact| (contact.entity, party(contact))).collect();
        let (mut offered, mut wanted) = (vec![], vec![]);
        for found in found {
            let Some(party) = parties.get(&found.entity) else { continue };
            let list = if found.offered { &mut offered } else { &mut wanted };
            list.push((text::one_line(&found.tag), party.clone()));
        }
        if offered.is_empty() && wanted.is_empty() {
            return Err(Stop::End(End::Done));
        }
        Ok(Worded::of(Told::DailyMatch { offered, wanted, site: self.site("/entities") }))
    }

    /// A token for whoever logs in with this address; nothing when nobody does.
    async fn reset(&self, mail: &Mail, login: &str) -> Result<(Reached, Worded), Stop> {
        let (door, path) = match mail.kind {
            Kind::PasswordReset => (Door::Member, "/password-reset/"),
            Kind::AdministratorPasswordReset => (Door::Administrator, "/admin/password-reset/"),
            _ => return failed("it is not for who logs in"),
        };
        let life = self.settings.reset_life;
        let expires_at = system_clock().0.saturating_add(i64::try_from(life.as_micros()).unwrap_or(i64::MAX));
        let quiet = self.settings.pace.seconds(RESET_QUIET_SECONDS);
        let Some(reset) = self.identity.issue_reset(mail.id, login, door, expires_at, quiet).await? else {
            return Err(Stop::End(End::Done));
        };
        let told = Told::PasswordReset {
            administrator: door == Door::Administrator,
            link: self.site(&format!("{path}{}", reset.token)),
            token: reset.token,
            minutes: i64::try_from(life.as_secs() / 60).unwrap_or(i64::MAX),
        };
        Ok((Reached { email: reset.email, language: reset.language, contact: None }, Worded::of(told)))
    }

    /// A page of the front end, if its address is known.
    fn site(&self, path: &str) -> Option<String> {
        self.settings.public_url.as_ref().map(|base| format!("{base}{path}"))
    }
}

impl Worded {
    fn of(told: Told) -> Worded {
        Worded { told, reply_to: None }
    }
}

fn party(contact: &Contact) -> Party {
    let (name, number) = (text::one_line(&contact.name), contact.account_number.clone());
    Party { name: if name.is_empty() { number.clone() } else { name }, number }
}
