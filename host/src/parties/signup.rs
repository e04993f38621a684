//! Signing up: a person, an entity and its account come into being together, in one transaction.

use super::{AccountNumber, Change, Details, store};
use crate::audit::{Act, Action};
use crate::identity::{EMAIL_TAKEN, Identity, NewPerson};
use crate::mint_id;
use crate::posting::{Group, Posting, PostingError};
use crate::store::Statement;
use ledger_core::{AccountId, AccountStatus, Amount, Command, LedgerId, OpenAccount};

/// Tries for an account number that is free: with a billion accounts, a random one of 9·10^14 is taken once in a million.
const NUMBER_TRIES: usize = 5;

/// What signing up takes.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// The person.
    pub person: NewPerson,
    /// In the clear, for as long as it takes to hash it.
    pub password: String,
    /// The entity.
    pub details: Details,
    /// As kept: see [`super::tag_names`].
    pub offers: Vec<String>,
    /// As kept.
    pub wants: Vec<String>,
    /// Where its account is opened.
    pub ledger: LedgerId,
    /// Limits of the account.
    pub limits: (Amount, Amount),
}

/// What came into being.
#[derive(Clone, Debug)]
pub struct SignedUp {
    /// The person.
    pub person: u128,
    /// The entity.
    pub entity: u128,
    /// A token for the person.
    pub token: String,
}

/// Why nothing came into being.
#[derive(thiserror::Error, Debug)]
pub enum SignUpError {
    /// Somebody has this address already.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Posting failed.
    #[error(transparent)]
    Posting(#[from] PostingError),
    /// Something else failed.
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

/// Makes a person, an entity with the status `pending`, and a frozen account with a balance of zero; and with them, what `beside` says of the
/// entity's id.
///
/// # Errors
/// See [`SignUpError`].
pub async fn sign_up(
    identity: &Identity,
    posting: &Posting,
    request: SignUp,
    beside: impl FnOnce(u128) -> Vec<Statement>,
) -> Result<SignedUp, SignUpError> {
    // Hashing is expensive: what is certain to fail does not get that far.
    if identity.email_is_taken(&request.person.email).await.map_err(anyhow::Error::from)? {
        return Err(SignUpError::EmailTaken);
    }
    let (person, entity, account) = (mint_id(), mint_id(), AccountId(mint_id()));
    let add_person = identity.add_person(person, &request.person, request.password).await?;
    let (token, add_session) = identity.begin_session(person, false)?;
    let (floor, ceiling) = request.limits;
    let open = Command::OpenAccount(OpenAccount { account, floor, ceiling, status: AccountStatus::Frozen });
    let tags = Change { offers: Some(request.offers), wants: Some(request.wants), ..Change::default() };
    let beside = beside(entity);
    for _ in 0..NUMBER_TRIES {
        let owner = store::Owner { person, ledger: request.ledger, account, number: AccountNumber::random() };
        let mut companions = vec![add_person.clone(), add_session.clone()];
        companions.extend(store::add_statements(posting.db(), entity, &owner, &request.details));
        companions.extend(store::list_statements(posting.db(), entity, &tags, &[]));
        companions.push(Act::by(person, Action::AccountCreated).to(entity).statement());
        companions.extend(beside.iter().cloned());
        match posting.submit_one(request.ledger, Group::of(open, "").with(companions)).await {
            Ok(Ok(_)) => return Ok(SignedUp { person, entity, token }),
            Ok(Err(rejection)) => return Err(anyhow::anyhow!("a new account was refused: {rejection}").into()),
            Err(PostingError::Conflict(constraint)) if constraint == EMAIL_TAKEN => {
                return Err(SignUpError::EmailTaken);
            }
            Err(PostingError::Conflict(constraint)) if constraint == store::NUMBER_TAKEN => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(anyhow::anyhow!("no free account number was found in {NUMBER_TRIES} tries").into())
}
