//! What the tests of this stage render.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::model::{
    Address, CadenceId, Edition, FeedKey, Item, ItemKey, Language, Newsletter, PersonalLinks,
    Score, Section, Story, TopicId, Window,
};

pub(super) fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-20T07:00:00+01:00")
        .unwrap()
        .to_utc()
}

pub(super) fn newsletter() -> Newsletter {
    Newsletter {
        id: "bote".into(),
        title: "Bote & Söhne".into(),
        tagline: "Das Wichtigste".into(),
        language: Language::De,
        timezone: chrono_tz::Europe::Berlin,
        from_name: "Bote".into(),
        from: Address::parse("bote@example.org").unwrap(),
        reply_to: Address::parse("bote@example.org").unwrap(),
        unsubscribe: Address::parse("bote@example.org").unwrap(),
        imprint: vec![
            "Muster Verlag".into(),
            "Beispielweg 1, 12345 Musterstadt".into(),
        ],
        url: Some("https://example.org/".parse().unwrap()),
        browser_url: Some("https://example.org/bote/{edition}.html".into()),
        preferences_url: None,
        unsubscribe_url: None,
        follow_url: None,
        story_url: None,
        pages_url: None,
        archive_url: None,
    }
}

pub(super) fn item(source: &str, title: &str, summary: &str) -> Item {
    Item {
        key: ItemKey::of(&format!("{source}{title}")),
        feeds: BTreeSet::from([FeedKey(source.into())]),
        source: source.into(),
        title: title.into(),
        url: Some(format!(
            "https://{}.example/a?b=1&c=2",
            source.to_lowercase()
        )),
        summary: summary.into(),
        words: 20,
        author: None,
        categories: Vec::new(),
        language: Some("de".into()),
        published: now() - TimeDelta::hours(2),
        dated: true,
        image: None,
        comments_url: None,
        comments: None,
        mark: None,
        relayed: false,
        arrived: now(),
    }
}

pub(super) fn story(lead: Item, others: Vec<Item>) -> Story {
    Story {
        lead,
        others,
        copies: std::collections::BTreeMap::new(),
        update: None,
        picture: None,
        score: Score {
            relevance: 1.0,
            recency: 1.0,
            total: 0.6,
            ..Score::default()
        },
    }
}

pub(super) fn edition(sections: Vec<(&str, Vec<Story>)>) -> Edition {
    let cadence = CadenceId("daily".into());
    let section = |(title, stories): (&str, Vec<Story>)| Section {
        topic: TopicId(title.to_lowercase()),
        title: title.into(),
        stories,
    };
    Edition {
        id: Edition::id_of("bote", &cadence, now()),
        newsletter: "bote".into(),
        cadence,
        slot: now(),
        window: Window {
            since: now() - TimeDelta::days(1),
            until: now(),
        },
        created_at: now(),
        covers: None,
        sections: sections.into_iter().map(section).collect(),
        blocks: Vec::new(),
        followed: Vec::new(),
    }
}

/// An edition with one of everything.
pub(super) fn sample() -> Edition {
    let yesterday = Item {
        published: now() - TimeDelta::hours(20),
        words: 450,
        ..item("Kurier", "Ein Satz", "Langer Text.")
    };
    let undated = Item {
        dated: false,
        url: None,
        ..item("Archiv", "Ohne Datum und Adresse", "")
    };
    let english = Item {
        language: Some("en".into()),
        ..item(
            "Post",
            "A model for the laptop",
            "It runs anywhere. Nobody knew.",
        )
    };
    let german = item(
        "Bote",
        "Ein Modell für den Laptop",
        "Es läuft überall. Das wusste niemand.",
    );
    let twice = item("Bote", "Noch einmal derselbe Verlag", "");
    edition(vec![
        (
            "KI",
            vec![
                story(german, vec![english, twice]),
                story(yesterday, vec![]),
            ],
        ),
        ("Recht", vec![story(undated, vec![])]),
    ])
}

pub(super) fn render(edition: &Edition, language: Language) -> Digest {
    render_with(&Theme::default(), edition, language)
}

pub(super) fn render_with(theme: &Theme, edition: &Edition, language: Language) -> Digest {
    let audience = Audience::everything(language);
    digest(&newsletter(), theme, edition, &audience).unwrap()
}

/// The HTML and text bodies as one subscriber gets them.
pub(super) fn bodies(digest: &Digest) -> (String, String) {
    let links = PersonalLinks {
        unsubscribe: "mailto:x@example.org?subject=unsubscribe%20y@example.org".into(),
        ..PersonalLinks::default()
    };
    (digest.html.fill(&links), digest.text.fill(&links))
}

/// The bodies of an edition that has these stories on one topic.
pub(super) fn bodies_of(stories: Vec<Story>, language: Language) -> (String, String) {
    bodies(&render(&edition(vec![("KI", stories)]), language))
}
