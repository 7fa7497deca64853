//! An address with consent.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Address, Preferences};

/// The store's number of a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriberId(pub i64);

/// How far a subscriber's consent goes. Only `Confirmed` gets mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriberState {
    /// Named to us, but consent is not proven yet.
    Pending,
    /// Wants the newsletter.
    Confirmed,
    /// Does not want it any more.
    Unsubscribed,
}

impl SubscriberState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Confirmed, Self::Unsubscribed];

    /// The word that the store, CSV and JSON use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Unsubscribed => "unsubscribed",
        }
    }

    /// The state of a [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// A subscriber as the store knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// Who they are and what they chose.
    pub profile: NewSubscriber,
    /// How far their consent goes.
    pub state: SubscriberState,
    /// When they were first named to us.
    pub created_at: DateTime<Utc>,
    /// When consent was given.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// When they left.
    pub left_at: Option<DateTime<Utc>>,
}

/// Who somebody is and what they want to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubscriber {
    /// Where mail goes.
    pub address: Address,
    /// The name in `To`; may be empty.
    pub name: String,
    /// What they chose.
    pub preferences: Preferences,
}

/// A person's name as it may stand in a header: one line, no control characters, at most 80 characters.
pub fn clean_name(text: &str) -> String {
    let text: String = text
        .chars()
        .filter(|c| !super::is_unwanted(*c))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(80)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_smuggle_a_header() {
        assert_eq!(
            clean_name("Anna\r\nBcc: all@example.org\0"),
            "Anna Bcc: all@example.org"
        );
    }

    #[test]
    fn every_state_has_a_word_that_leads_back_to_it() {
        for state in SubscriberState::ALL {
            assert_eq!(SubscriberState::from_word(state.word()), Some(state));
        }
    }
}
