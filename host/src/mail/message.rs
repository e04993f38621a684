//! From a content to a mail as it travels: headers, and the same text twice, plain and as HTML.

use super::content::Content;
use super::text::one_line;
use crate::id_text;
use crate::identity::Language;
use crate::visible::{Lines, is_visible};
use email_address::{EmailAddress, Options};
use lettre::Address;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use std::time::{Duration, SystemTime};

/// A mail with all that its envelope and its headers say.
pub(super) struct Letter<'l> {
    /// Names the mail for ever: at each attempt the same, so that whoever gets it twice can see that.
    pub(super) id: u128,
    /// Distinguishes contents that were made under one id; none where the content is always the same.
    pub(super) version: Option<i64>,
    pub(super) from: &'l Mailbox,
    pub(super) to: Address,
    /// Name and address of whom an answer goes to, if not to the sender.
    pub(super) reply_to: Option<(String, Address)>,
    /// When it was added, in microseconds since the epoch.
    pub(super) date: i64,
    pub(super) language: Language,
    pub(super) content: Content,
}

/// Says to machines that no human wrote this, so that they do not answer (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<AutoSubmitted, Box<dyn std::error::Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(AutoSubmitted::name(), "auto-generated".into())
    }
}

impl Letter<'_> {
    /// # Errors
    /// When the library does not accept it.
    pub(super) fn message(self) -> Result<Message, lettre::error::Error> {
        let Letter { id, version, from, to, reply_to, date, language, content } = self;
        let (id, domain) = (id_text(id), from.email.domain());
        let id = version.map_or_else(|| id.clone(), |version| format!("{id}.{version}"));
        let since_epoch = Duration::from_micros(u64::try_from(date).unwrap_or_default());
        let mut message = Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(one_line(&content.subject))
            .date(SystemTime::UNIX_EPOCH + since_epoch)
            .message_id(Some(format!("<{id}@{domain}>")));
        message = match reply_to {
            Some((name, address)) => message.reply_to(Mailbox::new(Some(one_line(&name)), address)),
            None => message.header(AutoSubmitted),
        };
        message.multipart(MultiPart::alternative_plain_html(content.plain(), content.html(language.code())))
    }
}

/// Characters of the address that somebody may have here.
pub const ADDRESS_MAX: usize = 100;

/// Whether a text can be the address of a person or an entity: it is one and nothing else, without a name before it, and can be mailed to.
pub fn is_address(text: &str) -> bool {
    let options = Options::default().without_display_text();
    text.chars().count() <= ADDRESS_MAX
        && EmailAddress::parse_with_options(text, options).is_ok()
        && is_visible(text, Lines::One)
        && address(text).is_some()
}

/// The address that a text is, if mail can be sent to it.
pub(super) fn address(text: &str) -> Option<Address> {
    // Quoted parts may have spaces in them, which no server needs and some read as the end.
    text.parse().ok().filter(|_| !text.contains(|c: char| c.is_whitespace() || c.is_control() || "<>".contains(c)))
}
