//! The document, walked from outside: a Python client that was written from it alone asks for all of its operations,
//! and asserts every field that it shows.

use hesabu_tests::database::Engine;
use hesabu_tests::server::{ADMINISTRATOR, Home, PASSWORD};
use std::path::Path;
use std::process::Command;

const OPERATIONS: usize = 20;

#[tokio::test]
async fn the_document_can_be_walked_on_sqlite() {
    the_document_can_be_walked(Engine::Sqlite).await;
}

#[tokio::test]
async fn the_document_can_be_walked_on_postgres() {
    the_document_can_be_walked(Engine::Postgres).await;
}

async fn the_document_can_be_walked(engine: Engine) {
    // The unit of the document's example.
    let home = Home::on(engine).await.with("HESABU_UNIT", "ocn-uk");
    let server = home.serve().await;
    home.create_administrator().await;
    let walk = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/walk.py");
    let mut command = Command::new("python3");
    command.arg(walk).args([server.address.as_str(), ADMINISTRATOR, PASSWORD]).arg(home.folder().join("mail"));
    // Nothing of Python's own is left beside the source.
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONIOENCODING", "utf-8");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("python3 can be run");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told.lines().filter(|line| line.contains(" … ok, ")).count(), OPERATIONS, "{told}");
    home.prove().await;
    let log = server.log();
    assert!(!log.contains("ERROR"), "{log}");
}
