//! The publication, and the schedules that its readers pick from.

use std::time::Duration;

use super::{Address, EditionId, Language, Purpose, TokenKeys};

super::text_id! {
    /// The name of a cadence: `daily`, `weekly`, ….
    CadenceId
}

/// The publication: what every mail of it has in common.
#[derive(Debug, Clone)]
pub struct Newsletter {
    /// A short name that never changes; part of `List-Id` and of every edition's identity.
    pub id: String,
    /// Its title.
    pub title: String,
    /// One line under the title; may be empty.
    pub tagline: String,
    /// The language of its fixed words where a subscriber has not chosen another.
    pub language: Language,
    /// Where its days begin and its cadences tick.
    pub timezone: chrono_tz::Tz,
    /// The name in `From`.
    pub from_name: String,
    /// The address in `From`.
    pub from: Address,
    /// Where answers go: a mailbox that somebody reads.
    pub reply_to: Address,
    /// Where requests to unsubscribe go.
    pub unsubscribe: Address,
    /// The publisher's imprint, line by line; stands in full in every mail (§ 5 DDG).
    pub imprint: Vec<String>,
    /// The publication's web site.
    pub url: Option<url::Url>,
    /// Where each edition can be read on the web, with [`Newsletter::EDITION`] for its identity.
    pub browser_url: Option<String>,
    /// Where subscribers change what they get; with [`Newsletter::TOKEN`], where each sees their own choices.
    pub preferences_url: Option<String>,
    /// Where a subscriber leaves with one click, with [`Newsletter::TOKEN`] for theirs.
    pub unsubscribe_url: Option<String>,
    /// Where a subscriber follows a story, with [`Newsletter::TOKEN`] for theirs and [`Newsletter::STORY`] for the story.
    pub follow_url: Option<String>,
    /// Where a story of the archive and what is like it is found, with [`Newsletter::STORY`] for the story.
    pub story_url: Option<String>,
    /// Where people sign up.
    pub pages_url: Option<String>,
    /// Where the archive begins.
    pub archive_url: Option<String>,
}

impl Newsletter {
    /// What stands for the edition in [`Newsletter::browser_url`].
    pub const EDITION: &'static str = "{edition}";

    /// What stands for a subscriber's token in addresses of theirs.
    pub const TOKEN: &'static str = "{token}";

    /// What stands for a story in [`Newsletter::follow_url`].
    pub const STORY: &'static str = "{story}";

    /// What stands for the key of an archive that is not public in [`Newsletter::browser_url`].
    pub const KEY: &'static str = "{key}";

    /// The same newsletter, with the key in its links.
    pub fn with_key(mut self, tokens: &TokenKeys) -> Self {
        let key = tokens.seal(Purpose::Archive, 0);
        let links = [
            &mut self.browser_url,
            &mut self.story_url,
            &mut self.archive_url,
        ];
        for url in links.into_iter().flatten() {
            *url = url.replace(Self::KEY, &key);
        }
        self
    }

    /// Where `edition` can be read on the web.
    pub fn edition_url(&self, edition: &EditionId) -> Option<String> {
        // An identity is made of short names, digits and full stops: nothing in it needs to be encoded.
        let pattern = self.browser_url.as_ref()?;
        Some(pattern.replace(Self::EDITION, edition.as_str()))
    }
}

/// A named schedule that a subscriber picks.
#[derive(Debug, Clone)]
pub struct Cadence {
    /// Its name.
    pub id: CadenceId,
    /// When it ticks, in the newsletter's time zone.
    pub cron: croner::Cron,
    /// How late an edition may still go out; later, it is skipped.
    pub max_lateness: Duration,
}
