//! What a feed says, in one form for all formats. Every text is safe, every address absolute where it can be.

use chrono::{DateTime, Utc};

use crate::collect::html::Html;
use crate::model::Pace;

/// A feed as it was read.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// Its title.
    pub title: Option<Html>,
    /// The site that it belongs to.
    pub url: Option<String>,
    /// Its identity (Atom `id`).
    pub id: Option<String>,
    /// What it is about.
    pub description: Option<Html>,
    /// Its language, as the feed writes it.
    pub language: Option<String>,
    /// When it was last changed.
    pub updated: Option<DateTime<Utc>>,
    /// When it was published.
    pub published: Option<DateTime<Utc>>,
    /// Who writes it.
    pub author: Option<Person>,
    /// Its logo.
    pub image: Option<String>,
    /// Its copyright.
    pub rights: Option<Html>,
    /// What it files itself under.
    pub categories: Vec<String>,
    /// How often it asks to be read at most.
    pub pace: Pace,
    /// Its entries, in its order.
    pub entries: Vec<Entry>,
}

/// One entry of a feed.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// The headline.
    pub title: Option<Html>,
    /// Where the article is.
    pub url: Option<String>,
    /// The same, before a service that counts readers put its own address there.
    pub original_url: Option<String>,
    /// What the feed calls it; often not the same for long, and not always its own.
    pub id: Option<String>,
    /// When it was published.
    pub published: Option<DateTime<Utc>>,
    /// When it was last changed.
    pub updated: Option<DateTime<Utc>>,
    /// Its teaser.
    pub summary: Option<Html>,
    /// Its text.
    pub content: Option<Html>,
    /// Who wrote it.
    pub author: Option<Person>,
    /// Where it is discussed.
    pub comments_url: Option<String>,
    /// The feed of that discussion.
    pub comments_feed: Option<String>,
    /// How many comments there are.
    pub comments_count: Option<u32>,
    /// Its picture: the one that the feed names.
    pub image: Option<String>,
    /// Its language, as the feed writes it.
    pub language: Option<String>,
    /// Its copyright.
    pub rights: Option<Html>,
    /// What it is filed under.
    pub categories: Vec<String>,
    /// Files that belong to it, such as the recording of a podcast.
    pub enclosures: Vec<String>,
    /// Who may read it, in the feed's words (`dcterms:accessRights` and its kin).
    pub access: Option<String>,
    /// The outlet that it comes from, in a feed that collects from others.
    pub source: Option<String>,
    /// The address of that outlet.
    pub source_url: Option<String>,
}

/// Somebody with a name, an address, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: Option<String>,
    /// The mail address.
    pub email: Option<String>,
}

impl Person {
    /// From the texts of a feed: `name`, `mail@example.org (name)`, `name <mail@example.org>` or an address alone.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        let is_around =
            |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '<' | '>' | ',' | ';');
        let email = text
            .split(is_around)
            .map(|word| word.trim_start_matches("mailto:"))
            .find(|word| is_mail_address(word))
            .map(str::to_owned);
        let name = match &email {
            Some(email) => text
                .replacen("mailto:", "", 1)
                .replacen(email.as_str(), "", 1),
            None => text.to_owned(),
        };
        let name = match &email {
            Some(_) => name
                .replace("()", "")
                .replace("<>", "")
                .trim_matches(is_around)
                .to_owned(),
            None => name.trim().to_owned(),
        };
        let name = Some(name).filter(|name| !name.is_empty());
        (name.is_some() || email.is_some()).then_some(Self { name, email })
    }
}

fn is_mail_address(word: &str) -> bool {
    word.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && domain.contains('.') && !domain.contains('@') && !domain.ends_with('.')
    })
}

/// `name (address)` where both are known.
impl std::fmt::Display for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.name, &self.email) {
            (Some(name), Some(email)) => write!(f, "{name} ({email})"),
            (Some(one), None) | (None, Some(one)) => f.write_str(one),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_from_their_addresses() {
        for (text, name, email) in [
            ("Anna Berg", Some("Anna Berg"), None),
            (
                "anna@example.org (Anna Berg)",
                Some("Anna Berg"),
                Some("anna@example.org"),
            ),
            (
                "Anna Berg <anna@example.org>",
                Some("Anna Berg"),
                Some("anna@example.org"),
            ),
            ("mailto:anna@example.org", None, Some("anna@example.org")),
            ("@anna", Some("@anna"), None),
            (" ", None, None),
        ] {
            let person = Person::from_text(text).unwrap_or_default();
            assert_eq!(
                (person.name.as_deref(), person.email.as_deref()),
                (name, email),
                "{text}"
            );
        }
    }
}
