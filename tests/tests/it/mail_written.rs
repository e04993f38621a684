//! `POST /password-reset`, `/admin/password-reset` and `/send-email`: what somebody asks to be mailed.

use hesabu::store::Db;
use hesabu_tests::client::{Answer, Client};
use hesabu_tests::database::Engine;
use hesabu_tests::mailbox::{Mailbox, Received, Security};
use hesabu_tests::network::{Member, Network, administrator, log_in};
use hesabu_tests::server::{ADMINISTRATOR, PASSWORD, Server};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const OTHER: &str = "Mwananchi 2026!";

/// For how long after one reset there is no other, at the pace of these tests, and a little longer.
const QUIET: Duration = Duration::from_millis(120 * 50 + 200);

#[tokio::test]
async fn a_forgotten_password_is_reset_once_on_sqlite() {
    a_forgotten_password_is_reset_once(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_forgotten_password_is_reset_once_on_postgres() {
    a_forgotten_password_is_reset_once(Engine::Postgres).await;
}

async fn a_forgotten_password_is_reset_once(engine: Engine) {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(engine).await.with("HESABU_PUBLIC_URL", "https://trade.example.org");
    let server = home.serve().await;
    let admin = administrator(&home, &server).await;
    let alice = Member::signed_up(&server, "alice").await;
    alice.client.patch("/user", json!({ "language": "sw" })).await.data();
    let nobody = Client::of(&server);
    let db = home.database.open().await;

    for (path, email) in [("", "nobody@example.org"), ("/admin", "alice@example.org"), ("/admin", "nobody@example.org")]
    {
        asked(&nobody, path, email).await;
    }
    nobody.post("/password-reset", json!({})).await.refused(400, "email parameter is missing.");
    nobody.post("/password-reset", json!({ "email": "" })).await.refused(400, "Email is missing.");
    nobody.post("/password-reset", json!({ "email": "x" })).await.refused(400, "Email is invalid.");
    empty(&db).await;
    assert_eq!(rows(&db, "select count(*) as n from password_reset").await, 0);

    // Two are asked for, and the newer one is good; once, at its own door.
    asked(&nobody, "", "Alice@Example.org").await;
    let first = token(&mailbox, "alice@example.org", 1).await;
    // So soon after it there is no other: nobody is kept from using theirs by somebody who asks again and again.
    asked(&nobody, "", "alice@example.org").await;
    empty(&db).await;
    assert_eq!(mailbox.received().iter().filter(|mail| is_reset(mail)).count(), 1);
    tokio::time::sleep(QUIET).await;
    asked(&nobody, "", "alice@example.org").await;
    let second = token(&mailbox, "alice@example.org", 2).await;
    assert_ne!(first, second);
    assert!(first.len() == 64 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
    empty(&db).await;
    is_nowhere(&db, &second).await;
    for (door, wrong) in [("", first.as_str()), ("/admin", second.as_str()), ("", "x"), ("", "%ff"), ("", "%2F")] {
        used(&nobody, door, wrong, OTHER).await.refused(400, "Token is invalid.");
    }
    used(&nobody, "", &second, "short").await;
    nobody.post(&format!("/password-reset/{second}"), json!({})).await.refused(400, "password parameter is missing.");
    let weak = used(&nobody, "", &second, "abcdefg1").await;
    weak.refused(400, "Password must have at least one special character.");
    alice.client.get("/user").await.data();
    let elsewhere = log_in(&server, "/login", "alice@example.org").await;
    let done = used(&nobody, "", &second, OTHER).await;
    assert_eq!((done.status, done.text.as_str()), (200, ""));
    for session in [&alice.client, &elsewhere] {
        session.get("/user").await.refused(401, "Could not authenticate you.");
    }
    used(&nobody, "", &second, PASSWORD).await.refused(400, "Token is invalid.");
    login(&nobody, "", "alice@example.org", PASSWORD).await.refused(400, "Invalid password.");
    assert_eq!(login(&nobody, "", "alice@example.org", OTHER).await.status, 200);

    let for_admin = at_the_other_door(&mailbox, &nobody, &admin).await;
    worded(&mailbox, &second, &for_admin);
    it_ends(&mailbox, &nobody, &db).await;
    in_parallel(&mailbox, &nobody, &db).await;
    assert!(!server.log().contains(&second), "{}", server.log());
    db.close().await;
    server.stop();
}

/// An administrator's token is not for the members' door, where nobody is mailed one for them, and is void when the password is changed.
async fn at_the_other_door(mailbox: &Mailbox, nobody: &Client, admin: &Client) -> String {
    admin.get("/admin/entities").await.data();
    asked(nobody, "", ADMINISTRATOR).await;
    asked(nobody, "/admin", ADMINISTRATOR).await;
    let for_admin = token(mailbox, ADMINISTRATOR, 1).await;
    used(nobody, "", &for_admin, OTHER).await.refused(400, "Token is invalid.");
    assert_eq!(used(nobody, "/admin", &for_admin, OTHER).await.status, 200);
    admin.get("/admin/entities").await.refused(401, "Could not authenticate you.");
    let again = login(nobody, "/admin", ADMINISTRATOR, OTHER).await.data();
    let again = nobody.with_token(again["token"].as_str().unwrap());
    asked(nobody, "/admin", ADMINISTRATOR).await;
    let void = token(mailbox, ADMINISTRATOR, 2).await;
    assert_eq!(again.post("/admin/password-change", json!({ "password": PASSWORD })).await.status, 200);
    used(nobody, "/admin", &void, OTHER).await.refused(400, "Token is invalid.");
    for_admin
}

async fn asked(nobody: &Client, door: &str, email: &str) {
    let answer = nobody.post(&format!("{door}/password-reset"), json!({ "email": email })).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
}

async fn used(nobody: &Client, door: &str, token: &str, password: &str) -> Answer {
    nobody.post(&format!("{door}/password-reset/{token}"), json!({ "password": password })).await
}

async fn login(nobody: &Client, door: &str, email: &str, password: &str) -> Answer {
    nobody.post(&format!("{door}/login"), json!({ "email": email, "password": password })).await
}

fn is_reset(mail: &Received) -> bool {
    ["Badilisha nenosiri lako", "Reset your password"].contains(&mail.header("Subject").as_str())
}

/// The token of the last of `count` mails to somebody.
async fn token(mailbox: &Mailbox, email: &str, count: usize) -> String {
    let mails = mailbox.wait(|mail| mail.to == email && is_reset(mail), count).await;
    assert_eq!(mails.len(), count);
    let text = mails[count - 1].letter().text;
    let token = text.lines().find_map(|line| line.strip_prefix("    ")).expect("it has a token");
    token.to_owned()
}

/// Waits until everything in the outbox was sent.
async fn empty(db: &Db) {
    let started = Instant::now();
    while rows(db, "select count(*) as n from mail where failed_at is null").await > 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "the outbox does not get empty");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn rows(db: &Db, sql: &'static str) -> i64 {
    db.fetch_all(sql, vec![]).await.unwrap()[0].int("n").unwrap()
}

/// A token is in no row.
async fn is_nowhere(db: &Db, token: &str) {
    for row in db.fetch_all("select token_hash from password_reset", vec![]).await.unwrap() {
        let hash = row.bytes("token_hash").unwrap();
        assert_eq!(hash.len(), 32);
        assert!(!String::from_utf8_lossy(&hash).contains(&token[..8]));
    }
    let rows = db.fetch_all("select body, last_error from mail", vec![]).await.unwrap();
    for row in rows {
        assert_eq!(
            (row.text("body").unwrap().as_str(), row.optional_text("last_error").unwrap().is_some()),
            ("", true)
        );
    }
}

#[tokio::test]
async fn no_token_outlives_the_address_that_it_goes_to() {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(Engine::Postgres).await;
    let server = home.serve().await;
    Member::signed_up(&server, "alice").await;
    let db = home.database.open().await;
    // An administrator is in the middle of giving her another address.
    let mut tx = db.begin().await.unwrap();
    let moved = "update person set email = 'new@example.org', email_key = 'new@example.org' where email_key = 'alice@example.org'";
    assert_eq!(tx.execute(moved, vec![]).await.unwrap(), 1);
    tx.execute("delete from password_reset", vec![]).await.unwrap();
    asked(&Client::of(&server), "", "alice@example.org").await;
    let claimed = "select count(*) as n from mail where kind = 'password-reset' and claimed_until is not null";
    let started = Instant::now();
    while rows(&db, claimed).await == 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "nobody is asked for a token");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Whoever makes the token has come as far as they can.
    tokio::time::sleep(Duration::from_millis(500)).await;
    tx.commit().await.unwrap();
    empty(&db).await;
    assert_eq!(rows(&db, "select count(*) as n from password_reset").await, 0);
    assert!(!mailbox.received().iter().any(is_reset), "{:#?}", mailbox.received());
    db.close().await;
    server.stop();
}

/// In the reader's language, with a link to the front end.
fn worded(mailbox: &Mailbox, member: &str, administrator: &str) {
    let mails = mailbox.received();
    let with = |token: &str| {
        let mail = mails.iter().find(|mail| is_reset(mail) && mail.letter().text.contains(token));
        mail.expect("it was sent").letter().text
    };
    let (member_text, administrator_text) = (with(member), with(administrator));
    assert!(member_text.contains(&format!("https://trade.example.org/password-reset/{member}\n")), "{member_text}");
    assert!(member_text.contains("ndani ya dakika 60"), "{member_text}");
    let link = format!("https://trade.example.org/admin/password-reset/{administrator}\n");
    assert!(
        administrator_text.contains(&link) && administrator_text.contains("administrator's"),
        "{administrator_text}"
    );
}

async fn it_ends(mailbox: &Mailbox, nobody: &Client, db: &Db) {
    asked(nobody, "", "alice@example.org").await;
    let late = token(mailbox, "alice@example.org", 3).await;
    db.execute("update password_reset set expires_at = expires_at - 3600000000", vec![]).await.unwrap();
    used(nobody, "", &late, PASSWORD).await.refused(400, "Token is invalid.");
}

/// Of many who come with one token, one is let in.
async fn in_parallel(mailbox: &Mailbox, nobody: &Client, db: &Db) {
    tokio::time::sleep(QUIET).await;
    empty(db).await;
    asked(nobody, "", "alice@example.org").await;
    let token = token(mailbox, "alice@example.org", 4).await;
    let mut all = tokio::task::JoinSet::new();
    for place in 0..6 {
        let (nobody, token) = (nobody.clone(), token.clone());
        all.spawn(async move { used(&nobody, "", &token, &format!("Password-{place}!")).await.status });
    }
    let mut statuses = all.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400, 400, 400]);
}

#[tokio::test]
async fn members_write_to_each_other_on_sqlite() {
    members_write_to_each_other(Engine::Sqlite).await;
}

#[tokio::test]
async fn members_write_to_each_other_on_postgres() {
    members_write_to_each_other(Engine::Postgres).await;
}

async fn members_write_to_each_other(engine: Engine) {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let copied = "office@example.org, Second@Example.org";
    let home = mailbox.home(engine).await.with("HESABU_MAIL_COPIES", "true").with("HESABU_MAIL_ADMINISTRATORS", copied);
    let network = Network::at(home, "100", "100").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let body = |from: &Value, to: &Value, text: &Value| json!({ "senderEntityID": from, "receiverEntityID": to, "body": text });
    let (from, to, text) = (json!(alice.entity), json!(bob.entity), json!("Habari?\r\n<i>Alice</i>"));
    let good = body(&from, &to, &text);
    let sent = alice.client.post("/send-email", &good).await;
    assert_eq!((sent.status, sent.text.as_str()), (200, ""));

    let mail = mailbox.wait(|mail| mail.header("Subject") == "A message from alice", 1).await.remove(0);
    assert_eq!((mail.to.as_str(), mail.header("Reply-To").as_str()), (bob.email.as_str(), "alice <alice@example.org>"));
    assert!(mail.letter().text.contains("> Habari?\n> <i>Alice</i>\n"), "{:?}", mail.letter());
    assert!(!mail.raw.contains("office@"), "{}", mail.raw);
    for to in ["office@example.org", "Second@Example.org"] {
        let copy =
            mailbox.wait(|mail| mail.to == to && mail.header("Subject").starts_with("Copy of"), 1).await.remove(0);
        assert!(copy.header("Reply-To").is_empty() && copy.letter().text.contains("> Habari?"), "{}", copy.raw);
    }

    let client = &alice.client;
    Client::of(server).post("/send-email", &good).await.refused(401, "Could not authenticate you.");
    admin.post("/send-email", &good).await.refused(403, "Permission denied.");
    bob.client.post("/send-email", &good).await.refused(403, "Permission denied.");
    let missing = client.post("/send-email", "{}").await;
    let parameters = ["senderEntityID", "receiverEntityID", "body"];
    assert_eq!(missing.messages(), parameters.map(|name| format!("{name} parameter is missing.")));
    let unknown = json!("018f0000-0000-7000-8000-000000000000");
    let wrong = ["senderEntityID is incorrect.", "receiverEntityID is incorrect.", "Email body is empty."];
    for empty in [json!(""), json!(" \r\n\t")] {
        assert_eq!(client.post("/send-email", body(&json!("x"), &json!(""), &empty)).await.messages(), wrong);
    }
    assert_eq!(client.post("/send-email", body(&unknown, &unknown, &text)).await.messages(), wrong[..2]);
    // What is wrong with the body comes before who is who.
    client.post("/send-email", body(&unknown, &to, &json!(""))).await.refused(400, wrong[2]);
    let long = |count: usize| json!("é".repeat(count));
    let refused = client.post("/send-email", body(&from, &to, &long(5_001))).await;
    refused.refused(400, "Email body length cannot exceed 5000 characters.");
    assert_eq!(client.post("/send-email", body(&from, &to, &long(5_000))).await.status, 200);

    for (status, may) in [
        ("pending", false),
        ("accepted", true),
        ("rejected", false),
        ("tradingPending", true),
        ("tradingRejected", true),
    ] {
        bob.govern(admin, status, "100", "100").await;
        let received = client.post("/send-email", &good).await;
        let written = bob.client.post("/send-email", body(&to, &from, &text)).await;
        if may {
            assert_eq!((received.status, written.status), (200, 200), "{status}");
        } else {
            received.refused(400, "Receiver does not have the correct status.");
            written.refused(400, "Sender does not have the correct status.");
        }
    }
    // 1 + 1 + 3 to Bob and 3 from him, and nothing else.
    mailbox.wait(|mail| mail.header("Subject") == "A message from bob", 3).await;
    mailbox.wait(|mail| mail.header("Subject") == "A message from alice", 5).await;
    let db = network.home.database.open().await;
    empty(&db).await;
    assert_eq!(rows(&db, "select count(*) as n from mail").await, 0, "what was written does not stay");
    assert_eq!(mailbox.wait(|mail| mail.header("Subject").starts_with("Copy of"), 16).await.len(), 16);
    db.close().await;
}

/// Somebody who signs up in a browser that asks for Swahili is written to in Swahili.
#[tokio::test]
async fn the_language_is_that_of_the_browser_and_else_of_the_installation() {
    let mailbox = Mailbox::open(Security::StartTls).await;
    for (installation, expected) in [("en", ["Karibu", "Welcome"]), ("sw", ["Karibu", "Karibu"])] {
        let home = mailbox.home(Engine::Sqlite).await.with("HESABU_LANGUAGE", installation);
        let server: Server = home.serve().await;
        for (accept, expected) in ["sw-KE,sw;q=0.9,en;q=0.8", "fr"].into_iter().zip(expected) {
            let email = format!("{installation}-{}@example.org", &accept[..2]);
            let body = json!({ "userEmail": email, "password": PASSWORD, "entityName": "shop" });
            let request = Client::of(&server).request(reqwest::Method::POST, "/signup");
            let request = request.header("Accept-Language", accept);
            Answer::to(hesabu_tests::client::json_body(request, body)).await.data();
            assert_eq!(mailbox.one_for(&email).await.header("Subject"), expected, "{installation} {accept}");
        }
    }
}
