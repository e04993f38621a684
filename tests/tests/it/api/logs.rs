//! The action log: who did what, and when, as administrators read it.

use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network, immediate, log_in};
use hesabu_tests::server::{ADMINISTRATOR, PASSWORD};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

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

#[tokio::test]
async fn many_at_once_are_logged_as_one_on_sqlite() {
    many_at_once_are_logged_as_one(Engine::Sqlite).await;
}

#[tokio::test]
async fn many_at_once_are_logged_as_one_on_postgres() {
    many_at_once_are_logged_as_one(Engine::Postgres).await;
}

async fn many_at_once_are_logged_as_one(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let items = |amounts: &[i64]| -> Vec<Value> {
        let item = |amount| json!({ "initiator": alice.account, "receiver": bob.account, "amount": amount });
        amounts.iter().map(item).collect()
    };
    let batch = |amounts: &[i64]| json!({ "mode": "independent", "transfers": items(amounts) }).to_string();
    // The first of them is refused; the same again does nothing, and is not logged again.
    for _ in 0..2 {
        admin.post_keyed("/transfers/batch", "wages", batch(&[9_999, 1, 2])).await.json();
    }
    // Nothing of this happens.
    admin.post("/transfers/batch", batch(&[9_999])).await.json();
    let file = format!(
        "payer,payee,amount,key\n{},{},3,a\n{},{},4,b\n",
        alice.account, bob.account, alice.account, bob.account
    );
    let sent = admin.request(reqwest::Method::POST, "/transfers/import").header("Content-Type", "text/csv").body(file);
    assert_eq!(hesabu_tests::client::Answer::to(sent).await.status, 200);
    // Each proposal of a member's batch has a receiver who has to answer.
    alice.client.post("/transfers/batch", batch(&[5, 6])).await.json();
    let log = transfers(admin, "").await;
    let told: Vec<(&str, &str)> =
        log.iter().map(|act| (act["action"].as_str().unwrap(), act["detail"].as_str().unwrap())).collect();
    let proposed = |amount| format!("{} -> {}: {amount} KES-MC", alice.account, bob.account);
    let expected = [
        ("user proposed a transfer", &*proposed(6)),
        ("user proposed a transfer", &*proposed(5)),
        ("admin transfers for users", "2 sent"),
        ("admin transfers for users", "3 sent"),
    ];
    assert_eq!(told, expected);
    network.prove().await;
}

#[tokio::test]
async fn everything_else_is_logged_on_sqlite() {
    everything_else_is_logged(Engine::Sqlite).await;
}

#[tokio::test]
async fn everything_else_is_logged_on_postgres() {
    everything_else_is_logged(Engine::Postgres).await;
}

/// People, entities, the vocabulary, and what is written; no password and no message is in it.
async fn everything_else_is_logged(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let nobody = Client::of(server);
    let login = |email: &str, password: &str| json!({ "email": email, "password": password });
    nobody.post("/login", login("ALICE@example.org", "wrong-1-password")).await.messages();
    nobody.post("/login", login("stranger@example.org", "wrong-1-password")).await.messages();
    nobody.post("/login", login("my-own-1-password", "x")).await.messages();
    nobody.post("/admin/login", login(&bob.email, PASSWORD)).await.messages();
    let other = log_in(server, "/login", &alice.email).await;
    other.post("/logout", "").await;
    resets_are_sent(&network).await;
    // What changes nothing is no act.
    for _ in 0..2 {
        change_details(alice).await;
    }
    alice.govern(admin, "tradingAccepted", "100", "500").await;
    let favorite = json!({ "addToEntityID": alice.entity, "favoriteEntityID": bob.entity, "isFavorite": true });
    for _ in 0..2 {
        alice.client.post("/favorites", &favorite).await;
    }
    let message = json!({ "senderEntityID": alice.entity, "receiverEntityID": bob.entity, "body": "between us" });
    assert_eq!(alice.client.post("/send-email", message).await.status, 200);
    change_the_vocabulary(admin).await;
    bob.client.post("/password-change", json!({ "password": "Another-1-password" })).await;

    let log = admin.get("/admin/logs?page_size=100").await.data();
    let told: Vec<String> = log.as_array().unwrap().iter().map(told).collect();
    let expected = [
        "bob@example.org changed password: ",
        "admin@example.org admin deleted a category: eating",
        "admin@example.org admin modified a category: Name: food -> eating",
        "admin@example.org admin created a new category: food",
        "admin@example.org admin deleted a tag: newer",
        "admin@example.org admin modified a tag: Name: new -> newer",
        "admin@example.org admin created a new tag: new",
        "alice@example.org user sent an email: ",
        "alice@example.org user modified favorites: added",
        "alice@example.org user modified entity details: Name: alice -> Bakery; Offers:  -> bread",
        "alice@example.org user modified user details: First name:  -> Alice; Language:  -> sw",
        "admin@example.org sent password reset: ",
        "alice@example.org sent password reset: ",
        "alice@example.org user logout: ",
        "alice@example.org user login successful: 127.0.0.1",
        "bob@example.org admin login failed: ",
        " user login failed: ",
        "stranger@example.org user login failed: ",
        "alice@example.org user login failed: ",
        "admin@example.org admin modified balance limit: Max negative balance: 0.00 -> 100.00",
        "admin@example.org admin modified entity details: Status: pending -> tradingAccepted",
        "bob@example.org account created: ",
    ];
    assert_eq!(&told[..expected.len()], expected, "{told:#?}");
    // Who is at the console, nobody knows.
    assert_eq!(told.last().unwrap(), " account created: admin@example.org", "{told:#?}");
    assert_eq!(log.as_array().unwrap().last().unwrap()["category"], "admin");
    actions_are_found_as_they_are_called(admin).await;
    let all = log.to_string();
    for secret in ["password\":", "between us", "my-own-1", "Another-1", "wrong-1"] {
        assert!(!all.contains(secret), "{secret} is in the log");
    }
}

/// Logged is what was sent, once it is; and so nothing of a stranger.
async fn resets_are_sent(network: &Network) {
    let Network { server, admin, alice, .. } = network;
    let asked = [
        ("", "stranger@example.org", 0),
        ("", &*alice.email, 1),
        ("/admin", "stranger@example.org", 1),
        ("/admin", ADMINISTRATOR, 2),
    ];
    for (door, email, count) in asked {
        Client::of(server).post(&format!("{door}/password-reset"), json!({ "email": email })).await;
        let started = Instant::now();
        let log = loop {
            let log = admin.get("/admin/logs?action=sent%20password%20reset").await.data();
            if log.as_array().unwrap().len() >= count {
                break log;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "no reset is sent to {email}: {}", server.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert_eq!(log.as_array().unwrap().len(), count, "{log}");
        if email != "stranger@example.org" {
            let category = if door.is_empty() { "user" } else { "admin" };
            assert_eq!((&log[0]["email"], &log[0]["category"]), (&json!(email), &json!(category)), "{log}");
            assert_ne!(log[0]["userID"], "", "{log}");
        }
    }
}

/// Who, what and more about it.
fn told(act: &Value) -> String {
    let [email, action, detail] = ["email", "action", "detail"].map(|field| act[field].as_str().unwrap());
    format!("{email} {action}: {detail}")
}

async fn change_details(alice: &Member) {
    let entity = format!("/user/entities/{}", alice.entity);
    alice.client.patch("/user", json!({ "firstName": "Alice", "language": "sw" })).await.data();
    alice.client.patch(&entity, json!({ "name": "Bakery", "offers": ["Bread"] })).await.data();
    alice.client.patch("/user", json!({})).await.data();
    alice.client.patch(&entity, json!({})).await.data();
}

/// And not by what they would be called had somebody else done them.
async fn actions_are_found_as_they_are_called(admin: &Client) {
    for (words, count) in [("admin login failed", 1), ("user login failed", 3), ("login failed", 4)] {
        let found = admin.get(&format!("/admin/logs?action={words}")).await;
        assert_eq!(found.meta().0, count, "{words}: {found:?}");
        let called = |act: &Value| act["action"].as_str().unwrap().contains(words);
        assert!(found.data().as_array().unwrap().iter().all(called), "{words}: {found:?}");
    }
}

async fn change_the_vocabulary(admin: &Client) {
    let tag = admin.post("/admin/tags", json!({ "name": "new" })).await.data();
    admin.patch(&format!("/admin/tags/{}", tag["id"].as_str().unwrap()), json!({ "name": "newer" })).await.data();
    admin.delete(&format!("/admin/tags/{}", tag["id"].as_str().unwrap())).await.data();
    let category = admin.post("/admin/categories", json!({ "name": "food" })).await.data();
    let category = format!("/admin/categories/{}", category["id"].as_str().unwrap());
    admin.patch(&category, json!({ "name": "eating" })).await.data();
    admin.delete(&category).await.data();
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
