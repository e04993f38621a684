//! The component through its typed interface, as an integrator has it who generates bindings from `wit/`.

mod convert; // between the component's words and the core's

use hesabu::engine::{Book, COMPONENT};
use ledger_core::{Account, Command, Item, Outcome, Timestamp, Window};
use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

mod generated {
    wasmtime::component::bindgen!({ path: "../wit", world: "ledger" });
}

/// The component that the server is built with, its imports none.
pub struct Typed {
    engine: Engine,
    ledger: generated::LedgerPre<()>,
}

impl Typed {
    /// Compiles it.
    ///
    /// # Panics
    /// When it does not export the interfaces of `wit/`, as below when it gives no answer.
    pub fn load() -> Typed {
        let engine = Engine::default();
        let component = Component::from_binary(&engine, COMPONENT).expect("it is a component");
        let ledger = Linker::new(&engine).instantiate_pre(&component).and_then(generated::LedgerPre::new);
        Typed { ledger: ledger.expect("it exports the ledger"), engine }
    }

    /// The outcomes of a batch, and the accounts and windows that changed.
    pub fn post(&self, book: &Book, batch: &[Item], now: Timestamp) -> (Vec<Outcome>, Vec<Account>, Vec<Window>) {
        let mut store = Store::new(&self.engine, ());
        let ledger = self.ledger.instantiate(&mut store).expect("it has an instance");
        let items: Vec<_> = batch.iter().map(convert::item).collect();
        let posted = ledger.hesabu_ledger_posting().call_post(&mut store, &convert::book(book), &items, now.0);
        let posted = posted.expect("it answers").expect("the book is right");
        let outcomes: Option<_> = posted.outcomes.into_iter().map(convert::outcome).collect();
        let accounts: Option<_> = posted.accounts.iter().map(convert::account_in).collect();
        let windows: Option<_> = posted.windows.iter().map(convert::window_in).collect();
        let (outcomes, accounts) = outcomes.zip(accounts).expect("every amount is in range");
        (outcomes, accounts, windows.expect("every amount is in range"))
    }

    /// What would become of a command.
    pub fn preview(&self, book: &Book, command: Command, now: Timestamp) -> Outcome {
        let mut store = Store::new(&self.engine, ());
        let ledger = self.ledger.instantiate(&mut store).expect("it has an instance");
        let (book, command) = (convert::book(book), convert::command(command));
        let outcome = ledger.hesabu_ledger_posting().call_preview(&mut store, &book, command, now.0);
        convert::outcome(outcome.expect("it answers").expect("the book is right")).expect("every amount is in range")
    }
}
