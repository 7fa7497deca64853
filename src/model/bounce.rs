//! What becomes of an address that mail does not reach.

use chrono::{DateTime, TimeDelta, Utc};
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

/// When an address is not mailed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BouncePolicy {
    /// After how many editions that its server said it does not exist, without one between that arrived.
    pub hard: u32,
    /// After how many editions that it could not take, without one between that arrived,
    pub soft: u32,
    /// and over how long a time.
    pub soft_for: TimeDelta,
    /// After how many complaints of its owner.
    pub complaints: u32,
    /// From how many dead addresses in a hundred mails on none of them is believed: then it is the sender who is refused.
    pub doubt: u32,
}

impl Default for BouncePolicy {
    fn default() -> Self {
        Self {
            hard: 1,
            soft: 3,
            soft_for: TimeDelta::days(14),
            complaints: 1,
            doubt: 30,
        }
    }
}

impl BouncePolicy {
    /// Whether so many addresses of those that were mailed can be dead. Where none of the others took its mail, nothing is known of any.
    pub fn is_plausible(&self, dead: u64, mailed: u64) -> bool {
        mailed > dead && (dead <= 1 || dead * 100 <= mailed * u64::from(self.doubt))
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
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Hard, Self::Soft, Self::Complaint];
        all.into_iter().find(|reason| reason.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_calls_a_third_of_the_list_dead_is_not_believed_however_short_the_list() {
        let policy = BouncePolicy::default();
        for (dead, mailed, plausible) in [
            (1, 1, false),
            (1, 2, true),
            (2, 4, false),
            (3, 10, true),
            (4, 10, false),
            (10, 10, false),
            (300, 1000, true),
            (301, 1000, false),
        ] {
            assert_eq!(
                policy.is_plausible(dead, mailed),
                plausible,
                "{dead} of {mailed}"
            );
        }
    }
}
