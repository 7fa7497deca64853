//! The ways out, as one closed set.

use std::path::PathBuf;
use std::time::Duration;

use super::message::Mail;
use super::{maildir, sendmail, smtp};
use crate::config::Secret;
use crate::model::{Address, Outcome};

/// How mail goes out.
#[derive(Debug, Clone)]
pub struct DeliveryOptions {
    /// Which way.
    pub mailer: MailerOptions,
    /// For how long a delivery that was not taken is tried again.
    pub retry_for: Duration,
    /// Who gets a mail about each run that decided or sent something.
    pub report_to: Option<Address>,
}

/// A way out and what it needs.
#[derive(Debug, Clone)]
pub enum MailerOptions {
    /// Into a Maildir, which any mail client opens.
    Maildir(PathBuf),
    /// To a mail server.
    Smtp(SmtpOptions),
    /// Through this sendmail program.
    Sendmail(PathBuf),
}

/// A mail server and how to talk to it.
#[derive(Debug, Clone)]
pub struct SmtpOptions {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// The name to log in with; no login without one.
    pub user: Option<String>,
    /// A file with the password.
    pub password_file: Option<PathBuf>,
    /// Certificates to trust besides the machine's.
    pub ca_file: Option<PathBuf>,
    /// How many connections are used at a time.
    pub connections: usize,
    /// After how many messages a connection is closed and opened anew.
    pub messages_per_connection: usize,
    /// Limit for each step of the conversation but the last (see `smtp`).
    pub timeout: Duration,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Plain first, then TLS, which is required (RFC 3207).
    StartTls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// None; for a relay on this machine.
    None,
}

/// The chosen way out, ready to open sessions.
#[derive(Debug)]
pub enum Mailer {
    /// Into a Maildir.
    Maildir(PathBuf),
    /// To a mail server.
    Smtp(smtp::Relay),
    /// Through a sendmail program.
    Sendmail(PathBuf),
}

impl Mailer {
    /// Prepares the way out. `password` is needed where the options name a user.
    ///
    /// # Errors
    /// When the certificates to trust cannot be read.
    pub fn new(options: &MailerOptions, password: Option<Secret>) -> anyhow::Result<Self> {
        Ok(match options {
            MailerOptions::Maildir(path) => Self::Maildir(path.clone()),
            MailerOptions::Sendmail(command) => Self::Sendmail(command.clone()),
            MailerOptions::Smtp(options) => {
                Self::Smtp(smtp::Relay::new(options.clone(), password)?)
            }
        })
    }

    /// How many sessions are worth having at a time.
    pub fn sessions(&self) -> usize {
        match self {
            Self::Maildir(_) => 1,
            Self::Sendmail(_) => 2,
            Self::Smtp(relay) => relay.options().connections,
        }
    }

    /// Where the mail goes, for messages to the operator.
    pub fn describe(&self) -> String {
        match self {
            Self::Maildir(path) => format!("the Maildir {}", path.display()),
            Self::Sendmail(command) => format!("{}", command.display()),
            Self::Smtp(relay) => format!(
                "the mail server {}:{}",
                relay.options().host,
                relay.options().port
            ),
        }
    }

    /// Makes sure that the way out works, without sending anything: the folder can be made, the program is
    /// there, the server lets us in.
    ///
    /// # Errors
    /// What does not work.
    pub async fn probe(&self) -> anyhow::Result<()> {
        match self {
            Self::Maildir(path) => maildir::create(path).await,
            Self::Sendmail(command) => sendmail::probe(command).await,
            Self::Smtp(relay) => smtp::Session::new(relay).probe().await,
        }
    }

    /// A session, for one worker.
    pub(super) fn session(&self) -> Session<'_> {
        match self {
            Self::Maildir(path) => Session::Maildir(path),
            Self::Sendmail(command) => Session::Sendmail(command),
            Self::Smtp(relay) => Session::Smtp(Box::new(smtp::Session::new(relay))),
        }
    }

    /// Sends one mail outside of any run.
    ///
    /// # Errors
    /// When the way out cannot be used at all.
    pub async fn send_one(&self, mail: &Mail) -> anyhow::Result<Outcome> {
        let mut session = self.session();
        let outcome = session.send(mail).await;
        session.close().await;
        outcome
    }
}

/// One worker's hold on the way out.
pub(super) enum Session<'m> {
    Maildir(&'m PathBuf),
    Sendmail(&'m PathBuf),
    Smtp(Box<smtp::Session<'m>>),
}

impl Session<'_> {
    /// Sends one mail. `Err` says that the way out cannot be used and nothing was sent.
    pub(super) async fn send(&mut self, mail: &Mail) -> anyhow::Result<Outcome> {
        match self {
            Self::Maildir(path) => maildir::store(path, mail).await,
            Self::Sendmail(command) => sendmail::send(command, mail).await,
            Self::Smtp(session) => session.send(mail).await,
        }
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        if let Self::Smtp(mut session) = self {
            session.close().await;
        }
    }
}
