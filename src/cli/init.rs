//! `tidings init`: a configuration by answering a few questions.

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use askama::Template;
use clap::Args;

use crate::config;
use crate::model::{Address, Language};

/// Arguments of `tidings init`.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// Ask nothing and take the suggested answers
    #[arg(long)]
    yes: bool,
}

#[derive(Template)]
#[template(path = "init.toml", escape = "none")]
struct NewConfig {
    title: String,
    language: &'static str,
    timezone: String,
    from: String,
    imprint: String,
    topic: String,
    keywords: String,
    feed: String,
    subscriber: String,
}

impl Init {
    pub(super) fn run(self, path: &Path) -> anyhow::Result<u8> {
        if path.exists() {
            tell!(
                "{} is there already, and stays as it is. Name another file with --config FILE.",
                path.display()
            );
            return Ok(super::FAILED);
        }
        if !self.yes && !io::stdin().is_terminal() {
            tell!(
                "There is nobody to answer questions. `tidings init --yes` takes the suggested answers."
            );
            return Ok(super::USAGE);
        }
        let ask = Asker { asks: !self.yes };
        let german = |tag: &str| Language::from_tag(tag) == Some(Language::De);
        let known = Language::known();
        let language = ask.until(&format!("Language of the mails ({known})"), "en", |tag| {
            Language::from_tag(tag)
                .map(Language::tag)
                .ok_or_else(|| format!("Digests are written in: {known}."))
        })?;
        let title = ask.text(
            "Title of the newsletter",
            if german(language) {
                "Mein Morgen"
            } else {
                "My Morning"
            },
        )?;
        let timezone = ask.until(
            "Time zone",
            if german(language) {
                "Europe/Berlin"
            } else {
                "UTC"
            },
            |zone| {
                zone.parse::<chrono_tz::Tz>()
                    .map(|zone| zone.name().to_owned())
                    .map_err(|_| "For example Europe/Berlin.".to_owned())
            },
        )?;
        let address = |text: &str| {
            Address::parse(text)
                .map(|a| a.as_str().to_owned())
                .map_err(|error| format!("{error}."))
        };
        let subscriber = ask.until(
            "Your own address, the first subscriber",
            "you@example.org",
            address,
        )?;
        let from = ask.until("Address that sends", &subscriber, address)?;
        let imprint = ask.text(
            "Who is responsible (name, postal address)",
            "Name, Street 1, 12345 Town",
        )?;
        let topic = ask.text(
            "A topic",
            if german(language) {
                "Künstliche Intelligenz"
            } else {
                "Artificial intelligence"
            },
        )?;
        let suggested = if german(language) {
            "KI, künstliche Intelligenz, Sprachmodell"
        } else {
            "AI, artificial intelligence, language model"
        };
        let keywords = ask.text("Its keywords, separated by commas", suggested)?;
        let suggested = if german(language) {
            "https://www.heise.de/rss/heise-atom.xml"
        } else {
            "https://hnrss.org/frontpage"
        };
        let feed = ask.until("A feed to read", suggested, |text| {
            let is_web = text.starts_with("https://") || text.starts_with("http://");
            let valid = if is_web {
                url::Url::parse(text).is_ok()
            } else {
                !text.contains("://")
            };
            if valid {
                Ok(text.to_owned())
            } else {
                Err("Write its address, https://…, or the path of a file.".to_owned())
            }
        })?;

        let quoted = |text: &str| toml::Value::from(text).to_string();
        let text = NewConfig {
            title: quoted(&title),
            language,
            timezone: quoted(&timezone),
            from: quoted(&from),
            imprint: quoted(&imprint),
            topic: quoted(&topic),
            keywords: keywords
                .split(',')
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .map(quoted)
                .collect::<Vec<_>>()
                .join(", "),
            feed: quoted(&feed),
            subscriber: quoted(&subscriber),
        }
        .render()?;
        // What we write must be what we can read, whatever was answered.
        if let Err(problems) = config::parse(&text, Path::new("")) {
            tell_part!(
                "{}",
                config::ConfigError {
                    path: path.to_owned(),
                    problems
                }
            );
            tell!("Nothing was written.");
            return Ok(super::FAILED);
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)
            .with_context(|| format!("creating {}", path.display()))?;
        file.write_all(text.as_bytes())
            .with_context(|| format!("writing {}", path.display()))?;
        if self.yes {
            say!(
                "{} is written. Put your own address and imprint into it; then: tidings preview --open",
                path.display()
            );
        } else {
            say!(
                "{} is written. Next: tidings preview --open",
                path.display()
            );
        }
        Ok(super::DONE)
    }
}

/// Asks on the terminal, or takes the suggestion.
struct Asker {
    asks: bool,
}

impl Asker {
    fn text(&self, question: &str, suggestion: &str) -> anyhow::Result<String> {
        self.until(question, suggestion, |answer| Ok(answer.to_owned()))
    }

    /// Asks until `parse` takes the answer.
    fn until<T>(
        &self,
        question: &str,
        suggestion: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        loop {
            let mut answer = String::new();
            if self.asks {
                tell_part!("{question} [{suggestion}]: ");
                io::stderr().flush()?;
                if io::stdin().lock().read_line(&mut answer)? == 0 {
                    anyhow::bail!("the answers ended before the questions; nothing was written");
                }
            }
            let answer = Some(answer.trim())
                .filter(|answer| !answer.is_empty())
                .unwrap_or(suggestion);
            match parse(answer) {
                Ok(value) => return Ok(value),
                Err(hint) if self.asks => tell!("{hint}"),
                Err(hint) => anyhow::bail!("{hint}"),
            }
        }
    }
}
