//! Subscribers in and out: the CSV form of a list.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Read, Write};

use chrono::{DateTime, Utc};

use crate::model::{
    Address, NewSubscriber, Offer, Preference, Preferences, Subscriber, SubscriberState, clean_name,
};

/// The columns of a list beside those of [`Preference::name`]. Only the first must be there.
const ADDRESS: &str = "address";
const NAME: &str = "name";
const STATE: &str = "state";
const CONFIRMED_AT: &str = "confirmed_at";

/// What lists of other programs and spreadsheets call a column, in lower case, and what it is called here.
const ALSO_KNOWN: [(&str, &str); 6] = [
    ("email", ADDRESS),
    ("e-mail", ADDRESS),
    ("mail", ADDRESS),
    ("email address", ADDRESS),
    ("e-mail-adresse", ADDRESS),
    ("adresse", ADDRESS),
];

/// What a list may refer to, and what holds where it says nothing.
#[derive(Debug)]
pub struct Rules {
    /// What there is to choose from.
    pub offer: Offer,
    /// The state of people whose line names none.
    pub state: SubscriberState,
    /// The moment at which people are confirmed whose line does not say when.
    pub now: DateTime<Utc>,
}

/// What somebody said about what they want; what they did not say stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Their name.
    pub name: Option<String>,
    /// Preferences with a text that [`Preferences::set`] takes.
    said: Vec<(Preference, String)>,
}

impl Wishes {
    /// These preferences, each by its text.
    ///
    /// # Errors
    /// When one of them is not on offer.
    pub fn new(
        name: Option<String>,
        said: Vec<(Preference, String)>,
        offer: &Offer,
    ) -> Result<Self, String> {
        let mut preferences = usual(offer);
        for (preference, text) in &said {
            let set = preferences.set(*preference, text, offer);
            set.map_err(|wrong| wrong.to_string())?;
        }
        Ok(Self { name, said })
    }

    /// These wishes of `address`, over what was known `before`.
    pub fn over(
        &self,
        address: Address,
        before: Option<&NewSubscriber>,
        offer: &Offer,
    ) -> NewSubscriber {
        let mut person = before.cloned().unwrap_or_else(|| NewSubscriber {
            address: address.clone(),
            name: String::new(),
            preferences: usual(offer),
        });
        person.address = address;
        if let Some(name) = &self.name {
            person.name.clone_from(name);
        }
        for (preference, text) in &self.said {
            // Each was tried before; what is on offer does not depend on what was chosen.
            let _ = person.preferences.set(*preference, text, offer);
        }
        person
    }
}

/// What holds for who has said nothing.
fn usual(offer: &Offer) -> Preferences {
    Preferences::usual(offer.cadences[0].clone())
}

/// Somebody on a list, with what the list claims about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where mail goes.
    pub address: Address,
    /// What they chose; empty cells say nothing.
    pub wishes: Wishes,
    /// How far their consent goes.
    pub state: SubscriberState,
    /// When it was given.
    pub confirmed_at: Option<DateTime<Utc>>,
}

/// A line that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct BadLine {
    /// Counted from 1, the header included.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
}

/// Reads a list. The separator is a comma, a semicolon or a tab, as spreadsheets write them; columns come in any order, unknown ones are
/// passed over. The text is UTF-8, UTF-16 with a byte-order mark, or windows-1252.
///
/// Bad lines do not stop the good ones.
///
/// # Errors
/// When the input cannot be read.
pub fn read_csv(
    mut input: impl Read,
    rules: &Rules,
) -> std::io::Result<(Vec<Listed>, Vec<BadLine>)> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    let text = decoded(&bytes);
    let header = text.lines().next().unwrap_or_default();
    let count = |separator: u8| header.matches(char::from(separator)).count();
    let separators = [b',', b';', b'\t'];
    let separator = separators.into_iter().rev().max_by_key(|one| count(*one));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator.unwrap_or(b','))
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes());
    let columns: Vec<String> = reader
        .headers()
        .map(|header| header.iter().map(column).collect())
        .unwrap_or_default();
    let mut people = Vec::new();
    let mut bad = Vec::new();
    if !columns.iter().any(|name| name == ADDRESS) {
        bad.push(BadLine {
            line: 1,
            what: "the first line must name the columns, one of them “address”".to_owned(),
        });
        return Ok((people, bad));
    }
    for record in reader.records() {
        let (line, listed) = match &record {
            Ok(record) => {
                let cells = columns.iter().map(String::as_str).zip(record.iter());
                let cells = cells.filter(|(_, cell)| !cell.is_empty()).collect();
                (record.position(), listed(&cells, rules))
            }
            Err(error) => (error.position(), Err(error.to_string())),
        };
        match listed {
            Ok(person) => people.push(person),
            Err(what) => bad.push(BadLine {
                line: line.map(csv::Position::line).unwrap_or_default(),
                what,
            }),
        }
    }
    Ok((people, bad))
}

/// The text of a file, whichever spreadsheet has written it.
fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => encoding_rs::WINDOWS_1252.decode(bytes).0,
    }
}

/// What a column is called here.
fn column(name: &str) -> String {
    let name = name.to_lowercase();
    let known = ALSO_KNOWN.iter().find(|(other, _)| *other == name);
    known.map_or(name, |(_, own)| (*own).to_owned())
}

fn listed(cells: &BTreeMap<&str, &str>, rules: &Rules) -> Result<Listed, String> {
    let text = cells.get(ADDRESS).copied().unwrap_or_default();
    let address = Address::parse(text)
        .map_err(|error| format!("“{}” is not an address: {error}", clean_name(text)))?;
    let said = Preference::ALL.into_iter().filter_map(|preference| {
        let text = cells.get(preference.name())?;
        Some((preference, (*text).to_owned()))
    });
    let name = cells.get(NAME).map(|name| clean_name(name));
    let name = name.filter(|name| !name.is_empty());
    let wishes = Wishes::new(name, said.collect(), &rules.offer)?;
    let state = match cells.get(STATE) {
        None => rules.state,
        Some(word) => {
            SubscriberState::from_word(word).ok_or_else(|| format!("“{word}” is not a state"))?
        }
    };
    let confirmed_at = match cells.get(CONFIRMED_AT) {
        None => (state == SubscriberState::Confirmed).then_some(rules.now),
        Some(text) => Some(
            DateTime::parse_from_rfc3339(text)
                .map_err(|_| format!("“{text}” is not a time"))?
                .to_utc(),
        ),
    };
    Ok(Listed {
        address,
        wishes,
        state,
        confirmed_at,
    })
}

/// Writes subscribers in the form that [`read_csv`] reads, batch after batch.
pub struct CsvWriter<W: Write>(csv::Writer<W>);

impl<W: Write> CsvWriter<W> {
    /// Begins a list.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn new(output: W) -> csv::Result<Self> {
        let mut writer = csv::Writer::from_writer(output);
        let preferences = Preference::ALL.into_iter().map(Preference::name);
        let header = [ADDRESS, NAME, STATE, CONFIRMED_AT].into_iter();
        writer.write_record(header.chain(preferences))?;
        Ok(Self(writer))
    }

    /// Adds one subscriber.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn write(&mut self, subscriber: &Subscriber) -> csv::Result<()> {
        let profile = &subscriber.profile;
        let confirmed_at = subscriber.confirmed_at.map(|at| at.to_rfc3339());
        let about = [
            profile.address.as_str().to_owned(),
            harmless(&profile.name).to_owned(),
            subscriber.state.word().to_owned(),
            confirmed_at.unwrap_or_default(),
        ];
        let preferences = Preference::ALL.into_iter().map(|preference| {
            let text = profile.preferences.get(preference);
            match preference {
                Preference::MuteWords | Preference::MuteSources => harmless(&text).to_owned(),
                _ => text,
            }
        });
        self.0.write_record(about.into_iter().chain(preferences))
    }

    /// Ends the list.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// A text without what makes a spreadsheet run it as a formula.
fn harmless(text: &str) -> &str {
    text.trim_start_matches(['=', '+', '-', '@'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CadenceId, Language, TopicId, Topics};

    fn rules() -> Rules {
        let topic = |id: &str| TopicId(id.to_owned());
        Rules {
            offer: Offer {
                cadences: vec![CadenceId("daily".into()), CadenceId("weekly".into())],
                topics: vec![topic("ki"), topic("security")],
                languages: vec![Language::De, Language::En],
                timezone: chrono_tz::Europe::Berlin,
                now: DateTime::UNIX_EPOCH,
            },
            state: SubscriberState::Pending,
            now: DateTime::UNIX_EPOCH,
        }
    }

    fn read(text: &str) -> (Vec<Listed>, Vec<BadLine>) {
        read_csv(text.as_bytes(), &rules()).unwrap()
    }

    #[test]
    fn a_list_of_bare_addresses_is_enough() {
        let (people, bad) = read("address\nanna@example.org\nbert@example.org\n");
        assert_eq!((people.len(), bad.len()), (2, 0));
        assert_eq!(
            people[0].wishes,
            Wishes::default(),
            "nothing is said about what they want"
        );
        assert_eq!(people[0].state, SubscriberState::Pending);
    }

    #[test]
    fn a_german_spreadsheet_is_read() {
        for separator in [";", ",", "\t"] {
            let text = "Name;E-Mail;topics;unbekannt\r\n\"Müller, Anna; Dr.\";anna@example.org;\"ki, security\";7\r\n";
            let text = text.replace("Anna; ", "Anna ").replace(';', separator);
            let utf_16: Vec<u8> = std::iter::once(0xfeff)
                .chain(text.encode_utf16())
                .flat_map(u16::to_le_bytes)
                .collect();
            let with_mark = format!("\u{feff}{text}");
            for bytes in [text.as_bytes(), with_mark.as_bytes(), &utf_16] {
                let (people, bad) = read_csv(bytes, &rules()).unwrap();
                assert_eq!(bad, []);
                let person = person(&people[0]);
                assert_eq!(person.name, "Müller, Anna Dr.");
                assert_eq!(person.preferences.topics.picked().count(), 2);
            }
        }
    }

    #[test]
    fn a_topic_that_is_not_there_is_a_line_of_the_report_and_never_all() {
        let (people, bad) = read("address;topics\na@example.org;ki,sicherheit\nb@example.org;*\n");
        assert_eq!(
            bad[0].to_string(),
            "line 2: there is no topic “sicherheit”; one of: ki, security"
        );
        assert_eq!(person(&people[0]).preferences.topics, Topics::All);
    }

    #[test]
    fn a_spreadsheet_without_utf_8_is_read() {
        let bytes = encoding_rs::WINDOWS_1252
            .encode("address;name\nanna@example.org;Änne Müller\n")
            .0;
        let (people, bad) = read_csv(&*bytes, &rules()).unwrap();
        assert_eq!(
            (people[0].wishes.name.as_deref(), bad.len()),
            (Some("Änne Müller"), 0)
        );
    }

    #[test]
    fn a_bad_line_is_named_and_the_others_count() {
        let (people, bad) = read(
            "address,cadence\nanna@example.org,daily\nbert,daily\ncara@example.org,hourly\ndora@example.org,\n",
        );
        assert_eq!(people.len(), 2);
        assert_eq!(bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [3, 4]);
        assert!(
            bad[1].what.contains("hourly") && bad[1].what.contains("daily, weekly"),
            "{}",
            bad[1].what
        );
    }

    #[test]
    fn a_list_without_a_header_is_refused() {
        let (people, bad) = read("anna@example.org\nbert@example.org\n");
        assert_eq!((people.len(), bad.len()), (0, 1));
    }

    #[test]
    fn what_is_exported_can_be_imported() {
        let mut preferences = usual(&rules().offer);
        for (preference, text) in [
            (Preference::Cadence, "weekly"),
            (Preference::Language, "en"),
            (Preference::Topics, "ki"),
            (Preference::Length, "short"),
            (Preference::Pictures, "no"),
            (Preference::MuteWords, "Aktie, Börse"),
            (Preference::MuteSources, "Bild"),
            (Preference::MostStories, "9"),
            (Preference::LeastStories, "2"),
            (Preference::Timezone, "Asia/Tokyo"),
            (Preference::Days, "mon fri"),
            (Preference::Hour, "7"),
            (Preference::PausedUntil, "2026-12-31"),
        ] {
            preferences.set(preference, text, &rules().offer).unwrap();
        }
        let subscriber = Subscriber {
            profile: NewSubscriber {
                address: Address::parse("anna@example.org").unwrap(),
                name: "Anna, die Erste".into(),
                preferences,
            },
            state: SubscriberState::Unsubscribed,
            created_at: DateTime::UNIX_EPOCH,
            confirmed_at: Some(DateTime::UNIX_EPOCH),
            left_at: None,
        };
        let mut bytes = Vec::new();
        let mut writer = CsvWriter::new(&mut bytes).unwrap();
        writer.write(&subscriber).unwrap();
        writer.finish().unwrap();
        let (people, bad) = read(std::str::from_utf8(&bytes).unwrap());
        assert_eq!(bad, []);
        let listed = &people[0];
        assert_eq!(
            (person(listed), listed.state, listed.confirmed_at),
            (
                subscriber.profile,
                subscriber.state,
                subscriber.confirmed_at
            )
        );
    }

    fn person(listed: &Listed) -> NewSubscriber {
        let address = listed.address.clone();
        listed.wishes.over(address, None, &rules().offer)
    }
}
