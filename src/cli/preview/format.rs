//! The forms in which an edition can be written.

use clap::ValueEnum;

use crate::cli::line::sender;
use crate::config::Config;
use crate::deliver::{EncodedDigest, Recipient, Sender};
use crate::model::{Address, Audience, Digest, Edition, PersonalLinks, TokenKeys};
use crate::render;
use crate::render::lint::{Check, Rendered, lint};

/// A form of an edition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// The HTML part of the mail
    Html,
    /// The text part of the mail
    Text,
    /// The mail as it goes over the wire
    Eml,
    /// A page for the web, with nothing personal in it
    Page,
    /// An Atom feed of its stories
    Atom,
    /// A JSON feed of its stories
    Json,
    /// Markdown
    Markdown,
}

impl Format {
    /// Whether it has the stories of several editions.
    pub(super) fn is_feed(self) -> bool {
        matches!(self, Self::Atom | Self::Json)
    }

    /// What the names of its files end in.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Text => "txt",
            Self::Eml => "eml",
            Self::Page => "page.html",
            Self::Atom => "atom",
            Self::Json => "feed.json",
            Self::Markdown => "md",
        }
    }
}

/// An edition as an audience gets it.
pub(super) struct Forms<'a> {
    config: &'a Config,
    edition: &'a Edition,
    /// Those that came before it, the latest first; feeds have their stories, too.
    earlier: &'a [Edition],
    audience: &'a Audience,
    digest: Digest,
    /// The bodies of the digest for whom a preview is for.
    html: String,
    text: String,
    links: PersonalLinks,
    sender: Sender,
}

impl<'a> Forms<'a> {
    pub(super) fn new(
        config: &'a Config,
        edition: &'a Edition,
        earlier: &'a [Edition],
        audience: &'a Audience,
    ) -> anyhow::Result<Self> {
        let digest = render::digest(&config.newsletter, &config.theme, edition, audience)?;
        let sender = example_sender(config)?;
        let reader = reader()?;
        let links = sender.links(&recipient(&reader, audience));
        Ok(Self {
            config,
            edition,
            earlier,
            audience,
            html: digest.html.fill(&links),
            text: digest.text.fill(&links),
            digest,
            links,
            sender,
        })
    }

    /// It in one of its forms.
    pub(super) fn write(&self, format: Format) -> anyhow::Result<Vec<u8>> {
        let (newsletter, theme) = (&self.config.newsletter, &self.config.theme);
        let (edition, audience) = (self.edition, self.audience);
        let editions = || std::iter::once(edition).chain(self.earlier);
        let text = match format {
            Format::Html => self.html.clone(),
            Format::Text => self.text.clone(),
            Format::Eml => {
                let reader = reader()?;
                let digest = EncodedDigest::new(&self.digest);
                let recipient = recipient(&reader, audience);
                return Ok(self
                    .sender
                    .message(edition, &digest, &recipient, Vec::new())?
                    .bytes);
            }
            Format::Page => render::page(newsletter, theme, edition, audience)?,
            Format::Atom => render::atom(newsletter, theme, editions(), audience)?,
            Format::Json => render::json_feed(newsletter, theme, editions(), audience)?,
            Format::Markdown => render::markdown(newsletter, theme, edition, audience)?,
        };
        Ok(text.into_bytes())
    }

    /// Its mail.
    pub(super) fn mail(&self) -> Rendered<'_> {
        Rendered {
            subject: &self.digest.subject,
            html: &self.html,
            text: &self.text,
            unsubscribe: Some(&self.links.unsubscribe),
        }
    }

    /// What its mail is checked for, and what was found.
    pub(super) fn checks(&self) -> Vec<Check> {
        lint(&self.config.newsletter, self.mail())
    }
}

/// The sender of examples, whose tokens open nothing.
pub(super) fn example_sender(config: &Config) -> anyhow::Result<Sender> {
    sender(config, TokenKeys::new(&[], &[]))
}

/// Whom a preview is for, as somebody on the list.
fn recipient<'a>(reader: &'a Address, audience: &Audience) -> Recipient<'a> {
    Recipient {
        address: reader,
        name: "",
        token: "preview",
        language: audience.language,
        known: Some(Recipient::NOBODY),
    }
}

/// The links of whom a preview is for.
pub(super) fn personal_links(config: &Config) -> anyhow::Result<PersonalLinks> {
    let (reader, audience) = (reader()?, config.default_audience());
    Ok(example_sender(config)?.links(&recipient(&reader, &audience)))
}

/// Whom a preview is for.
pub(super) fn reader() -> anyhow::Result<Address> {
    Ok(Address::parse("reader@example.org")?)
}
