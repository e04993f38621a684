//! A request with an `Idempotency-Key` happens once, and is answered the same for ever, whatever becomes of the world.

use hesabu_tests::client::{Answer, Client, json_body};
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Network, immediate};
use reqwest::Method;
use serde_json::{Value, json};

const REUSED: &str = "The Idempotency-Key was used before with another request.";

#[tokio::test]
async fn a_key_happens_once_on_sqlite() {
    a_key_happens_once(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_key_happens_once_on_postgres() {
    a_key_happens_once(Engine::Postgres).await;
}

/// The refusal is exactly this one, with its code.
fn reused(answer: &Answer) {
    answer.refused(400, REUSED);
    assert_eq!(answer.json()["errors"][0]["code"], "id-reused");
}

async fn a_key_happens_once(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let carol = network.another("carol", "100", "500").await;
    for (turn, direction) in ["out", "in"].into_iter().enumerate() {
        let key = format!("order {turn}");
        let body = |to, amount, text| alice.proposal(direction, to, amount, text);
        let first = alice.client.post_keyed("/transfers", &key, body(bob, "1.50", "Bread")).await;
        assert_eq!(first.header("idempotency-replayed"), "");
        let id = first.data()["id"].as_str().unwrap().to_owned();
        same_again(&alice.client, &key, &body(bob, "1.50", "Bread"), &first).await;
        // The same amount, written otherwise.
        same_again(&alice.client, &key, &body(bob, "1.5", "Bread"), &first).await;
        for other in [body(bob, "1.51", "Bread"), body(bob, "1.50", "Beer"), body(&carol, "1.50", "Bread")] {
            reused(&alice.client.post_keyed("/transfers", &key, other).await);
        }
        let turned = alice.proposal(if direction == "out" { "in" } else { "out" }, bob, "1.50", "Bread");
        reused(&alice.client.post_keyed("/transfers", &key, turned).await);
        // Somebody else's key of the same name is another key.
        let others = bob.client.post_keyed("/transfers", &key, bob.proposal(direction, alice, "9", "Cheese")).await;
        assert_ne!(others.data()["id"], id);
        // It stays the first answer when the transfer has ended.
        bob.answer(&id, "accept").await.data();
        same_again(&alice.client, &key, &body(bob, "1.50", "Bread"), &first).await;
    }
    let health = admin.sound().await;
    assert_eq!((&health["transfersProposed"], &health["transfersCompleted"]), (&json!(4), &json!(2)));

    let body = immediate(alice, bob, "2", "Grant");
    let first = admin.post_keyed("/admin/transfers", "grant", &body).await;
    let again = admin.post_keyed("/admin/transfers", "grant", &body).await;
    assert_eq!((again.header("idempotency-replayed"), again.data()), ("true", first.data()));
    reused(&admin.post_keyed("/admin/transfers", "grant", immediate(alice, bob, "3", "Grant")).await);
    assert_eq!(alice.balance().await, "-2");
    assert_eq!(admin.sound().await["transfersProposed"], 5);
    network.home.prove().await;
}

async fn same_again(client: &Client, key: &str, body: &str, first: &Answer) {
    let again = client.post_keyed("/transfers", key, body).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.text, first.text);
}

#[tokio::test]
async fn a_refusal_is_answered_again_on_sqlite() {
    a_refusal_is_answered_again(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_refusal_is_answered_again_on_postgres() {
    a_refusal_is_answered_again(Engine::Postgres).await;
}

async fn a_refusal_is_answered_again(engine: Engine) {
    let network = Network::on(engine, "5", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let body = alice.proposal("out", bob, "6", "");
    let refused = alice.client.post_keyed("/transfers", "k", &body).await;
    refused.refused(400, "Sender will exceed its credit limit. The maximum amount that can be sent is: 5.00");
    alice.govern(admin, "tradingAccepted", "10", "500").await;
    let again = alice.client.post_keyed("/transfers", "k", &body).await;
    assert_eq!((again.status, &again.text), (400, &refused.text), "the first answer, although there is room now");
    reused(&alice.client.post_keyed("/transfers", "k", alice.proposal("out", bob, "5", "")).await);
    alice.client.post_keyed("/transfers", "another", &body).await.data();

    // What is wrong with a request itself says nothing of the key.
    let wrong = alice.client.post_keyed("/transfers", "form", alice.proposal("out", bob, "1.005", "")).await;
    assert_eq!(wrong.status, 400);
    alice.client.post_keyed("/transfers", "form", alice.proposal("out", bob, "1", "")).await.data();

    let body = immediate(alice, bob, "4", "");
    let refused = admin.post_keyed("/admin/transfers", "k", &body).await;
    refused.refused(400, "Sender will exceed its credit limit. The maximum amount that can be sent is: 3.00");
    alice.govern(admin, "tradingAccepted", "100", "500").await;
    let again = admin.post_keyed("/admin/transfers", "k", &body).await;
    assert_eq!((again.status, &again.text), (400, &refused.text));
    assert_eq!(admin.sound().await["transfersProposed"], 2);
    network.home.prove().await;
}

#[tokio::test]
async fn many_at_once_with_one_key_on_sqlite() {
    many_at_once_with_one_key(Engine::Sqlite).await;
}

#[tokio::test]
async fn many_at_once_with_one_key_on_postgres() {
    many_at_once_with_one_key(Engine::Postgres).await;
}

async fn many_at_once_with_one_key(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    for (path, client, body) in [
        ("/transfers", &alice.client, alice.proposal("out", bob, "1", "once")),
        ("/transfers", &alice.client, alice.proposal("in", bob, "2", "once")),
        ("/admin/transfers", admin, immediate(alice, bob, "3", "once")),
    ] {
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..30 {
            let (client, body) = (client.clone(), body.clone());
            let key = format!("key of {}", body.len());
            asking.spawn(async move { client.post_keyed(path, &key, body).await });
        }
        let answers = asking.join_all().await;
        let ids: Vec<Value> = answers.iter().map(|answer| answer.data()["id"].clone()).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let first = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty());
        assert_eq!(first.count(), 1);
    }
    let health = admin.sound().await;
    assert_eq!((&health["transfersProposed"], &health["transfersCompleted"]), (&json!(3), &json!(1)));
    assert_eq!(alice.balance().await, "-3");
    network.home.prove().await;
}

#[tokio::test]
async fn keys_that_are_none_on_sqlite() {
    keys_that_are_none(Engine::Sqlite).await;
}

#[tokio::test]
async fn keys_that_are_none_on_postgres() {
    keys_that_are_none(Engine::Postgres).await;
}

async fn keys_that_are_none(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let message = "The Idempotency-Key must be 1 to 255 visible ASCII characters.";
    let body = alice.proposal("out", bob, "1", "");
    let (too_long, longest) = ("k".repeat(256), "k".repeat(255));
    let keys: [&[u8]; 5] = [b"", too_long.as_bytes(), "ቁልፍ".as_bytes(), b"\xff", b"a\tb\xe9"];
    for key in keys {
        let request = alice.client.request(Method::POST, "/transfers").header("Idempotency-Key", key);
        Answer::to(json_body(request, &body)).await.refused(400, message);
        let request = admin.request(Method::POST, "/admin/transfers").header("Idempotency-Key", key);
        Answer::to(json_body(request, immediate(alice, bob, "1", ""))).await.refused(400, message);
    }
    assert_eq!(admin.sound().await["transfersProposed"], 0);
    let first = alice.client.post_keyed("/transfers", &longest, &body).await;
    same_again(&alice.client, &longest, &body, &first).await;
    for key in ["'; drop table idempotency; --", "K", "k", "0"] {
        let other = alice.client.post_keyed("/transfers", key, &body).await;
        assert_eq!((other.status, other.header("idempotency-replayed")), (200, ""), "{key}");
    }
    assert_eq!(admin.sound().await["transfersProposed"], 5);
    network.home.prove().await;
}

#[tokio::test]
async fn a_refused_request_is_refused_again_on_sqlite() {
    a_refused_request_is_refused_again(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_refused_request_is_refused_again_on_postgres() {
    a_refused_request_is_refused_again(Engine::Postgres).await;
}

/// The same for `in`, which reserves nothing, and is refused only because the payer could not pay it now.
async fn a_refused_request_is_refused_again(engine: Engine) {
    let network = Network::on(engine, "5", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let body = bob.proposal("in", alice, "6", "");
    let refused = bob.client.post_keyed("/transfers", "k", &body).await;
    refused.refused(400, "Sender will exceed its credit limit. The maximum amount that can be sent is: 5.00");
    alice.govern(admin, "tradingAccepted", "10", "500").await;
    let again = bob.client.post_keyed("/transfers", "k", &body).await;
    assert_eq!((again.status, &again.text), (400, &refused.text), "the first answer, although there is room now");
    bob.client.post_keyed("/transfers", "another", &body).await.data();
    network.prove().await;
}
