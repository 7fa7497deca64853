//! The composed sections for one newsletter, cadence and window.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Block, CadenceId, Followed, ItemKey, Story, TopicId};

super::text_id! {
    /// The identity of an edition: newsletter, cadence and the moment it was due, as in `tidings.daily.20261120T060000Z`.
    EditionId
}

/// A half-open span of time, `[since, until)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first moment that belongs to it.
    pub since: DateTime<Utc>,
    /// The first moment that no longer does.
    pub until: DateTime<Utc>,
}

/// Which items of the store an edition covers, by the order in which they became news there. That only grows, whatever is done to the
/// clocks of those who collect: no item falls between two editions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// The last one that the edition before has covered; `None` when there was none.
    pub after: Option<i64>,
    /// The last one that this edition covers.
    pub up_to: i64,
}

/// One topic's place in one edition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Which topic.
    pub topic: TopicId,
    /// Its heading.
    pub title: String,
    /// Its stories, best first.
    pub stories: Vec<Story>,
}

/// What is mailed, archived and shown; it never changes once it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edition {
    /// Its identity.
    pub id: EditionId,
    /// Which newsletter.
    pub newsletter: String,
    /// Which cadence.
    pub cadence: CadenceId,
    /// The scheduled moment that made it due. At most one edition exists for each.
    pub slot: DateTime<Utc>,
    /// The news that it covers.
    pub window: Window,
    /// When it was composed; the `Date` of its mails.
    pub created_at: DateTime<Utc>,
    /// The last item of the store that it covers ([`Coverage::up_to`]).
    #[serde(default)]
    pub covers: Option<i64>,
    /// Topics with at least one story.
    pub sections: Vec<Section>,
    /// What the publisher puts between them.
    #[serde(default)]
    pub blocks: Vec<Block>,
    /// News of stories that subscribers follow: each gets those of their own.
    #[serde(default)]
    pub followed: Vec<Followed>,
}

impl Edition {
    /// The identity of the edition of `newsletter` and `cadence` that is due at `slot`.
    pub fn id_of(newsletter: &str, cadence: &CadenceId, slot: DateTime<Utc>) -> EditionId {
        EditionId(format!(
            "{newsletter}.{cadence}.{}",
            slot.format("%Y%m%dT%H%M%SZ")
        ))
    }

    /// The cadence of editions that have nothing but news of followed stories, for those who want them at once. No configured
    /// one has its name.
    pub const FOLLOWED: &'static str = "followed";

    /// Whether it has nothing but news of followed stories, for those who want them at once.
    pub fn is_of_followed(&self) -> bool {
        self.cadence.as_str() == Self::FOLLOWED
    }

    /// This edition with the news of earlier ones that somebody has missed, behind its own.
    pub fn with_missed(mut self, missed: &[Self]) -> Self {
        let told = self.sections.iter().flat_map(|section| &section.stories);
        let mut told: BTreeSet<ItemKey> = told.map(|story| story.lead.key.clone()).collect();
        for section in missed.iter().flat_map(|edition| &edition.sections) {
            let known = self
                .sections
                .iter()
                .position(|own| own.topic == section.topic);
            let place = known.unwrap_or_else(|| {
                self.sections.push(Section {
                    stories: Vec::new(),
                    ..section.clone()
                });
                self.sections.len() - 1
            });
            for story in &section.stories {
                if told.insert(story.lead.key.clone()) {
                    self.sections[place].stories.push(story.clone());
                }
            }
        }
        self.sections.retain(|section| !section.stories.is_empty());
        self
    }

    /// How many stories it has.
    pub fn story_count(&self) -> usize {
        self.sections
            .iter()
            .map(|section| section.stories.len())
            .sum()
    }
}
