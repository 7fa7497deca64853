//! The configuration: its shape, and all that can be wrong with it said at once.
//!
//! `config.toml` at the top of the repository is the reference: it works as shipped and documents every
//! key. A test holds the two together.

mod problem;
mod read;
mod secret;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use toml::de::DeTable;
use url::Url;

pub use problem::{ConfigError, Problem};
use read::{Problems, Table, not_empty};
pub use secret::{Secret, secret};

use crate::collect::FetchOptions;
use crate::deliver::{DeliveryOptions, MailerOptions, Security, SmtpOptions};
use crate::model::{
    Address, Audience, Cadence, CadenceId, Feed, FeedKey, Language, Location, NewSubscriber,
    Newsletter, Topic, TopicId, clean_name,
};
use crate::store::StoreUrl;

/// The whole configuration, valid.
#[derive(Debug, Clone)]
pub struct Config {
    /// A pretended time, so that sample feeds never grow old.
    pub now: Option<DateTime<Utc>>,
    /// The publication.
    pub newsletter: Newsletter,
    /// Its schedules, in the order of the file; at least one.
    pub cadences: Vec<Cadence>,
    /// Its topics, in the order of the file; at least one.
    pub topics: Vec<Topic>,
    /// Its feeds.
    pub feeds: Vec<Feed>,
    /// Subscribers that the operator answers for.
    pub subscribers: Vec<NewSubscriber>,
    /// How to fetch.
    pub collect: FetchOptions,
    /// Where the store is.
    pub store: StoreUrl,
    /// How mail goes out.
    pub delivery: DeliveryOptions,
}

impl Config {
    /// The keys of all feeds.
    pub fn feed_keys(&self) -> HashSet<FeedKey> {
        self.feeds.iter().map(|feed| feed.key.clone()).collect()
    }

    /// Everybody who has not narrowed the topics, in the newsletter's language.
    pub fn default_audience(&self) -> Audience {
        Audience::everything(self.newsletter.language)
    }
}

/// Reads the configuration in `path`. Relative paths in it are relative to its folder.
///
/// # Errors
/// All problems at once. A file that cannot be read is a problem without a line.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let failed = |problems| ConfigError {
        path: path.to_owned(),
        problems,
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        let hint =
            "Run `tidings init` to write one, or name another with --config FILE.".to_owned();
        failed(vec![Problem {
            line: None,
            key: "file".into(),
            what: format!("cannot be read: {error}"),
            hint,
        }])
    })?;
    parse(&text, path.parent().unwrap_or(Path::new(""))).map_err(failed)
}

/// Reads a configuration whose relative paths are relative to `folder`.
///
/// # Errors
/// All problems at once, in the order of the lines.
pub fn parse(text: &str, folder: &Path) -> Result<Config, Vec<Problem>> {
    let problems = Problems::new(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        problems.add(
            error.span(),
            "",
            format!("not valid TOML: {}", error.message()),
            "",
        );
    }
    // What follows a syntax error can be misread, and would be reported as problems that are none.
    if !errors.is_empty() {
        return Err(problems.into_sorted());
    }
    let config = read_config(&problems, document.get_ref(), folder);
    let problems = problems.into_sorted();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

fn read_config(problems: &Problems<'_>, document: &DeTable<'_>, folder: &Path) -> Option<Config> {
    let mut root = Table::root(problems, document);
    let now = root.parsed(
        "now",
        "Write it as in \"2026-11-20T07:05:00+01:00\".",
        |text| {
            DateTime::parse_from_rfc3339(text)
                .map(|time| time.to_utc())
                .map_err(|_| format!("“{text}” is not a time"))
        },
    );
    let newsletter = newsletter(root.table("newsletter"));

    let cadences: Vec<Option<Cadence>> = root.tables("cadence").into_iter().map(cadence).collect();
    if cadences.is_empty() {
        root.missing(
            "cadence",
            "Say when editions go out: [cadence.daily] with cron = \"0 7 * * *\".",
        );
    }
    let topics: Vec<Option<Topic>> = root.list("topic").into_iter().map(topic).collect();
    if topics.is_empty() {
        root.missing(
            "topic",
            "Name at least one subject: [[topic]] with id, title and keywords.",
        );
    }
    let mut topics = all(topics).unwrap_or_default();
    let topic_ids: Vec<&str> = topics.iter().map(|topic| topic.id.as_str()).collect();
    let cadence_ids: Vec<&str> = cadences
        .iter()
        .flatten()
        .map(|cadence| cadence.id.as_str())
        .collect();

    let mut seen = BTreeMap::new();
    let feeds: Vec<Option<Feed>> = root
        .list("feed")
        .into_iter()
        .map(|table| feed(problems, table, folder, &topic_ids, &mut seen))
        .collect();
    if feeds.is_empty() {
        root.missing(
            "feed",
            "Name at least one place to read: [[feed]] with url = \"https://…\".",
        );
    }
    let subscribers: Vec<Option<NewSubscriber>> = root
        .list("subscriber")
        .into_iter()
        .map(|table| subscriber(problems, table, &topic_ids, &cadence_ids))
        .collect();

    let collect = collect_options(root.table("collect"));
    let store = store_url(root.table("store"), folder);
    let delivery = delivery(root.table("delivery"), folder);
    root.done();

    let feeds = all(feeds)?;
    for topic in &mut topics {
        let assigned = feeds.iter().filter(|feed| feed.topics.contains(&topic.id));
        topic.feeds = assigned.map(|feed| feed.key.clone()).collect();
    }
    Some(Config {
        now,
        newsletter: newsletter?,
        cadences: all(cadences)?,
        topics,
        feeds,
        subscribers: all(subscribers)?,
        collect,
        store: store?,
        delivery: delivery?,
    })
}

/// All or nothing: a part that could not be read has left its problem behind.
fn all<T>(parts: Vec<Option<T>>) -> Option<Vec<T>> {
    parts.into_iter().collect()
}

fn newsletter(mut table: Table<'_, '_>) -> Option<Newsletter> {
    if !table.exists() {
        table.missing(
            "title",
            "Begin the file with [newsletter] and give it a title, a sender and an imprint.",
        );
        return None;
    }
    let id = table.parsed("id", "Use small letters, digits and hyphens.", short_name);
    let title = table.required(
        "title",
        "title = \"…\" is the name at the head of every mail.",
        not_empty,
    );
    let tagline = table
        .parsed("tagline", "", |text| Ok(text.trim().to_owned()))
        .unwrap_or_default();
    let known = Language::ALL.map(Language::tag).join(", ");
    let language = table.required(
        "language",
        &format!("Digests can be written in: {known}."),
        language,
    );
    let zone = "Use a name of the IANA list, such as \"Europe/Berlin\".";
    let timezone = table.required("timezone", zone, |text| {
        text.parse()
            .map_err(|_| format!("“{text}” is not a time zone"))
    });
    let sender = "Write it as name and address: from = \"Tidings <digest@example.org>\".";
    let from = table.required("from", sender, mailbox);
    let reply_to = table.parsed(
        "reply_to",
        "Answers must reach somebody: an address that is read.",
        address,
    );
    let unsubscribe = table.parsed(
        "unsubscribe",
        "An address that is read; requests to leave go there.",
        address,
    );
    let imprint =
        "The law wants it in full in every mail: name, postal address, contact (§ 5 DDG).";
    let imprint = table.required("imprint", imprint, not_empty);
    let url = table.parsed("url", "Write the whole address: \"https://…\".", web_url);
    table.done();

    let (from_name, from) = from?;
    let title = title?;
    Some(Newsletter {
        id: id.unwrap_or_else(|| "newsletter".to_owned()),
        from_name: if from_name.is_empty() {
            clean_name(&title)
        } else {
            from_name
        },
        title,
        tagline,
        language: language?,
        timezone: timezone?,
        reply_to: reply_to.unwrap_or_else(|| from.clone()),
        unsubscribe: unsubscribe.unwrap_or_else(|| from.clone()),
        from,
        imprint: imprint?
            .lines()
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect(),
        url,
    })
}

fn cadence((name, mut table): (String, Table<'_, '_>)) -> Option<Cadence> {
    let hint = "Five fields: minute, hour, day, month, weekday; \"0 7 * * *\" is daily at seven.";
    let cron = table.required("cron", hint, |text| {
        text.parse::<croner::Cron>()
            .map_err(|error| format!("“{text}” is not a schedule ({error})"))
    });
    let max_lateness = table
        .duration("max_lateness")
        .unwrap_or(Duration::from_secs(6 * 3600));
    if let Err(what) = short_name(&name) {
        table.missing(
            "name",
            &format!("{what}: use small letters, digits and hyphens."),
        );
        return None;
    }
    table.done();
    Some(Cadence {
        id: CadenceId(name),
        cron: cron?,
        max_lateness,
    })
}

fn topic(mut table: Table<'_, '_>) -> Option<Topic> {
    let id = table.required(
        "id",
        "A short name that never changes, such as id = \"ki\".",
        short_name,
    );
    let title = table.required("title", "The heading in the digest.", not_empty);
    let words =
        |texts: Vec<(String, Range<usize>)>| texts.into_iter().map(|(text, _)| text).collect();
    let keywords = words(table.texts("keywords"));
    let exclude = words(table.texts("exclude"));
    let stories = table.number("stories", 1..101).unwrap_or(8);
    table.done();
    Some(Topic {
        id: TopicId(id?),
        title: title?,
        keywords,
        exclude,
        stories: usize::try_from(stories).unwrap_or(8),
        feeds: Vec::new(),
    })
}

fn feed(
    problems: &Problems<'_>,
    mut table: Table<'_, '_>,
    folder: &Path,
    topic_ids: &[&str],
    seen: &mut BTreeMap<String, String>,
) -> Option<Feed> {
    let hint = "The address of a feed, \"https://…\", or the path of a file.";
    let found = table.get("url");
    let url = table.required("url", hint, |text| {
        let location = location(&not_empty(text)?, folder)?;
        Ok((feed_key(text.trim(), &location), location))
    });
    let name = table
        .text("name", "The name that readers see.")
        .map(|name| clean_name(&name));
    let language = table.parsed(
        "language",
        "A language tag, such as \"de\" or \"en\".",
        |text| {
            let valid = (2..=3).contains(&text.split('-').next().unwrap_or_default().len());
            if valid {
                Ok(text.to_owned())
            } else {
                Err(format!("“{text}” is not a language tag"))
            }
        },
    );
    let topics = known(problems, table.texts("topics"), topic_ids, "topic");
    let Some((key, location)) = url else {
        table.done();
        return None;
    };
    if let Some(found) = found
        && let Some(first) = seen.insert(key.clone(), found.key.clone())
    {
        table.wrong(
            &found,
            "names a feed that is there already",
            format!("{first} is the same; delete one."),
        );
    }
    table.done();
    Some(Feed {
        key: FeedKey(key),
        location,
        name,
        language,
        topics: topics.into_iter().map(TopicId).collect(),
    })
}

fn subscriber(
    problems: &Problems<'_>,
    mut table: Table<'_, '_>,
    topic_ids: &[&str],
    cadence_ids: &[&str],
) -> Option<NewSubscriber> {
    let address = table.required(
        "address",
        "Where the mail goes: address = \"anna@example.org\".",
        address,
    );
    let name = table
        .parsed("name", "", |text| Ok(clean_name(text)))
        .unwrap_or_default();
    let one_of = format!("One of: {}.", cadence_ids.join(", "));
    let cadence = table.parsed("cadence", &one_of, |text| {
        if cadence_ids.contains(&text) {
            Ok(text.to_owned())
        } else {
            Err(format!("there is no cadence “{text}”"))
        }
    });
    let language = table.parsed("language", "", language);
    let topics = known(problems, table.texts("topics"), topic_ids, "topic");
    table.done();
    Some(NewSubscriber {
        address: address?,
        name,
        cadence: CadenceId(cadence.or_else(|| cadence_ids.first().map(|id| (*id).to_owned()))?),
        language,
        topics: topics.into_iter().map(TopicId).collect(),
    })
}

/// The texts that are among `ids`; the others become problems.
fn known(
    problems: &Problems<'_>,
    texts: Vec<(String, Range<usize>)>,
    ids: &[&str],
    what: &str,
) -> BTreeSet<String> {
    let (known, unknown): (Vec<_>, Vec<_>) = texts
        .into_iter()
        .partition(|(text, _)| ids.contains(&text.as_str()));
    for (text, span) in unknown {
        problems.add(
            Some(span),
            &format!("{what}s"),
            format!("there is no {what} “{text}”"),
            format!("One of: {}.", ids.join(", ")),
        );
    }
    known.into_iter().map(|(text, _)| text).collect()
}

fn collect_options(mut table: Table<'_, '_>) -> FetchOptions {
    let default = FetchOptions::default();
    let contact = table.text(
        "contact",
        "A web page or address where a feed's owner can reach you.",
    );
    let options = FetchOptions {
        timeout: table.duration("timeout").unwrap_or(default.timeout),
        max_bytes: table
            .number("max_bytes", 1_000..1_000_000_001)
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(default.max_bytes),
        concurrency: table
            .number("concurrency", 1..257)
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(default.concurrency),
        user_agent: match contact {
            Some(contact) => format!(
                "Tidings/{} (+{})",
                env!("CARGO_PKG_VERSION"),
                clean_name(&contact)
            ),
            None => default.user_agent,
        },
    };
    table.done();
    options
}

fn store_url(mut table: Table<'_, '_>, folder: &Path) -> Option<StoreUrl> {
    let hint = "Write \"sqlite:tidings.db\".";
    let asked = table.get("url").is_some();
    let url = table.parsed("url", hint, |text| match text.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => {
            Ok(StoreUrl::Sqlite(folder.join(path.trim_start_matches("//"))))
        }
        _ => Err(format!("“{text}” is not a store that Tidings knows")),
    });
    table.done();
    if asked {
        url
    } else {
        Some(StoreUrl::Sqlite(folder.join("tidings.db")))
    }
}

fn delivery(mut table: Table<'_, '_>, folder: &Path) -> Option<DeliveryOptions> {
    let choice = table.parsed(
        "mailer",
        "One of: maildir, smtp, sendmail.",
        |text| match text {
            "maildir" => Ok(Choice::Maildir),
            "smtp" => Ok(Choice::Smtp),
            "sendmail" => Ok(Choice::Sendmail),
            _ => Err(format!("“{text}” is not a way to send mail")),
        },
    );
    let retry_for = table
        .duration("retry_for")
        .unwrap_or(Duration::from_secs(24 * 3600));

    let mut maildir = table.table("maildir");
    let path = maildir.text("path", "The folder that the mails are put into.");
    maildir.done();
    let mut sendmail = table.table("sendmail");
    let command = sendmail.text("command", "The path of the sendmail program.");
    sendmail.done();
    let smtp_table = table.table("smtp");
    let chosen = choice.unwrap_or(Choice::Maildir);
    let smtp = if smtp_table.exists() || chosen == Choice::Smtp {
        smtp(smtp_table, folder)
    } else {
        None
    };
    table.done();

    let mailer = match chosen {
        Choice::Maildir => {
            MailerOptions::Maildir(folder.join(path.unwrap_or_else(|| "out/Maildir".to_owned())))
        }
        Choice::Sendmail => MailerOptions::Sendmail(PathBuf::from(
            command.unwrap_or_else(|| "/usr/sbin/sendmail".to_owned()),
        )),
        Choice::Smtp => MailerOptions::Smtp(smtp?),
    };
    Some(DeliveryOptions { mailer, retry_for })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    Maildir,
    Smtp,
    Sendmail,
}

fn smtp(mut table: Table<'_, '_>, folder: &Path) -> Option<SmtpOptions> {
    let host = table.required(
        "host",
        "The name of your mail server: host = \"smtp.example.org\".",
        |text| {
            let host = not_empty(text)?;
            url::Host::parse(&host)
                .map(|_| host)
                .map_err(|_| format!("“{text}” is not a host name"))
        },
    );
    let security = table.parsed(
        "security",
        "One of: starttls, tls, none.",
        |text| match text {
            "starttls" => Ok(Security::StartTls),
            "tls" => Ok(Security::Tls),
            "none" => Ok(Security::None),
            _ => Err(format!("“{text}” is not a kind of security")),
        },
    );
    let security = security.unwrap_or(Security::StartTls);
    let default_port = match security {
        Security::StartTls => 587,
        Security::Tls => 465,
        Security::None => 25,
    };
    let port = table.number("port", 1..65_536).unwrap_or(default_port);
    let user = table.text("user", "The name to log in with.");
    let password_file = table
        .text("password_file", "A file that holds the password.")
        .map(|path| folder.join(path));
    if let Some(found) = table.get("password") {
        table.wrong(
            &found,
            "does not belong into this file",
            "Set TIDINGS_SMTP_PASSWORD, or put it into a file and name that with password_file.",
        );
    }
    let ca_file = table
        .text(
            "ca_file",
            "A PEM file with the certificates of your own authority.",
        )
        .map(|path| folder.join(path));
    let connections = table.number("connections", 1..65).unwrap_or(4);
    let per_connection = table
        .number("messages_per_connection", 1..100_001)
        .unwrap_or(100);
    let timeout = table.duration("timeout").unwrap_or(Duration::from_secs(60));
    let local = host
        .as_deref()
        .is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "::1"));
    if security == Security::None
        && user.is_some()
        && !local
        && let Some(found) = table.get("security")
    {
        table.wrong(
            &found,
            "would send the password in plain text across the network",
            "Use \"starttls\" or \"tls\".",
        );
    }
    table.done();
    Some(SmtpOptions {
        host: host?,
        port: u16::try_from(port).ok()?,
        security,
        user,
        password_file,
        ca_file,
        connections: usize::try_from(connections).ok()?,
        messages_per_connection: usize::try_from(per_connection).ok()?,
        timeout,
    })
}

fn short_name(text: &str) -> Result<String, String> {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || text.len() > 40 || !text.chars().all(valid) {
        return Err(format!("“{text}” is not a short name"));
    }
    Ok(text.to_owned())
}

fn language(text: &str) -> Result<Language, String> {
    Language::from_tag(text)
        .ok_or_else(|| format!("“{text}” is not a language that digests are written in"))
}

fn address(text: &str) -> Result<Address, String> {
    Address::parse(text)
        .map_err(|error| format!("“{}” is not an address: {error}", clean_name(text)))
}

/// `Name <address>` or a bare address.
fn mailbox(text: &str) -> Result<(String, Address), String> {
    match text
        .trim()
        .strip_suffix('>')
        .and_then(|text| text.rsplit_once('<'))
    {
        Some((name, inner)) => Ok((clean_name(name.trim().trim_matches('"')), address(inner)?)),
        None => Ok((String::new(), address(text)?)),
    }
}

fn web_url(text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text.trim()).map_err(|error| format!("“{text}” is not an address ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("“{text}” is not a web address"));
    }
    Ok(url)
}

/// The address as it was written, but for a password in it: the key stands in reports.
fn feed_key(text: &str, location: &Location) -> String {
    match location {
        Location::Web(url) if !url.username().is_empty() || url.password().is_some() => {
            let mut url = url.clone();
            // Neither can fail for a web address.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.into()
        }
        _ => text.to_owned(),
    }
}

fn location(text: &str, folder: &Path) -> Result<Location, String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        return web_url(text).map(Location::Web);
    }
    if let Some(path) = text.strip_prefix("file://") {
        return Ok(Location::File(PathBuf::from(path)));
    }
    if text.contains("://") {
        return Err(format!("“{text}” is neither a web address nor a file"));
    }
    Ok(Location::File(folder.join(text)))
}

#[cfg(test)]
mod tests;
