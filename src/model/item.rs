//! One thing from a feed, cleaned, and the identity that it keeps across fetches.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::FeedKey;

/// The identity of an item across fetches: 128 bits of SHA-256, as 32 hexadecimal digits.
///
/// Which facts identify an item is decided in `collect::identity`; this type only proves that they were.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ItemKey(String);

impl ItemKey {
    /// The key of the identifying text `identity`.
    pub fn of(identity: &str) -> Self {
        let hash = Sha256::digest(identity.as_bytes());
        Self(
            hash.iter()
                .take(16)
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }

    /// A key as the store kept it.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One thing from a feed. Every text here is plain: no mark-up, no control characters, one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its identity.
    pub key: ItemKey,
    /// The feeds that carry it.
    pub feeds: BTreeSet<FeedKey>,
    /// The name of the outlet, as readers see it.
    pub source: String,
    /// The headline.
    pub title: String,
    /// Where to read it: an `http` or `https` URL without tracking parameters.
    pub url: Option<String>,
    /// The first part of its text, at most [`Item::SUMMARY_CHARS`] characters.
    pub summary: String,
    /// How many words the feed carried for it, the part after `summary` included.
    pub words: u32,
    /// Who wrote it.
    pub author: Option<String>,
    /// The publisher's categories and tags.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Its language as a primary BCP 47 subtag such as `de`, when known.
    pub language: Option<String>,
    /// When it was published; our best guess where the feed does not say.
    pub published: DateTime<Utc>,
    /// Whether the feed said when.
    pub dated: bool,
    /// A picture of it.
    #[serde(default)]
    pub image: Option<String>,
    /// Where it is discussed.
    #[serde(default)]
    pub comments_url: Option<String>,
    /// How many comments there are.
    #[serde(default)]
    pub comments: Option<u32>,
    /// What readers should know before they click.
    #[serde(default)]
    pub mark: Option<Mark>,
    /// Whether a service found it that links to the publishers of others: their own item is the one to show.
    #[serde(default)]
    pub relayed: bool,
    /// When it became news for us: it belongs to the edition whose window has this moment. For an item of a
    /// feed that was slow or down, that is later than `published`.
    pub arrived: DateTime<Utc>,
}

/// What a publisher says about an item besides its news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It costs money to read.
    Paid,
    /// Somebody paid for it to be there.
    Sponsored,
}

impl Mark {
    /// The name in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Sponsored => "sponsored",
        }
    }

    /// The mark of a name.
    pub fn from_stored(name: &str) -> Option<Self> {
        [Self::Paid, Self::Sponsored]
            .into_iter()
            .find(|mark| mark.as_str() == name)
    }
}

impl Item {
    /// How much of an item's text is kept. Enough for an excerpt of three sentences and for telling
    /// stories apart; the whole text stays with its publisher.
    pub const SUMMARY_CHARS: usize = 1_500;

    /// How much of a summary a digest shows, and in what steps it matters that there is more.
    const SHOWN_CHARS: usize = 280;
    const SHOWN_STEP: usize = 40;

    /// How many of the publisher's categories are kept.
    pub const CATEGORIES: usize = 20;

    /// How good an item is to be shown for a story, besides being early: the publisher's own over an aggregator's, free over
    /// paid, fuller over thinner as far as a digest shows it.
    pub fn showing(&self) -> impl Ord + use<> {
        let shown = self.summary.chars().take(Self::SHOWN_CHARS).count() / Self::SHOWN_STEP;
        (!self.relayed, self.mark.is_none(), shown)
    }

    /// Fills in what its page says and its feed did not: a longer text, a picture, a date.
    pub fn complete(&mut self, text: &str, image: Option<&str>, published: Option<DateTime<Utc>>) {
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.len() > self.summary.len() {
            self.words = u32::try_from(1 + text.matches(' ').count()).unwrap_or(u32::MAX);
            self.summary = text.chars().take(Self::SUMMARY_CHARS).collect();
        }
        if self.image.is_none() {
            self.image = image.map(str::to_owned);
        }
        if let Some(published) = published
            && !self.dated
            && published <= self.arrived
        {
            (self.published, self.dated) = (published, true);
        }
    }
}
