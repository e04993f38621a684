//! Copies of the embedded database: whole, taken while it is written to, and good to go on with.

use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Network, immediate};
use hesabu_tests::server::Home;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Proves the books in a file.
async fn prove(home: &Home, file: &Path) -> u64 {
    let ended = home.run(&["verify", "--json", "--database-url", &format!("sqlite:{}", text(file))], "").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report: Value = serde_json::from_str(&ended.output).expect("JSON");
    assert_eq!(report["proven"], json!(true));
    report["transferRows"].as_u64().expect("a number")
}

/// A database with some transfers, whose server was killed: its newest part is in SQLite's log beside it.
async fn killed() -> (Network, Vec<String>) {
    let mut network = Network::on(Engine::Sqlite, "1000", "1000").await;
    let mut ids = vec![];
    for turn in 0..20 {
        let body = immediate(&network.alice, &network.bob, "1", &turn.to_string());
        ids.push(network.admin.post("/admin/transfers", body).await.data()["id"].as_str().expect("an id").to_owned());
    }
    network.server.kill();
    (network, ids)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_has_all_that_was_acknowledged() {
    let network = Network::on(Engine::Sqlite, "1000000", "1000000").await;
    let (acknowledged, working) = (Arc::new(Mutex::new(vec![])), Arc::new(AtomicBool::new(true)));
    let mut clients = JoinSet::new();
    for client in 0..8 {
        let (admin, body) =
            (network.admin.afresh(), immediate(&network.alice, &network.bob, "0.01", &client.to_string()));
        let (acknowledged, working) = (Arc::clone(&acknowledged), Arc::clone(&working));
        clients.spawn(async move {
            while working.load(Ordering::Relaxed) {
                let id = admin.post("/admin/transfers", &body).await.data()["id"].as_str().expect("an id").to_owned();
                acknowledged.lock().expect("nobody panics").push(id);
            }
        });
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut rows = 0;
    for turn in 0..4 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let (file, before) =
            (folder.path().join(format!("{turn}.db")), acknowledged.lock().expect("nobody panics").clone());
        let ended = network.home.run(&["backup", "--json", text(&file)], "").await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let told: Value = serde_json::from_str(&ended.output).expect("JSON");
        assert_eq!(told["bytes"].as_u64(), Some(fs::metadata(&file).expect("it is there").len()));
        assert!(!folder.path().join(format!("{turn}.db.partial")).exists());
        let here = prove(&network.home, &file).await;
        assert!(here > rows && here >= u64::try_from(before.len()).unwrap(), "{here} after {rows}");
        rows = here;
        if turn == 3 {
            working.store(false, Ordering::Relaxed);
            clients.join_all().await;
            has_all(&network, &file, &before).await;
            break;
        }
    }
    let all = acknowledged.lock().expect("nobody panics").len();
    let stored = network.admin.get("/admin/transfers?status=completed&page_size=1").await.meta().0;
    assert_eq!(usize::try_from(stored).unwrap(), all, "nobody was disturbed");
    network.prove().await;
}

/// Puts a copy into an empty place, where a server goes on with it.
async fn has_all(network: &Network, file: &Path, ids: &[String]) {
    let home = Home::on(Engine::Sqlite).await;
    let ended = home.run(&["restore", text(file)], "").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    home.prove().await;
    fs::copy(network.home.folder().join("token-key.pem"), home.folder().join("token-key.pem"))
        .expect("the key comes along");
    let server = home.serve().await;
    let admin = network.admin.towards(&server);
    assert!(ids.len() > 50, "there was no load: {}", ids.len());
    for id in ids.iter().step_by(17).chain(ids.last()) {
        assert_eq!(admin.get(&format!("/admin/transfers/{id}")).await.data()["status"], "transferCompleted");
    }
    admin.post("/admin/transfers", immediate(&network.bob, &network.alice, "1", "on it goes")).await.data();
    admin.sound().await;
    home.prove().await;
}

#[tokio::test]
async fn nothing_takes_the_place_of_anything_by_itself() {
    let mut network = Network::on(Engine::Sqlite, "1000", "1000").await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("copy.db");
    let backup = async || network.home.run(&["backup", text(&file)], "").await;
    // What an earlier one left that was killed is in nobody's way; one that somebody writes is.
    let partial = folder.path().join("copy.db.partial");
    fs::write(&partial, vec![7; 3_000_000]).expect("it can be written");
    let held = fs::File::open(&partial).expect("it is there");
    held.lock().expect("nobody has it");
    let ended = backup().await;
    assert!(ended.code == Some(1) && ended.log.contains("somebody else is writing"), "{ended:?}");
    assert!(!file.exists());
    drop(held);
    assert_eq!(backup().await.code, Some(0));
    assert!(!partial.exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let other = folder.path().join("mine.db");
        assert_eq!(network.home.run(&["backup", text(&other)], "").await.code, Some(0));
        assert_eq!(fs::metadata(&other).expect("it is there").permissions().mode() & 0o777, 0o600);
    }
    let before = fs::read(&file).expect("it is there");
    let ended = backup().await;
    assert!(ended.code == Some(1) && ended.log.contains("is there already"), "{ended:?}");

    // A database in use stays, whatever is said.
    for arguments in [&["restore", text(&file)][..], &["restore", "--replace", text(&file)]] {
        let ended = network.home.run(arguments, "").await;
        assert!(ended.code == Some(1) && ended.log.contains("stop it first"), "{ended:?}");
    }
    network.admin.sound().await;
    network.server.kill();
    let ended = network.home.run(&["restore", text(&file)], "").await;
    assert!(ended.code == Some(1) && ended.log.contains("--replace"), "{ended:?}");
    let own = network.home.folder().join("hesabu.db");
    let ended = network.home.run(&["restore", "--replace", text(&own)], "").await;
    assert!(ended.code == Some(1) && ended.log.contains("is the database itself"), "{ended:?}");
    let ended = network.home.run(&["restore", "--replace", "/nowhere.db"], "").await;
    assert!(ended.code == Some(1) && ended.log.contains("no file at"), "{ended:?}");
    // What is no database is not put where one is.
    let junk = folder.path().join("junk.db");
    fs::write(&junk, vec![b'x'; 10_000]).expect("it can be written");
    let ended = network.home.run(&["restore", "--replace", text(&junk)], "").await;
    assert!(ended.code == Some(1), "{ended:?}");
    assert_eq!(fs::read(&file).expect("it is there"), before);
    network.home.prove().await;
}

#[tokio::test]
async fn what_is_replaced_is_kept() {
    let (mut network, ids) = killed().await;
    let folder = tempfile::tempdir().expect("a folder");
    let early = folder.path().join("early.db");
    // Beside what the log still has.
    assert_eq!(network.home.run(&["backup", text(&early)], "").await.code, Some(0));
    let rows = prove(&network.home, &early).await;
    network.restart().await;
    for turn in 0..5 {
        let body = immediate(&network.bob, &network.alice, "1", &turn.to_string());
        network.admin.post("/admin/transfers", body).await.data();
    }
    network.server.kill();
    assert!(network.home.folder().join("hesabu.db-wal").exists(), "there is a log that could be taken for another's");

    let ended = network.home.run(&["restore", "--replace", "--json", text(&early)], "").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let told: Value = serde_json::from_str(&ended.output).expect("JSON");
    let kept = PathBuf::from(told["replaced"].as_str().expect("a path"));
    assert_eq!(prove(&network.home, &kept).await, rows + 5);
    network.home.prove().await;
    network.restart().await;
    let listed = network.admin.get("/admin/transfers?status=completed&page_size=100").await;
    assert_eq!(listed.meta().0, 20);
    let there: Vec<Value> = listed.data().as_array().expect("a list").iter().map(|row| row["id"].clone()).collect();
    assert!(ids.iter().all(|id| there.contains(&json!(id))));
    network.prove().await;
}

#[tokio::test]
async fn a_full_disk_leaves_nothing_that_looks_whole() {
    let (network, _) = killed().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("copy.db");
    let ended = network.home.run_with_little_disk(150, &["backup", text(&file)]).await;
    assert!(ended.code == Some(1) && ended.log.contains("cannot be copied"), "{ended:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "{ended:?}");

    // And a database that was to be replaced is where it was.
    assert_eq!(network.home.run(&["backup", text(&file)], "").await.code, Some(0));
    let ended = network.home.run_with_little_disk(150, &["restore", "--replace", text(&file)]).await;
    assert!(ended.code == Some(1) && ended.log.contains("cannot be copied"), "{ended:?}");
    assert!(!network.home.folder().join("hesabu.db.partial").exists());
    network.home.prove().await;
}

#[tokio::test]
async fn postgres_has_tools_of_its_own_on_postgres() {
    let home = Home::on(Engine::Postgres).await;
    let file = home.folder().join("copy.db");
    for command in ["backup", "restore"] {
        let ended = home.run(&[command, text(&file)], "").await;
        assert_eq!(ended.code, Some(1));
        assert!(ended.log.contains("pg_dump") && ended.log.contains("pg_basebackup"), "{ended:?}");
        assert!(!file.exists());
    }
}

/// Nothing is made of a database that is not there.
#[tokio::test]
async fn there_must_be_something_to_copy() {
    let home = Home::on(Engine::Sqlite).await;
    let file = home.folder().join("copy.db");
    let ended = home.run(&["backup", text(&file)], "").await;
    assert!(ended.code == Some(1) && ended.log.contains("there is no database at"), "{ended:?}");
    assert!(!file.exists() && !home.folder().join("hesabu.db").exists());
    let server = home.serve().await;
    assert_eq!(Client::of(&server).outside("/readyz").await.status, 200);
    assert_eq!(home.run(&["backup", text(&file)], "").await.code, Some(0), "an empty ledger is one, too");
}
