//! Random payments among numbered accounts, from a fixed seed: what every bench sends. Who decides about them is elsewhere.

use ledger_core::{Account, AccountId, Amount, BATCH_MAX, Command, Create, Item, Memo, TransferId, TransferKind};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What account ids begin with: the form of time-ordered ids, so that neighbours differ in their last bytes only.
const FIRST_ACCOUNT: u128 = 0x0190_0000_0000_7000_8000_0000_0000_0000;

/// The most that one payment moves, in minor units.
const AMOUNT_MAX: u64 = 100;

/// The account with this number.
pub fn account(number: u64) -> AccountId {
    AccountId(FIRST_ACCOUNT + u128::from(number))
}

/// Numbers that look random and are the same in every run (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Another seed gives other numbers.
    pub fn seeded(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, each number as likely as the others.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or_default()
    }
}

/// Transfer ids in the order of time. Clones share the counter: no two of them give the same id.
#[derive(Clone, Debug)]
pub struct Ids {
    base: u128,
    next: Arc<AtomicU64>,
}

impl Ids {
    /// Ids after all that were made until now. They count in the bits that are random otherwise; those made next by
    /// another value are billions away.
    pub fn from_now() -> Ids {
        Ids { base: hesabu::mint_id(), next: Arc::default() }
    }

    /// The first of `count` ids that follow each other.
    pub fn take(&self, count: u64) -> u128 {
        self.base + u128::from(self.next.fetch_add(count, Ordering::Relaxed))
    }
}

/// One payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payment {
    /// Of the transfer.
    pub id: u128,
    /// Who pays.
    pub payer: AccountId,
    /// Another, who is paid.
    pub payee: AccountId,
    /// Minor units, above zero.
    pub amount: i64,
}

impl Payment {
    /// As a command: at once, with an id that the client chose.
    pub fn command(&self) -> Command {
        Command::Create(Create {
            id: TransferId(self.id),
            kind: TransferKind::Immediate,
            payer: self.payer,
            payee: self.payee,
            amount: Amount::new(self.amount).unwrap_or(Amount::ZERO),
            expires_at: None,
            key: None,
            payable_now: false,
            memo: Memo::NONE,
        })
    }
}

/// Payments among the first so many accounts.
#[derive(Clone, Debug)]
pub struct Payments {
    random: Random,
    accounts: u64,
    ids: Ids,
}

impl Payments {
    /// Another seed gives other payments. There are at least two accounts.
    pub fn new(seed: u64, accounts: u64, ids: Ids) -> Payments {
        Payments { random: Random::seeded(seed), accounts, ids }
    }

    /// The next `size` payments.
    pub fn batch(&mut self, size: usize) -> impl Iterator<Item = Payment> {
        let first = self.ids.take(u64::try_from(size).unwrap_or(u64::MAX));
        (first..).take(size).map(|id| {
            let payer = self.random.below(self.accounts);
            let payee = (payer + 1 + self.random.below(self.accounts - 1)) % self.accounts;
            let amount = i64::try_from(1 + self.random.below(AMOUNT_MAX)).unwrap_or(1);
            Payment { id, payer: account(payer), payee: account(payee), amount }
        })
    }
}

/// The sizes of batches that matter: one alone, some, many, and the most that are decided at once.
pub const SIZES: [usize; 4] = [1, 100, 1_000, BATCH_MAX];

/// A batch to be decided, with the accounts that it touches.
#[derive(Clone, Debug)]
pub struct Batch {
    /// In the order of their ids.
    pub accounts: Vec<Account>,
    /// The payments.
    pub items: Vec<Item>,
}

impl Batch {
    /// `size` payments among the first `accounts` accounts.
    pub fn of(size: usize, accounts: u64) -> Batch {
        Batch::from(&mut Payments::new(1, accounts, Ids::from_now()), size)
    }

    /// The next `size` of these payments.
    pub fn from(payments: &mut Payments, size: usize) -> Batch {
        let payments: Vec<Payment> = payments.batch(size).collect();
        let touched: BTreeSet<AccountId> = payments.iter().flat_map(|payment| [payment.payer, payment.payee]).collect();
        let accounts = touched.into_iter().map(|id| Account::open(id, Amount::MIN, Amount::MAX)).collect();
        let items = payments.iter().map(|payment| Item::alone(payment.command())).collect();
        Batch { accounts, items }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payments_are_the_same_in_every_run_and_never_to_oneself() {
        let payments = || Payments::new(7, 3, Ids { base: 0, next: Arc::default() }).batch(500).collect::<Vec<_>>();
        assert_eq!(payments(), payments());
        assert!(payments().iter().all(|payment| payment.payer != payment.payee && payment.amount > 0));
        let payers: BTreeSet<AccountId> = payments().iter().map(|payment| payment.payer).collect();
        assert_eq!(payers, BTreeSet::from([0, 1, 2].map(account)));
    }

    #[test]
    fn ids_of_clones_differ_and_grow() {
        let ids = Ids::from_now();
        let taken = [ids.take(3), ids.clone().take(2), ids.take(1), Ids::from_now().take(1)];
        assert!(taken.is_sorted_by(|a, b| a < b), "{taken:?}");
        assert_eq!(taken[1], taken[0] + 3);
    }
}
