//! Random histories of a small ledger: a handful of accounts with tight limits and few ids, so that everything collides.
//!
//! Only what is drawn is here; what should come of it is in `model.rs`. Histories shrink to the fewest, smallest commands.

use ledger_core::{
    AccountId, AccountStatus, Action, Amount, Command, Create, Direction, Item, Key, Memo, OpenAccount, Period,
    SetLimits, SetStatus, SetWindow, Settle, Timestamp, TransferId, TransferKind, UtcOffset,
};
use proptest::prelude::*;

/// A batch and the time at which it is decided.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Never before the batch before it.
    pub now: Timestamp,
    /// What to decide.
    pub items: Vec<Item>,
}

/// The core only looks whether there is a key; which one it is, the host looks at.
const KEY: Key = Key(7);
/// Accounts that every history opens first. Ids one to three above are known only when a drawn command opens them.
const ACCOUNTS_OPENED: u8 = 5;
/// Transfer ids that commands draw from.
const TRANSFERS: u8 = 24;

/// Batches of commands over one ledger that begins empty, about 45 commands.
pub fn histories() -> impl Strategy<Value = Vec<Batch>> {
    let limits = prop::collection::vec(opening_limits(), usize::from(ACCOUNTS_OPENED));
    let batch =
        (prop::collection::vec((draws(), prop::bool::weighted(0.12)), 1..=16), waits(), prop::bool::weighted(0.05));
    (limits, prop::collection::vec(batch, 1..=8)).prop_map(|(limits, batches)| {
        let mut now = 0;
        let mut said = Vec::new();
        let mut history = vec![Batch { now: Timestamp(now), items: openings(&limits) }];
        for (draws, wait, cut_short) in batches {
            now += wait;
            let mut items: Vec<Item> = draws
                .iter()
                .map(|(draw, linked)| Item { command: draw.command(now, &mut said), linked: *linked })
                .collect();
            if let Some(last) = items.last_mut() {
                last.linked = cut_short;
            }
            history.push(Batch { now: Timestamp(now), items });
        }
        history
    })
}

/// A command before it is known what was said so far.
#[derive(Clone, Debug)]
enum Draw {
    Open {
        account: u8,
        limits: (Amount, Amount),
        status: AccountStatus,
    },
    Limit {
        account: u8,
        limits: (Option<Amount>, Option<Amount>),
    },
    Mark {
        account: u8,
        status: AccountStatus,
    },
    Window {
        account: u8,
        direction: Direction,
        period: Period,
        maxima: (Option<Amount>, Option<u32>),
        offset: UtcOffset,
    },
    Create {
        id: u8,
        kind: TransferKind,
        parties: (u8, u8),
        amount: Amount,
        expires_in: Option<i64>,
        keyed: bool,
        payable_now: bool,
        memo: u8,
    },
    /// Settles a transfer that a command before this one began, or tried to.
    Settle {
        which: prop::sample::Index,
        action: Action,
        memo: u8,
    },
    /// Settles whatever has this id.
    SettleId {
        id: u8,
        action: Action,
    },
    /// The same command once more.
    Again(prop::sample::Index),
    /// The same command once more, but for one thing.
    AgainOtherwise(prop::sample::Index, Difference),
}

impl Draw {
    fn command(&self, now: i64, said: &mut Vec<Command>) -> Command {
        let command = match self {
            Draw::Open { account, limits: (floor, ceiling), status } => Command::OpenAccount(OpenAccount {
                account: account_id(*account),
                floor: *floor,
                ceiling: *ceiling,
                status: *status,
            }),
            Draw::Limit { account, limits: (floor, ceiling) } => {
                Command::SetLimits(SetLimits { account: account_id(*account), floor: *floor, ceiling: *ceiling })
            }
            Draw::Mark { account, status } => {
                Command::SetStatus(SetStatus { account: account_id(*account), status: *status })
            }
            Draw::Window { account, direction, period, maxima: (max_amount, max_count), offset } => {
                Command::SetWindow(SetWindow {
                    account: account_id(*account),
                    direction: *direction,
                    period: *period,
                    max_amount: *max_amount,
                    max_count: *max_count,
                    offset: *offset,
                })
            }
            Draw::Create { id, kind, parties: (payer, payee), amount, expires_in, keyed, payable_now, memo } => {
                Command::Create(Create {
                    id: transfer_id(*id),
                    kind: *kind,
                    payer: account_id(*payer),
                    payee: account_id(*payee),
                    amount: *amount,
                    expires_at: expires_in.map(|wait| Timestamp(now + wait)),
                    key: keyed.then_some(KEY),
                    payable_now: *payable_now,
                    memo: self::memo(*memo),
                })
            }
            Draw::Settle { which, action, memo } => {
                let created: Vec<TransferId> = said.iter().filter_map(begins).collect();
                let transfer = if created.is_empty() { transfer_id(0) } else { *which.get(&created) };
                Command::Settle(Settle { transfer, action: *action, memo: self::memo(*memo) })
            }
            Draw::SettleId { id, action } => {
                Command::Settle(Settle { transfer: transfer_id(*id), action: *action, memo: Memo::NONE })
            }
            Draw::Again(_) | Draw::AgainOtherwise(..) if said.is_empty() => {
                Command::SetStatus(SetStatus { account: account_id(1), status: AccountStatus::Open })
            }
            Draw::Again(which) => *which.get(said),
            Draw::AgainOtherwise(which, difference) => match *which.get(said) {
                Command::Create(create) => Command::Create(difference.from(create)),
                Command::Settle(settle) => Command::Settle(Settle { memo: memo(3), ..settle }),
                other => other,
            },
        };
        said.push(command);
        command
    }
}

/// What makes a transfer another one, or (the key) does not.
#[derive(Clone, Copy, Debug)]
enum Difference {
    Kind,
    Payer,
    Payee,
    Amount,
    Expiry,
    Memo,
    Key,
}

impl Difference {
    fn from(self, first: Create) -> Create {
        match self {
            Difference::Kind if first.kind == TransferKind::Hold => Create { kind: TransferKind::Request, ..first },
            Difference::Kind => Create { kind: TransferKind::Hold, ..first },
            Difference::Payer => Create { payer: account_id(ACCOUNTS_OPENED + 1), ..first },
            Difference::Payee => Create { payee: account_id(ACCOUNTS_OPENED + 1), ..first },
            Difference::Amount if first.amount == minor(1) => Create { amount: minor(2), ..first },
            Difference::Amount => Create { amount: minor(1), ..first },
            Difference::Expiry if first.expires_at.is_some() => Create { expires_at: None, ..first },
            Difference::Expiry => Create { expires_at: Some(Timestamp(1_000)), ..first },
            Difference::Memo => Create { memo: memo(3), ..first },
            Difference::Key => Create { key: if first.key.is_some() { None } else { Some(KEY) }, ..first },
        }
    }
}

fn differences() -> impl Strategy<Value = Difference> {
    prop::sample::select(vec![
        Difference::Kind,
        Difference::Payer,
        Difference::Payee,
        Difference::Amount,
        Difference::Expiry,
        Difference::Memo,
        Difference::Key,
    ])
}

fn draws() -> impl Strategy<Value = Draw> {
    prop_oneof![
        2 => (account(), opening_limits(), statuses())
            .prop_map(|(account, limits, status)| Draw::Open { account, limits, status }),
        2 => (account(), new_limits()).prop_map(|(account, limits)| Draw::Limit { account, limits }),
        2 => (account(), statuses()).prop_map(|(account, status)| Draw::Mark { account, status }),
        3 => windows(),
        12 => creates(),
        6 => (any::<prop::sample::Index>(), actions(), memos())
            .prop_map(|(which, action, memo)| Draw::Settle { which, action, memo }),
        1 => (0..=TRANSFERS, actions()).prop_map(|(id, action)| Draw::SettleId { id, action }),
        2 => any::<prop::sample::Index>().prop_map(Draw::Again),
        1 => (any::<prop::sample::Index>(), differences()).prop_map(|(which, one)| Draw::AgainOtherwise(which, one)),
    ]
}

/// Mostly the next moment, sometimes hours or weeks later, so that days, weeks and months end and some do not.
fn waits() -> impl Strategy<Value = i64> {
    const HOUR: i64 = 3_600_000_000;
    prop_oneof![8 => 0..=3_i64, 2 => (1..=60_i64).prop_map(|hours| hours * HOUR), 1 => (3..=40_i64).prop_map(|days| days * 24 * HOUR)]
}

/// Tight enough that they are passed, and sometimes taken away.
fn windows() -> impl Strategy<Value = Draw> {
    let direction = prop_oneof![Just(Direction::Out), Just(Direction::In)];
    let period = prop_oneof![Just(Period::Day), Just(Period::Week), Just(Period::Month)];
    let max_amount = prop_oneof![8 => (0..=60_i64).prop_map(minor), 1 => Just(minor(-1)), 1 => Just(Amount::MAX)];
    let max_count = prop_oneof![8 => 0..=4_u32, 1 => Just(u32::MAX)];
    let maxima = (prop::option::weighted(0.6, max_amount), prop::option::weighted(0.6, max_count));
    let offset = prop_oneof![3 => Just(0), 1 => Just(180), 1 => Just(-840)];
    let offset = offset.prop_map(|minutes| UtcOffset::new(minutes).expect("every drawn offset is in range"));
    (account(), direction, period, maxima, offset).prop_map(|(account, direction, period, maxima, offset)| {
        Draw::Window { account, direction, period, maxima, offset }
    })
}

fn creates() -> impl Strategy<Value = Draw> {
    let kind = prop_oneof![Just(TransferKind::Immediate), Just(TransferKind::Hold), Just(TransferKind::Request)];
    let expires_in = prop::option::weighted(0.4, -1..=5_i64);
    (1..=TRANSFERS, kind, parties(), amounts(), expires_in, any::<(bool, bool)>(), memos()).prop_map(
        |(id, kind, parties, amount, expires_in, (keyed, payable_now), memo)| Draw::Create {
            id,
            kind,
            parties,
            amount,
            expires_in,
            keyed,
            payable_now,
            memo,
        },
    )
}

fn actions() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => prop::option::of(amounts()).prop_map(Action::Capture),
        1 => Just(Action::Release),
        3 => Just(Action::Accept),
        1 => Just(Action::Decline),
        1 => Just(Action::Withdraw),
        2 => Just(Action::Expire),
    ]
}

/// Mostly among the accounts that exist.
fn account() -> impl Strategy<Value = u8> {
    prop_oneof![20 => 1..=ACCOUNTS_OPENED, 2 => 0..=ACCOUNTS_OPENED + 3]
}

/// Mostly two.
fn parties() -> impl Strategy<Value = (u8, u8)> {
    prop_oneof![
        8 => (1..=ACCOUNTS_OPENED, 1..ACCOUNTS_OPENED).prop_map(|(payer, step)| (payer, (payer + step - 1) % ACCOUNTS_OPENED + 1)),
        2 => (account(), account()),
    ]
}

fn memos() -> impl Strategy<Value = u8> {
    prop_oneof![4 => Just(0), 1 => 1..=2_u8]
}

fn statuses() -> impl Strategy<Value = AccountStatus> {
    prop_oneof![6 => Just(AccountStatus::Open), 1 => Just(AccountStatus::Frozen), 1 => Just(AccountStatus::Closed)]
}

/// What is proposed: mostly small, sometimes nothing or less, sometimes all there can be.
fn amounts() -> impl Strategy<Value = Amount> {
    prop_oneof![
        16 => (1..=40_i64).prop_map(minor),
        1 => (-3..=1_i64).prop_map(minor),
        1 => extremes(),
    ]
}

fn opening_limits() -> impl Strategy<Value = (Amount, Amount)> {
    let floor =
        prop_oneof![6 => (-120..=0_i64).prop_map(minor), 2 => Just(Amount::MIN), 1 => (-2..=2_i64).prop_map(minor)];
    let ceiling =
        prop_oneof![6 => (0..=300_i64).prop_map(minor), 2 => Just(Amount::MAX), 1 => (-2..=2_i64).prop_map(minor)];
    (floor, ceiling)
}

/// Limits that an operator sets later: may pass balances, and each other.
fn new_limits() -> impl Strategy<Value = (Option<Amount>, Option<Amount>)> {
    let either = || prop::option::weighted(0.8, prop_oneof![8 => (-100..=100_i64).prop_map(minor), 1 => extremes()]);
    let both = opening_limits().prop_map(|(floor, ceiling)| (Some(floor), Some(ceiling)));
    prop_oneof![1 => both, 1 => (either(), either())]
}

fn extremes() -> impl Strategy<Value = Amount> {
    let max = Amount::MAX.minor();
    prop::sample::select(vec![max, max - 1, max / 2, max / 2 + 1, -max, 1 - max]).prop_map(minor)
}

fn openings(limits: &[(Amount, Amount)]) -> Vec<Item> {
    let open = |(account, (floor, ceiling)): (u8, &(Amount, Amount))| {
        // Whatever was drawn, nearly every history should have accounts to work with.
        let (floor, ceiling) = ((*floor).min(Amount::ZERO), (*ceiling).max(Amount::ZERO));
        let status = AccountStatus::Open;
        Item::alone(Command::OpenAccount(OpenAccount { account: account_id(account), floor, ceiling, status }))
    };
    (1..).zip(limits).map(open).collect()
}

/// The transfer that a command would begin.
pub fn begins(command: &Command) -> Option<TransferId> {
    if let Command::Create(create) = command { Some(create.id) } else { None }
}

/// Ids use both halves of their 128 bits, and their order is not the order in which they are drawn.
fn spread(n: u8) -> u128 {
    u128::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
}

fn account_id(n: u8) -> AccountId {
    AccountId(spread(n))
}

fn transfer_id(n: u8) -> TransferId {
    TransferId(spread(n) ^ 0xFF)
}

fn memo(n: u8) -> Memo {
    Memo(spread(n))
}

fn minor(minor: i64) -> Amount {
    Amount::new(minor).expect("every drawn amount is in range")
}
