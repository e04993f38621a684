//! One seed from its beginning to its end.

use super::audit::Audit;
use super::chaos::Rates;
use super::claims::Attempt;
use super::host::{Host, Time, pace};
use super::random::Random;
use super::request::{Draws, Request, accounts};
use super::stage::{Scene, Stage, ledger};
use super::tally::Tally;
use super::wave::{Answer, Reader, Underway, read};
use hesabu::posting::{self, Pace, PostingError};
use ledger_core::{LedgerId, Receipt, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// When a simulation begins.
const BEGINNING: Timestamp = Timestamp(1_700_000_000_000_000);

/// How long rows that lag may take to follow before a wave is sent all the same.
const REST_MAX: Duration = Duration::from_millis(40);

/// Everything that one seed decides, from the beginning of its ledger to the end.
///
/// # Panics
/// When anything was not as it must be.
pub async fn simulate(stage: &Stage, seed: u64) -> Tally {
    let mut simulation = Simulation::begin(stage, seed).await;
    simulation.open_accounts().await;
    for _ in 0..simulation.random.between(4, 14) {
        simulation.step().await;
    }
    simulation.end().await
}

struct Simulation<'s> {
    stage: &'s Stage,
    scene: Scene,
    ledger: LedgerId,
    seed: u64,
    random: Random,
    time: Time,
    pace: Pace,
    draws: Draws,
    audit: Audit,
    underway: Underway,
    hosts: Vec<Host>,
    /// How many hosts were started.
    started: u64,
    requests: Vec<Arc<Request>>,
    /// Requests that were not answered when they were sent last.
    open: BTreeSet<usize>,
    wave: u64,
    tally: Tally,
}

impl<'s> Simulation<'s> {
    async fn begin(stage: &'s Stage, seed: u64) -> Simulation<'s> {
        let (mut random, scene) = (Random::of(seed, 0), stage.scene().await);
        let db = scene.open().await;
        let (ledger, time) = (ledger(&db).await.id, Time::default());
        time.set(BEGINNING);
        let mut pace = pace(&mut random);
        if stage.is_shared() {
            // Hosts wait for each other.
            pace.try_for = Duration::from_millis(250);
        }
        let first = Host::start(0, db, &stage.engine, ledger, &time, pace);
        Simulation {
            stage,
            scene,
            ledger,
            seed,
            random,
            time,
            pace,
            draws: Draws::new(),
            audit: Audit::new(ledger),
            underway: Underway::default(),
            hosts: vec![first],
            started: 1,
            requests: vec![],
            open: BTreeSet::new(),
            wave: 0,
            tally: Tally { seeds: 1, ..Tally::default() },
        }
    }

    async fn open_accounts(&mut self) {
        let openings = Draws::openings(&mut self.random);
        let number = self.known(openings);
        self.post(&[number], Rates::default()).await;
        if self.stage.is_shared() && self.random.percent(60) {
            self.start_host().await;
        }
    }

    /// One wave, and what may happen between two.
    async fn step(&mut self) {
        self.turn_the_clock();
        if self.hosts.iter().any(|host| host.chaos.is_asleep()) && self.random.percent(40) {
            self.wake().await;
        }
        let (numbers, rates) = (self.choose(), self.rates());
        self.post(&numbers, rates).await;
        if self.hosts.iter().any(|host| host.chaos.is_dead()) {
            self.bury().await;
        } else if self.random.percent(8) {
            self.restart().await;
        }
    }

    /// The places of the hosts that can be asked. There is one at least: when all sleep, another one starts.
    async fn awake(&mut self) -> Vec<usize> {
        let awake: Vec<usize> = (0..self.hosts.len()).filter(|at| !self.hosts[*at].chaos.is_asleep()).collect();
        if !awake.is_empty() {
            return awake;
        }
        self.tally.sleeps += 1;
        self.time_out_lease().await;
        self.start_host().await;
        vec![self.hosts.len() - 1]
    }

    fn turn_the_clock(&mut self) {
        let by = match self.random.place(20) {
            0 | 1 => -self.random.between(1, 100_000_000),
            2 | 3 => self.random.between(1, 100_000_000),
            // Days pass, and sometimes weeks and months, so that windows begin again.
            4 => self.random.between(1, 400) * 3_600_000_000,
            _ => self.random.between(0, 20),
        };
        self.tally.set_back += u64::from(by < 0);
        self.time.set(Timestamp(self.time.now().0 + by));
        self.underway.may_be_at(self.time.now());
    }

    /// How much goes wrong in the next wave.
    fn rates(&mut self) -> Rates {
        let random = &mut self.random;
        let mut rate = |most: i64| random.between(0, most).unsigned_abs();
        match rate(9) {
            0..=2 => Rates::default(),
            3..=6 => Rates { fault: rate(20), ..Rates::default() },
            _ => Rates { fault: rate(25), outage: rate(5), crash: rate(12), sleep: rate(12) },
        }
    }

    /// The numbers of the requests of a wave: what was not answered, what was, what is new, and some of them twice.
    fn choose(&mut self) -> Vec<usize> {
        let mut numbers: Vec<usize> = vec![];
        for number in &self.open {
            if self.random.percent(70) {
                numbers.push(*number);
            }
        }
        for _ in 0..self.random.between(0, 2) {
            numbers.push(self.random.place(self.requests.len()));
            numbers.pop_if(|number| !self.requests[*number].is_repeatable());
        }
        for _ in 0..self.random.between(1, 6) {
            let request = self.draws.request(&mut self.random, self.time.now(), &self.audit.begun);
            numbers.push(self.known(request));
        }
        if self.random.percent(30) {
            numbers.push(self.random.one(&numbers));
            numbers.pop_if(|number| !self.requests[*number].is_repeatable());
        }
        self.random.shuffle(&mut numbers);
        self.told_apart(&numbers)
    }

    /// These requests, but for those which the journal could not tell from another that is under way.
    fn told_apart(&self, numbers: &[usize]) -> Vec<usize> {
        let mut sent: Vec<usize> = self.underway.waiting().map(|attempt| attempt.number).collect();
        let waiting = sent.len();
        for number in numbers {
            let request = &self.requests[*number];
            let is_same = |other: &usize| other == number && request.is_repeatable();
            if !sent.iter().any(|other| !is_same(other) && request.is_like(&self.requests[*other])) {
                sent.push(*number);
            }
        }
        sent.split_off(waiting)
    }

    fn known(&mut self, request: Request) -> usize {
        self.requests.push(Arc::new(request));
        self.requests.len() - 1
    }

    /// Sends these requests, waits for the answers, and holds them against the journal.
    async fn post(&mut self, numbers: &[usize], rates: Rates) {
        self.wave += 1;
        self.tally.waves += 1;
        let awake = self.awake().await;
        let from = self.audit.length();
        for host in &self.hosts {
            host.chaos.begin_wave(self.seed ^ host.number << 32, self.wave, rates);
        }
        let struck = self.struck();
        let attempts: Vec<(usize, Attempt)> = numbers
            .iter()
            .map(|number| {
                let at = self.random.one(&awake);
                (at, self.attempt(*number, at))
            })
            .collect();
        let reader = (self.hosts.len() == 1).then(|| {
            let read: Vec<_> = accounts().filter(|_| self.random.percent(40)).collect();
            Reader::start(&self.hosts[0], self.ledger, read)
        });
        let (hosts, underway, ledger) = (&self.hosts, &mut self.underway, self.ledger);
        let send = async || {
            for (at, attempt) in attempts {
                underway.send(&hosts[at].posting, ledger, attempt);
            }
            tokio::task::yield_now().await;
        };
        match awake[..] {
            [only] => hosts[only].at_once(send).await,
            _ => send().await,
        }
        let answers = self.underway.answers(&self.hosts).await;
        self.rest().await;
        let reads = match reader {
            Some(reader) => reader.stop().await,
            None => vec![],
        };
        let alone = self.hosts.len() == 1;
        // A host may also have ended before, over rows that it wrote behind.
        let calm = alone && self.struck() == struck && !self.hosts[0].chaos.is_dead();
        self.settle(from, answers, calm).await;
        self.tally.reads += u64::try_from(reads.len()).unwrap_or(u64::MAX);
        self.audit.check_reads(from, &reads);
        if alone && !self.hosts[0].chaos.is_asleep() {
            self.look().await;
        }
    }

    fn attempt(&mut self, number: usize, at: usize) -> Attempt {
        let id = self.tally.sent;
        self.tally.sent += 1;
        Attempt {
            id,
            request: Arc::new(self.requests[number].said_by(id)),
            number,
            host: self.hosts[at].number,
            from: self.audit.length(),
            times: vec![self.time.now()],
        }
    }

    fn struck(&self) -> u64 {
        self.hosts.iter().flat_map(|host| host.chaos.struck().into_values()).sum()
    }

    /// Where rows follow soon, they have followed before the next wave.
    async fn rest(&self) {
        let (started, struck) = (Instant::now(), self.struck());
        if self.pace.idle > REST_MAX {
            return;
        }
        while started.elapsed() < REST_MAX && self.struck() == struck && !self.is_flushed().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Whether the rows of accounts and keys have everything.
    async fn is_flushed(&self) -> bool {
        let sql = "select 1 as n from ledger where ledger_id = $1 and flushed_seq = head_seq";
        let row = self.hosts[0].db.fetch_optional(sql, vec![self.ledger.0.into()]).await;
        row.expect("the database answers").is_some()
    }

    /// Holds what everyone was told against the journal.
    async fn settle(&mut self, from: usize, answers: Vec<(Attempt, Answer)>, calm: bool) {
        self.audit.read(&self.hosts[0].db).await;
        let under_way: Vec<&Attempt> =
            answers.iter().map(|(attempt, _)| attempt).chain(self.underway.waiting()).collect();
        self.audit.nothing_is_invented(from, &under_way);
        let mut floor = 0;
        for (attempt, answer) in answers {
            self.open.remove(&attempt.number);
            match answer {
                Ok(outcomes) => {
                    let at = self.audit.check(&attempt, &outcomes, floor);
                    floor = if calm { at } else { 0 };
                    self.tally.answered += 1;
                    for outcome in &outcomes {
                        self.tally.refused += u64::from(outcome.is_err());
                        self.tally.repeated += u64::from(matches!(outcome, Ok(Receipt::Repeated(_))));
                    }
                }
                Err(PostingError::Conflict(constraint)) => {
                    assert!(constraint.contains("companion"), "{constraint}");
                    self.audit.check_refused(&attempt);
                }
                Err(PostingError::Unavailable) => {
                    assert!(!calm, "nothing was wrong, and nobody answered {attempt:?}");
                    self.open.insert(attempt.number);
                }
                Err(error) => panic!("{error} to {attempt:?}"),
            }
        }
    }

    /// Looks at every account when nothing is under way.
    async fn look(&self) {
        let host = &self.hosts[0];
        for account in accounts() {
            for read in read(&host.posting, &host.db, self.ledger, account).await {
                self.audit.check_now(&read);
            }
        }
    }

    /// Another host on the database as it is.
    async fn start_host(&mut self) {
        let db = self.scene.open().await;
        let host = Host::start(self.started, db, &self.stage.engine, self.ledger, &self.time, self.pace);
        self.started += 1;
        self.hosts.push(host);
    }

    /// Time passes, for the database only: hosts that do not move lose their ledger.
    async fn time_out_lease(&self) {
        if self.stage.is_shared() && !self.hosts.is_empty() {
            let sql = "update ledger set lease_until = 0 where ledger_id = $1";
            self.hosts[0].db.execute(sql, vec![self.ledger.0.into()]).await.expect("the database answers");
        }
    }

    /// Hosts that sleep go on where they were. What they had decided must not happen any more.
    async fn wake(&mut self) {
        let from = self.audit.length();
        self.hosts.iter().filter(|host| host.chaos.is_asleep()).for_each(|host| host.chaos.calm());
        let answers = self.underway.answers(&self.hosts).await;
        self.settle(from, answers, false).await;
        if !self.stage.is_shared() {
            // Two processes on one file are not foreseen: neither can know what the other did since.
            let close = self.random.percent(50);
            self.let_go(close).await;
            self.start_host().await;
        }
    }

    /// All hosts end, with or without having written what lags.
    async fn let_go(&mut self, close: bool) {
        if close {
            for host in &self.hosts {
                // One that fell asleep over it would never be done.
                host.chaos.calm();
                host.posting.close().await;
            }
        }
        // A host that lost sight of its ledger keeps its lease until that runs out.
        self.time_out_lease().await;
        for host in std::mem::take(&mut self.hosts) {
            self.count(&host);
            drop(host.posting);
            host.db.close().await;
        }
    }

    /// A host is stopped as it should be, and started again.
    async fn restart(&mut self) {
        if self.hosts.len() > 1 || self.hosts[0].chaos.is_asleep() {
            return;
        }
        self.tally.restarts += 1;
        // One that fell asleep over it would never be done.
        self.hosts[0].chaos.calm();
        self.hosts[0].posting.close().await;
        // Whoever gave up after a fault had nothing left to let go, and its lease outlasts it.
        self.time_out_lease().await;
        self.let_go(false).await;
        self.start_host().await;
    }

    /// A host has ended without warning; on SQLite, all of the machine. What it leaves is proven.
    async fn bury(&mut self) {
        let from = self.audit.length();
        let shared = self.stage.is_shared();
        self.hosts.iter().filter(|host| !shared || host.chaos.is_dead()).for_each(|host| host.chaos.kill());
        let answers = self.underway.answers(&self.hosts).await;
        self.settle(from, answers, false).await;
        self.scene.end_of_host();
        let (dead, rest) = std::mem::take(&mut self.hosts).into_iter().partition(|host| host.chaos.is_dead());
        self.hosts = dead;
        self.tally.crashes += u64::try_from(self.hosts.len()).unwrap_or(u64::MAX);
        self.let_go(false).await;
        self.hosts = rest;
        if self.hosts.is_empty() {
            self.start_host().await;
        }
        self.audit.nothing_is_lost(&self.hosts[0].db).await;
        self.prove().await;
    }

    fn count(&mut self, host: &Host) {
        for (kind, count) in host.chaos.struck() {
            *self.tally.faults.entry(kind).or_default() += count;
        }
    }

    /// The books are right, and what was to become durable with a group is there if it happened.
    async fn prove(&self) {
        let db = &self.hosts[0].db;
        let reports = posting::verify(db, &self.stage.engine, |_, _| {}).await.expect("the books can be read");
        assert!(reports.iter().all(|report| report.fault.is_none()), "{reports:?}");
        // Expiry is the surfaces' to see to.
        let health = posting::health(db, self.ledger, Timestamp(i64::MIN)).await.expect("health is told");
        assert!(health.is_sound(), "{health:?}");
        self.audit.everything_is_told(db).await;
        let happened = self.audit.happened();
        let expected: BTreeSet<&str> =
            happened.iter().filter_map(|number| self.requests[*number].companion.as_deref()).collect();
        let rows = db.fetch_all("select name from companion", vec![]).await.expect("the database answers");
        let found: Vec<String> = rows.iter().map(|row| row.text("name").expect("a text")).collect();
        let found: BTreeSet<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, expected, "what belongs to a group is there without it, or not there with it");
    }

    /// Everybody gets an answer in the end, and the rows have everything when the last host has stopped.
    async fn end(mut self) -> Tally {
        if self.hosts.iter().any(|host| host.chaos.is_asleep()) {
            self.wake().await;
        }
        self.hosts.iter().for_each(|host| host.chaos.calm());
        if self.hosts.iter().any(|host| host.chaos.is_dead()) {
            self.bury().await;
        }
        if self.hosts.len() > 1 {
            self.let_go(true).await;
            self.start_host().await;
        }
        while !self.open.is_empty() {
            // Nothing is wrong any more, so each of these waves is answered.
            let open: Vec<usize> = self.open.iter().copied().collect();
            self.post(&self.told_apart(&open), Rates::default()).await;
        }
        self.look().await;
        // A host that was asked for nothing has not looked at what the ones before it left.
        self.hosts[0].posting.submit_batch(self.ledger, vec![]).await.expect("nothing is in the way");
        self.hosts[0].posting.close().await;
        assert!(self.is_flushed().await, "rows lag behind a host that has stopped");
        self.audit.nothing_is_lost(&self.hosts[0].db).await;
        self.prove().await;
        self.tally.records += u64::try_from(self.audit.records()).unwrap_or(u64::MAX);
        self.let_go(false).await;
        self.stage.strike(self.scene).await;
        self.tally
    }
}
