//! Transfers from proposal to end, what they reserve, and who is told what.

use hesabu_tests::client::Answer;
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network, immediate};
use serde_json::{Value, json};

const PAYER_LIMIT: &str = "The sender will exceed its credit limit so this transfer has been cancelled.";
const PAYEE_LIMIT: &str =
    "The recipient will exceed its maximum positive balance threshold so this transfer has been cancelled.";

#[tokio::test]
async fn a_trade_from_proposal_to_balance_on_sqlite() {
    a_trade_from_proposal_to_balance(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_trade_from_proposal_to_balance_on_postgres() {
    a_trade_from_proposal_to_balance(Engine::Postgres).await;
}

async fn a_trade_from_proposal_to_balance(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { alice, bob, .. } = &network;
    let body = alice.proposal("out", bob, "1.1", "Here is the payment");
    let answer = alice.client.post("/transfers", body).await;
    let proposed = answer.data();
    let expected = json!({
        "id": proposed["id"], "from": alice.account, "to": bob.account, "amount": 1.1,
        "description": "Here is the payment", "status": "transferInitiated", "dateProposed": proposed["dateProposed"],
    });
    assert_eq!(proposed, expected);
    assert_eq!(answer.number("/data/amount"), "1.1");
    let id = proposed["id"].as_str().unwrap();

    let seen = |transfer: &str, initiator: bool, other: &Member, name: &str| {
        json!({
            "id": id, "transfer": transfer, "isInitiator": initiator, "accountNumber": other.account,
            "entityName": name, "amount": 1.1, "description": "Here is the payment", "status": "transferInitiated",
            "dateProposed": proposed["dateProposed"],
        })
    };
    assert_eq!(alice.own().await["pendingTransfers"], json!([seen("out", true, bob, "bob")]));
    assert_eq!(bob.own().await["pendingTransfers"], json!([seen("in", false, alice, "alice")]));
    assert_eq!(balances(&network).await, ["0", "0"]);

    let accepted = bob.answer(id, "accept").await.data();
    let mut expected = seen("in", false, alice, "alice");
    expected["status"] = json!("transferCompleted");
    expected["dateCompleted"] = accepted["dateCompleted"].clone();
    assert_eq!(accepted, expected);
    assert!(accepted["dateCompleted"].as_str().unwrap() > accepted["dateProposed"].as_str().unwrap());
    assert_eq!(balances(&network).await, ["-1.1", "1.1"]);
    let balance = alice.client.get(&format!("/balance?querying_entity_id={}", alice.entity)).await;
    assert_eq!(balance.text, r#"{"data":[{"unit":"KES-MC","balance":-1.1}]}"#);
    for (member, action) in [(bob, "accept"), (bob, "reject"), (alice, "cancel")] {
        let answer = member.answer(id, action).await;
        answer.refused(400, "The transaction has already been completed by the counterparty.");
    }
    requested_back(&network).await;
    ended_with_a_reason(&network).await;
    network.prove().await;
}

/// `in`: the initiator is paid, by whoever accepts.
async fn requested_back(network: &Network) {
    let Network { alice, bob, .. } = network;
    let proposed = alice.propose("in", bob, "2.35").await.data();
    assert_eq!((&proposed["from"], &proposed["to"]), (&json!(bob.account), &json!(alice.account)));
    let id = proposed["id"].as_str().unwrap();
    let accepted = bob.answer(id, "accept").await.data();
    assert_eq!((&accepted["transfer"], &accepted["isInitiator"]), (&json!("out"), &json!(false)));
    assert_eq!(balances(network).await, ["1.25", "-1.25"]);
}

async fn ended_with_a_reason(network: &Network) {
    let Network { alice, bob, .. } = network;
    for (direction, who, action, reason) in [
        ("out", alice, "cancel", "Changed my mind"),
        ("out", bob, "reject", "Not what we said"),
        ("in", alice, "cancel", ""),
        ("in", bob, "reject", "Too dear"),
    ] {
        let id = alice.proposed(direction, bob, "3").await;
        let body = json!({ "action": action, "cancellationReason": reason });
        let ended = who.client.patch(&format!("/transfers/{id}"), body).await.data();
        assert_eq!(ended["status"], "transferCancelled", "{ended}");
        assert_eq!(ended.get("cancellationReason").cloned(), (!reason.is_empty()).then(|| json!(reason)), "{ended}");
        assert_eq!(ended.get("dateCompleted"), None, "{ended}");
        let again = bob.answer(&id, "accept").await;
        again.refused(400, "The transaction has already been cancelled by the counterparty.");
    }
    assert_eq!(alice.own().await["pendingTransfers"], json!([]));
    assert_eq!(balances(network).await, ["1.25", "-1.25"]);
}

#[tokio::test]
async fn out_reserves_and_in_does_not_on_sqlite() {
    out_reserves_and_in_does_not(Engine::Sqlite).await;
}

#[tokio::test]
async fn out_reserves_and_in_does_not_on_postgres() {
    out_reserves_and_in_does_not(Engine::Postgres).await;
}

async fn out_reserves_and_in_does_not(engine: Engine) {
    let network = Network::on(engine, "5", "500").await;
    let Network { alice, bob, .. } = &network;
    let too_much = "Sender will exceed its credit limit. The maximum amount that can be sent is: ";
    alice.propose("out", bob, "5.01").await.refused(400, &format!("{too_much}5.00"));
    let mut held = vec![];
    for turn in 0..10 {
        let answer = alice.propose("out", bob, "1").await;
        if turn < 5 {
            held.push(answer.data()["id"].as_str().unwrap().to_owned());
        } else {
            answer.refused(400, &format!("{too_much}0.00"));
        }
    }
    let preview = alice.client.post("/transfers/preview", alice.proposal("out", bob, "0.01", "")).await;
    preview.refused(400, &format!("{too_much}0.00"));
    bob.answer(&held[0], "accept").await.data();
    alice.propose("out", bob, "0.01").await.refused(400, &format!("{too_much}0.00"));
    bob.answer(&held[1], "reject").await.data();
    alice.propose("out", bob, "1.01").await.refused(400, &format!("{too_much}1.00"));

    // Bob asks ten times for what Alice could pay once: nothing is reserved, and the second acceptance is too many.
    let asked = [bob.proposed("in", alice, "1").await, bob.proposed("in", alice, "1").await];
    bob.propose("in", alice, "1.01").await.refused(400, &format!("{too_much}1.00"));
    alice.propose("out", bob, "1").await.data();
    over_the_limit(&alice.answer(&asked[0], "accept").await, alice, &asked[0], PAYER_LIMIT).await;
    assert_eq!(alice.balance().await, "-1");
    alice.answer(&asked[1], "reject").await.data();
    network.prove().await;
}

/// The acceptance was refused, and the transfer has been cancelled for that reason.
async fn over_the_limit(answer: &Answer, viewer: &Member, id: &str, reason: &str) {
    answer.refused(400, reason);
    let list = format!("/transfers?status=cancelled&page_size=100&querying_entity_id={}", viewer.entity);
    let list = viewer.client.get(&list).await.data();
    let cancelled = list.as_array().unwrap().iter().find(|transfer| transfer["id"] == id).expect("it is listed");
    assert_eq!((&cancelled["status"], &cancelled["cancellationReason"]), (&json!("transferCancelled"), &json!(reason)));
}

#[tokio::test]
async fn limits_and_statuses_hold_to_the_end_on_sqlite() {
    limits_and_statuses_hold_to_the_end(Engine::Sqlite).await;
}

#[tokio::test]
async fn limits_and_statuses_hold_to_the_end_on_postgres() {
    limits_and_statuses_hold_to_the_end(Engine::Postgres).await;
}

async fn limits_and_statuses_hold_to_the_end(engine: Engine) {
    let network = Network::on(engine, "100", "10").await;
    let Network { admin, alice, bob, server, .. } = &network;
    let full = "Receiver will exceed its maximum balance limit. The maximum amount that can be received is: ";
    alice.propose("out", bob, "10.01").await.refused(400, &format!("{full}10.00"));
    let held = alice.proposed("out", bob, "6").await;
    alice.propose("out", bob, "4.01").await.refused(400, &format!("{full}4.00"));
    let asked = bob.proposed("in", alice, "4").await;
    let carol = network.another("carol", "100", "10").await;
    carol.propose("out", bob, "4").await.data();
    over_the_limit(&alice.answer(&asked, "accept").await, bob, &asked, PAYEE_LIMIT).await;
    alice
        .answer(&asked, "reject")
        .await
        .refused(400, "The transaction has already been cancelled by the counterparty.");

    // A member who is suspended neither pays nor is paid, but what waits can be taken back.
    let asked = carol.proposed("in", alice, "1").await;
    alice.govern(admin, "tradingRejected", "100", "10").await;
    let sender =
        "Sender is not a trading member. Transfers can only be made when both entities have trading member status.";
    let recipient = sender.replace("Sender", "Recipient");
    bob.answer(&held, "accept").await.refused(400, sender);
    alice.propose("out", &carol, "1").await.refused(400, sender);
    bob.propose("out", alice, "1").await.refused(400, &recipient);
    alice.answer(&asked, "accept").await.refused(400, sender);
    alice.answer(&asked, "reject").await.data();
    alice.answer(&held, "cancel").await.data();
    let dora = Member::signed_up(server, "dora").await;
    dora.propose("out", bob, "1").await.refused(400, sender);
    bob.propose("in", &dora, "1").await.refused(400, sender);
    bob.propose("out", &dora, "1").await.refused(400, &recipient);
    let body = immediate(bob, &dora, "1", "");
    admin.post("/admin/transfers", body).await.refused(400, &recipient);
    network.prove().await;
}

#[tokio::test]
async fn previews_change_nothing_on_sqlite() {
    previews_change_nothing(Engine::Sqlite).await;
}

#[tokio::test]
async fn previews_change_nothing_on_postgres() {
    previews_change_nothing(Engine::Postgres).await;
}

async fn previews_change_nothing(engine: Engine) {
    let network = Network::on(engine, "5", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let before = admin.sound().await;
    for (direction, from, to) in [("out", alice, bob), ("in", bob, alice)] {
        let answer = alice.client.post("/transfers/preview", alice.proposal(direction, bob, "5.00", "x")).await;
        let expected = json!({ "wouldBeAccepted": true, "from": from.account, "to": to.account, "amount": 5 });
        assert_eq!(answer.data(), expected);
        let body = alice.proposal(direction, bob, "5.01", "x");
        let foreseen = alice.client.post("/transfers/preview", &body).await;
        let real = alice.client.post("/transfers", &body).await;
        assert_eq!((foreseen.status, foreseen.text), (400, real.text));
    }
    let himself = alice.propose("out", alice, "1").await;
    himself.refused(400, "You cannot create a transaction with yourself.");
    let himself = alice.client.post("/transfers/preview", alice.proposal("in", alice, "1", "")).await;
    himself.refused(400, "You cannot create a transaction with yourself.");
    assert_eq!(admin.sound().await, before, "nothing was recorded");
}

#[tokio::test]
async fn an_administrator_transfers_at_once_on_sqlite() {
    an_administrator_transfers_at_once(Engine::Sqlite).await;
}

#[tokio::test]
async fn an_administrator_transfers_at_once_on_postgres() {
    an_administrator_transfers_at_once(Engine::Postgres).await;
}

async fn an_administrator_transfers_at_once(engine: Engine) {
    let network = Network::on(engine, "100", "60").await;
    let Network { admin, alice, bob, .. } = &network;
    let answer = admin.post("/admin/transfers", immediate(alice, bob, "50.50", "Grant")).await;
    let made = answer.data();
    let expected = json!({
        "id": made["id"], "fromAccountNumber": alice.account, "fromEntityName": "alice",
        "toAccountNumber": bob.account, "toEntityName": "bob", "amount": 50.5, "description": "Grant",
        "type": "adminTransfer", "status": "transferCompleted",
        "dateProposed": made["dateProposed"], "dateCompleted": made["dateProposed"],
    });
    assert_eq!(made, expected);
    assert_eq!(admin.get(&format!("/admin/transfers/{}", made["id"].as_str().unwrap())).await.data(), made);
    assert_eq!(balances(&network).await, ["-50.5", "50.5"]);
    let refused = admin.post("/admin/transfers", immediate(alice, bob, "9.51", "")).await;
    refused.refused(
        400,
        "Receiver will exceed its maximum balance limit. The maximum amount that can be received is: 9.50",
    );
    let refused = admin.post("/admin/transfers", immediate(bob, alice, "150.51", "")).await;
    refused.refused(400, "Sender will exceed its credit limit. The maximum amount that can be sent is: 150.50");
    let refused = admin.post("/admin/transfers", immediate(bob, bob, "1", "")).await;
    refused.refused(400, "You cannot create a transaction with yourself.");
    let missing = admin.post("/admin/transfers", "{}").await;
    let named = |field: &str| format!("{field} parameter is missing.");
    assert_eq!(missing.messages(), [named("payer"), named("payee"), named("amount")]);
    // Members see it among their own, begun by nobody, and cannot undo it.
    let path = format!("/transfers?status=completed&querying_entity_id={}", alice.entity);
    let listed = alice.client.get(&path).await.data()[0].take();
    assert_eq!((&listed["transfer"], &listed["isInitiator"]), (&json!("out"), &Value::Bool(false)));
    let completed = "The transaction has already been completed by the counterparty.";
    alice.answer(made["id"].as_str().unwrap(), "cancel").await.refused(400, completed);
    let health = admin.sound().await;
    assert_eq!((&health["transfersProposed"], &health["transfersCompleted"]), (&json!(1), &json!(1)));
    assert_eq!((&health["unit"], &health["accounts"]), (&json!("KES-MC"), &json!(2)));
    network.home.prove().await;
}

async fn balances(network: &Network) -> [String; 2] {
    [network.alice.balance().await, network.bob.balance().await]
}
