//! Texts in searches that mean something elsewhere: to SQL, to patterns, to full-text search; or that nobody sees, or that never end.

use hesabu_tests::client::{Answer, Client, json_body};
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network};
use hesabu_tests::server::PASSWORD;
use reqwest::Method;
use serde_json::{Value, json};
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
    let lists = Lists::of(&network).await;
    for text in hostile() {
        lists.find_nothing(&text).await;
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
    lists.have_pages().await;
    assert_eq!(visitor.get("/entities").await.data(), before[0]);
    let log = server.log();
    assert!(!log.contains("ERROR"), "{log}");
    let tags = visitor.get("/tags?fragment=plain").await;
    assert_eq!(tags.data()[0]["name"], "plain");
}

/// Every list that the API describes, and what it says that it can be searched by: one that is forgotten here is one that nobody can read about.
struct Lists {
    lists: Vec<(String, Vec<String>)>,
    admin: Client,
    alice: Member,
}

/// What must have a form, and is refused without.
const FORMS: [&str; 9] = [
    "status",
    "tagged_since",
    "date_from",
    "date_to",
    "balance",
    "max_pos_bal",
    "max_neg_bal",
    "favorites_only",
    "querying_entity_id",
];

impl Lists {
    async fn of(network: &Network) -> Lists {
        let (admin, alice) = (network.admin.clone(), network.alice.clone());
        let mut lists = vec![];
        for (path, operations) in description(&admin).await["paths"].as_object().unwrap() {
            let parameters = operations["get"]["parameters"].as_array().cloned().unwrap_or_default();
            let names: Vec<String> = parameters.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
            if names.iter().any(|name| name == "page_size") {
                lists.push((path.clone(), names));
            }
        }
        assert!(lists.len() >= 8, "{lists:?}");
        Lists { lists, admin, alice }
    }

    async fn ask(&self, path: &str, parameter: &str, text: &str) -> Answer {
        // A member's list is asked for as one's own.
        let (client, own) = match path {
            "/transfers" => (&self.alice.client, Some(("querying_entity_id", &*self.alice.entity))),
            _ => (&self.admin, None),
        };
        let own = own.filter(|(name, _)| *name != parameter);
        let parameters: Vec<(&str, &str)> = own.into_iter().chain([(parameter, text)]).collect();
        client.get(&format!("{path}?{}", query(&parameters))).await
    }

    async fn find_nothing(&self, text: &str) {
        for (path, parameters) in &self.lists {
            for parameter in parameters.iter().map(String::as_str).filter(|name| !name.starts_with("page")) {
                let answer = self.ask(path, parameter, text).await;
                let asked = format!("{path} {parameter} {text:?}: {answer:?}");
                if FORMS.contains(&parameter) || (&**path, parameter) == ("/admin/logs", "category") {
                    assert!([400, 403].contains(&answer.status), "{asked}");
                    answer.messages();
                    continue;
                }
                assert_eq!(answer.status, 200, "{asked}");
                if path == "/admin/logs" && ["action", "detail"].contains(&parameter) {
                    // The log has signs of its own in it: what is found has this one.
                    for act in answer.data().as_array().unwrap() {
                        assert!(
                            act[parameter].as_str().unwrap().to_lowercase().contains(&text.to_lowercase()),
                            "{asked}"
                        );
                    }
                } else {
                    assert_eq!(answer.meta().0, 0, "{asked}");
                }
            }
        }
    }

    async fn have_pages(&self) {
        for (path, parameters) in &self.lists {
            for (name, value) in [
                ("page_size", "0"),
                ("page_size", "-1"),
                ("page_size", "101"),
                ("page_size", "1000"),
                ("page_size", "1e1"),
                ("page", "0"),
                ("page", "-1"),
                ("page", "x"),
                ("page", "99999999999999999999"),
            ] {
                let answer = self.ask(path, name, value).await;
                assert_eq!((answer.status, answer.messages().len()), (400, 1), "{path} {name} {value}: {answer:?}");
            }
            for parameter in parameters {
                assert_eq!(self.ask(path, parameter, "\0").await.status, 400, "{path} {parameter}");
            }
        }
    }
}

/// What the API says of itself.
async fn description(client: &Client) -> Value {
    client.get("/openapi.json").await.json()
}

#[tokio::test]
async fn ids_of_the_wrong_kind_are_nobodys_on_sqlite() {
    ids_of_the_wrong_kind_are_nobodys(Engine::Sqlite).await;
}

#[tokio::test]
async fn ids_of_the_wrong_kind_are_nobodys_on_postgres() {
    ids_of_the_wrong_kind_are_nobodys(Engine::Postgres).await;
}

/// In every path that the API describes, whoever may ask there.
async fn ids_of_the_wrong_kind_are_nobodys(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let Network { server, admin, alice, .. } = &network;
    let mut asked = 0;
    for (path, operations) in description(admin).await["paths"].as_object().unwrap() {
        let Some((before, after)) =
            path.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?.1)))
        else {
            continue;
        };
        let body = match &**path {
            "/transfers/{id}" => json!({ "action": "accept" }),
            "/admin/transfers/{id}/reversal" => json!({ "reason": "wrong" }),
            "/admin/tags/{id}" | "/admin/categories/{id}" => json!({ "name": "x" }),
            "/password-reset/{token}" | "/admin/password-reset/{token}" => json!({ "password": PASSWORD }),
            _ => json!({}),
        };
        let client = if path.starts_with("/admin") { admin } else { &alice.client };
        for method in operations.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            for id in ["x", "5ef1b5ccd35791b2dc384425", "-1", "%00", "..%2F..", "%27%20or%201%3D1", "%F0%9F%8D%95"] {
                let request = client.request(method.clone(), &format!("{before}{id}{after}"));
                let answer = match method {
                    Method::POST | Method::PATCH => Answer::to(json_body(request, &body)).await,
                    _ => Answer::to(request).await,
                };
                let known = |message: &String| {
                    let valid = message.strip_prefix("Please enter valid ").is_some_and(|rest| rest.ends_with(" id."));
                    valid || ["Transfer not found.", "Token is invalid."].contains(&&**message)
                };
                let messages = answer.messages();
                assert!(messages.len() == 1 && known(&messages[0]), "{method} {path} {id}: {answer:?}");
                assert_eq!(answer.status, 400, "{method} {path} {id}: {answer:?}");
                asked += 1;
            }
        }
    }
    assert!(asked >= 7 * 20, "{asked}");
    let log = server.log();
    assert!(!log.contains("ERROR"), "{log}");
}

/// Tags that everybody is shown, all of which are meant by what is searched for.
const MANY_TAGS: usize = 5_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_that_cost_much_stop_nobody_on_sqlite() {
    searches_that_cost_much_stop_nobody(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_that_cost_much_stop_nobody_on_postgres() {
    searches_that_cost_much_stop_nobody(Engine::Postgres).await;
}

/// As much as one search can be made to cost, by many visitors at the same time: who asks for anything else is answered meanwhile.
async fn searches_that_cost_much_stop_nobody(engine: Engine) {
    let network = Network::on(engine, "100", "100").await;
    let Network { server, alice, bob, home, .. } = &network;
    let db = home.database.open().await;
    let names: Vec<String> =
        (0..MANY_TAGS).map(|number| format!("{number} a b c d e f g h q").replace(' ', "-")).collect();
    for some in names.chunks(500) {
        let mut tx = db.begin().await.unwrap();
        for statement in hesabu::directory::hold_tags(&db, 0, some) {
            tx.execute(statement.sql, statement.values).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    db.execute("update tag set entered_at = 1", vec![]).await.unwrap();
    db.close().await;
    // The same again and again, and as different as there is room for.
    let same = vec![format!("{}q", "a ".repeat(99)); 10].join(",");
    let different: Vec<String> = ('0'..='9').map(|last| format!("q h g f e d c b a {last}")).collect();
    let visitor = Client::of(server);
    let searches: Vec<_> = [same, different.join(",")]
        .iter()
        .cycle()
        .take(8)
        .map(|text| {
            let (visitor, query) = (visitor.afresh(), query(&[("offers", text), ("wants", text)]));
            tokio::spawn(async move { visitor.get(&format!("/entities?{query}")).await.meta() })
        })
        .collect();
    let mut longest = Duration::ZERO;
    while searches.iter().any(|search| !search.is_finished()) {
        let begun = Instant::now();
        assert_eq!(visitor.outside("/healthz").await.status, 200);
        alice.proposed("out", bob, "0.01").await;
        longest = longest.max(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for search in searches {
        assert_eq!(search.await.unwrap(), (0, 1));
    }
    assert!(longest < Duration::from_secs(3), "{longest:?}");
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
