//! Hostile components: each is refused with a clear error, nothing of it is stored, and the server lives on.
//!
//! Method: components are written here as WebAssembly text against the interfaces of `wit/`, with a world of their own where they import.
//! They trap, never end, eat memory, or answer nonsense. The real component then goes on with the same database.

use hesabu::app::{App, Parts};
use hesabu::config::Options;
use hesabu::engine::{Book, COMPONENT, Engine, EngineError};
use hesabu::posting::{self, Group, Posting, PostingError};
use hesabu::{api, mint_id};
use hesabu_tests::client::Client;
use hesabu_tests::database::{self, Database};
use hesabu_tests::network::Member;
use hesabu_tests::server::PASSWORD;
use ledger_core::{
    Account, AccountId, AccountStatus, Amount, Command, Create, Item, Memo, OpenAccount, Timestamp, TransferId,
    TransferKind, Unit,
};
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// How an engine finds out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    /// The call was stopped, and the reason has this in it.
    Stopped(&'static str),
    /// The answer was looked at.
    Nonsense(&'static str),
}

/// A component that misbehaves when it is asked to post.
struct Hostile {
    name: &'static str,
    /// The body of `post`, which leaves the address of its result.
    body: &'static str,
    /// What is at address 1024: a byte that is 0 for an answer and 1 for an error; from 1028 on the place of the answer and its length, four
    /// bytes each.
    result: &'static str,
    /// What is at address 4096, where the answer is: bytes as `ledger-core/src/crossing/mod.rs` has them.
    answer: &'static str,
    found: Found,
}

const ANSWER: &str = "i32.const 1024";
/// Stands for a result that is the bytes at 4096.
const BYTES: &str = "bytes";

const HOSTILE: [Hostile; 24] = [
    Hostile {
        name: "never ends",
        body: "(loop $on (br $on)) i32.const 1024",
        result: "",
        answer: "",
        found: Found::Stopped("all fuel consumed"),
    },
    Hostile {
        name: "takes memory without end",
        body: "(loop $on (br_if $on (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable",
        result: "",
        answer: "",
        found: Found::Stopped("unreachable"),
    },
    Hostile {
        name: "has more memory than a call may have",
        body: "(if (i32.eq (memory.grow (i32.const 1024)) (i32.const -1)) (then unreachable)) i32.const 1024",
        result: r"\01",
        answer: "",
        found: Found::Stopped("unreachable"),
    },
    Hostile {
        name: "calls itself without end",
        body: "(call $post (local.get 0) (local.get 1))",
        result: "",
        answer: "",
        found: Found::Stopped("call stack exhausted"),
    },
    Hostile { name: "traps", body: "unreachable", result: "", answer: "", found: Found::Stopped("unreachable") },
    Hostile {
        name: "reads where nothing is",
        body: "(i32.load (i32.const 0x7fffffff))",
        result: "",
        answer: "",
        found: Found::Stopped("out of bounds memory access"),
    },
    Hostile {
        name: "answers from where nothing is",
        body: "i32.const 0x7ffffff0",
        result: "",
        answer: "",
        found: Found::Stopped("pointer out of bounds"),
    },
    Hostile {
        name: "answers with bytes that do not end",
        body: ANSWER,
        result: r"\00\00\00\00\00\10\00\00\ff\ff\ff\7f",
        answer: "",
        found: Found::Stopped(""),
    },
    Hostile {
        name: "answers with a case that there is not",
        body: ANSWER,
        result: r"\07",
        answer: "",
        found: Found::Stopped(""),
    },
    Hostile {
        name: "calls the book malformed",
        body: ANSWER,
        result: r"\01",
        answer: "",
        found: Found::Nonsense("it calls our book or batch malformed"),
    },
    Hostile {
        name: "answers nothing",
        body: ANSWER,
        result: BYTES,
        answer: "",
        found: Found::Nonsense("it is no answer"),
    },
    Hostile {
        name: "answers for another version",
        body: ANSWER,
        result: BYTES,
        answer: r"\02\01\00\00\00\00\01\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\64\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\64\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00",
        found: Found::Nonsense("it is no answer"),
    },
    Hostile {
        name: "answers twice",
        body: ANSWER,
        result: BYTES,
        answer: r"\01\01\00\00\00\00\01\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\64\00\00\00\00\00\00\00\01\00\00\00\00\01\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\64\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\64\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00",
        found: Found::Nonsense("it is no answer"),
    },
    Hostile {
        name: "says more after its end",
        body: ANSWER,
        result: BYTES,
        answer: r"\01\01\00\00\00\00\01\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\64\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\64\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00",
        found: Found::Nonsense("it is no answer"),
    },
    Hostile {
        name: "makes money",
        body: ANSWER,
        result: BYTES,
        answer: r"\01\01\00\00\00\00\01\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\c8\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\c8\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00",
        found: Found::Nonsense("a receipt does not follow from the balances before it"),
    },
    Hostile {
        name: "hides what it made",
        body: ANSWER,
        result: BYTES,
        answer: r"\01\01\00\00\00\00\01\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\64\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\c8\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00",
        found: Found::Nonsense("an account is not what the commands have made it"),
    },
    Hostile {
        name: "has a balance beyond all ranges",
        body: ANSWER,
        result: BYTES,
        answer: r"\01\01\00\00\00\00\01\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\7f\02\00\00\00\00\00\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\64\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00",
        found: Found::Nonsense("it is no answer"),
    },
    Hostile {
        name: "turns a payment round",
        body: ANSWER,
        result: BYTES,
        answer: r"\01\01\01\00\00\00\00\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\64\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\64\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00",
        found: Found::Nonsense("a receipt is about another account"),
    },
    Hostile {
        name: "pays to nobody",
        body: ANSWER,
        result: BYTES,
        answer: r"\01\01\00\00\00\00\07\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\64\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\64\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00",
        found: Found::Nonsense("a receipt is about another account"),
    },
    Hostile {
        name: "forgets an account",
        body: ANSWER,
        result: BYTES,
        answer: r"\01\01\00\00\00\00\01\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\64\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00",
        found: Found::Nonsense("an account that has changed is not among those that did"),
    },
    Hostile {
        name: "changes an account that nobody asked for",
        body: ANSWER,
        result: BYTES,
        answer: r"\01\01\00\00\00\00\01\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\64\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\32\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\64\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00",
        found: Found::Nonsense("an account is not what the commands have made it"),
    },
    Hostile {
        name: "limits an account that nobody asked to limit",
        body: ANSWER,
        result: BYTES,
        answer: r"\01\01\00\00\00\00\01\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\64\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00\00\9c\ff\ff\ff\ff\ff\ff\ff\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\64\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\01\00\00\00\00\00\00\00\00\00\02\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00",
        found: Found::Nonsense("a window is not what the commands have made it"),
    },
    Hostile {
        name: "answers a payment with an account",
        body: ANSWER,
        result: BYTES,
        answer: r"\01\00\00\00\00\00\00\00\08\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\18\fc\ff\ff\ff\ff\ff\ff\e8\03\00\00\00\00\00\00\00\00\00\00",
        found: Found::Nonsense("a transfer is answered with an account"),
    },
    Hostile {
        name: "repeats what never was",
        body: ANSWER,
        result: BYTES,
        answer: r"\01\02\00\00\00\00",
        found: Found::Nonsense("it repeats what was not there"),
    },
];

/// The typed interface, which the server does not ask.
const TYPED: &str = r#"
    (func (export "hesabu:ledger/posting@0.1.0#post") (param i32 i32 i32 i32 i32 i32 i32 i32 i64) (result i32) unreachable)
    (func (export "hesabu:ledger/posting@0.1.0#preview") (param i32) (result i32) unreachable)"#;

impl Hostile {
    fn component(&self) -> Vec<u8> {
        let length = self.answer.len() / 3; // each byte is a backslash and two digits
        let lengths = format!(r"\00\00\00\00\00\10\00\00\{length:02x}\00\00\00");
        let result = if self.result == BYTES { &lengths } else { self.result };
        let core = format!(
            r#"(module
                (memory (export "memory") 8)
                (global $next (mut i32) (i32.const 131072))
                (data (i32.const 1024) "{result}")
                (data (i32.const 4096) "{}")
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
                    (global.set $next (i32.add (local.get $at) (local.get 3)))
                    (local.get $at))
                (func $post (export "hesabu:ledger/compact@0.1.0#post") (param i32 i32) (result i32) {})
                {TYPED})"#,
            self.answer, self.body
        );
        component(&core, &[])
    }

    fn engine(&self) -> Engine {
        Engine::load(&self.component()).unwrap_or_else(|error| panic!("{}: {error:?}", self.name))
    }
}

/// A core module as a component of our world, which imports these besides.
fn component(core: &str, imports: &[&str]) -> Vec<u8> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["types.wit", "posting.wit", "compact.wit", "world.wit"] {
        let text = std::fs::read_to_string(source.join(file)).expect("it is there");
        let text = text.replace("world ledger {", &format!("world ledger {{\n{}", imports.join("\n")));
        std::fs::write(folder.path().join(file), text).expect("it can be written");
    }
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(folder.path()).expect("it is WIT");
    let world = resolve.select_world(&[package], Some("ledger")).expect("it is there");
    let mut module = wat::parse_str(core).expect("it is WebAssembly text");
    let encoding = wit_component::StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut module, &resolve, world, encoding).expect("it can be embedded");
    let encoder = wit_component::ComponentEncoder::default().validate(true).module(&module);
    encoder.and_then(|mut encoder| encoder.encode()).expect("it has the shape of our world")
}

fn amount(minor: i64) -> Amount {
    Amount::new(minor).expect("in range")
}

fn pay(payer: AccountId, payee: AccountId) -> Command {
    Command::Create(Create {
        id: TransferId(mint_id()),
        kind: TransferKind::Immediate,
        payer,
        payee,
        amount: amount(100),
        expires_at: None,
        key: None,
        payable_now: false,
        memo: Memo::NONE,
    })
}

#[tokio::test]
async fn each_is_refused_for_what_it_does() {
    let (payer, payee) = (AccountId(8), AccountId(9));
    let accounts = [payer, payee].map(|id| Account::open(id, amount(-1_000), amount(1_000))).to_vec();
    for hostile in &HOSTILE {
        let engine = hostile.engine();
        // Twice: the next call starts clean, and is stopped all the same.
        for _ in 0..2 {
            let book = Book { accounts: accounts.clone(), ..Book::default() };
            let error = engine.post(book, vec![Item::alone(pay(payer, payee))], Timestamp(0)).await;
            let error = error.expect_err(hostile.name);
            match (&error, hostile.found) {
                (EngineError::Stopped(cause), Found::Stopped(reason)) => {
                    let cause = format!("{cause:?}");
                    assert!(cause.contains(reason), "{}: {cause}", hostile.name);
                }
                (EngineError::Nonsense(what), Found::Nonsense(reason)) => assert_eq!(*what, reason, "{}", hostile.name),
                _ => panic!("{}: {error:?}", hostile.name),
            }
        }
    }
}

#[test]
fn one_that_imports_does_not_load() {
    let core = format!(
        r#"(module
            (import "$root" "clock" (func $clock (result i64)))
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "hesabu:ledger/compact@0.1.0#post") (param i32 i32) (result i32) (drop (call $clock)) unreachable)
            {TYPED})"#
    );
    let error = Engine::load(&component(&core, &["import clock: func() -> u64;"])).err().expect("it imports a clock");
    let EngineError::Load(cause) = &error else { panic!("{error:?}") };
    assert!(format!("{cause:?}").contains("clock"), "{cause:?}");
    for bytes in [&b""[..], b"\0asm", &COMPONENT[..COMPONENT.len() / 2], &wat::parse_str("(module)").unwrap()] {
        assert!(matches!(Engine::load(bytes), Err(EngineError::Load(_))));
    }
    assert!(matches!(Engine::load(&wat::parse_str("(component)").unwrap()), Err(EngineError::Load(_))));
}

#[tokio::test]
async fn nothing_of_it_is_stored_on_sqlite() {
    nothing_of_it_is_stored(database::Engine::Sqlite).await;
}

#[tokio::test]
async fn nothing_of_it_is_stored_on_postgres() {
    nothing_of_it_is_stored(database::Engine::Postgres).await;
}

async fn nothing_of_it_is_stored(engine: database::Engine) {
    let database = engine.fresh().await;
    let db = database.open().await;
    let unit = Unit::new("KES-MC", 2).expect("a unit");
    let ledger = posting::ensure_ledger(&db, "hostile", &unit).await.unwrap();
    let real = Engine::load(COMPONENT).unwrap();
    let posting = Posting::new(db.clone(), real.clone(), Arc::new(hesabu::system_clock));
    let accounts = [AccountId(mint_id()), AccountId(mint_id())];
    for account in accounts {
        let (floor, ceiling) = (amount(-1_000_000), amount(1_000_000));
        let open = OpenAccount { account, floor, ceiling, status: AccountStatus::Open };
        posting.submit_one(ledger.id, Group::of(Command::OpenAccount(open), "")).await.unwrap().unwrap();
    }
    let pay = || Group::of(pay(accounts[0], accounts[1]), "");
    for (turn, hostile) in (1..).zip(&HOSTILE) {
        let before = posting::health(&db, ledger.id, hesabu::system_clock()).await.unwrap();
        let bad = Posting::new(db.clone(), hostile.engine(), Arc::new(hesabu::system_clock));
        let refused = bad.submit_one(ledger.id, pay()).await;
        assert_eq!(refused, Err(PostingError::Unavailable), "{}", hostile.name);
        bad.close().await;
        let after = posting::health(&db, ledger.id, hesabu::system_clock()).await.unwrap();
        assert_eq!(after, before, "{}", hostile.name);
        // The real one goes on.
        posting.submit_one(ledger.id, pay()).await.unwrap().unwrap();
        let balance = posting::account(&db, ledger.id, accounts[1]).await.unwrap().expect("it was opened").balance;
        assert_eq!(balance, amount(100 * turn));
    }
    posting.close().await;
    let reports = posting::verify(&db, &real, |_, _| {}).await.unwrap();
    assert!(reports.len() == 1 && reports[0].fault.is_none(), "{reports:?}");
}

/// The server's router in this process, at an address of its own.
async fn serve(app: App) -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = api::router(app).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    Client::at(&format!("http://{address}"))
}

async fn app(database: &Database) -> App {
    let options = Options {
        data: Some(database.folder.path().into()),
        database_url: Some(database.url.clone()),
        max_negative_balance: Some("100".into()),
        ..Options::default()
    };
    App::start(&options.check().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_one_answers_503_and_lives_on() {
    let database = database::Engine::Sqlite.fresh().await;
    let app = app(&database).await;
    let good = serve(app.clone()).await;
    let mut members = vec![];
    for name in ["alice", "bob"] {
        members.push(signed_up(&app, &good, name).await);
    }
    let [alice, bob] = &members[..] else { unreachable!("two were made") };
    for hostile in &HOSTILE {
        let posting = Posting::new(app.db.clone(), hostile.engine(), Arc::new(hesabu::system_clock));
        let bad = serve(App::from(Parts { posting, ..Parts::clone(&app) })).await;
        let there = bad.with_token(alice.client.token());
        for path in ["/transfers", "/transfers/preview"] {
            let answer = there.post(path, alice.proposal("out", bob, "1", "")).await;
            answer.refused(503, "The service is temporarily unavailable. Please try again.");
            assert_eq!(answer.header("retry-after"), "1", "{}", hostile.name);
        }
        let signup = json!({ "userEmail": "carol@example.org", "password": PASSWORD });
        there.post("/signup", signup).await.refused(503, "The service is temporarily unavailable. Please try again.");
        assert_eq!(bad.outside("/healthz").await.text, "ok", "{}", hostile.name);
        assert_eq!(there.get(&format!("/balance?querying_entity_id={}", alice.entity)).await.status, 200);
        alice.proposed("out", bob, "1").await;
    }
    assert_eq!(alice.own().await["pendingTransfers"].as_array().unwrap().len(), HOSTILE.len());
}

/// Somebody who trades, admitted without an administrator.
async fn signed_up(app: &App, client: &Client, name: &str) -> Member {
    let email = format!("{name}@example.org");
    let data = client.post("/signup", json!({ "userEmail": email, "password": PASSWORD })).await.data();
    let id = uuid::Uuid::parse_str(data["entityID"].as_str().unwrap()).unwrap().as_u128();
    let entity = hesabu::parties::entity(&app.db, id).await.unwrap().expect("it was just made");
    let status = Some(hesabu::parties::EntityStatus::TradingAccepted);
    let governed = hesabu::parties::Governed { status, ..Default::default() };
    hesabu::parties::govern(&app.posting, &app.ledger, &entity, governed, 0).await.unwrap().unwrap();
    let (client, entity_id) = (client.with_token(data["token"].as_str().unwrap()), data["entityID"].clone());
    Member { client, email, entity: entity_id.as_str().unwrap().into(), account: entity.account_number }
}
