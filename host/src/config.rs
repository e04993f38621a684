//! Configuration: a file, then the environment, then flags, each over the one before; all checked before anything starts.

mod protection; // what keeps a server up, and guessers out

pub use protection::Protection;

use crate::jobs::DailyTime;
use crate::mail;
use anyhow::{Context, bail};
use clap::Args;
use ledger_core::{Amount, Unit};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// What can be said by flag, by environment, and in the file under the names of the fields.
#[derive(Args, Deserialize, Clone, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// A TOML file with the settings below, for example `listen = "0.0.0.0:8080"`
    #[serde(skip)]
    #[arg(long, global = true, env = "HESABU_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder for the embedded database and the token key [default: data]
    #[arg(long, global = true, env = "HESABU_DATA", value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1:8080]
    #[arg(long, global = true, env = "HESABU_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// postgres://… or sqlite:… [default: SQLite in the data folder]
    #[arg(long, global = true, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// PEM file with the private RSA key that signs tokens; give several hosts the same [default: made in the data folder]
    #[arg(long, global = true, env = "HESABU_TOKEN_KEY", value_name = "FILE")]
    pub token_key: Option<PathBuf>,
    /// Code of the unit that the mutual-credit ledger counts [default: KES-MC]
    #[arg(long, global = true, env = "HESABU_UNIT", value_name = "CODE")]
    pub unit: Option<String>,
    /// Decimals of that unit, 0 to 8 [default: 2]
    #[arg(long, global = true, env = "HESABU_SCALE", value_name = "DECIMALS")]
    pub scale: Option<u8>,
    /// How far a new member may go into credit [default: 500]
    #[arg(long, global = true, env = "HESABU_MAX_POSITIVE_BALANCE", value_name = "AMOUNT")]
    pub max_positive_balance: Option<String>,
    /// How far a new member may go into debt, as a positive number [default: 0]
    #[arg(long, global = true, env = "HESABU_MAX_NEGATIVE_BALANCE", value_name = "AMOUNT")]
    pub max_negative_balance: Option<String>,
    /// Requests that one address may send in a minute, 0 for any number [default: 3000]
    #[arg(long, global = true, env = "HESABU_REQUESTS_PER_MINUTE_BY_ADDRESS", value_name = "NUMBER")]
    pub requests_per_minute_by_address: Option<u32>,
    /// Requests that one person may send in a minute, 0 for any number [default: 1200]
    #[arg(long, global = true, env = "HESABU_REQUESTS_PER_MINUTE_BY_ACCOUNT", value_name = "NUMBER")]
    pub requests_per_minute_by_account: Option<u32>,
    /// Logins, signups and passwords to be reset that one address may send in a minute, 0 for any number [default: 60]
    #[arg(long, global = true, env = "HESABU_LOGINS_PER_MINUTE_BY_ADDRESS", value_name = "NUMBER")]
    pub logins_per_minute_by_address: Option<u32>,
    /// Failed logins that lock an e-mail address out, 0 for never [default: 3]
    #[arg(long, global = true, env = "HESABU_FAILED_LOGINS_MAX", value_name = "NUMBER")]
    pub failed_logins_max: Option<u32>,
    /// For how long [default: 15]
    #[arg(long, global = true, env = "HESABU_LOCKOUT_MINUTES", value_name = "MINUTES")]
    pub lockout_minutes: Option<u32>,
    /// Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, such as `10.0.0.0/8, 192.0.2.7` [default: none]
    #[arg(long, global = true, env = "HESABU_TRUSTED_PROXIES", value_name = "NETWORKS")]
    pub trusted_proxies: Option<String>,
    /// Web pages that may use the API from a browser, such as `https://app.example.org` [default: any]
    #[arg(long, global = true, env = "HESABU_ALLOWED_ORIGINS", value_name = "ORIGINS")]
    pub allowed_origins: Option<String>,
    /// Connections at the same time [default: 4096]
    #[arg(long, global = true, env = "HESABU_CONNECTIONS_MAX", value_name = "NUMBER")]
    pub connections_max: Option<u32>,
    /// Connections of one address at the same time, 0 for any number [default: 512]
    #[arg(long, global = true, env = "HESABU_CONNECTIONS_MAX_BY_ADDRESS", value_name = "NUMBER")]
    pub connections_max_by_address: Option<u32>,
    /// Requests at the same time [default: 1024]
    #[arg(long, global = true, env = "HESABU_REQUESTS_MAX", value_name = "NUMBER")]
    pub requests_max: Option<u32>,
    /// How long a connection may wait for the next request to begin and its head to be there, or for an answer to be taken [default: 75]
    #[arg(long, global = true, env = "HESABU_KEEP_ALIVE", value_name = "SECONDS")]
    pub keep_alive: Option<u32>,
    /// Another address for /metrics, which the first then does not serve [default: the same]
    #[arg(long, global = true, env = "HESABU_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<String>,
    /// OpenTelemetry collector that gets a span of each request by OTLP over HTTP, such as `http://127.0.0.1:4318` [default: none]
    #[arg(long, global = true, env = "HESABU_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// How mails are sent: files (in the data folder), off, smtp://user:password@host:587 or smtps://user:password@host:465 [default: files]
    #[arg(long, global = true, env = "HESABU_MAIL", value_name = "WAY", hide_env_values = true)]
    pub mail: Option<String>,
    /// Who sends them, such as "Hesabu <hesabu@example.org>"; needed for smtp
    #[arg(long, global = true, env = "HESABU_MAIL_FROM", value_name = "SENDER")]
    pub mail_from: Option<String>,
    /// PEM file with more certificates to trust when mails are sent
    #[arg(long, global = true, env = "HESABU_MAIL_CA", value_name = "FILE")]
    pub mail_ca: Option<PathBuf>,
    /// How many mails this host sends in a second at most, 0 for as many as it can [default: 100]
    #[arg(long, global = true, env = "HESABU_MAILS_PER_SECOND", value_name = "NUMBER")]
    pub mails_per_second: Option<u32>,
    /// Addresses that get what administrators are told, with commas between them [default: of all administrators]
    #[arg(long, global = true, env = "HESABU_MAIL_ADMINISTRATORS", value_name = "ADDRESSES")]
    pub mail_administrators: Option<String>,
    /// Administrators get copies of what members write to each other [default: false]
    #[arg(long, global = true, env = "HESABU_MAIL_COPIES", value_name = "BOOL")]
    pub mail_copies: Option<bool>,
    /// Address of the front end that links in mails lead to, such as https://trade.example.org
    #[arg(long, global = true, env = "HESABU_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Language of mails to people who never said which they read: en or sw [default: en]
    #[arg(long, global = true, env = "HESABU_LANGUAGE", value_name = "CODE")]
    pub language: Option<String>,
    /// How long a token that resets a password is good, in minutes [default: 60]
    #[arg(long, global = true, env = "HESABU_RESET_MINUTES", value_name = "MINUTES")]
    pub reset_minutes: Option<u16>,
    /// How many days a transfer waits for an answer before it is cancelled, 0 for ever [default: 30]
    #[arg(long, global = true, env = "HESABU_PENDING_DAYS", value_name = "DAYS")]
    pub pending_days: Option<u32>,
    /// When members are told each day what matches their offers and wants, in UTC [default: 07:00]
    #[arg(long, global = true, env = "HESABU_DIGEST_AT", value_name = "HH:MM")]
    pub digest_at: Option<String>,
    /// For tests: what background work takes for a second, in milliseconds
    #[arg(long, global = true, env = "HESABU_PACE", value_name = "MILLISECONDS", hide = true)]
    pub pace: Option<u16>,
}

/// Settings that were checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder for what is kept beside the database.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Which database.
    pub database_url: String,
    /// Where the token key is, or is made.
    pub token_key: PathBuf,
    /// What the mutual-credit ledger counts.
    pub unit: Unit,
    /// Floor and ceiling of a new member's account.
    pub new_member_limits: (Amount, Amount),
    /// What keeps the server up, and guessers out.
    pub protection: Protection,
    /// Where metrics are served, when it is not where everything is.
    pub metrics_listen: Option<SocketAddr>,
    /// The collector that gets spans.
    pub otlp_endpoint: Option<String>,
    /// How mails are sent.
    pub mail: mail::Settings,
    /// How many days a transfer waits for an answer; 0 for ever.
    pub pending_days: u32,
    /// When the daily digest is made.
    pub digest_at: DailyTime,
}

impl Options {
    /// Reads the file, if one is named, and checks everything.
    ///
    /// # Errors
    /// With a sentence that names the setting and says what it takes.
    pub fn check(self) -> anyhow::Result<Config> {
        let file = match &self.config {
            None => Options::default(),
            Some(path) => config::Config::builder()
                .add_source(config::File::from(path.as_path()).format(config::FileFormat::Toml))
                .build()
                .and_then(config::Config::try_deserialize)
                .with_context(|| format!("the configuration file {} cannot be used", path.display()))?,
        };
        let protection = Protection::check(&self, &file)?;
        let metrics_listen = self.metrics_listen.or(file.metrics_listen);
        let metrics_listen = metrics_listen.map(|text| address("HESABU_METRICS_LISTEN", &text)).transpose()?;
        let otlp_endpoint = self.otlp_endpoint.or(file.otlp_endpoint);
        if let Some(url) = otlp_endpoint.as_ref().filter(|url| !url.starts_with("http://")) {
            bail!("HESABU_OTLP_ENDPOINT={url} is not the address of a collector nearby, such as http://127.0.0.1:4318");
        }
        let data = self.data.or(file.data).unwrap_or_else(|| PathBuf::from("data"));
        let listen = self.listen.or(file.listen).unwrap_or_else(|| "127.0.0.1:8080".into());
        let code = self.unit.or(file.unit).unwrap_or_else(|| "KES-MC".into());
        let scale = self.scale.or(file.scale).unwrap_or(2);
        let Ok(unit) = Unit::new(&code, scale) else {
            bail!(
                "HESABU_UNIT={code} with HESABU_SCALE={scale} is no unit: 1 to 16 of A-Z a-z 0-9 -, and 0 to 8 decimals"
            );
        };
        let limit = |name: &str, given: Option<String>, default: &str| -> anyhow::Result<Amount> {
            let text = given.unwrap_or_else(|| default.into());
            match unit.parse(&text) {
                Ok(amount) if amount >= Amount::ZERO => Ok(amount),
                _ => bail!("{name}={text} is not an amount of {code}: a positive number with up to {scale} decimals"),
            }
        };
        let positive = self.max_positive_balance.or(file.max_positive_balance);
        let negative = self.max_negative_balance.or(file.max_negative_balance);
        let ceiling = limit("HESABU_MAX_POSITIVE_BALANCE", positive, "500")?;
        let floor = limit("HESABU_MAX_NEGATIVE_BALANCE", negative, "0")?.negated();
        let mail = mail::Given {
            mail: self.mail.or(file.mail),
            from: self.mail_from.or(file.mail_from),
            ca: self.mail_ca.or(file.mail_ca),
            per_second: self.mails_per_second.or(file.mails_per_second),
            administrators: self.mail_administrators.or(file.mail_administrators),
            copies: self.mail_copies.or(file.mail_copies),
            public_url: self.public_url.or(file.public_url),
            language: self.language.or(file.language),
            reset_minutes: self.reset_minutes.or(file.reset_minutes),
            pace: self.pace.or(file.pace),
        };
        Ok(Config {
            mail: mail::Settings::check(mail, &data)?,
            pending_days: self.pending_days.or(file.pending_days).unwrap_or(30),
            digest_at: DailyTime::read(self.digest_at.or(file.digest_at).as_deref().unwrap_or("07:00"))?,
            listen: address("HESABU_LISTEN", &listen)?,
            database_url: match self.database_url.or(file.database_url) {
                Some(url) => url,
                None => sqlite_url(&data.join("hesabu.db"))?,
            },
            token_key: self.token_key.or(file.token_key).unwrap_or_else(|| data.join("token-key.pem")),
            data,
            unit,
            new_member_limits: (floor, ceiling),
            protection,
            metrics_listen,
            otlp_endpoint,
        })
    }
}

fn address(name: &str, text: &str) -> anyhow::Result<SocketAddr> {
    text.parse().with_context(|| format!("{name}={text} is not an address and port, such as 127.0.0.1:8080"))
}

/// The address of a SQLite file. In an address, `%` and `?` mean something else than in a path.
fn sqlite_url(path: &Path) -> anyhow::Result<String> {
    let Some(path) = path.to_str() else { bail!("HESABU_DATA must be a path in UTF-8") };
    Ok(format!("sqlite:{}", path.replace('%', "%25").replace('?', "%3f")))
}
