//! `tidings subscribers`: who gets mail.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::line::wall;
use super::report::count;
use crate::config::Config;
use crate::model::{
    Address, Language, Preference, Subscriber, SubscriberState, Topics, clean_name,
};
use crate::store::{Origin, Store, Subscribed};
use crate::subscribe::{CsvWriter, Listed, Rules, Wishes, read_csv};

/// How many subscribers are read from the store at a time.
const PAGE: u32 = 1_000;

/// Subcommands of `tidings subscribers`.
#[derive(Debug, Subcommand)]
pub(super) enum Subscribers {
    /// Add one person, or change their choices
    Add(Add),
    /// List everybody
    List(List),
    /// Import subscribers from CSV with a column `address` and, optionally, name, state, confirmed_at and preferences as exported
    Import(Import),
    /// Write everybody as CSV, or all that is known of one person as JSON
    Export(Export),
    /// Unsubscribe somebody at once
    Remove(Remove),
    /// Delete all that is known of somebody, for good; no list brings them back
    Erase(Remove),
    /// List the addresses that are not mailed: they do not exist, or have complained
    Suppressed(List),
    /// Mail an address again that is suppressed, because it is well now
    Lift(Remove),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Where the mail goes
    #[arg(value_parser = |text: &str| Address::parse(text))]
    address: Address,
    /// The person's name
    #[arg(long)]
    name: Option<String>,
    /// How often (for somebody new: the first cadence of the configuration)
    #[arg(long)]
    cadence: Option<String>,
    /// The language of the fixed words (for somebody new: the newsletter's)
    #[arg(long, value_parser = |tag: &str| Language::from_tag(tag).ok_or_else(|| format!("digests are written in: {}", Language::known())))]
    language: Option<Language>,
    /// Only this topic; may be given several times (for somebody new: all)
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Any other preference, by the name of its column in an export: --set days="mon fri"
    #[arg(long, value_name = "NAME=VALUE", value_parser = preference)]
    set: Vec<(Preference, String)>,
    /// They have agreed, and you can prove it; without this, nobody gets mail
    #[arg(long)]
    confirmed: bool,
}

fn preference(text: &str) -> Result<(Preference, String), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let known = Preference::ALL
        .into_iter()
        .find(|one| one.name() == name.trim());
    let names: Vec<&str> = Preference::ALL.into_iter().map(Preference::name).collect();
    let unknown = || {
        format!(
            "there is no preference “{name}”; one of: {}",
            names.join(", ")
        )
    };
    Ok((known.ok_or_else(unknown)?, value.to_owned()))
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Print them as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The CSV file; - reads standard input
    file: PathBuf,
    /// Those without a state have agreed, and you can prove it
    #[arg(long)]
    confirmed: bool,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The file to write everybody to (standard output without one), or the address of one person
    #[arg(value_name = "FILE|ADDRESS")]
    what: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The address
    #[arg(value_parser = |text: &str| Address::parse(text))]
    address: Address,
}

impl Subscribers {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<u8> {
        super::with_store(config, async |store| self.on(config, store).await).await
    }

    async fn on(self, config: &Config, store: &Store) -> anyhow::Result<u8> {
        store
            .subscribers()
            .sync_configured(&config.subscribers, wall())
            .await?;
        match self {
            Self::Add(add) => add.run(config, store).await,
            Self::List(list) => list.run(store).await,
            Self::Import(import) => import.run(config, store).await,
            Self::Export(export) => export.run(store).await,
            Self::Remove(remove) => remove.run(store).await,
            Self::Erase(erase) => erase.erase(config, store).await,
            Self::Suppressed(list) => list_suppressed(store, list.json).await,
            Self::Lift(lift) => lift.lift(store).await,
        }
    }
}

fn rules(config: &Config, state: SubscriberState) -> Rules {
    let now = wall();
    Rules {
        offer: config.offer(now),
        state,
        now,
    }
}

fn state(confirmed: bool) -> SubscriberState {
    if confirmed {
        SubscriberState::Confirmed
    } else {
        SubscriberState::Pending
    }
}

impl Add {
    async fn run(self, config: &Config, store: &Store) -> anyhow::Result<u8> {
        let rules = rules(config, state(self.confirmed));
        let mut said = Vec::new();
        said.extend(self.cadence.map(|cadence| (Preference::Cadence, cadence)));
        let language = self.language.map(|language| language.tag().to_owned());
        said.extend(language.map(|tag| (Preference::Language, tag)));
        if !self.topics.is_empty() {
            said.push((Preference::Topics, self.topics.join(" ")));
        }
        for (preference, text) in self.set {
            said.push((preference, text));
        }
        let changes = self.name.is_some() || !said.is_empty();
        let name = self.name.map(|name| clean_name(&name));
        let wishes = match Wishes::new(name, said, &rules.offer) {
            Ok(wishes) => wishes,
            Err(wrong) => {
                tell!("Nothing changed: {wrong}.");
                return Ok(super::USAGE);
            }
        };
        let key = self.address.key();
        let configured = config
            .subscribers
            .iter()
            .any(|person| person.address.key() == key);
        if configured && changes {
            tell!(
                "The configuration names this subscriber, so change it there: its [[subscriber]] entry holds."
            );
            return Ok(super::USAGE);
        }
        let known = store
            .subscribers()
            .find_subscribers(std::slice::from_ref(&self.address))
            .await?;
        let known = known.get(&key);
        let before = known.map(|subscriber| &subscriber.profile);
        let person = wishes.over(self.address, before, &rules.offer);
        let confirmed_at = self.confirmed.then_some(rules.now);
        let entry = [(person, rules.state, confirmed_at)];
        let subscribed = store
            .subscribers()
            .create_subscribers(&entry, Origin::Command, rules.now)
            .await?;
        say!("{}", sentence(&subscribed));
        match known.map_or(SubscriberState::Pending, |subscriber| subscriber.state) {
            _ if self.confirmed => {}
            SubscriberState::Confirmed => {}
            SubscriberState::Pending => {
                tell!(
                    "Without --confirmed the address is pending and gets no mail until consent is given."
                );
            }
            SubscriberState::Unsubscribed => {
                tell!(
                    "They have unsubscribed, and stay so; --confirmed says that they have agreed again."
                );
            }
        }
        Ok(super::DONE)
    }
}

fn sentence(subscribed: &Subscribed) -> String {
    let added = count(subscribed.added as u64, "subscriber", "subscribers");
    format!("Added {added}, updated {}.", subscribed.updated)
}

impl Import {
    async fn run(self, config: &Config, store: &Store) -> anyhow::Result<u8> {
        let rules = rules(config, state(self.confirmed));
        let (people, bad) = if self.file.as_os_str() == "-" {
            read_csv(io::stdin().lock(), &rules).context("reading standard input")?
        } else {
            let name = self.file.display();
            let file = File::open(&self.file).with_context(|| format!("opening {name}"))?;
            read_csv(file, &rules).with_context(|| format!("reading {name}"))?
        };
        let addresses: Vec<Address> = people.iter().map(|listed| listed.address.clone()).collect();
        let known = store.subscribers().find_subscribers(&addresses).await?;
        let entry = |listed: Listed| {
            let before = known.get(&listed.address.key()).map(|known| &known.profile);
            let person = listed.wishes.over(listed.address, before, &rules.offer);
            (person, listed.state, listed.confirmed_at)
        };
        let people: Vec<_> = people.into_iter().map(entry).collect();
        let subscribed = store
            .subscribers()
            .create_subscribers(&people, Origin::Import, rules.now)
            .await?;
        say!("{}", sentence(&subscribed));
        let left_alone = subscribed.left_alone.len() as u64;
        if left_alone > 0 {
            let who = count(left_alone, "person was", "people were");
            say!("{who} left alone: they have unsubscribed.");
        }
        if subscribed.pending > 0 {
            let who = count(
                subscribed.pending,
                "person is pending and gets",
                "people are pending and get",
            );
            tell!("{who} no mail; --confirmed says that they have agreed.");
        }
        for bad in &bad {
            tell!("Not taken, {bad}.");
        }
        Ok(if bad.is_empty() {
            super::DONE
        } else {
            super::PARTLY
        })
    }
}

/// Calls `each` for every subscriber, a page at a time.
async fn for_each(
    store: &Store,
    mut each: impl FnMut(&Subscriber) -> anyhow::Result<()>,
) -> anyhow::Result<u64> {
    let (mut after, mut number) = (0, 0);
    loop {
        let page = store.subscribers().list_subscribers(after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(number);
        };
        after = *last;
        for (_, subscriber) in &page {
            each(subscriber)?;
            number += 1;
        }
    }
}

impl Export {
    async fn run(self, store: &Store) -> anyhow::Result<u8> {
        let person = self.what.as_ref().and_then(|what| what.to_str());
        if let Some(person) = person.filter(|text| text.contains('@') && !text.contains('/')) {
            let address = match Address::parse(person) {
                Ok(address) => address,
                Err(what) => {
                    tell!("“{person}” is no address: {what}. A file of that name is ./{person}.");
                    return Ok(super::USAGE);
                }
            };
            let Some(person) = store.subscribers().export_person(&address).await? else {
                tell!("Nothing is known of that address.");
                return Ok(super::FAILED);
            };
            super::print_json(&person)?;
            return Ok(super::DONE);
        }
        let output: Box<dyn io::Write> = match &self.what {
            Some(path) => Box::new(
                private_file(path).with_context(|| format!("creating {}", path.display()))?,
            ),
            None => Box::new(io::stdout().lock()),
        };
        let mut writer = CsvWriter::new(output)?;
        let written = for_each(store, |subscriber| Ok(writer.write(subscriber)?)).await?;
        writer.finish()?;
        if let Some(path) = &self.what {
            let who = count(written, "subscriber", "subscribers");
            say!("Wrote {who} to {}.", path.display());
        }
        Ok(super::DONE)
    }
}

/// A file that only its owner can read: it is about people.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A subscriber in `--json`.
#[derive(Debug, Serialize)]
struct Row<'a> {
    address: &'a str,
    name: &'a str,
    state: SubscriberState,
    #[serde(flatten)]
    preferences: serde_json::Value,
    created_at: DateTime<Utc>,
    confirmed_at: Option<DateTime<Utc>>,
}

impl List {
    async fn run(self, store: &Store) -> anyhow::Result<u8> {
        let mut output = io::BufWriter::new(io::stdout().lock());
        if self.json {
            // One array, written as it is read.
            output.write_all(b"[")?;
            let mut first = true;
            for_each(store, |subscriber| {
                let row = serde_json::to_string(&Row::from(subscriber))?;
                write!(output, "{}\n  {row}", if first { "" } else { "," })?;
                first = false;
                Ok(())
            })
            .await?;
            output.write_all(b"\n]\n")?;
            output.flush()?;
            return Ok(super::DONE);
        }
        let number = for_each(store, |subscriber| {
            let row = Row::from(subscriber);
            let chosen = &subscriber.profile.preferences;
            let topics = match &chosen.topics {
                Topics::All => "all topics".to_owned(),
                Topics::Only(_) => chosen.get(Preference::Topics).replace(' ', ", "),
            };
            let language = chosen.language.map(Language::tag).unwrap_or("–");
            let (state, cadence) = (row.state.word(), chosen.cadence.as_str());
            writeln!(
                output,
                "{:40} {state:12} {cadence:10} {language:2}  {topics}",
                row.address
            )?;
            Ok(())
        })
        .await?;
        output.flush()?;
        if number == 0 {
            tell!("Nobody yet. Add somebody: tidings subscribers add --confirmed ADDRESS");
        }
        Ok(super::DONE)
    }
}

impl<'a> From<&'a Subscriber> for Row<'a> {
    fn from(subscriber: &'a Subscriber) -> Self {
        let profile = &subscriber.profile;
        Row {
            address: profile.address.as_str(),
            name: &profile.name,
            state: subscriber.state,
            preferences: profile.preferences.to_json(),
            created_at: subscriber.created_at,
            confirmed_at: subscriber.confirmed_at,
        }
    }
}

/// Lists the addresses that are not mailed.
async fn list_suppressed(store: &Store, json: bool) -> anyhow::Result<u8> {
    let suppressed = store.subscribers().list_suppressions().await?;
    if json {
        super::print_json(&suppressed)?;
        return Ok(super::DONE);
    }
    let mut output = io::stdout().lock();
    for one in suppressed {
        let detail = one.detail.unwrap_or_default();
        writeln!(
            output,
            "{}  {}  since {}  {detail}",
            one.address,
            one.reason.word(),
            one.since.format("%Y-%m-%d")
        )?;
    }
    Ok(super::DONE)
}

impl Remove {
    async fn erase(self, config: &Config, store: &Store) -> anyhow::Result<u8> {
        let key = self.address.key();
        let mut configured = config.subscribers.iter();
        if configured.any(|person| person.address.key() == key) {
            tell!(
                "The configuration names this subscriber: take the [[subscriber]] entry out first."
            );
            return Ok(super::USAGE);
        }
        let erased = store
            .subscribers()
            .erase_person(&self.address, wall())
            .await?;
        if erased.was_known {
            say!(
                "Erased, with all addresses that they had before. What is left are keyed hashes, by which no list brings them back. \
                 Backups that you have still name them."
            );
        } else {
            say!("Nothing was known of that address. No list brings it in from now on.");
        }
        if erased.is_left_in_file {
            tell!(
                "Another process has the database open, so unused parts of the file may still have the address: stop `tidings serve` \
                 for a moment and erase it again."
            );
            return Ok(super::PARTLY);
        }
        Ok(super::DONE)
    }

    async fn lift(self, store: &Store) -> anyhow::Result<u8> {
        if store.subscribers().lift_suppression(&self.address).await? {
            say!("It is mailed again, if it is on the list.");
            Ok(super::DONE)
        } else {
            tell!("That address is not suppressed.");
            Ok(super::FAILED)
        }
    }

    async fn run(self, store: &Store) -> anyhow::Result<u8> {
        if store
            .subscribers()
            .unsubscribe(&self.address, "command", wall())
            .await?
        {
            say!("Unsubscribed. What was on its way to them is cancelled.");
            Ok(super::DONE)
        } else {
            tell!("Nobody with that address is subscribed.");
            Ok(super::FAILED)
        }
    }
}
