//! The directory: how entities are found, by the tags of what they offer and want, by name, by category and by who has them as a favorite; and
//! the vocabulary of tags and categories. What entities tell of themselves is in `parties`, which writes the rows of this index in the
//! transaction that changes them.
//!
//! How a search works: texts are folded and cut into tokens in Rust, the engine's full-text index finds candidates by them, and Rust decides
//! which match and how well. The tags that match are then looked up in one index that has everything else that is asked. So both engines
//! answer alike, in every language of the database, and nobody's text is ever read as a query.

mod fold; // the form in which texts are compared
mod tokens; // what the engines index
mod matching; // what matches, and how well
mod engine; // what SQLite and PostgreSQL say differently
mod holding; // who keeps a tag or a category as it is, and in which order
mod room; // how many search at the same time
mod index; // rows that go with an entity's
mod tags; // the vocabulary
mod categories; // what administrators put entities under
mod search; // entities, as everybody finds them
mod register; // entities, as administrators find them
mod favorites; // entities that an entity likes
mod takeover; // rows from before there was a directory

pub use categories::{categories, categories_named, create_category, delete_category, rename_category};
pub use favorites::{favorites_among, set_favorite};
pub use fold::{fold, is_joined};
pub use index::{Keys, add_name, change_name, enter_tags, hold_tags, set_categories, set_listed};
pub use matching::{Rank, best_first};
pub use register::{Register, RegisterFilter, Registered};
pub use search::{Search, search};
pub use tags::{create_tag, delete_tag, forget_unused_tags, rename_tag, tags};
pub use takeover::take_over;
pub use tokens::{gram_tokens, word_tokens};

/// The statuses of entities that can be found, as SQL has them. The index `entity_listed` names them in the same order.
pub const LISTED: &str = "('accepted', 'tradingPending', 'tradingAccepted', 'tradingRejected')";

/// Letters of a folded text that may be looked for: nothing that is stored is longer, but for a text all of whose characters fold to several.
const TYPED_MAX: usize = 200;

/// A tag or a category.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Term {
    /// Its id.
    pub id: u128,
    /// As it is kept.
    pub name: String,
}

/// Why a tag or a category was not changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TermFault {
    /// There is one of this name.
    Exists,
    /// There is none with this id.
    Missing,
}

/// What somebody typed, folded; nothing when it cannot be part of anything.
fn typed(text: &str) -> Option<String> {
    // Long texts are not folded first only to be found too long: no letter that is kept has more than 16 bytes with its accents.
    let folded = if text.len() > TYPED_MAX * 16 { String::new() } else { fold(text) };
    (!folded.is_empty() && folded.chars().count() <= TYPED_MAX).then_some(folded)
}
