//! Keys of a ledger under load: they are packed in runs, and every retry gets its first answer all the same.

use hesabu::posting::{Pace, Posting};
use hesabu::store::Value;
use hesabu_tests::database::Engine;
use hesabu_tests::room::{ALICE, BOB, Room, clock, pay};
use hesabu_tests::tamper::Tamper;
use ledger_core::{Key, Outcome, Receipt, Rejection, TransferId};

/// A sweep goes through in so many positions, and half as many keys are many.
const SWEEP: i64 = 256;
const BATCH: usize = 150;

fn pace() -> Pace {
    Pace { sweep_alone: SWEEP, sweep_among_others: SWEEP, ..Pace::default() }
}

/// What a retry must hear again.
#[derive(PartialEq, Eq, Debug)]
enum Answer {
    Began(TransferId),
    Refused(Rejection),
}

fn answer(outcome: &Outcome) -> (bool, Answer) {
    match outcome {
        Ok(Receipt::Transfer(receipt)) => (false, Answer::Began(receipt.transfer.id)),
        Ok(Receipt::Repeated(transfer)) => (true, Answer::Began(transfer.id)),
        Err(rejection) => (false, Answer::Refused(*rejection)),
        other => panic!("{other:?}"),
    }
}

/// Alice pays one and Bob pays it back, and each fifth is more than she has.
async fn post(room: &Room, host: &Posting, keys: std::ops::Range<usize>) -> Vec<(bool, Answer)> {
    let entry = |key: usize| match key % 5 {
        4 => pay(&key.to_string(), ALICE, BOB, 400),
        even if even % 2 == 0 => pay(&key.to_string(), ALICE, BOB, 1),
        _ => pay(&key.to_string(), BOB, ALICE, 1),
    };
    let outcomes = host.submit_batch(room.ledger.id, keys.map(entry).collect()).await.unwrap();
    outcomes.iter().map(answer).collect()
}

/// The first answers to so many batches, with no key twice.
async fn load(room: &Room, batches: usize) -> Vec<Answer> {
    let mut answers = vec![];
    for batch in 0..batches {
        let said = post(room, &room.posting, batch * BATCH..(batch + 1) * BATCH).await;
        assert!(said.iter().all(|(repeated, _)| !repeated));
        answers.extend(said.into_iter().map(|(_, answer)| answer));
    }
    assert!(answers.iter().any(|answer| matches!(answer, Answer::Refused(_))));
    answers
}

/// Each key once more, some of them together with new ones: the same answers, and nothing moves but for the new.
async fn asked_again(room: &Room, host: &Posting, answers: &[Answer]) {
    for start in (0..answers.len()).step_by(BATCH) {
        let said = post(room, host, start..start + BATCH).await;
        for ((repeated, said), first) in said.iter().zip(&answers[start..]) {
            assert_eq!(said, first);
            assert!(*repeated || matches!(first, Answer::Refused(_)));
        }
    }
}

async fn count(room: &Room, sql: &'static str) -> i64 {
    let values: Vec<Value> = vec![];
    room.db.fetch_optional(sql, values).await.unwrap().unwrap().int("count").unwrap()
}

const RUNS: &str = "select count(*) as count from key_run";
const PACKED: &str = "select cast(sum(keys) as bigint) as count from key_run";
const ROWS: &str = "select count(*) as count from idempotency";
const UNFINISHED: &str = "select count(*) as count from key_page p where not exists (select 1 from key_run r where r.ledger_id = p.ledger_id and r.run = p.run)";

#[tokio::test]
async fn packed_keys_are_found_again_on_sqlite() {
    packed_keys_are_found_again(Engine::Sqlite).await;
}

#[tokio::test]
async fn packed_keys_are_found_again_on_postgres() {
    packed_keys_are_found_again(Engine::Postgres).await;
}

async fn packed_keys_are_found_again(engine: Engine) {
    let room = Room::paced(engine, clock(), pace()).await;
    let mut answers = load(&room, 12).await;
    assert!(count(&room, RUNS).await >= 3);
    asked_again(&room, &room.posting, &answers).await;
    room.prove().await;
    room.posting.close().await;
    assert_eq!(count(&room, UNFINISHED).await, 0);
    room.prove().await;

    // A host that knows nothing but what is stored, and keeps few keys: those are rows.
    let packed = count(&room, PACKED).await;
    let rows = count(&room, ROWS).await;
    let host = room.another(&room.db, pace());
    asked_again(&room, &host, &answers).await;
    let few = post(&room, &host, answers.len()..answers.len() + 10).await;
    answers.extend(few.into_iter().map(|(_, answer)| answer));
    host.close().await;
    assert_eq!(count(&room, PACKED).await, packed);
    assert_eq!(count(&room, ROWS).await, rows + 10);
    room.prove().await;
}

#[tokio::test]
async fn packed_keys_without_prefixes_are_found_again_on_sqlite() {
    packed_keys_without_prefixes_are_found_again(Engine::Sqlite).await;
}

#[tokio::test]
async fn packed_keys_without_prefixes_are_found_again_on_postgres() {
    packed_keys_without_prefixes_are_found_again(Engine::Postgres).await;
}

/// Runs from before prefixes were stored, beside others.
async fn packed_keys_without_prefixes_are_found_again(engine: Engine) {
    let room = Room::paced(engine, clock(), pace()).await;
    let answers = load(&room, 12).await;
    room.posting.close().await;
    let older = "delete from key_prefix where run in (select run from key_prefix order by run limit 2)";
    assert_eq!(room.db.execute(older, vec![]).await.unwrap(), 2);
    room.prove().await;
    let host = room.another(&room.db, pace());
    asked_again(&room, &host, &answers).await;
    host.close().await;
    room.prove().await;
}

#[tokio::test]
async fn shorter_prefixes_of_an_older_host_say_nothing_on_sqlite() {
    shorter_prefixes_of_an_older_host_say_nothing(Engine::Sqlite).await;
}

#[tokio::test]
async fn shorter_prefixes_of_an_older_host_say_nothing_on_postgres() {
    shorter_prefixes_of_an_older_host_say_nothing(Engine::Postgres).await;
}

/// Five bytes of each key, and not six: cut into sixes they would say that nearly every key is new, and a retry would happen again.
async fn shorter_prefixes_of_an_older_host_say_nothing(engine: Engine) {
    let room = Room::paced(engine, clock(), pace()).await;
    let answers = load(&room, 12).await;
    room.posting.close().await;
    let stored = room.db.fetch_all("select run, prefixes from key_prefix", vec![]).await.unwrap();
    for row in &stored {
        let older: Vec<u8> = row.bytes("prefixes").unwrap().chunks(6).flat_map(|key| key[..5].to_vec()).collect();
        let sql = "update key_prefix set prefixes = $1 where run = $2";
        assert_eq!(room.db.execute(sql, vec![older.into(), row.int("run").unwrap().into()]).await.unwrap(), 1);
    }
    assert!(stored.len() > 1);
    let host = room.another(&room.db, pace());
    asked_again(&room, &host, &answers).await;
    host.close().await;
}

#[tokio::test]
async fn a_run_that_a_host_left_unfinished_is_kept_anew_on_sqlite() {
    a_run_that_a_host_left_unfinished_is_kept_anew(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_run_that_a_host_left_unfinished_is_kept_anew_on_postgres() {
    a_run_that_a_host_left_unfinished_is_kept_anew(Engine::Postgres).await;
}

/// The host goes away in the middle of a run: another takes the ledger, and finds its keys in the journal.
async fn a_run_that_a_host_left_unfinished_is_kept_anew(engine: Engine) {
    let room = Room::paced(engine, clock(), pace()).await;
    let mut answers = load(&room, 6).await;
    while count(&room, UNFINISHED).await == 0 {
        let said = post(&room, &room.posting, answers.len()..answers.len() + BATCH).await;
        answers.extend(said.into_iter().map(|(_, answer)| answer));
    }
    room.prove().await;

    room.db.execute("update ledger set lease_until = 0", vec![]).await.unwrap();
    let host = room.another(&room.db, pace());
    asked_again(&room, &host, &answers[..BATCH]).await;
    assert_eq!(count(&room, UNFINISHED).await, 0);
    room.prove().await;
    asked_again(&room, &host, &answers).await;
    // What lagged is written, and more runs after it.
    let mut next = answers.len();
    for _ in 0..6 {
        post(&room, &host, next..next + BATCH).await;
        next += BATCH;
    }
    room.prove().await;
    asked_again(&room, &host, &answers).await;
    host.close().await;
    room.prove().await;
}

#[tokio::test]
async fn each_byte_of_a_page_counts_on_sqlite() {
    each_byte_of_a_page_counts(Engine::Sqlite).await;
}

#[tokio::test]
async fn each_byte_of_a_page_counts_on_postgres() {
    each_byte_of_a_page_counts(Engine::Postgres).await;
}

const TABLES: [&str; 3] = ["key_run", "key_page", "key_prefix"];

/// What was changed of the prefixes of this run and not noticed.
async fn each_byte_of_the_prefixes_counts(tamper: &Tamper, run: i64) -> Vec<String> {
    let stored = tamper.db.fetch_optional("select prefixes from key_prefix where run = $1", vec![run.into()]).await;
    let right = stored.unwrap().unwrap().bytes("prefixes").unwrap();
    let put = async |prefixes: Vec<u8>| {
        tamper.change("update key_prefix set prefixes = $1 where run = $2", vec![prefixes.into(), run.into()]).await;
    };
    let mut missed = vec![];
    for at in (0..right.len()).step_by(53) {
        let mut wrong = right.clone();
        wrong[at] ^= 1 << (at % 8);
        put(wrong).await;
        missed.extend(tamper.fault().await.is_none().then(|| format!("byte {at} of the prefixes")));
    }
    for wrong in [vec![], right[..right.len() - 5].to_vec(), [&right[..], &right[..5]].concat()] {
        let length = wrong.len();
        put(wrong).await;
        missed.extend(tamper.fault().await.is_none().then(|| format!("{length} bytes of prefixes")));
    }
    put(right).await;
    tamper.sound().await;
    missed
}

/// A packed key that is changed, lost or not where it is looked for would let a retry happen again.
async fn each_byte_of_a_page_counts(engine: Engine) {
    let room = Room::paced(engine, clock(), pace()).await;
    load(&room, 8).await;
    room.posting.close().await;
    let tamper = Tamper::with(engine, &room.database.url).await;
    tamper.sound().await;

    let page = "select run, first_key, entries from key_page order by run, first_key limit 1";
    let page = tamper.db.fetch_optional(page, vec![]).await.unwrap().unwrap();
    let (run, first) = (page.int("run").unwrap(), page.id("first_key").unwrap());
    let right = page.bytes("entries").unwrap();
    let change = "update key_page set entries = $1 where run = $2 and first_key = $3";
    let put = async |entries: Vec<u8>| tamper.change(change, vec![entries.into(), run.into(), first.into()]).await;
    let mut missed = vec![];
    // Some bytes of each part of entries of both sorts; each bit has its turn.
    for at in (0..right.len()).step_by(23) {
        let mut wrong = right.clone();
        wrong[at] ^= 1 << (at % 8);
        put(wrong).await;
        missed.extend(tamper.fault().await.is_none().then(|| format!("byte {at}")));
    }
    for wrong in [vec![], right[1..].to_vec(), right[..right.len() - 1].to_vec(), [&right[..], &right[..44]].concat()] {
        let length = wrong.len();
        put(wrong).await;
        missed.extend(tamper.fault().await.is_none().then(|| format!("{length} bytes")));
    }
    put(right).await;
    tamper.sound().await;
    missed.extend(each_byte_of_the_prefixes_counts(&tamper, run).await);

    for table in TABLES {
        tamper.run(&format!("create table {table}_copy as select * from {table}")).await;
    }
    let nobody = tamper.id(Key(5).0);
    for change in [
        "delete from key_page".to_owned(),
        "delete from key_run".into(),
        "update key_run set keys = keys + 1".into(),
        "update key_run set run = run + 1000000".into(),
        format!("update key_page set run = {} where run = {run}", run + 1_000_000),
        format!("update key_page set first_key = {nobody} where first_key = {}", tamper.id(first)),
        format!("delete from key_page where first_key = {}", tamper.id(first)),
        format!(
            "insert into key_page select ledger_id, run, {}, {} from key_page_copy where first_key = {}",
            tamper.id(first + 1),
            if engine == Engine::Sqlite { "x''" } else { "''::bytea" },
            tamper.id(first)
        ),
        format!("insert into key_run select ledger_id, {}, keys from key_run_copy where run = {run}", run + 1_000_000),
        format!("update key_run set ledger_id = {nobody}"),
        format!("update key_page set ledger_id = {nobody}"),
        format!("update key_prefix set ledger_id = {nobody}"),
        format!("update key_prefix set run = {} where run = {run}", run + 1_000_000),
    ] {
        tamper.run(&change).await;
        missed.extend(tamper.fault().await.is_none().then_some(change));
        for table in TABLES {
            tamper.run(&format!("delete from {table}; insert into {table} select * from {table}_copy")).await;
        }
    }
    tamper.sound().await;
    assert_eq!(missed, [""; 0]);
}
