//! Statements of account in every form, and that somebody who trusts nobody can check them against the journal, as `docs/statements.md` says.

use hesabu_tests::client::Client;
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Network, immediate};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

#[tokio::test]
async fn a_statement_follows_from_the_journal_on_sqlite() {
    a_statement_follows_from_the_journal(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_statement_follows_from_the_journal_on_postgres() {
    a_statement_follows_from_the_journal(Engine::Postgres).await;
}

async fn a_statement_follows_from_the_journal(engine: Engine) {
    let network = Network::on(engine, "100", "500").await;
    let Network { admin, alice, bob, home, .. } = &network;
    admin.post("/admin/transfers", immediate(alice, bob, "10.05", "chai, \"maziwa\" = 10")).await.data();
    let hold = alice.client.post("/transfers", alice.proposal("out", bob, "2", "=1+1")).await.data();
    bob.answer(hold["id"].as_str().unwrap(), "accept").await.data();
    // What is refused, and what only waits, moves nothing.
    alice.proposed("out", bob, "7").await;
    assert_eq!(alice.propose("out", bob, "99999").await.status, 400);
    let asked = alice.proposed("in", bob, "3.5").await;
    let middle = bob.answer(&asked, "accept").await.data()["dateCompleted"].as_str().unwrap().to_owned();
    admin.post("/admin/transfers", immediate(bob, alice, "1", "ሻይ")).await.data();
    let rejected = alice.proposed("out", bob, "4").await;
    bob.answer(&rejected, "reject").await.data();

    let path = format!("/user/entities/{}/statement", alice.entity);
    let whole = alice.client.get(&path).await.data();
    let amounts: Vec<String> = movements(&whole).iter().map(|movement| movement["amount"].to_string()).collect();
    assert_eq!(amounts, ["-10.05", "-2", "3.5", "1"], "{whole:#}");
    let sums = ["openingBalance", "closingBalance", "paidIn", "paidOut"].map(|field| whole[field].to_string());
    assert_eq!(sums, ["0", "-7.55", "4.5", "12.05"]);
    let first = &movements(&whole)[0];
    assert_eq!(
        (&first["accountNumber"], &first["entityName"], &first["description"], first["balance"].to_string()),
        (&json!(bob.account), &json!("bob"), &json!("chai, \"maziwa\" = 10"), "-10.05".into())
    );
    // The end of a period is not part of it.
    let until = alice.client.get(&format!("{path}?date_to={middle}")).await.data();
    let since = admin.get(&format!("/admin/entities/{}/statement?date_from={middle}", alice.entity)).await.data();
    assert_eq!((movements(&until).len(), movements(&since).len()), (2, 2));
    assert_eq!((&until["closingBalance"], &since["openingBalance"]), (&json!(-12.05), &json!(-12.05)));
    let none =
        alice.client.get(&format!("{path}?date_from=2999-01-01T00:00:00Z&date_to=2999-01-02T00:00:00Z")).await.data();
    assert_eq!((movements(&none).len(), &none["openingBalance"]), (0, &json!(-7.55)));

    let journal = home.run(&["journal"], "").await;
    assert_eq!(journal.code, Some(0), "{journal:?}");
    let folder = home.folder();
    fs::write(folder.join("journal"), &journal.output).unwrap();
    for (statement, count) in [(&whole, 4), (&until, 2), (&since, 2), (&none, 0)] {
        let checked = check(folder, statement);
        assert_eq!(checked.status.code(), Some(0), "{}", String::from_utf8_lossy(&checked.stderr));
        assert!(String::from_utf8_lossy(&checked.stdout).contains(&format!("{count} movements")), "{checked:?}");
    }
    nothing_can_be_changed(folder, &whole, &journal.output);
    other_forms(&alice.client, &path, &whole).await;
    who_may_read(&network, &path).await;
    network.prove().await;
}

fn movements(statement: &Value) -> &Vec<Value> {
    statement["movements"].as_array().expect("a list")
}

/// Runs the script of the documentation.
fn check(folder: &Path, statement: &Value) -> Output {
    fs::write(folder.join("statement.json"), statement.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/check_statement.py");
    let arguments = [script, folder.join("statement.json"), folder.join("journal")];
    Command::new("python3").args(arguments).output().expect("python3 can be run")
}

/// Each number, date, name of a transfer and text of a statement; a movement more, less or twice; and each byte of the journal.
fn nothing_can_be_changed(folder: &Path, statement: &Value, journal: &str) {
    let mut changed = vec![];
    for (field, value) in [
        ("/openingBalance", json!(1)),
        ("/closingBalance", json!(-7.54)),
        ("/paidIn", json!(4.51)),
        ("/paidOut", json!(0)),
        ("/movements/0/amount", json!(-10.06)),
        ("/movements/1/balance", json!(0)),
        ("/movements/2/date", json!("2020-01-01T00:00:00Z")),
        ("/movements/3/transferID", statement["movements"][0]["transferID"].clone()),
        ("/movements/0/description", json!("chai")),
        ("/movements/3/description", json!("")),
        ("/movements/0/record", json!(1)),
        ("/movements/0/recordHash", json!("00".repeat(32))),
        ("/unit", json!("USD")),
        ("/journal/scale", json!(3)),
        ("/journal/scale", json!(0)),
        ("/closingBalance", json!(-7.559)),
        ("/movements/1/amount", json!(-2.009)),
        ("/movements/0/counterpartyID", statement["journal"]["accountID"].clone()),
        (
            "/movements/0/date",
            json!(format!("{}1Z", statement["movements"][0]["date"].as_str().unwrap().trim_end_matches('Z'))),
        ),
        ("/journal/hash", json!("00".repeat(32))),
        ("/journal/records", json!(statement["journal"]["records"].as_i64().unwrap() - 1)),
        ("/journal/records", json!(statement["journal"]["records"].as_i64().unwrap() + 100)),
        ("/journal/ledgerID", statement["journal"]["accountID"].clone()),
        ("/journal/accountID", statement["journal"]["ledgerID"].clone()),
        ("/dateFrom", json!("2999-01-01T00:00:00Z")),
    ] {
        let mut other = statement.clone();
        *other.pointer_mut(field).expect("it has this") = value;
        changed.push((field.to_owned(), other));
    }
    for (what, place) in [("less", 1), ("twice", 4)] {
        let mut other = statement.clone();
        let list = other["movements"].as_array_mut().unwrap();
        if place < list.len() {
            drop(list.remove(place))
        } else {
            list.push(list[0].clone())
        }
        changed.push((what.into(), other));
    }
    for (what, other) in changed {
        let checked = check(folder, &other);
        assert_eq!(checked.status.code(), Some(1), "{what}: {checked:?}");
        let why = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(why.starts_with("The statement does not follow from the journal: "), "{what}: {why}");
    }
    // Somewhere in a body: another digit.
    let lines: Vec<&str> = journal.lines().collect();
    for place in [1, lines.len() / 2, lines.len() - 1] {
        let body = lines[place].find("\"body\":\"").expect("a body") + 40;
        let mut line = lines[place].to_owned();
        let digit = if line.as_bytes()[body] == b'0' { "1" } else { "0" };
        line.replace_range(body..=body, digit);
        let mut other = lines.clone();
        other[place] = &line;
        fs::write(folder.join("journal"), other.join("\n")).unwrap();
        assert_eq!(check(folder, statement).status.code(), Some(1), "record {place}");
    }
}

async fn other_forms(client: &Client, path: &str, whole: &Value) {
    let csv = client.get(&format!("{path}?format=csv")).await;
    assert_eq!((csv.status, csv.header("content-type")), (200, "text/csv; charset=utf-8"));
    assert!(csv.header("content-disposition").starts_with("attachment; filename=\"statement-"), "{csv:?}");
    let rows: Vec<&str> = csv.text.lines().collect();
    assert_eq!(rows.len(), 1 + 1 + 4 + 1, "{}", csv.text);
    assert!(rows[0].starts_with("date,transfer,account,name,description,amount,balance,"));
    assert!(rows[1].contains("Opening balance,,0,"), "{}", rows[1]);
    assert!(rows[2].contains(",bob,\"chai, \"\"maziwa\"\" = 10\",-10.05,-10.05,"), "{}", rows[2]);
    // Nothing that a spreadsheet would run.
    assert!(rows[3].contains(",bob,'=1+1,-2,-12.05,"), "{}", rows[3]);
    let hash = whole["journal"]["hash"].as_str().unwrap();
    assert!(rows[6].contains("Closing balance,,-7.55,"), "{}", rows[6]);
    assert_eq!(rows[6].rsplit(',').next().unwrap().len(), hash.len());

    let pdf = client.request(reqwest::Method::GET, &format!("{path}?format=pdf")).send().await.unwrap();
    assert_eq!(pdf.headers()["content-type"], "application/pdf");
    let bytes = pdf.bytes().await.unwrap();
    assert!(bytes.starts_with(b"%PDF-") && bytes.len() > 5_000, "{} bytes", bytes.len());
}

async fn who_may_read(network: &Network, path: &str) {
    let Network { admin, alice, bob, .. } = network;
    bob.client.get(path).await.refused(403, "Permission denied.");
    Client::of(&network.server).get(path).await.refused(401, "Could not authenticate you.");
    alice.client.get(&path.replace("/user/", "/admin/")).await.refused(403, "Permission denied.");
    for (query, message) in [
        ("format=xls", "format must be json, csv or pdf."),
        ("date_from=2026-02-01T00:00:00Z&date_to=2026-01-01T00:00:00Z", "date_to cannot be before date_from."),
        ("date_from=soon", "date_from must be a date and time such as 2026-11-23T12:00:00Z."),
    ] {
        alice.client.get(&format!("{path}?{query}")).await.refused(400, message);
    }
    for nonsense in ["x", "%27", "00000000-0000-0000-0000-000000000000"] {
        let path = format!("/admin/entities/{nonsense}/statement");
        admin.get(&path).await.refused(400, "Please enter valid entity id.");
    }
}
