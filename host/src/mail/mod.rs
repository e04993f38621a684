//! Mail: an outbox in the database, and sending what is in it.
//!
//! Whoever has something to tell adds a [`Mail`] in the transaction of what is told: a row of ids, which is read up and worded when it is
//! sent. So nothing is told that did not happen, nothing that happened is told to nobody, and a server that is away holds up nothing.
//!
//! Each mail is sent at least once, and by one host at a time. Who it goes to, and in which language, is known when it is sent.
//!
//! Invariant: no token and no message of one member to another is left in the database when its mail was sent, or given up. No password of
//! a server is ever logged.

mod kind; // what mails tell
mod outbox; // as rows
mod matches; // what others have that an entity looks for
mod text; // what people typed, made harmless
mod told; // what a mail's words are made of
mod english; // those words
mod swahili; // the same
mod content; // as plain text and as HTML
mod message; // with headers
mod read; // from a row to all of that
mod settings; // how, from whom, to whom
mod transport; // to a server, or into files
mod smtp; // the server, step by step
mod delivery; // again and again

pub use delivery::{Delivery, forget};
pub use kind::Kind;
pub use matches::Match;
pub use message::{ADDRESS_MAX, is_address};
pub use outbox::{
    INSERT_HEAD, INSERT_TRANSFER, INSERT_WIDTH, Mail, add, ask_for_reset, forget_failed, insert, oldest_unsent,
};
pub use settings::{Given, Pace, Settings};
pub use text::cleaned;
