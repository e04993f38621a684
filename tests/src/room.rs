//! Posting between two accounts, in this process: for tests of what a lane does when something is odd.

use crate::database::{Database, Engine};
use hesabu::engine::{self, COMPONENT};
use hesabu::posting::{self, Clock, Entry, Group, Ledger, Pace, Posting, PostingError};
use hesabu::store::Db;
use ledger_core::{
    AccountId, AccountStatus, Amount, Command, Create, Memo, OpenAccount, Outcome, TransferId, TransferKind, Unit,
};
use std::sync::Arc;

/// May go 100 into debt.
pub const ALICE: AccountId = AccountId(1);
/// May not.
pub const BOB: AccountId = AccountId(2);

/// A database of its own, and a host on it.
pub struct Room {
    /// Where it is kept.
    pub database: Database,
    /// The same, open.
    pub db: Db,
    /// The host.
    pub posting: Posting,
    /// Of both accounts.
    pub ledger: Ledger,
    engine: engine::Engine,
    clock: Clock,
}

impl Room {
    /// A host that keeps the pace of a server.
    pub async fn on(engine: Engine, clock: Clock) -> Room {
        Room::paced(engine, clock, Pace::default()).await
    }

    /// A host with a pace of its own.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn paced(engine: Engine, clock: Clock, pace: Pace) -> Room {
        Room::at(engine.fresh().await, clock, pace).await
    }

    /// The same, on a database that is there and empty.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn at(database: Database, clock: Clock, pace: Pace) -> Room {
        let db = database.open().await;
        let unit = Unit::new("X", 0).expect("a unit");
        let ledger = posting::ensure_ledger(&db, "room", &unit).await.expect("a ledger can be made");
        let engine = engine::Engine::load(COMPONENT).expect("the component was built with this program");
        let posting = Posting::paced(db.clone(), engine.clone(), Arc::clone(&clock), pace);
        let room = Room { database, db, posting, ledger, engine, clock };
        for (account, floor) in [(ALICE, -100), (BOB, 0)] {
            let (floor, ceiling) = (amount(floor), amount(500));
            let open = Command::OpenAccount(OpenAccount { account, floor, ceiling, status: AccountStatus::Open });
            let opened = room.submit(vec![Entry::new(open, "")]).await.expect("posting answers");
            opened[0].expect("an account can be opened");
        }
        room
    }

    /// Another host, on this database as it is.
    pub fn another(&self, db: &Db, pace: Pace) -> Posting {
        Posting::paced(db.clone(), self.engine.clone(), Arc::clone(&self.clock), pace)
    }

    /// Posts a group by the first host.
    ///
    /// # Errors
    /// As posting.
    pub async fn submit(&self, entries: Vec<Entry>) -> Result<Vec<Outcome>, PostingError> {
        self.posting.submit(self.ledger.id, Group { entries, companions: vec![] }).await
    }

    /// Posts one command by this host.
    ///
    /// # Errors
    /// As posting.
    pub async fn post_by(&self, host: &Posting, entry: Entry) -> Result<Outcome, PostingError> {
        host.submit_one(self.ledger.id, entry.into()).await
    }

    /// As the database has it.
    ///
    /// # Panics
    /// When it cannot be read.
    pub async fn balance(&self, account: AccountId) -> i64 {
        let found = posting::account(&self.db, self.ledger.id, account).await.expect("the database answers");
        found.expect("it was opened").balance.minor()
    }

    /// As this host shows it.
    ///
    /// # Panics
    /// When it cannot be read.
    pub async fn shown_by(&self, host: &Posting, account: AccountId) -> i64 {
        let found = host.account(self.ledger.id, account).await.expect("the database answers");
        found.expect("it was opened").balance.minor()
    }

    /// Asserts that the books are right.
    ///
    /// # Panics
    /// When they are not.
    pub async fn prove(&self) {
        let reports = posting::verify(&self.db, &self.engine, |_, _| {}).await.expect("the books can be read");
        assert_eq!(reports[0].fault, None);
    }
}

/// An immediate transfer under the key `key`, each time with an id of its own, as a surface makes it.
pub fn pay(key: &str, payer: AccountId, payee: AccountId, minor: i64) -> Entry {
    let create = Create {
        id: TransferId(hesabu::mint_id()),
        kind: TransferKind::Immediate,
        payer,
        payee,
        amount: amount(minor),
        expires_at: None,
        key: Some(posting::key(1, key)),
        payable_now: false,
        memo: Memo::NONE,
    };
    Entry::new(Command::Create(create), "").minted()
}

/// The time as it is.
pub fn clock() -> Clock {
    Arc::new(hesabu::system_clock)
}

fn amount(minor: i64) -> Amount {
    Amount::new(minor).expect("a small number")
}
