//! What the configuration decides about ranking.

use std::collections::HashMap;

use super::language::Tongue;
use crate::model::{FeedKey, Mark};

/// What the configuration decides about ranking.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What each part of a story's score counts.
    pub weights: Weights,
    /// Items that match their topic less than this, from 0 to 1, are not about it.
    pub floor: f64,
    /// How much a story loses for each one of the same outlet, and for one like it, that stands before it in its section: 0
    /// for nothing, 1 for all.
    pub diversity: f64,
    /// What happens to items that cost money to read.
    pub paid: Policy,
    /// What happens to items that somebody paid for.
    pub sponsored: Policy,
    /// What the items of some feeds weigh; 1 for all others.
    pub feed_weights: HashMap<FeedKey, f64>,
    /// The languages of items whose feeds do not tell, the most usual one first.
    pub languages: Vec<Tongue>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            weights: Weights::default(),
            floor: 0.3,
            diversity: 0.15,
            paid: Policy::Mark,
            sponsored: Policy::Drop,
            feed_weights: HashMap::new(),
            languages: Vec::new(),
        }
    }
}

impl Options {
    pub(super) fn policy(&self, mark: Mark) -> Policy {
        match mark {
            Mark::Paid => self.paid,
            Mark::Sponsored => self.sponsored,
        }
    }
}

/// What each part of a score counts; the score is their weighted mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Of how well the story matches its topic.
    pub relevance: f64,
    /// Of how many outlets report it.
    pub coverage: f64,
    /// Of how late its newest report is.
    pub recency: f64,
    /// Of its outlets.
    pub source: f64,
    /// Of how much it is discussed.
    pub discussion: f64,
    /// Of how new it is to the readers.
    pub novelty: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            relevance: 0.40,
            coverage: 0.30,
            recency: 0.05,
            source: 0.10,
            discussion: 0.10,
            novelty: 0.05,
        }
    }
}

impl Weights {
    /// The weights in the order of the fields.
    pub fn list(&self) -> [f64; 6] {
        [
            self.relevance,
            self.coverage,
            self.recency,
            self.source,
            self.discussion,
            self.novelty,
        ]
    }
}

/// What happens to items with a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// They are shown like all others.
    Keep,
    /// They are shown with the mark.
    Mark,
    /// They are left out.
    Drop,
}

impl Policy {
    /// All policies, each with its name in the configuration.
    pub const ALL: [(&'static str, Self); 3] = [
        ("keep", Self::Keep),
        ("mark", Self::Mark),
        ("drop", Self::Drop),
    ];
}
