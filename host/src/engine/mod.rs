//! The only place that knows wasmtime: runs the ledger component, one bounded call at a time.
//!
//! Each call gets a fresh instance, so nothing survives from one batch to the next. A call that traps, runs out of fuel or
//! memory, or answers nonsense is an [`EngineError`]: that batch is refused, nothing is stored, and the next call starts clean.
//!
//! Invariant: the linker is empty. A component that imports anything does not load.

mod cache; // what was compiled before
mod convert; // between the component's words and the core's
mod limits; // how much a call may use

pub use limits::{CALLS_MAX, FUEL_BASE, FUEL_PER_ENTRY, MEMORY_MAX};

use ledger_core::{Account, AccountId, Command, Item, Outcome, Receipt, Timestamp, Transfer, TransferReceipt};
use limits::CallLimits;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Store};

mod generated {
    wasmtime::component::bindgen!({ path: "../wit", world: "ledger" });
}
use generated::exports::hesabu::ledger::posting as wit;

#[cfg(test)]
mod tests;

/// The component that this program was built with.
pub const COMPONENT: &[u8] = include_bytes!(env!("HESABU_COMPONENT"));

/// A loaded component, ready to be called from many tasks.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    engine: wasmtime::Engine,
    ledger: generated::LedgerPre<CallLimits>,
    /// Together as many permits as the pool has instances; previews cannot take those of batches.
    batches: Arc<Semaphore>,
    previews: Arc<Semaphore>,
}

/// What a batch is decided against.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Each id at most once.
    pub accounts: Vec<Account>,
    /// Each id at most once.
    pub transfers: Vec<Transfer>,
}

/// What a batch did.
#[derive(Clone, PartialEq, Debug)]
pub struct Posted {
    /// One answer for each item, in the same order.
    pub outcomes: Vec<Outcome>,
    /// The accounts that changed, as they are now.
    pub accounts: Vec<Account>,
}

/// Why a call gave no answer. Nothing was decided.
#[derive(thiserror::Error, Debug)]
pub enum EngineError {
    /// The component stopped: a trap, no fuel left, no memory left.
    #[error("the ledger component stopped")]
    Stopped(#[source] wasmtime::Error),
    /// The component answered with something that no ledger can answer.
    #[error("the ledger component answered nonsense: {0}")]
    Nonsense(&'static str),
    /// The component could not be loaded.
    #[error("the ledger component cannot be loaded")]
    Load(#[source] wasmtime::Error),
}

impl Engine {
    /// Compiles a component.
    ///
    /// # Errors
    /// When it is not a component, imports anything, or does not export the ledger of `wit/`.
    pub fn load(component: &[u8]) -> Result<Engine, EngineError> {
        Engine::with(|engine| Component::from_binary(engine, component))
    }

    /// Compiles a component, or takes what was compiled before from `folder`.
    ///
    /// # Errors
    /// See [`Engine::load`].
    pub fn load_cached(component: &[u8], folder: &Path) -> Result<Engine, EngineError> {
        Engine::with(|engine| cache::load(engine, component, folder))
    }

    fn with(compiled: impl FnOnce(&wasmtime::Engine) -> wasmtime::Result<Component>) -> Result<Engine, EngineError> {
        let mut config = Config::new();
        config.consume_fuel(true).allocation_strategy(limits::pool());
        let engine = wasmtime::Engine::new(&config).map_err(EngineError::Load)?;
        let component = compiled(&engine).map_err(EngineError::Load)?;
        let linker = Linker::new(&engine);
        let ledger =
            linker.instantiate_pre(&component).and_then(generated::LedgerPre::new).map_err(EngineError::Load)?;
        let permits = || Arc::new(Semaphore::new(CALLS_MAX / 2));
        Ok(Engine { inner: Arc::new(Inner { engine, ledger, batches: permits(), previews: permits() }) })
    }

    /// Decides a batch. Runs beside the async threads.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub fn post_here(&self, book: &Book, batch: &[Item], now: Timestamp) -> Result<Posted, EngineError> {
        self.inner.post(book, batch, now)
    }

    /// Decides a batch. Runs beside the async threads.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub async fn post(&self, book: Book, batch: Vec<Item>, now: Timestamp) -> Result<Posted, EngineError> {
        let inner = Arc::clone(&self.inner);
        beside(&self.inner.batches, move || inner.post(&book, &batch, now)).await
    }

    /// Would this command be accepted now? Runs beside the async threads.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub async fn preview(&self, book: Book, command: Command, now: Timestamp) -> Result<Outcome, EngineError> {
        let inner = Arc::clone(&self.inner);
        beside(&self.inner.previews, move || inner.preview(&book, command, now)).await
    }
}

/// Runs a call beside the async threads. The permit goes with it: who stops waiting does not make room before it is done.
async fn beside<T: Send + 'static>(
    permits: &Arc<Semaphore>,
    call: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    let call = move || {
        let answer = call();
        drop(permit);
        answer
    };
    tokio::task::spawn_blocking(call).await.unwrap_or(Err(EngineError::Nonsense("the call panicked")))
}

impl Inner {
    fn post(&self, book: &Book, batch: &[Item], now: Timestamp) -> Result<Posted, EngineError> {
        let mut store = self.store(book, batch.len())?;
        let items: Vec<wit::Item> = batch.iter().map(convert::item).collect();
        let ledger = self.ledger.instantiate(&mut store).map_err(EngineError::Stopped)?;
        let posted = ledger
            .hesabu_ledger_posting()
            .call_post(&mut store, &convert::book(book), &items, now.0)
            .map_err(EngineError::Stopped)?
            .map_err(|_| EngineError::Nonsense("it calls our book or batch malformed"))?;
        let posted = Posted {
            outcomes: posted.outcomes.into_iter().map(convert::outcome).collect::<Option<_>>().ok_or(OUT_OF_RANGE)?,
            accounts: posted.accounts.iter().map(convert::account_in).collect::<Option<_>>().ok_or(OUT_OF_RANGE)?,
        };
        check(book, batch, &posted)?;
        Ok(posted)
    }

    fn preview(&self, book: &Book, command: Command, now: Timestamp) -> Result<Outcome, EngineError> {
        let mut store = self.store(book, 1)?;
        let ledger = self.ledger.instantiate(&mut store).map_err(EngineError::Stopped)?;
        let outcome = ledger
            .hesabu_ledger_posting()
            .call_preview(&mut store, &convert::book(book), convert::command(command), now.0)
            .map_err(EngineError::Stopped)?
            .map_err(|_| EngineError::Nonsense("it calls our book or command malformed"))?;
        convert::outcome(outcome).ok_or(OUT_OF_RANGE)
    }

    fn store(&self, book: &Book, items: usize) -> Result<Store<CallLimits>, EngineError> {
        let mut store = Store::new(&self.engine, CallLimits::new());
        store.limiter(CallLimits::limiter);
        let entries = book.accounts.len() + book.transfers.len() + items;
        store.set_fuel(limits::fuel(entries)).map_err(EngineError::Stopped)?;
        Ok(store)
    }
}

const OUT_OF_RANGE: EngineError = EngineError::Nonsense("an amount is out of range");

/// The other side of the core's own assertions: what leaves the sandbox keeps the ledger's sum and does not contradict itself,
/// or is not stored.
fn check(book: &Book, batch: &[Item], posted: &Posted) -> Result<(), EngineError> {
    if posted.outcomes.len() != batch.len() {
        return Err(EngineError::Nonsense("not one answer for each item"));
    }
    if !posted.accounts.is_sorted_by(|a, b| a.id < b.id) {
        return Err(EngineError::Nonsense("the changed accounts are not in the order of their ids"));
    }
    let mut balances: BTreeMap<AccountId, i64> =
        book.accounts.iter().map(|account| (account.id, account.balance.minor())).collect();
    for receipt in posted.outcomes.iter().filter_map(|outcome| match outcome {
        Ok(Receipt::Transfer(receipt)) => Some(receipt),
        Ok(Receipt::Account(_) | Receipt::Repeated(_)) | Err(_) => None,
    }) {
        let TransferReceipt { transfer, payer_balance, payee_balance } = receipt;
        let payer = balances.entry(transfer.payer).or_insert(0);
        *payer -= transfer.moved.minor();
        let debited = *payer == payer_balance.minor();
        let payee = balances.entry(transfer.payee).or_insert(0);
        *payee += transfer.moved.minor();
        if !debited || *payee != payee_balance.minor() {
            return Err(EngineError::Nonsense("a receipt does not follow from the balances before it"));
        }
    }
    for account in &posted.accounts {
        // An account that was just opened is in no book.
        if balances.remove(&account.id).unwrap_or(0) != account.balance.minor() {
            return Err(EngineError::Nonsense("an account does not have the balance that the receipts give it"));
        }
    }
    let unchanged = |account: &Account| balances.get(&account.id).is_none_or(|now| *now == account.balance.minor());
    if !book.accounts.iter().all(unchanged) {
        return Err(EngineError::Nonsense("an account that receipts have moved is not among those that changed"));
    }
    Ok(())
}
