//! What the publisher puts between the sections of an edition.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{FeedKey, Item, Language, TopicId};

/// An announcement, an advertisement, vacancies, a request: words of the publisher's own in an edition.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Where it stands.
    pub place: Place,
    /// Its heading; may be empty.
    pub title: String,
    /// Its words, in Markdown; may be empty.
    pub text: String,
    /// Who paid for it. Then it is marked as an advertisement.
    pub sponsor: Option<String>,
    /// Items of a feed that it lists, newest first.
    pub items: Vec<Item>,
    /// The language of those who get it; everybody when absent.
    pub language: Option<Language>,
}

/// Where a block stands in an edition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Above all sections.
    Top,
    /// Below the section of a topic.
    After(TopicId),
    /// Below all sections.
    #[default]
    End,
}

/// A block as it is configured: what every edition makes a [`Block`] of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BlockPlan {
    /// The block without its items.
    pub block: Block,
    /// The feed that its items come from, and how many it lists at most.
    pub feed: Option<(FeedKey, u32)>,
    /// The first day on which it is shown.
    pub from: Option<NaiveDate>,
    /// The last day on which it is shown.
    pub until: Option<NaiveDate>,
}

impl BlockPlan {
    /// Whether it is shown on `day`.
    pub fn is_shown(&self, day: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_shown_from_its_first_to_its_last_day() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
        let plan = BlockPlan {
            from: Some(day(10)),
            until: Some(day(12)),
            ..BlockPlan::default()
        };
        let shown: Vec<u32> = (8..15)
            .filter(|number| plan.is_shown(day(*number)))
            .collect();
        assert_eq!(shown, [10, 11, 12]);
        assert!(BlockPlan::default().is_shown(day(1)));
    }
}
