//! Proof of consent: what somebody did, when, from where, and what they were told.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// What somebody did, or what was done in their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsentEvent {
    /// A form was filled in with their address.
    Requested,
    /// They proved that the address is theirs, and that they meant it.
    Confirmed,
    /// The operator added them, who answers for their consent.
    Added,
    /// They changed what they get.
    Chosen,
    /// Their address is another one now, which they have proved to be theirs.
    Moved,
    /// They left.
    Left,
    /// They took that back.
    Returned,
}

impl ConsentEvent {
    /// The word that the store uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Confirmed => "confirmed",
            Self::Added => "added",
            Self::Chosen => "chosen",
            Self::Moved => "moved",
            Self::Left => "left",
            Self::Returned => "returned",
        }
    }
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// What was done.
    pub event: ConsentEvent,
    /// When.
    pub at: DateTime<Utc>,
    /// From where; unknown where no browser was.
    pub ip: Option<IpAddr>,
    /// On which page, or by which command.
    pub form: String,
    /// The text that was agreed to.
    pub text: Option<String>,
    /// What was asked for: topics, cadence, language.
    pub details: serde_json::Value,
}

impl Consent {
    /// An entry without a text and without details.
    pub fn new(event: ConsentEvent, at: DateTime<Utc>, ip: Option<IpAddr>, form: &str) -> Self {
        Self {
            event,
            at,
            ip,
            form: form.to_owned(),
            text: None,
            details: serde_json::Value::Null,
        }
    }
}

/// What stands for a text in the log: its SHA-256 in hexadecimal.
pub fn consent_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
