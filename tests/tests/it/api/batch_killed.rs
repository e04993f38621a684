//! `kill -9` in the midst of atomic batches: of each there is all or nothing, and one that was not answered can be sent again.

use hesabu_tests::client::{Answer, Client, json_body};
use hesabu_tests::database::Engine;
use hesabu_tests::network::Network;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const ROUNDS: usize = 4;
const BATCHES: usize = 24;
/// Transfers of a batch.
const SIZE: usize = 300;
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_whole_or_not_there_on_sqlite() {
    a_batch_is_whole_or_not_there(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_whole_or_not_there_on_postgres() {
    a_batch_is_whole_or_not_there(Engine::Postgres).await;
}

/// The ids that were acknowledged; nothing when there was no answer, or "try again".
async fn send(client: &Client, key: &str, body: &str) -> Option<Vec<Value>> {
    let request = client.request(Method::POST, "/transfers/batch").header("Idempotency-Key", key);
    let answer = Answer::try_to(json_body(request, body)).await.ok().filter(|answer| answer.status != 503)?;
    let each = answer.data();
    let ids: Vec<Value> = each.as_array().expect("a list").iter().map(|outcome| outcome["id"].clone()).collect();
    assert!(ids.len() == SIZE && ids.iter().all(Value::is_string), "{answer:?}");
    Some(ids)
}

async fn a_batch_is_whole_or_not_there(engine: Engine) {
    let mut network = Network::on(engine, "9999999", "9999999").await;
    let item = json!({ "initiator": network.alice.account, "receiver": network.bob.account, "amount": 0.01 });
    let body = json!({ "mode": "atomic", "transfers": vec![item; SIZE] }).to_string();
    let mut interrupted = 0;
    for round in 0..ROUNDS {
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let mut sending = JoinSet::new();
        for batch in 0..BATCHES {
            let (client, body, counted) = (network.admin.afresh(), body.clone(), Arc::clone(&acknowledged));
            sending.spawn(async move {
                let key = format!("{round} {batch}");
                let ids = send(&client, &key, &body).await;
                counted.fetch_add(usize::from(ids.is_some()), Ordering::Relaxed);
                (key, ids)
            });
        }
        let (started, enough) = (Instant::now(), 1 + round * BATCHES / ROUNDS);
        while acknowledged.load(Ordering::Relaxed) < enough {
            assert!(started.elapsed() < PATIENCE, "nothing is acknowledged");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        network.server.kill();
        let sent = sending.join_all().await;
        let lost = sent.iter().filter(|(_, ids)| ids.is_none()).count();
        interrupted += lost;
        println!("{lost} of {BATCHES} were not answered");

        network.home.prove().await;
        network.restart().await;
        let there = network.admin.sound().await["transfersProposed"].as_u64().expect("a number");
        let there = usize::try_from(there).expect("a few") - round * BATCHES * SIZE;
        assert!(there.is_multiple_of(SIZE) && there >= (BATCHES - lost) * SIZE, "{there}");
        for (key, ids) in sent {
            let again = send(&network.admin, &key, &body).await.expect("a server that runs answers");
            assert!(ids.is_none_or(|ids| ids == again), "what was acknowledged is there, once");
        }
        let there = &network.admin.sound().await["transfersProposed"];
        assert_eq!(*there, (round + 1) * BATCHES * SIZE);
    }
    assert!(interrupted >= ROUNDS, "the kills came too late to prove anything");
    network.prove().await;
}
