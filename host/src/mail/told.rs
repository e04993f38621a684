//! What a mail tells, read up and cleaned: plain values, without a language. How it is said is in `english.rs` and `swahili.rs`.

/// Everything that a mail's words are made of. Texts are single lines, but for what somebody wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// Nothing that whoever signed up typed is in it: the address is nobody's until somebody reads this there, and may be a stranger's.
    Welcome {
        /// Of the account.
        number: String,
        /// Where to go, if there is an address.
        site: Option<String>,
    },
    DailyMatch {
        /// What the reader wants, and who offers it.
        offered: Vec<(String, Party)>,
        /// What the reader offers, and who wants it.
        wanted: Vec<(String, Party)>,
        site: Option<String>,
    },
    TradeContact {
        from: Party,
        text: String,
    },
    TradeContactCopy {
        from: Party,
        /// Whom it went to.
        to: Option<Party>,
        text: String,
    },
    Transfer {
        event: Event,
        deal: Deal,
        site: Option<String>,
    },
    PasswordReset {
        administrator: bool,
        token: String,
        /// Where a front end takes the token.
        link: Option<String>,
        minutes: i64,
    },
    Signup {
        who: Party,
        email: String,
        site: Option<String>,
    },
    BooksOutOfBalance {
        unit: String,
        /// What does not hold, in the ledger's own words.
        broken: Vec<String>,
    },
}

/// An entity, as it is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Party {
    /// Its account number if it has no name.
    pub(super) name: String,
    pub(super) number: String,
}

/// What happened to a transfer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    Initiated,
    Accepted,
    Rejected,
    Cancelled,
    CancelledBySystem,
    Expired,
}

/// A transfer as the reader sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Deal {
    /// The reader is the one who pays.
    pub(super) pays: bool,
    pub(super) other: Party,
    /// With its unit, exactly.
    pub(super) amount: String,
    /// May be empty, like the next.
    pub(super) description: String,
    pub(super) reason: String,
    pub(super) id: String,
}

impl Party {
    /// Name and account number.
    pub(super) fn full(&self) -> String {
        if self.name == self.number { self.number.clone() } else { format!("{} ({})", self.name, self.number) }
    }
}
