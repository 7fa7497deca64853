//! To a mail server: lettre's conversation on a socket of our own.
//!
//! Our own, because lettre 0.11.23 leaves Nagle's algorithm on and writes a body and its final dot apart,
//! which costs 40 ms a message; because its time-outs cover the connection only; and because its `send`
//! throws the connection away when one recipient is refused.

mod conversation;
mod stream;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::Context as _;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, Identity, TlsParameters,
};
use lettre::transport::smtp::commands::Ehlo;
use lettre::transport::smtp::extension::{ClientId, Extension};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::mailer::{Login, Security, SmtpOptions};
use super::message::Mail;
use crate::config::Secret;
use crate::model::{About, Outcome, Refusal};
use stream::{Counted, ImplicitTls};

/// How long the answer to a whole message may take. RFC 5321 4.5.3.2.6 asks for ten minutes: who gives up
/// earlier does not know whether the server has taken it (RFC 1047).
const FINAL_ANSWER: Duration = Duration::from_secs(600);

/// How long a connection may take to be made. A host that does not answer at all is told sooner than a slow one (RFC 5321 has no
/// word on it).
const CONNECT: Duration = Duration::from_secs(30);

/// How long a server may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

/// After how many conversations in a row that broke off a server counts as unusable.
const BREAKS: usize = 3;

/// A mail server, ready to open connections to.
pub struct Relay {
    options: SmtpOptions,
    password: Option<Secret>,
    tls: TlsConnector,
    hello: ClientId,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("host", &self.options.host)
            .finish_non_exhaustive()
    }
}

impl Relay {
    /// Reads the certificates once, for all connections.
    pub(super) fn new(options: SmtpOptions, password: Option<Secret>) -> anyhow::Result<Self> {
        let client = options.client.as_ref();
        let tls = TlsConnector::from(Arc::new(crate::tls::client_config(
            options.ca_file.as_deref(),
            client.map(|(certificate, key)| (&**certificate, &**key)),
        )?));
        Ok(Self {
            options,
            password,
            tls,
            hello: ClientId::default(),
        })
    }

    /// The options it was made from.
    pub(super) fn options(&self) -> &SmtpOptions {
        &self.options
    }

    /// What it is called in messages to the operator.
    pub(super) fn name(&self) -> String {
        format!(
            "the mail server {}:{}",
            self.options.host, self.options.port
        )
    }
}

/// One connection after the other to a relay.
pub(super) struct Session {
    relay: Arc<Relay>,
    connection: Option<Connection>,
    sent_on_connection: usize,
    breaks: usize,
}

/// A connection, and what its server can do.
struct Connection {
    smtp: AsyncSmtpConnection,
    /// Takes several commands at a time (RFC 2920).
    pipelining: bool,
    /// Takes addresses with letters beyond ASCII (RFC 6531).
    smtputf8: bool,
    /// The largest message that it takes, in bytes (RFC 1870).
    size: Option<usize>,
    /// How many bytes were written to it.
    written: Arc<AtomicU64>,
}

/// Where a conversation about one message broke off.
enum Broken {
    /// Before the message was sent: it is safe to try again.
    Before(String),
    /// After it was sent as a whole, with the dot that ends it.
    After(String),
}

impl Session {
    pub(super) fn new(relay: Arc<Relay>) -> Self {
        Self {
            relay,
            connection: None,
            sent_on_connection: 0,
            breaks: 0,
        }
    }

    /// Connects, greets, logs in and says goodbye.
    pub(super) async fn probe(mut self) -> anyhow::Result<()> {
        self.connection = Some(connect(&self.relay).await?);
        self.close().await;
        Ok(())
    }

    /// Sends one mail. A connection that turns out to be dead before the message was sent is opened anew once.
    ///
    /// `Err` says that the server cannot be used and nothing was sent: it does not let us in, or it has broken
    /// off [`BREAKS`] conversations in a row. A single one may be about this recipient, and must not keep
    /// the others from theirs.
    pub(super) async fn send(&mut self, mail: &Mail) -> anyhow::Result<Outcome> {
        if self.sent_on_connection >= self.relay.options.messages_per_connection {
            self.close().await;
        }
        let reused = self.connection.is_some();
        let mut result = self.send_once(mail).await?;
        // The goodbye of a server that has waited too long for us says nothing about this mail.
        let is_stale = match &result {
            Err(Broken::Before(_)) => true,
            Ok(Outcome::Deferred(no)) => no.about == About::Sender && no.text.starts_with("421"),
            _ => false,
        };
        if reused && is_stale {
            result = self.send_once(mail).await?;
        }
        match result {
            Ok(outcome) => {
                self.breaks = 0;
                Ok(outcome)
            }
            Err(Broken::After(what)) => Ok(Outcome::Unknown(what)),
            Err(Broken::Before(what)) => {
                self.breaks += 1;
                if self.breaks >= BREAKS {
                    self.breaks = 0;
                    anyhow::bail!("{}: {what}", self.relay.name());
                }
                Ok(Outcome::Deferred(Refusal::of_ours(what)))
            }
        }
    }

    async fn send_once(&mut self, mail: &Mail) -> anyhow::Result<Result<Outcome, Broken>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.sent_on_connection = 0;
                connect(&self.relay).await?
            }
        };
        let result = connection.converse(mail, self.relay.options.timeout).await;
        self.sent_on_connection += 1;
        // A connection that broke, or that the server is closing (421), is not used again.
        let closing = matches!(&result, Ok(Outcome::Deferred(no)) if no.text.starts_with("421"));
        if result.is_ok() && !closing && !connection.smtp.has_broken() {
            self.connection = Some(connection);
        }
        Ok(result)
    }

    /// Says goodbye.
    pub(super) async fn close(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            let _ = tokio::time::timeout(GOODBYE, connection.smtp.quit()).await;
        }
    }
}

/// Opens a connection: TCP without Nagle, greeting, TLS, login; each step within the time limit.
async fn connect(relay: &Relay) -> anyhow::Result<Connection> {
    let options = &relay.options;
    let server = relay.name();
    let limit = options.timeout;
    let late = || format!("{server} did not answer within {} s", limit.as_secs());

    let tcp = tokio::time::timeout(
        limit.min(CONNECT),
        TcpStream::connect((options.host.as_str(), options.port)),
    )
    .await
    .with_context(|| {
        let seconds = limit.min(CONNECT).as_secs();
        format!("{server} could not be reached within {seconds} s")
    })?
    .with_context(|| format!("connecting to {server}"))?;
    tcp.set_nodelay(true)
        .with_context(|| format!("setting up the connection to {server}"))?;
    let stream: Box<dyn AsyncTokioStream> = if options.security == Security::Tls {
        let name = ServerName::try_from(options.host.clone())
            .with_context(|| format!("{server} has no valid name"))?;
        let tls = tokio::time::timeout(limit, relay.tls.connect(name, tcp))
            .await
            .with_context(late)?;
        Box::new(ImplicitTls(
            tls.with_context(|| format!("TLS with {server}"))?,
        ))
    } else {
        Box::new(tcp)
    };
    let (stream, written) = Counted::new(stream);
    let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &relay.hello);
    let mut smtp = tokio::time::timeout(limit, greeting)
        .await
        .with_context(late)?
        .with_context(|| format!("greeting {server}"))?;
    if options.security == Security::StartTls {
        let upgrade = smtp.starttls(tls_parameters(options)?, &relay.hello);
        tokio::time::timeout(limit, upgrade)
            .await
            .with_context(late)?
            .with_context(|| format!("STARTTLS with {server}"))?;
    }
    // Once more, because lettre keeps nothing of the answer that it does not use itself.
    let hello = smtp.command(Ehlo::new(relay.hello.clone()));
    let offered = tokio::time::timeout(limit, hello)
        .await
        .with_context(late)?
        .with_context(|| format!("greeting {server}"))?;
    let offers = |keyword: &str| {
        offered.message().find_map(|line| {
            let (name, value) = line.split_once(' ').unwrap_or((line, ""));
            name.eq_ignore_ascii_case(keyword).then_some(value)
        })
    };
    if let (Some(user), Some(password)) = (&options.user, &relay.password) {
        let credentials = Credentials::new(user.clone(), password.expose().to_owned());
        let mechanisms = match options.login {
            Login::Password => &[Mechanism::Plain, Mechanism::Login][..],
            Login::Token => &[Mechanism::Xoauth2],
        };
        let login = smtp.auth(mechanisms, &credentials);
        tokio::time::timeout(limit, login)
            .await
            .with_context(late)?
            .with_context(|| format!("logging in to {server}"))?;
    }
    Ok(Connection {
        pipelining: offers("PIPELINING").is_some(),
        size: offers("SIZE")
            .and_then(|size| size.trim().parse().ok())
            .filter(|size| *size > 0),
        smtputf8: smtp.server_info().supports_feature(Extension::SmtpUtfEight),
        written,
        smtp,
    })
}

fn tls_parameters(options: &SmtpOptions) -> anyhow::Result<TlsParameters> {
    let mut builder = TlsParameters::builder(options.host.clone());
    let read = |path: &std::path::Path| {
        std::fs::read(path).with_context(|| format!("reading {}", path.display()))
    };
    if let Some(path) = &options.ca_file {
        let certificate = Certificate::from_pem(&read(path)?)
            .with_context(|| format!("{} holds no certificate", path.display()))?;
        builder = builder.add_root_certificate(certificate);
    }
    if let Some((certificate, key)) = &options.client {
        let identity = Identity::from_pem(&read(certificate)?, &read(key)?)
            .with_context(|| format!("{} is no certificate of ours", certificate.display()))?;
        builder = builder.identify_with(identity);
    }
    builder.build_rustls().context("setting up TLS")
}
