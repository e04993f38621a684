//! Characters that nobody sees, or that turn around what stands beside them: in every text that others read they are refused, and nothing changes.

use hesabu_tests::client::{Answer, Client};
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Network, immediate};
use hesabu_tests::server::PASSWORD;
use reqwest::Method;
use serde_json::{Value, json};

/// In no text.
const NEVER: [&str; 8] =
    ["\u{202e}evil", "a\u{200b}", "\u{feff}", "a\u{2066}b\u{2069}", "a\u{2028}b", "\u{1}", "\u{7f}", "\u{2060}"];
/// In texts of several lines only.
const LINES: [&str; 3] = ["a\r\nb", "a\nb", "\ta"];
/// What scripts need, seen or not.
const KEPT: &str = "می\u{200c}خواهم \u{200f}א\u{200e} 👩🏾\u{200d}🍳 a\u{ad}b";

fn unseen(what: &str) -> String {
    format!("{what} cannot contain control or invisible characters.")
}

/// Fields of an entity: what they are called, and whether they may have several lines.
const ENTITY: [(&str, &str, bool); 10] = [
    ("name", "Entity name", false),
    ("telephone", "Telephone", false),
    ("incType", "Incorporation type", false),
    ("companyNumber", "Company number", false),
    ("website", "Website URL", false),
    ("city", "City", false),
    ("region", "Region", false),
    ("country", "Country", false),
    ("description", "Description", true),
    ("address", "Address", true),
];

#[tokio::test]
async fn what_nobody_sees_is_refused_on_sqlite() {
    what_nobody_sees_is_refused(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_nobody_sees_is_refused_on_postgres() {
    what_nobody_sees_is_refused(Engine::Postgres).await;
}

async fn what_nobody_sees_is_refused(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let nobody = Client::of(server);
    let before = alice.own().await;
    let (own, governed) = (format!("/user/entities/{}", alice.entity), format!("/admin/entities/{}", alice.entity));
    for (field, what, several) in ENTITY {
        for text in NEVER.iter().chain(LINES.iter().filter(|_| !several)) {
            alice.client.patch(&own, json!({ field: text })).await.refused(400, &unseen(what));
        }
        admin.patch(&governed, json!({ field: NEVER[0] })).await.refused(400, &unseen(what));
    }
    assert_eq!(alice.own().await, before);
    for (field, what) in [("firstName", "First name"), ("lastName", "Last name"), ("telephone", "Telephone")] {
        for text in NEVER.iter().chain(&LINES) {
            alice.client.patch("/user", json!({ field: text })).await.refused(400, &unseen(what));
        }
    }
    let user = admin.get("/admin/users").await.data()[0].take();
    let path = format!("/admin/users/{}", user["id"].as_str().unwrap());
    admin.patch(&path, json!({ "lastName": NEVER[1] })).await.refused(400, &unseen("Last name"));
    assert_eq!(admin.get(&path).await.data(), user);
    let signup = json!({
        "userEmail": "eve@example.org", "password": PASSWORD, "firstName": "\u{202e}", "userPhone": "\n",
        "entityName": "\u{200b}", "postalCode": "\t",
    });
    let refused = nobody.post("/signup", signup).await;
    assert_eq!(refused.messages(), ["First name", "Telephone", "Entity name", "Postal code"].map(unseen));
    assert_eq!(admin.get("/admin/users").await.meta().0, 2);
    let message = json!({ "senderEntityID": alice.entity, "receiverEntityID": bob.entity, "body": "a\u{202e}b" });
    alice.client.post("/send-email", message).await.refused(400, &unseen("Email body"));

    // What has several lines keeps them, and what scripts need stays.
    let kept = json!({ "name": KEPT, "description": format!("{KEPT}\r\n\tb"), "address": LINES[0] });
    let changed = alice.client.patch(&own, &kept).await.data();
    for field in ["name", "description", "address"] {
        assert_eq!(changed[field], kept[field]);
    }
    transfers(&network).await;
}

async fn transfers(network: &Network) {
    let Network { admin, alice, bob, .. } = network;
    let made = admin.post("/admin/transfers", immediate(alice, bob, "1", LINES[0])).await.data();
    let waiting = alice.proposed("out", bob, "1").await;
    for text in NEVER {
        for path in ["/transfers", "/transfers/preview"] {
            let proposal = alice.proposal("out", bob, "1", text);
            alice.client.post(path, proposal).await.refused(400, &unseen("Description"));
        }
        let reason = json!({ "action": "reject", "cancellationReason": text });
        let answer = bob.client.patch(&format!("/transfers/{waiting}"), reason).await;
        answer.refused(400, &unseen("Cancellation reason"));
        admin.post("/admin/transfers", immediate(alice, bob, "1", text)).await.refused(400, &unseen("Description"));
        let path = format!("/transfers/{}/reversal", made["id"].as_str().unwrap());
        alice.client.post(&path, json!({ "description": text })).await.refused(400, &unseen("Description"));
        admin.post(&format!("/admin{path}"), json!({ "reason": text })).await.refused(400, &unseen("Reason"));

        let expected = json!([{ "message": unseen("Description"), "code": "description-invisible" }]);
        let order =
            |text| json!({ "initiator": alice.account, "receiver": bob.account, "amount": 1, "description": text });
        let body = json!({ "mode": "independent", "transfers": [order(text), order("seen")] });
        let outcomes = alice.client.post("/transfers/batch", body).await.data();
        assert_eq!((&outcomes[0]["errors"], outcomes[1]["id"].is_string()), (&expected, true), "{outcomes}");
        let file =
            format!("payer,payee,amount,description,key\n{},{},1,{text},{}\n", alice.account, bob.account, text.len());
        let sent = admin.request(Method::POST, "/transfers/import").header("Content-Type", "text/csv").body(file);
        let answer = Answer::to(sent).await;
        let line: Value = serde_json::from_str(answer.text.lines().next().unwrap()).unwrap();
        assert_eq!(line["errors"], expected, "{text:?}: {answer:?}");
    }
    let reason = json!({ "action": "reject", "cancellationReason": LINES[0] });
    let ended = bob.client.patch(&format!("/transfers/{waiting}"), reason).await.data();
    assert_eq!(ended["cancellationReason"], LINES[0]);
    assert_eq!((alice.balance().await, bob.balance().await), ("-1".into(), "1".into()));
    network.prove().await;
}
