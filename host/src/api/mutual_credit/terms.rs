//! Tags and categories alike: how they are shown, and how administrators make, rename and delete them.

use super::fields::Faults;
use super::problem::Problem;
use crate::directory::{Term, TermFault};
use crate::id_text;
use crate::parties::{TAG_LENGTH_MAX, tag_name};
use crate::store;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[schema(as = Term)]
pub(super) struct TermView {
    #[schema(format = Uuid)]
    id: String,
    name: String,
}

impl TermView {
    pub(super) fn of(term: Term) -> TermView {
        TermView { id: id_text(term.id), name: term.name }
    }
}

#[derive(Deserialize, ToSchema)]
#[schema(as = TermChange)]
#[serde(deny_unknown_fields)]
pub(super) struct TermRequest {
    #[schema(required = true, nullable = false, min_length = 1)]
    name: Option<String>,
}

/// What the messages call it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Noun {
    /// At the beginning of a sentence.
    pub(super) first: &'static str,
    /// Within one.
    pub(super) within: &'static str,
}

impl Noun {
    /// The name as it is kept, of which nothing stays that comes after a comma.
    pub(super) fn name(self, request: TermRequest) -> Result<String, Problem> {
        let typed = request.name.unwrap_or_default();
        let name = tag_name(typed.split(',').next().unwrap_or_default());
        if name.is_empty() {
            return Err(Problem::invalid(format!("Please enter the {} name.", self.within)));
        }
        let mut faults = Faults::default();
        faults.length(self.first, Some(&name), TAG_LENGTH_MAX);
        faults.check().map(|()| name)
    }

    /// The id in the path.
    pub(super) fn id(self, id: Option<u128>) -> Result<u128, Problem> {
        id.ok_or_else(|| Problem::invalid(format!("Please enter valid {} id.", self.within)))
    }

    /// What a change has made.
    pub(super) fn changed(self, changed: Result<Result<Term, TermFault>, store::Error>) -> Result<TermView, Problem> {
        changed?.map(TermView::of).map_err(|fault| {
            Problem::invalid(match fault {
                TermFault::Exists => format!("{} already exists.", self.first),
                TermFault::Missing => format!("{} does not exist.", self.first),
            })
        })
    }
}
