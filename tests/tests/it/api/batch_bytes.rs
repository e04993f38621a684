//! `POST /transfers/batch` in bytes: the same as in JSON, and bytes that are no batch change nothing. The form itself is in `docs/bulk.md`.

use hesabu_tests::client::{Answer, Client};
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

const PATH: &str = "/transfers/batch";
const FORM: &str = "application/vnd.hesabu.transfers.v1";
const INDEPENDENT: u8 = 0;
const ATOMIC: u8 = 1;

/// An outcome as it is written: status, code, id, amount.
type Outcome = (u8, u8, Uuid, i64);

struct Item<'i> {
    from: &'i Member,
    to: &'i Member,
    minor: i64,
    key: u128,
    text: &'i [u8],
}

fn pay<'i>(from: &'i Member, to: &'i Member, minor: i64) -> Item<'i> {
    Item { from, to, minor, key: 0, text: b"" }
}

fn batch(mode: u8, items: &[Item<'_>]) -> Vec<u8> {
    let mut bytes = b"HSBT\x01".to_vec();
    bytes.push(mode);
    bytes.extend(u16::try_from(items.len()).unwrap().to_le_bytes());
    for item in items {
        for account in [&item.from.account, &item.to.account] {
            bytes.extend(account.parse::<u64>().unwrap().to_le_bytes());
        }
        bytes.extend(item.minor.to_le_bytes());
        bytes.extend(item.key.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(u16::try_from(item.text.len()).unwrap().to_le_bytes());
        bytes.extend(item.text);
    }
    bytes
}

fn request(client: &Client, bytes: Vec<u8>) -> reqwest::RequestBuilder {
    client.request(Method::POST, PATH).header("Content-Type", FORM).body(bytes)
}

/// Status code, whether it was refused as a whole, and the outcomes.
async fn send(request: reqwest::RequestBuilder) -> (u16, bool, Vec<Outcome>) {
    let answer = request.send().await.expect("the server answers");
    let status = answer.status().as_u16();
    let (whole, outcomes) = outcomes(answer).await;
    (status, whole, outcomes)
}

/// Whether a batch was refused as a whole, and the outcomes.
async fn outcomes(answer: reqwest::Response) -> (bool, Vec<Outcome>) {
    assert_eq!(answer.headers()["content-type"], FORM);
    let bytes = answer.bytes().await.expect("to the end");
    assert_eq!(&bytes[..5], b"HSBA\x01");
    let count = usize::from(u16::from_le_bytes([bytes[6], bytes[7]]));
    assert_eq!(bytes.len(), 8 + 26 * count);
    let outcome = |bytes: &[u8]| {
        let amount = i64::from_le_bytes(bytes[18..26].try_into().unwrap());
        (bytes[0], bytes[1], Uuid::from_slice(&bytes[2..18]).unwrap(), amount)
    };
    (bytes[5] == 1, bytes[8..].chunks(26).map(outcome).collect())
}

#[tokio::test]
async fn bytes_mean_the_same_as_json_on_sqlite() {
    bytes_mean_the_same_as_json(Engine::Sqlite).await;
}

#[tokio::test]
async fn bytes_mean_the_same_as_json_on_postgres() {
    bytes_mean_the_same_as_json(Engine::Postgres).await;
}

async fn bytes_mean_the_same_as_json(engine: Engine) {
    let network = Network::on(engine, "10", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let nobody = Member { account: "0".into(), ..bob.clone() };
    let beyond = Member { account: u64::MAX.to_string(), ..bob.clone() };
    let key = Uuid::now_v7();
    let long = "x".repeat(511);
    let first = Item { key: key.as_u128(), text: "ዳቦ".as_bytes(), ..pay(alice, bob, 250) };
    let items = [
        first,
        pay(alice, &nobody, 1),
        pay(&beyond, bob, 1),
        pay(alice, bob, 0),
        pay(alice, bob, i64::MIN),
        pay(alice, bob, i64::MAX),
        pay(alice, bob, 751),
        Item { text: b"\xff", ..pay(alice, bob, 1) },
        Item { text: b"\0", ..pay(alice, bob, 1) },
        Item { text: long.as_bytes(), ..pay(alice, bob, 1) },
        pay(alice, bob, 750),
    ];
    let (status, whole, outcomes) = send(request(admin, batch(INDEPENDENT, &items))).await;
    assert_eq!((status, whole), (200, false));
    let seen: Vec<(u8, u8, i64)> = outcomes.iter().map(|(status, code, _, amount)| (*status, *code, *amount)).collect();
    let refused = |code| (2, code, 0);
    let codes = [11, 10, 5, 5, 5].map(refused);
    assert_eq!(seen[0], (0, 0, 0));
    assert_eq!(seen[1..6], codes);
    assert_eq!(seen[6], (2, 29, 750));
    assert_eq!(seen[7..], [refused(134), refused(134), refused(133), (0, 0, 0)]);
    assert!(outcomes.iter().all(|(status, _, id, _)| (*status == 2) == id.is_nil()));

    // The key is the one that JSON writes as text.
    let id = outcomes[0].2.to_string();
    let item = json!({
        "initiator": alice.account, "receiver": bob.account, "amount": 2.5, "description": "ዳቦ",
        "idempotencyKey": key.to_string(),
    });
    let answer = admin.post(PATH, json!({ "mode": "independent", "transfers": [item] })).await;
    let status = "transferCompleted";
    assert_eq!(answer.data(), json!([{ "id": id, "status": status, "replayed": true }]));
    let transfer = admin.get(&format!("/admin/transfers/{id}")).await.data();
    assert_eq!((&transfer["description"], &transfer["status"]), (&json!("ዳቦ"), &json!(status)));

    assert_eq!([alice.balance().await, bob.balance().await], ["-10", "10"]);
    assert_eq!(admin.sound().await["transfersProposed"], 2);
    network.prove().await;
}

#[tokio::test]
async fn bytes_are_all_or_nothing_on_sqlite() {
    bytes_are_all_or_nothing(Engine::Sqlite).await;
}

#[tokio::test]
async fn bytes_are_all_or_nothing_on_postgres() {
    bytes_are_all_or_nothing(Engine::Postgres).await;
}

async fn bytes_are_all_or_nothing(engine: Engine) {
    let network = Network::on(engine, "10", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let items = [pay(alice, bob, 400), pay(alice, bob, 700), pay(bob, alice, 100)];
    let keyed = |bytes| request(admin, bytes).header("Idempotency-Key", "k");
    let none = Uuid::nil();
    let stopped = (400, true, vec![(2, 1, none, 0), (2, 29, none, 600), (2, 1, none, 0)]);
    assert_eq!(send(keyed(batch(ATOMIC, &items))).await, stopped);
    alice.govern(admin, "tradingAccepted", "100", "500").await;
    assert_eq!(send(keyed(batch(ATOMIC, &items))).await, stopped, "the first answer again");
    assert_eq!(admin.sound().await["transfersProposed"], 0);

    let items = [pay(alice, bob, 400), pay(bob, alice, 100)];
    let other = || request(admin, batch(ATOMIC, &items)).header("Idempotency-Key", "other");
    let (status, whole, first) = send(other()).await;
    assert_eq!((status, whole, first[0].0, first[1].0), (200, false, 0, 0));
    let (_, _, again) = send(other()).await;
    assert_eq!(again, [(1, 0, first[0].2, 0), (1, 0, first[1].2, 0)]);

    // A member proposes, and only for their own.
    let (_, _, outcomes) = send(request(&bob.client, batch(INDEPENDENT, &items))).await;
    assert_eq!((outcomes[0], outcomes[1].0), ((2, 128, none, 0), 0));
    alice.answer(&outcomes[1].2.to_string(), "accept").await.data();
    assert_eq!(alice.balance().await, "-2");
    network.prove().await;
}

#[tokio::test]
async fn hostile_bytes_post_nothing_by_halves_on_sqlite() {
    hostile_bytes_post_nothing_by_halves(Engine::Sqlite).await;
}

#[tokio::test]
async fn hostile_bytes_post_nothing_by_halves_on_postgres() {
    hostile_bytes_post_nothing_by_halves(Engine::Postgres).await;
}

/// Method: an atomic batch of three is cut everywhere, then sent with bytes changed at random. Whatever is answered, all three are carried
/// out or none, and the number of transfers grows as the answers say.
async fn hostile_bytes_post_nothing_by_halves(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let item = |minor| Item { text: b"a text", ..pay(alice, bob, minor) };
    let whole = batch(ATOMIC, &[item(1), item(2), item(3)]);
    for end in 0..whole.len() {
        let answer = Answer::to(request(admin, whole[..end].to_vec())).await;
        assert_eq!(answer.status, 400, "{end}");
        assert!(answer.messages()[0].starts_with("This is no batch"), "{end}: {answer:?}");
    }
    Answer::to(request(admin, [&whole[..], b"x"].concat()))
        .await
        .refused(400, "This is no batch: there are bytes after the last item (at byte 158).");
    for (place, byte, message) in [
        (4, 2, "This is no batch of version 1: it must begin with the bytes 48 53 42 54 01."),
        (5, 2, "The mode, byte 5, can be only 0 for independent or 1 for atomic."),
        (6, 0, "A batch must have at least one transfer."),
        (7, 0x20, "A batch can have at most 8190 transfers, and this one has 8195."),
        (48, 2, "This is no batch: an item has flags that mean nothing (at byte 58)."),
    ] {
        let mut bytes = whole.clone();
        bytes[place] = byte;
        Answer::to(request(admin, bytes)).await.refused(400, message);
    }
    let newer = admin.request(Method::POST, PATH).header("Content-Type", "application/vnd.hesabu.transfers.v2");
    let message = "This version of the form is not known; application/vnd.hesabu.transfers.v1 is.";
    Answer::to(newer.body(whole.clone())).await.refused(400, message);
    assert_eq!(admin.sound().await["transfersProposed"], 0);

    let (mut done, mut seed) = (0, Uuid::new_v4().as_u128() | 1);
    println!("seed {seed}");
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645).wrapping_add(1);
        usize::try_from((seed >> 96) % below as u128).unwrap()
    };
    for _ in 0..200 {
        let mut bytes = whole.clone();
        for _ in 0..=random(3) {
            let place = random(bytes.len());
            bytes[place] = u8::try_from(random(256)).unwrap();
        }
        bytes[5] = ATOMIC;
        let answer = request(admin, bytes.clone()).send().await.expect("the server answers");
        let status = answer.status().as_u16();
        assert!([200, 400].contains(&status), "{bytes:?}: {answer:?}");
        if status == 200 {
            // One in which only a text, an amount or a key changed is as good as the first. The same key may come up twice.
            let (_, outcomes) = outcomes(answer).await;
            assert!(outcomes.len() == 3 && outcomes.iter().all(|(status, ..)| *status < 2), "{bytes:?}: {outcomes:?}");
            done += outcomes.iter().filter(|(status, ..)| *status == 0).count();
        }
        assert_eq!(admin.sound().await["transfersProposed"], done, "{bytes:?}");
    }
    network.prove().await;
    assert!(!network.server.log().contains("ERROR"));
}
