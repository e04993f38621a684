//! Parties: the entities (businesses, people, associations) that trade, and whose they are. Their money is in `accounts`, how they are found in
//! `directory`.

mod account_number; // what people write on an invoice
mod signup; // a person, an entity and an account at once
mod status; // from pending to trading
mod govern; // what administrators change
mod difference; // what a change changes
mod store; // entities as they are stored
mod holders; // who has which account number
mod contacts; // whom to write to
mod tags; // what they offer and want

pub use account_number::AccountNumber;
pub use contacts::{Contact, ContactOf, contacts};
pub use govern::{Governed, govern};
pub use holders::{Holder, Holders, holders_among};
pub use signup::{SignUp, SignUpError, SignedUp, sign_up};
pub use status::EntityStatus;
pub use store::{
    accounts_of, any, entities_among, entities_of, entities_of_all, entity, names, removal_statements, update,
};
pub use tags::{TAG_LENGTH_MAX, TAGS_MAX, tag_name, tag_names};

use ledger_core::{AccountId, LedgerId};

/// An entity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entity {
    /// Its id.
    pub id: u128,
    /// Whose it is.
    pub person: u128,
    /// 16 digits.
    pub account_number: String,
    /// Where its money is.
    pub ledger: LedgerId,
    /// Its account there.
    pub account: AccountId,
    /// How far it has been admitted.
    pub status: EntityStatus,
    /// What it tells of itself.
    pub details: Details,
    /// What it offers, in its own order.
    pub offers: Vec<String>,
    /// What it wants, in its own order.
    pub wants: Vec<String>,
    /// What administrators put it under.
    pub categories: Vec<String>,
    /// When it first became a trading member, in microseconds since the epoch.
    pub member_since: Option<i64>,
}

/// What an entity tells of itself. Texts are empty when never told.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Details {
    /// Its name.
    pub name: String,
    /// Where notifications go.
    pub email: String,
    /// As typed.
    pub telephone: String,
    /// Kind of company, for example `ltd`.
    pub inc_type: String,
    /// Number in a register.
    pub company_number: String,
    /// Address on the web.
    pub website: String,
    /// In major units of nobody's currency; never computed on.
    pub declared_turnover: Option<i64>,
    /// In its own words.
    pub description: String,
    /// Street.
    pub address: String,
    /// City.
    pub city: String,
    /// Region.
    pub region: String,
    /// Postal code.
    pub postal_code: String,
    /// Country.
    pub country: String,
    /// Show what matched since the last login.
    pub show_tags_matched: bool,
    /// Send a mail a day with what matched.
    pub daily_match_email: bool,
}

/// A change of an entity: what is `None` stays.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Change {
    /// See [`Details`], for all of these.
    pub name: Option<String>,
    /// See [`Details`].
    pub email: Option<String>,
    /// See [`Details`].
    pub telephone: Option<String>,
    /// See [`Details`].
    pub inc_type: Option<String>,
    /// See [`Details`].
    pub company_number: Option<String>,
    /// See [`Details`].
    pub website: Option<String>,
    /// `Some(None)` forgets it.
    pub declared_turnover: Option<Option<i64>>,
    /// See [`Details`].
    pub description: Option<String>,
    /// See [`Details`].
    pub address: Option<String>,
    /// See [`Details`].
    pub city: Option<String>,
    /// See [`Details`].
    pub region: Option<String>,
    /// See [`Details`].
    pub postal_code: Option<String>,
    /// See [`Details`].
    pub country: Option<String>,
    /// See [`Details`].
    pub show_tags_matched: Option<bool>,
    /// See [`Details`].
    pub daily_match_email: Option<bool>,
    /// Replaces all of them.
    pub offers: Option<Vec<String>>,
    /// Replaces all of them.
    pub wants: Option<Vec<String>>,
    /// Replaces all of them.
    pub categories: Option<Vec<String>>,
}
