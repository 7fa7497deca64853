//! The items about one event, and why they are in the digest or not.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Item, ItemKey, Mark, Section};

/// The items about one event: a lead and the other reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// The report that the digest shows.
    pub lead: Item,
    /// The other reports, earliest first.
    pub others: Vec<Item>,
    /// The reports that repeat the text of another one, each with the one it repeats.
    #[serde(default)]
    pub copies: BTreeMap<ItemKey, ItemKey>,
    /// Set when an earlier edition showed the story and there is real news.
    #[serde(default)]
    pub update: Option<Update>,
    /// A picture to show with it, when the publisher wants pictures.
    #[serde(default)]
    pub picture: Option<Picture>,
    /// Why it stands where it stands.
    pub score: Score,
}

/// A picture on the web.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Where it is.
    pub url: String,
    /// In its own pixels.
    pub width: u32,
    /// In its own pixels.
    pub height: u32,
}

impl Story {
    /// All items, the lead first.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        std::iter::once(&self.lead).chain(&self.others)
    }

    /// How many different outlets report it in words of their own.
    pub fn sources(&self) -> usize {
        self.items()
            .filter(|item| !self.copies.contains_key(&item.key))
            .map(|item| item.source.as_str())
            .collect::<BTreeSet<_>>()
            .len()
    }

    /// The report that came first.
    pub fn earliest(&self) -> &Item {
        let first = self.items().min_by_key(|item| (item.published, &item.key));
        first.unwrap_or(&self.lead)
    }
}

/// What is new in a story that readers know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// When the edition ended that showed it last.
    pub shown: DateTime<Utc>,
    /// The sentence of the lead that says what is new; empty when none stands out.
    pub news: String,
}

/// A number with named parts, each between 0 and 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Score {
    /// How well the best report matches the topic.
    pub relevance: f64,
    /// How many outlets report it, copies not counted.
    pub coverage: f64,
    /// How late in the window its newest report is.
    pub recency: f64,
    /// How much its outlets weigh, by the configuration and by what readers discussed before.
    pub source: f64,
    /// How much it is discussed.
    pub discussion: f64,
    /// How little it resembles what the last editions showed.
    pub novelty: f64,
    /// The weighted mean of the parts.
    pub total: f64,
}

/// What ranking makes of a window's items: the sections, and what was left out and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Composition {
    /// Topics with at least one story, in the order of the configuration.
    pub sections: Vec<Section>,
    /// Every item that is not shown, newest first.
    pub left_out: Vec<LeftOut>,
}

/// An item that the digest does not show.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOut {
    /// The item.
    pub item: Item,
    /// Why it is not shown.
    #[serde(flatten)]
    pub reason: Reason,
}

/// Why an item is not shown. Topics are named by their titles, items by outlet and headline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// No topic wants it.
    #[error("matches no topic")]
    NoTopic,
    /// It has a word of the topic, but is not about it.
    #[error("below the floor of “{topic}” with a relevance of {percent} %")]
    BelowFloor {
        /// The topic that it matches best.
        topic: String,
        /// How well, of 100.
        percent: u32,
    },
    /// It has a word that the topic which would have taken it excludes.
    #[error("excluded from “{topic}” by “{word}”")]
    Excluded {
        /// The topic.
        topic: String,
        /// The word, as configured.
        word: String,
    },
    /// It lacks a word that the topic which would have taken it requires.
    #[error("lacks “{word}”, which “{topic}” requires")]
    Lacks {
        /// The topic.
        topic: String,
        /// The word, as configured.
        word: String,
    },
    /// It has a mark that the configuration drops.
    #[error("is {}, which the configuration drops", .mark.as_str())]
    Marked {
        /// The mark.
        mark: Mark,
    },
    /// An earlier edition of this cadence showed it, or the story that it reports.
    #[error("was shown before{}", .story.as_ref().map(|story| format!(" as “{story}”")).unwrap_or_default())]
    Shown {
        /// When that edition ended.
        at: DateTime<Utc>,
        /// The report that it showed, when it was another one.
        story: Option<String>,
    },
    /// It repeats the text of another report, which is not shown either.
    #[error("is a copy of “{of}”")]
    Copy {
        /// The other report.
        of: String,
    },
    /// It reports the same event as another item, which is not shown either.
    #[error("is the same story as “{lead}”")]
    SameStory {
        /// The other item.
        lead: String,
    },
    /// Its topic had better stories.
    #[error("over the quota of “{topic}”")]
    OverQuota {
        /// The topic.
        topic: String,
    },
}
