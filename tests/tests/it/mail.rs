//! Mails reach whom they are for, once, over connections that nobody reads; and what is refused, away or killed in between stands in
//! nobody's way.

use hesabu::audit::{Act, Action};
use hesabu::mail::{self, Mail};
use hesabu_tests::client::Client;
use hesabu_tests::database::{Engine, count, until};
use hesabu_tests::mailbox::{Mailbox, Security, USER, letter};
use hesabu_tests::network::{Member, administrator};
use hesabu_tests::server::{ADMINISTRATOR, Home, Server};
use serde_json::json;
use std::collections::HashSet;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_signup_is_told_over_every_kind_of_connection_on_sqlite() {
    a_signup_is_told_over_every_kind_of_connection(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_signup_is_told_over_every_kind_of_connection_on_postgres() {
    a_signup_is_told_over_every_kind_of_connection(Engine::Postgres).await;
}

async fn a_signup_is_told_over_every_kind_of_connection(engine: Engine) {
    for security in [Security::StartTls, Security::Tls, Security::Plain] {
        let mailbox = Mailbox::open(security).await;
        let home = mailbox.home(engine).await;
        let server = home.serve().await;
        administrator(&home, &server).await;
        Member::signed_up(&server, "alice").await;

        let welcome = mailbox.one_for("alice@example.org").await;
        let encrypted = security != Security::Plain;
        assert_eq!((welcome.encrypted, welcome.user.as_deref()), (encrypted, encrypted.then_some(USER)));
        assert_eq!(welcome.from, "hesabu@mail.example.org");
        assert_eq!(welcome.header("From"), "Hesabu <hesabu@mail.example.org>");
        assert_eq!(welcome.header("To"), "alice@example.org");
        assert_eq!(welcome.header("Subject"), "Welcome");
        assert_eq!(welcome.header("Auto-Submitted"), "auto-generated");
        let id = welcome.header("Message-ID");
        assert!(id.starts_with('<') && id.ends_with("@mail.example.org>"), "{id}");
        let told = mailbox.one_for(ADMINISTRATOR).await;
        assert_eq!(told.header("Subject"), "New signup: alice");
        assert_ne!(told.header("Message-ID"), id);

        server_keeps_quiet(&server);
        let db = home.database.open().await;
        until(&db, "select count(*) as n from mail", 0).await;
        db.close().await;
        server.stop();
        assert_eq!(mailbox.received().len(), 2);
    }
}

/// Neither passwords nor addresses are logged.
fn server_keeps_quiet(server: &Server) {
    let log = server.log();
    assert!(!log.contains("s3cret") && !log.contains("alice@"), "{log}");
}

#[tokio::test]
async fn nobody_is_trusted_who_cannot_prove_who_they_are() {
    let (ours, theirs) = (Mailbox::open(Security::StartTls).await, Mailbox::open(Security::Tls).await);
    // Its name is right, and its authority is another.
    let home = ours.home(Engine::Sqlite).await.with("HESABU_MAIL", &theirs.address());
    let server = home.serve().await;
    Member::signed_up(&server, "alice").await;
    let db = home.database.open().await;
    until(&db, "select count(*) as n from mail where kind = 'welcome' and last_error like '%certificate%'", 1).await;
    assert_eq!(theirs.commands(), [""; 0]);
    db.close().await;
    drop(server);

    // A password that is wrong is nothing that is wrong with a mail.
    let home = ours.home(Engine::Sqlite).await.with("HESABU_MAIL", &ours.address().replace("s3cret", "secret"));
    let server = home.serve().await;
    Member::signed_up(&server, "alice").await;
    let db = home.database.open().await;
    let waits = "select count(*) as n from mail where kind = 'welcome' and last_error like '%535%' and attempts > 1 and failed_at is null";
    until(&db, waits, 1).await;
    assert!(ours.received().is_empty());
    db.close().await;
    drop(server);

    // A server that does not speak TLS, or cannot be asked for it, is told nothing.
    let plain = Mailbox::open(Security::Plain).await;
    for scheme in ["smtp", "smtps"] {
        let address = format!("{scheme}://u:p@localhost:{}", plain.port);
        let home = ours.home(Engine::Sqlite).await.with("HESABU_MAIL", &address);
        let server = home.serve().await;
        Member::signed_up(&server, "alice").await;
        let db = home.database.open().await;
        until(&db, "select count(*) as n from mail where kind = 'welcome' and last_error is not null", 1).await;
        let told = |command: &String| command.contains("AUTH") || command.contains("MAIL");
        assert!(!plain.commands().iter().any(told), "{:?}", plain.commands());
        db.close().await;
        drop(server);
    }
}

#[tokio::test]
async fn a_refused_recipient_holds_up_nobody_on_sqlite() {
    a_refused_recipient_holds_up_nobody(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_refused_recipient_holds_up_nobody_on_postgres() {
    a_refused_recipient_holds_up_nobody(Engine::Postgres).await;
}

async fn a_refused_recipient_holds_up_nobody(engine: Engine) {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(engine).await;
    let server = home.serve().await;
    administrator(&home, &server).await;
    mailbox.refuse("later@example.org", &["450 4.2.0 come back", "451 4.3.0 and again"]);
    mailbox.refuse("never@example.org", &["550 5.1.1 nobody is called later@example.org here"; 9]);
    // It goes away in the middle, each time that this one comes.
    mailbox.refuse("gone@example.org", &["421 4.3.2 going away"; 3]);
    for name in ["later", "gone", "never", "alice"] {
        Member::signed_up(&server, name).await;
    }
    let odd = Member::signed_up(&server, "odd").await;
    mailbox.one_for(&odd.email).await;
    // An address from before, when some were stored that no server could read.
    let db = home.database.open().await;
    let sql = "update entity set email = $2 where email = $1";
    db.execute(sql, vec![odd.email.as_str().into(), "\"a b\"@example.org".into()]).await.unwrap();
    let [welcome, _] = Mail::of_signup(uuid::Uuid::parse_str(&odd.entity).unwrap().as_u128());
    mail::add(&db, vec![welcome], &Act::by_nobody(Action::MessageSent)).await.unwrap();

    mailbox.one_for("alice@example.org").await;
    for slow in ["later@example.org", "gone@example.org"] {
        mailbox.one_for(slow).await;
    }
    until(&db, "select count(*) as n from mail where failed_at is null", 0).await;
    let failed =
        db.fetch_all("select kind, last_error, attempts, body from mail order by mail_id", vec![]).await.unwrap();
    let failed: Vec<(String, String, i64)> = failed
        .iter()
        .map(|row| (row.text("kind").unwrap(), row.text("last_error").unwrap(), row.int("attempts").unwrap()))
        .collect();
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed[0].1.contains("5.1.1") && failed[0].2 == 1, "{failed:?}");
    assert!(failed[1].1.contains("not one that mail can be sent to"), "{failed:?}");
    assert!(!server.log().contains("@example.org"), "{}", server.log());
    // Administrators were told of all of them.
    let told = mailbox.wait(|mail| mail.to == ADMINISTRATOR, 5).await;
    assert_eq!(told.len(), 5);
    assert_eq!(mailbox.commands().iter().filter(|command| command.contains("RCPT TO:<never@")).count(), 1);
    db.close().await;
}

#[tokio::test]
async fn a_server_that_was_away_gets_everything_on_sqlite() {
    a_server_that_was_away_gets_everything(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_server_that_was_away_gets_everything_on_postgres() {
    a_server_that_was_away_gets_everything(Engine::Postgres).await;
}

/// The program is killed in between: what is in the outbox is sent by whoever comes next.
async fn a_server_that_was_away_gets_everything(engine: Engine) {
    let mut mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(engine).await;
    mailbox.close().await;
    let mut server = home.serve().await;
    for place in 0..20 {
        Member::signed_up(&server, &format!("member{place}")).await;
    }
    let db = home.database.open().await;
    until(
        &db,
        "select count(*) as n from mail where last_error is not null and kind = 'welcome' and failed_at is null",
        20,
    )
    .await;
    let oldest = mail::oldest_unsent(&db).await.unwrap().expect("they wait");
    assert!(oldest <= hesabu::system_clock().0 && oldest > hesabu::system_clock().0 - 600_000_000);
    server.kill();
    mailbox.reopen().await;
    let server = home.serve().await;
    let welcomed = mailbox.wait(|mail| mail.header("Subject").starts_with("Welcome"), 20).await;
    let to: HashSet<&str> = welcomed.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!((to.len(), welcomed.len()), (20, 20));
    until(&db, "select count(*) as n from mail where failed_at is null", 0).await;
    assert_eq!(mail::oldest_unsent(&db).await.unwrap(), None);
    // There is nobody to be told of a signup.
    assert_eq!(count(&db, "select count(*) as n from mail where last_error = 'there are no administrators'").await, 20);
    db.close().await;
    server.stop();
}

#[tokio::test]
async fn a_mail_whose_fate_is_unknown_is_the_same_mail_again_on_sqlite() {
    a_mail_whose_fate_is_unknown_is_the_same_mail_again(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_mail_whose_fate_is_unknown_is_the_same_mail_again_on_postgres() {
    a_mail_whose_fate_is_unknown_is_the_same_mail_again(Engine::Postgres).await;
}

/// The server has the mail and says nothing; the program is killed while it waits.
async fn a_mail_whose_fate_is_unknown_is_the_same_mail_again(engine: Engine) {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(engine).await;
    mailbox.say_nothing(1);
    let mut server = home.serve().await;
    Member::signed_up(&server, "alice").await;
    let db = home.database.open().await;
    until(&db, "select count(*) as n from mail where kind = 'welcome' and claimed_until is not null", 1).await;
    let row = &db.fetch_all("select mail_id from mail where kind = 'welcome'", vec![]).await.unwrap()[0];
    let id = hesabu::id_text(row.id("mail_id").unwrap());
    let started = Instant::now();
    while !mailbox.commands().iter().any(|command| command == "DATA") {
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", mailbox.commands());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.kill();
    let server = home.serve().await;
    let welcome = mailbox.one_for("alice@example.org").await;
    assert_eq!(welcome.header("Message-ID"), format!("<{id}@mail.example.org>"));
    db.close().await;
    server.stop();
}

#[tokio::test]
async fn several_hosts_send_each_mail_once() {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(Engine::Postgres).await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = home.serve().await;
    let member = Member::signed_up(&first, "alice").await;
    let entity = uuid::Uuid::parse_str(&member.entity).unwrap().as_u128();
    let others = [home.serve_beside(folders[0].path()).await, home.serve_beside(folders[1].path()).await];
    let db = home.database.open().await;
    const MANY: usize = 300;
    let mails = (0..MANY).map(|place| Mail::trade_contact(entity, entity, &format!("number {place}"))).collect();
    mail::add(&db, mails, &Act::by_nobody(Action::MessageSent)).await.unwrap();
    until(&db, "select count(*) as n from mail where kind = 'trade-contact'", 0).await;
    let sent = mailbox.wait(|mail| mail.header("Subject") == "A message from alice", MANY).await;
    let texts: HashSet<String> = sent.iter().map(|mail| mail.letter().text).collect();
    assert_eq!((texts.len(), sent.len()), (MANY, MANY));
    for server in others.into_iter().chain([first]) {
        server.stop();
    }
    db.close().await;
}

/// One who forgot a password waits for no digest; and a server that sends mails on is not flooded.
#[tokio::test]
async fn no_more_than_so_many_go_in_a_second_and_resets_go_first() {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(Engine::Sqlite).await.with("HESABU_MAILS_PER_SECOND", "10");
    let server = home.serve().await;
    let member = Member::signed_up(&server, "alice").await;
    let entity = uuid::Uuid::parse_str(&member.entity).unwrap().as_u128();
    let db = home.database.open().await;
    mailbox.one_for("alice@example.org").await;
    let begun = Instant::now();
    let mails = (0..50).map(|place| Mail::trade_contact(entity, entity, &format!("number {place}"))).collect();
    mail::add(&db, mails, &Act::by_nobody(Action::MessageSent)).await.unwrap();
    let asked = Client::of(&server).post("/password-reset", json!({ "email": "alice@example.org" })).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    mailbox.wait(|mail| mail.header("Subject") == "Reset your password", 1).await;
    let before = mailbox.received().iter().filter(|mail| mail.header("Subject") == "A message from alice").count();
    assert!(before <= 20, "the reset came after {before} others");
    mailbox.wait(|mail| mail.header("Subject") == "A message from alice", 50).await;
    // 10 at once, and 10 more at each of four seconds after that.
    assert!(begun.elapsed() >= Duration::from_millis(3_900), "{:?}", begun.elapsed());
    db.close().await;
    server.stop();
}

#[tokio::test]
async fn mails_are_files_unless_said_otherwise() {
    let home = Home::on(Engine::Sqlite).await.with("HESABU_PACE", "50");
    let server = home.serve().await;
    administrator(&home, &server).await;
    Member::signed_up(&server, "alice").await;
    let folder = home.folder().join("mail");
    let started = Instant::now();
    let files = loop {
        let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<_> = names.filter(|path| path.extension().is_some_and(|end| end == "eml")).collect();
        if files.len() == 2 {
            break files;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{files:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let mut subjects: Vec<String> =
        files.iter().map(|path| letter(&std::fs::read_to_string(path).unwrap()).subject).collect();
    subjects.sort();
    assert_eq!(subjects, ["New signup: alice", "Welcome"]);
    #[cfg(unix)]
    for (path, mode) in [(&folder, 0o700), (&files[0], 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, mode, "{path:?}");
    }
    server.stop();

    // Nowhere: what waits is forgotten.
    let home = Home::on(Engine::Sqlite).await.with("HESABU_PACE", "50").with("HESABU_MAIL", "off");
    let server = home.serve().await;
    administrator(&home, &server).await;
    Member::signed_up(&server, "alice").await;
    let db = home.database.open().await;
    until(&db, "select count(*) as n from mail", 0).await;
    assert!(!home.folder().join("mail").exists());
    db.close().await;
    server.stop();
}

#[tokio::test]
async fn what_takes_too_long_is_given_up() {
    let mut mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(Engine::Sqlite).await;
    mailbox.close().await;
    let server = home.serve().await;
    Member::signed_up(&server, "alice").await;
    let db = home.database.open().await;
    let row = &db.fetch_all("select entity_id from entity", vec![]).await.unwrap()[0];
    let alice = row.id("entity_id").unwrap();
    mail::add(&db, vec![Mail::trade_contact(alice, alice, "a secret")], &Act::by_nobody(Action::MessageSent))
        .await
        .unwrap();
    until(&db, "select count(*) as n from mail where kind = 'trade-contact' and last_error is not null", 1).await;
    let five_days = 5 * 24 * 60 * 60 * 1_000_000_i64;
    db.execute("update mail set created_at = created_at - $1 where kind = 'trade-contact'", vec![five_days.into()])
        .await
        .unwrap();
    let given_up = "select count(*) as n from mail where kind = 'trade-contact' and failed_at is not null and body = ''
                    and last_error like 'given up: %'";
    until(&db, given_up, 1).await;
    db.close().await;
    server.stop();
}

#[tokio::test]
async fn wrong_settings_are_told_before_anything_starts() {
    for (name, value) in [
        ("HESABU_MAIL", "smtp://someone:s3cret@h?tls=none"),
        ("HESABU_MAIL_FROM", "nobody"),
        ("HESABU_PUBLIC_URL", "trade.example.org"),
        ("HESABU_LANGUAGE", "tlh"),
        ("HESABU_DIGEST_AT", "7 o'clock"),
        ("HESABU_MAIL_ADMINISTRATORS", "admin@example.org, nobody"),
    ] {
        let home = Home::on(Engine::Sqlite).await.with("HESABU_MAIL_FROM", "a@example.org").with(name, value);
        let ended = home.run(&["migrate"], "").await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.log.contains(name) && !ended.log.contains("s3cret"), "{ended:?}");
    }
}
