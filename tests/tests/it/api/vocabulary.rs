//! Tags and categories: listing and searching them, and what administrators change of them, everywhere at once.

use hesabu_tests::client::{Answer, Client};
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network};
use serde_json::{Value, json};

/// The names of a list, in its order.
fn names(answer: &Answer) -> Vec<String> {
    let data = answer.data();
    data.as_array().expect("a list").iter().map(|term| term["name"].as_str().expect("a name").to_owned()).collect()
}

/// Makes one by its door and gives its id.
async fn made(admin: &Client, door: &str, name: &str) -> String {
    let data = admin.post(door, json!({ "name": name })).await.data();
    assert_eq!(data.as_object().unwrap().len(), 2);
    data["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn categories_are_listed_on_sqlite() {
    categories_are_listed(Engine::Sqlite).await;
}

#[tokio::test]
async fn categories_are_listed_on_postgres() {
    categories_are_listed(Engine::Postgres).await;
}

/// The document's eight, and its examples.
async fn categories_are_listed(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let visitor = Client::of(&network.server);
    let none = visitor.get("/categories").await;
    assert_eq!((names(&none), none.meta()), (vec![], (0, 1)));
    let all = [
        "agriculture",
        "cafés",
        "cleaning-services",
        "professional-services",
        "restaurant",
        "restaurant-supplies",
        "sports-equipment",
        "transport",
    ];
    for name in all.iter().rev() {
        made(&network.admin, "/admin/categories", name).await;
    }
    for (query, expected) in [
        ("", &all[..]),
        ("prefix=c", &["cafés", "cleaning-services"]),
        ("fragment=sport", &["sports-equipment", "transport"]),
        ("prefix=T", &["transport"]),
        ("prefix=tr", &["transport"]),
        ("fragment=TR", &["transport"]),
        // Both hold, each for itself; the document's reference missed this one.
        ("prefix=t&fragment=tr", &["transport"]),
        ("prefix=s&fragment=equip", &["sports-equipment"]),
        ("prefix=s&fragment=agri", &[]),
        ("prefix=CAFE", &["cafés"]),
        ("fragment=AFE%CC%81s", &["cafés"]),
        ("prefix=restaurant-s", &["restaurant-supplies"]),
        ("prefix=restaurant%20s", &["restaurant-supplies"]),
        ("prefix=.", &[]),
        ("fragment=%25", &[]),
        ("fragment=(", &[]),
        ("prefix=%20", &all),
    ] {
        let found = visitor.get(&format!("/categories?{query}")).await;
        assert_eq!(
            (names(&found), found.meta().0),
            (expected.iter().map(|name| (*name).to_owned()).collect(), u64::try_from(expected.len()).unwrap()),
            "{query}"
        );
    }
    let second = visitor.get("/categories?page_size=3&page=2").await;
    assert_eq!((names(&second), second.meta()), (all[3..6].iter().map(|name| (*name).to_owned()).collect(), (8, 3)));
    assert_eq!(names(&visitor.get("/categories?page=9").await), Vec::<String>::new());
}

#[tokio::test]
async fn tags_are_found_on_sqlite() {
    tags_are_found(Engine::Sqlite).await;
}

#[tokio::test]
async fn tags_are_found_on_postgres() {
    tags_are_found(Engine::Postgres).await;
}

/// Fault 12 of the document's reference: the document says fuzzy, partial or exact.
async fn tags_are_found(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let visitor = Client::of(&network.server);
    let all = [
        "art-supplies",
        "catering",
        "computer-repair",
        "dog-sitting",
        "micro-brewed-beer",
        "organic-vegetables",
        "piano-tuning",
        "pizza",
        "van-rental",
        "well-being",
    ];
    for name in all.iter().rev() {
        made(&network.admin, "/admin/tags", name).await;
    }
    for (fragment, expected) in [
        ("be", &["micro-brewed-beer", "well-being"][..]),
        ("pizza", &["pizza"]),
        ("PIZA", &["pizza"]),
        ("vegetables", &["organic-vegetables"]),
        ("vegetalbes", &["organic-vegetables"]),
        ("organic veg", &["organic-vegetables"]),
        ("vegetables organic", &["organic-vegetables"]),
        ("p", &["piano-tuning", "pizza", "art-supplies", "computer-repair"]),
        ("er", &["catering", "computer-repair", "micro-brewed-beer"]),
        ("repiar computer", &["computer-repair"]),
        ("dog--sitting", &["dog-sitting"]),
        ("pi.zo", &[]),
        ("(", &[]),
        ("zz", &["pizza"]),
        ("xx", &[]),
        // Each word counts once, and there may be no more than ten.
        ("piano piano tuning", &["piano-tuning"]),
        ("pi pia pian piano t tu tun tuni tunin tuning", &["piano-tuning"]),
        ("pi pia pian piano t tu tun tuni tunin tuning i", &[]),
    ] {
        let found = visitor.get(&format!("/tags?fragment={}", fragment.replace(' ', "%20"))).await;
        let expected: Vec<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        let total = u64::try_from(expected.len()).unwrap();
        assert_eq!((names(&found), found.meta().0), (expected, total), "{fragment}");
    }
    assert_eq!(names(&visitor.get("/tags").await), all);
    assert_eq!(visitor.get("/tags").await.meta(), (10, 1));
    let second = visitor.get("/tags?page_size=4&page=2").await;
    assert_eq!((names(&second), second.meta()), (all[4..8].iter().map(|name| (*name).to_owned()).collect(), (10, 3)));
    let ranked = visitor.get("/tags?fragment=p&page_size=1&page=2").await;
    assert_eq!((names(&ranked), ranked.meta()), (vec!["pizza".to_owned()], (4, 4)));
}

#[tokio::test]
async fn a_tag_changes_everywhere_on_sqlite() {
    a_tag_changes_everywhere(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_tag_changes_everywhere_on_postgres() {
    a_tag_changes_everywhere(Engine::Postgres).await;
}

async fn a_tag_changes_everywhere(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let visitor = Client::of(server);
    let carol = Member::signed_up(server, "carol").await;
    let change = async |member: &Member, body: Value| {
        member.client.patch(&format!("/user/entities/{}", member.entity), body).await.data()
    };
    change(alice, json!({ "offers": ["Tree House", "bees"], "wants": ["tree house"] })).await;
    change(bob, json!({ "offers": ["the-changed-tag-2", "tree-house"] })).await;
    // Hers is not shown, as she cannot be found, and yet it changes with the others.
    change(&carol, json!({ "offers": ["tree-house", "the-changed-tag", "nests"] })).await;
    assert_eq!(names(&visitor.get("/tags").await), ["bees", "the-changed-tag-2", "tree-house"]);
    let id = visitor.get("/tags?fragment=tree").await.data()[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/tags/{id}");
    admin.patch(&path, json!({ "name": "BEES" })).await.refused(400, "Tag already exists.");
    assert_eq!(
        admin.patch(&path, json!({ "name": "tree-house" })).await.data(),
        json!({ "id": id, "name": "tree-house" })
    );

    let renamed = admin.patch(&path, json!({ "name": "   THE  Changed   TAG!  , and more" })).await.data();
    assert_eq!(renamed, json!({ "id": id, "name": "the-changed-tag" }));
    assert_eq!(names(&visitor.get("/tags").await), ["bees", "the-changed-tag", "the-changed-tag-2"]);
    assert_eq!(names(&visitor.get("/tags?fragment=tree").await), Vec::<String>::new());
    assert_eq!(names(&visitor.get("/tags?fragment=the%20chagned").await), ["the-changed-tag", "the-changed-tag-2"]);
    assert_eq!(
        (&alice.own().await["offers"], &alice.own().await["wants"]),
        (&json!(["the-changed-tag", "bees"]), &json!(["the-changed-tag"]))
    );
    assert_eq!(bob.own().await["offers"], json!(["the-changed-tag-2", "the-changed-tag"]));
    assert_eq!(carol.own().await["offers"], json!(["the-changed-tag", "nests"]), "nobody has the same twice");
    let found = async |query: &str| names(&visitor.get(&format!("/entities?{query}")).await);
    assert_eq!(found("offers=tree-house").await, Vec::<String>::new());
    assert_eq!(found("wants=changed").await, ["alice"]);

    assert_eq!(admin.delete(&path).await.data(), renamed);
    admin.delete(&path).await.refused(400, "Tag does not exist.");
    admin.patch(&path, json!({ "name": "x" })).await.refused(400, "Tag does not exist.");
    assert_eq!(found("wants=changed").await, Vec::<String>::new());
    assert_eq!((&alice.own().await["offers"], &alice.own().await["wants"]), (&json!(["bees"]), &json!([])));
    assert_eq!(carol.own().await["offers"], json!(["nests"]));
    // One that only she has is made, and is everybody's from now on; then it exists.
    made(admin, "/admin/tags", "Nests").await;
    admin.post("/admin/tags", json!({ "name": "nests!" })).await.refused(400, "Tag already exists.");
    assert_eq!(names(&visitor.get("/tags").await), ["bees", "nests", "the-changed-tag-2"]);
    // What was deleted can come back.
    change(alice, json!({ "offers": ["the changed tag"] })).await;
    assert_eq!(found("offers=the-changed-tag").await, ["alice", "bob"]);
}

#[tokio::test]
async fn a_category_changes_everywhere_on_sqlite() {
    a_category_changes_everywhere(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_category_changes_everywhere_on_postgres() {
    a_category_changes_everywhere(Engine::Postgres).await;
}

async fn a_category_changes_everywhere(engine: Engine) {
    let network = Network::on(engine, "0", "0").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let visitor = Client::of(server);
    let found = async |category: &str| names(&visitor.get(&format!("/entities?category={category}")).await);
    let cafes = made(admin, "/admin/categories", "Cafés").await;
    made(admin, "/admin/categories", "shops").await;
    admin.post("/admin/categories", json!({ "name": "cafes" })).await.refused(400, "Category already exists.");
    let put = async |member: &Member, names: Value| {
        admin.patch(&format!("/admin/entities/{}", member.entity), json!({ "categories": names })).await
    };
    assert_eq!(put(alice, json!(["cafes", "CAFÉS", "shops"])).await.data()["categories"], json!(["cafés", "shops"]));
    put(bob, json!(["shops"])).await.data();
    put(bob, json!(["shops", "boutiques"])).await.refused(400, "Category does not exist.");
    assert_eq!(
        (found("CAFES").await, found("shops").await),
        (vec!["alice".to_owned()], vec!["alice".to_owned(), "bob".to_owned()])
    );
    assert_eq!(found("shop").await, Vec::<String>::new(), "a category is named whole");
    assert_eq!(names(&visitor.get("/entities?category=shops&name=bob").await), ["bob"]);

    let path = format!("/admin/categories/{cafes}");
    admin.patch(&path, json!({ "name": "Shops" })).await.refused(400, "Category already exists.");
    assert_eq!(
        admin.patch(&path, json!({ "name": "Coffee Houses" })).await.data(),
        json!({ "id": cafes, "name": "coffee-houses" })
    );
    assert_eq!(alice.own().await["categories"], json!(["coffee-houses", "shops"]));
    assert_eq!((found("cafes").await, found("coffee-houses").await), (vec![], vec!["alice".to_owned()]));
    assert_eq!(admin.delete(&path).await.data()["name"], "coffee-houses");
    assert_eq!(alice.own().await["categories"], json!(["shops"]));
    assert_eq!(names(&visitor.get("/categories").await), ["shops"]);
    admin.delete(&path).await.refused(400, "Category does not exist.");
    admin.patch(&path, json!({ "name": "x" })).await.refused(400, "Category does not exist.");
    refusals(&network, "tags", "Tag", "tag").await;
    refusals(&network, "categories", "Category", "category").await;
}

/// Names that are none, ids that are none, and whoever is no administrator.
async fn refusals(network: &Network, door: &str, first: &str, within: &str) {
    let Network { server, admin, alice, .. } = network;
    let path = format!("/admin/{door}");
    let before = Client::of(server).get(&format!("/{door}")).await.data();
    for name in [json!(""), json!(" ! "), json!(",x"), json!("🍕"), json!("\u{202e}\u{200b}"), Value::Null] {
        admin.post(&path, json!({ "name": name })).await.refused(400, &format!("Please enter the {within} name."));
    }
    admin.post(&path, "{}").await.refused(400, &format!("Please enter the {within} name."));
    let long = json!({ "name": "é".repeat(51) });
    admin.post(&path, &long).await.refused(400, &format!("{first} length cannot exceed 50 characters."));
    for wrong in [json!({ "name": 1 }), json!({ "name": ["x"] }), json!({ "name": "x", "id": "x" }), json!([])] {
        assert_eq!(admin.post(&path, wrong).await.status, 400);
    }
    for id in ["x", "5ef1b5ccd35791b2dc384425", "%00", "%27%20or%201%3D1"] {
        let path = format!("{path}/{id}");
        admin.patch(&path, json!({ "name": "x" })).await.refused(400, &format!("Please enter valid {within} id."));
        admin.delete(&path).await.refused(400, &format!("Please enter valid {within} id."));
    }
    let unknown = format!("{path}/{}", uuid::Uuid::now_v7());
    for (client, status, message) in
        [(&alice.client, 403, "Permission denied."), (&Client::of(server), 401, "Could not authenticate you.")]
    {
        client.post(&path, json!({ "name": "x" })).await.refused(status, message);
        client.patch(&unknown, json!({ "name": "x" })).await.refused(status, message);
        client.delete(&unknown).await.refused(status, message);
    }
    assert_eq!(Client::of(server).get(&format!("/{door}")).await.data(), before);
}
