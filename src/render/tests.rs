use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::model::{
    Address, CadenceId, FeedKey, Item, ItemKey, Language, Mark, Score, Section, Story, TopicId,
    Window,
};

fn now() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-20T07:00:00+01:00")
        .unwrap()
        .to_utc()
}

fn newsletter() -> Newsletter {
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
    }
}

fn item(source: &str, title: &str, summary: &str) -> Item {
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

fn story(lead: Item, others: Vec<Item>) -> Story {
    Story {
        lead,
        others,
        copies: std::collections::BTreeMap::new(),
        update: None,
        score: Score {
            relevance: 1.0,
            recency: 1.0,
            total: 0.6,
            ..Score::default()
        },
    }
}

fn edition(sections: Vec<(&str, Vec<Story>)>) -> Edition {
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
        sections: sections.into_iter().map(section).collect(),
    }
}

/// An edition with one of everything.
fn sample() -> Edition {
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

fn render(edition: &Edition, language: Language) -> Digest {
    digest(&newsletter(), edition, &Audience::everything(language)).unwrap()
}

/// The HTML and text bodies as one subscriber gets them.
fn personal(language: Language) -> (String, String) {
    render(&sample(), language).personal("mailto:x@example.org?subject=unsubscribe%20y@example.org")
}

#[test]
fn the_german_text_reads_well() {
    insta::assert_snapshot!(personal(Language::De).1);
}

#[test]
fn the_english_text_reads_well() {
    insta::assert_snapshot!(personal(Language::En).1);
}

#[test]
fn the_html_has_its_styles_on_its_elements() {
    let (html, _) = personal(Language::De);
    insta::assert_snapshot!(html);
    let (head, body) = html.split_once("<body").unwrap();
    assert!(
        head.contains("@media (prefers-color-scheme")
            || head.contains("@media(prefers-color-scheme"),
        "{head}"
    );
    assert!(!body.contains("<style"));
}

#[test]
fn both_bodies_have_imprint_reason_and_a_place_for_the_way_out() {
    let digest = render(&sample(), Language::De);
    for body in [&digest.html, &digest.text] {
        for what in [
            "Muster Verlag",
            "Beispielweg 1, 12345 Musterstadt",
            "abonniert haben",
            Digest::UNSUBSCRIBE,
            "Abmelden",
        ] {
            assert!(body.contains(what), "{what}");
        }
    }
    let (html, text) = digest.personal("mailto:x@example.org?subject=unsubscribe%20y@example.org");
    assert!(!html.contains(Digest::UNSUBSCRIBE) && !text.contains(Digest::UNSUBSCRIBE));
}

#[test]
fn a_hostile_item_is_verbatim_in_text_and_harmless_in_html() {
    let title = "<script>alert(1)</script> \"'><img src=x onerror=alert(2)>";
    let hostile = Item {
        source: "</td><h1>Mine".into(),
        url: Some("https://x.example/\" onmouseover=\"evil()".into()),
        ..item("X", title, "<b onclick=evil()>& {{ 7*7 }} {% raw %}")
    };
    let digest = render(
        &edition(vec![("</style><script>", vec![story(hostile, vec![])])]),
        Language::De,
    );
    for text in [
        "<script>alert(1)</script>",
        "onerror=alert(2)>",
        "<b onclick=evil()>& {{ 7*7 }} {% raw %}",
        "</td><h1>Mine",
    ] {
        assert!(digest.text.contains(text), "{text}: {}", digest.text);
    }
    for tag in ["<script", "<img", "<b ", "<h1>Mine", "\" onmouseover"] {
        assert!(!digest.html.contains(tag), "{tag}: {}", digest.html);
    }
    assert_eq!(digest.html.matches("<h1").count(), 1);
}

#[test]
fn an_audience_sees_its_topics_only() {
    let audience = Audience {
        language: Language::De,
        topics: BTreeSet::from([TopicId("recht".into())]),
    };
    let digest = digest(&newsletter(), &sample(), &audience).unwrap();
    assert!(
        digest.text.contains("Ohne Datum") && !digest.text.contains("Laptop"),
        "{}",
        digest.text
    );
    assert!(digest.text.contains("1 Meldung aus 1 Quelle"));
    assert_eq!(digest.subject, "Ohne Datum und Adresse");
}

#[test]
fn the_subject_is_one_line_of_a_mailbox() {
    let title = format!("Eine {} Überschrift", "sehr lange ".repeat(40));
    let digest = render(
        &edition(vec![("KI", vec![story(item("A", &title, ""), vec![])])]),
        Language::De,
    );
    assert!(
        digest.subject.chars().count() <= SUBJECT_CHARS + 1 && digest.subject.ends_with('…'),
        "{}",
        digest.subject
    );
}

#[test]
fn the_same_edition_gives_the_same_bytes() {
    assert_eq!(
        render(&sample(), Language::De),
        render(&sample(), Language::De)
    );
}

#[test]
fn what_costs_money_or_was_paid_for_says_so_in_the_language_of_the_mail() {
    for (mark, german, english) in [
        (Mark::Paid, "kostenpflichtig", "paid"),
        (Mark::Sponsored, "Anzeige", "sponsored"),
    ] {
        let lead = Item {
            mark: Some(mark),
            ..item("Bote", "KI rechnet", "Ein Text.")
        };
        let edition = edition(vec![("KI", vec![story(lead, Vec::new())])]);
        for (language, word) in [(Language::De, german), (Language::En, english)] {
            let digest = render(&edition, language);
            assert!(
                digest.html.contains(&format!("{word}</strong>")),
                "{}",
                digest.html
            );
            assert!(
                digest.text.contains(&format!(" · {word}")),
                "{}",
                digest.text
            );
        }
    }
}
