//! `kill -9` in the middle of a thousand concurrent transfers, ten times: what was acknowledged is there once, and what was not can be
//! sent again with its key.

use hesabu_tests::database::Engine;
use hesabu_tests::network::Network;
use hesabu_tests::orders::{Order, Placed, kept, listed, orders, place_all};
use sqlx::{Connection, PgConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const ROUNDS: usize = 10;
const ORDERS: usize = 1_000;
/// Proposals of the round before that are accepted in the midst of it.
const ACCEPTANCES: usize = 100;
/// On PostgreSQL, one round out of so many waits until the lease of the server that was killed has run out.
const WAITING_EVERY: usize = 4;
/// After which the server is killed in any case.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_sqlite() {
    nothing_acknowledged_is_lost(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_postgres() {
    nothing_acknowledged_is_lost(Engine::Postgres).await;
}

async fn nothing_acknowledged_is_lost(engine: Engine) {
    let most = "9999999999999.99";
    let mut network = Network::on(engine, most, most).await;
    let (mut waiting, mut interrupted) = (vec![], 0);
    for round in 0..ROUNDS {
        let name = format!("round {round}");
        let orders = orders(&network, &[&network.server], &name, ORDERS, &waiting);
        let placed = kill_in_the_midst(&mut network, orders).await;
        let unanswered = placed.iter().filter(|(_, id)| id.is_none()).count();
        interrupted += usize::from(unanswered > 0);

        network.restart().await;
        let open = kept(&network.admin, &name, placed).await;
        if engine == Engine::Postgres && round % WAITING_EVERY != 0 {
            end_lease(&network.home.database.url).await;
        }
        let again = open.iter().map(|order| order.towards(&network.server)).collect();
        let counted = Arc::default();
        let ((), placed) = tokio::join!(network.home.prove(), place_all(again, &counted));
        assert!(placed.iter().all(|(_, id)| id.is_some()), "a server that runs answers");
        let listed = listed(&network.admin, &name).await;
        assert_eq!(listed.len(), ORDERS, "each is there, once");
        let initiated = listed.values().filter(|transfer| transfer["status"] == "transferInitiated");
        waiting = initiated.take(ACCEPTANCES).map(|transfer| transfer["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(waiting.len(), ACCEPTANCES);
        println!("{name}: {unanswered} were not answered");
    }
    assert!(interrupted >= ROUNDS / 2, "most of the kills came too late to prove anything");
    let health = network.admin.sound().await;
    assert_eq!(health["transfersProposed"], ROUNDS * ORDERS);
    assert_eq!(health["transfersCompleted"], ROUNDS * ORDERS / 2 + (ROUNDS - 1) * ACCEPTANCES);
    network.home.prove().await;
}

/// What otherwise takes a lease three seconds: the host that was killed has its ledger no more.
async fn end_lease(url: &str) {
    let mut database = PgConnection::connect(url).await.unwrap();
    sqlx::query("update ledger set lease_until = 0").execute(&mut database).await.unwrap();
}

/// Places the orders and kills the server after a random number of them was acknowledged.
async fn kill_in_the_midst(network: &mut Network, orders: Vec<Order>) -> Vec<Placed> {
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let random = uuid::Uuid::now_v7().as_u128() % (ORDERS as u128 * 9 / 10);
    let enough = usize::try_from(random).expect("below a thousand");
    let (started, counted) = (Instant::now(), Arc::clone(&acknowledged));
    let placing = tokio::spawn(async move { place_all(orders, &counted).await });
    while acknowledged.load(Ordering::Relaxed) < enough && started.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    network.server.kill();
    println!("killed after {enough} and {:?}", started.elapsed());
    placing.await.expect("every order ends")
}
