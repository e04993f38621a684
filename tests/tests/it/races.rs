//! What happens at the same time: money moves once, one of two wins, headroom is not sold twice, and nothing deadlocks.

use hesabu_tests::client::{Answer, Client};
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network, immediate};
use hesabu_tests::server::PASSWORD;
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinSet;

const COMPLETED: &str = "The transaction has already been completed by the counterparty.";
const CANCELLED: &str = "The transaction has already been cancelled by the counterparty.";

/// Longer than two hundred transfers take on a slow machine, shorter than waiting for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many of these were done; the others were refused with this message.
#[track_caller]
fn done(answers: &[Answer], refusal: &str) -> usize {
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(400, refusal);
    }
    answers.iter().filter(|answer| answer.status == 200).count()
}

/// The member's answer to each of these transfers, from connections of their own, all at once.
async fn answer_at_once(what: Vec<(&Member, &String, &'static str)>) -> Vec<Answer> {
    let mut asking = JoinSet::new();
    for (member, id, action) in what {
        let member = Member { client: member.client.afresh(), ..member.clone() };
        let id = id.clone();
        asking.spawn(async move { member.answer(&id, action).await });
    }
    tokio::time::timeout(PATIENCE, asking.join_all()).await.expect("nothing waits for ever")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_acceptances_move_money_once_on_sqlite() {
    fifty_acceptances_move_money_once(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_acceptances_move_money_once_on_postgres() {
    fifty_acceptances_move_money_once(Engine::Postgres).await;
}

async fn fifty_acceptances_move_money_once(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { alice, bob, .. } = &network;
    for (direction, expected) in [("out", "-10"), ("in", "0")] {
        let id = alice.proposed(direction, bob, "10").await;
        let answers = answer_at_once(vec![(bob, &id, "accept"); 50]).await;
        assert_eq!(done(&answers, COMPLETED), 1);
        assert_eq!(alice.balance().await, expected);
    }
    network.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accept_against_cancel_has_one_winner_on_sqlite() {
    accept_against_cancel_has_one_winner(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accept_against_cancel_has_one_winner_on_postgres() {
    accept_against_cancel_has_one_winner(Engine::Postgres).await;
}

async fn accept_against_cancel_has_one_winner(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let mut accepted = 0;
    for round in 0..20 {
        let id = alice.proposed(if round % 2 == 0 { "out" } else { "in" }, bob, "1").await;
        let (accept, cancel) = ((bob, &id, "accept"), (alice, &id, "cancel"));
        let asked = if round % 4 < 2 { vec![accept, cancel] } else { vec![cancel, accept] };
        let answers = answer_at_once(asked).await;
        let (won, lost): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!((won.len(), lost.len()), (1, 1), "{answers:?}");
        let status = won[0].data()["status"].clone();
        let completed = status == "transferCompleted";
        lost[0].refused(400, if completed { COMPLETED } else { CANCELLED });
        assert_eq!(admin.get(&format!("/admin/transfers/{id}")).await.data()["status"], status);
        // Money that moved goes back, so that each round begins alike.
        if completed {
            accepted += 1;
            let (from, to) = if round % 2 == 0 { (bob, alice) } else { (alice, bob) };
            admin.post("/admin/transfers", immediate(from, to, "1", "back")).await.data();
        }
        assert_eq!([alice.balance().await, bob.balance().await], ["0", "0"]);
    }
    println!("{accepted} of 20 were accepted");
    let health = admin.sound().await;
    assert_eq!((&health["transfersPending"], &health["transfersCancelled"]), (&json!(0), &json!(20 - accepted)));
    network.home.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headroom_is_not_sold_twice_on_sqlite() {
    headroom_is_not_sold_twice(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headroom_is_not_sold_twice_on_postgres() {
    headroom_is_not_sold_twice(Engine::Postgres).await;
}

async fn headroom_is_not_sold_twice(engine: Engine) {
    let network = Network::on(engine, "5", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let mut proposing = JoinSet::new();
    for _ in 0..10 {
        let (alice, bob) = (Member { client: alice.client.afresh(), ..alice.clone() }, bob.clone());
        proposing.spawn(async move { alice.propose("out", &bob, "1").await });
    }
    let answers = proposing.join_all().await;
    let refusal = "Sender will exceed its credit limit. The maximum amount that can be sent is: 0.00";
    assert_eq!(done(&answers, refusal), 5);
    assert_eq!(alice.own().await["pendingTransfers"].as_array().unwrap().len(), 5);

    // Of five requests that were asked while there was room for each, there is room for two.
    let carol = network.another("carol", "2", "500").await;
    let mut asked = vec![];
    for _ in 0..5 {
        asked.push(bob.proposed("in", &carol, "1").await);
    }
    let answers = answer_at_once(asked.iter().map(|id| (&carol, id, "accept")).collect()).await;
    let refusal = "The sender will exceed its credit limit so this transfer has been cancelled.";
    assert_eq!(done(&answers, refusal), 2);
    assert_eq!(carol.balance().await, "-2");
    assert_eq!(admin.sound().await["transfersCancelled"], 3);

    // An administrator's ten at once against room for five.
    let dora = network.another("dora", "5", "500").await;
    let mut moving = JoinSet::new();
    for _ in 0..10 {
        let (admin, body) = (admin.afresh(), immediate(&dora, bob, "1", ""));
        moving.spawn(async move { admin.post("/admin/transfers", body).await });
    }
    let refusal = "Sender will exceed its credit limit. The maximum amount that can be sent is: 0.00";
    assert_eq!(done(&moving.join_all().await, refusal), 5);
    assert_eq!(dora.balance().await, "-5");
    network.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crossing_traffic_does_not_deadlock_on_sqlite() {
    crossing_traffic_does_not_deadlock(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crossing_traffic_does_not_deadlock_on_postgres() {
    crossing_traffic_does_not_deadlock(Engine::Postgres).await;
}

async fn crossing_traffic_does_not_deadlock(engine: Engine) {
    let network = Network::on(engine, "1000", "1000").await;
    let Network { admin, alice, bob, .. } = &network;
    let mut moving = JoinSet::new();
    for turn in 0..200 {
        let (from, to) = if turn % 2 == 0 { (alice, bob) } else { (bob, alice) };
        let (from, to, admin) = (from.clone(), to.clone(), admin.clone());
        moving.spawn(async move {
            if turn % 4 < 2 {
                admin.post("/admin/transfers", immediate(&from, &to, "3", "")).await.data();
            } else {
                let direction = if turn % 8 < 4 { "out" } else { "in" };
                let id = from.proposed(direction, &to, "2").await;
                to.answer(&id, "accept").await.data();
            }
        });
    }
    // Meanwhile an administrator moves limits of both, and both change what they tell of themselves.
    for turn in 0..20 {
        let (member, admin) = (if turn % 2 == 0 { alice.clone() } else { bob.clone() }, admin.clone());
        moving.spawn(async move {
            let name = json!({ "name": format!("name {turn}"), "offers": [format!("offer {turn}")] });
            member.client.patch(&format!("/user/entities/{}", member.entity), name).await.data();
            member.govern(&admin, "tradingAccepted", &format!("{}", 1000 + turn), "2000").await;
        });
    }
    tokio::time::timeout(PATIENCE, moving.join_all()).await.expect("nothing waits for ever");
    assert_eq!([alice.balance().await, bob.balance().await], ["0", "0"]);
    let health = admin.sound().await;
    assert_eq!((&health["transfersCompleted"], &health["transfersPending"]), (&json!(200), &json!(0)));
    network.home.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_taken_once_on_sqlite() {
    an_address_is_taken_once(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_taken_once_on_postgres() {
    an_address_is_taken_once(Engine::Postgres).await;
}

async fn an_address_is_taken_once(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let mut signing = JoinSet::new();
    for turn in 0..8 {
        let client = Client::of(&network.server);
        let email = if turn % 2 == 0 { "Same@Example.org" } else { "same@example.org" };
        let body = json!({ "userEmail": email, "password": PASSWORD });
        signing.spawn(async move { client.post("/signup", body).await });
    }
    assert_eq!(done(&signing.join_all().await, "User email address is already registered."), 1);
    assert_eq!(network.admin.get("/admin/entities").await.meta().0, 3);
    assert_eq!(network.admin.sound().await["accounts"], 3);
    network.home.prove().await;
}
