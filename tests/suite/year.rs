//! A year of operation in an afternoon: the program as cron runs it, on a machine whose clock is set wrong, that is off for days, whose disk is
//! full, and on which processes are killed. Each item must reach each reader in exactly one mail.
//!
//! `cargo test` runs two weeks of it. More, with what happened told at the end:
//!
//! ```text
//! TIDINGS_DAYS=400 cargo test --release --test suite -- --nocapture year::
//! ```

use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::support::{EDQUOT, EIO, ENOSPC, Fault, Machine, Postgres, Project};

/// The readers; one of them wants short mails, so that there are two digests.
const READERS: [&str; 3] = ["anna", "ben", "cleo"];

/// How often the feed has something new, and how much of it the feed shows.
const EVERY: i64 = 3;
const SHOWN: usize = 60;

/// When cron runs `tidings send`, in hours and minutes of UTC.
const RUNS: [(i64, i64); 6] = [(1, 5), (5, 5), (6, 5), (9, 5), (13, 5), (19, 5)];

/// Numbers that are the same in each run (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

struct Year {
    project: Project,
    postgres: Option<Postgres>,
    dice: Dice,
    now: DateTime<Utc>,
    /// When each item was published; its number is its place.
    items: Vec<DateTime<Utc>>,
    events: BTreeMap<&'static str, u32>,
}

impl Year {
    fn new(postgres: Option<Postgres>) -> Self {
        let readers: String = READERS
            .iter()
            .map(|name| format!("[[subscriber]]\naddress = \"{name}@example.org\"\n"))
            .collect();
        let store = match &postgres {
            Some(postgres) => format!("[store]\nurl = \"{}\"\n", postgres.url("postgres")),
            None => String::new(),
        };
        let config = format!(
            r#"
[newsletter]
id = "test"
title = "Ein Jahr"
language = "de"
timezone = "Europe/Berlin"
from = "digest@example.org"
imprint = "Muster Verlag, Beispielweg 1, 12345 Musterstadt"
[cadence.daily]
cron = "0 7 * * *"
[[topic]]
id = "ki"
title = "KI"
keywords = ["KI"]
stories = 100
[[feed]]
url = "feed.xml"
topics = ["ki"]
{store}{readers}"#
        );
        let seed = std::env::var("TIDINGS_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        Self {
            project: Project::with_config(&config),
            postgres,
            dice: Dice(seed.unwrap_or(20_260_105)),
            now: "2026-01-05T00:00:00Z".parse().unwrap(),
            items: Vec::new(),
            events: BTreeMap::new(),
        }
    }

    /// Time passes, and the feed has what was published meanwhile.
    fn wait_until(&mut self, then: DateTime<Utc>, is_publishing: bool) {
        self.now = self.now.max(then);
        while is_publishing
            && self
                .items
                .last()
                .is_none_or(|last| *last + TimeDelta::hours(EVERY) <= self.now)
        {
            let first = self.now - TimeDelta::minutes(1);
            let next = self
                .items
                .last()
                .map_or(first, |last| *last + TimeDelta::hours(EVERY));
            self.items.push(next);
        }
        let from = self.items.len().saturating_sub(SHOWN);
        let entries: String = (from..self.items.len())
            .rev()
            .map(|number| {
                format!(
                    "<item><title>KI {}</title><link>https://quelle.example/item/{number:06}/</link><pubDate>{}</pubDate></item>",
                    headline(number),
                    self.items[number].to_rfc2822()
                )
            })
            .collect();
        let feed =
            format!("<rss version=\"2.0\"><channel><title>Quelle</title>{entries}</channel></rss>");
        std::fs::write(self.project.path("feed.xml"), feed).unwrap();
    }

    fn note(&mut self, event: &'static str) {
        *self.events.entry(event).or_default() += 1;
        if std::env::var_os("TIDINGS_TALK").is_some() {
            println!("{} {event}", self.now);
        }
    }

    /// A machine whose clock is off by so much.
    fn machine(&self, off: TimeDelta) -> Machine {
        let shown = (self.now + off).format("@%Y-%m-%d %H:%M:%S").to_string();
        Machine::default().at(&shown).unwrap()
    }

    fn command(&self, machine: &Machine, what: &str) -> Command {
        machine.run_on(self.project.command(&[what]))
    }

    fn run(&self, machine: &Machine, what: &str) {
        let output = self.command(machine, what).output().unwrap();
        let code = output.status.code();
        if std::env::var_os("TIDINGS_TALK").is_some() && !output.stderr.is_empty() {
            println!("{} {}", self.now, String::from_utf8_lossy(&output.stderr));
        }
        assert!(
            matches!(code, Some(0 | 1 | 3)),
            "{what} on {}: {code:?} {}",
            self.now,
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn start(&self, machine: &Machine, what: &str) -> Child {
        let mut command = self.command(machine, what);
        command.stderr(std::process::Stdio::null());
        command.spawn().unwrap()
    }

    /// One run of cron, in which something may be wrong.
    fn cron(&mut self) {
        let right = self.machine(TimeDelta::zero());
        match self.dice.roll(14) {
            0 => {
                let (event, off) = [
                    ("clock 2 hours behind", TimeDelta::hours(-2)),
                    ("clock 3 hours ahead", TimeDelta::hours(3)),
                    ("clock 5 days ahead", TimeDelta::days(5)),
                    ("clock a year ahead", TimeDelta::days(365)),
                    (
                        "clock in 1970",
                        DateTime::UNIX_EPOCH - self.now + TimeDelta::days(2),
                    ),
                ][self.dice.roll(5) as usize];
                self.note(event);
                let wrong = self.machine(off);
                self.run(&wrong, "send");
            }
            1 => {
                self.note("collect beside send");
                let mut collect = self.start(&right, "collect");
                self.run(&right, "send");
                collect.wait().unwrap();
            }
            2 => {
                self.note("two collectors, one 3 minutes behind");
                let behind = self.machine(TimeDelta::minutes(-3));
                let mut collect = self.start(&behind, "collect");
                self.run(&right, "collect");
                collect.wait().unwrap();
                self.run(&right, "send");
            }
            3 => {
                self.note("no room for mail");
                let error = [ENOSPC, EDQUOT, EIO][self.dice.roll(3) as usize];
                let full = right.with_fault(
                    "Maildir/tmp",
                    Fault {
                        call: "write",
                        error,
                        room: self.dice.roll(9_000) as u32,
                    },
                );
                self.run(&full, "send");
            }
            4 => {
                self.note("killed");
                let what = ["send", "collect"][self.dice.roll(2) as usize];
                let mut process = self.start(&right, what);
                std::thread::sleep(Duration::from_millis(self.dice.roll(120)));
                let _ = process.kill();
                process.wait().unwrap();
            }
            5 if self.postgres.is_some() => {
                self.note("PostgreSQL restarted");
                let mut process = self.start(&right, "send");
                if let Some(postgres) = &mut self.postgres {
                    postgres.restart();
                }
                process.wait().unwrap();
            }
            5 => {
                self.note("no room for the store");
                let full = right.with_fault(
                    "tidings.db",
                    Fault {
                        call: "pwrite64",
                        error: ENOSPC,
                        room: 0,
                    },
                );
                self.run(&full, "send");
            }
            _ => self.run(&right, "send"),
        }
    }

    fn day(&mut self) {
        let morning = self.now;
        if self.dice.roll(12) == 0 {
            self.note("machine off for days");
            let days = 1 + self.dice.roll(3) as i64;
            self.wait_until(morning + TimeDelta::days(days), true);
            return;
        }
        for (hour, minute) in RUNS {
            self.wait_until(morning + TimeDelta::minutes(hour * 60 + minute), true);
            self.cron();
        }
        self.wait_until(morning + TimeDelta::days(1), true);
    }

    /// Lets what waits go out, and counts in how many mails each reader has got each item.
    fn end(&mut self) -> (Vec<String>, Vec<String>) {
        for _ in 0..3 {
            let morning = self.now;
            for (hour, minute) in RUNS {
                self.wait_until(morning + TimeDelta::minutes(hour * 60 + minute), false);
                let right = self.machine(TimeDelta::zero());
                self.run(&right, "send");
            }
            self.wait_until(morning + TimeDelta::days(1), false);
        }
        let mut got: BTreeMap<(String, usize), u32> = BTreeMap::new();
        for file in self.project.maildir() {
            let bytes = std::fs::read(file).unwrap();
            let mail = mail_parser::MessageParser::default().parse(&bytes).unwrap();
            let to = mail
                .to()
                .unwrap()
                .first()
                .unwrap()
                .address()
                .unwrap()
                .to_owned();
            let text = mail.body_text(0).unwrap();
            for rest in text.split("quelle.example/item/").skip(1) {
                *got.entry((to.clone(), rest[..6].parse().unwrap()))
                    .or_default() += 1;
            }
        }
        let (mut lost, mut doubled) = (Vec::new(), Vec::new());
        for name in READERS {
            for number in 0..self.items.len() {
                let times = got.get(&(format!("{name}@example.org"), number));
                let what = || format!("{name}: item {number} of {}", self.items[number]);
                match times {
                    None => lost.push(what()),
                    Some(1) => {}
                    Some(_) => doubled.push(what()),
                }
            }
        }
        (lost, doubled)
    }
}

/// A headline that is like no other.
fn headline(number: usize) -> String {
    let syllables = [
        "ba", "du", "fo", "gi", "ka", "le", "mo", "nu", "pi", "ra", "so", "ti", "wu", "xe", "za",
        "hy",
    ];
    let mut seed = Dice(number as u64 * 7_919 + 104_729);
    let word = |seed: &mut Dice| -> String {
        let syllables: String = (0..4).map(|_| syllables[seed.roll(16) as usize]).collect();
        syllables[..1].to_uppercase() + &syllables[1..]
    };
    (0..5)
        .map(|_| word(&mut seed))
        .collect::<Vec<_>>()
        .join(" ")
}

fn live_through(days: i64, postgres: Option<Postgres>) {
    if Machine::default().at("+0").is_none() {
        return;
    }
    let mut year = Year::new(postgres);
    let start = year.now;
    let end = start + TimeDelta::days(days);
    // The first day is that of the installation: what was published before it is not news.
    for _ in 0..2 {
        year.wait_until(year.now + TimeDelta::hours(6) + TimeDelta::minutes(5), true);
        let right = year.machine(TimeDelta::zero());
        year.run(&right, "send");
    }
    year.wait_until(start + TimeDelta::days(1), true);
    while year.now < end {
        year.day();
    }
    let (lost, doubled) = year.end();
    if let Some(copy) = std::env::var_os("TIDINGS_COPY") {
        std::fs::copy(year.project.path("tidings.db"), copy).unwrap();
    }
    println!(
        "{days} days: {} items for {} readers in {} mails; {} lost, {} doubled",
        year.items.len(),
        READERS.len(),
        year.project.maildir().len(),
        lost.len(),
        doubled.len()
    );
    for (event, times) in &year.events {
        println!("  {times:>4} × {event}");
    }
    assert!(lost.is_empty(), "lost: {lost:#?}\n{:#?}", year.events);
    assert!(
        doubled.is_empty(),
        "doubled: {doubled:#?}\n{:#?}",
        year.events
    );
}

fn days(usual: i64) -> i64 {
    let wanted = std::env::var("TIDINGS_DAYS").ok();
    wanted.and_then(|days| days.parse().ok()).unwrap_or(usual)
}

#[test]
fn every_item_reaches_every_reader_once_whatever_happens_to_the_machine() {
    live_through(days(14), None);
}

#[test]
fn every_item_reaches_every_reader_once_on_postgresql() {
    if let Some(postgres) = Postgres::start() {
        live_through(days(7).min(31), Some(postgres));
    }
}
