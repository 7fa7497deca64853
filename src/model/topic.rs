//! What readers choose and rules match.

use serde::{Deserialize, Serialize};

use super::FeedKey;

super::text_id! {
    /// The short name of a topic in the configuration and in a subscriber's choice.
    TopicId
}

/// A subject of the newsletter and the rule that finds its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topic {
    /// Its short name.
    pub id: TopicId,
    /// Its heading in the digest.
    pub title: String,
    /// Words and phrases that make an item belong. Without any, every item belongs that its feeds carry.
    pub keywords: Vec<String>,
    /// Words and phrases that keep an item out.
    pub exclude: Vec<String>,
    /// How many stories the section shows at most.
    pub stories: usize,
    /// Feeds whose items all belong.
    pub feeds: Vec<FeedKey>,
}
