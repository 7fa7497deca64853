//! One edition to one subscriber, and what became of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Address, Audience, EditionId, ItemKey, SubscriberId};

/// The store's number of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub i64);

/// Where a delivery stands.
///
/// ```text
/// Pending ──claim──▶ Leased ──▶ Sent | Failed | Unknown | Cancelled
///    ▲                 │
///    └── release ──────┤
/// Deferred ◀───────────┘  (claimed again when its time has come)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// Nobody has tried yet.
    Pending,
    /// A worker has it. It is *begun* when its message may be on the wire.
    Leased,
    /// The server took it.
    Sent,
    /// To be tried again later.
    Deferred,
    /// Refused for good, or not taken within `delivery.retry_for`.
    Failed,
    /// The connection died after the whole message was sent: taken or not, nobody knows.
    Unknown,
    /// The subscriber left before it was sent, or its edition was cancelled.
    Cancelled,
}

impl DeliveryCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.ended() + self.pending + self.deferred
    }

    /// Those that will not be tried again.
    pub fn ended(&self) -> u64 {
        self.sent + self.failed + self.unknown + self.cancelled
    }
}

impl DeliveryState {
    /// The word that the store uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Leased => "leased",
            Self::Sent => "sent",
            Self::Deferred => "deferred",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A delivery that a worker has claimed.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The store's number.
    pub id: DeliveryId,
    /// Which edition.
    pub edition: EditionId,
    /// To whom.
    pub subscriber: SubscriberId,
    /// A public, random name of the subscriber; part of the Message-ID.
    pub token: String,
    /// Where it goes.
    pub address: Address,
    /// The name in `To`; may be empty.
    pub name: String,
    /// The stories that they follow, of which the edition may have news for them.
    pub follows: Vec<ItemKey>,
    /// Which rendering the subscriber gets.
    pub audience: Audience,
    /// How often it has been tried, this time included.
    pub attempts: i64,
    /// When it was first tried, by the real clock; `None` until it was.
    pub tried_at: Option<DateTime<Utc>>,
    /// Editions of its cadence before this one that the subscriber has missed: their news go with this one.
    pub missed: Vec<EditionId>,
}

/// What the server said about one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Taken.
    Accepted,
    /// Not now (4xx, or a fault on our side of the recipient).
    Deferred(Refusal),
    /// Never (5xx for this recipient or this message).
    Rejected(Refusal),
    /// The connection died after the message was sent and before it was answered (RFC 1047).
    Unknown(String),
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it is about.
    pub about: About,
    /// In the words of who refused.
    pub text: String,
}

/// What a refusal is about: only one of the recipient says anything about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The sender, before a recipient was named (`MAIL`).
    Sender,
    /// The recipient (`RCPT`).
    Recipient,
    /// The message, or the recipient when it was known (`DATA` and after it).
    Message,
    /// Nothing that a server of the recipient has said: it is between us and our own mail server.
    Ourselves,
}

impl Refusal {
    /// One that nobody else has to answer for.
    pub fn of_ours(text: impl Into<String>) -> Self {
        Self {
            about: About::Ourselves,
            text: text.into(),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// What becomes of a delivery of which nobody knows whether it went out: the connection, or the program, died after the message
/// was sent and before the answer was on the record. Nobody can have both (RFC 1047).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownPolicy {
    /// It is not sent again, and listed: nobody gets it twice.
    #[default]
    Once,
    /// It is sent again, with the same Message-ID: nobody misses it.
    AtLeastOnce,
}

/// How many deliveries stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryCounts {
    /// Taken by the server.
    pub sent: u64,
    /// Waiting for their first try.
    pub pending: u64,
    /// Waiting for another try.
    pub deferred: u64,
    /// Given up.
    pub failed: u64,
    /// Nobody knows.
    pub unknown: u64,
    /// Not sent, as nobody wanted it any more.
    pub cancelled: u64,
}
