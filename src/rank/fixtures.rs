//! Items and topics for the tests of ranking.

use std::collections::BTreeSet;

use chrono::DateTime;

use crate::model::{FeedKey, Item, ItemKey, Keyword, Topic, TopicId};

/// An item of the morning of 20 November 2026.
pub(super) fn item(title: &str, language: &str) -> Item {
    let at = DateTime::parse_from_rfc3339("2026-11-20T06:00:00Z")
        .unwrap()
        .to_utc();
    Item {
        key: ItemKey::of(title),
        feeds: BTreeSet::from([FeedKey("feed".into())]),
        source: "Source".into(),
        title: title.into(),
        url: Some("https://example.org/".into()),
        summary: String::new(),
        words: 0,
        author: None,
        categories: Vec::new(),
        language: Some(language.into()),
        published: at,
        dated: true,
        image: None,
        comments_url: None,
        comments: None,
        mark: None,
        relayed: false,
        arrived: at,
    }
}

pub(super) fn keywords(words: &[&str]) -> Vec<Keyword> {
    words
        .iter()
        .map(|word| Keyword::parse(word).unwrap())
        .collect()
}

pub(super) fn topic(id: &str, words: &[&str]) -> Topic {
    Topic {
        id: TopicId(id.into()),
        title: id.to_uppercase(),
        keywords: keywords(words),
        exclude: Vec::new(),
        stories: 10,
        feeds: Vec::new(),
    }
}
