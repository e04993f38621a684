//! The ledger's decisions, and nothing else.
//!
//! A *ledger* is a set of [`Account`]s in one [`Unit`] whose balances always sum to zero. Money moves between two of them by a
//! [`Transfer`]: at once, or in two steps (a *hold* reserves, a *request* asks). Everything that may happen is a [`Command`];
//! [`post`] decides a batch of them against a [`Book`] and answers each with an [`Outcome`]: a receipt, or a [`Rejection`] that says why not.
//!
//! ```
//! use ledger_core::*;
//!
//! let amount = |minor| Amount::new(minor).unwrap();
//! let (alice, bob) = (AccountId(1), AccountId(2));
//! let mut book = Book::new([
//!     Account::open(alice, amount(-100), amount(500)),
//!     Account::open(bob, Amount::ZERO, amount(500)),
//! ]);
//! let pay = |id, minor| Item::alone(Command::Create(Create {
//!     id: TransferId(id), kind: TransferKind::Immediate, payer: alice, payee: bob, amount: amount(minor),
//!     expires_at: None, key: None, payable_now: false, memo: Memo::NONE,
//! }));
//! let outcomes = post(&mut book, &[pay(1, 70), pay(2, 70)], Timestamp(0));
//! assert!(outcomes[0].is_ok());
//! assert_eq!(outcomes[1], Err(Rejection::FloorExceeded { available: amount(30) }));
//! assert_eq!(book.account(bob).unwrap().balance, amount(70));
//! ```
//!
//! # Invariants
//!
//! - The sum of all balances does not change: `post` asserts it for every batch.
//! - `floor <= balance <= ceiling`, unless an operator moved a limit past a balance; no command then takes it further out.
//! - A hold counts from the moment it is accepted: `available = balance − held_out − floor`, `room = ceiling − balance − held_in`.
//! - What an account's windows have counted in a running period does not pass their maxima, unless an operator lowered those.
//! - States only move forward, and a final state never changes.
//! - A refused command changes nothing.
//!
//! # What is absent
//!
//! No `std`, no input or output, no clock (time is an argument), no time zones, no randomness (ids are arguments), no float, no text
//! formats, no dependency. A decision cannot fail except with a named rejection.
#![no_std]

extern crate alloc;

mod id; // what things are called
mod timestamp; // when
mod amount; // how much
mod unit; // of what
mod calendar; // on which day
mod account; // who holds it, within which limits
mod transfer; // how it moves
mod window; // how much of it in a day, a week, a month
mod command; // what can be asked
mod rejection; // what can be refused, and why
mod index; // where an id is
mod book; // what a batch may touch
mod posting; // the decisions
pub mod codec; // the bytes that are hashed
pub mod crossing; // the bytes that go into a sandbox, and those that come out

pub use account::{Account, AccountStatus};
pub use amount::Amount;
pub use book::{Book, BookError};
pub use calendar::{Date, Period, UtcOffset};
pub use command::{Action, Command, Create, Item, Memo, OpenAccount, SetLimits, SetStatus, SetWindow, Settle};
pub use id::{AccountId, Key, LedgerId, TransferId};
pub use posting::{BATCH_MAX, Outcome, Receipt, TransferReceipt, Verdict, post, preview};
pub use rejection::Rejection;
pub use timestamp::Timestamp;
pub use transfer::{Transfer, TransferKind, TransferState};
pub use unit::{ParseAmountError, Unit, UnitError};
pub use window::{Direction, Window};
