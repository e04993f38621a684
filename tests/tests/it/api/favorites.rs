//! Favorites: whose they are, what may be one, and that they are found again.

use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network};
use serde_json::{Value, json};

const UNKNOWN: &str = "favoriteEntityID is incorrect.";

#[tokio::test]
async fn favorites_are_found_again_on_sqlite() {
    favorites_are_found_again(Engine::Sqlite).await;
}

#[tokio::test]
async fn favorites_are_found_again_on_postgres() {
    favorites_are_found_again(Engine::Postgres).await;
}

async fn favorites_are_found_again(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let Network { admin, alice, bob, .. } = &network;
    let carol = network.another("carol", "0", "0").await;
    let body = |favorite: &Member, key: &str, is: bool| json!({ "addToEntityID": alice.entity, "favoriteEntityID": favorite.entity, key: is });
    let only = format!("/entities?favorites_only=true&querying_entity_id={}", alice.entity);
    let favorites = async || {
        let data = alice.client.get(&only).await.data();
        let entities = data.as_array().unwrap().iter();
        entities
            .map(|entity| (entity["name"].as_str().unwrap().to_owned(), entity["isFavorite"] == true))
            .collect::<Vec<_>>()
    };
    let is = |name: &str| (name.to_owned(), true);
    assert_eq!(favorites().await, []);
    // By the document's name of the field, and by its reference's; twice is once, and the answer is empty.
    for (favorite, key) in [(&carol, "isFavorite"), (bob, "favorite"), (bob, "isFavorite")] {
        let answer = alice.client.post("/favorites", body(favorite, key, true)).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    }
    assert_eq!(favorites().await, [is("bob"), is("carol")]);
    assert_eq!(alice.client.get(&format!("{only}&name=car")).await.data()[0]["name"], "carol");
    assert_eq!(alice.client.get(&format!("{only}&page_size=1&page=2")).await.meta(), (2, 2));
    // Nobody else's, and nobody else is told.
    let of_bob = format!("/entities/{}?querying_entity_id={}", carol.entity, bob.entity);
    assert_eq!(bob.client.get(&of_bob).await.data()["isFavorite"], json!(false));
    assert_eq!(
        alice.client.get("/entities?name=bob").await.data()[0]["isFavorite"],
        json!(false),
        "who asks was not said"
    );
    bob.client.get(&only).await.refused(403, "Permission denied.");
    bob.client.post("/favorites", body(&carol, "isFavorite", true)).await.refused(403, "Permission denied.");
    Client::of(&network.server)
        .post("/favorites", body(&carol, "isFavorite", true))
        .await
        .refused(401, "Could not authenticate you.");
    admin.post("/favorites", body(&carol, "isFavorite", true)).await.refused(403, "Permission denied.");
    // A favorite that can no longer be found is not found here either, and can be taken away.
    bob.govern(admin, "rejected", "0", "0").await;
    assert_eq!(favorites().await, [is("carol")]);
    alice.client.post("/favorites", body(bob, "isFavorite", false)).await;
    bob.govern(admin, "accepted", "0", "0").await;
    assert_eq!(favorites().await, [is("carol")]);
    for _ in 0..2 {
        assert_eq!(alice.client.post("/favorites", body(&carol, "isFavorite", false)).await.status, 200);
    }
    assert_eq!(favorites().await, []);
    refusals(&network).await;
    assert_eq!(favorites().await, []);
}

async fn refusals(network: &Network) {
    let Network { server, alice, bob, .. } = network;
    let dave = Member::signed_up(server, "dave").await;
    let (entity, bob, dave) = (&*alice.entity, &*bob.entity, &*dave.entity);
    let unknown = uuid::Uuid::now_v7().to_string();
    for (add_to, favorite, is, message) in [
        (json!("x"), json!(bob), json!(true), "addToEntityID is incorrect."),
        (Value::Null, json!(bob), json!(true), "addToEntityID parameter is missing."),
        (json!(entity), json!("5e53e2e34b7e2bd4030e72ce"), json!(true), UNKNOWN),
        (json!(entity), Value::Null, json!(true), "favoriteEntityID parameter is missing."),
        (json!(entity), json!(bob), Value::Null, "isFavorite parameter is missing."),
        (json!(entity), json!(unknown), json!(true), UNKNOWN),
        (json!(entity), json!(unknown), json!(false), UNKNOWN),
        // Who cannot be found cannot be told by whether they can be a favorite.
        (json!(entity), json!(dave), json!(true), UNKNOWN),
        (json!(entity), json!(dave), json!(false), UNKNOWN),
    ] {
        let body = json!({ "addToEntityID": add_to, "favoriteEntityID": favorite, "isFavorite": is });
        alice.client.post("/favorites", body).await.refused(400, message);
    }
    let all = alice.client.post("/favorites", "{}").await;
    assert_eq!(all.messages().len(), 3, "everything that is wrong at once");
    for wrong in [
        json!({ "addToEntityID": 1 }),
        json!({ "addToEntityID": entity, "favoriteEntityID": [bob], "isFavorite": true }),
        json!({ "addToEntityID": entity, "favoriteEntityID": bob, "isFavorite": "true" }),
        json!({ "addToEntityID": entity, "favoriteEntityID": bob, "isFavourite": true }),
    ] {
        assert_eq!(alice.client.post("/favorites", wrong).await.status, 400);
    }
}
