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
    let reply = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    if error.status().is_some_and(|code| is_final(code.into(), &reply)) {
        Failure::Refused(text(error))
    } else {
        Failure::Later(text(error))
    }
}

/// Whether a reply is about this mail, or about who it is for, and will be the same tomorrow. Servers say at this step, too, what they have
/// against this host or its sender, Postfix by default: that ends when somebody mends it, here or there. What is refused has a class, a
/// subject and a detail before its words, such as `5.1.1` (RFC 3463).
fn is_final(code: u16, reply: &str) -> bool {
    let enhanced = reply.split_whitespace().next().and_then(|word| word.strip_prefix("5."));
    let subject = enhanced.and_then(|rest| rest.split_once('.')).map(|(subject, _)| subject);
    match (code, subject) {
        // Logging in is missing or wrong; a policy is in the way.
        (530 | 535, _) | (_, Some("7")) => false,
        // Says that something failed, and nothing more, unless it names the address, the mailbox or the content.
        (554, subject) => matches!(subject, Some("1" | "2" | "6")),
        (code, _) => (500..=599).contains(&code),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_mended_is_not_final() {
        for (code, reply) in [
            (550, "5.1.1 no such user"),
            (550, "no such user"),
            (552, "5.2.2 the mailbox is full"),
            (553, "not allowed"),
            (554, "5.1.1 no such user"),
            (554, "5.2.1 the mailbox is closed"),
            (554, "5.6.0 not a mail"),
        ] {
            assert!(is_final(code, reply), "{code} {reply}");
        }
        for (code, reply) in [
            (554, "5.7.1 <alice@example.org>: Relay access denied"),
            (550, "5.7.1 Client host rejected"),
            (553, "5.7.1 Sender address rejected: not owned by user"),
            (554, "Relay access denied"),
            (554, "5.3.0 it is the system"),
            (554, "5.5.1 no valid recipients"),
            (554, ""),
            (530, "authentication required"),
            (535, "5.1.1 odd"),
            (450, "5.1.1 odd"),
            (421, "4.3.2 going away"),
        ] {
            assert!(!is_final(code, reply), "{code} {reply}");
        }
    }
}
