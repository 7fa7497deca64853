//! Ranking as a whole: items in, sections and reasons out.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::fixtures::{item, keywords, topic};
use super::*;
use crate::model::{FeedKey, Mailed, Mark, Score};

fn morning() -> DateTime<Utc> {
    item("", "de").published
}

fn window() -> Window {
    Window {
        since: morning() - TimeDelta::days(1),
        until: morning(),
    }
}

fn from(source: &str, title: &str) -> Item {
    Item {
        key: ItemKey::of(&format!("{source}{title}")),
        source: source.into(),
        ..item(title, "de")
    }
}

fn with_text(source: &str, title: &str, summary: &str) -> Item {
    Item {
        summary: summary.into(),
        ..from(source, title)
    }
}

fn composed(items: &[Item], topics: &[Topic]) -> Composition {
    composed_after(items, &[], topics)
}

fn composed_after(items: &[Item], mailed: &[&Item], topics: &[Topic]) -> Composition {
    let mailed = mailed.iter().map(|item| Mailed {
        item: (*item).clone(),
        at: window().since,
    });
    let memory = Memory {
        mailed: mailed.collect(),
        ..Memory::default()
    };
    compose(
        items.to_vec(),
        &memory,
        topics,
        window(),
        &Options::default(),
    )
}

/// The headlines of the leads, section by section.
fn leads(composition: &Composition) -> Vec<&str> {
    let stories = composition
        .sections
        .iter()
        .flat_map(|section| &section.stories);
    stories.map(|story| story.lead.title.as_str()).collect()
}

fn reason(composition: &Composition, title: &str) -> String {
    let left_out = composition
        .left_out
        .iter()
        .find(|left| left.item.title == title);
    left_out.map_or_else(|| "is shown".to_owned(), |left| left.reason.to_string())
}

#[test]
fn a_story_that_more_outlets_report_stands_higher() {
    let items = [
        from("A", "KI malt Bilder von Katzen"),
        from("B", "Nordlicht stellt KI Polaris vor"),
        from("C", "KI Polaris von Nordlicht vorgestellt"),
    ];
    let composition = composed(&items, &[topic("ki", &["KI"])]);
    let stories = &composition.sections[0].stories;
    assert_eq!(
        stories.iter().map(Story::sources).collect::<Vec<_>>(),
        [2, 1]
    );
}

#[test]
fn a_story_stands_only_where_it_matches_best() {
    let items = [with_text(
        "A",
        "KI erkennt Krebs",
        "Ein Angriff auf Behörden.",
    )];
    let topics = [topic("security", &["Angriff"]), topic("ki", &["KI"])];
    let composition = composed(&items, &topics);
    let sections: Vec<&str> = composition
        .sections
        .iter()
        .map(|section| section.topic.as_str())
        .collect();
    assert_eq!(sections, ["ki"]);
}

#[test]
fn what_is_not_shown_has_a_reason() {
    let mut items = vec![
        from("A", "KI eins"),
        from("A", "Rosen im Herbst schneiden"),
        from("A", "KI war gestern schon da"),
        from("A", "KI zum Verschenken: Gewinnspiel"),
        from("A", "KI zum Kaufen"),
        from("A", "Nordlicht stellt KI Polaris vor"),
        from("B", "Polaris: Nordlicht zeigt KI"),
        from("B", "Firmware ohne das Wort"),
    ];
    items[4].mark = Some(Mark::Sponsored);
    let topics = [
        Topic {
            exclude: keywords(&["Gewinnspiel"]),
            stories: 0,
            ..topic("ki", &["KI"])
        },
        topic("router", &["Firmware", "+Router"]),
    ];
    let composition = composed_after(&items, &[&items[2]], &topics);
    assert!(composition.sections.is_empty());
    for (title, expected) in [
        ("KI eins", "over the quota of “KI”"),
        ("Rosen im Herbst schneiden", "matches no topic"),
        ("KI war gestern schon da", "was shown before"),
        (
            "KI zum Verschenken: Gewinnspiel",
            "excluded from “KI” by “Gewinnspiel”",
        ),
        (
            "KI zum Kaufen",
            "is sponsored, which the configuration drops",
        ),
        ("Nordlicht stellt KI Polaris vor", "over the quota of “KI”"),
        (
            "Polaris: Nordlicht zeigt KI",
            "is the same story as “Nordlicht stellt KI Polaris vor”",
        ),
        (
            "Firmware ohne das Wort",
            "lacks “+Router”, which “ROUTER” requires",
        ),
    ] {
        assert_eq!(reason(&composition, title), expected);
    }
}

#[test]
fn a_word_in_passing_does_not_make_an_item_belong() {
    let mut items: Vec<Item> = (0..8)
        .map(|number| {
            let title = format!("Sprachmodell Nummer{number} mit Training und Parametern");
            with_text(
                "A",
                &title,
                "Das Sprachmodell braucht Training, viele Parameter und Rechenzeit.",
            )
        })
        .collect();
    let filler = (0..40).map(|number| {
        let title = format!("Rosen{number} und Beete{number} im Garten");
        let summary = "Das Beet braucht viele Gießkannen, die Rosen und die Tulpen blühen, und die Kinder spielen.";
        with_text("B", &title, summary)
    });
    items.extend(filler);
    items.push(with_text(
        "B",
        "Hochzeit des Jahres in Monaco gefeiert",
        "Die Gäste kamen aus vielen Ländern, die Torte war hoch, das Kleid lang, und der Onkel erzählte von einem Sprachmodell, während \
         die Kapelle spielte und die Kinder tanzten.",
    ));
    let composition = composed(&items, &[topic("ki", &["Sprachmodell"])]);
    let reason = reason(&composition, "Hochzeit des Jahres in Monaco gefeiert");
    assert!(
        reason.starts_with("below the floor of “KI” with a relevance of "),
        "{reason}"
    );
}

#[test]
fn a_report_without_the_keyword_stands_beside_those_that_have_it() {
    let items = [
        from("A", "Nordlicht stellt KI Polaris vor"),
        from("B", "Polaris von Nordlicht vorgestellt"),
    ];
    let composition = composed(&items, &[topic("ki", &["KI"])]);
    assert_eq!(leads(&composition), ["Nordlicht stellt KI Polaris vor"]);
    assert_eq!(composition.sections[0].stories[0].sources(), 2);
    assert!(composition.left_out.is_empty());
}

#[test]
fn a_copy_is_no_outlet_and_no_lead() {
    let wire = "Der Anbieter Nordlicht hat am Freitag in Hamburg sein neues Sprachmodell Polaris vorgestellt, das auf Rechnern mit acht \
                Gigabyte Speicher läuft und nach Angaben der Firma in zwölf Sprachen schreibt.";
    let at = |minutes: i64, item: Item| Item {
        published: morning() - TimeDelta::minutes(minutes),
        ..item
    };
    let items = [
        at(90, with_text("Agentur", "Nordlicht zeigt KI Polaris", wire)),
        at(
            60,
            with_text(
                "Bote",
                "KI aus Hamburg: Polaris von Nordlicht",
                &format!("Hamburg (ag) – {wire} Mehr davon in Kürze."),
            ),
        ),
        at(
            30,
            with_text(
                "Kurier",
                "Polaris: KI von Nordlicht ausprobiert",
                "Nordlicht hat in Hamburg sein Sprachmodell Polaris gezeigt. Auf Rechnern mit acht Gigabyte Speicher lief es im Versuch schnell.",
            ),
        ),
    ];
    let composition = composed(&items, &[topic("ki", &["KI"])]);
    let story = &composition.sections[0].stories[0];
    assert_eq!((story.items().count(), story.sources()), (3, 2));
    assert_eq!(story.copies.get(&items[1].key), Some(&items[0].key));
    assert_ne!(story.lead.key, items[1].key);
    assert_eq!(story.earliest().key, items[0].key);
}

#[test]
fn the_lead_is_the_publishers_own_and_free_before_it_is_full() {
    let long = "Nordlicht hat Polaris vorgestellt. ".repeat(8);
    let items = [
        Item {
            relayed: true,
            ..with_text("Dienst", "Nordlicht stellt KI Polaris vor", &long)
        },
        Item {
            mark: Some(Mark::Paid),
            ..with_text("Zeitung", "KI Polaris von Nordlicht ist da", &long)
        },
        with_text(
            "Blog",
            "KI Polaris: Nordlicht stellt vor",
            "Nordlicht zeigt Polaris.",
        ),
    ];
    let composition = composed(&items, &[topic("ki", &["KI"])]);
    assert_eq!(leads(&composition), ["KI Polaris: Nordlicht stellt vor"]);
    assert_eq!(composition.sections[0].stories[0].others.len(), 2);
}

#[test]
fn a_report_of_a_story_that_was_shown_is_old_news() {
    let mailed = from("A", "Nordlicht stellt KI Polaris vor");
    let late = [from("B", "KI Polaris von Nordlicht vorgestellt")];
    let composition = composed_after(&late, &[&mailed], &[topic("ki", &["KI"])]);
    assert!(composition.sections.is_empty());
    assert_eq!(
        reason(&composition, "KI Polaris von Nordlicht vorgestellt"),
        "was shown before as “Nordlicht stellt KI Polaris vor”"
    );
    assert_eq!(
        composition.left_out.len(),
        1,
        "what was shown is not left out again"
    );
}

#[test]
fn a_story_that_was_shown_comes_back_when_two_outlets_have_news() {
    let mailed = with_text(
        "A",
        "Nordlicht stellt KI Polaris vor",
        "Das Sprachmodell Polaris läuft auf dem Laptop.",
    );
    let news = [
        with_text(
            "B",
            "Kartellamt stoppt Polaris, die KI von Nordlicht",
            "Das Sprachmodell bleibt. Das Kartellamt untersagt den Verkauf von Polaris.",
        ),
        with_text(
            "C",
            "Nordlicht: Kartellamt untersagt Verkauf der KI Polaris",
            "Die Behörde sieht ein Monopol.",
        ),
    ];
    let topics = [topic("ki", &["KI"])];
    let composition = composed_after(&news, &[&mailed], &topics);
    let update = composition.sections[0].stories[0].update.as_ref().unwrap();
    assert_eq!(update.shown, window().since);
    assert_eq!(
        update.news,
        "Das Kartellamt untersagt den Verkauf von Polaris."
    );

    // One outlet alone may just tell it in other words.
    assert!(
        composed_after(&news[..1], &[&mailed], &topics)
            .sections
            .is_empty()
    );
}

#[test]
fn marked_items_are_kept_marked_or_dropped() {
    let paid = Item {
        mark: Some(Mark::Paid),
        ..from("A", "KI im Test")
    };
    let shown = |policy| {
        let options = Options {
            paid: policy,
            ..Options::default()
        };
        let composition = compose(
            vec![paid.clone()],
            &Memory::default(),
            &[topic("ki", &["KI"])],
            window(),
            &options,
        );
        composition
            .sections
            .first()
            .map(|section| section.stories[0].lead.mark)
    };
    assert_eq!(shown(Policy::Keep), Some(None));
    assert_eq!(shown(Policy::Mark), Some(Some(Mark::Paid)));
    assert_eq!(shown(Policy::Drop), None);
}

#[test]
fn a_keyword_can_be_limited_to_a_field() {
    let items = [
        Item {
            author: Some("Erika Muster".into()),
            categories: vec!["Künstliche Intelligenz".into()],
            ..with_text(
                "Netz Kurier",
                "Ein Titel mit Polaris",
                "Ein Text über Nordlicht.",
            )
        },
        with_text(
            "Bote",
            "Rosen im Herbst schneiden",
            "Polaris steht nur am Rande.",
        ),
    ];
    for (keyword, expected) in [
        ("title:Polaris", 1),
        ("Polaris", 2),
        ("title:Nordlicht", 0),
        ("source:netz kurier", 1),
        ("source:netz", 1),
        ("author:Muster", 1),
        ("category:künstliche intelligenz", 1),
        ("category:intelligenz künstliche", 0),
    ] {
        let composition = composed(&items, &[topic("t", &[keyword])]);
        assert_eq!(leads(&composition).len(), expected, "{keyword}");
    }
}

#[test]
fn keywords_match_as_words_in_any_form_and_inside_compounds() {
    let ki = [
        "KI",
        "künstliche Intelligenz",
        "Sprachmodell",
        "language model",
        "\"Apple\"",
    ];
    for (title, language, belongs) in [
        ("Neue KI-Verordnung beschlossen", "de", true),
        ("Künstliche Intelligenz im Krankenhaus", "de", true),
        ("Kuenstliche Intelligenz im Krankenhaus", "de", true),
        ("Zwei Sprachmodelle im Vergleich", "de", true),
        ("Großsprachmodelle werden billiger", "de", true),
        ("Der Kiosk an der Ecke schließt", "de", false),
        ("Intelligenz, künstliche und echte", "de", false),
        ("Smaller language models win", "en", true),
        ("Apple presents a phone", "en", true),
        ("Apples ripen in autumn", "en", false),
        ("Sprachmodell v češtině", "cs", true),
    ] {
        let composition = composed(&[item(title, language)], &[topic("ki", &ki)]);
        assert_eq!(!composition.sections.is_empty(), belongs, "{title}");
    }
}

#[test]
fn the_title_says_more_than_the_lead() {
    let items = [
        with_text("A", "Hilfe im Alltag", "Die KI hilft."),
        from("B", "KI hilft im Büro"),
    ];
    let values = &relevance(&items, &[topic("ki", &["KI"])], &[])[0];
    assert!(values[1] > values[0] && values[0] > 0.0, "{values:?}");
}

#[test]
fn an_item_of_an_assigned_feed_belongs_without_keywords() {
    let assigned = Topic {
        feeds: vec![FeedKey("feed".into())],
        ..topic("ki", &["KI"])
    };
    assert_eq!(
        leads(&composed(&[item("Ohne Stichwort", "de")], &[assigned])).len(),
        1
    );
}

#[test]
fn a_topic_without_keywords_takes_what_no_other_topic_wants() {
    let items = [item("Irgendetwas", "de"), item("KI hilft", "de")];
    let composition = composed(&items, &[topic("rest", &[]), topic("ki", &["KI"])]);
    assert_eq!(leads(&composition), ["Irgendetwas", "KI hilft"]);
    let elsewhere = Topic {
        feeds: vec![FeedKey("other".into())],
        ..topic("rest", &[])
    };
    assert!(composed(&items[..1], &[elsewhere]).sections.is_empty());
}

#[test]
fn one_outlet_does_not_fill_a_section_while_others_have_stories() {
    let mut items: Vec<Item> = [
        "malt Katzen",
        "pflegt Gärten",
        "berechnet Wetter",
        "schreibt Lieder",
    ]
    .map(|does| Item {
        comments: Some(90),
        ..from("Groß", &format!("KI {does}"))
    })
    .to_vec();
    items.push(from("Klein", "KI liest Verträge"));
    let section = Topic {
        stories: 3,
        ..topic("ki", &["KI"])
    };
    let composition = composed(&items, &[section]);
    assert!(
        leads(&composition).contains(&"KI liest Verträge"),
        "{:?}",
        leads(&composition)
    );
}

#[test]
fn what_readers_discuss_and_what_the_operator_prefers_stands_higher() {
    let items = [
        from("Leise", "KI malt Bilder"),
        from("Laut", "KI liest Texte"),
    ];
    let order = |memory: &Memory, options: &Options| {
        let composition = compose(
            items.to_vec(),
            memory,
            &[topic("ki", &["KI"])],
            window(),
            options,
        );
        let sources = composition.sections[0]
            .stories
            .iter()
            .map(|story| story.lead.source.clone());
        sources.collect::<Vec<_>>()
    };
    let votes = (0..20)
        .flat_map(|_| [("Laut", 200), ("Leise", 1)])
        .map(|(source, count)| crate::model::Vote {
            source: source.into(),
            title: "Ein Titel".into(),
            language: Some("de".into()),
            count,
        });
    let learned = Memory {
        votes: votes.collect(),
        ..Memory::default()
    };
    assert_eq!(order(&learned, &Options::default()), ["Laut", "Leise"]);

    let mut preferred = items.clone();
    preferred[0].feeds = std::collections::BTreeSet::from([FeedKey("lieblings".into())]);
    let options = Options {
        feed_weights: HashMap::from([(FeedKey("lieblings".into()), 5.0)]),
        ..Options::default()
    };
    let composition = compose(
        preferred.to_vec(),
        &Memory::default(),
        &[topic("ki", &["KI"])],
        window(),
        &options,
    );
    assert_eq!(composition.sections[0].stories[0].lead.source, "Leise");
}

#[test]
fn a_thousand_identical_items_are_one_story() {
    let items: Vec<Item> = (0..1_000)
        .map(|number| Item {
            key: ItemKey::of(&number.to_string()),
            ..from("A", "KI Polaris von Nordlicht vorgestellt")
        })
        .collect();
    let composition = composed(&items, &[topic("ki", &["KI"])]);
    assert_eq!(composition.sections[0].stories.len(), 1);
    let story = &composition.sections[0].stories[0];
    assert_eq!(
        (story.items().count(), story.sources(), story.copies.len()),
        (1_000, 1, 999)
    );
}

/// Titles of all sorts: usual ones, empty ones, one word, emoji, right-to-left, mixed scripts, a very long one.
fn title() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "(KI|Polaris|Nordlicht|Gesetz|Angriff|neu|heute)( (KI|Polaris|Nordlicht|Gesetz|Angriff)){0,5}",
        1 => "\\PC{0,12}",
        1 => prop_oneof![
            Just(String::new()),
            Just("🎉🎉".to_owned()),
            Just("الذكاء الاصطناعي KI".to_owned()),
            Just("人工知能 KI Angriff".to_owned()),
            Just("Ä̈ŐÜß KI ﬁn".to_owned()),
            Just("KI ".repeat(20_000)),
            Just("K".repeat(50_000)),
        ],
    ]
}

fn language() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(Some("de".to_owned())),
        Just(Some("en".to_owned())),
        Just(Some("cs".to_owned())),
        Just(None)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_the_items_changes_nothing_and_none_is_lost(
        texts in proptest::collection::vec((title(), title(), language()), 0..25),
        shown in 0..4_usize,
        seed in any::<u64>(),
    ) {
        let topics = [Topic { stories: 3, ..topic("ki", &["KI", "+title:KI"]) }, topic("security", &["Angriff"]), topic("rest", &[])];
        let items: Vec<Item> = texts.iter().enumerate().map(|(place, (title, summary, language))| {
            let minutes = TimeDelta::minutes(i64::try_from(place % 4).unwrap());
            Item {
                published: window().until - minutes,
                language: language.clone(),
                summary: summary.chars().take(Item::SUMMARY_CHARS).collect(),
                ..from(&format!("S{}", place % 5), &format!("{title} {}", place / 3))
            }
        }).collect();
        let mailed: Vec<&Item> = items.iter().take(shown).collect();
        let mut shuffled = items.clone();
        shuffled.sort_by_key(|item| ItemKey::of(&format!("{seed}{}", item.key.as_str())));
        let composition = composed_after(&items, &mailed, &topics);
        prop_assert_eq!(&composition, &composed_after(&shuffled, &mailed, &topics));

        let distinct: HashSet<&ItemKey> = items.iter().map(|item| &item.key).collect();
        let stories = || composition.sections.iter().flat_map(|section| &section.stories);
        let placed: Vec<&ItemKey> = stories().flat_map(Story::items).chain(composition.left_out.iter().map(|left| &left.item)).map(|item| &item.key).collect();
        prop_assert_eq!(placed.len(), distinct.len());
        prop_assert_eq!(placed.into_iter().collect::<HashSet<_>>(), distinct);
        for story in stories() {
            let Score { relevance, coverage, recency, source, discussion, novelty, total } = story.score;
            for part in [relevance, coverage, recency, source, discussion, novelty, total] {
                prop_assert!((0.0..=1.0).contains(&part), "{:?}", story.score);
            }
            prop_assert!(story.sources() >= 1);
        }
    }
}
