//! `POST /transfers/import`: a file is posted as it comes, its progress is told on the way, and one that broke off is sent again. Rows and
//! columns are tried with the command, in `tests/it/import.rs`.

use hesabu_tests::client::{Answer, Client};
use hesabu_tests::database::Engine;
use hesabu_tests::network::Network;
use reqwest::Method;
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATH: &str = "/transfers/import";
/// As many as one batch takes.
const BATCH: usize = 8_190;
const PATIENCE: Duration = Duration::from_secs(30);

/// Status code and lines of the answer.
async fn import(client: &Client, query: &str, text: &str) -> (u16, Vec<Value>) {
    let request = client.request(Method::POST, &format!("{PATH}{query}")).header("Content-Type", "text/csv");
    let answer = request.body(text.to_owned()).send().await.expect("the server answers");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("to the end");
    (status, text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

/// Rows that pay a cent each.
fn rows(network: &Network, count: usize) -> String {
    let mut text = String::from("payer,payee,amount\n");
    (0..count).for_each(|_| writeln!(text, "{},{},0.01", network.alice.account, network.bob.account).unwrap());
    text
}

#[tokio::test]
async fn a_file_is_posted_row_by_row_on_sqlite() {
    a_file_is_posted_row_by_row(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_file_is_posted_row_by_row_on_postgres() {
    a_file_is_posted_row_by_row(Engine::Postgres).await;
}

async fn a_file_is_posted_row_by_row(engine: Engine) {
    let network = Network::on(engine, "10", "500").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let (a, b) = (&alice.account, &bob.account);
    let text = format!("payer,payee,amount,key\n{a},{b},4,k\n{a},{b},7,l\n{a},1,1,m\n{a},{b},4,k\n{a},{b},0.5,n\n");
    let exceeded = "Sender will exceed its credit limit. The maximum amount that can be sent is: 6.00";
    let lines = |done, before, finished: Value| {
        let mut last = json!({ "rows": 5, "done": done, "doneBefore": before, "refused": 2 });
        let progress = last.clone();
        last["finished"] = finished;
        vec![
            json!({ "row": 2, "errors": [{ "message": exceeded, "code": "floor-exceeded", "amount": 6 }] }),
            json!({ "row": 3, "errors": [{ "message": "Entity not found.", "code": "payee-not-found" }] }),
            progress,
            last,
        ]
    };
    assert_eq!(import(admin, "", &text).await, (200, lines(2, 1, json!(true))));
    assert_eq!(import(admin, "", &text).await, (200, lines(0, 3, json!(true))));
    // The key is the one of a batch.
    let item = json!({ "initiator": a, "receiver": b, "amount": 4, "idempotencyKey": "k" });
    let batch = admin.post("/transfers/batch", json!({ "mode": "atomic", "transfers": [item] })).await;
    assert_eq!(batch.data()[0]["replayed"], true);

    // What is wrong from the start is told before anything happens, and in the document's form.
    let refused = async |client: &Client, query: &str, text: &str, status: u16, message: &str| {
        let (was, lines) = import(client, query, text).await;
        assert_eq!((was, lines.len()), (status, 1), "{lines:?}");
        let said = lines[0]["errors"][0]["message"].as_str().unwrap();
        assert!(said.contains(message), "{said}");
    };
    let keyless = rows(&network, 1);
    refused(admin, "", &keyless, 400, "rows need keys").await;
    refused(admin, "?key_prefix=%C3%A9", &keyless, 400, "The key_prefix must be").await;
    refused(admin, "", "payer,payee,price\n", 400, "\"price\"").await;
    refused(admin, "?key_prefix=p", &"x".repeat(1 << 20), 400, "row 1 has more").await;
    refused(&alice.client, "?key_prefix=p", &keyless, 403, "Permission denied.").await;
    refused(&Client::of(server), "?key_prefix=p", &keyless, 401, "Could not authenticate you.").await;
    // And what is wrong later, where it is.
    let open = format!("{keyless}{a},{b},\"{}", "x".repeat(1 << 20));
    let (status, lines) = import(admin, "?key_prefix=open", &open).await;
    assert_eq!((status, lines.len()), (200, 2));
    assert_eq!((&lines[0]["done"], &lines[1]["finished"]), (&json!(1), &json!(false)));
    let message = lines[1]["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("row 2 has more than 65536 bytes") && message.contains("The first 1 rows"),
        "{message}"
    );
    assert_eq!(alice.balance().await, "-4.51");
    network.prove().await;
}

/// A request of which only a part has been sent.
struct Begun {
    stream: TcpStream,
    heard: String,
}

impl Begun {
    async fn of(network: &Network, length: usize, part: &str) -> Begun {
        let host = network.server.address.strip_prefix("http://").expect("an address");
        let mut stream = TcpStream::connect(host).await.expect("it listens");
        let token = network.admin.token();
        let head = format!(
            "POST /api/v1{PATH}?key_prefix=long HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: text/csv\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("it reads");
        stream.write_all(part.as_bytes()).await.expect("it reads");
        Begun { stream, heard: String::new() }
    }

    /// Waits until the answer says so.
    async fn hear(&mut self, what: &str) {
        let mut buffer = [0; 4_096];
        while !self.heard.contains(what) {
            let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("it is told in time");
            let read = read.expect("the connection holds");
            assert!(read > 0, "the answer ended: {}", self.heard);
            self.heard.push_str(std::str::from_utf8(&buffer[..read]).expect("only ASCII was sent"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_broke_off_is_sent_again_on_sqlite() {
    a_file_that_broke_off_is_sent_again(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_broke_off_is_sent_again_on_postgres() {
    a_file_that_broke_off_is_sent_again(Engine::Postgres).await;
}

async fn a_file_that_broke_off_is_sent_again(engine: Engine) {
    let network = Network::on(engine, "9999999", "9999999").await;
    let Network { admin, alice, .. } = &network;
    let text = rows(&network, 2 * BATCH + 100);
    let half = text.match_indices('\n').nth(BATCH + 10).expect("there are more").0 + 5;
    // What has come is posted and told before the rest is there.
    let mut begun = Begun::of(&network, text.len(), &text[..half]).await;
    begun.hear(r#"{"rows":8190,"done":8190,"doneBefore":0,"refused":0}"#).await;
    assert_eq!(alice.balance().await, "-81.9");
    // Others have room meanwhile, but not for more than two imports.
    let mut other = Begun::of(&network, text.len(), "payer,payee,amount\n").await;
    other.hear("HTTP/1.1 200 OK").await;
    let third = admin.request(Method::POST, &format!("{PATH}?key_prefix=third")).body(text.clone());
    let third = Answer::to(third).await;
    third.refused(503, "The service is temporarily unavailable. Please try again.");
    assert_eq!(third.header("retry-after"), "1");
    drop((begun, other));

    // The connection broke in the middle of a row; sending the file again does the rest.
    let started = Instant::now();
    let (status, lines) = loop {
        let (status, lines) = import(admin, "?key_prefix=long", &text).await;
        if status != 503 {
            break (status, lines);
        }
        assert!(started.elapsed() < PATIENCE, "a place is never given back");
    };
    let last = lines.last().expect("there is one");
    assert_eq!((status, &last["rows"], &last["finished"]), (200, &json!(2 * BATCH + 100), &json!(true)));
    let before = last["doneBefore"].as_u64().unwrap();
    assert!((BATCH as u64..2 * BATCH as u64).contains(&before), "{last}");
    assert_eq!(alice.balance().await, "-164.8");
    assert_eq!(admin.sound().await["transfersProposed"], 2 * BATCH + 100);
    network.prove().await;
}
