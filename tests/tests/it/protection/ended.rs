//! Requests that began while their session was good, and end when it is not any more: what they ask for does not happen.

use hesabu::store::Db;
use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Network, log_in};
use hesabu_tests::server::{ADMINISTRATOR, PASSWORD};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const THIEVES: &str = "Thieves-1-password";
const OWNERS: &str = "Owners-1-password";

#[tokio::test]
async fn a_slow_request_of_an_ended_session_changes_no_password_on_sqlite() {
    a_slow_request_of_an_ended_session_changes_no_password(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_slow_request_of_an_ended_session_changes_no_password_on_postgres() {
    a_slow_request_of_an_ended_session_changes_no_password(Engine::Postgres).await;
}

/// Somebody with a stolen token holds a request open until its owner has changed the password, which ends the stolen session.
async fn a_slow_request_of_an_ended_session_changes_no_password(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let Network { server, alice, admin, .. } = &network;
    for (door, email, owner) in [("", &*alice.email, &alice.client), ("/admin", ADMINISTRATOR, admin)] {
        let stolen = log_in(server, &format!("{door}/login"), email).await;
        let body = json!({ "password": THIEVES }).to_string();
        let (most, last) = body.split_at(body.len() - 1);
        let host = server.address.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).await.unwrap();
        let head = format!(
            "POST /api/v1{door}/password-change HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{most}",
            stolen.token(),
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // Its session is looked up, and its body is waited for.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let changed = owner.post(&format!("{door}/password-change"), json!({ "password": OWNERS })).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        stream.write_all(last.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        let login = |password: &str| json!({ "email": email, "password": password });
        let nobody = Client::of(server);
        nobody.post(&format!("{door}/login"), login(THIEVES)).await.refused(400, "Invalid password.");
        assert_eq!(nobody.post(&format!("{door}/login"), login(OWNERS)).await.status, 200);
    }
}

#[tokio::test]
async fn what_was_mailed_to_an_address_before_is_void_on_sqlite() {
    what_was_mailed_to_an_address_before_is_void(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_was_mailed_to_an_address_before_is_void_on_postgres() {
    what_was_mailed_to_an_address_before_is_void(Engine::Postgres).await;
}

/// Whoever reads the old mailbox of somebody who has another one cannot use the reset in it.
async fn what_was_mailed_to_an_address_before_is_void(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let Network { server, admin, alice, home, .. } = &network;
    Client::of(server).post("/password-reset", json!({ "email": alice.email })).await;
    let db = home.database.open().await;
    let resets = async || resets(&db).await;
    until_one_is_mailed(&db).await;
    let user = admin.get("/admin/users?email=alice@example.org").await.data()[0]["id"].as_str().unwrap().to_owned();
    admin.patch(&format!("/admin/users/{user}"), json!({ "firstName": "Alice" })).await.data();
    assert_eq!(resets().await, 1);
    admin.patch(&format!("/admin/users/{user}"), json!({ "email": "elsewhere@example.org" })).await.data();
    assert_eq!(resets().await, 0);
    db.close().await;
}

/// Resets that can be used, or were.
async fn resets(db: &Db) -> usize {
    db.fetch_all("select 1 as one from password_reset", vec![]).await.unwrap().len()
}

async fn until_one_is_mailed(db: &Db) {
    let started = Instant::now();
    while resets(db).await == 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "no reset was mailed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn an_administrators_password_is_changed_at_their_door_on_sqlite() {
    an_administrators_password_is_changed_at_their_door(Engine::Sqlite).await;
}

#[tokio::test]
async fn an_administrators_password_is_changed_at_their_door_on_postgres() {
    an_administrators_password_is_changed_at_their_door(Engine::Postgres).await;
}

/// A token that opens the members' door only does not lead to the other.
async fn an_administrators_password_is_changed_at_their_door(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let weaker = log_in(&network.server, "/login", ADMINISTRATOR).await;
    let other = json!({ "password": THIEVES });
    weaker.post("/password-change", &other).await.refused(401, "Could not authenticate you.");
    weaker.post("/admin/password-change", &other).await.refused(403, "Permission denied.");
    let login = json!({ "email": ADMINISTRATOR, "password": PASSWORD });
    assert_eq!(Client::of(&network.server).post("/admin/login", login).await.status, 200);
}

#[tokio::test]
async fn a_member_is_given_another_password_on_sqlite() {
    a_member_is_given_another_password(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_member_is_given_another_password_on_postgres() {
    a_member_is_given_another_password(Engine::Postgres).await;
}

/// By an administrator: no way in is left that was there before, and whoever was locked out need not wait.
async fn a_member_is_given_another_password(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let Network { server, admin, alice, home, .. } = &network;
    let nobody = Client::of(server);
    let db = home.database.open().await;
    nobody.post("/password-reset", json!({ "email": alice.email })).await;
    until_one_is_mailed(&db).await;
    let login =
        async |password: &str| nobody.post("/login", json!({ "email": alice.email, "password": password })).await;
    for _ in 0..3 {
        login(THIEVES).await.messages();
    }
    assert!(login(PASSWORD).await.messages()[0].contains("temporarily locked"));
    let id = admin.get("/admin/users?email=alice@example.org").await.data()[0]["id"].clone();
    let path = format!("/admin/users/{}", id.as_str().unwrap());
    for (password, message) in [
        ("abcdefg1", "Password must have at least one special character."),
        ("Ab1$", "Password must be at least 8 characters long."),
    ] {
        let change = json!({ "password": password, "firstName": "Refused" });
        admin.patch(&path, change).await.refused(400, message);
    }
    alice.client.get("/user").await.data();
    let changed = admin.patch(&path, json!({ "password": OWNERS, "firstName": "Alice" })).await.data();
    assert_eq!((&changed["firstName"], changed.get("password")), (&json!("Alice"), None));
    alice.client.get("/user").await.refused(401, "Could not authenticate you.");
    assert_eq!(resets(&db).await, 0);
    login(PASSWORD).await.refused(400, "Invalid password.");
    assert_eq!(login(OWNERS).await.status, 200);
    let log = admin.get("/admin/logs?category=admin&page_size=2").await.data();
    let told = [0, 1].map(|place| [&log[place]["action"], &log[place]["detail"], &log[place]["subjectID"]]);
    let expected = [("admin modified user details", "First name:  -> Alice"), ("changed password", "")];
    assert_eq!(
        told,
        [0, 1]
            .map(|place: usize| [expected[place].0, expected[place].1])
            .map(|[action, detail]| [json!(action), json!(detail), id.clone()])
            .each_ref()
            .map(|act| act.each_ref()),
        "{log}"
    );
    assert!(!log.to_string().contains(OWNERS), "{log}");
    db.close().await;
}
