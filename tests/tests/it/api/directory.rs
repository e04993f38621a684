//! Finding entities: what is found by which text, in which order, by whom, and how much of it is shown.

use hesabu_tests::client::{Answer, Client};
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network};
use hesabu_tests::server::PASSWORD;
use serde_json::{Value, json};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const UNKNOWN: &str = "Please enter valid entity id.";

/// The names of a list, in its order.
fn names(answer: &Answer) -> Vec<String> {
    let data = answer.data();
    data.as_array().expect("a list").iter().map(|entity| entity["name"].as_str().expect("a name").to_owned()).collect()
}

/// A query string of these parameters.
fn query(parameters: &[(&str, &str)]) -> String {
    let url = reqwest::Url::parse_with_params("http://x/", parameters).expect("parameters");
    url.query().unwrap_or_default().to_owned()
}

/// What each entity is called, what it offers, and what it wants.
const ENTITIES: [(&str, &[&str], &[&str]); 9] = [
    ("Green Farm", &["vegetables", "eggs"], &["van-rental"]),
    ("Hill Farm", &["organic vegetables", "3D printing"], &["pizza"]),
    ("Alice's Restaurant", &["pizza", "take-out"], &["vegetables", "Organic Flour"]),
    ("Café Zoë", &["café", "micro-brewed beer"], &["pasta"]),
    ("Duka la Mama Njeri", &["chai", "24h"], &["vegetable oil"]),
    ("ሻይ ቤት", &["ሻይ"], &["ስኳር"]),
    ("हिन्दी विद्यालय", &["हिन्दी", "योग"], &["chai"]),
    ("مدرسة النور", &["مُدرِّس"], &[]),
    ("100% Wool_Shop", &["wool"], &["bear"]),
];

/// Parameters, and whom they find, in which order.
type Expected = (&'static [(&'static str, &'static str)], &'static [&'static str]);

const SEARCHES: [Expected; 44] = [
    // The tag itself, then what begins with it, then what contains it.
    (&[("offers", "vegetables")], &["Green Farm", "Hill Farm"]),
    (&[("offers", "VEGETABLES")], &["Green Farm", "Hill Farm"]),
    (&[("offers", "vegetalbes")], &["Green Farm", "Hill Farm"]),
    (&[("offers", "vegtable")], &["Green Farm", "Hill Farm"]),
    (&[("offers", "getab")], &["Green Farm", "Hill Farm"]),
    (&[("offers", "begatebels")], &[]),
    (&[("wants", "vegetable")], &["Alice's Restaurant", "Duka la Mama Njeri"]),
    (&[("wants", "vegetable oil")], &["Duka la Mama Njeri"]),
    // Each of several words must be meant by a word of the tag, in any order.
    (&[("offers", "organic vegetables")], &["Hill Farm"]),
    (&[("offers", "vegetables organic")], &["Hill Farm"]),
    (&[("offers", "organic-vegetalbes")], &["Hill Farm"]),
    (&[("offers", "organic eggs")], &[]),
    // Any element of a list will do; both lists must be met.
    (&[("offers", "pizza,chai")], &["Alice's Restaurant", "Duka la Mama Njeri"]),
    (&[("offers", " pizza , , eggs ")], &["Green Farm", "Alice's Restaurant"]),
    (&[("offers", "vegetables"), ("wants", "pizza")], &["Hill Farm"]),
    (&[("offers", "pizza"), ("wants", "pizza")], &[]),
    (&[("wants", "pizza")], &["Hill Farm"]),
    // Letters, digits and marks of every script; with or without accents.
    (&[("offers", "cafe")], &["Café Zoë"]),
    (&[("offers", "CAFE\u{301}")], &["Café Zoë"]),
    (&[("offers", "3d-printing")], &["Hill Farm"]),
    (&[("offers", "24h")], &["Duka la Mama Njeri"]),
    (&[("offers", "ሻይ")], &["ሻይ ቤት"]),
    (&[("offers", "हिन्दी")], &["हिन्दी विद्यालय"]),
    (&[("offers", "مدرس")], &["مدرسة النور"]),
    (&[("wants", "ስኳ")], &["ሻይ ቤት"]),
    // One mistake in three to five letters, none in two.
    (&[("offers", "piza")], &["Alice's Restaurant"]),
    (&[("offers", "bere")], &["Café Zoë"]),
    (&[("offers", "xa")], &[]),
    (&[("wants", "beer")], &["100% Wool_Shop"]),
    // Names: the name itself, what begins with it, what contains it.
    (&[("name", "Alice's Restau")], &["Alice's Restaurant"]),
    (&[("name", "alices restau")], &["Alice's Restaurant"]),
    (&[("name", "farm")], &["Green Farm", "Hill Farm"]),
    (&[("name", "hill farm")], &["Hill Farm"]),
    (&[("name", "zoe")], &["Café Zoë"]),
    (&[("name", "ቤት")], &["ሻይ ቤት"]),
    (&[("name", "विद्या")], &["हिन्दी विद्यालय"]),
    (&[("name", "النور")], &["مدرسة النور"]),
    (&[("name", "a")], &["Alice's Restaurant", "Green Farm", "Hill Farm", "Café Zoë", "Duka la Mama Njeri"]),
    (&[("name", "farm"), ("offers", "eggs")], &["Green Farm"]),
    // What has a meaning in a query language has none here.
    (&[("name", "%")], &[]),
    (&[("name", "100%")], &["100% Wool_Shop"]),
    (&[("name", "wool_shop")], &["100% Wool_Shop"]),
    (&[("offers", "*")], &[]),
    (&[("offers", "wool OR pizza")], &[]),
];

#[tokio::test]
async fn texts_find_entities_on_sqlite() {
    texts_find_entities(Engine::Sqlite).await;
}

#[tokio::test]
async fn texts_find_entities_on_postgres() {
    texts_find_entities(Engine::Postgres).await;
}

async fn texts_find_entities(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let visitor = Client::of(&network.server);
    for member in [&network.alice, &network.bob] {
        member.govern(&network.admin, "rejected", "0", "0").await;
    }
    for (place, (name, offers, wants)) in ENTITIES.into_iter().enumerate() {
        let member = Member::signed_up(&network.server, &format!("member{place}")).await;
        let body = json!({ "name": name, "offers": offers, "wants": wants });
        // Before it can be found or after it: the same is found.
        if place % 2 == 0 {
            member.govern(&network.admin, "accepted", "0", "0").await;
        }
        member.client.patch(&format!("/user/entities/{}", member.entity), body).await.data();
        if place % 2 == 1 {
            member.govern(&network.admin, "accepted", "0", "0").await;
        }
    }
    for (parameters, expected) in SEARCHES {
        let found = visitor.get(&format!("/entities?{}", query(parameters))).await;
        assert_eq!(names(&found), expected, "{parameters:?}");
        assert_eq!(found.meta(), (u64::try_from(expected.len()).unwrap(), 1), "{parameters:?}");
    }
    pages(&visitor).await;
    registered(&network).await;
}

/// Totals are exact on every page, also behind the last.
async fn pages(visitor: &Client) {
    let all = visitor.get("/entities").await;
    assert_eq!((names(&all).len(), all.meta()), (9, (9, 1)));
    let oldest_first: Vec<String> = ENTITIES.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(names(&all), oldest_first);
    for (list, whole) in [("", all), ("name=a", visitor.get("/entities?name=a").await)] {
        let (whole, total) = (names(&whole), whole.meta().0);
        for (page, part) in whole.chunks(2).enumerate() {
            let answer = visitor.get(&format!("/entities?{list}&page_size=2&page={}", page + 1)).await;
            assert_eq!((names(&answer), answer.meta()), (part.to_vec(), (total, total.div_ceil(2))));
        }
        let behind = visitor.get(&format!("/entities?{list}&page_size=2&page=50")).await;
        assert_eq!((names(&behind), behind.meta().0), (vec![], total), "{list}");
    }
}

/// The same texts find the same for administrators, who also see whom nobody else can find.
async fn registered(network: &Network) {
    let Network { admin, alice, .. } = network;
    let path = format!("/admin/entities/{}", alice.entity);
    let body = json!({ "name": "Hidden", "offers": ["Vegetables"], "city": "Nyahururu", "region": "Laikipia", "country": "Kenya" });
    admin.patch(&path, body).await.data();
    for (parameters, expected) in [
        (&[("offers", "vegetalbes")][..], &["Hidden", "Green Farm", "Hill Farm"][..]),
        (&[("offers", "vegetables"), ("status", "rejected")], &["Hidden"]),
        (&[("offers", "vegetables"), ("wants", "pizza")], &["Hill Farm"]),
        (&[("offers", "vegetables"), ("tagged_since", "2100-01-01T00:00:00Z")], &[]),
        (&[("wants", "chai"), ("tagged_since", "1")], &["हिन्दी विद्यालय"]),
        (&[("city", "NYAHURURU")], &["Hidden"]),
        (&[("city", "Nyahurur")], &[]),
        (&[("region", "laikipia"), ("country", "kenya")], &["Hidden"]),
        (&[("region", "laikipia"), ("country", "uganda")], &[]),
        (&[("city", "%")], &[]),
        (&[("name", "ZOË")], &["Café Zoë"]),
        (&[("name", "Farm"), ("offers", "eggs")], &["Green Farm"]),
        (&[("category", "farms")], &[]),
    ] {
        let found = admin.get(&format!("/admin/entities?{}", query(parameters))).await;
        assert_eq!(
            (names(&found), found.meta().0),
            (expected.iter().map(|name| (*name).to_owned()).collect(), u64::try_from(expected.len()).unwrap()),
            "{parameters:?}"
        );
    }
    for filter in ["balance", "max_pos_bal", "max_neg_bal"] {
        let answer = admin.get(&format!("/admin/entities?{filter}=much")).await;
        answer.refused(400, &format!("{filter} must be an amount of KES-MC."));
    }
}

#[tokio::test]
async fn who_can_be_found_on_sqlite() {
    who_can_be_found(Engine::Sqlite).await;
}

#[tokio::test]
async fn who_can_be_found_on_postgres() {
    who_can_be_found(Engine::Postgres).await;
}

/// Faults 14 and 19 of the document's reference: only four statuses are listed or read by id, and a tag is new when its entity can be found.
async fn who_can_be_found(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let visitor = Client::of(server);
    let body = json!({
        "userEmail": "carol@example.org", "password": PASSWORD, "entityName": "Carol", "offers": ["Bicycles"], "wants": ["Paint"],
    });
    let data = visitor.post("/signup", body).await.data();
    let entity = data["entityID"].as_str().unwrap();
    let carol = visitor.with_token(data["token"].as_str().unwrap());
    let (path, by_offer, by_want) =
        (format!("/entities/{entity}"), "/entities?offers=bicycles", "/entities?wants=paint");
    let tag_names = async || names(&visitor.get("/tags?page_size=100").await);
    let before = admin.get(&format!("/admin/entities/{entity}")).await.data();
    assert_eq!(before["status"], "pending");
    for (status, listed) in [
        ("pending", false),
        ("rejected", false),
        ("accepted", true),
        ("tradingPending", true),
        ("tradingAccepted", true),
        ("tradingRejected", true),
        ("rejected", false),
        ("pending", false),
    ] {
        admin.patch(&format!("/admin/entities/{entity}"), json!({ "status": status })).await.data();
        let expected: Vec<String> = if listed { vec!["Carol".into()] } else { vec![] };
        for search in [by_offer, by_want, "/entities?name=carol"] {
            assert_eq!(names(&visitor.get(search).await), expected, "{status} {search}");
        }
        assert_eq!(names(&visitor.get("/entities").await).contains(&"Carol".to_owned()), listed, "{status}");
        for somebody in [&visitor, &alice.client, admin] {
            let answer = somebody.get(&path).await;
            if listed { assert_eq!(answer.data()["status"], status) } else { answer.refused(400, UNKNOWN) }
        }
        assert_eq!(carol.get(&path).await.data()["name"], "Carol", "its owner reads it whatever its status");
        assert_eq!(names(&bob.client.get("/entities?wants=bicycles&offers=paint").await), Vec::<String>::new());
        if status == "pending" || status == "rejected" && tag_names().await.is_empty() {
            continue;
        }
        assert_eq!(tag_names().await, ["bicycles", "paint"], "{status}");
    }
    admin.get(&path).await.refused(400, UNKNOWN);
}

#[tokio::test]
async fn what_is_new_since_on_sqlite() {
    what_is_new_since(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_is_new_since_on_postgres() {
    what_is_new_since(Engine::Postgres).await;
}

async fn what_is_new_since(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let Network { server, admin, alice, .. } = &network;
    let (visitor, path) = (Client::of(server), format!("/user/entities/{}", alice.entity));
    let found = async |what: &str, since: &str| {
        let answer = visitor.get(&format!("/entities?{what}&{}", query(&[("tagged_since", since)]))).await;
        names(&answer).len()
    };
    let bob = format!("/admin/entities/{}", network.bob.entity);
    admin.patch(&bob, json!({ "status": "rejected", "offers": ["bread"], "wants": ["flour"] })).await.data();
    alice.client.patch(&path, json!({ "offers": ["bread"] })).await.data();
    let between = now().await;
    alice.client.patch(&path, json!({ "offers": ["milk", "bread"], "wants": ["hay"] })).await.data();
    assert_eq!(found("offers=bread", "2019-12-25T12:12:12.001Z").await, 1);
    assert_eq!(found("offers=bread", "1577275932").await, 1);
    assert_eq!(found("offers=bread", &between).await, 0, "it was there before");
    assert_eq!(found("offers=milk", &between).await, 1);
    assert_eq!(found("wants=hay", &between).await, 1);
    assert_eq!(found("offers=milk&wants=hay", "2100-01-01T00:00:00+03:00").await, 0);
    // Whoever can be found from now on is new with everything, what is offered as offered and what is wanted as wanted.
    admin.patch(&bob, json!({ "status": "accepted" })).await.data();
    assert_eq!((found("offers=bread", &between).await, found("wants=flour", &between).await), (1, 1));
    assert_eq!((found("wants=bread", "1").await, found("offers=flour", "1").await), (0, 0));
    let later = now().await;
    admin.patch(&bob, json!({ "status": "tradingAccepted" })).await.data();
    assert_eq!(found("offers=bread", &later).await, 0, "it could be found already");
    visitor.get("/entities?tagged_since=1").await.refused(400, "Please specify an offer or want tag.");
    for nonsense in
        ["yesterday", "2019-12-25", "1e9", "99999999999999999999", "'; drop table tag", "2019-13-01T00:00:00Z", "-"]
    {
        let answer = visitor.get(&format!("/entities?offers=bread&{}", query(&[("tagged_since", nonsense)]))).await;
        assert_eq!((answer.status, answer.messages().len()), (400, 1), "{nonsense}");
    }
}

/// An instant after everything that has happened, and before everything that will.
async fn now() -> String {
    tokio::time::sleep(Duration::from_millis(5)).await;
    let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    now
}

#[tokio::test]
async fn who_asks_sees_what_on_sqlite() {
    who_asks_sees_what(Engine::Sqlite).await;
}

#[tokio::test]
async fn who_asks_sees_what_on_postgres() {
    who_asks_sees_what(Engine::Postgres).await;
}

/// The document's fields in the document's order; an address only between trading members, and only to whoever asks as an entity of their own.
async fn who_asks_sees_what(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let visitor = Client::of(server);
    let path = format!("/entities/{}", bob.entity);
    let fields = "id,accountNumber,name,telephone,incType,companyNumber,website,declaredTurnover,description,address,city,region,postalCode,\
                  country,status,showTagsMatchedSinceLastLogin,receiveDailyMatchNotificationEmail,offers,wants,categories,isFavorite";
    let plain = visitor.get(&path).await;
    assert_eq!(keys(&plain.text).join(","), fields);
    let read = plain.data();
    assert_eq!((&read["isFavorite"], &read["name"]), (&json!(false), &json!("bob")));
    let listed = visitor.get("/entities?name=bob").await.data();
    assert_eq!(listed, json!([read]), "alike in a list");
    // As a member who does not say as whom.
    assert_eq!(alice.client.get(&path).await.data(), read);
    let asking = format!("{path}?querying_entity_id={}", alice.entity);
    let told = alice.client.get(&asking).await;
    assert_eq!(keys(&told.text).join(","), fields.replace("name,", "name,email,"));
    assert_eq!(told.data()["email"], "bob@example.org");
    let list = format!("/entities?name=bob&querying_entity_id={}", alice.entity);
    assert_eq!(alice.client.get(&list).await.data(), json!([told.data()]));

    // Not to nobody, not to somebody else, not with a token that is not good, not to an administrator.
    for path in [&asking, &list] {
        visitor.get(path).await.refused(401, "Could not authenticate you.");
        bob.client.get(path).await.refused(403, "Permission denied.");
        admin.get(path).await.refused(403, "Permission denied.");
        alice.client.with_token("x.y.z").get(path).await.refused(401, "Could not authenticate you.");
    }
    for path in ["/entities", &path] {
        visitor.with_token("x.y.z").get(path).await.refused(401, "Could not authenticate you.");
        assert_eq!(admin.get(path).await.status, 200);
    }
    let none = format!("{path}?querying_entity_id={}", uuid::Uuid::now_v7());
    alice.client.get(&none).await.refused(403, "Permission denied.");
    alice.client.get(&format!("{path}?querying_entity_id=5e561916ca06e1c8596eee9e")).await.refused(400, UNKNOWN);

    // Both must trade.
    for (member, other) in [(alice, bob), (bob, alice)] {
        for status in ["accepted", "tradingPending", "tradingRejected"] {
            admin.patch(&format!("/admin/entities/{}", member.entity), json!({ "status": status })).await.data();
            for asker in [member, other] {
                let asked = if asker.entity == member.entity { other } else { member };
                let path = format!("/entities/{}?querying_entity_id={}", asked.entity, asker.entity);
                assert_eq!(asker.client.get(&path).await.data()["email"], Value::Null, "{status}");
            }
        }
        member.govern(admin, "tradingAccepted", "0", "0").await;
    }
    assert_eq!(alice.client.get(&asking).await.data()["email"], "bob@example.org");
    for id in ["x", "5eec78f4a880b7c235f66e7c", &uuid::Uuid::now_v7().to_string()] {
        visitor.get(&format!("/entities/{id}")).await.refused(400, UNKNOWN);
    }
}

/// The names of the fields of `data`, in the order in which they were sent.
fn keys(text: &str) -> Vec<String> {
    let fields = text.strip_prefix(r#"{"data":{"#).and_then(|text| text.strip_suffix("}}")).expect("one entity");
    fields.split(",\"").map(|field| field.trim_start_matches('"').split('"').next().unwrap().to_owned()).collect()
}
