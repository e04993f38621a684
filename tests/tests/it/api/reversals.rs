//! Taking a completed transfer back, by a new one that is linked to it.

use hesabu_tests::client::{Answer, Client};
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network, immediate};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const TWICE: &str = "The transfer has been reversed already, or its reversal waits for an answer.";

async fn ask(client: &Client, transfer: &str) -> Answer {
    client.post(&format!("/transfers/{transfer}/reversal"), json!({ "description": "wrong shop" })).await
}

async fn completed(payer: &Member, payee: &Member, amount: &str) -> String {
    let id = payer.proposed("out", payee, amount).await;
    payee.answer(&id, "accept").await.data();
    id
}

async fn shown(admin: &Client, transfer: &str) -> Value {
    admin.get(&format!("/admin/transfers/{transfer}")).await.data()
}

#[tokio::test]
async fn both_sides_agree_to_take_a_transfer_back_on_sqlite() {
    both_sides_agree_to_take_a_transfer_back(Engine::Sqlite).await;
}

#[tokio::test]
async fn both_sides_agree_to_take_a_transfer_back_on_postgres() {
    both_sides_agree_to_take_a_transfer_back(Engine::Postgres).await;
}

async fn both_sides_agree_to_take_a_transfer_back(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let carol = network.another("carol", "100", "500").await;
    let first = completed(alice, bob, "42.50").await;

    // Whoever paid asks to be paid back, and the other side may say no.
    let asked = ask(&alice.client, &first).await.data();
    assert_eq!(
        (&asked["transfer"], &asked["isInitiator"], &asked["status"], &asked["reverses"], &asked["description"]),
        (&json!("in"), &json!(true), &json!("transferInitiated"), &json!(first), &json!("wrong shop"))
    );
    assert_eq!(shown(admin, &first).await["reversedBy"], asked["id"]);
    for client in [&alice.client, &bob.client] {
        ask(client, &first).await.refused(400, TWICE);
    }
    let no = json!({ "action": "reject", "cancellationReason": "it was right" });
    bob.client.patch(&format!("/transfers/{}", asked["id"].as_str().unwrap()), no).await.data();
    assert_eq!(shown(admin, &first).await.get("reversedBy"), None);
    assert_eq!((alice.balance().await, bob.balance().await), ("-42.5".into(), "42.5".into()));

    // Whoever was paid offers to pay back.
    let offered = ask(&bob.client, &first).await.data();
    assert_eq!((&offered["transfer"], &offered["amount"].to_string()), (&json!("out"), &"42.5".into()));
    let offered = offered["id"].as_str().unwrap();
    alice.answer(offered, "accept").await.data();
    assert_eq!((alice.balance().await, bob.balance().await), ("0".into(), "0".into()));
    assert_eq!(shown(admin, offered).await["reverses"], json!(first));
    let all = format!("/transfers?status=completed&querying_entity_id={}", alice.entity);
    let all = alice.client.get(&all).await.data();
    assert_eq!((&all[0]["reverses"], &all[1]["reversedBy"]), (&json!(first), &json!(offered)));
    ask(&alice.client, &first).await.refused(400, TWICE);
    admin.post(&format!("/admin/transfers/{first}/reversal"), json!({ "reason": "x" })).await.refused(400, TWICE);

    // What was taken back may itself be taken back.
    ask(&alice.client, offered).await.data();

    let waiting = alice.proposed("out", bob, "1").await;
    ask(&alice.client, &waiting).await.refused(400, "Only a completed transfer can be reversed.");
    ask(&carol.client, &first).await.refused(403, "Permission denied.");
    for nonsense in ["x", "00000000-0000-0000-0000-000000000000", "%27"] {
        ask(&alice.client, nonsense).await.refused(400, "Transfer not found.");
    }
    let long = json!({ "description": "x".repeat(511) });
    let long = alice.client.post(&format!("/transfers/{first}/reversal"), long).await;
    long.refused(400, "Description length cannot exceed 510 characters.");
    Client::of(&network.server)
        .post(&format!("/transfers/{first}/reversal"), "{}")
        .await
        .refused(401, "Could not authenticate you.");
    network.prove().await;
}

#[tokio::test]
async fn an_administrator_takes_a_transfer_back_once_on_sqlite() {
    an_administrator_takes_a_transfer_back_once(Engine::Sqlite).await;
}

#[tokio::test]
async fn an_administrator_takes_a_transfer_back_once_on_postgres() {
    an_administrator_takes_a_transfer_back_once(Engine::Postgres).await;
}

async fn an_administrator_takes_a_transfer_back_once(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let made = admin.post("/admin/transfers", immediate(alice, bob, "10", "x")).await.data();
    let path = format!("/admin/transfers/{}/reversal", made["id"].as_str().unwrap());
    for empty in ["{}", r#"{"reason":""}"#, r#"{"reason":"  "}"#, r#"{"reason":null}"#] {
        admin.post(&path, empty).await.refused(400, "reason parameter is missing.");
    }
    alice.client.post(&path, json!({ "reason": "x" })).await.refused(403, "Permission denied.");

    // Many at once, administrators and members: one of them does it. An administrator does not wait for an answer to what a member proposed.
    let mut tries = JoinSet::new();
    for number in 0..12 {
        let (client, path, body) = match number % 3 {
            0 => (admin.clone(), path.clone(), json!({ "reason": format!("mistyped {number}") })),
            1 => (alice.client.clone(), path.replace("/admin", ""), json!({})),
            _ => (bob.client.clone(), path.replace("/admin", ""), json!({})),
        };
        tries.spawn(async move { client.post(&path, body).await });
    }
    let answers = tries.join_all().await;
    let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    let mut standing = 0;
    for answer in &done {
        let id = answer.data()["id"].as_str().unwrap().to_owned();
        standing += usize::from(shown(admin, &id).await["status"] != "transferCancelled");
    }
    assert_eq!(standing, 1, "{answers:?}");
    refused.iter().for_each(|answer| answer.refused(400, TWICE));

    // With a key, once, and the same answer again; the same key for another transfer is another key.
    let mut keyed = vec![];
    for amount in ["5", "5"] {
        let made = admin.post("/admin/transfers", immediate(alice, bob, amount, "x")).await.data();
        let path = format!("/admin/transfers/{}/reversal", made["id"].as_str().unwrap());
        let first = admin.post_keyed(&path, "k", json!({ "reason": "twice" })).await;
        let again = admin.post_keyed(&path, "k", json!({ "reason": "twice" })).await;
        assert_eq!((first.data(), again.header("idempotency-replayed")), (again.data(), "true"));
        assert_eq!(first.data()["reverses"], made["id"]);
        keyed.push(first.data()["id"].clone());
        admin.post_keyed(&path, "k", json!({ "reason": "other" })).await.messages();
    }
    assert_ne!(keyed[0], keyed[1]);
    let log = admin.get("/admin/logs?action=admin%20reversed").await.data();
    assert!(log[0]["detail"].as_str().unwrap().ends_with(": twice"), "{log}");

    // Limits hold, and then nothing is linked.
    let (carol, david) = (network.another("carol", "100", "500").await, network.another("david", "0", "500").await);
    let made = admin.post("/admin/transfers", immediate(&carol, &david, "20", "x")).await.data();
    let id = made["id"].as_str().unwrap();
    admin.post("/admin/transfers", immediate(&david, &carol, "20", "spent")).await.data();
    let refused = admin.post(&format!("/admin/transfers/{id}/reversal"), json!({ "reason": "x" })).await;
    assert!(refused.messages()[0].starts_with("Sender will exceed its credit limit."), "{refused:?}");
    assert_eq!(shown(admin, id).await.get("reversedBy"), None);
    network.prove().await;
}

#[tokio::test]
async fn a_reversal_that_is_refused_changes_nothing_on_sqlite() {
    a_reversal_that_is_refused_changes_nothing(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_reversal_that_is_refused_changes_nothing_on_postgres() {
    a_reversal_that_is_refused_changes_nothing(Engine::Postgres).await;
}

/// What a member has proposed to the same end waits on when a limit refuses the administrator's, and ends when that happens.
async fn a_reversal_that_is_refused_changes_nothing(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, home, .. } = &network;
    let (carol, db) = (network.another("carol", "0", "500").await, home.database.open().await);
    let made = admin.post("/admin/transfers", immediate(alice, &carol, "20", "x")).await.data();
    let (id, path) =
        (made["id"].as_str().unwrap(), format!("/admin/transfers/{}/reversal", made["id"].as_str().unwrap()));
    let asked = ask(&alice.client, id).await.data();
    admin.post("/admin/transfers", immediate(&carol, alice, "20", "spent")).await.data();
    let reasons = async || {
        let sql = "select count(*) as n from mail where kind = 'transfer-cancelled-by-system'";
        db.fetch_all(sql, vec![]).await.unwrap()[0].int("n").unwrap()
    };
    let state = async || {
        let log = admin.get("/admin/logs").await.meta();
        (shown(admin, asked["id"].as_str().unwrap()).await, shown(admin, id).await, log)
    };
    // Without a key, with one, with the same again, and with the same for something else.
    let before = state().await;
    assert_eq!((&before.0["status"], &before.1["reversedBy"]), (&json!("transferInitiated"), &asked["id"]));
    let told = reasons().await;
    let refused = admin.post(&path, json!({ "reason": "mistyped" })).await;
    assert!(refused.messages()[0].starts_with("Sender will exceed its credit limit."), "{refused:?}");
    for reason in ["mistyped", "mistyped", "another"] {
        assert_eq!(admin.post_keyed(&path, "k", json!({ "reason": reason })).await.status, 400);
    }
    assert_eq!((state().await, reasons().await), (before, told));

    carol.govern(admin, "tradingAccepted", "20", "500").await;
    let reversed = admin.post(&path, json!({ "reason": "mistyped" })).await.data();
    let (proposed, first, _) = state().await;
    assert_eq!((&proposed["status"], &first["reversedBy"]), (&json!("transferCancelled"), &reversed["id"]));
    assert_eq!(proposed["cancellationReason"], "An administrator has reversed the transfer.");
    let log = admin.get("/admin/logs?page_size=2").await.data();
    let acts = [&log[0]["action"], &log[1]["action"]];
    assert!(
        acts.contains(&&json!("admin reversed a transfer")) && acts.contains(&&json!("system cancelled a transfer")),
        "{log}"
    );
    db.close().await;
    network.prove().await;
}
