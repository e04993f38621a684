//! Takes steps over HTTP, as members and the administrator would: a hold is a proposal to pay, a request one to be paid, and an immediate
//! transfer the administrator's.

use super::{Answering, Begin, Runner, Step};
use crate::client::{Answer, Client};
use crate::database::Engine;
use crate::network::{Member, administrator, immediate};
use crate::server::{Home, Server};
use ledger_core::{AccountStatus, Action, Amount, TransferKind, Unit};
use serde_json::Value;
use std::collections::BTreeMap;

/// A server with its own network.
pub(super) struct Http {
    name: &'static str,
    home: Home,
    server: Server,
    admin: Client,
    unit: Unit,
    members: BTreeMap<String, Member>,
    /// By the id in the text: the id that the server gave, and how it began.
    transfers: BTreeMap<String, (String, Begin)>,
}

impl Http {
    pub(super) async fn on(engine: Engine, unit: &Unit) -> Http {
        let home =
            Home::on(engine).await.with("HESABU_UNIT", unit.code()).with("HESABU_SCALE", &unit.scale().to_string());
        let server = home.serve().await;
        Http {
            name: match engine {
                Engine::Sqlite => "HTTP on SQLite",
                Engine::Postgres => "HTTP on PostgreSQL",
            },
            admin: administrator(&home, &server).await,
            home,
            server,
            unit: unit.clone(),
            members: BTreeMap::new(),
            transfers: BTreeMap::new(),
        }
    }

    async fn answer(&mut self, step: &Step) -> String {
        match step {
            Step::Account { name, floor, ceiling, frozen } => {
                let member = Member::signed_up(&self.server, name).await;
                let status = if *frozen { "accepted" } else { "tradingAccepted" };
                let body = self.governed(*floor, *ceiling, status);
                self.members.insert(name.clone(), member);
                self.govern(name, body).await
            }
            Step::Limits { name, floor, ceiling } => {
                let body = self.governed(*floor, *ceiling, "tradingAccepted");
                self.govern(name, body).await
            }
            Step::Status { name, status } => {
                let word = if *status == AccountStatus::Open { "tradingAccepted" } else { "accepted" };
                self.govern(name, format!(r#"{{"status":"{word}"}}"#)).await
            }
            Step::Begin(begin) => self.begin(begin).await,
            Step::Preview(begin) => {
                let (initiator, body) = self.proposal(begin);
                outcome(&initiator.client.post("/transfers/preview", body).await)
            }
            Step::Settle { id, action } => self.settle(id, *action).await,
            Step::Balance { name } => self.members[name].balance().await,
            _ => "cannot be expressed".into(),
        }
    }

    fn governed(&self, floor: Amount, ceiling: Amount, status: &str) -> String {
        let (negative, positive) = (self.unit.format(floor.negated()), self.unit.format(ceiling));
        format!(r#"{{"status":"{status}","maxNegativeBalance":{negative},"maxPositiveBalance":{positive}}}"#)
    }

    async fn govern(&self, name: &str, body: String) -> String {
        outcome(&self.admin.patch(&format!("/admin/entities/{}", self.members[name].entity), body).await)
    }

    fn proposal(&self, begin: &Begin) -> (&Member, String) {
        let (payer, payee) = (&self.members[&begin.payer], &self.members[&begin.payee]);
        let amount = self.unit.format(begin.amount);
        match begin.kind {
            TransferKind::Request => (payee, payee.proposal("in", payer, &amount, "")),
            _ => (payer, payer.proposal("out", payee, &amount, "")),
        }
    }

    async fn begin(&mut self, begin: &Begin) -> String {
        let answer = if begin.kind == TransferKind::Immediate {
            let (payer, payee) = (&self.members[&begin.payer], &self.members[&begin.payee]);
            self.admin.post("/admin/transfers", immediate(payer, payee, &self.unit.format(begin.amount), "")).await
        } else {
            let (initiator, body) = self.proposal(begin);
            initiator.client.post("/transfers", body).await
        };
        if answer.status == 200 {
            let id = answer.data()["id"].as_str().expect("an id").to_owned();
            self.transfers.insert(begin.id.clone(), (id, begin.clone()));
        }
        outcome(&answer)
    }

    async fn settle(&self, id: &str, action: Action) -> String {
        let (transfer, begin) = &self.transfers[id];
        let (who, word) = match action {
            Action::Capture(_) => (&begin.payee, "accept"),
            Action::Accept => (&begin.payer, "accept"),
            Action::Release => (&begin.payer, "cancel"),
            Action::Decline => (&begin.payer, "reject"),
            Action::Withdraw | Action::Expire => (&begin.payee, "cancel"),
        };
        outcome(&self.members[who].answer(transfer, word).await)
    }
}

/// `ok`, or the word of a refusal with its amount.
fn outcome(answer: &Answer) -> String {
    if answer.status == 200 {
        return "ok".into();
    }
    let body = answer.json();
    let error = &body["errors"][0];
    let word = error["code"].as_str().unwrap_or_else(|| panic!("a refusal without a word: {answer:?}"));
    match &error["amount"] {
        Value::Null => word.into(),
        _ => format!("{word} {}", answer.number("/errors/0/amount")),
    }
}

impl Runner for Http {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run<'a>(&'a mut self, step: &'a Step) -> Answering<'a, String> {
        Box::pin(self.answer(step))
    }

    fn prove(&mut self) -> Answering<'_, ()> {
        Box::pin(async move {
            self.admin.sound().await;
            self.home.prove().await;
        })
    }
}
