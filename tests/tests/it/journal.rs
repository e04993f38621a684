//! One byte changed anywhere in the stored journal, or in what was made from it: `hesabu verify` names the place.
//!
//! Method: a small history is made through the API. With the server gone, each record is changed at each of its bytes, one at a time, and
//! put back; then whole records, and each column of the rows that the journal proves. The program itself is asked for some of them, the
//! function behind it for all.

use hesabu::store::Row;
use hesabu_tests::database::Engine;
use hesabu_tests::network::{Network, immediate};
use hesabu_tests::server::Home;
use hesabu_tests::tamper::Tamper;
use serde_json::json;

const SET_BODY: &str = "update journal set body = $1 where seq = $2";
const SET_HASH: &str = "update journal set hash = $1 where seq = $2";

/// A history of every kind of command, on a server that has stopped.
struct History {
    home: Home,
    tamper: Tamper,
    records: Vec<Record>,
}

struct Record {
    seq: i64,
    hash: Vec<u8>,
    body: Vec<u8>,
}

impl Record {
    fn place(&self) -> String {
        format!("journal record {}", self.seq)
    }
}

impl History {
    async fn on(engine: Engine) -> History {
        let network = Network::on(engine, "100", "500").await;
        {
            let Network { admin, alice, bob, .. } = &network;
            admin.post_keyed("/admin/transfers", "grant", immediate(alice, bob, "1.50", "Grant")).await.data();
            let held = alice.proposed("out", bob, "2").await;
            let asked = alice.proposed("in", bob, "3").await;
            bob.answer(&held, "accept").await.data();
            let reason = json!({ "action": "reject", "cancellationReason": "Too dear" });
            bob.client.patch(&format!("/transfers/{asked}"), reason).await.data();
            let refused = alice.proposal("out", bob, "1000", "");
            assert_eq!(alice.client.post_keyed("/transfers", "refused", refused).await.status, 400);
            alice.proposed("out", bob, "4").await;
        }
        let Network { server, home, .. } = network;
        tokio::task::spawn_blocking(move || server.stop()).await.expect("it stops");
        let tamper = Tamper::with(engine, &home.database.url).await;
        tamper.sound().await;
        let record = |row: &Row| Record {
            seq: row.int("seq").unwrap(),
            hash: row.bytes("hash").unwrap(),
            body: row.bytes("body").unwrap(),
        };
        let rows = tamper.db.fetch_all("select seq, hash, body from journal order by seq", vec![]).await.unwrap();
        let records: Vec<Record> = rows.iter().map(record).collect();
        assert!(records.len() >= 11, "{}", records.len());
        History { home, tamper, records }
    }

    /// What the program says: it fails, and names the place.
    async fn program_names(&self, place: &str) {
        let ended = self.home.verify().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let named = ended.output.contains(&format!("mutual-credit: BROKEN at {place}: "))
            || ended.output.contains(&format!("mutual-credit: BROKEN at {place} ("));
        assert!(named, "not {place}: {ended:?}");
    }
}

#[tokio::test]
async fn each_byte_of_each_record_counts_on_sqlite() {
    each_byte_of_each_record_counts(Engine::Sqlite).await;
}

#[tokio::test]
async fn each_byte_of_each_record_counts_on_postgres() {
    each_byte_of_each_record_counts(Engine::Postgres).await;
}

async fn each_byte_of_each_record_counts(engine: Engine) {
    let history = History::on(engine).await;
    let tamper = &history.tamper;
    let mut changes = 0;
    for record in &history.records {
        let parts = [(SET_BODY, &record.body), (SET_HASH, &record.hash)];
        for (sql, right) in parts {
            for at in 0..right.len() {
                // Each bit has its turn.
                let mut wrong = right.clone();
                wrong[at] ^= 1 << (at % 8);
                tamper.change(sql, vec![wrong.into(), record.seq.into()]).await;
                tamper.names(&record.place(), &format!("{sql} byte {at}")).await;
                if at == right.len() / 2 {
                    history.program_names(&record.place()).await;
                }
                changes += 1;
            }
            for wrong in [vec![], right[1..].to_vec(), right[..right.len() - 1].to_vec(), [&right[..], b"\0"].concat()]
            {
                tamper.change(sql, vec![wrong.into(), record.seq.into()]).await;
                tamper.names(&record.place(), "a length").await;
            }
            tamper.change(sql, vec![right.clone().into(), record.seq.into()]).await;
        }
    }
    println!("{changes} bytes were changed");
    assert!(changes > 500);
    tamper.sound().await;
    history.home.prove().await;
}

#[tokio::test]
async fn records_keep_their_places_on_sqlite() {
    records_keep_their_places(Engine::Sqlite).await;
}

#[tokio::test]
async fn records_keep_their_places_on_postgres() {
    records_keep_their_places(Engine::Postgres).await;
}

async fn records_keep_their_places(engine: Engine) {
    let history = History::on(engine).await;
    let (tamper, records) = (&history.tamper, &history.records);
    let last = i64::try_from(records.len()).unwrap();
    // A copy from which the journal is put back.
    tamper.run("create table journal_copy as select * from journal").await;
    let columns = "ledger_id, seq, hash, first_position, last_position, last_id, body";
    let restore =
        format!("delete from journal; insert into journal ({columns}) select {columns} from journal_copy order by seq");
    let mut wrong: Vec<String> = vec![];
    for record in records {
        let seq = record.seq;
        for change in [
            format!("delete from journal where seq = {seq}"),
            format!("update journal set seq = seq + 1000 where seq = {seq}"),
            format!("update journal set seq = seq + {} where seq = {seq}", 1_i64 << 40),
            format!("delete from journal where seq >= {seq}"),
        ] {
            tamper.run(&change).await;
            wrong.extend(tamper.misnamed(&record.place(), &change).await);
            tamper.run(&restore).await;
        }
        if seq < last {
            let next = seq + 1;
            tamper.run(&format!("update journal set seq = 9999 where seq = {seq}")).await;
            tamper.run(&format!("update journal set seq = {seq} where seq = {next}")).await;
            tamper.run(&format!("update journal set seq = {next} where seq = 9999")).await;
            wrong.extend(tamper.misnamed(&record.place(), "swapping it with the next").await);
            tamper.run(&restore).await;
        }
    }
    for seq in [1, last / 2] {
        tamper.run(&format!("delete from journal where seq = {seq}")).await;
        history.program_names(&format!("journal record {seq}")).await;
        tamper.run(&restore).await;
    }
    let copy = format!(
        "insert into journal ({columns}) select ledger_id, {}, hash, first_position, last_position, last_id, body from journal_copy where seq = {last}",
        last + 1
    );
    tamper.run(&copy).await;
    wrong.extend(tamper.misnamed(&format!("journal record {}", last + 1), "one more").await);
    tamper.run(&restore).await;
    assert_eq!(wrong, [""; 0]);
    history.home.prove().await;
}

#[tokio::test]
async fn rows_are_what_the_journal_proves_on_sqlite() {
    rows_are_what_the_journal_proves(Engine::Sqlite).await;
}

#[tokio::test]
async fn rows_are_what_the_journal_proves_on_postgres() {
    rows_are_what_the_journal_proves(Engine::Postgres).await;
}

async fn rows_are_what_the_journal_proves(engine: Engine) {
    let history = History::on(engine).await;
    let tamper = &history.tamper;
    for table in ["transfer", "account"] {
        tamper.run(&format!("create table {table}_copy as select * from {table}")).await;
    }
    let rows = tamper.db.fetch_all("select position from transfer order by position", vec![]).await.unwrap();
    let positions: Vec<i64> = rows.iter().map(|row| row.int("position").unwrap()).collect();
    assert_eq!(positions, [1, 2, 3, 4, 5, 6]);
    let restore = "delete from transfer; insert into transfer select * from transfer_copy order by position";
    let mut wrong: Vec<String> = vec![];
    for position in positions {
        let place = format!("transfer row {position}");
        for change in transfer_changes(tamper) {
            let sql = format!("update transfer set {change} where position = {position}");
            // Some are refused by a constraint already.
            if tamper.try_run(&sql).await.is_ok() {
                let settling = "the row that began the transfer does not say that this one settles it";
                let by_the_other = tamper.fault().await.is_some_and(|fault| fault.what == settling);
                if !(by_the_other && change.starts_with("settled_by")) {
                    wrong.extend(tamper.misnamed(&place, &sql).await);
                }
                tamper.run(restore).await;
            }
        }
        tamper.run(&format!("delete from transfer where position = {position}")).await;
        wrong.extend(tamper.misnamed(&place, "deletion").await);
        tamper.run(restore).await;
    }
    // That an id is or is not in the index shows in the record, which tells the last one that is not.
    tamper.run("update transfer set indexed = not indexed where position = 1").await;
    assert!(tamper.fault().await.is_some());
    tamper.run(restore).await;
    tamper.run("update transfer set memo = 'Gift' where position = 1").await;
    history.program_names("transfer row 1").await;
    tamper.run(restore).await;
    tamper.sound().await;
    wrong.extend(misnamed_accounts(&history).await);
    assert_eq!(wrong, [""; 0]);
    history.home.prove().await;
}

/// Every column of a transfer's row, changed to what it never is.
fn transfer_changes(tamper: &Tamper) -> Vec<String> {
    let numbers = [
        "seq",
        "amount",
        "moved",
        "at",
        "payer_prev",
        "payer_jump",
        "payer_balance",
        "payer_begun",
        "payer_posted",
        "payer_ended",
        "payee_prev",
        "payee_jump",
        "payee_balance",
        "payee_begun",
        "payee_posted",
        "payee_ended",
    ];
    let mut changes: Vec<String> = numbers.map(|column| format!("{column} = {column} + 1")).to_vec();
    changes.extend(numbers.map(|column| format!("{column} = {column} - 1")));
    changes.push("step = case step when 1 then 2 else 1 end".into());
    changes.push("step = case step when 11 then 13 else 11 end".into());
    changes.extend(["transfer_id", "payer_id", "payee_id"].map(|column| format!("{column} = {}", tamper.id(7))));
    changes.push("payer_id = payee_id, payee_id = payer_id".into());
    changes.extend(["memo = memo || ' '", "memo = 'x'", "pending = not pending", "expires_at = 7"].map(String::from));
    changes
        .extend(["settles = coalesce(settles, 0) + 1", "settled_by = coalesce(settled_by, 0) + 1"].map(String::from));
    changes
}

/// Every column of an account, changed; what the proof did not find.
async fn misnamed_accounts(history: &History) -> Vec<String> {
    let tamper = &history.tamper;
    let restore = "delete from account; insert into account select * from account_copy";
    let rows = tamper.db.fetch_all("select account_id from account order by account_id", vec![]).await.unwrap();
    let changes = [
        "balance = balance + 1",
        "balance = -balance",
        "held_out = held_out + 1",
        "held_in = held_in + 1",
        "floor = floor - 1",
        "ceiling = ceiling + 1",
        "status = 1",
        "entries = entries + 1",
        "begun = begun + 1",
        "posted = posted + 1",
        "ended = ended + 1",
        "last_position = last_position + 1",
        "last_position = 1",
        "as_of = as_of + 1",
    ];
    let mut wrong: Vec<String> = vec![];
    for row in &rows {
        let id = row.id("account_id").unwrap();
        let place = format!("account {}", hesabu::id_text(id));
        for change in changes {
            tamper.run(&format!("update account set {change} where account_id = {}", tamper.id(id))).await;
            wrong.extend(tamper.misnamed(&place, change).await);
            tamper.run(restore).await;
        }
        tamper.run(&format!("delete from account where account_id = {}", tamper.id(id))).await;
        wrong.extend(tamper.misnamed("accounts", "deletion").await);
        tamper.run(restore).await;
    }
    let first = rows[0].id("account_id").unwrap();
    tamper.run(&format!("update account set balance = balance + 1 where account_id = {}", tamper.id(first))).await;
    history.program_names(&format!("account {}", hesabu::id_text(first))).await;
    tamper.run(restore).await;
    wrong
}

#[tokio::test]
async fn the_ledgers_own_row_counts_on_sqlite() {
    the_ledgers_own_row_counts(Engine::Sqlite).await;
}

#[tokio::test]
async fn the_ledgers_own_row_counts_on_postgres() {
    the_ledgers_own_row_counts(Engine::Postgres).await;
}

async fn the_ledgers_own_row_counts(engine: Engine) {
    let history = History::on(engine).await;
    let tamper = &history.tamper;
    tamper.run("create table ledger_copy as select * from ledger").await;
    let next = history.records.len() + 1;
    let mut lost = vec![];
    for (column, value, place) in [
        ("unit", "'KES'", "journal record 1".to_owned()),
        ("scale", "3", "journal record 1".into()),
        ("head_seq", "head_seq + 1", format!("journal record {next}")),
        ("head_seq", "head_seq - 1", "ledger".into()),
        ("head_hash", "(select hash from journal where seq = 1)", "ledger".into()),
        ("last_position", "last_position + 1", "ledger".into()),
        ("last_id", &tamper.id(u128::MAX), "ledger".into()),
        ("flushed_position", "flushed_position + 1", "ledger".into()),
        ("head_at", "head_at + 1", "ledger".into()),
        ("begun", "begun + 1", "ledger".into()),
        ("posted", "posted + 1", "ledger".into()),
        ("ended", "ended + 1", "ledger".into()),
    ] {
        tamper.run(&format!("update ledger set {column} = {value}")).await;
        let found = tamper.fault().await.map(|fault| fault.place);
        // The place of a head that is one too low, or that sends the search for an id astray, is for the proof to choose.
        let free = value == "head_seq - 1" || column == "last_id";
        if found.is_none() || found.as_ref() != Some(&place) && !free {
            lost.push(format!("{column} = {value}: {found:?} should be {place}"));
        }
        tamper.run(&format!("update ledger set {column} = (select {column} from ledger_copy)")).await;
    }
    tamper.sound().await;
    assert_eq!(lost, [""; 0]);
}

#[tokio::test]
async fn kept_keys_count_on_sqlite() {
    kept_keys_count(Engine::Sqlite).await;
}

#[tokio::test]
async fn kept_keys_count_on_postgres() {
    kept_keys_count(Engine::Postgres).await;
}

/// The key of a transfer that began and the key of one that was refused: with either changed or gone, a retry would
/// happen again or be answered otherwise.
async fn kept_keys_count(engine: Engine) {
    let history = History::on(engine).await;
    let tamper = &history.tamper;
    tamper.run("create table idempotency_copy as select * from idempotency").await;
    let restore = "delete from idempotency; insert into idempotency select * from idempotency_copy";
    let other = |column: &str| {
        let same = "refused_verdict is not null";
        format!(
            "update idempotency set {column} = (select {column} from idempotency_copy where {same}) where refused_verdict is null"
        )
    };
    let changes = [
        "delete from idempotency".to_owned(),
        "delete from idempotency where refused_verdict is null".into(),
        "delete from idempotency where refused_verdict is not null".into(),
        format!("update idempotency set transfer_id = {} where refused_verdict is null", tamper.id(7)),
        format!("update idempotency set transfer_id = {} where refused_verdict is not null", tamper.id(7)),
        format!("update idempotency set key_digest = {} where refused_verdict is null", tamper.id(7)),
        format!("update idempotency set key_digest = {} where refused_verdict is not null", tamper.id(7)),
        "update idempotency set at = at + 1 where refused_verdict is null".into(),
        "update idempotency set at = at + 1 where refused_verdict is not null".into(),
        "update idempotency set refused_verdict = null, refused_command = null".into(),
        "update idempotency set refused_command = refused_verdict".into(),
        format!("{}; {}", other("refused_command"), other("refused_verdict")),
    ];
    let mut missed = vec![];
    for change in changes {
        tamper.run(&change).await;
        let found = tamper.fault().await;
        // An unreadable row is found where the replay is, a changed or missing one by the transfer that it stands for.
        if !found.as_ref().is_some_and(|fault| fault.place.contains("journal record")) {
            missed.push(format!("{change}: {found:?}"));
        }
        tamper.run(restore).await;
    }
    tamper.run(&format!(
        "insert into idempotency select ledger_id, {}, transfer_id, null, null, at from idempotency_copy where refused_verdict is null",
        tamper.id(9)
    ))
    .await;
    tamper.names("ledger", "a key that nobody sent").await;
    tamper.run(restore).await;
    tamper.sound().await;
    assert_eq!(missed, [""; 0]);
}

#[tokio::test]
async fn rows_of_no_ledger_are_found_on_sqlite() {
    rows_of_no_ledger_are_found(Engine::Sqlite).await;
}

#[tokio::test]
async fn rows_of_no_ledger_are_found_on_postgres() {
    rows_of_no_ledger_are_found(Engine::Postgres).await;
}

/// Rows that nothing in a journal leads to: of a ledger that there is not, beyond the end of one, and before its beginning.
async fn rows_of_no_ledger_are_found(engine: Engine) {
    let history = History::on(engine).await;
    let tamper = &history.tamper;
    // As somebody does it who can switch off the constraints that would not allow it.
    let (off, on) = match engine {
        Engine::Sqlite => ("pragma foreign_keys = off", "pragma foreign_keys = on"),
        Engine::Postgres => ("set session_replication_role = replica", "set session_replication_role = origin"),
    };
    let nowhere = tamper.id(99);
    let strays = if engine == Engine::Sqlite { "transfer row 101" } else { "transfers" };
    let mut wrong = vec![];
    let changes = [
        ("journal", format!("ledger_id = {nowhere}"), "journal"),
        ("account", format!("ledger_id = {nowhere}"), "accounts"),
        ("idempotency", format!("ledger_id = {nowhere}"), "keys"),
        ("transfer", format!("ledger_id = {nowhere}, position = position + 100"), strays),
        ("transfer", format!("ledger_id = {nowhere}, position = position + {}", 5_i64 << 40), ""),
        ("transfer", "position = position + 100".into(), "transfer row 101"),
        ("transfer", "position = position - 100".into(), "transfer row -99"),
        ("transfer", format!("position = position + {}", 5_i64 << 40), ""),
        ("account", format!("account_id = {nowhere}, balance = 0"), "account"),
    ];
    for (number, (table, change, place)) in changes.into_iter().enumerate() {
        // One row, and what it would be changed to.
        let stray = format!("stray_{number}");
        tamper
            .run(&format!("create table {stray} as select * from {table} limit 1; update {stray} set {change}"))
            .await;
        tamper.run(&format!("{off}; insert into {table} select * from {stray}; {on}")).await;
        let found = tamper.fault().await.map(|fault| fault.place).unwrap_or_default();
        if found.is_empty() || !found.starts_with(place) {
            wrong.push(format!("{table}: {change}: not {place} but {found}"));
        }
        let key = match table {
            "journal" => "seq",
            "account" => "account_id",
            "idempotency" => "key_digest",
            _ => "position",
        };
        tamper
            .run(&format!("delete from {table} where (ledger_id, {key}) in (select ledger_id, {key} from {stray})"))
            .await;
    }
    tamper.sound().await;
    assert_eq!(wrong, [""; 0]);
    history.home.prove().await;
}
