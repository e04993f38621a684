//! Who may do what: tokens that are not good, entities and transfers that are somebody else's, and doors that are not one's own.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use hesabu::store::Db;
use hesabu_tests::client::{Answer, Client};
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Network, immediate, log_in};
use hesabu_tests::server::ADMINISTRATOR;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

const DENIED: &str = "Permission denied.";
const UNKNOWN: &str = "Could not authenticate you.";

#[tokio::test]
async fn what_is_somebody_elses_on_sqlite() {
    what_is_somebody_elses(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_is_somebody_elses_on_postgres() {
    what_is_somebody_elses(Engine::Postgres).await;
}

async fn what_is_somebody_elses(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let carol = network.another("carol", "100", "500").await;
    let transfers = [alice.proposed("out", bob, "1").await, alice.proposed("in", bob, "1").await];
    let before = [alice.own().await, bob.own().await];

    let entity = &alice.entity;
    bob.client.patch(&format!("/user/entities/{entity}"), json!({ "name": "Mine" })).await.refused(403, DENIED);
    bob.client.get(&format!("/balance?querying_entity_id={entity}")).await.refused(403, DENIED);
    let list = format!("/transfers?status=all&querying_entity_id={entity}");
    bob.client.get(&list).await.refused(403, DENIED);
    for direction in ["in", "out"] {
        let body = alice.proposal(direction, bob, "1", "");
        for path in ["/transfers", "/transfers/preview"] {
            bob.client.post(path, &body).await.refused(403, DENIED);
            carol.client.post(path, &body).await.refused(403, DENIED);
        }
    }
    for id in &transfers {
        for action in ["accept", "reject"] {
            alice.answer(id, action).await.refused(403, DENIED);
        }
        bob.answer(id, "cancel").await.refused(403, DENIED);
        for action in ["accept", "reject", "cancel"] {
            carol.answer(id, action).await.refused(403, DENIED);
        }
    }
    assert_eq!([alice.own().await, bob.own().await], before);
    // And those whose it is can.
    bob.answer(&transfers[0], "accept").await.data();
    alice.answer(&transfers[1], "cancel").await.data();
    // Ended ones are nobody else's either.
    carol.answer(&transfers[0], "accept").await.refused(403, DENIED);
    admin.sound().await;
}

#[tokio::test]
async fn doors_that_are_not_ones_own_on_sqlite() {
    doors_that_are_not_ones_own(Engine::Sqlite).await;
}

#[tokio::test]
async fn doors_that_are_not_ones_own_on_postgres() {
    doors_that_are_not_ones_own(Engine::Postgres).await;
}

async fn doors_that_are_not_ones_own(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let id = alice.proposed("out", bob, "1").await;
    let status = json!({ "status": "rejected" }).to_string();
    let governed = [
        (Method::GET, "/admin/entities".to_owned(), String::new()),
        (Method::GET, format!("/admin/entities/{}", alice.entity), String::new()),
        (Method::PATCH, format!("/admin/entities/{}", alice.entity), status),
        (Method::POST, "/admin/tags".into(), json!({ "name": "x" }).to_string()),
        (Method::DELETE, format!("/admin/categories/{}", alice.entity), String::new()),
        (Method::GET, "/admin/transfers".into(), String::new()),
        (Method::GET, format!("/admin/transfers/{id}"), String::new()),
        (Method::POST, "/admin/transfers".into(), immediate(bob, alice, "1", "")),
        (Method::GET, "/admin/ledger/health".into(), String::new()),
    ];
    let own = [
        (Method::GET, "/user".to_owned(), String::new()),
        (Method::POST, "/password-change".into(), json!({ "password": "Another1$" }).to_string()),
        (Method::PATCH, "/user".into(), json!({ "firstName": "x" }).to_string()),
        (Method::GET, "/user/entities".into(), String::new()),
        (Method::POST, "/favorites".into(), json!({ "addToEntityID": alice.entity }).to_string()),
        (Method::PATCH, format!("/user/entities/{}", alice.entity), json!({ "name": "x" }).to_string()),
        (Method::POST, "/transfers".into(), alice.proposal("out", bob, "1", "")),
        (Method::POST, "/transfers/preview".into(), alice.proposal("out", bob, "1", "")),
        (Method::GET, format!("/transfers?status=all&querying_entity_id={}", alice.entity), String::new()),
        (Method::PATCH, format!("/transfers/{id}"), json!({ "action": "cancel" }).to_string()),
        (Method::GET, format!("/balance?querying_entity_id={}", alice.entity), String::new()),
    ];
    let nobody = Client::of(server);
    let alices = alice.client.get("/user").await.data()["id"].as_str().unwrap().to_owned();
    let before = (admin.sound().await, alice.own().await);
    for (wrong, doors) in [(&alice.client, &governed[..]), (admin, &own[..])] {
        for (method, path, body) in doors {
            let ask = |client: &Client| client.request(method.clone(), path).body(body.clone());
            Answer::to(ask(wrong)).await.refused(403, DENIED);
            Answer::to(ask(&nobody)).await.refused(401, UNKNOWN);
            spoofed(ask(&nobody), &alices).await.refused(401, UNKNOWN);
            let spoofing = spoofed(ask(wrong), "00000000-0000-0000-0000-000000000000").await;
            spoofing.refused(403, DENIED);
        }
    }
    // The administrator's own person is no administrator at the members' door.
    let as_member = log_in(server, "/login", ADMINISTRATOR).await;
    as_member.get("/admin/entities").await.refused(403, DENIED);
    assert_eq!(as_member.get("/user").await.data()["email"], ADMINISTRATOR);
    // Headers do not make somebody else of a member.
    let bobs = bob.client.get("/user").await.data();
    let same = spoofed(bob.client.request(Method::GET, "/user"), &alices);
    assert_eq!(same.await.data(), bobs);
    assert_eq!((admin.sound().await, alice.own().await), before);
}

/// The headers that the reference server believed, and some that others believe.
async fn spoofed(request: reqwest::RequestBuilder, person: &str) -> Answer {
    let request = request.header("userID", person).header("userid", person).header("admin", "true");
    let request = request.header("X-User-Id", person).header("X-Forwarded-User", person).header("X-Admin", "1");
    Answer::to(request.header("X-Real-IP", "127.0.0.1").header("Cookie", "mccsToken=x; admin=true")).await
}

/// What the server signs tokens with, taken from its folder.
struct Forge {
    pem: Vec<u8>,
    pair: KeyPair,
}

impl Forge {
    fn of(network: &Network) -> Forge {
        let pem = std::fs::read(network.home.folder().join("token-key.pem")).expect("the key is in the data folder");
        let pair = KeyPair::from_pkcs8(pem::parse(&pem).expect("PEM").contents()).expect("an RSA key");
        Forge { pem, pair }
    }

    /// A token of this server with these claims.
    fn sign(&self, claims: &Value) -> String {
        signed(Algorithm::RS256, claims, &EncodingKey::from_rsa_pem(&self.pem).expect("an RSA key"))
    }
}

fn signed(algorithm: Algorithm, claims: &Value, key: &EncodingKey) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, key).expect("it can be signed")
}

/// The claims of a token, unchecked.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&unbase64(payload)).expect("JSON")
}

fn unbase64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, vec![]);
    for char in text.bytes() {
        let digit = DIGITS.iter().position(|digit| *digit == char).expect("base64url");
        bits = bits << 6 | u32::try_from(digit).expect("six bits");
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).expect("eight bits"));
        }
    }
    bytes
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().chain([&0; 3]).take(3).fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        let digits = [bits >> 18, bits >> 12 & 63, bits >> 6 & 63, bits & 63];
        text.extend(digits[..=chunk.len()].iter().map(|digit| char::from(DIGITS[*digit])));
    }
    text
}

/// The same claims with one of them changed.
fn changed(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

#[tokio::test]
async fn tokens_that_are_not_good_on_sqlite() {
    tokens_that_are_not_good(Engine::Sqlite).await;
}

#[tokio::test]
async fn tokens_that_are_not_good_on_postgres() {
    tokens_that_are_not_good(Engine::Postgres).await;
}

async fn tokens_that_are_not_good(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let forge = Forge::of(&network);
    let claims = claims(alice.client.token());
    let names: Vec<&String> = claims.as_object().unwrap().keys().collect();
    assert_eq!(names, ["admin", "exp", "iat", "jti", "userID"]);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 24 * 60 * 60);
    // The forge works: what it signs unchanged is believed.
    let forged = alice.client.with_token(&forge.sign(&claims));
    assert_eq!(forged.get("/user").await.data(), alice.client.get("/user").await.data());

    for token in bad_tokens(&forge, &claims, alice.client.token()) {
        alice.client.with_token(&token).get("/user").await.refused(401, UNKNOWN);
        alice.client.with_token(&token).get("/admin/entities").await.refused(401, UNKNOWN);
    }
    let headers = ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Token x", alice.client.token()];
    let nobody = Client::of(&network.server);
    for header in headers {
        let request = nobody.request(Method::GET, "/user").header("Authorization", header);
        Answer::to(request).await.refused(401, UNKNOWN);
    }
    let bearer = format!("bearer {}", alice.client.token());
    let request = nobody.request(Method::GET, "/user").header("Authorization", bearer);
    assert_eq!(Answer::to(request).await.status, 200, "the scheme's case does not matter");

    // Good signatures on what the session does not say: somebody else's id, an administrator's door, a session that never was.
    let bobs = self::claims(bob.client.token());
    for lie in [
        changed(&claims, "admin", json!(true)),
        changed(&claims, "userID", bobs["userID"].clone()),
        changed(&claims, "jti", json!(uuid::Uuid::now_v7())),
        changed(&self::claims(admin.token()), "admin", json!(false)),
    ] {
        alice.client.with_token(&forge.sign(&lie)).get("/user").await.refused(401, UNKNOWN);
        alice.client.with_token(&forge.sign(&lie)).get("/admin/entities").await.refused(401, UNKNOWN);
    }
    sessions_that_ended(&network).await;
}

fn bad_tokens(forge: &Forge, claims: &Value, good: &str) -> Vec<String> {
    let expired = |seconds: i64| changed(claims, "exp", json!(claims["iat"].as_i64().unwrap() - seconds));
    let public_der = forge.pair.public_key().as_ref().to_vec();
    let public_x509: PublicKeyX509Der<'_> = forge.pair.public_key().as_der().expect("it can be written");
    let public_x509 = public_x509.as_ref().to_vec();
    let public_pems = [("RSA PUBLIC KEY", &public_der), ("PUBLIC KEY", &public_x509)]
        .map(|(tag, der)| pem::encode(&pem::Pem::new(tag, der.clone())).into_bytes());
    let other: Pkcs8V1Der<'_> = KeyPair::generate(KeySize::Rsa2048).and_then(|pair| pair.as_der()).expect("a key");
    let other = pem::encode(&pem::Pem::new("PRIVATE KEY", other.as_ref()));
    let other = EncodingKey::from_rsa_pem(other.as_bytes()).expect("an RSA key");
    let own = EncodingKey::from_rsa_pem(&forge.pem).expect("an RSA key");
    let part = |value: Value| base64(value.to_string().as_bytes());
    let (head, body, signature) = {
        let mut parts = good.split('.').map(str::to_owned);
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
    };
    let mut tokens = vec![
        forge.sign(&expired(1)),
        forge.sign(&expired(1_000_000)),
        forge.sign(&changed(claims, "exp", json!(null))),
        forge.sign(&changed(claims, "exp", json!("never"))),
        signed(Algorithm::RS256, claims, &other),
        signed(Algorithm::RS384, claims, &own),
        signed(Algorithm::PS256, claims, &own),
        signed(Algorithm::HS256, claims, &EncodingKey::from_secret(b"secret")),
        format!("{head}.{}.{signature}", part(changed(claims, "admin", json!(true)))),
        format!("{head}.{body}."),
        format!("{head}.{body}"),
        format!("{head}.{body}.{}", base64(b"x")),
        format!("{head}.{body}.{signature}.{signature}"),
        good[..good.len() - 2].to_owned(),
        String::new(),
        "x".into(),
        "..".into(),
        "a.b.c".into(),
        "x".repeat(5_000),
    ];
    for none in ["none", "None", "NONE", ""] {
        let head = part(json!({ "alg": none, "typ": "JWT" }));
        tokens.push(format!("{head}.{body}."));
        tokens.push(format!("{head}.{body}.{signature}"));
    }
    for secret in public_pems.iter().chain([&public_der, &public_x509, &forge.pem]) {
        tokens.push(signed(Algorithm::HS256, claims, &EncodingKey::from_secret(secret)));
    }
    let without_expiry = json!({ "jti": claims["jti"], "userID": claims["userID"], "admin": false });
    tokens.push(forge.sign(&without_expiry));
    tokens
}

/// Sessions that were ended by logout, by time, or by an operator in the database.
async fn sessions_that_ended(network: &Network) {
    let Network { server, home, alice, bob, .. } = network;
    let twice = log_in(server, "/login", &alice.email).await;
    twice.post("/logout", "").await;
    twice.get("/user").await.refused(401, UNKNOWN);
    alice.client.get("/user").await.data();
    let db = Db::open(&home.database.url).await.unwrap();
    let session = |token: &str| uuid::Uuid::parse_str(claims(token)["jti"].as_str().unwrap()).unwrap().as_u128();
    let sql = "update session set expires_at = 1 where session_id = $1";
    assert_eq!(db.execute(sql, vec![session(bob.client.token()).into()]).await.unwrap(), 1);
    bob.client.get("/user").await.refused(401, UNKNOWN);
    db.close().await;
    alice.client.get("/user").await.data();
}
