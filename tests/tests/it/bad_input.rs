//! Bad input gets a clear 4xx in the document's form, and nothing changes: never a panic, never a 5xx, never a 200 for a refusal.
//!
//! Method: a network with a balance and a proposal is photographed, then everything bad is sent to it; afterwards it must look the same,
//! and the server's log must have no error in it.

use hesabu_tests::client::{Answer, Client, json_body};
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network, immediate};
use reqwest::Method;
use serde_json::{Value, json};

const AMOUNT: &str = "Please enter a valid numeric amount to send with up to two decimal places.";

/// A network in which something has happened, and what it looked like then.
struct Scene {
    network: Network,
    /// A proposal of Alice's to Bob that waits.
    waiting: String,
    before: Value,
}

impl Scene {
    async fn on(engine: Engine) -> Scene {
        let network = Network::on(engine, "100", "500").await;
        let Network { admin, alice, bob, .. } = &network;
        admin.post("/admin/transfers", immediate(alice, bob, "1.23", "x")).await.data();
        let waiting = alice.proposed("out", bob, "4.56").await;
        let before = photograph(&network).await;
        Scene { network, waiting, before }
    }

    async fn unchanged(self) {
        assert_eq!(photograph(&self.network).await, self.before);
        self.network.prove().await;
        let log = self.network.server.log();
        assert!(!log.contains("ERROR"), "{log}");
    }
}

async fn photograph(network: &Network) -> Value {
    let Network { admin, alice, bob, .. } = network;
    let all = |member: &Member| format!("/transfers?status=all&querying_entity_id={}", member.entity);
    json!([
        admin.sound().await,
        admin.get("/admin/entities").await.data(),
        alice.client.get(&all(alice)).await.data(),
        bob.client.get(&all(bob)).await.data(),
    ])
}

/// 4xx, in the document's form.
#[track_caller]
fn bad(answer: &Answer, what: &str) {
    assert!((400..500).contains(&answer.status), "{what}: {answer:?}");
    answer.messages();
}

#[tokio::test]
async fn amounts_that_are_none_on_sqlite() {
    amounts_that_are_none(Engine::Sqlite).await;
}

#[tokio::test]
async fn amounts_that_are_none_on_postgres() {
    amounts_that_are_none(Engine::Postgres).await;
}

async fn amounts_that_are_none(engine: Engine) {
    let scene = Scene::on(engine).await;
    let Network { admin, alice, bob, .. } = &scene.network;
    let entity = format!("/admin/entities/{}", alice.entity);
    let digits = "9".repeat(30);
    let numbers = [
        "1.001",
        "0.001",
        "1e-05",
        "1e2",
        "1E2",
        "1.5e0",
        "0",
        "0.00",
        "-0",
        "-1",
        "-0.01",
        "10000000000000",
        "9999999999999.999",
        &digits,
        "-9223372036854775808",
        "9223372036854775807",
        "92233720368547758.08",
        "1e400",
        "-1e400",
        "0.0000000000000000000000000000001",
    ];
    let others = [r#""1.1""#, "true", "[]", "[1]", "{}", r#"{"$numberDecimal":"1"}"#, r#""NaN""#];
    for amount in numbers.iter().chain(&others) {
        for path in ["/transfers", "/transfers/preview"] {
            for direction in ["out", "in"] {
                alice.client.post(path, alice.proposal(direction, bob, amount, "")).await.refused(400, AMOUNT);
            }
        }
        admin.post("/admin/transfers", immediate(alice, bob, amount, "")).await.refused(400, AMOUNT);
    }
    for amount in ["-1", "-0.01", "1.001", "1e2", "10000000000000", r#""1""#, "true", "[]", &digits] {
        for (field, name) in [("maxPositiveBalance", "positive"), ("maxNegativeBalance", "negative")] {
            let answer = admin.patch(&entity, format!(r#"{{"{field}":{amount}}}"#)).await;
            answer.refused(400, &format!("The max {name} balance should be positive."));
        }
    }
    let missing = "amount parameter is missing.";
    alice.client.post("/transfers", alice.proposal("out", bob, "null", "")).await.refused(400, missing);
    admin.post("/admin/transfers", immediate(alice, bob, "null", "")).await.refused(400, missing);
    // Not JSON at all.
    for amount in
        ["NaN", "Infinity", "-Infinity", "nan", "+1", "01", ".5", "1.", "0x10", "1_000", "1,5", "١", "", "--1"]
    {
        bad(&alice.client.post("/transfers", alice.proposal("out", bob, amount, "")).await, amount);
        bad(&admin.post("/admin/transfers", immediate(alice, bob, amount, "")).await, amount);
    }
    scene.unchanged().await;
}

/// Every operation that takes a body, with a body that is good.
fn operations(scene: &Scene) -> Vec<(&Client, Method, String, Value)> {
    let Network { admin, alice, bob, .. } = &scene.network;
    let member = &alice.client;
    let entity = json!({
        "name": "x", "email": "x@example.org", "telephone": "1", "incType": "ltd", "companyNumber": "1", "website": "x",
        "declaredTurnover": 1, "description": "x", "address": "x", "city": "x", "region": "x", "postalCode": "1",
        "country": "x", "showTagsMatchedSinceLastLogin": true, "receiveDailyMatchNotificationEmail": true,
        "offers": ["x"], "wants": ["x"],
    });
    let mut governed = entity.clone();
    governed["status"] = json!("tradingAccepted");
    governed["categories"] = json!(["x"]);
    let mut signup = entity.clone();
    signup.as_object_mut().unwrap().retain(|field, _| !["name", "email", "telephone"].contains(&field.as_str()));
    for field in ["userEmail", "password", "firstName", "lastName", "userPhone", "entityEmail", "entityName"] {
        signup[field] = json!("x");
    }
    let parties = (&alice.account, &bob.account);
    let proposal = json!({
        "transfer": "out", "initiator": parties.0, "receiver": parties.1, "amount": 1, "description": "x",
    });
    vec![
        (member, Method::POST, "/signup".into(), signup),
        (member, Method::POST, "/login".into(), json!({ "email": "x@example.org", "password": "x" })),
        (member, Method::POST, "/admin/login".into(), json!({ "email": "x@example.org", "password": "x" })),
        (member, Method::PATCH, "/user".into(), json!({ "firstName": "x", "lastName": "x", "telephone": "1" })),
        (member, Method::PATCH, format!("/user/entities/{}", alice.entity), entity),
        (member, Method::POST, "/transfers".into(), proposal.clone()),
        (member, Method::POST, "/transfers/preview".into(), proposal),
        (
            member,
            Method::PATCH,
            format!("/transfers/{}", scene.waiting),
            json!({ "action": "cancel", "cancellationReason": "x" }),
        ),
        (admin, Method::PATCH, format!("/admin/entities/{}", alice.entity), governed),
        (
            member,
            Method::POST,
            "/favorites".into(),
            json!({ "addToEntityID": alice.entity, "favoriteEntityID": bob.entity, "isFavorite": true }),
        ),
        (admin, Method::POST, "/admin/tags".into(), json!({ "name": "x" })),
        (admin, Method::POST, "/admin/categories".into(), json!({ "name": "x" })),
        (
            admin,
            Method::POST,
            "/admin/transfers".into(),
            json!({ "payer": parties.0, "payee": parties.1, "amount": 1, "description": "x" }),
        ),
    ]
}

#[tokio::test]
async fn fields_of_the_wrong_type_on_sqlite() {
    fields_of_the_wrong_type(Engine::Sqlite).await;
}

#[tokio::test]
async fn fields_of_the_wrong_type_on_postgres() {
    fields_of_the_wrong_type(Engine::Postgres).await;
}

async fn fields_of_the_wrong_type(engine: Engine) {
    let scene = Scene::on(engine).await;
    let others =
        [json!("x"), json!(1), json!(1.5), json!(-1), json!(true), json!(["x"]), json!([1]), json!({}), json!([null])];
    for (client, method, path, body) in operations(&scene) {
        let fields: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
        for field in fields {
            let right = &body[&field];
            for other in &others {
                let fits = match (right, other) {
                    (Value::String(_), Value::String(_)) | (Value::Bool(_), Value::Bool(_)) => true,
                    (Value::Array(_), Value::Array(items)) => items.iter().all(Value::is_string),
                    // An amount with one decimal is one.
                    (Value::Number(_), Value::Number(other)) => {
                        other.as_u64().is_some() || field == "amount" && other.to_string() == "1.5"
                    }
                    _ => false,
                };
                if !fits {
                    let mut wrong = body.clone();
                    wrong[&field] = other.clone();
                    let answer = Answer::to(json_body(client.request(method.clone(), &path), &wrong)).await;
                    assert_eq!(answer.status, 400, "{method} {path} {wrong}: {answer:?}");
                    answer.messages();
                }
            }
        }
        let mut unknown = body.clone();
        unknown["unknownField"] = json!(1);
        let answer = Answer::to(json_body(client.request(method.clone(), &path), &unknown)).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.messages()[0].contains("unknownField"), "{answer:?}");
    }
    scene.unchanged().await;
}

#[tokio::test]
async fn bodies_that_are_no_json_on_sqlite() {
    bodies_that_are_no_json(Engine::Sqlite).await;
}

#[tokio::test]
async fn bodies_that_are_no_json_on_postgres() {
    bodies_that_are_no_json(Engine::Postgres).await;
}

async fn bodies_that_are_no_json(engine: Engine) {
    let scene = Scene::on(engine).await;
    let deep = "[".repeat(100_000);
    let deep_object = r#"{"a":"#.repeat(100_000);
    for (client, method, path, body) in operations(&scene) {
        let field = body.as_object().unwrap().keys().next().unwrap().clone();
        let body = body.to_string();
        let twice = body.replacen('{', &format!(r#"{{"{field}":"x","#), 1);
        let bodies: Vec<Vec<u8>> = vec![
            b"".into(),
            b" ".into(),
            b"null".into(),
            b"1".into(),
            b"\"x\"".into(),
            b"[]".into(),
            format!("[{body}]").into(),
            b"{".into(),
            body[..body.len() - 1].into(),
            format!("{body}}}").into(),
            format!("{body}{body}").into(),
            body.replace(':', "=").into(),
            body.replace('"', "'").into(),
            twice.into(),
            deep.clone().into(),
            deep_object.clone().into(),
            format!(r#"{{"{field}":{deep}"#).into(),
            format!(r#"{{"{field}":{deep}{}}}"#, "]".repeat(100_000)).into(),
            format!(r#"{{"{field}":"a\u0000b"}}"#).into(),
            format!(r#"{{"{field}\u0000":"x"}}"#).into(),
            format!("{{\"{field}\":\"a\0b\"}}").into(),
            format!(r#"{{"{field}":"\ud800"}}"#).into(),
            format!(r#"{{"{field}":"\udc00\ud800"}}"#).into(),
            format!(r#"{{"{field}":"\uZZZZ"}}"#).into(),
            [b"{\"", field.as_bytes(), b"\":\"\xff\xfe\"}"].concat(),
            [b"\xef\xbb\xbf", body.as_bytes()].concat(),
            body.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ];
        for bytes in bodies {
            let start = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
            let request = client.request(method.clone(), &path).header("Content-Type", "application/json").body(bytes);
            let answer = Answer::to(request).await;
            assert_eq!(answer.status, 400, "{method} {path} {start}: {answer:?}");
            answer.messages();
        }
        for (kind, text) in [
            ("application/x-www-form-urlencoded", "transfer=out&amount=1"),
            ("application/xml", "<transfer><amount>1</amount></transfer>"),
            (
                "multipart/form-data; boundary=x",
                "--x\r\nContent-Disposition: form-data; name=\"amount\"\r\n\r\n1\r\n--x--",
            ),
        ] {
            let request = client.request(method.clone(), &path).header("Content-Type", kind).body(text);
            bad(&Answer::to(request).await, kind);
        }
    }
    scene.unchanged().await;
}

#[tokio::test]
async fn bodies_that_are_too_large_on_sqlite() {
    bodies_that_are_too_large(Engine::Sqlite).await;
}

#[tokio::test]
async fn bodies_that_are_too_large_on_postgres() {
    bodies_that_are_too_large(Engine::Postgres).await;
}

async fn bodies_that_are_too_large(engine: Engine) {
    let scene = Scene::on(engine).await;
    for (client, method, path, body) in operations(&scene) {
        for size in [(1 << 20) + 1, 10_000_000] {
            let text = body.to_string();
            let large = format!("{text}{}", " ".repeat(size - text.len()));
            let answer = Answer::to(json_body(client.request(method.clone(), &path), large)).await;
            assert_eq!((answer.status, answer.messages()), (413, vec!["The request body is too large.".to_owned()]));
        }
    }
    // A text that is far too long in a body that is not.
    let Network { alice, bob, .. } = &scene.network;
    let long = alice.client.post("/transfers", alice.proposal("out", bob, "1", &"x".repeat(1_000_000))).await;
    long.refused(400, "Description length cannot exceed 510 characters.");
    scene.unchanged().await;
}

#[tokio::test]
async fn ids_that_nobody_has_on_sqlite() {
    ids_that_nobody_has(Engine::Sqlite).await;
}

#[tokio::test]
async fn ids_that_nobody_has_on_postgres() {
    ids_that_nobody_has(Engine::Postgres).await;
}

async fn ids_that_nobody_has(engine: Engine) {
    let scene = Scene::on(engine).await;
    let Network { admin, alice, bob, .. } = &scene.network;
    let ids = [
        uuid::Uuid::now_v7().to_string(),
        uuid::Uuid::nil().to_string(),
        "abc".into(),
        "1dimEdDxOJYjDeaP6HEy4cIhLdD".into(),
        "5eec78f4a880b7c235f66e80".into(),
        "0".into(),
        "-1".into(),
        "%27%20or%201%3D1%3B%20drop%20table%20transfer%3B%20--".into(),
        "%00".into(),
        "%FF".into(),
        "%ED%A0%80".into(),
        "%2e%2e%2f%2e%2e".into(),
        "%F0%9F%8D%9E".into(),
        "x".repeat(5_000),
        "9".repeat(5_000),
    ];
    for id in &ids {
        for action in ["accept", "reject", "cancel"] {
            bad(&alice.answer(id, action).await, id);
        }
        bad(&alice.client.patch(&format!("/user/entities/{id}"), json!({ "name": "x" })).await, id);
        bad(&admin.get(&format!("/admin/entities/{id}")).await, id);
        bad(&admin.patch(&format!("/admin/entities/{id}"), json!({ "status": "rejected" })).await, id);
        bad(&admin.get(&format!("/admin/transfers/{id}")).await, id);
        bad(&alice.client.get(&format!("/entities/{id}")).await, id);
        bad(&alice.client.get(&format!("/entities?querying_entity_id={id}")).await, id);
        for door in ["tags", "categories"] {
            bad(&admin.patch(&format!("/admin/{door}/{id}"), json!({ "name": "x" })).await, id);
            bad(&admin.delete(&format!("/admin/{door}/{id}")).await, id);
        }
        bad(&alice.client.get(&format!("/balance?querying_entity_id={id}")).await, id);
        bad(&alice.client.get(&format!("/transfers?status=all&querying_entity_id={id}")).await, id);
    }
    for number in
        ["", " ", "abc", "1234567887654321", "0", "' or 1=1; --", "１２３４", &"9".repeat(5_000), &alice.entity]
    {
        for path in ["/transfers", "/transfers/preview"] {
            let body =
                |from: &str, to: &str| json!({ "transfer": "out", "initiator": from, "receiver": to, "amount": 1 });
            alice.client.post(path, body(&alice.account, number)).await.refused(400, "Entity not found.");
            alice.client.post(path, body(number, &bob.account)).await.refused(400, "Entity not found.");
        }
        let body = |from: &str, to: &str| json!({ "payer": from, "payee": to, "amount": 1 });
        admin.post("/admin/transfers", body(number, &bob.account)).await.refused(400, "Entity not found.");
        admin.post("/admin/transfers", body(&bob.account, number)).await.refused(400, "Entity not found.");
    }
    let words =
        |word: &str| json!({ "transfer": word, "initiator": alice.account, "receiver": bob.account, "amount": 1 });
    for word in ["", "Out", "both", "in "] {
        alice.client.post("/transfers", words(word)).await.refused(400, "Transfer can be only 'in' or 'out'.");
    }
    for word in ["", "Accept", "delete", "accept "] {
        bob.answer(&scene.waiting, word).await.refused(400, "Please enter a valid action.");
    }
    scene.unchanged().await;
}

#[tokio::test]
async fn queries_and_addresses_that_mean_nothing_on_sqlite() {
    queries_and_addresses_that_mean_nothing(Engine::Sqlite).await;
}

#[tokio::test]
async fn queries_and_addresses_that_mean_nothing_on_postgres() {
    queries_and_addresses_that_mean_nothing(Engine::Postgres).await;
}

async fn queries_and_addresses_that_mean_nothing(engine: Engine) {
    let scene = Scene::on(engine).await;
    let Network { admin, alice, server, .. } = &scene.network;
    let own = format!("/transfers?status=all&querying_entity_id={}", alice.entity);
    let lists = [(&alice.client, own.as_str()), (admin, "/admin/entities?x=1"), (admin, "/admin/transfers?x=1")];
    for (client, list) in lists {
        client.get(list).await.data();
        for page in ["0", "-1", "abc", "1.5", "1e1", "9223372036854775808", "1000000001", "%20", "1;drop", "%00", "١"]
        {
            bad(&client.get(&format!("{list}&page={page}")).await, page);
        }
        for size in ["0", "-1", "abc", "101", "1000", "99999999999999999999", "%00", "10.0"] {
            bad(&client.get(&format!("{list}&page_size={size}")).await, size);
        }
    }
    let entity = format!("querying_entity_id={}", alice.entity);
    for status in ["", "&status=", "&status=done", "&status=ALL", "&status=all,initiated", "&status=%00"] {
        bad(&alice.client.get(&format!("/transfers?{entity}{status}")).await, status);
    }
    bad(&alice.client.get("/transfers?status=all").await, "no entity");
    alice.client.get("/balance").await.refused(400, "Please specify the querying_entity_id.");
    for status in ["done", "%00", "%27"] {
        bad(&admin.get(&format!("/admin/entities?status={status}")).await, status);
        bad(&admin.get(&format!("/admin/transfers?status={status}")).await, status);
    }
    bad(&admin.get("/admin/entities?name=%00").await, "NUL");
    methods_and_addresses(&scene).await;
    let health = Client::of(server).outside("/healthz").await;
    assert_eq!((health.status, health.text.as_str()), (200, "ok"));
    scene.unchanged().await;
}

async fn methods_and_addresses(scene: &Scene) {
    let Network { admin, alice, .. } = &scene.network;
    let member = &alice.client;
    for path in
        ["/nothing", "", "/transfers/", "/user/", "/transfers/a/b", "/admin", "/admin/nothing", "//user", "/%00"]
    {
        for method in [Method::GET, Method::POST, Method::PATCH, Method::DELETE] {
            let answer = Answer::to(json_body(member.request(method, path), "{}")).await;
            assert!([404, 405].contains(&answer.status), "{path}: {answer:?}");
            answer.messages();
        }
    }
    for (path, wrong) in [
        ("/signup", [Method::GET, Method::PUT, Method::DELETE]),
        ("/login", [Method::GET, Method::PATCH, Method::DELETE]),
        ("/logout", [Method::GET, Method::PATCH, Method::DELETE]),
        ("/password-change", [Method::GET, Method::PATCH, Method::DELETE]),
        ("/admin/password-change", [Method::GET, Method::PATCH, Method::DELETE]),
        ("/user", [Method::POST, Method::PUT, Method::DELETE]),
        ("/user/entities", [Method::POST, Method::PATCH, Method::DELETE]),
        ("/transfers", [Method::PUT, Method::PATCH, Method::DELETE]),
        ("/transfers/preview", [Method::GET, Method::PUT, Method::DELETE]),
        ("/balance", [Method::POST, Method::PUT, Method::DELETE]),
        ("/categories", [Method::POST, Method::PUT, Method::DELETE]),
        ("/tags", [Method::POST, Method::PUT, Method::DELETE]),
        ("/entities", [Method::POST, Method::PUT, Method::DELETE]),
        ("/favorites", [Method::GET, Method::PUT, Method::DELETE]),
        ("/admin/tags", [Method::GET, Method::PUT, Method::DELETE]),
        ("/admin/categories", [Method::GET, Method::PUT, Method::DELETE]),
        ("/admin/entities", [Method::POST, Method::PUT, Method::DELETE]),
        ("/admin/transfers", [Method::PUT, Method::PATCH, Method::DELETE]),
        ("/admin/ledger/health", [Method::POST, Method::PUT, Method::DELETE]),
    ] {
        for method in wrong {
            let client = if path.starts_with("/admin") { admin } else { member };
            let answer = Answer::to(json_body(client.request(method.clone(), path), "{}")).await;
            assert!([400, 405].contains(&answer.status), "{method} {path}: {answer:?}");
            answer.messages();
        }
    }
    let odd = Method::from_bytes(b"BREW").expect("a method");
    member.get("/user").await.data();
    Answer::to(member.request(odd, "/user")).await.refused(405, "This address does not take this method.");
}

#[tokio::test]
async fn addresses_beside_the_api_on_sqlite() {
    let network = Network::on(Engine::Sqlite, "0", "0").await;
    for path in ["/api/v1/", "/api/v1", "/api", "/", "/nothing", "/healthz/", "/api/v2/user"] {
        let answer = Client::of(&network.server).outside(path).await;
        answer.refused(404, "There is nothing at this address.");
    }
}
