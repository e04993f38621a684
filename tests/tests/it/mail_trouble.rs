//! Servers that refuse what they would take tomorrow, or say what cannot be stored, and people who ask again and again for what is for
//! nobody: other mails do not wait for that, and none is lost to it.

use hesabu::audit::{Act, Action};
use hesabu::identity::Door;
use hesabu::mail::{self, Mail};
use hesabu_tests::client::Client;
use hesabu_tests::database::{Engine, count, until};
use hesabu_tests::mailbox::{Mailbox, Security};
use hesabu_tests::network::Member;
use serde_json::json;
use std::time::{Duration, Instant};

/// Mails that still have to be sent.
const UNSENT: &str = "select count(*) as n from mail where failed_at is null";

#[tokio::test]
async fn whatever_a_server_says_is_stored_on_sqlite() {
    whatever_a_server_says_is_stored(Engine::Sqlite).await;
}

#[tokio::test]
async fn whatever_a_server_says_is_stored_on_postgres() {
    whatever_a_server_says_is_stored(Engine::Postgres).await;
}

async fn whatever_a_server_says_is_stored(engine: Engine) {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(engine).await;
    let server = home.serve().await;
    mailbox.refuse("never@example.org", &["550 5.1.1 a\0b\u{1b}[2Jc\u{85}d"]);
    Member::signed_up(&server, "never").await;
    let db = home.database.open().await;
    let refused = "select count(*) as n from mail where kind = 'welcome' and failed_at is not null";
    until(&db, refused, 1).await;
    let row = &db.fetch_all("select last_error from mail where kind = 'welcome'", vec![]).await.unwrap()[0];
    let reason = row.text("last_error").unwrap();
    assert!(reason.contains("5.1.1 a b [2Jc d"), "{reason:?}");
    // Others are sent after it.
    Member::signed_up(&server, "alice").await;
    mailbox.one_for("alice@example.org").await;
    db.close().await;
    server.stop();
}

#[tokio::test]
async fn what_cannot_be_stored_holds_up_nobody_on_sqlite() {
    what_cannot_be_stored_holds_up_nobody(Engine::Sqlite).await;
}

#[tokio::test]
async fn what_cannot_be_stored_holds_up_nobody_on_postgres() {
    what_cannot_be_stored_holds_up_nobody(Engine::Postgres).await;
}

/// The database takes no row of a mail that one server has refused; whatever it is that it has against it.
async fn what_cannot_be_stored_holds_up_nobody(engine: Engine) {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(engine).await;
    let server = home.serve().await;
    let db = home.database.open().await;
    let [refuse, relent]: [&[&str]; 2] = match engine {
        Engine::Sqlite => [
            &["create trigger refuse before update on mail when new.last_error like '%poison%'
               begin select raise(abort, 'not this one'); end"],
            &["drop trigger refuse"],
        ],
        Engine::Postgres => [
            &[
                "create function refuse() returns trigger language plpgsql as
                 $$ begin if new.last_error like '%poison%' then raise exception 'not this one'; end if; return new; end $$",
                "create trigger refuse before update on mail for each row execute function refuse()",
            ],
            &["drop trigger refuse on mail"],
        ],
    };
    for sql in refuse {
        db.execute(sql, vec![]).await.unwrap();
    }
    mailbox.refuse("poison@example.org", &["550 5.1.1 poison"; 50]);
    for name in ["poison", "alice", "bob"] {
        Member::signed_up(&server, name).await;
    }
    for name in ["alice", "bob"] {
        mailbox.one_for(&format!("{name}@example.org")).await;
    }
    until(&db, UNSENT, 1).await;
    assert_eq!(count(&db, "select count(*) as n from mail where kind = 'welcome' and failed_at is null").await, 1);
    // It is tried again, and others are sent meanwhile.
    until(&db, "select count(*) as n from mail where kind = 'welcome' and attempts > 1", 1).await;
    Member::signed_up(&server, "carol").await;
    mailbox.one_for("carol@example.org").await;
    assert!(server.log().contains("cannot be stored"), "{}", server.log());
    for sql in relent {
        db.execute(sql, vec![]).await.unwrap();
    }
    until(&db, UNSENT, 0).await;
    for name in ["alice", "bob", "carol"] {
        mailbox.one_for(&format!("{name}@example.org")).await;
    }
    db.close().await;
    server.stop();
}

/// What a server has against this host it says, by default, when it hears who a mail is for. That is mended some day.
#[tokio::test]
async fn a_relay_that_denies_everything_is_asked_again() {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(Engine::Sqlite).await;
    let server = home.serve().await;
    mailbox.refuse(
        "alice@example.org",
        &[
            "554 5.7.1 <alice@example.org>: Relay access denied",
            "554 <host>: Client host rejected",
            "530 5.7.0 Authentication required",
        ],
    );
    Member::signed_up(&server, "alice").await;
    let db = home.database.open().await;
    until(&db, "select count(*) as n from mail where kind = 'welcome' and last_error like '%5.7.1%'", 1).await;
    mailbox.one_for("alice@example.org").await;
    until(&db, UNSENT, 0).await;

    // A reset has another token each time, and is logged as one.
    mailbox.refuse("alice@example.org", &["554 5.7.1 Relay access denied", "450 4.2.0 come back"]);
    let asked = Client::of(&server).post("/password-reset", json!({ "email": "alice@example.org" })).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    mailbox.wait(|mail| mail.header("Subject") == "Reset your password", 1).await;
    assert_eq!(count(&db, "select count(*) as n from act where action = 'reset-requested'").await, 1);
    db.close().await;
    server.stop();
}

#[tokio::test]
async fn resets_for_nobody_do_not_use_up_what_may_be_sent() {
    const MANY: usize = 100;
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(Engine::Sqlite).await.with("HESABU_MAILS_PER_SECOND", "2");
    let server = home.serve().await;
    let member = Member::signed_up(&server, "alice").await;
    let entity = uuid::Uuid::parse_str(&member.entity).unwrap().as_u128();
    mailbox.one_for("alice@example.org").await;
    let db = home.database.open().await;
    let reset = |place| Mail::password_reset(&format!("nobody{place}@example.org"), Door::Member);
    let mut mails = vec![Mail::trade_contact(entity, entity, "Habari?")];
    mails.extend((0..MANY).map(reset));
    let begun = Instant::now();
    mail::add(&db, mails, &Act::by_nobody(Action::MessageSent)).await.unwrap();
    mailbox.wait(|mail| mail.header("Subject") == "A message from alice", 1).await;
    // At two a second they took fifty.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(count(&db, "select count(*) as n from mail where kind = 'password-reset'").await, 0);
    db.close().await;
    server.stop();
}
