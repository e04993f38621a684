//! A scan that the database refuses or breaks off: what it says to that is nobody else's answer.
//!
//! How: the connection is asked on. In the transaction, every statement must fail, for it is broken; after it, each must get its own answer.

use hesabu::store::{Db, Error, Scanned, Tx};
use hesabu_tests::database::Engine;
use std::ops::ControlFlow;

/// Questions after the one that failed. One that is an answer behind shows at the first, or at the second.
const AFTER: i64 = 5;

/// A statement that fails while its rows are sent.
const BREAKS_OFF: &str = "select 100 / (3 - number) from generate_series(1, 5) number";

async fn scan(tx: &mut Tx, sql: &'static str) -> Result<i64, Error> {
    let mut rows = 0;
    let each = |_: &mut Scanned<'_>| {
        rows += 1;
        Ok::<_, Error>(ControlFlow::Continue(()))
    };
    tx.scan(sql, &[], each).await?;
    Ok(rows)
}

/// Every question gets its own answer, on whatever connection.
async fn answers_are_right(db: &Db) {
    for number in 0..AFTER {
        let row = db.fetch_optional("select cast($1 as bigint) as number", vec![number.into()]).await.unwrap();
        assert_eq!(row.expect("a row").int("number").unwrap(), number);
    }
    let mut tx = db.begin().await.unwrap();
    for number in 0..AFTER {
        let row = tx.fetch_optional("select cast($1 as bigint) as number", vec![number.into()]).await.unwrap();
        assert_eq!(row.expect("a row").int("number").unwrap(), number);
    }
    tx.commit().await.unwrap();
}

/// A scan of this statement fails, and nothing after it is taken for something else.
async fn fails_alone(db: &Db, sql: &'static str) {
    for asked_on in [false, true] {
        let mut tx = db.begin().await.unwrap();
        assert!(scan(&mut tx, sql).await.is_err());
        if asked_on {
            for _ in 0..AFTER {
                assert!(tx.fetch_all("select 1 as number", vec![]).await.is_err(), "a broken transaction answers");
            }
            assert!(scan(&mut tx, "select 1 as number").await.is_err(), "a broken transaction answers");
        }
        drop(tx);
        answers_are_right(db).await;
    }
}

#[tokio::test]
async fn a_scan_that_cannot_be_understood_is_nobody_elses_answer_on_postgres() {
    let db = Engine::Postgres.fresh().await.open().await;
    fails_alone(&db, "select nothing from nowhere").await;
}

#[tokio::test]
async fn a_scan_that_breaks_off_is_nobody_elses_answer_on_postgres() {
    let db = Engine::Postgres.fresh().await.open().await;
    fails_alone(&db, BREAKS_OFF).await;
}

#[tokio::test]
async fn a_scan_that_waits_too_long_is_nobody_elses_answer_on_postgres() {
    let db = Engine::Postgres.fresh().await.open().await;
    let mut other = db.begin().await.unwrap();
    other.execute("lock table journal", vec![]).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    tx.execute("set local statement_timeout = 50", vec![]).await.unwrap();
    let refused = scan(&mut tx, "select seq from journal").await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    // On this connection; the other one is not free yet.
    drop(tx);
    answers_are_right(&db).await;
}
