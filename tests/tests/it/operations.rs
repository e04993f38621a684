//! What whoever runs a server sees: its figures, and whether it can do its work.

use hesabu::posting::Looks;
use hesabu::store::Faults;
use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::line::Line;
use hesabu_tests::network::{Network, immediate};
use hesabu_tests::room::{ALICE, BOB, Room, clock, pay};
use hesabu_tests::server::Home;
use ledger_core::Timestamp;
use sqlx::{Connection, Executor, SqliteConnection};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longer than a server may take to notice.
const NOTICED: Duration = Duration::from_secs(15);
/// Longer than it may take to answer.
const ANSWERED: Duration = Duration::from_secs(4);

/// Waits until `/readyz` says so; each answer comes soon.
async fn becomes(client: &Client, status: u16) {
    let began = Instant::now();
    loop {
        let asked = Instant::now();
        let answer = client.outside("/readyz").await;
        assert!(asked.elapsed() < ANSWERED, "it took {:?}", asked.elapsed());
        if answer.status == status {
            return;
        }
        assert!(began.elapsed() < NOTICED, "it stays {answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn not_ready_while_the_database_is_away_on_postgres() {
    let home = Home::on(Engine::Postgres).await;
    let line = Line::to(&home.database.url, "127.0.0.1:0").await;
    let (address, url) = (line.address.clone(), home.database.url.clone());
    let server = home.with("DATABASE_URL", &line.url(&url)).serve().await;
    let client = Client::of(&server);
    becomes(&client, 200).await;
    line.cut().await;
    becomes(&client, 503).await;
    assert_eq!(client.outside("/healthz").await.status, 200, "the process runs");
    let _line = Line::to(&url, &address).await;
    becomes(&client, 200).await;
}

/// Somebody else writes to the file and does not end; the file is taken away.
#[tokio::test(flavor = "multi_thread")]
async fn not_ready_while_the_database_is_away_on_sqlite() {
    let home = Home::on(Engine::Sqlite).await;
    let server = home.serve().await;
    let client = Client::of(&server);
    becomes(&client, 200).await;
    let mut other = SqliteConnection::connect(&home.database.url).await.expect("it opens");
    other.execute("begin immediate").await.expect("nobody writes");
    becomes(&client, 503).await;
    other.execute("rollback").await.expect("it ends");
    becomes(&client, 200).await;
    other.close().await.expect("it closes");

    let (file, away) = (home.folder().join("hesabu.db"), home.folder().join("away.db"));
    std::fs::rename(&file, &away).expect("it can be taken away");
    becomes(&client, 503).await;
    std::fs::rename(&away, &file).expect("and put back");
    becomes(&client, 200).await;
}

/// While others write as fast as they can, the server is ready all the time.
#[tokio::test(flavor = "multi_thread")]
async fn ready_under_load_on_sqlite() {
    let network = Network::on(Engine::Sqlite, "100000", "100000").await;
    let (admin, body) = (network.admin.clone(), immediate(&network.alice, &network.bob, "0.01", ""));
    let working = tokio::spawn(async move {
        loop {
            admin.post("/admin/transfers", &body).await.data();
        }
    });
    let client = Client::of(&network.server);
    for _ in 0..40 {
        assert_eq!(client.outside("/readyz").await.status, 200);
    }
    working.abort();
}

#[tokio::test]
async fn figures_on_sqlite() {
    figures(Engine::Sqlite).await;
}

#[tokio::test]
async fn figures_on_postgres() {
    figures(Engine::Postgres).await;
}

async fn figures(engine: Engine) {
    let network = Network::on(engine, "10", "100").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let client = Client::of(server);
    for _ in 0..3 {
        admin.post("/admin/transfers", immediate(alice, bob, "1", "")).await.data();
    }
    let refused = admin.post("/admin/transfers", immediate(alice, bob, "50", "")).await;
    assert_eq!(refused.status, 400);
    for id in ["a", "b", "c"] {
        admin.get(&format!("/admin/transfers/{id}")).await;
        client.get(&format!("/nothing/{id}")).await;
    }
    let answer = client.outside("/metrics").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let figures = answer.text;
    let value = |name: &str| {
        let line = figures.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}\n{figures}"));
        line.rsplit(' ').next().expect("a figure").parse::<f64>().expect("a number")
    };
    // Two accounts were opened and limited before.
    let ledger = figures.lines().find(|line| line.starts_with("hesabu_ledger_info{")).expect("it is there");
    let ledger = ledger.split('"').nth(1).expect("its id");
    assert!(value(&format!("hesabu_posting_seconds_count{{ledger=\"{ledger}\"}}")) >= 6.0);
    assert!(value(&format!("hesabu_posting_batch_commands_sum{{ledger=\"{ledger}\"}}")) >= 6.0);
    assert!(value(&format!("hesabu_posting_waiting{{ledger=\"{ledger}\"}}")) == 0.0);
    let rejected = format!("hesabu_posting_rejections_total{{ledger=\"{ledger}\",code=\"floor-exceeded\"}}");
    assert!(value(&rejected) == 1.0);
    let requests = |labels: &str| value(&format!("hesabu_http_requests_total{{{labels}}}"));
    assert!(requests(r#"method="POST",route="/api/v1/admin/transfers",status="200""#) == 3.0);
    assert!(requests(r#"method="POST",route="/api/v1/admin/transfers",status="400""#) == 1.0);
    assert!(requests(r#"method="GET",route="none",status="404""#) == 3.0);
    // By template: no path of a request is in a label.
    assert!(figures.contains(r#"route="/api/v1/admin/transfers/{id}""#), "{figures}");
    assert!(!figures.contains("/transfers/a") && !figures.contains("/nothing"), "{figures}");
    assert!(
        figures
            .contains(r#"hesabu_http_request_seconds_bucket{method="POST",route="/api/v1/admin/transfers",le="0.05"}"#)
    );
    assert!(value("hesabu_http_requests_in_flight") == 1.0, "this one");
    assert!(value("hesabu_http_connections") >= 1.0);
    assert!(value(r#"hesabu_database_connections{state="idle"}"#) >= 0.0);
    assert!(figures.contains("# HELP hesabu_posting_seconds"), "{figures}");
}

/// What a collector of spans was sent.
async fn collector() -> (String, Arc<Mutex<Vec<u8>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("an address is free");
    let (address, sent) = (listener.local_addr().expect("it listens"), Arc::<Mutex<Vec<u8>>>::default());
    let keep = Arc::clone(&sent);
    let take = async move |body: axum::body::Bytes| keep.lock().expect("nobody panics").extend_from_slice(&body);
    let router = axum::Router::new().route("/v1/traces", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_sent_to_a_collector() {
    let (collector, sent) = collector().await;
    let home = Home::on(Engine::Sqlite).await.with("HESABU_OTLP_ENDPOINT", &collector);
    let server = home.serve().await;
    let client = Client::of(&server);
    client.get("/user").await.refused(401, "Could not authenticate you.");
    client.get("/nothing?secret=4711").await;
    // The last ones are sent before the end.
    tokio::task::spawn_blocking(move || server.stop()).await.expect("it stops");
    // Texts are themselves in the binary form.
    let sent = String::from_utf8_lossy(&sent.lock().expect("nobody panics")).into_owned();
    for text in ["hesabu", "GET /api/v1/user", "http.response.status_code", "GET none", "url.path"] {
        assert!(sent.contains(text), "{text} is not in {sent:?}");
    }
    assert!(!sent.contains("4711"));
}

/// One that is not there, and one that takes everything and says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_nobody_anything() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("an address is free");
    let silent = format!("http://{}", silent.local_addr().expect("it listens"));
    for collector in ["http://127.0.0.1:1", &silent] {
        let home = Home::on(Engine::Sqlite).await.with("HESABU_OTLP_ENDPOINT", collector);
        let server = home.serve().await;
        let client = Client::of(&server);
        // More than fit in any queue.
        let began = Instant::now();
        for _ in 0..3_000 {
            client.get("/nothing").await.refused(404, "There is nothing at this address.");
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        let began = Instant::now();
        tokio::task::spawn_blocking(move || server.stop()).await.expect("it stops");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
    let ended = Home::on(Engine::Sqlite).await.with("HESABU_OTLP_ENDPOINT", "https://x").run(&["serve"], "").await;
    assert!(ended.code == Some(1) && ended.log.contains("HESABU_OTLP_ENDPOINT"), "{ended:?}");
}

/// Where figures are nobody else's business.
#[tokio::test]
async fn figures_apart() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("there is one").local_addr().expect("an address");
    let home = Home::on(Engine::Sqlite).await.with("HESABU_METRICS_LISTEN", &free.to_string());
    let server = home.serve().await;
    assert_eq!(Client::of(&server).outside("/metrics").await.status, 404);
    let apart = Client::at(&format!("http://{free}"));
    assert!(apart.outside("/metrics").await.text.contains("hesabu_http_requests_total"));
    assert_eq!(apart.outside("/api/v1/user").await.status, 404);
    tokio::task::spawn_blocking(move || server.stop()).await.expect("it stops");
}

/// However many ask how the ledger is, it is looked at for one of them at a time, and once for all who came meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn looks_at_the_ledger_are_shared() {
    for engine in Engine::ALL {
        let room = Room::on(engine, clock()).await;
        room.submit(vec![pay("a", ALICE, BOB, 1)]).await.unwrap()[0].unwrap();
        let begun = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&begun);
        let counted = room.db.clone().with_faults(Faults::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            None
        }));
        let looks = Looks::default();
        let ask = || {
            let (looks, db, ledger) = (looks.clone(), counted.clone(), room.ledger.id);
            tokio::spawn(async move { looks.health(&db, ledger, Timestamp(0)).await })
        };
        let asked: Vec<_> = (0..20).map(|_| ask()).collect();
        for look in asked {
            assert!(look.await.unwrap().unwrap().is_sound());
        }
        let together = begun.load(Ordering::Relaxed);
        assert!((1..=10).contains(&together), "{together} looks for 20 who asked");
        // Who asks afterwards sees what happened meanwhile.
        room.submit(vec![pay("b", ALICE, BOB, 1)]).await.unwrap()[0].unwrap();
        assert_eq!(ask().await.unwrap().unwrap().posted, 2, "{engine:?}");
    }
}
