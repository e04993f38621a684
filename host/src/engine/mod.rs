//! The only place that knows wasmtime: runs the ledger component, one bounded call at a time.
//!
//! Each call gets a fresh instance, so nothing survives from one batch to the next. A call that traps, runs out of fuel or
//! memory, or answers nonsense is an [`EngineError`]: that batch is refused, nothing is stored, and the next call starts clean.
//!
//! Invariant: the linker is empty. A component that imports anything does not load.

mod answer; // what comes out is held against what went in
mod cache; // what was compiled before
mod gate; // who waits for an instance
mod limits; // how much a call may use
mod windows; // what a batch makes of windows

pub use limits::{CALLS_MAX, FUEL_BASE, FUEL_PER_ENTRY, MEMORY_MAX};

use gate::Gate;
use ledger_core::{Account, Command, Item, Outcome, Timestamp, Transfer, Window, crossing};
use limits::CallLimits;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, TypedFunc, WasmList};
use wasmtime::{Config, Store};

#[cfg(test)]
mod tests;

/// The component that this program was built with.
pub const COMPONENT: &[u8] = include_bytes!(env!("HESABU_COMPONENT"));

/// What the component is called through: the bytes of [`ledger_core::crossing`].
const INTERFACE: &str = "hesabu:ledger/compact@0.1.0";

/// A question goes in. The answer is read where it lies, or the place of the byte that is wrong.
type Post = TypedFunc<(&'static [u8],), (Result<WasmList<u8>, u32>,)>;

/// A loaded component, ready to be called from many tasks.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    engine: wasmtime::Engine,
    ledger: InstancePre<CallLimits>,
    post: ComponentExportIndex,
    /// Together as many places as the pool has instances; previews cannot take those of batches.
    batches: Gate,
    previews: Gate,
    /// The async calls of each kind that may have a thread of their own, so that no more threads wait than can go on.
    batch_threads: Arc<Semaphore>,
    preview_threads: Arc<Semaphore>,
    /// For questions, one for each call that ran at the same time: asking the system for a megabyte each time costs more than filling it.
    buffers: Mutex<Vec<Vec<u8>>>,
}

/// What a batch is decided against.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Each id at most once.
    pub accounts: Vec<Account>,
    /// All windows of those accounts that have any, each at most once.
    pub windows: Vec<Window>,
    /// Each id at most once.
    pub transfers: Vec<Transfer>,
}

/// What a batch did.
#[derive(Clone, PartialEq, Debug)]
pub struct Posted {
    /// One answer for each item, in the same order.
    pub outcomes: Vec<Outcome>,
    /// The accounts that changed, as they are now, in the order of the book, and after them those that were opened.
    pub accounts: Vec<Account>,
    /// The windows that changed, as they are now, in the order of their accounts' ids. One without maxima was taken away.
    pub windows: Vec<Window>,
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
        let ledger = linker.instantiate_pre(&component).map_err(EngineError::Load)?;
        let post = component.get_export_index(None, INTERFACE);
        let post = post.and_then(|interface| component.get_export_index(Some(&interface), "post"));
        let post = post.ok_or_else(|| EngineError::Load(wasmtime::format_err!("it does not export {INTERFACE}")))?;
        let half = CALLS_MAX / 2;
        let threads = || Arc::new(Semaphore::new(half));
        let inner = Inner {
            engine,
            ledger,
            post,
            batches: Gate::new(half),
            previews: Gate::new(half),
            batch_threads: threads(),
            preview_threads: threads(),
            buffers: Mutex::default(),
        };
        // A function of another type is found now, and not by the first batch.
        inner.instance(0).map_err(EngineError::Load)?;
        Ok(Engine { inner: Arc::new(inner) })
    }

    /// Decides a batch. Runs beside the async threads.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub async fn post(&self, book: Book, batch: Vec<Item>, now: Timestamp) -> Result<Posted, EngineError> {
        let engine = self.clone();
        beside(&self.inner.batch_threads, move || engine.post_here(&book, &batch, now)).await
    }

    /// Decides a batch on the calling thread, which waits while as many others decide as may. Not for async threads.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub fn post_here(&self, book: &Book, batch: &[Item], now: Timestamp) -> Result<Posted, EngineError> {
        let _place = self.inner.batches.enter();
        self.inner.post(book, batch, now)
    }

    /// Would this command be accepted now? Runs beside the async threads.
    ///
    /// # Errors
    /// See [`EngineError`].
    pub async fn preview(&self, book: Book, command: Command, now: Timestamp) -> Result<Outcome, EngineError> {
        let inner = Arc::clone(&self.inner);
        let one = move || {
            let _place = inner.previews.enter();
            let mut posted = inner.post(&book, &[Item::alone(command)], now)?;
            Ok(posted.outcomes.pop().expect("one answer for each item"))
        };
        beside(&self.inner.preview_threads, one).await
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
        let mut question = self.buffers().pop().unwrap_or_default();
        question.clear();
        crossing::question(&mut question, &book.accounts, &book.windows, &book.transfers, batch, now);
        let entries = book.accounts.len() + book.windows.len() + book.transfers.len() + batch.len();
        let (mut store, post) = self.instance(entries).map_err(EngineError::Stopped)?;
        let answer = post.call(&mut store, (&question,));
        self.buffers().push(question);
        let (answer,) = answer.map_err(EngineError::Stopped)?;
        let answer = answer.map_err(|_| EngineError::Nonsense("it calls our book or batch malformed"))?;
        answer::read(book, batch, now, answer.as_le_slice(&store))
    }

    fn buffers(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        // A buffer is cleared before it is used, so it does not matter what a panic left in it.
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fresh instance with the means for one call.
    fn instance(&self, entries: usize) -> wasmtime::Result<(Store<CallLimits>, Post)> {
        let mut store = Store::new(&self.engine, CallLimits::new());
        store.limiter(CallLimits::limiter);
        store.set_fuel(limits::fuel(entries))?;
        let instance = self.ledger.instantiate(&mut store)?;
        let post = instance.get_typed_func(&mut store, self.post)?;
        Ok((store, post))
    }
}
