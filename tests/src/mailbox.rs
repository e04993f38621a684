//! A mail server for tests (RFC 5321): takes mails as a real one does, with TLS from a certificate authority of its own, and refuses what it is
//! told to refuse. What came can be read.

use crate::database::Engine;
use crate::server::Home;
use mail_parser::MessageParser;
use mail_parser::decoders::base64::base64_decode;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// How long a test waits for what is to come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who sends the mails of every home in a test.
pub const SENDER: &str = "Hesabu <hesabu@mail.example.org>";

/// Who may send mails here.
pub const USER: &str = "hesabu@example.org";
/// See [`USER`]. Has what an address must not have.
pub const SECRET: &str = "s3cret:/@%";

/// When a connection becomes one that nobody can read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// Never.
    Plain,
    /// When the client asks for it. Before, nothing is taken.
    StartTls,
    /// From the first byte.
    Tls,
}

/// A running server.
#[derive(Debug)]
pub struct Mailbox {
    /// Where it listens.
    pub port: u16,
    security: Security,
    acceptor: Acceptor,
    /// The certificate of its authority, in PEM.
    pub authority: String,
    state: Arc<Mutex<State>>,
    task: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Acceptor(TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Acceptor")
    }
}

#[derive(Default, Debug)]
struct State {
    received: Vec<Received>,
    /// What is answered to the next commands for a recipient, before it is taken.
    answers: HashMap<String, VecDeque<String>>,
    /// Mails of which the server says nothing any more when it has them.
    silent: usize,
    /// Commands of everybody who has connected.
    commands: Vec<String>,
}

/// A mail that was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// The sender of its envelope.
    pub from: String,
    /// The recipient of its envelope.
    pub to: String,
    /// As it came, without the dots that the protocol adds.
    pub raw: String,
    /// Whether nobody could read it on the way.
    pub encrypted: bool,
    /// Who had logged in.
    pub user: Option<String>,
}

impl Mailbox {
    /// A server at a free port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn open(security: Security) -> Mailbox {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let port = listener.local_addr().expect("it listens").port();
        let (acceptor, authority) = certified();
        let mut mailbox = Mailbox { port, security, acceptor, authority, state: Arc::default(), task: None };
        mailbox.serve(listener);
        mailbox
    }

    /// A home whose mails come here, and in which nothing waits for long.
    ///
    /// # Panics
    /// When its folder cannot be written to.
    pub async fn home(&self, engine: Engine) -> Home {
        let home = Home::on(engine).await;
        let authority = home.folder().join("authority.pem");
        std::fs::write(&authority, &self.authority).expect("the folder is there");
        let authority = authority.to_str().expect("it is text").to_owned();
        home.with("HESABU_MAIL", &self.address())
            .with("HESABU_MAIL_FROM", SENDER)
            .with("HESABU_MAIL_CA", &authority)
            .with("HESABU_PACE", "50")
    }

    /// The setting that makes the program send here.
    pub fn address(&self) -> String {
        let secret = SECRET.replace('%', "%25").replace(':', "%3A").replace('/', "%2F").replace('@', "%40");
        let user = USER.replace('@', "%40");
        match self.security {
            Security::Plain => format!("smtp://127.0.0.1:{}?tls=none", self.port),
            Security::StartTls => format!("smtp://{user}:{secret}@localhost:{}", self.port),
            Security::Tls => format!("smtps://{user}:{secret}@localhost:{}", self.port),
        }
    }

    /// Is away from now on. Whoever is connected is cut off.
    pub async fn close(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }

    /// Is back.
    ///
    /// # Panics
    /// When somebody else has taken the port meanwhile.
    pub async fn reopen(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.expect("the port is still free");
        self.serve(listener);
    }

    fn serve(&mut self, listener: TcpListener) {
        let (security, acceptor, state) = (self.security, self.acceptor.clone(), Arc::clone(&self.state));
        self.task = Some(tokio::spawn(async move {
            let mut clients = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, state) = (acceptor.clone(), Arc::clone(&state));
                clients.spawn(async move {
                    // A client that goes away, or trusts nobody here, is no fault of the test.
                    let _ = welcome(stream, security, acceptor, state).await;
                });
            }
        }));
    }

    /// What is answered to the next mails for this recipient instead of taking them, one after the other.
    pub fn refuse(&self, recipient: &str, answers: &[&str]) {
        let answers = answers.iter().map(|answer| (*answer).to_owned());
        self.state().answers.entry(recipient.to_owned()).or_default().extend(answers);
    }

    /// The next mails are neither taken nor refused: nothing is said when they have come.
    pub fn say_nothing(&self, count: usize) {
        self.state().silent = count;
    }

    /// Everything that was taken.
    pub fn received(&self) -> Vec<Received> {
        self.state().received.clone()
    }

    /// Every command that was sent, but for what logs in.
    pub fn commands(&self) -> Vec<String> {
        self.state().commands.clone()
    }

    /// The one mail for a recipient, once it is there.
    ///
    /// # Panics
    /// When it does not come, or more than one does.
    pub async fn one_for(&self, recipient: &str) -> Received {
        let mut mails = self.wait(|mail| mail.to == recipient, 1).await;
        assert_eq!(mails.len(), 1, "{mails:#?}");
        mails.remove(0)
    }

    /// The mails with something about them, once there are so many.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn wait(&self, wanted: impl Fn(&Received) -> bool, count: usize) -> Vec<Received> {
        let started = Instant::now();
        loop {
            let found: Vec<Received> = self.received().into_iter().filter(&wanted).collect();
            if found.len() >= count {
                return found;
            }
            assert!(started.elapsed() < PATIENCE, "{count} mails do not come: {:#?}", self.received());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Received {
    /// A header as its reader sees it, or nothing.
    ///
    /// # Panics
    /// When the mail is none.
    pub fn header(&self, name: &str) -> String {
        letter(&self.raw).header(name)
    }

    /// See [`Letter`].
    pub fn letter(&self) -> Letter {
        letter(&self.raw)
    }
}

/// What a reader sees of a mail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Letter {
    /// One line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// Name and value of each header; but for the subject, as it came.
    pub headers: Vec<(String, String)>,
}

impl Letter {
    /// A header, or nothing.
    ///
    /// # Panics
    /// When there are two of this name.
    pub fn header(&self, name: &str) -> String {
        let mut found = self.headers.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.clone()).unwrap_or_default();
        assert!(found.next().is_none(), "there are two {name}: {self:?}");
        value
    }
}

/// Reads a mail.
///
/// # Panics
/// When it is none, or has not the two forms of its text.
pub fn letter(raw: &str) -> Letter {
    let message = MessageParser::default().parse(raw.as_bytes()).expect("it is a mail");
    let subject = message.subject().expect("it has a subject").to_owned();
    let header = |(name, value): (&str, &str)| {
        let value = if name == "Subject" { &subject } else { value.trim() };
        (name.to_owned(), value.to_owned())
    };
    let headers = message.headers_raw().map(header).collect();
    assert_eq!((message.text_body_count(), message.html_body_count()), (1, 1), "{raw}");
    Letter {
        subject,
        text: message.body_text(0).expect("it has a text").replace("\r\n", "\n"),
        html: message.body_html(0).expect("and the same as HTML").into_owned(),
        headers,
    }
}

/// A certificate for this machine, and that of the authority which made it.
fn certified() -> (Acceptor, String) {
    let key = KeyPair::generate().expect("a key can be made");
    let mut authority = CertificateParams::new(vec![]).expect("it has no names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, key).expect("it signs itself");
    let key = KeyPair::generate().expect("a key can be made");
    let own = CertificateParams::new(vec!["localhost".to_owned()]).expect("it is a name");
    let own = own.signed_by(&key, &authority).expect("it is signed");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the versions are known")
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key)
        .expect("the key fits");
    (Acceptor(TlsAcceptor::from(Arc::new(config))), authority.pem())
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What travels in both directions.
trait Line: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Line for T {}

async fn welcome(
    stream: TcpStream,
    security: Security,
    tls: Acceptor,
    state: Arc<Mutex<State>>,
) -> std::io::Result<()> {
    let talk = |stream: Box<dyn Line>, encrypted| Talk {
        stream: BufReader::new(stream),
        state: Arc::clone(&state),
        security,
        encrypted,
        user: None,
        from: None,
        to: None,
    };
    let mut open = match security {
        Security::Tls => talk(Box::new(tls.0.accept(stream).await?), true),
        Security::StartTls | Security::Plain => talk(Box::new(stream), false),
    };
    open.say("220 mailbox.test ESMTP").await?;
    if open.run().await? == Next::Encrypt {
        let stream = open.stream.into_inner();
        talk(Box::new(tls.0.accept(stream).await?), true).run().await?;
    }
    Ok(())
}

/// One client.
struct Talk {
    stream: BufReader<Box<dyn Line>>,
    state: Arc<Mutex<State>>,
    security: Security,
    encrypted: bool,
    user: Option<String>,
    from: Option<String>,
    to: Option<String>,
}

#[derive(PartialEq, Eq)]
enum Next {
    Encrypt,
    End,
}

impl Talk {
    async fn say(&mut self, text: &str) -> std::io::Result<()> {
        self.stream.write_all(format!("{text}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    async fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = vec![];
        let read = self.stream.read_until(b'\n', &mut line).await?;
        Ok((read > 0).then(|| String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()))
    }

    async fn run(&mut self) -> std::io::Result<Next> {
        while let Some(line) = self.line().await? {
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let told = if verb == "AUTH" { "AUTH …".to_owned() } else { line.clone() };
            locked(&self.state).commands.push(told);
            let may_send = self.security == Security::Plain || self.encrypted && self.user.is_some();
            match verb.as_str() {
                "EHLO" => self.greet().await?,
                "STARTTLS" if self.security == Security::StartTls && !self.encrypted => {
                    self.say("220 2.0.0 go ahead").await?;
                    return Ok(Next::Encrypt);
                }
                "AUTH" if self.encrypted => self.authenticate(&line).await?,
                "RSET" | "NOOP" => {
                    (self.from, self.to) = (None, None);
                    self.say("250 2.0.0 ok").await?;
                }
                "QUIT" => {
                    self.say("221 2.0.0 bye").await?;
                    return Ok(Next::End);
                }
                _ if !may_send => self.say("530 5.7.0 not like this").await?,
                "MAIL" => {
                    self.from = address(&line);
                    self.say("250 2.1.0 ok").await?;
                }
                "RCPT" if self.from.is_some() => self.recipient(address(&line)).await?,
                "DATA" if self.to.is_some() => {
                    self.say("354 go ahead").await?;
                    self.take().await?;
                }
                _ => self.say("503 5.5.1 not now").await?,
            }
        }
        Ok(Next::End)
    }

    async fn greet(&mut self) -> std::io::Result<()> {
        self.say("250-mailbox.test").await?;
        match (self.security, self.encrypted) {
            (Security::StartTls, false) => self.say("250-STARTTLS").await?,
            (_, true) => self.say("250-AUTH PLAIN LOGIN").await?,
            _ => {}
        }
        self.say("250 8BITMIME").await
    }

    /// `AUTH PLAIN` with the answer in the same line, in Base64: nobody, the user and the password.
    async fn authenticate(&mut self, line: &str) -> std::io::Result<()> {
        let said = line.strip_prefix("AUTH PLAIN ").and_then(|text| base64_decode(text.as_bytes()));
        if said == Some(format!("\0{USER}\0{SECRET}").into_bytes()) {
            self.user = Some(USER.into());
            return self.say("235 2.7.0 welcome").await;
        }
        self.say("535 5.7.8 nobody knows you").await
    }

    async fn recipient(&mut self, to: Option<String>) -> std::io::Result<()> {
        let answer = to.as_ref().and_then(|to| locked(&self.state).answers.get_mut(to)?.pop_front());
        if let Some(answer) = answer {
            return self.say(&answer).await;
        }
        if self.to.is_some() || to.is_none() {
            return self.say("501 5.5.4 one recipient, please").await;
        }
        self.to = to;
        self.say("250 2.1.5 ok").await
    }

    async fn take(&mut self) -> std::io::Result<()> {
        let mut raw = String::new();
        loop {
            let Some(line) = self.line().await? else { return Ok(()) };
            if line == "." {
                break;
            }
            raw.push_str(line.strip_prefix('.').unwrap_or(&line));
            raw.push_str("\r\n");
        }
        let (from, to) = (self.from.take().unwrap_or_default(), self.to.take().unwrap_or_default());
        let silent = {
            let mut state = locked(&self.state);
            let silent = state.silent > 0;
            state.silent = state.silent.saturating_sub(1);
            if !silent {
                let (encrypted, user) = (self.encrypted, self.user.clone());
                state.received.push(Received { from, to, raw, encrypted, user });
            }
            silent
        };
        if silent {
            std::future::pending::<()>().await;
        }
        self.say("250 2.0.0 taken").await
    }
}

/// What stands between `<` and `>`.
fn address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('<')?;
    Some(rest.split_once('>')?.0.to_owned())
}
