//! Entities: as their owner sees and changes them, and as an administrator does.

use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network, immediate};
use serde_json::{Value, json};

#[tokio::test]
async fn an_owner_changes_the_entity_on_sqlite() {
    an_owner_changes_the_entity(Engine::Sqlite).await;
}

#[tokio::test]
async fn an_owner_changes_the_entity_on_postgres() {
    an_owner_changes_the_entity(Engine::Postgres).await;
}

/// The document's example body of `PATCH /user/entities/{entityID}`.
fn example() -> Value {
    json!({
        "name": "Alice's Restaurant", "email": "alice@dev.null", "telephone": "+441010101010", "incType": "ltd",
        "companyNumber": "12345678", "website": "https://alice.example.org", "declaredTurnover": 100_000,
        "description": "Great food", "address": "1 High Street", "city": "London", "region": "London",
        "postalCode": "SW1A 1AA", "country": "UK", "showTagsMatchedSinceLastLogin": true,
        "receiveDailyMatchNotificationEmail": true, "offers": ["pizza", "pasta"], "wants": ["vegetables", "flour"],
    })
}

async fn an_owner_changes_the_entity(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { alice, .. } = &network;
    let path = format!("/user/entities/{}", alice.entity);
    let before = alice.own().await;
    let changed = alice.client.patch(&path, example()).await.data();
    let example = example();
    for (field, value) in example.as_object().unwrap() {
        assert_eq!(&changed[field], value, "{field}");
    }
    let fixed = ["id", "accountNumber", "status", "categories", "balance", "maxPositiveBalance", "pendingTransfers"];
    for field in fixed {
        assert_eq!(changed[field], before[field], "{field}");
    }
    assert_eq!(changed.as_object().unwrap().len(), example.as_object().unwrap().len() + 8);
    assert_eq!(alice.own().await, changed);
    assert_eq!(alice.client.get("/user").await.data()["email"], "alice@example.org", "the user's address is another");

    // Lists are replaced as a whole, an empty one empties, what is absent stays, and null forgets.
    let body = json!({ "offers": ["Chai"], "wants": [], "declaredTurnover": null, "website": "" });
    let changed = alice.client.patch(&path, body).await.data();
    assert_eq!((&changed["offers"], &changed["wants"]), (&json!(["chai"]), &json!([])));
    assert_eq!((&changed["declaredTurnover"], &changed["website"]), (&Value::Null, &json!("")));
    assert_eq!(changed["name"], "Alice's Restaurant");
    let changed = alice.client.patch(&path, "{}").await.data();
    assert_eq!(changed["offers"], json!(["chai"]));

    refused_fields(alice, &path).await;
    assert_eq!(alice.own().await, changed);
}

async fn refused_fields(alice: &Member, path: &str) {
    let refusals = [
        (json!({ "id": "x" }), "The entity ID cannot be changed."),
        (json!({ "accountNumber": "1" }), "The account number cannot be changed."),
        (json!({ "status": "tradingAccepted" }), "The status cannot be changed."),
        (json!({ "categories": ["x"] }), "The categories can only be changed by an administrator."),
        (json!({ "maxPositiveBalance": 1 }), "The balance limits can only be changed by an administrator."),
        (json!({ "maxNegativeBalance": 1 }), "The balance limits can only be changed by an administrator."),
        (json!({ "name": "x".repeat(101) }), "Entity name length cannot exceed 100 characters."),
        (json!({ "telephone": "1".repeat(26) }), "Telephone length cannot exceed 25 characters."),
        (json!({ "incType": "x".repeat(26) }), "Incorporation type length cannot exceed 25 characters."),
        (json!({ "companyNumber": "x".repeat(21) }), "Company number length cannot exceed 20 characters."),
        (json!({ "website": "x".repeat(101) }), "Website URL length cannot exceed 100 characters."),
        (json!({ "declaredTurnover": -1 }), "Declared turnover should be a positive number."),
        (json!({ "description": "x".repeat(501) }), "Description length cannot exceed 500 characters."),
        (json!({ "address": "x".repeat(256) }), "Address length cannot exceed 255 characters."),
        (json!({ "city": "x".repeat(51) }), "City length cannot exceed 50 characters."),
        (json!({ "region": "x".repeat(51) }), "Region length cannot exceed 50 characters."),
        (json!({ "postalCode": "x".repeat(11) }), "Postal code length cannot exceed 10 characters."),
        (json!({ "country": "x".repeat(51) }), "Country length cannot exceed 50 characters."),
        (json!({ "email": "no address" }), "Email is invalid."),
        (
            json!({ "offers": (0..11).map(|n| format!("tag {n}")).collect::<Vec<_>>() }),
            "You can only specify a maximum of 10 tags.",
        ),
        (json!({ "wants": ["x".repeat(51)] }), "Tag length cannot exceed 50 characters."),
    ];
    for (body, message) in refusals {
        alice.client.patch(path, &body).await.refused(400, message);
    }
    // As many characters as are allowed, each of several bytes.
    let body = json!({ "city": "ሀ".repeat(50), "offers": ["é".repeat(50)] });
    assert_eq!(alice.client.patch(path, &body).await.data()["city"], body["city"]);
    for email in ["Alice <alice@example.org>", "\"a b\"@example.org", "a\u{200b}@example.org"] {
        alice.client.patch(path, json!({ "email": email })).await.refused(400, "Email is invalid.");
    }
    alice.client.patch(path, json!({ "city": "London", "offers": ["chai"] })).await.data();
}

#[tokio::test]
async fn an_administrator_governs_entities_on_sqlite() {
    an_administrator_governs_entities(Engine::Sqlite).await;
}

#[tokio::test]
async fn an_administrator_governs_entities_on_postgres() {
    an_administrator_governs_entities(Engine::Postgres).await;
}

async fn an_administrator_governs_entities(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { server, admin, alice, bob, .. } = &network;
    let carol = Member::signed_up(server, "carol").await;
    let path = format!("/admin/entities/{}", carol.entity);
    let read = admin.get(&path).await.data();
    let mut owned = carol.own().await;
    owned["memberStartedAt"] = Value::Null;
    owned["users"] = json!([carol.client.get("/user").await.data()]);
    assert_eq!(read, owned, "the owner's view, and two fields more");
    what_waits_is_shown(&network).await;
    let all = admin.get("/admin/entities").await;
    assert_eq!(all.meta(), (3, 1));
    assert_eq!(all.data()[0].get("pendingTransfers"), None, "not in lists");
    let ids = |data: &Value| -> Vec<String> {
        data.as_array().unwrap().iter().map(|entity| entity["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&all.data()), [&*alice.entity, &*bob.entity, &*carol.entity], "oldest first");
    for (query, expected) in [
        ("status=pending", vec![&carol]),
        ("status=tradingAccepted", vec![&alice, &bob]),
        ("name=ALI", vec![&alice]),
        ("name=%C3%A4L%C3%AF", vec![&alice]),
        ("email=Bob@Example.org", vec![&bob]),
        ("name=%25", vec![]),
        ("city=london", vec![]),
        ("page=2&page_size=2", vec![&carol]),
    ] {
        let found = ids(&admin.get(&format!("/admin/entities?{query}")).await.data());
        assert_eq!(found, expected.iter().map(|member| member.entity.clone()).collect::<Vec<_>>(), "{query}");
    }
    let by_number = admin.get(&format!("/admin/entities?account_number={}", bob.account)).await;
    assert_eq!((ids(&by_number.data()), by_number.meta()), (vec![bob.entity.clone()], (1, 1)));
    assert_eq!(admin.get("/admin/entities?page_size=2").await.meta(), (3, 2));

    let body =
        r#"{"status":"tradingAccepted","maxPositiveBalance":1000.50,"maxNegativeBalance":20,"categories":["CAFES"]}"#;
    admin.patch(&path, body).await.refused(400, "Category does not exist.");
    assert_eq!(admin.get(&path).await.data(), read, "and nothing else of it happened");
    admin.post("/admin/categories", json!({ "name": "Cafés" })).await.data();
    let answer = admin.patch(&path, body).await;
    assert_eq!(answer.number("/data/maxPositiveBalance"), "1000.5");
    assert_eq!(answer.number("/data/maxNegativeBalance"), "20");
    let governed = answer.data();
    assert_eq!((&governed["status"], &governed["categories"]), (&json!("tradingAccepted"), &json!(["cafés"])));
    let since = governed["memberStartedAt"].as_str().unwrap().to_owned();
    // Leaving and coming back does not change since when; one limit alone leaves the other.
    admin.patch(&path, json!({ "status": "tradingRejected" })).await.data();
    let back = admin.patch(&path, json!({ "status": "tradingAccepted", "maxNegativeBalance": 30 })).await.data();
    assert_eq!((&back["memberStartedAt"], &back["maxNegativeBalance"]), (&json!(since), &json!(30)));
    assert_eq!(back["maxPositiveBalance"], json!(1000.5));
    refusals(&network, &carol).await;
    assert_eq!(admin.get(&path).await.data(), back);
    // Of offers and wants there may be ten; of categories as many as administrators make.
    let many: Vec<String> = (0..11).map(|number| format!("category-{number}")).collect();
    for name in &many {
        admin.post("/admin/categories", json!({ "name": name })).await.data();
    }
    assert_eq!(admin.patch(&path, json!({ "categories": many })).await.data()["categories"], json!(many));
    network.prove().await;
}

/// What waits has no side for administrators: it is shown as they see transfers.
async fn what_waits_is_shown(Network { admin, alice, bob, .. }: &Network) {
    let waits = [alice.proposed("out", bob, "1").await, bob.proposed("out", alice, "2").await];
    let shown = admin.get(&format!("/admin/entities/{}", alice.entity)).await.data();
    for (place, id) in waits.iter().enumerate() {
        let transfer = admin.get(&format!("/admin/transfers/{id}")).await.data();
        assert_eq!(shown["pendingTransfers"][place], transfer);
        let sides = (&transfer["fromAccountNumber"], &transfer["toAccountNumber"]);
        let [from, to] = if place == 0 { [alice, bob] } else { [bob, alice] };
        assert_eq!(sides, (&json!(from.account), &json!(to.account)));
        from.answer(id, "cancel").await.data();
    }
}

/// Refused as a whole: what is good in a body does not happen either.
async fn refusals(network: &Network, carol: &Member) {
    let path = format!("/admin/entities/{}", carol.entity);
    for (field, message) in [
        (r#""status":"trading""#, "Please specify a valid status."),
        (r#""maxPositiveBalance":-1"#, "The max positive balance should be positive."),
        (r#""maxNegativeBalance":-0.01"#, "The max negative balance should be positive."),
        (r#""maxNegativeBalance":1e2"#, "The max negative balance should be positive."),
        (r#""maxNegativeBalance":"20""#, "The max negative balance should be positive."),
        (r#""maxPositiveBalance":1.005"#, "The max positive balance should be positive."),
        (r#""id":"x""#, "The entity ID cannot be changed."),
        (r#""accountNumber":"1""#, "The account number cannot be changed."),
    ] {
        let answer = network.admin.patch(&path, format!(r#"{{"name":"Refused",{field}}}"#)).await;
        answer.refused(400, message);
    }
}

#[tokio::test]
async fn accounts_decide_who_is_listed_on_sqlite() {
    accounts_decide_who_is_listed(Engine::Sqlite).await;
}

#[tokio::test]
async fn accounts_decide_who_is_listed_on_postgres() {
    accounts_decide_who_is_listed(Engine::Postgres).await;
}

/// By balance and limits as they are now, and not as rows have them that are written behind.
async fn accounts_decide_who_is_listed(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, .. } = &network;
    let carol = network.another("carol", "0", "1000").await;
    admin.post("/admin/transfers", immediate(alice, bob, "12.50", "x")).await.data();
    for (query, expected) in [
        ("balance=12.5", &[bob][..]),
        ("balance=12.51", &[]),
        ("balance=0", &[bob, &carol]),
        ("balance=-12.50", &[alice, bob, &carol]),
        ("max_pos_bal=501", &[&carol]),
        ("max_neg_bal=100", &[alice, bob]),
        ("max_neg_bal=100&balance=0", &[bob]),
        ("max_neg_bal=0&name=carol", &[&carol]),
        ("max_pos_bal=0&status=pending", &[]),
    ] {
        let found = admin.get(&format!("/admin/entities?{query}")).await;
        let data = found.data();
        let ids: Vec<&str> = data.as_array().unwrap().iter().map(|entity| entity["id"].as_str().unwrap()).collect();
        let expected: Vec<&str> = expected.iter().map(|member| &*member.entity).collect();
        assert_eq!((ids, found.meta().0), (expected.clone(), u64::try_from(expected.len()).unwrap()), "{query}");
    }
    let second = admin.get("/admin/entities?balance=-100&page=2&page_size=2").await;
    assert_eq!((second.meta(), &second.data()[0]["id"]), ((3, 2), &serde_json::json!(carol.entity)));
}

/// Entities beside the members: more than are looked at together.
const MANY: i64 = 1_100;

#[tokio::test]
async fn many_accounts_decide_who_is_listed_on_sqlite() {
    many_accounts_decide_who_is_listed(Engine::Sqlite).await;
}

#[tokio::test]
async fn many_accounts_decide_who_is_listed_on_postgres() {
    many_accounts_decide_who_is_listed(Engine::Postgres).await;
}

/// Entity number n has a balance of n, but for those that the server has in memory.
async fn many_accounts_decide_who_is_listed(engine: Engine) {
    let mut network = Network::on(engine, "100", "5000").await;
    let bob = uuid::Uuid::parse_str(&network.bob.entity).unwrap().as_u128();
    let db = network.home.database.open().await;
    let mut tx = db.begin().await.unwrap();
    let mut ids = vec![];
    for number in 1..=MANY {
        let (entity, account) = (hesabu::mint_id(), hesabu::mint_id());
        let sql = "insert into entity (entity_id, account_id, account_number, person_id, ledger_id, status, name, email, telephone, inc_type,
                     company_number, website, description, address, city, region, postal_code, country, show_tags_matched,
                     daily_match_email, created_at, name_key)
                   select $1, $2, $3, person_id, ledger_id, status, name, email, telephone, inc_type,
                     company_number, website, description, address, city, region, postal_code, country, show_tags_matched,
                     daily_match_email, created_at, name_key from entity where entity_id = $4";
        tx.execute(sql, vec![entity.into(), account.into(), format!("{number:016}").into(), bob.into()]).await.unwrap();
        let sql = "insert into account (ledger_id, account_id, balance, held_out, held_in, floor, ceiling, status, windows, as_of,
                     last_position, entries, begun, posted, ended, spine)
                   select a.ledger_id, $1, $2, 0, 0, floor, ceiling, a.status, windows, as_of, 0, 0, 0, 0, 0, spine
                   from account a join entity e on e.account_id = a.account_id where e.entity_id = $3";
        tx.execute(sql, vec![account.into(), (number * 100).into(), bob.into()]).await.unwrap();
        ids.push(hesabu::id_text(entity));
    }
    tx.commit().await.unwrap();
    db.close().await;
    let told = async |network: &Network, query: &str| {
        let answer = network.admin.get(&format!("/admin/entities?{query}")).await;
        let data = answer.data();
        let ids = data.as_array().unwrap().iter().map(|entity| entity["id"].as_str().unwrap().to_owned());
        let balances = data.as_array().unwrap().iter().map(|entity| entity["balance"].to_string());
        (ids.collect::<Vec<_>>(), balances.collect::<Vec<_>>(), answer.meta().0)
    };
    for turn in 0..2 {
        for (least, page) in [(1, 1), (400, 3), (700, 4), (MANY - 99, 1), (MANY, 1)] {
            let expected = (least..=MANY).skip(100 * (page - 1)).take(100);
            let expected: Vec<usize> = expected.map(|number| usize::try_from(number).unwrap()).collect();
            let (found, balances, total) = told(&network, &format!("balance={least}&page_size=100&page={page}")).await;
            assert_eq!(
                found,
                expected.iter().map(|number| ids[number - 1].clone()).collect::<Vec<_>>(),
                "{least} {turn}"
            );
            assert_eq!(balances, expected.iter().map(usize::to_string).collect::<Vec<_>>(), "{least} {turn}");
            assert_eq!(total, u64::try_from(MANY - least + 1).unwrap());
        }
        assert_eq!(told(&network, "max_pos_bal=4999&page_size=1").await.2, u64::try_from(MANY + 2).unwrap());
        assert_eq!(told(&network, "balance=1101").await.2, 0);
        // A host that has just begun has nothing in memory.
        network.server.kill();
        network.restart().await;
    }
    let Network { admin, alice, bob, .. } = &network;
    // Of some, the server has what is not in their rows yet.
    admin.post("/admin/transfers", immediate(alice, bob, "50", "")).await.data();
    let (found, _, total) = told(&network, "balance=50&page_size=1").await;
    assert_eq!((&found[0], total), (&bob.entity, u64::try_from(MANY - 49 + 1).unwrap()));
    let owned = admin.get("/admin/users?email=bob@example.org").await.data();
    assert_eq!(owned[0]["entities"].as_array().unwrap().len(), usize::try_from(MANY + 1).unwrap());
}
