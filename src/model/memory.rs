//! What earlier runs left behind for the next one.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::Item;

/// What earlier runs left behind for ranking.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// What the last editions of the cadence showed.
    pub mailed: Vec<Mailed>,
    /// How much earlier items were discussed, earliest first.
    pub votes: Vec<Vote>,
    /// What words are usual here.
    pub vocabulary: Vocabulary,
}

/// An item that readers have seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Mailed {
    /// The item.
    pub item: Item,
    /// When the edition ended that showed it.
    pub at: DateTime<Utc>,
}

/// An earlier item and how many comments, votes or points it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// The outlet.
    pub source: String,
    /// The headline.
    pub title: String,
    /// The language of the headline, as a tag, when known.
    pub language: Option<String>,
    /// The number.
    pub count: u32,
}

/// In how many items each term occurred that the newsletter has seen: what is usual here, whatever it is at large.
///
/// A term that is missing occurred too seldom to be counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// How many items were counted.
    pub documents: u64,
    /// How many of them have each term.
    pub terms: HashMap<String, u64>,
}
