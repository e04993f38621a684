//! Passwords: what a good one has, and how it is kept. Wording is each surface's.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The fewest characters of a password.
pub const PASSWORD_MIN: usize = 8;
/// The most characters of a password: enough for a sentence, and a bound for what is hashed.
pub const PASSWORD_MAX: usize = 100;

/// Hashes at the same time: each takes 19 MiB and a core for 17 ms (a release build, measured), and the cores have other work.
const HASHES_MAX: usize = 2;

/// What a password lacks, in the order in which it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasswordFault {
    /// Shorter than [`PASSWORD_MIN`] characters.
    TooShort,
    /// Longer than [`PASSWORD_MAX`] characters.
    TooLong,
    /// No letter of any script.
    NoLetter,
    /// No digit.
    NoNumber,
    /// Nothing but letters and digits.
    NoSpecial,
}

/// Everything that a password lacks.
pub fn password_faults(password: &str) -> Vec<PasswordFault> {
    let length = password.chars().count();
    let lacks = [
        (length < PASSWORD_MIN, PasswordFault::TooShort),
        (length > PASSWORD_MAX, PasswordFault::TooLong),
        (!password.chars().any(char::is_alphabetic), PasswordFault::NoLetter),
        (!password.chars().any(char::is_numeric), PasswordFault::NoNumber),
        (password.chars().all(char::is_alphanumeric), PasswordFault::NoSpecial),
    ];
    lacks.into_iter().filter(|(lacking, _)| *lacking).map(|(_, fault)| fault).collect()
}

/// Argon2id with the crate's defaults (19 MiB, two passes), away from the async threads and only a few at a time.
#[derive(Clone)]
pub(super) struct Hasher {
    turns: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Hasher {
        Hasher { turns: Arc::new(Semaphore::new(HASHES_MAX)) }
    }
}

impl Hasher {
    /// The hash of a password in PHC form, with a salt of its own.
    pub(super) async fn hash(&self, password: String) -> anyhow::Result<String> {
        self.beside(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|error| anyhow::anyhow!("hashing failed: {error}"))
        })
        .await?
    }

    /// Whether a password is the one of this hash. Without a hash it takes as long and says no, so that the time does
    /// not tell whether somebody exists.
    pub(super) async fn matches(&self, password: String, hash: Option<String>) -> anyhow::Result<bool> {
        self.beside(move || match hash {
            Some(hash) => Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok(),
            None => {
                drop(Argon2::default().hash_password(password.as_bytes()));
                false
            }
        })
        .await
    }

    async fn beside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.expect("the semaphore is never closed");
        // The turn goes with the work: who hangs up meanwhile does not make room before the work is done.
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        Ok(tokio::task::spawn_blocking(work).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told() {
        use PasswordFault::*;
        assert_eq!(password_faults("Test321321$$"), []);
        assert_eq!(password_faults("pässwörd1!"), []);
        assert_eq!(password_faults(""), [TooShort, NoLetter, NoNumber, NoSpecial]);
        assert_eq!(password_faults("password1"), [NoSpecial]);
        assert_eq!(password_faults(&"a1!".repeat(34)), [TooLong]);
    }

    /// Whoever stops waiting does not make room: else clients that hang up could have any number of hashes made at once.
    #[tokio::test]
    async fn a_turn_lasts_as_long_as_its_work() {
        let hasher = Hasher::default();
        let (work, done) = std::sync::mpsc::channel::<()>();
        let waits = hasher.beside(move || done.recv().is_err());
        assert!(tokio::time::timeout(std::time::Duration::from_millis(50), waits).await.is_err());
        assert_eq!(hasher.turns.available_permits(), HASHES_MAX - 1);
        drop(work);
        drop(hasher.turns.acquire_many(u32::try_from(HASHES_MAX).unwrap()).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_matches_its_password_only() {
        let hasher = Hasher::default();
        let hash = hasher.hash("Test321321$$".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(hasher.matches("Test321321$$".into(), Some(hash.clone())).await.unwrap());
        assert!(!hasher.matches("Test321321$".into(), Some(hash)).await.unwrap());
        assert!(!hasher.matches("Test321321$$".into(), None).await.unwrap());
    }
}
