//! The description that the API gives of itself: what it says is written down (`golden/openapi_mutual_credit.json`), and somebody who reads
//! nothing else and tries everything (schemathesis) finds nothing that is not so.

use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Network, log_in};
use hesabu_tests::server::{ADMINISTRATOR, Home};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const GOLDEN: &str = include_str!("../../golden/openapi_mutual_credit.json");

/// What the document has, by method and path, and which refusals it lists beside 429 and 500.
const DOCUMENT: [(&str, &str, &[&str]); 20] = [
    ("post", "/signup", &["400"]),
    ("post", "/login", &["400"]),
    ("post", "/logout", &["401"]),
    ("post", "/password-reset", &["400"]),
    ("post", "/password-reset/{token}", &["400"]),
    ("post", "/password-change", &["400", "401"]),
    ("get", "/user", &["401"]),
    ("patch", "/user", &["400", "401"]),
    ("get", "/user/entities", &["401"]),
    ("patch", "/user/entities/{id}", &["400", "401", "403"]),
    ("get", "/categories", &[]),
    ("get", "/tags", &[]),
    ("get", "/entities", &["401", "403"]),
    ("get", "/entities/{id}", &["400"]),
    ("post", "/favorites", &["400", "401", "403"]),
    ("post", "/send-email", &["400", "401", "403"]),
    ("post", "/transfers", &["400", "401", "403"]),
    ("patch", "/transfers/{id}", &["400", "401"]),
    ("get", "/transfers", &["400", "401"]),
    ("get", "/balance", &["401", "403"]),
];

/// The checks of schemathesis, all of them, but that the document has 400 for what is in the right form and cannot be done.
const SETTINGS: &str =
    "[checks]\npositive_data_acceptance.expected-statuses = [\"2xx\", \"400\", \"401\", \"403\", \"503\"]\n";

#[tokio::test]
async fn the_description_is_written_down() {
    let home = Home::on(Engine::Sqlite).await;
    let printed = home.run(&["openapi", "mutual-credit"], "").await;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    if std::env::var_os("HESABU_WRITE_GOLDEN").is_some() {
        fs::write(top().join("tests/golden/openapi_mutual_credit.json"), &printed.output).unwrap();
        return;
    }
    let differ = printed.output.lines().zip(GOLDEN.lines()).position(|(now, then)| now != then);
    assert!(
        printed.output == GOLDEN,
        "the description changed, first at line {:?} of tests/golden/openapi_mutual_credit.json: if it is meant, run this test with HESABU_WRITE_GOLDEN=1",
        differ.map(|line| line + 1)
    );
    let document: Value = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    for (method, path, refusals) in DOCUMENT {
        let operation = &document["paths"][path][method];
        assert!(operation["summary"].is_string(), "{method} {path} is not described");
        for status in ["200", "429", "500"].iter().chain(refusals) {
            assert!(operation["responses"][status]["description"].is_string(), "{method} {path} does not say {status}");
        }
    }
}

#[tokio::test]
async fn people_can_read_it_without_the_internet() {
    let home = Home::on(Engine::Sqlite).await;
    let server = home.serve().await;
    let nobody = Client::of(&server);
    assert_eq!(nobody.get("/openapi.json").await.json(), serde_json::from_str::<Value>(GOLDEN).unwrap());
    let page = nobody.outside("/docs/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html"));
    let local = page.text.split(['"', '\'']).filter(|part| part.starts_with("./"));
    let files: Vec<&str> = local.chain(["./index.css"]).collect();
    assert!(files.len() >= 5, "{page:?}");
    for file in files {
        let file = nobody.outside(&format!("/docs/{}", file.trim_start_matches("./"))).await;
        assert_eq!(file.status, 200, "{file:?}");
    }
    let start = nobody.outside("/docs/swagger-initializer.js").await.text;
    assert!(start.contains("\"/api/v1/openapi.json\"") && start.contains("\"validatorUrl\": \"none\""), "{start}");
    for text in [&page.text, &start] {
        assert!(!text.contains("http:") && !text.contains("https:"), "{text}");
    }
}

#[tokio::test]
async fn who_tries_everything_finds_nothing_on_sqlite() {
    who_tries_everything_finds_nothing(Engine::Sqlite).await;
}

#[tokio::test]
async fn who_tries_everything_finds_nothing_on_postgres() {
    who_tries_everything_finds_nothing(Engine::Postgres).await;
}

async fn who_tries_everything_finds_nothing(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { server, home, admin, alice, .. } = &network;
    alice.proposed("out", &network.bob, "1").await;
    fs::write(home.folder().join("schemathesis.toml"), SETTINGS).unwrap();
    fs::write(home.folder().join("openapi.json"), GOLDEN).unwrap();
    // What ends a session is tried with one that nobody else has.
    const ENDS: &str = "(logout|password-change)$";
    let other = network.another("other", "0", "0").await;
    let last = log_in(server, "/admin/login", ADMINISTRATOR).await;
    let member = ["--exclude-path-regex", &format!("^/admin|{ENDS}")].map(str::to_owned);
    let administrator = ["--include-path-regex", "^/admin", "--exclude-path-regex", ENDS].map(str::to_owned);
    let ending = ["--include-path-regex", &format!("^/{ENDS}")].map(str::to_owned);
    let ending_administrator = ["--include-path-regex", &format!("^/admin/{ENDS}")].map(str::to_owned);
    for (token, paths) in [
        (alice.client.token(), &member[..]),
        (admin.token(), &administrator),
        (other.client.token(), &ending),
        (last.token(), &ending_administrator),
    ] {
        try_everything(home.folder(), &server.address, token, paths).await;
    }
    // Nobody has a token any more.
    home.prove().await;
    let log = server.log();
    assert!(!log.contains("ERROR"), "{log}");
}

async fn try_everything(folder: &Path, address: &str, token: &str, paths: &[String]) {
    let program = top().join("target/python/bin/schemathesis");
    assert!(program.exists(), "{} is missing: run scripts/python.sh, or `make test`", program.display());
    let mut command = Command::new(program);
    command.current_dir(folder).args(["run", "openapi.json", "--url", &format!("{address}/api/v1")]);
    command
        .args(["--header", &format!("Authorization: Bearer {token}"), "--seed", "1", "--max-examples", "20"])
        .args(paths);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().expect("schemathesis can be run");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{paths:?}: {told}{}", String::from_utf8_lossy(&output.stderr));
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder of the project").to_path_buf()
}
