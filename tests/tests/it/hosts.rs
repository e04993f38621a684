//! Several servers on one PostgreSQL keep one set of books, and a database that drops connections, goes away or crashes costs nothing
//! that was acknowledged.

use hesabu_tests::database::Engine;
use hesabu_tests::line::Line;
use hesabu_tests::network::{Network, log_in};
use hesabu_tests::orders::{Placed, kept, listed, orders, place_all};
use hesabu_tests::server::{Home, PASSWORD, Server};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const ORDERS: usize = 600;
/// Longer than the servers take to find their database again.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_keep_one_set_of_books_on_postgres() {
    let network = Network::on(Engine::Postgres, "100000", "100000").await;
    let folder = tempfile::tempdir().expect("a folder");
    let other = network.home.serve_beside(folder.path()).await;
    let Network { server, admin, alice, bob, .. } = &network;
    assert_ne!(server.address, other.address);
    assert!(!folder.path().join("token-key.pem").exists(), "it was given a key");

    let placed = place_all(orders(&network, &[server, &other], "both", ORDERS, &[]), &Arc::default()).await;
    assert!(placed.iter().all(|(_, id)| id.is_some()));
    let open = kept(admin, "both", placed.clone()).await;
    assert!(open.is_empty());
    // Every key is known to the other server too.
    let first = |text: &str| placed.iter().find(|(order, _)| order.text == text).expect("it was placed").1.clone();
    for (order, _) in placed.iter().take(40) {
        let (order, id) = order.towards(&other).place().await;
        assert_eq!(id, first(&order.text));
    }
    assert_eq!(listed(&admin.towards(&other), "both").await.len(), ORDERS);

    // One key at the same time on both.
    let once = orders(&network, &[server, &other], "once", 2, &[]);
    let twenty = (0..20).map(|turn| once[1].towards(if turn % 2 == 0 { server } else { &other })).collect();
    let ids: Vec<_> = place_all(twenty, &Arc::default()).await.into_iter().map(|(_, id)| id).collect();
    assert!(ids.iter().all(|id| id.is_some() && *id == ids[0]), "{ids:?}");

    // Accepted on both at the same time, once.
    let id = alice.proposed("out", bob, "7").await;
    let before = bob.balance().await;
    let here = bob.answer(&id, "accept");
    let there = hesabu_tests::network::Member { client: bob.client.towards(&other), ..bob.clone() };
    let (here, there) = tokio::join!(here, there.answer(&id, "accept"));
    let mut statuses = [here.status, there.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    assert_ne!(bob.balance().await, before);

    logout_is_everywhere(&network, &other).await;
    admin.towards(&other).sound().await;
    network.prove().await;
}

async fn logout_is_everywhere(network: &Network, other: &Server) {
    let here = log_in(&network.server, "/login", &network.alice.email).await;
    let there = here.towards(other);
    assert_eq!(here.get("/user").await.data(), there.get("/user").await.data());
    assert_eq!(there.post("/logout", "").await.status, 200);
    here.get("/user").await.refused(401, "Could not authenticate you.");
    there.get("/user").await.refused(401, "Could not authenticate you.");
}

/// Both serve the same hot ledger, in turn, when one of them is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_under_load_is_replaced_by_the_other_on_postgres() {
    let mut network = Network::on(Engine::Postgres, "100000", "100000").await;
    let folder = tempfile::tempdir().expect("a folder");
    let other = network.home.serve_beside(folder.path()).await;
    for name in ["first", "second"] {
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&acknowledged);
        // The first kill strikes a host that takes turns, the second one that has the ledger for itself: the other must wait for its
        // lease to run out.
        let alone = name == "second";
        if alone {
            let mut database = PgConnection::connect(&network.home.database.url).await.expect("the database answers");
            sqlx::query("update ledger set lease_until = 0").execute(&mut database).await.expect("it is allowed");
        }
        let servers = if alone { vec![&network.server] } else { vec![&network.server, &other] };
        let all = orders(&network, &servers, name, ORDERS, &[]);
        let placing = tokio::spawn(async move { place_all(all, &counted).await });
        while acknowledged.load(Ordering::Relaxed) < ORDERS / 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        network.server.kill();
        let killed = Instant::now();
        let admin = network.admin.towards(&other);
        let one_more = orders(&network, &[&other], &format!("after the {name}"), 1, &[]);
        let placed = place_all(one_more, &Arc::default()).await;
        assert!(placed[0].1.is_some(), "the other answers");
        println!("{name}: the other goes on after {:?}", killed.elapsed());
        assert!(killed.elapsed() < Duration::from_secs(10), "it took {:?}", killed.elapsed());

        let placed = placing.await.expect("every order ends");
        let first = placed.clone();
        let open = kept(&admin, name, placed).await;
        println!("{name}: {} of {ORDERS} were not answered", open.len());
        assert!(!open.is_empty(), "the kill came too late to prove anything");
        // Everybody asks the other again, also who was answered.
        let again = place_all(first.iter().map(|(order, _)| order.towards(&other)).collect(), &Arc::default()).await;
        let ids = |placed: &[Placed]| -> BTreeMap<String, Option<String>> {
            placed.iter().map(|(order, id)| (order.text.clone(), id.clone())).collect()
        };
        let (first, again) = (ids(&first), ids(&again));
        for (text, id) in &again {
            assert!(id.is_some(), "{text} was not answered");
            assert!(first[text].is_none() || first[text] == *id, "{text} has another answer");
        }
        assert_eq!(listed(&admin, name).await.len(), ORDERS);
        network.restart().await;
    }
    network.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_drops_connections_loses_nothing_on_postgres() {
    let network = Network::on(Engine::Postgres, "100000", "100000").await;
    let Network { server, admin, home, .. } = &network;
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&acknowledged);
    let all = orders(&network, &[server], "dropped", ORDERS, &[]);
    let placing = tokio::spawn(async move { place_all(all, &counted).await });

    let mut database = PgConnection::connect(&home.database.url).await.expect("the database answers");
    let (mut dropped, mut last) = (0, 0);
    while !placing.is_finished() {
        let now = acknowledged.load(Ordering::Relaxed);
        // Each time after some more were acknowledged, so that the server has work under way.
        if now >= last + ORDERS / 12 {
            dropped += drop_connections(&mut database).await;
            last = now;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let placed = placing.await.expect("every order ends");
    let unanswered = placed.iter().filter(|(_, id)| id.is_none()).count();
    println!("{dropped} connections were dropped, {unanswered} of {ORDERS} were told to try again");
    assert!(dropped > 3, "nothing was proven");

    ready(&network).await;
    let open = kept(admin, "dropped", placed).await;
    let placed = place_all(open, &Arc::default()).await;
    assert!(placed.iter().all(|(_, id)| id.is_some()));
    assert_eq!(listed(admin, "dropped").await.len(), ORDERS);
    network.prove().await;
}

/// Ends every connection of the servers, as a restart does.
async fn drop_connections(database: &mut PgConnection) -> usize {
    let sql = "select pg_terminate_backend(pid) from pg_stat_activity
               where datname = current_database() and application_name = 'hesabu'";
    sqlx::query(sql).fetch_all(database).await.expect("it is allowed").len()
}

/// A PostgreSQL server of one test's own, that may be broken. It ends with this value.
struct OwnServer {
    process: Child,
    url: String,
}

impl OwnServer {
    fn start() -> OwnServer {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/postgres.sh");
        let mut process = Command::new(script)
            .args(["run", "--", "sh", "-c", "echo \"$HESABU_TEST_POSTGRES\"; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the script can be run");
        let mut url = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut url).expect("it says where it is");
        OwnServer { process, url: url.trim().to_owned() }
    }

    /// One of its processes is killed: then it ends them all, and recovers from its log.
    async fn crash(&self) {
        let mut victim = PgConnection::connect(&self.url).await.expect("the database answers");
        let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut victim).await.expect("a number");
        let killed = Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill can be run");
        assert!(killed.success(), "the test may not kill the server that it started");
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_crashes_under_load_loses_nothing_on_postgres() {
    let own = tokio::task::spawn_blocking(OwnServer::start).await.expect("a server of its own");
    let mut home = Home::on(Engine::Postgres).await;
    home.database.url.clone_from(&own.url);
    let network = Network::at(home, "100000", "100000").await;
    let Network { server, admin, .. } = &network;
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&acknowledged);
    let all = orders(&network, &[server], "crashed", ORDERS, &[]);
    let placing = tokio::spawn(async move { place_all(all, &counted).await });
    while acknowledged.load(Ordering::Relaxed) < ORDERS / 4 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    own.crash().await;
    let placed = placing.await.expect("every order ends");
    let unanswered = placed.iter().filter(|(_, id)| id.is_none()).count();
    println!("the database crashed, {unanswered} of {ORDERS} were told to try again");

    ready(&network).await;
    let open = kept(admin, "crashed", placed).await;
    let placed = place_all(open, &Arc::default()).await;
    assert!(placed.iter().all(|(_, id)| id.is_some()));
    assert_eq!(listed(admin, "crashed").await.len(), ORDERS);
    network.prove().await;
}

/// Waits until the server says that it can work.
async fn ready(network: &Network) {
    let started = Instant::now();
    loop {
        let answer = network.admin.outside("/readyz").await;
        if answer.status == 200 {
            assert_eq!(answer.text, "ok");
            return;
        }
        assert_eq!(answer.status, 503);
        assert!(started.elapsed() < PATIENCE, "the server does not find its database again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_its_database_says_so_on_postgres() {
    let mut home = Home::on(Engine::Postgres).await;
    let direct = home.database.url.clone();
    let line = Line::to(&direct, "127.0.0.1:0").await;
    home.database.url = line.url(&direct);
    let network = Network::at(home, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    alice.proposed("out", bob, "1").await;

    let address = line.address.clone();
    line.cut().await;
    let health = admin.outside("/healthz").await;
    assert_eq!((health.status, health.text.as_str()), (200, "ok"));
    let signup = json!({ "userEmail": "carol@example.org", "password": PASSWORD });
    let balance = format!("/balance?querying_entity_id={}", alice.entity);
    let (ready_not, proposed, read, signed_up) = tokio::join!(
        admin.outside("/readyz"),
        alice.propose("out", bob, "2"),
        alice.client.get(&balance),
        alice.client.post("/signup", &signup)
    );
    assert_eq!(ready_not.status, 503);
    for refused in [proposed, read, signed_up] {
        refused.refused(503, "The service is temporarily unavailable. Please try again.");
        assert_eq!(refused.header("retry-after"), "1");
    }
    let line = Line::to(&direct, &address).await;
    ready(&network).await;
    assert_eq!(admin.sound().await["transfersProposed"], json!(1));
    alice.proposed("out", bob, "2").await;
    network.prove().await;
    line.cut().await;
}
