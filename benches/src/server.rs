//! The server itself, as a process of its own: started, asked whether it is ready, stopped, killed.

use anyhow::{Context, bail, ensure};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to be ready, or to stop: longer is a failure and no figure.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Address and port.
    pub(crate) address: String,
    /// When it was started.
    pub(crate) begun: Instant,
    /// From then to its saying that it is ready.
    pub(crate) ready_after: Duration,
    log: PathBuf,
}

impl Server {
    /// Starts the program beside this one with its usual settings, and waits until it is ready. It logs into a file in `data`.
    pub(crate) fn start(url: &str, data: &Path) -> anyhow::Result<Server> {
        let program = std::env::current_exe()?.with_file_name("hesabu");
        let log = data.join("server.log");
        let mut command = Command::new(&program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HESABU_")) {
            command.env_remove(name);
        }
        command.args(["serve", "--listen", "127.0.0.1:0"]).env_remove("RUST_LOG");
        command.env("DATABASE_URL", url).env("HESABU_DATA", data);
        // All load comes from one address, and much of it by one account.
        for limit in [
            "CONNECTIONS_MAX_BY_ADDRESS",
            "REQUESTS_PER_MINUTE_BY_ADDRESS",
            "REQUESTS_PER_MINUTE_BY_ACCOUNT",
            "LOGINS_PER_MINUTE_BY_ADDRESS",
        ] {
            command.env(format!("HESABU_{limit}"), "0");
        }
        // What it is to be told besides, for a measurement by hand: `BENCH_HESABU_MAIL=off`.
        for (name, value) in std::env::vars().filter(|(name, _)| name.starts_with("BENCH_HESABU_")) {
            command.env(name.trim_start_matches("BENCH_"), value);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
        let begun = Instant::now();
        let child = command.spawn().with_context(|| format!("{} cannot be run: build it first", program.display()))?;
        let mut server = Server { child, address: String::new(), begun, ready_after: Duration::ZERO, log };
        server.address = server.read_address()?;
        while !server.is_ready() {
            ensure!(begun.elapsed() < PATIENCE, "the server is not ready: {}", server.log());
            std::thread::sleep(Duration::from_millis(1));
        }
        server.ready_after = begun.elapsed();
        Ok(server)
    }

    /// Its first line tells where it listens.
    fn read_address(&mut self) -> anyhow::Result<String> {
        let output = self.child.stdout.take().context("its output is piped")?;
        let mut first = String::new();
        BufReader::new(output).read_line(&mut first)?;
        let address = first.split_once("http://").and_then(|(_, rest)| rest.split_once('/'));
        let Some((address, _)) = address else { bail!("the server did not start: {}", self.log()) };
        Ok(address.into())
    }

    fn is_ready(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(&self.address)?;
            stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop and waits until it has, and well.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the server ended with {status}: {}", self.log());
                return Ok(());
            }
            ensure!(asked.elapsed() < PATIENCE, "the server does not stop: {}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// `kill -9`, at once.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// The end of what it logged.
    fn log(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last: Vec<&str> = text.lines().rev().take(5).collect();
        last.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
