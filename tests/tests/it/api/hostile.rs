//! Texts in searches that mean something elsewhere: to SQL, to patterns, to full-text search; or that nobody sees, or that never end.

use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network};
use serde_json::json;
use std::time::{Duration, Instant};

/// A query string of these parameters.
fn query(parameters: &[(&str, &str)]) -> String {
    let url = reqwest::Url::parse_with_params("http://x/", parameters).expect("parameters");
    url.query().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn what_is_hostile_finds_nothing_on_sqlite() {
    what_is_hostile_finds_nothing(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_is_hostile_finds_nothing_on_postgres() {
    what_is_hostile_finds_nothing(Engine::Postgres).await;
}

/// Texts that mean something elsewhere, that nobody sees, or that are too long.
fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "%",
        "_",
        "\\",
        "'",
        "\"",
        "*",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "^",
        "$",
        ".",
        "|",
        "?",
        "+",
        "-",
        ":",
        "!",
        "&",
        "<->",
        "~",
        "@@",
        ";",
        "--",
        "/*",
        "NEAR",
        "NEAR(",
        "OR",
        "AND",
        "NOT",
        "a OR b",
        "NOT plain x",
        "\"x",
        "plain*q",
        "tokens : plain",
        "^xyzwv",
        "(x+)+$",
        ".*",
        "plain' or '1'='1",
        "'; drop table tag; --",
        "x\"],[\"y",
        "$1",
        "{\"a\":1}",
        "x:1,y:2",
        "\u{202e}nialp",
        "\u{200b}",
        "\u{feff}\u{2066}",
        "🍕",
        "👩‍🌾",
        "\u{301}",
        "\u{1F1F0}\u{1F1EA}",
        "ﷺ",
        "\u{1}",
        "\u{7f}",
        "\u{ffff}",
    ]
    .map(String::from)
    .to_vec();
    texts.extend(["x".repeat(5_000), "a\u{301}".repeat(2_500), "plain ".repeat(800)]);
    texts
}

/// Fault 11 of the document's reference: texts that mean something to SQL, to patterns or to full-text search mean nothing here.
async fn what_is_hostile_finds_nothing(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let visitor = Client::of(server);
    let body = json!({ "name": "Plain", "offers": ["plain"], "wants": ["simple"] });
    alice.client.patch(&format!("/user/entities/{}", alice.entity), body).await.data();
    admin.post("/admin/categories", json!({ "name": "plain" })).await.data();
    let before = [visitor.get("/entities").await.data(), visitor.get("/tags").await.data()];
    for text in hostile() {
        finds_nothing(admin, &text).await;
    }
    for text in hostile() {
        is_a_text_like_any_other(admin, bob, &text).await;
    }
    let bobs = format!("/user/entities/{}", bob.entity);
    bob.client.patch(&bobs, json!({ "name": "bob", "offers": [] })).await.data();
    // As much as may be asked at once.
    let words: Vec<String> = (0..24).map(|number| format!("wordy{}", char::from(b'a' + number))).collect();
    let (most, fewest) = (vec![words.join(" "); 10].join(","), ["a b c d e f g h i j k l m n o p"; 10].join(","));
    for text in [most, fewest] {
        let begun = Instant::now();
        let found = visitor.get(&format!("/entities?{}", query(&[("offers", &text), ("wants", &text)]))).await;
        assert_eq!(found.meta().0, 0);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
    let many = ["plain"; 11].join(",");
    visitor.get(&format!("/entities?offers={many}")).await.refused(400, "You can only specify a maximum of 10 tags.");
    visitor.get("/entities?favorites_only=1").await.refused(400, "favorites_only must be true or false.");
    visitor.get("/entities?favorites_only=true").await.refused(400, "Please specify the querying_entity_id.");
    for path in ["/tags", "/categories", "/entities"] {
        for page in ["page_size=0", "page_size=-1", "page_size=1000", "page=0", "page=x", "page_size=1e1"] {
            assert_eq!(visitor.get(&format!("{path}?{page}")).await.status, 400, "{path} {page}");
        }
        visitor.get(&format!("{path}?fragment=%00&name=%00")).await.messages();
    }
    assert_eq!(visitor.get("/entities").await.data(), before[0]);
    let log = server.log();
    assert!(!log.contains("ERROR"), "{log}");
    let tags = visitor.get("/tags?fragment=plain").await;
    assert_eq!(tags.data()[0]["name"], "plain");
}

async fn finds_nothing(admin: &Client, text: &str) {
    for path in ["/tags", "/categories", "/entities", "/admin/entities"] {
        for parameter in
            ["fragment", "prefix", "name", "category", "offers", "wants", "city", "email", "account_number"]
        {
            let answer = admin.get(&format!("{path}?{}", query(&[(parameter, text)]))).await;
            assert_eq!(answer.status, 200, "{path} {parameter} {text:?}: {answer:?}");
            let takes = match path {
                "/tags" => parameter == "fragment",
                "/categories" => parameter == "fragment" || parameter == "prefix",
                "/entities" => ["name", "category", "offers", "wants"].contains(&parameter),
                _ => !["fragment", "prefix"].contains(&parameter),
            };
            if takes {
                assert_eq!(answer.meta().0, 0, "{path} {parameter} {text:?}: {answer:?}");
            }
        }
    }
}

/// What is no name is refused, and so is what nobody sees; what is a name is kept as it is.
async fn is_a_text_like_any_other(admin: &Client, bob: &Member, text: &str) {
    for path in ["/admin/tags", "/admin/categories"] {
        let answer = admin.post(path, json!({ "name": text })).await;
        assert!([200, 400].contains(&answer.status), "{path} {text:?}: {answer:?}");
        if answer.status == 200 {
            let id = answer.data()["id"].as_str().unwrap().to_owned();
            admin.delete(&format!("{path}/{id}")).await.data();
        }
    }
    // As a text of one's own it is a text like any other.
    let path = format!("/user/entities/{}", bob.entity);
    let kept: String = text.chars().take(40).collect();
    let own = bob.client.patch(&path, json!({ "name": kept, "offers": [kept], "wants": [] })).await;
    if kept.contains(|c: char| c.is_control() || ['\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}'].contains(&c)) {
        return own.refused(400, "Entity name cannot contain control or invisible characters.");
    }
    assert_eq!(own.data()["name"], kept, "{own:?}");
}
