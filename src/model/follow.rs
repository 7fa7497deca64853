//! “More like this”: the standing wish of a subscriber.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ItemKey, Story};

/// A story that a subscriber follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Follow {
    /// The key of its lead.
    pub story: ItemKey,
    /// Its headline, when they began to.
    pub title: String,
    /// Whether its news come in a mail of their own, as soon as there are any.
    pub at_once: bool,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// News of a story that somebody follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Followed {
    /// The key of the lead of the story that is followed.
    pub story: ItemKey,
    /// Its headline.
    pub title: String,
    /// What is new, the best first.
    pub news: Vec<Story>,
}
