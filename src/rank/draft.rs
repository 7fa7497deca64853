//! What comes of a group of reports: a story with its lead, or nothing new.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::copies;
use super::entrant::{Entrant, Origin, Wanted};
use super::language::Tongue;
use super::score::Scorer;
use super::terms::Batch;
use super::update::{self, Report};
use crate::model::{Item, Reason, Score, Story, Topic, Update};

/// A story before it is known whether it will be shown.
pub(super) struct Draft<'a> {
    /// The place of its topic in the configuration.
    pub(super) topic: usize,
    /// The lead among all entrants.
    pub(super) lead: usize,
    /// Its reports, earliest first.
    pub(super) reports: Vec<Member<'a>>,
    pub(super) update: Option<Update>,
    pub(super) score: Score,
}

/// A report in a draft.
pub(super) struct Member<'a> {
    pub(super) place: usize,
    /// Its place among the items.
    pub(super) index: usize,
    pub(super) item: &'a Item,
    /// The report whose text it repeats.
    pub(super) copy_of: Option<&'a Item>,
}

impl<'a> Draft<'a> {
    pub(super) fn lead_item(&self) -> &'a Item {
        let lead = self.reports.iter().find(|report| report.place == self.lead);
        lead.expect("the lead is one of the reports").item
    }

    /// Says why none of its reports is shown.
    pub(super) fn give_reasons(&self, topics: &[Topic], reasons: &mut [Option<Reason>]) {
        let lead = self.lead_item();
        for report in &self.reports {
            reasons[report.index] = Some(if report.place == self.lead {
                let topic = topics[self.topic].title.clone();
                Reason::OverQuota { topic }
            } else if let Some(of) = report.copy_of {
                let of = of.title.clone();
                Reason::Copy { of }
            } else {
                let lead = lead.title.clone();
                Reason::SameStory { lead }
            });
        }
    }

    pub(super) fn into_story(self) -> Story {
        let lead = self.lead_item();
        let copies = self.reports.iter().filter_map(|report| {
            let original = report.copy_of?;
            Some((report.item.key.clone(), original.key.clone()))
        });
        let others = self
            .reports
            .iter()
            .filter(|report| report.place != self.lead);
        Story {
            lead: lead.clone(),
            others: others.map(|report| report.item.clone()).collect(),
            copies: copies.collect(),
            update: self.update,
            picture: None,
            score: self.score,
        }
    }
}

/// What comes of a group of entrants.
pub(super) enum Drafted<'a> {
    /// A story.
    Story(Draft<'a>),
    /// Readers have seen it on that edition, in a report of that headline, and there is no news.
    Known { at: DateTime<Utc>, story: &'a str },
}

/// The topic that the best report of a group matches best.
pub(super) fn best_topic(entrants: &[Entrant<'_>], group: &[usize]) -> Option<Wanted> {
    let wanted = group.iter().filter_map(|place| entrants[*place].wanted);
    wanted.reduce(|best, other| {
        let better = other.relevance > best.relevance
            || (other.relevance == best.relevance && other.topic < best.topic);
        if better { other } else { best }
    })
}

/// What comes of `group` under the topic that wants it most.
pub(super) fn draft<'a>(
    batch: &Batch,
    entrants: &[Entrant<'a>],
    group: &[usize],
    best: Wanted,
    scorer: &mut Scorer<'_>,
) -> Drafted<'a> {
    // The publisher's own is never the copy of what an aggregator has of it.
    let mut order = group.to_vec();
    order.sort_by_key(|place| (entrants[*place].item.relayed, *place));
    let documents: Vec<_> = order.iter().map(|place| &batch.documents[*place]).collect();
    let originals = copies::within(&documents);
    let copies: HashMap<usize, usize> = order
        .iter()
        .zip(originals)
        .filter_map(|(place, original)| Some((*place, order[original?])))
        .collect();
    let mut reports = Vec::new();
    let mut known = Vec::new();
    let mut shown: Option<(DateTime<Utc>, &Item)> = None;
    for &place in group {
        let item = entrants[place].item;
        match entrants[place].origin {
            Origin::New(index) => reports.push(Member {
                place,
                index,
                item,
                copy_of: copies.get(&place).map(|original| entrants[*original].item),
            }),
            Origin::Mailed(at) => {
                known.push(&batch.documents[place]);
                let better = |(latest, shown): (DateTime<Utc>, &Item)| {
                    (at, item.showing()) > (latest, shown.showing())
                };
                if shown.is_none_or(better) {
                    shown = Some((at, item));
                }
            }
        }
    }
    let report = |member: &Member<'a>| Report {
        item: member.item,
        document: &batch.documents[member.place],
    };
    let tongue = scorer.options.languages.first().copied();
    let mut may_lead: Vec<&Member<'a>> = reports
        .iter()
        .filter(|report| entrants[report.place].wanted.is_some())
        .collect();
    let mut news = None;
    if let Some((at, item)) = shown {
        let originals = reports.iter().filter(|report| report.copy_of.is_none());
        let now: Vec<Report<'_>> = originals.map(report).collect();
        news = update::news(batch, &known, &now);
        let Some(news) = &news else {
            return Drafted::Known {
                at,
                story: &item.title,
            };
        };
        // “Update:” is to stand over a headline that tells it.
        let told: Vec<&Member<'a>> = may_lead
            .iter()
            .copied()
            .filter(|report| news.is_in_headline(batch, &batch.documents[report.place]))
            .collect();
        if !told.is_empty() {
            may_lead = told;
        }
    }
    let lead = lead(&may_lead, batch, tongue);
    let update = shown.zip(news).map(|((shown, _), news)| Update {
        shown,
        news: news.sentence(batch, &report(lead)),
    });
    let lead = lead.place;
    let items: Vec<&Item> = reports.iter().map(|report| report.item).collect();
    let outlets: HashSet<&str> = reports
        .iter()
        .filter(|report| report.copy_of.is_none())
        .map(|report| report.item.source.as_str())
        .collect();
    Drafted::Story(Draft {
        topic: best.topic,
        lead,
        update,
        score: scorer.score(&items, outlets.len(), best.relevance),
        reports,
    })
}

/// The report to show: one in its own words over a copy, one in the language of the newsletter over others, the publisher's own
/// over an aggregator's, free over paid, fuller over thinner; among equals the earliest.
fn lead<'r, 'a>(
    reports: &[&'r Member<'a>],
    batch: &Batch,
    tongue: Option<Tongue>,
) -> &'r Member<'a> {
    let worth = |report: &Member<'_>| {
        let readable = tongue.is_some() && batch.documents[report.place].tongue == tongue;
        (report.copy_of.is_none(), readable, report.item.showing())
    };
    let best = reports.iter().copied().reduce(|best, other| {
        if worth(other) > worth(best) {
            other
        } else {
            best
        }
    });
    best.expect("a topic wants one of the reports")
}
