//! Every kind of mail in both languages, as its reader sees it; and names that would like to be more than a name.

use hesabu::audit::{Act, Action};
use hesabu::identity::Door;
use hesabu::mail::{self, Kind, Mail, Match};
use hesabu::store::Db;
use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::mailbox::{Letter, Mailbox, Received, Security};
use hesabu_tests::network::{Member, Network};
use hesabu_tests::server::{ADMINISTRATOR, PASSWORD};
use ledger_core::{AccountId, TransferId};
use serde_json::json;
use std::collections::{HashMap, HashSet};

const SITE: &str = "https://trade.example.org/app";

/// The reader, what the subject is, and what the text has in it. `{}` are the account numbers of Alice and of Bob. Bob and the second
/// administrator read Swahili.
type Expected = (&'static str, &'static str, &'static [&'static str]);

/// Every kind in both languages.
const EXPECTED: [Expected; 2 * Kind::ALL.len()] = [
    ("alice", "Welcome", &["Welcome!\n", "    {alice}", "Log in: https://trade.example.org/app"]),
    ("bob", "Karibu", &["Karibu!\n", "    {bob}", "Ingia: https://trade.example.org/app"]),
    (
        "alice",
        "New matches for your offers and wants",
        &["You want, and others offer:\n- hops: bob ({bob})", "You offer, and others want:\n- 24h-beer: bob ({bob})"],
    ),
    (
        "bob",
        "Mapya yanayolingana na unavyotoa na unavyohitaji",
        &[
            "Unavyohitaji, na wengine wanavitoa:\n- hops: alice ({alice})",
            "Watafute: https://trade.example.org/app/entities",
        ],
    ),
    (
        "alice",
        "A message from bob",
        &["bob ({bob}) writes to you:\n\n> Habari, Alice!\n> \n> <b>Tuonane</b> & kesho.\n\nReply"],
    ),
    ("bob", "Ujumbe kutoka kwa alice", &["alice ({alice}) amekuandikia ujumbe huu:\n\n> Good day\n\nIli kujibu"]),
    (
        "alice",
        "bob wants to pay you 1234567.80 KES-MC",
        &["From: bob ({bob})\nAmount: 1234567.80 KES-MC\nDescription: Mchele <50 kg>\nTransfer: ", "/app/transfers"],
    ),
    (
        "bob",
        "alice anakuomba 0.05 KES-MC",
        &["Kwa: alice ({alice})\nKiasi: 0.05 KES-MC\nMaelezo: Mchele <50 kg>\nMuamala: ", "Tafadhali kubali au kataa."],
    ),
    (
        "alice",
        "bob has accepted your payment of 7.00 KES-MC",
        &["7.00 KES-MC has left your account.", "To: bob ({bob})"],
    ),
    ("bob", "alice amekulipa 8.00 KES-MC", &["Kiasi cha 8.00 KES-MC kimeongezwa kwenye akaunti yako."]),
    ("alice", "bob has rejected your payment of 9.00 KES-MC", &["Nothing was paid.", "\nReason: Too <late>\n"]),
    ("bob", "alice amekataa ombi lako la 10.00 KES-MC", &["Hakuna kilicholipwa.", "\nSababu: Too <late>\n"]),
    ("alice", "bob has cancelled the payment of 11.00 KES-MC", &["you need not answer.", "\nReason: Too <late>\n"]),
    ("bob", "alice hakuombi tena 12.00 KES-MC", &["ameghairi ombi la 12.00 KES-MC.", "\nSababu: Too <late>\n"]),
    (
        "alice",
        "The transfer of 9.00 KES-MC with bob was cancelled",
        &["from you to bob. Nothing", "\nReason: Too <late>\n"],
    ),
    ("bob", "Malipo ya 9.00 KES-MC kati yako na alice yameghairiwa", &["kutoka kwa alice kuja kwako."]),
    (
        "alice",
        "The transfer of 11.00 KES-MC with bob has expired",
        &["Nobody answered the transfer of 11.00 KES-MC from bob to you"],
    ),
    ("bob", "Muda wa malipo ya 11.00 KES-MC kati yako na alice umekwisha", &["hayakujibiwa kwa wakati."]),
    (
        "admin",
        "New signup: alice",
        &["Entity: alice\nAccount number: {alice}\nE-mail: alice@example.org", "/app/admin"],
    ),
    (
        "second",
        "Usajili mpya: alice",
        &["Biashara: alice\nNamba ya akaunti: {alice}\nBarua pepe: alice@example.org", "/app/admin"],
    ),
    ("admin", "Copy of a message from bob", &["bob ({bob}) has written to alice ({alice}):\n\n> copied <b>\n"]),
    ("second", "Nakala ya ujumbe kutoka kwa bob", &["bob ({bob}) amemwandikia alice ({alice}):\n\n> copied <b>\n"]),
    ("admin", "The books of KES-MC are out of balance", &["- balances do not sum to zero: 3\n- one <more>: 1"]),
    (
        "second",
        "Hesabu za KES-MC haziko sawa",
        &["- balances do not sum to zero: 3\n- one <more>: 1", "Endesha `hesabu"],
    ),
    (
        "alice",
        RESET,
        &["to reset your password.", "/app/password-reset/", "The token for it is:\n\n    ", "for 60 minutes"],
    ),
    ("bob", RESET_SW, &["/app/password-reset/", "\n\n    ", "ndani ya dakika 60"]),
    ("admin", RESET, &["to reset your administrator's password.", "/app/admin/password-reset/", "\n\n    "]),
    ("second", RESET_SW, &["/app/admin/password-reset/", "\n\n    ", "ndani ya dakika 60"]),
];

const RESET: &str = "Reset your password";
const RESET_SW: &str = "Badilisha nenosiri lako";

#[tokio::test]
async fn every_kind_is_worded_in_both_languages_on_sqlite() {
    every_kind_is_worded_in_both_languages(Engine::Sqlite).await;
}

#[tokio::test]
async fn every_kind_is_worded_in_both_languages_on_postgres() {
    every_kind_is_worded_in_both_languages(Engine::Postgres).await;
}

async fn every_kind_is_worded_in_both_languages(engine: Engine) {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(engine).await.with("HESABU_PUBLIC_URL", &format!("{SITE}/"));
    let network = Network::at(home, "2000000", "2000000").await;
    let Network { alice, bob, .. } = &network;
    // Told of what happened before it was known what he reads.
    mailbox.one_for("bob@example.org").await;
    bob.client.patch("/user", json!({ "language": "sw" })).await.data();
    bob.client.patch("/user", json!({ "language": "fr" })).await.refused(400, "Please specify a valid language.");
    assert!(bob.client.patch("/user", json!({})).await.data().get("language").is_none());

    let db = network.home.database.open().await;
    let second = network.home.run(&["admin", "create", "--email", "second@example.org"], PASSWORD).await;
    assert_eq!(second.code, Some(0), "{second:?}");
    let language = "update person set language = 'sw' where email_key = 'second@example.org'";
    assert_eq!(db.execute(language, vec![]).await.unwrap(), 1);
    let mails = everything(&network, &db).await;
    // Transfers were told of when they happened, too.
    let count = mails.len() + 4;
    mail::add(&db, mails, &Act::by_nobody(Action::MessageSent)).await.unwrap();
    for (reader, subject, _) in EXPECTED {
        let meant = |mail: &Received| mail.to == format!("{reader}@example.org") && mail.header("Subject") == subject;
        mailbox.wait(meant, 1).await;
    }
    let received = mailbox.wait(|_| true, count).await;
    for (reader, subject, texts) in EXPECTED {
        let mail = one(&received, reader, subject);
        let letter = mail.letter();
        for text in texts {
            let text = text.replace("{alice}", &alice.account).replace("{bob}", &bob.account);
            assert!(letter.text.contains(&text), "{subject}: there is no {text:?} in {}", letter.text);
        }
        is_well_formed(&letter, subject, if ["bob", "second"].contains(&reader) { "sw" } else { "en" });
    }
    let answer = one(&received, "alice", "A message from bob").header("Reply-To");
    assert_eq!(answer, "bob <bob@example.org>");
    assert_eq!(one(&received, "alice", "A message from bob").header("Auto-Submitted"), "");
    assert_eq!(one(&received, "admin", "New signup: alice").header("Reply-To"), "");
    // The other reset of each language has the same subject.
    let subjects: HashSet<String> = received.iter().map(|mail| mail.header("Subject")).collect();
    assert!(subjects.len() >= EXPECTED.len() - 2, "{subjects:?}");
    db.close().await;
}

fn one<'r>(received: &'r [Received], reader: &str, subject: &str) -> &'r Received {
    let found =
        received.iter().find(|mail| mail.to == format!("{reader}@example.org") && mail.header("Subject") == subject);
    found.unwrap_or_else(|| {
        let all: Vec<(&str, String)> = received.iter().map(|mail| (mail.to.as_str(), mail.header("Subject"))).collect();
        panic!("there is no {subject:?} for {reader} among {all:#?}")
    })
}

/// The same in both forms, and nothing that people typed is markup.
fn is_well_formed(letter: &Letter, subject: &str, language: &str) {
    let Letter { text, html, .. } = letter;
    assert!(html.starts_with("<!DOCTYPE html><html lang=\"") && html.ends_with("</html>"), "{html}");
    assert!(html.contains(&format!("<html lang=\"{language}\">")), "{subject}: {html}");
    let shown = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    for line in text.lines() {
        let line = line.trim_start().trim_start_matches("> ").trim_start_matches("- ");
        // A name and its value stand in two cells, what is linked before its address.
        let both = || line.split_once(": ").is_some_and(|(one, other)| shown.contains(one) && shown.contains(other));
        assert!(shown.contains(line) || both(), "{subject}: {line:?} is not in {html}");
    }
    for typed in ["<b>", "<50", "<late>", "<more>"] {
        assert!(!html.contains(typed), "{subject}: {html}");
        let escaped = typed.replace('<', "&lt;").replace('>', "&gt;");
        assert_eq!(text.contains(typed), html.contains(&escaped), "{subject}: {html}");
    }
}

/// A transfer that Alice or Bob has proposed, and what became of it.
async fn settled(from: &Member, to: &Member, direction: &str, amount: &str, action: &str) -> TransferId {
    let body = from.proposal(direction, to, amount, "Mchele <50 kg>");
    let id = from.client.post("/transfers", body).await.data()["id"].as_str().unwrap().to_owned();
    let who = if action == "cancel" { from } else { to };
    if !action.is_empty() {
        let answer = json!({ "action": action, "cancellationReason": "Too <late>" });
        who.client.patch(&format!("/transfers/{id}"), answer).await.data();
    }
    TransferId(uuid::Uuid::parse_str(&id).unwrap().as_u128())
}

/// A mail of every kind to both, but for what signing up has sent already.
async fn everything(network: &Network, db: &Db) -> Vec<Mail> {
    let Network { alice, bob, .. } = network;
    let rows = db.fetch_all("select account_number, entity_id, account_id from entity", vec![]).await.unwrap();
    let ids: HashMap<String, (u128, AccountId)> = rows
        .iter()
        .map(|row| {
            let ids = (row.id("entity_id").unwrap(), AccountId(row.id("account_id").unwrap()));
            (row.text("account_number").unwrap(), ids)
        })
        .collect();
    let ((alice_entity, alice_account), (bob_entity, bob_account)) = (ids[&alice.account], ids[&bob.account]);
    let found = |offered, tag: &str, entity| Match { offered, tag: tag.into(), entity };
    let rejected = settled(alice, bob, "out", "9", "reject").await;
    let cancelled = settled(bob, alice, "out", "11", "cancel").await;
    let both = [alice_account, bob_account];
    let ([welcome, _], [_, notification]) = (Mail::of_signup(bob_entity), Mail::of_signup(alice_entity));
    let reset = |name: &str, door| Mail::password_reset(&format!("{name}@example.org"), door);
    let mut mails = vec![
        welcome,
        notification,
        reset("alice", Door::Member),
        reset("bob", Door::Member),
        reset("admin", Door::Administrator),
        reset("second", Door::Administrator),
        Mail::daily_match(alice_entity, &[found(true, "hops", bob_entity), found(false, "24h-beer", bob_entity)]),
        Mail::daily_match(bob_entity, &[found(true, "hops", alice_entity)]),
        Mail::trade_contact(bob_entity, alice_entity, "Habari, Alice!\r\n\r\n<b>Tuonane</b> & kesho."),
        Mail::trade_contact(alice_entity, bob_entity, "Good day"),
        Mail::trade_contact_copy(bob_entity, alice_entity, "copied <b>"),
        Mail::transfer_initiated(settled(bob, alice, "out", "1234567.8", "").await, alice_account),
        Mail::transfer_initiated(settled(alice, bob, "in", "0.05", "").await, bob_account),
        Mail::transfer_accepted(settled(alice, bob, "out", "7", "accept").await, alice_account),
        Mail::transfer_accepted(settled(bob, alice, "in", "8", "accept").await, bob_account),
        Mail::transfer_rejected(rejected, alice_account),
        Mail::transfer_rejected(settled(bob, alice, "in", "10", "reject").await, bob_account),
        Mail::transfer_cancelled(cancelled, alice_account),
        Mail::transfer_cancelled(settled(alice, bob, "in", "12", "cancel").await, bob_account),
        Mail::books_out_of_balance("balances do not sum to zero: 3\none <more>: 1\n".into()),
    ];
    mails.extend(Mail::transfer_cancelled_by_system(rejected, both));
    mails.extend(Mail::transfer_expired(cancelled, both));
    mails
}

#[tokio::test]
async fn names_are_only_names_on_sqlite() {
    names_are_only_names(Engine::Sqlite).await;
}

#[tokio::test]
async fn names_are_only_names_on_postgres() {
    names_are_only_names(Engine::Postgres).await;
}

/// Line ends, characters that turn the direction, and 5,000 characters, in names that stand in headers. What goes to an address that nobody
/// has shown to be theirs has none of it: who signs up would say what they like to strangers.
async fn names_are_only_names(engine: Engine) {
    let mailbox = Mailbox::open(Security::StartTls).await;
    let home = mailbox.home(engine).await;
    let network = Network::at(home, "100", "100").await;
    let db = network.home.database.open().await;
    let names = [
        "Eve\r\nBcc: victim@example.org\r\n\r\nYou have won",
        "Eve\nSubject: other",
        "\u{202e}gro.elpmaxe@nimda\u{2066}",
        "a\u{0}b".trim_matches('b'),
        "\"><img src=x>, <victim@example.org>, ",
        "=?utf-8?q?Bcc=3A?=",
        "Ñandú Kahawa ☕ ሻይ",
    ];
    let mut same = None;
    for (place, name) in names.iter().filter(|name| !name.contains('\u{0}')).enumerate() {
        let email = format!("eve{place}@example.org");
        let body = json!({ "userEmail": email, "password": PASSWORD, "entityName": "eve" });
        let data = Client::of(&network.server).post("/signup", body).await.data();
        let entity = uuid::Uuid::parse_str(data["entityID"].as_str().unwrap()).unwrap().as_u128();
        mailbox.one_for(&email).await;
        // Nobody may say today what rows from before may have.
        let sql = "update entity set name = $2 where entity_id = $1";
        db.execute(sql, vec![entity.into(), (*name).into()]).await.unwrap();
        mail::add(&db, Mail::of_signup(entity).into(), &Act::by_nobody(Action::MessageSent)).await.unwrap();
        let welcome = mailbox.wait(|mail| mail.to == email, 2).await[1].clone();
        is_harmless(&welcome);
        let letter = welcome.letter();
        let number =
            letter.text.lines().find_map(|line| line.strip_prefix("    ")).expect("it has a number").to_owned();
        let said = [letter.text, letter.html].map(|text| text.replace(&number, ""));
        assert_eq!(letter.subject, "Welcome");
        assert_eq!(*same.get_or_insert_with(|| said.clone()), said);
        write_to_alice(&network, &db, entity).await;
    }
    // Longer than anybody may say today.
    let bob = uuid::Uuid::parse_str(&network.bob.entity).unwrap().as_u128();
    for long in ["x".repeat(5_000), "é\r\nBcc: a@b.org ".repeat(300), format!("{}\nBcc: a@b.org", "ሻ".repeat(4_000))]
    {
        let sql = "update entity set name = $2 where entity_id = $1";
        db.execute(sql, vec![bob.into(), long.into()]).await.unwrap();
        write_to_alice(&network, &db, bob).await;
        mailbox.wait(|mail| mail.header("Subject").ends_with('…'), 1).await;
    }
    let sent = mailbox.wait(|mail| mail.to == network.alice.email && !mail.header("Reply-To").is_empty(), 9).await;
    for mail in &sent {
        is_harmless(mail);
        assert!(mail.header("Reply-To").ends_with("@example.org>"), "{}", mail.raw);
    }
    let subjects: Vec<String> = sent.iter().map(|mail| mail.letter().subject).collect();
    for expected in ["A message from Eve Bcc: victim@example.org You have won", "A message from Ñandú Kahawa ☕ ሻይ"]
    {
        assert!(subjects.iter().any(|subject| subject == expected), "{subjects:#?}");
    }
    let told = mailbox.wait(|mail| mail.to == ADMINISTRATOR, 14).await;
    told.iter().for_each(is_harmless);
    db.close().await;
}

async fn write_to_alice(network: &Network, db: &Db, from: u128) {
    let alice = uuid::Uuid::parse_str(&network.alice.entity).unwrap().as_u128();
    mail::add(
        db,
        vec![Mail::trade_contact(from, alice, "x\r\n.\r\nMAIL FROM:<a@b.org>\u{202e}\u{7}\r\n..y")],
        &Act::by_nobody(Action::MessageSent),
    )
    .await
    .unwrap();
}

/// The headers that the program means, each once, without what nobody sees; one recipient; and lines that every server takes.
fn is_harmless(mail: &Received) {
    let letter = mail.letter();
    let mut names: Vec<String> = letter.headers.iter().map(|(name, _)| name.to_lowercase()).collect();
    names.sort();
    let meant =
        ["auto-submitted", "content-type", "date", "from", "message-id", "mime-version", "reply-to", "subject", "to"];
    assert!(names.iter().all(|name| meant.contains(&name.as_str())), "{}", mail.raw);
    names.dedup();
    assert_eq!(names.len(), 8, "{}", mail.raw);
    assert_eq!(letter.header("To"), mail.to);
    assert!(!letter.subject.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)), "{letter:?}");
    assert!(letter.subject.chars().count() <= 120, "{letter:?}");
    let hidden = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!letter.text.contains(hidden), "{letter:?}");
    assert!(!letter.html.contains("<img"), "{letter:?}");
    assert!(mail.raw.is_ascii() && mail.raw.lines().all(|line| line.len() <= 998), "{}", mail.raw);
}
