//! The action log: who did what, and when, as administrators read it.

use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Network, immediate};
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_done_to_transfers_is_logged_once_on_sqlite() {
    what_is_done_to_transfers_is_logged_once(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_is_done_to_transfers_is_logged_once_on_postgres() {
    what_is_done_to_transfers_is_logged_once(Engine::Postgres).await;
}

async fn what_is_done_to_transfers_is_logged_once(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let body = alice.proposal("out", bob, "1.50", "a secret reason");
    let first = alice.client.post_keyed("/transfers", "k", &body).await.data();
    let again = alice.client.post_keyed("/transfers", "k", &body).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    bob.answer(first["id"].as_str().unwrap(), "reject").await.data();
    let [cancelled, accepted] = [alice.proposed("out", bob, "2").await, bob.proposed("in", alice, "3").await];
    alice.answer(&cancelled, "cancel").await.data();
    // Not theirs to give, so not done and not logged.
    bob.answer(&accepted, "accept").await.refused(403, "Permission denied.");
    alice.answer(&accepted, "accept").await.data();
    // Refused: nothing was done.
    assert_eq!(alice.propose("out", bob, "99999").await.status, 400);
    admin.post("/admin/transfers", immediate(bob, alice, "1", "back")).await.data();
    // A limit is in the way by the time that it is accepted.
    let stopped = bob.proposed("in", alice, "90").await;
    alice.govern(admin, "tradingAccepted", "10", "500").await;
    assert_eq!(alice.answer(&stopped, "accept").await.status, 400);

    let log = transfers(admin, "").await;
    let (out, back) =
        (format!("{} -> {}", alice.account, bob.account), format!("{} -> {}", bob.account, alice.account));
    let expected = [
        ("", "user", "system cancelled a transfer", "90 KES-MC".to_owned(), json!(stopped)),
        (&bob.email, "user", "user proposed a transfer", format!("{out}: 90 KES-MC"), json!(stopped)),
        ("admin@example.org", "admin", "admin transfer for user", format!("{back}: 1 KES-MC"), Value::Null),
        (&alice.email, "user", "user accepted a transfer", "3 KES-MC".to_owned(), json!(accepted)),
        (&alice.email, "user", "user cancelled a transfer", "2 KES-MC".to_owned(), json!(cancelled)),
        (&bob.email, "user", "user proposed a transfer", format!("{out}: 3 KES-MC"), json!(accepted)),
        (&alice.email, "user", "user proposed a transfer", format!("{out}: 2 KES-MC"), json!(cancelled)),
        (&bob.email, "user", "user rejected a transfer", "1.5 KES-MC".to_owned(), first["id"].clone()),
        (&alice.email, "user", "user proposed a transfer", format!("{out}: 1.5 KES-MC"), first["id"].clone()),
    ];
    assert_eq!(log.len(), expected.len(), "{log:#?}");
    for (act, (email, category, action, detail, subject)) in log.iter().zip(&expected) {
        let told = (&act["email"], &act["category"], &act["action"], &act["detail"]);
        assert_eq!(told, (&json!(email), &json!(category), &json!(action), &json!(detail)), "{log:#?}");
        assert!(subject.is_null() || act["subjectID"] == *subject, "{act}");
        assert!(act["createdAt"].as_str().unwrap().ends_with('Z') && act["id"].is_string(), "{act}");
        assert_eq!(act["userID"] == "", email.is_empty(), "{act}");
    }
    filters(admin, &alice.email).await;
    alice.client.get("/admin/logs").await.refused(403, "Permission denied.");
    Client::of(&network.server).get("/admin/logs").await.refused(401, "Could not authenticate you.");
    network.prove().await;
}

/// Those of the log that are about transfers, and nothing else.
async fn transfers(admin: &Client, query: &str) -> Vec<Value> {
    let all = admin.get(&format!("/admin/logs?page_size=100{query}")).await.data();
    let about = |act: &&Value| act["action"].as_str().unwrap().contains("transfer");
    all.as_array().unwrap().iter().filter(about).cloned().collect()
}

async fn filters(admin: &Client, alice: &str) {
    let count = async |query: &str| transfers(admin, query).await.len();
    assert_eq!(count(&format!("&email={}", alice.to_uppercase())).await, 4);
    assert_eq!(count("&email=nobody@example.org").await, 0);
    assert_eq!(count("&category=admin").await, 1);
    assert_eq!(count("&action=Proposed").await, 4);
    assert_eq!(count("&action=user%20accepted%20a%20transfer").await, 1);
    assert_eq!(count("&action=%25").await, 0);
    assert_eq!(count("&detail=90%20KES").await, 2);
    for wild in ["_", "%25", "'", "\\"] {
        assert_eq!(count(&format!("&detail={wild}")).await, 0, "{wild}");
    }
    let all = count("").await;
    assert_eq!(count("&date_from=2020-01-01T00:00:00Z&date_to=2999-01-01T00:00:00Z").await, all);
    assert_eq!(count("&date_from=2999-01-01T00:00:00Z").await, 0);
    assert_eq!(count("&date_to=2020-01-01T00:00:00Z").await, 0);
    for bad in ["category=member", "date_from=yesterday", "date_to=%27", "page=0", "page_size=101"] {
        assert_eq!(admin.get(&format!("/admin/logs?{bad}")).await.status, 400, "{bad}");
    }
    let page = admin.get("/admin/logs?page_size=2&page=2&category=user&action=transfer").await;
    assert_eq!((page.meta(), page.data().as_array().unwrap().len()), ((8, 4), 2));
}
