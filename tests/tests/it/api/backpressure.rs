//! More than a ledger's queue takes is told at once to come back later, and nothing of it is lost or done twice.
//!
//! Method: somebody else holds the lock that every write needs, so that what is sent waits; it is let go before anybody gives up.

use hesabu_tests::client::{Answer, Client};
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Network, immediate};
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use std::time::Duration;
use tokio::task::JoinSet;

/// As many as one batch takes.
const MOST: usize = 8_190;
/// Batches that the queue takes.
const QUEUE: usize = 4;
/// Batches that come.
const BATCHES: usize = 6;
/// Longer than it takes to fill the queue, shorter than the server tries to write.
const PATIENCE: Duration = Duration::from_secs(8);

const UNAVAILABLE: &str = "The service is temporarily unavailable. Please try again.";

/// Somebody who does not let the server write.
enum Obstacle {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Obstacle {
    async fn on(engine: Engine, url: &str) -> Obstacle {
        match engine {
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(url).await.expect("the database opens");
                connection.execute("begin immediate").await.expect("nobody is writing");
                Obstacle::Sqlite(connection)
            }
            Engine::Postgres => {
                let mut connection = PgConnection::connect(url).await.expect("the database answers");
                connection.execute("begin").await.expect("it begins");
                connection.execute("select 1 from ledger for update").await.expect("nobody is writing");
                Obstacle::Postgres(connection)
            }
        }
    }

    async fn go(self) {
        match self {
            Obstacle::Sqlite(mut connection) => drop(connection.execute("rollback").await.expect("it ends")),
            Obstacle::Postgres(mut connection) => drop(connection.execute("rollback").await.expect("it ends")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_can_wait_comes_back_later_on_sqlite() {
    more_than_can_wait_comes_back_later(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_can_wait_comes_back_later_on_postgres() {
    more_than_can_wait_comes_back_later(Engine::Postgres).await;
}

#[track_caller]
fn busy(answer: &Answer) {
    answer.refused(503, UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), "1");
}

async fn send(client: Client, name: usize, body: String) -> (usize, Answer) {
    (name, client.post_keyed("/transfers/batch", &format!("batch {name}"), body).await)
}

async fn more_than_can_wait_comes_back_later(engine: Engine) {
    let network = Network::on(engine, "9999999", "9999999").await;
    let Network { admin, alice, bob, .. } = &network;
    let item = json!({ "initiator": alice.account, "receiver": bob.account, "amount": 1 });
    let body = json!({ "mode": "independent", "transfers": vec![item; MOST] }).to_string();
    let single = immediate(alice, bob, "1", "");

    let obstacle = Obstacle::on(engine, &network.home.database.url).await;
    let mut sending = JoinSet::new();
    for name in 0..BATCHES {
        sending.spawn(send(admin.afresh(), name, body.clone()));
    }
    let mut refused = vec![];
    while refused.len() < BATCHES - QUEUE {
        let next = tokio::time::timeout(PATIENCE, sending.join_next()).await.expect("nobody waits who could be told");
        let (name, answer) = next.expect("there are more").expect("it ends");
        busy(&answer);
        refused.push(name);
    }
    // The single requests are told so too, at once.
    busy(&admin.post_keyed("/admin/transfers", "single", &single).await);
    busy(&alice.client.post_keyed("/transfers", "single", alice.proposal("out", bob, "1", "")).await);
    busy(&alice.client.post("/transfers/batch", &body.replace("independent", "atomic")).await);
    obstacle.go().await;

    for (_, answer) in sending.join_all().await {
        assert_eq!(answer.data().as_array().map(Vec::len), Some(MOST));
    }
    for name in refused {
        let (_, answer) = send(admin.clone(), name, body.clone()).await;
        assert_eq!(answer.json()["meta"], json!({ "accepted": MOST, "replayed": 0, "refused": 0 }));
    }
    admin.post_keyed("/admin/transfers", "single", &single).await.data();
    assert_eq!(alice.balance().await, format!("-{}", BATCHES * MOST + 1));
    network.prove().await;
}
