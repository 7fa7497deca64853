//! Rank: items in, sections out. Pure and deterministic: the same items, topics and window give the same
//! sections, in whatever order the items come.
//!
//! `terms` turns text into comparable words, `topic` says how well an item belongs, `story` folds the
//! reports of one event, `score` weighs a story, and `compose` here picks.

mod score;
mod story;
mod terms;
mod topic;

use std::collections::HashSet;

use crate::model::{Composition, Item, ItemKey, LeftOut, Reason, Section, Story, Topic, Window};
use terms::Document;
use topic::{Match, Matcher};

/// Picks the stories of an edition.
///
/// `mailed` are the items that earlier editions of the cadence showed; a report of the same event is old
/// news and stays out. Each story stands in one section only: the one it matches best, the first of the
/// configuration where two match alike.
pub fn compose(items: &[Item], topics: &[Topic], window: Window, mailed: &[Item]) -> Composition {
    let mut left_out = Vec::new();
    let matchers: Vec<Matcher> = topics.iter().map(Matcher::new).collect();
    let shown_before: HashSet<&ItemKey> = mailed.iter().map(|item| &item.key).collect();
    let mut seen = HashSet::new();
    let mut candidates: Vec<Candidate<'_>> = mailed
        .iter()
        .filter(|item| seen.insert(&item.key))
        .map(|item| Candidate {
            item,
            document: Document::new(item),
            wanted: None,
        })
        .collect();
    for item in items {
        if shown_before.contains(&item.key) {
            left_out.push(LeftOut {
                item: item.clone(),
                reason: Reason::AlreadyMailed,
            });
        } else if seen.insert(&item.key) {
            let document = Document::new(item);
            match best_topic(&matchers, item, &document) {
                Ok(wanted) => candidates.push(Candidate {
                    item,
                    document,
                    wanted: Some(wanted),
                }),
                Err(reason) => left_out.push(LeftOut {
                    item: item.clone(),
                    reason,
                }),
            }
        }
    }
    candidates.sort_by(|a, b| {
        let order = a.item.published.cmp(&b.item.published);
        order.then_with(|| a.item.key.cmp(&b.item.key))
    });

    let documents: Vec<&Document> = candidates.iter().map(|c| &c.document).collect();
    let mut by_topic: Vec<Vec<Story>> = topics.iter().map(|_| Vec::new()).collect();
    for members in story::cluster(&documents) {
        let members: Vec<&Candidate<'_>> = members
            .into_iter()
            .map(|index| &candidates[index])
            .collect();
        let new = members.iter().filter(|member| member.wanted.is_some());
        let reports: Vec<&Item> = new.map(|member| member.item).collect();
        if reports.len() < members.len() {
            left_out.extend(reports.into_iter().map(|item| LeftOut {
                item: item.clone(),
                reason: Reason::AlreadyMailed,
            }));
            continue;
        }
        let wanted = members.iter().filter_map(|member| member.wanted);
        let best = wanted.reduce(|best, other| {
            let better = other.relevance > best.relevance
                || (other.relevance == best.relevance && other.topic < best.topic);
            if better { other } else { best }
        });
        if let Some(best) = best {
            by_topic[best.topic].push(story(&reports, best.relevance, window));
        }
    }

    let mut sections = Vec::new();
    for (topic, mut stories) in topics.iter().zip(by_topic) {
        stories.sort_by(|a, b| {
            let newest = |story: &Story| story.items().map(|item| item.published).max();
            b.score
                .total
                .total_cmp(&a.score.total)
                .then_with(|| newest(b).cmp(&newest(a)))
                .then_with(|| a.lead.key.cmp(&b.lead.key))
        });
        for story in stories.split_off(topic.stories.min(stories.len())) {
            let reason = Reason::OverQuota(topic.title.clone());
            left_out.extend(story.items().map(|item| LeftOut {
                item: item.clone(),
                reason: reason.clone(),
            }));
        }
        if !stories.is_empty() {
            sections.push(Section {
                topic: topic.id.clone(),
                title: topic.title.clone(),
                stories,
            });
        }
    }
    left_out.sort_by(|a, b| {
        b.item
            .published
            .cmp(&a.item.published)
            .then_with(|| a.item.key.cmp(&b.item.key))
    });
    Composition { sections, left_out }
}

/// An item that takes part in the search for stories.
struct Candidate<'a> {
    item: &'a Item,
    document: Document,
    /// The topic that wants it; `None` for one that an earlier edition showed.
    wanted: Option<Wanted>,
}

/// A topic's interest in an item.
#[derive(Clone, Copy)]
struct Wanted {
    /// The place of the topic in the configuration.
    topic: usize,
    relevance: f64,
}

/// The topic that `item` matches best, or why it belongs to none.
fn best_topic(matchers: &[Matcher], item: &Item, document: &Document) -> Result<Wanted, Reason> {
    let mut best: Option<Wanted> = None;
    let mut excluded = None;
    for (topic, matcher) in matchers.iter().enumerate() {
        match matcher.relevance(item, document) {
            Match::Relevant(relevance) if best.is_none_or(|best| relevance > best.relevance) => {
                best = Some(Wanted { topic, relevance });
            }
            Match::Excluded(word) => excluded = excluded.or(Some(Reason::Excluded(word))),
            Match::Relevant(_) | Match::None => {}
        }
    }
    best.ok_or_else(|| excluded.unwrap_or(Reason::NoTopic))
}

/// Makes a story of reports that come earliest first. Its lead is a publisher's own item, and of these the fullest
/// report: the one whose excerpt tells most; among equals the earliest.
fn story(reports: &[&Item], relevance: f64, window: Window) -> Story {
    let fullness = |item: &Item| (!item.relayed, item.summary.chars().count().min(400) / 40);
    let lead = reports.iter().copied().reduce(|lead, other| {
        if fullness(other) > fullness(lead) {
            other
        } else {
            lead
        }
    });
    let lead = lead.expect("a story has at least one item").clone();
    let others: Vec<Item> = reports
        .iter()
        .filter(|item| item.key != lead.key)
        .map(|item| (*item).clone())
        .collect();
    let mut story = Story {
        lead,
        others,
        score: score::score(relevance, 0, 0.0),
    };
    // Without a date a report cannot claim to be recent.
    let dated = story.items().filter(|item| item.dated);
    let newest = dated
        .map(|item| item.published)
        .max()
        .unwrap_or(window.since);
    story.score = score::score(relevance, story.sources(), score::place_in(window, newest));
    story
}

#[cfg(test)]
mod fixtures {
    use std::collections::BTreeSet;

    use chrono::DateTime;

    use super::*;
    use crate::model::{FeedKey, TopicId};

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

    pub(super) fn topic(id: &str) -> Topic {
        Topic {
            id: TopicId(id.into()),
            title: id.to_uppercase(),
            keywords: Vec::new(),
            exclude: Vec::new(),
            stories: 10,
            feeds: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::fixtures::{item, topic};
    use super::*;

    fn window() -> Window {
        let until = item("", "de").published;
        Window {
            since: until - TimeDelta::days(1),
            until,
        }
    }

    fn from(source: &str, title: &str) -> Item {
        Item {
            key: ItemKey::of(&format!("{source}{title}")),
            source: source.into(),
            ..item(title, "de")
        }
    }

    fn keyworded(id: &str, keyword: &str) -> Topic {
        Topic {
            keywords: vec![keyword.into()],
            ..topic(id)
        }
    }

    #[test]
    fn a_story_that_more_outlets_report_stands_higher() {
        let items = [
            from("A", "KI malt Bilder von Katzen"),
            from("B", "Nordlicht stellt KI Polaris vor"),
            from("C", "KI Polaris von Nordlicht vorgestellt"),
        ];
        let composition = compose(&items, &[keyworded("ki", "KI")], window(), &[]);
        let stories = &composition.sections[0].stories;
        assert_eq!(
            stories.iter().map(Story::sources).collect::<Vec<_>>(),
            [2, 1]
        );
    }

    #[test]
    fn a_story_stands_only_where_it_matches_best() {
        let items = [Item {
            summary: "Ein Angriff auf Behörden.".into(),
            ..from("A", "KI erkennt Krebs")
        }];
        let topics = [keyworded("security", "Angriff"), keyworded("ki", "KI")];
        let composition = compose(&items, &topics, window(), &[]);
        assert_eq!(
            composition
                .sections
                .iter()
                .map(|s| s.topic.as_str())
                .collect::<Vec<_>>(),
            ["ki"]
        );
    }

    #[test]
    fn what_is_not_shown_has_a_reason() {
        let items = [
            from("A", "KI eins"),
            from("A", "Rosen im Herbst schneiden"),
            from("A", "KI war gestern schon da"),
            from("A", "KI zum Verschenken: Gewinnspiel"),
        ];
        let topic = Topic {
            exclude: vec!["Gewinnspiel".into()],
            stories: 0,
            ..keyworded("ki", "KI")
        };
        let mailed = [items[2].clone()];
        let composition = compose(&items, &[topic], window(), &mailed);
        assert!(composition.sections.is_empty());
        let reason = |title: &str| {
            composition
                .left_out
                .iter()
                .find(|l| l.item.title == title)
                .map(|l| l.reason.clone())
        };
        assert_eq!(reason("KI eins"), Some(Reason::OverQuota("KI".into())));
        assert_eq!(reason("Rosen im Herbst schneiden"), Some(Reason::NoTopic));
        assert_eq!(
            reason("KI war gestern schon da"),
            Some(Reason::AlreadyMailed)
        );
        assert_eq!(
            reason("KI zum Verschenken: Gewinnspiel"),
            Some(Reason::Excluded("Gewinnspiel".into()))
        );
    }

    #[test]
    fn a_report_of_a_story_that_was_mailed_is_old_news() {
        let mailed = [from("A", "Nordlicht stellt KI Polaris vor")];
        let late = [from("B", "KI Polaris von Nordlicht vorgestellt")];
        let composition = compose(&late, &[keyworded("ki", "KI")], window(), &mailed);
        assert!(composition.sections.is_empty());
        let reasons: Vec<_> = composition
            .left_out
            .iter()
            .map(|left| (&left.item, &left.reason))
            .collect();
        assert_eq!(
            reasons,
            [(&late[0], &Reason::AlreadyMailed)],
            "what was mailed is not left out again"
        );
    }

    proptest! {
        #[test]
        fn the_order_of_the_items_changes_nothing_and_none_is_lost(
            words in proptest::collection::vec("(KI|Polaris|Nordlicht|Gesetz|Angriff|neu|heute)( (KI|Polaris|Nordlicht|Gesetz|Angriff)){0,5}", 0..25),
            seed in any::<u64>(),
        ) {
            let topics = [Topic { stories: 3, ..keyworded("ki", "KI") }, keyworded("security", "Angriff")];
            let items: Vec<Item> = words.iter().enumerate().map(|(i, title)| {
                let minutes = TimeDelta::minutes(i64::try_from(i % 4).unwrap());
                Item { published: window().until - minutes, ..from(&format!("S{}", i % 5), &format!("{title} {}", i / 3)) }
            }).collect();
            let mut shuffled = items.clone();
            shuffled.sort_by_key(|item| ItemKey::of(&format!("{seed}{}", item.key.as_str())));
            let composition = compose(&items, &topics, window(), &[]);
            prop_assert_eq!(&composition, &compose(&shuffled, &topics, window(), &[]));

            let distinct: HashSet<ItemKey> = items.iter().map(|item| item.key.clone()).collect();
            let shown = composition.sections.iter().flat_map(|s| &s.stories).flat_map(Story::items).map(|item| &item.key);
            let placed: Vec<&ItemKey> = shown.chain(composition.left_out.iter().map(|l| &l.item.key)).collect();
            prop_assert_eq!(placed.len(), distinct.len());
            prop_assert!(composition.sections.iter().flat_map(|s| &s.stories).all(|s| s.score.total.is_finite()));
        }
    }
}
