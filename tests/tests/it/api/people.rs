//! Signing up, logging in and out, and one's own details.

use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::network::{administrator, log_in};
use hesabu_tests::server::{ADMINISTRATOR, Home, PASSWORD, Server};
use serde_json::{Value, json};

const NO_ADDRESSES: [&str; 8] = [
    "Jane <jane@x.org>",
    "x\r\ny <a@b.org>",
    "1 <a@b.org>",
    "<a@b.org>",
    "\"a b\"@b.org",
    "a@b.org\n",
    "a\u{200b}@b.org",
    "\u{202e}a@b.org",
];

#[tokio::test]
async fn people_come_and_go_on_sqlite() {
    people_come_and_go(Engine::Sqlite).await;
}

#[tokio::test]
async fn people_come_and_go_on_postgres() {
    people_come_and_go(Engine::Postgres).await;
}

async fn people_come_and_go(engine: Engine) {
    // Many are wrong here, and lock nobody out.
    let home = Home::on(engine).await.with("HESABU_FAILED_LOGINS_MAX", "0");
    let server = home.serve().await;
    let nobody = Client::of(&server);
    let signup = json!({ "userEmail": "test@gmail.com", "password": PASSWORD });
    let answer = nobody.post("/signup", &signup).await;
    assert_eq!(answer.header("cache-control"), "no-cache, must-revalidate, no-store");
    let data = answer.data();
    let fields: Vec<&String> = data.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["entityID", "token", "userID"]);
    let first = nobody.with_token(data["token"].as_str().unwrap());

    for email in ["test@gmail.com", "Test@Gmail.COM"] {
        let again = nobody.post("/signup", json!({ "userEmail": email, "password": PASSWORD })).await;
        again.refused(400, "User email address is already registered.");
    }

    let user = first.get("/user").await.data();
    let expected = json!({
        "id": data["userID"], "email": "test@gmail.com", "firstName": "", "lastName": "", "telephone": "",
        "lastLoginIP": "", "lastLoginDate": null,
    });
    assert_eq!(user, expected);

    sessions_end(&nobody, &first).await;
    change_details(&nobody, &data["userID"]).await;
    passwords_and_addresses(&nobody).await;
    home.create_administrator().await;
    a_password_is_changed(&server, &nobody).await;
}

/// The token it is done with stays good; those that somebody else may have do not.
async fn a_password_is_changed(server: &Server, nobody: &Client) {
    let login = |email: &str, password: &str, door: &str| {
        let (nobody, path) = (nobody.clone(), format!("{door}/login"));
        let body = json!({ "email": email, "password": password });
        async move { nobody.post(&path, body).await }
    };
    let other = "Mwananchi 2026!";
    for (email, door) in [("test@gmail.com", ""), (ADMINISTRATOR, "/admin")] {
        let mut clients = vec![];
        for _ in 0..2 {
            let data = login(email, PASSWORD, door).await.data();
            clients.push(nobody.with_token(data["token"].as_str().unwrap()));
        }
        let [here, elsewhere] = &*clients else { panic!("there are two") };
        let (change, probe) =
            (format!("{door}/password-change"), ["/user", "/admin/entities"][usize::from(!door.is_empty())]);
        here.post(&change, json!({})).await.refused(400, "password parameter is missing.");
        let empty = here.post(&change, json!({ "password": "" })).await;
        assert_eq!(empty.messages().len(), 4, "{empty:?}");
        here.post(&change, json!({ "password": "abcdefg1" }))
            .await
            .refused(400, "Password must have at least one special character.");
        let old = here.post(&change, json!({ "password": other, "old": PASSWORD })).await;
        assert!(old.status == 400 && old.messages()[0].contains("unknown field `old`"), "{old:?}");
        nobody.post(&change, json!({ "password": other })).await.refused(401, "Could not authenticate you.");
        elsewhere.get(probe).await;
        assert_eq!(login(email, PASSWORD, door).await.status, 200, "nothing has changed yet");

        // Whoever logs in meanwhile with the old one is not in afterwards.
        let mut meanwhile = tokio::task::JoinSet::new();
        for _ in 0..12 {
            meanwhile.spawn(login(email, PASSWORD, door));
        }
        let changed = here.post(&change, json!({ "password": other })).await;
        assert_eq!((changed.status, changed.text.as_str()), (200, ""));
        for answer in meanwhile.join_all().await.into_iter().filter(|answer| answer.status == 200) {
            let client = nobody.with_token(answer.data()["token"].as_str().unwrap());
            client.get(probe).await.refused(401, "Could not authenticate you.");
        }
        assert_eq!(here.get(probe).await.status, 200);
        elsewhere.get(probe).await.refused(401, "Could not authenticate you.");
        login(email, PASSWORD, door).await.refused(400, "Invalid password.");
        assert_eq!(login(email, other, door).await.status, 200);
    }
    // A member's door is not an administrator's, and neither is the other way round.
    let member = login("test@gmail.com", other, "").await.data();
    let member = Client::of(server).with_token(member["token"].as_str().unwrap());
    member.post("/admin/password-change", json!({ "password": PASSWORD })).await.refused(403, "Permission denied.");
}

/// Two logins, each a session of its own; a logout ends one of them at once.
async fn sessions_end(nobody: &Client, first: &Client) {
    let login = |email: &'static str| {
        let nobody = nobody.clone();
        async move { nobody.post("/login", json!({ "email": email, "password": PASSWORD })).await.data() }
    };
    let second = login("test@gmail.com").await;
    assert_eq!(second.as_object().unwrap().len(), 1, "the first login has no login before it: {second}");
    let third = login("TEST@gmail.com").await;
    assert_eq!(third["lastLoginIP"], "127.0.0.1");
    assert!(is_date(&third["lastLoginDate"]), "{third}");
    assert_ne!(second["token"], third["token"]);

    let second = nobody.with_token(second["token"].as_str().unwrap());
    let third = nobody.with_token(third["token"].as_str().unwrap());
    assert_eq!(second.get("/user").await.data()["lastLoginIP"], "127.0.0.1");
    let out = second.post("/logout", "").await;
    assert_eq!((out.status, out.text.as_str()), (200, ""));
    second.get("/user").await.refused(401, "Could not authenticate you.");
    second.post("/logout", "").await.refused(401, "Could not authenticate you.");
    assert_eq!(second.get("/user").await.header("www-authenticate"), "Bearer");
    for others in [first, &third] {
        others.get("/user").await.data();
    }
}

async fn change_details(nobody: &Client, id: &Value) {
    let login = nobody.post("/login", json!({ "email": "test@gmail.com", "password": PASSWORD })).await.data();
    let client = nobody.with_token(login["token"].as_str().unwrap());
    let change = json!({ "firstName": "Jane", "lastName": "Doe", "telephone": "+442010203040" });
    let changed = client.patch("/user", change).await.data();
    assert_eq!(
        (&changed["id"], &changed["email"], &changed["firstName"], &changed["lastName"], &changed["telephone"]),
        (id, &json!("test@gmail.com"), &json!("Jane"), &json!("Doe"), &json!("+442010203040"))
    );
    // What is not given stays, and a text can be emptied.
    let changed = client.patch("/user", json!({ "lastName": "" })).await.data();
    assert_eq!((&changed["firstName"], &changed["lastName"]), (&json!("Jane"), &json!("")));
    assert_eq!(client.get("/user").await.data(), changed);
    client.patch("/user", json!({ "id": "5eec78f4a880b7c235f66e80" })).await.refused(400, "Your ID cannot be changed.");
    let email = client.patch("/user", json!({ "email": "other@example.org", "firstName": "Joan" })).await;
    email.refused(400, "Your email address can only be changed by an administrator.");
    let long = client.patch("/user", json!({ "telephone": "1".repeat(26), "firstName": "x".repeat(101) })).await;
    assert_eq!(
        long.messages(),
        ["First name length cannot exceed 100 characters.", "Telephone length cannot exceed 25 characters."]
    );
    assert_eq!(client.get("/user").await.data(), changed);
}

async fn passwords_and_addresses(nobody: &Client) {
    let login = |email: &str, password: &str| json!({ "email": email, "password": password });
    for (email, password) in [("test@gmail.com", "Test321321$"), ("nobody@example.org", PASSWORD)] {
        nobody.post("/login", login(email, password)).await.refused(400, "Invalid password.");
    }
    nobody.post("/login", json!({ "password": PASSWORD })).await.refused(400, "email parameter is missing.");
    nobody.post("/login", json!({ "email": "test@gmail.com" })).await.refused(400, "password parameter is missing.");
    let empty = nobody.post("/login", login("", "")).await;
    assert_eq!(empty.messages(), ["Please specify an email address.", "Password is missing."]);

    let signup = |email: &str, password: &str| json!({ "userEmail": email, "password": password });
    nobody.post("/signup", json!({ "password": PASSWORD })).await.refused(400, "userEmail parameter is missing.");
    nobody.post("/signup", json!({ "userEmail": "a@b.org" })).await.refused(400, "password parameter is missing.");
    for email in ["", " ", "x", "@example.org", "a@", "a b@example.org", &format!("{}@example.org", "a".repeat(90))] {
        let answer = nobody.post("/signup", signup(email, PASSWORD)).await;
        assert_eq!((answer.status, answer.messages().len()), (400, 1), "{email:?} {answer:?}");
        assert!(answer.messages()[0].starts_with("Email "), "{answer:?}");
    }
    // An address and nothing beside it, of characters that are seen.
    for email in NO_ADDRESSES {
        nobody.post("/signup", signup(email, PASSWORD)).await.refused(400, "Email is invalid.");
        let entity = json!({ "userEmail": "a@b.org", "password": PASSWORD, "entityEmail": email });
        nobody.post("/signup", entity).await.refused(400, "Email is invalid.");
    }
    for email in ["o'neil+shop@sub.example.org", "zoë@bücher.example"] {
        nobody.post("/signup", signup(email, PASSWORD)).await.data();
    }
    let lacking = nobody.post("/signup", signup("a@b.org", "Ab1$")).await;
    lacking.refused(400, "Password must be at least 8 characters long.");
    let lacking = nobody.post("/signup", signup("a@b.org", &"a1$".repeat(34))).await;
    lacking.refused(400, "Password cannot exceed 100 characters.");
    let lacking = nobody.post("/signup", signup("a@b.org", "$$$$$$$$")).await;
    assert_eq!(
        lacking.messages(),
        ["Password must have at least one letter.", "Password must have at least one number."]
    );
    let lacking = nobody.post("/signup", signup("a@b.org", "abcdefg1")).await;
    lacking.refused(400, "Password must have at least one special character.");
    // None of those was stored.
    nobody.post("/login", login("a@b.org", "abcdefg1")).await.refused(400, "Invalid password.");
}

#[tokio::test]
async fn all_fields_of_signup_are_kept_on_sqlite() {
    all_fields_of_signup_are_kept(Engine::Sqlite).await;
}

#[tokio::test]
async fn all_fields_of_signup_are_kept_on_postgres() {
    all_fields_of_signup_are_kept(Engine::Postgres).await;
}

async fn all_fields_of_signup_are_kept(engine: Engine) {
    let home = Home::on(engine).await;
    let server = home.serve().await;
    let nobody = Client::of(&server);
    let body = json!({
        "userEmail": "Jane@Example.org", "password": "p".repeat(97) + "1$é", "firstName": "Jane", "lastName": "Doe",
        "userPhone": "+254700000001", "entityEmail": "shop@example.org", "entityName": "Hipster Brews",
        "incType": "ltd", "companyNumber": "12345678", "entityPhone": "+254700000002",
        "website": "https://example.org", "declaredTurnover": 250_000, "description": "Brews", "address": "1 Moi Avenue",
        "city": "Nairobi", "region": "Nairobi County", "postalCode": "00100", "country": "Kenya",
        "showTagsMatchedSinceLastLogin": true, "receiveDailyMatchNotificationEmail": true,
        "offers": ["Craft Beer", "24h"], "wants": ["Hops"],
    });
    let data = nobody.post("/signup", &body).await.data();
    let client = nobody.with_token(data["token"].as_str().unwrap());
    let user = client.get("/user").await.data();
    assert_eq!(user["email"], "Jane@Example.org");
    assert_eq!((&user["firstName"], &user["telephone"]), (&json!("Jane"), &json!("+254700000001")));
    let entities = client.get("/user/entities").await;
    assert_eq!(entities.json().as_object().unwrap().len(), 1, "no meta: {entities:?}");
    let entity = entities.data()[0].take();
    let account = entity["accountNumber"].as_str().unwrap();
    assert!(account.len() == 16 && account.bytes().all(|byte| byte.is_ascii_digit()), "{account}");
    let expected = json!({
        "id": data["entityID"], "accountNumber": account, "name": "Hipster Brews", "email": "shop@example.org",
        "telephone": "+254700000002", "incType": "ltd", "companyNumber": "12345678", "website": "https://example.org",
        "declaredTurnover": 250_000, "description": "Brews", "address": "1 Moi Avenue", "city": "Nairobi",
        "region": "Nairobi County", "postalCode": "00100", "country": "Kenya", "status": "pending",
        "showTagsMatchedSinceLastLogin": true, "receiveDailyMatchNotificationEmail": true,
        "offers": ["craft-beer", "24h"], "wants": ["hops"], "categories": [],
        "balance": 0, "maxPositiveBalance": 500, "maxNegativeBalance": 0, "pendingTransfers": [],
    });
    assert_eq!(entity, expected);
}

#[tokio::test]
async fn administrators_have_a_door_of_their_own_on_sqlite() {
    administrators_have_a_door_of_their_own(Engine::Sqlite).await;
}

#[tokio::test]
async fn administrators_have_a_door_of_their_own_on_postgres() {
    administrators_have_a_door_of_their_own(Engine::Postgres).await;
}

async fn administrators_have_a_door_of_their_own(engine: Engine) {
    let home = Home::on(engine).await;
    let server = home.serve().await;
    let admin = administrator(&home, &server).await;
    let again = home.run(&["admin", "create", "--email", "ADMIN@example.org"], PASSWORD).await;
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.log.contains("exists already"), "{again:?}");
    for email in ["Jane <jane@x.org>", "x", &format!("{}@example.org", "a".repeat(90))] {
        let none = home.run(&["admin", "create", "--email", email], PASSWORD).await;
        assert!(none.code == Some(1) && none.log.contains("is not an e-mail address"), "{none:?}");
    }
    let weak = home.run(&["admin", "create", "--email", "weak@example.org"], "short\n").await;
    assert_eq!(weak.code, Some(1), "{weak:?}");

    let nobody = Client::of(&server);
    let signup = json!({ "userEmail": "m@example.org", "password": PASSWORD });
    let signed_up = nobody.post("/signup", signup).await.data();
    let member = json!({ "email": "m@example.org", "password": PASSWORD });
    nobody.post("/admin/login", member).await.refused(400, "Invalid password.");
    // Neither leaves by the other's door, and their sessions stay.
    let member = nobody.with_token(signed_up["token"].as_str().unwrap());
    member.post("/admin/logout", "").await.refused(403, "Permission denied.");
    member.get("/user").await.data();
    admin.post("/logout", "").await.refused(403, "Permission denied.");

    admin.get("/admin/entities").await.data();
    let login = json!({ "email": ADMINISTRATOR, "password": PASSWORD });
    let login = nobody.post("/admin/login", login).await.data();
    assert!(is_date(&login["lastLoginDate"]) && login["lastLoginIP"] == "127.0.0.1", "{login}");
    let other = log_in(&server, "/admin/login", ADMINISTRATOR).await;
    assert_eq!(admin.post("/admin/logout", "").await.status, 200);
    admin.get("/admin/entities").await.refused(401, "Could not authenticate you.");
    other.get("/admin/entities").await.data();
}

/// RFC 3339, in UTC.
fn is_date(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() >= 20 && text.ends_with('Z') && &text[10..11] == "T")
}
