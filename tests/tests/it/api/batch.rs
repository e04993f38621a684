//! `POST /transfers/batch` in JSON: an outcome for each, all or nothing, once whatever happens, and who may send what. The compact form is
//! in `batch_bytes.rs`, what happens when too many come at once in `backpressure.rs`.

use hesabu_tests::client::Answer;
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network};
use ledger_core::{Amount, Unit};
use serde_json::{Value, json};

const PATH: &str = "/transfers/batch";
const MOST: usize = 8_190;
const AMOUNT: &str = "Please enter a valid numeric amount to send with up to two decimal places.";

/// A transfer whose amount goes out digit by digit.
fn item(from: &Member, to: &Member, amount: &str) -> String {
    format!(r#"{{"initiator":"{}","receiver":"{}","amount":{amount}}}"#, from.account, to.account)
}

/// The same, with more fields.
fn with(item: &str, fields: &str) -> String {
    format!("{},{fields}}}", item.strip_suffix('}').expect("an object"))
}

fn body(mode: &str, items: &[String]) -> String {
    format!(r#"{{"mode":"{mode}","transfers":[{}]}}"#, items.join(","))
}

/// The outcomes and `(accepted, replayed, refused)`.
#[track_caller]
fn outcomes(answer: &Answer) -> (Vec<Value>, (u64, u64, u64)) {
    let each = answer.data().as_array().expect("a list").clone();
    let meta = &answer.json()["meta"];
    let count = |name: &str| meta[name].as_u64().expect("a number");
    let counts = (count("accepted"), count("replayed"), count("refused"));
    assert_eq!(counts.0 + counts.2, each.len() as u64);
    (each, counts)
}

/// The one refusal of an outcome: its code and message.
fn refusal(outcome: &Value) -> (&str, &str) {
    let errors = outcome["errors"].as_array().unwrap_or_else(|| panic!("{outcome}"));
    assert_eq!((errors.len(), outcome.as_object().unwrap().len()), (1, 1), "{outcome}");
    (errors[0]["code"].as_str().unwrap(), errors[0]["message"].as_str().unwrap())
}

/// The id of an outcome that was carried out.
fn id(outcome: &Value) -> &str {
    outcome["id"].as_str().unwrap_or_else(|| panic!("{outcome}"))
}

#[tokio::test]
async fn each_has_an_outcome_on_sqlite() {
    each_has_an_outcome(Engine::Sqlite).await;
}

#[tokio::test]
async fn each_has_an_outcome_on_postgres() {
    each_has_an_outcome(Engine::Postgres).await;
}

async fn each_has_an_outcome(engine: Engine) {
    let network = Network::on(engine, "40", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let pending = Member::signed_up(&network.server, "pending").await;
    let good = |amount| item(alice, bob, amount);
    let unknown = |field: &str, number: &str| good("1").replace(field, number);
    let (long, longest) = ("é".repeat(511), "é".repeat(510));
    let items = [
        with(&good("10.50"), &format!(r#""description":"{longest}""#)),
        good("1.001"),
        good(r#""5""#),
        good("0"),
        good("1e2"),
        good("null"),
        unknown(&alice.account, "0000000000000000"),
        unknown(&bob.account, "no number"),
        unknown(&bob.account, r"\u0000"),
        item(alice, alice, "1"),
        with(&good("1"), &format!(r#""description":"{long}""#)),
        with(&good("1"), r#""description":"a\u0000b""#),
        with(&good("1"), r#""idempotencyKey":"""#),
        with(&good("1"), r#""transfer":"sideways""#),
        r#"{"amount":1}"#.into(),
        good("30"),
        item(alice, &pending, "1"),
        with(&item(bob, alice, "29.5"), r#""transfer":"in","description":null"#),
        good("0.01"),
    ];
    let answer = admin.post(PATH, body("independent", &items)).await;
    let (each, counts) = outcomes(&answer);
    assert_eq!(counts, (2, 0, 17));
    for place in [0, 17] {
        assert_eq!(each[place], json!({ "id": id(&each[place]), "status": "transferCompleted" }));
        let transfer = admin.get(&format!("/admin/transfers/{}", id(&each[place]))).await.data();
        assert_eq!(
            (&transfer["type"], &transfer["fromAccountNumber"]),
            (&json!("adminTransfer"), &json!(alice.account))
        );
    }
    let exceeded = "Sender will exceed its credit limit. The maximum amount that can be sent is: ";
    let not_trading =
        "Recipient is not a trading member. Transfers can only be made when both entities have trading member status.";
    let expected = [
        (1, "amount-out-of-range", AMOUNT),
        (2, "amount-out-of-range", AMOUNT),
        (3, "amount-out-of-range", AMOUNT),
        (4, "amount-out-of-range", AMOUNT),
        (5, "amount-missing", "amount parameter is missing."),
        (6, "payer-not-found", "Entity not found."),
        (7, "payee-not-found", "Entity not found."),
        (8, "payee-not-found", "Entity not found."),
        (9, "same-account", "You cannot create a transaction with yourself."),
        (10, "description-too-long", "Description length cannot exceed 510 characters."),
        (11, "text-unreadable", "Texts must be UTF-8 and cannot contain the character U+0000."),
        (12, "key-invalid", "The idempotencyKey must be 1 to 255 visible ASCII characters."),
        (13, "direction-unknown", "Transfer can be only 'in' or 'out'."),
        (14, "initiator-missing", "initiator parameter is missing."),
        (15, "floor-exceeded", &format!("{exceeded}29.50")),
        (16, "payee-frozen", not_trading),
        (18, "floor-exceeded", &format!("{exceeded}0.00")),
    ];
    for (place, code, message) in expected {
        assert_eq!(refusal(&each[place]), (code, message), "{place}");
    }
    assert_eq!(answer.number("/data/15/errors/0/amount"), "29.5");
    assert_eq!([alice.balance().await, bob.balance().await], ["-40", "40"]);
    assert_eq!(admin.sound().await["transfersProposed"], 2);
    network.prove().await;
}

#[tokio::test]
async fn as_many_as_a_batch_takes_on_sqlite() {
    as_many_as_a_batch_takes(Engine::Sqlite).await;
}

#[tokio::test]
async fn as_many_as_a_batch_takes_on_postgres() {
    as_many_as_a_batch_takes(Engine::Postgres).await;
}

async fn as_many_as_a_batch_takes(engine: Engine) {
    let network = Network::on(engine, "50", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    // Every third goes back, and Alice runs out of credit on the way.
    let turn = |n: usize| if n % 3 == 2 { item(bob, alice, "0.01") } else { item(alice, bob, "0.03") };
    let mut items: Vec<String> = (0..MOST).map(turn).collect();
    let answer = admin.post_keyed(PATH, "many", body("independent", &items)).await;
    let (each, (accepted, replayed, refused)) = outcomes(&answer);
    assert!(accepted > 2_000 && refused > 1_000 && replayed == 0, "{accepted} {refused}");
    let balance = |each: &[Value]| {
        let minor = each.iter().enumerate().filter(|(_, outcome)| outcome["id"].is_string());
        minor.map(|(n, _)| if n % 3 == 2 { 1 } else { -3 }).sum::<i64>()
    };
    let expected = Amount::new(balance(&each)).expect("it is within Alice's credit");
    assert_eq!(alice.balance().await, Unit::new("KES-MC", 2).unwrap().format(expected));
    let again = admin.post_keyed(PATH, "many", body("independent", &items)).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    let (each_again, counts) = outcomes(&again);
    assert_eq!(counts, (accepted, accepted, refused));
    for (first, again) in each.iter().zip(&each_again) {
        assert_eq!((&first["id"], &first["errors"]), (&again["id"], &again["errors"]));
    }
    assert_eq!(admin.sound().await["transfersProposed"], accepted);

    items.push(turn(0));
    let message = "A batch can have at most 8190 transfers, and this one has 8191.";
    for mode in ["atomic", "independent"] {
        admin.post(PATH, body(mode, &items)).await.refused(400, message);
    }
    let nothing = vec!["{}".to_owned(); 1_000_000];
    let message = "A batch can have at most 8190 transfers, and this one has 1000000.";
    admin.post(PATH, body("atomic", &nothing)).await.refused(400, message);
    let large = with(&turn(0), &format!(r#""description":"{}""#, "x".repeat(25 << 20)));
    admin.post(PATH, body("atomic", &[large])).await.refused(413, "The request body is too large.");
    assert_eq!(admin.sound().await["transfersProposed"], accepted);
    network.prove().await;
}

#[tokio::test]
async fn all_or_nothing_on_sqlite() {
    all_or_nothing(Engine::Sqlite).await;
}

#[tokio::test]
async fn all_or_nothing_on_postgres() {
    all_or_nothing(Engine::Postgres).await;
}

async fn all_or_nothing(engine: Engine) {
    let network = Network::on(engine, "10", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let stopped = |answer: &Answer, place: usize, code: &str, message: &str| {
        answer.refused(400, message);
        let error = &answer.json()["errors"][0];
        assert_eq!((&error["code"], &error["item"]), (&json!(code), &json!(place)), "{answer:?}");
    };
    let (four, seven) = (item(alice, bob, "4"), item(alice, bob, "7"));
    let exceeded = "Sender will exceed its credit limit. The maximum amount that can be sent is: 6.00";
    let batch = body("atomic", &[four.clone(), seven.clone(), four.clone()]);
    let refused = admin.post_keyed(PATH, "a", &batch).await;
    stopped(&refused, 1, "floor-exceeded", exceeded);
    assert_eq!(refused.number("/errors/0/amount"), "6");
    let bad = body("atomic", &[four.clone(), four.clone(), item(alice, bob, "0.001")]);
    stopped(&admin.post(PATH, bad).await, 2, "amount-out-of-range", AMOUNT);
    let nobody = body("atomic", &[four.replace(&bob.account, "1"), item(alice, bob, "0.001")]);
    stopped(&admin.post(PATH, nobody).await, 0, "payee-not-found", "Entity not found.");
    assert_eq!(admin.sound().await["transfersProposed"], 0);

    // There is room now, and the first answer stays the first answer.
    alice.govern(admin, "tradingAccepted", "100", "500").await;
    let again = admin.post_keyed(PATH, "a", &batch).await;
    assert_eq!((again.status, &again.text), (400, &refused.text));
    // Under another key it happens, once.
    let done = admin.post_keyed(PATH, "b", &batch).await;
    let (each, counts) = outcomes(&done);
    assert_eq!((counts, done.header("idempotency-replayed")), ((3, 0, 0), ""));
    let again = admin.post_keyed(PATH, "b", &batch).await;
    let (each_again, counts) = outcomes(&again);
    assert_eq!((counts, again.header("idempotency-replayed")), ((3, 3, 0), "true"));
    let ids = |each: &[Value]| each.iter().map(|outcome| id(outcome).to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(&each), ids(&each_again));
    // With a part changed it is another request under the same key, and nothing of it happens.
    let changed = body("atomic", &[four.clone(), seven.clone(), seven.clone(), seven]);
    let reused = "The Idempotency-Key was used before with another request.";
    stopped(&admin.post_keyed(PATH, "b", changed).await, 2, "id-reused", reused);
    assert_eq!((alice.balance().await.as_str(), &admin.sound().await["transfersProposed"]), ("-15", &json!(3)));
    network.prove().await;
}

#[tokio::test]
async fn keys_make_each_happen_once_on_sqlite() {
    keys_make_each_happen_once(Engine::Sqlite).await;
}

#[tokio::test]
async fn keys_make_each_happen_once_on_postgres() {
    keys_make_each_happen_once(Engine::Postgres).await;
}

async fn keys_make_each_happen_once(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let one = |amount, key: &str| with(&item(alice, bob, amount), &format!(r#""idempotencyKey":"{key}""#));
    // A key of the transfer's own is stronger than the batch's, and the same key twice is one transfer.
    let items = [one("1", "x"), one("2", "y"), item(alice, bob, "3"), one("1.00", "x"), one("9", "y")];
    let first = admin.post_keyed(PATH, "k", body("independent", &items)).await;
    let (each, counts) = outcomes(&first);
    assert_eq!((counts, first.header("idempotency-replayed")), ((4, 1, 1), ""));
    assert_eq!(id(&each[3]), id(&each[0]));
    assert_eq!((&each[3]["replayed"], refusal(&each[4]).0), (&json!(true), "id-reused"));
    // In another order and in another batch, a transfer's own key is the same; the batch's goes by place.
    let items = [one("2", "y"), one("4", "z"), item(alice, bob, "3"), one("1", "x")];
    let (again, counts) = outcomes(&admin.post_keyed(PATH, "k", body("independent", &items)).await);
    assert_eq!(counts, (4, 3, 0));
    assert_eq!([id(&again[0]), id(&again[2]), id(&again[3])], [id(&each[1]), id(&each[2]), id(&each[0])]);
    // It is the same key as that of a single request.
    let single = hesabu_tests::network::immediate(alice, bob, "4", "");
    let single = admin.post_keyed("/admin/transfers", "z", single).await;
    assert_eq!((single.header("idempotency-replayed"), &single.data()["id"]), ("true", &again[1]["id"]));
    // Without any, everything happens again.
    for _ in 0..2 {
        let (_, counts) = outcomes(&admin.post(PATH, body("independent", &[item(alice, bob, "5")])).await);
        assert_eq!(counts, (1, 0, 0));
    }
    assert_eq!((alice.balance().await.as_str(), &admin.sound().await["transfersProposed"]), ("-20", &json!(6)));
    network.prove().await;
}

#[tokio::test]
async fn members_propose_for_their_own_on_sqlite() {
    members_propose_for_their_own(Engine::Sqlite).await;
}

#[tokio::test]
async fn members_propose_for_their_own_on_postgres() {
    members_propose_for_their_own(Engine::Postgres).await;
}

async fn members_propose_for_their_own(engine: Engine) {
    let network = Network::on(engine, "10", "500").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let (out, inward) = (item(alice, bob, "6"), with(&item(alice, bob, "3"), r#""transfer":"in""#));
    let foreign = item(bob, alice, "1");
    let items = [out.clone(), inward, foreign.clone(), item(alice, bob, "5")];
    let (each, counts) = outcomes(&alice.client.post_keyed(PATH, "k", body("independent", &items)).await);
    assert_eq!(counts, (2, 0, 2));
    assert_eq!(each[0], json!({ "id": id(&each[0]), "status": "transferInitiated" }));
    assert_eq!(refusal(&each[2]), ("forbidden", "Permission denied."));
    assert_eq!(refusal(&each[3]).0, "floor-exceeded", "the first holds 6 of 10");
    assert_eq!(alice.balance().await, "0", "nobody is paid without asking");
    bob.answer(id(&each[0]), "accept").await.data();
    bob.answer(id(&each[1]), "accept").await.data();
    assert_eq!(alice.balance().await, "-3");
    // The first answer again, although they have ended.
    let again = alice.client.post_keyed(PATH, "k", body("independent", &items)).await;
    let (again, counts) = outcomes(&again);
    assert_eq!((counts, &again[0]["status"]), ((2, 2, 2), &json!("transferInitiated")));

    let atomic = alice.client.post(PATH, body("atomic", &[out.clone(), foreign])).await;
    atomic.refused(400, "Permission denied.");
    assert_eq!(atomic.json()["errors"][0]["item"], 1);
    let nobody = hesabu_tests::client::Client::of(server);
    nobody.post(PATH, body("atomic", &[out])).await.refused(401, "Could not authenticate you.");
    assert_eq!(admin.sound().await["transfersProposed"], 2);
    network.prove().await;
}

#[tokio::test]
async fn what_is_no_batch_on_sqlite() {
    let network = Network::on(Engine::Sqlite, "10", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let good = item(alice, bob, "1");
    let wrong = [
        (r#"{"transfers":[]}"#.to_owned(), "mode parameter is missing."),
        (r#"{"mode":"atomic"}"#.into(), "transfers parameter is missing."),
        (body("both", std::slice::from_ref(&good)), "The mode can be only 'atomic' or 'independent'."),
        (body("atomic", &[]), "A batch must have at least one transfer."),
        (body("atomic", &[good.clone(), with(&good, r#""memo":"x""#)]), "Please provide valid inputs: transfers[1]"),
        (
            body("atomic", &[good.replace(&format!("\"{}\"", alice.account), "7")]),
            "Please provide valid inputs: transfers[0]",
        ),
        (body("atomic", std::slice::from_ref(&good)) + "x", "Please provide valid inputs: "),
        (body("atomic", &["7".into()]), "Please provide valid inputs: transfers[0]"),
        (String::new(), "Please provide valid inputs: "),
        ("[]".into(), "Please provide valid inputs: "),
    ];
    for (body, message) in wrong {
        let answer = admin.post(PATH, &body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.messages()[0].starts_with(message), "{body}: {answer:?}");
    }
    let answer = admin.get(PATH).await;
    assert_eq!(answer.status, 405, "{answer:?}");
    assert_eq!(admin.sound().await["transfersProposed"], 0);
    network.prove().await;
    assert!(!network.server.log().contains("ERROR"));
}
