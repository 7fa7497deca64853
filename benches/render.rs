//! Renders digests of made-up news, and prints the time and the size for each number of stories, and what it takes to make
//! the whole mail of one reader of it.
//!
//!     cargo bench --bench render

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use tidings::deliver::{EncodedDigest, Recipient, Sender, Signer};
use tidings::model::{
    Address, Audience, CadenceId, Edition, FeedKey, Item, ItemKey, Language, Newsletter,
    PersonalLinks, Score, Section, Story, TokenKeys, TopicId, Window,
};
use tidings::render::{self, Theme};

/// How often each thing is measured; the median counts.
const ROUNDS: usize = 15;

/// How many readers a digest is filled in for in one round.
const READERS: usize = 1_000;

fn main() {
    println!("stories   variant ms   html bytes   encoded   text bytes   per reader µs");
    for stories in [10, 40, 60, 100, 200] {
        measure(stories);
    }
}

fn measure(stories: usize) {
    let (newsletter, theme) = (newsletter(), Theme::default());
    let edition = edition(stories);
    let audience = Audience::everything(Language::De);
    let render = || render::digest(&newsletter, &theme, &edition, &audience).expect("a digest");
    let milliseconds = median(|| {
        black_box(render());
    }) * 1e3;

    let digest = render();
    let encoded = EncodedDigest::new(&digest);
    let reader = Address::parse("anna.muster@example.org").expect("an address");
    let recipient = Recipient {
        address: &reader,
        name: "Anna Müster",
        token: "4f9c2b7d8e1a4f9c2b7d8e1a",
        language: Language::De,
        known: Some(Recipient::NOBODY),
    };
    let sender = Sender {
        newsletter,
        signer: Signer::new(&[]).expect("no keys"),
        returns: None,
        tokens: TokenKeys::new(&[], &[]),
    };
    let mail = || sender.message(&edition, &encoded, &recipient, Vec::new());
    let microseconds = median(|| {
        for _ in 0..READERS {
            black_box(mail().expect("a mail"));
        }
    }) * 1e6
        / READERS as f64;
    let links = PersonalLinks {
        unsubscribe: String::new(),
        ..PersonalLinks::default()
    };
    let html = digest.html.fill(&links);
    println!(
        "{stories:7} {milliseconds:12.2} {:12} {:9} {:12} {microseconds:15.1}",
        html.len(),
        render::encoded_size(&html),
        digest.text.fill(&links).len(),
    );
}

/// The median of the seconds that `work` takes.
fn median(mut work: impl FnMut()) -> f64 {
    work();
    let mut seconds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[ROUNDS / 2]
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a moment of the year 2027")
}

fn newsletter() -> Newsletter {
    let address = || Address::parse("digest@example.org").expect("an address");
    Newsletter {
        id: "morgenlage".into(),
        title: "Morgenlage".into(),
        tagline: "Was in der Technik über Nacht geschah".into(),
        language: Language::De,
        timezone: chrono_tz::Europe::Berlin,
        from_name: "Morgenlage".into(),
        from: address(),
        reply_to: address(),
        unsubscribe: address(),
        imprint: vec![
            "Muster Verlag GmbH, Beispielweg 1, 12345 Musterstadt".into(),
            "Verantwortlich: Erika Muster · redaktion@example.org".into(),
        ],
        url: None,
        browser_url: Some("https://digest.example.org/{edition}.html".into()),
        preferences_url: None,
        unsubscribe_url: None,
        follow_url: None,
        story_url: None,
        pages_url: None,
        archive_url: None,
    }
}

/// Sentences as long as those of German news, each of other words.
fn text(seed: usize, sentences: usize) -> String {
    const WORDS: [&str; 24] = [
        "Ministerium",
        "Sprachmodell",
        "überprüft",
        "Behörden",
        "gestern",
        "Rechenzentrum",
        "künftig",
        "Unternehmen",
        "Verordnung",
        "entscheidet",
        "Forscherinnen",
        "Größe",
        "Lücke",
        "schließt",
        "Millionen",
        "Nutzer",
        "offene",
        "Schnittstelle",
        "liefert",
        "Ergebnisse",
        "Leipzig",
        "und",
        "für",
        "neue",
    ];
    let mut text = String::new();
    for sentence in 0..sentences {
        text.push_str("Die ");
        for word in 0..12 {
            text.push_str(WORDS[(seed * 7 + sentence * 11 + word * (5 + seed % 3)) % WORDS.len()]);
            text.push(if word == 11 { '.' } else { ' ' });
        }
        text.push(' ');
    }
    text
}

fn item(number: usize, outlet: usize) -> Item {
    Item {
        key: ItemKey::of(&format!("{number} {outlet}")),
        feeds: BTreeSet::from([FeedKey(outlet.to_string())]),
        source: format!("Tageblatt {outlet}"),
        title: text(number, 1).chars().take(68).collect(),
        url: Some(format!(
            "https://tageblatt-{outlet}.example/nachrichten/2027/01/15/eine-meldung-von-heute-{number}.html"
        )),
        summary: text(number, 8),
        words: 400,
        author: None,
        categories: Vec::new(),
        language: Some("de".into()),
        published: now() - TimeDelta::minutes(number as i64),
        dated: true,
        image: None,
        comments_url: None,
        comments: None,
        mark: None,
        relayed: false,
        arrived: now(),
    }
}

/// An edition of so many stories on up to eight topics. Every third story is told by three outlets more.
fn edition(stories: usize) -> Edition {
    let topics = stories.div_ceil(10).min(8);
    let story = |number: usize| Story {
        lead: item(number, number % 20),
        others: (1..=3)
            .filter(|_| number.is_multiple_of(3))
            .map(|outlet| item(number, 20 + outlet))
            .collect(),
        copies: BTreeMap::new(),
        update: None,
        picture: None,
        score: Score::default(),
    };
    let section = |topic: usize| Section {
        topic: TopicId(format!("topic-{topic}")),
        title: format!("Thema {topic}"),
        stories: (0..stories)
            .filter(|number| number % topics == topic)
            .map(story)
            .collect(),
    };
    let cadence = CadenceId("daily".into());
    Edition {
        id: Edition::id_of("morgenlage", &cadence, now()),
        newsletter: "morgenlage".into(),
        cadence,
        slot: now(),
        window: Window {
            since: now() - TimeDelta::days(1),
            until: now(),
        },
        created_at: now(),
        covers: None,
        sections: (0..topics).map(section).collect(),
        blocks: Vec::new(),
        followed: Vec::new(),
    }
}
