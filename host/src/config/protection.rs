//! The settings that keep a server up and guessers out.

use super::Options;
use crate::identity::Lockout;
use crate::limits::{Proxies, Rates};
use anyhow::{anyhow, bail};
use std::time::Duration;

/// Settings that were checked.
#[derive(Clone, Debug)]
pub struct Protection {
    /// How much one client may ask.
    pub rates: Rates,
    /// How often one may guess.
    pub lockout: Lockout,
    /// Who is believed about whom they speak for.
    pub proxies: Proxies,
    /// The web pages that may use the API; any, when there is no list.
    pub origins: Option<Vec<String>>,
    /// Connections at the same time.
    pub connections_max: usize,
    /// Connections of one address at the same time; 0 for any number.
    pub connections_max_by_address: usize,
    /// Requests at the same time.
    pub requests_max: usize,
    /// How long a connection may wait for the next request and its head, or for its client to take some of an answer.
    pub keep_alive: Duration,
}

impl Protection {
    pub(super) fn check(given: &Options, file: &Options) -> anyhow::Result<Protection> {
        let number = |of: fn(&Options) -> Option<u32>, default: u32| of(given).or(of(file)).unwrap_or(default);
        let list = |of: fn(&Options) -> Option<&String>| of(given).or(of(file)).map_or("", String::as_str);
        let positive = |name: &str, of: fn(&Options) -> Option<u32>, default: u32| match number(of, default) {
            0 => bail!("{name}=0 would serve nobody: give a positive number"),
            number => Ok(number),
        };
        let most = |name: &str, of: fn(&Options) -> Option<u32>, default: u32| -> anyhow::Result<usize> {
            Ok(usize::try_from(positive(name, of, default)?)?)
        };
        let proxies = Proxies::parse(list(|options| options.trusted_proxies.as_ref()));
        let origins: Vec<String> = list(|options| options.allowed_origins.as_ref())
            .split([',', ' '])
            .filter(|origin| !origin.is_empty())
            .map(origin)
            .collect::<anyhow::Result<_>>()?;
        Ok(Protection {
            rates: Rates {
                by_address: number(|options| options.requests_per_minute_by_address, 3_000),
                doors_by_address: number(|options| options.logins_per_minute_by_address, 60),
                by_account: number(|options| options.requests_per_minute_by_account, 1_200),
            },
            lockout: Lockout {
                failures: number(|options| options.failed_logins_max, Lockout::default().failures),
                minutes: positive(
                    "HESABU_LOCKOUT_MINUTES",
                    |options| options.lockout_minutes,
                    Lockout::default().minutes,
                )?,
            },
            proxies: proxies.map_err(|part| {
                anyhow!("HESABU_TRUSTED_PROXIES: {part} is no address or network, such as 10.0.0.0/8")
            })?,
            origins: Some(origins).filter(|origins| !origins.is_empty()),
            connections_max: most("HESABU_CONNECTIONS_MAX", |options| options.connections_max, 4_096)?,
            connections_max_by_address: usize::try_from(number(|options| options.connections_max_by_address, 512))?,
            requests_max: most("HESABU_REQUESTS_MAX", |options| options.requests_max, 1_024)?,
            keep_alive: Duration::from_secs(positive("HESABU_KEEP_ALIVE", |options| options.keep_alive, 75)?.into()),
        })
    }
}

/// Scheme and host, as browsers send it.
fn origin(text: &str) -> anyhow::Result<String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_host = |host: &str| !host.is_empty() && !host.contains(['/', '*', '?', '#', '@']) && host.is_ascii();
    match host {
        Some(host) if is_host(host) => Ok(text.to_ascii_lowercase()),
        _ => bail!("HESABU_ALLOWED_ORIGINS: {text} is no origin, such as https://app.example.org"),
    }
}
