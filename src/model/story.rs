//! The items about one event, and why they are in the digest or not.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Item, Section};

/// The items about one event: a lead and the other reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Story {
    /// The report that the digest shows.
    pub lead: Item,
    /// The other reports, earliest first.
    pub others: Vec<Item>,
    /// Why it stands where it stands.
    pub score: Score,
}

impl Story {
    /// All items, the lead first.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        std::iter::once(&self.lead).chain(&self.others)
    }

    /// How many different outlets report it.
    pub fn sources(&self) -> usize {
        self.items()
            .map(|item| item.source.as_str())
            .collect::<BTreeSet<_>>()
            .len()
    }
}

/// A number with named parts, each between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// How well the best report matches the topic.
    pub relevance: f64,
    /// How many outlets report it.
    pub coverage: f64,
    /// How late in the window its newest report is.
    pub recency: f64,
    /// The weighted sum that decides the order.
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
    pub reason: Reason,
}

/// Why an item is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", content = "detail", rename_all = "snake_case")]
pub enum Reason {
    /// No topic wants it.
    #[error("matches no topic")]
    NoTopic,
    /// An excluded word of the topic that would have taken it.
    #[error("excluded by “{0}”")]
    Excluded(String),
    /// Its topic had better stories; the topic's title.
    #[error("over the quota of “{0}”")]
    OverQuota(String),
    /// An earlier edition of this cadence showed it.
    #[error("was in an earlier edition")]
    AlreadyMailed,
}
