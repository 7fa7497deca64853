//! To a mail server: lettre's conversation on a socket of our own.
//!
//! Our own, because lettre 0.11.23 leaves Nagle's algorithm on and writes a body and its final dot apart,
//! which costs 40 ms a message; because its time-outs cover the connection only; and because its `send`
//! throws the connection away when one recipient is refused.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::mailer::{Security, SmtpOptions};
use super::message::Mail;
use crate::config::Secret;
use crate::model::Outcome;

/// How long the answer to a whole message may take. RFC 5321 4.5.3.2.6 asks for ten minutes: who gives up
/// earlier does not know whether the server has taken it (RFC 1047).
const FINAL_ANSWER: Duration = Duration::from_secs(600);

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
        let tls = TlsConnector::from(Arc::new(crate::tls::client_config(
            options.ca_file.as_deref(),
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
}

/// One connection after the other to a relay.
pub(super) struct Session<'r> {
    relay: &'r Relay,
    connection: Option<AsyncSmtpConnection>,
    sent_on_connection: usize,
    breaks: usize,
}

/// Where a conversation about one message broke off.
enum Broken {
    /// Before the message was sent: it is safe to try again.
    Before(String),
    /// After it was sent, in whole or in part.
    After(String),
}

impl<'r> Session<'r> {
    pub(super) fn new(relay: &'r Relay) -> Self {
        Self {
            relay,
            connection: None,
            sent_on_connection: 0,
            breaks: 0,
        }
    }

    /// Connects, greets, logs in and says goodbye.
    pub(super) async fn probe(mut self) -> anyhow::Result<()> {
        self.connection = Some(connect(self.relay).await?);
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
        if reused && matches!(result, Err(Broken::Before(_))) {
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
                    anyhow::bail!("{}: {what}", self.name());
                }
                Ok(Outcome::Deferred(what))
            }
        }
    }

    fn name(&self) -> String {
        format!(
            "the mail server {}:{}",
            self.relay.options.host, self.relay.options.port
        )
    }

    async fn send_once(&mut self, mail: &Mail) -> anyhow::Result<Result<Outcome, Broken>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.sent_on_connection = 0;
                connect(self.relay).await?
            }
        };
        let result = converse(&mut connection, mail, self.relay.options.timeout).await;
        self.sent_on_connection += 1;
        // A connection that broke, or that the server is closing (421), is not used again.
        let closing = matches!(&result, Ok(Outcome::Deferred(said)) if said.starts_with("421"));
        if result.is_ok() && !closing && !connection.has_broken() {
            self.connection = Some(connection);
        }
        Ok(result)
    }

    /// Says goodbye.
    pub(super) async fn close(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            let _ = tokio::time::timeout(Duration::from_secs(5), connection.quit()).await;
        }
    }
}

/// Opens a connection: TCP without Nagle, greeting, TLS, login; each step within the time limit.
async fn connect(relay: &Relay) -> anyhow::Result<AsyncSmtpConnection> {
    let options = &relay.options;
    let server = format!("the mail server {}:{}", options.host, options.port);
    let limit = options.timeout;
    let late = || format!("{server} did not answer within {} s", limit.as_secs());

    let tcp = tokio::time::timeout(
        limit,
        TcpStream::connect((options.host.as_str(), options.port)),
    )
    .await
    .with_context(late)?
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
    let greeting = AsyncSmtpConnection::connect_with_transport(stream, &relay.hello);
    let mut connection = tokio::time::timeout(limit, greeting)
        .await
        .with_context(late)?
        .with_context(|| format!("greeting {server}"))?;
    if options.security == Security::StartTls {
        let upgrade = connection.starttls(tls_parameters(options)?, &relay.hello);
        tokio::time::timeout(limit, upgrade)
            .await
            .with_context(late)?
            .with_context(|| format!("STARTTLS with {server}"))?;
    }
    if let (Some(user), Some(password)) = (&options.user, &relay.password) {
        let credentials = Credentials::new(user.clone(), password.expose().to_owned());
        let login = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
        tokio::time::timeout(limit, login)
            .await
            .with_context(late)?
            .with_context(|| format!("logging in to {server}"))?;
    }
    Ok(connection)
}

fn tls_parameters(options: &SmtpOptions) -> anyhow::Result<TlsParameters> {
    let mut builder = TlsParameters::builder(options.host.clone());
    if let Some(path) = &options.ca_file {
        let pem = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let certificate = Certificate::from_pem(&pem)
            .with_context(|| format!("{} holds no certificate", path.display()))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build_rustls().context("setting up TLS")
}

/// One message: MAIL, RCPT, DATA, the message. A negative answer is an outcome; only a dead connection is not.
async fn converse(
    connection: &mut AsyncSmtpConnection,
    mail: &Mail,
    limit: Duration,
) -> Result<Outcome, Broken> {
    let mut parameters = Vec::new();
    if !(mail.from.as_str().is_ascii() && mail.to.as_str().is_ascii()) {
        if !connection
            .server_info()
            .supports_feature(Extension::SmtpUtfEight)
        {
            return Ok(Outcome::Rejected(
                "the mail server takes no addresses with letters like these (no SMTPUTF8)".into(),
            ));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    let address = |address: &crate::model::Address| {
        address
            .as_str()
            .parse::<lettre::Address>()
            .map_err(|error| Broken::Before(format!("an address is refused: {error}")))
    };
    let from = MailFrom::new(Some(address(&mail.from)?), parameters);
    let to = Rcpt::new(address(&mail.to)?, Vec::new());

    // A refused sender is our fault, not the subscriber's: try again when it is mended.
    if let Err(said) = step(connection.command(from), limit).await? {
        reset(connection, limit).await;
        return Ok(Outcome::Deferred(said.text));
    }
    if let Err(said) = step(connection.command(to), limit).await? {
        reset(connection, limit).await;
        return Ok(said.outcome());
    }
    if let Err(said) = step(connection.command(Data), limit).await? {
        reset(connection, limit).await;
        return Ok(said.outcome());
    }
    match step(connection.message(&mail.bytes), FINAL_ANSWER).await {
        Ok(Ok(())) => Ok(Outcome::Accepted),
        Ok(Err(said)) => Ok(said.outcome()),
        Err(Broken::Before(what) | Broken::After(what)) => Err(Broken::After(what)),
    }
}

/// What a server said when it did not say yes.
struct No {
    permanent: bool,
    text: String,
}

impl No {
    fn outcome(self) -> Outcome {
        if self.permanent {
            Outcome::Rejected(self.text)
        } else {
            Outcome::Deferred(self.text)
        }
    }
}

/// Takes back what was said about a message that will not be sent, so that the connection can be used again.
async fn reset(connection: &mut AsyncSmtpConnection, limit: Duration) {
    if step(connection.command(Rset), limit).await.is_err() {
        connection.abort().await;
    }
}

async fn step<T>(
    work: impl Future<Output = Result<T, Error>>,
    limit: Duration,
) -> Result<Result<(), No>, Broken> {
    match tokio::time::timeout(limit, work).await {
        Err(_) => Err(Broken::Before(format!(
            "no answer within {} s",
            limit.as_secs()
        ))),
        Ok(Ok(_)) => Ok(Ok(())),
        Ok(Err(error)) => match error.status() {
            Some(code) => Ok(Err(No {
                permanent: error.is_permanent(),
                text: spoken(&error, &code.to_string()),
            })),
            None => Err(Broken::Before(spoken(&error, ""))),
        },
    }
}

/// An error in the server's words, on one line and not endlessly long.
fn spoken(error: &Error, code: &str) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let text = format!("{code} {}", cause.unwrap_or_else(|| error.to_string()));
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(300)
        .collect();
    text.trim().to_owned()
}

/// TLS from the first byte, in the shape that lettre takes a stream in.
#[derive(Debug)]
struct ImplicitTls(TlsStream<TcpStream>);

impl AsyncTokioStream for ImplicitTls {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.peer_addr()
    }
}

impl AsyncRead for ImplicitTls {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for ImplicitTls {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
