//! Real servers for tests: the program itself, with a data folder and a database of its own. What is said to it is in `client.rs`.

use crate::database::{Database, Engine};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a server may take to stop when it is asked to.
const STOP_MAX: Duration = Duration::from_secs(20);

/// The administrator of every network in a test, and the password of everybody.
pub const ADMINISTRATOR: &str = "admin@example.org";
/// See [`ADMINISTRATOR`].
pub const PASSWORD: &str = "Test321321$$";

/// Settings of which 0 is no limit.
const UNLIMITED: [&str; 4] = [
    "HESABU_CONNECTIONS_MAX_BY_ADDRESS",
    "HESABU_REQUESTS_PER_MINUTE_BY_ADDRESS",
    "HESABU_REQUESTS_PER_MINUTE_BY_ACCOUNT",
    "HESABU_LOGINS_PER_MINUTE_BY_ADDRESS",
];

/// Where servers live: a database, a data folder, and what they are told by the environment.
#[derive(Debug)]
pub struct Home {
    /// The database, whose folder is also the data folder.
    pub database: Database,
    settings: Vec<(String, String)>,
}

/// A running server. Dropping it kills it, and fails the test when it has panicked.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`
    pub address: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// A program that ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub output: String,
    /// What it logged.
    pub log: String,
}

impl Home {
    /// A home with an empty database. Tests ask more than one client may, unless they say otherwise.
    pub async fn on(engine: Engine) -> Home {
        let settings = UNLIMITED.map(|name| (name.to_owned(), "0".to_owned())).to_vec();
        Home { database: engine.fresh().await, settings }
    }

    /// The same home, with one more setting in the environment of what runs there.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Home {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.database.folder.path()
    }

    /// Starts a server and waits until it serves.
    ///
    /// # Panics
    /// When it does not start; what it logged is in the message.
    pub async fn serve(&self) -> Server {
        let command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        tokio::task::spawn_blocking(move || Server::start(command)).await.expect("the server starts")
    }

    /// Starts another server on the same database and with the same token key, whose data folder is another.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn serve_beside(&self, folder: &Path) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("HESABU_DATA", folder).env("HESABU_TOKEN_KEY", self.folder().join("token-key.pem"));
        tokio::task::spawn_blocking(move || Server::start(command)).await.expect("the server starts")
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    /// When it cannot be run at all.
    pub async fn run(&self, arguments: &[&str], input: &str) -> Ended {
        let (mut command, input) = (self.command(arguments), input.to_owned());
        let run = move || {
            let mut child = command.stdin(Stdio::piped()).spawn().expect("the program can be run");
            child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
            let ended = child.wait_with_output().expect("it ends");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Ended { code: ended.status.code(), output: text(&ended.stdout), log: text(&ended.stderr) }
        };
        tokio::task::spawn_blocking(run).await.expect("it ends")
    }

    /// Runs the program where no file can become larger than so many times 512 bytes, as on a disk that is full.
    ///
    /// # Panics
    /// When it cannot be run at all.
    pub async fn run_with_little_disk(&self, blocks: u32, arguments: &[&str]) -> Ended {
        let inner = self.command(arguments);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
        command.arg(inner.get_program()).args(inner.get_args());
        let set = inner.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.envs(set).stdin(Stdio::null());
        let ended =
            tokio::task::spawn_blocking(move || command.output()).await.expect("it ends").expect("it can be run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended { code: ended.status.code(), output: text(&ended.stdout), log: text(&ended.stderr) }
    }

    /// Starts the program and lets it run; whoever asked ends it.
    ///
    /// # Panics
    /// When it cannot be run at all.
    pub fn begin(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("the program can be run")
    }

    /// What `hesabu verify` says.
    pub async fn verify(&self) -> Ended {
        self.run(&["verify"], "").await
    }

    /// Proves the books with `hesabu verify`.
    ///
    /// # Panics
    /// When they are wrong.
    pub async fn prove(&self) {
        let ended = self.verify().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.output.contains("mutual-credit: proven."), "{ended:?}");
    }

    /// Makes the administrator.
    ///
    /// # Panics
    /// When there is one already.
    pub async fn create_administrator(&self) {
        let ended = self.run(&["admin", "create", "--email", ADMINISTRATOR], PASSWORD).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HESABU_")) {
            command.env_remove(name);
        }
        command.args(arguments).env_remove("RUST_LOG").env("DATABASE_URL", &self.database.url);
        command.env("HESABU_DATA", self.folder()).envs(self.settings.iter().cloned());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
        command
    }
}

impl Server {
    fn start(mut command: Command) -> Server {
        let mut child = command.spawn().expect("the program can be run");
        let log = Arc::new(Mutex::new(String::new()));
        let errors = child.stderr.take().expect("it is piped");
        let reader = std::thread::spawn({
            let log = Arc::clone(&log);
            move || follow(errors, &log)
        });
        let mut server = Server { child, address: String::new(), log, reader: Some(reader) };
        let mut first = String::new();
        let output = server.child.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut first).expect("it can be read");
        let address = first.split_once("http://").and_then(|(_, rest)| rest.split_once('/'));
        let Some((address, _)) = address else { panic!("the server did not start: {first:?} {}", server.log()) };
        server.address = format!("http://{address}");
        server
    }

    /// What it has logged until now.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Panics
    /// When it does not stop in time, or not well.
    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill can be run");
        let started = Instant::now();
        let status = loop {
            match self.child.try_wait().expect("it is our child") {
                Some(status) => break status,
                None if started.elapsed() > STOP_MAX => panic!("the server does not stop: {}", self.log()),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        assert!(status.success(), "the server ended with {status}: {}", self.log());
    }

    /// `kill -9`, at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("the server's log, from its end:\n{}", log.lines().rev().take(20).collect::<Vec<_>>().join("\n"));
        } else {
            assert!(!log.contains("panicked at"), "the server panicked: {log}");
        }
    }
}

fn follow(mut errors: impl Read, log: &Mutex<String>) {
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = errors.read(&mut chunk) {
        log.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
}

/// The program beside this test: `target/debug/deps/it-…` and `target/debug/hesabu`.
fn program() -> PathBuf {
    let test = std::env::current_exe().expect("this test is a program");
    let program = test.parent().and_then(Path::parent).expect("it is in target/PROFILE/deps").join("hesabu");
    assert!(program.exists(), "{} is missing: run `cargo build --bins` first, or `make test`", program.display());
    program
}
