//! A server that is asked to stop finishes what is in flight: what it has begun, it answers.

use hesabu_tests::client::{Answer, json_body};
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Network, immediate};
use hesabu_tests::server::Home;
use reqwest::Method;
use std::time::Duration;
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_is_answered_on_sqlite() {
    what_is_in_flight_is_answered(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_is_answered_on_postgres() {
    what_is_in_flight_is_answered(Engine::Postgres).await;
}

/// Twenty clients pay as fast as they are answered until the server is gone; it is asked to stop after a while. The
/// ledger then has exactly the transfers that were answered: none was refused an answer, none was cut off half way.
async fn what_is_in_flight_is_answered(engine: Engine) {
    let Network { server, home, admin, alice, bob } = Network::on(engine, "1000000", "1000000").await;
    let mut clients = JoinSet::new();
    for client in 0..20 {
        let (admin, alice, bob) = (admin.clone(), alice.clone(), bob.clone());
        clients.spawn(async move {
            let mut answered = 0;
            for turn in 0.. {
                let body = immediate(&alice, &bob, "0.01", &format!("{client} {turn}"));
                let request = json_body(admin.request(Method::POST, "/admin/transfers"), body);
                match Answer::try_to(request).await {
                    Ok(answer) => {
                        answer.data();
                        answered += 1;
                    }
                    Err(_) => break,
                }
            }
            answered
        });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    tokio::task::spawn_blocking(move || server.stop()).await.expect("the server stops well");
    let answered: u64 = clients.join_all().await.into_iter().sum();
    let server = home.serve().await;
    let completed = admin.towards(&server).get("/admin/transfers?status=completed&page_size=1").await.meta().0;
    assert!(answered > 20, "the clients were too slow to prove anything: {answered}");
    assert_eq!(completed, answered);
    home.prove().await;
}

/// The signal may come as soon as the server says where it is.
#[tokio::test]
async fn a_stop_right_after_the_start_is_an_orderly_one() {
    let home = Home::on(Engine::Sqlite).await;
    for _ in 0..8 {
        let server = home.serve().await;
        tokio::task::spawn_blocking(move || server.stop()).await.unwrap();
    }
}
