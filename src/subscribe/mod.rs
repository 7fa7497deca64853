//! Subscribers in and out: the CSV form of a list.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{
    Address, CadenceId, Choices, Language, Subscriber, SubscriberState, TopicId, clean_name,
};

/// A line of a CSV file, as it is read and written. Only `address` must be there.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Line {
    address: String,
    name: String,
    cadence: String,
    language: String,
    topics: String,
    state: String,
    confirmed_at: String,
}

/// What a list may refer to, and what holds where it says nothing.
#[derive(Debug)]
pub struct Rules<'a> {
    /// The cadences of the newsletter.
    pub cadences: Vec<&'a str>,
    /// The topics of the newsletter.
    pub topics: Vec<&'a str>,
    /// The state of people whose line names none.
    pub state: SubscriberState,
    /// The moment at which people are confirmed whose line does not say when.
    pub now: DateTime<Utc>,
}

/// Somebody on a list, with what the list claims about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where mail goes.
    pub address: Address,
    /// What they chose; empty cells say nothing.
    pub choices: Choices,
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

/// Reads a list. The separator is a comma or, as German spreadsheets write it, a semicolon; a byte-order
/// mark is fine; columns come in any order, unknown ones are passed over.
///
/// Bad lines do not stop the good ones.
pub fn read_csv(
    mut input: impl Read,
    rules: &Rules<'_>,
) -> std::io::Result<(Vec<Listed>, Vec<BadLine>)> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    // A spreadsheet that does not write UTF-8 writes windows-1252.
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => std::borrow::Cow::Borrowed(text),
        Err(_) => encoding_rs::WINDOWS_1252.decode(&bytes).0,
    };
    let text = text.trim_start_matches('\u{feff}');
    let header = text.lines().next().unwrap_or_default();
    let semicolons = header.matches(';').count() > header.matches(',').count();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(if semicolons { b';' } else { b',' })
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut people = Vec::new();
    let mut bad = Vec::new();
    let has_addresses = reader.headers().is_ok_and(|header| {
        header
            .iter()
            .any(|name| name.eq_ignore_ascii_case("address") || name.eq_ignore_ascii_case("email"))
    });
    if !has_addresses {
        bad.push(BadLine {
            line: 1,
            what: "the first line must name the columns, one of them “address”".to_owned(),
        });
        return Ok((people, bad));
    }
    let known = |name: &str| {
        if name.eq_ignore_ascii_case("email") {
            "address".to_owned()
        } else {
            name.to_lowercase()
        }
    };
    let columns: csv::StringRecord = reader
        .headers()
        .map(|header| header.iter().map(known).collect())
        .unwrap_or_default();
    for record in reader.records() {
        let (at, line) = match record {
            Ok(record) => (
                record.position().map(csv::Position::line),
                record.deserialize::<Line>(Some(&columns)),
            ),
            Err(error) => (error.position().map(csv::Position::line), Err(error)),
        };
        match line
            .map_err(|error| error.to_string())
            .and_then(|line| listed(&line, rules))
        {
            Ok(person) => people.push(person),
            Err(what) => bad.push(BadLine {
                line: at.unwrap_or_default(),
                what,
            }),
        }
    }
    Ok((people, bad))
}

fn listed(line: &Line, rules: &Rules<'_>) -> Result<Listed, String> {
    let address = Address::parse(&line.address)
        .map_err(|error| format!("“{}” is not an address: {error}", clean_name(&line.address)))?;
    let cadence = match line.cadence.as_str() {
        "" => None,
        cadence if rules.cadences.contains(&cadence) => Some(CadenceId(cadence.to_owned())),
        other => {
            let known = rules.cadences.join(", ");
            return Err(format!("there is no cadence “{other}”; one of: {known}"));
        }
    };
    let language = match line.language.as_str() {
        "" => None,
        tag => Some(
            Language::from_tag(tag)
                .ok_or_else(|| format!("“{tag}” is not a language that digests are written in"))?,
        ),
    };
    let topics: BTreeSet<TopicId> = line
        .topics
        .split([' ', '|'])
        .filter(|topic| !topic.is_empty())
        .map(|topic| TopicId(topic.to_owned()))
        .collect();
    if let Some(unknown) = topics
        .iter()
        .find(|topic| !rules.topics.contains(&topic.as_str()))
    {
        return Err(format!(
            "there is no topic “{unknown}”; one of: {}",
            rules.topics.join(", ")
        ));
    }
    let state = match line.state.as_str() {
        "" => rules.state,
        word => {
            SubscriberState::from_word(word).ok_or_else(|| format!("“{word}” is not a state"))?
        }
    };
    let confirmed_at = match line.confirmed_at.as_str() {
        "" => (state == SubscriberState::Confirmed).then_some(rules.now),
        text => Some(
            DateTime::parse_from_rfc3339(text)
                .map_err(|_| format!("“{text}” is not a time"))?
                .to_utc(),
        ),
    };
    let name = Some(clean_name(&line.name)).filter(|name| !name.is_empty());
    Ok(Listed {
        address,
        choices: Choices {
            name,
            cadence,
            language,
            topics,
        },
        state,
        confirmed_at,
    })
}

/// Writes subscribers in the form that [`read_csv`] reads, batch after batch.
pub struct CsvWriter<W: Write>(csv::Writer<W>);

impl<W: Write> CsvWriter<W> {
    /// Begins a list.
    pub fn new(output: W) -> Self {
        Self(csv::Writer::from_writer(output))
    }

    /// Adds one subscriber.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn write(&mut self, subscriber: &Subscriber) -> csv::Result<()> {
        let profile = &subscriber.profile;
        self.0.serialize(Line {
            address: profile.address.as_str().to_owned(),
            // A spreadsheet runs a cell that begins like a formula.
            name: profile
                .name
                .trim_start_matches(['=', '+', '-', '@'])
                .to_owned(),
            cadence: profile.cadence.to_string(),
            language: profile
                .language
                .map(|language| language.tag().to_owned())
                .unwrap_or_default(),
            topics: profile
                .topics
                .iter()
                .map(TopicId::as_str)
                .collect::<Vec<_>>()
                .join(" "),
            state: subscriber.state.word().to_owned(),
            confirmed_at: subscriber
                .confirmed_at
                .map(|at| at.to_rfc3339())
                .unwrap_or_default(),
        })
    }

    /// Ends the list.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Length, NewSubscriber};

    fn rules() -> Rules<'static> {
        Rules {
            cadences: vec!["daily", "weekly"],
            topics: vec!["ki", "security"],
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
            people[0].choices,
            Choices::default(),
            "nothing is said about what they want"
        );
        assert_eq!(people[0].state, SubscriberState::Pending);
    }

    #[test]
    fn a_german_spreadsheet_is_read() {
        let (people, bad) =
            read("\u{feff}Name;Email;topics\r\n\"Müller; Anna\";anna@example.org;ki security\r\n");
        assert_eq!(bad, []);
        assert_eq!(people[0].choices.name.as_deref(), Some("Müller; Anna"));
        assert_eq!(people[0].choices.topics.len(), 2);
    }

    #[test]
    fn a_spreadsheet_without_utf_8_is_read() {
        let bytes = encoding_rs::WINDOWS_1252
            .encode("address;name\nanna@example.org;Änne Müller\n")
            .0;
        let (people, bad) = read_csv(&*bytes, &rules()).unwrap();
        assert_eq!(
            (people[0].choices.name.as_deref(), bad.len()),
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
        let subscriber = Subscriber {
            profile: NewSubscriber {
                address: Address::parse("anna@example.org").unwrap(),
                name: "Anna, die Erste".into(),
                cadence: CadenceId("weekly".into()),
                language: Some(Language::En),
                topics: BTreeSet::from([TopicId("ki".into())]),
            },
            state: SubscriberState::Unsubscribed,
            created_at: DateTime::UNIX_EPOCH,
            confirmed_at: Some(DateTime::UNIX_EPOCH),
            length: Length::Full,
            hour: None,
            timezone: None,
            paused_until: None,
            left_at: None,
        };
        let mut bytes = Vec::new();
        let mut writer = CsvWriter::new(&mut bytes);
        writer.write(&subscriber).unwrap();
        writer.finish().unwrap();
        let (people, bad) = read(std::str::from_utf8(&bytes).unwrap());
        assert_eq!(bad, []);
        let listed = people[0].clone();
        let profile = listed
            .choices
            .over(listed.address, None, &CadenceId("daily".into()));
        assert_eq!(
            (profile, listed.state, listed.confirmed_at),
            (
                subscriber.profile,
                subscriber.state,
                subscriber.confirmed_at
            )
        );
    }
}
