//! How often one may guess: three wrong passwords lock an address out for a while, whether anybody has it or not.

use hesabu::store::Db;
use hesabu_tests::client::{Answer, Client};
use hesabu_tests::database::Engine;
use hesabu_tests::network::Member;
use hesabu_tests::server::{ADMINISTRATOR, Home, PASSWORD};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const WRONG: &str = "Invalid password.";
const LOCKED: &str = "Your account has been temporarily locked for 15 minutes. Please try again later.";

async fn log_in(client: &Client, door: &str, email: &str, password: &str) -> Answer {
    client.post(&format!("{door}/login"), json!({ "email": email, "password": password })).await
}

/// As if so many minutes had gone by.
async fn pass(db: &Db, minutes: i64) {
    let sql = "update login_failure set last_at = last_at - $1";
    db.execute(sql, vec![(minutes * 60_000_000).into()]).await.expect("time goes by");
}

async fn rows(db: &Db) -> usize {
    db.fetch_all("select attempts from login_failure", vec![]).await.expect("they are there").len()
}

#[tokio::test]
async fn the_third_failure_locks_on_sqlite() {
    the_third_failure_locks(Engine::Sqlite).await;
}

#[tokio::test]
async fn the_third_failure_locks_on_postgres() {
    the_third_failure_locks(Engine::Postgres).await;
}

async fn the_third_failure_locks(engine: Engine) {
    let home = Home::on(engine).await;
    let server = home.serve().await;
    home.create_administrator().await;
    let nobody = Client::of(&server);
    Member::signed_up(&server, "jane").await;
    Member::signed_up(&server, "joan").await;
    let db = home.database.open().await;
    // Of a member, of an administrator, and of nobody: the same words.
    let addresses = ["jane@example.org", ADMINISTRATOR, "nobody@example.org"];
    for email in addresses {
        log_in(&nobody, "", email, "Wrong-pass-1").await.refused(400, WRONG);
        // The same address in another case, at another door.
        log_in(&nobody, "/admin", &email.to_uppercase(), "Wrong-pass-2").await.refused(400, WRONG);
        log_in(&nobody, "", email, "Wrong-pass-3").await.refused(400, LOCKED);
        for door in ["", "/admin"] {
            log_in(&nobody, door, email, PASSWORD).await.refused(400, LOCKED);
        }
    }
    let failed = "select 1 as one from act where action = 'login-failed' and detail = $1";
    for (detail, count) in [("", 9), ("locked", 6)] {
        let logged = db.fetch_all(failed, vec![detail.into()]).await.expect("it is logged");
        assert_eq!(logged.len(), count, "each that was not let in, {detail:?}");
    }
    assert_eq!(log_in(&nobody, "", "joan@example.org", PASSWORD).await.status, 200, "others are not");
    assert_eq!(rows(&db).await, 3);
    pass(&db, 14).await;
    log_in(&nobody, "", "jane@example.org", PASSWORD).await.refused(400, LOCKED);
    pass(&db, 1).await;
    assert_eq!(log_in(&nobody, "", "jane@example.org", PASSWORD).await.status, 200);
    assert_eq!(log_in(&nobody, "/admin", ADMINISTRATOR, PASSWORD).await.status, 200);
    // What is over is deleted when the next one fails; what is not, is not.
    log_in(&nobody, "", "other@example.org", PASSWORD).await.refused(400, WRONG);
    assert_eq!(rows(&db).await, 1);
    pass(&db, 14).await;
    log_in(&nobody, "", "another@example.org", PASSWORD).await.refused(400, WRONG);
    assert_eq!(rows(&db).await, 2);
}

#[tokio::test]
async fn success_begins_anew_and_a_restart_does_not_on_sqlite() {
    success_begins_anew_and_a_restart_does_not(Engine::Sqlite).await;
}

#[tokio::test]
async fn success_begins_anew_and_a_restart_does_not_on_postgres() {
    success_begins_anew_and_a_restart_does_not(Engine::Postgres).await;
}

async fn success_begins_anew_and_a_restart_does_not(engine: Engine) {
    let home = Home::on(engine).await.with("HESABU_FAILED_LOGINS_MAX", "4").with("HESABU_LOCKOUT_MINUTES", "7");
    let server = home.serve().await;
    let nobody = Client::of(&server);
    Member::signed_up(&server, "jane").await;
    let (jane, locked) = ("jane@example.org", LOCKED.replace("15", "7"));
    for _ in 0..3 {
        for _ in 0..3 {
            log_in(&nobody, "", jane, "Wrong-pass-1").await.refused(400, WRONG);
        }
        assert_eq!(log_in(&nobody, "", jane, PASSWORD).await.status, 200);
    }
    // The right password at a door that is not hers is no success.
    for _ in 0..3 {
        log_in(&nobody, "/admin", jane, PASSWORD).await.refused(400, WRONG);
    }
    tokio::task::spawn_blocking(move || server.stop()).await.expect("it stops");
    let server = home.serve().await;
    let nobody = Client::of(&server);
    log_in(&nobody, "", jane, "Wrong-pass-1").await.refused(400, &locked);
    log_in(&nobody, "", jane, PASSWORD).await.refused(400, &locked);
    // Whoever has proven otherwise who she is lets her in again.
    let cleared = hesabu::identity::cleared("Jane@Example.ORG");
    let db = home.database.open().await;
    assert_eq!(db.execute(cleared.sql, cleared.values).await.expect("it is there"), 1);
    assert_eq!(log_in(&nobody, "", jane, PASSWORD).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_guess_no_more_often_on_sqlite() {
    many_at_once_guess_no_more_often(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_guess_no_more_often_on_postgres() {
    many_at_once_guess_no_more_often(Engine::Postgres).await;
}

async fn many_at_once_guess_no_more_often(engine: Engine) {
    let home = Home::on(engine).await;
    let server = home.serve().await;
    let folder = tempfile::tempdir().expect("a folder");
    let other = match engine {
        Engine::Postgres => Some(home.serve_beside(folder.path()).await),
        Engine::Sqlite => None,
    };
    let clients = [Client::of(&server), Client::of(other.as_ref().unwrap_or(&server))];
    Member::signed_up(&server, "jane").await;
    for email in ["jane@example.org", "nobody@example.org"] {
        let mut guesses = JoinSet::new();
        for guess in 0..50 {
            let client = clients[guess % 2].clone();
            guesses.spawn(async move { log_in(&client, "", email, &format!("Wrong-pass-{guess}")).await });
        }
        let mut said = BTreeMap::new();
        for answer in guesses.join_all().await {
            assert_eq!(answer.status, 400, "{answer:?}");
            *said.entry(answer.messages().remove(0)).or_insert(0) += 1;
        }
        assert_eq!(said, BTreeMap::from([(WRONG.to_owned(), 2), (LOCKED.to_owned(), 48)]));
        log_in(&clients[0], "", email, PASSWORD).await.refused(400, LOCKED);
    }
    // Who has the right one may come as often at once as they like.
    Member::signed_up(&server, "joan").await;
    let mut logins = JoinSet::new();
    for _ in 0..12 {
        let client = clients[0].clone();
        logins.spawn(async move { log_in(&client, "", "joan@example.org", PASSWORD).await.status });
    }
    assert_eq!(logins.join_all().await, [200; 12]);
}

#[tokio::test]
async fn long_passwords_count_to_their_end_on_sqlite() {
    let home = Home::on(Engine::Sqlite).await;
    let server = home.serve().await;
    let nobody = Client::of(&server);
    let long = format!("{}é1", "Longer than seventy-two bytes, as the reference could not have it. ".repeat(2));
    let long: String = long.chars().rev().take(100).collect();
    assert!(long.len() > 72);
    nobody.post("/signup", json!({ "userEmail": "jane@example.org", "password": long })).await.data();
    assert_eq!(log_in(&nobody, "", "jane@example.org", &long).await.status, 200);
    let other: String = long.chars().take(99).chain(['x']).collect();
    log_in(&nobody, "", "jane@example.org", &other).await.refused(400, WRONG);
}

#[tokio::test]
async fn where_one_logged_in_from_on_sqlite() {
    where_one_logged_in_from(Engine::Sqlite).await;
}

#[tokio::test]
async fn where_one_logged_in_from_on_postgres() {
    where_one_logged_in_from(Engine::Postgres).await;
}

/// It is told at the next login: by whom the connection came, or whom a proxy that is trusted speaks for.
async fn where_one_logged_in_from(engine: Engine) {
    for (trusted, expected) in [("10.0.0.0/8", "127.0.0.1"), ("127.0.0.1, 10.0.0.0/8", "198.51.100.9")] {
        let home = Home::on(engine).await.with("HESABU_TRUSTED_PROXIES", trusted);
        let server = home.serve().await;
        let nobody = Client::of(&server);
        Member::signed_up(&server, "jane").await;
        let body = json!({ "email": "jane@example.org", "password": PASSWORD });
        let mut told = vec![];
        for _ in 0..2 {
            let request = nobody.request(reqwest::Method::POST, "/login").header("X-Real-IP", "192.0.2.77");
            let request =
                request.header("X-Forwarded-For", "192.0.2.78").header("X-Forwarded-For", "198.51.100.9, 10.7.7.7");
            let answer = Answer::to(hesabu_tests::client::json_body(request, &body)).await;
            told.push(answer.data()["lastLoginIP"].clone());
        }
        assert_eq!(told, [serde_json::Value::Null, json!(expected)]);
    }
}

/// Whoever changes a person has their row first and then gives them their attempts back. A login does so in the same order: else the two would
/// wait for each other.
#[tokio::test]
async fn a_login_waits_for_whoever_changes_the_person_on_postgres() {
    let home = Home::on(Engine::Postgres).await;
    let server = home.serve().await;
    let jane = Member::signed_up(&server, "jane").await;
    let nobody = Client::of(&server);
    log_in(&nobody, "", &jane.email, "Wrong-pass-1").await.refused(400, WRONG);
    let db = home.database.open().await;
    let mut tx = db.begin().await.unwrap();
    let change = "update person set first_name = 'Jane' where email_key = $1";
    assert_eq!(tx.execute(change, vec![jane.email.as_str().into()]).await.unwrap(), 1);
    let email = jane.email.clone();
    let login = tokio::spawn(async move { log_in(&nobody, "", &email, PASSWORD).await });
    let waits = "select 1 as one from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let started = Instant::now();
    while db.fetch_all(waits, vec![]).await.unwrap().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20), "the login does not wait");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let cleared = hesabu::identity::cleared(&jane.email);
    assert_eq!(tx.execute(cleared.sql, cleared.values).await.expect("nobody waits for each other"), 1);
    tx.commit().await.unwrap();
    assert_eq!(login.await.unwrap().status, 200);
    db.close().await;
}
