//! The keys that sign tokens: RS256, made at first start, or given so that several hosts share them.

use anyhow::{Context, bail};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use uuid::Uuid;

/// Tokens whose signature is remembered to be good. Each takes about 100 bytes; at this number they are all forgotten.
const GOOD_MAX: usize = 65_536;

/// A pair of keys.
pub struct TokenKeys {
    sign: EncodingKey,
    check: DecodingKey,
    /// What tokens say whose signature was checked before, by the SHA-256 of the whole token: checking one takes longer than
    /// everything else that a small request does. Whether its session still stands is asked every time.
    good: Mutex<HashMap<[u8; 32], Said>>,
}

/// What a good token says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Said {
    pub(super) session: u128,
    pub(super) person: u128,
    pub(super) administrator: bool,
    /// Seconds since the epoch.
    expires: i64,
}

/// What a token says. Public names are the document's.
#[derive(Serialize, Deserialize)]
pub(super) struct Claims {
    /// Seconds since the epoch.
    pub(super) exp: i64,
    pub(super) iat: i64,
    /// The session.
    pub(super) jti: String,
    #[serde(rename = "userID")]
    pub(super) user_id: String,
    pub(super) admin: bool,
}

impl TokenKeys {
    /// The keys in a PEM file (PKCS #8, RSA of 2048 bits or more); if it does not exist, they are made and put there,
    /// readable by the owner only.
    ///
    /// # Errors
    /// When the file cannot be read or made, or is something else.
    pub fn load_or_make(path: &Path) -> anyhow::Result<TokenKeys> {
        match std::fs::read_to_string(path) {
            Ok(text) => TokenKeys::from_pem(&text),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let der: Pkcs8V1Der<'_> = KeyPair::generate(KeySize::Rsa2048)?.as_der()?;
                let text = pem::encode(&pem::Pem::new("PRIVATE KEY", der.as_ref()));
                // Another process may have been faster: then its keys count.
                match write_secret(path, &text) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    written => written?,
                }
                TokenKeys::from_pem(&std::fs::read_to_string(path)?)
            }
            Err(error) => Err(error.into()),
        }
        .with_context(|| format!("the token key {} cannot be used", path.display()))
    }

    fn from_pem(text: &str) -> anyhow::Result<TokenKeys> {
        let private = pem::parse(text)?;
        if private.tag() != "PRIVATE KEY" {
            bail!("it is not a PKCS #8 private key in PEM form (-----BEGIN PRIVATE KEY-----)");
        }
        let pair = KeyPair::from_pkcs8(private.contents()).context("it is not an RSA key of 2048 bits or more")?;
        Ok(TokenKeys {
            sign: EncodingKey::from_rsa_pem(text.as_bytes())?,
            check: DecodingKey::from_rsa_der(pair.public_key().as_ref()),
            good: Mutex::default(),
        })
    }

    pub(super) fn sign(&self, claims: &Claims) -> anyhow::Result<String> {
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &self.sign)?)
    }

    /// What a token says, if it was signed with these keys and has not expired `now`, in seconds since the epoch.
    pub(super) fn check(&self, token: &str, now: i64) -> Option<Said> {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let known = self.good().get(&digest).copied();
        let said = match known {
            Some(said) => said,
            None => {
                let said = self.check_signature(token)?;
                let mut good = self.good();
                if good.len() >= GOOD_MAX {
                    good.clear();
                }
                good.insert(digest, said);
                said
            }
        };
        Some(said).filter(|said| now < said.expires)
    }

    /// No other algorithm is accepted.
    fn check_signature(&self, token: &str) -> Option<Said> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = 0;
        let claims: Claims = jsonwebtoken::decode(token, &self.check, &validation).ok()?.claims;
        let id = |text: &str| Uuid::parse_str(text).ok().map(|id| id.as_u128());
        Some(Said {
            session: id(&claims.jti)?,
            person: id(&claims.user_id)?,
            administrator: claims.admin,
            expires: claims.exp,
        })
    }

    fn good(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Said>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a file that only its owner can read, all of it or nothing, and never over another.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let unique = path.with_extension(format!("{}.new", crate::id_text(crate::mint_id())));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unique)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&unique, path);
    std::fs::remove_file(&unique)?;
    linked
}
