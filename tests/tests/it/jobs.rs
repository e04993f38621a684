//! What is done without being asked: the daily digest, the hourly look at the books, and clearing away. Instead of waiting for a day, a test
//! says that the time has come.

use hesabu::store::Db;
use hesabu::system_clock;
use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::mailbox::{Mailbox, Received, Security};
use hesabu_tests::network::{Member, Network, administrator};
use hesabu_tests::server::{ADMINISTRATOR, Home, PASSWORD, Server};
use serde_json::json;
use std::time::{Duration, Instant};

const SUBJECT: &str = "New matches for your offers and wants";

/// More than a minute, at the pace of a test.
const SETTLED: Duration = Duration::from_millis(3_500);

/// Makes a job due, and waits until it was done.
async fn due(db: &Db, job: &'static str) {
    let now = system_clock().0;
    let started = Instant::now();
    let sql = "update job set next_at = $2, leased_until = null where name = $1";
    while db.execute(sql, vec![job.into(), now.into()]).await.unwrap() == 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "there is no job {job}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    loop {
        let next = db.fetch_all("select next_at from job where name = $1", vec![job.into()]).await.unwrap();
        if next[0].int("next_at").unwrap() > now {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{job} is not done");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until everything in the outbox was sent.
async fn empty(db: &Db) {
    let started = Instant::now();
    while count(db, "select count(*) as n from mail where failed_at is null").await > 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "the outbox does not get empty");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn count(db: &Db, sql: &'static str) -> i64 {
    db.fetch_all(sql, vec![]).await.unwrap()[0].int("n").unwrap()
}

/// Somebody with tags.
async fn trader(server: &Server, admin: &Client, name: &str, tags: [&[&str]; 2], mail: bool, status: &str) -> Member {
    let body = json!({
        "userEmail": format!("{name}@example.org"), "password": PASSWORD, "entityName": name,
        "offers": tags[0], "wants": tags[1], "receiveDailyMatchNotificationEmail": mail,
    });
    let data = Client::of(server).post("/signup", body).await.data();
    let client = Client::of(server).with_token(data["token"].as_str().unwrap());
    let member = Member {
        client,
        email: format!("{name}@example.org"),
        entity: data["entityID"].as_str().unwrap().into(),
        account: String::new(),
    };
    member.govern(admin, status, "0", "500").await;
    member
}

/// Who got a digest, and what it lists.
async fn digests(mailbox: &Mailbox, db: &Db, known: usize) -> Vec<(String, Vec<String>)> {
    empty(db).await;
    let is_digest = |mail: &&Received| mail.header("Subject") == SUBJECT;
    let mails: Vec<Received> = mailbox.received().iter().filter(is_digest).skip(known).cloned().collect();
    let items = |mail: &Received| {
        let text = mail.letter().text;
        let items = text
            .lines()
            .filter_map(|line| line.strip_prefix("- ").map(|item| item.split(" (").next().unwrap().to_owned()));
        items.collect::<Vec<String>>()
    };
    let mut digests: Vec<_> = mails.iter().map(|mail| sorted((mail.to.clone(), items(mail)))).collect();
    digests.sort();
    digests
}

fn to(name: &str, items: &[&str]) -> (String, Vec<String>) {
    sorted((format!("{name}@example.org"), items.iter().map(|item| (*item).to_owned()).collect()))
}

#[tokio::test]
async fn members_are_told_what_matches_on_sqlite() {
    members_are_told_what_matches(Engine::Sqlite).await;
}

#[tokio::test]
async fn members_are_told_what_matches_on_postgres() {
    members_are_told_what_matches(Engine::Postgres).await;
}

async fn members_are_told_what_matches(engine: Engine) {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(engine).await;
    let server = home.serve().await;
    let admin = administrator(&home, &server).await;
    let db = home.database.open().await;
    // Ann has a tag of both kinds: her own never match.
    let ann = trader(&server, &admin, "ann", [&["bread", "milk"], &["milk", "wood"]], true, "accepted").await;
    let ben = trader(&server, &admin, "ben", [&["wood"], &["bread"]], true, "tradingAccepted").await;
    trader(&server, &admin, "cat", [&["wood"], &[]], false, "tradingPending").await;
    trader(&server, &admin, "dan", [&["wood"], &["bread"]], true, "pending").await;
    trader(&server, &admin, "eva", [&["rope"], &["rope"]], true, "tradingRejected").await;
    tokio::time::sleep(SETTLED).await;
    due(&db, "daily-digest").await;
    let first = digests(&mailbox, &db, 0).await;
    assert_eq!(first, [to("ann", &["wood: cat", "wood: ben", "bread: ben"]), to("ben", &["wood: ann", "bread: ann"])]);

    // Nothing is told twice, and not what was taken back before it was told.
    due(&db, "daily-digest").await;
    assert_eq!(digests(&mailbox, &db, 2).await, []);
    patch(&ben, json!({ "offers": ["wood", "rope"], "wants": ["milk"] })).await;
    patch(&ben, json!({ "wants": ["bread"] })).await;
    patch(&ann, json!({ "wants": ["wood", "rope"] })).await;
    tokio::time::sleep(SETTLED).await;
    due(&db, "daily-digest").await;
    let third = digests(&mailbox, &db, 2).await;
    let bread_again = to("ann", &["rope: ben", "bread: ben"]);
    assert_eq!(third, [bread_again, to("ben", &["rope: ann"]), to("eva", &["rope: ann", "rope: ben"])]);
    db.close().await;
    server.stop();
}

async fn patch(member: &Member, body: serde_json::Value) {
    member.client.patch(&format!("/user/entities/{}", member.entity), body).await.data();
}

fn sorted((to, mut items): (String, Vec<String>)) -> (String, Vec<String>) {
    items.sort();
    (to, items)
}

#[tokio::test]
async fn a_digest_is_made_once_by_several_hosts_and_after_a_crash() {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(Engine::Postgres).await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut server = home.serve().await;
    let others = [home.serve_beside(folders[0].path()).await, home.serve_beside(folders[1].path()).await];
    let admin = administrator(&home, &server).await;
    let db = home.database.open().await;
    let mut pairs = vec![];
    for place in 0..6 {
        let tag = format!("tag-{}", place / 2);
        let tags: [&[&str]; 2] = if place % 2 == 0 { [&[&tag], &[]] } else { [&[], &[&tag]] };
        pairs.push(trader(&server, &admin, &format!("member{place}"), tags, true, "accepted").await);
    }
    tokio::time::sleep(SETTLED).await;
    due(&db, "daily-digest").await;
    assert_eq!(digests(&mailbox, &db, 0).await.len(), 6);

    // It has queued everything, and ends before it says that it is done: whoever takes it up again has nothing to tell.
    let told = count(&db, "select max(told_until) as n from digest").await;
    patch(&pairs[0], json!({ "offers": ["tag-0", "tag-1"] })).await;
    tokio::time::sleep(SETTLED).await;
    server.kill();
    for server in others {
        server.stop();
    }
    let planned = told + 3_000_000;
    let sql = "update job set next_at = $1, leased_until = $2, host = null where name = 'daily-digest'";
    db.execute(sql, vec![planned.into(), (system_clock().0 + 1_000_000).into()]).await.unwrap();
    let server = home.serve().await;
    let started = Instant::now();
    while count(&db, "select next_at as n from job where name = 'daily-digest'").await == planned {
        assert!(started.elapsed() < Duration::from_secs(30), "nobody takes it up again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(started.elapsed() > Duration::from_millis(500), "another host was still at it");
    assert_eq!(digests(&mailbox, &db, 6).await, []);
    assert_eq!(count(&db, "select max(told_until) as n from digest").await, told);
    // What has come meanwhile is told the next time.
    due(&db, "daily-digest").await;
    assert_eq!(digests(&mailbox, &db, 6).await, [to("member3", &["tag-1: member0"])]);
    db.close().await;
    server.stop();
}

#[tokio::test]
async fn administrators_are_told_once_a_day_that_the_books_are_wrong_on_sqlite() {
    administrators_are_told_once_a_day_that_the_books_are_wrong(Engine::Sqlite).await;
}

#[tokio::test]
async fn administrators_are_told_once_a_day_that_the_books_are_wrong_on_postgres() {
    administrators_are_told_once_a_day_that_the_books_are_wrong(Engine::Postgres).await;
}

async fn administrators_are_told_once_a_day_that_the_books_are_wrong(engine: Engine) {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let network = Network::at(mailbox.home(engine).await, "100", "100").await;
    let db = network.home.database.open().await;
    let told = |mail: &Received| mail.header("Subject") == "The books of KES-MC are out of balance";
    due(&db, "books").await;
    empty(&db).await;
    assert!(!mailbox.received().iter().any(told), "they are not");

    db.execute("update account set balance = balance + 7", vec![]).await.unwrap();
    due(&db, "books").await;
    let mail = mailbox.wait(told, 1).await.remove(0);
    assert_eq!(mail.to, ADMINISTRATOR);
    assert!(mail.letter().text.contains("- the balances of the ledger sum to zero: 1\n"), "{:?}", mail.letter());
    due(&db, "books").await;
    empty(&db).await;
    assert_eq!(mailbox.wait(told, 1).await.len(), 1, "once a day");
    db.execute("update job set alarmed_at = alarmed_at - 86400000000", vec![]).await.unwrap();
    due(&db, "books").await;
    assert_eq!(mailbox.wait(told, 2).await.len(), 2, "and again the next");
    db.close().await;
}

#[tokio::test]
async fn what_is_of_no_use_any_more_goes_on_sqlite() {
    what_is_of_no_use_any_more_goes(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_is_of_no_use_any_more_goes_on_postgres() {
    what_is_of_no_use_any_more_goes(Engine::Postgres).await;
}

async fn what_is_of_no_use_any_more_goes(engine: Engine) {
    let home = Home::on(engine).await.with("HESABU_PACE", "50").with("HESABU_DIGEST_AT", "12:34");
    let server = home.serve().await;
    let members = [Member::signed_up(&server, "alice").await, Member::signed_up(&server, "bob").await];
    let db = home.database.open().await;
    // Nobody is there to be told of signups: mails that failed, one of them long ago.
    let started = Instant::now();
    while count(&db, "select count(*) as n from mail where failed_at is not null").await < 2 {
        assert!(started.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let days = |count: i64| vec![(system_clock().0 - count * 86_400_000_000).into()];
    for (sql, ago) in [
        ("update mail set failed_at = $1", 29),
        ("update mail set failed_at = $1 where mail_id = (select mail_id from mail order by mail_id limit 1)", 31),
        (
            "update session set expires_at = $1 where session_id = (select session_id from session order by session_id limit 1)",
            2,
        ),
    ] {
        db.execute(sql, days(ago)).await.unwrap();
    }
    // Tags that nobody could find, some of which nobody has any more.
    let own = format!("/user/entities/{}", members[1].entity);
    for offers in [json!(["held", "dropped", "let go"]), json!(["held"])] {
        members[1].client.patch(&own, json!({ "offers": offers })).await.data();
    }
    let tags = "select count(*) as n from tag";
    assert_eq!(count(&db, tags).await, 3);
    due(&db, "cleaning").await;
    assert_eq!(count(&db, tags).await, 1);
    assert_eq!(count(&db, "select count(*) as n from tag_search").await, 1);
    assert_eq!(count(&db, "select count(*) as n from tag where name = 'held'").await, 1);
    assert_eq!(count(&db, "select count(*) as n from mail").await, 1);
    assert_eq!(count(&db, "select count(*) as n from session").await, 1);
    members[0].client.get("/user").await.refused(401, "Could not authenticate you.");
    members[1].client.get("/user").await.data();

    // Another time of day counts from the next start on, and an old one does not come back.
    let at = "select (next_at / 60000000) % 1440 as n from job where name = 'daily-digest'";
    assert_eq!(count(&db, at).await, 12 * 60 + 34);
    server.stop();
    let home = home.with("HESABU_DIGEST_AT", "00:05");
    let server = home.serve().await;
    let started = Instant::now();
    while count(&db, at).await != 5 {
        assert!(started.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    db.close().await;
    server.stop();
}

#[tokio::test]
async fn a_digest_reaches_everybody_and_lists_what_can_be_read_on_sqlite() {
    a_digest_reaches_everybody_and_lists_what_can_be_read(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_digest_reaches_everybody_and_lists_what_can_be_read_on_postgres() {
    a_digest_reaches_everybody_and_lists_what_can_be_read(Engine::Postgres).await;
}

/// More members than one transaction takes, and one of them to whom all others are a match.
async fn a_digest_reaches_everybody_and_lists_what_can_be_read(engine: Engine) {
    const MANY: usize = 450;
    let mailbox = Mailbox::open(Security::Plain).await;
    let home = mailbox.home(engine).await;
    let server = home.serve().await;
    let admin = administrator(&home, &server).await;
    let db = home.database.open().await;
    let shop = trader(&server, &admin, "shop", [&["all"], &["all"]], true, "accepted").await;
    let shop = uuid::Uuid::parse_str(&shop.entity).unwrap().as_u128();
    let mut tx = db.begin().await.unwrap();
    for place in 0..MANY {
        let (entity, account, number) = (hesabu::mint_id(), hesabu::mint_id(), format!("{place:016}"));
        let sql = "insert into entity (entity_id, account_id, account_number, person_id, ledger_id, status, name, email, telephone, inc_type,
                     company_number, website, description, address, city, region, postal_code, country, show_tags_matched,
                     daily_match_email, created_at)
                   select $1, $2, $3, person_id, ledger_id, status, $4, $5, telephone, inc_type,
                     company_number, website, description, address, city, region, postal_code, country, show_tags_matched,
                     daily_match_email, created_at
                   from entity where entity_id = $6";
        let (name, email) = (format!("member {place}"), format!("member{place}@example.org"));
        let values = vec![entity.into(), account.into(), number.into(), name.into(), email.into(), shop.into()];
        tx.execute(sql, values).await.unwrap();
        let sql = "insert into entity_tag (entity_id, kind, place, name, added_at, listed) values ($1, 'want', 0, 'all', $2, true)";
        // The last are the newest.
        let added_at = system_clock().0 - 60_000_000 + i64::try_from(place).unwrap();
        tx.execute(sql, vec![entity.into(), added_at.into()]).await.unwrap();
    }
    tx.commit().await.unwrap();
    tokio::time::sleep(SETTLED).await;
    due(&db, "daily-digest").await;
    let digests = digests(&mailbox, &db, 0).await;
    assert_eq!(digests.len(), MANY + 1);
    assert_eq!(count(&db, "select count(*) as n from digest").await, 451);
    for (reader, items) in &digests {
        if reader == "shop@example.org" {
            let newest: Vec<String> = (MANY - 50..MANY).map(|place| format!("all: member {place}")).collect();
            assert_eq!(items, &newest);
        } else {
            assert_eq!(items, &["all: shop"], "{reader}");
        }
    }
    db.close().await;
    server.stop();
}

#[tokio::test]
async fn a_clock_that_was_ahead_is_forgotten_on_sqlite() {
    a_clock_that_was_ahead_is_forgotten(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_clock_that_was_ahead_is_forgotten_on_postgres() {
    a_clock_that_was_ahead_is_forgotten(Engine::Postgres).await;
}

/// It was a year ahead when jobs were done, and when one was taken by a host that was killed.
async fn a_clock_that_was_ahead_is_forgotten(engine: Engine) {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(engine).await;
    let server = home.serve().await;
    let admin = administrator(&home, &server).await;
    let db = home.database.open().await;
    let mut ann = trader(&server, &admin, "ann", [&["bread"], &[]], true, "accepted").await;
    trader(&server, &admin, "ben", [&[], &["bread", "milk"]], true, "accepted").await;
    tokio::time::sleep(SETTLED).await;
    due(&db, "daily-digest").await;
    assert_eq!(digests(&mailbox, &db, 0).await.len(), 2);
    server.stop();
    let next_year = || vec![(system_clock().0 + 365 * 86_400_000_000).into()];
    db.execute("update job set next_at = $1", next_year()).await.unwrap();
    db.execute("update job set next_at = 1, leased_until = $1, host = null where name = 'overdue'", next_year())
        .await
        .unwrap();
    db.execute("update digest set told_until = $1", next_year()).await.unwrap();

    let server = home.serve().await;
    let started = Instant::now();
    let rests = "select name from job where next_at > $1 or next_at = 1 or leased_until is not null";
    while !db.fetch_all(rests, vec![(system_clock().0 + 86_400_000_000).into()]).await.unwrap().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20), "a job rests for a year: {}", server.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ann.client = ann.client.towards(&server);
    patch(&ann, json!({ "offers": ["bread", "milk"] })).await;
    tokio::time::sleep(SETTLED).await;
    due(&db, "daily-digest").await;
    let again = digests(&mailbox, &db, 2).await;
    assert_eq!(again, [to("ann", &["bread: ben", "milk: ben"]), to("ben", &["bread: ann", "milk: ann"])]);
    assert!(count(&db, "select max(told_until) as n from digest").await <= system_clock().0);
    db.close().await;
    server.stop();
}

#[tokio::test]
async fn who_was_never_told_is_told_of_the_last_day_on_sqlite() {
    who_was_never_told_is_told_of_the_last_day(Engine::Sqlite).await;
}

#[tokio::test]
async fn who_was_never_told_is_told_of_the_last_day_on_postgres() {
    who_was_never_told_is_told_of_the_last_day(Engine::Postgres).await;
}

async fn who_was_never_told_is_told_of_the_last_day(engine: Engine) {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(engine).await;
    let server = home.serve().await;
    let admin = administrator(&home, &server).await;
    let db = home.database.open().await;
    trader(&server, &admin, "ann", [&["bread"], &[]], true, "accepted").await;
    db.execute("update entity_tag set added_at = $1", vec![(system_clock().0 - 90_000_000_000).into()]).await.unwrap();
    trader(&server, &admin, "ben", [&[], &["bread"]], true, "accepted").await;
    tokio::time::sleep(SETTLED).await;
    due(&db, "daily-digest").await;
    assert_eq!(digests(&mailbox, &db, 0).await, [to("ann", &["bread: ben"])]);
    db.close().await;
    server.stop();
}

/// To find what matches takes longer than a lease lasts.
#[tokio::test]
async fn a_digest_that_takes_long_stays_with_its_host() {
    // A lease is 600 ms.
    let home = Home::on(Engine::Postgres).await.with("HESABU_PACE", "2");
    let folder = tempfile::tempdir().unwrap();
    let server = home.serve().await;
    let other = home.serve_beside(folder.path()).await;
    let admin = administrator(&home, &server).await;
    trader(&server, &admin, "ann", [&["bread"], &[]], true, "accepted").await;
    let db = home.database.open().await;
    let mut tx = db.begin().await.unwrap();
    tx.execute("lock table entity_tag", vec![]).await.unwrap();
    let sql = "update job set next_at = $1, leased_until = null where name = 'daily-digest'";
    db.execute(sql, vec![system_clock().0.into()]).await.unwrap();
    let host = async || {
        let rows = db.fetch_all("select host from job where name = 'daily-digest'", vec![]).await.unwrap();
        rows[0].optional_id("host").unwrap()
    };
    let started = Instant::now();
    while host().await.is_none() {
        assert!(started.elapsed() < Duration::from_secs(20), "nobody takes it");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (first, started) = (host().await, Instant::now());
    while started.elapsed() < Duration::from_millis(2_500) {
        assert_eq!(host().await, first, "another has taken it after {:?}", started.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tx.commit().await.unwrap();
    let started = Instant::now();
    while host().await.is_some() {
        assert!(started.elapsed() < Duration::from_secs(20), "it does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(count(&db, "select count(*) as n from digest").await, 1);
    db.close().await;
    for server in [server, other] {
        server.stop();
    }
}
