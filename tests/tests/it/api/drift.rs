//! What is found and what is there agree, whatever happened: changes that meet, hosts that are killed, databases from before there was a
//! directory. Fault 25 of the document's reference: its search index was another store, and stayed behind.
//!
//! Method: everything is changed at the same time by members and administrators, then every row of the directory is made again from the rows
//! of the entities and compared.

use hesabu::directory::{fold, forget_unused_tags, gram_tokens, hold_tags, set_categories, word_tokens};
use hesabu::store::{Db, Row, Statement};
use hesabu_tests::client::{Client, json_body};
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network};
use hesabu_tests::server::{PASSWORD, Server};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const STATUSES: [&str; 4] = ["pending", "accepted", "rejected", "tradingAccepted"];
const WORDS: [&str; 6] = ["vegetables", "café", "24h", "ሻይ", "organic-eggs", "van"];

/// Compares every row of the directory with what it should be.
async fn agrees(network: &Network, engine: Engine) {
    let db = Db::open(&network.home.database.url).await.unwrap();
    let entities = db.fetch_all("select * from entity", vec![]).await.unwrap();
    let mut expected = BTreeMap::new();
    let mut listed = BTreeMap::new();
    for row in &entities {
        let text = |column: &str| row.text(column).unwrap();
        for (key, column) in
            [("name_key", "name"), ("city_key", "city"), ("region_key", "region"), ("country_key", "country")]
        {
            assert_eq!(text(key), fold(&text(column)));
        }
        assert_eq!(text("email_key"), text("email").to_lowercase());
        expected.insert(row.id("entity_id").unwrap(), words(&gram_tokens(&text("name_key"))));
        listed.insert(row.id("entity_id").unwrap(), !["pending", "rejected"].contains(&text("status").as_str()));
    }
    assert_eq!(tokens(&db, engine, "entity").await, expected);
    for row in db.fetch_all("select last_name, last_name_key from person", vec![]).await.unwrap() {
        assert_eq!(row.text("last_name_key").unwrap(), fold(&row.text("last_name").unwrap()));
    }

    let (mut expected, mut entered) = (BTreeMap::new(), BTreeMap::new());
    for row in db.fetch_all("select * from tag", vec![]).await.unwrap() {
        let (name, key) = (row.text("name").unwrap(), row.text("name_key").unwrap());
        assert_eq!(key, fold(&name));
        expected.insert(row.id("tag_id").unwrap(), words(&word_tokens(&key)));
        entered.insert(name, row.optional_int("entered_at").unwrap().is_some());
    }
    assert_eq!(tokens(&db, engine, "tag").await, expected);

    for row in db.fetch_all("select * from entity_tag", vec![]).await.unwrap() {
        let (name, is_listed) = (row.text("name").unwrap(), row.bool("listed").unwrap());
        assert_eq!(is_listed, listed[&row.id("entity_id").unwrap()], "{name}");
        let is_entered = entered.get(&name).copied();
        assert!(is_entered.is_some_and(|entered| entered || !is_listed), "{name}: {is_entered:?} {is_listed}");
    }
    let names = async |sql| {
        let rows: Vec<Row> = db.fetch_all(sql, vec![]).await.unwrap();
        rows.iter().map(|row| row.text("name").unwrap()).collect::<BTreeSet<_>>()
    };
    let used = names("select name from entity_category").await;
    assert!(used.is_subset(&names("select name from category").await), "{used:?}");
    db.close().await;
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// What a search table has; of SQLite's, also that its index has the same.
async fn tokens(db: &Db, engine: Engine, of: &str) -> BTreeMap<u128, BTreeSet<String>> {
    let sql = match engine {
        Engine::Sqlite => {
            let check = format!("insert into {of}_search ({of}_search, rank) values ('integrity-check', 1)");
            db.execute(check.leak(), vec![]).await.unwrap();
            format!("select {of}_id as id, tokens from {of}_search")
        }
        Engine::Postgres => {
            format!("select {of}_id as id, array_to_string(tsvector_to_array(tokens), ' ') as tokens from {of}_search")
        }
    };
    let rows = db.fetch_all(sql.leak(), vec![]).await.unwrap();
    let all: BTreeMap<_, _> =
        rows.iter().map(|row| (row.id("id").unwrap(), words(&row.text("tokens").unwrap()))).collect();
    assert_eq!(all.len(), rows.len(), "none comes twice");
    all
}

/// Sends a change whose answer nobody waits for: it may be refused, or the server may be gone.
async fn send(client: &Client, method: Method, path: &str, body: Value) {
    let answer = json_body(client.request(method, path), body).send().await;
    if let Ok(answer) = answer {
        assert!(answer.status() != 500, "{path}: {answer:?}");
    }
}

/// A member who changes name and tags again and again.
async fn changes(member: Member, turns: usize, seed: usize) {
    let path = format!("/user/entities/{}", member.entity);
    for turn in 0..turns {
        let word = |place: usize| WORDS[(seed + turn * place) % WORDS.len()];
        let body = json!({
            "name": format!("{} {} {seed}", word(1), word(5)), "offers": [word(1), word(3), format!("new {seed} {turn}")],
            "wants": [word(2)], "city": word(4), "email": format!("{turn}@Example.org"),
        });
        send(&member.client, Method::PATCH, &path, body).await;
    }
}

/// An administrator who admits and rejects, and renames and deletes what members use meanwhile.
async fn governs(admin: Client, members: Vec<Member>, turns: usize, seed: usize) {
    for turn in 0..turns {
        let member = &members[(turn + seed) % members.len()];
        let (status, category) = (STATUSES[(turn * 3 + seed) % 4], WORDS[turn % 3]);
        let governed = json!({ "status": status, "categories": [category] });
        send(&admin, Method::POST, "/admin/categories", json!({ "name": category })).await;
        send(&admin, Method::PATCH, &format!("/admin/entities/{}", member.entity), governed).await;
        for door in ["tags", "categories"] {
            let Ok(list) = admin.request(Method::GET, &format!("/{door}?page_size=100")).send().await else { return };
            let list: Value = list.json().await.unwrap_or_default();
            let Some(term) = list["data"].as_array().filter(|terms| !terms.is_empty()) else { continue };
            let id = term[(turn * 7 + seed) % term.len()]["id"].as_str().unwrap();
            let path = format!("/admin/{door}/{id}");
            match turn % 3 {
                0 => send(&admin, Method::DELETE, &path, json!({})).await,
                _ => send(&admin, Method::PATCH, &path, json!({ "name": WORDS[(turn + seed) % WORDS.len()] })).await,
            }
        }
    }
}

/// Everything at once, on all of these servers.
async fn storm(network: &Network, servers: &[&Server], turns: usize) -> JoinSet<()> {
    let mut all = JoinSet::new();
    let mut members = vec![];
    for place in 0..4 {
        let member = Member::signed_up(servers[0], &format!("member{place}-{turns}")).await;
        let client = member.client.towards(servers[place % servers.len()]).afresh();
        let member = Member { client, ..member };
        all.spawn(changes(member.clone(), turns, place));
        members.push(member);
    }
    for place in 0..2 {
        let admin = network.admin.towards(servers[place % servers.len()]).afresh();
        all.spawn(governs(admin, members.clone(), turns, place));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_meet_leave_nothing_behind_on_sqlite() {
    let network = Network::on(Engine::Sqlite, "0", "0").await;
    storm(&network, &[&network.server], 20).await.join_all().await;
    agrees(&network, Engine::Sqlite).await;
    network.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_that_meet_leave_nothing_behind_on_postgres() {
    let network = Network::on(Engine::Postgres, "0", "0").await;
    let folder = tempfile::tempdir().expect("a folder");
    let other = network.home.serve_beside(folder.path()).await;
    storm(&network, &[&network.server, &other], 30).await.join_all().await;
    agrees(&network, Engine::Postgres).await;
    network.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_host_leaves_nothing_behind_on_sqlite() {
    a_killed_host_leaves_nothing_behind(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_host_leaves_nothing_behind_on_postgres() {
    a_killed_host_leaves_nothing_behind(Engine::Postgres).await;
}

async fn a_killed_host_leaves_nothing_behind(engine: Engine) {
    let mut network = Network::on(engine, "0", "0").await;
    for after in [40, 90, 200] {
        let storm = storm(&network, &[&network.server], 1_000 + after).await;
        tokio::time::sleep(Duration::from_millis(u64::try_from(after).unwrap())).await;
        network.server.kill();
        storm.join_all().await;
        network.restart().await;
        agrees(&network, engine).await;
    }
    network.prove().await;
}

#[tokio::test]
async fn a_database_from_before_is_taken_over_on_sqlite() {
    a_database_from_before_is_taken_over(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_database_from_before_is_taken_over_on_postgres() {
    a_database_from_before_is_taken_over(Engine::Postgres).await;
}

/// By two hosts that start at the same time, where there can be two.
async fn a_database_from_before_is_taken_over(engine: Engine) {
    let mut network = Network::on(engine, "0", "0").await;
    let Network { server, admin, alice, bob, .. } = &network;
    for (member, name, offers) in [(alice, "Café Zoë", ["Vegetables", "24h"]), (bob, "ሻይ ቤት", ["ሻይ", "vegetables"])]
    {
        let body = json!({ "name": name, "offers": offers, "wants": ["van"] });
        member.client.patch(&format!("/user/entities/{}", member.entity), body).await.data();
    }
    let hidden = Member::signed_up(server, "hidden").await;
    hidden.client.patch(&format!("/user/entities/{}", hidden.entity), json!({ "offers": ["secrets"] })).await.data();
    admin.post("/admin/categories", json!({ "name": "Cafés" })).await.data();
    admin.patch(&format!("/admin/entities/{}", alice.entity), json!({ "categories": ["cafés"] })).await.data();
    let searches = [
        "/entities?offers=vegetalbes",
        "/entities?name=zoe",
        "/entities?category=cafes",
        "/entities",
        "/tags",
        "/categories",
    ];
    let ask = async |client: Client| {
        let mut all = vec![];
        for search in searches {
            let mut data = client.get(search).await.data();
            // Ids of tags and categories are made anew.
            if !search.starts_with("/entities") {
                data.as_array_mut().unwrap().iter_mut().for_each(|term| term["id"] = Value::Null);
            }
            all.push(data);
        }
        all
    };
    let before = ask(Client::of(server)).await;
    network.server.kill();
    let db = Db::open(&network.home.database.url).await.unwrap();
    for sql in [
        "update entity set name_key = null, email_key = null, city_key = null, region_key = null, country_key = null",
        "update person set last_name_key = null",
        "delete from entity_search",
        "delete from tag_search",
        "delete from tag",
        "delete from category",
    ] {
        db.execute(sql, vec![]).await.unwrap();
    }
    db.close().await;
    let folder = tempfile::tempdir().expect("a folder");
    if engine == Engine::Postgres {
        let (home, beside) = (&network.home, folder.path());
        let (server, other) = tokio::join!(home.serve(), home.serve_beside(beside));
        assert_eq!(ask(Client::of(&other)).await, before);
        network.server = server;
    } else {
        network.server = network.home.serve().await;
    }
    assert_eq!(ask(Client::of(&network.server)).await, before);
    agrees(&network, engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_writing_is_waited_for_on_sqlite() {
    who_is_writing_is_waited_for(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_writing_is_waited_for_on_postgres() {
    who_is_writing_is_waited_for(Engine::Postgres).await;
}

/// Somebody takes a tag and a category while an administrator deletes both: who comes second sees what the first did.
async fn who_is_writing_is_waited_for(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let Network { admin, alice, .. } = &network;
    let db = Db::open(&network.home.database.url).await.unwrap();
    let entity = uuid::Uuid::parse_str(&alice.entity).unwrap().as_u128();
    let taken = ["taken".to_owned()];
    let tag = "insert into entity_tag (entity_id, kind, place, name, added_at, listed) values ($1, 'offer', 0, 'taken', 0, true)";
    let mut take_tag = hold_tags(&db, entity, &taken);
    take_tag.push(Statement { sql: tag, values: vec![entity.into()] });
    for (door, write) in [("tags", take_tag), ("categories", set_categories(&db, entity, &taken))] {
        for change in [None, Some(json!({ "name": "renamed" }))] {
            let made = admin.post(&format!("/admin/{door}"), json!({ "name": "taken" })).await.data();
            let path = format!("/admin/{door}/{}", made["id"].as_str().unwrap());
            let mut tx = db.begin().await.unwrap();
            for Statement { sql, values } in write.clone() {
                tx.execute(sql, values).await.unwrap();
            }
            let (client, asked) = (admin.clone(), change.clone());
            let changing = tokio::spawn(async move {
                match asked {
                    None => client.delete(&path).await,
                    Some(body) => client.patch(&path, body).await,
                }
            });
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(!changing.is_finished(), "{door}: it waits");
            tx.commit().await.unwrap();
            changing.await.unwrap().data();
            agrees(&network, engine).await;
            let owned = alice.own().await;
            let owned = if door == "tags" { &owned["offers"] } else { &owned["categories"] };
            assert_eq!(*owned, change.map_or_else(|| json!([]), |_| json!(["renamed"])), "{door}");
        }
    }
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taking_what_is_being_deleted_leaves_nothing_behind_on_sqlite() {
    taking_what_is_being_deleted_leaves_nothing_behind(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taking_what_is_being_deleted_leaves_nothing_behind_on_postgres() {
    taking_what_is_being_deleted_leaves_nothing_behind(Engine::Postgres).await;
}

/// One tag and one category, taken by members and a signup at the very moment at which administrators rename and delete them; and cleared away.
async fn taking_what_is_being_deleted_leaves_nothing_behind(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let db = Db::open(&network.home.database.url).await.unwrap();
    for turn in 0..20 {
        let mut made = vec![];
        for door in ["tags", "categories"] {
            let term = admin.post(&format!("/admin/{door}"), json!({ "name": "taken" })).await.data();
            made.push((door, format!("/admin/{door}/{}", term["id"].as_str().unwrap())));
        }
        let mut all = JoinSet::new();
        for (member, tags) in [(alice, json!(["taken", "zebra"])), (bob, json!(["apple", "taken"]))] {
            let (client, path) = (member.client.clone(), format!("/user/entities/{}", member.entity));
            all.spawn(async move { send(&client, Method::PATCH, &path, json!({ "offers": tags })).await });
            let (client, path) = (admin.clone(), format!("/admin/entities/{}", member.entity));
            let status = if turn % 2 == 0 { "accepted" } else { "rejected" };
            let body = json!({ "categories": ["taken"], "wants": ["taken"], "status": status });
            all.spawn(async move { send(&client, Method::PATCH, &path, body).await });
        }
        for (door, path) in made.clone() {
            let client = admin.clone();
            all.spawn(async move {
                match (turn / 2) % 2 {
                    0 => send(&client, Method::DELETE, &path, json!({})).await,
                    _ => send(&client, Method::PATCH, &path, json!({ "name": format!("given {door}") })).await,
                }
            });
        }
        let (visitor, cleared) = (Client::of(server), db.clone());
        let body = json!({
            "userEmail": format!("new{turn}@example.org"), "password": PASSWORD, "entityName": "New", "offers": ["taken", format!("own {turn}")],
        });
        all.spawn(async move { send(&visitor, Method::POST, "/signup", body).await });
        all.spawn(async move { assert!(forget_unused_tags(&cleared, 0, 1_000).await.is_ok()) });
        all.join_all().await;
        agrees(&network, engine).await;
        for door in ["tags", "categories"] {
            for term in admin.get(&format!("/{door}?page_size=100")).await.data().as_array().unwrap() {
                admin.delete(&format!("/admin/{door}/{}", term["id"].as_str().unwrap())).await.data();
            }
        }
    }
    agrees(&network, engine).await;
    db.close().await;
    network.prove().await;
}

/// An administrator renames a tag, and must wait: whoever trades, and whoever signs up with other tags, does not wait with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_trades_does_not_wait_for_a_tag() {
    let network = Network::on(Engine::Postgres, "100", "100").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let db = Db::open(&network.home.database.url).await.unwrap();
    alice.client.patch(&format!("/user/entities/{}", alice.entity), json!({ "offers": ["taken"] })).await.data();
    let id = admin.get("/tags?fragment=taken").await.data()[0]["id"].as_str().unwrap().to_owned();
    // Whatever it is that the administrator waits for, the tag is theirs meanwhile.
    let mut tx = db.begin().await.unwrap();
    tx.execute("update entity_tag set place = place where name = 'taken'", vec![]).await.unwrap();
    let client = admin.clone();
    let renaming =
        tokio::spawn(async move { client.patch(&format!("/admin/tags/{id}"), json!({ "name": "given" })).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    let body = json!({ "userEmail": "new@example.org", "password": PASSWORD, "offers": ["other", "another"] });
    let signed_up = Client::of(server).post("/signup", body).await;
    assert_eq!(signed_up.status, 200, "{signed_up:?}");
    bob.client.patch(&format!("/user/entities/{}", bob.entity), json!({ "wants": ["other"] })).await.data();
    alice.proposed("out", bob, "1").await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(!renaming.is_finished(), "it waits");
    tx.commit().await.unwrap();
    renaming.await.unwrap().data();
    assert_eq!(alice.own().await["offers"], json!(["given"]));
    agrees(&network, Engine::Postgres).await;
    db.close().await;
}
