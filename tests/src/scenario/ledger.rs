//! Runs steps on anything that decides the core's commands: gives names their ids, keeps the clock, and words the answers.

use super::{Answering, Begin, Runner, Step, Tie};
use hesabu::posting;
use ledger_core::{
    Account, AccountId, AccountStatus, Command, Create, Item, Memo, OpenAccount, Outcome, Receipt, SetLimits,
    SetStatus, SetWindow, Settle, Timestamp, Transfer, TransferId, TransferState, Unit,
};
use std::collections::BTreeMap;

/// Decides commands and keeps what came of them.
pub trait Decide: Send {
    /// What to call it when it differs.
    fn name(&self) -> &'static str;
    /// Decides a batch.
    fn post(&mut self, batch: Vec<Item>, now: Timestamp) -> Answering<'_, Vec<Outcome>>;
    /// What would come of a command.
    fn preview(&mut self, command: Command, now: Timestamp) -> Answering<'_, Outcome>;
    /// An account as it is now.
    fn account(&mut self, id: AccountId) -> Answering<'_, Option<Account>>;
    /// A transfer as it is now.
    fn transfer(&mut self, id: TransferId) -> Answering<'_, Option<Transfer>>;

    /// Whether a batch can end inside of a group.
    fn leaves_groups_open(&self) -> bool {
        true
    }

    /// Proves what was decided, where there is something to prove.
    fn prove(&mut self) -> Answering<'_, ()> {
        Box::pin(async {})
    }
}

/// A runner for whatever decides the core's commands.
#[derive(Debug)]
pub struct Ledger<D> {
    decider: D,
    unit: Unit,
    now: Timestamp,
    /// A name's id is its place of first mention, from 1.
    accounts: Names,
    transfers: Names,
    memos: Names,
    /// The command that first used an id.
    first: BTreeMap<TransferId, Command>,
}

impl<D: Decide> Ledger<D> {
    /// An empty ledger at second 0.
    pub fn new(decider: D, unit: Unit) -> Ledger<D> {
        let [accounts, transfers, memos] = Default::default();
        Ledger { decider, unit, now: Timestamp(0), accounts, transfers, memos, first: BTreeMap::new() }
    }

    async fn answer(&mut self, step: &Step) -> String {
        match step {
            Step::Now(now) => {
                self.now = *now;
                String::new()
            }
            Step::Preview(begin) => {
                let command = self.create(begin);
                let outcome = self.decider.preview(command, self.now).await;
                self.word(&outcome)
            }
            Step::Balance { name } => self.of_account(name, |account| account.balance).await,
            Step::Available { name } => self.of_account(name, Account::available).await,
            Step::Room { name } => self.of_account(name, Account::room).await,
            Step::State { id } => {
                let id = TransferId(self.transfers.id(id));
                self.decider.transfer(id).await.map_or("none", |transfer| state_word(transfer.state)).into()
            }
            _ => self.post(&[step], Tie::Alone).await.concat(),
        }
    }

    async fn post(&mut self, steps: &[&Step], tie: Tie) -> Vec<String> {
        let last = steps.len() - 1;
        let linked = |place| tie == Tie::Cut || place < last;
        let items: Option<Vec<Item>> = steps
            .iter()
            .enumerate()
            .map(|(place, step)| Some(Item { command: self.command(step)?, linked: linked(place) }))
            .collect();
        let Some(items) = items else { return steps.iter().map(|_| "this is not a command".into()).collect() };
        let outcomes = self.decider.post(items, self.now).await;
        outcomes.iter().map(|outcome| self.word(outcome)).collect()
    }

    fn command(&mut self, step: &Step) -> Option<Command> {
        Some(match step {
            Step::Account { name, floor, ceiling, frozen } => Command::OpenAccount(OpenAccount {
                account: AccountId(self.accounts.id(name)),
                floor: *floor,
                ceiling: *ceiling,
                status: if *frozen { AccountStatus::Frozen } else { AccountStatus::Open },
            }),
            Step::Limits { name, floor, ceiling } => Command::SetLimits(SetLimits {
                account: AccountId(self.accounts.id(name)),
                floor: Some(*floor),
                ceiling: Some(*ceiling),
            }),
            Step::Status { name, status } => {
                Command::SetStatus(SetStatus { account: AccountId(self.accounts.id(name)), status: *status })
            }
            Step::Window { name, direction, period, max_amount, max_count, offset } => Command::SetWindow(SetWindow {
                account: AccountId(self.accounts.id(name)),
                direction: *direction,
                period: *period,
                max_amount: *max_amount,
                max_count: *max_count,
                offset: *offset,
            }),
            Step::Begin(begin) => {
                let command = self.create(begin);
                self.first.entry(TransferId(self.transfers.id(&begin.id))).or_insert(command);
                command
            }
            Step::Settle { id, action } => {
                let transfer = TransferId(self.transfers.id(id));
                Command::Settle(Settle { transfer, action: *action, memo: Memo::NONE })
            }
            Step::Again { id } => *self.first.get(&TransferId(self.transfers.id(id)))?,
            Step::Preview(_)
            | Step::Balance { .. }
            | Step::Available { .. }
            | Step::Room { .. }
            | Step::State { .. } => return None,
            Step::Now(_) => return None,
        })
    }

    fn create(&mut self, begin: &Begin) -> Command {
        Command::Create(Create {
            id: TransferId(self.transfers.id(&begin.id)),
            kind: begin.kind,
            payer: AccountId(self.accounts.id(&begin.payer)),
            payee: AccountId(self.accounts.id(&begin.payee)),
            amount: begin.amount,
            expires_at: begin.expires_at,
            key: begin.keyed.then(|| posting::key(0, &begin.id)),
            payable_now: begin.payable,
            memo: begin.memo.as_ref().map_or(Memo::NONE, |memo| Memo(self.memos.id(memo))),
        })
    }

    async fn of_account(&mut self, name: &str, what: fn(&Account) -> ledger_core::Amount) -> String {
        let id = AccountId(self.accounts.id(name));
        let account = self.decider.account(id).await;
        account.map_or_else(|| "no such account".into(), |account| self.unit.format(what(&account)))
    }

    fn word(&self, outcome: &Outcome) -> String {
        match outcome {
            Ok(Receipt::Account(_) | Receipt::Transfer(_)) => "ok".into(),
            Ok(Receipt::Repeated(_)) => "repeated".into(),
            Err(rejection) => match rejection.amount() {
                Some(amount) => format!("{} {}", rejection.word(), self.unit.format(amount)),
                None => rejection.word().into(),
            },
        }
    }
}

impl<D: Decide> Runner for Ledger<D> {
    fn name(&self) -> &'static str {
        self.decider.name()
    }

    fn run<'a>(&'a mut self, step: &'a Step) -> Answering<'a, String> {
        Box::pin(self.answer(step))
    }

    fn leaves_groups_open(&self) -> bool {
        self.decider.leaves_groups_open()
    }

    fn prove(&mut self) -> Answering<'_, ()> {
        self.decider.prove()
    }

    fn run_linked<'a>(&'a mut self, steps: Vec<&'a Step>, tie: Tie) -> Answering<'a, Vec<String>> {
        Box::pin(async move { self.post(&steps, tie).await })
    }
}

/// Names and the numbers they were given.
#[derive(Debug, Default)]
struct Names(Vec<String>);

impl Names {
    fn id(&mut self, name: &str) -> u128 {
        let known = self.0.iter().position(|known| known == name);
        let place = known.unwrap_or_else(|| {
            self.0.push(name.into());
            self.0.len() - 1
        });
        (1..).nth(place).expect("fewer names than numbers")
    }
}

fn state_word(state: TransferState) -> &'static str {
    match state {
        TransferState::Held => "held",
        TransferState::Requested => "requested",
        TransferState::Posted => "posted",
        TransferState::Released => "released",
        TransferState::Declined => "declined",
        TransferState::Withdrawn => "withdrawn",
        TransferState::Expired => "expired",
        TransferState::Refused(_) => "refused",
    }
}
