//! The items that take part in the search for stories, and what topics say of each.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::options::{Options, Policy};
use super::topic::Relevance;
use crate::model::{Item, ItemKey, Mailed, Memory, Reason, Topic};

/// An item that takes part in the search for stories.
pub(super) struct Entrant<'a> {
    pub(super) item: &'a Item,
    pub(super) origin: Origin,
    pub(super) wanted: Option<Wanted>,
    /// The topics that exclude it, or whose required words it lacks.
    pub(super) kept_out: Vec<usize>,
    /// Why the topic that it matches best does not want it, and how well it matches.
    pub(super) refusal: Option<(f64, Reason)>,
}

/// Where an entrant comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Of this window; its place among the items.
    New(usize),
    /// Readers have seen it, in the edition that ended then.
    Mailed(DateTime<Utc>),
}

/// A topic's interest in an item.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// The place of the topic in the configuration.
    pub(super) topic: usize,
    pub(super) relevance: f64,
}

impl Entrant<'_> {
    /// Takes note of what a topic says about it.
    pub(super) fn consider(
        &mut self,
        place: usize,
        topics: &[Topic],
        relevance: &Relevance,
        floor: f64,
    ) {
        if matches!(self.origin, Origin::Mailed(_)) {
            return;
        }
        if relevance.excluded.is_some() || relevance.lacking.is_some() && relevance.belongs {
            self.kept_out.push(place);
        }
        if !relevance.belongs {
            return;
        }
        let topic = &topics[place];
        let title = || topic.title.clone();
        let value = relevance.value;
        let refusal = if let Some(which) = relevance.excluded {
            let word = topic.exclude[which].written.clone();
            Reason::Excluded {
                topic: title(),
                word,
            }
        } else if let Some(which) = relevance.lacking {
            let word = topic.keywords[which].written.clone();
            Reason::Lacks {
                topic: title(),
                word,
            }
        } else if value < floor && !relevance.assigned && !topic.keywords.is_empty() {
            let percent = (value * 100.0).round() as u32;
            Reason::BelowFloor {
                topic: title(),
                percent,
            }
        } else {
            if self.wanted.is_none_or(|wanted| value > wanted.relevance) {
                self.wanted = Some(Wanted {
                    topic: place,
                    relevance: value,
                });
            }
            return;
        };
        if self.refusal.as_ref().is_none_or(|(best, _)| value > *best) {
            self.refusal = Some((value, refusal));
        }
    }

    /// Whether it may stand beside the reports of a story: everything but what a topic keeps out and none wants.
    pub(super) fn may_join(&self) -> bool {
        self.wanted.is_some() || self.kept_out.is_empty()
    }
}

/// The items that readers have seen, each as shown last.
pub(super) fn last_shown(memory: &Memory) -> HashMap<&ItemKey, &Mailed> {
    let mut shown: HashMap<&ItemKey, &Mailed> = HashMap::new();
    for mailed in &memory.mailed {
        let latest = shown.entry(&mailed.item.key).or_insert(mailed);
        if mailed.at > latest.at {
            *latest = mailed;
        }
    }
    shown
}

/// Why an item takes no part, whatever its words are.
pub(super) fn refused_at_once(
    item: &Item,
    shown: &HashMap<&ItemKey, &Mailed>,
    options: &Options,
) -> Option<Reason> {
    if let Some(mark) = item
        .mark
        .filter(|mark| options.policy(*mark) == Policy::Drop)
    {
        return Some(Reason::Marked { mark });
    }
    let mailed = shown.get(&item.key)?;
    Some(Reason::Shown {
        at: mailed.at,
        story: None,
    })
}

/// The items that nothing is against yet and those that readers have seen, earliest first.
pub(super) fn entrants<'a>(
    items: &'a [Item],
    reasons: &[Option<Reason>],
    shown: &HashMap<&ItemKey, &'a Mailed>,
) -> Vec<Entrant<'a>> {
    let known = shown
        .values()
        .map(|mailed| (&mailed.item, Origin::Mailed(mailed.at)));
    let new = items
        .iter()
        .enumerate()
        .filter(|(index, _)| reasons[*index].is_none());
    let new = new.map(|(index, item)| (item, Origin::New(index)));
    let mut entrants: Vec<Entrant<'a>> = known
        .chain(new)
        .map(|(item, origin)| Entrant {
            item,
            origin,
            wanted: None,
            kept_out: Vec::new(),
            refusal: None,
        })
        .collect();
    entrants.sort_by(|a, b| (a.item.published, &a.item.key).cmp(&(b.item.published, &b.item.key)));
    entrants
}

/// How many times more alike than others two items must be to be one story.
pub(super) fn caution(a: &Entrant<'_>, b: &Entrant<'_>) -> f32 {
    /// What is taken for known is lost to the readers, which is worse than telling it twice.
    const KNOWN: f32 = 2.0;
    let is_new = |entrant: &Entrant<'_>| matches!(entrant.origin, Origin::New(_));
    let known = if is_new(a) == is_new(b) { 1.0 } else { KNOWN };
    same_outlet(a.item, b.item) * known
}

/// Two texts of one outlet are seldom about one event.
pub(super) fn same_outlet(a: &Item, b: &Item) -> f32 {
    const SAME_OUTLET: f32 = 4.0;
    let same = !a.source.is_empty() && a.source == b.source;
    if same { SAME_OUTLET } else { 1.0 }
}
