//! Fields of requests: which must be there, how long they may be, what they must look like. Collects everything that is
//! wrong, so that a form can show it all at once.

use super::extract::Query;
use super::filters::instant;
use super::problem::Problem;
use super::writing::amount_rule;
use crate::accounts::{AMOUNT_MAX, TEXT_MAX, parse_amount};
use crate::error::Error;
use crate::identity::{PasswordFault, password_faults};
use crate::mail::{ADDRESS_MAX, is_address};
use crate::parties::{Change, EntityStatus, TAG_LENGTH_MAX, TAGS_MAX, tag_names};
use crate::visible::{Lines, is_visible};
use ledger_core::{Amount, Unit};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Everything that is wrong with a request, in the order in which it was found.
#[derive(Default)]
pub(super) struct Faults(Vec<String>);

impl Faults {
    pub(super) fn add(&mut self, message: impl Into<String>) {
        self.0.push(message.into());
    }

    /// A field that must be there.
    pub(super) fn required<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.add(format!("{field} parameter is missing."));
        }
        value
    }

    /// A text of at most `max` characters.
    pub(super) fn length(&mut self, what: &str, text: Option<&String>, max: usize) {
        if text.is_some_and(|text| text.chars().count() > max) {
            self.add(format!("{what} length cannot exceed {max} characters."));
        }
    }

    /// A text that others read, of so many lines: there is nothing in it that they do not see.
    pub(super) fn visible(&mut self, what: &str, text: Option<&String>, lines: Lines) {
        if text.is_some_and(|text| !is_visible(text, lines)) {
            self.add(format!("{what} cannot contain control or invisible characters."));
        }
    }

    /// A text of one line that others read, of at most `max` characters.
    pub(super) fn line(&mut self, what: &str, text: Option<&String>, max: usize) {
        self.length(what, text, max);
        self.visible(what, text, Lines::One);
    }

    /// A description of a transfer, or a reason.
    pub(super) fn text(&mut self, what: &str, text: Option<String>) -> String {
        self.length(what, text.as_ref(), TEXT_MAX);
        self.visible(what, text.as_ref(), Lines::Any);
        text.unwrap_or_default()
    }

    pub(super) fn email(&mut self, text: &str) {
        if text.is_empty() {
            self.add("Email is missing.");
        } else if text.chars().count() > ADDRESS_MAX {
            self.add(format!("Email address length cannot exceed {ADDRESS_MAX} characters."));
        } else if !is_address(text) {
            self.add("Email is invalid.");
        }
    }

    pub(super) fn password(&mut self, text: &str) {
        if text.is_empty() {
            self.add("Password is missing.");
        }
        // One that is missing is not called short as well.
        let short = |fault: &PasswordFault| text.is_empty() && *fault == PasswordFault::TooShort;
        for fault in password_faults(text).into_iter().filter(|fault| !short(fault)) {
            self.add(match fault {
                PasswordFault::TooShort => "Password must be at least 8 characters long.",
                PasswordFault::TooLong => "Password cannot exceed 100 characters.",
                PasswordFault::NoLetter => "Password must have at least one letter.",
                PasswordFault::NoNumber => "Password must have at least one number.",
                PasswordFault::NoSpecial => "Password must have at least one special character.",
            });
        }
    }

    /// The amount of a transfer: a JSON number above zero with no more decimals than the unit has, read from its text.
    pub(super) fn amount(&mut self, value: Option<&RawValue>, unit: &Unit) -> Option<Amount> {
        let text = self.required("amount", value)?.get();
        let amount = parse_amount(text, unit);
        if amount.is_none() {
            self.add(amount_rule(unit));
        }
        amount
    }

    /// A limit of an account: a JSON number, not below zero.
    pub(super) fn limit(&mut self, what: &str, value: Option<&RawValue>, unit: &Unit) -> Option<Amount> {
        let amount = unit.parse(value?.get()).ok().filter(|amount| (0..=AMOUNT_MAX).contains(&amount.minor()));
        if amount.is_none() {
            self.add(format!("The {what} should be positive."));
        }
        amount
    }

    pub(super) fn status(&mut self, word: Option<&str>) -> Option<EntityStatus> {
        let status = EntityStatus::from_word(word?);
        if status.is_none() {
            self.add("Please specify a valid status.");
        }
        status
    }

    /// A point in time in the query, in microseconds since the epoch: RFC 3339, or seconds since the epoch.
    pub(super) fn moment(&mut self, query: &Query, name: &str) -> Option<i64> {
        let text = query.get(name)?;
        let microseconds = instant(text);
        if microseconds.is_none() {
            self.add(format!("{name} must be a date and time such as 2026-11-23T12:00:00Z."));
        }
        microseconds
    }

    fn tags(&mut self, typed: &[String]) -> Vec<String> {
        let names = tag_names(typed);
        if names.len() > TAGS_MAX {
            self.add(format!("You can only specify a maximum of {TAGS_MAX} tags."));
        }
        if names.iter().any(|name| name.chars().count() > TAG_LENGTH_MAX) {
            self.add(format!("Tag length cannot exceed {TAG_LENGTH_MAX} characters."));
        }
        names
    }

    /// Ends the request if anything was wrong.
    pub(super) fn check(&mut self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(std::mem::take(&mut self.0)).into()) }
    }
}

/// The fields of an entity, as every PATCH has them. A member's PATCH refuses what only administrators change.
#[derive(Deserialize, Default, ToSchema)]
#[schema(as = EntityChange)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EntityFields {
    #[schema(max_length = 100)]
    pub(super) name: Option<String>,
    #[schema(format = Email, max_length = 100)]
    pub(super) email: Option<String>,
    #[schema(max_length = 25)]
    pub(super) telephone: Option<String>,
    #[schema(max_length = 25)]
    pub(super) inc_type: Option<String>,
    #[schema(max_length = 20)]
    pub(super) company_number: Option<String>,
    #[schema(max_length = 100)]
    pub(super) website: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<i64>, minimum = 0)]
    pub(super) declared_turnover: Option<Option<i64>>,
    #[schema(max_length = 500)]
    pub(super) description: Option<String>,
    #[schema(max_length = 255)]
    pub(super) address: Option<String>,
    #[schema(max_length = 50)]
    pub(super) city: Option<String>,
    #[schema(max_length = 50)]
    pub(super) region: Option<String>,
    #[schema(max_length = 10)]
    pub(super) postal_code: Option<String>,
    #[schema(max_length = 50)]
    pub(super) country: Option<String>,
    #[serde(rename = "showTagsMatchedSinceLastLogin")]
    pub(super) show_tags_matched: Option<bool>,
    #[serde(rename = "receiveDailyMatchNotificationEmail")]
    pub(super) daily_match_email: Option<bool>,
    pub(super) offers: Option<Vec<String>>,
    pub(super) wants: Option<Vec<String>>,
    /// For administrators, like the next three.
    #[schema(ignore)]
    pub(super) categories: Option<Vec<String>>,
    #[schema(ignore)]
    pub(super) status: Option<String>,
    #[schema(ignore)]
    pub(super) max_positive_balance: Option<Box<RawValue>>,
    #[schema(ignore)]
    pub(super) max_negative_balance: Option<Box<RawValue>>,
    /// Here to be refused with a reason, like the next.
    #[schema(ignore)]
    pub(super) id: Option<Value>,
    #[schema(ignore)]
    pub(super) account_number: Option<Value>,
}

impl EntityFields {
    /// Refuses what nobody can change.
    pub(super) fn refuse_fixed(&self, faults: &mut Faults) {
        if self.id.is_some() {
            faults.add("The entity ID cannot be changed.");
        }
        if self.account_number.is_some() {
            faults.add("The account number cannot be changed.");
        }
    }

    /// Refuses what only administrators change.
    pub(super) fn refuse_governed(&self, faults: &mut Faults) {
        if self.status.is_some() {
            faults.add("The status cannot be changed.");
        }
        if self.categories.is_some() {
            faults.add("The categories can only be changed by an administrator.");
        }
        if self.max_positive_balance.is_some() || self.max_negative_balance.is_some() {
            faults.add("The balance limits can only be changed by an administrator.");
        }
    }

    /// The change that these fields ask for.
    pub(super) fn change(self, faults: &mut Faults) -> Change {
        let texts = [
            ("Entity name", &self.name, 100, Lines::One),
            ("Telephone", &self.telephone, 25, Lines::One),
            ("Incorporation type", &self.inc_type, 25, Lines::One),
            ("Company number", &self.company_number, 20, Lines::One),
            ("Website URL", &self.website, 100, Lines::One),
            ("Description", &self.description, 500, Lines::Any),
            ("Address", &self.address, 255, Lines::Any),
            ("City", &self.city, 50, Lines::One),
            ("Region", &self.region, 50, Lines::One),
            ("Postal code", &self.postal_code, 10, Lines::One),
            ("Country", &self.country, 50, Lines::One),
        ];
        for (what, text, max, lines) in texts {
            faults.length(what, text.as_ref(), max);
            faults.visible(what, text.as_ref(), lines);
        }
        if let Some(email) = &self.email {
            faults.email(email);
        }
        if self.declared_turnover.flatten().is_some_and(|turnover| turnover < 0) {
            faults.add("Declared turnover should be a positive number.");
        }
        Change {
            name: self.name,
            email: self.email,
            telephone: self.telephone,
            inc_type: self.inc_type,
            company_number: self.company_number,
            website: self.website,
            declared_turnover: self.declared_turnover,
            description: self.description,
            address: self.address,
            city: self.city,
            region: self.region,
            postal_code: self.postal_code,
            country: self.country,
            show_tags_matched: self.show_tags_matched,
            daily_match_email: self.daily_match_email,
            offers: self.offers.map(|typed| faults.tags(&typed)),
            wants: self.wants.map(|typed| faults.tags(&typed)),
            // However many: there are only those that administrators made.
            categories: self.categories.map(|typed| tag_names(&typed)),
        }
    }
}

/// Tells a field that is `null` (`Some(None)`) from one that is not there (`None`).
pub(super) fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
