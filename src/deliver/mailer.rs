//! The ways out, as one closed set.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::dkim::DkimOptions;
use super::maildir::{Maildir, Try};
use super::message::Mail;
use super::throttle::DomainLimits;
use super::{maildir, sendmail, smtp};
use crate::config::Secret;
use crate::model::{Address, BouncePolicy, Outcome, UnknownPolicy};

/// How mail goes out.
#[derive(Debug, Clone)]
pub struct DeliveryOptions {
    /// Which way.
    pub mailer: MailerOptions,
    /// For how long a delivery that was not taken is tried again.
    pub retry_for: Duration,
    /// What becomes of one of which nobody knows whether it went out.
    pub unknown: UnknownPolicy,
    /// When an address is not mailed any more.
    pub suppress: BouncePolicy,
    /// Where mail servers report what they could not deliver.
    pub returns: Option<Address>,
    /// How fast mail may go to a domain.
    pub domains: DomainLimits,
    /// The keys that sign; none when the relay does that.
    pub dkim: Vec<DkimOptions>,
    /// Who gets a mail about each run that decided or sent something.
    pub report_to: Option<Address>,
}

/// A way out and what it needs.
#[derive(Debug, Clone)]
pub enum MailerOptions {
    /// Into a Maildir, which any mail client opens.
    Maildir(PathBuf),
    /// To one of these mail servers; at least one.
    Smtp(Vec<SmtpOptions>),
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
    /// A file with the password, or with the access token.
    pub password_file: Option<PathBuf>,
    /// What the password is.
    pub login: Login,
    /// PEM files with our own certificate and its key, for a server that asks for them.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Its share of the mail beside the other servers; with 0 it gets mail only when those cannot be used.
    pub weight: u32,
    /// How many messages it takes in a minute.
    pub per_minute: Option<u32>,
    /// Certificates to trust besides the machine's.
    pub ca_file: Option<PathBuf>,
    /// How many connections are used at a time.
    pub connections: usize,
    /// After how many messages a connection is closed and opened anew.
    pub messages_per_connection: usize,
    /// Limit for each step of the conversation but the last (see `smtp`).
    pub timeout: Duration,
}

/// How a mail server lets us in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Login {
    /// With a password, by PLAIN or LOGIN, whichever it offers.
    #[default]
    Password,
    /// With an access token of OAuth 2.0, by XOAUTH2.
    Token,
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
    /// To mail servers.
    Smtp(Vec<Arc<smtp::Relay>>),
    /// Through a sendmail program.
    Sendmail(PathBuf),
}

/// One of the ways that a [`Mailer`] has, and what may go on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    /// How many sessions are worth having at a time.
    pub sessions: usize,
    /// Its share of the mail.
    pub weight: u32,
    /// How many messages go on it in a minute.
    pub per_minute: Option<u32>,
}

impl Mailer {
    /// Prepares the way out. `password` gives the secret of each mail server that has a user.
    ///
    /// # Errors
    /// When the certificates cannot be read, or a password.
    pub fn new(
        options: &MailerOptions,
        password: impl Fn(&SmtpOptions) -> anyhow::Result<Secret>,
    ) -> anyhow::Result<Self> {
        Ok(match options {
            MailerOptions::Maildir(path) => Self::Maildir(path.clone()),
            MailerOptions::Sendmail(command) => Self::Sendmail(command.clone()),
            MailerOptions::Smtp(relays) => {
                let relay = |options: &SmtpOptions| {
                    let password = match &options.user {
                        Some(_) => Some(password(options)?),
                        None => None,
                    };
                    smtp::Relay::new(options.clone(), password).map(Arc::new)
                };
                Self::Smtp(relays.iter().map(relay).collect::<anyhow::Result<_>>()?)
            }
        })
    }

    /// Its ways, in the order of the configuration.
    pub(super) fn routes(&self) -> Vec<Route> {
        let only = |sessions| {
            vec![Route {
                sessions,
                weight: 1,
                per_minute: None,
            }]
        };
        match self {
            Self::Maildir(_) => only(1),
            Self::Sendmail(_) => only(2),
            Self::Smtp(relays) => relays
                .iter()
                .map(|relay| Route {
                    sessions: relay.options().connections,
                    weight: relay.options().weight,
                    per_minute: relay.options().per_minute,
                })
                .collect(),
        }
    }

    /// What becomes of a mail of which nobody knows whether it went out, where `policy` is wanted: what is stored twice in a Maildir is
    /// there once.
    pub fn unknown(&self, policy: UnknownPolicy) -> UnknownPolicy {
        match self {
            Self::Maildir(_) => UnknownPolicy::AtLeastOnce,
            Self::Smtp(_) | Self::Sendmail(_) => policy,
        }
    }

    /// Where the mail goes, for messages to the operator.
    pub fn describe(&self) -> String {
        match self {
            Self::Maildir(path) => format!("the Maildir {}", path.display()),
            Self::Sendmail(command) => format!("{}", command.display()),
            Self::Smtp(relays) => {
                let names: Vec<String> = relays.iter().map(|relay| relay.name()).collect();
                names.join(" or ")
            }
        }
    }

    /// Makes sure that the way out works, without sending anything: the folder can be made, the program is
    /// there, the servers let us in.
    ///
    /// # Errors
    /// What does not work.
    pub async fn probe(&self) -> anyhow::Result<()> {
        match self {
            Self::Maildir(path) => {
                let path = path.clone();
                tokio::task::spawn_blocking(move || maildir::probe(&path)).await?
            }
            Self::Sendmail(command) => sendmail::probe(command).await,
            Self::Smtp(relays) => {
                for relay in relays {
                    smtp::Session::new(relay.clone()).probe().await?;
                }
                Ok(())
            }
        }
    }

    /// A session on the route of that number.
    pub(super) fn session(&self, route: usize) -> Session {
        match self {
            Self::Maildir(path) => Session::Maildir(Maildir::new(path)),
            Self::Sendmail(command) => Session::Sendmail(command.clone()),
            Self::Smtp(relays) => {
                Session::Smtp(Box::new(smtp::Session::new(relays[route].clone())))
            }
        }
    }

    /// Sends one mail outside of any run, by the first way that can be used.
    ///
    /// # Errors
    /// When none can be used.
    pub async fn send_one(&self, mail: &Mail) -> anyhow::Result<Outcome> {
        let mut last = anyhow::anyhow!("there is no way out");
        for route in 0..self.routes().len() {
            let mut session = self.session(route);
            let outcome = session.send(mail, Try::Again).await;
            session.close().await;
            match outcome {
                Ok(outcome) => return Ok(outcome),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// One worker's hold on the way out.
pub(super) enum Session {
    Maildir(Maildir),
    Sendmail(PathBuf),
    Smtp(Box<smtp::Session>),
}

impl Session {
    /// Sends one mail. `Err` says that the way out cannot be used and nothing was sent.
    pub(super) async fn send(&mut self, mail: &Mail, tried: Try) -> anyhow::Result<Outcome> {
        match self {
            Self::Maildir(maildir) => maildir.store(mail, tried).await,
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
