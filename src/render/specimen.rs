//! An edition in which everything occurs that a template can be asked to show, so that a publisher's own templates
//! can be tried before a mail goes out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{
    Block, CadenceId, Edition, FeedKey, Item, ItemKey, Mark, Picture, Place, Score, Section, Story,
    TopicId, Update, Window,
};

/// The edition of `newsletter`, with news of the day before `at`.
pub(super) fn edition(newsletter: &str, at: DateTime<Utc>) -> Edition {
    let item = |source: &str, title: &str| Item {
        key: ItemKey::of(&format!("{source} {title}")),
        feeds: BTreeSet::from([FeedKey(source.to_lowercase())]),
        source: source.to_owned(),
        title: title.to_owned(),
        url: Some(format!(
            "https://{}.example/?a=1&b=2",
            source.to_lowercase()
        )),
        summary: format!("{title} – so much is known. The second sentence says what follows."),
        words: 450,
        author: None,
        categories: Vec::new(),
        language: Some("en".to_owned()),
        published: at - TimeDelta::hours(2),
        dated: true,
        image: None,
        comments_url: Some("https://forum.example/7".to_owned()),
        comments: Some(1_234),
        mark: None,
        relayed: false,
        arrived: at - TimeDelta::hours(1),
    };
    let story = |lead: Item, others: Vec<Item>| Story {
        lead,
        others,
        copies: BTreeMap::new(),
        update: None,
        picture: None,
        score: Score::default(),
    };
    let outlets = ["Post", "Herald", "Courier", "Mail", "Times", "Star", "Echo"];
    let reported = story(
        item("Gazette", "Everybody reports this"),
        outlets
            .iter()
            .map(|outlet| item(outlet, "Everybody reports this"))
            .collect(),
    );
    let reported = Story {
        picture: Some(Picture {
            url: "https://gazette.example/a.jpg?a=1&b=2".to_owned(),
            width: 1200,
            height: 675,
        }),
        ..reported
    };
    let updated = Story {
        update: Some(Update {
            shown: at - TimeDelta::days(1),
            news: "This is what is new about it.".to_owned(),
        }),
        ..story(item("Herald", "This is known, and has news"), Vec::new())
    };
    let bare = Item {
        url: None,
        summary: String::new(),
        words: 0,
        dated: false,
        comments_url: None,
        language: None,
        ..item("Archive", "Nothing but a headline")
    };
    let marked = |mark, title| Item {
        mark: Some(mark),
        ..item("Market", title)
    };
    let from_the_right = Item {
        language: Some("ar".to_owned()),
        ..item("Sahifa", "عنوان من اليمين إلى اليسار")
    };
    let section = |title: &str, stories| Section {
        topic: TopicId(title.to_lowercase()),
        title: title.to_owned(),
        stories,
    };
    let sections = vec![
        section(
            "Top & Latest",
            vec![
                reported,
                updated,
                story(from_the_right, Vec::new()),
                story(bare, Vec::new()),
            ],
        ),
        section(
            "Market",
            vec![
                story(marked(Mark::Paid, "This costs money to read"), Vec::new()),
                story(
                    marked(Mark::Sponsored, "Somebody paid for this"),
                    Vec::new(),
                ),
                story(
                    item("Market", "A <b>headline</b> of \"mark-up\" & more"),
                    Vec::new(),
                ),
            ],
        ),
    ];
    let block = |place, sponsor: Option<&str>| Block {
        place,
        title: "A word of ours".to_owned(),
        text: "With *emphasis*, a [link](https://example.org/) and\n\n- a list".to_owned(),
        sponsor: sponsor.map(str::to_owned),
        ..Block::default()
    };
    let cadence = CadenceId("daily".to_owned());
    Edition {
        id: Edition::id_of(newsletter, &cadence, at),
        newsletter: newsletter.to_owned(),
        cadence,
        slot: at,
        window: Window {
            since: at - TimeDelta::days(1),
            until: at,
        },
        created_at: at,
        covers: None,
        sections,
        blocks: vec![
            block(Place::Top, None),
            block(
                Place::After(TopicId("market".to_owned())),
                Some("Sample & Sons"),
            ),
            Block {
                text: String::new(),
                items: vec![item("Jobs", "A place for an editor")],
                ..block(Place::End, None)
            },
        ],
        followed: Vec::new(),
    }
}
