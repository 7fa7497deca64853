//! The forms in which an edition can be written.

use clap::ValueEnum;

use crate::config::Config;
use crate::deliver::{Recipient, message};
use crate::model::{Address, Audience, Edition, PersonalLinks, unsubscribe_by_mail};
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

    /// `edition` in this form, as `audience` gets it.
    pub(super) fn render(
        self,
        config: &Config,
        edition: &Edition,
        audience: &Audience,
    ) -> anyhow::Result<Vec<u8>> {
        let (newsletter, theme) = (&config.newsletter, &config.theme);
        let digest = || render::digest(newsletter, theme, edition, audience);
        let reader = reader()?;
        let links = personal_links(config)?;
        let text = match self {
            Self::Html => digest()?.html.fill(&links),
            Self::Text => digest()?.text.fill(&links),
            Self::Eml => {
                let recipient = Recipient {
                    address: &reader,
                    name: "",
                    token: "preview",
                    language: audience.language,
                };
                return Ok(message(newsletter, edition, &digest()?, &recipient)?.bytes);
            }
            Self::Page => render::page(newsletter, theme, edition, audience)?,
            Self::Atom => render::atom(newsletter, theme, edition, audience)?,
            Self::Json => render::json_feed(newsletter, theme, edition, audience)?,
            Self::Markdown => render::markdown(newsletter, theme, edition, audience)?,
        };
        Ok(text.into_bytes())
    }
}

/// The rules that the mail of `edition` breaks.
pub(super) fn flaws(
    config: &Config,
    edition: &Edition,
    audience: &Audience,
) -> anyhow::Result<Vec<Check>> {
    let digest = render::digest(&config.newsletter, &config.theme, edition, audience)?;
    let links = personal_links(config)?;
    let mail = Rendered {
        subject: &digest.subject,
        html: &digest.html.fill(&links),
        text: &digest.text.fill(&links),
        unsubscribe: Some(&links.unsubscribe),
    };
    let mut checks = lint(&config.newsletter, mail);
    checks.retain(|check| !check.problems.is_empty());
    Ok(checks)
}

/// The links of whom a preview is for.
pub(super) fn personal_links(config: &Config) -> anyhow::Result<PersonalLinks> {
    Ok(PersonalLinks {
        unsubscribe: unsubscribe_by_mail(&config.newsletter.unsubscribe, &reader()?),
    })
}

/// Whom a preview is for.
pub(super) fn reader() -> anyhow::Result<Address> {
    Ok(Address::parse("reader@example.org")?)
}
