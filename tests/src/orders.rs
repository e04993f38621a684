//! Many transfers at once from many connections, each with a key, and a memory of what was acknowledged. Checks that the promises were kept.

use crate::client::{Answer, Client, json_body};
use crate::network::{Network, immediate};
use crate::server::Server;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::JoinSet;

/// Connections that orders are sent from; each has its own pool.
const CLIENTS: usize = 20;

/// Something to be done once.
#[derive(Clone, Debug)]
pub struct Order {
    client: Client,
    method: Method,
    path: String,
    key: Option<String>,
    body: String,
    /// Its description, which no other order has; for an acceptance, the transfer's id.
    pub text: String,
}

/// An order and the id of the transfer that the server acknowledged; none when it did not answer, or asked to try again.
pub type Placed = (Order, Option<String>);

impl Order {
    /// The same order, to another server.
    #[must_use]
    pub fn towards(&self, server: &Server) -> Order {
        Order { client: self.client.towards(server), ..self.clone() }
    }

    /// Whether it accepts a transfer that is there.
    pub fn accepts(&self) -> bool {
        self.key.is_none()
    }

    /// Places it.
    ///
    /// # Panics
    /// When the server answers with anything but success or "try again".
    pub async fn place(self) -> Placed {
        let mut request = json_body(self.client.request(self.method.clone(), &self.path), &self.body);
        if let Some(key) = &self.key {
            request = request.header("Idempotency-Key", key);
        }
        let id = match Answer::try_to(request).await {
            Ok(answer) if answer.status == 200 => Some(answer.data()["id"].as_str().expect("an id").to_owned()),
            Ok(answer) if answer.status == 503 => {
                answer.messages();
                None
            }
            // An acceptance that was not acknowledged may have happened.
            Ok(answer) if self.accepts() && answer.messages()[0].contains("already been completed") => {
                Some(self.text.clone())
            }
            Ok(answer) => panic!("{answer:?}"),
            Err(_) => None,
        };
        (self, id)
    }
}

/// `count` orders from several connections to several servers in turn: half are the administrator's, half are proposals; and each of
/// `waiting` is accepted by Bob.
pub fn orders(network: &Network, servers: &[&Server], name: &str, count: usize, waiting: &[String]) -> Vec<Order> {
    let Network { admin, alice, bob, .. } = network;
    let afresh = |client: &Client| -> Vec<Client> {
        let mut places = servers.iter().cycle();
        (0..CLIENTS).map(|_| client.afresh().towards(places.next().expect("a server"))).collect()
    };
    let (admins, alices, bobs) = (afresh(admin), afresh(&alice.client), afresh(&bob.client));
    let begin = |turn: usize| {
        let text = format!("{name} {turn}");
        let (from, to) = if turn % 4 < 2 { (alice, bob) } else { (bob, alice) };
        let (clients, path, body) = match turn % 2 {
            0 => (&admins, "/admin/transfers", immediate(from, to, "1.01", &text)),
            _ => {
                let direction = if turn % 4 < 2 { "out" } else { "in" };
                (&alices, "/transfers", alice.proposal(direction, bob, "0.99", &text))
            }
        };
        let client = clients[turn / 2 % CLIENTS].clone();
        Order { client, method: Method::POST, path: path.into(), key: Some(text.clone()), body, text }
    };
    let accept = |(turn, id): (usize, &String)| Order {
        client: bobs[turn % CLIENTS].clone(),
        method: Method::PATCH,
        path: format!("/transfers/{id}"),
        key: None,
        body: json!({ "action": "accept" }).to_string(),
        text: id.clone(),
    };
    (0..count).map(begin).chain(waiting.iter().enumerate().map(accept)).collect()
}

/// Places all of them at once; `acknowledged` counts the successes.
pub async fn place_all(orders: Vec<Order>, acknowledged: &Arc<AtomicUsize>) -> Vec<Placed> {
    let mut placing = JoinSet::new();
    for order in orders {
        let acknowledged = Arc::clone(acknowledged);
        placing.spawn(async move {
            let placed = order.place().await;
            if placed.1.is_some() {
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            placed
        });
    }
    placing.join_all().await
}

/// Everything that was begun since the order `name 0`, as the administrator sees it, by description.
///
/// # Panics
/// When a description is there twice.
pub async fn listed(admin: &Client, name: &str) -> BTreeMap<String, Value> {
    let (mut found, mut page) = (BTreeMap::new(), 1);
    let prefix = format!("{name} ");
    loop {
        let list = admin.get(&format!("/admin/transfers?page_size=100&page={page}")).await.data();
        let list = list.as_array().expect("a list");
        let ours = |transfer: &&Value| transfer["description"].as_str().is_some_and(|text| text.starts_with(&prefix));
        for transfer in list.iter().filter(ours) {
            let text = transfer["description"].as_str().expect("a text").to_owned();
            let twice = found.insert(text, transfer.clone());
            assert_eq!(twice, None, "this happened twice: {transfer}");
        }
        // The newest come first: a page without any of ours is beyond them.
        if list.len() < 100 || !list.iter().any(|transfer| ours(&transfer)) {
            return found;
        }
        page += 1;
    }
}

/// Asserts that what was acknowledged is there, once and as it was acknowledged, and gives the orders that were not acknowledged.
///
/// # Panics
/// When it is not.
pub async fn kept(admin: &Client, name: &str, placed: Vec<Placed>) -> Vec<Order> {
    let listed = listed(admin, name).await;
    let mut texts = BTreeSet::new();
    let mut open = vec![];
    for (order, acknowledged) in placed {
        match acknowledged {
            Some(id) if order.accepts() => {
                let transfer = admin.get(&format!("/admin/transfers/{id}")).await.data();
                assert_eq!(transfer["status"], "transferCompleted", "{transfer}");
            }
            Some(id) => assert_eq!(listed.get(&order.text).map(|found| &found["id"]), Some(&json!(id)), "{order:?}"),
            None => open.push(order.clone()),
        }
        texts.insert(order.text);
    }
    assert!(listed.keys().all(|text| texts.contains(text)), "there is more than was ordered");
    open
}
