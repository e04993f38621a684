//! What clients ask for: drawn at random, from what was asked before.

use super::random::Random;
use hesabu::audit::{Act, Action as Done};
use hesabu::posting::{self, Entry, Group};
use hesabu::store::Statement;
use ledger_core::{
    AccountId, AccountStatus, Action, Amount, Command, Create, Direction, Item, Key, Memo, OpenAccount, Period,
    SetLimits, SetStatus, SetWindow, Settle, Timestamp, TransferId, TransferKind, UtcOffset,
};
use std::collections::BTreeMap;

/// Accounts that there are from the beginning; one more is opened by chance.
const ACCOUNTS: u8 = 5;

/// The client that sends keys.
const SENDER: u128 = 7;

/// Something that a client asks for, and asks for again with the same content when there was no answer.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) parts: Vec<Part>,
    /// One group, that fails or succeeds as a whole; otherwise a batch of groups.
    pub(super) whole: bool,
    /// The row of the table of companions that it wants to be written with it.
    pub(super) companion: Option<String>,
}

/// A command of a request.
#[derive(Clone, Debug)]
pub(super) struct Part {
    entry: Entry,
    /// Its memo.
    text: String,
    /// Whether the lane makes the id of its transfer.
    minted: bool,
    /// Succeeds or fails together with the next.
    pub(super) linked: bool,
}

impl Request {
    pub(super) fn of(parts: Vec<Part>) -> Request {
        Request { parts, whole: false, companion: None }
    }

    /// Whether it happens once, however often it is sent: only then does a client send it again while it waits for an answer.
    pub(super) fn is_repeatable(&self) -> bool {
        self.parts.iter().all(|part| match &part.entry.command {
            Command::Create(_) => !part.is_anew(),
            Command::Settle(_) => true,
            Command::OpenAccount(_) | Command::SetLimits(_) | Command::SetStatus(_) | Command::SetWindow(_) => false,
        })
    }

    /// As an attempt says it. What happens each time anew tells in its text whose it is.
    pub(super) fn said_by(&self, attempt: u64) -> Request {
        let parts = self.parts.iter().map(|part| if part.is_anew() { part.said_by(attempt) } else { part.clone() });
        Request { parts: parts.collect(), ..self.clone() }
    }

    /// Whether a group of the one may stand in the journal for one of the other.
    pub(super) fn is_like(&self, other: &Request) -> bool {
        let is_like = |mine: &[Part], theirs: &[Part]| {
            mine.len() == theirs.len() && mine.iter().zip(theirs).all(|(mine, theirs)| mine.is(theirs.command()))
        };
        self.groups().any(|mine| other.groups().any(|theirs| is_like(mine, theirs)))
    }

    /// As posting takes it, when it is one group.
    pub(super) fn group(&self) -> Group {
        let companion = |name: &String| Statement {
            sql: "insert into companion (name) values ($1)",
            values: vec![name.as_str().into()],
        };
        Group {
            entries: self.parts.iter().map(|part| part.entry.clone()).collect(),
            companions: self.companion.iter().map(companion).collect(),
        }
    }

    /// As posting takes it, when it is a batch.
    pub(super) fn entries(&self) -> Vec<Entry> {
        let entry = |part: &Part| if part.linked { part.entry.clone().linked() } else { part.entry.clone() };
        self.parts.iter().map(entry).collect()
    }

    /// Its groups, in order.
    pub(super) fn groups(&self) -> impl Iterator<Item = &[Part]> {
        self.parts.split_inclusive(|part| !part.linked)
    }
}

/// A group as it is decided when its keys are known as those of `kept`.
pub(super) fn resolved(group: &[Part], kept: impl Fn(Key) -> Option<TransferId>) -> Vec<Item> {
    let mut first = BTreeMap::new();
    let mut items = vec![];
    // An id that is made is nobody else's.
    for (part, fresh) in group.iter().zip((0..u128::MAX).rev()) {
        let mut command = part.entry.command;
        if let Command::Create(create) = &mut command {
            let own = if part.minted { TransferId(fresh) } else { create.id };
            create.id = create.key.map_or(own, |key| *first.entry(key).or_insert(kept(key).unwrap_or(own)));
        }
        items.push(Item { command, linked: part.linked });
    }
    items
}

/// Whether this group may be what the journal has as these items.
pub(super) fn is_group(group: &[Part], items: &[Item]) -> bool {
    group.len() == items.len() && group.iter().zip(items).all(|(part, item)| part.is(&item.command))
}

impl Part {
    pub(super) fn of(command: Command, text: &str) -> Part {
        let entry = Entry::new(command, text);
        let entry = match command {
            Command::Create(_) | Command::Settle(_) => {
                entry.telling(vec![Act::by(SENDER, Done::TransferProposed).beside()])
            }
            _ => entry,
        };
        Part { entry, text: text.to_owned(), minted: false, linked: false }
    }

    /// The same, whose transfer gets its id from the lane.
    pub(super) fn minted(self) -> Part {
        Part { entry: self.entry.minted(), minted: true, ..self }
    }

    /// Whether it begins another transfer each time.
    fn is_anew(&self) -> bool {
        self.minted && matches!(&self.entry.command, Command::Create(create) if create.key.is_none())
    }

    fn said_by(&self, attempt: u64) -> Part {
        let part = Part::of(self.entry.command, &format!("{}, attempt {attempt}", self.text));
        Part { linked: self.linked, ..part.minted() }
    }

    pub(super) fn command(&self) -> &Command {
        &self.entry.command
    }

    /// Whether this may be what the journal has as `command`, whose id may have been made or be that of the key.
    pub(super) fn is(&self, command: &Command) -> bool {
        match (self.entry.command, command) {
            (Command::Create(mine), Command::Create(theirs)) if self.minted || mine.key.is_some() => {
                Create { id: theirs.id, ..mine } == *theirs
            }
            (mine, theirs) => mine == *theirs,
        }
    }
}

/// Draws requests.
#[derive(Debug)]
pub(super) struct Draws {
    /// Makes texts and ids that nobody else has.
    number: u128,
    /// Keys that were given out, for whoever uses one again for something else.
    keys: Vec<Key>,
}

impl Draws {
    pub(super) const fn new() -> Draws {
        Draws { number: 0, keys: vec![] }
    }

    /// Accounts to begin with, each with limits of its own.
    pub(super) fn openings(random: &mut Random) -> Request {
        Request::of((1..=ACCOUNTS).map(|account| Part::of(opening(random, account), "")).collect())
    }

    /// A request at about this time; `begun` are the transfers that somebody may want to settle.
    pub(super) fn request(&mut self, random: &mut Random, now: Timestamp, begun: &[TransferId]) -> Request {
        let whole = random.percent(60);
        let count = if whole { random.one(&[1, 1, 1, 2, 3]) } else { random.between(1, 9) };
        let mut parts: Vec<Part> = (0..count).map(|_| self.part(random, whole, now, begun)).collect();
        let last = parts.len() - 1;
        for (place, part) in parts.iter_mut().enumerate() {
            part.linked = place < last && (whole || random.percent(15));
        }
        let companion = (whole && random.percent(30)).then(|| format!("companion {}", random.between(0, 30)));
        Request { parts, whole, companion }
    }

    /// What changes an account says nothing that nobody else says, so it does not come in batches, where it would come twice.
    fn part(&mut self, random: &mut Random, whole: bool, now: Timestamp, begun: &[TransferId]) -> Part {
        self.number += 1;
        let text = format!("text {}", self.number);
        match random.place(100) {
            0 if whole => Part::of(opening(random, ACCOUNTS + 1), ""),
            1..=4 if whole => Part::of(limits(random), ""),
            5..=7 if whole => Part::of(status(random), ""),
            8..=12 if whole => Part::of(window(random), ""),
            0..=36 if !begun.is_empty() => {
                // Mostly one of the newest.
                let newest = &begun[begun.len().saturating_sub(6)..];
                let among = if random.percent(80) { newest } else { begun };
                let transfer = random.one(among);
                Part::of(Command::Settle(Settle { transfer, action: action(random), memo: Memo::NONE }), &text)
            }
            _ => self.create(random, now, &text),
        }
    }

    fn create(&mut self, random: &mut Random, now: Timestamp, text: &str) -> Part {
        let (payer, payee) = parties(random);
        let key = match random.place(20) {
            0 if !self.keys.is_empty() => Some(random.one(&self.keys)),
            0..=12 => Some(posting::key(SENDER, text)),
            _ => None,
        };
        self.keys.extend(key);
        let create = Create {
            id: TransferId(spread(self.number)),
            kind: random.one(&[
                TransferKind::Immediate,
                TransferKind::Immediate,
                TransferKind::Hold,
                TransferKind::Hold,
                TransferKind::Request,
            ]),
            payer,
            payee,
            amount: minor(if random.percent(3) { 0 } else { random.between(1, 60) }),
            expires_at: random.percent(30).then(|| Timestamp(now.0 + random.between(-3, 40))),
            key,
            payable_now: random.percent(50),
            memo: Memo::NONE,
        };
        let part = Part::of(Command::Create(create), text);
        if random.percent(70) { part.minted() } else { part }
    }
}

/// All accounts that may be there.
pub(super) fn accounts() -> impl Iterator<Item = AccountId> {
    (1..=ACCOUNTS + 1).map(account)
}

fn opening(random: &mut Random, number: u8) -> Command {
    let (floor, ceiling) = (minor(random.between(-200, 0)), minor(random.between(50, 400)));
    Command::OpenAccount(OpenAccount { account: account(number), floor, ceiling, status: AccountStatus::Open })
}

fn limits(random: &mut Random) -> Command {
    let floor = random.percent(70).then(|| minor(random.between(-200, 20)));
    let ceiling = random.percent(70).then(|| minor(random.between(0, 400)));
    Command::SetLimits(SetLimits { account: any(random), floor, ceiling })
}

fn status(random: &mut Random) -> Command {
    let status = random.one(&[AccountStatus::Open, AccountStatus::Open, AccountStatus::Frozen, AccountStatus::Closed]);
    Command::SetStatus(SetStatus { account: any(random), status })
}

/// Tight enough that it is passed, and taken away when nothing is drawn for it.
fn window(random: &mut Random) -> Command {
    let max_count = random.percent(50).then(|| u32::try_from(random.between(0, 6)).expect("it is below ten"));
    Command::SetWindow(SetWindow {
        account: any(random),
        direction: random.one(&[Direction::Out, Direction::In]),
        period: random.one(&[Period::Day, Period::Week, Period::Month]),
        max_amount: random.percent(60).then(|| minor(random.between(0, 200))),
        max_count,
        offset: UtcOffset::new(random.one(&[0, 0, 180, -840])).expect("it is in range"),
    })
}

fn action(random: &mut Random) -> Action {
    match random.place(12) {
        0..=3 => Action::Capture(None),
        4 => Action::Capture(Some(minor(random.between(1, 60)))),
        5 | 6 => Action::Release,
        7 | 8 => Action::Accept,
        9 => Action::Decline,
        10 => Action::Withdraw,
        _ => Action::Expire,
    }
}

/// Mostly two that are there.
fn parties(random: &mut Random) -> (AccountId, AccountId) {
    let payer = any(random);
    let payee = any(random);
    if payer == payee && random.percent(90) {
        return parties(random);
    }
    (payer, payee)
}

fn any(random: &mut Random) -> AccountId {
    let last = if random.percent(5) { ACCOUNTS + 1 } else { ACCOUNTS };
    account(u8::try_from(random.between(1, i64::from(last))).expect("it is below ten"))
}

fn account(number: u8) -> AccountId {
    AccountId(spread(u128::from(number)))
}

/// Ids use both halves of their 128 bits, and their order is not the order in which they are drawn.
const fn spread(number: u128) -> u128 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
}

fn minor(minor: i64) -> Amount {
    Amount::new(minor).expect("every drawn amount is in range")
}
