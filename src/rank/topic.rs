//! How well an item belongs to a topic.

use std::collections::HashMap;

use super::terms::{Document, Word, words};
use crate::model::{FeedKey, Item, Language, Topic};

/// Below this relevance an item does not belong: one keyword inside a longer word of the lead is too
/// little, one keyword in the lead is enough.
const FLOOR: f64 = 0.25;

/// What one hit is worth. Hits add up as independent evidence: 1 − Π(1 − hit).
const TITLE: f64 = 0.6;
const LEAD: f64 = 0.3;
/// A keyword inside a longer word (`Sprachmodell` in `Großsprachmodelle`) is worth half: German writes
/// compounds as one word, but not every word that contains another is one.
const COMPOUND: f64 = 0.5;
/// Shorter keywords inside longer words are accidents: `KI` in `Kiosk`.
const COMPOUND_CHARS: usize = 5;

/// The feed says that the item belongs.
const ASSIGNED: f64 = 0.5;
/// A topic without keywords takes what no other topic wants more.
const CATCH_ALL: f64 = FLOOR;

/// What a topic says about an item.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Match {
    /// It belongs, this much (between the floor and 1).
    Relevant(f64),
    /// It would belong, but for this excluded word.
    Excluded(String),
    /// It does not belong.
    None,
}

/// A topic with its keywords ready for comparison, in each language that items can have.
pub(super) struct Matcher {
    keywords: HashMap<Option<Language>, Vec<Vec<Word>>>,
    exclude: HashMap<Option<Language>, Vec<Vec<Word>>>,
    excluded_words: Vec<String>,
    feeds: Vec<FeedKey>,
}

impl Matcher {
    pub(super) fn new(topic: &Topic) -> Self {
        Self {
            keywords: in_each_language(&topic.keywords),
            exclude: in_each_language(&topic.exclude),
            excluded_words: topic.exclude.clone(),
            feeds: topic.feeds.clone(),
        }
    }

    pub(super) fn relevance(&self, item: &Item, document: &Document) -> Match {
        let relevance = self.relevance_of_words(item, document);
        if relevance < FLOOR {
            return Match::None;
        }
        let exclude = self
            .exclude
            .get(&document.language)
            .map_or(&[][..], Vec::as_slice);
        let hit = exclude.iter().position(|phrase| {
            in_phrase(&document.title, phrase) == Hit::Whole
                || in_phrase(&document.lead, phrase) == Hit::Whole
        });
        match hit {
            Some(index) => {
                Match::Excluded(self.excluded_words.get(index).cloned().unwrap_or_default())
            }
            None => Match::Relevant(relevance),
        }
    }

    /// Whether a feed of the topic carries the item.
    fn carries(&self, item: &Item) -> bool {
        self.feeds.iter().any(|feed| item.feeds.contains(feed))
    }

    fn relevance_of_words(&self, item: &Item, document: &Document) -> f64 {
        let keywords = self
            .keywords
            .get(&document.language)
            .map_or(&[][..], Vec::as_slice);
        if keywords.is_empty() && (self.feeds.is_empty() || self.carries(item)) {
            return CATCH_ALL;
        }
        let mut doubt = if self.carries(item) {
            1.0 - ASSIGNED
        } else {
            1.0
        };
        for phrase in keywords {
            doubt *= 1.0 - hit_worth(&document.title, phrase, TITLE);
            doubt *= 1.0 - hit_worth(&document.lead, phrase, LEAD);
        }
        1.0 - doubt
    }
}

fn in_each_language(phrases: &[String]) -> HashMap<Option<Language>, Vec<Vec<Word>>> {
    let languages = Language::ALL.into_iter().map(Some).chain([None]);
    let parse = |language| {
        phrases
            .iter()
            .map(|phrase| words(phrase, language))
            .collect()
    };
    languages
        .map(|language| (language, parse(language)))
        .collect()
}

fn hit_worth(text: &[Word], phrase: &[Word], worth: f64) -> f64 {
    match in_phrase(text, phrase) {
        Hit::Whole => worth,
        Hit::Inside => worth * COMPOUND,
        Hit::None => 0.0,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hit {
    None,
    Inside,
    Whole,
}

/// How `phrase` occurs in `text`: its words in order, by their stems, or a single long one inside a word.
fn in_phrase(text: &[Word], phrase: &[Word]) -> Hit {
    let Some(first) = phrase.first() else {
        return Hit::None;
    };
    let same = |a: &Word, b: &Word| a.stem == b.stem || a.folded == b.folded;
    if text
        .windows(phrase.len())
        .any(|window| window.iter().zip(phrase).all(|(a, b)| same(a, b)))
    {
        return Hit::Whole;
    }
    let long_enough = phrase.len() == 1 && first.stem.chars().count() >= COMPOUND_CHARS;
    if long_enough && text.iter().any(|word| word.folded.contains(&first.stem)) {
        Hit::Inside
    } else {
        Hit::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rank::fixtures::item;

    fn ki() -> Topic {
        Topic {
            keywords: [
                "KI",
                "künstliche Intelligenz",
                "Sprachmodell",
                "language model",
            ]
            .map(String::from)
            .to_vec(),
            exclude: vec!["Gewinnspiel".into()],
            ..crate::rank::fixtures::topic("ki")
        }
    }

    fn relevance(topic: &Topic, item: &Item) -> Match {
        Matcher::new(topic).relevance(item, &Document::new(item))
    }

    #[test]
    fn keywords_match_as_words_in_any_form_and_inside_compounds() {
        for (title, belongs) in [
            ("Neue KI-Verordnung beschlossen", true),
            ("Künstliche Intelligenz im Krankenhaus", true),
            ("Kuenstliche Intelligenz im Krankenhaus", true),
            ("Zwei Sprachmodelle im Vergleich", true),
            ("Großsprachmodelle werden billiger", true),
            ("Der Kiosk an der Ecke schließt", false),
            ("Intelligenz, künstliche und echte", false),
        ] {
            let found = relevance(&ki(), &item(title, "de"));
            assert_eq!(
                matches!(found, Match::Relevant(_)),
                belongs,
                "{title}: {found:?}"
            );
        }
        assert!(matches!(
            relevance(&ki(), &item("Smaller language models win", "en")),
            Match::Relevant(_)
        ));
    }

    #[test]
    fn an_excluded_word_is_named() {
        assert_eq!(
            relevance(&ki(), &item("KI-Buch im Gewinnspiel", "de")),
            Match::Excluded("Gewinnspiel".into())
        );
    }

    #[test]
    fn the_title_says_more_than_the_lead() {
        let relevance = |item| match relevance(&ki(), &item) {
            Match::Relevant(relevance) => relevance,
            other => panic!("{other:?}"),
        };
        let in_title = relevance(item("KI hilft", "de"));
        let in_lead = relevance(Item {
            summary: "Die KI hilft.".into(),
            ..item("Hilfe", "de")
        });
        assert!(
            in_title > in_lead && in_lead >= FLOOR,
            "{in_title} {in_lead}"
        );
    }

    #[test]
    fn an_item_of_an_assigned_feed_belongs_without_keywords() {
        let topic = Topic {
            feeds: item("", "de").feeds.into_iter().collect(),
            ..ki()
        };
        assert_eq!(
            relevance(&topic, &item("Ohne Stichwort", "de")),
            Match::Relevant(ASSIGNED)
        );
    }

    #[test]
    fn a_topic_without_keywords_takes_everything_of_its_feeds() {
        let rest = crate::rank::fixtures::topic("rest");
        assert_eq!(
            relevance(&rest, &item("Irgendetwas", "de")),
            Match::Relevant(CATCH_ALL)
        );
        let elsewhere = Topic {
            feeds: vec![FeedKey("other".into())],
            ..rest
        };
        assert_eq!(
            relevance(&elsewhere, &item("Irgendetwas", "de")),
            Match::None
        );
    }
}
