//! How mails are sent, from whom, to which administrators, and where their links lead: read from texts, and checked before anything starts.

use crate::identity::Language;
use anyhow::{Context, bail};
use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;
use url::Url;

/// What was said about mails; none where nothing was.
#[derive(Clone, Default)]
pub struct Given {
    /// `files`, `off`, or the address of a server.
    pub mail: Option<String>,
    /// The sender.
    pub from: Option<String>,
    /// A file with certificates.
    pub ca: Option<PathBuf>,
    /// How many mails a second, 0 for as many as can be sent.
    pub per_second: Option<u32>,
    /// Addresses, with commas between them.
    pub administrators: Option<String>,
    /// Whether administrators get copies.
    pub copies: Option<bool>,
    /// Where a front end is.
    pub public_url: Option<String>,
    /// `en` or `sw`.
    pub language: Option<String>,
    /// How long a reset is good, in minutes.
    pub reset_minutes: Option<u16>,
    /// What a second is, in milliseconds: for tests.
    pub pace: Option<u16>,
}

/// How mails are sent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where they go; none for nowhere.
    pub(super) way: Option<Way>,
    /// The sender.
    pub(super) from: Mailbox,
    /// How many mails this host sends in a second: a server that sends them on would refuse more sooner or later, and what is posted
    /// meanwhile needs the same disk. None: as many as it can.
    per_second: Option<NonZeroU32>,
    /// Who gets what administrators are told; empty for all people who are administrators.
    pub(super) administrators: Vec<String>,
    /// Whether administrators get a copy of what members write to each other.
    pub copies: bool,
    /// Where a front end is, without a slash at its end.
    pub(super) public_url: Option<String>,
    /// The language of those who never said which they read.
    pub(super) language: Language,
    /// How long the token that resets a password is good.
    pub(super) reset_life: Duration,
    /// What waits, in background work, waits for a multiple of this.
    pub pace: Pace,
}

/// The time that background work takes for a second. Servers keep the default; a test does not wait so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace(Duration);

impl Pace {
    /// So many seconds.
    pub fn seconds(self, count: u32) -> Duration {
        self.0.saturating_mul(count)
    }

    /// The same, in microseconds.
    pub fn micros(self, count: u32) -> i64 {
        i64::try_from(self.seconds(count).as_micros()).unwrap_or(i64::MAX)
    }
}

/// Where mails go.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// Into files in this folder.
    Files(PathBuf),
    /// To a server that sends them on.
    Smtp(Box<Server>),
}

/// A server that takes mails.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) credentials: Option<Credentials>,
    /// More certificates to trust, in PEM.
    pub(super) ca: Option<Vec<u8>>,
}

/// How a connection is kept from being read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS from the command STARTTLS on, and nothing is sent without.
    StartTls,
    /// Not at all: for a relay on the same machine.
    Plain,
}

impl fmt::Debug for Server {
    /// Without the password.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Server")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("security", &self.security)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Checks what was said. Files go into the folder `mail` of `data`.
    ///
    /// # Errors
    /// With a sentence that names the setting and says what it takes; never with a password.
    pub fn check(given: Given, data: &Path) -> anyhow::Result<Settings> {
        let way = match given.mail.as_deref().unwrap_or("files") {
            "files" => Some(Way::Files(data.join("mail"))),
            "off" => None,
            address => Some(Way::Smtp(Box::new(server(address, given.ca.as_deref())?))),
        };
        let from = match (given.from, &way) {
            (Some(text), _) => text.parse().map_err(|_| {
                anyhow::anyhow!("HESABU_MAIL_FROM={text} is not a sender, such as Hesabu <hesabu@example.org>")
            })?,
            (None, Some(Way::Smtp(_))) => {
                bail!("HESABU_MAIL_FROM is missing: who sends the mails, such as Hesabu <hesabu@example.org>")
            }
            (None, _) => Mailbox::new(Some("Hesabu".into()), Address::new_dangerous("hesabu", "localhost")),
        };
        let administrators: Vec<String> = given
            .administrators
            .iter()
            .flat_map(|list| list.split(','))
            .map(|address| address.trim().to_owned())
            .filter(|address| !address.is_empty())
            .collect();
        if let Some(wrong) = administrators.iter().find(|text| text.parse::<Address>().is_err()) {
            bail!("HESABU_MAIL_ADMINISTRATORS has {wrong}, which is not an e-mail address");
        }
        let language = given.language.as_deref().unwrap_or("en");
        Ok(Settings {
            way,
            from,
            per_second: NonZeroU32::new(given.per_second.unwrap_or(100)),
            administrators,
            copies: given.copies.unwrap_or_default(),
            public_url: given.public_url.as_deref().map(public_url).transpose()?,
            language: Language::from_code(language)
                .with_context(|| format!("HESABU_LANGUAGE={language} is not a language of this program: en or sw"))?,
            reset_life: Duration::from_secs(60 * u64::from(given.reset_minutes.unwrap_or(60).max(1))),
            pace: Pace(Duration::from_millis(given.pace.unwrap_or(1_000).max(1).into())),
        })
    }
}

impl Settings {
    /// How many of `most` mails may be sent at a time: no more than in a second.
    pub(super) fn at_a_time(&self, most: u32) -> u32 {
        self.per_second.map_or(most, |rate| rate.get().min(most))
    }

    /// How long so many mails take at least.
    pub(super) fn time_of(&self, mails: usize) -> Duration {
        let mails = u32::try_from(mails).unwrap_or(u32::MAX);
        self.per_second.map_or(Duration::ZERO, |rate| Duration::from_secs(1) * mails / rate.get())
    }
}

fn public_url(text: &str) -> anyhow::Result<String> {
    let good = Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !good || text.contains(|c: char| c.is_whitespace() || c.is_control() || "?#\"<>".contains(c)) {
        bail!("HESABU_PUBLIC_URL={text} is not the address of a site, such as https://trade.example.org");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// Reads the address of a server. What is wrong with it is told without it: it has a password.
fn server(address: &str, ca: Option<&Path>) -> anyhow::Result<Server> {
    let wrong =
        "HESABU_MAIL is neither files, nor off, nor smtp://user:password@host:587 or smtps://user:password@host:465";
    let url = Url::parse(address).ok().context(wrong)?;
    let host = url.host_str().filter(|host| !host.is_empty()).context(wrong)?.to_owned();
    let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    let (security, port) = match (url.scheme(), tls.as_deref()) {
        ("smtps", None) => (Security::Tls, 465),
        ("smtp", None | Some("required")) => (Security::StartTls, 587),
        ("smtp", Some("none")) => (Security::Plain, 25),
        ("smtp", Some(_)) => bail!("HESABU_MAIL takes ?tls=required, which is the default, or ?tls=none"),
        _ => bail!(wrong),
    };
    let text = |part: &str| {
        let decoded = percent_decode_str(part).decode_utf8().ok();
        decoded.map(Cow::into_owned).context("HESABU_MAIL has a user or password that is no text")
    };
    let credentials = match (url.username(), url.password()) {
        ("", None) => None,
        (user, password) => Some(Credentials::new(text(user)?, text(password.unwrap_or_default())?)),
    };
    if credentials.is_some() && security == Security::Plain {
        bail!("HESABU_MAIL has a password and ?tls=none: a password is not sent where others can read it");
    }
    let ca =
        ca.map(|path| std::fs::read(path).with_context(|| format!("HESABU_MAIL_CA={} cannot be read", path.display())));
    Ok(Server { host, port: url.port().unwrap_or(port), security, credentials, ca: ca.transpose()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(mail: &str) -> anyhow::Result<Settings> {
        let (mail, from) = (Some(mail.into()), Some("Hesabu <hesabu@example.org>".into()));
        Settings::check(Given { mail, from, ..Given::default() }, Path::new("data"))
    }

    #[test]
    fn addresses_of_servers_are_read() {
        let cases = [
            ("smtp://mail.example.org", "mail.example.org", 587, Security::StartTls, None),
            ("smtp://u:p@mail.example.org:25", "mail.example.org", 25, Security::StartTls, Some(("u", "p"))),
            ("smtps://u%40x:p%2F%3a@h:1", "h", 1, Security::Tls, Some(("u@x", "p/:"))),
            ("smtps://mail.example.org", "mail.example.org", 465, Security::Tls, None),
            ("smtp://localhost:2525?tls=none", "localhost", 2525, Security::Plain, None),
        ];
        for (address, host, port, security, credentials) in cases {
            let Some(Way::Smtp(server)) = of(address).unwrap().way else { panic!("{address}") };
            assert_eq!((&*server.host, server.port, server.security), (host, port, security), "{address}");
            let credentials = credentials.map(|(user, password)| Credentials::new(user.into(), password.into()));
            assert_eq!(server.credentials, credentials, "{address}");
        }
        assert!(of("off").unwrap().way.is_none());
        assert!(matches!(of("files").unwrap().way, Some(Way::Files(folder)) if folder == Path::new("data/mail")));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_password() {
        let wrong = [
            "smtp://u:secret@h?tls=none",
            "smtp://u:secret@h?tls=maybe",
            "http://u:secret@h",
            "smtp:u:secret@h",
            "smtps://u:secret@h?tls=none",
            "smtp://u:secret%ff@h",
            "u:secret@h",
        ];
        for address in wrong {
            let error = format!("{:#}", of(address).unwrap_err());
            assert!(error.starts_with("HESABU_MAIL ") && !error.contains("secret"), "{address}: {error}");
        }
        let settings = of("smtp://someone:secret@h").unwrap();
        assert!(!format!("{settings:?}").contains("secret"), "{settings:?}");
    }

    #[test]
    fn sites_and_senders_are_checked() {
        for site in ["trade.example.org", "ftp://example.org", "https://", "https://x.org/?a=b", "https://x.org/ y"] {
            public_url(site).unwrap_err();
        }
        assert_eq!(public_url("https://trade.example.org/app/").unwrap(), "https://trade.example.org/app");
        let given = |from: Option<&str>| Given {
            mail: Some("smtp://h".into()),
            from: from.map(String::from),
            ..Given::default()
        };
        for from in [None, Some("nobody"), Some("A <a@b.org>\r\nBcc: <c@d.org>")] {
            Settings::check(given(from), Path::new("data")).unwrap_err();
        }
    }
}
