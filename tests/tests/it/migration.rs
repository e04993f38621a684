//! A database of the version before comes along: everything in it is proven afterwards, and posting goes on.
//!
//! Method: a history is made by the program of today, and put back into the schema that the version before had. What that schema did not
//! have is lost on the way, as it would be in a database that never had it.

use hesabu::store::Db;
use hesabu_tests::database::{Database, Engine};
use hesabu_tests::network::{Network, immediate};
use hesabu_tests::server::Home;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use std::path::Path;

/// The newest migration before rows were written behind.
const BEFORE: i64 = 4;

/// The newest migration with which windows had a table of their own.
const WINDOWS_APART: i64 = 10;

/// Tables in the order in which they refer to each other; none: all their columns are as they were.
const TABLES: [(&str, Option<&str>); 10] = [
    (
        "ledger",
        Some(
            "ledger_id, name, unit, scale, head_seq, head_hash, head_at, last_position, begun, posted, ended
             ) select ledger_id, name, unit, scale, head_seq, head_hash, head_at, last_position, begun, posted, ended",
        ),
    ),
    ("journal", Some("ledger_id, seq, hash, body) select ledger_id, seq, hash, body")),
    (
        "account",
        Some(
            "ledger_id, account_id, balance, held_out, held_in, floor, ceiling, status, as_of,
             last_position, entries, begun, posted, ended, spine
             ) select ledger_id, account_id, balance, held_out, held_in, floor, ceiling, status, as_of,
             last_position, entries, begun, posted, ended, spine",
        ),
    ),
    (
        "transfer",
        Some(
            "ledger_id, position, seq, transfer_id, step, payer_id, payee_id, amount, moved, at, expires_at, memo, settles, settled_by, pending,
             payer_prev, payer_jump, payer_balance, payer_begun, payer_posted, payer_ended,
             payee_prev, payee_jump, payee_balance, payee_begun, payee_posted, payee_ended, payer_entry, payee_entry
             ) select ledger_id, position, seq, transfer_id, step, payer_id, payee_id, amount, moved, at, expires_at, memo, settles, settled_by, pending,
             payer_prev, payer_jump, payer_balance, payer_begun, payer_posted, payer_ended,
             payee_prev, payee_jump, payee_balance, payee_begun, payee_posted, payee_ended, 1, 1",
        ),
    ),
    ("idempotency", None),
    (
        "person",
        Some(
            "person_id, email, email_key, password_hash, first_name, last_name, telephone, administrator, created_at,
             login_at, login_ip, previous_login_at, previous_login_ip
             ) select person_id, email, email_key, password_hash, first_name, last_name, telephone, administrator, created_at,
             login_at, login_ip, previous_login_at, previous_login_ip",
        ),
    ),
    ("session", None),
    (
        "entity",
        Some(
            "entity_id, person_id, account_number, ledger_id, account_id, status, name, email, telephone, inc_type, company_number, website,
             declared_turnover, description, address, city, region, postal_code, country, show_tags_matched, daily_match_email, created_at, member_since
             ) select entity_id, person_id, account_number, ledger_id, account_id, status, name, email, telephone, inc_type, company_number, website,
             declared_turnover, description, address, city, region, postal_code, country, show_tags_matched, daily_match_email, created_at, member_since",
        ),
    ),
    (
        "entity_tag",
        Some("entity_id, kind, place, name, added_at) select entity_id, kind, place, name, added_at"),
    ),
    ("entity_category", None),
];

#[tokio::test]
async fn an_older_database_comes_along_on_sqlite() {
    an_older_database_comes_along(Engine::Sqlite).await;
}

#[tokio::test]
async fn an_older_database_comes_along_on_postgres() {
    an_older_database_comes_along(Engine::Postgres).await;
}

async fn an_older_database_comes_along(engine: Engine) {
    let Network { server, home, mut admin, mut alice, mut bob } = Network::on(engine, "100", "500").await;
    let paid = immediate(&alice, &bob, "1.50", "Grant");
    let first = admin.post_keyed("/admin/transfers", "grant", paid.clone()).await.data();
    let held = alice.proposed("out", &bob, "2").await;
    let answered = alice.proposed("out", &bob, "3").await;
    bob.answer(&answered, "accept").await.data();
    let balances = [alice.balance().await, bob.balance().await];
    tokio::task::spawn_blocking(move || server.stop()).await.expect("it stops");

    put_back(&home, engine).await;
    let server = home.serve().await;
    for client in [&mut admin, &mut alice.client, &mut bob.client] {
        *client = client.towards(&server);
    }
    let network = Network { server, home, admin, alice, bob };
    network.prove().await;
    let Network { admin, alice, bob, .. } = &network;
    assert_eq!([alice.balance().await, bob.balance().await], balances);
    let again = admin.post_keyed("/admin/transfers", "grant", paid).await.data();
    assert_eq!(first["id"], again["id"], "its key was kept");
    bob.answer(&held, "accept").await.data();
    admin.post("/admin/transfers", immediate(bob, alice, "0.25", "Change")).await.data();
    assert_eq!(bob.balance().await, "6.25");
    network.prove().await;
}

/// Puts everything of a database into the schema of the version before.
async fn put_back(home: &Home, engine: Engine) {
    let Database { url, folder } = &home.database;
    match engine {
        Engine::Sqlite => {
            let (file, newer) = (folder.path().join("hesabu.db"), folder.path().join("newer.db"));
            Db::open(url).await.expect("it opens").close().await;
            std::fs::rename(&file, &newer).expect("it moves");
            let mut old = SqliteConnection::connect(&format!("{url}?mode=rwc")).await.expect("a new file");
            before("sqlite", BEFORE).await.run(&mut old).await.expect("the schema of the version before");
            let attach = format!("attach database '{}' as newer", newer.display());
            old.execute(AssertSqlSafe(attach)).await.expect("both at once");
            copy(&mut old).await;
            old.close().await.expect("it closes");
        }
        Engine::Postgres => {
            let mut old = PgConnection::connect(url).await.expect("it answers");
            old.execute("alter schema public rename to newer; create schema public").await.expect("it moves");
            before("postgres", BEFORE).await.run(&mut old).await.expect("the schema of the version before");
            copy(&mut old).await;
            old.execute("drop schema newer cascade").await.expect("it goes");
        }
    }
}

async fn before(engine: &str, newest: i64) -> Migrator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(engine);
    let mut all = Migrator::new(folder).await.expect("the migrations are there");
    all.migrations.to_mut().retain(|migration| migration.version <= newest);
    all
}

async fn copy<C>(old: &mut C)
where
    for<'c> &'c mut C: Executor<'c>,
{
    for (table, columns) in TABLES {
        let sql = match columns {
            Some(columns) => format!("insert into {table} ({columns} from newer.{table}"),
            None => format!("insert into {table} select * from newer.{table}"),
        };
        (&mut *old).execute(AssertSqlSafe(sql)).await.unwrap_or_else(|error| panic!("{table}: {error}"));
    }
}

#[tokio::test]
async fn windows_come_along_when_nothing_lags_on_sqlite() {
    windows_come_along_when_nothing_lags(Engine::Sqlite).await;
}

#[tokio::test]
async fn windows_come_along_when_nothing_lags_on_postgres() {
    windows_come_along_when_nothing_lags(Engine::Postgres).await;
}

/// What an account's row does not have yet was counted in its windows already, and would be counted twice.
async fn windows_come_along_when_nothing_lags(engine: Engine) {
    let database = engine.fresh().await;
    let db = Db::open(&database.url).await.expect("it opens");
    let id = |number: u128| match engine {
        Engine::Sqlite => format!("x'{number:032x}'"),
        Engine::Postgres => format!("'{number:032x}'::uuid"),
    };
    let bytes = |hex: &str| match engine {
        Engine::Sqlite => format!("x'{hex}'"),
        Engine::Postgres => format!("'\\x{hex}'::bytea"),
    };
    let (ledger, hash) = (id(1), bytes(&"00".repeat(32)));
    let account = |number, windowed: bool| {
        format!(
        "insert into account (ledger_id, account_id, balance, held_out, held_in, floor, ceiling, status, as_of, last_position,
                              entries, begun, posted, ended, spine, windowed)
         values ({ledger}, {}, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, {}, {})", id(number), bytes(""), if engine == Engine::Sqlite { u8::from(windowed).to_string() } else { windowed.to_string() }
    )
    };
    let window = |number, numbers| format!("insert into account_window values ({ledger}, {}, {numbers})", id(number));
    let old = [
        format!("insert into ledger (ledger_id, name, unit, scale, head_seq, head_hash, head_at, last_position, begun, posted, ended)
                 values ({ledger}, 'old', 'KES-MC', 2, 9, {hash}, 0, 20, 0, 0, 0)"),
        account(5, true),
        account(6, false),
        window(5, "2, 3, null, 7, 0, 0, -31, 1763900000000000, -60"),
        window(5, "1, 1, 5000000, null, 120000, 3, 20780, 0, 180"),
    ];
    run(&db, before(folder(engine), WINDOWS_APART).await).await.expect("the schema of the version before");
    for sql in old {
        raw(&db, sql).await;
    }
    let refused = hesabu::store::migrate(&db).await.expect_err("twenty rows lag");
    let said = format!("{:#}", anyhow::Error::from(refused));
    assert!(said.contains("stop the server of the version before"), "{said}");
    let newest = db.fetch_optional("select max(version) as newest from _sqlx_migrations", vec![]).await;
    let newest = newest.expect("it is there").expect("as a row").int("newest").expect("a number");
    assert_eq!(newest, WINDOWS_APART, "the version before can go on");
    // A server that cannot begin ends.
    db.close().await;
    let db = Db::open(&database.url).await.expect("it opens again");
    raw(&db, "update ledger set flushed_position = last_position".into()).await;
    hesabu::store::migrate(&db).await.expect("nothing lags");
    let rows = db.fetch_all("select windows from account order by account_id", vec![]).await.expect("they are there");
    let windows: Vec<String> = rows.iter().map(|row| row.text("windows").expect("a text")).collect();
    let both = "[[1,1,5000000,null,120000,3,20780,0,180],[2,3,null,7,0,0,-31,1763900000000000,-60]]";
    assert_eq!(windows, [both, "[]"]);
}

const fn folder(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
    }
}

async fn run(db: &Db, migrations: Migrator) -> Result<(), sqlx::migrate::MigrateError> {
    match db {
        Db::Sqlite { pool, .. } => migrations.run(pool).await,
        Db::Postgres { pool, .. } => migrations.run(pool).await,
    }
}

async fn raw(db: &Db, sql: String) {
    let run = sqlx::raw_sql(AssertSqlSafe(sql.clone()));
    let ran = match db {
        Db::Sqlite { pool, .. } => run.execute(pool).await.map(drop),
        Db::Postgres { pool, .. } => run.execute(pool).await.map(drop),
    };
    ran.unwrap_or_else(|error| panic!("{sql}: {error}"));
}
