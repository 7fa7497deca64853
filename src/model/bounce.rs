//! What becomes of an address that mail does not reach.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// What a refusal or a report says about the address that the mail went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bounce {
    /// There is no such mailbox, and there will not be one.
    Hard,
    /// The mailbox cannot take it now: it is full, or its server has a fault.
    Soft,
    /// Its owner says that the mail is spam.
    Complaint,
    /// The sender is refused, whoever the mail is for. Says nothing about the address.
    SenderFault,
}

impl Bounce {
    /// The word that the store uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
            Self::Complaint => "complaint",
            Self::SenderFault => "sender-fault",
        }
    }
}

/// An address that must not be mailed. It outlives the subscriber.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suppression {
    /// The address, as [`super::Address::key`] writes it.
    pub address: String,
    /// Why.
    pub reason: SuppressionReason,
    /// What a server said.
    pub detail: Option<String>,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// Why an address is not mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SuppressionReason {
    /// There is no such mailbox.
    Hard,
    /// It was in trouble for too long.
    Soft,
    /// Its owner has complained.
    Complaint,
}

impl SuppressionReason {
    /// The word that the store uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
            Self::Complaint => "complaint",
        }
    }

    /// The reason that the store wrote as `word`.
    pub fn from_word(word: &str) -> Self {
        match word {
            "soft" => Self::Soft,
            "complaint" => Self::Complaint,
            _ => Self::Hard,
        }
    }
}
