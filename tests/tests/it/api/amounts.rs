//! Amounts are exact in and out, whatever a float would make of them, and texts of every script come back as they were.

use hesabu_tests::database::Engine;
use hesabu_tests::network::{Network, immediate};
use serde_json::{Value, json};

#[tokio::test]
async fn amounts_are_exact_on_sqlite() {
    amounts_are_exact(Engine::Sqlite).await;
}

#[tokio::test]
async fn amounts_are_exact_on_postgres() {
    amounts_are_exact(Engine::Postgres).await;
}

async fn amounts_are_exact(engine: Engine) {
    let most = "9999999999999.99";
    let network = Network::on(engine, most, most).await;
    let Network { admin, alice, bob, .. } = &network;
    assert_eq!(limit(&network, "maxNegativeBalance").await, most);
    for (sent, written) in [
        ("1234567.89", "1234567.89"),
        ("0.01", "0.01"),
        ("9999999999999.99", "9999999999999.99"),
        ("1200000", "1200000"),
        ("2100000.10", "2100000.1"),
        ("0.10", "0.1"),
        ("1.100", "1.1"),
        ("1200000.5", "1200000.5"),
        ("4503599627370.49", "4503599627370.49"),
    ] {
        let answer = alice.propose("out", bob, sent).await;
        assert_eq!(answer.number("/data/amount"), written);
        let id = answer.data()["id"].as_str().unwrap().to_owned();
        let accepted = bob.answer(&id, "accept").await;
        assert_eq!(accepted.number("/data/amount"), written);
        assert_eq!(alice.balance().await, format!("-{written}"));
        assert_eq!(bob.balance().await, written);
        let path = format!("/transfers?status=all&querying_entity_id={}", bob.entity);
        assert_eq!(bob.client.get(&path).await.number("/data/0/amount"), written);
        let back = admin.post("/admin/transfers", immediate(bob, alice, sent, "back")).await;
        assert_eq!(back.number("/data/amount"), written);
        assert_eq!(alice.balance().await, "0");
    }
    // Ten times a tenth is one.
    for _ in 0..10 {
        admin.post("/admin/transfers", immediate(alice, bob, "0.10", "")).await.data();
    }
    assert_eq!([alice.balance().await, bob.balance().await], ["-1", "1"]);
    network.prove().await;
}

async fn limit(network: &Network, field: &str) -> String {
    let answer = network.alice.client.get("/user/entities").await;
    answer.number(&format!("/data/0/{field}"))
}

#[tokio::test]
async fn every_script_comes_back_on_sqlite() {
    every_script_comes_back(Engine::Sqlite).await;
}

#[tokio::test]
async fn every_script_comes_back_on_postgres() {
    every_script_comes_back(Engine::Postgres).await;
}

async fn every_script_comes_back(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let texts = [
        "Оплата за хлеб, спасибо!",
        "ለቡና ክፍያ",
        "🍞👩🏾‍🍳 = 🫶",
        "\"quoted\" \\ \u{200d}\u{ad}",
        "'; drop table transfer; --",
        "é e\u{301}",
    ];
    for text in texts {
        let proposed = alice.client.post("/transfers", alice.proposal("out", bob, "1", text)).await.data();
        assert_eq!(proposed["description"], text);
        let id = proposed["id"].as_str().unwrap();
        let body = json!({ "action": "reject", "cancellationReason": text });
        let ended = bob.client.patch(&format!("/transfers/{id}"), body).await.data();
        assert_eq!((&ended["description"], &ended["cancellationReason"]), (&json!(text), &json!(text)));
        let read = admin.get(&format!("/admin/transfers/{id}")).await.data();
        assert_eq!((&read["description"], &read["cancellationReason"]), (&json!(text), &json!(text)));
        let name = json!({ "name": text, "description": text });
        let changed = alice.client.patch(&format!("/user/entities/{}", alice.entity), name).await.data();
        assert_eq!((&changed["name"], &changed["description"]), (&json!(text), &json!(text)));
        let made = admin.post("/admin/transfers", immediate(bob, alice, "0.01", text)).await.data();
        assert_eq!((&made["description"], &made["toEntityName"]), (&json!(text), &json!(text)));
    }
    // Characters are counted, not bytes.
    let longest = "ሀ".repeat(510);
    let proposed = alice.client.post("/transfers", alice.proposal("out", bob, "1", &longest)).await.data();
    assert_eq!(proposed["description"], Value::from(longest.clone()));
    let longer = alice.client.post("/transfers", alice.proposal("out", bob, "1", &format!("{longest}ሀ"))).await;
    longer.refused(400, "Description length cannot exceed 510 characters.");
    network.prove().await;
}
