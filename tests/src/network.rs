//! A small network for tests: an administrator, and members who trade. What they may say to a server is in `client.rs`.

use crate::client::{Answer, Client};
use crate::database::Engine;
use crate::server::{ADMINISTRATOR, Home, PASSWORD, Server};
use serde_json::{Value, json};

/// A server with an administrator and two trading members.
#[derive(Debug)]
pub struct Network {
    /// The server.
    pub server: Server,
    /// Where it lives.
    pub home: Home,
    /// The administrator.
    pub admin: Client,
    /// Member.
    pub alice: Member,
    /// Member.
    pub bob: Member,
}

/// A trading member.
#[derive(Clone, Debug)]
pub struct Member {
    /// With the member's token.
    pub client: Client,
    /// The member's e-mail address.
    pub email: String,
    /// The id of the entity.
    pub entity: String,
    /// The number of its account.
    pub account: String,
}

impl Network {
    /// Two members who may go `negative` into debt and `positive` into credit.
    pub async fn on(engine: Engine, negative: &str, positive: &str) -> Network {
        Network::at(Home::on(engine).await, negative, positive).await
    }

    /// The same in a home that is there.
    pub async fn at(home: Home, negative: &str, positive: &str) -> Network {
        let server = home.serve().await;
        let admin = administrator(&home, &server).await;
        let alice = Member::admitted(&server, &admin, "alice", negative, positive).await;
        let bob = Member::admitted(&server, &admin, "bob", negative, positive).await;
        Network { server, home, admin, alice, bob }
    }

    /// One more member.
    pub async fn another(&self, name: &str, negative: &str, positive: &str) -> Member {
        Member::admitted(&self.server, &self.admin, name, negative, positive).await
    }

    /// Starts the server again, after it was killed or stopped.
    pub async fn restart(&mut self) {
        self.server = self.home.serve().await;
        for client in [&mut self.admin, &mut self.alice.client, &mut self.bob.client] {
            *client = client.towards(&self.server);
        }
    }

    /// Asserts that the books are right: every invariant now, and the proof of the whole journal.
    pub async fn prove(&self) {
        self.admin.sound().await;
        self.home.prove().await;
    }
}

impl Member {
    /// Somebody who has signed up, and whose entity is named as their address.
    ///
    /// # Panics
    /// When signing up is refused.
    pub async fn signed_up(server: &Server, name: &str) -> Member {
        let (client, email) = (Client::of(server), format!("{name}@example.org"));
        let body = json!({ "userEmail": email, "password": PASSWORD, "entityName": name });
        let data = client.post("/signup", body).await.data();
        let client = client.with_token(data["token"].as_str().expect("a token"));
        let entity = data["entityID"].as_str().expect("an id").to_owned();
        let own = client.get("/user/entities").await.data();
        let account = own[0]["accountNumber"].as_str().expect("a number").to_owned();
        Member { client, email, entity, account }
    }

    /// The same, admitted to trade between these limits, both told as positive numbers.
    pub async fn admitted(server: &Server, admin: &Client, name: &str, negative: &str, positive: &str) -> Member {
        let member = Member::signed_up(server, name).await;
        member.govern(admin, "tradingAccepted", negative, positive).await;
        member
    }

    /// Sets status and limits.
    pub async fn govern(&self, admin: &Client, status: &str, negative: &str, positive: &str) {
        let body =
            format!(r#"{{"status":"{status}","maxNegativeBalance":{negative},"maxPositiveBalance":{positive}}}"#);
        admin.patch(&format!("/admin/entities/{}", self.entity), body).await.data();
    }

    /// The balance, as sent.
    pub async fn balance(&self) -> String {
        self.client.get(&format!("/balance?querying_entity_id={}", self.entity)).await.number("/data/0/balance")
    }

    /// Proposes to pay `to` (`out`) or to be paid by it (`in`).
    pub async fn propose(&self, direction: &str, to: &Member, amount: &str) -> Answer {
        self.client.post("/transfers", self.proposal(direction, to, amount, "")).await
    }

    /// The body of a proposal.
    pub fn proposal(&self, direction: &str, to: &Member, amount: &str, description: &str) -> String {
        let texts = json!({
            "transfer": direction, "initiator": self.account, "receiver": to.account, "description": description,
        });
        // The amount goes out digit by digit.
        let texts = texts.to_string();
        format!(r#"{},"amount":{amount}}}"#, texts.strip_suffix('}').expect("an object"))
    }

    /// Proposes and gives the id.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn proposed(&self, direction: &str, to: &Member, amount: &str) -> String {
        self.propose(direction, to, amount).await.data()["id"].as_str().expect("an id").to_owned()
    }

    /// Accepts, rejects or cancels.
    pub async fn answer(&self, transfer: &str, action: &str) -> Answer {
        self.client.patch(&format!("/transfers/{transfer}"), json!({ "action": action })).await
    }

    /// The entity as its owner sees it.
    pub async fn own(&self) -> Value {
        self.client.get("/user/entities").await.data()[0].take()
    }
}

/// The administrator, made and logged in.
///
/// # Panics
/// When there is one already.
pub async fn administrator(home: &Home, server: &Server) -> Client {
    home.create_administrator().await;
    log_in(server, "/admin/login", ADMINISTRATOR).await
}

/// Somebody who logs in.
///
/// # Panics
/// When it is refused.
pub async fn log_in(server: &Server, path: &str, email: &str) -> Client {
    let client = Client::of(server);
    let data = client.post(path, json!({ "email": email, "password": PASSWORD })).await.data();
    client.with_token(data["token"].as_str().expect("a token"))
}

/// The body of an administrator's transfer.
pub fn immediate(payer: &Member, payee: &Member, amount: &str, description: &str) -> String {
    let (payer, payee, description) = (&payer.account, &payee.account, Value::from(description));
    format!(r#"{{"payer":"{payer}","payee":"{payee}","amount":{amount},"description":{description}}}"#)
}
