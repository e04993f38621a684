//! How many requests one client may send in a minute: by address, at the doors, by person; on one host and on two.

use super::with_left_of_the_minute;
use hesabu_tests::client::{Answer, Client};
use hesabu_tests::database::Engine;
use hesabu_tests::line::Line;
use hesabu_tests::network::Member;
use hesabu_tests::server::{Home, PASSWORD};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

const BY_ADDRESS: &str = "HESABU_REQUESTS_PER_MINUTE_BY_ADDRESS";
const BY_ACCOUNT: &str = "HESABU_REQUESTS_PER_MINUTE_BY_ACCOUNT";
const DOORS: &str = "HESABU_LOGINS_PER_MINUTE_BY_ADDRESS";
const PROXIES: &str = "HESABU_TRUSTED_PROXIES";

const EXCEEDED: &str = "Rate limit exceeded.";

/// Longer than hosts take to tell each other.
const TOLD: Duration = Duration::from_millis(900);

/// A request that needs no database, as somebody behind a proxy.
async fn nothing(client: &Client, behind: &str) -> Answer {
    Answer::to(client.request(Method::GET, "/nothing").header("X-Forwarded-For", behind)).await
}

/// How many of so many requests are let through.
async fn admitted(client: &Client, behind: &str, requests: usize) -> usize {
    let mut admitted = 0;
    for _ in 0..requests {
        let answer = nothing(client, behind).await;
        match answer.status {
            404 => admitted += 1,
            _ => answer.refused(429, EXCEEDED),
        }
    }
    admitted
}

#[tokio::test]
async fn an_address_is_limited_on_sqlite() {
    an_address_is_limited(Engine::Sqlite).await;
}

#[tokio::test]
async fn an_address_is_limited_on_postgres() {
    an_address_is_limited(Engine::Postgres).await;
}

async fn an_address_is_limited(engine: Engine) {
    let home = Home::on(engine).await.with(BY_ADDRESS, "20");
    let server = home.serve().await;
    let client = Client::of(&server);
    with_left_of_the_minute(10).await;
    // Whatever headers say: nobody is trusted.
    let mut through = 0;
    for turn in 0..30 {
        let request = client.request(Method::GET, "/nothing").header("X-Real-IP", format!("192.0.2.{turn}"));
        let request = request.header("X-Forwarded-For", format!("192.0.2.{turn}")).header("Forwarded", "for=1.2.3.4");
        through += usize::from(Answer::to(request).await.status == 404);
    }
    assert_eq!(through, 20);
    let answer = client.get("/user").await;
    assert_eq!(answer.text, r#"{"errors":[{"message":"Rate limit exceeded."}]}"#);
    answer.refused(429, EXCEEDED);
    let wait: u64 = answer.header("retry-after").parse().expect("whole seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(client.outside(path).await.status, 200);
    }
    assert!(client.outside("/metrics").await.text.contains(r#"hesabu_rate_limited_total{by="address"} 11"#));
}

#[tokio::test]
async fn proxies_that_are_trusted_are_believed_on_sqlite() {
    let home = Home::on(Engine::Sqlite).await.with(BY_ADDRESS, "5").with(PROXIES, "127.0.0.0/8, 10.0.0.0/8");
    let server = home.serve().await;
    let client = Client::of(&server);
    with_left_of_the_minute(10).await;
    assert_eq!(admitted(&client, "192.0.2.1", 8).await, 5);
    assert_eq!(admitted(&client, "192.0.2.2", 8).await, 5);
    // What the client wrote itself is left of what the proxy saw, and changes nothing.
    assert_eq!(admitted(&client, "203.0.113.9, 192.0.2.2, 10.3.2.1", 8).await, 0);
    // Whoever has an IPv6 address has as many as they like.
    for address in 0..5 {
        assert_eq!(admitted(&client, &format!("2001:db8::{address:x}:1"), 1).await, 1);
    }
    assert_eq!(admitted(&client, "2001:db8::ffff", 1).await, 0);
    assert_eq!(admitted(&client, "2001:db8:0:1::1", 1).await, 1);
}

#[tokio::test]
async fn a_person_is_limited_wherever_they_are_on_sqlite() {
    a_person_is_limited_wherever_they_are(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_person_is_limited_wherever_they_are_on_postgres() {
    a_person_is_limited_wherever_they_are(Engine::Postgres).await;
}

async fn a_person_is_limited_wherever_they_are(engine: Engine) {
    let home = Home::on(engine).await.with(BY_ACCOUNT, "6").with(PROXIES, "127.0.0.1");
    let server = home.serve().await;
    with_left_of_the_minute(15).await;
    // Looks at the entity once.
    let [alice, bob] = [Member::signed_up(&server, "alice").await, Member::signed_up(&server, "bob").await];
    let ask = async |member: &Member, behind: &str| {
        Answer::to(member.client.request(Method::GET, "/user").header("X-Forwarded-For", behind)).await
    };
    for turn in 0..5 {
        assert_eq!(ask(&alice, &format!("192.0.2.{turn}")).await.status, 200);
    }
    ask(&alice, "198.51.100.1").await.refused(429, EXCEEDED);
    assert_eq!(ask(&bob, "198.51.100.1").await.status, 200);
    // A token that is not good is nobody's.
    for _ in 0..9 {
        let forged = alice.client.with_token(&format!("{}x", alice.client.token()));
        forged.get("/user").await.refused(401, "Could not authenticate you.");
    }
}

#[tokio::test]
async fn the_doors_are_limited_on_sqlite() {
    the_doors_are_limited(Engine::Sqlite).await;
}

#[tokio::test]
async fn the_doors_are_limited_on_postgres() {
    the_doors_are_limited(Engine::Postgres).await;
}

async fn the_doors_are_limited(engine: Engine) {
    let home = Home::on(engine).await.with(DOORS, "4");
    let server = home.serve().await;
    let nobody = Client::of(&server);
    with_left_of_the_minute(15).await;
    let body = |email: &str| json!({ "email": email, "password": PASSWORD });
    for (path, email) in [("/login", "a@x.org"), ("/admin/login", "b@x.org"), ("/login", "c@x.org")] {
        nobody.post(path, body(email)).await.refused(400, "Invalid password.");
    }
    nobody.post("/signup", json!({ "password": PASSWORD })).await.refused(400, "userEmail parameter is missing.");
    nobody.post("/login", body("d@x.org")).await.refused(429, EXCEEDED);
    nobody.post("/signup", json!({})).await.refused(429, EXCEEDED);
    nobody.post("/admin/login", body("e@x.org")).await.refused(429, EXCEEDED);
    // All else is another count.
    nobody.get("/user").await.refused(401, "Could not authenticate you.");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_count_together_on_postgres() {
    let home = Home::on(Engine::Postgres).await.with(BY_ADDRESS, "50").with(BY_ACCOUNT, "20");
    let server = home.serve().await;
    let folder = tempfile::tempdir().expect("a folder");
    let other = home.serve_beside(folder.path()).await;
    with_left_of_the_minute(20).await;
    let alice = Member::signed_up(&server, "alice").await;
    let (here, there) = (Client::of(&server), Client::of(&other));
    // Signing up took two requests by the address, one of them by the person.
    assert_eq!(admitted(&here, "", 30).await, 30);
    tokio::time::sleep(TOLD).await;
    assert_eq!(admitted(&there, "", 1).await, 1);
    tokio::time::sleep(TOLD).await;
    assert_eq!(admitted(&there, "", 40).await, 50 - 2 - 30 - 1);
    tokio::time::sleep(TOLD).await;
    // The first hears of it with its own next count, and not before.
    assert_eq!(admitted(&here, "", 1).await, 1);
    tokio::time::sleep(TOLD).await;
    assert_eq!(admitted(&here, "", 10).await, 0);
    drop(alice);
}

/// Each host alone would let 200 through. Together they let through no more than that and what came while they told each other.
#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_overshoot_by_little_on_postgres() {
    let home = Home::on(Engine::Postgres).await.with(BY_ADDRESS, "200");
    let server = home.serve().await;
    let folder = tempfile::tempdir().expect("a folder");
    let other = home.serve_beside(folder.path()).await;
    with_left_of_the_minute(15).await;
    let mut floods = tokio::task::JoinSet::new();
    for client in [Client::of(&server), Client::of(&other)] {
        floods.spawn(async move {
            let mut through = 0;
            for _ in 0..300 {
                through += admitted(&client, "", 1).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            through
        });
    }
    let through: usize = floods.join_all().await.into_iter().sum();
    assert!((200..=320).contains(&through), "{through}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_counted_by_two_hosts_together_on_postgres() {
    let home = Home::on(Engine::Postgres).await.with(BY_ACCOUNT, "20");
    let server = home.serve().await;
    let folder = tempfile::tempdir().expect("a folder");
    let other = home.serve_beside(folder.path()).await;
    with_left_of_the_minute(20).await;
    let alice = Member::signed_up(&server, "alice").await;
    let mut statuses = vec![];
    // By turns, and slowly: each hears of the other between two requests.
    for turn in 0..24 {
        let client = alice.client.towards(if turn % 2 == 0 { &server } else { &other });
        statuses.push(client.get("/user").await.status);
        tokio::time::sleep(Duration::from_millis(350)).await;
    }
    let admitted = statuses.iter().filter(|status| **status == 200).count();
    // Each may be behind by what the other has just counted.
    assert!((19..=20).contains(&admitted), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_limits_alone_while_the_database_is_away_on_postgres() {
    let home = Home::on(Engine::Postgres).await;
    let line = Line::to(&home.database.url, "127.0.0.1:0").await;
    let url = line.url(&home.database.url);
    let server = home.with("DATABASE_URL", &url).with(BY_ADDRESS, "30").serve().await;
    let client = Client::of(&server);
    with_left_of_the_minute(15).await;
    assert_eq!(admitted(&client, "", 10).await, 10);
    tokio::time::sleep(TOLD).await;
    line.cut().await;
    assert_eq!(admitted(&client, "", 10).await, 10);
    tokio::time::sleep(TOLD).await;
    assert_eq!(admitted(&client, "", 30).await, 10);
}

#[tokio::test]
async fn counts_of_minutes_that_are_over_are_deleted_on_postgres() {
    let home = Home::on(Engine::Postgres).await.with(BY_ADDRESS, "1000");
    let db = home.database.open().await;
    let old = "insert into request_count (window_at, scope, subject, requests)
               values (60000000, 0, '00000000-0000-0000-0000-000000000001', 7)";
    db.execute(old, vec![]).await.expect("it is stored");
    let server = home.serve().await;
    assert_eq!(admitted(&Client::of(&server), "", 3).await, 3);
    let mut counted = vec![];
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let sql = "select window_at, requests from request_count order by window_at";
        let rows = db.fetch_all(sql, vec![]).await.expect("they are there");
        counted = rows.iter().map(|row| row.int("requests").expect("a number")).collect();
        if counted.iter().sum::<i64>() == 3 {
            return;
        }
    }
    panic!("{counted:?}");
}
