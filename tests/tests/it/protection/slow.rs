//! Those who keep connections and requests from others: by sending slowly, or by being many.

use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::server::{Home, Server};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// What a slow sender has sent of a request that has a longer body.
const BEGUN: &str =
    "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";

/// A connection over which this was sent.
async fn sent(server: &Server, text: &str) -> TcpStream {
    let address = server.address.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(text.as_bytes()).await.expect("it reads");
    stream
}

/// All that comes back until the server closes the connection, and after how long it does.
async fn until_closed(mut stream: TcpStream) -> (String, Duration) {
    let (began, mut text) = (Instant::now(), String::new());
    let read = tokio::time::timeout(Duration::from_secs(25), stream.read_to_string(&mut text));
    read.await.expect("it is closed").expect("in order");
    (text, began.elapsed())
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_its_connection() {
    let home = Home::on(Engine::Sqlite).await.with("HESABU_KEEP_ALIVE", "2");
    let server = home.serve().await;
    for begun in ["", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
        let (text, after) = until_closed(sent(&server, begun).await).await;
        assert!(text.is_empty() && after > Duration::from_millis(1_500), "{text} after {after:?}");
    }
    // Between two requests too.
    let (text, _) = until_closed(sent(&server, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("ok"), "{text}");
}

/// Whoever has asked nothing is not waited for.
#[tokio::test]
async fn silent_connections_do_not_keep_a_server_from_stopping() {
    let home = Home::on(Engine::Sqlite).await;
    let server = home.serve().await;
    let silent = [sent(&server, "").await, sent(&server, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await];
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    tokio::task::spawn_blocking(move || server.stop()).await.expect("it stops");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(silent);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_refused() {
    let home = Home::on(Engine::Sqlite).await;
    let server = home.serve().await;
    let (text, after) = until_closed(sent(&server, BEGUN).await).await;
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert!(text.ends_with(r#"{"errors":[{"message":"The request body did not come in time."}]}"#), "{text}");
    assert!(after > Duration::from_secs(10), "{after:?}");
}

#[tokio::test]
async fn more_requests_than_there_is_room_for_are_told_so() {
    let home = Home::on(Engine::Sqlite).await.with("HESABU_REQUESTS_MAX", "2");
    let server = home.serve().await;
    let nobody = Client::of(&server);
    let slow = [sent(&server, BEGUN).await, sent(&server, BEGUN).await];
    // Both are in, before anybody else asks.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut answer = nobody.get("/user").await;
    for _ in 0..100 {
        if answer.status == 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer = nobody.get("/user").await;
    }
    answer.refused(503, "The service is temporarily unavailable. Please try again.");
    assert_eq!((answer.header("retry-after"), answer.header("access-control-allow-origin")), ("1", "*"));
    // Whoever runs the server still sees how it is.
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(nobody.outside(path).await.status, 200);
    }
    drop(slow);
    for _ in 0..100 {
        if nobody.get("/user").await.status == 401 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the room is not given back");
}

#[tokio::test]
async fn more_connections_than_there_is_room_for_are_told_so() {
    let home = Home::on(Engine::Sqlite).await.with("HESABU_CONNECTIONS_MAX", "3");
    let server = home.serve().await;
    let kept = [sent(&server, "").await, sent(&server, "").await, sent(&server, "").await];
    let ask = "GET /api/v1/user HTTP/1.1\r\nHost: x\r\n\r\n";
    let (text, _) = until_closed(sent(&server, ask).await).await;
    assert!(text.starts_with("HTTP/1.1 503") && text.to_ascii_lowercase().contains("retry-after: 1"), "{text}");
    assert!(text.ends_with(r#"{"errors":[{"message":"The service is temporarily unavailable. Please try again."}]}"#));
    // One that says nothing does not stay.
    let (text, after) = until_closed(sent(&server, "").await).await;
    assert!(text.is_empty() && after < Duration::from_secs(10), "{text} {after:?}");
    drop(kept);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(Client::of(&server).get("/user").await.status, 401);
}

/// One client may not take all connections, and one more of its is closed without a word.
#[tokio::test]
async fn one_address_does_not_keep_others_out() {
    let home = Home::on(Engine::Sqlite).await.with("HESABU_CONNECTIONS_MAX_BY_ADDRESS", "2");
    let server = home.serve().await;
    let kept = [sent(&server, "").await, sent(&server, "").await];
    let ask = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let third = until_ended(sent(&server, ask).await).await;
    assert!(third.is_empty(), "{third}");
    let from_elsewhere = TcpSocket::new_v4().expect("a socket");
    from_elsewhere.bind("127.0.0.2:0".parse().expect("an address")).expect("all of 127 is this machine");
    let address = server.address.strip_prefix("http://").and_then(|text| text.parse().ok()).expect("an address");
    let mut other = from_elsewhere.connect(address).await.expect("it listens");
    other.write_all(ask.as_bytes()).await.expect("it reads");
    assert!(until_ended(other).await.starts_with("HTTP/1.1 200"));
    drop(kept);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(until_ended(sent(&server, ask).await).await.starts_with("HTTP/1.1 200"));
}

/// All that comes back until the connection ends, in order or not.
async fn until_ended(mut stream: TcpStream) -> String {
    let mut bytes = vec![];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes));
    // What was sent and not read resets it.
    let _ = read.await.expect("it ends");
    String::from_utf8(bytes).expect("text")
}

/// Whoever asks for much and takes none of it is let go, and what was made for them with it.
#[tokio::test]
async fn answers_that_nobody_takes_are_dropped() {
    let home = Home::on(Engine::Sqlite).await.with("HESABU_KEEP_ALIVE", "2");
    let server = home.serve().await;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small buffer");
    let address = server.address.strip_prefix("http://").and_then(|text| text.parse().ok()).expect("an address");
    let mut stream = socket.connect(address).await.expect("it listens");
    // More than the system keeps for those who do not read.
    let page = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(page.repeat(20).as_bytes()).await.expect("it reads");
    let operator = Client::of(&server);
    let open = async || {
        let figures = operator.outside("/metrics").await.text;
        let line = figures.lines().find(|line| line.starts_with("hesabu_http_connections ")).map(str::to_owned);
        line.and_then(|line| line.rsplit(' ').next().and_then(|count| count.parse::<u32>().ok())).expect("a figure")
    };
    let before = open().await;
    assert!(before >= 2, "{before}");
    for _ in 0..100 {
        if open().await < before {
            drop(stream);
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it is still open");
}
