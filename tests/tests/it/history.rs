//! Pages of an account's history, its statements and its past balances, read along its chain, are those of a list that was kept naively.
//! On both databases.

use hesabu::accounts::{self, Listing, Movement, Period, TransferFilter, TransferStatus};
use hesabu::engine::{COMPONENT, Engine};
use hesabu::parties::{Details, Entity, EntityStatus};
use hesabu::posting::{self, Entry, Group, Ledger, Posting};
use hesabu::statements;
use hesabu::store::Db;
use hesabu_tests::database;
use ledger_core::{
    AccountId, AccountStatus, Action, Amount, Command, Create, LedgerId, Memo, OpenAccount, Settle, Timestamp,
    TransferId, TransferKind, Unit,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

const ACCOUNTS: [AccountId; 3] = [AccountId(1), AccountId(2), AccountId(3)];

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_those_of_a_naive_list_on_sqlite() {
    pages_are_those_of_a_naive_list(database::Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_those_of_a_naive_list_on_postgres() {
    pages_are_those_of_a_naive_list(database::Engine::Postgres).await;
}

/// A transfer as the naive list has it: when it began and when it was settled, counted in commands.
struct Kept {
    id: TransferId,
    parties: [AccountId; 2],
    begun: usize,
    settled: Option<(usize, TransferStatus)>,
}

/// Begins and settles 400 transfers between three accounts, pseudo-randomly but always the same, in batches of many
/// sizes; then reads every page of every list.
async fn pages_are_those_of_a_naive_list(engine: database::Engine) {
    let database = engine.fresh().await;
    let (db, posting, ledger) = start(&database.open().await).await;
    let mut kept: Vec<Kept> = vec![];
    let (mut commands, mut random) = (vec![], Random(42));
    for turn in 0..700 {
        let waiting: Vec<usize> = (0..kept.len()).filter(|place| kept[*place].settled.is_none()).collect();
        let settles = !waiting.is_empty() && random.below(3) == 0;
        if settles {
            let transfer = &mut kept[waiting[random.below(waiting.len())]];
            let (action, status) = settlement(transfer.id, &mut random);
            transfer.settled = Some((turn, status));
            commands.push(Command::Settle(Settle { transfer: transfer.id, action, memo: Memo::NONE }));
        } else {
            let payer = random.below(3);
            let payee = (payer + 1 + random.below(2)) % 3;
            let parties = [ACCOUNTS[payer], ACCOUNTS[payee]];
            let kind = [TransferKind::Immediate, TransferKind::Hold, TransferKind::Request][random.below(3)];
            // The id tells the kind again when the transfer is settled.
            let id = TransferId((u128::try_from(turn).unwrap() + 1) * 3 + kind_number(kind));
            commands.push(begin(id, kind, parties));
            let settled = (kind == TransferKind::Immediate).then_some((turn, TransferStatus::Completed));
            kept.push(Kept { id, parties, begun: turn, settled });
        }
        if random.below(7) == 0 || turn == 699 {
            submit(&posting, &ledger, std::mem::take(&mut commands)).await;
        }
    }
    for account in ACCOUNTS {
        for listing in [
            Listing::All,
            Listing::Only(TransferStatus::Initiated),
            Listing::Only(TransferStatus::Completed),
            Listing::Only(TransferStatus::Cancelled),
        ] {
            let expected = naive(&kept, account, listing);
            assert!(expected.len() > 2, "the history is too poor to prove anything");
            for size in [1, 7, 100] {
                let mut found = vec![];
                for page in 0.. {
                    let (records, total) =
                        accounts::page(&posting, ledger.id, account, listing, page * size, size).await.unwrap();
                    assert_eq!(usize::try_from(total).unwrap(), expected.len(), "{account:?} {listing:?}");
                    if records.is_empty() {
                        break;
                    }
                    found.extend(records.into_iter().map(|record| record.id));
                }
                assert!(found == expected, "{account:?} {listing:?} in pages of {size}");
            }
        }
    }
    let reports = posting::verify(&db, &Engine::load(COMPONENT).unwrap(), |_, _| {}).await.unwrap();
    assert_eq!(reports[0].fault, None);
}

/// The list that the chain must agree with: newest first, by beginning for all and what waits, else by settlement.
fn naive(kept: &[Kept], account: AccountId, listing: Listing) -> Vec<TransferId> {
    let mut found: Vec<(usize, TransferId)> = kept
        .iter()
        .filter(|transfer| transfer.parties.contains(&account))
        .filter_map(|transfer| match (listing, transfer.settled) {
            (Listing::All, _) | (Listing::Only(TransferStatus::Initiated), None) => Some((transfer.begun, transfer.id)),
            (Listing::Only(status), Some((turn, settled))) if status == settled => Some((turn, transfer.id)),
            _ => None,
        })
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, id)| id).collect()
}

/// A long history is as quick to read at its far end as at its near one: the first and the last page of 30,000 transfers.
#[tokio::test(flavor = "multi_thread")]
async fn the_far_end_of_a_long_history_is_near() {
    let database = database::Engine::Sqlite.fresh().await;
    let (_, posting, ledger) = start(&database.open().await).await;
    for batch in 0..6_u128 {
        let id = |place: u128| TransferId(batch * 5_000 + place + 1);
        let commands = (0..5_000).map(|place| begin(id(place), TransferKind::Immediate, [ACCOUNTS[0], ACCOUNTS[1]]));
        submit(&posting, &ledger, commands.collect()).await;
    }
    let completed = Listing::Only(TransferStatus::Completed);
    let mut times = vec![];
    for offset in [0, 14_995, 29_990] {
        let started = Instant::now();
        let (records, total) = accounts::page(&posting, ledger.id, ACCOUNTS[0], completed, offset, 10).await.unwrap();
        times.push(started.elapsed());
        assert_eq!(total, 30_000);
        let newest = u128::try_from(30_000 - offset).unwrap();
        let ids: Vec<u128> = records.iter().map(|record| record.id.0).collect();
        assert_eq!(ids, (newest - 9..=newest).rev().collect::<Vec<_>>());
    }
    println!("first, middle and last page of 30,000: {times:?}");
    pages_of_the_ledger(&posting, &ledger).await;
}

/// The same transfers as pages of the whole ledger, which is gone through in ranges of rows: within one, and where one ends.
async fn pages_of_the_ledger(posting: &Posting, ledger: &Ledger) {
    let everything = TransferFilter::default();
    let completed = TransferFilter { statuses: vec![TransferStatus::Completed], ..TransferFilter::default() };
    let of_one = TransferFilter { account: Some(ACCOUNTS[1]), ..TransferFilter::default() };
    for filter in [everything, completed, of_one] {
        for offset in [0, 1_020, 1_024, 5_115, 14_995, 29_995] {
            let (records, total) = accounts::ledger_page(posting.db(), ledger.id, &filter, offset, 10).await.unwrap();
            assert_eq!(total, 30_000);
            let newest = u128::try_from(30_000 - offset).unwrap();
            let ids: Vec<u128> = records.iter().map(|record| record.id.0).collect();
            assert_eq!(ids, (newest.saturating_sub(9).max(1)..=newest).rev().collect::<Vec<_>>(), "{filter:?}");
        }
    }
    let of_nobody = TransferFilter { account: Some(ACCOUNTS[2]), ..TransferFilter::default() };
    let nothing = accounts::ledger_page(posting.db(), ledger.id, &of_nobody, 0, 10).await.unwrap();
    assert_eq!(nothing, (vec![], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_those_of_a_naive_list_on_sqlite() {
    statements_are_those_of_a_naive_list(database::Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_are_those_of_a_naive_list_on_postgres() {
    statements_are_those_of_a_naive_list(database::Engine::Postgres).await;
}

/// Moves money between three accounts, pseudo-randomly but always the same: at once, by capturing a part of a hold, and by accepting a
/// request, with others that end otherwise in between; in batches of many sizes, of which some are of the same instant. Then asks for
/// statements between all sorts of instants, and for the balance at each.
async fn statements_are_those_of_a_naive_list(engine: database::Engine) {
    let database = engine.fresh().await;
    let clock = Arc::new(AtomicI64::new(1_000));
    let now = Arc::clone(&clock);
    let (db, posting, ledger) =
        start_at(&database.open().await, Arc::new(move || Timestamp(now.load(Ordering::Relaxed)))).await;
    let (mut random, mut moved, mut waiting, mut entries) = (Random(7), vec![], vec![], vec![]);
    for turn in 1..600_u128 {
        let (at, text) = (clock.load(Ordering::Relaxed), format!("No. {turn}"));
        if random.below(3) == 0 && !waiting.is_empty() {
            let (create, begun): (Create, String) = waiting.swap_remove(random.below(waiting.len()));
            let (action, amount) = match (create.kind, random.below(3)) {
                (TransferKind::Hold, 0) => (Action::Release, None),
                (TransferKind::Hold, _) => (Action::Capture(Amount::new(1)), Amount::new(1)),
                (_, 0) => (Action::Decline, None),
                (_, _) => (Action::Accept, Some(create.amount)),
            };
            moved.extend(amount.map(|amount| (at, Create { amount, ..create }, begun)));
            let settle = Command::Settle(Settle { transfer: create.id, action, memo: Memo::NONE });
            entries.push(Entry::new(settle, "a reason"));
        } else {
            let payer = random.below(3);
            let parties = [ACCOUNTS[payer], ACCOUNTS[(payer + 1 + random.below(2)) % 3]];
            let kind = [TransferKind::Immediate, TransferKind::Hold, TransferKind::Request][random.below(3)];
            let Command::Create(create) = begin(TransferId(turn), kind, parties) else { unreachable!() };
            let create =
                Create { amount: Amount::new(1 + i64::try_from(random.below(50)).unwrap()).unwrap(), ..create };
            match kind {
                TransferKind::Immediate => moved.push((at, create, text.clone())),
                TransferKind::Hold | TransferKind::Request => waiting.push((create, text.clone())),
            }
            entries.push(Entry::new(Command::Create(create), &text));
        }
        if random.below(4) == 0 || turn == 599 {
            let entries = std::mem::take(&mut entries);
            let outcomes = posting.submit(ledger.id, Group { entries, companions: vec![] }).await.unwrap();
            assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
            // Every third batch is of the instant of the one before.
            clock.fetch_add(i64::try_from(random.below(3)).unwrap() * 10, Ordering::Relaxed);
        }
    }
    let end = clock.load(Ordering::Relaxed);
    let instants = [i64::MIN, 0, 1_000, 1_001, 1_010, 1_500, (1_000 + end) / 20 * 10, end - 10, end, end + 1, i64::MAX];
    for account in ACCOUNTS {
        let movements = naive_movements(&moved, account);
        assert!(movements.len() > 100, "the history is too poor to prove anything");
        for from in instants {
            let expected = movements.iter().rfind(|movement| movement.at <= from);
            let expected = expected.map_or(Amount::ZERO, |movement| movement.balance);
            let balance = accounts::balance_at(&posting, ledger.id, account, Timestamp(from)).await.unwrap();
            assert_eq!(balance, expected, "{account:?} at {from}");
            for to in instants {
                let period = Period { from: Timestamp(from), to: Timestamp(to) };
                compare_statements(&posting, ledger.id, account, period, &movements).await;
            }
        }
    }
    let reports = posting::verify(&db, &Engine::load(COMPONENT).unwrap(), |_, _| {}).await.unwrap();
    assert_eq!(reports[0].fault, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_that_is_over_is_told_however_busy_its_account_is() {
    let database = database::Engine::Sqlite.fresh().await;
    let (_, posting, ledger) = start(&database.open().await).await;
    let pair = [ACCOUNTS[0], ACCOUNTS[1]];
    for batch in 0..2_u128 {
        let id = |place: u128| TransferId(batch * 2_000 + place + 1);
        let commands = (0..2_000).map(|place| begin(id(place), TransferKind::Immediate, pair));
        submit(&posting, &ledger, commands.collect()).await;
    }
    let period = Period { from: Timestamp(0), to: Timestamp(hesabu::system_clock().0) };
    // It is over when something has come after it.
    submit(&posting, &ledger, vec![begin(TransferId(5_000), TransferKind::Immediate, pair)]).await;
    let stopped = Arc::new(AtomicI64::new(0));
    let (mover, of, stop) = (posting.clone(), ledger.clone(), Arc::clone(&stopped));
    let moving = tokio::spawn(async move {
        let mut id = 10_000;
        while stop.load(Ordering::Relaxed) == 0 {
            submit(&mover, &of, vec![begin(TransferId(id), TransferKind::Immediate, pair)]).await;
            id += 1;
        }
        id - 10_000
    });
    let entity = Entity {
        id: 1,
        person: 1,
        account_number: String::new(),
        ledger: ledger.id,
        account: ACCOUNTS[0],
        status: EntityStatus::TradingAccepted,
        details: Details::default(),
        offers: vec![],
        wants: vec![],
        categories: vec![],
        member_since: None,
    };
    for _ in 0..3 {
        let told = statements::statement(&posting, &ledger, &entity, period).await.expect("it is told").unwrap();
        assert_eq!((told.lines.len(), told.closing), (4_000, Amount::new(-4_000).unwrap()));
    }
    stopped.store(1, Ordering::Relaxed);
    println!("{} moved meanwhile", moving.await.unwrap());
}

/// What moved on an account, and the balance after it: summed from the first.
fn naive_movements(moved: &[(i64, Create, String)], account: AccountId) -> Vec<Movement> {
    let (mut balance, mut movements) = (0, vec![]);
    for (at, create, text) in moved {
        let (sign, counterparty) = match account {
            id if id == create.payer => (-1, create.payee),
            id if id == create.payee => (1, create.payer),
            _ => continue,
        };
        balance += sign * create.amount.minor();
        movements.push(Movement {
            at: *at,
            transfer: create.id,
            counterparty,
            change: Amount::new(sign * create.amount.minor()).unwrap(),
            balance: Amount::new(balance).unwrap(),
            description: text.clone(),
            record: 0,
        });
    }
    movements
}

/// The statement of a period, in pages of many sizes, against the list.
async fn compare_statements(
    posting: &Posting,
    ledger: LedgerId,
    account: AccountId,
    period: Period,
    movements: &[Movement],
) {
    let before = |instant: Timestamp| movements.iter().rfind(|movement| movement.at < instant.0);
    let balance = |instant| before(instant).map_or(Amount::ZERO, |movement| movement.balance);
    let within = |movement: &&Movement| (period.from.0..period.to.0).contains(&movement.at);
    let expected: Vec<&Movement> = movements.iter().filter(within).collect();
    for size in [3, 50] {
        let mut found = vec![];
        loop {
            let offset = i64::try_from(found.len()).unwrap();
            let page = accounts::statement(posting, ledger, account, period, offset, size).await.unwrap();
            assert_eq!(page.opening, balance(period.from), "{account:?} {period:?}");
            assert_eq!(page.closing, balance(period.to.max(period.from)), "{account:?} {period:?}");
            assert_eq!(usize::try_from(page.total).unwrap(), expected.len(), "{account:?} {period:?}");
            if page.movements.is_empty() {
                break;
            }
            // Which record has it, the proof tells, and not this list.
            found.extend(page.movements.into_iter().map(|movement| Movement { record: 0, ..movement }));
            // The long ones differ in nothing but their length.
            if size == 3 && found.len() > 12 {
                break;
            }
        }
        let expected = if size == 3 { &expected[..found.len()] } else { &expected[..] };
        assert!(found.iter().eq(expected.iter().copied()), "{account:?} {period:?} in pages of {size}");
    }
}

async fn start(db: &Db) -> (Db, Posting, Ledger) {
    start_at(db, Arc::new(hesabu::system_clock)).await
}

async fn start_at(db: &Db, clock: posting::Clock) -> (Db, Posting, Ledger) {
    let engine = Engine::load(COMPONENT).unwrap();
    let ledger = posting::ensure_ledger(db, "history", &Unit::new("X", 2).unwrap()).await.unwrap();
    let posting = Posting::new(db.clone(), engine, clock);
    let open = |account| {
        let (floor, ceiling) = (Amount::MIN, Amount::MAX);
        Command::OpenAccount(OpenAccount { account, floor, ceiling, status: AccountStatus::Open })
    };
    submit(&posting, &ledger, ACCOUNTS.into_iter().map(open).collect()).await;
    (db.clone(), posting, ledger)
}

async fn submit(posting: &Posting, ledger: &Ledger, commands: Vec<Command>) {
    let entries = commands.into_iter().map(|command| Entry::new(command, "")).collect();
    let outcomes = posting.submit(ledger.id, Group { entries, companions: vec![] }).await.unwrap();
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

fn begin(id: TransferId, kind: TransferKind, [payer, payee]: [AccountId; 2]) -> Command {
    let amount = Amount::new(1).unwrap();
    Command::Create(Create {
        id,
        kind,
        payer,
        payee,
        amount,
        expires_at: None,
        key: None,
        payable_now: false,
        memo: Memo::NONE,
    })
}

const fn kind_number(kind: TransferKind) -> u128 {
    match kind {
        TransferKind::Immediate => 0,
        TransferKind::Hold => 1,
        TransferKind::Request => 2,
    }
}

fn settlement(id: TransferId, random: &mut Random) -> (Action, TransferStatus) {
    let completes = random.below(2) == 0;
    match (id.0 % 3 == 1, completes) {
        (true, true) => (Action::Capture(None), TransferStatus::Completed),
        (true, false) => (Action::Release, TransferStatus::Cancelled),
        (false, true) => (Action::Accept, TransferStatus::Completed),
        (false, false) => (Action::Decline, TransferStatus::Cancelled),
    }
}

/// A small generator (xorshift), so that the test is the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}
