//! Lists of transfers: by status, by page, by date; a member's own and an administrator's.

use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network, immediate};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn lists_by_status_and_page_on_sqlite() {
    lists_by_status_and_page(Engine::Sqlite).await;
}

#[tokio::test]
async fn lists_by_status_and_page_on_postgres() {
    lists_by_status_and_page(Engine::Postgres).await;
}

/// What was done: 12 proposals, of which the first 5 were accepted and the next 3 cancelled, each in its order, then one at once.
struct History {
    proposed: Vec<String>,
    at_once: String,
}

async fn trade(network: &Network) -> History {
    let Network { admin, alice, bob, .. } = network;
    let mut proposed = vec![];
    for turn in 0..12 {
        let direction = if turn % 2 == 0 { "out" } else { "in" };
        proposed.push(alice.proposed(direction, bob, &format!("{}", turn + 1)).await);
    }
    for id in &proposed[..5] {
        bob.answer(id, "accept").await.data();
    }
    for id in &proposed[5..8] {
        alice.answer(id, "cancel").await.data();
    }
    let made = admin.post("/admin/transfers", immediate(bob, alice, "0.01", "")).await.data();
    History { proposed, at_once: made["id"].as_str().unwrap().to_owned() }
}

impl History {
    /// The ids of these, the newest first.
    fn newest(&self, range: std::ops::Range<usize>) -> Vec<String> {
        self.proposed[range].iter().rev().cloned().collect()
    }
}

async fn lists_by_status_and_page(engine: Engine) {
    let network = Network::on(engine, "1000", "1000").await;
    let Network { alice, bob, .. } = &network;
    let history = trade(&network).await;
    let at_once = vec![history.at_once.clone()];
    let completed = [at_once.clone(), history.newest(0..5)].concat();
    let all = [at_once, history.newest(0..12)].concat();
    for member in [alice, bob] {
        let list = async |query: &str| list(member, query).await;
        assert_eq!(list("status=completed").await, (completed.clone(), (6, 1)));
        assert_eq!(list("status=cancelled").await, (history.newest(5..8), (3, 1)));
        assert_eq!(list("status=initiated").await, (history.newest(8..12), (4, 1)));
        assert_eq!(list("status=all").await, (all[..10].to_vec(), (13, 2)));
        assert_eq!(list("status=all&page=2").await, (all[10..].to_vec(), (13, 2)));
        assert_eq!(list("status=all&page_size=100").await, (all.clone(), (13, 1)));
        for page in 1..=5 {
            let expected = all.chunks(3).nth(page - 1).unwrap().to_vec();
            assert_eq!(list(&format!("status=all&page_size=3&page={page}")).await, (expected, (13, 5)));
        }
        assert_eq!(list("status=all&page=1000000000&page_size=100").await, (vec![], (13, 1)));
        assert_eq!(list("status=initiated&page_size=3&page=2").await, (history.newest(8..9), (4, 2)));
        assert_eq!(list("status=cancelled&page_size=2&page=2").await, (history.newest(5..6), (3, 2)));
        assert_eq!(list("status=completed&page_size=1&page=6").await, (history.newest(0..1), (6, 6)));
    }
    let empty = network.another("carol", "0", "500").await;
    for status in ["all", "initiated", "completed", "cancelled"] {
        assert_eq!(list(&empty, &format!("status={status}")).await, (vec![], (0, 1)));
    }
    views(alice, &history).await;
    network.prove().await;
}

async fn list(member: &Member, query: &str) -> (Vec<String>, (u64, u64)) {
    let answer = member.client.get(&format!("/transfers?querying_entity_id={}&{query}", member.entity)).await;
    (ids(&answer.data()), answer.meta())
}

fn ids(data: &Value) -> Vec<String> {
    data.as_array().unwrap().iter().map(|transfer| transfer["id"].as_str().unwrap().to_owned()).collect()
}

/// Each status has its own fields and no others.
async fn views(alice: &Member, history: &History) {
    let path = format!("/transfers?status=all&page_size=100&querying_entity_id={}", alice.entity);
    let all = alice.client.get(&path).await.data();
    for transfer in all.as_array().unwrap() {
        let status = transfer["status"].as_str().unwrap();
        let place = history.proposed.iter().position(|id| *id == transfer["id"]);
        let expected = match place {
            None | Some(0..5) => "transferCompleted",
            Some(5..8) => "transferCancelled",
            Some(_) => "transferInitiated",
        };
        assert_eq!(status, expected, "{transfer}");
        assert_eq!(transfer.get("dateCompleted").is_some(), status == "transferCompleted", "{transfer}");
        assert_eq!(transfer["isInitiator"], json!(place.is_some()));
        if let Some(place) = place {
            assert_eq!(transfer["transfer"], if place % 2 == 0 { "out" } else { "in" });
            assert_eq!(transfer["amount"], json!(place + 1));
        }
    }
}

#[tokio::test]
async fn administrators_filter_transfers_on_sqlite() {
    administrators_filter_transfers(Engine::Sqlite).await;
}

#[tokio::test]
async fn administrators_filter_transfers_on_postgres() {
    administrators_filter_transfers(Engine::Postgres).await;
}

async fn administrators_filter_transfers(engine: Engine) {
    let network = Network::on(engine, "1000", "1000").await;
    let Network { admin, alice, bob, .. } = &network;
    let carol = network.another("carol", "100", "500").await;
    let history = trade(&network).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let later = carol.proposed("out", bob, "7").await;
    let list = |query: String| async move {
        let answer = admin.get(&format!("/admin/transfers?page_size=100&{query}")).await;
        (ids(&answer.data()), answer.meta().0)
    };
    let late = vec![later.clone()];
    let at_once = vec![history.at_once.clone()];
    let all = [late.clone(), at_once.clone(), history.newest(0..12)].concat();
    assert_eq!(list(String::new()).await, (all.clone(), 14));
    assert_eq!(list("status=initiated".into()).await, ([late.clone(), history.newest(8..12)].concat(), 5));
    assert_eq!(list("status=cancelled".into()).await, (history.newest(5..8), 3));
    assert_eq!(list("status=completed".into()).await, ([at_once.clone(), history.newest(0..5)].concat(), 6));
    assert_eq!(list("status=completed,cancelled".into()).await, ([at_once, history.newest(0..8)].concat(), 9));
    assert_eq!(list(format!("account_number={}", carol.account)).await, (late.clone(), 1));
    assert_eq!(list(format!("account_number={}", alice.account)).await, (all[1..].to_vec(), 13));
    assert_eq!(list(format!("account_number={}&status=cancelled", carol.account)).await, (vec![], 0));
    assert_eq!(list("account_number=1234567887654321".into()).await, (vec![], 0));

    let date = admin.get(&format!("/admin/transfers/{later}")).await.data()["dateProposed"].take();
    let date = date.as_str().unwrap();
    assert_eq!(list(format!("date_from={date}")).await, (late.clone(), 1));
    assert_eq!(list(format!("date_to={date}")).await, (all[1..].to_vec(), 13));
    assert_eq!(list(format!("date_from={date}&date_to={date}")).await, (vec![], 0));
    assert_eq!(list("date_from=0".into()).await.1, 14);
    assert_eq!(list("date_to=1970-01-01T00:00:00%2B03:00".into()).await.1, 0);
    for bad in ["date_from=tomorrow", "date_to=99999999999999999999", "date_from=2026-11-23"] {
        assert_eq!(admin.get(&format!("/admin/transfers?{bad}")).await.messages().len(), 1);
    }
    admin.get("/admin/transfers?status=done").await.refused(400, "Please enter a valid status.");
    let pages = admin.get("/admin/transfers?page_size=5&page=3").await;
    assert_eq!((ids(&pages.data()), pages.meta()), (all[10..].to_vec(), (14, 3)));
}
