//! An address with consent.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Address, CadenceId, Language, TopicId};

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
    /// How much of an edition they want.
    pub length: Length,
    /// From which hour of their day on mail may come, from 0 to 23; at once without one.
    pub hour: Option<u8>,
    /// Where their days begin; the newsletter's time zone without it.
    pub timezone: Option<chrono_tz::Tz>,
    /// Until when they get nothing.
    pub paused_until: Option<DateTime<Utc>>,
    /// When they left.
    pub left_at: Option<DateTime<Utc>>,
}

/// How much of an edition somebody wants.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// All of it.
    #[default]
    Full,
    /// The first stories of each section.
    Short,
    /// All stories, each without its excerpt.
    Headlines,
}

impl Length {
    /// All lengths.
    pub const ALL: [Self; 3] = [Self::Full, Self::Short, Self::Headlines];

    /// How many stories of a section a short edition has.
    pub const SHORT: usize = 3;

    /// The word that the store and forms use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Short => "short",
            Self::Headlines => "headlines",
        }
    }

    /// The length of a [`word`](Self::word).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|length| length.word() == word)
    }
}

/// An hour of the day, somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocalHour {
    /// From 0 to 23.
    pub hour: u8,
    /// Where.
    pub timezone: chrono_tz::Tz,
}

/// What subscribers choose for themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preferences {
    /// How often.
    pub cadence: CadenceId,
    /// In which language; the newsletter's without one.
    pub language: Option<Language>,
    /// About what; empty means everything.
    pub topics: BTreeSet<TopicId>,
    /// How much of it.
    pub length: Length,
    /// From which hour on.
    pub hour: Option<u8>,
    /// Where.
    pub timezone: Option<chrono_tz::Tz>,
    /// Not before.
    pub paused_until: Option<DateTime<Utc>>,
}

impl Subscriber {
    /// What they have chosen.
    pub fn preferences(&self) -> Preferences {
        Preferences {
            cadence: self.profile.cadence.clone(),
            language: self.profile.language,
            topics: self.profile.topics.clone(),
            length: self.length,
            hour: self.hour,
            timezone: self.timezone,
            paused_until: self.paused_until,
        }
    }
}

/// Who somebody is and what they want to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubscriber {
    /// Where mail goes.
    pub address: Address,
    /// The name in `To`; may be empty.
    pub name: String,
    /// The cadence they picked.
    pub cadence: CadenceId,
    /// The language they picked; the newsletter's when absent.
    pub language: Option<Language>,
    /// The topics they picked; empty means all.
    pub topics: BTreeSet<TopicId>,
}

/// What somebody said about what they want; what they did not say stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// Their name.
    pub name: Option<String>,
    /// The cadence they pick.
    pub cadence: Option<CadenceId>,
    /// The language they pick.
    pub language: Option<Language>,
    /// The topics they pick; empty means that they said nothing.
    pub topics: BTreeSet<TopicId>,
}

impl Choices {
    /// These choices of `address`, over what was known `before`; `cadence` is for somebody new.
    pub fn over(
        self,
        address: Address,
        before: Option<&NewSubscriber>,
        cadence: &CadenceId,
    ) -> NewSubscriber {
        let before = before.cloned().unwrap_or(NewSubscriber {
            address: address.clone(),
            name: String::new(),
            cadence: cadence.clone(),
            language: None,
            topics: BTreeSet::new(),
        });
        NewSubscriber {
            address,
            name: self.name.unwrap_or(before.name),
            cadence: self.cadence.unwrap_or(before.cadence),
            language: self.language.or(before.language),
            topics: if self.topics.is_empty() {
                before.topics
            } else {
                self.topics
            },
        }
    }
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
        for length in Length::ALL {
            assert_eq!(Length::from_word(length.word()), Some(length));
        }
    }
}
