//! Transfers are told by mail because they happened, and nobody queues anything by hand: proposed, answered, stopped by a limit, and forgotten.

use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::mailbox::{Mailbox, Security};
use hesabu_tests::network::Network;
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn whatever_becomes_of_a_transfer_is_told_on_sqlite() {
    whatever_becomes_of_a_transfer_is_told(Engine::Sqlite).await;
}

#[tokio::test]
async fn whatever_becomes_of_a_transfer_is_told_on_postgres() {
    whatever_becomes_of_a_transfer_is_told(Engine::Postgres).await;
}

async fn whatever_becomes_of_a_transfer_is_told(engine: Engine) {
    let mailbox = Mailbox::open(Security::Plain).await;
    let network = Network::at(mailbox.home(engine).await, "100", "500").await;
    let Network { server, admin, alice, bob, home, .. } = &network;
    let body = alice.proposal("out", bob, "1", "");
    for _ in 0..2 {
        // The same again is the same transfer, and is told once.
        alice.client.post_keyed("/transfers", "once", &body).await.data();
    }
    let answered = [("2", "accept"), ("3", "reject"), ("4", "cancel")];
    for (amount, action) in answered {
        let id = alice.proposed("out", bob, amount).await;
        let by = if action == "cancel" { alice } else { bob };
        by.answer(&id, action).await.data();
    }
    // Nothing happens, and nothing is told.
    assert_eq!(alice.propose("out", bob, "9999").await.status, 400);
    let stopped = bob.proposed("in", alice, "50").await;
    alice.govern(admin, "tradingAccepted", "10", "500").await;
    assert_eq!(alice.answer(&stopped, "accept").await.status, 400);

    // What has waited since long ago is cancelled when its job is due.
    let db = home.database.open().await;
    db.execute("update transfer set at = 1 where pending", vec![]).await.unwrap();
    db.execute("update job set next_at = 0, leased_until = null where name = 'overdue'", vec![]).await.unwrap();
    let started = Instant::now();
    while !db.fetch_all("select 1 as one from transfer where pending", vec![]).await.unwrap().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20), "what is overdue still waits: {}", server.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let own = format!("/transfers?status=cancelled&querying_entity_id={}", alice.entity);
    let first = alice.client.get(&own).await.data()[0].take();
    let reason = json!("Nobody answered in time, so this transfer has been cancelled.");
    assert_eq!((&first["cancellationReason"], first["amount"].to_string()), (&reason, "1".into()));

    // One word of each mail's subject would be enough to mistake it: they are told apart by kind, amount and reader.
    let expected = [
        ("alice", "2.00", 1),
        ("alice", "3.00", 1),
        ("alice", "4.00", 0),
        ("alice", "50.00", 2),
        ("alice", "1.00", 1),
        ("bob", "1.00", 2),
        ("bob", "2.00", 1),
        ("bob", "3.00", 1),
        ("bob", "4.00", 2),
        ("bob", "50.00", 1),
    ];
    let started = Instant::now();
    while !db.fetch_all("select 1 as one from mail", vec![]).await.unwrap().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20), "the outbox does not get empty");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let subjects: Vec<(String, String)> =
        mailbox.received().iter().map(|mail| (mail.to.clone(), mail.header("Subject"))).collect();
    for (reader, amount, count) in expected {
        let meant = |(to, subject): &&(String, String)| {
            *to == format!("{reader}@example.org") && subject.contains(&format!(" {amount} KES-MC"))
        };
        assert_eq!(subjects.iter().filter(meant).count(), count, "{reader}, {amount}: {subjects:#?}");
    }
    assert!(
        !subjects.iter().any(|(_, subject)| subject.contains("9999") || subject.contains("9,999")),
        "{subjects:#?}"
    );
    db.close().await;
}

#[tokio::test]
async fn the_age_of_the_outbox_is_a_figure_on_sqlite() {
    the_age_of_the_outbox_is_a_figure(Engine::Sqlite).await;
}

#[tokio::test]
async fn the_age_of_the_outbox_is_a_figure_on_postgres() {
    the_age_of_the_outbox_is_a_figure(Engine::Postgres).await;
}

async fn the_age_of_the_outbox_is_a_figure(engine: Engine) {
    // Nothing is sent for as long as this lasts.
    let home = hesabu_tests::server::Home::on(engine).await.with("HESABU_PACE", "65000");
    let server = home.serve().await;
    let nobody = Client::of(&server);
    let age = async || {
        let text = nobody.outside("/metrics").await.text;
        let line = text.lines().find_map(|line| line.strip_prefix("hesabu_mail_oldest_seconds "));
        line.unwrap_or_else(|| panic!("there is no such figure: {text}")).parse::<u32>().expect("a whole number")
    };
    assert_eq!(age().await, 0);
    let db = home.database.open().await;
    let old = "insert into mail (mail_id, kind, recipient, address, body, created_at, due_at)
               values ($1, 'welcome', 'address', 'a@example.org', '', $2, $3)";
    let values = vec![hesabu::mint_id().into(), (hesabu::system_clock().0 - 100_000_000).into(), i64::MAX.into()];
    db.execute(old, values).await.unwrap();
    // It is looked up once a second at most.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!((100..200).contains(&age().await), "{}", age().await);
    db.close().await;
}
