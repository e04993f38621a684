//! The component in its sandbox gives the answers of the native core, and the same accounts: through its bytes, as the server asks it, and
//! through its typed interface, as others do.
//!
//! Method: each batch of a random history goes to all of them with the same book. What the component says was changed is kept for its next
//! batch, as the host does; so a difference cannot hide.

use hesabu::engine::{self, COMPONENT, Engine};
use hesabu_tests::{commands, explore::explore, typed::Typed};
use ledger_core::{Account, AccountId, Book, TransferId, Window, post};
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn the_core_and_the_component_agree() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let engine = Engine::load(COMPONENT).expect("the component was built with this program");
    let typed = Typed::load();
    let commands_seen = Cell::new(0);
    explore(160, &commands::histories(), |history| {
        let mut native = Book::new([]);
        let mut accounts: BTreeMap<AccountId, Account> = BTreeMap::new();
        let mut windows = BTreeMap::new();
        let mut ids: BTreeSet<TransferId> = BTreeSet::new();
        for batch in history {
            let book = engine::Book {
                accounts: accounts.values().copied().collect(),
                windows: windows.values().copied().collect(),
                transfers: ids.iter().filter_map(|id| native.transfer(*id)).copied().collect(),
            };
            let mut loaded = Book::load(&book.accounts, &book.windows, &book.transfers).expect("it is what was kept");
            let outcomes = post(&mut loaded, &batch.items, batch.now);
            let posted = runtime.block_on(engine.post(book.clone(), batch.items.clone(), batch.now));
            let posted = posted.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
            prop_assert_eq!(&posted.outcomes, &outcomes);
            // The host tells them as they lie in the book, the others in the order of their ids.
            let mut changed = posted.accounts.clone();
            changed.sort_unstable_by_key(|account| account.id);
            prop_assert!(changed.iter().eq(loaded.changed_accounts()));
            prop_assert!(posted.windows.iter().eq(loaded.changed_windows()));
            let (typed_outcomes, typed_accounts, typed_windows) = typed.post(&book, &batch.items, batch.now);
            prop_assert_eq!(typed_outcomes, outcomes.as_slice());
            prop_assert_eq!(&typed_accounts, &changed);
            prop_assert_eq!(&typed_windows, &posted.windows);
            let first = batch.items[0].command;
            let typed_first = typed.preview(&book, first, batch.now);
            let foreseen = runtime.block_on(engine.preview(book, first, batch.now));
            let foreseen = foreseen.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
            prop_assert_eq!(foreseen, ledger_core::preview(&native, first, batch.now));
            prop_assert_eq!(foreseen, typed_first);
            commands_seen.set(commands_seen.get() + outcomes.len());
            accounts.extend(posted.accounts.iter().map(|account| (account.id, *account)));
            let key = |window: &Window| (window.account, window.direction, window.period);
            windows.extend(posted.windows.iter().map(|window| (key(window), *window)));
            windows.retain(|_, window| window.limits());
            ids.extend(batch.items.iter().filter_map(|item| commands::begins(&item.command)));
            native = loaded;
        }
        Ok(())
    });
    println!("{} commands", commands_seen.get());
    assert!(commands_seen.get() >= 5_000, "only {} commands", commands_seen.get());
}
