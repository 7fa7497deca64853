//! Ranks a day of made-up news, and prints the time and the peak memory for each size.
//!
//!     cargo bench --bench rank              all sizes
//!     cargo bench --bench rank -- 3000      the one of so many items
//!
//! The words are made of syllables and follow Zipf's law, as those of real texts do; every event has a few of its own.

use std::collections::BTreeSet;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use tidings::model::{FeedKey, Item, ItemKey, Keyword, Memory, Topic, TopicId, Window};
use tidings::rank::{self, Options, Tongue};

/// The day that all is about.
fn morning() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("a moment of the year 2027")
}

/// A stream of numbers that is the same each time (xorshift, Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// The rank of a word: small ones often, as in real texts.
    fn zipf(&mut self, words: usize) -> usize {
        let share = (self.next() % 1_000_000) as f64 / 1e6;
        ((words as f64).powf(share) - 1.0) as usize
    }
}

/// The word of that rank: the more common, the shorter.
fn word(mut rank: usize) -> String {
    const SYLLABLES: [&str; 32] = [
        "ka", "lo", "mi", "ter", "sen", "bra", "dol", "fe", "gur", "hin", "jo", "kel", "lam",
        "nor", "os", "pir", "qua", "rel", "sti", "tun", "ul", "ver", "wan", "xi", "yor", "zen",
        "ach", "bel", "cor", "dis", "ent", "ung",
    ];
    let mut word = String::new();
    loop {
        word.push_str(SYLLABLES[rank % SYLLABLES.len()]);
        rank /= SYLLABLES.len();
        if rank == 0 {
            return word;
        }
        rank -= 1;
    }
}

/// With so many, three thousand items have about as many distinct words as a day of real German and English news: 35,000.
const WORDS: usize = 40_000;
const HEADLINE: usize = 8;
const LEAD: usize = 60;

fn news(count: usize) -> Vec<Item> {
    let mut numbers = Numbers(42);
    let mut items: Vec<Item> = Vec::with_capacity(count);
    while items.len() < count {
        let event: Vec<String> = (0..8)
            .map(|_| word(WORDS / 4 + numbers.below(240_000)))
            .collect();
        let language = if numbers.below(2) == 0 { "de" } else { "en" };
        for _ in 0..1 + numbers.zipf(8) {
            let mut text = |words: usize, own: usize| -> String {
                let words = (0..words).map(|at| {
                    if at < own {
                        event[numbers.below(event.len())].clone()
                    } else {
                        word(numbers.zipf(WORDS))
                    }
                });
                words.collect::<Vec<_>>().join(" ")
            };
            let (title, summary) = (text(HEADLINE, 4), text(LEAD, 10));
            let published = morning() - TimeDelta::seconds(numbers.below(86_400) as i64);
            let source = format!("Source {}", numbers.below(200));
            items.push(Item {
                key: ItemKey::of(&items.len().to_string()),
                feeds: BTreeSet::from([FeedKey(source.clone())]),
                source,
                title,
                url: None,
                words: LEAD as u32,
                summary,
                author: None,
                categories: Vec::new(),
                language: Some(language.into()),
                published,
                dated: true,
                image: None,
                comments_url: None,
                comments: None,
                mark: None,
                relayed: false,
                arrived: published,
            });
        }
    }
    items.truncate(count);
    items
}

fn topics(count: usize) -> Vec<Topic> {
    let mut numbers = Numbers(7);
    let topic = |place: usize| Topic {
        id: TopicId(format!("topic-{place}")),
        title: format!("Topic {place}"),
        keywords: (0..8)
            .map(|_| Keyword::parse(&word(200 + numbers.below(8_000))).expect("it is a word"))
            .collect(),
        exclude: Vec::new(),
        stories: 8,
        feeds: Vec::new(),
    };
    (0..count).map(topic).collect()
}

/// The most memory that the process has had so far, in megabytes.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.map_or_else(String::new, |kilobytes| {
        format!(", peak {} MB", kilobytes / 1_000)
    })
}

fn main() {
    let window = Window {
        since: morning() - TimeDelta::days(1),
        until: morning(),
    };
    let options = Options {
        languages: vec![Tongue::De, Tongue::En],
        ..Options::default()
    };
    let only: Option<usize> = std::env::args().find_map(|argument| argument.parse().ok());
    for (items, sections, rounds) in [(3_000, 10, 20), (10_000, 50, 5), (100_000, 50, 2)] {
        if only.is_some_and(|only| only != items) {
            continue;
        }
        let topics = topics(sections);
        let mut news = news(items);
        let mut best = f64::INFINITY;
        let mut shown = 0;
        for round in 1..=rounds {
            let last = round == rounds;
            let today = if last {
                std::mem::take(&mut news)
            } else {
                news.clone()
            };
            let start = Instant::now();
            let composition = rank::compose(today, &Memory::default(), &topics, window, &options);
            best = best.min(start.elapsed().as_secs_f64());
            shown = composition
                .sections
                .iter()
                .map(|section| section.stories.len())
                .sum();
        }
        println!(
            "{items} items, {sections} topics: {:.0} ms, {shown} stories shown{}",
            best * 1e3,
            peak()
        );
    }
}
