//! A server that takes mails, asked step by step: at which step it refuses says whether this mail is refused, or all would be.

use super::settings::{Security, Server};
use super::transport::Failure;
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Connections are kept open for so long in between: servers close them after some minutes.
const KEPT: Duration = Duration::from_secs(20);

/// Connections that are kept.
const KEPT_MAX: usize = 8;

/// A server and the connections to it.
pub(super) struct Smtp {
    server: Server,
    tls: TlsParameters,
    hello: ClientId,
    free: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Smtp {
    /// Introduces itself by this domain.
    ///
    /// # Errors
    /// When the certificates are none.
    pub(super) fn new(server: Server, domain: &str) -> anyhow::Result<Smtp> {
        let mut tls = TlsParameters::builder(server.host.clone());
        if let Some(pem) = &server.ca {
            let certificate = Certificate::from_pem(pem);
            tls = tls.add_root_certificate(
                certificate.map_err(|_| anyhow::anyhow!("HESABU_MAIL_CA has no certificates in PEM form"))?,
            );
        }
        Ok(Smtp { server, tls: tls.build()?, hello: ClientId::Domain(domain.to_owned()), free: Mutex::default() })
    }

    /// Hands a mail over.
    pub(super) async fn send(&self, from: &Address, to: &Address, mail: &[u8]) -> Result<(), Failure> {
        let used = self.free().pop().filter(|(_, since)| since.elapsed() < KEPT).map(|(connection, _)| connection);
        if let Some(mut connection) = used {
            let begun = self.begin(&mut connection, from, to).await;
            // A connection that was kept may have been closed meanwhile: that says nothing about the server.
            if begun.is_ok() {
                return self.go_on(connection, to, mail).await;
            }
        }
        let mut connection = self.connect().await.map_err(down)?;
        self.begin(&mut connection, from, to).await?;
        self.go_on(connection, to, mail).await
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let Server { host, port, security, credentials, .. } = &self.server;
        let tls = (*security == Security::Tls).then(|| self.tls.clone());
        let mut connection =
            AsyncSmtpConnection::connect_tokio1((host.as_str(), *port), None, &self.hello, tls, None).await?;
        if *security == Security::StartTls {
            connection.starttls(self.tls.clone(), &self.hello).await?;
        }
        if let Some(credentials) = credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    /// Says who sends. What is wrong with that is wrong with every mail.
    async fn begin(&self, connection: &mut AsyncSmtpConnection, from: &Address, to: &Address) -> Result<(), Failure> {
        let international = [from, to].iter().any(|address| !AsRef::<str>::as_ref(address).is_ascii());
        if international && !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(Failure::Refused("the server takes no address with letters beyond ASCII".into()));
        }
        let parameters = if international { vec![MailParameter::SmtpUtfEight] } else { vec![] };
        connection.command(Mail::new(Some(from.clone()), parameters)).await.map(drop).map_err(down)
    }

    async fn go_on(&self, mut connection: AsyncSmtpConnection, to: &Address, mail: &[u8]) -> Result<(), Failure> {
        let taken = match connection.command(Rcpt::new(to.clone(), vec![])).await {
            Ok(_) => self.hand_over(&mut connection, mail).await,
            Err(error) => Err(sorted(&error)),
        };
        // After a refusal the next mail begins anew; what is not answered is not used again.
        let reusable = match &taken {
            Ok(()) => true,
            Err(_) => connection.command(Rset).await.is_ok(),
        };
        let mut free = self.free();
        if reusable && free.len() < KEPT_MAX {
            free.push((connection, Instant::now()));
        }
        taken
    }

    async fn hand_over(&self, connection: &mut AsyncSmtpConnection, mail: &[u8]) -> Result<(), Failure> {
        connection.command(Data).await.map_err(|error| sorted(&error))?;
        connection.message(mail).await.map(drop).map_err(|error| sorted(&error))
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<(AsyncSmtpConnection, Instant)>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing is wrong with the mail: the server is away, or does not take anything from here.
fn down(error: Error) -> Failure {
    Failure::Down(text(&error))
}

/// Something may be wrong with the mail, or with who it is for: others go on. If it is the server, the next one hears it from the start.
fn sorted(error: &Error) -> Failure {
    let code = error.status().map(u16::from);
    match code {
        Some(500..=599) => Failure::Refused(text(error)),
        Some(_) | None => Failure::Later(text(error)),
    }
}

/// With everything that it came from.
fn text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
