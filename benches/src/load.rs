//! The load generator: a process that proposes transfers over many connections, each sending the next when the last is answered.
//!
//! As lean as it can be, because it shares the processors with the server that is measured: requests are rendered before,
//! and of an answer only the status and the length are read.

use crate::network::Member;
use crate::statistics::nanos;
use crate::workload::Random;
use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

/// The hidden argument that makes this program a load generator.
pub(crate) const ARGUMENT: &str = "--load";

/// Digits of an account number.
const NUMBER_DIGITS: usize = 16;

/// What is to be sent. Read from standard input.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct LoadPlan {
    pub(crate) address: String,
    pub(crate) connections: usize,
    pub(crate) millis: u64,
    /// Another seed sends other transfers.
    pub(crate) seed: u64,
    pub(crate) payees: Payees,
    /// The server may be gone before the time is over.
    pub(crate) until_gone: bool,
    pub(crate) members: Vec<Member>,
}

/// Who is paid.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub(crate) enum Payees {
    /// Any other member.
    Anybody,
    /// The first member, always: every transfer touches its account.
    First,
}

/// What came back. Written to standard output.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct LoadReport {
    /// From the first request to the last answer, in nanoseconds.
    pub(crate) elapsed: u64,
    /// Of each answer, in nanoseconds. Every answer is a success.
    pub(crate) latencies: Vec<u64>,
}

/// Starts a load generator.
pub(crate) fn spawn(plan: &LoadPlan) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().context("its input is piped")?;
    input.write_all(&serde_json::to_vec(plan)?)?;
    Ok(child)
}

/// Waits for a load generator's report.
pub(crate) fn report(child: Child) -> anyhow::Result<LoadReport> {
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "the load generator ended with {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Runs as a load generator.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input)?;
    let plan: LoadPlan = serde_json::from_slice(&input)?;
    ensure!(plan.members.len() > 1, "one member alone cannot pay anybody");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = LocalSet::new().block_on(&runtime, generate(plan))?;
    Ok(std::io::stdout().write_all(&serde_json::to_vec(&report)?)?)
}

/// Proposes one transfer, from this process, and waits for its answer.
pub(crate) fn propose(runtime: &Runtime, address: &str, members: &[Member]) -> anyhow::Result<()> {
    let requests = Rc::new(members.iter().map(Rendered::of).collect());
    runtime.block_on(async {
        let mut connection = Connection::open(address, 0, requests).await?;
        connection.ask(Payees::Anybody).await
    })
}

async fn generate(plan: LoadPlan) -> anyhow::Result<LoadReport> {
    let requests: Rc<Vec<Rendered>> = Rc::new(plan.members.iter().map(Rendered::of).collect());
    let mut connections = vec![];
    for number in 0..plan.connections {
        let seed = plan.seed.wrapping_mul(1_000_003).wrapping_add(u64::try_from(number)?);
        connections.push(Connection::open(&plan.address, seed, Rc::clone(&requests)).await?);
    }
    let begun = Instant::now();
    let end = begun + Duration::from_millis(plan.millis);
    let working: Vec<_> = connections
        .into_iter()
        .map(|mut connection| {
            tokio::task::spawn_local(async move {
                let worked = connection.work(end, plan.payees).await;
                (connection.latencies, worked)
            })
        })
        .collect();
    let mut latencies = vec![];
    for task in working {
        let (answered, worked) = task.await?;
        if !plan.until_gone {
            worked?;
        }
        latencies.extend(answered);
    }
    Ok(LoadReport { elapsed: nanos(begun.elapsed()), latencies })
}

/// A member's request, but for who is paid.
struct Rendered {
    bytes: Vec<u8>,
    /// Where the receiver's number stands.
    receiver: usize,
    number: [u8; NUMBER_DIGITS],
}

impl Rendered {
    fn of(member: &Member) -> Rendered {
        let Member { token, account } = member;
        let head = format!(r#"{{"transfer":"out","initiator":"{account}","receiver":""#);
        let tail = r#"","amount":1.25,"description":"Lunch"}"#;
        let length = head.len() + NUMBER_DIGITS + tail.len();
        let mut bytes = format!(
            "POST /api/v1/transfers HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{head}"
        )
        .into_bytes();
        let receiver = bytes.len();
        let mut number = [b'0'; NUMBER_DIGITS];
        number.iter_mut().zip(account.bytes()).for_each(|(place, digit)| *place = digit);
        bytes.extend(number);
        bytes.extend(tail.as_bytes());
        Rendered { bytes, receiver, number }
    }
}

/// One keep-alive connection.
struct Connection {
    stream: TcpStream,
    random: Random,
    requests: Rc<Vec<Rendered>>,
    request: Vec<u8>,
    answer: Vec<u8>,
    latencies: Vec<u64>,
}

impl Connection {
    async fn open(address: &str, seed: u64, requests: Rc<Vec<Rendered>>) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let random = Random::seeded(seed);
        Ok(Connection { stream, random, requests, request: vec![], answer: vec![], latencies: vec![] })
    }

    async fn work(&mut self, end: Instant, payees: Payees) -> anyhow::Result<()> {
        while Instant::now() < end {
            self.ask(payees).await?;
        }
        Ok(())
    }

    /// Proposes one transfer and waits for its answer, which must be a success.
    async fn ask(&mut self, payees: Payees) -> anyhow::Result<()> {
        self.render(payees)?;
        let sent = Instant::now();
        self.stream.write_all(&self.request).await?;
        self.read_answer().await?;
        self.latencies.push(nanos(sent.elapsed()));
        Ok(())
    }

    fn render(&mut self, payees: Payees) -> anyhow::Result<()> {
        let members = u64::try_from(self.requests.len())?;
        let (payer, payee) = match payees {
            Payees::First => (1 + self.random.below(members - 1), 0),
            Payees::Anybody => {
                let payer = self.random.below(members);
                (payer, (payer + 1 + self.random.below(members - 1)) % members)
            }
        };
        let (from, to) = (&self.requests[usize::try_from(payer)?], &self.requests[usize::try_from(payee)?]);
        self.request.clear();
        self.request.extend(&from.bytes);
        self.request[from.receiver..from.receiver + NUMBER_DIGITS].copy_from_slice(&to.number);
        Ok(())
    }

    /// Reads one whole answer, which must be a success.
    async fn read_answer(&mut self) -> anyhow::Result<()> {
        let answer = &mut self.answer;
        answer.clear();
        loop {
            if self.stream.read_buf(&mut *answer).await? == 0 {
                bail!("the server closed the connection");
            }
            let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            if answer.len() >= head + 4 + content_length(&answer[..head])? {
                break;
            }
        }
        if !answer.starts_with(b"HTTP/1.1 2") {
            bail!("not a success: {}", String::from_utf8_lossy(answer));
        }
        Ok(())
    }
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    let head = std::str::from_utf8(head)?;
    let line = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    Ok(line.context("an answer tells its length")?.trim().parse()?)
}
