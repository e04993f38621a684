//! `hesabu import`: every row has an outcome, and a file that is run again, also after `kill -9`, does nothing twice.

use hesabu::store::Db;
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Member, Network};
use hesabu_tests::server::Ended;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

/// More than a few batches.
const ROWS: usize = 40_000;
const BATCH: i64 = 8_190;
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes a file beside the database.
fn file(network: &Network, name: &str, text: &str) -> PathBuf {
    let path = network.home.folder().join(name);
    std::fs::write(&path, text).expect("it can be written");
    path
}

async fn import(network: &Network, arguments: &[&str], input: &str) -> Ended {
    network.home.run(&[&["import", "--json"], arguments].concat(), input).await
}

/// `(rows, done, done before, refused)`
#[track_caller]
fn counts(ended: &Ended) -> (u64, u64, u64, u64) {
    let summary: Value = serde_json::from_str(&ended.output).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    let count = |name: &str| summary[name].as_u64().unwrap_or_else(|| panic!("{summary}"));
    let counts = (count("rows"), count("done"), count("doneBefore"), count("refused"));
    assert_eq!(counts.0, counts.1 + counts.2 + counts.3);
    assert_eq!(ended.code, Some(if counts.3 == 0 { 0 } else { 3 }), "{ended:?}");
    counts
}

#[tokio::test]
async fn every_row_has_an_outcome_on_sqlite() {
    every_row_has_an_outcome(Engine::Sqlite).await;
}

#[tokio::test]
async fn every_row_has_an_outcome_on_postgres() {
    every_row_has_an_outcome(Engine::Postgres).await;
}

async fn every_row_has_an_outcome(engine: Engine) {
    let mut network = Network::on(engine, "10", "500").await;
    network.server.kill();
    let Network { alice: Member { account: alice, .. }, bob: Member { account: bob, .. }, .. } = &network;
    let text = format!(
        "payer,payee,amount,description,key\n\
         {alice},{bob},4.00,\"Mkate, \"\"mzuri\"\"\",a\n\
         {alice},{bob},1.005,,b\n\
         {alice},1234,1,,c\n\
         {alice},{bob},6.01,,d\n\
         {alice},{bob}\n\
         {alice},{bob},6,,e\n\
         {alice},{bob},4,\"Mkate, \"\"mzuri\"\"\",a\n\
         {bob},{alice},2.5,,a\n"
    );
    let (path, refused) = (file(&network, "wages.csv", &text), network.home.folder().join("refused.csv"));
    let arguments = [path.to_str().unwrap(), "--refused", refused.to_str().unwrap()];
    assert_eq!(counts(&import(&network, &arguments, "").await), (8, 2, 1, 5));
    let expected = format!(
        "row,reason,payer,payee,amount,description,key\n\
         2,amount-out-of-range,{alice},{bob},1.005,,b\n\
         3,payee-not-found,{alice},1234,1,,c\n\
         4,floor-exceeded 6.00,{alice},{bob},6.01,,d\n\
         5,row-invalid,{alice},{bob}\n\
         8,id-reused,{bob},{alice},2.5,,a\n"
    );
    assert_eq!(std::fs::read_to_string(&refused).unwrap(), expected);
    // Again, from standard input: nothing happens twice, and the refusals are told.
    let again = import(&network, &["-"], &text).await;
    assert_eq!(counts(&again), (8, 0, 3, 5));
    assert!(again.log.contains("row 4: floor-exceeded\n"), "{again:?}");
    // What was refused, put right.
    let right = expected.replace("1.005", "1").replace("1234", bob).replace("6.01", "-1").replace(",a\n", ",f\n");
    let path = file(&network, "right.csv", &right);
    assert_eq!(counts(&import(&network, &[path.to_str().unwrap()], "").await), (5, 1, 0, 4));
    // By place, under two names.
    let text = format!("payee,payer,amount\n{alice},{bob},0.25\n{alice},{bob},0.25\n");
    for (prefix, expected) in [("x", (2, 2, 0, 0)), ("x", (2, 0, 2, 0)), ("y", (2, 2, 0, 0))] {
        assert_eq!(counts(&import(&network, &["-", "--key-prefix", prefix], &text).await), expected, "{prefix}");
    }
    network.restart().await;
    let Network { admin, alice, bob, .. } = &network;
    assert_eq!([alice.balance().await, bob.balance().await], ["-6.5", "6.5"]);
    let transfers = admin.get("/admin/transfers").await.data();
    assert_eq!(
        (&transfers[6]["description"], &transfers[6]["type"]),
        (&json!("Mkate, \"mzuri\""), &json!("adminTransfer"))
    );
    network.prove().await;
}

#[tokio::test]
async fn files_that_cannot_be_meant_on_sqlite() {
    let network = Network::on(Engine::Sqlite, "10", "500").await;
    let refused = async |arguments: &[&str], input: &str, what: &str| {
        let ended = import(&network, arguments, input).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.log.contains(what) && ended.output.is_empty(), "{what}: {ended:?}");
    };
    let text = format!("payer,payee,amount,key\n{},{},1,k\n", network.alice.account, network.bob.account);
    // Two processes cannot post to one SQLite file, so the second says what to do.
    refused(&["-"], &text, "another hesabu is using this SQLite database").await;
    let second = network.home.run(&["serve", "--listen", "127.0.0.1:0"], "").await;
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.log.contains("stop it first"), "{second:?}");
    assert_eq!(network.admin.sound().await["transfersProposed"], 0);

    let Network { mut server, home, .. } = network;
    server.kill();
    let refused = async |arguments: &[&str], input: &str, what: &str| {
        let ended = home.run(&[&["import"], arguments].concat(), input).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.log.contains(what), "{what}: {ended:?}");
    };
    refused(&["-"], "payer,payee,amount\n", "--key-prefix").await;
    refused(&["-"], "payer,payee,key\n", "there is no amount").await;
    refused(&["nowhere.csv"], "", "nowhere.csv cannot be read").await;
    refused(&["-", "--refused", "nowhere/x.csv"], &text, "nowhere/x.csv cannot be written").await;
    let open = home.folder().join("open.csv");
    std::fs::write(&open, format!("{text}1,2,\"{}", "x".repeat(100_000))).unwrap();
    refused(&[open.to_str().unwrap()], "", "the first 1 rows are done or refused").await;
    refused(&[open.to_str().unwrap()], "", "row 2 has more than 65536 bytes").await;
    home.prove().await;
}

#[tokio::test]
async fn a_killed_import_goes_on_on_sqlite() {
    a_killed_import_goes_on(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_killed_import_goes_on_on_postgres() {
    a_killed_import_goes_on(Engine::Postgres).await;
}

/// Every seventh row is wrong, so that refusals are met on the way as well.
async fn a_killed_import_goes_on(engine: Engine) {
    let mut network = Network::on(engine, "100", "9999999").await;
    network.server.kill();
    let Network { alice, bob, home, .. } = &network;
    let mut text = String::from("payer,payee,amount\n");
    for row in 0..ROWS {
        let (from, to) = if row % 2 == 0 { (&alice.account, &bob.account) } else { (&bob.account, &alice.account) };
        let amount = if row % 7 == 0 { "1.001" } else { "1.01" };
        writeln!(text, "{from},{to},{amount}").unwrap();
    }
    let path = file(&network, "long.csv", &text);
    let refused = home.folder().join("refused.csv");
    let arguments = [path.to_str().unwrap(), "--key-prefix", "long", "--refused", refused.to_str().unwrap()];
    let db = Db::open_existing(&home.database.url).await.expect("it is there");
    let (mut begun, mut cut) = (posted(&db).await, 0);
    assert_eq!(begun, 0);
    for batches in [1, 2, 3] {
        let mut importing = home.begin(&[&["import"], &arguments[..]].concat());
        begun = reach(&db, &mut importing, batches * BATCH / 2).await;
        importing.kill().expect("it can be ended");
        let ended = importing.wait().expect("it ends");
        cut += usize::from(!ended.success());
        println!("killed after {begun} transfers: {ended}");
    }
    assert!(cut > 0 && begun > 0, "the kills came too late to prove anything");
    db.close().await;
    let wrong = ROWS.div_ceil(7);
    let ended = import(&network, &arguments, "").await;
    let (rows, done, before, refusals) = counts(&ended);
    assert_eq!((rows, done + before, refusals), (ROWS as u64, (ROWS - wrong) as u64, wrong as u64));
    assert!(before > 0, "{ended:?}");
    assert_eq!(counts(&import(&network, &arguments, "").await).1, 0);
    let kept = std::fs::read_to_string(&refused).unwrap();
    assert_eq!(kept.lines().count(), wrong + 1);
    assert!(kept.lines().nth(1).unwrap().starts_with("1,amount-out-of-range,"));

    network.restart().await;
    // As many rows of each side are wrong, and the last is Bob's.
    let expected = (0..ROWS).filter(|row| row % 7 != 0).map(|row| if row % 2 == 0 { -101 } else { 101 }).sum::<i64>();
    let unit = ledger_core::Unit::new("KES-MC", 2).unwrap();
    let expected = unit.format(ledger_core::Amount::new(expected).unwrap());
    assert_eq!(network.alice.balance().await, expected);
    assert_eq!(network.admin.sound().await["transfersProposed"], ROWS - wrong);
    network.prove().await;
}

/// How many transfers there are.
async fn posted(db: &Db) -> i64 {
    let row = db.fetch_optional("select last_position from ledger", vec![]).await.expect("it answers");
    row.expect("there is a ledger").int("last_position").expect("a number")
}

/// Waits until an import has come so far, or ended; how far it is then.
async fn reach(db: &Db, importing: &mut Child, enough: i64) -> i64 {
    let started = Instant::now();
    loop {
        let now = posted(db).await;
        if now >= enough || importing.try_wait().expect("it can be asked").is_some() {
            return now;
        }
        assert!(started.elapsed() < PATIENCE, "it does not get on: {now}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_import_shares_the_ledger_with_a_server_on_postgres() {
    let network = Network::on(Engine::Postgres, "9999999", "9999999").await;
    let Network { admin, alice, bob, .. } = &network;
    let mut text = String::from("payer,payee,amount\n");
    (0..20_000).for_each(|_| writeln!(text, "{},{},0.01", alice.account, bob.account).unwrap());
    let single = hesabu_tests::network::immediate(bob, alice, "1", "");
    let arguments = ["-", "--key-prefix", "shared"];
    let importing = import(&network, &arguments, &text);
    tokio::pin!(importing);
    let mut singles = 0;
    let ended = loop {
        tokio::select! {
            ended = &mut importing => break ended,
            answer = admin.post("/admin/transfers", &single) => {
                answer.data();
                singles += 1;
            }
        }
        assert!(singles < 200_000, "the import does not get its turn");
    };
    assert_eq!(counts(&ended), (20_000, 20_000, 0, 0));
    // The one that was under way may have happened.
    let expected = [singles, singles + 1].map(|singles| (singles - 200).to_string());
    assert!(expected.contains(&alice.balance().await), "{expected:?}");
    network.prove().await;
}
