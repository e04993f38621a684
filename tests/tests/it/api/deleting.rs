//! Administrators see, change and delete members and entities, and nothing is left dangling.

use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network, immediate, log_in};
use hesabu_tests::server::PASSWORD;
use serde_json::{Value, json};
use tokio::task::JoinSet;

const NO_USER: &str = "User does not exist.";
const NO_ENTITY: &str = "Please enter valid entity id.";

#[tokio::test]
async fn administrators_see_and_change_members_on_sqlite() {
    administrators_see_and_change_members(Engine::Sqlite).await;
}

#[tokio::test]
async fn administrators_see_and_change_members_on_postgres() {
    administrators_see_and_change_members(Engine::Postgres).await;
}

async fn administrators_see_and_change_members(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { server, admin, alice, bob, .. } = &network;
    alice.client.patch("/user", json!({ "firstName": "Alice", "lastName": "Wanjikũ" })).await.data();
    let all = admin.get("/admin/users").await;
    assert_eq!(all.meta(), (2, 1), "administrators are no members");
    let first = all.data()[0].take();
    let id = first["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&first["email"], &first["lastName"], &first["entities"][0]["id"], first["entities"][0]["balance"].to_string()),
        (&json!(alice.email), &json!("Wanjikũ"), &json!(alice.entity), "0".into())
    );
    for (query, count) in [
        ("last_name=wanjiku", 1),
        ("last_name=WANJ", 1),
        ("last_name=x", 0),
        ("last_name=%25", 0),
        ("email=Alice@Example.org", 1),
        ("email=alice", 0),
        ("email=admin@example.org", 0),
        ("email=bob@example.org&last_name=wanjiku", 0),
    ] {
        assert_eq!(admin.get(&format!("/admin/users?{query}")).await.meta().0, count, "{query}");
    }
    assert_eq!(admin.get("/admin/users?page_size=1&page=2").await.data()[0]["email"], json!(bob.email));
    let path = format!("/admin/users/{id}");
    assert_eq!(admin.get(&path).await.data(), first);

    let changed = admin.patch(&path, json!({ "email": "New@Example.org", "telephone": "+254" })).await.data();
    assert_eq!(
        (&changed["email"], &changed["telephone"], &changed["firstName"]),
        (&json!("New@Example.org"), &json!("+254"), &json!("Alice"))
    );
    log_in(server, "/login", "new@example.org").await;
    let old = json!({ "email": alice.email, "password": PASSWORD });
    Client::of(server).post("/login", old).await.refused(400, "Invalid password.");
    admin
        .patch(&path, json!({ "email": "BOB@example.org" }))
        .await
        .refused(400, "User email address is already registered.");
    for email in ["no address", "Alice <alice@example.org>"] {
        admin.patch(&path, json!({ "email": email })).await.refused(400, "Email is invalid.");
    }
    admin.patch(&path, json!({ "id": id })).await.refused(400, "The user ID cannot be changed.");
    for field in ["entities", "users"] {
        assert_eq!(admin.patch(&path, json!({ field: [] })).await.status, 400, "{field}");
    }
    for (id, message) in [("x", "Please enter valid user id."), ("00000000-0000-0000-0000-000000000000", NO_USER)] {
        let path = format!("/admin/users/{id}");
        admin.get(&path).await.refused(400, message);
        admin.patch(&path, json!({})).await.refused(400, message);
        admin.delete(&path).await.refused(400, message);
    }
    let administrator = admin.get("/admin/logs?category=admin").await.data()[0]["userID"].as_str().unwrap().to_owned();
    admin.delete(&format!("/admin/users/{administrator}")).await.refused(400, NO_USER);
    // Their password is changed at their own door.
    let password = json!({ "password": "Another-1-password" });
    admin.patch(&format!("/admin/users/{administrator}"), password).await.refused(400, NO_USER);
    for path in ["/admin/users", &path] {
        bob.client.get(path).await.refused(403, "Permission denied.");
    }
    bob.client.delete(&path).await.refused(403, "Permission denied.");
}

#[tokio::test]
async fn members_are_found_by_misspelt_names_on_sqlite() {
    members_are_found_by_misspelt_names(Engine::Sqlite).await;
}

#[tokio::test]
async fn members_are_found_by_misspelt_names_on_postgres() {
    members_are_found_by_misspelt_names(Engine::Postgres).await;
}

/// The name itself before what has it in it, and that before what may be meant; of equals the older.
async fn members_are_found_by_misspelt_names(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let Network { admin, alice, bob, .. } = &network;
    let (carol, dan) = (network.another("carol", "0", "0").await, network.another("dan", "0", "0").await);
    for (member, name) in [(alice, "Kamau"), (bob, "Wanjikũ-Kamau"), (&carol, "Wanjiku"), (&dan, "Otieno")] {
        member.client.patch("/user", json!({ "lastName": name })).await.data();
    }
    let found = async |query: &str| {
        let answer = admin.get(&format!("/admin/users?{query}")).await;
        let users = answer.data();
        let emails = users.as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned());
        (emails.collect::<Vec<_>>(), answer.meta().0)
    };
    let emails = |members: &[&Member]| members.iter().map(|member| member.email.clone()).collect::<Vec<_>>();
    for (sought, expected) in [
        ("WANJIKU", &[&carol, bob][..]),
        ("wanjuki", &[bob, &carol]),
        ("kamua", &[alice, bob]),
        ("kamau%20wanijku", &[bob]),
        ("otineo", &[&dan]),
        ("mau", &[alice, bob]),
        ("xx", &[]),
        ("kamua&email=bob@example.org", &[bob]),
    ] {
        let (found, total) = found(&format!("last_name={sought}")).await;
        assert_eq!((found, total), (emails(expected), u64::try_from(expected.len()).unwrap()), "{sought}");
    }
    assert_eq!(found("last_name=wanjiku&page_size=1&page=2").await, (emails(&[bob]), 2));
    // What is changed is found as it is now, and who is deleted is not.
    dan.client.patch("/user", json!({ "lastName": "Achieng" })).await.data();
    assert_eq!((found("last_name=otieno").await.1, found("last_name=acheing").await.0), (0, emails(&[&dan])));
    let id = dan.client.get("/user").await.data()["id"].as_str().unwrap().to_owned();
    assert_eq!(admin.delete(&format!("/admin/users/{id}")).await.status, 200);
    assert_eq!(found("last_name=achieng").await.1, 0);
}

#[tokio::test]
async fn who_is_deleted_leaves_nothing_dangling_on_sqlite() {
    who_is_deleted_leaves_nothing_dangling(Engine::Sqlite).await;
}

#[tokio::test]
async fn who_is_deleted_leaves_nothing_dangling_on_postgres() {
    who_is_deleted_leaves_nothing_dangling(Engine::Postgres).await;
}

async fn who_is_deleted_leaves_nothing_dangling(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let person = admin.get("/admin/users?email=alice@example.org").await.data()[0]["id"].as_str().unwrap().to_owned();
    let [user, entity] = [format!("/admin/users/{person}"), format!("/admin/entities/{}", alice.entity)];
    admin.post("/admin/transfers", immediate(alice, bob, "10", "x")).await.data();
    let waiting = [
        alice.proposed("out", bob, "1").await,
        bob.proposed("out", alice, "2").await,
        bob.proposed("in", alice, "3").await,
    ];
    bob.client
        .post(
            "/favorites",
            json!({ "addToEntityID": bob.entity, "favoriteEntityID": alice.entity, "isFavorite": true }),
        )
        .await;
    alice
        .client
        .patch(&format!("/user/entities/{}", alice.entity), json!({ "offers": ["bread"], "telephone": "+254" }))
        .await
        .data();
    assert_eq!(bob.client.get("/entities?offers=bread").await.meta().0, 1);

    // With a balance nothing happens at all.
    for path in [&user, &entity] {
        admin.delete(path).await.refused(400, "Cannot delete an entity with a non-zero balance.");
    }
    assert_eq!(alice.own().await["pendingTransfers"].as_array().unwrap().len(), 3);
    admin.post("/admin/transfers", immediate(bob, alice, "10", "back")).await.data();

    let gone = admin.delete(&user).await;
    assert_eq!((gone.status, gone.text.as_str()), (200, ""));
    nobody_finds_them(&network, &user, &entity).await;
    what_they_did_is_told(&network, &waiting).await;
    // The address is free again.
    let again =
        Client::of(server).post("/signup", json!({ "userEmail": alice.email, "password": PASSWORD })).await.data();
    assert_ne!(again["userID"], json!(person));
    let log = admin.get("/admin/logs?email=admin@example.org&action=deleted").await.data();
    let told: Vec<&Value> = log.as_array().unwrap().iter().map(|act| &act["action"]).collect();
    assert_eq!(told, ["admin deleted a user", "admin deleted an entity"]);
    network.prove().await;
}

async fn nobody_finds_them(network: &Network, user: &str, entity: &str) {
    let Network { server, admin, alice, bob, .. } = network;
    alice.client.get("/user").await.refused(401, "Could not authenticate you.");
    let login = json!({ "email": alice.email, "password": PASSWORD });
    Client::of(server).post("/login", login).await.refused(400, "Invalid password.");
    for (path, message) in [(user, NO_USER), (entity, NO_ENTITY)] {
        admin.get(path).await.refused(400, message);
        admin.delete(path).await.refused(400, message);
    }
    assert_eq!(admin.get("/admin/users").await.meta().0, 1);
    assert_eq!(admin.get("/admin/entities").await.meta().0, 1);
    bob.client.get(&format!("/entities/{}", alice.entity)).await.refused(400, NO_ENTITY);
    let favorites = format!("/entities?favorites_only=true&querying_entity_id={}", bob.entity);
    for query in ["/entities?offers=bread", "/entities?name=alice", &favorites] {
        assert_eq!(bob.client.get(query).await.meta().0, 0, "{query}");
    }
}

/// What waited is cancelled, with a reason; what was done is still told, with the name.
async fn what_they_did_is_told(network: &Network, waiting: &[String]) {
    let Network { alice, bob, .. } = network;
    let own = bob.own().await;
    assert_eq!(own["pendingTransfers"], json!([]));
    let all = bob.client.get(&format!("/transfers?status=all&querying_entity_id={}", bob.entity)).await.data();
    for transfer in all.as_array().unwrap() {
        assert_eq!(
            (&transfer["entityName"], &transfer["accountNumber"]),
            (&json!("alice"), &json!(alice.account)),
            "{transfer}"
        );
        if waiting.iter().any(|id| transfer["id"] == **id) {
            assert_eq!(transfer["cancellationReason"], "One side of this transfer has left, so it has been cancelled.");
        }
    }
    let refused = bob.propose("out", alice, "1").await;
    assert!(
        refused.status == 400 && refused.messages()[0].starts_with("Recipient is not a trading member."),
        "{refused:?}"
    );
    bob.client
        .post(
            "/favorites",
            json!({ "addToEntityID": bob.entity, "favoriteEntityID": alice.entity, "isFavorite": true }),
        )
        .await
        .refused(400, "favoriteEntityID is incorrect.");
}

#[tokio::test]
async fn deleting_meets_transfers_on_sqlite() {
    deleting_meets_transfers(Engine::Sqlite).await;
}

#[tokio::test]
async fn deleting_meets_transfers_on_postgres() {
    deleting_meets_transfers(Engine::Postgres).await;
}

/// While it is deleted, others propose to it and it to others: afterwards either it is there and has a balance, or it is gone and nothing waits.
async fn deleting_meets_transfers(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let mut tries = JoinSet::new();
    for number in 0..40 {
        let (alice, bob) = (alice.clone(), bob.clone());
        tries.spawn(async move {
            let (from, to) = if number % 2 == 0 { (&alice, &bob) } else { (&bob, &alice) };
            let proposed = from.propose(["out", "in"][number / 2 % 2], to, "1").await;
            if let (200, true) = (proposed.status, number % 5 == 0) {
                to.answer(proposed.data()["id"].as_str().unwrap(), "accept").await;
            }
        });
    }
    let path = format!("/admin/entities/{}", alice.entity);
    let mut deleted = admin.delete(&path).await;
    tries.join_all().await;
    if deleted.status == 503 {
        deleted = admin.delete(&path).await;
    }
    let pending = bob.own().await["pendingTransfers"].as_array().unwrap().len();
    match deleted.status {
        200 => assert_eq!((pending, bob.balance().await.as_str()), (0, "0")),
        _ => deleted.refused(400, "Cannot delete an entity with a non-zero balance."),
    }
    network.prove().await;
}
